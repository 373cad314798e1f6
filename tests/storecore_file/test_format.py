"""FORMAT.md: its tables are those of real stores, its examples run, and it suffices for others.

`Reader` and `Writer` are a second implementation of the files, made from the page alone.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import struct
import subprocess
import tomllib
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from importlib import import_module
from io import BytesIO
from itertools import chain
from pathlib import Path
from zlib import crc32

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec import to_builtins
from msgspec.structs import replace

import storecore_file
from storecore import Action, Decision, Event, FundamentalData, Order, OrderResult, PriceBar
from storecore.errors import CorruptData
from storecore.store.questions import all_strategies
from storecore_file import FileDataStore
from storecore_file.fs import disk, rollback
from storecore_file.fs.names import STRATEGIES, SYMBOLS, TIMEFRAMES
from storecore_file.renaming import Renaming
from storecore_file.states import States

PACKAGE = Path(storecore_file.__file__).parent
PAGE = (PACKAGE / "FORMAT.md").read_text()
RELEASES = Path(__file__).parent / "releases"
RELEASED = [RELEASES / f"0.1.0-{each}" for each in "abcd"]
START = datetime(2026, 1, 5, tzinfo=UTC)
EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LARGE = 2**53 + 1
FILINGS = {"cik": "1", "raw_xml": "<f/>"}


def section(heading):
    """Return what stands under a heading, up to the next one of its level or above."""
    level, body = re.search(rf"^(#+) {re.escape(heading)}\n((?:.|\n)*)", PAGE, re.M).groups()
    return re.split(rf"^#{{1,{len(level)}}} ", body, maxsplit=1, flags=re.M)[0]


def tables(heading):
    """Return the tables of a section, each a list of rows of cells, without its head."""
    found = re.findall(r"(?:^\|.*\n)+", section(heading), re.M)
    split = [[re.split(r"(?<!\\)\|", line)[1:-1] for line in one.splitlines()] for one in found]
    return [[[each.strip() for each in row] for row in one[2:]] for one in split]


def bare(cell):
    """Return what a cell has between backticks."""
    return re.findall(r"`(.+?)`", cell)[0].replace("\\|", "|")


def members(heading, number=0):
    return [bare(row[0]) for row in tables(heading)[number]]


def blocks(language, heading="Reading without storecore"):
    return re.findall(rf"^```{language}\n(.*?)^```", section(heading), re.M | re.S)


def patterns():
    """Return the expression of each file that the page lists, by the page's word for it."""
    files, parts = tables("The folder")
    known = {bare(row[0]): bare(row[1]) for row in parts}
    found = {}
    for name in (bare(row[0]) for row in files):
        pieces = re.split(r"(<\w+>)", name)
        expression = "".join(
            f"(?:{known[piece]})" if piece in known else re.escape(piece) for piece in pieces
        )
        found[name] = re.compile(expression)
    return found


def files_of(base):
    return sorted(str(each.relative_to(base)) for each in base.rglob("*") if each.is_file())


def bar(symbol, moment, close=1.5, volume=7):
    return PriceBar(symbol, moment, 1.0, 2.0, 0.5, close, volume)


def day_of(symbols, moment, close):
    """One bar for each symbol, as a batch for the journal."""
    bars = [bar(symbol, moment, close) for symbol in symbols]
    names = PriceBar.__struct_fields__
    return pa.table({name: [getattr(each, name) for each in bars] for name in names})


def wide(symbol, count):
    """Hourly bars with further columns, of which the second has none and no volume."""
    extra = {"f": 0.1, "i": 2**60, "b": True, "s": "ü", "t": START, "exact_volume": 1.5}
    bars = [bar(symbol, START + timedelta(hours=number)) for number in range(count)]
    return [
        replace(each, volume=None) if number == 1 else replace(each, extra=extra)
        for number, each in enumerate(bars)
    ]


def wide_day(symbols, moment):
    """One bar for each of two symbols with further columns, as a batch for the journal."""
    columns = {"f": [float("nan"), None], "i": [-1, None], "b": [None, False], "s": ["", None]}
    columns["t"] = [START, None]
    batch = {"symbol": symbols, "date": [moment] * 2, "volume": [None, 7]}
    batch |= {name: [1.0] * 2 for name in ("open", "high", "low", "close")}
    return pa.table(batch | columns)


def filing(symbol, day, **values):
    moment = values.pop("timestamp", START + timedelta(days=day))
    return FundamentalData(
        symbol=symbol, timestamp=moment, company_name=f"Company {day}", **FILINGS, **values
    )


def event(number, days=0):
    moment = START + timedelta(days=days, minutes=number, microseconds=number)
    symbol = None if number % 3 == 0 else "AAPL"
    return Event("split", symbol, moment, moment, "feed", {"ratio": f"{number}:1"})


