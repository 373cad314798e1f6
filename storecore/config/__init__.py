"""From a config to an open store: its file, variables, options, nested stores and observers."""
