"""`storecore history`, `corrections` and `at`: what was known, and when."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from storecore import Event, FundamentalData, PriceBar
from storecore.builtin.memory import MemoryDataStore
from storecore.cli.store_choice import StoreChoice

JAN_5, JAN_6 = datetime(2026, 1, 5), datetime(2026, 1, 6)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


class Open(MemoryDataStore):
    """A store that a command does not close."""

    def __exit__(self, *raised):
        pass


@pytest.fixture
def store(monkeypatch):
    """A store with a correction at 00:00:01 and deletions at 00:00:02 of March 1."""
    seconds = iter(range(100))
    monkeypatch.setattr(
        "storecore.knowledge.clock.machine_now",
        lambda: (int(MARCH.timestamp()) + next(seconds)) * 1_000_000,
    )
    store = Open()
    monkeypatch.setattr(StoreChoice, "open_to_read", lambda choice: store)
    return store


def bar(at, close, **fields):
    return PriceBar("AAPL", at, 99.0, 120.0, 90.0, close, 1000, **fields)


def filing(employees):
    fields = {"company_name": "Apple", "cik": "1", "raw_xml": "<x/>", "employees": employees}
    return FundamentalData(symbol="AAPL", timestamp=JAN_5, **fields)


@pytest.fixture
def corrected(store):
    store.write_bars("AAPL", [bar(JAN_5, 100.0), bar(JAN_6, 101.0)])
    store.write_bars("AAPL", [bar(JAN_5, 102.5)])
    return store


ARGS = ("--backend", "memory")


def lines(result):
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.stdout.splitlines() if "─" not in line]


def test_the_history_of_a_day_is_each_version_with_its_instants(cli, corrected):
    told = lines(cli("history", "AAPL", "2026-01-05", *ARGS))
    assert told[0] == "AAPL, 1d: 2 versions"
    assert told[1].endswith("volume recorded (UTC) replaced (UTC)")
    assert told[2:] == [
        "2026-01-05 99.00 120.00 90.00 100.00 1,000 2026-03-01 00:00:00 2026-03-01 00:00:01",
        "2026-01-05 99.00 120.00 90.00 102.50 1,000 2026-03-01 00:00:01",
    ]


def test_the_history_of_fundamentals_says_what_changed(cli, store):
    for employees in (1, 2):
        store.write_fundamental("AAPL", filing(employees))
    store.write_fundamental(
        "AAPL",
        FundamentalData(
            symbol="AAPL",
            timestamp=JAN_5.replace(hour=1),
            company_name="A",
            cik="1",
            raw_xml="",
        ),
    )
    told = lines(cli("history", "AAPL", "2026-01-05", *ARGS))
    assert told == [
        "AAPL, fundamentals: 3 versions",
        "timestamp (UTC) recorded (UTC) replaced (UTC) what changed",
        "2026-01-05 00:00:00 2026-03-01 00:00:00 2026-03-01 00:00:01 first",
        "2026-01-05 00:00:00 2026-03-01 00:00:01 employees 1 → 2",
        "2026-01-05 01:00:00 2026-03-01 00:00:02 first",
    ]


def test_a_day_of_which_nothing_was_recorded_is_an_error(cli, corrected):
    failed = cli("history", "AAPL", "2020-01-05", *ARGS)
    assert failed.exit_code == 1
    assert "no bar (1d) and no fundamental of 'AAPL' was ever recorded for 2020-01-05" in (
        failed.output
    )


def test_corrections_are_listed_by_time_of_recording(cli, corrected):
    corrected.write_event(Event("news", None, JAN_5, JAN_5, "feed", {}))
    corrected.delete_events(date.min, date.max)
    told = lines(cli("corrections", *ARGS))
    assert told == [
        "2 corrections",
        "recorded (UTC) kind symbol timeframe of (UTC) what changed",
        "2026-03-01 00:00:01 bars AAPL 1d 2026-01-05 close 100.0 → 102.5",
        "2026-03-01 00:00:03 events 2026-01-05 deleted",
    ]
    assert lines(cli("corrections", "--symbol", "MSFT", *ARGS)) == ["0 corrections"]


@pytest.mark.parametrize(("since", "count"), [("2026-03-01", 1), ("2026-03-01T00:00:02", 0)])
def test_corrections_since_a_time(cli, corrected, since, count):
    told = lines(cli("corrections", "--since", since, *ARGS))
    assert told[0].startswith(f"{count} correction")


def test_at_shows_what_had_ended_by_then_with_later_corrections(cli, corrected):
    told = lines(cli("at", "2026-01-06T12:00", "AAPL", *ARGS))
    assert told[0] == "AAPL, 1d: 1 bar known at 2026-01-06T12:00"
    assert told[2] == "2026-01-05 99.00 120.00 90.00 102.50 1,000"
    assert lines(cli("at", "2020-01-06T12:00", "AAPL", *ARGS)) == [
        "AAPL, 1d: 0 bars known at 2020-01-06T12:00"
    ]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (["2026-01-06"], "TIME='2026-01-06'"),
        (["2026-01-09T00:00", "--recorded", "2026-01-06"], "'--recorded': '2026-01-06'"),
    ],
)
def test_a_date_is_not_one_moment(cli, corrected, given, what):
    time, *options = given
    failed = cli("at", time, "AAPL", *options, *ARGS)
    assert failed.exit_code == 1
    said = f"{what}: a date is not one moment; give a time too, as in 2026-01-06T21:00"
    assert said in failed.output


@pytest.mark.parametrize("given", ["tomorrow", "", "2026-13-05T10:00"])
def test_what_is_neither_a_time_nor_a_snapshot_is_named_with_what_is_expected(
    cli, corrected, given
):
    failed = cli("at", given, "AAPL", *ARGS)
    assert (failed.exit_code, failed.output) == (
        1,
        f"Error: TIME={given!r}: it is no snapshot, and no ISO date and time such as "
        "2026-01-05T21:00\n",
    )


def test_at_names_a_similar_snapshot(cli, corrected):
    corrected.snapshot("2026-q1")
    failed = cli("at", "2026-q2", "AAPL", *ARGS)
    assert "it is no snapshot (did you mean '2026-q1'?)" in failed.output


EXPECTED = "expected an ISO date or time such as 2026-01-05 or 2026-01-05T14:30:00+01:00"
DATED = [
    ("history", "AAPL", "{}"),
    ("corrections", "--since", "{}"),
    ("at", "2026-01-05T10:00", "AAPL", "--recorded", "{}"),
    ("replay", "--since", "{}"),
    ("evidence", "--start", "{}", "out"),
    ("evidence", "--end", "{}", "out"),
    ("show", "AAPL", "--start", "{}"),
    ("show", "AAPL", "--end", "{}"),
]


@pytest.mark.parametrize("command", DATED, ids=" ".join)
def test_each_command_with_dates_names_the_option_the_value_and_what_is_expected(cli, command):
    option = next((each for each in command if each.startswith("--")), "DATE")
    given = [each.format("5.1.2026") for each in command]
    failed = cli(*given, *ARGS)
    assert failed.exit_code == 1
    assert f"Invalid value for '{option}': '5.1.2026': {EXPECTED}" in failed.output


@pytest.mark.parametrize("command", DATED, ids=" ".join)
def test_each_command_with_dates_refuses_a_time_outside_the_years_in_utc(cli, command):
    given = [each.format("0001-01-01T00:00+14:00") for each in command]
    failed = cli(*given, *ARGS)
    assert failed.exit_code == 1
    said = "'0001-01-01T00:00:00+14:00': expected a time in the years 1 to 9999 in UTC"
    assert said in failed.output


@pytest.mark.parametrize("command", [("show", "AAPL"), ("evidence", "out")])
def test_a_start_after_the_end_names_both_options(cli, corrected, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed = cli(*command, "--start", "2026-02-01", "--end", "2026-01-01T10:00Z", *ARGS)
    assert failed.exit_code == 1
    said = "--start 2026-02-01 is after --end 2026-01-01 10:00:00: give the earlier one first"
    assert said in failed.output


def test_bounds_with_an_offset_and_without_one_are_compared_in_utc(cli, corrected):
    bounds = "--start", "2026-01-05T01:00+01:00", "--end", "2026-01-05T23:00"
    told = lines(cli("show", "AAPL", *bounds, *ARGS))
    assert told[0] == "AAPL, 1d: the last 1 of 1 bar"


def test_at_names_similar_symbols_if_there_are_no_bars(cli, corrected):
    failed = cli("at", "2026-01-06T12:00", "AAPLE", *ARGS)
    assert (failed.exit_code, failed.output) == (
        1,
        "Error: no 1d bars of 'AAPLE'; did you mean 'AAPL'?\n",
    )


def test_corrections_say_that_earlier_ones_were_pruned(cli, corrected):
    since = corrected.recorded_now().isoformat()
    corrected.prune_history(corrected.recorded_now())
    said = "earlier ones are not known: that history was pruned, or is not kept"
    assert lines(cli("corrections", *ARGS)) == ["0 corrections", said]
    assert lines(cli("corrections", "--since", since, *ARGS)) == ["0 corrections", said]
    later = corrected.recorded_now().isoformat()
    assert lines(cli("corrections", "--since", later, *ARGS)) == ["0 corrections"]
    assert lines(cli("corrections", "--since", "2999-01-01", *ARGS)) == ["0 corrections"]


def test_a_store_without_history_cannot_tell(cli, backend_with):
    backend_with("Catalog")
    failed = cli("corrections", "--backend", "partial")
    assert failed.exit_code == 1
    assert "lacks the capability History" in failed.output


def test_at_also_shows_what_was_held_at_a_time_of_recording(cli, corrected):
    now = "2026-03-01T00:00:00"
    told = lines(cli("at", "2026-01-09T00:00", "AAPL", "--recorded", now, "--last", 1, *ARGS))
    assert told[0] == "AAPL, 1d: 1 bar known at 2026-01-09T00:00"
    assert told[3] == f"AAPL, 1d: 1 bar known at 2026-01-09T00:00, as recorded by {now}"
    told = lines(cli("at", "2026-01-06T00:00", "AAPL", "--recorded", now, *ARGS))
    assert [told[2].split()[4], told[5].split()[4]] == ["102.50", "100.00"]


def test_at_shows_what_was_held_at_a_time_after_the_pruning(cli, corrected):
    now = corrected.recorded_now()
    corrected.prune_history(now)
    recorded = now.isoformat().removesuffix("+00:00")
    told = lines(cli("at", "2026-01-06T00:00", "AAPL", "--recorded", recorded, *ARGS))
    assert told[3] == f"AAPL, 1d: 1 bar known at 2026-01-06T00:00, as recorded by {recorded}"
    assert [told[2].split()[4], told[5].split()[4]] == ["102.50", "102.50"]


def test_at_takes_the_name_of_a_snapshot(cli, corrected):
    corrected.snapshot("2026-q1")
    corrected.write_bars("AAPL", [bar(JAN_5, 103.0)])
    told = lines(cli("at", "2026-q1", "AAPL", *ARGS))
    assert told[0] == "AAPL, 1d: 2 bars known at 2026-q1"
    assert told[2].split()[4] == "102.50"


def test_a_snapshot_may_have_a_date_as_its_name(cli, corrected):
    corrected.snapshot("2026-03-01")
    told = lines(cli("at", "2026-03-01", "AAPL", *ARGS))
    assert told[0] == "AAPL, 1d: 2 bars known at 2026-03-01"


def test_further_columns_and_times_of_day_are_shown_in_a_history(cli, store):
    for value in (1.5, 2.5):
        store.write_bars("AAPL", [bar(JAN_5.replace(hour=9), 1.0, extra={"vwap": value})])
    told = lines(cli("history", "AAPL", "2026-01-05T09:00", *ARGS))
    assert told[1].endswith("volume vwap recorded (UTC) replaced (UTC)")
    assert [line.split()[7] for line in told[2:]] == ["1.5", "2.5"]


def test_a_history_says_that_earlier_versions_were_pruned(cli, corrected):
    said = "earlier ones are not known: that history was pruned, or is not kept"
    assert lines(cli("history", "AAPL", "2026-01-05", *ARGS))[-1] != said
    corrected.prune_history(corrected.recorded_now())
    told = lines(cli("history", "AAPL", "2026-01-05", *ARGS))
    assert (told[0], told[-1]) == ("AAPL, 1d: 1 version", said)


def test_a_symbol_that_may_be_misspelt_is_named(cli, corrected):
    corrected.write_fundamental("MSFT", FundamentalData(**FILING))
    failed = cli("history", "MSTF", "2026-01-05", *ARGS)
    assert "for 2026-01-05 (did you mean 'MSFT'?)\n" in failed.output
    said = lines(cli("corrections", "--symbol", "AAPLE", *ARGS))
    assert said == ["0 corrections (did you mean 'AAPL'?)"]
    assert lines(cli("corrections", "--symbol", "MSFT", *ARGS)) == ["0 corrections"]


FILING = {"symbol": "MSFT", "timestamp": JAN_6, "company_name": "M", "cik": "1", "raw_xml": ""}


def test_without_a_catalog_no_similar_symbol_is_named(cli, backend_with):
    failed = cli("history", "AAPLE", "2026-01-05", *backend_with("History"))
    assert failed.output.endswith("was ever recorded for 2026-01-05\n")


def test_as_json_versions_corrections_and_views_are_objects(cli, corrected):
    corrected.write_fundamental("AAPL", filing(10))
    found = json.loads(cli("history", "AAPL", "2026-01-05", "--json", *ARGS).stdout)
    assert [each["bar"]["close"] for each in found["bars"]] == [100.0, 102.5]
    assert (found["fundamentals"][0]["data"]["employees"], found["is_pruned"]) == (10, False)
    (change,) = json.loads(cli("corrections", "--json", *ARGS).stdout)["corrections"]
    assert (change["before"]["close"], change["after"]["close"]) == (100.0, 102.5)
    asked = ("at", "2026-02-01T00:00", "AAPL", "--recorded", "2026-03-01T00:00:00.5", "--json")
    views = json.loads(cli(*asked, *ARGS).stdout)["views"]
    assert [[bar["close"] for bar in each["bars"]] for each in views] == [
        [102.5, 101.0],
        [100.0, 101.0],
    ]
