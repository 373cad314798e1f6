"""`storecore replay`, `why` and `evidence`: which decisions saw what was corrected since."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from storecore import Action, Decision, FundamentalData, InvalidData, Order, OrderResult, PriceBar
from storecore.cli.replay import change_of
from storecore.knowledge.replay import ChangedRow

DAY, FIRST = timedelta(days=1), datetime(2026, 1, 1)


def decide(store, day, run=None):
    view = store.at(FIRST + (day + 1) * DAY)
    view.read_bars("AAPL", last=2)
    view.load_strategy_state("value")
    decision = Decision("AAPL", Action.BUY, 0.5, 0.5, f"day {day}", {"why": [day]})
    as_of = FIRST + (day + 1) * DAY
    store.log_decision("value", decision, as_of=as_of, run=run, reads=view.receipt())


@pytest.fixture
def log(opened, ten_bars):
    """Decisions of days 3 to 7, one without receipts and one order; then a bar is corrected."""
    with opened() as store:
        for day in range(3, 8):
            decide(store, day, "bt-7" if day == 6 else None)
        store.log_decision("other", Decision("AAPL", Action.HOLD, 0, 0, "none"))
        view = store.at(FIRST + 5 * DAY)
        view.read_bar_table("AAPL", columns=["date", "close"])
        order = Order("value", "AAPL", "BUY", 1, "MARKET")
        store.log_order("value", order, OrderResult("1", "filled"), reads=view.receipt())


@pytest.fixture
def corrected(log, opened):
    with opened() as store:
        store.write_bars("AAPL", [PriceBar("AAPL", FIRST + 5 * DAY, 99.5, 120.0, 90.0, 55.5, 1000)])


def test_nothing_is_reported_while_nothing_was_corrected(cli, at, log):
    said = cli("replay", *at).stdout
    assert said == (
        "5 decisions, 1 of them without receipts\n8 reads: 8 same, 0 corrected, 0 pruned\n"
    )


def test_the_decisions_that_saw_the_old_bar_are_named(cli, at, corrected):
    result = cli("replay", *at)
    assert result.exit_code == 0
    titles = [line for line in result.stdout.splitlines() if line.startswith("record")]
    assert [title[:25] for title in titles] == ["record 3: value buy AAPL,"]
    assert "as of 2026-01-07" in titles[0]
    assert "corrected: read_bars(symbol='AAPL', timeframe='1d', last=2) as of" in result.stdout
    assert "8 reads: 7 same, 1 corrected, 0 pruned" in result.stdout


def test_the_decisions_of_a_run_and_of_a_strategy_are_asked_for(cli, at, corrected):
    said = cli("replay", "--run", "bt-7", *at).stdout
    assert "record 4: value buy AAPL" in said
    assert ", run bt-7" in said
    assert "1 decision, 0 of them without receipts" in said
    assert "6 decisions, 1 of them" in cli("replay", "--run", "*", *at).stdout
    assert "1 decision, 1 of them" in cli("replay", "--strategy", "other", *at).stdout
    late = "--since", "2999-01-01"
    assert "0 decisions, 0 of them" in cli("replay", *late, *at).stdout
    assert "0 decisions, 0 of them" in cli("replay", *late, "--strategy", "other", *at).stdout
    assert "0 decisions, 0 of them" in cli("replay", *late, "--run", "*", *at).stdout


def test_orders_are_replayed_too(cli, at, corrected):
    said = cli("replay", "--orders", *at).stdout
    assert "1 order, 0 of them without receipts\n1 read: 1 same" in said


def test_a_read_that_cannot_be_asked_again_is_reported_and_the_others_are_replayed(
    cli, at, log, opened, tmp_path
):
    with opened() as store:
        (read, *_) = store.read_decisions()[0].reads
        hold = Decision("AAPL", Action.HOLD, 0, 0, "later")
        store.log_decision("later", hold, reads=[{**read, "call": "read_ticks"}])
        store.log_decision("later", hold, reads=[read])
    result = cli("replay", *at)
    assert result.exit_code == 1
    assert "record 7 cannot be replayed: a read of 'read_ticks' cannot be replayed" in result.stdout
    assert "9 reads: 9 same" in result.stdout
    assert result.stderr == "Error: 1 decision could not be replayed\n"
    assert "1 read without rows" in cli("evidence", *at, tmp_path / "out").stdout
    done = subprocess.run([sys.executable, "-I", tmp_path / "out/verify.py"], capture_output=True)
    assert (done.returncode, b"no rows: read 0 of record 7 of decisions" in done.stdout) == (
        2,
        True,
    )


def test_a_decision_is_shown_with_what_it_saw(cli, at, log):
    said = cli("why", 1, *at).stdout
    assert said.startswith("record 1: value buy AAPL, logged ")
    assert "  reasoning: day 3\n" in said
    assert "  extra: {'why': [3]}\n" in said
    assert (
        "\nread_bars(symbol='AAPL', timeframe='1d', last=2) as of 2026-01-05 00:00:00: 2 rows\n"
        in said
    )
    assert '"close":103.0' in said
    assert "load_strategy_state(strategy_name='value') as of 2026-01-05 00:00:00: 0 rows" in said
    last = cli("why", 1, "--rows", 1, *at).stdout
    assert '"close":102.0' not in last
    assert "  … 1 more before these: give --rows 2\n" in last
    assert "it was logged without receipts" in cli("why", 6, *at).stdout


def test_an_order_is_shown_with_what_it_saw(cli, at, log):
    said = cli("why", 1, "--orders", *at).stdout
    assert "record 1: value BUY AAPL" in said
    assert "  status: filled\n" in said
    assert '["2026-01-04T00:00:00Z",103.0]' in said
    last = cli("why", 1, "--orders", "--rows", 1, *at).stdout
    assert '{"columns":[["date","timestamp"],["close","float64"]]}\n  … 4 more' in last


def test_numbers_that_are_not_finite_are_shown_by_their_names(cli, at, opened):
    extra = {"vwap": float("nan"), "gap": float("-inf"), "code": "00000000000000ff"}
    with opened() as store:
        store.write_bars("AAPL", [PriceBar("AAPL", FIRST, 1.0, 1.0, 1.0, 1.0, 1, extra=extra)])
        decide(store, 3)
    said = cli("why", 1, *at).stdout
    assert '"value":nan}' in said
    assert '"value":-inf}' in said
    assert '"value":"00000000000000ff"}' in said


@pytest.mark.parametrize(
    ("option", "given", "near"),
    [("--strategy", "valeu", "value"), ("--run", "bt7", "bt-7")],
)
def test_a_strategy_or_run_without_records_may_be_misspelt(cli, at, log, option, given, near):
    result = cli("replay", option, given, *at)
    assert result.exit_code == 1
    what = option.removeprefix("--")
    assert result.stderr == f"Error: no record of the {what} {given!r} (did you mean {near!r}?)\n"


def test_what_was_read_and_is_gone_says_so(cli, at, log, opened):
    with opened() as store:
        store.write_bars("AAPL", [PriceBar("AAPL", FIRST + 3 * DAY, 99.5, 120.0, 90.0, 1.0, 1)])
        if hasattr(store, "prune_history"):
            store.prune_history(store.recorded_now())
    assert "what was read is gone" in cli("why", 1, *at).stdout


def test_a_record_that_there_is_not_is_an_error(cli, at, log):
    result = cli("why", 99, *at)
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: there is no record 99: the last one is 6\n",
    )
    assert "the last one is 1" in cli("why", 2, "--orders", *at).stderr


def test_a_log_without_records_has_none(cli, at, ten_bars):
    assert "there is no record 1: the last one is 0" in cli("why", 1, *at).stderr


def test_a_backend_that_cannot_read_its_log_says_so(cli, backend_with):
    backend_with("Catalog")
    assert "cannot read its audit log" in cli("replay", "--backend", "partial").stderr


def test_evidence_is_written_and_verifies_itself(cli, at, log, tmp_path):
    out = tmp_path / "evidence"
    said = cli("evidence", "--start", "2026-01-01", *at, out).stdout
    assert said.splitlines() == [
        f"6 decisions, 1 order, 11 reads: written to {out}",
        f"verify with: python3 {out / 'verify.py'}",
    ]
    done = subprocess.run([sys.executable, "-I", out / "verify.py"], capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "ACCEPTED")


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        (["--run", "bt-7"], "1 decision, 0 orders, 2 reads"),
        (["--as-of", "--start", "2026-01-05", "--end", "2026-01-06"], "2 decisions, 0 orders"),
        (["--as-of", "--run", "bt-7", "--start", "2026-01-08"], "1 decision, 0 orders, 2 reads"),
    ],
)
def test_evidence_of_a_run_and_of_the_times_of_a_backtest(cli, at, log, tmp_path, given, counts):
    out = tmp_path / "evidence"
    assert cli("evidence", *given, *at, out).stdout.startswith(counts)
    done = subprocess.run([sys.executable, "-I", out / "verify.py"], capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "ACCEPTED")


def test_evidence_of_nothing_is_an_error_and_writes_nothing(cli, at, log, tmp_path):
    result = cli("evidence", "--end", "2008-12-31", *at, tmp_path / "out")
    assert result.exit_code == 1
    assert "--start and --end are times of logging" in result.stderr
    assert not (tmp_path / "out").exists()


def test_evidence_needs_a_new_folder(cli, at, log, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    for place in (tmp_path / "full", tmp_path / "full" / "x"):
        assert "exists; give a new folder" in cli("evidence", *at, place).stderr
    (tmp_path / "empty").mkdir()
    assert cli("evidence", *at, tmp_path / "empty").exit_code == 0


BAR = PriceBar("AAPL", FIRST, 1.0, 2.0, 3.0, 4.0, 5)
FILING = FundamentalData(symbol="A", timestamp=FIRST, company_name="A", cik="1", raw_xml="")
CHANGES = {
    "a bar": ((BAR, PriceBar("AAPL", FIRST, 1.0, 2.0, 3.0, 9.5, 5)), "close 4.0 → 9.5"),
    "a new bar": ((None, BAR), "was not in the answer"),
    "a bar that is gone": ((BAR, None), "is no longer in the answer"),
    "a row": (({"close": 1.0}, {"close": 2.0, "x": 1}), "close 1.0 → 2.0, x None → 1"),
    "a name": (("A", "B"), "value 'A' → 'B'"),
}


@pytest.mark.parametrize(("rows", "words"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_told_by_its_fields(rows, words):
    assert change_of(ChangedRow("AAPL", FIRST, *rows)) == f"AAPL 2026-01-01: {words}"
    assert (
        change_of(ChangedRow(None, None, *rows, FIRST))
        == f"the answer: {words}, recorded 2026-01-01"
    )


def test_as_json_a_replay_is_one_object(cli, at, corrected):
    found = json.loads(cli("replay", "--json", *at).stdout)
    assert (found["decisions"], found["without_receipts"]) == (5, 1)
    assert found["reads"] == {"same": 7, "corrected": 1, "pruned": 0}
    (changed,) = found["changed"]
    (read,) = changed["reads"]
    assert (changed["seq"], read["status"], read["rows"][0]["after"]["close"]) == (
        3,
        "corrected",
        55.5,
    )


def test_as_json_records_that_cannot_be_replayed_are_listed(cli, at, log, monkeypatch):
    def fail(store, record):
        raise InvalidData("a read of a later release")

    monkeypatch.setattr("storecore.cli.replay.replay_of", fail)
    result = cli("replay", "--json", "--strategy", "other", *at)
    found = json.loads(result.stdout)
    assert (result.exit_code, found["failed"][0]["why"]) == (1, "a read of a later release")


def test_as_json_a_record_is_an_object_with_what_was_read(cli, at, corrected, opened):
    found = json.loads(cli("why", "3", "--rows", "1", "--json", *at).stdout)
    bars = found["reads"][0]
    assert (found["decision"]["reasoning"], bars["rows"], len(bars["seen"])) == ("day 5", 2, 1)
    order = json.loads(cli("why", "1", "--orders", "--rows", "1", "--json", *at).stdout)
    assert len(order["reads"][0]["seen"]) == 2  # the columns, and a row
    with opened() as store:
        store.prune_history(store.recorded_now())
    assert json.loads(cli("why", "3", "--json", *at).stdout)["reads"][0]["seen"] is None
    assert json.loads(cli("why", "6", "--json", *at).stdout)["reads"] is None
