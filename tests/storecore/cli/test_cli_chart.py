"""`storecore chart` writes a page or draws in the terminal."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta

import pytest

import storecore
from storecore import Action, Decision, InvalidData, Order, OrderResult, PriceBar
from storecore.charts.chart import part
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
    assert result.stdout.startswith("10 bars, 4 marks, 1.3 MB: ")
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


def test_a_symbol_without_bars_is_an_error_with_a_suggestion(cli, at, traded):
    result = cli("chart", "APL", *at)
    assert result.exit_code == 1
    assert "no 1d bars of 'APL'; did you mean 'AAPL'?" in result.stderr


def test_a_column_that_is_not_there_is_an_error(cli, at, traded):
    assert "'vwap' is no further column" in cli("chart", "AAPL", "--column", "vwap", *at).stderr


# storecore.chart, and what it needs.


def test_a_notebook_receives_the_figure(opened, traded):
    with opened() as store:
        figure = storecore.chart(store, "AAPL", last=5, strategy="value")
    assert figure.name == "storecore chart"
    assert len(figure.children) == 2


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
