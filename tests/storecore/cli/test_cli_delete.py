"""`storecore delete` asks before it removes bars, and says whether the history keeps them."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

import storecore
from storecore.cli.app import app


def ask(answer, *args):
    return CliRunner().invoke(app, [str(each) for each in args], input=answer)


def test_it_asks_and_says_that_the_history_keeps_them(at, stored, ten_bars):
    args = ("delete", "AAPL", "--start", "2026-01-03", "--end", "2026-01-05", *at)
    refused = ask("n\n", *args)
    assert "Remove 3 1d bars of AAPL, 2026-01-03 to 2026-01-05 from the" in refused.stderr
    assert refused.stderr.endswith("Error: nothing was removed\n")
    assert len(stored()) == 10
    assert ask("y\n", *args).stdout.startswith("3 bars removed; the history keeps them")
    assert len(stored()) == 7


def test_without_a_range_all_bars_of_the_timeframe_are_meant(cli, at, stored, ten_bars):
    assert cli("delete", "AAPL", "--yes", *at).exit_code == 0
    assert stored() == []


def test_what_is_removed_is_in_the_history(cli, at, ten_bars):
    cli("delete", "AAPL", "--yes", *at)
    assert "deleted" in cli("corrections", *at).stdout


def test_a_dry_run_removes_nothing(cli, at, stored, ten_bars):
    printed = cli("delete", "AAPL", "--start", "2026-01-10", "--dry-run", *at).stdout
    assert printed.startswith("1 1d bar of AAPL, 2026-01-10 to 2026-01-10 would be removed; the")
    assert len(stored()) == 10


def test_a_store_without_history_says_so(cli, at, base_path, ten_bars):
    at = (*at, "--set", "history=false")
    printed = cli("delete", "AAPL", "--yes", *at).stdout
    assert printed == "10 bars removed; there is no history: they cannot be recovered\n"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("XYZ",), "no 1d bars of 'XYZ'"),
        (("AAPL", "--start", "2030-01-01"), "there are 10, from 2026-01-01 to 2026-01-10"),
        (("AAPL", "--timeframe", "1m"), "it has 1d: give --timeframe"),
    ],
)
def test_bars_that_are_not_there_are_an_error(cli, at, ten_bars, args, told):
    stderr = cli("delete", *args, *at).stderr
    assert told in stderr
    assert stderr.endswith(": nothing was removed\n")


def test_a_backend_that_cannot_delete_is_an_error_that_says_so(cli, backend_with):
    assert "it lacks the capability Bulk" in cli("delete", "AAPL", *backend_with()).stderr


def test_it_is_not_created_to_delete_from(cli, at, base_path):
    with pytest.raises(storecore.NoStore):
        storecore.open_store("file", base_path=base_path, create=False)
    assert cli("delete", "AAPL", "--yes", *at).exit_code == 1
    assert not base_path.exists()


def test_stdin_that_ends_without_an_answer_removes_nothing_and_names_the_option(
    at, stored, ten_bars
):
    ended = ask("", "delete", "AAPL", *at)
    assert ended.exit_code == 1
    assert ended.stderr.endswith(
        "Error: stdin has ended without an answer: nothing was changed; --yes does not ask\n"
    )
    assert len(stored()) == 10
