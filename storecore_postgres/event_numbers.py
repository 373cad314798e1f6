"""The numbers of events, given by a sequence of the server: each is above those before it.

A restore of the rows alone leaves the sequence behind them. Then a number may be taken already, or
a new event would come back before older ones of the same time. So the first write of a store checks
its number. A sequence that is behind is set to the highest number in the table.
"""

from __future__ import annotations

from storecore.errors import StorageError
from storecore.reports import Finding
from storecore_postgres.database import Connection, Database

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
