"""The backends that storecore itself registers, like any other: memory and the wrappers."""
