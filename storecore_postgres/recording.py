"""The clock of recording, the horizon of pruning and the snapshots of a store (laws K1 and K3).

The clock is a sequence of microseconds. A rollback does not set it back, and no other writer waits
for it until a commit. A writer moves it to the time of the server, or by one microsecond if that is
not later. It reads and moves it under an advisory lock that the same expression releases.

Who moves a sequence holds a lock on it until its transaction ends, which `pg_locks` shows. So a
question moves the clock first, and then waits for the transactions that hold such a lock: they may
have taken an earlier instant. Those that begin later take a later one.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic, sleep

from storecore.errors import HistoryPruned, InvalidData, LockTimeout
from storecore.knowledge.clock import (
    RestorableClock,
    check_asked,
    check_new,
    check_prunable,
    machine_now,
)
from storecore.knowledge.versions import Snapshot
from storecore.reports import Finding
from storecore.values.times import EARLIEST, LATEST, exact_instant, to_datetime
from storecore_postgres.database import Connection, Database, Refusal
from storecore_postgres.wire import Timestamptz, instant, timestamptz

_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05
# A CASE is evaluated in order. Within the lock nothing fails but a call without the privilege or in
# a session that may only read, which is looked at first: the session would keep the lock.
_MOVED = """
CASE WHEN {may_move} THEN
    CASE WHEN pg_advisory_lock({turn})::text IS NOT NULL THEN
        CASE WHEN setval('{sequence}', greatest({values})) IS NOT NULL THEN
            CASE WHEN pg_advisory_unlock({turn}) THEN currval('{sequence}') END
        END
    END
    {otherwise}
END"""
_TURN = "hashtextextended('{literal} recording', 3)"
_MAY_WRITE = "has_sequence_privilege('{sequence}'::regclass, 'UPDATE')"
_MAY_MOVE = f"""
CASE WHEN {_MAY_WRITE} THEN current_setting('transaction_read_only') = 'off' END"""
_REFUSED = "ELSE setval('{sequence}', 1)"  # which raises the error of the server
_LAST = "pg_sequence_last_value('{sequence}')"
_MICROSECONDS = "(extract(epoch FROM {time}) * 1000000)::int8"
_TIME = "timestamptz 'epoch' + {microseconds} * interval '1 microsecond'"
_SERVER_NOW = _MICROSECONDS.format(time="clock_timestamp()")
_WRITERS = """
SELECT virtualtransaction, pid FROM pg_locks
WHERE locktype = 'relation' AND relation = '{clock}'::regclass AND mode = 'RowExclusiveLock'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND pid IS DISTINCT FROM pg_backend_pid()
"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('{literal} snapshots', 3))::text"
_SNAPSHOTS = "SELECT name, timestamptz_send(recorded), note FROM {schema}.snapshots"
_ADD = "INSERT INTO {schema}.snapshots (name, recorded, note) SELECT %s, {instant}, %s"
_SETTLE = "UPDATE {schema}.snapshots SET recorded = %s WHERE name = %s"
_RESTORE = """
INSERT INTO {schema}.snapshots (name, recorded, note) VALUES (%s, %s, %s)
ON CONFLICT (name) DO NOTHING
"""
_BEGAN_NEVER = "UPDATE {schema}.about SET value = %s WHERE key = 'recorded_since'"
_DROP = """
WITH gone AS (DELETE FROM {schema}.snapshots WHERE name = %s RETURNING 1)
SELECT count(*) FROM gone
"""
_HIGHEST = """
SELECT {last}, {highest} FROM (
    SELECT greatest(
        (SELECT max(recorded) FROM {schema}.bars),
        (SELECT max(recorded) FROM {schema}.fundamentals),
        (SELECT max(recorded) FROM {schema}.events)
    ) AS recorded
) AS found WHERE recorded > '-infinity'
"""


