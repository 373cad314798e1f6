"""Whole records: every optional field is set, and what comes back is compared whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta, timezone
from typing import Any

from msgspec.structs import replace

from storecore.models import (
    Action,
    Decision,
    Event,
    FundamentalData,
    Order,
    OrderResult,
    PriceBar,
)
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import EVER, NOON, TICK, bar, bar_table, event, fundamental

LONG = "long é\n" * 20_000  # 160 KB in UTF-8
NUL = "nul\0and more\0"
NAMES = ("  between blanks \t", "\n", "two\r\nlines", 'quoted "é" \\n', "null", "\u2028", "<&>")
TEXTS = (*NAMES, "", NUL)
NUMBERS = (0.0, 0.1 + 0.2, 1e-9, 123_456_789.123_456_79, 1 / 3, -5e-324, 2.5e300, 1e22, 1.0)
QUANTITIES = (0, 0.1 + 0.2, 2**53 + 1, 1e-9, 0.0, 1, 2.0, 10**15, 7)
KEYS = ("a.b", "a", "$set", "$", "_id", "__class__", ".", "type", "0", "a.b.c")
DAY = timedelta(days=1)
EAST = timezone(timedelta(hours=9))
PAYLOADS: tuple[dict[str, Any], ...] = (
    {},
    {"zero": -0.0, "whole": 1.0, "int": 1, "big": 2**70, "true": True, "null": None},
    {key: number for number, key in enumerate(KEYS)},
    {"inner": [{key: {} for key in KEYS}, [], [[]]]},
    {"third": 1 / 3, "numbers": list(NUMBERS), "none": None, "": [{}]},
)


def whole_bars() -> list[PriceBar]:
    """Return bars of prices that no few decimals hold, a microsecond apart, of odd volumes."""
    volumes = (0, 0.5, 2**53 + 1, 1e-9, 7, 2**62 + 1, 0.1 + 0.2, 10**15)
    values = [each for each in NUMBERS if each < 1e300]
    return [
        bar(NOON + row * TICK, value, open=value / 3, high=value * 3, low=-value, volume=volume)
        for row, (value, volume) in enumerate(zip(values, volumes, strict=True))
    ]


def whole_filings() -> list[FundamentalData]:
    """Return filings a microsecond apart, of each kind of time, and one that sets the least."""
    stamps = [NOON + number * TICK for number in range(len(TEXTS))]
    zones = (None, UTC, EAST)
    filings = [
        fundamental(
            stamp if zone is None else stamp.replace(tzinfo=UTC).astimezone(zone),
            company_name=text,
            cik=text,
            employees=number,
            shares_outstanding=NUMBERS[number],
            float_shares=number * (2**53 + 1),
            industry=text,
            category=text,
            subcategory=text,
            raw_xml=text,
            extra=PAYLOADS[number % len(PAYLOADS)],
        )
        for number, (text, stamp) in enumerate(zip(TEXTS, stamps, strict=True))
        for zone in zones[number % 3 : number % 3 + 1]
    ]
    return [*filings, fundamental(stamps[-1] + TICK, company_name="", cik="", raw_xml="")]


def whole_events() -> list[Event]:
    """Return events a microsecond apart, whose ingestion is another time; some of no symbol."""
    texts = [
        event(type=text, symbol=text if text in NAMES else None, source=text) for text in TEXTS
    ]
    more = [event(payload=payload) for payload in (*PAYLOADS, *({t: t} for t in TEXTS))]
    return [
        replace(each, timestamp=NOON + row * TICK, ingested_at=NOON + DAY + row * TICK)
        for row, each in enumerate([*texts, *more])
    ]


def whole_decisions() -> list[Decision]:
    """Return every action with every text, and the edges of weights and confidences."""
    kinds = list(zip(Action, (0.1 + 0.2, 1e-9, 1 / 3, -2.5), (0.0, 1.0, 1 / 3, 0.5), strict=True))
    of_texts = [
        Decision(text if text in NAMES else "AAPL", action, weight, confidence, text)
        for text in TEXTS
        for action, weight, confidence in kinds
    ]
    return [
        *of_texts,
        *(Decision("AAPL", Action.BUY, each, 0.5, "") for each in (0.0, -0.0, 1e300)),
        *(Decision("AAPL", Action.SELL, -1.0, 0.5, "", extra=each) for each in PAYLOADS),
    ]


def whole_orders() -> list[tuple[Order, OrderResult]]:
    """Return orders of every text and number: 0 is a price and a quantity, None is none."""
    pairs = [
        (
            Order("value", text if text in NAMES else "AAPL", "SELL", quantity, text, price),
            OrderResult(text, text, fill_price=price, fill_quantity=quantity, message=text),
        )
        for text, price, quantity in zip(TEXTS, NUMBERS, QUANTITIES, strict=True)
    ]
    order, result = Order("value", "AAPL", "BUY", 1, "MARKET"), OrderResult(7, "rejected")
    more = [(replace(order, extra=each), replace(result, extra=each)) for each in PAYLOADS]
    return [*pairs, (order, result), *more, (order, more[1][1]), (more[1][0], result)]


class WholeLaws(Fixtures):
    """Nothing of a record is trimmed, rounded or left out."""

    def test_b5_prices_that_no_few_decimals_hold_come_back(
        self, subject: Recorder, declared: frozenset[str]
    ) -> None:
        """In each of the four, in bars and in tables."""
        bars = whole_bars()
        subject.write_bars("AAPL", bars)
        assert repr(subject.read_bars("AAPL", *EVER)) == repr(bars)
        if "BarTables" in declared:
            read = subject.read_bar_table("AAPL", *EVER)
            for name in ("open", "high", "low", "close"):
                assert read[name].to_pylist() == [getattr(each, name) for each in bars]

    def test_f1_a_fundamental_whose_every_field_is_set_comes_back_equal(
        self, subject: Recorder
    ) -> None:
        """Blanks and line ends around its texts, all digits of its numbers."""
        for number, filing in enumerate(whole_filings()):
            subject.write_fundamental("AAPL", filing)
            read = subject.read_fundamental("AAPL", as_of=NOON + number * TICK)
            assert read == filing
            assert repr(read) == repr(filing)

    def test_e1_an_event_whose_every_field_is_set_comes_back_equal(self, subject: Recorder) -> None:
        """Its two times, its texts and what its payload holds."""
        for each in whole_events():
            subject.write_event(each)
        assert repr(subject.read_events(*EVER)) == repr(whole_events())

    def test_s1_texts_and_numbers_of_a_state_come_back_as_they_are(self, subject: Recorder) -> None:
        """As keys and as values."""
        texts = {"texts": {text: text for text in TEXTS}, "numbers": list(NUMBERS)}
        for state in (texts, *PAYLOADS):
            subject.save_strategy_state("value", state)
            assert repr(subject.load_strategy_state("value")) == repr(state)

    def test_a1_decisions_whose_every_field_is_set_come_back_equal(
        self, having: Callable[[str], Recorder]
    ) -> None:
        """Every action, all digits, blanks around the reasons."""
        trail = having("AuditTrail")
        for each in whole_decisions():
            trail.log_decision("value", each)
        read = [each.decision for each in trail.read_decisions(*EVER)]
        assert repr(read) == repr(whole_decisions())

    def test_a1_orders_whose_every_field_is_set_come_back_equal(
        self, having: Callable[[str], Recorder]
    ) -> None:
        """Prices and quantities to the last digit, whole ones as int, messages as they are."""
        trail = having("AuditTrail")
        for pair in whole_orders():
            trail.log_order("value", *pair)
        read = [(each.order, each.result) for each in trail.read_orders(*EVER)]
        assert repr(read) == repr(whole_orders())

    # A batch keeps what a single call keeps, and a copy gives what was kept.

    def test_e1_events_of_a_batch_come_back_whole(self, having: Callable[[str], Recorder]) -> None:
        """As single ones do, times of other zones too."""
        bulk, events = having("Bulk"), whole_events()
        there = [replace(e, timestamp=_there(e.timestamp), source="there") for e in events]
        bulk.write_events(
            [*events, *(replace(e, ingested_at=_there(e.ingested_at)) for e in there)]
        )
        here = [replace(each, source="there") for each in events]
        read = bulk.read_events(*EVER)
        assert repr(read) == repr(
            [each for pair in zip(events, here, strict=True) for each in pair]
        )

    def test_f1_fundamentals_of_a_batch_come_back_whole(
        self, having: Callable[[str], Recorder]
    ) -> None:
        """As single ones do, each with its own time zone."""
        bulk = having("Bulk")
        bulk.write_fundamentals(whole_filings())
        moments = [NOON + number * TICK for number in range(len(whole_filings()))]
        read = [bulk.read_fundamental("AAPL", as_of=at) for at in moments]
        assert repr(read) == repr(whole_filings())

    def test_a1_records_of_a_batch_come_back_whole(self, having: Callable[[str], Recorder]) -> None:
        """As single ones do, and the chain that they make verifies."""
        trail, _ = having("AuditTrail"), having("BulkAudit")
        trail.log_decisions("value", whole_decisions())
        trail.log_orders("value", whole_orders())
        decided = [each.decision for each in trail.read_decisions(*EVER)]
        ordered = [(each.order, each.result) for each in trail.read_orders(*EVER)]
        assert repr(decided) == repr(whole_decisions())
        assert repr(ordered) == repr(whole_orders())

    def test_s1_long_documents_of_a_batch_come_back_whole(
        self, having: Callable[[str], Recorder]
    ) -> None:
        """Payloads and filings beyond 64 KiB."""
        bulk = having("Bulk")
        bulk.write_events([event(payload={"text": LONG}), event(source=LONG)])
        bulk.write_fundamentals([fundamental(raw_xml=LONG), fundamental(NOON + DAY, industry=LONG)])
        first, second = bulk.read_events(*EVER)
        assert (first.payload, second.source) == ({"text": LONG}, LONG)
        assert bulk.read_fundamental("AAPL", as_of=NOON).raw_xml == LONG
        assert bulk.read_fundamental("AAPL").industry == LONG

    def test_a1_long_texts_of_a_batch_come_back_whole(
        self, having: Callable[[str], Recorder]
    ) -> None:
        """Reasons and messages beyond 64 KiB."""
        trail, _ = having("AuditTrail"), having("BulkAudit")
        order, result = whole_orders()[0]
        trail.log_decisions("value", [replace(whole_decisions()[0], reasoning=LONG)])
        trail.log_orders("value", [(order, replace(result, message=LONG))])
        assert [each.decision.reasoning for each in trail.read_decisions(*EVER)] == [LONG]
        assert [each.result.message for each in trail.read_orders(*EVER)] == [LONG]

    def test_transfer_gives_whole_events(self, having: Callable[[str], Recorder]) -> None:
        """To the microsecond, by which they are sorted."""
        transfer, events = having("Transfer"), whole_events()
        for each in reversed(events):
            transfer.write_event(each)
        given = [
            replace(
                each,
                timestamp=each.timestamp.replace(tzinfo=None),
                ingested_at=each.ingested_at.replace(tzinfo=None),
            )
            for each in transfer.iter_events()
        ]
        assert repr(given) == repr(events)

    def test_transfer_gives_whole_fundamentals(self, having: Callable[[str], Recorder]) -> None:
        """Every field of each."""
        transfer = having("Transfer")
        for each in reversed(whole_filings()):
            transfer.write_fundamental("AAPL", each)
        assert repr(list(transfer.iter_fundamentals())) == repr(whole_filings())

    # What replaces a record leaves nothing of it.

    def test_b1_a_bar_that_is_replaced_leaves_none_of_its_values(
        self, subject: Recorder, declared: frozenset[str]
    ) -> None:
        """Each field is the new one's, written as a list or as a table."""
        for number in range(1, 5):
            values = {"open": 1.0, "high": 2.0, "low": 3.0}
            given = bar(NOON, 4.0 * number, **{k: v * number for k, v in values.items()})
            new = replace(given, volume=number)
            if number % 2 or "BarTables" not in declared:
                subject.write_bars("AAPL", [new])
            else:
                subject.write_bar_table(bar_table([new]))
            assert subject.read_bars("AAPL", *EVER) == [new]

    def test_f2_a_fundamental_that_is_replaced_leaves_none_of_its_values(
        self, subject: Recorder
    ) -> None:
        """What the new one does not set is None; whatever zone each was written in."""
        least = {"company_name": "new", "cik": "1", "raw_xml": "<new/>"}
        for at in (NOON, _there(NOON), NOON.replace(tzinfo=UTC)):
            for filing in (replace(whole_filings()[1], timestamp=at), fundamental(at, **least)):
                subject.write_fundamental("AAPL", filing)
                assert repr(subject.read_fundamental("AAPL")) == repr(filing)
                assert subject.read_fundamental("AAPL", as_of=NOON - TICK) is None


def _there(at: Any) -> Any:
    """Return a naive time as the same instant in a zone of the east."""
    return at.replace(tzinfo=UTC).astimezone(EAST)
