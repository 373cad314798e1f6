"""`storecore demo` lives a trader's day, and the next one when it is run again."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from datetime import date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import storecore
from storecore.cli.app import app
from storecore.cli.demo import MARK, _say_what_next
from storecore.cli.demo_chart import draw
from storecore.cli.demo_correction import Corrected
from storecore.cli.demo_facts import BARS, FUNDAMENTALS, SYMBOLS
from storecore.cli.demo_report import file_tree
from storecore.cli.demo_strategy import NAME
from storecore.cli.screen import console

FIRST_YEARS = (datetime(2000, 1, 1), datetime(2008, 1, 1))


class Run:
    """A run of the demo: what it printed, and what was in the store after it."""

    def __init__(self, folder):
        self.folder = folder
        result = CliRunner().invoke(app, ["demo", str(folder)])
        self.status, self.printed, self.error = result.exit_code, result.stdout, result.stderr
        with storecore.open_store(storecore.load_config(folder / "storecore.toml")) as store:
            self.bars = {symbol: store.bar_coverage(symbol).count for symbol in store.symbols()}
            self.state = store.load_strategy_state(NAME)
            self.decisions = len(store.read_decisions(date.min, date.max))
            self.events = store.read_events(date.min, date.max)
            self.filings = [store.read_fundamental(symbol) for symbol in SYMBOLS]
            self.log = store.verify_audit()


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """The first and the second run of the demo in one folder."""
    folder = tmp_path_factory.mktemp("desk") / "a demo"
    return Run(folder), Run(folder)


@pytest.fixture(scope="module")
def first(twice):
    return twice[0]


@pytest.fixture(scope="module")
def second(twice):
    return twice[1]


# The data that ship inside the package.


def test_the_sample_has_3270_bars_a_symbol():
    symbols = pq.read_table(BARS).column("symbol").to_pylist()
    assert Counter(symbols) == dict.fromkeys(SYMBOLS, 3270)


@pytest.mark.parametrize(
    "known",
    [
        ("AAPL", date(2000, 3, 1), 118.56, 132.06, 118.5, 130.31, 9616100),
        ("AAPL", date(2013, 3, 1), 438.0, 438.1799, 429.98, 430.47, 19730300),
        ("MSFT", date(2013, 3, 1), 27.72, 27.98, 27.52, 27.95, 34849700),
    ],
)
def test_the_sample_has_the_prices_of_its_source(known):
    rows = pq.read_table(BARS).to_pylist()
    assert known in [tuple(row.values()) for row in rows]


def test_the_sample_is_compact():
    assert BARS.stat().st_size < 250_000


# A first run.


def test_it_succeeds(first):
    assert (first.status, first.error) == (0, "")


def test_it_writes_a_config_that_chooses_the_file_backend_by_name(first):
    config = storecore.load_config(first.folder / "storecore.toml")
    assert config == {"backend": "file", "base_path": "data"}


def test_it_imports_all_the_bars(first):
    assert first.bars == dict.fromkeys(SYMBOLS, 3270)


def test_it_writes_the_filings(first):
    assert first.filings == list(FUNDAMENTALS)


def test_it_writes_the_splits_that_the_prices_show(first):
    splits = [(event.symbol, event.timestamp) for event in first.events if event.type == "split"]
    assert splits == [
        ("AAPL", datetime(2000, 6, 21)),
        ("MSFT", datetime(2003, 2, 18)),
        ("AAPL", datetime(2005, 2, 28)),
    ]


def test_it_trades_two_sittings_of_60_days(first):
    assert "first sitting: 60 days, 2008-01-02 to 2008-03-28" in first.printed
    assert "second sitting: 60 days, 2008-03-31 to 2008-06-23" in first.printed


def test_it_logs_a_decision_a_day_and_symbol(first):
    assert first.decisions == 2 * 60 * len(SYMBOLS)


def test_it_leaves_a_whole_audit_log(first):
    assert first.log.ok


def test_it_leaves_its_state_of_the_last_day(first):
    assert first.state["last_day"] == "2008-06-23"


@pytest.mark.parametrize(
    "part",
    [
        "from the Bokeh project's sample data (BSD-3-Clause)",
        "closed the store; opening it again",
        "── 2000-03--2013-03.parquet",
        "… 15 more",
        "AAPL     2013-03-01   438.00   438.1799   429.98   430.47   19,730,300",
        "10-day average",
        "9,810 in 3 series, 3 files",
        "3 splits",
        "its chains are whole",
        "write bars       9,810 bars",
    ],
    ids=[
        "the credit of the data",
        "that it closes and opens again",
        "the tree of files",
        "how many files it leaves out",
        "the last bars",
        "the tail of the audit log",
        "the bars counted",
        "the events counted",
        "the state of the audit log",
        "the time it took",
    ],
)
def test_it_shows(first, part):
    assert part in first.printed


def test_it_ends_with_commands_to_try(first):
    last = first.printed.partition("Try next:\n")[2].splitlines()
    assert [line.split()[1] for line in last] == ["info", "show", "replay", "at", "demo"]


def test_it_draws_what_was_traded_and_prints_where(first):
    (path,) = re.findall(r"A chart of AAPL with every decision and order: (.*)", first.printed)
    assert Path(path) == first.folder.resolve() / "aapl.html"
    page = Path(path).read_text()
    assert "moving_average: BUY" in page
    assert "10-day average" in page


def test_without_the_extra_the_command_that_installs_it_is_printed(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("storecore.charts.chart.import_module", _without_bokeh)
    draw(None, "AAPL", "2008-06-23", tmp_path)
    assert "No chart: a chart needs bokeh" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def _without_bokeh(name):
    raise ModuleNotFoundError("no module", name="bokeh")


def test_a_bar_is_corrected_and_the_decisions_that_saw_the_old_one_are_named(first):
    said = first.printed.partition("\nA bar is corrected: ")[2].partition("\n\nA chart")[0]
    bar, saw, now, then = said.strip().splitlines()
    assert re.fullmatch(r"AAPL 2008-06-16: close 176\.84 → 173\.49", bar)
    assert saw == "6 decisions saw the old one: records 343, 346, 349, 352, 355, 358"
    assert now.endswith("known at the end of that day: 173.49")
    assert then.endswith("recorded before the correction: 176.84")


def test_the_commands_replay_and_at_show_the_same(second):
    """The second run has imported the bars of the first one again, and corrected another bar."""
    lines = second.printed.partition("Try next:\n")[2].splitlines()
    replay, at = (shlex.split(line, comments=True)[1:] for line in lines[2:4])
    said = CliRunner().invoke(app, replay).stdout
    assert "720 reads: 714 same, 6 corrected, 0 pruned" in said
    assert said.count("AAPL 2008-12-04: close 91.41 → 92.13, recorded ") == 6
    both = CliRunner().invoke(app, at).stdout
    assert (both.count("2008-12-04"), "92.13" in both, "91.41" in both) == (2, True, True)


@pytest.mark.parametrize(("found", "program"), [("/usr/bin/storecore", "storecore"), (None, "it")])
def test_the_commands_to_try_begin_with_what_a_shell_finds(capsys, monkeypatch, found, program):
    monkeypatch.setattr("shutil.which", lambda name: found)
    monkeypatch.setattr("sys.argv", ["it"])
    corrected = Corrected(datetime(2008, 6, 17), None)
    _say_what_next(Path("desk"), Path("desk/storecore.toml"), corrected)
    assert f"  {program} info --config desk/storecore.toml" in capsys.readouterr().out


def test_a_config_of_the_users_own_is_not_traded_in(cli, tmp_path):
    config = tmp_path / "storecore.toml"
    config.write_text('[store]\nbackend = "file"\nbase_path = "real"\n')
    assert "has files that are not from the demo" in cli("demo", tmp_path).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["storecore.toml"]


def test_a_folder_of_other_things_is_left_alone(cli, tmp_path):
    (tmp_path / "prices").mkdir()
    assert "give a new or empty folder" in cli("demo", tmp_path).stderr


def test_a_folder_with_a_blank_in_its_name_is_quoted_in_the_commands(first):
    assert f"'{first.folder}/storecore.toml'" in first.printed


# A second run.


def test_again_it_goes_on_where_it_stopped(second):
    assert "first sitting: 60 days, 2008-06-24 to " in second.printed


def test_again_it_doubles_no_bars(first, second):
    assert second.bars == first.bars


def test_again_it_doubles_no_splits(second):
    assert Counter(event.type for event in second.events)["split"] == 3


def test_again_it_adds_events_of_newly_traded_days_only(first, second):
    assert second.events[: len(first.events)] == first.events


def test_again_it_logs_the_newly_traded_days_only(first, second):
    assert second.decisions == 2 * first.decisions


def test_again_it_says_that_the_config_was_there(second):
    assert f"found {second.folder}/storecore.toml" in second.printed


# Other configs, and the end of the data.


def test_without_a_folder_it_uses_storecore_demo_here(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("storecore.cli.demo.CONFIG", "no TOML")
    cli("demo")
    assert (tmp_path / "storecore-demo" / "storecore.toml").exists()


def test_a_config_that_is_there_is_kept(cli, tmp_path):
    config = tmp_path / "storecore.toml"
    config.write_text(MARK + '[store]\nbackend = "memory"\n# mine\n')
    cli("demo", tmp_path)
    assert config.read_text().endswith("# mine\n")


def test_a_backend_that_forgets_is_reported_as_an_error(cli, tmp_path):
    (tmp_path / "storecore.toml").write_text(MARK + '[store]\nbackend = "memory"\n')
    assert "was empty when opened again" in cli("demo", tmp_path).stderr


def test_a_folder_that_is_a_file_is_an_error(cli, tmp_path):
    (tmp_path / "file").write_text("")
    assert cli("demo", tmp_path / "file").stderr == f"Error: {tmp_path}/file: File exists\n"


def test_a_backend_without_capabilities_is_shown_as_far_as_it_tells(cli, tmp_path, backend_with):
    backend_with()
    (tmp_path / "storecore.toml").write_text(MARK + '[store]\nbackend = "partial"\n')
    result = cli("demo", tmp_path)
    assert (result.exit_code, "The last bars:" in result.stdout, "files" in result.stdout) == (
        0,
        True,
        False,
    )


@pytest.fixture
def nearly_done(tmp_path):
    """A folder in which the demo has traded all but the last three days."""
    (tmp_path / "storecore.toml").write_text(
        MARK + '[store]\nbackend = "file"\nbase_path = "data"\ndurability = "os"\n'
    )
    with storecore.open_store(storecore.load_config(tmp_path / "storecore.toml")) as store:
        store.save_strategy_state(
            NAME,
            {
                "last_day": "2013-02-26",
                "cash": 100.0,
                "positions": {},
                "pending": [],
                "worth": 100.0,
            },
        )
    return tmp_path


def test_it_trades_to_the_end_of_the_data_and_then_says_so(cli, nearly_done):
    printed = cli("demo", nearly_done).stdout
    assert "first sitting: 3 days, 2013-02-27 to 2013-03-01" in printed
    assert "second sitting: the bars end on 2013-03-01: nothing is left to trade" in printed


# The tree of files.


@pytest.fixture
def tree(tmp_path, capsys):
    """Print the tree of a folder with these files."""

    def show(*names):
        for name in names:
            path = tmp_path / "top" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * 10)
        console().print(file_tree(tmp_path / "top", "top"))
        return capsys.readouterr().out.splitlines()

    return show


def test_a_folder_is_shown_with_its_files_and_what_they_take(tree):
    assert tree("sub/a", "sub/b") == ["top", "└── sub  2 files, 20 bytes", "    ├── a", "    └── b"]


def test_of_many_files_the_first_and_the_last_are_shown(tree):
    assert tree(*"abcde")[1:] == ["├── a", "├── … 3 more", "└── e"]


def test_hidden_files_are_not_shown(tree):
    assert tree("a", ".lock")[1:] == ["└── a"]