def fill(store):
    """Write something of each kind, so that every file of the page but leftovers is there."""
    days = [START + timedelta(days=number) for number in range(400)]
    for symbol in ("AAPL", "aapl", "BRK/B", "Ü" * 60):
        bars = [bar(symbol, day, 0.1 * n, (LARGE, 7, 0.5)[n % 3]) for n, day in enumerate(days)]
        store.write_bars(symbol, bars)
        store.delete_bars(symbol, days[50], days[60])
    minutes = [bar("AAPL", START + timedelta(minutes=number)) for number in range(50)]
    store.write_bars("AAPL", minutes, timeframe="1m")
    store.write_bar_table(day_of(["AAPL", "J0", "J1"], days[55], 1.0))
    store.write_bar_table(day_of(["AAPL", "J0", "J1"], days[10], 2.0), timeframe="Tick")
    store.write_bars("J0", wide("J0", 4), timeframe="1h")
    store.write_bars("J1", wide("J1", 2), timeframe="1h")
    store.write_bars("WIDE", wide("WIDE", 3))
    store.write_events([event(number) for number in range(5)])
    store.write_event(replace(event(5), symbol="OLD"))
    store.write_fundamental("OLD", filing("OLD", 0))
    store.compact()
    with pytest.MonkeyPatch.context() as patch:  # it is killed before its marks are removed
        patch.setattr(Renaming, "_unmark", lambda self, intent: None)
        store.rename_symbol("OLD", "NEW")
    store.write_bars("J1", [bar("J1", START)], timeframe="1h")
    store.write_bar_table(wide_day(["J0", "J1"], START + timedelta(hours=1)), timeframe="1h")
    store.write_bar_table(day_of(["AAPL", "J0", "J1"], days[56], 3.0))
    store.write_bar_table(day_of(["AAPL", "J0", "J2"], days[57], 4.0))
    store.write_bars("J0", [bar("J0", days[56], 5.0)])  # takes in the rows before it
    store.write_bar_table(day_of(["AAPL", "J0", "J2"], days[57], 6.0))
    store.write_events([event(5), event(0, days=1)])
    store.write_fundamentals([filing("AAPL", day, employees=day) for day in range(3)])
    store.write_fundamental("AAPL", filing("AAPL", 3, extra={"eps": 1.5, "form": "10-Q"}))
    store.write_fundamental("+x", filing("+x", 0, timestamp=START.replace(tzinfo=None)))
    for number in range(7):
        store.save_strategy_state("Value", {"number": number})
        store.log_decision("value", Decision("AAPL", Action.BUY, 0.5, 0.9, "", {"rank": number}))
    store.snapshot("before", "the first one")
    store.write_bars("AAPL", [bar("AAPL", days[3], 9.5), bar("AAPL", days[2], 9.5)])
    store.write_bars("WIDE", [replace(each, extra={"f": 1.5}) for each in wide("WIDE", 2)])
    many = wide("MANY", 100)
    store.write_bars("MANY", [*many, bar("MANY", START + timedelta(hours=100), volume=LARGE)])
    store.write_bars("MANY", [bar("MANY", each.date, 9.5) for each in many[10:20]])
    store.write_bars("MANY", [bar("MANY", each.date, 8.5) for each in many])
    store.delete_bars("MANY", START, START + timedelta(days=9))
    store.save_strategy_state("é" * 60, {})
    store.save_strategy_state("gone", {})
    with pytest.MonkeyPatch.context() as patch:  # it is killed before the history is removed
        patch.setattr(States, "_finish_deletion", lambda self, path, strategy: 0)
        store.delete_strategy_state("gone")
    for number in (1, "b-2"):
        order = Order("value", "AAPL", "BUY", 10, "LIMIT", 99.5, {"tif": "day"})
        result = OrderResult(number, "filled", 99.5, 10, extra={"fees": [0.5]})
        store.log_order("value", order, result)


