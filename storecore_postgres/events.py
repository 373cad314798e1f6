"""Events: a row for each event, with the JSON document as it was written.

The column `id`, an identity, orders events of one timestamp by writing. A restore of the rows alone
leaves its sequence behind them. Then a number may be taken already, or a new event would be read
before older ones of the same timestamp. So the first write of a store checks its number, and a
sequence that is behind is set to the highest number in the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace
from psycopg.errors import UniqueViolation

from storecore.errors import CorruptData, StorageError
from storecore.events import (
    EventQuery,
    between,
    decode_event,
    encode_event,
    event_filter,
    find_events,
    select_events,
)
from storecore.knowledge.versions import Version
from storecore.models import Event
from storecore.reports import Finding
from storecore.store.collections import EventCollection
from storecore.values.times import EARLIEST, TimeRange, exact_instant, to_datetime
from storecore_postgres.database import Connection, Database
from storecore_postgres.past import EVENTS, GIVEN, Past, prune
from storecore_postgres.rows import PAGE, Row, decoding, issue, pages
from storecore_postgres.schema.layouts import Distribution
from storecore_postgres.wire import (
    Encoded,
    Timestamptz,
    instant,
    moment,
    repeated_texts,
    spans_of,
    text_array,
    timestamptz,
    timestamptz_array,
)

_LONGEST_TYPE = 200
_INSERT = """
INSERT INTO {schema}.events (timestamp, type, symbol, document{recorded})
SELECT timestamp, type, symbol, document::json{instant}
FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[])
    WITH ORDINALITY AS given (timestamp, type, symbol, document, number)
ORDER BY number
"""
_NUMBERED = "WITH put AS ({insert} RETURNING id) SELECT min(id) FROM put"
_ROW = "SELECT id, timestamptz_send(timestamp), type, document::text FROM {schema}.events"
_ROW_WITH_SYMBOL = _ROW.replace("document::text", "document::text, symbol")
_IN_ORDER = "ORDER BY timestamp, id"
_THESE = "WHERE timestamp BETWEEN %s AND %s"
_OF_TYPES = " AND type = ANY(%s::text[])"
_OF_SYMBOLS = " AND symbol = ANY(%s::text[])"
# Times in documents are ISO text in UTC, so they compare as text without their Z. The operator ->>
# would refuse a document with a NUL in any text.
_INGESTED_BY = """
 AND coalesce(
    substring(document::text, '"ingested_at":"([^"]*)Z"') COLLATE "C" <= %s, true
)"""
_SYMBOLS = "SELECT DISTINCT symbol FROM {schema}.events WHERE symbol <> ''"
_OF_SYMBOLS_ONLY = "WHERE symbol = ANY(%s::text[])"
# By a range of the primary key: there is no index on symbols, which each write would maintain.
_THESE_ROWS = """
WHERE timestamp BETWEEN %s AND %s AND symbol = %s AND id = ANY(%s::int8[])"""
_RENAME = """
UPDATE {schema}.events SET symbol = given.symbol, document = given.document::json
FROM unnest(%s::int8[], %s::timestamptz[], %s::text[], %s::text[], %s::text[])
    AS given (id, timestamp, type, symbol, document)
WHERE events.timestamp = given.timestamp AND events.id = given.id
"""
# A cluster cannot update the column by which it distributes rows.
_MOVE = """
INSERT INTO {schema}.events
    (id, timestamp, type, symbol, document{recorded}) OVERRIDING SYSTEM VALUE
SELECT id, timestamp, type, symbol, document::json{given}
FROM unnest(%s::int8[], %s::timestamptz[], %s::text[], %s::text[], %s::text[])
    AS given (id, timestamp, type, symbol, document)
"""
# A crashed server reuses lost transaction numbers. On Citus each node has its own numbers.
_COMMITTED = """
SELECT EXISTS (
    SELECT 1 FROM {schema}.events
    WHERE timestamp = %s AND document::text = %s AND xmin = %s::xid8::xid
)
"""
_NEXT_NUMBERS = """
SELECT nextval(pg_get_serial_sequence('{literal}.events', 'id')) FROM generate_series(1, %s)
"""
_HAS_NUMBER = """
SELECT EXISTS (SELECT 1 FROM {schema}.events WHERE id = %s)
    OR EXISTS (SELECT 1 FROM {schema}.event_history WHERE id = %s)
