"""The `routed` backend: a store whose kinds of data are in several others.

```toml
[store]
backend = "routed"
default = { backend = "postgres", dsn = "${DATABASE_URL}" }
bars = { backend = "file", base_path = "/fast/bars" }
events = { backend = "file", base_path = "/fast/bars" }
```

Two routes with equal options are one store. An error and a finding name the route.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from functools import partial, wraps
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct
from msgspec.structs import fields, replace

from storecore.audit.counts import Counts
from storecore.audit.transfer import check_log
from storecore.config.nested import NestedStore
from storecore.errors import ConfigError, StorageError, StoreError
from storecore.errors.parts import items_of, name_part, naming
from storecore.knowledge.histories import RECORDED, Histories, Part
from storecore.knowledge.versions import Correction, Recording, Snapshot
from storecore.models import PriceBar
from storecore.plugins.spec import BackendSpec, hookimpl
from storecore.protocols import CAPABILITIES, METHODS, DataStore, declaration, methods_of
from storecore.reports import Finding, Report
from storecore.reports.checkpoint import Against, Checkpoint, loaded, sealed
from storecore.store import questions
from storecore.store.base import Store
from storecore.store.checkpoints import checkpoint, verify
from storecore.store.methods import offered
from storecore.store.places import places_of, read_places_of
from storecore.store.wrapper import capabilities_of, method_of
from storecore.values.suggestions import did_you_mean
from storecore.values.times import TimeRange, latest_instant

if TYPE_CHECKING:
    import pyarrow as pa

    from storecore.knowledge.restoring import AnyVersion
    from storecore.knowledge.versions import Forming, Unreplaced

KINDS = ("bars", "fundamentals", "events", "states", "audit")
_RENAME = "rename_symbol"
_COPYING = frozenset({"recording", "restore_versions", "restore_recording"})
_NO_RENAME = (
    "bars, fundamentals and events are in several stores, which cannot rename in one step; rename "
    'in each of them, as in store.routes["bars"].rename_symbol(old, new)'
)
_Store = TypeVar("_Store")


class RoutedConfig(Struct, frozen=True, kw_only=True):
    """The options of the `routed` backend: a store for each kind, and one for all others."""

    default: NestedStore | None = None
    bars: NestedStore | None = None
    fundamentals: NestedStore | None = None
    events: NestedStore | None = None
    states: NestedStore | None = None
    audit: NestedStore | None = None

    def __post_init__(self) -> None:
        _by_kind(self.routes())  # here, so that the error names the place in the config

    def routes(self) -> dict[str, NestedStore]:
        """Return the given routes; of equal ones the first one, so that they share a store."""
        given = {name: getattr(self, name) for name in ("default", *KINDS)}
        routes: dict[str, NestedStore] = {}
        for name, each in given.items():
            if each is not None:
                equal = (one for one in routes.values() if one.options() == each.options())
                routes[name] = next(equal, each)
        return routes


class RoutedStore(Store):
    """A `DataStore` that keeps each kind of data in the store of its route.

    `stores` maps "default" and names of kinds to open stores. A store that is given for several
    routes is one store. Two stores must not share a place (`ConfigError`).

    It has a capability if the stores of all kinds that this concerns have it. `rename_symbol` is
    missing if bars, fundamentals and events are in several stores, since they cannot rename in one
    step; see `routes`.

    Each store has its own clock of recording. `recorded_now()`, `snapshot()` and questions with
    `recorded=` ask the clocks of all stores with bars, fundamentals or events.
    """

    def __init__(
        self, stores: Mapping[str, DataStore], capabilities: Iterable[str] | None = None
    ) -> None:
        self._routes = _by_kind(stores)
        self._stores = _named(stores)
        _check_apart(self._stores)
        if capabilities is None:
            capabilities = _together({k: capabilities_of(v) for k, v in self._routes.items()})
        self._capabilities = frozenset(capabilities)
        parts = tuple(self._parts())
        self._histories = Histories(parts)
        self._reasons = _reasons(self._stores, parts)

    @property
    def routes(self) -> dict[str, DataStore]:
        """The store of each kind of data."""
        return dict(self._routes)

    @property
    def capabilities(self) -> frozenset[str]:
        """The names of the capabilities that the store has."""
        return self._capabilities

    def close(self) -> None:
        """Close each store once, even if closing one fails. A second call does nothing."""
        self._closed = True
        with ExitStack() as stack:
            for name, store in self._stores.items():
                stack.callback(_close, name, store)

    def places(self) -> frozenset[str]:
        """Return the places of all stores."""
        return frozenset[str]().union(*map(places_of, self._stores.values()))

    def read_places(self) -> frozenset[str]:
        """Return the places from which the stores read."""
        return frozenset[str]().union(*map(read_places_of, self._stores.values()))

    # History.

    @offered()
    def corrections(
        self, since: datetime | None = None, *, symbol: str | None = None
    ) -> list[Correction]:
        """Return what was replaced or removed from `since` on, by time of recording."""
        self._check_open()
        return self._histories.corrections(since, symbol)

    @offered()
    def recorded_now(self) -> datetime:
        """Return the moment `r` at which `recorded=r` is what all stores hold now."""
        self._check_open()
        return self._histories.now()

    @offered()
    def recording(self) -> Recording:
        """Return which series have versions, and from when on. It moves no clock."""
        self._check_open()
        return self._histories.recording()

    @offered()
    def restore_versions(self, versions: Iterable[AnyVersion], *, timeframe: str = "1d") -> None:
        """Take in versions of another store, each in the store of its kind (`copy_store`).

        After an error some stores may have theirs, but none has the events. Restore again.
        """
        self._check_open()
        self._histories.restore_versions(versions, timeframe)

    @offered()
    def restore_recording(
        self,
        recorded: datetime,
        *,
        pruned_before: datetime | None = None,
        snapshots: Iterable[Snapshot] = (),
    ) -> None:
        """Move clock and horizon of each store with a history on, and add the snapshots to each.

        A snapshot is left out if any store has another one of that name. After an error some
        stores may be behind. Restore again.
        """
        self._check_open()
        self._histories.restore_recording(recorded, pruned_before, snapshots)

    @offered()
    def prune_history(self, before: datetime) -> int:
        """Remove the versions that were replaced at or before a moment; return their number.

        After an error some stores may be pruned, and others not. Prune again.
        """
        self._check_open()
        return self._histories.prune(before)

    @offered()
    def snapshot(self, name: str, note: str = "") -> Snapshot:
        """Name the present moment in each store. Raises `InvalidData` if the name is taken.

        If the process is killed, some stores may have it; `drop_snapshot` removes it there.
        """
        self._check_open()
        return self._histories.add_snapshot(name, note)

    @offered()
    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots that all stores have, by time, then by name."""
        self._check_open()
        return self._histories.snapshots()

    @offered()
    def drop_snapshot(self, name: str) -> bool:
        """Remove a snapshot; return whether there was one. No data is removed."""
        self._check_open()
        return self._histories.drop_snapshot(name)

    def recorders(self) -> list[DataStore]:
        """Return the stores with bars, fundamentals or events; each has a clock of its own.

        A copy asks for them.
        """
        return [each.store for each in self._parts()]

    def audit_counts(self, log: str) -> Counts:
        """Return how many records a log has, by strategy and run."""
        self._check_open()
        with naming("audit"):
            return questions.audit_counts(self._routes["audit"], check_log(log))

    def recording_began(self) -> int:
        """Return an instant before which no store recorded a version."""
        return self._histories.began()

    def held_bars(
        self, symbol: str, span: TimeRange, timeframe: str, recorded: int
    ) -> list[PriceBar]:
        """Return the bars that were held at an instant of recording, without their versions."""
        self._check_open()
        self._histories.settle(recorded)
        with naming("bars"):
            store: Any = self._routes["bars"]
            own = getattr(store, "held_bars", None) or partial(questions.held_bars, store)
            bars: list[PriceBar] = own(symbol, span, timeframe, recorded)
            return bars

    def unreplaced_bars(self, symbol: str, span: TimeRange, timeframe: str) -> Unreplaced | None:
        """Return what the store of the bars does, None if it is no `Store`."""
        found: Unreplaced | None = self._quickly("unreplaced_bars", symbol, span, timeframe)
        return found

    def restore_unreplaced(self, symbol: str, timeframe: str, given: Unreplaced) -> bool:
        """Take in bars of a range without versions; return False if the store of bars cannot."""
        return bool(self._quickly("restore_unreplaced", symbol, timeframe, given))

    def known_bars(
        self, symbol: str, span: TimeRange, timeframe: str, forming: Forming
    ) -> list[PriceBar] | None:
        """Return the bars that a view shows, None if the store of the bars has no quick way."""
        bars: list[PriceBar] | None = self._quickly("known_bars", symbol, span, timeframe, forming)
        return bars

    def known_table(
        self,
        symbols: str | Iterable[str],
        span: TimeRange,
        timeframe: str,
        columns: Iterable[str] | None,
        forming: Forming,
    ) -> pa.Table | None:
        """Return what `known_bars` does of many symbols, as a table."""
        return self._quickly("known_table", symbols, span, timeframe, columns, forming)

    # The whole store.

    @offered()
    def rename_symbol(self, old: str, new: str) -> None:
        """Give the bars, fundamentals and events of a symbol another one, in one step.

        Only a store that keeps these three together has it.
        """
        self._check_open()
        with naming("bars"):
            method_of(self._routes["bars"], "rename_symbol")(old, new)

    @offered()
    def verify(self, *, against: Against | None = None) -> Report:
        """Verify each store once. A store that cannot be read is a finding, "unchecked"."""
        self._check_open()
        then = None if against is None else loaded(against)
        parts = {each: then and self._part_of(then, store) for each, store in self._stores.items()}
        return _merged(_verified(name, self._stores[name], part) for name, part in parts.items())

    @offered()
    def repair(self, *, dry_run: bool = False) -> Report:
        """Repair each store once, even if repairing one fails."""
        return self._maintained(lambda store: store.repair(dry_run=dry_run))

    @offered()
    def compact(self) -> Report:
        """Compact each store once, even if compacting one fails."""
        return self._maintained(lambda store: store.compact())

    @offered()
    def checkpoint(self) -> Checkpoint:
        """Return the digests of each kind of data in the store of its route."""
        self._check_open()
        taken: list[Checkpoint] = []
        for name, store in self._stores.items():
            with naming(name):
                taken.append(self._part_of(checkpoint(store), store))
        whole = {
            kind: tuple(one for each in taken for one in getattr(each, kind)) for kind in KINDS
        }
        taken_at = min(each.taken_at for each in taken)
        return sealed(replace(taken[0], store=type(self).__name__, taken_at=taken_at, **whole))

    def __repr__(self) -> str:
        shown = (f"{name.replace(', ', '=')}={each!r}" for name, each in self._stores.items())
        return f"{type(self).__name__}({', '.join(shown)})"

    def _offers(self, method: str, needs: tuple[str, ...]) -> bool:
        if method == _RENAME and method in self._reasons:
            return False
        if METHODS[method].capability not in self._capabilities:
            return False
        return method not in _COPYING or self._histories.have(method)

    def _quickly(self, method: str, *asked: Any) -> Any:
        """Return the answer of the store of the bars, None if it is no `Store`."""
        self._check_open()
        own = getattr(self._routes["bars"], method, None)
        with naming("bars"):
            return None if own is None else own(*asked)

    def _parts(self) -> Iterator[Part]:
        """Yield the stores that record versions, with the kinds that each records."""
        for name, store in self._stores.items():
            kinds = frozenset(kind for kind in RECORDED if self._routes[kind] is store)
            if kinds:
                yield Part(name, store, kinds)

    def _part_of(self, whole: Checkpoint, store: DataStore) -> Checkpoint:
        """Return the part of a checkpoint with the kinds that a store keeps."""
        others = {kind: () for kind in KINDS if self._routes[kind] is not store}
        return sealed(replace(whole, **others))

    def _maintained(self, run: Callable[[Any], Report]) -> Report:
        """Return the report of a run over each store; at the end raise the first error."""
        self._check_open()
        reports, failed = list[Report](), list[StoreError]()
        for name, store in self._stores.items():
            try:
                reports.append(_labelled(run(store), name))
            except StoreError as error:
                name_part(error, name)
                failed.append(error)
        if failed:
            raise failed[0]
        return _merged(reports)


