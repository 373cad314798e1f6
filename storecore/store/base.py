"""`Store`: the base class of backends, composed of five collections.

It implements the parts that all backends share: checks that arguments obey the laws, ranges,
codecs, the context manager, errors after `close()`. A backend implements the collections
(`storecore.store.collections`). It inherits the ten methods, and every capability whose collection
methods it has:

    class MyStore(Store):
        def __init__(self, path):
            database = connect(path)
            super().__init__(
                bars=MyBars(database), fundamentals=MyFundamentals(database),
                events=MyEvents(database), states=MyStates(database),
                audit={name: MyLog(database, name) for name in LOGS},
            )

`storecore.builtin.memory` is a complete example. The methods about each kind of data are in the
module of its name, and those about what was recorded when in `storecore.store.history`; here are
those that concern the whole store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, SupportsIndex

from storecore.errors import InvalidData, NotSerializable, shown, text_of
from storecore.knowledge.clock import Clock
from storecore.models import DecisionRecord, OrderRecord
from storecore.protocols import ADDED, CAPABILITIES, methods_of
from storecore.reports import Report
from storecore.reports.display import html, html_table
from storecore.store.audit import AuditMethods
from storecore.store.closing import named
from storecore.store.collections import (
    AuditLog,
    BarCollection,
    EventCollection,
    FundamentalCollection,
    StateCollection,
)
from storecore.store.history import HistoryMethods
from storecore.store.integrity import checked
from storecore.store.methods import offered
from storecore.store.states import StateMethods

if TYPE_CHECKING:
    from storecore.knowledge.replay import Replay
    from storecore.knowledge.view import OnFuture, View
    from storecore.reports.checkpoint import Against, Checkpoint

_WHOLE = ("bars.series", "fundamentals.all", "events.all", "states.history", "audit.lines")


@lru_cache(maxsize=1)
def _view_class() -> type[View]:
    """Return `View`, a store itself. To import it in each call would take as long as the rest."""
    from storecore.knowledge.view import View

    return View


class Store(HistoryMethods, StateMethods, AuditMethods):
    """A `DataStore` composed of five collections, with the capabilities that these support.

    `isinstance(store, Catalog)` checks the property `capabilities`. A subclass may override any
    method.
    """

    def __init__(
        self,
        *,
        bars: BarCollection,
        fundamentals: FundamentalCollection,
        events: EventCollection,
        states: StateCollection,
        audit: Mapping[str, AuditLog],
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        self._bars = bars
        self._fundamentals = fundamentals
        self._events = events
        self._states = states
        self._logs = audit
        if clock is not None:  # without one the store has no `History`
            self._clock = clock

    @property
    def capabilities(self) -> frozenset[str]:
        """The names of the capabilities that the store has."""
        return frozenset(
            name
            for name in CAPABILITIES
            if all(hasattr(self, each) for each in methods_of(name) if each not in ADDED)
        )

    def close(self) -> None:
        """Close the collections. A second call does nothing."""
        super().close()
        for each in (self._bars, self._fundamentals, self._events, self._states):
            each.close()
        for log in self._logs.values():
            log.close()

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """Raise `NotSerializable` for a store with a lock or connection, and no `__reduce__`."""
        reduced = super().__reduce_ex__(protocol)
        if type(self).__reduce__ is object.__reduce__:
            from storecore.store.copies import unpicklable

            error = unpicklable(reduced, protocol)
            if error is not None:
                raise NotSerializable(
                    f"{named(self)} cannot be pickled or copied: {text_of(error)}; open it again "
                    "with open_store where it is needed. The author of a backend makes it possible "
                    "with a __reduce__ that opens the same place: see the promise `pickled` in "
                    "BACKENDS.md"
                ) from error
        return reduced

    def at(
        self,
        t: datetime | str,
        *,
        recorded: datetime | None = None,
        run: str | None = None,
        on_future: OnFuture | None = None,
        lengths: Mapping[str, timedelta] | None = None,
    ) -> View:
        """Return a view of the store that shows only what was known at a time (law K2).

        A question that reaches beyond `t` is cut at `t`; with `on_future="raise"` it is
        `LookAhead`. With `run`, the name of a backtest, decisions, orders and states can be
        written, apart from the live ones. `lengths` gives the lengths of timeframes whose names do
        not, as in `{"session": timedelta(hours=23)}`. Finer than a microsecond is rounded down.
        """
        self._check_open()
        return _view_class()(self, t, recorded, run, on_future, lengths)

    def replay(self, record: DecisionRecord | OrderRecord) -> Replay:
        """Ask the questions behind a record again, as of then (law K4).

        Each read of the result is "same", "corrected" with the rows that differ, or "pruned".
        """
        from storecore.knowledge.replay import replay

        self._check_open()
        return replay(self, record)

    @offered("store._rename")
    def rename_symbol(self, old: str, new: str) -> None:
        """Give the bars, fundamentals and events of a symbol another one, in one step.

        The audit log is append-only and keeps its records. Raises `InvalidData` if `old` has no
        data or `new` has any.
        """
        old, new = self._name(old, "old"), self._name(new, "new")
        if old == new:
            raise InvalidData(f"rename_symbol: old and new are both {shown(old)}")
        self._rename(old, new)

    @offered(*_WHOLE)
    def verify(self, *, against: Against | None = None) -> Report:
        """Check all stored data and change nothing; with a checkpoint, also report lost data.

        Damage is a finding; an anomaly in bars is a note.
        """
        from storecore.store.checkpoints import verify_against

        return verify_against(self, against, self._report, written=self._bars.generation)

    @offered(*_WHOLE)
    def checkpoint(self) -> Checkpoint:
        """Return a digest for each series, symbol, day of events, state and log."""
        from storecore.store.checkpoints import take_checkpoint

        self._check_open()
        return take_checkpoint(self, written=self._bars.generation)

    @offered(*_WHOLE)
    def repair(self, *, dry_run: bool = False) -> Report:
        """Repair damage if this loses no data. The default only verifies."""
        return self.verify()

    @offered(*_WHOLE)
    def compact(self) -> Report:
        """Rewrite the data into fewer and smaller files. The default does nothing."""
        self._check_open()
        return Report(0)

    def __repr__(self) -> str:
        shown = ["closed"] if self._closed else self._shown()
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_html_(self) -> str:
        names = sorted(self.capabilities)
        series = [] if self._closed else self._series_shown()
        return html(
            repr(self),
            html_table(["symbol", "timeframe", "bars"], series, len(series)),
            html_table(["capabilities"], [[", ".join(names)]], len(names)),
        )

    # For subclasses.

    def _shown(self) -> list[str]:
        """Return what the store says of itself in its repr, without any I/O."""
        return []

    def _series_shown(self) -> list[tuple[str, str, int]]:
        """Return symbol, timeframe and length of the series to show, without any I/O."""
        return []

    if TYPE_CHECKING:

        def _rename(self, old: str, new: str) -> None:
            """Rename a symbol in all collections in one step (`rename_symbol`).

            Call `check_rename` within the transaction. After an error nothing has changed.
            """

        def places(self) -> Iterable[str]:
            """Return texts, in any order, that identify where the data is, however it is named.

            Two open stores return a common text if and only if they share a place: then `mirror`,
            `routed` and `copy_store` refuse them. A store without the method shares none.
            """

    def _report(self) -> Report:
        """Check all stored data; `verify` adds the comparison with a checkpoint."""
        self._check_open()
        return checked(
            bars=self._bars,
            fundamentals=self._fundamentals,
            events=self._events,
            states=self._states,
            audit=self._logs,
        )