def leave_leftovers(store, base):
    """Leave a torn line, a quarantined file, and what a killed writer leaves."""
    with (base / "events" / "2026-01-06.jsonl").open("ab") as log:
        log.write(b'{"type":"spl')
    store.write_event(event(1, days=1))
    store.write_fundamentals([filing("GONE", 0), filing("GONE", 1)])
    next((base / "fundamentals" / "GONE").iterdir()).write_bytes(b"{}\n")
    store.repair()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollback.Rollback, "discard", lambda self: None)
        store.write_fundamentals([filing("AAPL", 0), filing("AAPL", 1)])
        patch.setattr(disk.Disk, "discard", lambda self, staged: None)
        patch.setattr(disk.os, "replace", partial(pytest.fail, "killed"))
        with contextlib.suppress(BaseException):
            store.write_fundamental("AAPL", filing("AAPL", 0, employees=9))


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A folder with a store in which each kind of file is, its journal not flushed."""
    base = tmp_path_factory.mktemp("format") / "data"
    store = FileDataStore(base_path=base, durability="os")
    with pytest.MonkeyPatch.context() as patch:  # so that a short log has an index
        patch.setattr("storecore_file.events.index.BLOCK", 300)
        fill(store)
        leave_leftovers(store, base)
    return base


@pytest.fixture
def copied(filled, tmp_path):
    """A copy that a test may change."""
    return Path(shutil.copytree(filled, tmp_path / "data"))


# The tables


def test_no_file_of_a_store_is_missing_from_the_page(filled):
    known = patterns().values()
    for base in (filled, *RELEASED):
        unknown = [name for name in files_of(base) if not any(e.fullmatch(name) for e in known)]
        assert unknown == []


@pytest.mark.parametrize("name", patterns())
def test_each_file_of_the_page_is_in_a_store(filled, name):
    assert any(patterns()[name].fullmatch(each) for each in files_of(filled))


def test_the_folders_that_opening_makes_are_those_of_the_page(tmp_path):
    FileDataStore(base_path=tmp_path).close()
    made = {str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_dir()}
    told = re.search(r"makes the folders (.+?)\.", section("The folder"), re.S)[1]
    assert made == {*re.findall(r"`(.+?)`", told), "audit"}


def partitions_of(base):
    return [Partition(path) for path in (base / "prices").rglob("*.parquet")]


def lines_of(base, *globs):
    found = chain.from_iterable(sorted(base.glob(each)) for each in globs)
    return [json.loads(line) for path in found for line in path.read_bytes().splitlines() if line]


def padded(base, glob, size):
    contents = [path.read_bytes() for path in base.glob(glob)]
    return [
        json.loads(each[at : at + size]) for each in contents for at in range(0, len(each), size)
    ]


OBJECTS = {
    "Partitions": (2, lambda base: [each.metadata for each in partitions_of(base)]),
    "The journal": (0, lambda base: lines_of(base, "prices/.journal/*.jsonl")),
    "Retired files": (0, lambda base: lines_of(base, "prices/.journal/.past")),
    "High-water marks": (
        0,
        lambda base: padded(base, "events/.ends", 128) + padded(base, "prices/.journal/.ends", 128),
    ),
    "Fundamentals": (0, lambda base: lines_of(base, "fundamentals/*/2*.json")),
    "History": (0, lambda base: lines_of(base, "history/prices/*/*.jsonl")),
    "The clock of recording": (0, lambda base: padded(base, "history/.clock", 64)),
    "The horizon": (0, lambda base: lines_of(base, "history/.horizon")),
    "Events": (0, lambda base: lines_of(base, "events/*.jsonl")),
    "States": (0, lambda base: lines_of(base, "state/[!.]*.json", "state/.*.json.[0-9]*")),
    "Heads": (0, lambda base: padded(base, "audit/*/.head", 512)),
    "Renaming a symbol": (0, lambda base: lines_of(base, ".rename")),
    "The format number": (0, lambda base: lines_of(base, ".storecore")),
}


def test_each_member_of_a_log_of_bars_is_in_a_store(filled):
    lines = lines_of(filled, "history/prices/*/*.jsonl")
    assert {*members("History", 0)} == set().union(*lines)
    assert len({"date" in line for line in lines if ("partition" in line) != ("date" in line)}) == 2


@pytest.mark.parametrize("heading", OBJECTS)
def test_the_members_of_each_object_are_those_of_the_page_in_its_order(filled, heading):
    number, read = OBJECTS[heading]
    told, found = members(heading, number), read(filled)
    may_lack = {
        bare(row[0]) for row in tables(heading)[number] if heading == "Partitions" and row[2]
    }
    absent = {"The journal": {"volume", "volumes", "columns", "after"}, "Fundamentals": {"extra"}}
    columns = {"date", "open", "high", "low", "close", "volume", "volumes", "columns", "recorded"}
    absent["History"] = {*columns, "partition"}
    may_lack |= absent.get(heading, set())
    assert found
    for each in found:
        assert list(each) == [name for name in told if name in each]
        assert set(told) - set(each) <= may_lack


def test_the_members_of_a_line_of_what_was_taken_in_are_those_of_the_page(filled):
    found = lines_of(filled, "prices/.journal/.*.taken")
    assert found
    assert {tuple(each) for each in found} == {tuple(members("The journal", 1))}


@pytest.mark.parametrize(("number", "log"), [(0, "decisions"), (1, "orders")])
def test_the_members_of_a_record_are_those_of_the_page(copied, number, log):
    with FileDataStore(base_path=copied) as store:
        about = {"as_of": datetime(2026, 1, 5), "run": "bt-7", "reads": []}
        store.log_decision("value", store.read_decisions()[0].decision, **about)
        first = store.read_orders()[0]
        store.log_order("value", first.order, first.result, **about)
    found = lines_of(copied, f"audit/{log}/*.jsonl")
    absent = {bare(row[0]) for row in tables("Audit")[number] if "absent" in row[1]}
    every = members("Audit", number)
    plain = tuple(each for each in every if each not in absent)
    assert {tuple(each) for each in found} == {tuple(every), plain}
    for row in tables("Audit")[number]:
        inner = found[0].get(bare(row[0]))
        if isinstance(inner, dict):
            assert list(inner) == re.findall(r"`(.+?)`", row[2])


def test_the_members_of_the_metadata_of_a_sealed_day_are_those_of_the_page(filled):
    (path,) = filled.glob("events/*.parquet")
    assert list(day_metadata(path.read_bytes())) == members("Sealed days", 1)


def test_a_sealed_day_whose_events_are_all_there_has_no_highest_change(tmp_path):
    day = datetime(2026, 1, 5, tzinfo=UTC)
    with FileDataStore(base_path=tmp_path) as store:
        store.write_events([Event(each, None, day, day, "feed", {}) for each in "abc"])
        store.compact()
        (path,) = tmp_path.glob("events/*.parquet")
        assert "changed" not in day_metadata(path.read_bytes())
        store.delete_events(day, day, ["b"])
    assert day_metadata(path.read_bytes())["changed"] == 2


def test_the_members_of_an_index_are_those_of_the_page(tmp_path):
    day = datetime(2026, 1, 5, tzinfo=UTC)
    with FileDataStore(base_path=tmp_path) as store:
        store.write_events([Event("a", None, day, day, "feed", {"x": "x" * 999})] * 200)
    (path,) = tmp_path.glob("events/.*.index")
    lines = whole_lines(path, unsealed)
    every = members("The index of an open day", 0)
    assert [[*line, "crc32"] for line in lines] == [every] * len(lines)
    content = (tmp_path / "events" / "2026-01-05.jsonl").read_bytes()
    for line in lines:
        block = content[line["start"] : line["end"]]
        assert line["probe"] == crc32(block[-4096:])
        assert block.count(b"\n") == line["last"] - line["first"] + 1


def day_metadata(content):
    footer = len(content) - 8 - struct.unpack("<I", content[-8:-4])[0]
    size = struct.unpack("<I", content[footer - 8 : footer - 4])[0]
    return json.loads(content[footer - 8 - size : footer - 8])


def test_the_defaults_of_metadata_are_those_of_the_page():
    kind = import_module("storecore_file.bars.partition").Metadata
    made = kind(3, "AAPL", "1d", [])
    names = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
    told = {
        bare(row[0]): json.loads(row[2].strip("`")) for row in tables("Partitions")[2] if row[2]
    }
    assert list(names) == members("Partitions", 2)
    assert told == {each: getattr(made, names[each]) for each in told}


LOGICAL = {
    "String": " (String)",
    "None": "",
    "Timestamp(isAdjustedToUTC=true, timeUnit=microseconds, is_from_converted_type=false, "
    "force_set_converted_type=false)": " (Timestamp, microseconds, UTC)",
}


def physical(column):
    return f"{column.physical_type}{LOGICAL[str(column.logical_type)]}"


def test_the_columns_of_a_partition_are_those_of_the_page(filled):
    for partition in partitions_of(filled):
        file = pq.read_metadata(BytesIO(partition.content))
        group = file.row_group(0)
        found = []
        for number in range(file.num_columns):
            column, chunk = file.schema.column(number), group.column(number)
            encoding = (set(chunk.encodings) - {"RLE", "PLAIN"} or {"PLAIN"}).pop()
            statistics = "yes" if chunk.is_stats_set else "no"
            assert chunk.compression == "LZ4"
            found.append([f"`{column.name}`", physical(column), encoding, statistics])
        assert found[:7] == tables("Partitions")[0]
        columns = partition.metadata.get("columns", {})
        kinds = {bare(row[0]): row[1:] for row in tables("Partitions")[1]}
        assert found[7:] == [[f"`{name}`", *kinds[columns[name]], "no"] for name in sorted(columns)]
        assert file.metadata is None


def test_only_further_columns_and_volumes_that_were_not_reported_are_optional(filled):
    for partition in partitions_of(filled):
        schema = pq.read_metadata(BytesIO(partition.content)).schema
        columns = [schema.column(number) for number in range(len(schema))]
        optional = {each.name for each in columns if each.max_definition_level}
        expected = set(partition.metadata.get("columns", {}))
        expected |= {"volume"} if partition.has_null_volumes() else set()
        version = 5 if partition.block else 4 if expected else 3
        assert (optional, partition.metadata["version"]) == (expected, version)


def test_a_store_has_partitions_with_each_kind_of_further_columns(filled):
    columns = [partition.metadata.get("columns", {}) for partition in partitions_of(filled)]
    found = {kind for each in columns for kind in each.values()}
    assert found == {bare(row[0]) for row in tables("Partitions")[1]}


def test_the_columns_of_a_sealed_day_are_those_of_the_page(filled):
    (path,) = filled.glob("events/*.parquet")
    schema = pq.read_metadata(path).schema
    columns = [schema.column(number) for number in range(len(schema))]
    assert [
        [f"`{each.name}`", physical(each), "no" if each.max_definition_level else "yes"]
        for each in columns
    ] == tables("Sealed days")[0]


@pytest.mark.parametrize(
    ("name", "value", "module"), [(bare(row[0]), *row[1:]) for row in tables("Constants")[0]]
)
def test_each_constant_is_that_of_the_code(name, value, module):
    found = getattr(import_module(f"storecore_file.{bare(module)}"), name)
    assert found == int(value.replace(",", ""))


def test_the_versions_are_those_of_the_code(filled):
    rows = [[row[0], row[1].partition(" ")[0]] for row in tables("Versions and compatibility")[0]]
    (path,) = filled.glob("events/*.parquet")
    day = day_metadata(path.read_bytes())["version"]
    partition = import_module("storecore_file.bars.partition").VERSION
    store = import_module("storecore_file.store_format")
    assert rows == [
        *(["store", str(number)] for number in range(store.OLDEST, store.FORMAT + 1)),
        *(["partition metadata", str(number)] for number in range(2, partition + 1)),
        *(["sealed day of events", str(number)] for number in range(1, day + 1)),
    ]


@pytest.mark.parametrize("row", tables("Names")[0])
def test_each_name_is_encoded_as_on_the_page(row):
    name, *told = map(bare, row)
    assert told == [codec.encode(name) for codec in (SYMBOLS, STRATEGIES, TIMEFRAMES)]


def test_a_long_name_is_encoded_as_on_the_page():
    whole = sha256(("é" * 60).encode()).hexdigest().upper()
    assert STRATEGIES.encode("é" * 60) == f"{('%C3%A9' * 60)[:84]}%-{whole}"


def test_the_seal_on_the_page_is_one():
    (line,) = re.findall(r'^\{"format".*\n', section("Sealed JSON"), re.M)
    assert unsealed(line.encode()) == {"format": 2}


def test_each_link_leads_somewhere():
    headings = re.findall(r"^#+ (.+)$", PAGE, re.M)
    anchors = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
    links = re.findall(r"\]\((.+?)\)", PAGE)
    assert {each[1:] for each in links if each.startswith("#")} <= anchors
    others = [each.partition("#")[0] for each in links if not each.startswith(("#", "https:"))]
    assert [each for each in others if not (PACKAGE / each).exists()] == []


def test_the_tests_that_the_page_names_are_there():
    told = re.findall(r"^- `(.+?)`", section("How it is tested"), re.M)
    assert told
    assert [each for each in told if not (Path(__file__).parent / each).exists()] == []


def test_the_page_ships_with_the_package():
    build = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"] == {
        "packages": ["storecore", "storecore_file", "storecore_postgres"]
    }


# The examples


@pytest.fixture
def flushed(copied, monkeypatch):
    """A store that nothing of lies in the journal, as `data` in the working folder."""
    with FileDataStore(base_path=copied) as store:
        store.compact()
        store.write_event(event(0, days=2))
        store.save_strategy_state("value", {"cash": 1.5})
        monkeypatch.chdir(copied.parent)
        yield store


def test_the_sql_runs(flushed):
    (script,) = blocks("sql")
    results = [duckdb.sql(each) for each in script.split(";") if each.strip()]
    daily, minutes, wide_rows, sealed, opened = (each.fetchall() for each in results[1:])
    assert results[3].columns[7:] == ["b", "exact_volume", "f", "i", "s", "t"]
    assert [row[9] for row in wide_rows if row[0] == "WIDE"] == [1.5, 1.5, 0.1]
    table = flushed.read_bar_table(
        flushed.symbols("1d"), *EVER, columns=["symbol", "date", "close"]
    )
    assert sorted(daily) == sorted(zip(*table.to_pydict().values(), strict=True))
    assert [close for _, close in minutes] == [1.5] * 50
    assert [json.loads(f'"{ratio}"') for *_, ratio in sealed] == [
        each.payload["ratio"] for each in flushed.read_events(*EVER)[:-1]
    ]
    assert len(opened) == 1


def test_the_python_runs(flushed):
    names = {}
    for block in blocks("python"):
        exec(block, names)
    closes = flushed.read_bar_table("AAPL", *EVER)["close"].to_pylist()
    assert names["daily"]["close"].to_list() == closes
    assert names["series"]["close"].to_list() == closes
    assert names["wide"].sort("date")["close"].to_list() == closes
    assert [len(each) for each in names["packed"]] == [100, 101]
    path = next(Path("data/prices/AAPL").glob("*.parquet"))
    assert names["metadata"](path) == Partition(path).metadata
    path.write_bytes(path.read_bytes().replace(b'"symbol":"AAPL"', b'"symbol":"MSFT"'))
    with pytest.raises(ValueError, match="is damaged"):
        names["metadata"](path)


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
def test_the_shell_runs(flushed):
    (script,) = blocks("sh")
    run = partial(subprocess.run, shell=True, check=True, capture_output=True, text=True)
    records, state, names, digest = (run(each).stdout for each in script.splitlines())
    assert records.splitlines() == [f'[{number},"AAPL","buy"]' for number in range(1, 8)]
    assert state == '{"cash":1.5}\n'
    assert names == "Company 0\nCompany 1\nCompany 2\nCompany 3\n"
    assert digest.split()[0] == flushed.verify_audit().heads["decisions"]


# A second reader, made from the page


def micros(moment):
    return (moment - EPOCH) // timedelta(microseconds=1)


def unsealed(line):
    body, mark, seal = line.rpartition(b',"crc32":"')
    if not mark or seal != b'%08x"}\n' % crc32(body):
        raise ValueError(f"not sealed: {line[:80]}")
    return json.loads(body + b"}")


def whole_lines(path, check):
    *lines, tail = path.read_bytes().split(b"\n") if path.exists() else [b""]
    found = [check(line + b"\n") for line in lines]
    with contextlib.suppress(ValueError):
        found += [check(tail + b"\n")]
    return found


def instant_range(name):
    """The first and last instant of a partition's name."""
    ends = name.removesuffix(".parquet").split("--")
    form, length = {
        7: ("%Y-%m", timedelta(days=31)),
        10: ("%Y-%m-%d", timedelta(days=1)),
        13: ("%Y-%m-%dT%H", timedelta(hours=1)),
    }[len(ends[0])]
    first, last = (datetime.strptime(end, form) for end in (ends[0], ends[-1]))
    after = (last + length).replace(day=1) if len(ends[0]) == 7 else last + length
    return micros(first.replace(tzinfo=UTC)), micros(after.replace(tzinfo=UTC)) - 1


