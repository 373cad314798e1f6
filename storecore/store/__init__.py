"""`Store`, its wrapper, and what works with any store: tables, places, checkpoints."""
