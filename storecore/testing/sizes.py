"""Laws at sizes that no example has: pages of a thousand, long lists and texts, deep documents."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from storecore.errors import InvalidData
from storecore.models import Event
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    EVER,
    NOON,
    bar,
    bar_table,
    decision,
    event,
    fundamental,
    refused,
    sent,
)
from storecore.testing.whole import LONG
from storecore.testing.worker import PATIENCE

MANY = 2_100  # more than two pages of a thousand
HITS = 10_050  # more than a search server answers with
FEW = 1_020  # more than one page, and than the 999 variables that a statement of SQLite had
PACE = 100  # bars, by which it is seen how long many would take
SHARE = 900  # so that ties lie across the thousandth record
DEEP, WIDE = 100, 600
MINUTE = timedelta(minutes=1)


class SizeLaws(Fixtures):
    """What holds for ten holds for thousands."""

    def test_b1_a_series_of_thousands_is_read_whole_and_in_order(self, subject: Recorder) -> None:
        """Written in two batches whose dates alternate; any range of it, too."""
        many = _many(subject)
        bars = [bar(NOON + number * MINUTE, float(number)) for number in range(many)]
        subject.write_bars("AAPL", bars[1::2])
        subject.write_bars("AAPL", bars[::2])
        assert subject.read_bars("AAPL", *EVER) == bars
        for first, last in ((0, 999), (0, 1_000), (999, many - 99), (1_000, many - 1)):
            read = subject.read_bars("AAPL", bars[first].date, bars[last].date)
            assert read == bars[first : last + 1], f"bars {first} to {last}"

    def test_b1_a_batch_of_thousands_replaces_a_batch_of_thousands(self, subject: Recorder) -> None:
        """Each bar of it."""
        many = _many(subject)
        for close in (1.0, 2.0):
            subject.write_bars("AAPL", [bar(NOON + n * MINUTE, close) for n in range(many)])
        assert {each.close for each in subject.read_bars("AAPL", *EVER)} == {2.0}

    def test_b1_more_than_ten_thousand_bars_are_read_whole(
        self, subject: Recorder, declared: frozenset[str]
    ) -> None:
        """Search servers answer with no more hits than that."""
        hits = _many(subject, HITS)
        bars = [bar(NOON + number * MINUTE, float(number)) for number in range(hits)]
        subject.write_bars("AAPL", bars)
        assert subject.read_bars("AAPL", *EVER) == bars
        if "BarTables" in declared:
            assert len(subject.read_bar_table("AAPL", *EVER)) == hits

    def test_e1_more_than_ten_thousand_events_are_read_whole(
        self, having: Callable[[str], Recorder]
    ) -> None:
        """Each once."""
        bulk = having("Bulk")
        hits = _many(bulk, HITS)
        bulk.write_events([event(payload={"n": number}) for number in range(hits)])
        read = [each.payload["n"] for each in bulk.read_events(*EVER)]
        assert read == list(range(hits))

    def test_b2_a_wrong_bar_behind_a_thousand_others_refuses_them_all(
        self, subject: Recorder
    ) -> None:
        """The error names its row."""
        batch = [bar(NOON + number * MINUTE) for number in range(MANY)]
        batch[1_777] = bar(NOON, close=float("nan"))
        with refused(InvalidData, "1777", "close", value="a NaN in row 1777"):
            subject.write_bars("AAPL", batch)
        assert subject.read_bars("AAPL", *EVER) == []

    def test_e1_a_thousand_events_of_one_microsecond_keep_their_order(
        self, subject: Recorder, declared: frozenset[str]
    ) -> None:
        """Among others before and after them, each once."""
        moments = [*[NOON - MINUTE] * 10, *[NOON] * FEW, *[NOON + MINUTE] * 10]
        events = [event(at, payload={"n": number}) for number, at in enumerate(moments)]
        _write_events(subject, events, declared)
        assert subject.read_events(*EVER) == events
        assert subject.read_events(NOON, NOON) == events[10:-10]

    def test_e2_a_list_of_a_thousand_types_is_a_filter(
        self, subject: Recorder, declared: frozenset[str]
    ) -> None:
        """The last of them too."""
        events = [event(type=f"T{number}") for number in (0, 998, 999, FEW - 1)]
        _write_events(subject, [*events, event(type="other")], declared)
        read = subject.read_events(*EVER, [f"T{number}" for number in range(FEW)])
        assert read == events

    def test_s1_a_long_a_wide_and_a_deep_state_come_back_equal(self, subject: Recorder) -> None:
        """Texts beyond 64 KiB, hundreds of keys, a hundred levels."""
        for state in documents():
            subject.save_strategy_state("value", state)
            assert repr(subject.load_strategy_state("value")) == repr(state)

    def test_s1_a_long_a_wide_and_a_deep_payload_come_back_equal(self, subject: Recorder) -> None:
        """As a state does."""
        payloads = list(documents())
        for payload in payloads:
            subject.write_event(event(payload=payload))
        assert [repr(each.payload) for each in subject.read_events(*EVER)] == list(
            map(repr, payloads)
        )

    def test_f1_a_long_document_comes_back_whole(self, subject: Recorder) -> None:
        """A filing of hundreds of kilobytes is usual."""
        filing = fundamental(company_name=LONG, industry=LONG, raw_xml=LONG)
        subject.write_fundamental("AAPL", filing)
        assert subject.read_fundamental("AAPL") == filing

    def test_f1_the_latest_of_many_filings_is_found(self, subject: Recorder) -> None:
        """Whatever their number, and wherever among them `as_of` lies."""
        moments = [NOON + number * MINUTE for number in range(150)]
        for number, at in enumerate(reversed(moments)):
            subject.write_fundamental("AAPL", fundamental(at, employees=number))
        for number in (0, 99, 100, 149):
            read = subject.read_fundamental("AAPL", as_of=moments[number] + MINUTE / 2)
            assert read.timestamp == moments[number]

    def test_a1_long_texts_of_records_come_back_whole(
        self, having: Callable[[str], Recorder]
    ) -> None:
        """The reasoning of a model, the answer of a broker."""
        trail = having("AuditTrail")
        trail.log_decision("value", decision(reasoning=LONG))
        order, result = sent(order_type=LONG)
        trail.log_order("value", order, result)
        assert trail.read_decisions(*EVER)[0].decision.reasoning == LONG
        assert trail.read_orders(*EVER)[0].order == order
        assert trail.verify_audit().ok

    def test_a3_a_chain_of_thousands_is_read_in_order_and_verified(
        self, having: Callable[[str], Recorder]
    ) -> None:
        """In batches whose records are all of one time, and one after them."""
        trail, _ = having("AuditTrail"), having("BulkAudit")
        many = _many(trail)
        for size in (SHARE, many - SHARE - 1):
            trail.log_decisions("value", [decision()] * size)
            trail.log_orders("value", [sent()] * size)
        trail.log_decision("last", decision())
        trail.log_order("last", *sent(strategy_name="last"))
        for records in (trail.read_decisions(*EVER), trail.read_orders(*EVER)):
            assert [each.seq for each in records] == list(range(1, many + 1))
        assert [each.seq for each in trail.read_decisions(*EVER, "last")] == [many]
        report = trail.verify_audit()
        assert (report.ok, report.checked) == (True, 2 * many), report

    def test_bar_tables_of_thousands_of_rows_keep_the_last_of_each_date(
        self, having: Callable[[str], Recorder]
    ) -> None:
        """Each date is there twice, half a table apart."""
        tables = having("BarTables")
        many = _many(tables)
        halves = [[bar(NOON + n * MINUTE, close) for n in range(many)] for close in (1.0, 2.0)]
        tables.write_bar_table(bar_table([*halves[0], *halves[1]]))
        assert tables.read_bar_table("AAPL", *EVER).to_pylist() == bar_table(halves[1]).to_pylist()

    def test_catalog_lists_more_than_a_thousand_symbols(
        self, subject: Recorder, declared: frozenset[str], having: Callable[[str], Recorder]
    ) -> None:
        """All of them, sorted; and a table of so many is written and read in one call each."""
        catalog = having("Catalog")
        bars = [bar(symbol=f"S{number:05}", volume=number) for number in range(FEW)]
        if "BarTables" in declared:
            subject.write_bar_table(bar_table(bars))
            asked = [f"S{number:05}" for number in range(2 * FEW)]
            assert subject.read_bar_table(asked, *EVER).to_pylist() == bar_table(bars).to_pylist()
        else:
            for each in bars:
                subject.write_bars(each.symbol, [each])
        assert catalog.symbols() == [each.symbol for each in bars]
        assert catalog.bar_coverage(bars[-1].symbol).count == 1
        assert catalog.read_bars(bars[-1].symbol, *EVER) == bars[-1:]

    def test_bar_stream_of_a_thousand_symbols_has_them_all(
        self, having: Callable[[str], Recorder], declared: frozenset[str]
    ) -> None:
        """Asked for in one call, by their names in any iterable."""
        stream = having("BarStream")
        names = [f"S{number:05}" for number in range(FEW)]
        chosen = [names[number] for number in (0, 998, 999, FEW - 1)]
        for name in chosen:
            stream.write_bars(name, [bar(symbol=name)])
        tables = stream.iter_bar_tables(iter([*names, *names]), *EVER)
        assert [row["symbol"] for each in tables for row in each.to_pylist()] == chosen

    def test_bulk_takes_and_deletes_thousands(self, having: Callable[[str], Recorder]) -> None:
        """What a call returns is how many there were."""
        bulk = having("Bulk")
        many = _many(bulk)
        bars = [bar(NOON + number * MINUTE) for number in range(many)]
        bulk.write_bars("AAPL", bars)
        assert bulk.delete_bars("AAPL", bars[1].date, bars[-2].date) == many - 2
        assert bulk.read_bars("AAPL", *EVER) == [bars[0], bars[-1]]

    def test_transfer_gives_thousands_of_events_with_ties_across_every_page(
        self, having: Callable[[str], Recorder], declared: frozenset[str]
    ) -> None:
        """Each once, by timestamp, then by order of writing."""
        transfer = having("Transfer")
        count = _many(transfer) if "Bulk" in declared else FEW
        moments = [NOON] * SHARE + [NOON + MINUTE] * (count - SHARE)
        events = [event(at, payload={"n": number}) for number, at in enumerate(moments)]
        _write_events(transfer, events, declared)
        assert [each.payload["n"] for each in transfer.iter_events()] == list(range(count))

    def test_transfer_gives_thousands_of_records_behind_any_number(
        self, having: Callable[[str], Recorder]
    ) -> None:
        """In the order of their numbers."""
        transfer, _ = having("Transfer"), having("BulkAudit")
        many = _many(transfer)
        transfer.log_decisions("value", [decision()] * many)
        lines = [each.line for each in transfer.iter_audit("decisions")]
        assert len(set(lines)) == many
        for after in (999, 1_000, many - 100):
            assert [each.line for each in transfer.iter_audit("decisions", after)] == lines[after:]


def _many(store: Any, most: int = MANY) -> int:
    """Return how many records a test has: more than two pages, or more than one if that is slow."""
    begin = time.monotonic()
    store.write_bars("PACE", [bar(NOON + n * MINUTE, symbol="PACE") for n in range(PACE)])
    is_quick = (time.monotonic() - begin) * most / PACE < PATIENCE
    return most if is_quick else FEW


def documents() -> tuple[dict[str, Any], ...]:
    """Return documents that are long, wide and deep."""
    deep: dict[str, Any] = {}
    for level in range(DEEP - 1):
        deep = {"level": level, "inner": deep}
    return (
        {"text": LONG, LONG: 1},
        {f"key {number}": number for number in range(WIDE)},
        {"list": list(range(20_000))},
        deep,
    )


def _write_events(store: Any, events: list[Event], declared: frozenset[str]) -> None:
    """Write many events, in one call where that can be done."""
    if "Bulk" in declared:
        store.write_events(events)
    else:
        for each in events:
            store.write_event(each)
