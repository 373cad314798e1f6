"""The SQL of writes that keep what they replace, each of them one statement (law K1).

An upsert returns the new row, not the old one, which is read in the snapshot of the statement. If
another session has written the row since, that is not the one that was replaced: then
`refuse_outdated` raises a serialization failure, and the store repeats the statement. Equal rows,
bit for bit, stay as they are. A deletion returns the rows that it has removed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from storecore_postgres.database import Database
from storecore_postgres.recording import Recording
from storecore_postgres.wire import timestamptz

_UPSERT = """
WITH put AS (
    INSERT INTO {schema}.{table} AS kept ({columns}, recorded)
    {given}
    ON CONFLICT ({key}) DO UPDATE SET {assigned}, recorded = excluded.recorded
    WHERE CASE
        WHEN record_image_eq(ROW({old}), ROW({new})) THEN false
        WHEN kept.recorded < excluded.recorded AND EXISTS (
            SELECT 1 FROM {schema}.{table} AS seen
            WHERE {seen} AND seen.recorded = kept.recorded
        ) THEN true
        ELSE {refusal}
    END
    RETURNING {key}, recorded
), gone AS (
    SELECT {former}, seen.recorded, put.recorded AS replaced
    FROM put JOIN {schema}.{table} AS seen USING ({key})
), past AS (
    INSERT INTO {schema}.{past} ({columns}, recorded, replaced)
    SELECT {columns}, recorded, replaced FROM gone{if_kept}
    RETURNING 1
)
SELECT {answer}{forgotten}
"""
_DELETE = """
WITH gone AS (
    DELETE FROM {schema}.{table} {where} RETURNING {columns}, recorded{also}
), clock AS MATERIALIZED (
    SELECT {instant} AS now
), past AS (
    INSERT INTO {schema}.{past} ({columns}, recorded, replaced)
    SELECT {removed}, gone.recorded, {ended} FROM gone, clock{if_kept}
    RETURNING 1
){more}
SELECT count(*), {answer}{forgotten} FROM gone
"""
_MOVED = """, moved AS (
    INSERT INTO {schema}.{table} ({columns}, recorded{also})
    SELECT {renamed}, clock.now{kept} FROM gone, clock
    RETURNING 1
)"""
_NOW = "CASE WHEN gone.recorded < clock.now THEN clock.now WHEN {refusal} THEN clock.now END"
_PRUNE = """
WITH gone AS (DELETE FROM {schema}.{past} WHERE replaced <= %s RETURNING 1)
SELECT count(*) FROM gone
"""
# Rows as `given` with their columns `recorded` and `replaced` (infinity: held now).
_RESTORE_PAST = """
WITH given ({columns}, recorded, replaced) AS ({given})
INSERT INTO {schema}.{past} ({columns}, recorded, replaced)
SELECT {columns}, recorded, replaced FROM given WHERE replaced < 'infinity'
ON CONFLICT ({key}, replaced) DO NOTHING
"""
_RESTORE_ENDS = """
WITH given ({columns}, recorded, replaced) AS ({given})
DELETE FROM {schema}.{table} USING given
WHERE {same} AND (given.replaced = 'infinity' OR given.recorded = {table}.recorded)
"""
_RESTORE_HELD = """
WITH given ({columns}, recorded, replaced) AS ({given})
INSERT INTO {schema}.{table} ({columns}, recorded)
SELECT {columns}, recorded FROM given WHERE replaced = 'infinity'
"""
GIVEN = "%s::timestamptz"
"""The instant of a statement, given as a parameter."""
_EXPECTED = 10  # rows: what the server expects of an array that it does not know


class Table(NamedTuple):
    """A table with versions, that of the replaced ones, and their columns."""

    name: str
    past: str
    key: tuple[str, ...]
    values: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns but the instants."""
        return self.key + self.values

    def with_further(self, further: Iterable[str]) -> Table:
        """Return the table with quoted further columns."""
        return self._replace(values=(*self.values, *further))


BARS = Table(
    "bars",
    "bar_history",
    ("symbol", "timeframe", "date"),
    ("open", "high", "low", "close", "volume", "exact_volume"),
)
FUNDAMENTALS = Table("fundamentals", "fundamental_history", ("symbol", "timestamp"), ("document",))
EVENTS = Table("events", "event_history", ("timestamp", "id"), ("type", "symbol", "document"))


