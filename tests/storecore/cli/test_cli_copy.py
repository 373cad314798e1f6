"""`storecore copy`: what both sides hold is told, and the status says whether they are equal."""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

import storecore
from storecore import PriceBar
from storecore.cli import copy
from storecore.copying.scope import WHOLE

JAN_5 = datetime(2026, 1, 5)


@pytest.fixture
def source(base_path, ten_bars, decision):
    """The file store of the test, with ten bars, a decision and a state, as it is named."""
    with storecore.open_store("file", base_path=base_path) as store:
        store.log_decision("value", decision())
        store.save_strategy_state("value", {"cash": 1.5})
    return f"file:base_path={base_path},durability=os"


@pytest.fixture
def target(tmp_path):
    return f"file:base_path={tmp_path / 'copy'}"


@pytest.fixture
def config(tmp_path):
    """Write a config file and return its path."""

    def write(name, table):
        path = tmp_path / name
        path.write_text(f"[store]\n{table}\n")
        return path

    return write


def test_a_store_is_not_copied_onto_itself(cli, tmp_path, bar):
    place = f"file:base_path={tmp_path / 'data'}"
    storecore.open_store("file", base_path=tmp_path / "data").close()
    result = cli("copy", place, f"file:base_path={tmp_path}/./data")
    assert (result.exit_code, "source and target are the same place" in result.stderr) == (1, True)


def test_a_copy_prints_counts_and_checksums_of_both_sides(cli, source, target):
    result = cli("copy", source, target)
    assert result.exit_code == 0, result.output
    header, _, *rows, end = result.stdout.splitlines()
    assert header.split() == ["kind", "name", "timeframe", "source", "target", "checksums"]
    assert [row.split()[0] for row in rows] == ["bars", "state", "decisions"]
    sums = r"([0-9a-f]{12}) \1"
    assert re.fullmatch(rf"bars +AAPL +1d +10 +10 +{sums} +equal *", rows[0])
    assert end == "12 records written to backend 'file': both are equal"


def test_run_again_it_writes_nothing(cli, source, target):
    cli("copy", source, target)
    assert "0 records written" in cli("copy", source, target).stdout


def test_all_series_are_reported_in_order(cli, source, target, opened):
    with opened() as store:
        store.write_bars("MSFT", [PriceBar("MSFT", JAN_5, 1, 1, 1, 1, 1)], timeframe="1m")
    rows = cli("copy", source, target).stdout.splitlines()[2:4]
    assert [row.split()[:4] for row in rows] == [
        ["bars", "AAPL", "1d", "10"],
        ["bars", "MSFT", "1m", "1"],
    ]


def test_config_files_name_stores_too(cli, source, base_path, tmp_path, config):
    old = config("old.toml", f"backend = 'file'\nbase_path = '{base_path}'")
    new = config("new.toml", "backend = 'file'\nbase_path = 'new'")
    result = cli("copy", old, new)
    assert result.exit_code == 0
    assert f"written to backend 'file' of {new}: both are equal" in result.stdout
    with storecore.open_store("file", base_path=tmp_path / "new") as store:
        assert store.symbols() == ["AAPL"]


def test_what_is_not_equal_is_reported_with_status_1(cli, source, target, tmp_path):
    cli("copy", source, target)
    with storecore.open_store("file", base_path=tmp_path / "copy") as store:
        store.write_bars("AAPL", [PriceBar("AAPL", JAN_5 + timedelta(hours=1), 1, 1, 1, 1, 1)])
        store.save_strategy_state("value", {"cash": 2})
    result = cli("copy", source, target)
    assert result.exit_code == 1
    assert re.search(r"bars +AAPL +1d +10 +11 .* DIFFERENT", result.stdout)
    assert "state value: this state was saved in the target too" in result.stdout
    assert result.stdout.endswith("backend 'file': 2 differences, 0 kinds left out\n")


def test_what_cannot_be_copied_is_reported_with_status_1(cli, source, backend_with):
    _, name = backend_with("Catalog", "BarTables")
    result = cli("copy", source, f"{name}:")
    assert result.exit_code == 1
    assert "left out: state: the states were copied without their versions" in result.stdout
    assert "left out: decisions: the target cannot take unchanged records" in result.stdout
    assert "0 differences, 2 kinds left out" in result.stdout


