"""What was known when: versions and their clock, views as of a time, receipts, and replay."""
