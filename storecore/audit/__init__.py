"""The audit log: its records, their chain, and their transfer to another store."""
