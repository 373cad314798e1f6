"""`Wrapper`: the base class of stores around another store.

A wrapper overrides `_read` or `_write`. Every call goes through one of them, depending on the
declaration of the method in `storecore.protocols`. The nested store is a field of type
`NestedStore` in the config of the wrapper. The capabilities and promises of the spec are functions
of that config. `storecore.builtin.readonly` is the smallest wrapper.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import lru_cache, partial, wraps
from typing import TYPE_CHECKING, Any

from storecore.audit.counts import Counts
from storecore.audit.transfer import check_log
from storecore.models import PriceBar
from storecore.protocols import CAPABILITIES, METHODS, DataStore, declaration
from storecore.store import questions, tables
from storecore.store.base import Store
from storecore.store.checkpoints import checkpoint, verify
from storecore.store.methods import offered
from storecore.store.places import places_of, read_places_of
from storecore.values.times import TimeRange

if TYPE_CHECKING:
    import pyarrow as pa

    from storecore.knowledge.versions import Forming, Unreplaced


def capabilities_of(store: object) -> frozenset[str]:
    """Return the names of the capabilities that a store has."""
    return frozenset(name for name, each in CAPABILITIES.items() if isinstance(store, each))


def method_of(store: Any, name: str) -> Callable[..., Any]:
    """Return a method of a store, or the function of core that stands in for an older backend."""
    stand_in = _STAND_INS.get(name)
    if stand_in is None or questions.has_method(store, name):
        own: Callable[..., Any] = getattr(store, name)
        return own
    return partial(stand_in, store)


_STAND_INS: dict[str, Callable[..., Any]] = {
    "verify": verify,
    "checkpoint": checkpoint,
    "read_bars": questions.read_bars,
    "read_events": questions.read_events,
    "iter_events": questions.iter_events,
    "write_bar_table": tables.write_bar_table,
    "read_bar_table": tables.read_bar_table,
    "iter_bar_tables": tables.iter_bar_tables,
    "inventory": questions.inventory,
    "nearest": questions.nearest_symbols,
    "fundamentals": questions.fundamentals,
    "fundamental_symbols": questions.fundamental_symbols,
    "event_symbols": questions.symbols_of_events,
    "strategies": questions.strategies,
    "read_decisions": questions.read_decisions,
    "read_orders": questions.read_orders,
    **{
        name: questions.missing(name)
        for name in ("delete_events", "delete_fundamentals", "rename_symbol")
    },
    "delete_strategy_state": questions.missing("delete_strategy_state"),
    **{
        name: questions.logging_plainly(name)
        for name in ("log_decision", "log_order", "log_decisions", "log_orders")
    },
}


class Wrapper(Store):
    """A `DataStore` that forwards every call to a nested store.

    It has the capabilities that are passed to it, by default those of the nested store.
    """

    def __init__(self, nested: DataStore, capabilities: Iterable[str] | None = None) -> None:
        self._nested = nested
        given = capabilities_of(nested) if capabilities is None else capabilities
        self._capabilities = frozenset(given)

    @property
    def capabilities(self) -> frozenset[str]:
        """The names of the capabilities that the wrapper has."""
        return self._capabilities

    def close(self) -> None:
        """Close the nested store. A second call does nothing."""
        self._closed = True
        self._nested.close()

    def places(self) -> frozenset[str]:
        """Return the places of the nested store (see `storecore.store.places`)."""
        return places_of(self._nested)

    def read_places(self) -> frozenset[str]:
        """Return the places from which the nested store reads."""
        return read_places_of(self._nested)

    def audit_counts(self, log: str) -> Counts:
        """Return how many records a log of the nested store has, by strategy and run."""
        self._check_open()
        return questions.audit_counts(self._nested, check_log(log))

    def recording_began(self) -> int:
        """Return the instant that `Store.recording_began` of the nested store returns."""
        return questions.recording_began(self._nested)

    def held_bars(
        self, symbol: str, span: TimeRange, timeframe: str, recorded: int
    ) -> list[PriceBar]:
        """Return the bars that were held at an instant, sorted by date, as `bar_versions` does."""
        return questions.held_bars(self, symbol, span, timeframe, recorded)

    def unreplaced_bars(self, symbol: str, span: TimeRange, timeframe: str) -> Unreplaced | None:
        """Return None: a copy asks for versions."""
        return None

    def restore_unreplaced(self, symbol: str, timeframe: str, given: Unreplaced) -> bool:
        """Return False: a copy gives versions, which the wrapper forwards."""
        return False

    def known_bars(
        self, symbol: str, span: TimeRange, timeframe: str, forming: Forming
    ) -> list[PriceBar] | None:
        """Return None: a view asks for bars and their versions, each sorted by date."""
        return None

    def known_table(
        self,
        symbols: str | Iterable[str],
        span: TimeRange,
        timeframe: str,
        columns: Iterable[str] | None,
        forming: Forming,
    ) -> pa.Table | None:
        """Return None, as `known_bars`."""
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._nested!r})"

    @property
    def _reasons(self) -> Mapping[str, str]:
        """Why the nested store lacks capabilities and methods; see `questions.why_lacking`."""
        return getattr(self._nested, "_reasons", {})

    def _read(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Forward a call that changes nothing."""
        return method_of(self._nested, method)(*args, **kwargs)

    def _write(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Forward a call that changes something, and return its result.

        `args` are without `self`. An override calls `super()._write(method, args, kwargs)`.
        """
        return method_of(self._nested, method)(*args, **kwargs)

    def _offers(self, method: str, needs: tuple[str, ...]) -> bool:
        return METHODS[method].capability in self._capabilities


@lru_cache(maxsize=1024)
def signature_of(kind: Hashable, method: str) -> inspect.Signature:
    """Return the signature of a store's method, or the declared one if that accepts more.

    A store may forward calls with `__getattr__` or `*args`, whose signatures name no parameters.
    """
    is_own = questions.is_current(kind, method)
    return inspect.signature(getattr(kind, method) if is_own else declaration(method))


def _forwarding(name: str) -> Any:
    """Return a method with the declared signature that calls `_read` or `_write`."""
    declared = declaration(name)
    way = "_write" if METHODS[name].is_write else "_read"

    @wraps(declared)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_open()
        # Raise for wrong arguments here, not in the nested store.
        kind: Any = type(self._nested)
        signature_of(kind, name).bind(self, *args, **kwargs)
        return getattr(self, way)(name, args, kwargs)

    return offered()(forward) if METHODS[name].capability else forward


for _name in METHODS:
    setattr(Wrapper, _name, _forwarding(_name))
