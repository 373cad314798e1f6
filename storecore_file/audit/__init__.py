"""The audit logs of a store: `log.py` is what the store calls."""
