"""What plugins are: the spec of a backend, observers, and how they are found and loaded."""
