"""The audit log: two tables of records, each a chain of hashes, and the heads of the chains."""
