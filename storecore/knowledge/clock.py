"""The clock of recording (law K3), the horizon of pruning, and named snapshots.

Each write that makes a version takes an instant from the clock of its store. The clock is strictly
increasing: if the machine's clock is set back, or two writes come within one microsecond, it goes
on by one. A question about what the store held at r moves the clock to r, so that no write that
becomes visible later is recorded at or before r. That is why the same question is always answered
in the same way.
"""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from storecore.bars.extra_values import is_text
from storecore.errors import ConfigError, HistoryPruned, InvalidData, shown
from storecore.knowledge.versions import Snapshot
from storecore.values.times import EARLIEST, exact_instant, to_datetime

_SPAN = re.compile(r"([1-9][0-9]{0,5})([hdw])")
_MICROSECONDS = {"h": 3_600_000_000, "d": 86_400_000_000, "w": 7 * 86_400_000_000}
Keep = bool | str
"""The option `history`: True keeps all versions, False none, "90d" those of the last 90 days."""


class Clock(ABC):
    """The clock of recording of one store, with its snapshots. All threads share it.

    Instants are microseconds since 1970, UTC. A writer takes its instant before its write becomes
    visible. How is up to the backend; `next_instant` is the rule.
    """

    @abstractmethod
    def ask(self, recorded: int | None) -> int:
        """Move the clock to `recorded` (None: now) and return the instant to ask about.

        Afterwards no write that becomes visible is recorded at or before it. A writer that has
        taken such an instant must publish before this returns, or take another one. Call
        `check_asked` with the latest instant of the clock. A store that cannot be written moves no
        clock: there the machine's clock alone keeps the rule.
        """

    @abstractmethod
    def horizon(self) -> int:
        """Return the instant before which history is pruned; `EARLIEST` if it never was.

        Read it after the versions, not before: pruning moves it before it removes any.
        """

    def began(self) -> int:
        """Return an instant before which nothing was recorded, not even what was pruned since.

        The default is `EARLIEST`, which is always right. With a later one, a view of an earlier
        time need not look for bars that were recorded while they formed.
        """
        return EARLIEST

    @abstractmethod
    def prune(self, before: int) -> None:
        """Move the horizon to `before`, unless it is later, and persist it.

        Call `check_prunable` with the snapshots, in the transaction that moves the horizon.
        """

    @abstractmethod
    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots, in any order."""

    @abstractmethod
    def add_snapshot(self, name: str, note: str) -> Snapshot:
        """Name the present instant, as `ask(None)` returns it.

        Call `check_new` with the snapshots, in the transaction that adds it.
        """

    @abstractmethod
    def drop_snapshot(self, name: str) -> bool:
        """Remove a snapshot; return whether there was one."""


class RestorableClock(Clock):
    """A clock that goes on from that of another store, whose history was copied."""

    @abstractmethod
    def asked(self) -> int | None:
        """Return the last instant that was asked about, None if there was none. Move nothing."""

    @abstractmethod
    def is_kept(self) -> bool:
        """Return whether a write keeps what it replaces."""

    @abstractmethod
    def restore(self, recorded: int, pruned: int, snapshots: Iterable[Snapshot]) -> None:
        """Move the clock to `recorded` and the horizon to `pruned`, unless they are later.

        Add the snapshots whose names are not there. `recorded` may be in the future. `began` must
        not be later than what was restored.
        """


def machine_now() -> int:
    """Return the time of the machine's clock as an instant."""
    return time.time_ns() // 1000


def next_instant(last: int) -> int:
    """Return the instant of a write after the last instant of the clock."""
    return max(machine_now(), last + 1)


def check_asked(recorded: int | None, last: int) -> int:
    """Return the instant to ask about, given the last instant of the clock (None: now).

    Raises `InvalidData` if it is in the future: what will be recorded by then is not known.
    """
    latest = max(machine_now(), last)
    if recorded is None:
        return latest
    if recorded > latest:
        raise InvalidData(
            f"{_text(recorded)} is in the future: the store's clock of recording shows "
            f"{_text(latest)}; ask for a moment up to it"
        )
    return recorded


def check_kept(recorded: int, horizon: int) -> None:
    """Raise `HistoryPruned` if an instant is before the horizon of pruning."""
    if recorded < horizon:
        raise HistoryPruned(
            f"recorded={_text(recorded)}: history before {_text(horizon)} was pruned or not kept; "
            "ask for a later instant, or keep more with the option `history`"
        )


def check_prunable(before: int, snapshots: Iterable[Snapshot]) -> None:
    """Raise `InvalidData` if pruning up to an instant would remove what a snapshot shows."""
    for each in snapshots:
        if exact_instant(each.recorded_at, "recorded_at") < before:
            raise InvalidData(
                f"before={_text(before)} is after the snapshot {shown(each.name)} of "
                f"{each.recorded_at.isoformat()}; prune only up to it, or drop it first"
            )


def check_new(name: str, snapshots: Iterable[Snapshot]) -> None:
    """Raise `InvalidData` if a snapshot has that name."""
    for each in snapshots:
        if each.name == name:
            raise InvalidData(
                f"snapshot {shown(name)} exists already, of {each.recorded_at.isoformat()}; choose "
                "another name, or drop it first"
            )


def checked_note(note: Any) -> str:
    """Return the note of a snapshot as a plain `str`. Raises `InvalidData` if it is not text."""
    if not isinstance(note, str) or not is_text(note) or "\0" in note:
        raise InvalidData(
            f"note={shown(note)}: expected text without NUL characters and lone surrogates"
        )
    return str.__str__(note)


def checked_history(history: Any) -> int | None:
    """Return for how many microseconds the option `history` keeps replaced versions.

    None stands for all, 0 for none. Raises `ConfigError` if it is not a bool or a span of time.
    """
    if isinstance(history, bool):
        return None if history else 0
    found = _SPAN.fullmatch(history) if isinstance(history, str) else None
    if found is None:
        raise ConfigError(
            f"history={shown(history)}: expected true to keep all replaced versions, false to keep "
            'none, or for how long, such as "90d" (h: hours, d: days, w: weeks)'
        )
    return int(found[1]) * _MICROSECONDS[found[2]]


def prunable(kept: int, now: int, snapshots: Iterable[Snapshot]) -> int:
    """Return up to which instant a store prunes by itself, which keeps versions for a time.

    It never prunes what a snapshot shows.
    """
    held = [exact_instant(each.recorded_at, "recorded_at") for each in snapshots]
    return min([now - kept, *held])


def _text(instant: int) -> str:
    return to_datetime(instant, aware=True).isoformat()
