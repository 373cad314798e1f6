"""REFERENCE.md: every hook, method, helper and type that the author of a plugin meets.

Regenerate it after a change of a signature or a docstring:

    python -m storecore.testing.reference > storecore/plugins/REFERENCE.md

A test compares the page with what this prints.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import storecore
from storecore.protocols import ADDED, CAPABILITIES, GROWN, METHODS, OPENED
from storecore.testing.declarations import Declaration, about, declarations, whole
from storecore.testing.units import UNITS

HOOKS = "storecore.plugins.spec"
PROTOCOLS = "storecore.protocols"
COLLECTIONS = "storecore.store.collections"
ERRORS = "storecore.errors"
TYPES: dict[str, str] = {
    "storecore.models": "PriceBar FundamentalData Event Action Decision Order OrderResult Read "
    "DecisionRecord OrderRecord Side Share Count Checksum",
    "storecore.reports": "Coverage SeriesCoverage Footprint Finding Report AuditReport "
    "StateVersion AuditLine",
    "storecore.reports.checkpoint": "Checkpoint Against Series Filings EventDay SavedState "
    "LogEnd FORMAT",
    "storecore.knowledge.versions": "BarVersion FundamentalVersion EventVersion Correction "
    "Snapshot Recording Unreplaced Forming Version Kind",
    "storecore.knowledge.clock": "RestorableClock",
    "storecore.knowledge.replay": "Replay ReplayedRead ChangedRow Record Status",
    "storecore.knowledge.view": "View OnFuture",
    "storecore.store.row_store": "Row",
    "storecore.bars.groups": "Grouped",
    "storecore.bars.extra": "Kinds",
    "storecore.store.checkpoints.survey": "Written",
    "storecore.testing.report": "SuiteReport Result",
    "storecore.bars.query": "Panel",
    "storecore.audit.counts": "Counts",
    "storecore.events": "Selectable",
    "storecore.config.nested": "Opening",
    "storecore.plugins.spec": "ResolvedSpec API_VERSION",
    "storecore.plugins.metadata": "Plugin",
    "storecore.bars.rows": "MAX_BYTES",
    "storecore.store.closing": "Closing",
    "storecore.values.fork": "Forking",
    "storecore.values.times": "Bound",
    PROTOCOLS: "Extra Missing Day Volume By Reads",
}
"""The types that the signatures name, besides the helpers, by module."""
FOR_USERS: dict[str, str] = {
    "store.base": "Store",
    "store.questions": "read_bars read_events",
    "store.tables": "iter_bar_tables read_bar_table write_bar_table",
}
"""Names of the tier for users that belong to an author's helpers too."""
FURTHER: dict[str, str] = {
    "storecore.audit.records": "decision_body decision_bodies order_body order_bodies",
    "storecore.bars.extra": "agreed",
    "storecore.bars.rows": "bar_columns",
    "storecore.errors.parts": "naming",
    "storecore.events": "checked_event checked_events event_types event_symbols",
    "storecore.fundamentals": "checked_fundamental checked_fundamentals",
    "storecore.states": "RUN_STATES",
    "storecore.store.checkpoints": "checkpoint verify take_checkpoint verify_against",
    "storecore.store.places": "check_apart",
    "storecore.testing.validation": "validate",
    "storecore.values.names": "check_name",
}
"""Further names of the guide. They are imported from their modules, not from `storecore`."""
HOOKS_OF_STORES = ("_read", "_write", "_rename")
"""The methods of a base class that only its subclasses call or override, besides public ones."""
PUBLIC = {"storecore.testing.validation": "storecore.testing"}
"""The package from which a function is imported, if it is not its own module."""
RAISED: dict[str, str] = {
    **dict.fromkeys(("symbol", "symbols", "timeframe", "strategy_name", "old"), "InvalidName"),
    **dict.fromkeys(("new", "name", "run"), "InvalidName"),
    **dict.fromkeys(("start", "end", "last", "as_of", "types", "max_bytes"), "InvalidData"),
    **dict.fromkeys(("columns", "ingested_by", "by", "log", "after", "day"), "InvalidData"),
    **dict.fromkeys(("expect", "recorded", "since", "before", "pruned_before"), "InvalidData"),
    **dict.fromkeys(("bars", "data", "event", "events", "fundamentals"), "InvalidData"),
    **dict.fromkeys(("decision", "decisions", "order", "orders", "result"), "InvalidData"),
    **dict.fromkeys(("lines", "versions", "table", "note", "reads"), "InvalidData"),
    **dict.fromkeys(("extra", "missing", "volume", "replace", "prefix"), "InvalidData"),
    "state": "NotSerializable",
}
"""What a method of a store raises for a wrong value, by parameter: `Store` checks it."""

