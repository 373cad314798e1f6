"""The schema of a store: its tables, how a cluster lays them out, and how they are created."""