def test_what_is_damaged_is_reported_with_status_1(cli, source, target, tmp_path):
    next((tmp_path / "data" / "prices").rglob("*.parquet")).write_bytes(b"x")
    result = cli("copy", source, target)
    assert result.exit_code == 1
    assert "left out: bars: AAPL (1d): " in result.stdout
    assert result.stdout.endswith("backend 'file': 0 differences, 1 kind left out\n")


def test_a_copy_without_the_history_that_was_asked_for_has_status_1(cli, source, target, tmp_path):
    cli("copy", source, target)
    with storecore.open_store("file", base_path=tmp_path / "data") as store:
        store.delete_bars("AAPL", JAN_5, JAN_5)
        store.write_bars("AAPL", [PriceBar("AAPL", JAN_5, 1, 1, 1, 1, 1)])
    with storecore.open_store("file", base_path=tmp_path / "copy") as store:
        store.recorded_now()
    result = cli("copy", source, target)
    assert result.exit_code == 1
    assert result.stdout.endswith("written to backend 'file': both are equal\n")
    assert result.stderr.startswith("Error: only the present was copied, not the history: the targ")
    assert "give --no-history if the present is enough" in result.stderr
    assert cli("copy", "--no-history", source, target).exit_code == 0


def test_a_source_that_holds_nothing_may_be_misspelt_and_is_an_error(cli, tmp_path):
    named = [f"file:base_path={tmp_path / name}" for name in "ab"]
    storecore.open_store("file", base_path=tmp_path / "a").close()
    result = cli("copy", *named)
    assert result.exit_code == 1
    assert result.stdout == "0 records written to backend 'file': both are empty\n"
    assert result.stderr == "Error: backend 'file' holds nothing; is it the store you mean?\n"


def test_values_are_toml_or_text_and_may_have_commas(cli, base_path, source):
    given = f"file:base_path={base_path},it,durability=os,lock_timeout=2.5"
    assert cli("copy", source, given).exit_code == 0
    assert base_path.with_name("data,it").is_dir()


@pytest.mark.parametrize(
    "wrong", ["postgres://me:secret@host/db", "file:secret", "file:=secret", "file:backend=secret"]
)
def test_what_names_no_store_is_refused_and_not_reported(cli, source, wrong):
    result = cli("copy", source, wrong)
    assert result.exit_code == 1
    assert (
        "a store is a config file, or NAME:KEY=VALUE,… as in file:base_path=data" in result.stderr
    )
    assert "secret" not in result.output


def test_a_file_that_is_not_there_is_reported(cli, source, tmp_path):
    result = cli("copy", source, tmp_path / "none.toml")
    assert result.exit_code == 1
    assert f"no config file '{tmp_path / 'none.toml'}'" in result.stderr


def test_a_wrong_option_is_reported_with_how_options_are_given(cli, source):
    result = cli("copy", source, "file:base_pth=x")
    assert result.exit_code == 1
    assert "did you mean 'base_path'?" in result.stderr
    assert "a store is a config file, or NAME:KEY=VALUE,…" in result.stderr


@pytest.mark.parametrize("catalog", [True, False])
def test_on_a_terminal_bars_of_progress_are_shown(
    cli, source, target, backend_with, monkeypatch, catalog
):
    class Terminal:
        def __getattr__(self, name):
            return getattr(sys.__stderr__, name)

        def isatty(self):
            return True

    monkeypatch.setattr(copy.sys, "stderr", Terminal())
    _, name = backend_with(*(["Catalog"] if catalog else []))
    store = storecore.open_store(name)
    assert copy._totals(store, WHOLE) == ({"bars": 1} if catalog else {})


@pytest.mark.parametrize(("options", "closes"), [((), [1.5, 1.75]), (("--no-history",), [1.75])])
def test_what_was_replaced_is_copied_unless_an_option_says_not(
    cli, source, target, base_path, tmp_path, options, closes
):
    for close in (1.5, 1.75):
        with storecore.open_store("file", base_path=base_path) as store:
            store.write_bars("MSFT", [PriceBar("MSFT", JAN_5, 1, 2, 1, close, 5)])
    result = cli("copy", source, target, *options)
    assert result.exit_code == 0
    assert ("history of bars" in result.stdout, "note:" in result.stdout) == (
        not options,
        bool(options),
    )
    with storecore.open_store("file", base_path=tmp_path / "copy") as store:
        assert [each.bar.close for each in store.bar_versions("MSFT")] == closes


