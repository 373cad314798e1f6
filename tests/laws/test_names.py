"""Laws N1 to N3: any name works, none reaches another's data or leaves the store's place."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

import storecore
from storecore import InvalidData, InvalidName

HOSTILE = [
    "BRK/B",
    "BTC:USDT",
    "CON",
    "con",
    "nul.txt",
    "aapl",
    "AAPL",
    "AaPl",
    "../../x",
    "..",
    ".",
    "/etc/passwd",
    "C:\\temp",
    "Ünïcødé",
    "Ünïcødé".replace("Ü", "U\u0308"),
    "ﬁ",
    "fi",
    "ß",
    "SS",
    "ss",
    "K",  # the Kelvin sign, which lower-cases to k
    "k",
    "x" * 300,
    "X" * 300,
    "x" * 299 + "y",
    "日" * 300,
    "a b",
    " a",
    "a ",
    "a.",
    "a\nb",
    "+A",
    "%41",
    "A",
    "-rf",
    "~",
    "*",
    "1m",
    "2026-01.parquet",
    ".lock",
    "😀",
]
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def test_n1_hostile_names_keep_their_bars_apart_and_come_back_exactly(store, bar):
    for number, name in enumerate(HOSTILE):
        store.write_bars(name, [bar(symbol=name, volume=number)])
    read = {name: store.read_bars(name, date.min, date.max) for name in HOSTILE}
    assert read == {name: [bar(symbol=name, volume=number)] for number, name in enumerate(HOSTILE)}
    assert store.symbols() == sorted(HOSTILE)


def test_n1_hostile_names_keep_their_states_apart_and_come_back_exactly(store):
    for number, name in enumerate(HOSTILE):
        store.save_strategy_state(name, {"number": number})
    read = {name: store.load_strategy_state(name) for name in HOSTILE}
    assert read == {name: {"number": number} for number, name in enumerate(HOSTILE)}
    assert store.strategies() == sorted(HOSTILE)


def test_n1_hostile_names_keep_their_fundamentals_apart(store, fundamental):
    for name in HOSTILE:
        store.write_fundamental(name, fundamental(symbol=name))
    assert [store.read_fundamental(name).symbol for name in HOSTILE] == HOSTILE


def test_n1_hostile_timeframes_keep_their_bars_apart(store, bar):
    for number, name in enumerate(HOSTILE):
        store.write_bars("AAPL", [bar(volume=number)], timeframe=name)
    volumes = [
        store.read_bars("AAPL", date.min, date.max, timeframe=name)[0].volume for name in HOSTILE
    ]
    assert volumes == list(range(len(HOSTILE)))
    assert store.timeframes("AAPL") == sorted(HOSTILE)


def test_n1_hostile_names_touch_nothing_outside_the_store(tmp_path, bar):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "witness").write_text("old")
    with storecore.open_store("file", base_path=tmp_path / "deep" / "data") as store:
        for name in HOSTILE:
            store.write_bars(name, [bar(symbol=name)], timeframe=name)
            store.save_strategy_state(name, {})
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"data", "witness"}
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert {path.name for path in (tmp_path / "deep" / "data").iterdir()} == {
        "prices",
        "fundamentals",
        "events",
        "state",
        "audit",
    }


@given(first=names, second=names)
def test_n1_two_different_names_never_share_a_state(store, first, second):
    store.save_strategy_state(first, {"is": "first"})
    store.save_strategy_state(second, {"is": "second"})
    expected = "second" if first == second else "first"
    assert store.load_strategy_state(first) == {"is": expected}


@pytest.mark.parametrize("name", ["", "\0", "A\0", "\ud800", "x\udfff", None, 7, b"AAPL"])
def test_n2_what_is_no_name_is_refused_everywhere(store, bar, fundamental, decision, sent, name):
    calls = [
        lambda: store.write_bars(name, [bar(symbol=name)]),
        lambda: store.write_bars("AAPL", [bar()], timeframe=name),
        lambda: store.read_bars(name, date.min, date.max),
        lambda: store.write_fundamental(name, fundamental(symbol=name)),
        lambda: store.read_fundamental(name),
        lambda: store.save_strategy_state(name, {}),
        lambda: store.load_strategy_state(name),
        lambda: store.log_decision(name, decision()),
        lambda: store.log_order(name, *sent()),
        lambda: store.timeframes(name),
        lambda: store.bar_coverage(name),
    ]
    for call in calls:
        with pytest.raises(InvalidName):
            call()


@pytest.mark.parametrize("name", ["", "\0", "\ud800"])
def test_n2_an_event_of_no_symbol_is_refused(store, event, name):
    with pytest.raises(InvalidName, match=r"event\.symbol"):
        store.write_event(event(symbol=name))


def test_n3_a_bar_filed_under_another_symbol_is_refused(store, bar):
    with pytest.raises(InvalidData, match=r"bars\[1\]\.symbol='MSFT'.*'AAPL'"):
        store.write_bars("AAPL", [bar(), bar(symbol="MSFT")])
    assert store.read_bars("AAPL", date.min, date.max) == []


def test_n3_a_fundamental_filed_under_another_symbol_is_refused(store, fundamental):
    with pytest.raises(InvalidData, match=r"data\.symbol='MSFT'.*'AAPL'"):
        store.write_fundamental("AAPL", fundamental(symbol="MSFT"))
    assert store.read_fundamental("MSFT") is None
