"""Law D5: a file that is damaged in any way is noticed, or no answer changes.

Noticed by a read, which raises a `StoreError`, or by `verify()`.
"""

from __future__ import annotations

import os
import random
import shutil
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from storecore import PriceBar, StoreError
from storecore.bars.extra_values import FIELDS
from storecore_file import FileDataStore
from storecore_file.bars.layout import MARK

JAN_5 = datetime(2026, 1, 5)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
FLIPS, DAMAGES = 4, 4  # of each file in the default run
KINDS = [
    "prices/AAPL/2026-01.parquet",
    "prices/AAPL/1m/2026-01.parquet",
    "prices/AAPL/5m/2026-01.parquet",
    "prices/.journal/*.jsonl",
    "fundamentals/AAPL/2026-01-05*.json",
    "events/2026-01-05.jsonl",
    "events/2026-01-05.parquet",
    "state/value.json",
    "state/.value.json.1",
    "audit/decisions/*.jsonl",
    "audit/decisions/.head",
    "events/.ends",
    "prices/.journal/.ends",
    "prices/.journal/.past",
    "prices/.journal/.*.taken",
    ".storecore",
    "history/prices/MSFT/1d.jsonl",
    "history/fundamentals/AAPL.jsonl",
    "history/events/2026-01-05.jsonl",
    "history/prices/MSFT/.1d.ends",
    "history/.clock",
    "history/.horizon",
]


def wide_bar(symbol, close, day=0):
    """A bar with a column of each kind, and a volume that was not reported on the second day."""
    extra = {"halted": True, "settled": JAN_5.replace(tzinfo=UTC), "trades": 7, "venue": "XNAS"}
    moment = JAN_5 + timedelta(day)
    return PriceBar(
        symbol, moment, 1.0, 2.0, 0.5, close, None if day else 7, {"vwap": close} | extra
    )


def wide_table(symbols):
    """A bar for each symbol, for the journal."""
    bars = [wide_bar(symbol, 3.0, 1) for symbol in symbols]
    columns = {name: [getattr(each, name) for each in bars] for name in FIELDS}
    names = bars[0].extra
    return pa.table(columns | {name: [each.extra[name] for each in bars] for name in names})


@pytest.fixture
def filled(tmp_path, all_files):
    """The folder of a store with every kind of file."""
    return shutil.copytree(all_files, tmp_path / "data")


@pytest.fixture(scope="module")
def all_files(tmp_path_factory, bar, event, decision, fundamental):
    """The folder of such a store, which is copied for each test."""
    base = tmp_path_factory.mktemp("all files") / "data"
    names = bar().__struct_fields__
    with FileDataStore(base, durability="os") as store:
        for timeframe in ("1d", "1m"):
            store.write_bars("AAPL", [bar(), bar(JAN_5 + timedelta(1))], timeframe=timeframe)
        for symbol in ("AAPL", "MSFT"):
            store.write_bars(
                symbol, [wide_bar(symbol, 1.0), wide_bar(symbol, 2.0, 1)], timeframe="5m"
            )
        for day in range(2):
            store.write_fundamental("AAPL", fundamental(JAN_5 + timedelta(day)))
        store.write_events([event()] * 2)
        store.compact()
        store.write_events([event()] * 2)
        for number in range(3):
            store.save_strategy_state("value", {"n": number})
        for _ in range(3):
            store.log_decision("value", decision())
        for close in (0.0, 1.0, 2.0):
            if close == 1.0:
                store._bars.flush()
            bars = [bar(symbol=symbol, close=close) for symbol in ("AAPL", "MSFT")]
            columns = {name: [getattr(each, name) for each in bars] for name in names}
            store.write_bar_table(pa.table(columns))
        store.write_bars("MSFT", [bar(symbol="MSFT", close=3.0)])
        store.write_bar_table(wide_table(("AAPL", "MSFT")), timeframe="5m")
        store.snapshot("first")
        store.write_fundamental("AAPL", fundamental(JAN_5, employees=7))
        store.write_events([event(type="gone")] * 2)
        store.delete_events(*ALWAYS, types=["gone"])
        store.write_events([event()] * 2)
        shutil.copytree(base, base.with_name("kept"))
    shutil.rmtree(base)
    return base.with_name("kept").rename(base)


def asked(store):
    """Return every question that the tests ask, and what a store answers or raises."""
    questions = {
        "symbols": lambda: store.symbols(),
        "timeframes": lambda: store.timeframes("AAPL"),
        "coverage": lambda: store.bar_coverage("AAPL"),
        "daily": lambda: store.read_bars("AAPL", *ALWAYS),
        "minutes": lambda: store.read_bars("AAPL", *ALWAYS, timeframe="1m"),
        "further": lambda: store.read_bar_table(["MSFT", "AAPL"], *ALWAYS, timeframe="5m"),
        "vwap": lambda: store.read_bar_table("AAPL", *ALWAYS, timeframe="5m", columns=["vwap"]),
        "objects": lambda: store.read_bars("AAPL", *ALWAYS, timeframe="5m"),
        "closes": lambda: store.read_bar_table(["MSFT", "AAPL"], *ALWAYS, columns=["close"]),
        "stream": lambda: list(store.iter_bar_tables(["AAPL"], *ALWAYS)),
        "fundamental": lambda: store.read_fundamental("AAPL"),
        "as of": lambda: store.read_fundamental("AAPL", JAN_5),
        "events": lambda: store.read_events(*ALWAYS),
        "state": lambda: store.load_versioned_state("value"),
        "history": lambda: store.state_history("value"),
        "strategies": lambda: store.strategies(),
        "decisions": lambda: store.read_decisions(*ALWAYS),
        "bar versions": lambda: [
            *store.bar_versions("AAPL", *ALWAYS),
            *store.bar_versions("MSFT", *ALWAYS),
        ],
        "filing versions": lambda: store.fundamental_versions("AAPL"),
        "event versions": lambda: store.event_versions(*ALWAYS),
        "corrections": lambda: store.corrections(),
        "snapshots": lambda: store.snapshots(),
    }
    return {name: answer(question) for name, question in questions.items()}