def without_nulls(row):
    """Return the further columns of a bar that have a value, with NaN as text."""
    return {name: "NaN" if each != each else each for name, each in row.items() if each is not None}


def further_of(line):
    """Return the further columns of each bar in a line of the journal."""
    columns = line.get("columns", {})
    moments = [name for name, (kind, _) in columns.items() if kind == "timestamp"]
    rows = [
        {name: values[row] for name, (_, values) in columns.items() if values[row] is not None}
        for row in range(len(line["symbol"]))
    ]
    return [
        row | {name: EPOCH + timedelta(microseconds=row[name]) for name in moments if name in row}
        for row in rows
    ]


class Packed:
    """The bytes of a partition, each of which is checked."""

    def __init__(self, content):
        self.content = content
        footer = len(self.content) - 8 - struct.unpack("<I", self.content[-8:-4])[0]
        length, self.identity = struct.unpack("<II", self.content[footer - 8 : footer])
        start = footer - 8 - length
        if crc32(self.content[start : footer - 4] + self.content[footer:]) != self.identity:
            raise ValueError("a partition is damaged")
        self.metadata = json.loads(self.content[start : footer - 8])
        at = 4
        for size, checksum in self.metadata["chunks"]:
            assert crc32(self.content[at : at + size]) == checksum
            at += size
        assert at == start
        file = pq.read_metadata(BytesIO(self.content))
        last = file.row_group(file.num_row_groups - 1).column(file.num_columns - 1)
        at = last.dictionary_page_offset or last.data_page_offset
        self.block = self.content[at + last.total_compressed_size : start]

    def bars(self):
        table = pq.read_table(BytesIO(self.content)).drop_columns(["symbol"])
        further = table.select(table.column_names[6:]).to_pylist()
        columns = table.select(table.column_names[:6])
        columns = columns.set_column(0, "date", columns["date"].cast(pa.int64())).to_pydict()
        for row, text in self.metadata.get("exact", {}).items():
            columns["volume"][int(row)] = text
        rows = map(without_nulls, further) if further else [{}] * len(table)
        return zip(*columns.values(), rows, strict=True)

    def recorded(self):
        """The instant at which each bar was recorded."""
        generation, numbers = self.metadata.get("generation", 0), iter(varints(self.block))
        runs = []
        for number in numbers:
            count = next(numbers) if number % 2 else 1
            runs.append((count, -(number // 4) - 1 if number & 2 else number // 4))
        found, at = [], generation
        for count, difference in reversed(runs):
            at -= difference
            found = [at] * count + found
        rows = sum(rows for rows, *_ in self.metadata["groups"])
        return found + [generation] * (rows - len(found))

    def has_null_volumes(self):
        return pq.read_table(BytesIO(self.content))["volume"].null_count > 0

    def has_taken_in(self, file, line):
        known = self.metadata.get("folded", {})
        if file in known:
            return known[file] >= line
        number = file.partition("-")[0]
        return any(name[16] == "-" and name.partition("-")[0] > number for name in known)


class Partition(Packed):
    """A partition in a file of its own."""

    def __init__(self, path):
        super().__init__(path.read_bytes())
        self.name = path.name
        self.first, self.last = instant_range(path.name)
        self.rank = -self.metadata.get("generation", 0), self.last - self.first, self.name


def varints(block):
    number = shift = 0
    for byte in block:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number = shift = 0


class Reader:
    """Reads the files of a store as the page says."""

    def __init__(self, base):
        self.base = base

    def bars(self):
        """All bars by symbol and timeframe: date to its values."""
        series = {}
        for partition in partitions_of(self.base):
            key = partition.metadata["symbol"], partition.metadata["timeframe"]
            series.setdefault(key, []).append(partition)
        journal = self.journal()
        found = {key: self.series(key, series.get(key, []), journal) for key in {*series, *journal}}
        return {key: bars for key, bars in found.items() if bars}

    def series(self, key, partitions, journal):
        def at(date):
            over = [each for each in partitions if each.first <= date <= each.last]
            return min(over, key=lambda each: each.rank, default=None)

        bars = {bar[0]: bar for each in partitions for bar in each.bars() if at(bar[0]) is each}
        for file, line, row, _ in journal.get(key, ()):
            partition = at(row[0])
            if partition is None:
                counts = self.counts_alone(key, file, line, row[0])
            else:
                counts = not partition.has_taken_in(file, line)
            bars |= {row[0]: row} if counts else {}
        return dict(sorted(bars.items()))

    def versions(self):
        """All versions by symbol and timeframe: date, recorded, until and values of each."""
        series, past = {}, {}
        for partition in partitions_of(self.base):
            key = partition.metadata["symbol"], partition.metadata["timeframe"]
            series.setdefault(key, []).append(partition)
        for path in (self.base / "history" / "prices").glob("*/*.jsonl"):
            for line in whole_lines(path, unsealed):
                past.setdefault((line["symbol"], line["timeframe"]), []).append(line)
        keys, journal = {*series, *past}, self.journal()
        return {
            key: self.versions_of(key, series.get(key, []), journal, past.get(key, []))
            for key in keys | journal.keys()
        }

    def versions_of(self, key, partitions, journal, past):
        found = {}
        for each in partitions:
            for row, at in zip(each.bars(), each.recorded(), strict=True):
                found[row[0]] = [(at, row)]
        for file, line, row, at in journal.get(key, ()):
            partition = next((each for each in partitions if each.first <= row[0] <= each.last), 0)
            if partition and partition.has_taken_in(file, line):
                continue
            if partition or self.counts_alone(key, file, line, row[0]):
                chain = found.setdefault(row[0], [])
                if not chain or chain[-1][1][1:] != row[1:]:
                    chain.append((at, row))
        there = {(date, at) for date, chain in found.items() for at, _ in chain}
        ends = {}
        for chain in found.values():
            untils = [*(at for at, _ in chain[1:]), None]
            for (at, row), until in zip(chain, untils, strict=True):
                ends[row[0], at] = until, row
        for line in past:
            for at, row in self.replaced_in(line):
                if (row[0], at) not in there:
                    ends[row[0], at] = line["until"], row
        return [(*key, *each) for key, each in sorted(ends.items(), key=lambda one: one[0])]

    def replaced_in(self, line):
        """The instant of recording and the values of each bar of a line of history."""
        if "partition" in line:
            packed = Packed(base64.b64decode(line["partition"], validate=True))
            assert (packed.metadata["symbol"], packed.metadata["timeframe"]) == (
                line["symbol"],
                line["timeframe"],
            )
            assert not {"folded", "replaces"} & packed.metadata.keys()
            return zip(packed.recorded(), packed.bars(), strict=True)
        columns = [line[name] for name in ("date", "open", "high", "low", "close")]
        further = further_of({**line, "symbol": line["date"]})
        columns += [line.get("volumes") or line["volume"], further]
        return zip(line["recorded"], zip(*columns, strict=True), strict=True)

    def journal(self):
        found = {}
        for path in sorted((self.base / "prices" / ".journal").glob("*.jsonl")):
            for number, line in enumerate(whole_lines(path, unsealed), 1):
                assert line["n"] == number
                columns = [line[name] for name in ("date", "open", "high", "low", "close")]
                columns += [line.get("volumes") or line["volume"], further_of(line)]
                at = line.get("recorded")
                for symbol, *row in zip(line["symbol"], *columns, strict=True):
                    rows = found.setdefault((symbol, line["timeframe"]), [])
                    rows.append((path.name, number, tuple(row), at))
        return found

    def counts_alone(self, key, file, line, date):
        path = self.base / "prices" / ".journal" / ".past"
        past = unsealed(path.read_bytes()) if path.exists() else {"retired": [], "rows": {}}
        retired = [each[0] for each in past["retired"]]
        if file not in retired and not (len(retired) == 512 and file < retired[0]):
            return True
        hours = past["rows"].get(key[1], {}).get(key[0], {})
        return hours.get(str(date // 3_600_000_000), [0, 0]) >= [int(file.partition("-")[0]), line]

    def fundamentals(self):
        paths = (self.base / "fundamentals").glob("*/[!.]*.json")
        found = {(path.parent.name, path.name): unsealed(path.read_bytes()) for path in paths}
        documents = [document for _, document in sorted(found.items())]
        return [{name: each[name] for name in each if name != "recorded"} for each in documents]

    def events(self):
        folder, found = self.base / "events", []
        for day in sorted({path.name[:10] for path in folder.glob("[!.]*-??.*")}):
            lines = whole_lines(folder / f"{day}.jsonl", unsealed)
            through, rows = self.sealed(folder / f"{day}.parquet")
            found += rows + [line for line in lines if line.pop("n") > through]
            for line in found:
                line.pop("recorded", None)
        return sorted(found, key=lambda each: each["timestamp"])

    def sealed(self, path):
        if not path.exists():
            return 0, []
        content = path.read_bytes()
        footer = len(content) - 8 - struct.unpack("<I", content[-8:-4])[0]
        size, checksum = struct.unpack("<II", content[footer - 8 : footer])
        known = pq.read_metadata(BytesIO(content)).metadata or {}
        if b"storecore" in known:  # version 1
            assert crc32(content[: footer - 4] + content[footer:]) == checksum
            return json.loads(known[b"storecore"])["through"], self.rows_of(content)
        start = footer - 8 - size
        assert crc32(content[start : footer - 4] + content[footer:]) == checksum
        metadata, at = json.loads(content[start : footer - 8]), 4
        for *_, length, chunk_checksum, _, _ in metadata["groups"]:
            assert crc32(content[at : at + length]) == chunk_checksum
            at += length
        assert at == start
        return metadata["through"], self.rows_of(content)

    def rows_of(self, content):
        rows = pq.read_table(BytesIO(content)).to_pylist()
        for row in rows:
            row.pop("n", None)
            row |= {name: stamp(row[name]) for name in ("timestamp", "ingested_at")}
            row["payload"] = json.loads(row["payload"])
        return rows

    def states(self):
        found = {}
        for path in (self.base / "state").glob("[!.]*.json"):
            newest = unsealed(path.read_bytes())
            kept = [
                path.with_name(f".{path.name}.{newest['version'] - back}") for back in range(1, 5)
            ]
            older = [unsealed(each.read_bytes()) for each in kept if each.exists()]
            found[newest["strategy"]] = [
                (each["version"], each["state"]) for each in (newest, *older)
            ]
        return found

    def audit(self, log):
        def record(line):
            body, mark, end = line.rpartition(b',"hash":"')
            if not mark or end != sha256(body).hexdigest().encode() + b'"}\n':
                raise ValueError(f"not a record: {line[:80]}")
            return json.loads(line)

        folder = self.base / "audit" / log
        records = sorted(
            (each for path in folder.glob("*.jsonl") for each in whole_lines(path, record)),
            key=lambda each: each["seq"],
        )
        hashes = [each["hash"] for each in records]
        assert [each["prev"] for each in records] == ["", *hashes[:-1]]
        assert [each["seq"] for each in records] == [*range(1, len(records) + 1)]
        head = (folder / ".head").read_bytes()
        entries = [unsealed(head[at : at + 512].rstrip(b" ")) for at in range(0, len(head), 512)]
        newest = max(entries, key=lambda each: each["seq"])
        assert newest["hash"] == hashes[newest["seq"] - 1]
        return records


def stamp(moment):
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{moment.microsecond:06}Z" if moment.microsecond else f"{text}Z"


def whole(volume):
    return volume if volume is None or volume % 1 else int(volume)


def check_equal(base, store):
    """Compare what the second reader and the store read."""
    reader = Reader(base)
    bars = reader.bars()
    keys = {(symbol, each) for symbol in store.symbols() for each in store.timeframes(symbol)}
    assert bars.keys() == keys
    for (symbol, timeframe), found in bars.items():
        told = store.read_bars(symbol, *EVER, timeframe=timeframe)
        assert [(micros(each.date), *_values(each)) for each in told] == [
            (*row[:5], whole(row[5]), row[6]) for row in found.values()
        ]
    fundamentals = list(store.iter_fundamentals())
    assert sorted(map(repr, map(_filing, fundamentals))) == sorted(map(repr, reader.fundamentals()))
    assert [to_builtins(each) for each in store.read_events(*EVER)] == reader.events()
    assert reader.states() == {
        name: [(each.version, each.state) for each in store.state_history(name)]
        for name in all_strategies(store)
    }
    assert [_record(each) for each in store.read_decisions(*EVER, run="*")] == reader.audit(
        "decisions"
    )
    assert [_record(each) for each in store.read_orders(*EVER, run="*")] == reader.audit("orders")


def _values(each):
    further = without_nulls(each.extra or {})
    return each.open, each.high, each.low, each.close, each.volume, further


def _record(record):
    found = to_builtins(record)
    absent = {"as_of", "run", "reads"}
    kept = {name: each for name, each in found.items() if name not in absent or each is not None}
    return {name: _as_kept(each) for name, each in kept.items()}


def _as_kept(value):
    """Return the members of an object as a store keeps them: an `extra` of None is absent."""
    if not isinstance(value, dict):
        return value
    return {name: each for name, each in value.items() if name != "extra" or each is not None}


def _filing(data):
    zone = getattr(data.timestamp.tzinfo, "key", None)
    stamp = {"timestamp": data.timestamp.isoformat(), "timezone": zone}
    return _as_kept(to_builtins(data) | stamp)


def test_a_reader_made_from_the_page_reads_what_the_store_reads(filled, copied):
    check_equal(filled, FileDataStore(base_path=copied))


@pytest.mark.parametrize("release", RELEASED, ids=lambda each: each.name)
def test_it_reads_the_stores_of_earlier_releases(release, tmp_path):
    base = Path(shutil.copytree(release, tmp_path / "data"))
    check_equal(release, FileDataStore(base_path=base))


@pytest.fixture
def restored(copied):
    """A store over which files of an older copy were laid, where there was none of the name.

    So partitions overlap, a retired file of the journal is back, and so is the log of a sealed day.
    The partition of J1 is lost: the journal alone has its bar.
    """
    old = {name: (copied / name).read_bytes() for name in files_of(copied)}
    later = [START + timedelta(days=day) for day in (430, 470, 510)]
    with FileDataStore(base_path=copied) as store:
        store.compact()
        for symbol in ("AAPL", "J0"):
            store.write_bars(symbol, [bar(symbol, START + timedelta(days=57), 60.0)])
        store.delete_bars("J2", *EVER)
        for day in later:
            store.write_bars("AAPL", [bar("AAPL", day)])
        store.write_bar_table(day_of(["J0", "J3"], START + timedelta(days=60), 7.0))
        store.compact()
    for path in (copied / "prices" / "J1").glob("*.parquet"):
        path.unlink()
    for name, content in old.items():
        if not (copied / name).exists() and "J1" not in name:
            (copied / name).write_bytes(content)
    return copied


def test_it_reads_partitions_that_overlap_and_logs_that_came_back(restored):
    partitions = [each for each in partitions_of(restored) if "AAPL" in each.metadata["symbol"]]
    assert len({each.rank[0] for each in partitions}) > 1
    check_equal(restored, FileDataStore(base_path=restored))


# A second writer, made from the page


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def seal(**values):
    body = compact(values)[:-1]
    return body + b',"crc32":"%08x"}\n' % crc32(body)


class Writer:
    """Writes the files of a new store as the page says, by one process that no other disturbs."""

    def __init__(self, base):
        self.base = base
        self.put(".storecore", seal(format=2))

    def put(self, name, content):
        path = self.base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.0123456789abcdef.tmp")
        temporary.write_bytes(content)
        temporary.rename(path)

    def partition(self, name, symbol, timeframe, bars, further=None, **more):
        dates, *prices = zip(*bars, strict=True)
        fields = [pa.field("symbol", pa.string(), False)]
        fields += [pa.field("date", pa.timestamp("us", "UTC"), False)]
        fields += [
            pa.field(name, pa.float64(), False)
            for name in ("open", "high", "low", "close", "volume")
        ]
        columns = [[symbol] * len(bars), dates, *prices]
        table = pa.Table.from_arrays(
            [pa.array(each, field.type) for each, field in zip(columns, fields, strict=True)],
            schema=pa.schema(fields),
        )
        for column, values in (further or {}).items():
            table = table.append_column(column, pa.array(values))
        sink = BytesIO()
        pq.write_table(
            table, sink, row_group_size=2_560, write_page_checksum=True, store_schema=False
        )
        content, file = sink.getvalue(), pq.read_metadata(sink)
        chunks, at = [], 4
        for group, column in [
            (g, c) for g in range(file.num_row_groups) for c in range(table.num_columns)
        ]:
            size = file.row_group(group).column(column).total_compressed_size
            chunks.append([size, crc32(content[at : at + size])])
            at += size
        groups = [
            [len(dates[n : n + 2_560]), dates[n], dates[n : n + 2_560][-1]]
            for n in range(0, len(dates), 2_560)
        ]
        metadata = {"version": 3, "symbol": symbol, "timeframe": timeframe}
        text = compact(metadata | {"groups": groups, "chunks": chunks} | more)
        text += struct.pack("<I", len(text))
        checksum = struct.pack("<I", crc32(text + content[at:]))
        self.put(name, content[:at] + text + checksum + content[at:])

    def sealed_day(self, day, events):
        stamp_type = pa.timestamp("us", "UTC")
        schema = pa.schema(
            [
                pa.field("type", pa.string(), False),
                pa.field("symbol", pa.string()),
                pa.field("timestamp", stamp_type, False),
                pa.field("ingested_at", stamp_type, False),
                pa.field("source", pa.string(), False),
                pa.field("payload", pa.string(), False),
                pa.field("recorded", pa.int64()),
                pa.field("n", pa.int64(), False),
            ]
        )
        rows = [
            {**each, "payload": compact(each["payload"]).decode(), "n": number}
            for number, each in enumerate(events, 1)
        ]
        rows.sort(key=lambda row: row["timestamp"])
        sink = BytesIO()
        pq.write_table(
            pa.Table.from_pylist(rows, schema), sink, write_page_checksum=True, store_schema=False
        )
        content = sink.getvalue()
        footer = len(content) - 8 - struct.unpack("<I", content[-8:-4])[0]
        first, last = (micros(rows[at]["timestamp"]) for at in (0, -1))
        group = [len(rows), first, last, footer - 4, crc32(content[4:footer]), None, None]
        text = compact({"version": 2, "through": len(events), "groups": [group]})
        text += struct.pack("<I", len(text))
        checksum = struct.pack("<I", crc32(text + content[footer:]))
        self.put(f"events/{day}.parquet", content[:footer] + text + checksum + content[footer:])

    def audit(self, log, day, bodies):
        lines, end = b"", ""
        for number, body in enumerate(bodies, 1):
            line = compact({"seq": number, "timestamp": f"{day}T12:00:00Z", **body, "prev": end})[
                :-1
            ]
            end = sha256(line).hexdigest()
            lines += b'%b,"hash":"%b"}\n' % (line, end.encode())
        head = {"seq": len(bodies), "hash": end, "file": f"{day}.jsonl", "length": len(lines)}
        self.put(f"audit/{log}/.head", seal(**head, unproven=0).ljust(512))
        self.put(f"audit/{log}/{day}.jsonl", lines)


@pytest.fixture
def written(tmp_path):
    """A store of every kind of data, none of it by storecore."""
    writer = Writer(tmp_path / "data")
    first = micros(START)
    days = [first + 86_400_000_000 * number for number in range(20)]
    bars = [(day, 1.0, 2.0, 0.5, 1.5, 7.0) for day in days]
    writer.partition("prices/AAPL/2026-01.parquet", "AAPL", "1d", bars, generation=5)
    minutes = [
        (first + 60_000_000 * number, 1.0, 2.0, 0.5, 1.5, 2.0**53) for number in range(3_000)
    ]
    exact = {"exact": {"2999": LARGE}, "generation": 9}
    writer.partition("prices/+btc/1+M/2026-01.parquet", "btc", "1M", minutes, **exact)
    wide = {"s": ["x", None, ""], "vwap": [0.5, float("inf"), None]}
    kinds = {"version": 4, "columns": {"s": "string", "vwap": "float64"}}
    writer.partition("prices/WIDE/2026-01.parquet", "WIDE", "1d", bars[:3], wide, **kinds)
    writer.put("prices/WIDE/further.columns", b"")
    rows = {"timeframe": "1d", "symbol": ["AAPL", "J0"], "date": [days[3], days[4]]}
    rows |= {name: [1.5, 2] for name in ("open", "high", "low", "close", "volume")}
    journal = "0000000000000007-0123456789abcdef.jsonl"
    writer.put(f"prices/.journal/{journal}", seal(**rows, after="", n=1))
    mark = seal(log=journal, n=1, lost=0)[:-1].ljust(127) + b"\n"
    writer.put("prices/.journal/.ends", mark)
    document = _filing(filing("AAPL", 0))
    writer.put("fundamentals/AAPL/2026-01-05T00-00-00.000000Z.json", seal(**document))
    events = [to_builtins(event(number)) for number in range(4)]
    whole_events = [
        {
            **each,
            **{name: datetime.fromisoformat(each[name]) for name in ("timestamp", "ingested_at")},
        }
        for each in events
    ]
    writer.sealed_day("2026-01-05", whole_events[:3])
    writer.put("events/2026-01-05.jsonl", seal(**events[3], n=4))
    writer.put("events/.ends", seal(log="2026-01-05", n=4, lost=0)[:-1].ljust(127) + b"\n")
    for name, version in ((".value.json.1", 1), ("value.json", 2)):
        state = seal(strategy="value", version=version, state={"number": version})
        writer.put(f"state/{name}", state)
    decision = _as_kept(to_builtins(Decision("AAPL", Action.BUY, 0.5, 0.9, "reason")))
    writer.audit("decisions", "2026-01-05", [{"strategy": "value", "decision": decision}] * 2)
    parts = {
        "order": _as_kept(to_builtins(Order("value", "AAPL", "BUY", 10, "LIMIT", 99.5))),
        "result": _as_kept(to_builtins(OrderResult(7, "filled", 99.5, 10))),
    }
    writer.audit("orders", "2026-01-05", [{"strategy": "value", **parts}])
    return writer.base


def test_a_store_that_a_writer_made_from_the_page_has_written_is_whole(written):
    with FileDataStore(base_path=written, create=False) as store:
        report = store.verify()
        assert report.findings == ()
        assert {each.kind for each in report.notes} <= {"irregular"}  # a minute under "1M"
        check_equal(written, store)


def test_the_store_writes_on_in_it(written):
    with FileDataStore(base_path=written) as store:
        fill(store)
        assert store.verify().ok
        assert [each.version for each in store.state_history("value")] == [2, 1]
        assert store.read_decisions(*EVER)[2].prev == store.read_decisions(*EVER)[1].hash
        check_equal(written, store)


def test_members_that_a_reader_does_not_know_are_ignored_but_for_fundamentals(written):
    paths = [".storecore", "state/value.json", "events/2026-01-05.jsonl"]
    paths += [str(each.relative_to(written)) for each in written.glob("prices/.journal/*.jsonl")]
    with FileDataStore(base_path=written) as store:
        before = store.read_events(*EVER), store.read_bars("J0", *EVER)
        for path in paths:
            known = unsealed((written / path).read_bytes())
            (written / path).write_bytes(seal(later=1, **known))
        assert (store.read_events(*EVER), store.read_bars("J0", *EVER)) == before
        assert store.load_strategy_state("value") == {"number": 2}
        (path,) = written.glob("fundamentals/*/*")
        path.write_bytes(seal(later=1, **unsealed(path.read_bytes())))
        with pytest.raises(CorruptData, match="later"):
            store.read_fundamental("AAPL")
        assert [each.kind for each in store.verify().findings] == ["damaged"]


def test_a_reader_made_from_the_page_reads_all_versions_of_bars(filled, copied):
    store = FileDataStore(base_path=copied)
    found = Reader(filled).versions()
    assert any(until is not None for each in found.values() for _, _, until, _ in each)
    for (symbol, timeframe), versions in found.items():
        told = store.bar_versions(symbol, *EVER, timeframe=timeframe)
        assert [
            (micros(each.bar.date), micros(each.recorded_at), _micros(each.replaced_at))
            for each in told
        ] == [each[:3] for each in versions]
        assert [_values(each.bar) for each in told] == [
            (*row[1:5], whole(row[5]), row[6]) for *_, row in versions
        ]


def _micros(moment):
    return None if moment is None else micros(moment)
