"""Charts of a store as HTML pages, in a notebook and in the terminal (extra `chart`).

`series.py` reads what a chart shows, `marks.py` places records of the log and events on its bars,
`figure.py` draws them with Bokeh, `page.py` makes one file of it, and `terminal.py` draws with
plotext. `pages.py` is what all pages share, also that of the audit log, which needs neither.
"""
