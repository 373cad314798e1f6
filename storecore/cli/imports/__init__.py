"""`storecore import`: files of bars, in whatever shape a vendor gives them, as bars of a store.

    sources → text → layout → contents        a file, decompressed, as blocks of columns of texts
    columns, dates, numbers, further          what a column is, and its texts as values
    rows → runs → writes                      checked bars, kept until all are checked, then written
    form ← options ← formats, suggestion      how a file is to be read

A block is two megabytes of text, whatever the size of the file.
"""