class Past:
    """The statements for one table of a store."""

    def __init__(self, schema: str, recording: Recording) -> None:
        self.recording = recording
        self._schema = schema
        self._if_kept = "" if recording.keeps == "true" else f" WHERE {recording.keeps}"

    def upsert(self, table: Table, given: str, answer: str) -> str:
        """Return an upsert of given rows: of all columns of the table, and their instant."""
        return _UPSERT.format(
            schema=self._schema,
            table=table.name,
            past=table.past,
            given=given,
            answer=answer,
            columns=", ".join(table.columns),
            key=", ".join(table.key),
            assigned=", ".join(f"{each} = excluded.{each}" for each in table.values),
            old=", ".join(f"kept.{each}" for each in table.values),
            new=", ".join(f"excluded.{each}" for each in table.values),
            former=", ".join(f"seen.{each}" for each in table.columns),
            seen=" AND ".join(f"seen.{each} = kept.{each}" for each in table.key),
            refusal=self.recording.refusal,
            if_kept=self._if_kept,
            forgotten=self.recording.forgotten("(SELECT max(replaced) FROM gone)"),
        )

    def delete(
        self,
        table: Table,
        where: str,
        *,
        instant: str = "",
        answer: str = "1",
        more: str = "",
        also: str = "",
    ) -> str:
        """Return a deletion, which answers with the number of rows and with `answer`.

        `more` are further steps, `also` further columns that they need.
        """
        return _DELETE.format(
            schema=self._schema,
            table=table.name,
            past=table.past,
            where=where,
            instant=instant or self.recording.instant,
            answer=answer,
            more=more,
            also=also,
            columns=", ".join(table.columns),
            removed=", ".join(f"gone.{each}" for each in table.columns),
            ended=_NOW.format(refusal=self.recording.refusal),
            if_kept=self._if_kept,
            forgotten=self.recording.forgotten(
                "(SELECT max(clock.now) FROM clock WHERE EXISTS (SELECT 1 FROM gone))"
            ),
        )

    def restore(self, table: Table, given: str) -> list[str]:
        """Return statements that take in versions of another store, in one transaction.

        They have the same parameters. `given` has all columns, then `recorded` and `replaced`.
        """
        collated = {"symbol": ' COLLATE "C"', "timeframe": ' COLLATE "C"'}
        same = (f"{table.name}.{each} = given.{each}{collated.get(each, '')}" for each in table.key)
        names = {
            "schema": self._schema,
            "table": table.name,
            "past": table.past,
            "columns": ", ".join(table.columns),
            "key": ", ".join(table.key),
            "same": " AND ".join(same),
            "given": given,
        }
        return [each.format(**names) for each in (_RESTORE_PAST, _RESTORE_ENDS, _RESTORE_HELD)]

    def rename(self, table: Table, where: str, renamed: dict[str, str], also: Iterable[str]) -> str:
        """Return a deletion of rows that inserts them again with other values, at one instant.

        `renamed` has the SQL of some columns. Its parameters follow those of `where` and the
        instant. `also` are columns that the rows keep, but not their versions.
        """
        also = list(also)
        names = "".join(f", {each}" for each in also)
        moved = _MOVED.format(
            schema=self._schema,
            table=table.name,
            columns=", ".join(table.columns),
            renamed=", ".join(renamed.get(each, f"gone.{each}") for each in table.columns),
            also=names,
            kept="".join(f", gone.{each}" for each in also),
        )
        return self.delete(table, where, instant=GIVEN, more=moved, also=names)


def limited(count: int) -> str:
    """Return what follows the given rows of an upsert, by their number.

    Without it the server expects more than a few rows of any array, and that it must search for
    each row that is replaced. The plan for any array then seems to cost so much more than one for
    this array that the server plans anew each time, which takes longer than the upsert.
    """
    return f" LIMIT {count}" if count < _EXPECTED else ""


def prune(database: Database, schema: str, table: Table, before: int) -> int:
    """Remove the versions of a table that were replaced at or before an instant."""
    statement = _PRUNE.format(schema=schema, past=table.past)
    ((count,),) = database.rows("pruning the history", statement, [timestamptz(before)])
    return int(count)