def answer(question):
    try:
        return question()
    except StoreError as error:
        return error


def looked_at(base):
    """Return what a store answers, and whether it or `verify()` has noticed anything."""
    store = FileDataStore(base, durability="os")
    answers = asked(store)
    report = store.verify()
    noticed = any(isinstance(each, StoreError) for each in answers.values())
    return answers, noticed or not report.ok or "torn" in [each.kind for each in report.notes]


def flipped(content, bits):
    for bit in bits:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        yield f"bit {bit} flipped", bytes(damaged)


@pytest.fixture
def judge(filled):
    """Return the damages of a file that have changed an answer and that nobody has noticed."""
    whole, noticed = looked_at(filled)
    assert not noticed

    def unnoticed(path, damages):
        content = path.read_bytes()
        for what, damaged in damages:
            path.write_bytes(damaged)
            answers, noticed = looked_at(filled)
            if answers != whole and not noticed:
                yield what
        path.write_bytes(content)

    return unnoticed


def only(base, pattern):
    (path,) = base.glob(pattern)
    return path


@pytest.mark.parametrize("pattern", KINDS)
def test_d5_any_flipped_bit_is_noticed(filled, judge, pattern):
    path = only(filled, pattern)
    content = path.read_bytes()
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    bits = random.Random(seed).sample(range(8 * len(content)), FLIPS)
    assert list(judge(path, flipped(content, bits))) == []


@pytest.mark.soak
@pytest.mark.parametrize("pattern", KINDS)
def test_d5_every_flipped_bit_is_noticed(filled, judge, pattern):
    path = only(filled, pattern)
    content = path.read_bytes()
    assert list(judge(path, flipped(content, range(8 * len(content))))) == []


def damages_of(content):
    half, size = len(content) // 2, len(content)
    return [
        *((f"cut to {end}", content[:end]) for end in (0, 1, half, size - 1)),
        ("zeroed", bytes(size)),
        ("end zeroed", content[:half] + bytes(size - half)),
        ("begin zeroed", bytes(half) + content[half:]),
        ("a byte more", content + b"x"),
        ("its own end again", content + content[half:]),
    ]


@pytest.mark.parametrize("pattern", KINDS)
def test_d5_a_file_that_is_cut_zeroed_or_emptied_is_noticed(filled, judge, pattern):
    path = only(filled, pattern)
    some = random.Random(pattern).sample(damages_of(path.read_bytes()), DAMAGES)
    assert list(judge(path, some)) == []


@pytest.mark.soak
@pytest.mark.parametrize("pattern", KINDS)
def test_d5_a_file_that_is_damaged_in_any_of_these_ways_is_noticed(filled, judge, pattern):
    path = only(filled, pattern)
    assert list(judge(path, damages_of(path.read_bytes()))) == []


@pytest.mark.soak
@pytest.mark.parametrize("pattern", KINDS)
def test_d5_a_file_that_is_cut_anywhere_is_noticed(filled, judge, pattern):
    path = only(filled, pattern)
    content = path.read_bytes()
    cuts = ((f"cut to {end}", content[:end]) for end in range(len(content)))
    assert list(judge(path, cuts)) == []


@pytest.mark.parametrize("pattern", ["events/*.jsonl", "prices/.journal/*.jsonl"])
def test_d5_a_log_that_is_cut_at_the_end_of_a_line_is_noticed(filled, judge, pattern):
    path = only(filled, pattern)
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    cuts = [(f"cut to {kept} lines", b"".join(lines[:kept])) for kept in range(len(lines))]
    assert len(cuts) > 1
    assert list(judge(path, cuts)) == []


@pytest.mark.parametrize("pattern", KINDS)
def test_d5_a_folder_in_the_place_of_a_file_is_noticed(filled, pattern):
    path = only(filled, pattern)
    os.unlink(path)
    path.mkdir()
    assert looked_at(filled)[1]


@pytest.mark.parametrize(
    "pattern",
    [
        kind
        for kind in KINDS
        if not kind.startswith(("state", "fund", "prices/AAPL", "history/.horizon"))
    ],
)
def test_d5_a_log_or_sealed_day_that_is_deleted_is_noticed(filled, pattern):
    whole, _ = looked_at(filled)
    only(filled, pattern).unlink()
    answers, noticed = looked_at(filled)
    assert noticed or answers == whole


def test_every_kind_of_file_is_among_those_that_are_damaged(filled):
    files = {path for path in filled.rglob("*") if path.is_file() and "lock" not in path.name}
    assert {path.name for path in files} >= {".past", ".storecore"}
    known = {path for pattern in KINDS for path in filled.glob(pattern)}
    kinds = {(path.relative_to(filled).parts[0], path.suffix) for path in known}
    others = {(path.relative_to(filled).parts[0], path.suffix) for path in files}
    empty = {("prices", MARK[MARK.index(".") :])}
    assert others - {("state", ".2")} - empty <= kinds | {("state", ".1")}
