"""The audit log: its records, the chain that proves them, and their transfer to another store."""