"""
_RESTORED = """FROM unnest(
    %s::int8[], %s::timestamptz[], %s::text[], %s::text[], %s::text[],
    %s::timestamptz[], %s::timestamptz[]
) AS given (id, timestamp, type, symbol, document, recorded, replaced)"""
_RESTORE = """
INSERT INTO {schema}.events
    (id, timestamp, type, symbol, document, recorded) OVERRIDING SYSTEM VALUE
SELECT id, timestamp, type, symbol, document::json, recorded {given}
WHERE replaced = 'infinity'
"""
_RESTORE_PAST = """
INSERT INTO {schema}.event_history (id, timestamp, type, symbol, document, recorded, replaced)
SELECT id, timestamp, type, symbol, document::json, recorded, replaced {given}
WHERE replaced < 'infinity'
"""
_ALL_VERSIONS = """
SELECT id, timestamptz_send(timestamp), type, document::text,
    timestamptz_send(recorded), timestamptz_send(replaced)
FROM (
    SELECT id, timestamp, type, symbol, document, recorded, 'infinity'::timestamptz AS replaced
    FROM {schema}.events
    UNION ALL
    SELECT id, timestamp, type, symbol, document, recorded, replaced FROM {schema}.event_history
) AS found {these} ORDER BY timestamp, id, recorded, replaced
"""
_PAST = """
SELECT id, timestamptz_send(timestamp), type, document::text,
    timestamptz_send(recorded), timestamptz_send(replaced)
FROM {schema}.event_history WHERE replaced >= %s
"""
_PAST_AFTER = f"""
SELECT id, timestamptz_send(timestamp), type, document::text, timestamptz_send(replaced)
FROM {{schema}}.event_history
WHERE (timestamp, id, replaced) > (%s, %s, %s) ORDER BY timestamp, id, replaced LIMIT {PAGE}
"""
_AFTER = f"""
SELECT id, timestamptz_send(timestamp), type, document::text FROM {{schema}}.events
WHERE (timestamp, id) > (%s, %s) ORDER BY timestamp, id LIMIT {PAGE}
"""
_NEWEST = """
SELECT coalesce(max(id), 0) FROM (
    SELECT id FROM {schema}.events ORDER BY timestamp DESC, id DESC LIMIT 100
) AS newest
"""
_STATE = """
SELECT
    (SELECT coalesce(max(id), 0) FROM {schema}.events),
    has_sequence_privilege(sequence, 'SELECT'),
    CASE WHEN has_sequence_privilege(sequence, 'SELECT')
        THEN coalesce(pg_sequence_last_value(sequence::regclass), 0)
    END
