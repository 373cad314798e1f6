"""Reads of bars: a page is one statement, and a long answer has several pages of one snapshot.

A page has one row for each symbol, in which the server has concatenated the values of each column,
so no bar becomes a Python object.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

from storecore.bars.extra_values import FIELDS
from storecore.bars.table import SERIES, instants_of, joined
from storecore.values.timeframes import DAY, SECOND, timeframe_of
from storecore.values.times import TimeRange
from storecore_postgres.bar_versions import held_at
from storecore_postgres.database import Database, Rows
from storecore_postgres.extra import TOKEN, ExtraColumns, Kinds, Place, Stale, asked_of
from storecore_postgres.schema.layouts import Distribution
from storecore_postgres.selection import KINDS_OF_MANY, KINDS_OF_ONE, Selection, empty_table
from storecore_postgres.wire import timestamptz

_PAGE_ROWS = 1_000_000  # bars; the server returns at most 1 GB in a value
_PAGE_TEXTS = 20_000  # bars with texts, which may be long
_PAGE_VALUES = 100_000_000  # of all columns: a row of an answer has at most 1 GB, too
_PAGE_TEXT_VALUES = 2_000_000
_CENTURY = 36_525 * DAY
NUMBERS = tuple(SERIES.names[1:])
_SEVEN = frozenset(("symbol", *SERIES.names))
_Result = TypeVar("_Result")
Named = list[tuple[str, pa.Table]]
SeriesKinds = dict[str, Kinds]


class Question(NamedTuple):
    """Series, a range of dates and the columns asked for.

    With `at`, it is about what was held at that instant of recording.
    """

    symbols: list[str]
    timeframe: str
    span: TimeRange
    columns: tuple[str, ...]
    at: int | None = None

    @property
    def is_one(self) -> bool:
        """Whether it is about one symbol."""
        return len(self.symbols) == 1

    @property
    def subject(self) -> tuple[str, str, int]:
        """The series, as far as needed to recognize the question when it is asked again."""
        return self.timeframe, self.symbols[0], len(self.symbols)

    @property
    def most_bars(self) -> int:
        """How many bars are expected at most: one for each step of a century."""
        length = timeframe_of(self.timeframe)
        step = SECOND if length is None else length.micros
        width = min(self.span.last - self.span.first, _CENTURY)
        return len(self.symbols) * (width // step + 1)

    @property
    def asks_further(self) -> bool:
        """Whether it asks for columns beyond the seven."""
        return not _SEVEN.issuperset(self.columns)


class Found(NamedTuple):
    """Series tables with rows, by symbol, and the types of the further columns of all series."""

    tables: Named
    kinds: SeriesKinds

    @property
    def size(self) -> int:
        """The number of bars."""
        return sum(len(table) for _, table in self.tables)

    def with_page(self, page: Found) -> Found:
        """Return this with a later page."""
        return Found(self.tables + page.tables, self.kinds | page.kinds)


class Pages:
    """Answers questions about the bars of a store."""

    def __init__(
        self, database: Database, schema: str, distribution: Distribution, extra: ExtraColumns
    ) -> None:
        self._database = database
        self._schema = schema
        self._extra = extra
        self._is_short: dict[tuple[str, str, int], bool] = {}  # the last answer, by its subject
        self._has_lateral = distribution == "none"
        # A plan for any symbol may take a hypertable's own index on the date, and pass over the
        # bars of all other symbols.
        self._newest_rows: Rows = partial(
            database.rows, prepare=False if distribution == "timescale" else None
        )
        self._token, self._kinds_of_one, self._kinds_of_many = (
            each.format(schema=schema) for each in (TOKEN, KINDS_OF_ONE, KINDS_OF_MANY)
        )

    def answer(self, question: Question) -> Named:
        """Return a series table for each symbol that has bars, sorted by symbol.

        So is a table without rows for a series that has further columns, but no bars in the range.
        """
        return self._current(question, self.once)

    def _current(self, question: Question, read: Callable[[Question], _Result]) -> _Result:
        """Read until no further column is missing."""
        while True:
            try:
                return read(question)
            except Stale as stale:
                self._extra.learn(question.timeframe, stale.kinds)

    def once(self, question: Question) -> Named:
        """Answer as `answer` does. Raises `Stale` if another process has added columns."""
        selection = self._selection(question)
        newest = question.span.newest
        if newest is not None and newest <= selection.page:
            found = self._newest(question, selection, newest)
        else:
            found = self._all(question, selection)
        return found.tables + (self._without_rows(question, found) if question.asks_further else [])

    def _all(self, question: Question, selection: Selection) -> Found:
        """Return all bars of an answer.

        A transaction takes two more round trips. So an answer that should be less than a page is
        read without one, and read again if it is not.
        """
        if not self._may_fill(question, selection.page):
            found = self._page(self._database.rows, question, selection)
            if found.size < selection.page:
                return found
        found = self._in_pages(question, selection)
        self._is_short[question.subject] = found.size < selection.page // 2
        return found

    def _may_fill(self, question: Question, page: int) -> bool:
        """Return whether an answer may fill a page: by its range, and by the last such answer."""
        return question.most_bars >= page and not self._is_short.get(question.subject)

    def _in_pages(self, question: Question, selection: Selection) -> Found:
        """Return all bars of an answer by one snapshot: a series is read as a whole, old or new."""

        def read(rows: Rows) -> Found | Stale:
            try:
                return self._pages(rows, question, selection)
            except Stale as stale:  # an exception would cost the connection
                return stale

        found = self._database.snapshot("reading bars", read)
        if isinstance(found, Stale):
            raise found
        return found

    def _selection(self, question: Question) -> Selection:
        numbers = tuple(name for name in NUMBERS if name in question.columns)
        if not question.asks_further:
            return Selection(numbers, {}, _PAGE_ROWS)
        known = self._extra.now
        seen = self._extra.places_of(question.timeframe, question.symbols, question.columns)
        further = {place: known.place(place) for place in sorted(seen)}
        return Selection(numbers, further, _page_size(further))

    def _probe(self, question: Question) -> str:
        """Return SQL that tells which further columns the series have; empty: do not ask."""
        if question.at is not None:
            return self._token
        if not question.asks_further:
            return ""
        if not self._extra.version.is_complete:
            return self._token
        return self._kinds_of_one if question.is_one else self._kinds_of_many

    def _without_rows(self, question: Question, found: Found) -> Named:
        """Return tables without rows for series that have further columns."""
        kinds = found.kinds
        if not found.tables and not question.is_one:
            kinds = self._extra.read_kinds(question.timeframe, question.symbols)
        with_rows = {symbol for symbol, _ in found.tables}
        return [
            (symbol, empty_table(asked_of(each, question.columns)))
            for symbol, each in sorted(kinds.items())
            if symbol not in with_rows
        ]

    def _newest(self, question: Question, selection: Selection, newest: int) -> Found:
        """Return the newest bars of each symbol."""
        symbols, size = question.symbols, selection.page // newest if self._has_lateral else 1
        parts = [symbols[start : start + size] for start in range(0, len(symbols), size)]
        found = Found([], {})
        for part in parts:
            asked = question._replace(symbols=part)
            found = found.with_page(self._page(self._newest_rows, asked, selection, newest))
        return found

    def _pages(self, rows: Rows, question: Question, selection: Selection) -> Found:
        """Return all pages of an answer."""
        found = Found([], {})
        while question.symbols:
            page = self._page(rows, question, selection)
            found = found.with_page(page)
            if page.size < selection.page:
                break
            last, table = found.tables.pop()  # the page may have cut it
            rest = question.span._replace(first=instants_of(table)[-1] + 1)
            more = self._pages(rows, question._replace(symbols=[last], span=rest), selection)
            found.tables.append((last, joined([table, *(each for _, each in more.tables)])))
            later = question.symbols[bisect_right(question.symbols, last) :]
            question = question._replace(symbols=later)
        return found

    def _page(
        self,
        rows: Rows,
        question: Question,
        selection: Selection,
        newest: int | None = None,
    ) -> Found:
        """Return one page of bars. Raises `Stale` if its series have columns not selected."""
        is_one = question.is_one
        complete = self._extra.version.is_complete and question.at is None
        probe, limit = self._probe(question), newest or selection.page
        statement = selection.statement(
            self._schema, probe, limit, many=not is_one, newest=newest is not None
        )
        subject: object = question.symbols[0] if is_one else question.symbols
        series = [subject, question.timeframe]
        span = [timestamptz(question.span.first), timestamptz(question.span.last)]
        if question.at is not None:
            statement = held_at(self._schema, statement)
            series = [*[timestamptz(question.at)] * 3, *series]
        probed = series if probe and complete else []
        sent = rows("reading bars", statement, [*probed, *series, *span])
        if is_one:
            sent = [(*row, subject) for row in sent]
        kinds = _kinds_stated(sent, question, complete) if probe else {}
        tables = []
        for *row, symbol in sent:
            places = set(asked_of(kinds.get(symbol, {}), question.columns))
            if not places <= selection.further.keys():
                raise Stale(kinds)
            if row[0] is not None:
                tables.append((symbol, selection.table(row, places)))
        return Found(tables, kinds)

    def of_one(self, question: Question, max_rows: int) -> Iterator[Named]:
        """Yield the bars of one symbol; each page begins after the last one, without a count."""

        def page(question: Question) -> tuple[Found, bool]:
            selection = self._selection(question)
            selection = selection._replace(page=min(max_rows, selection.page))
            found = self._page(self._database.rows, question, selection)
            return found, found.size == selection.page

        is_full = True
        while is_full:
            found, is_full = self._current(question, page)
            if found.size:
                yield found.tables
                first = instants_of(found.tables[0][1])[-1] + 1
                question = question._replace(span=question.span._replace(first=first))


def _page_size(further: Collection[Place]) -> int:
    """Return the number of bars in a page."""
    rows = min(_PAGE_ROWS, _PAGE_VALUES // (len(FIELDS) + len(further)))
    texts = sum(kind == "string" for _, kind in further)
    return min(rows, _PAGE_TEXTS, _PAGE_TEXT_VALUES // texts) if texts else rows


def _kinds_stated(sent: list[tuple[Any, ...]], question: Question, complete: bool) -> SeriesKinds:
    """Return the types of the further columns of the series of a page.

    Raises `Stale` if a store of an earlier release has such columns by now.
    """
    stated = sent[0][-2] if sent else None
    if stated is None:
        return {}
    if not complete:
        raise Stale
    found = json.loads(stated)
    return {question.symbols[0]: found} if question.is_one else found
