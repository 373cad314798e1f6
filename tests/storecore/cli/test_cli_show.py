"""`storecore show` prints the last bars of a series, exactly, or says why there are none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from storecore import PriceBar
from storecore.cli.screen import date_texts, price_texts


def rows(result):
    """Return the cells of the rows of a printed table."""
    lines = result.stdout.splitlines()
    rule = next(number for number, line in enumerate(lines) if set(line.strip()) == {"─"})
    return [line.split() for line in lines[rule + 1 :] if line.strip()]


def dates(result):
    return [row[0] for row in rows(result)]


def test_a_bar_is_a_row_of_iso_date_exact_prices_and_volume(cli, at, ten_bars):
    assert rows(cli("show", "AAPL", "--last", 1, *at)) == [
        ["2026-01-10", "99.50", "120.00", "90.00", "109.00", "1,000"]
    ]


def test_only_the_last_bars_are_shown(cli, at, ten_bars):
    assert dates(cli("show", "AAPL", "--last", 2, *at)) == ["2026-01-09", "2026-01-10"]


def test_twenty_bars_are_shown_unless_told_otherwise(cli, at, opened):
    with opened() as store:
        store.write_bars(
            "X", [PriceBar("X", datetime(2026, 1, day), 1, 1, 1, 1, 1) for day in range(1, 26)]
        )
    assert dates(cli("show", "X", *at))[0] == "2026-01-06"


def test_how_many_of_all_are_shown_is_reported(cli, at, ten_bars):
    assert "AAPL, 1d: the last 2 of 10 bars" in cli("show", "AAPL", "--last", 2, *at).stdout


def test_a_range_includes_both_its_days(cli, at, ten_bars):
    shown = cli("show", "AAPL", "--start", "2026-01-03", "--end", "2026-01-05", *at)
    assert dates(shown) == ["2026-01-03", "2026-01-04", "2026-01-05"]


def test_a_range_may_be_given_as_times_with_an_offset(cli, at, ten_bars):
    shown = cli("show", "AAPL", "--start", "2026-01-09T01:00+01:00", *at)
    assert dates(shown) == ["2026-01-09", "2026-01-10"]


def test_intraday_bars_are_shown_with_their_times(cli, at, opened):
    with opened() as store:
        bar = PriceBar("AAPL", datetime(2026, 1, 5, 14, 30), 1.0, 2.0, 0.5, 1.5, 10)
        store.write_bars("AAPL", [bar], timeframe="1m")
    shown = cli("show", "AAPL", "--timeframe", "1m", *at)
    assert rows(shown)[0][:2] == ["2026-01-05", "14:30:00"]


def test_b6_further_columns_follow_the_volume_by_name(cli, at, opened):
    extra = {"vwap": 1.25, "closed": datetime(2026, 1, 5, 21), "venue": "X\x07"}
    with opened() as store:
        bars = [
            PriceBar("AAPL", datetime(2026, 1, 5), 1.0, 2.0, 0.5, 1.5, None, extra),
            PriceBar("AAPL", datetime(2026, 1, 6), 1.0, 2.0, 0.5, 1.5, 7, {"vwap": 2.5}),
        ]
        store.write_bars("AAPL", bars)
    shown = cli("show", "AAPL", *at)
    heading = next(line.split() for line in shown.stdout.splitlines() if "volume" in line)
    assert heading[-4:] == ["volume", "closed", "venue", "vwap"]
    first, second = rows(shown)
    assert (first[4], first[5:7], first[-1]) == ("1.50", ["2026-01-05", "21:00:00"], "1.25")
    assert "\x07" not in shown.stdout
    assert second[-2:] == ["7", "2.5"]


def test_a_time_that_is_none_is_a_wrong_use(cli, at):
    assert "Invalid value for '--start'" in cli("show", "AAPL", "--start", "5.1.2026", *at).stderr


@pytest.mark.parametrize("option", ["--start", "--end"])
@pytest.mark.parametrize("text", ["2024010100", "1712030100", "20240102ab", "2024-01-02T24:00"])
def test_digits_that_may_be_another_time_are_a_wrong_use(cli, at, ten_bars, option, text):
    result = cli("show", "AAPL", option, text, *at)
    assert result.exit_code == 1
    assert f"Invalid value for '{option}': '{text}'" in " ".join(result.stderr.split())


def test_a_symbol_in_another_case_is_found_near(cli, at, ten_bars):
    told = cli("show", "aapl", *at).stderr
    assert told == "Error: no 1d bars of 'aapl'; did you mean 'AAPL'?\n"


def test_a_symbol_like_no_other_gets_the_known_ones(cli, at, ten_bars):
    assert "the store has AAPL" in cli("show", "XYZ", *at).stderr


def test_an_empty_store_says_so(cli, at, opened):
    opened().close()
    assert "the store has no bars at all" in cli("show", "AAPL", *at).stderr


def test_a_symbol_of_another_timeframe_gets_that_named(cli, at, ten_bars):
    assert "it has 1d: give --timeframe" in cli("show", "AAPL", "--timeframe", "1m", *at).stderr


def test_a_range_without_bars_gets_the_range_that_there_is(cli, at, ten_bars):
    told = cli("show", "AAPL", "--start", "2027-01-01", *at).stderr
    assert "there are 10, from 2026-01-01 to 2026-01-10" in told


def test_a_store_that_cannot_list_says_only_what_is_missing(cli, backend_with):
    told = cli("show", "IBM", *backend_with()).stderr
    assert told == "Error: no 1d bars of 'IBM'\n"


def test_a_symbol_is_printed_as_it_is_even_if_it_looks_like_markup(cli, at, opened):
    with opened() as store:
        store.write_bars("[b]:x:", [PriceBar("[b]:x:", datetime(2026, 1, 5), 1, 1, 1, 1, 1)])
    assert cli("show", "[b]:x:", *at).stdout.startswith("[b]:x:, 1d")


def test_a_symbol_that_would_move_the_cursor_is_escaped(cli, at, opened):
    with opened() as store:
        store.write_bars("\x1b[2J", [PriceBar("\x1b[2J", datetime(2026, 1, 5), 1, 1, 1, 1, 1)])
    assert "\x1b" not in cli("show", "\x1b[2J", *at).stdout


@pytest.mark.parametrize(
    ("prices", "texts"),
    [
        ([1.0, 2.5], ["1.00", "2.50"]),
        ([438.1799, 438.0], ["438.1799", "438.0000"]),
        ([0.00001234, 1.0], ["0.00001234", "1.00000000"]),
        ([-37.63], ["-37.63"]),
        ([1e300, 1.0], ["1e+300", "1.0"]),
        ([1e-300], ["1e-300"]),
        ([], []),
    ],
)
def test_prices_have_the_decimals_of_the_finest_and_lose_none(prices, texts):
    assert price_texts(prices) == texts


def test_dates_are_shown_with_times_if_any_of_them_has_one():
    moments = [datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 5, 9, 30, tzinfo=UTC)]
    assert date_texts(moments) == ["2026-01-05 00:00:00", "2026-01-05 09:30:00"]
