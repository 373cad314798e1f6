"""Values of every kind of data: names, times, documents, and the fields of records."""
