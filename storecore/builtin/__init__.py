"""The backends that core registers like any other package: memory and the wrappers."""
