"""What was known when: views of a store as of a time, receipts of what was read, and replay."""
