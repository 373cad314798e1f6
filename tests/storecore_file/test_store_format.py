"""The store's format number: raised before what an older release would call damaged, only then."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

import storecore
from storecore import Action, Decision, Event, FundamentalData, Order, OrderResult, StorageError
from storecore_file import FileDataStore
from storecore_file.fs.disk import Disk
from storecore_file.fs.logs import NumberedLog
from storecore_file.fs.seal import sealed
from storecore_file.store_format import read_began

RELEASES = Path(__file__).parent / "releases"
NAMES = ["0.1.0-a", "0.1.0-b", "0.1.0-c"]  # those of a format before 3
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
DESK = {"eps": 1.5, "tags": ["10-Q", None], "nested": {"deep": [{"x": True}]}}
FILLED = OrderResult("7", "filled")


def order(extra=None):
    return Order("value", "AAPL", "BUY", 1, "MARKET", extra=extra)


def filing(day, extra=None):
    return FundamentalData(
        symbol="AAPL",
        timestamp=datetime(2026, 1, 5) + timedelta(days=day),
        company_name="Apple",
        cik="1",
        raw_xml="",
        extra=extra,
    )


NEEDS_FORMAT_3 = {
    "a fundamental, which says when it was recorded": lambda store: store.write_fundamental(
        "AAPL", filing(0)
    ),
    "a fundamental with extra": lambda store: store.write_fundamental("AAPL", filing(0, DESK)),
    "fundamentals, one with extra": lambda store: store.write_fundamentals(
        [filing(day, DESK if day else None) for day in (0, 1)]
    ),
    "a decision with extra": lambda store: store.log_decision(
        "value", Decision("AAPL", Action.BUY, 0.5, 0.5, "", DESK)
    ),
    "a decision to sell": lambda store: store.log_decision(
        "value", Decision("AAPL", Action.SELL, -0.5, 0.5, "")
    ),
    "an order with extra": lambda store: store.log_order("value", order(DESK), FILLED),
    "a result with extra": lambda store: store.log_order(
        "value", order(), replace(FILLED, extra={})
    ),
    "a decision of a run": lambda store: store.log_decision(
        "value", Decision("AAPL", Action.BUY, 0.5, 0.5, ""), run="bt-7"
    ),
    "an order with a time": lambda store: store.log_order(
        "value", order(), FILLED, as_of=datetime(2026, 1, 5)
    ),
    "decisions with reads": lambda store: store.log_decisions(
        "value", [Decision("AAPL", Action.BUY, 0.5, 0.5, "")], reads=[]
    ),
    "orders, one with extra": lambda store: store.log_orders(
        "value", [(order(), FILLED), (order(DESK), FILLED)]
    ),
}


@pytest.fixture(params=NAMES)
def released(request, tmp_path):
    """A copy of the store of a release."""
    return shutil.copytree(RELEASES / request.param, tmp_path / "data")


def number_of(base):
    path = base / ".storecore"
    return json.loads(path.read_bytes())["format"] if path.exists() else 1


@pytest.mark.parametrize("write", NEEDS_FORMAT_3.values(), ids=NEEDS_FORMAT_3)
def test_what_an_older_release_would_call_damaged_raises_the_number_of_the_store(released, write):
    with FileDataStore(released) as store:
        before = number_of(released)
        write(store)
        assert (before < 3, number_of(released)) == (True, 3)
        assert store.verify().ok


def test_d1_the_number_is_durable_before_the_first_record_that_needs_it(base, monkeypatch):
    replaced, written = [], []
    replace_file, append = Disk.replace, NumberedLog.append
    monkeypatch.setattr(
        Disk, "replace", lambda *args: (replace_file(*args), replaced.append(args[1].name))[0]
    )
    monkeypatch.setattr(
        NumberedLog, "append", lambda *args: (written.append([*replaced]), append(*args))[1]
    )
    with FileDataStore(base) as store:
        replaced.clear()
        store.log_decision("value", Decision("AAPL", Action.SELL, 0.5, 0.5, ""))
    assert written[0] == [".storecore"]


def test_the_number_is_looked_at_once_in_the_life_of_a_store(base, monkeypatch):
    with FileDataStore(base) as store:
        store.write_fundamental("AAPL", filing(0, DESK))
        monkeypatch.delattr("storecore_file.store_format.read_format")
        store.write_fundamental("AAPL", filing(1, DESK))
        store.log_order("value", order(DESK), FILLED)
        assert store.read_fundamental("AAPL").extra == DESK


def test_a_text_that_looks_like_a_new_member_does_not_raise_the_number(base):
    odd = '","extra":{"action":"sell"}'
    with FileDataStore(base) as store:
        store.log_decision("value", Decision(odd, Action.EXIT, 0.5, 0.5, odd))
        store.log_order(odd, replace(order(), strategy_name=odd), replace(FILLED, message=odd))
    assert number_of(base) == 2
    assert not (base / ".storecore.lock").exists()


def test_a_store_without_new_members_has_the_bytes_of_the_release_before(base):
    with FileDataStore(base) as store:
        store.log_decision("value", Decision("AAPL", Action.EXIT, 0.5, 1, "why"))
        store.log_order("value", order(), FILLED)
        store.write_fundamental("AAPL", filing(0))
    lines = [*base.rglob("*.jsonl"), *(base / "fundamentals").rglob("*.json")]
    assert [b"extra" in path.read_bytes() for path in lines] == [False] * 3
    (decision,) = (base / "audit" / "decisions").glob("*.jsonl")
    assert (
        b'"strategy":"value","decision":{"symbol":"AAPL","action":"exit","target_weight":0.5,'
        b'"confidence":1.0,"reasoning":"why"},"prev":""'
    ) in decision.read_bytes()


def test_a_number_that_another_process_has_raised_is_not_lowered(base, monkeypatch):
    with FileDataStore(base) as store:
        monkeypatch.setattr("storecore_file.store_format.FORMAT", 5)
        (base / ".storecore").write_bytes(sealed(b'{"format":5}'))
        store.log_order("value", order(DESK), FILLED)
    assert number_of(base) == 5


def test_a_store_that_a_newer_release_has_taken_over_meanwhile_takes_no_new_members(base):
    with FileDataStore(base) as store:
        (base / ".storecore").write_bytes(sealed(b'{"format":9}'))
        with pytest.raises(StorageError, match=r"written by a newer storecore.*format 9"):
            store.log_order("value", order(DESK), FILLED)
        assert store.read_orders(*ALWAYS) == []


def test_a_record_that_came_from_another_store_raises_the_number_too(base):
    with FileDataStore(base) as store, storecore.open_store("memory") as source:
        source.log_order("value", order(DESK), FILLED)
        ((day, line),) = source.iter_audit("orders")
        store.append_audit("orders", day, [line])
        assert store.read_orders(*ALWAYS) == source.read_orders(*ALWAYS)
    assert number_of(base) == 3


def test_the_release_before_opens_a_store_without_new_members_and_refuses_one_with(base):
    """By its own words: `FORMAT` was 2."""
    with FileDataStore(base) as store:
        store.log_order("value", order(), FILLED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storecore_file.store_format.FORMAT", 2)
        FileDataStore(base).close()
    with FileDataStore(base) as store:
        store.log_order("value", order(DESK), FILLED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storecore_file.store_format.FORMAT", 2)
        with pytest.raises(StorageError, match=r"has format 3.*reads up to 2"):
            FileDataStore(base)


# A sealed day of events whose rows are sorted. The release that made the store 0.1.0-d reads up to
# format 3, and took such a day for damage: its `repair` would have moved the day into quarantine.

MONDAY = datetime(2026, 1, 5)
FIRST_WITH_HISTORY = 3  # the format that 0.1.0-d reads


def event(symbol="AAPL"):
    return Event("split", symbol, MONDAY, MONDAY, "feed", {"ratio": 4})


SEALS_A_DAY = {
    "sealing": lambda store: store.compact(),
    "deleting": lambda store: store.delete_events(MONDAY, MONDAY, symbols=["AAPL"]),
    "renaming": lambda store: store.rename_symbol("AAPL", "NEW.X"),
}


@pytest.fixture(params=sorted(path.name for path in RELEASES.glob("0*")))
def any_released(request, tmp_path):
    return shutil.copytree(RELEASES / request.param, tmp_path / "data")


@pytest.mark.parametrize("seal", SEALS_A_DAY.values(), ids=SEALS_A_DAY)
def test_a_day_of_events_that_is_sealed_raises_the_number_of_any_store(any_released, seal):
    with FileDataStore(any_released) as store:
        store.write_events([event(), event("MSFT")])
        before = number_of(any_released)
        seal(store)
        assert (before < 4, number_of(any_released)) == (True, 4)
        assert store.verify().findings == ()


def test_a_store_whose_events_are_not_sealed_opens_in_the_release_before(base):
    with FileDataStore(base) as store:
        store.write_events([event(), event("MSFT")])
        store.delete_events(MONDAY, MONDAY, symbols=["IBM"])
        store.write_bars("AAPL", [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storecore_file.store_format.FORMAT", FIRST_WITH_HISTORY)
        with FileDataStore(base) as store:
            assert store.read_events(MONDAY, MONDAY) == [event(), event("MSFT")]


def test_d1_the_number_is_durable_before_a_day_is_sealed(base, monkeypatch):
    replaced, replace_file = [], Disk.replace
    monkeypatch.setattr(
        Disk, "replace", lambda *args: (replace_file(*args), replaced.append(args[1].name))[0]
    )
    with FileDataStore(base) as store:
        store.write_event(event())
        replaced.clear()
        store.compact()
    assert replaced == [".storecore", "2026-01-05.parquet"]


def test_the_first_release_with_history_refuses_a_store_with_a_sealed_day(base):
    with FileDataStore(base) as store:
        store.write_event(event())
        store.compact()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storecore_file.store_format.FORMAT", FIRST_WITH_HISTORY)
        with pytest.raises(StorageError, match=r"has format 4.*reads up to 3; update storecore"):
            FileDataStore(base)


def test_when_a_store_was_made_is_not_known_while_that_cannot_be_read(base):
    with FileDataStore(base) as store:
        (base / ".storecore").write_bytes(b"{")
        assert read_began(store._disk, base) is None


@pytest.fixture
def unreadable(base, bar, monkeypatch):
    """Return a store with bars of a symbol, whose folder cannot be read."""

    def fail(folder):
        raise StorageError("input/output error", folder)

    def unreadable(symbol):
        store.write_bars(symbol, [bar(symbol=symbol)])
        store.compact()
        monkeypatch.setattr(store._bars, "_has_partitions", fail)
        return store

    with FileDataStore(base) as store:
        yield unreadable


def test_a_folder_that_cannot_be_read_counts_if_its_name_gives_the_symbol(unreadable):
    assert unreadable("AAPL").symbols() == ["AAPL"]


def test_a_folder_that_cannot_be_read_is_an_error_if_its_name_is_a_hash(unreadable):
    with pytest.raises(StorageError, match="input/output error"):
        unreadable("X" * 250).symbols()
