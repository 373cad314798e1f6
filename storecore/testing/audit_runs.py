"""What a record says of itself (law A1): when the strategy stood, in which run, what it read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from storecore.audit import records as audit
from storecore.audit.context import context
from storecore.errors import InvalidData, InvalidName, NotSerializable
from storecore.models import Read
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    EVER_UTC,
    HOSTILE,
    NO_NAMES,
    NOON,
    NOON_UTC,
    TICK,
    decision,
    refused,
    sent,
)

DAY = timedelta(days=1)
READ = Read(
    "read_bars",
    {"symbol": "AAPL", "start": None, "end": "2008-01-02T21:00:00Z", "columns": ["close", 'a"}']},
    3,
    "0f" * 32,
    NOON_UTC,
    None,
    NOON_UTC + TICK,
)
AS_JSON = {
    "call": READ.call,
    "arguments": READ.arguments,
    "rows": 3,
    "sha256": READ.sha256,
    "as_of": "2026-01-05T12:00:00Z",
    "recorded": None,
    "read_at": "2026-01-05T12:00:00.000001Z",
}
ABOUT: tuple[dict[str, Any], ...] = (
    {},
    {"as_of": NOON_UTC},
    {"run": "bt-7"},
    {"reads": [READ]},
    {"as_of": NOON, "run": "Ünïcødé", "reads": []},
    {"as_of": NOON_UTC, "reads": [READ, AS_JSON]},
)
NO_ABOUT: tuple[tuple[dict[str, Any], type[Exception], tuple[str, ...]], ...] = (
    ({"as_of": date(2026, 1, 5)}, InvalidData, ("as_of",)),
    ({"as_of": "2026-01-05"}, InvalidData, ("as_of",)),
    ({"run": "*"}, InvalidData, ("run",)),
    ({"reads": READ}, InvalidData, ("reads",)),
    ({"reads": [READ, 7]}, InvalidData, ("reads[1]",)),
    ({"reads": [{**AS_JSON, "rows": -1}]}, InvalidData, ("reads[0]", "rows")),
    ({"reads": [{**AS_JSON, "sha256": "?"}]}, InvalidData, ("reads[0]", "sha256")),
    ({"reads": [{**AS_JSON, "odd": 1}]}, InvalidData, ("reads[0]", "odd")),
    ({"reads": [{**AS_JSON, "arguments": {"x": {1}}}]}, NotSerializable, ("reads[0]", "$.x")),
)


class RunLaws(Fixtures):
    """Backtests in the log, apart from what was done in earnest."""

    @pytest.fixture
    def runs(self, declared: frozenset[str], offering: Callable[..., Recorder]) -> Recorder:
        """The subject, if its log takes and gives what a record says of itself."""
        if "AuditTrail" not in declared:
            pytest.skip("the backend does not declare the capability AuditTrail")
        return offering("log_decision", "log_order", "read_decisions", "read_orders")

    def test_a1_what_a_record_says_of_itself_comes_back(self, runs: Recorder) -> None:
        """Its time in UTC, its run, its reads as JSON; None where nothing was given."""
        for about in ABOUT:
            runs.log_decision("value", decision(), **about)
            runs.log_order("value", *sent(), **about)
        expected = [_said(about) for about in ABOUT]
        for read in (runs.read_decisions, runs.read_orders):
            found = [(each.as_of, each.run, each.reads) for each in read(*EVER_UTC, run="*")]
            assert found == expected

    def test_a1_a_batch_says_the_same_of_each_record(
        self, runs: Recorder, offering: Callable[..., Recorder]
    ) -> None:
        """Of one that can be gone through once, too."""
        offering("log_decisions", "log_orders")
        about = {**ABOUT[-1], "run": "bt-7"}
        for batch in (iter(about["reads"]), about["reads"]):
            runs.log_decisions("value", [decision()] * 2, **{**about, "reads": batch})
        runs.log_orders("value", [sent()] * 4, **about)
        for read in (runs.read_decisions, runs.read_orders):
            found = [(each.as_of, each.run, each.reads) for each in read(*EVER_UTC, run="bt-7")]
            assert found == [_said(about)] * 4

    def test_a1_reads_are_copies_of_what_was_given_and_of_what_is_read(
        self, runs: Recorder
    ) -> None:
        """Nobody changes a record."""
        given: dict[str, Any] = {**AS_JSON, "arguments": {"symbols": ["AAPL"]}}
        runs.log_decision("value", decision(), reads=[given])
        given["arguments"]["symbols"].append("MSFT")
        for _ in range(2):
            (record,) = runs.read_decisions()
            assert record.reads[0]["arguments"] == {"symbols": ["AAPL"]}
            record.reads[0]["arguments"]["symbols"].append("MSFT")

    def test_a3_what_a_record_says_of_itself_is_in_the_chain(self, runs: Recorder) -> None:
        """Its hash is the one that core computes."""
        for about in ABOUT:
            runs.log_decision("value", decision(), **about)
            runs.log_order("value", *sent(), **about)
        for read in (runs.read_decisions, runs.read_orders):
            last = audit.GENESIS
            for record in read(*EVER_UTC, run="*"):
                prev, (_, link) = last.hash, audit.chained(record, last)
                assert (record.seq, record.prev, record.hash) == (link.seq, prev, link.hash)
                last = link
        report = runs.verify_audit()
        assert (report.ok, report.checked) == (True, 2 * len(ABOUT)), report

    def test_a1_the_records_of_a_run_are_apart_from_the_live_log(self, runs: Recorder) -> None:
        """Whatever its name; "*" stands for all, in the order of `seq`."""
        names = [*(name for name in HOSTILE if name != "*"), None]
        for name in names:
            runs.log_decision("value", decision(), run=name)
            runs.log_order("value", *sent(), run=name)
        for read in (runs.read_decisions, runs.read_orders):
            for number, name in enumerate(names, 1):
                assert [each.seq for each in read(run=name)] == [number], name
            assert [each.seq for each in read()] == [len(names)]
            assert [each.run for each in read(run="*")] == names
            assert read(run="none") == read(strategy_name="none", run="*") == []

    def test_t3_records_are_read_by_the_time_at_which_the_strategy_stood(
        self, runs: Recorder
    ) -> None:
        """Both ends included; that of a record without `as_of` is the time of logging."""
        for days in (2, 0, 1):
            runs.log_decision("value", decision(), as_of=NOON + days * DAY, run="bt-7")
            runs.log_order("value", *sent(), as_of=NOON + days * DAY, run="bt-7")
        runs.log_decision("value", decision())
        runs.log_order("value", *sent())
        for read in (runs.read_decisions, runs.read_orders):
            by = {"by": "as_of", "run": "bt-7"}
            assert [each.seq for each in read(**by)] == [1, 2, 3]
            assert [each.seq for each in read(NOON, NOON + DAY, **by)] == [2, 3]
            assert [each.seq for each in read(NOON + TICK, **by)] == [1, 3]
            assert [each.seq for each in read(None, date(2026, 1, 5), **by)] == [2]
            assert read(NOON, NOON + DAY, "momentum", **by) == read(NOON, NOON, run="bt-7") == []
            (live,) = read(by="as_of")
            assert read(live.timestamp, live.timestamp, by="as_of") == [live]
            assert read(live.timestamp + TICK, by="as_of") == []

    def test_t2_the_time_of_a_record_is_of_the_kind_of_the_bounds(self, runs: Recorder) -> None:
        """Naive or aware, like its timestamp; naive without bounds."""
        runs.log_decision("value", decision(), as_of=NOON_UTC)
        runs.log_order("value", *sent(), as_of=NOON)
        for read in (runs.read_decisions, runs.read_orders):
            for by in ("timestamp", "as_of"):
                assert [each.as_of for each in read(*EVER_UTC, by=by)] == [NOON_UTC]
                assert [each.as_of for each in read(by=by)] == [NOON]
                assert [each.timestamp.tzinfo for each in read(by=by)] == [None]

    def test_a1_what_a_record_cannot_say_is_refused_and_nothing_is_logged(
        self, runs: Recorder
    ) -> None:
        """The error names the keyword, and the row of a read."""
        wrong = list(NO_ABOUT)
        wrong += [({"run": each}, InvalidName, ("run",)) for each in NO_NAMES if each is not None]
        for about, kind, words in wrong:
            with refused(kind, *words, value=about):
                runs.log_decision("value", decision(), **about)
            with refused(kind, *words, value=about):
                runs.log_order("value", *sent(), **about)
        assert runs.read_decisions(run="*") == runs.read_orders(run="*") == []

    def test_a1_a_question_for_no_time_and_no_run_is_refused(self, runs: Recorder) -> None:
        """The error names the keyword."""
        for read in (runs.read_decisions, runs.read_orders):
            for by in ("date", None, 7):
                with refused(InvalidData, "by", value=by):
                    read(by=by)
            with refused(InvalidName, "run", value=""):
                read(run="")

    def test_a3_records_of_another_store_keep_what_they_say_of_themselves(
        self, runs: Recorder, having: Callable[[str], Recorder]
    ) -> None:
        """In a chain of lines with and without it."""
        having("Transfer")
        bodies = [audit.decision_body("value", decision(), context(**_all(each))) for each in ABOUT]
        lines, end = audit.chain(bodies, NOON_UTC, audit.GENESIS)
        runs.append_audit("decisions", NOON.date(), lines)
        assert [each.line for each in runs.iter_audit("decisions")] == lines
        found = runs.read_decisions(*EVER_UTC, run="*")
        assert [(each.as_of, each.run, each.reads) for each in found] == [*map(_said, ABOUT)]
        assert runs.verify_audit().heads["decisions"] == end.hash


def _all(about: dict[str, Any]) -> dict[str, Any]:
    return {"as_of": None, "run": None, "reads": None, **about}


def _said(about: dict[str, Any]) -> tuple[datetime | None, str | None, list[Any] | None]:
    """Return what is read of a record that was logged so."""
    at, reads = about.get("as_of"), about.get("reads")
    as_of = None if at is None else at.replace(tzinfo=UTC)
    return as_of, about.get("run"), None if reads is None else [AS_JSON] * len(reads)
