"""REFERENCE.md: all that an author meets, with types, order, errors and units, and nothing else."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime
from importlib import import_module
from pathlib import Path

import pyarrow as pa
import pytest

import storecore
from storecore import Action, Decision, Event, FundamentalData, Order, OrderResult, PriceBar
from storecore.plugins import spec as hooks
from storecore.protocols import ADDED, CAPABILITIES, GROWN, OPENED, DataStore
from storecore.store import collections
from storecore.testing.declarations import declarations, whole
from storecore.testing.reference import (
    COLLECTIONS,
    FOR_USERS,
    FURTHER,
    HOOKS,
    PROTOCOLS,
    RAISED,
    TYPES,
    page,
)
from storecore.testing.units import UNITS

ROOT = Path(__file__).parent.parent
FILE = ROOT / "storecore/plugins/REFERENCE.md"
PAGE = FILE.read_text()
GUIDE = (ROOT / "storecore/plugins/BACKENDS.md").read_text()
OBSERVERS = (ROOT / "storecore/plugins/OBSERVERS.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
ENTRIES = dict(re.findall(r"^### (.+?)\n(.*?)(?=^##+ |\Z)", PAGE, re.M | re.S))
PROTOCOL_NAMES = ["DataStore", *CAPABILITIES]
FOREIGN = """
Any ABC AbstractContextManager Annotated Callable ClassVar Counter Enum ENOENT HookimplMarker
Iterable Iterator Literal Mapping Meta NamedTuple PathLike Protocol Sequence Struct TypeAlias
EntryPoint Self PROJECT Table Array ChunkedArray
HOLD BUY SELL EXIT CREATING EXISTING EXISTING_IF_ABLE
"""
"""Names of Python, msgspec, pluggy and pyarrow, and the members of two enums."""


def entries(section):
    return re.findall(r"^### (.+)$", SECTIONS[section], re.M)


def names_of(tier):
    return " ".join(tier.values()).split()


def optional_methods(name):
    """Return the methods of a collection that only a type checker sees."""
    (kind,) = [
        node
        for node in ast.parse(Path(collections.__file__).read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == name
    ]
    return {
        each.name
        for node in kind.body
        if isinstance(node, ast.If)
        for each in node.body
        if isinstance(each, ast.FunctionDef)
    }


def test_the_page_is_the_one_made_of_the_code():
    assert page() == PAGE, "run the command that the page names"


def test_the_command_on_the_page_prints_it():
    module = re.search(r"python -m (\S+) >", PAGE)[1]
    done = subprocess.run(
        [sys.executable, "-m", module], check=True, capture_output=True, text=True
    )
    assert done.stdout == PAGE


def test_the_hooks_are_those_of_the_code_and_no_others():
    assert entries("Hooks") == [name for name in vars(hooks) if name.startswith("storecore_")]


@pytest.mark.parametrize("name", PROTOCOL_NAMES)
def test_the_methods_of_a_protocol_are_those_of_the_code_and_no_others(name):
    protocol = DataStore if name == "DataStore" else CAPABILITIES[name]
    methods = [f"{name}.{each}" for each in vars(protocol) if not each.startswith("_")]
    assert entries(name) == methods


@pytest.mark.parametrize(
    "kind",
    [
        value
        for value in vars(collections).values()
        if isinstance(value, type) and value.__module__ == collections.__name__
    ],
    ids=lambda kind: kind.__name__,
)
def test_the_methods_of_a_collection_are_those_of_the_code_and_no_others(kind):
    name = kind.__name__
    own = {each for each, value in vars(kind).items() if each[0] != "_" and callable(value)}
    methods = own | optional_methods(name)
    assert sorted(entries(name)) == sorted(f"{name}.{each}" for each in methods)
    required = [each for each in own if "*Required.*" in ENTRIES[f"{name}.{each}"]]
    assert set(required) == set(getattr(kind, "__abstractmethods__", ()))


def test_the_helpers_are_those_of_the_tiers_and_no_others():
    tiers = {*names_of(storecore._EXTEND), *names_of(storecore._INSPECT), *names_of(FOR_USERS)}
    shown = {each for each in entries("Helpers") if "." not in each}
    assert shown == tiers - CAPABILITIES.keys() - declarations(COLLECTIONS).keys()


def test_the_further_functions_are_those_that_the_guide_names():
    assert entries("Further functions") == names_of(FURTHER)
    unnamed = [each for each in names_of(FURTHER) if f"{each}" not in GUIDE]
    assert unnamed == []


def test_each_method_that_a_guide_names_has_an_entry():
    """But those of Python, and of the classes that the guide itself writes."""
    others = "__init__ __post_init__ __reduce__ __repr__ absolute frozenset partial super "
    others += "register_at_fork open_store MyClock change nowhere stored tamper"
    known = {each.rpartition(".")[2] for each in ENTRIES}
    for guide in (GUIDE, OBSERVERS):
        prose = re.sub(r"^```.*?^```", "", guide, flags=re.M | re.S)
        spans = re.findall(r"`([^`\n]+)`", prose)
        named = {each for span in spans for each in re.findall(r"(\w+)\(", span)}
        hooks = {each for each in spans if re.fullmatch(r"(store\.)?_[a-z]+", each)}
        named |= {each.removeprefix("store.") for each in hooks} - {"_clock"}  # an argument
        assert named - known - set(others.split()) == set()


def test_each_hook_of_a_base_class_is_named_by_the_guide():
    found = [each for each in ENTRIES if re.search(r"\._[a-z]+$", each)]
    assert {"Store._rename", "Wrapper._read", "Wrapper._write"} <= set(found)
    assert [each for each in found if f"`{each.partition('.')[2]}" not in GUIDE] == []


def test_the_errors_are_those_of_the_code_and_no_others():
    tree = ast.parse((ROOT / "storecore/errors/__init__.py").read_text())
    assert entries("Errors") == [each.name for each in tree.body if isinstance(each, ast.ClassDef)]


def test_no_section_is_left_over():
    own = [each for each in declarations(COLLECTIONS) if each.endswith(("Collection", "Log"))]
    last = ["Helpers", "Further functions", "Types", "Errors"]
    assert list(SECTIONS) == ["Hooks", *PROTOCOL_NAMES, "Collections", *own, *last]


def test_each_name_of_a_signature_has_an_entry_of_its_own():
    shown = re.findall(r"^```text\n(.*?)^```", PAGE.partition("## Hooks")[2], re.M | re.S)
    signatures = re.sub(r'"[^"]*"', "", "\n".join(shown))
    named = set(re.findall(r"\b[A-Z]\w*", signatures))
    assert named - {*FOREIGN.split(), *dir(builtins), *ENTRIES, *SECTIONS} == set()


def test_each_type_is_named_by_an_entry():
    rest = PAGE.partition("## Hooks")[2]
    unused = [name for name in names_of(TYPES) if len(re.findall(rf"\b{name}\b", rest)) < 2]
    assert unused == []


def declared():
    """Return (name, declaration) of each method, hook and function on the page."""
    for module, names in (
        (HOOKS, hooks_of(HOOKS)),
        *((PROTOCOLS, [name]) for name in PROTOCOL_NAMES),
        *((COLLECTIONS, [name]) for name in declarations(COLLECTIONS)),
        *(
            (f"storecore.{module}", names.split())
            for tier in (storecore._EXTEND, storecore._INSPECT, FOR_USERS)
            for module, names in tier.items()
        ),
        *((module, names.split()) for module, names in FURTHER.items()),
    ):
        for name in names:
            found = whole(module, name)
            yield from members_of(found) if found.kind == "class" else [(name, found)]


def hooks_of(module):
    return [name for name in declarations(module) if name.startswith("storecore_")]


def members_of(kind) -> Iterator:
    for each in kind.members:
        if f"{kind.name}.{each.name}" in ENTRIES:
            yield f"{kind.name}.{each.name}", each


DECLARED = dict(declared())
ORDERED = [
    name
    for name, each in DECLARED.items()
    if re.match(r"(list|Iterable|Iterator|tuple\[list)\b", each.returns)
    and "contextmanager" not in each.marks
]
COUNTED = [name for name, each in DECLARED.items() if re.match(r"(int|float)\b", each.returns)]
SAYS_ORDER = r"sorted|order|newest|nearest first|by (symbol|time|seq|date|`seq`)|consecutive|follow"


@pytest.mark.parametrize("name", DECLARED)
def test_each_entry_says_what_it_does(name):
    assert DECLARED[name].doc


@pytest.mark.parametrize("name", ORDERED)
def test_what_returns_several_says_in_which_order(name):
    assert re.search(SAYS_ORDER, DECLARED[name].doc)


@pytest.mark.parametrize("name", COUNTED)
def test_what_returns_a_number_says_its_unit(name):
    assert re.search(r"number|instant|counter|version|microsecond", DECLARED[name].doc)


@pytest.mark.parametrize("name", [name for name in DECLARED if "." not in name])
def test_a_function_names_the_errors_that_it_raises(name):
    further = {each: module for module, names in FURTHER.items() for each in names.split()}
    home = f"storecore.{storecore._HOME.get(name, 'plugins.spec')}"
    module = import_module(further.get(name, home))
    found = [
        each
        for each in ast.parse(inspect.getsource(module)).body
        if isinstance(each, ast.FunctionDef) and each.name == name
    ]
    raised = {
        ast.unparse(each.exc.func)
        for function in found
        for each in ast.walk(function)
        if isinstance(each, ast.Raise) and isinstance(each.exc, ast.Call)
    }
    errors = raised & {*storecore.__all__, *dir(builtins)}
    assert [each for each in errors if f"`{each}`" not in DECLARED[name].doc] == []


def test_what_was_added_later_is_marked_so_that_older_backends_stay_valid():
    marked = {name.partition(".")[2] for name, text in ENTRIES.items() if "*Added* after" in text}
    assert marked == ADDED | GROWN.keys()
    required = {name.partition(".")[2] for name in ENTRIES if "*Required* in" in ENTRIES[name]}
    assert required == OPENED


def test_nothing_in_the_guide_sends_a_reader_to_the_source():
    assert re.findall(r"\]\([^)]*\.py\)", GUIDE + OBSERVERS + PAGE) == []


def test_each_unit_belongs_to_a_number_on_the_page():
    shown = set(re.findall(r"^- `\w+`: (.+)$", PAGE, re.M))
    assert [name for name, unit in UNITS.items() if unit not in shown] == []


def test_a_number_without_a_unit_is_an_error(monkeypatch):
    monkeypatch.delitem(UNITS, "max_bytes")
    with pytest.raises(KeyError, match="max_bytes"):
        page()


NOW = datetime(2026, 1, 5)
GIVEN = {
    "symbol": "AAPL",
    "symbols": ["AAPL"],
    "old": "AAPL",
    "new": "MSFT",
    "strategy_name": "value",
    "bars": [PriceBar("AAPL", NOW, 1.0, 1.0, 1.0, 1.0, 1)],
    "table": pa.table(
        {"date": [NOW], **{each: [1.0] for each in ("open", "high", "low", "close")}}
    ),
    "data": FundamentalData(symbol="AAPL", timestamp=NOW, company_name="", cik="", raw_xml=""),
    "event": Event("split", "AAPL", NOW, NOW, "feed", {}),
    "events": [],
    "fundamentals": [],
    "state": {},
    "decision": Decision("AAPL", Action.HOLD, 0.0, 0.5, ""),
    "decisions": [],
    "order": Order("value", "AAPL", "BUY", 1, "MARKET"),
    "orders": [],
    "result": OrderResult(1, "filled"),
    "start": date(2026, 1, 1),
    "end": date(2026, 1, 31),
    "before": NOW,
    "recorded": NOW,
    "versions": [],
    "log": "decisions",
    "day": date(2026, 1, 5),
    "lines": [],
    "expect": None,
    "name": "first",
}
WRONG = {"InvalidName": "", "InvalidData": object(), "NotSerializable": {"at": NOW}}
REFUSED = [
    (name, parameter, RAISED[parameter])
    for name, each in DECLARED.items()
    if name.partition(".")[0] in PROTOCOL_NAMES
    for parameter, _ in each.typed
    if parameter in RAISED
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with storecore.open_store("file", base_path=tmp_path_factory.mktemp("data")) as store:
        yield store


@pytest.mark.parametrize(("name", "parameter", "error"), REFUSED)
def test_a_method_refuses_a_wrong_value_with_the_error_of_its_entry(store, name, parameter, error):
    method = DECLARED[name]
    signature = inspect.signature(getattr(store, method.name))
    given = {
        each: GIVEN[each]
        for each, declared in signature.parameters.items()
        if declared.default is inspect.Parameter.empty
    }
    with pytest.raises(getattr(storecore, error)):
        list(getattr(store, method.name)(**{**given, parameter: WRONG[error]}))
    assert f"`{error}`: " in ENTRIES[name]
