"""What was known, and when: views of a store as of a time (laws K1 to K4)."""