_NUMBERS = r"\b(int|float|Share|Count)\b|^list\[Any\]$"
"""The types that are, or have in them, numbers; columns may have whole and other ones."""

HEADER = """\
# Reference

This page documents every hook, every method of a store and of a collection, every helper, every
error, and every type that they name. [BACKENDS.md](BACKENDS.md) and [OBSERVERS.md](OBSERVERS.md)
are the guides to them, and [LAWS.md](../testing/LAWS.md) has the guarantees of every store.

The page is generated from the code. Do not edit it; complete the docstring, and run

```text
python -m storecore.testing.reference > storecore/plugins/REFERENCE.md
```

The following holds everywhere, and is not repeated:

- **Times.** An *instant* is an `int`: microseconds since 1970-01-01T00:00, UTC. Stores take
  datetimes, dates and ISO text. Collections take and return instants. Ranges include both ends.
- **Errors.** Every method of a store raises `StoreClosed` after `close()`, `StorageError` if the
  medium fails, `CorruptData` if what it read is wrong, and `LockTimeout` if a lock is not free in
  time. An entry lists what else it raises, and for a wrong value of which parameter (*refuses*).
- **All or none.** After an error nothing of the call is stored (law [D2](../testing/LAWS.md#d2)).
- **Arrow.** `pa` is pyarrow. A *series table* is a `pa.Table` of the bars of one series, sorted by
  `date`: `date` (timestamp in microseconds, UTC), `open`, `high`, `low` and `close` (float64),
  `volume` (int64 or float64), then further columns. Only `volume` and further columns may be null.
"""
COLLECTIONS_HEADER = """\
`Store` calls the collections, and has checked every argument: names, instants, batches. So their
methods raise only `StorageError`, `CorruptData` and `LockTimeout`, and what their entries name. Any
thread may call them. A *required* method is abstract. One that *has a default* may be overridden.
An *optional* one gives the store a capability, which its entry names in brackets.
"""


def page() -> str:
    """Return the text of REFERENCE.md."""
    sections = list(_sections())
    contents = "\n".join(f"- {_contents(*_headings(each))}" for each in sections)
    return "\n".join([HEADER, contents, "", *sections]).rstrip() + "\n"


def _sections() -> Iterator[str]:
    yield _section("Hooks", map(_entry, _hooks()))
    for name in ("DataStore", *CAPABILITIES):
        protocol = declarations(PROTOCOLS)[name]
        methods = [_store_method(name, each) for each in _methods(protocol)]
        yield _section(name, [f"{protocol.doc}\n", *methods])
    yield _section("Collections", [COLLECTIONS_HEADER])
    for kind in _public(declarations(COLLECTIONS).values()):
        methods = [_collection_method(kind.name, each) for each in _methods(kind)]
        yield _section(kind.name, [_body(kind), *methods])
    yield _section("Helpers", [_with_methods(each) for each in _helpers()])
    yield _section("Further functions", map(_further, FURTHER))
    yield _section("Types", [_with_methods(each) for each in _named(TYPES)])
    yield _section("Errors", map(_entry, _public(_classes(ERRORS))))


def _section(title: str, entries: Iterable[str]) -> str:
    return "\n".join([f"## {title}\n", *entries])


def _headings(section: str) -> list[str]:
    return re.findall(r"^##+ (.+)$", section, re.M)


def _contents(title: str, *entries: str) -> str:
    links = ", ".join(_link(each, each.removeprefix(f"{title}.")) for each in entries)
    return ": ".join(filter(None, [_link(title, f"**{title}**"), links]))


def _link(heading: str, text: str) -> str:
    return f"[{text}](#{_anchor(heading)})"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _hooks() -> list[Declaration]:
    return [each for name, each in declarations(HOOKS).items() if name.startswith("storecore_")]


