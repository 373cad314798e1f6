"""Laws F1 and F2: the latest fundamental not after a moment, one a moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from storecore.errors import InvalidData, NotSerializable
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import TICK, for_all, fundamental, refused

FILED = datetime(2026, 1, 5, 21, 30)
moments = st.integers(0, 5_000).map(lambda step: FILED + step * TICK)
NO_FUNDAMENTALS: tuple[Any, ...] = (None, {}, "AAPL")
WRONG: tuple[dict[str, Any], ...] = (
    {"employees": "many"},
    {"employees": 1.5},
    {"employees": True},
    {"shares_outstanding": float("nan")},
    {"float_shares": float("inf")},
    {"cik": 320193},
    {"company_name": None},
    {"raw_xml": b"<x/>"},
    {"industry": "\ud800"},
    {"category": {1}},
)
CHANGED: tuple[tuple[Any, str], ...] = (
    ({"legs": [1, (2, 3)]}, "$.legs[1]"),
    ({"filed": {"at": FILED}}, "$.filed.at"),
    ({"eps": float("inf")}, "$.eps"),
    ({"eps": {1: 2}}, "$.eps"),
    ([], "$"),
)


class FundamentalLaws(Fixtures):
    """What is known of a company, and since when."""

    def test_f1_the_latest_of_all_is_read_without_as_of(self, subject: Recorder) -> None:
        """The latest by its timestamp, not by when it was written."""
        for day in (2, 3, 1):
            subject.write_fundamental("AAPL", fundamental(FILED + timedelta(day), employees=day))
        assert subject.read_fundamental("AAPL").employees == 3

    def test_f1_as_of_includes_its_own_microsecond_and_no_later_one(
        self, subject: Recorder
    ) -> None:
        """A filing is known from its moment on, not from its day."""
        subject.write_fundamental("AAPL", fundamental(FILED))
        assert subject.read_fundamental("AAPL", as_of=FILED - TICK) is None
        assert subject.read_fundamental("AAPL", as_of=FILED) == fundamental(FILED)
        assert subject.read_fundamental("AAPL", FILED.replace(tzinfo=UTC)) == fundamental(FILED)

    @for_all(written=st.lists(moments, max_size=8), as_of=moments)
    def test_f1_holds_in_whatever_order_they_were_written(
        self,
        subject: Recorder,
        fresh_name: Callable[[], str],
        written: list[datetime],
        as_of: datetime,
    ) -> None:
        """No look-ahead, to the microsecond."""
        symbol = fresh_name()
        for moment in written:
            subject.write_fundamental(symbol, fundamental(moment, symbol=symbol))
        known = [moment for moment in written if moment <= as_of]
        read = subject.read_fundamental(symbol, as_of=as_of)
        assert (read and read.timestamp) == max(known, default=None)

    def test_f1_a_symbol_that_was_never_written_has_none(self, subject: Recorder) -> None:
        """None is the answer, not an error."""
        subject.write_fundamental("AAPL", fundamental(FILED))
        assert subject.read_fundamental("NONE") is None
        assert subject.read_fundamental("NONE", as_of=FILED) is None

    def test_f1_every_field_comes_back(self, subject: Recorder) -> None:
        """Whole numbers as int, text as it is, None as None."""
        full = fundamental(
            FILED,
            employees=164_000,
            shares_outstanding=2**60 + 1,
            float_shares=14_655_000_000.5,
            industry="Consumer electronics",
            category="Ünïcødé",
            subcategory="",
            raw_xml="<a>\0\n\r\u2028'\"\\</a>",
        )
        subject.write_fundamental("AAPL", full)
        read = subject.read_fundamental("AAPL")
        assert read == full
        assert (type(read.shares_outstanding), type(read.float_shares)) == (int, float)

    def test_f1_what_is_no_fundamental_is_refused_and_the_old_one_stays(
        self, subject: Recorder
    ) -> None:
        """A field of the wrong type is an error that names the field."""
        subject.write_fundamental("AAPL", fundamental(FILED))
        for wrong in WRONG:
            with refused(InvalidData, value=wrong):
                subject.write_fundamental("AAPL", fundamental(FILED, **wrong))
        for data in NO_FUNDAMENTALS:
            with refused(InvalidData, value=data):
                subject.write_fundamental("AAPL", data)
        assert subject.read_fundamental("AAPL") == fundamental(FILED)

    def test_s1_an_extra_that_json_would_change_is_refused_by_path_and_the_old_filing_stays(
        self, subject: Recorder
    ) -> None:
        """As in a state; an empty one is not None."""
        old = fundamental(FILED, extra={})
        subject.write_fundamental("AAPL", old)
        for extra, path in CHANGED:
            with refused(NotSerializable, "data.extra", path, value=extra):
                subject.write_fundamental("AAPL", fundamental(FILED, extra=extra))
            assert subject.read_fundamental("AAPL") == old

    def test_s1_an_extra_is_a_copy_of_what_was_given_and_of_what_is_read(
        self, subject: Recorder
    ) -> None:
        """Nobody changes a filing but by writing it."""
        given: dict[str, Any] = {"eps": [1.5]}
        subject.write_fundamental("AAPL", fundamental(FILED, extra=given))
        given["eps"].append(2)
        subject.read_fundamental("AAPL").extra["eps"].append(3)
        assert subject.read_fundamental("AAPL").extra == {"eps": [1.5]}

    def test_f2_the_same_moment_replaces_whatever_its_time_zone(self, subject: Recorder) -> None:
        """There is one fundamental a symbol and instant."""
        subject.write_fundamental("AAPL", fundamental(FILED, employees=1))
        subject.write_fundamental("AAPL", fundamental(FILED.replace(tzinfo=UTC), employees=2))
        assert subject.read_fundamental("AAPL").employees == 2
        assert subject.read_fundamental("AAPL", as_of=FILED - timedelta(1)) is None
        assert subject.read_fundamental("AAPL", as_of=FILED + timedelta(1)).employees == 2
