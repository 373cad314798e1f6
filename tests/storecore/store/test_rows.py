"""`RowStore`: rows of a sorted table make a store that keeps every law without a disk in it."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from threading import RLock

import pyarrow as pa
import pytest
from msgspec.structs import replace

from storecore import BackendSpec, ConfigError, CorruptData, Rows, RowStore
from storecore.builtin.memory import MemoryConfig, storecore_backend
from storecore.testing import DataStoreSuite

JAN_5 = datetime(2026, 1, 5, tzinfo=UTC)
DAY = len("2026-01-05")


class DictRows(Rows):
    """Rows in a dict; a transaction works on a copy, which counts when it ends well."""

    def __init__(self):
        self.lock = RLock()
        self.rows = {}
        self.closed = 0

    @contextmanager
    def transaction(self, *, write):
        with self.lock:
            before = dict(self.rows)
            try:
                yield
            except BaseException:
                self.rows = before
                raise
            assert write or self.rows == before

    def _within(self, kind, key, first, last):
        return [each for each in self.rows if each[:2] == (kind, key) and first <= each[2] <= last]

    def read(self, kind, key, first, last, *, newest=None):
        found = sorted(self._within(kind, key, first, last))
        kept = found if newest is None else found[-newest:]
        return [(each[2], self.rows[each]) for each in kept]

    def put(self, kind, rows):
        for key, at, value in rows:
            self.rows[kind, key, at] = value

    def delete(self, kind, key, first, last):
        found = self._within(kind, key, first, last)
        for each in found:
            del self.rows[each]
        return len(found)

    def keys(self, kind):
        return {key for each, key, _ in self.rows if each == kind}

    def close(self):
        self.closed += 1


class TestRowStore(DataStoreSuite):
    @pytest.fixture
    def spec(self):
        capabilities = storecore_backend().capabilities - {"History"}
        return BackendSpec(
            name="rows", config=MemoryConfig, open=lambda _: None, capabilities=capabilities
        )

    @pytest.fixture
    def store(self):
        with RowStore(DictRows()) as store:
            yield store

    @pytest.fixture
    def tamper(self, store):
        def tamper(log, change):
            rows = store._rows.rows
            kept = sorted(each for each in rows if each[0] == log)
            lines = change([rows.pop(each)[DAY:] for each in kept])
            for seq, line in enumerate(lines, 1):
                rows[log, "", seq] = b"2026-01-05" + line

        return tamper


@pytest.fixture
def store():
    return RowStore(DictRows())


def test_closing_the_store_closes_its_rows(store):
    store.close()
    assert store._rows.closed == 1


@pytest.mark.parametrize(
    ("kind", "key", "read"),
    [
        ("bars", '["AAPL","1d"]', lambda store: store.read_bars("AAPL", JAN_5, JAN_5)),
        ("fundamentals", "AAPL", lambda store: store.read_fundamental("AAPL")),
        ("events", "2026-01-05", lambda store: store.read_events(JAN_5, JAN_5)),
        ("states", "value", lambda store: store.load_strategy_state("value")),
        ("decisions", "", lambda store: store.log_decision("value", None)),
    ],
)
def test_a_row_that_is_not_what_was_written_is_corrupt_and_named(store, kind, key, read, decision):
    at = 1 if kind in ("events", "states", "decisions") else int(JAN_5.timestamp()) * 10**6
    store._rows.rows[kind, key, at] = b"2026-01-05{"
    call = read if kind != "decisions" else lambda store: store.log_decision("value", decision())
    with pytest.raises(CorruptData, match=f"^{kind} {key!r}, {at}: ".replace("[", r"\[")):
        call(store)


def test_a_state_keeps_the_time_of_its_save_as_long_as_its_version(store):
    for number in range(7):
        store.save_strategy_state("value", {"n": number})
    kept = store.state_history("value")
    assert sorted((each.saved_at for each in kept), reverse=True) == [
        each.saved_at for each in kept
    ]
    assert len([key for key in store._rows.rows if key[0] == "saved"]) == len(kept) == 5
    with RowStore(DictRows()) as other:
        other.restore_state("value", [kept[0], replace(kept[1], saved_at=None)], expect=0)
        restored = [each.saved_at for each in other.state_history("value")]
        assert restored == [kept[0].saved_at, None]
    store.delete_strategy_state("value")
    assert {kind for kind, *_ in store._rows.rows} == {"deleted"}  # the number of its last version


def test_a_time_of_a_save_that_is_not_what_was_written_is_corrupt(store):
    store.save_strategy_state("value", {})
    store._rows.rows["saved", "value", 1] = b"x"
    with pytest.raises(CorruptData, match=r"^states 'value', 1: "):
        store.state_history("value")


def test_a_record_whose_day_is_damaged_is_corrupt(store, decision):
    store.log_decision("value", decision())
    store._rows.rows["decisions", "", 1] = b"2026-99-05{}"
    with pytest.raises(CorruptData, match=r"^decisions '', 1: "):
        store.read_decisions(datetime.min, datetime.max)


def test_a_record_that_was_edited_is_corrupt_when_it_is_read(store, decision):
    store.log_decision("value", decision())
    rows = store._rows.rows
    rows["decisions", "", 1] = rows["decisions", "", 1].replace(b"AAPL", b"MSFT")
    with pytest.raises(CorruptData, match=r"^decisions, record 1: "):
        store.read_decisions(datetime.min, datetime.max)


def test_a_log_is_read_in_pages(store, decision, monkeypatch):
    monkeypatch.setattr("storecore.store.row_store._PAGE", 3)
    store.log_decisions("value", [decision()] * 8)
    assert [each.seq for each in store.read_decisions(datetime.min, datetime.max)] == [*range(1, 9)]
    assert len(list(store.iter_audit("decisions", 6))) == 2


def test_a_store_keeps_as_many_versions_of_a_state_as_it_is_reported():
    with RowStore(DictRows(), state_versions=2) as store:
        for number in range(4):
            store.save_strategy_state("value", {"number": number})
        assert [each.version for each in store.state_history("value")] == [4, 3]
    with pytest.raises(ConfigError, match="state_versions=0"):
        RowStore(DictRows(), state_versions=0)


def test_b6_the_columns_of_a_series_go_with_it_when_it_is_renamed_and_when_it_is_replaced():
    def frame(symbol, **columns):
        plain = {"symbol": [symbol], "date": [JAN_5], "volume": [7]}
        prices = {name: [1.0] for name in ("open", "high", "low", "close")}
        return pa.table({**plain, **prices, **columns})

    with RowStore(DictRows()) as store:
        store.write_bar_table(frame("A", trades=[3]))
        store.rename_symbol("A", "B")
        assert [each.extra for each in store.read_bars("B")] == [{"trades": 3}]
        assert {key[1] for key in store._rows.rows} == {'["B","1d"]'}
        store.write_bar_table(frame("B", vwap=["x"]), replace=True)
        assert [each.extra for each in store.read_bars("B", last=1)] == [{"vwap": "x"}]
