"""What every kind of data needs: names, times, documents, and the fields of records."""
