"""`storecore import` reads bars from CSV and Parquet: all of a file, or none of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timezone
from datetime import timedelta as delta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storecore.cli.imports.columns import field_of
from storecore.cli.regularity import warn_of_spelling
from storecore.store.frames import names as frame_names

HEADER = "Symbol,Date,Open,High,Low,Close,Volume"
GOOD = "AAPL,2026-01-05,1.5,2.5,0.5,2.25,100"
JAN_5 = datetime(2026, 1, 5)
FIELDS = {"open": [1.5], "high": [2.5], "low": [0.5], "close": [2.25], "volume": [100]}


@pytest.fixture
def parquet_file(tmp_path):
    """Write a Parquet file of one bar of AAPL; any column can be given."""

    def write(**columns):
        file = tmp_path / "bars.parquet"
        pq.write_table(pa.table({"symbol": ["AAPL"], "date": [JAN_5], **FIELDS, **columns}), file)
        return file

    return write


def last_line(result):
    return result.stdout.splitlines()[-1]


# What is written.


def test_a_row_of_a_csv_becomes_a_bar(cli, at, csv_file, stored, bar):
    cli("import", csv_file(GOOD), *at)
    assert stored() == [bar(JAN_5, open=1.5, high=2.5, low=0.5, close=2.25, volume=100)]


def test_a_row_of_a_parquet_file_becomes_a_bar(cli, at, parquet_file, stored, bar):
    cli("import", parquet_file(), *at)
    assert stored() == [bar(JAN_5, open=1.5, high=2.5, low=0.5, close=2.25, volume=100)]


def test_bars_of_many_symbols_go_to_each(cli, at, csv_file, stored):
    cli("import", csv_file(GOOD, GOOD.replace("AAPL", "IBM")), *at)
    assert [bar.symbol for bar in stored("IBM")] == ["IBM"]


def test_bars_of_many_years_and_in_any_order_are_written_all(cli, at, csv_file, stored):
    rows = [GOOD.replace("2026", str(year)) for year in (2024, 2026, 2025)]
    cli("import", csv_file(*rows), *at)
    assert [bar.date.year for bar in stored()] == [2024, 2025, 2026]


def test_a_file_of_thousands_of_rows_is_written_whole(cli, at, csv_file, stored):
    rows = [GOOD.replace("2026-01-05", str(date(2020, 1, 1) + delta(day))) for day in range(2500)]
    cli("import", csv_file(*rows), *at)
    assert len(stored()) == 2500


def test_an_import_again_replaces_and_does_not_double(cli, at, csv_file, stored):
    for close in ("2.25", "9.75"):
        cli("import", csv_file(GOOD.replace("2.25", close)), *at)
    assert [bar.close for bar in stored()] == [9.75]


def test_the_timeframe_is_the_one_given(cli, at, csv_file, stored):
    cli("import", csv_file(GOOD), "--timeframe", "1m", *at)
    assert len(stored(timeframe="1m")) == 1


def test_an_empty_timeframe_is_refused(cli, at, csv_file):
    assert "--timeframe" in cli("import", csv_file(GOOD), "--timeframe", "", *at).stderr


# Columns.


@pytest.mark.parametrize(
    "header",
    [
        "SYMBOL,DATE,OPEN,HIGH,LOW,CLOSE,VOLUME",
        "Ticker,Datetime,Open,High,Low,Close,Vol",
        "ticker,timestamp,open,high,low,close,vol",
        " Symbol , Time , Open , High , Low , Close , Volume ",
        "symbol,day,open,high,low,close,volume",
    ],
)
def test_columns_are_found_by_their_names_in_any_case(cli, at, csv_file, stored, header):
    cli("import", csv_file(GOOD, header=header), *at)
    assert len(stored()) == 1


def test_columns_may_stand_in_any_order(cli, at, csv_file, stored):
    file = csv_file(
        "100,2.25,0.5,2.5,1.5,2026-01-05,AAPL", header="vol,close,low,high,open,day,symbol"
    )
    cli("import", file, *at)
    assert stored()[0].close == 2.25


def test_other_columns_are_ignored_and_named_if_asked(cli, at, csv_file, stored):
    file = csv_file(f"{GOOD},9", header="Ticker,Date,Open,High,Low,Close,Volume,Adj Close")
    assert "ignored columns: Adj Close\n" in cli("import", file, "--extra", "ignore", *at).stdout
    assert stored()[0].extra is None


def test_a_missing_column_is_reported_with_those_found(cli, at, csv_file):
    told = cli("import", csv_file(header="Symbol,Date,Open,High,Low,Close"), *at).stderr
    assert "missing columns: volume; found 'Symbol', 'Date', 'Open'" in told


def test_a_misspelt_column_is_reported_as_the_nearest(cli, at, csv_file):
    told = cli("import", csv_file(header="Symbol,Date,Open,High,Low,Clsoe,Volume"), *at).stderr
    assert "missing columns: close (is it 'Clsoe'?)" in told


def test_a_missing_date_column_is_reported_with_the_names_it_may_have(cli, at, csv_file):
    told = cli("import", csv_file(header="Symbol,When,Open,High,Low,Close,Volume"), *at).stderr
    assert "date (date or datetime or timestamp or time or day or open_time or ts_event or" in told


def test_two_columns_of_one_meaning_are_refused_by_name(cli, at, csv_file):
    file = csv_file(header="Symbol,Date,Time,Open,High,Low,Close,Volume")
    assert "the columns 'Date' and 'Time' both name the date" in cli("import", file, *at).stderr


@pytest.mark.parametrize("content", ["", "\n\n", "﻿"])
def test_a_file_without_a_header_is_refused(cli, at, tmp_path, content):
    file = tmp_path / "bars.csv"
    file.write_text(content, encoding="utf-8")
    assert "expected a header line" in cli("import", file, *at).stderr


# Further columns.


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["62", "7", "-1"], [62, 7, -1]),
        (["62", "", "nan"], [62, None, None]),
        (["1.5", "2", "-3e2"], [1.5, 2.0, -300.0]),
        (["9223372036854775808", "0", "0"], [2.0**63, 0.0, 0.0]),
        (["True", "false", ""], [True, False, None]),
        (["007", "8", ""], ["007", "8", None]),
        (["x", "nan", "7"], ["x", "nan", "7"]),
        (["", "", ""], [None, None, None]),
        (["2026-01-05", "2026-01-06", ""], ["2026-01-05", "2026-01-06", None]),
        (["2026-99-05T00:00Z", "", ""], ["2026-99-05T00:00Z", None, None]),
        (
            ["2026-01-05T09:30+01:00", "2026-01-05 08:30:00Z", ""],
            [datetime(2026, 1, 5, 8, 30, tzinfo=UTC)] * 2 + [None],
        ),
    ],
)
def test_a_further_column_of_a_csv_has_the_type_of_all_its_texts(
    cli, at, csv_file, stored, cells, values
):
    rows = [f"{GOOD.replace('05', f'0{5 + day}')},{cell}" for day, cell in enumerate(cells)]
    result = cli("import", csv_file(*rows, header=f"{HEADER},more"), *at)
    found = [bar.extra and bar.extra["more"] for bar in stored()]
    assert (found, list(map(type, found))) == (values, list(map(type, values)))
    assert "ignored" not in result.stdout


def test_a_bad_row_has_no_further_columns(cli, at, csv_file, stored):
    file = csv_file("bad", f"{GOOD},7", header=f"{HEADER},more")
    cli("import", file, "--skip-bad", *at)
    assert [bar.extra for bar in stored()] == [{"more": 7}]


def test_a_column_without_a_name_is_ignored(cli, at, csv_file, stored):
    cli("import", csv_file(f"0,{GOOD}", header=f",{HEADER}"), *at)
    assert [bar.extra for bar in stored()] == [None]


def test_a_further_column_that_is_there_twice_is_refused(cli, at, csv_file):
    file = csv_file(f"{GOOD},1,2", header=f"{HEADER},more,more")
    assert "the file has two columns 'more'" in cli("import", file, *at).stderr


def test_further_columns_of_parquet_keep_their_types(cli, at, parquet_file, stored):
    when = datetime(2026, 1, 5, 9, tzinfo=UTC)
    more = {
        "trades": pa.array([7], pa.int32()),
        "vwap": pa.array([Decimal("1.75")]),
        "late": [True],
        "venue": pa.array(["XNAS"]).dictionary_encode(),
        "seen": pa.array([when], pa.timestamp("ns", "UTC")),
        "empty": pa.nulls(1),
    }
    cli("import", parquet_file(**more), *at)
    expected = {"late": True, "seen": when, "trades": 7, "venue": "XNAS", "vwap": 1.75}
    assert [bar.extra for bar in stored()] == [expected]


def test_a_further_column_of_another_type_is_refused(cli, at, parquet_file, stored):
    told = cli("import", parquet_file(tags=[["a"]]), *at).stderr
    assert "table.tags: expected numbers, bools, text or timestamps, got list" in told
    assert "--extra ignore" in told
    assert stored() == []


def test_a_file_without_volumes_is_imported_if_it_is_said(cli, at, csv_file, stored):
    file = csv_file(GOOD.removesuffix(",100"), header=HEADER.removesuffix(",Volume"))
    assert "give --volume absent" in cli("import", file, *at).stderr
    cli("import", file, "--volume", "absent", *at)
    assert [bar.volume for bar in stored()] == [None]


def test_a_file_with_volumes_has_none_absent(cli, at, csv_file):
    told = cli("import", csv_file(GOOD), "--volume", "absent", *at).stderr
    assert "--volume absent is given, but the file has the column 'Volume'" in told


# Days and timeframes.


@pytest.mark.parametrize(
    ("text", "timeframe", "kept"),
    [
        ("2026-01-05T00:00+09:00", "1d", JAN_5),
        ("2026-01-05T16:00", "1w", JAN_5),
        ("2026-01-05", "session", JAN_5),
        ("2026-01-05T09:00+09:00", "1m", JAN_5),
    ],
)
def test_the_written_day_is_kept_in_timeframes_of_days(
    cli, at, csv_file, stored, text, timeframe, kept
):
    file = csv_file(GOOD.replace("2026-01-05", text))
    cli("import", file, "--day", "written", "--timeframe", timeframe, *at)
    assert [bar.date for bar in stored(timeframe=timeframe)] == [kept]


def test_the_written_day_of_parquet_is_that_of_its_zone(cli, at, parquet_file, stored):
    when = pa.array([datetime(2026, 1, 4, 15)], pa.timestamp("us")).cast(pa.int64())
    cli(
        "import",
        parquet_file(date=when.cast(pa.timestamp("us", "Asia/Tokyo"))),
        "--day",
        "written",
        *at,
    )
    assert [bar.date for bar in stored()] == [JAN_5]


HINT = "timeframe '1d': the dates are midnights in {}, and are kept as instants, which are no"


@pytest.mark.parametrize(
    ("text", "more", "zone"),
    [
        ("2026-01-05T00:00:00-05:00", [], "UTC-05:00"),
        ("2026-01-05 00:00", ["--timezone", "America/New_York"], "America/New_York"),
    ],
)
def test_days_at_the_midnights_of_a_zone_are_imported_with_a_hint(
    cli, at, csv_file, stored, text, more, zone
):
    rows = [
        GOOD.replace("2026-01-05", text),
        GOOD.replace("2026-01-05", text.replace("05", "06", 1)),
    ]
    told = cli("import", csv_file(*rows), *more, *at).stderr
    assert HINT.format(zone) in told
    assert "--day written files each bar under its own day" in told
    assert len(stored()) == 2


def test_days_of_parquet_at_the_midnights_of_a_zone_are_imported_with_a_hint(cli, at, parquet_file):
    when = pa.array([datetime(2026, 1, 4, 15)], pa.timestamp("us")).cast(pa.int64())
    file = parquet_file(date=when.cast(pa.timestamp("us", "Asia/Tokyo")))
    assert HINT.format("Asia/Tokyo") in cli("import", file, *at).stderr


@pytest.mark.parametrize(
    ("texts", "more"),
    [
        (["2026-01-05T00:00Z"], []),
        (["2026-01-05", "2026-01-06T00:00+01:00"], []),
        (["2026-01-05"], ["--timezone", "Asia/Tokyo"]),
        (["2026-01-05T00:00+09:00", "2026-01-07T09:00+09:00"], []),
        (["2026-01-05T00:00+09:00"], ["--timeframe", "1m"]),
        (["2026-01-05T00:00+09:00"], ["--timeframe", "session"]),
        (["2026-01-05T00:00+09:00"], ["--day", "written"]),
    ],
)
def test_other_days_give_no_hint(cli, at, csv_file, texts, more):
    rows = [GOOD.replace("2026-01-05", text) for text in texts]
    assert "midnights" not in cli("import", csv_file(*rows), *more, *at).stderr


@pytest.mark.parametrize("more", [[], ["--irregular"], ["--skip-bad"]])
def test_different_times_of_one_written_day_are_refused(cli, at, csv_file, stored, more):
    result = cli("import", csv_file(*MINUTES), "--day", "written", *more, *at)
    assert result.exit_code == 1
    assert (
        "AAPL: 10 rows are different times of 2026-01-05 (line 2, 3, 4, 5, 6, …), and --day "
        "written files one bar a day: nothing was written; give the timeframe that they have"
    ) in result.stderr
    assert stored() == []


def test_more_written_days_with_several_times_are_counted(cli, at, csv_file):
    rows = [MINUTES[0], MINUTES[1], *(row.replace("01-05", "01-06") for row in MINUTES[:2])]
    told = cli("import", csv_file(*rows), "--day", "written", *at).stderr
    assert "(line 2, 3), and so are those of 1 more day" in told


def test_of_one_time_that_is_written_twice_the_last_row_is_kept(cli, at, csv_file, stored):
    same = GOOD.replace("01-05", "01-05T09:00+09:00")
    cli("import", csv_file(GOOD.replace("01-05", "01-05T00:00Z"), same), "--day", "written", *at)
    assert len(stored()) == 1


MINUTES = [GOOD.replace("01-05", f"01-05T09:{minute}") for minute in range(30, 40)]


def test_dates_that_do_not_fit_the_timeframe_are_refused(cli, at, csv_file, stored):
    result = cli("import", csv_file(*MINUTES), *at)
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "AAPL: 1 of 1 days have several bars, the first 2026-01-05 09:30"
    )
    assert "it looks like bars of 1m\n" in result.stderr
    assert "nothing was written; give --timeframe 1m, or --irregular" in result.stderr
    assert stored() == []


def test_irregular_dates_are_written_if_asked(cli, at, csv_file, stored):
    cli("import", csv_file(*MINUTES), "--irregular", *at)
    assert len(stored()) == 10


def test_days_of_two_zones_are_refused_with_the_written_day(cli, at, csv_file):
    rows = [GOOD, GOOD.replace("01-05", "01-06T00:00+09:00")]
    assert "give --day written, or --irregular" in cli("import", csv_file(*rows), *at).stderr


def test_of_many_irregular_symbols_the_first_are_shown(cli, at, csv_file):
    rows = [row.replace("AAPL", f"S{number}") for number in range(7) for row in MINUTES]
    told = cli("import", csv_file(*rows), *at).stderr
    assert told.count("several bars") == 5
    assert "\nand 2 more symbols\n" in told


def test_an_unusual_timeframe_is_imported_with_a_hint(cli, at, csv_file, stored):
    told = cli("import", csv_file(GOOD), "--timeframe", "daily", *at).stderr
    assert told == "timeframe 'daily': did you mean '1d'? They name different series\n"
    assert len(stored(timeframe="daily")) == 1


def test_a_timeframe_is_compared_with_those_of_the_store(cli, at, csv_file):
    cli("import", csv_file(GOOD), "--timeframe", "1D", *at)
    again = cli("import", csv_file(GOOD), "--timeframe", "1D", *at)
    other = cli("import", csv_file(GOOD), "--timeframe", "1d", *at)
    assert again.stderr == ""
    assert other.stderr.startswith("timeframe '1d': did you mean '1D'?")


def test_a_store_that_lists_nothing_is_not_asked_for_its_timeframes(capsys):
    warn_of_spelling(object(), {"AAPL": []}, "1D")
    assert "did you mean '1d'?" in capsys.readouterr().err


def test_show_asks_for_the_timeframe_that_is_as_long(cli, at, csv_file):
    cli("import", csv_file(GOOD), *at)
    told = cli("show", "AAPL", "--timeframe", "daily", *at).stderr
    assert "no daily bars of 'AAPL'; did you mean '1d'? give --timeframe" in told


# The symbol.


def test_a_file_without_symbols_takes_the_one_given(cli, at, csv_file, stored):
    file = csv_file(GOOD.removeprefix("AAPL,"), header="Date,Open,High,Low,Close,Volume")
    cli("import", file, "--symbol", "BRK/B", *at)
    assert [bar.symbol for bar in stored("BRK/B")] == ["BRK/B"]


def test_a_file_without_symbols_needs_one(cli, at, csv_file):
    file = csv_file(header="Date,Open,High,Low,Close,Volume")
    assert "symbol (or give --symbol, or --symbol-from-name for" in cli("import", file, *at).stderr


def test_a_symbol_replaces_the_one_of_the_file_with_a_notice(cli, at, csv_file, stored):
    told = cli("import", csv_file(GOOD), "--symbol", "IBM", *at).stderr
    assert told == "the column 'Symbol' is not used: all rows are stored as IBM, as --symbol says\n"
    assert [bar.symbol for bar in stored("IBM")] == ["IBM"]


def test_a_symbol_never_makes_one_of_two(cli, at, csv_file, stored):
    file = csv_file(GOOD, GOOD.replace("AAPL", "MSFT"))
    told = cli("import", file, "--symbol", "IBM", *at).stderr
    assert "--symbol IBM is given, but the column 'Symbol' has several symbols" in told
    assert stored("IBM") == []


def test_an_empty_symbol_is_refused(cli, at, csv_file):
    assert "--symbol" in cli("import", csv_file(GOOD), "--symbol", "", *at).stderr


# How a CSV is written.


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_seen_in_the_header(cli, at, csv_file, stored, delimiter):
    header = "Symbol,Date,Open,High,Low,Close,Volume".replace(",", delimiter)
    cli("import", csv_file(GOOD.replace(",", delimiter), header=header), *at)
    assert len(stored()) == 1


@pytest.mark.parametrize(("option", "between"), [("!", "!"), ("tab", "\t"), (r"\t", "\t")])
def test_a_delimiter_can_be_given(cli, at, csv_file, stored, option, between):
    header = "Symbol,Date,Open,High,Low,Close,Volume".replace(",", between)
    file = csv_file(GOOD.replace(",", between), header=header)
    cli("import", file, "--delimiter", option, *at)
    assert len(stored()) == 1


@pytest.mark.parametrize("option", [",,", "", '"', "\n"])
def test_a_delimiter_that_cannot_be_one_is_refused(cli, at, csv_file, option):
    told = cli("import", csv_file(GOOD), "--delimiter", option, *at).stderr
    assert "--delimiter: expected one character" in told


def test_a_byte_order_mark_is_no_part_of_the_first_name(cli, at, csv_file, stored):
    cli("import", csv_file(GOOD, encoding="utf-8-sig"), *at)
    assert len(stored()) == 1


def test_blanks_around_cells_are_no_part_of_them(cli, at, csv_file, stored):
    cli("import", csv_file(GOOD.replace(",", " , ")), *at)
    assert len(stored("AAPL")) == 1


def test_empty_lines_are_passed_over(cli, at, csv_file, stored):
    cli("import", csv_file("", GOOD, "  ", ""), *at)
    assert len(stored()) == 1


def test_text_that_is_not_utf_8_is_refused_with_its_line(cli, at, csv_file):
    file = csv_file(GOOD, "Ü" + GOOD, encoding="latin-1")
    assert "neither Parquet nor text in UTF-8 (line 3" in cli("import", file, *at).stderr


def test_a_quote_that_is_never_closed_is_refused_with_its_line(cli, at, csv_file):
    told = cli("import", csv_file(GOOD, 'AAPL,"2026-01-06,1,1,1,1,1'), *at).stderr
    assert "line 3: not CSV with the delimiter ','" in told


# Numbers.


@pytest.mark.parametrize(
    ("text", "volume"),
    [
        ("100", 100),
        ("+100", 100),
        ("100.0", 100),
        ("1e3", 1000),
        ("0.5", 0.5),
        (".5", 0.5),
        ("9007199254740993", 9007199254740993),
        ("9007199254740993.0", 9007199254740993),
        ("9007199254740993.4", 9007199254740994),
        ("9.223372036854775807e18", 2**63 - 1),
        ("9223372036854775808.0", float(2**63)),
        ("1e23", 1e23),
    ],
)
def test_a_volume_is_a_whole_number_where_its_text_is(cli, at, csv_file, stored, text, volume):
    cli("import", csv_file(f"AAPL,2026-01-05,1,1,1,1,{text}"), *at)
    assert repr(stored()[0].volume) == repr(volume)


def test_a_price_is_the_float_that_its_text_says(cli, at, csv_file, stored):
    cli("import", csv_file("AAPL,2026-01-05,0.1,438.1799,-37.63,1e-7,1"), *at)
    (bar,) = stored()
    assert (bar.open, bar.high, bar.low, bar.close) == (0.1, 438.1799, -37.63, 1e-7)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nan",
        "inf",
        "-inf",
        "1_000",
        "1,5",
        "$",
        "0x10",
        "٣",
        "1e999",
        "abc",
        "9" * 5000,
        "--1",
    ],
)
def test_a_price_that_is_no_number_is_a_bad_row(cli, at, csv_file, text):
    told = cli("import", csv_file(f'AAPL,2026-01-05,1,1,1,"{text}",1'), *at).stderr
    assert told.startswith("line 2: close=")


@pytest.mark.parametrize("text", ["-1", "nan", "1_000", "99999999999999999999"])
def test_a_volume_that_is_none_is_a_bad_row(cli, at, csv_file, text):
    told = cli("import", csv_file(f"AAPL,2026-01-05,1,1,1,1,{text}"), *at).stderr
    assert told.startswith("line 2: volume=")


@pytest.mark.parametrize("number", [pa.scalar(Decimal("130.31")), "130.31", 130.31])
def test_a_price_in_parquet_may_be_a_decimal_a_text_or_a_float(
    cli, at, parquet_file, stored, number
):
    cli("import", parquet_file(close=pa.array([number])), *at)
    assert stored()[0].close == 130.31


@pytest.mark.parametrize("number", [None, True, float("nan"), [1.0]])
def test_a_price_in_parquet_that_is_no_number_is_a_bad_row(cli, at, parquet_file, number):
    told = cli("import", parquet_file(close=pa.array([number])), *at).stderr
    assert told.startswith("row 1: close=")


# Dates and times.


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-01-05", "UTC", JAN_5),
        ("20260105", "UTC", JAN_5),
        ("2026-01-05", "America/New_York", JAN_5),
        ("2026-01-05 14:30", "UTC", JAN_5 + delta(hours=14.5)),
        ("2026-01-05T14:30:00.000001", "utc", JAN_5 + delta(hours=14.5, microseconds=1)),
        ("2026-01-05T14:30:00.000001000", "UTC", JAN_5 + delta(hours=14.5, microseconds=1)),
        ("2026-01-05 09:30", "America/New_York", JAN_5 + delta(hours=14.5)),
        ("2026-07-06 09:30", "America/New_York", datetime(2026, 7, 6, 13, 30)),
        ("2026-01-05T15:30+01:00", "America/New_York", JAN_5 + delta(hours=14.5)),
        ("2026-01-05T14:30Z", "America/New_York", JAN_5 + delta(hours=14.5)),
    ],
    ids=[
        "a date",
        "a date without dashes",
        "a date has no time zone",
        "a time",
        "a microsecond",
        "nanoseconds that are zero",
        "a local time in winter",
        "a local time in summer",
        "a time with an offset",
        "a time in UTC",
    ],
)
def test_a_date_or_time_is_kept_as_utc(cli, at, csv_file, stored, text, zone, expected):
    cli("import", csv_file(GOOD.replace("2026-01-05", text)), "--timezone", zone, *at)
    assert [bar.date for bar in stored()] == [expected]


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("", "UTC"),
        ("05/01/2026", "UTC"),
        ("1767571200000000000000", "UTC"),
        ("2026-02-30", "UTC"),
        ("2026-01-05T14:30:00.0000001", "UTC"),
        ("2026-03-08 02:30", "America/New_York"),
        ("2026-11-01 01:30", "America/New_York"),
        ("0001-01-01T00:30", "Asia/Tokyo"),
        ("9999-12-31T23:30", "America/New_York"),
    ],
    ids=[
        "nothing",
        "the day or the month first",
        "a number without a unit",
        "no day of the calendar",
        "finer than a microsecond",
        "a time that the clocks skipped",
        "a time that came twice, alone",
        "before the year 1 in UTC",
        "after the year 9999 in UTC",
    ],
)
def test_a_date_that_is_none_is_a_bad_row(cli, at, csv_file, text, zone):
    file = csv_file(GOOD.replace("2026-01-05", text))
    told = cli("import", file, "--timezone", zone, *at).stderr
    assert told.startswith("line 2: date=")


@pytest.mark.parametrize("zone", ["America/New_Yrok", "america", "../UTC", ""])
def test_an_unknown_time_zone_is_a_wrong_use(cli, at, csv_file, zone):
    told = cli("import", csv_file(GOOD), "--timezone", zone, *at).stderr
    assert f"no time zone {zone!r}" in told


def test_an_unknown_time_zone_gets_the_nearest(cli, at, csv_file):
    told = cli("import", csv_file(GOOD), "--timezone", "America/New_Yrok", *at).stderr
    assert "did you mean 'America/New_York'" in told


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_timestamp_of_parquet_is_local_to_the_time_zone(cli, at, parquet_file, stored, unit):
    file = parquet_file(date=pa.array([datetime(2026, 1, 5, 9, 30)], pa.timestamp(unit)))
    cli("import", file, "--timezone", "America/New_York", *at)
    assert stored()[0].date == JAN_5 + delta(hours=14.5)


def test_a_timestamp_of_parquet_with_its_zone_is_an_instant(cli, at, parquet_file, stored):
    tokyo = timezone(delta(hours=9))
    when = pa.array([datetime(2026, 1, 5, 23, 30, tzinfo=tokyo)], pa.timestamp("us", "Asia/Tokyo"))
    cli("import", parquet_file(date=when), "--timezone", "America/New_York", *at)
    assert stored()[0].date == JAN_5 + delta(hours=14.5)


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64(), pa.string()])
def test_a_date_of_parquet_stays_that_date(cli, at, parquet_file, stored, kind):
    day = "2026-01-05" if kind == pa.string() else date(2026, 1, 5)
    cli("import", parquet_file(date=pa.array([day], kind)), "--timezone", "Asia/Tokyo", *at)
    assert stored()[0].date == JAN_5


def test_a_nanosecond_of_parquet_is_a_bad_row_and_never_rounded(cli, at, parquet_file):
    when = pa.array([1767571200000000001], pa.timestamp("ns"))
    told = cli("import", parquet_file(date=when), *at).stderr
    assert told.startswith("row 1: date='2026-01-05 00:00:00.000000001': finer than a microsecond")


@pytest.mark.parametrize(
    "value", [pa.scalar(None, pa.timestamp("us")), 17675712, time(9, 30)], ids=repr
)
def test_a_date_of_parquet_that_is_none_is_a_bad_row(cli, at, parquet_file, value):
    told = cli("import", parquet_file(date=pa.array([value])), *at).stderr
    assert told.startswith("row 1: date=")


def test_a_damaged_parquet_file_is_refused(cli, at, parquet_file):
    file = parquet_file()
    file.write_bytes(file.read_bytes()[:-20])
    assert "not a whole Parquet file" in cli("import", file, *at).stderr


# Bad rows.


def test_with_a_bad_row_nothing_is_written(cli, at, csv_file, base_path):
    cli("import", csv_file(GOOD, GOOD.replace("1.5", "x")), *at)
    assert not base_path.exists()


def test_with_a_bad_row_the_status_is_1(cli, at, csv_file):
    assert cli("import", csv_file(GOOD, GOOD.replace("1.5", "x")), *at).exit_code == 1


def test_a_bad_row_is_reported_by_its_line_in_the_file(cli, at, csv_file):
    told = cli("import", csv_file(GOOD, "", GOOD.replace("1.5", "x")), *at).stderr
    assert told.startswith("line 4: open='x': expected a number")


def test_a_row_with_cells_missing_is_bad(cli, at, csv_file):
    told = cli("import", csv_file("AAPL,2026-01-05,1"), *at).stderr
    assert told.startswith("line 2: expected 7 cells, found 3")


def test_a_row_without_its_symbol_is_bad(cli, at, csv_file):
    assert cli("import", csv_file(GOOD.removeprefix("AAPL")), *at).stderr.startswith(
        "line 2: symbol"
    )


def test_the_first_twenty_bad_rows_are_reported(cli, at, csv_file):
    told = cli("import", csv_file(GOOD, *["bad"] * 25), *at).stderr
    assert told.count("line ") == 20


def test_further_bad_rows_are_counted(cli, at, csv_file):
    assert "\nand 5 more\n" in cli("import", csv_file(GOOD, *["bad"] * 25), *at).stderr


def test_the_error_says_how_to_write_the_others(cli, at, csv_file):
    told = cli("import", csv_file(GOOD, "bad"), *at).stderr.splitlines()[-1]
    assert told.endswith("bars.csv: 1 bad row: nothing was written; --skip-bad writes the others")


def test_with_skip_bad_the_good_rows_are_written(cli, at, csv_file, stored):
    cli("import", csv_file("bad", GOOD), "--skip-bad", *at)
    assert len(stored()) == 1


def test_with_skip_bad_the_skipped_rows_are_counted(cli, at, csv_file):
    result = cli("import", csv_file("bad", GOOD, "bad"), "--skip-bad", *at)
    assert "2 bad rows skipped\n" in result.stdout


def test_with_skip_bad_a_file_of_bad_rows_alone_is_an_error(cli, at, csv_file):
    told = cli("import", csv_file("bad"), "--skip-bad", *at).stderr
    assert "1 bad row and no good rows: nothing was written" in told


# The summary.


def test_the_last_line_sums_up(cli, at, csv_file):
    file = csv_file(GOOD, GOOD.replace("01-05", "01-06"), GOOD.replace("AAPL", "IBM"))
    assert last_line(cli("import", file, *at)) == (
        f"3 1d bars of 2 symbols, 2026-01-05 to 2026-01-06, from {file} into backend 'file'"
    )


def test_the_summary_names_the_config(cli, csv_file, tmp_path):
    config = tmp_path / "storecore.toml"
    config.write_text('[store]\nbackend = "memory"\n')
    result = cli("import", csv_file(GOOD), "--config", config)
    assert last_line(result).endswith(f"into backend 'memory' of {config}")


def test_rows_of_one_date_are_counted_once(cli, at, csv_file):
    assert last_line(cli("import", csv_file(GOOD, GOOD), *at)).startswith("1 1d bar of 1 symbol,")


def test_of_rows_of_one_date_the_last_wins(cli, at, csv_file, stored):
    cli("import", csv_file(GOOD, GOOD.replace("2.25", "9.75")), *at)
    assert [bar.close for bar in stored()] == [9.75]


def test_rows_of_one_date_are_mentioned(cli, at, csv_file):
    printed = cli("import", csv_file(GOOD, GOOD), *at).stdout
    assert "1 row repeated a date: the last one was taken\n" in printed


def test_a_file_without_rows_is_no_error(cli, at, csv_file):
    assert last_line(cli("import", csv_file(), *at)).startswith("0 1d bars of 0 symbols from ")


def test_times_are_summed_up_in_utc(cli, at, csv_file):
    file = csv_file(GOOD.replace("2026-01-05", "2026-01-05 09:30"))
    result = cli("import", file, "--timezone", "America/New_York", *at)
    assert "2026-01-05 14:30:00 to 2026-01-05 14:30:00" in last_line(result)


# The hour that comes twice.

IN_ORDER = ["00:30", "01:00", "01:30", "01:00", "01:30", "02:00"]
NIGHT = datetime(2024, 11, 3)
SIX = [NIGHT + delta(hours=4.5 + each / 2) for each in range(6)]


def lines_of(rows):
    """The lines of a CSV, of (symbol, time of the night, close)."""
    return [f"{name},2024-11-03 {at},1,2,0.5,{close},7" for name, at, close in rows]


def test_a_file_in_order_keeps_both_of_an_hour_that_comes_twice(cli, at, csv_file, stored):
    file = csv_file(*lines_of(("AAPL", clock, number) for number, clock in enumerate(IN_ORDER)))
    result = cli("import", file, "--timezone", "America/New_York", "--irregular", *at)
    assert [(bar.date, bar.close) for bar in stored()] == list(zip(SIX, range(6), strict=True))
    assert "repeated" not in result.stdout


@pytest.mark.parametrize("grouped", [True, False])
def test_the_order_is_that_of_each_symbol(cli, at, csv_file, stored, grouped):
    rows = [("AAPL", clock, number) for number, clock in enumerate(IN_ORDER)]
    other = [("MSFT", clock, number) for number, clock in enumerate(reversed(IN_ORDER))]
    mixed = (
        rows + other if grouped else [row for pair in zip(rows, other, strict=True) for row in pair]
    )
    cli("import", csv_file(*lines_of(mixed)), "--timezone", "America/New_York", "--irregular", *at)
    assert [(bar.date, bar.close) for bar in stored()] == list(zip(SIX, range(6), strict=True))
    falling = [(bar.date, 5 - bar.close) for bar in stored("MSFT")]
    assert falling == list(zip(SIX, range(6), strict=True))


def test_an_hour_that_order_cannot_tell_is_a_bad_row_with_both(cli, at, csv_file, stored):
    rows = [("AAPL", "00:00", 1), ("AAPL", "01:00", 2), ("MSFT", "x", 3), ("AAPL", "02:00", 4)]
    result = cli(
        "import", csv_file(*lines_of(rows)), "--timezone", "America/New_York", "--irregular", *at
    )
    assert result.exit_code == 1
    assert result.stderr.startswith("line 3: date='2024-11-03 01:00:00': that time occurred twice")
    assert "write 2024-11-03T01:00:00-04:00 or 2024-11-03T01:00:00-05:00" in result.stderr
    assert stored() == []
    result = cli(
        "import",
        csv_file(*lines_of(rows)),
        "--timezone",
        "America/New_York",
        "--skip-bad",
        "--irregular",
        *at,
    )
    assert [bar.close for bar in stored()] == [1.0, 4.0]
    assert "2 bad rows skipped" in result.stdout


def test_a_symbol_of_which_no_row_is_told_has_no_bars(cli, at, csv_file, stored):
    rows = [("AAPL", "00:00", 1), ("MSFT", "01:00", 2)]
    file = csv_file(*lines_of(rows))
    result = cli("import", file, "--timezone", "America/New_York", "--skip-bad", "--irregular", *at)
    assert "1 1d bar of 1 symbol" in result.stdout


def test_an_hour_that_comes_twice_is_reported_in_parquet_too(cli, at, parquet_file, stored):
    times = [datetime.fromisoformat(f"2024-11-03T{clock}") for clock in IN_ORDER]
    file = parquet_file(
        symbol=["AAPL"] * 6,
        date=pa.array(times, pa.timestamp("us")),
        **dict.fromkeys(("open", "high", "low", "close", "volume"), [1.0] * 6),
    )
    cli("import", file, "--timezone", "America/New_York", "--irregular", *at)
    assert [bar.date for bar in stored()] == SIX


# Digits.


@pytest.mark.parametrize("text", ["2024010100", "171203010", "20240102ab", "17120301000000000000"])
def test_digits_that_may_be_another_time_are_a_bad_row(cli, at, csv_file, text):
    result = cli("import", csv_file(GOOD.replace("2026-01-05", text)), *at)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"line 2: date='{text}': ")


# Times of Parquet in the old type INT96.


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1),
        datetime(1500, 2, 28, 23, 59, 59, 999_999),
        datetime(1677, 9, 21),
        datetime(1969, 12, 31, 23, 59, 59, 999_999),
        datetime(2024, 1, 2, 9, 30, 0, 1),
        datetime(2262, 4, 12),
        datetime(2500, 1, 1, 12, 30, 15, 250_000),
        datetime(9999, 12, 31, 23, 59, 59, 999_999),
    ],
)
def test_a_time_of_int96_is_the_one_that_is_in_the_file(cli, at, stored, tmp_path, moment):
    dates = pa.array([moment], pa.timestamp("us"))
    table = pa.table({"symbol": ["AAPL"], "date": dates, **FIELDS})
    file = tmp_path / "spark.parquet"
    pq.write_table(table, file, use_deprecated_int96_timestamps=True)
    cli("import", file, *at)
    assert [bar.date for bar in stored()] == [moment]


@pytest.mark.parametrize(
    ("nanoseconds", "row"),
    [([0, 1_500], 2), ([None, 0], 1)],
    ids=["finer than a microsecond", "nothing"],
)
def test_a_time_of_int96_that_is_none_is_a_bad_row(cli, at, tmp_path, nanoseconds, row):
    columns = {name: value * 2 for name, value in FIELDS.items()}
    dates = pa.array(nanoseconds, pa.timestamp("ns"))
    file = tmp_path / "spark.parquet"
    pq.write_table(
        pa.table({"symbol": ["AAPL"] * 2, "date": dates, **columns}),
        file,
        use_deprecated_int96_timestamps=True,
    )
    assert cli("import", file, *at).stderr.startswith(f"row {row}: date=")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.date32(), 2**31 - 1),
        (pa.date32(), -(2**31)),
        (pa.timestamp("s"), 253_402_300_800),
        (pa.timestamp("s"), 10**14),
        (pa.timestamp("ms"), -(2**62)),
        (pa.timestamp("us"), 2**62),
        (pa.timestamp("us", "UTC"), 253_402_300_800_000_000),
        (pa.int64(), 171_203_010),
    ],
)
def test_a_time_of_parquet_that_no_calendar_has_is_a_bad_row(cli, at, parquet_file, kind, value):
    result = cli("import", parquet_file(date=pa.array([value], kind)), *at)
    assert result.exit_code == 1
    assert result.stderr.startswith("row 1: date=")


# Names of columns.

BY_NAME = "Symbol,{},Open,High,Low,Close,Volume"


@pytest.mark.parametrize("name", ["open_time", "Open Time", "ts_event", "window_start", "1. date"])
def test_a_date_has_the_names_that_it_has_in_frames(cli, at, csv_file, stored, name):
    cli("import", csv_file(GOOD, header=BY_NAME.format(name)), *at)
    assert [bar.date for bar in stored()] == [JAN_5]


def test_the_names_of_columns_are_those_of_frames():
    known = {**frame_names._FIELDS, "vol": "volume"}
    assert {name: field_of(name) for name in known} == known
    assert {field_of(name) for name in ("t", "o", "vwap", "")} == {None}


@pytest.mark.parametrize(
    "given",
    [["--columns", "date=begin, volume=v"], ["--columns", "date=begin", "--columns=volume=v"]],
)
def test_columns_are_named_by_an_option(cli, at, csv_file, stored, bar, given):
    cli("import", csv_file(GOOD, header="Symbol,begin,Open,High,Low,Close, v "), *given, *at)
    assert stored() == [bar(JAN_5, open=1.5, high=2.5, low=0.5, close=2.25, volume=100)]


def test_the_columns_that_are_not_chosen_are_further_ones(cli, at, csv_file, stored):
    file = csv_file(f"{GOOD},7", header=f"{HEADER},Time")
    cli("import", file, "--columns", "date=Date,hour=Time", *at)
    assert [bar.extra for bar in stored()] == [{"hour": 7}]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("date=begim", "--columns date=begim: the file has 0 columns of that name; is it 'begin'?"),
        ("date=xyz", "--columns date=xyz: the file has 0 columns of that name; found 'symbol', "),
        ("date=twice", "--columns date=twice: the file has 2 columns of that name; found "),
        ("date", "--columns 'date': expected each column of a bar once, and that of the file"),
        ("date=begin,date=twice", "--columns 'date=twice': expected each column of a bar once"),
        ("date=begin", "another column is given as 'date'; give the one of that name another name"),
    ],
)
def test_columns_that_cannot_be_chosen_are_refused(cli, at, csv_file, stored, columns, words):
    header = "symbol,begin,open,high,low,close,volume,date,twice,twice"
    file = csv_file(f"{GOOD},1,2,3", header=header)
    assert words in cli("import", file, "--columns", columns, *at).stderr
    assert stored() == []


def test_an_empty_volume_was_not_reported(cli, at, csv_file, stored):
    cli("import", csv_file(GOOD.removesuffix("100")), *at)
    assert [bar.volume for bar in stored()] == [None]
