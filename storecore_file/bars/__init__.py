"""The bars of a store: `collection.py` is what the store calls."""
