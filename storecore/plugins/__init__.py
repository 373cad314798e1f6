"""Plugins: the spec of a backend, observers, discovery and loading."""
