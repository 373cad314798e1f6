"""What was known and when it was recorded: views as of a time, history, receipts and replay."""
