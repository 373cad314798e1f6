"""Whole records: every optional field is set, and what comes back is compared whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from storecore.models import Action, Decision, Order, OrderResult
from storecore.testing.givens import Givens
from storecore.testing.records import EVER, NOON, TICK, bar, bar_table, event, fundamental
from storecore.testing.witness import Witness

TEXTS = ("  between blanks \t", "", "\n", "two\r\nlines", 'quoted "é" \\n', "null", "\u2028", "<&>")
NUMBERS = (0.1 + 0.2, 1e-9, 123_456_789.123_456_79, 1 / 3, -5e-324, 2.5e300, 1e22)
MANY = timedelta(days=1)


class WholeLaws(Givens):
    """Nothing of a record is trimmed, rounded or left out."""

    def test_b5_prices_that_no_few_decimals_hold_come_back(
        self, subject: Witness, declared: frozenset[str]
    ) -> None:
        """In each of the four, in bars and in tables."""
        bars = [
            bar(NOON + day * MANY, value, open=value / 3, high=value * 3, low=-value)
            for day, value in enumerate(NUMBERS)
            if value < 1e300
        ]
        subject.write_bars("AAPL", bars)
        assert subject.read_bars("AAPL", *EVER) == bars
        if "BarTables" in declared:
            rows = subject.read_bar_table("AAPL", *EVER).to_pylist()
            assert rows == bar_table(bars).to_pylist()

    def test_f1_a_fundamental_whose_every_field_is_set_comes_back_equal(
        self, subject: Witness
    ) -> None:
        """Blanks and line ends around its texts, all digits of its numbers."""
        for number, text in enumerate(TEXTS):
            filing = fundamental(
                NOON + number * TICK,
                company_name=text,
                cik=text,
                employees=number,
                shares_outstanding=NUMBERS[number % len(NUMBERS)],
                float_shares=2**53 + number + 1,
                industry=text,
                category=text,
                subcategory=text,
                raw_xml=text,
            )
            subject.write_fundamental("AAPL", filing)
            read = subject.read_fundamental("AAPL", as_of=NOON + number * TICK)
            assert read == filing
            assert repr(read) == repr(filing)

    def test_e1_an_event_whose_every_field_is_set_comes_back_equal(self, subject: Witness) -> None:
        """Its two times, its texts and what its payload holds."""
        events = [
            event(
                NOON + number * TICK,
                type=text,
                symbol=text or None,
                ingested_at=NOON + MANY + number * TICK,
                source=text,
                payload={text: text, "numbers": list(NUMBERS), "none": None, "": [{}]},
            )
            for number, text in enumerate(TEXTS)
        ]
        for each in events:
            subject.write_event(each)
        read = subject.read_events(*EVER)
        assert read == events
        assert [repr(each.payload) for each in read] == [repr(each.payload) for each in events]

    def test_s1_texts_and_numbers_of_a_state_come_back_as_they_are(self, subject: Witness) -> None:
        """As keys and as values."""
        state = {"texts": {text: text for text in TEXTS}, "numbers": list(NUMBERS)}
        subject.save_strategy_state("value", state)
        assert repr(subject.load_strategy_state("value")) == repr(state)

    def test_a1_decisions_whose_every_field_is_set_come_back_equal(
        self, having: Callable[[str], Witness]
    ) -> None:
        """Every action, all digits, blanks around the reasons."""
        trail = having("AuditTrail")
        decisions = [
            Decision(text or "AAPL", action, value, 1 / 3, text)
            for text in TEXTS
            for action, value in zip(Action, (0.1 + 0.2, 1e-9, 1 / 3), strict=False)
        ]
        for each in decisions:
            trail.log_decision("value", each)
        read = [each.decision for each in trail.read_decisions(*EVER)]
        assert read == decisions
        assert repr(read) == repr(decisions)

    def test_a1_orders_whose_every_field_is_set_come_back_equal(
        self, having: Callable[[str], Witness]
    ) -> None:
        """Prices and quantities to the last digit, whole ones as int, messages as they are."""
        trail = having("AuditTrail")
        quantities = (1, 0.1 + 0.2, 2**53 + 1, 1e-9) * 2
        pairs = [
            (
                Order("value", text or "AAPL", "SELL", quantity, text, limit_price=price),
                OrderResult(text, text, fill_price=price, fill_quantity=quantity, message=text),
            )
            for text, price, quantity in zip(TEXTS, (*NUMBERS, 7.0), quantities, strict=True)
        ]
        for pair in pairs:
            trail.log_order("value", *pair)
        read: list[Any] = [(each.order, each.result) for each in trail.read_orders(*EVER)]
        assert read == pairs
        assert repr(read) == repr(pairs)
