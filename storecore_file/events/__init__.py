"""The events of a store: `collection.py` is what the store calls."""
