"""`storecore new-backend`: a complete package of a backend, to begin with."""
