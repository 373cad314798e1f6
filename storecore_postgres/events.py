"""The room of events: a row an event, a JSON document as it was written.

    id          gives events of one timestamp the order in which they were written
    timestamp   when it happened; beside it the beginning of its type, both to be found by
    symbol      '' for a system event

A type may be any text; the column has as much of it as an index can keep, the document all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psycopg.errors import UniqueViolation

from storecore.errors import CorruptData, StorageError
from storecore.events import decode_event, encode_event, select_events
from storecore.models import Event
from storecore.reports import Finding
from storecore.values.times import EARLIEST, TimeRange, exact_instant
from storecore_postgres.database import Connection, Database
from storecore_postgres.rows import PAGE, Row, decoding, issue, pages
from storecore_postgres.schema.layouts import Distribution
from storecore_postgres.wire import Encoded, Moment, each_once, instant, moment, moments

_LONGEST_TYPE = 200
_INSERT = """
INSERT INTO {schema}.events (timestamp, type, symbol, document)
SELECT timestamp, type, symbol, document::json
FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[])
    WITH ORDINALITY AS given (timestamp, type, symbol, document, number)
ORDER BY number
"""
_NUMBERED = "WITH put AS ({insert} RETURNING id) SELECT min(id) FROM put"
_READ = """
SELECT id, timestamptz_send(timestamp), type, document::text FROM {schema}.events
WHERE timestamp BETWEEN %s AND %s {of_types} ORDER BY timestamp, id
"""
# A crashed server gives a number that it lost again. Citus has numbers of its own on each machine.
_IS_KEPT = """
SELECT EXISTS (
    SELECT 1 FROM {schema}.events
    WHERE timestamp = %s AND document::text = %s AND xmin = %s::xid8::xid
)
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


class _Behind(Exception):
    """The numbers that the server gives are below those of earlier events."""


class Events:
    """All events of a store."""

    def __init__(self, database: Database, schema: str, distribution: Distribution) -> None:
        self._database = database
        self._table = f"{schema}.events"
        self._are_numbered = self._is_unproven = distribution != "citus"
        self._numbers = EventNumbers(database, schema)
        self._insert, self._after, self._kept = (
            each.format(schema=schema) for each in (_INSERT, _AFTER, _IS_KEPT)
        )
        self._numbered = _NUMBERED.format(insert=self._insert)
        self._read = _READ.replace("{schema}", schema)

    def write(self, events: Sequence[Event]) -> None:
        """Append checked events in the order given, all of them or none, exactly once."""
        if not events:
            return
        documents = [encode_event(event).decode() for event in events]
        asked = [
            moments(map(_instant, events)),
            each_once(found_by(event.type) for event in events),
            each_once(event.symbol or "" for event in events),
            each_once(documents),
        ]
        first = [moment(_instant(events[0])), documents[0]]

        def put(connection: Connection) -> None:
            if self._is_unproven:
                self._put_numbered(connection, asked)
            else:
                connection.execute(self._insert, asked)

        def is_kept(connection: Connection, number: str, _: None) -> bool:
            if not self._are_numbered:
                return True
            ((kept,),) = connection.execute(self._kept, [*first, number]).fetchall()
            return bool(kept)

        what = f"writing events of type {events[0].type!r}"
        try:
            self._database.once(what, put, is_kept)
        except (_Behind, StorageError) as error:
            if isinstance(error, StorageError) and not isinstance(error.__cause__, UniqueViolation):
                raise
            self._numbers.heal()
            self._database.once(what, put, is_kept)
        self._is_unproven = False

    def _put_numbered(self, connection: Connection, asked: Sequence[Encoded]) -> None:
        """Insert events, unless their numbers would be below those of earlier ones."""
        newest = self._numbers.newest(connection)
        ((number,),) = connection.execute(self._numbered, asked).fetchall()
        if number <= newest:
            raise _Behind

    def misnumbered(self) -> list[Finding]:
        """Return the findings about the numbers that events will get."""
        return self._numbers.findings() if self._are_numbered else []

    def heal(self, *, dry_run: bool) -> str | None:
        """Repair the numbers that events will get; return what was done, in words, or None."""
        if not self.misnumbered():
            return None
        if dry_run:
            return f"would set the sequence of {self._table} to its highest number"
        self._numbers.heal()
        return f"set the sequence of {self._table} to its highest number"

    def read(self, span: TimeRange, types: frozenset[str] | None) -> list[Event]:
        """Return the events of a range and of types (None: all) by timestamp, then by writing."""
        asked: list[object] = [moment(span.first), moment(span.last)]
        of_types = ""
        if types is not None:
            of_types = "AND type = ANY(%s::text[])"
            asked.append(sorted(map(found_by, types)))
        rows = self._database.rows("reading events", self._read.format(of_types=of_types), asked)
        return select_events((self._decoded(*row) for row in rows), span, types)

    def all(self) -> Iterator[Event]:
        """Yield all events by timestamp, then by order of writing."""
        return (self._decoded(*row) for row in self._rows())

    def issues(self) -> Iterator[StorageError | None]:
        """Yield for each row what is wrong with it, None where nothing is."""
        return (issue(self._decoded, row) for row in self._rows())

    def _rows(self) -> Iterator[Row]:
        def key_of(row: Row) -> list[object]:
            return [Moment(row[1]), row[0]]

        start = [moment(EARLIEST), 0]
        return pages(self._database, "reading events", self._after, start, key_of)

    def _decoded(self, number: int, timestamp: bytes, kind: str, document: str) -> Event:
        place = f"{self._table}, id {number}"
        with decoding(place):
            event = decode_event(document.encode())
        if (_instant(event), found_by(event.type)) != (instant(timestamp), kind):
            raise CorruptData(f"{place}: its document is of another time or type", place)
        return event


class EventNumbers:
    """The sequence that numbers the rows of the table of events."""

    def __init__(self, database: Database, schema: str) -> None:
        self._database = database
        self._table = f"{schema}.events"
        literal = schema.replace("'", "''")
        self._newest, self._state, self._set = (
            each.format(schema=schema, literal=literal) for each in (_NEWEST, _STATE, _SET)
        )

    def newest(self, connection: Connection) -> int:
        """Return a number that the next event's number must exceed."""
        ((number,),) = connection.execute(self._newest).fetchall()
        return int(number)

    def behind(self) -> tuple[int, int] | None:
        """Return the sequence's number and the highest in the table, if it is behind that.

        The sequence's number is None for a role that may not read it.
        """
        ((highest, may_look, last),) = self._database.rows("reading events", self._state, [])
        return (last, highest) if may_look and last < highest else None

    def findings(self) -> list[Finding]:
        """Return the finding that the sequence is behind the table, if it is."""
        behind = self.behind()
        if behind is None:
            return []
        last, highest = behind
        detail = f"its sequence is at {last}, and its events go on to number {highest}"
        return [Finding("behind", self._table, f"{detail}: restored without it?")]

    def heal(self) -> None:
        """Set the sequence to the highest number. Raises `StorageError` if the role may not."""
        try:
            self._database.rows("repairing events", self._set, [])
        except StorageError as error:
            raise StorageError(
                f"{self._table}: the sequence that numbers its events is behind them, as after a "
                "restore of its rows alone, and this role may not set it; run `storecore repair` "
                "as the owner of the table"
            ) from error


def _instant(event: Event) -> int:
    return exact_instant(event.timestamp, "timestamp")


def found_by(kind: str) -> str:
    """Return what of a type its column has: the server's text has no NUL, an index no long one."""
    return kind[:_LONGEST_TYPE].replace("\0", "␀").encode(errors="replace").decode()
