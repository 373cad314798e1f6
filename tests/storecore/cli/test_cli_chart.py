"""`storecore chart` writes a page or draws in the terminal."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner

import storecore
from storecore import Action, Decision, InvalidData, Order, OrderResult, PriceBar
from storecore.charts.chart import part
from storecore.charts.series import ChartQuery, read_series
from storecore.cli.app import app
from storecore.cli.chart import file_name

FIRST = datetime(2026, 1, 5)


@pytest.fixture
def traded(ten_bars, opened):
    """Ten bars with a decision to buy and one to sell, and both orders."""
    with opened() as store:
        bars = store.read_bars("AAPL")
        for bar, action, side in zip(
            bars[2:4], (Action.BUY, Action.EXIT), ("BUY", "SELL"), strict=True
        ):
            at = bar.date.replace(hour=12)
            store.log_decision("value", Decision("AAPL", action, 0, 0, "why"), as_of=at)
            order = Order("value", "AAPL", side, 1, "MARKET")
            store.log_order("value", order, OrderResult(1, "filled", bar.open, 1), as_of=at)
        store.log_decision("value", Decision("AAPL", Action.HOLD, 0, 0, "today"))


def test_a_page_is_written_and_its_content_reported(cli, at, traded, tmp_path):
    page = tmp_path / "a.html"
    result = cli("chart", "AAPL", "-o", page, *at)
    assert result.exit_code == 0
    assert re.match(r"10 bars, 4 marks, 1\.\d MB: ", result.stdout)  # most of it is Bokeh's
    assert result.stdout.endswith("a.html\n1 record later than these bars: not drawn\n")
    assert "<title>AAPL, 1d</title>" in page.read_text()


def test_its_name_is_that_of_the_symbol(cli, at, traded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cli("chart", "AAPL", *at)
    assert (tmp_path / "aapl.html").is_file()


@pytest.mark.parametrize(
    ("symbol", "name"),
    [("BTC:USDT", "btc-usdt.html"), ("../../x", "x.html"), ("\u65e5\u672c", "chart.html")],
)
def test_a_name_of_a_file_is_made_of_plain_characters(symbol, name):
    assert file_name(symbol) == name


def test_further_columns_that_are_not_drawn_are_named(cli, at, opened, tmp_path):
    with opened() as store:
        extra = dict.fromkeys("abcd", 1.0)
        store.write_bars("X", [PriceBar("X", FIRST, 1, 1, 1, 1, 1, extra)])
    said = cli("chart", "X", "-o", tmp_path / "x.html", *at).stdout
    assert said.endswith("not drawn: d; give --column\n")
    assert "Further columns that are not shown: d." in (tmp_path / "x.html").read_text()


def test_the_terminal_shows_candles_and_marks(cli, at, traded):
    said = cli("chart", "AAPL", "--terminal", *at).stdout
    assert "AAPL 1d" in said
    assert "\u2588" in said
    assert "2026-01-01" in said
    assert said.endswith("B buy   S sell   + order: buy   - order: sell\n")
    assert "\x1b" not in said


def test_the_terminal_combines_bars_if_there_are_many(cli, at, opened):
    with opened() as store:
        bars = [
            PriceBar("M", FIRST + timedelta(minutes=n), 1 + n, 2 + n, n, 1 + n, None)
            for n in range(1000)
        ]
        store.write_bars("M", bars, timeframe="1m")
    said = cli("chart", "M", "--timeframe", "1m", "--terminal", *at).stdout
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize(
    ("timeframe", "step", "label"),
    [("1m", timedelta(minutes=1), "00:00"), ("1h", timedelta(hours=1), "01-05 00:00")],
)
def test_the_times_below_a_chart_have_what_differs(timeframe, step, label):
    with storecore.open_store("memory") as store:
        found = [PriceBar("X", FIRST + n * step, 1, 2, 1, 2, 0) for n in range(40)]
        store.write_bars("X", found, timeframe=timeframe)
        drawn = part("terminal").drawn(
            read_series(store, ChartQuery("X", timeframe=timeframe)), 80, 20
        )
    assert f" {label}" in drawn


@pytest.mark.parametrize("count", [1, 2, 300])
@pytest.mark.parametrize("width", [30, 40, 60, 200])
def test_no_line_in_the_terminal_is_wider_than_it(cli, at, opened, monkeypatch, count, width):
    with opened() as store:
        days = [FIRST + timedelta(days=n) for n in range(count)]
        store.write_bars("X", [PriceBar("X", day, 1, 2, 1, 2, None) for day in days])
    monkeypatch.setenv("COLUMNS", str(width))
    lines = cli("chart", "X", "--terminal", *at).stdout.splitlines()
    assert max(map(len, lines)) <= width
    assert any("\u2588" in line for line in lines)


@pytest.mark.parametrize(("variable", "coloured"), [("", True), ("1", False)])
def test_a_terminal_that_wants_no_colours_gets_none(at, traded, monkeypatch, variable, coloured):
    monkeypatch.setenv("NO_COLOR", variable)
    result = CliRunner().invoke(app, ["chart", "AAPL", "--terminal", *at], color=True)
    assert ("\x1b" in result.stdout) is coloured


def test_a_symbol_without_bars_is_an_error_with_a_suggestion(cli, at, traded):
    result = cli("chart", "APL", *at)
    assert result.exit_code == 1
    assert "no 1d bars of 'APL'; did you mean 'AAPL'?" in result.stderr


@pytest.mark.parametrize(
    ("strategy", "told"),
    [("value", ""), ("valeu", "no records of strategy 'valeu' on these bars\n")],
)
def test_a_strategy_without_a_record_on_these_bars_is_told(cli, at, traded, strategy, told):
    result = cli("chart", "AAPL", "--strategy", strategy, "--terminal", *at)
    assert (result.exit_code, result.stderr) == (0, told)


def test_a_column_that_is_not_there_is_an_error(cli, at, traded):
    assert "'vwap' is no further column" in cli("chart", "AAPL", "--column", "vwap", *at).stderr


# storecore.chart, and what it needs.


def test_a_notebook_receives_the_figure(opened, traded):
    with opened() as store:
        figure = storecore.chart(store, "AAPL", last=5, strategy="value")
    assert figure.name == "storecore chart"
    assert len(figure.children) == 2


@pytest.mark.parametrize(("volume", "panels"), [(None, 1), (0, 2)])
def test_a_panel_of_volume_is_there_if_any_was_reported(volume, panels):
    with storecore.open_store("memory") as store:
        store.write_bars("X", [PriceBar("X", FIRST, 1, 1, 1, 1, volume)])
        assert len(storecore.chart(store, "X").children) == panels


def test_a_further_column_may_begin_with_nothing_and_have_infinities():
    with storecore.open_store("memory") as store:
        values = (None, 1.5, float("inf"))
        found = [
            PriceBar("X", FIRST + timedelta(days=n), 1, 1, 1, 1, 1, {"vwap": value})
            for n, value in enumerate(values)
        ]
        store.write_bars("X", found)
        assert read_series(store, ChartQuery("X")).columns == ["vwap"]
        assert len(storecore.chart(store, "X").children) == 3


def test_importing_storecore_does_not_load_bokeh():
    program = "import sys, storecore; storecore.chart; sys.exit('bokeh' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("missing", ["bokeh", "numpy", "plotext"])
def test_without_the_extra_the_error_names_the_command_that_installs_it(monkeypatch, missing):
    def refuse(name):
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.setattr("storecore.charts.chart.import_module", refuse)
    with pytest.raises(InvalidData, match=rf"{missing}, .*pip install 'storecore\[chart\]'"):
        part("page")


def test_a_missing_module_of_storecore_is_not_taken_for_the_extra():
    with pytest.raises(ModuleNotFoundError, match=r"storecore\.charts\.none"):
        part("none")


def test_a_page_without_room_is_an_error_that_names_it(cli, at, ten_bars):
    result = cli("chart", "AAPL", "-o", "/dev/full", *at)
    assert result.stderr == "Error: /dev/full: No space left on device\n"
