"""`ls`, `events`, `fundamentals`, `state`, `audit` and `show` print what a store holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

import storecore
from storecore import Event, FundamentalData, OrderResult, PriceBar
from storecore.cli import audit as audit_module

DAY = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def some_events(opened):
    """Store three events: two of AAPL, of which one was known late, and one of the system."""
    late = DAY.replace(day=9)
    with opened() as store:
        store.write_event(Event("split", "AAPL", DAY, DAY, "feed", {"ratio": 2}))
        store.write_event(Event("news", "AAPL", DAY.replace(day=6), late, "wire", {"title": "x"}))
        store.write_event(Event("halt", None, DAY.replace(day=7), DAY, "own", {}))


@pytest.fixture
def a_filing(opened):
    data = FundamentalData(
        symbol="AAPL",
        timestamp=DAY,
        company_name="Apple",
        cik="320193",
        employees=164_000,
        raw_xml="<filing/>",
        extra={"eps": 1.5},
    )
    with opened() as store:
        store.write_fundamental("AAPL", data)


@pytest.fixture
def a_log(opened, decision, order):
    """Log two decisions and an order of two strategies, and a decision of a run."""
    with opened() as store:
        store.log_decision("value", decision())
        store.log_order("value", order(), OrderResult("1", "filled", 100.0, 10))
        store.log_decision("other", decision(symbol="MSFT", reasoning="dear"))
        store.log_decision("value", decision(), run="bt-1")


def types_of(result):
    return [each["type"] for each in json.loads(result.stdout)]


class TestEvents:
    """`storecore events`."""

    def test_they_are_printed_by_time_with_their_payload(self, cli, at, some_events):
        printed = cli("events", *at).stdout
        assert printed.startswith("the last 3 of 3 events\n")
        assert '"ratio":2' in printed

    @pytest.mark.parametrize(
        ("args", "types"),
        [
            ((), ["split", "news", "halt"]),
            (("--type", "news", "--type", "halt"), ["news", "halt"]),
            (("--symbol", "AA*"), ["split", "news"]),
            (("--symbol", "X"), []),
            (("--start", "2026-01-06", "--end", "2026-01-06"), ["news"]),
            (("--known-by", "2026-01-08T00:00"), ["split", "halt"]),
            (("--last", 1), ["halt"]),
        ],
    )
    def test_they_are_chosen_by_type_symbol_and_time(self, cli, at, some_events, args, types):
        assert types_of(cli("events", "--json", *args, *at)) == types

    def test_none_is_no_error(self, cli, at, some_events):
        assert cli("events", "--type", "x", *at).stdout == "the last 0 of 0 events\n"

    def test_a_backend_without_streams_reads_them_at_once(self, cli, backend_with):
        assert types_of(cli("events", "--json", *backend_with())) == []


class TestFundamentals:
    """`storecore fundamentals`."""

    def test_they_are_a_table_by_time_of_filing(self, cli, at, a_filing):
        printed = cli("fundamentals", "AAPL", *at).stdout
        assert printed.startswith("AAPL: 1 fundamental\n")
        assert "164,000" in printed
        assert '{"eps":1.5}' in printed

    def test_as_json_they_have_all_fields(self, cli, at, a_filing):
        (found,) = json.loads(cli("fundamentals", "AAPL", "--json", *at).stdout)
        assert (found["raw_xml"], found["extra"]) == ("<filing/>", {"eps": 1.5})

    def test_a_misspelled_symbol_gets_the_nearest(self, cli, at, a_filing):
        assert "did you mean 'AAPL'" in cli("fundamentals", "APPL", *at).stderr

    def test_a_backend_that_cannot_list_them_is_asked_one_by_one(self, cli, backend_with):
        told = cli("fundamentals", "AAPL", *backend_with()).stderr
        assert told == "Error: no fundamentals of 'AAPL'\n"

    def test_the_range_without_any_is_named(self, cli, at, a_filing):
        told = cli("fundamentals", "AAPL", "--end", "1999-12-31", *at).stderr
        assert told == "Error: no fundamentals of 'AAPL' in that range\n"


class TestState:
    """`storecore state`."""

    @pytest.fixture(autouse=True)
    def saved(self, opened):
        with opened() as store:
            store.save_strategy_state("value", {"cash": 1})
            store.save_strategy_state("value", {"cash": 2})

    def test_the_state_is_printed_with_its_version(self, cli, at):
        printed = cli("state", "value", *at).stdout
        assert printed.startswith("value, version 2, saved 2")
        assert printed.endswith('{\n  "cash": 2\n}\n')

    def test_as_json_it_is_an_object(self, cli, at):
        found = json.loads(cli("state", "value", "--json", *at).stdout)
        assert (found["version"], found["state"]) == (2, {"cash": 2})

    def test_its_history_is_an_array_the_newest_first(self, cli, at):
        found = json.loads(cli("state", "value", "--history", "--json", *at).stdout)
        assert [each["state"]["cash"] for each in found] == [2, 1]

    def test_a_misspelled_strategy_gets_the_nearest(self, cli, at):
        told = cli("state", "valeu", *at).stderr
        assert told.startswith("Error: no saved state of 'valeu' (did you mean 'value'")

    def test_a_backend_without_versions_has_a_state_but_no_history(self, cli, backend_with):
        at = backend_with()
        assert "no saved state of 'value'\n" in cli("state", "value", *at).stderr
        assert "VersionedState" in cli("state", "value", "--history", *at).stderr


def test_a_state_without_a_version_is_printed_without_one(cli, backend_with, tmp_path):
    file = tmp_path / "states.jsonl"
    file.write_text('{"strategy": "value", "state": {"cash": 1}}\n')
    at = backend_with("Catalog")
    assert cli("import", file, "--kind", "states", *at).exit_code == 0
    assert cli("state", "value", *at).stdout == 'value\n{\n  "cash": 1\n}\n'
    exported = cli("export", "--kind", "states", "-o", "-", *at).stdout
    assert json.loads(exported) == {"strategy": "value", "state": {"cash": 1}}


class TestAudit:
    """`storecore audit`."""

    def logged(self, cli, *args):
        found = json.loads(cli("audit", "--json", *args).stdout)
        return [(each["log"], each["seq"], each["strategy"]) for each in found]

    def test_decisions_and_orders_are_printed_by_time(self, cli, at, a_log):
        printed = cli("audit", *at).stdout
        assert printed.startswith("the last 3 records\n")
        assert "0.5: cheap" in printed
        assert "10 MARKET: filled at 100.0" in printed

    def test_as_json_they_name_their_log(self, cli, at, a_log):
        assert self.logged(cli, *at) == [
            ("decisions", 1, "value"),
            ("orders", 1, "value"),
            ("decisions", 2, "other"),
        ]

    def test_they_are_chosen_by_strategy_run_time_and_number(self, cli, at, a_log):
        assert self.logged(cli, "--strategy", "other", *at) == [("decisions", 2, "other")]
        assert self.logged(cli, "--run", "bt-1", *at) == [("decisions", 3, "value")]
        assert len(self.logged(cli, "--run", "*", *at)) == 4
        assert self.logged(cli, "--last", 1, *at) == [("decisions", 2, "other")]
        assert self.logged(cli, "--since", "2100-01-01", *at) == []
        assert len(self.logged(cli, "--since", "2020-01-01", *at)) == 3

    def test_none_is_no_error(self, cli, at, opened):
        opened().close()
        assert cli("audit", *at).stdout == "the last 0 records\n"

    @pytest.mark.parametrize("as_json", [False, True])
    def test_it_follows_what_is_logged_until_it_is_interrupted(
        self, cli, at, a_log, opened, decision, monkeypatch, as_json
    ):
        def log_then_interrupt(seconds):
            with opened() as store:
                if len(store.read_decisions(run="*")) > 3:
                    raise KeyboardInterrupt
                store.log_decision("value", decision(reasoning="new"))

        monkeypatch.setattr(audit_module, "time", SimpleNamespace(sleep=log_then_interrupt))
        result = cli("audit", "--follow", "--last", 1, *(("--json",) if as_json else ()), *at)
        assert result.exit_code == 0, result.output
        first, new = result.stdout.splitlines()
        assert "dear" in first
        assert "new" in new
        assert json.loads(new)["seq"] == 4 if as_json else "0.5: new" in new

    def page(self, cli, tmp_path, *args):
        result = cli("audit", "--html", tmp_path / "a.html", *args)
        assert result.exit_code == 0, result.output
        assert result.stdout.endswith("a.html\n")
        return (tmp_path / "a.html").read_text()

    def test_a_page_has_the_records_of_the_last_day(self, cli, at, a_log, tmp_path):
        page = self.page(cli, tmp_path, *at)
        day = datetime.now(UTC).date()
        assert f'<h1 dir="auto">Audit log of {day}</h1>' in page
        assert page.count('<details class="record') == 3
        assert "The chains of the log are intact" in page

    @pytest.mark.parametrize(
        ("asked", "heading", "count"),
        [
            (("--day", "2020-01-01"), "Audit log of 2020-01-01", 0),
            (("--since", "2020-01-01"), "Audit log since 2020-01-01", 3),
            (("--last", 1), "Audit log", 1),
            (("--last", 9, "--run", "*"), "Audit log, with all runs", 4),
            (("--last", 9, "--run", "bt-1"), "Audit log, run bt-1", 1),
            (("--last", 9, "--strategy", "other"), "Audit log, strategy other", 1),
            (("--run", "none"), "Audit log, run none", 0),
        ],
    )
    def test_a_page_has_the_records_that_are_asked_for(
        self, cli, at, a_log, tmp_path, asked, heading, count
    ):
        page = self.page(cli, tmp_path, *asked, *at)
        assert f">{heading}</h1>" in page
        assert page.count('<details class="record') == count

    def test_a_page_of_several_days_has_the_last_one(self, a_log, opened, monkeypatch):
        days = [datetime(2026, 1, day, 12, tzinfo=UTC) for day in (5, 6, 6)]
        entries = [SimpleNamespace(about=SimpleNamespace(timestamp=day)) for day in days]
        found, day = audit_module._last_day(entries)
        assert (found, day) == (entries[1:], days[1].date())

    def test_a_day_is_a_day_and_excludes_since(self, cli, at, a_log):
        assert len(self.logged(cli, "--day", datetime.now(UTC).date(), *at)) == 3
        assert "expected a day" in cli("audit", "--day", "2026-01-05T10:00", *at).stderr
        both = ("--day", "2026-01-05", "--since", "2026-01-05")
        assert "exclude each other" in cli("audit", *both, *at).stderr

    @pytest.mark.parametrize("other", ["--follow", "--json"])
    def test_a_page_is_not_followed_and_no_json(self, cli, at, a_log, tmp_path, other):
        result = cli("audit", "--html", tmp_path / "a.html", other, *at)
        assert "give it without --follow and --json" in result.stderr

    def test_a_backend_without_streams_reads_it_at_once(self, cli, backend_with, opened):
        assert self.logged(cli, *backend_with("AuditTrail")) == []

    def test_the_records_of_a_backend_without_streams_are_printed_and_on_the_page(
        self, cli, backend_with, decision, tmp_path
    ):
        options = backend_with("AuditTrail")
        with storecore.open_store("partial") as store:
            store.log_decision("value", decision())
            store.log_decision("value", decision())
        found = [("decisions", 1, "value"), ("decisions", 2, "value")]
        assert self.logged(cli, *options) == found
        assert self.page(cli, tmp_path, *options).count('<details class="record') == 2

    def test_following_a_backend_without_streams_begins_after_the_last_record(
        self, backend_with, decision
    ):
        backend_with("AuditTrail")
        with storecore.open_store("partial") as store:
            for _ in range(2):
                store.log_decision("value", decision())
            (line,) = audit_module._reader(store)("decisions", 1)
        assert json.loads(line)["seq"] == 2

    def test_a_backend_that_cannot_read_it_says_so(self, cli, backend_with):
        assert "cannot read its audit log back" in cli("audit", *backend_with()).stderr


class TestLs:
    """`storecore ls`."""

    def symbols(self, cli, *args):
        return [each["symbol"] for each in json.loads(cli("ls", "--json", *args).stdout)]

    @pytest.fixture(autouse=True)
    def series(self, opened, ten_bars):
        with opened() as store:
            for symbol, timeframe in (("AMD", "1m"), ("MSFT", "1d")):
                bar = PriceBar(symbol, datetime(2026, 1, 5), 1, 1, 1, 1, 1)
                store.write_bars(symbol, [bar], timeframe=timeframe)

    def test_series_are_a_table(self, cli, at):
        printed = cli("ls", *at).stdout
        rows = [line.split() for line in printed.splitlines()]
        assert ["AAPL", "1d", "2026-01-01", "2026-01-10", "10"] in rows

    def test_they_are_chosen_by_patterns_and_timeframe(self, cli, at):
        assert self.symbols(cli, "A*", *at) == ["AAPL", "AMD"]
        assert self.symbols(cli, "A*", "--timeframe", "1d", *at) == ["AAPL"]
        assert self.symbols(cli, "MSFT", "AMD", *at) == ["AMD", "MSFT"]

    def test_none_is_an_empty_array_or_nothing(self, cli, at):
        assert self.symbols(cli, "Z*", *at) == []
        assert cli("ls", "Z*", *at).stdout == ""

    def test_other_data_are_listed_by_name(self, cli, at, opened, some_events, a_filing):
        with opened() as store:
            store.save_strategy_state("value", {})
        assert cli("ls", "--kind", "events", *at).stdout == "AAPL\n"
        assert cli("ls", "--kind", "fundamentals", *at).stdout == "AAPL\n"
        assert json.loads(cli("ls", "--kind", "states", "--json", *at).stdout) == ["value"]

    def test_a_backend_that_cannot_list_is_an_error_that_says_so(self, cli, backend_with):
        assert "it lacks the capability Catalog" in cli("ls", *backend_with()).stderr

    def test_a_backend_of_an_earlier_api_reads_what_it_cannot_list(self, cli, backend_with):
        at = backend_with("Catalog", "Transfer")
        assert cli("ls", "--kind", "events", *at).exit_code == 0
        assert cli("ls", "--kind", "fundamentals", *at).exit_code == 0


class TestShow:
    """`storecore show` in a zone, and as JSON."""

    @pytest.fixture(autouse=True)
    def minutes(self, opened, ten_bars):
        with opened() as store:
            bar = PriceBar("X", datetime(2026, 1, 5, 14, 30), 1, 2, 0.5, 1.5, 10)
            store.write_bars("X", [bar], timeframe="1m")

    def test_times_are_shown_in_a_zone(self, cli, at):
        args = ("show", "X", "--timeframe", "1m", "--timezone", "America/New_York")
        printed = cli(*args, *at).stdout
        assert "date (America/New_York)" in printed
        assert "2026-01-05 09:30:00" in printed

    def test_days_are_the_same_in_every_zone(self, cli, at):
        assert "2026-01-10 " in cli("show", "AAPL", "--timezone", "America/New_York", *at).stdout

    def test_a_zone_that_is_none_is_wrong_use(self, cli, at):
        assert "no time zone 'Mars'" in cli("show", "AAPL", "--timezone", "Mars", *at).stderr

    def test_as_json_bars_have_all_digits_and_times_in_utc(self, cli, at):
        (bar,) = json.loads(cli("show", "X", "--timeframe", "1m", "--json", *at).stdout)
        assert (bar["date"], bar["close"], bar["extra"]) == ("2026-01-05T14:30:00Z", 1.5, None)

    def test_a_range_is_counted_by_itself(self, cli, at):
        printed = cli("show", "AAPL", "--start", "2026-01-08", "--last", 1, *at).stdout
        assert "the last 1 of 3 bars" in printed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_of_a_shell_calls_storecore(cli, shell):
    assert "_STORECORE_COMPLETE" in cli("completion", shell).stdout
