"""`storecore snapshot`, `snapshots`, `prune-history`, and what `info` says of a history."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from click.testing import CliRunner

from storecore import PriceBar
from storecore.cli.app import app

JAN_5 = datetime(2026, 1, 5)


@pytest.fixture
def corrected(opened, ten_bars):
    """Replace a bar of the file store of the test."""
    with opened() as store:
        store.write_bars("AAPL", [PriceBar("AAPL", JAN_5, 1.0, 1.0, 1.0, 1.0, 1)])
        return store.recorded_now()


def test_a_snapshot_is_made_listed_and_asked_for(cli, at, opened, ten_bars):
    assert cli("snapshots", *at).stdout == "0 snapshots\n"
    made = cli("snapshot", "2026-q1", "--note", "as filed", *at)
    assert made.exit_code == 0, made.output
    assert made.stdout.startswith("2026-q1: what is recorded by 20")
    with opened() as store:
        (kept,) = store.snapshots()
        store.write_bars("AAPL", [PriceBar("AAPL", JAN_5, 1.0, 1.0, 1.0, 1.0, 1)])
    count, headings, _, row = cli("snapshots", *at).stdout.splitlines()
    assert (count, headings.split()[0]) == ("1 snapshot", "snapshot")
    recorded = str(kept.recorded_at.replace(tzinfo=None))
    assert row.split() == ["2026-q1", *recorded.split(), "as", "filed"]
    assert "104.00" in cli("at", "2026-q1", "AAPL", "--last", 10, *at).stdout


def test_a_snapshot_is_dropped_by_its_name(cli, at, ten_bars):
    cli("snapshot", "2026-q1", *at)
    failed = cli("snapshot", "2026-q2", "--drop", *at)
    assert (failed.exit_code, failed.stderr) == (
        1,
        "Error: no snapshot '2026-q2' (did you mean '2026-q1'?)\n",
    )
    assert cli("snapshot", "2026-q1", "--drop", *at).stdout == "2026-q1 is dropped\n"
    assert cli("snapshots", *at).stdout == "0 snapshots\n"


def test_a_name_that_is_taken_is_an_error(cli, at, ten_bars):
    cli("snapshot", "2026-q1", *at)
    assert "snapshot '2026-q1' exists already" in cli("snapshot", "2026-q1", *at).stderr


@pytest.mark.parametrize(("answer", "removed"), [("y", 1), ("n", 0)])
def test_history_is_pruned_after_a_question(at, corrected, opened, answer, removed):
    command = "prune-history", "--before", corrected.isoformat(), *at
    result = CliRunner().invoke(app, command, input=answer)
    assert "It cannot be undone [y/N]" in result.stderr
    assert result.exit_code == (0 if removed else 1)
    said = ("1 version removed\n", "") if removed else ("", "Error: nothing was removed\n")
    assert (result.stdout, result.stderr[result.stderr.find("Error") :] * (not removed)) == said
    with opened() as store:
        assert len(store.corrections()) == 1 - removed


def test_history_is_pruned_without_a_question(cli, at, corrected):
    assert cli("prune-history", "--before", "2020-01-01", "--yes", *at).stdout == (
        "0 versions removed\n"
    )
    given = "--before", corrected.isoformat(), "--yes"
    assert cli("prune-history", *given, *at).stdout == "1 version removed\n"


def test_history_is_not_pruned_across_a_snapshot(cli, at, corrected, opened):
    with opened() as store:
        store.snapshot("q1")
        now = store.recorded_now().isoformat()
    assert "the snapshot 'q1'" in cli("prune-history", "--before", now, "--yes", *at).stderr


def test_info_shows_the_history_and_the_snapshots(cli, at, corrected, opened):
    assert "history: all of it; 0 snapshots\n" in cli("info", *at).stdout
    cli("prune-history", "--before", corrected.isoformat(), "--yes", *at)
    cli("snapshot", "q1", *at)
    began = corrected.replace(tzinfo=None)
    assert f"history: from {began} (UTC) on; 1 snapshot: q1\n" in cli("info", *at).stdout
    given = (*at, "--set", "history=false")
    cli("snapshot", "q1", "--drop", *at)
    assert "; what is replaced now is not kept; 0 snapshots\n" in cli("info", *given).stdout


@pytest.mark.parametrize("command", [("snapshots",), ("snapshot", "q1")])
def test_a_store_without_history_has_no_snapshots(cli, backend_with, command):
    partial = backend_with("Catalog")
    assert "it lacks the capability History" in cli(*command, *partial).stderr
    assert "history:" not in cli("info", *partial).stdout


def test_as_json_snapshots_are_an_array(cli, at, ten_bars):
    cli("snapshot", "2026-q1", "--note", "as filed", *at)
    (found,) = json.loads(cli("snapshots", "--json", *at).stdout)
    assert (found["name"], found["note"]) == ("2026-q1", "as filed")
