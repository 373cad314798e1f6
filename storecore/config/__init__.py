"""From a config to an open store: its file, variables, options and nested stores."""
