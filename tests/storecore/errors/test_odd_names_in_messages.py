"""A name that would end a line or move the cursor is escaped in every error and log record."""

from __future__ import annotations

from datetime import date

import pytest

from storecore import OrderResult, StoreError, open_store, read_bar_table
from storecore.builtin.memory import MemoryDataStore
from storecore.builtin.mirror import MirrorStore

ODD = "a\nFAKE RECORD \x1b[2J\u202e\u2028"
EVER = date.min, date.max


@pytest.fixture
def wrong_calls(bar, event, fundamental, order, decision):
    """Calls of a store that are refused for what they are given, by what is wrong."""
    return {
        "another symbol": lambda store: store.write_bars("X", [bar(symbol=ODD)]),
        "under another symbol": lambda store: store.write_bars(ODD, [bar()]),
        "an odd timeframe": lambda store: store.write_bars("AAPL", [bar()], timeframe=ODD + "\0"),
        "a payload": lambda store: store.write_event(event(type=ODD, payload={ODD: {1, 2}})),
        "a type": lambda store: store.write_event(event(type=ODD, source=5)),
        "a fundamental": lambda store: store.write_fundamental(ODD, fundamental()),
        "a state": lambda store: store.save_strategy_state(ODD, {ODD: (1,)}),
        "a version": lambda store: store.save_strategy_state(ODD, {}, expect=7),
        "no decision": lambda store: store.log_decision(ODD, ODD),
        "a decision": lambda store: store.log_decision(ODD + "\0", decision()),
        "an order": lambda store: store.log_order(
            ODD, order(strategy_name=ODD, quantity=float("nan")), OrderResult("1", ODD)
        ),
        "types": lambda store: store.read_events(*EVER, types=ODD),
        "bounds": lambda store: store.read_bars(ODD, ODD, ODD),
        "columns": lambda store: read_bar_table(store, [ODD], *EVER, columns=[ODD]),
        "a log": lambda store: list(store.iter_audit(ODD)),
    }


def test_in_an_error_of_a_store(store, wrong_calls):
    for what, call in wrong_calls.items():
        with pytest.raises(StoreError) as caught:
            call(store)
        assert str(caught.value).isprintable(), what


def test_in_an_error_of_a_closed_store(store):
    store.close()
    with pytest.raises(StoreError) as caught:
        store.read_bars(ODD, *EVER)
    assert str(caught.value).isprintable()


def test_in_the_path_of_a_damaged_file(tmp_path, bar):
    place = tmp_path / ODD
    with open_store("file", base_path=place) as store:
        store.write_bars(ODD, [bar(symbol=ODD)])
        (part,) = place.rglob("*.parquet")
        part.write_bytes(b"no bars")
        with pytest.raises(StoreError, match="a\\\\nFAKE RECORD") as caught:
            store.read_bars(ODD, *EVER)
    assert str(caught.value).isprintable()
    assert caught.value.path == str(part)


@pytest.mark.parametrize(
    "options",
    [
        {"backend": ODD},
        {"backend": "file", ODD: 1},
        {"backend": "file", "base_path": f"${{{ODD}}}"},
        {"backend": "postgres", "dsn": "x", "schema": ODD * 9},
        {"backend": "readonly", "store": {"backend": "memory", ODD: 1}},
    ],
)
def test_in_an_error_of_a_config(options):
    with pytest.raises(StoreError) as caught:
        open_store(options)
    assert str(caught.value).isprintable()


class Full(MemoryDataStore):
    def write_bars(self, symbol, bars, *, timeframe="1d"):
        raise OSError(f"no room for {symbol}")


def test_in_the_log(caplog, bar):
    mirror = MirrorStore(MemoryDataStore(), [Full()], "log")
    mirror.write_bars(ODD, [bar(symbol=ODD)])
    (record,) = caplog.records
    assert "no room for a\\nFAKE RECORD \\x1b[2J\\u202e\\u2028" in record.getMessage()
    assert record.getMessage().isprintable()
