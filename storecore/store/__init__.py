"""`Store` and `Wrapper`; and functions for any store: tables, places, checkpoints."""