def _store_method(owner: str, method: Declaration) -> str:
    given = [(name, RAISED[name]) for name, _ in method.typed if name in RAISED]
    errors = "; ".join(
        f"`{error}`: " + ", ".join(f"`{name}`" for name, each in given if each == error)
        for error in dict.fromkeys(error for _, error in given)
    )
    declared = METHODS.get(method.name)
    lines = [f"*Refuses:* {errors}."] if errors else []
    lines += _later(method)
    if declared is not None and declared.notify:
        lines.append(f'*Observers:* kind "{declared.notify}".')
    return _entry(method, owner, *lines)


def _later(method: Declaration) -> list[str]:
    """Return what a method got since `api` 1: an older backend may lack it."""
    own = {name for name, _ in method.typed}
    grown = ", ".join(f"`{name}`" for name in sorted(GROWN.get(method.name, frozenset()) & own))
    lines = ["*Added* after `api` 1."] if method.name in ADDED else []
    lines += [f"*Added* after `api` 1: {grown}."] if grown else []
    lines += ["*Required* in `api` 1: `start`, `end`."] if method.name in OPENED else []
    return lines


def _collection_method(owner: str, method: Declaration) -> str:
    is_required = "abstractmethod" in method.marks
    kind = "Required" if is_required else "Has a default"
    return _entry(method, owner, f"*{'Optional' if 'optional' in method.marks else kind}.*")


def _helpers() -> list[Declaration]:
    """Return the names of the tiers for authors and tools, without what has a section."""
    shown = {*CAPABILITIES, "DataStore", *declarations(COLLECTIONS)}
    tiers = (storecore._EXTEND, storecore._INSPECT, FOR_USERS)
    found = [
        each
        for tier in tiers
        for each in _named({f"storecore.{module}": names for module, names in tier.items()})
    ]
    return sorted((each for each in found if each.name not in shown), key=_alphabetical)


def _named(names: dict[str, str]) -> list[Declaration]:
    return [whole(module, each) for module in names for each in names[module].split()]


def _further(module: str) -> str:
    found = _named({module: FURTHER[module]})
    return "\n".join(
        _entry(each, "", f"*Import from* `{PUBLIC.get(module, module)}`.") for each in found
    )


def _alphabetical(declaration: Declaration) -> str:
    return declaration.name.lower()


def _classes(module: str) -> list[Declaration]:
    return [each for each in declarations(module).values() if each.kind == "class"]


def _public(found: Iterable[Declaration]) -> list[Declaration]:
    return [each for each in found if not each.name.startswith("_")]


def _methods(kind: Declaration) -> list[Declaration]:
    return [each for each in _public(kind.members) if each.kind == "function"]


def _with_methods(kind: Declaration) -> str:
    """Return the entry of a class with its methods; of a store without those of a protocol."""
    is_store = kind.name == "Store" or "Store" in kind.marks
    own = [each for each in _methods(kind) if not (is_store and each.name in METHODS)]
    own += [each for each in kind.members if each.name in HOOKS_OF_STORES]
    entries = (_entry(each, kind.name, *_optional(each)) for each in own)
    return "\n".join([_entry(kind), *entries])


def _optional(method: Declaration) -> list[str]:
    return ["*Optional.*"] if "optional" in method.marks else []


def _entry(declaration: Declaration, owner: str = "", *more: str) -> str:
    name = f"{owner}.{declaration.name}" if owner else declaration.name
    return f"### {name}\n\n{_body(declaration, owner, *more)}"


def _body(declaration: Declaration, owner: str = "", *more: str) -> str:
    parts = [f"```text\n{declaration.text}\n```", declaration.doc]
    parts += [*_module_of(declaration.name), *more, *_units(owner, declaration)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _module_of(name: str) -> list[str]:
    """Return what a module says of its table, for the class that is made of it."""
    return [about("storecore.store.row_store")] if name == "Rows" else []


def _units(owner: str, declaration: Declaration) -> list[str]:
    numbers = [name for name, kind in declaration.typed if re.search(_NUMBERS, kind)]
    lines = [f"- `{name}`: {_unit(owner, declaration.name, name)}" for name in numbers]
    return ["*Units:*\n\n" + "\n".join(lines)] if lines else []


def _unit(owner: str, name: str, number: str) -> Any:
    """Return the unit of a number. Raises `KeyError` for one that has none."""
    places = (f"{owner}.{name}.{number}", f"{name}.{number}", number)
    return next((UNITS[each] for each in places if each in UNITS), None) or UNITS[".".join(places)]


if __name__ == "__main__":
    print(page(), end="")