def _forwarding(name: str) -> Any:
    """Return a method with the declared signature that is called in the store of its kind."""
    declared, method = declaration(name), METHODS[name]
    kind = method.kind

    @wraps(declared)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_open()
        try:
            return method_of(self._routes[kind], name)(*args, **kwargs)
        except StoreError as error:
            name_part(error, kind)
            raise

    @wraps(declared)
    def stream(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self._while_open(items_of(kind, forward(self, *args, **kwargs)))

    @wraps(declared)
    def ask(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_open()
        if kwargs.get("recorded") is not None:
            self._histories.settle(latest_instant(kwargs["recorded"], "recorded"))
        return forward(self, *args, **kwargs)

    made = (
        stream if name.startswith("iter_") else ask if method.capability == "History" else forward
    )
    return offered()(made) if method.capability else made


for _name, _method in METHODS.items():
    if _method.kind in KINDS:
        setattr(RoutedStore, _name, _forwarding(_name))


def _by_kind(routes: Mapping[str, _Store]) -> dict[str, _Store]:
    """Return the store of each kind. Raises `ConfigError` if a kind has none, or more than one."""
    for name in routes:
        if name not in ("default", *KINDS):
            raise ConfigError(
                f"{name}: no kind of data{did_you_mean(name, KINDS)}; expected one of "
                f"default, {', '.join(KINDS)}"
            )
    left = [kind for kind in KINDS if kind not in routes]
    if left and "default" not in routes:
        raise ConfigError(f"default: missing; it is the store of {', '.join(left)}")
    if not left and "default" in routes:
        raise ConfigError("default: each kind of data has a store of its own; remove it")
    return {kind: routes[kind if kind in routes else "default"] for kind in KINDS}


def _named(routes: Mapping[str, _Store]) -> dict[str, _Store]:
    """Return each store once, with the names of its routes."""
    names: dict[int, list[str]] = {}
    for name in ("default", *KINDS):
        if name in routes:
            names.setdefault(id(routes[name]), []).append(name)
    return {", ".join(each): routes[each[0]] for each in names.values()}


def _together(by_kind: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return the capabilities of a store, given those of the stores of each kind."""
    return frozenset(
        name for name in CAPABILITIES if all(name in by_kind[kind] for kind in _kinds_of(name))
    )


def _reasons(stores: Mapping[str, DataStore], parts: tuple[Part, ...]) -> dict[str, str]:
    """Return why capabilities and `rename_symbol` are missing, as far as the stores say so."""
    given = {name: getattr(store, "_reasons", {}) for name, store in stores.items()}
    reasons = {
        what: f"{name}: {why}"
        for name, each in given.items()
        for what, why in each.items()
        if what in CAPABILITIES
    }
    known = given[parts[0].name].get(_RENAME) if len(parts) == 1 else _NO_RENAME
    return {**reasons, _RENAME: known} if known else reasons


def _kinds_of(capability: str) -> Iterable[str]:
    """Return the kinds of data that a capability concerns."""
    return {METHODS[each].kind for each in methods_of(capability)} - {"store"} or KINDS


def _check_apart(stores: Mapping[str, DataStore]) -> None:
    for one, other in combinations(stores, 2):
        if places_of(stores[one]) & places_of(stores[other]):
            raise _in_one_place(one, stores[one], other, stores[other])


def _check_paths(nested: Mapping[str, NestedStore], stores: Mapping[str, DataStore]) -> None:
    """Raise `ConfigError` for stores of one backend and path that do not tell their places."""
    for one, other in combinations(stores, 2):
        if any(hasattr(stores[each], "places") for each in (one, other)):
            continue
        if nested[one].described != nested[other].described:
            continue
        if _paths(nested[one]) & _paths(nested[other]):
            raise _in_one_place(one, stores[one], other, stores[other])


def _paths(nested: NestedStore) -> set[str]:
    given = (getattr(nested.settings, field.name) for field in fields(nested.settings))
    return {os.path.realpath(each) for each in given if isinstance(each, Path)}


def _in_one_place(one: str, store: DataStore, other: str, same: DataStore) -> ConfigError:
    return ConfigError(
        f"{one} and {other} are the same place, {store!r} and {same!r}, with different options: "
        "give both routes the same options, so that they share a store, or another place to one"
    )


def _close(name: str, store: DataStore) -> None:
    with naming(name):
        store.close()


def _verified(name: str, store: Any, then: Checkpoint | None) -> Report:
    """Return the report on one store. What a checkpoint names keeps its place."""
    try:
        report = verify(store, against=then)
    except StorageError as error:
        return Report(0, (Finding("unchecked", name, f"it could not be verified: {error}"),))
    entries = () if then is None else (one for kind in KINDS for one in getattr(then, kind))
    return _labelled(report, name, {each.place for each in entries})


def _labelled(report: Report, name: str, but: Iterable[str] = ()) -> Report:
    """Return a report with the name of the route before each place and action."""

    def labelled(found: Iterable[Finding]) -> tuple[Finding, ...]:
        return tuple(
            each if each.place in but else replace(each, place=f"{name}: {each.place}")
            for each in found
        )

    return replace(
        report,
        findings=labelled(report.findings),
        actions=tuple(f"{name}: {each}" for each in report.actions),
        notes=labelled(report.notes),
    )


def _merged(reports: Iterable[Report]) -> Report:
    each = list(reports)
    return Report(
        checked=sum(one.checked for one in each),
        findings=tuple(found for one in each for found in one.findings),
        actions=tuple(done for one in each for done in one.actions),
        notes=tuple(found for one in each for found in one.notes),
    )


@hookimpl
def storecore_backend() -> BackendSpec:
    """Return the spec of the `routed` backend."""
    return BackendSpec(
        name="routed",
        config=RoutedConfig,
        open=_open,
        capabilities=_capabilities,
        promises=_promises,
        init=_init,
        summary="each kind of data in a store of its own",
    )


def _capabilities(config: RoutedConfig) -> frozenset[str]:
    by_kind = _by_kind(config.routes())
    return _together({kind: each.spec.capabilities for kind, each in by_kind.items()})


def _promises(config: RoutedConfig) -> frozenset[str]:
    """Return the promises that the stores of all routes make."""
    return frozenset.intersection(*(each.spec.promises for each in config.routes().values()))


def _init(config: RoutedConfig) -> str:
    """Return the instructions of all stores that have some."""
    stores = _named(config.routes()).values()
    return "".join(each.spec.init(each.settings) for each in stores if each.spec.init is not None)


def _open(config: RoutedConfig) -> DataStore:
    routes = config.routes()
    nested = _named(routes)
    opened: dict[str, DataStore] = {}
    with ExitStack() as stack:  # an error leaves no store open
        for name, each in nested.items():
            with naming(name):
                opened[name] = stack.enter_context(each.open())
        _check_paths(nested, opened)
        of = {id(each): opened[name] for name, each in nested.items()}
        has = {kind: each.capabilities_of(of[id(each)]) for kind, each in _by_kind(routes).items()}
        stores = {name: of[id(each)] for name, each in routes.items()}
        routed = RoutedStore(stores, _together(has))
        stack.pop_all()
    return routed
