"""What a database of vnpy needs of vnpy, for a test without vnpy: the names, fields and methods.

A test compares it with vnpy 4, if that is installed.
"""