class Recording(RestorableClock):
    """The clock of a store, and the SQL that takes instants from it.

    `keeps` is whether versions are kept that are replaced (option `history`). If not, they are kept
    as long as there is a snapshot.
    """

    def __init__(self, database: Database, schema: str, since: int, *, keeps: bool) -> None:
        self._database = database
        self._since = since
        self._keeps = keeps
        self._settled = EARLIEST
        literal = schema.replace("'", "''")
        self._turn = _TURN.format(literal=literal)
        self._clock, self._horizon = (
            f"{literal}.{name}" for name in ("recording_clock", "history_horizon")
        )
        self._last = _LAST.format(sequence=self._clock)
        self.refusal = f"{schema}.refuse_outdated()"
        later = _SERVER_NOW, f"{self._last} + 1"
        taken = self._moved(self._clock, later, _MAY_WRITE, _REFUSED)
        self.instant = f"(SELECT {_TIME.format(microseconds=taken)})"
        """A new instant, the same in all of a statement that writes."""
        alone = self._moved(self._clock, later, otherwise=_REFUSED)
        self._tick = f"SELECT timestamptz_send({_TIME.format(microseconds=alone)})"
        now = (*later, "%s::int8")
        self._asked = f"SELECT {self._moved(self._clock, now)}, {self._last}, {_SERVER_NOW}"
        self._writers = _WRITERS.format(clock=self._clock)
        self._lock_table = f"LOCK TABLE {schema}.{{}} IN {{}} MODE"
        self._behind = _HIGHEST.format(
            schema=schema, last=self._last, highest=_MICROSECONDS.format(time="recorded")
        )
        self.keeps = "true" if keeps else f"EXISTS (SELECT 1 FROM {schema}.snapshots)"
        """SQL: whether what is replaced now is kept."""
        names = {"schema": schema, "literal": literal, "instant": self.instant}
        self._lock, self._named, self._add, self._settle, self._drop = (
            each.format(**names) for each in (_LOCK, _SNAPSHOTS, _ADD, _SETTLE, _DROP)
        )
        self._restore_snapshot, self._began_never = (
            each.format(schema=schema) for each in (_RESTORE, _BEGAN_NEVER)
        )

    def _moved(
        self,
        sequence: str,
        values: tuple[str, ...],
        may_move: str = _MAY_MOVE,
        otherwise: str = "",
    ) -> str:
        """Return SQL that moves a sequence to the greatest of some values; null: not allowed."""
        return _MOVED.format(
            sequence=sequence,
            turn=self._turn,
            values=", ".join(values),
            may_move=may_move.format(sequence=sequence),
            otherwise=otherwise.format(sequence=sequence),
        )

    # For writers.

    def tick(self, connection: Connection) -> Timestamptz:
        """Return a new instant, for a transaction of several statements."""
        ((sent,),) = connection.execute(self._tick, binary=True).fetchall()
        return Timestamptz(sent)

    def lock(self, connection: Connection, table: str, *, alone: bool) -> None:
        """Lock a table until the transaction ends, shared with other writers or alone.

        A deletion is alone. Otherwise a writer that has begun before it could insert a row that it
        has removed, at an instant before it. Lock before taking an instant.
        """
        mode = "SHARE ROW EXCLUSIVE" if alone else "ROW EXCLUSIVE"
        connection.execute(self._lock_table.format(table, mode))

    def forgotten(self, time: str) -> str:
        """Return SQL that is added to the answer of a statement which replaced rows at a time.

        It moves the horizon to that time (null: nothing was replaced) if nothing is kept.
        """
        if self._keeps:
            return ""
        at = _MICROSECONDS.format(time=time)
        values = _LAST.format(sequence=self._horizon), at
        moved = self._moved(self._horizon, values, _MAY_WRITE, _REFUSED)
        return f", CASE WHEN {time} IS NOT NULL AND NOT {self.keeps} THEN {moved} END"

    # For questions.

    def ask(self, recorded: int | None) -> int:
        """Move the clock to an instant (None: now), and wait for writers with an earlier one.

        Later questions about earlier instants need neither.
        """
        if recorded is not None and recorded <= self._settled:
            return recorded
        if recorded is not None and recorded > machine_now():
            check_asked(recorded, self._read(f"SELECT {self._last}") or EARLIEST)
        what = "moving the clock of recording"
        ((moved, last, now),) = self._database.rows(what, self._asked, [recorded])
        at = moved or max(now, last or EARLIEST, recorded or EARLIEST)
        self._wait_for_writers()
        self._settled = max(self._settled, at)
        return at if recorded is None else recorded

    def _wait_for_writers(self) -> None:
        """Wait until the transactions have ended that may have taken an instant by now."""
        pause, deadline = _FIRST_PAUSE, monotonic() + self._database.timeout
        waiting = running = self._running()
        while waiting := {each: pid for each, pid in waiting.items() if each in running}:
            if monotonic() > deadline:
                pids = ", ".join(sorted({str(pid) for pid in waiting.values()}))
                raise LockTimeout(
                    "asking what was recorded: another session has been writing for "
                    f"{self._database.timeout:g} seconds (pid {pids}); end its transaction, or "
                    "raise pool.timeout"
                )
            sleep(pause)
            pause, running = min(2 * pause, _LONGEST_PAUSE), self._running()

    def _running(self) -> dict[str, int | None]:
        return dict(self._database.rows("looking for writers", self._writers, []))

    def asked(self) -> int | None:
        """Return the last instant of the clock, None if it is as it was when it was made."""
        last = self._read(f"SELECT {self._last}")
        return None if last is None or last <= self._since else last

    def is_kept(self) -> bool:
        """Return whether what is replaced now is kept."""
        return self._keeps or bool(self.snapshots())

    def restore(self, recorded: int, pruned: int, snapshots: Iterable[Snapshot]) -> None:
        """Go on from the clock of another store, and add its snapshots, in one transaction."""
        given = [
            [each.name, timestamptz(exact_instant(each.recorded_at, "recorded_at")), each.note]
            for each in snapshots
        ]

        def move(connection: Connection) -> None:
            with connection.transaction():
                connection.execute(self._lock)
                connection.execute(self._began_never, [str(EARLIEST)])
                connection.execute(self._moved_on(self._clock), [recorded])
                if pruned > EARLIEST:
                    connection.execute(self._moved_on(self._horizon), [pruned])
                for each in given:
                    connection.execute(self._restore_snapshot, each)

        self._database.retry("restoring the clock of recording", move)
        self._since = EARLIEST

    def horizon(self) -> int:
        """Return the instant before which history is pruned."""
        found = self._read(f"SELECT {_LAST.format(sequence=self._horizon)}")
        return EARLIEST if found is None else found

    def began(self) -> int:
        """Return an instant before which nothing was recorded."""
        return self._since

    def _read(self, statement: str) -> int | None:
        ((value,),) = self._database.rows("reading the clock of recording", statement, [])
        return None if value is None else int(value)

    # Integrity.

    def findings(self) -> list[Finding]:
        """Return the finding that the clock is behind what was recorded, if it is."""
        return [
            Finding(
                "behind",
                "recording_clock",
                f"it shows {_text(last)}, but a version was recorded at {_text(highest)}: restored "
                "without it?",
            )
            for last, highest in self._database.rows("checking the clock", self._behind, [])
            if last is None or last < highest
        ]

    def repair(self, *, dry_run: bool) -> str | None:
        """Set a clock that is behind to its last version; return a sentence about it, or None."""
        if not self.findings():
            return None
        if dry_run:
            return "would set the clock of recording to its last version"
        ((_, highest),) = self._database.rows("checking the clock", self._behind, [])
        self._database.rows("repairing the clock", self._asked, [highest])
        return "set the clock of recording to its last version"

    # Pruning and snapshots.

    def prune(self, before: int) -> None:
        """Move the horizon, unless a snapshot is earlier.

        The caller has asked about `before`, so a snapshot that is being added is later.
        """
        check_prunable(before, self.snapshots())
        self._database.rows("pruning the history", self._moved_on(self._horizon), [before])

    def _moved_on(self, sequence: str) -> str:
        """Return a statement that moves a sequence to an instant, unless it is later."""
        values = _LAST.format(sequence=sequence), "%s::int8"
        return f"SELECT {self._moved(sequence, values, otherwise=_REFUSED)}"

    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots."""
        return self._database.retry("reading snapshots", self._read_snapshots)

    def _read_snapshots(self, connection: Connection) -> list[Snapshot]:
        rows = connection.execute(self._named, binary=True).fetchall()
        return [
            Snapshot(name, to_datetime(instant(at), aware=True), note) for name, at, note in rows
        ]

    def add_snapshot(self, name: str, note: str) -> Snapshot:
        """Name the present instant: the one at which all writers have seen the snapshot."""

        def add(connection: Connection) -> None:
            connection.execute(self._lock)
            try:
                check_new(name, self._read_snapshots(connection))
            except InvalidData as error:
                raise Refusal from error
            connection.execute(self._add, [name, note])

        def is_there(connection: Connection, number: str, done: None) -> bool:
            return name in {each.name for each in self._read_snapshots(connection)}

        what = f"adding the snapshot {name!r}"
        self._database.exactly_once(what, add, is_there)
        at = self.ask(None)
        settled = [timestamptz(at), name]
        self._database.retry(what, lambda each: each.execute(self._settle, settled))
        return Snapshot(name, to_datetime(at, aware=True), note)

    def drop_snapshot(self, name: str) -> bool:
        """Remove a snapshot; return whether there was one."""

        def drop(connection: Connection) -> bool:
            ((count,),) = connection.execute(self._drop, [name]).fetchall()
            return bool(count)

        def is_gone(connection: Connection, number: str, done: bool) -> bool:
            return name not in {each.name for each in self._read_snapshots(connection)}

        return self._database.exactly_once(f"dropping the snapshot {name!r}", drop, is_gone)


class Unrecorded(RestorableClock):
    """The clock of a store of an earlier release: nothing is known of what it held earlier."""

    def __init__(self, schema: str) -> None:
        self._refusal = (
            f"the schema {schema} has no history: it is of an earlier release, which recorded "
            "nothing; run `storecore init` as its owner, which begins one"
        )

    def ask(self, recorded: int | None) -> int:
        """Raise `HistoryPruned`."""
        raise HistoryPruned(self._refusal)

    def horizon(self) -> int:
        """Raise `HistoryPruned`."""
        raise HistoryPruned(self._refusal)

    def asked(self) -> int | None:
        """Raise `HistoryPruned`."""
        raise HistoryPruned(self._refusal)

    def is_kept(self) -> bool:
        """Return that nothing is kept."""
        return False

    def restore(self, recorded: int, pruned: int, snapshots: Iterable[Snapshot]) -> None:
        """Raise `HistoryPruned`."""
        raise HistoryPruned(self._refusal)

    def began(self) -> int:
        """Return the end of time: nothing was recorded, ever."""
        return LATEST

    def prune(self, before: int) -> None:
        """Raise `HistoryPruned`."""
        raise HistoryPruned(self._refusal)

    def snapshots(self) -> list[Snapshot]:
        """Return nothing."""
        return []

    def add_snapshot(self, name: str, note: str) -> Snapshot:
        """Raise `HistoryPruned`."""
        raise HistoryPruned(self._refusal)

    def drop_snapshot(self, name: str) -> bool:
        """Return that there was none."""
        return False


def _text(at: int | None) -> str:
    return "nothing" if at is None else to_datetime(at, aware=True).isoformat()
