"""Tables of bars as users have them, of any library and shape, as one plain Arrow table."""