@pytest.fixture
def two_symbols(source, base_path, event):
    """The source, with a bar of MSFT and an event of each symbol besides."""
    with storecore.open_store("file", base_path=base_path) as store:
        store.write_bars("MSFT", [PriceBar("MSFT", JAN_5, 1, 1, 1, 1, 1)])
        for symbol in ("AAPL", "MSFT"):
            store.write_event(replace(event(), symbol=symbol))
    return source


def test_a_part_is_copied_by_kinds_symbols_and_time(cli, two_symbols, target):
    part = ("--only", "bars, events", "--symbols", "A*", "--since", "2026-01-05")
    result = cli("copy", two_symbols, target, *part)
    assert result.exit_code == 0
    rows = [line.split()[:4] for line in result.stdout.splitlines()[2:4]]
    assert rows == [["bars", "AAPL", "1d", "6"], ["events", "1", "1", rows[1][3]]]
    assert "7 records written to backend 'file': both are equal" in result.stdout


def test_a_dry_run_says_what_would_be_written_by_kind_and_creates_nothing(
    cli, two_symbols, target, tmp_path
):
    result = cli("copy", two_symbols, target, "--dry-run")
    assert result.exit_code == 0
    assert not (tmp_path / "copy").exists()
    planned = "11 bars, 2 events, 1 state, 1 decisions would be written to backend 'file'"
    assert f"{planned} (--dry-run)\n" in result.stdout
    assert re.search(r"bars +AAPL +1d +10 +0 +10\n", result.stdout)
    cli("copy", two_symbols, target)
    again = cli("copy", two_symbols, target, "--dry-run")
    assert "nothing would be written to backend 'file' (--dry-run)\n" in again.stdout


def test_a_dry_run_ends_with_status_1_if_something_cannot_be_copied(cli, source, target, tmp_path):
    next((tmp_path / "data" / "prices").rglob("*.parquet")).write_bytes(b"x")
    result = cli("copy", source, target, "--dry-run", "--no-history")
    assert (result.exit_code, "left out: bars: AAPL (1d): " in result.stdout) == (1, True)


def test_a_dry_run_says_that_only_the_present_would_be_copied(cli, source, target, tmp_path):
    with storecore.open_store("file", base_path=tmp_path / "copy") as store:
        store.write_bars("AAPL", [PriceBar("AAPL", JAN_5, 1, 1, 1, 1, 1)])
    result = cli("copy", source, target, "--dry-run")
    assert (result.exit_code, "only the present would be copied" in result.stderr) == (1, True)


def test_as_json_a_report_is_one_object(cli, two_symbols, target):
    found = json.loads(cli("copy", two_symbols, target, "--only", "bars", "--json").stdout)
    assert (found["written"], found["equal"], found["dry_run"]) == (11, True, False)
    assert [each["key"] for each in found["copied"]] == ["AAPL", "MSFT"]


def test_as_json_a_difference_has_status_1(cli, two_symbols, target, tmp_path):
    cli("copy", two_symbols, target)
    with storecore.open_store("file", base_path=tmp_path / "copy") as store:
        store.write_bars("ZZZ", [PriceBar("ZZZ", JAN_5, 1, 1, 1, 1, 1)])
    result = cli("copy", two_symbols, target, "--json", "--no-history")
    assert (result.exit_code, json.loads(result.stdout)["equal"]) == (1, False)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (("--symbols", "APPL"), "no symbol 'APPL' (did you mean 'AAPL'?)"),
        (("--only", "bars", "--symbols", "AAPL,Z*"), "no symbol 'Z*'; there are AAPL, MSFT"),
        (("--only", "audit", "--since", "2026-01-05"), "the audit log is a chain and is copied"),
        (("--only", "barz"), "no kind of data 'barz' (did you mean 'bars'?)"),
        (("--only", "bars", "--history"), "a history is copied with the whole store only"),
        (("--since", "2027-01-01"), "backend 'file' holds nothing of that part"),
    ],
)
def test_a_part_that_is_none_is_an_error(cli, two_symbols, target, part, said):
    result = cli("copy", two_symbols, target, *part)
    assert (result.exit_code, said in result.stderr) == (1, True), result.stderr


def test_symbols_of_a_backend_that_cannot_list_them_are_taken_as_they_are(
    cli, target, backend_with
):
    _, name = backend_with()
    result = cli("copy", f"{name}:", target, "--only", "bars", "--symbols", "ZZZ")
    assert "left out: bars: the source cannot list its series" in result.stdout
