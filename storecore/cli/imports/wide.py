"""A wide file, with a column for each field and ticker, as one with a column of tickers."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from storecore.cli.imports.contents import Block, Content

_TICKER = "Ticker"


def long(content: Content) -> Content:
    """Return the content with a row for each date and ticker; others as they are."""
    if not content.tickers:
        return content
    tickers = list(dict.fromkeys(content.tickers[1:]))
    fields = list(dict.fromkeys(content.names[1:]))
    names = [content.names[0], *fields, _TICKER]
    sample = content.sample and [content.sample[0], *[""] * len(fields), tickers[0]]
    blocks = (
        _of_ticker(block, content, fields, ticker) for block in content.blocks for ticker in tickers
    )
    return content._replace(names=names, blocks=blocks, sample=sample, tickers=())


def _of_ticker(block: Block, content: Content, fields: list[str], ticker: str) -> Block:
    """Return the rows of one ticker, without those in which it has no value."""
    at = {
        name: place
        for place, (name, own) in enumerate(zip(content.names, content.tickers, strict=True))
        if own == ticker
    }
    absent = pa.repeat("", block.rows)
    columns = [block.columns[at[name]] if name in at else absent for name in fields]
    kept = None
    for column in columns:
        has = pc.not_equal(column, "")
        kept = has if kept is None else pc.or_(kept, has)
    rows = pc.indices_nonzero(kept)
    every = [block.columns[0], *columns, pa.repeat(ticker, block.rows)]
    bad = block.bad if ticker == content.tickers[1] else []
    places = lambda: [block.places()[row] for row in rows.to_pylist()]  # noqa: E731
    return Block([column.take(rows) for column in every], places, bad)