FROM pg_get_serial_sequence('{literal}.events', 'id') AS sequence
"""
_SET = """
SELECT setval(
    pg_get_serial_sequence('{literal}.events', 'id'),
    (SELECT max(id) FROM {schema}.events)
)
"""


class _SequenceBehind(Exception):
    """The sequence gives numbers below those of earlier events."""


class Events(EventCollection):
    """All events of a store."""

    def __init__(
        self,
        database: Database,
        schema: str,
        distribution: Distribution,
        past: Past | None = None,
    ) -> None:
        self._database = database
        self._schema = schema
        self._table = f"{schema}.events"
        self._past = past
        recorded = {
            "recorded": "" if past is None else ", recorded",
            "instant": "" if past is None else f", {past.recording.instant}",
            "given": "" if past is None else f", {GIVEN}",
        }
        self._has_sequence = self._is_unchecked = distribution != "citus"
        self._sequence = EventSequence(database, schema)
        (
            self._insert,
            self._after,
            self._committed,
            self._row,
            self._row_with_symbol,
            self._symbols,
            self._rename,
            self._move,
            self._past_after,
        ) = (
            each.format(schema=schema, **recorded)
            for each in (
                _INSERT,
                _AFTER,
                _COMMITTED,
                _ROW,
                _ROW_WITH_SYMBOL,
                _SYMBOLS,
                _RENAME,
                _MOVE,
                _PAST_AFTER,
            )
        )
        self._next_numbers, self._has_number, *self._restored = (
            each.format(schema=schema, literal=schema.replace("'", "''"), given=_RESTORED)
            for each in (_NEXT_NUMBERS, _HAS_NUMBER, _RESTORE, _RESTORE_PAST)
        )
        self._numbered = _NUMBERED.format(insert=self._insert)

    def write(self, batch: list[Event]) -> None:
        """Append checked events in the order given, all or none, exactly once."""
        documents = [encode_event(event).decode() for event in batch]
        parameters = [
            timestamptz_array(map(_instant, batch)),
            text_array(indexed_type(event.type) for event in batch),
            text_array(event.symbol or "" for event in batch),
            text_array(documents),
        ]
        first = [timestamptz(_instant(batch[0])), documents[0]]

        def put(connection: Connection) -> None:
            if self._is_unchecked:
                self._insert_checked(connection, parameters)
            else:
                connection.execute(self._insert, parameters)

        def is_committed(connection: Connection, number: str, _: None) -> bool:
            if not self._has_sequence:
                return True
            ((kept,),) = connection.execute(self._committed, [*first, number]).fetchall()
            return bool(kept)

        what = f"writing events of type {batch[0].type!r}"
        try:
            self._database.exactly_once(what, put, is_committed)
        except (_SequenceBehind, StorageError) as error:
            if isinstance(error, StorageError) and not isinstance(error.__cause__, UniqueViolation):
                raise
            self._sequence.repair()
            self._database.exactly_once(what, put, is_committed)
        self._is_unchecked = False

    def _insert_checked(self, connection: Connection, parameters: Sequence[Encoded]) -> None:
        """Insert events, unless their numbers are below those of earlier events."""
        newest = self._sequence.newest(connection)
        ((number,),) = connection.execute(self._numbered, parameters).fetchall()
        if number <= newest:
            raise _SequenceBehind

    def sequence_findings(self) -> list[Finding]:
        """Return the finding that the sequence is behind the table, if it is."""
        return self._sequence.findings() if self._has_sequence else []

    def repair(self, *, dry_run: bool) -> str | None:
        """Repair a sequence that is behind; return a sentence about it, or None."""
        if not self.sequence_findings():
            return None
        if dry_run:
            return f"would set the sequence of {self._table} to its highest number"
        self._sequence.repair()
        return f"set the sequence of {self._table} to its highest number"

    def read(self, span: TimeRange, types: frozenset[str] | None) -> list[Event]:
        """Return the events of a range and of types (None: all) by timestamp, then id."""
        return self.find(EventQuery(span, types))

    def find(self, query: EventQuery) -> list[Event]:
        """Return the events that a query asks for by timestamp, then id."""
        these, parameters = _condition(query)
        statement = f"{self._row} {these} {_IN_ORDER}"
        rows = self._database.rows("reading events", statement, parameters)
        events = (self._decoded(*row) for row in rows)
        if query.symbols is None and query.ingested_by is None:
            return select_events(events, query.span, query.types)
        return find_events(events, query)

    def symbols(self) -> list[str]:
        """Return the symbols that have events."""
        rows = self._database.rows("reading symbols of events", self._symbols, [])
        return [name for (name,) in rows]

    def delete(self, query: EventQuery) -> int:
        """Remove the events that a query asks for; return how many there were."""
        these, parameters = _condition(query)
        is_exact = _are_exact(query.types)

        def removed(connection: Connection) -> int:
            numbers = [] if is_exact else [self._numbers(connection, query)]
            where = these if is_exact else f"{these} AND id = ANY(%s::int8[])"
            statement = self._removal(where)
            ((count, *_),) = connection.execute(statement, [*parameters, *numbers]).fetchall()
            return int(count)

        def are_gone(connection: Connection, _: str, count: int) -> bool:
            return not self._numbers(connection, query)

        return self._database.exactly_once("deleting events", removed, are_gone)

    def _removal(self, where: str) -> str:
        if self._past is not None:
            return self._past.delete(EVENTS, where)
        return f"""
