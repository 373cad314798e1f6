"""`storecore export`: what a store holds as files that `storecore import` reads.

`command` has the command, `bars` and `records` what is written, `files` how. `texts` are bars as
the texts of a CSV file.
"""
