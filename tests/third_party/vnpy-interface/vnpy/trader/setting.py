"""The settings of vnpy; a program changes them before it imports the database."""

SETTINGS = {"database.timezone": "UTC", "database.name": "sqlite"}
