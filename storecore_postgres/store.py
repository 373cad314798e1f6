"""`PostgresDataStore`: the collections of a schema, opened and closed together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from storecore.audit.transfer import LOGS
from storecore.errors import ConfigError, InvalidData, NotSerializable
from storecore.knowledge.clock import checked_history, prunable
from storecore.reports import Report
from storecore.states import KEPT_VERSIONS, checked_kept
from storecore.store.base import Store
from storecore.values.names import check_rename
from storecore_postgres.audit.log import PostgresLog
from storecore_postgres.bars import Bars
from storecore_postgres.database import Connection, Database, Pool, Refusal
from storecore_postgres.events import Events
from storecore_postgres.extra import ExtraColumns, Stale
from storecore_postgres.fundamentals import Fundamentals
from storecore_postgres.integrity import check_rows, unchecked
from storecore_postgres.names import checked_length
from storecore_postgres.past import BARS, FUNDAMENTALS, Past
from storecore_postgres.recording import Recording, Unrecorded
from storecore_postgres.rows import Row
from storecore_postgres.schema.installation import prepare_schema
from storecore_postgres.schema.layouts import DISTRIBUTIONS
from storecore_postgres.schema.tables import (
    ADDED_TABLES,
    FIRST_TABLES,
    HISTORY_TABLES,
    keeps_history,
    quoted,
    why_no_history,
)
from storecore_postgres.schema.version import SchemaVersion
from storecore_postgres.states import States
from storecore_postgres.wire import Timestamptz

_POOL = Pool()
# The start time distinguishes a server from its copies, which have the same identifiers.
_PLACE = """
SELECT concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()), d.oid, n.oid)
FROM pg_database d, pg_namespace n WHERE d.datname = current_database() AND n.nspname = %s
"""


class PostgresDataStore(Store):
    """A `DataStore` in a schema of a PostgreSQL database.

    Threads, processes and machines may open the same schema at once, to read and to write.

    `dsn` is a libpq connection string. `schema` is created with its tables if it is missing.
    `distribution` is the layout of new tables: "none", "citus", "timescale" or "auto" (by the
    extensions of the database). `pool` bounds the connections and the seconds that a call waits for
    a connection or a lock, and retries. A statement is prepared after `prepare_threshold` uses
    (None: never, as PgBouncer needs). It may take `statement_timeout` seconds (None: unlimited).
    Of each state the last `state_versions` versions are kept. With `history=True` all replaced
    versions of bars, fundamentals and events are kept, with False none. With "90d" (h: hours, d:
    days, w: weeks) `compact()` prunes those that were replaced longer ago.
    With `create=False` nothing is created, a read-only role suffices, and a schema without a store
    raises `NoStore`. Raises `ConfigError` for invalid options, and `StorageError` if the database
    cannot be reached, is too old, or the role may not create the tables.

    `verify` checks every row. The kind of a finding is "damaged", "unchecked" (could not be read),
    "behind" (a table was restored without its sequence or head) or one of `verify_audit()`. Notes
    are anomalies in bars. Damaged pages are found by the server's own tools (`pg_amcheck`, data
    checksums). With a checkpoint findings have the kinds of `storecore.store.checkpoints` too.
    """

    _bars: Bars
    _fundamentals: Fundamentals
    _events: Events
    _states: States
    _logs: Mapping[str, PostgresLog]

    def __init__(
        self,
        dsn: str,
        *,
        schema: str = "storecore",
        distribution: str = "auto",
        pool: Pool = _POOL,
        prepare_threshold: int | None = 5,
        statement_timeout: float | None = None,
        state_versions: int = KEPT_VERSIONS,
        history: bool | str = True,
        create: bool = True,
    ) -> None:
        self._kept_states = checked_kept(state_versions)
        self._kept_for = checked_history(history)
        choices = ("auto", *DISTRIBUTIONS)
        if distribution not in choices:
            raise ConfigError(f"distribution={distribution!r}: expected one of {choices}")
        self._schema = schema
        self._quoted = place = quoted(schema)
        self._database = database = Database(
            dsn, pool, prepare_threshold=prepare_threshold, statement_timeout=statement_timeout
        )
        installed = prepare_schema(database, place, distribution, create=create)
        self._version = version = SchemaVersion(database, place, installed)
        self._layout, self._since = installed.layout, installed.recorded_since
        self._extra = ExtraColumns(database, place, installed.layout, version)
        self._assemble()
        database.open()
        self._extra.reload()

    def _assemble(self) -> None:
        """Make the collections, and the clock of recording if the tables can have a history.

        Without a clock the store lacks the capability `History`.
        """
        database, place, layout, version = (
            self._database,
            self._quoted,
            self._layout,
            self._version,
        )
        recording = past = None
        if version.has_history:
            recording = Recording(database, place, self._since, keeps=self._kept_for != 0)
            past = Past(place, recording)
        self._recording = recording
        can_record = keeps_history(layout)
        self._reasons = {} if can_record else {"History": why_no_history(layout)}
        super().__init__(
            bars=Bars(database, place, layout, self._extra, past),
            fundamentals=Fundamentals(database, place, layout, version, past),
            events=Events(database, place, layout, past),
            states=States(database, place, version, self._kept_states),
            audit={name: PostgresLog(database, place, layout, name, version) for name in LOGS},
            clock=(recording or Unrecorded(place)) if can_record else None,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(schema={self._schema!r})"

    def places(self) -> frozenset[str]:
        """Return the identity of the schema and its server, independent of the dsn."""
        self._check_open()
        rows = self._database.rows("identifying the schema", _PLACE, [self._schema])
        return frozenset(f"schema {row[0]}" for row in rows)

    def __reduce__(self) -> Any:
        raise NotSerializable(
            f"a {type(self).__name__} cannot be pickled or copied: it holds connections of this "
            "process and the password of its dsn; open it again with open_store there"
        )

    def close(self) -> None:
        """Close all connections. A second call does nothing."""
        super().close()
        self._database.close()

    def repair(self, *, dry_run: bool = False) -> Report:
        """Repair the heads of logs and the sequence of events after a restore of single tables.

        The server repairs its own pages, and leaves no row half written. Anything else that
        `verify()` finds was changed by a role with the privilege to do so, and must be corrected
        by hand.
        """
        self._check_open()
        healed = [clock.repair(dry_run=dry_run)] if (clock := self._recording) else []
        healed += [log.chain_head.repair(dry_run=dry_run) for log in self._logs.values()]
        actions = tuple(filter(None, [self._events.repair(dry_run=dry_run), *healed]))
        return replace(self.verify(), actions=actions)

    def compact(self) -> Report:
        """Prune as `history` says, then run VACUUM and ANALYZE on all tables.

        The server skips tables of another owner.
        """
        self._check_open()
        clock = self._recording
        if clock is not None and self._kept_for is not None:
            self._prune(prunable(self._kept_for, clock.ask(None), clock.snapshots()))
        self._database.retry("compacting", self._vacuumed)
        return Report(len(self._tables()), actions=("vacuumed and analyzed all tables",))

    def complete_tables(self) -> None:
        """Add the tables, columns and functions that an earlier release has not created.

        Functions of a schema that has been renamed since are replaced. From then on the store has a
        history, and an earlier release does not open it any more. No other process may have it open
        meanwhile. Raises `StorageError` if the role does not own the tables.
        """
        self._check_open()
        had_history = self._version.has_history
        self._version.add_history("completing the tables")
        if self._version.has_history and not had_history:
            self._assemble()
            self._extra.reload()

    def _tables(self) -> tuple[str, ...]:
        added = ADDED_TABLES if self._version.is_complete else ()
        return (*FIRST_TABLES, *added, *(HISTORY_TABLES if self._version.has_history else ()))

    def _rename(self, old: str, new: str) -> None:
        """Rename a symbol in three tables, in one transaction."""
        while True:
            try:
                return self._rename_once(old, new)
            except Stale:
                self._extra.reload()

    def _rename_once(self, old: str, new: str) -> None:
        collections = self._bars, self._fundamentals

        def holders(connection: Connection) -> tuple[dict[str, list[Row]], list[bool]]:
            """Return the events of both, read once, and which of the two has any data."""
            events = self._events.of_symbols(connection, [old, new])
            has_any = [
                name in events or any(each.has(connection, name) for each in collections)
                for name in (old, new)
            ]
            return events, has_any

        def renamed(connection: Connection) -> None:
            self._extra.lock(connection, alone=True)
            at = None if self._recording is None else _tick_alone(self._recording, connection)
            events, (has_old, has_new) = holders(connection)
            try:
                check_rename(old, new, has_old=has_old, has_new=has_new)
            except InvalidData as error:
                raise Refusal from error
            for each in collections:
                each.rename(connection, old, new, at)
            self._events.rename(connection, old, events.get(old, []), new, at)

        def is_renamed(connection: Connection, _: str, done: None) -> bool:
            return holders(connection)[1] == [False, True]

        self._database.exactly_once(f"renaming {old!r} to {new!r}", renamed, is_renamed)

    def _vacuumed(self, connection: Connection) -> None:
        for table in self._tables():
            connection.execute(f"VACUUM (ANALYZE) {self._quoted}.{table}")

    def _report(self) -> Report:
        self._check_open()
        report = check_rows(self._bars, (self._fundamentals, self._events, self._states))
        checked, findings = report.checked, list(report.findings)
        with unchecked(findings, "events"):
            findings += self._events.sequence_findings()
        if self._recording is not None:
            with unchecked(findings, "recording_clock"):
                findings += self._recording.findings()
        for name, log in self._logs.items():
            with unchecked(findings, name):
                end, broken = log.verify()
                checked += end.seq
                findings += broken
        return replace(report, checked=checked, findings=tuple(findings))

    def _name(self, name: str, what: str) -> str:
        return checked_length(super()._name(name, what), what)


def _tick_alone(clock: Recording, connection: Connection) -> Timestamptz:
    """Lock out the writers of bars and fundamentals, and return a new instant."""
    for table in (BARS, FUNDAMENTALS):
        clock.lock(connection, table.name, alone=True)
    return clock.tick(connection)