WITH gone AS (DELETE FROM {self._table} {where} RETURNING 1) SELECT count(*) FROM gone"""

    def _numbers(self, connection: Connection, query: EventQuery) -> list[int]:
        """Return the numbers of the events that a query asks for."""
        these, parameters = _condition(query)
        rows = connection.execute(f"{self._row} {these}", parameters, binary=True).fetchall()
        is_asked_for = event_filter(query)
        return [row[0] for row in rows if is_asked_for(self._decoded(*row))]

    def of_symbols(self, connection: Connection, symbols: list[str]) -> dict[str, list[Row]]:
        """Return the rows of symbols that have events, by symbol. It reads the whole table."""
        statement = f"{self._row_with_symbol} {_OF_SYMBOLS_ONLY}"
        found: dict[str, list[Row]] = {}
        for *row, symbol in connection.execute(statement, [symbols], binary=True).fetchall():
            found.setdefault(symbol, []).append(tuple(row))
        return found

    def rename(
        self,
        connection: Connection,
        old: str,
        rows: list[Row],
        new: str,
        at: Timestamptz | None = None,
    ) -> None:
        """Give the events of a symbol, given as rows, another one, within a transaction."""
        if not rows:
            return
        numbers, times, types = ([row[place] for row in rows] for place in range(3))
        renamed = [replace(self._decoded(*row), symbol=new) for row in rows]
        documents = text_array(encode_event(event).decode() for event in renamed)
        instants = list(map(instant, times))
        bounds = map(timestamptz, (min(instants), max(instants)))
        these: list[Any] = [*bounds, old, numbers]
        symbols = repeated_texts([(new, len(rows))])
        dates = timestamptz_array(instants)
        moved: list[Any] = [numbers, dates, text_array(types), symbols, documents]
        if self._past is not None and at is not None:
            removal = self._past.delete(EVENTS, _THESE_ROWS, instant=GIVEN)
            connection.execute(removal, [*these, at])
            connection.execute(self._move, [at, *moved])
        elif self._has_sequence:
            connection.execute(self._rename, moved)
        else:
            connection.execute(f"DELETE FROM {self._table} {_THESE_ROWS}", these)
            connection.execute(self._move, moved)

    # Versions. Without a history, what is held was recorded before it.

    def versions(self, query: EventQuery) -> list[Version[Event]]:
        """Return the versions of events by timestamp, then by number and by `recorded`."""
        if self._past is None:
            span = query.span._replace(aware=True)
            return [(event, None, None) for event in self.find(query._replace(span=span))]
        these, parameters = _condition(query)
        statement = _ALL_VERSIONS.format(schema=self._schema, these=these)
        is_asked_for = event_filter(query)
        found = self._versions(statement, parameters)
        return [each for each in found if is_asked_for(each[0])]

    def past(self, since: int) -> list[Version[Event]]:
        """Return the versions that were replaced at or after an instant."""
        if self._past is None:
            return []
        return self._versions(_PAST.format(schema=self._schema), [timestamptz(since)])

    def _versions(self, statement: str, parameters: Sequence[object]) -> list[Version[Event]]:
        rows = self._database.rows("reading versions of events", statement, parameters)
        return [
            (self._decoded(*row), moment(recorded), moment(replaced))
            for *row, recorded, replaced in rows
        ]

    def restore(self, versions: list[Version[Event]]) -> None:
        """Append versions of another store in their order, all or none, exactly once."""
        events = [event for event, _, _ in versions]
        given = [
            timestamptz_array(map(_instant, events)),
            text_array(indexed_type(event.type) for event in events),
            text_array(event.symbol or "" for event in events),
            text_array(encode_event(event).decode() for event in events),
            *spans_of((began, ended) for _, began, ended in versions),
        ]
        numbers = list[int]()

        def put(connection: Connection) -> None:
            rows = connection.execute(self._next_numbers, [len(events)]).fetchall()
            numbers[:] = sorted(number for (number,) in rows)
            for statement in self._restored:
                connection.execute(statement, [numbers, *given])

        def is_committed(connection: Connection, number: str, _: None) -> bool:
            ((kept,),) = connection.execute(self._has_number, 2 * numbers[:1]).fetchall()
            return bool(kept)

        self._database.exactly_once("restoring versions of events", put, is_committed)

    def prune(self, before: int) -> int:
        """Remove the versions that were replaced at or before an instant; return their number."""
        return prune(self._database, self._schema, EVENTS, before)

    def all(self) -> Iterator[Event]:
        """Yield all events by timestamp, then id."""
        return (self._decoded(*row) for row in self._rows())

    def stream(self, span: TimeRange) -> Iterator[Event]:
        """Yield the events of a range as `all` does, a page at a time."""
        return between((self._decoded(*row) for row in self._rows(span.first)), span)

    def issues(self) -> Iterator[StorageError | None]:
        """Yield for each row its error, or None; replaced versions are rows too."""
        yield from (issue(self._decoded, row) for row in self._rows())
        if self._past is not None:
            yield from (issue(self._decoded, row[:4]) for row in self._past_rows())

    def _past_rows(self) -> Iterator[Row]:
        def key_of(row: Row) -> list[object]:
            return [Timestamptz(row[1]), row[0], Timestamptz(row[4])]

        start = [timestamptz(EARLIEST), 0, timestamptz(EARLIEST)]
        return pages(self._database, "reading events", self._past_after, start, key_of)

    def _rows(self, first: int = EARLIEST) -> Iterator[Row]:
        def key_of(row: Row) -> list[object]:
            return [Timestamptz(row[1]), row[0]]

        start = [timestamptz(first), 0]
        return pages(self._database, "reading events", self._after, start, key_of)

    def _decoded(self, number: int, timestamp: bytes, kind: str, document: str) -> Event:
        place = f"{self._table}, id {number}"
        with decoding(place):
            event = decode_event(document.encode())
        if (_instant(event), indexed_type(event.type)) != (instant(timestamp), kind):
            raise CorruptData(f"{place}: its document has another timestamp or type", place)
        return event


class EventSequence:
    """The sequence of the column `id`."""

    def __init__(self, database: Database, schema: str) -> None:
        self._database = database
        self._table = f"{schema}.events"
        literal = schema.replace("'", "''")
        self._newest, self._state, self._set = (
            each.format(schema=schema, literal=literal) for each in (_NEWEST, _STATE, _SET)
        )

    def newest(self, connection: Connection) -> int:
        """Return a number that the next id must exceed."""
        ((number,),) = connection.execute(self._newest).fetchall()
        return int(number)

    def lag(self) -> tuple[int, int] | None:
        """Return the last number of the sequence and the highest id, if the sequence is behind.

        Return None too if the role may not read the sequence.
        """
        ((highest, may_look, last),) = self._database.rows("reading events", self._state, [])
        return (last, highest) if may_look and last < highest else None

    def findings(self) -> list[Finding]:
        """Return the finding that the sequence is behind the table, if it is."""
        behind = self.lag()
        if behind is None:
            return []
        last, highest = behind
        detail = f"its sequence is at {last}, its events go up to number {highest}"
        return [Finding("behind", self._table, f"{detail}: restored without it?")]

    def repair(self) -> None:
        """Set the sequence to the highest id. Raises `StorageError` if the role may not."""
        try:
            self._database.rows("repairing events", self._set, [])
        except StorageError as error:
            raise StorageError(
                f"{self._table}: the sequence that numbers its events is behind them, as after a "
                "restore of its rows alone, and this role may not set it; run `storecore repair` "
                "as the owner of the table"
            ) from error


def _condition(query: EventQuery) -> tuple[str, list[object]]:
    """Return the condition of a query, as precise as the columns can be, and its parameters."""
    these, asked = _THESE, list[object](map(timestamptz, query.span[:2]))
    if query.types is not None:
        these += _OF_TYPES
        asked.append(sorted(map(indexed_type, query.types)))
    if query.symbols is not None:
        these += _OF_SYMBOLS
        asked.append(sorted(symbol or "" for symbol in query.symbols))
    if query.ingested_by is not None:
        these += _INGESTED_BY
        asked.append(to_datetime(query.ingested_by, aware=False).isoformat())
    return these, asked


def _are_exact(types: Iterable[str] | None) -> bool:
    """Return whether no other type has the same indexed one as any of these."""
    return all(
        len(kind) < _LONGEST_TYPE and indexed_type(kind) == kind and "␀" not in kind
        for kind in types or ()
    )


def _instant(event: Event) -> int:
    return exact_instant(event.timestamp, "timestamp")


def indexed_type(kind: str) -> str:
    """Return the indexed prefix of a type: text on the server has no NUL, an index no long text."""
    return kind[:_LONGEST_TYPE].replace("\0", "␀").encode(errors="replace").decode()
