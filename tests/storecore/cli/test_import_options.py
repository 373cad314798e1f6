"""`storecore import`: several files, archives, stdin, options of reading, dry runs and counts."""

from __future__ import annotations

import gzip
import io
import os
import threading
import zipfile
from datetime import UTC, datetime
from datetime import timedelta as delta
from decimal import Decimal

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import storecore
from storecore.cli.app import app
from storecore.cli.imports import runs, text, writes
from storecore.cli.imports.sources import stem_of

HEADER = "Symbol,Date,Open,High,Low,Close,Volume"
ROW = "AAPL,2026-01-05,1.5,2.5,0.5,2.25,100"
JAN_5 = datetime(2026, 1, 5)
NUMBERS = ("open", "high", "low", "close", "volume")
NINE = datetime(2024, 1, 2, 9, 30)


def content(*rows, header=HEADER):
    return "\n".join((header, *rows)) + "\n"


def dated(*dates):
    """A file of AAPL with these texts as dates, quoted."""
    return content(*(ROW.replace("2026-01-05", f'"{each}"') for each in dates))


@pytest.fixture
def file(tmp_path):
    """Write a file of text or bytes."""

    def write(what, name="bars.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(what if isinstance(what, bytes) else what.encode())
        return path

    return write


# Which files.


@pytest.mark.parametrize(
    "pack", [gzip.compress, lambda text: pa.compress(text, "zstd", asbytes=True)]
)
def test_a_compressed_file_is_decompressed(cli, at, file, stored, pack):
    cli("import", file(pack(content(ROW).encode()), "bars"), *at)
    assert len(stored()) == 1


def test_every_member_of_an_archive_is_imported(cli, at, file, stored):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a/AAPL.csv", content(ROW))
        archive.writestr(
            "a/MSFT.csv.gz", gzip.compress(content(ROW.replace("AAPL", "MSFT")).encode())
        )
        archive.writestr("__MACOSX/._AAPL.csv", "junk")
        archive.writestr("a/.hidden", "junk")
    result = cli("import", file(out.getvalue(), "bars.zip"), *at)
    assert len(stored()) == len(stored("MSFT")) == 1
    assert "2 1d bars of 2 symbols, 2026-01-05 to 2026-01-05, from 2 files into" in result.stdout


def test_parquet_and_feather_in_an_archive_are_read(cli, at, file, stored, tmp_path):
    table = pa.table({"Symbol": ["AAPL"], "Date": [JAN_5]}).append_column("Volume", [[7]])
    for name in ("Open", "High", "Low", "Close"):
        table = table.append_column(name, [[1.0]])
    pq.write_table(table, tmp_path / "a.parquet")
    pyarrow.feather.write_feather(
        table.set_column(0, "Symbol", [["MSFT"]]), tmp_path / "b.feather", compression="lz4"
    )
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        for name in ("a.parquet", "b.feather"):
            archive.write(tmp_path / name, name)
    cli("import", tmp_path / "both.zip", *at)
    assert [bar.volume for symbol in ("AAPL", "MSFT") for bar in stored(symbol)] == [7, 7]


def test_a_pattern_names_files_in_order(cli, at, file, stored, tmp_path):
    file(content(ROW), "bars/1.csv")
    file(content(ROW.replace("2.25", "9.75")), "bars/2.csv")
    result = cli("import", f"{tmp_path}/bars/*.csv", *at)
    assert [bar.close for bar in stored()] == [9.75]
    assert "from 2 files into" in result.stdout


def test_a_pattern_without_files_is_refused(cli, at, tmp_path):
    assert "*.csv: no file matches this pattern" in cli("import", f"{tmp_path}/*.csv", *at).stderr


def test_a_file_named_like_a_pattern_is_one(cli, at, file, stored):
    cli("import", file(content(ROW), "bars[1].csv"), *at)
    assert len(stored()) == 1


def test_a_bad_row_of_several_files_has_the_name_of_its_file(cli, at, file, stored):
    one, two = file(content(ROW), "1.csv"), file(content(ROW, "bad"), "2.csv")
    result = cli("import", one, two, *at)
    assert result.stderr.startswith(f"{two}: line 3: expected 7 cells, found 1\n")
    assert "2 files: 1 bad row: nothing was written" in result.stderr
    assert stored() == []


def test_stdin_is_a_file(at, stored):
    result = CliRunner().invoke(app, ["import", "-", *at], input=content(ROW))
    assert len(stored()) == 1
    assert "from stdin into" in result.stdout


def test_a_pipe_with_a_name_is_read_once(cli, at, stored, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(content(ROW),))
    writer.start()
    result = cli("import", pipe, *at)
    writer.join(10)
    assert result.exit_code == 0, result.output
    assert len(stored()) == 1


def test_parquet_can_be_read_from_stdin(at, stored):
    out = io.BytesIO()
    columns = {name: [1.0] for name in NUMBERS}
    pq.write_table(pa.table({"symbol": ["AAPL"], "date": [JAN_5], **columns}), out)
    CliRunner().invoke(app, ["import", "-", *at], input=out.getvalue())
    assert len(stored()) == 1


# The symbol.


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a/AAPL.csv", "AAPL"),
        ("aapl.us.txt", "aapl.us"),
        ("BRK.B.csv.gz", "BRK.B"),
        (".csv", ".csv"),
        ("AAPL", "AAPL"),
    ],
)
def test_the_stem_of_a_file_is_its_name_without_endings(name, stem):
    assert stem_of(name) == stem


def test_the_symbol_may_be_in_the_name_of_the_file(cli, at, file, stored):
    given = content(ROW.removeprefix("AAPL,"), header=HEADER.removeprefix("Symbol,"))
    told = cli("import", file(given, "MSFT.csv"), *at).stderr
    assert "symbol (or give --symbol, or --symbol-from-name for 'MSFT')" in told
    cli("import", file(given, "MSFT.csv"), "--symbol-from-name", *at)
    assert [bar.symbol for bar in stored("MSFT")] == ["MSFT"]


def test_a_bad_symbol_is_a_bad_row(cli, at, file, tmp_path):
    told = cli("import", file(content(ROW, ROW.replace("AAPL", ""))), *at).stderr
    assert told.startswith("line 3: symbol is empty: ")
    columns = {name: [1.0, 1.0] for name in NUMBERS}
    table = pa.table({"symbol": ["AAPL", None], "date": [JAN_5] * 2, **columns})
    pq.write_table(table, tmp_path / "bars.parquet")
    told = cli("import", tmp_path / "bars.parquet", *at).stderr
    assert told.startswith("row 2: symbol=None: expected a name")


# Dates.


@pytest.mark.parametrize(
    ("texts", "more", "expected"),
    [
        (["1704187800"], [], NINE),
        (["1704187800000"], [], NINE),
        (["1704187800000000"], [], NINE),
        (["1704187800000000000"], [], NINE),
        (["1704187800.0"], [], NINE),
        (["1704187800"], ["--timezone", "Asia/Tokyo"], NINE),
        (["202401020930"], [], NINE),
        (["20240102093000"], ["--timezone", "Asia/Tokyo"], NINE - delta(hours=9)),
        (["2024/01/02"], [], datetime(2024, 1, 2)),
        (["2024/1/2 9:30"], [], NINE),
        (["2024.01.02 09:30:00"], [], NINE),
        (["02.01.2024"], [], datetime(2024, 1, 2)),
        (["02.01.2024"], ["--date-format", "mdy"], datetime(2024, 2, 1)),
        (["02.01.2024 09:30:00.000"], [], NINE),
        (["01/02/2024"], ["--date-format", "mdy"], datetime(2024, 1, 2)),
        (["01/02/2024"], ["--date-format", "dmy"], datetime(2024, 2, 1)),
        (["01/02/2024", "01/31/2024"], [], datetime(2024, 1, 2)),
        (["02-01-2024 09:30", "31-01-2024 09:30"], [], NINE),
        (["02.Jan.2024"], ["--date-format", "%d.%b.%Y"], datetime(2024, 1, 2)),
        (["02 Jan 2024 09h30"], ["--date-format", "%d %b %Y %Hh%M"], NINE),
        (["020124T0930"], ["--date-format", "%d%m%yT%H%M"], NINE),
        (["0201240930"], ["--date-format", "%d%m%y%H%M"], NINE),
        (["02/01/2024 10:30 +0100"], ["--date-format", "%d/%m/%Y %H:%M %z"], NINE),
        (["Jan 02, 2024"], [], datetime(2024, 1, 2)),
        (["January 2, 2024"], [], datetime(2024, 1, 2)),
        (["2-Jan-24"], [], datetime(2024, 1, 2)),
        (["02-JAN-1999"], [], datetime(1999, 1, 2)),
        (["02-JAN-99"], [], datetime(1999, 1, 2)),
        (["2024-01-02 9:30 AM"], [], NINE),
        (["2024-01-02 12:05 PM"], [], datetime(2024, 1, 2, 12, 5)),
        (["2024-01-02 12:05 am"], [], datetime(2024, 1, 2, 0, 5)),
        (["2024-01-02 09-AM"], [], None),
        (["2024-01-02 13:05 PM"], [], None),
        (["2024-01-02 9 AM"], [], datetime(2024, 1, 2, 9)),
        (["20240102 093000"], [], NINE),
        (["20240102  09:30:00"], [], NINE),
        (["20240102 09:30:00 US/Eastern"], [], NINE + delta(hours=5)),
        (["2024-01-02 09:30:00 EST"], [], NINE + delta(hours=5)),
        (["2024-01-02 09:30:00 UTC"], ["--timezone", "Asia/Tokyo"], NINE),
        (["2024-01-02 09:30:00 No/Zone"], [], None),
        (["2024-01-02 09:30+99:00"], [], None),
        (
            ["2024-01-02 09:30", "2024-01-03 09:30Z"],
            ["--timezone", "Asia/Tokyo"],
            NINE - delta(hours=9),
        ),
        (["2024-01-02 09:30", "2024-01-03"], ["--timezone", "Asia/Tokyo"], NINE - delta(hours=9)),
        (["2024-01-02 09:61"], [], None),
        (["2024-01-02T093000"], [], NINE),
        (["2024-01-02T093000+01"], [], NINE - delta(hours=1)),
        (["31/13/2024"], [], None),
        (["31/12/2024", "12/31/2024"], [], None),
        (["02/Foo/2024"], [], None),
    ],
)
def test_a_date_is_read_as_vendors_write_it(cli, at, file, stored, texts, more, expected):
    result = cli("import", file(dated(*texts)), "--irregular", *more, *at)
    assert (result.exit_code, [bar.date for bar in stored()][:1]) == (
        (0, [expected]) if expected else (1, [])
    ), result.output


def test_an_ambiguous_date_is_refused_with_both_readings(cli, at, file):
    told = cli("import", file(dated("01/03/2024")), *at).stderr
    assert told.startswith(
        "line 2: date='01/03/2024' may be 2024-03-01 (--date-format dmy) or 2024-01-03 "
        "(--date-format mdy), and no date before decides: give one of them\n"
    )


@pytest.mark.parametrize("form", ["%H:%M", "iso", ""])
def test_a_date_format_that_reads_no_date_is_refused(cli, at, file, form):
    told = cli("import", file(dated("x")), "--date-format", form, *at).stderr
    assert "expected dmy, mdy, or a format such as %d/%m/%Y %H:%M" in told


def test_a_date_in_another_format_is_a_bad_row_with_the_option(cli, at, file):
    told = cli("import", file(dated("2024-01-02")), "--date-format", "%d.%m.%Y", *at).stderr
    assert told.startswith("line 2: date='2024-01-02': expected %d.%m.%Y, as --date-format says")


def test_what_numbers_were_read_as_is_reported(cli, at, file):
    told = cli("import", file(dated("1704187800000")), *at).stderr
    assert told == "dates: milliseconds since 1970\n"
    told = cli("import", file(dated("202401020930")), *at).stderr
    assert told == "dates: the digits of a date and time\n"


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ("2024-01-03", "line 3: date='2024-01-03': expected seconds since 1970, as others are"),
        ("1704187800000", "as seconds since 1970 it is not between 1980 and 2100, as others are"),
        ("9" * 19, "expected seconds since 1970, as others are"),
        ("9" * 20, "expected seconds since 1970, as others are"),
    ],
)
def test_a_number_of_another_unit_is_a_bad_row(cli, at, file, monkeypatch, second, words):
    monkeypatch.setattr(text, "BLOCK", 80)
    told = cli("import", file(dated("1704187800", second)), "--irregular", *at).stderr
    assert words in told


def test_nanoseconds_that_are_no_microseconds_are_bad_rows(cli, at, file):
    told = cli("import", file(dated("1704187800000000001")), *at).stderr
    assert told.startswith("line 2: date='1704187800000000001': finer than a microsecond")


SPLIT = "Symbol,Date,Time,Open,High,Low,Close,Volume"


@pytest.mark.parametrize(
    ("day", "clock"),
    [
        ("2024-01-02", "09:30"),
        ("20240102", "093000"),
        ("2024.01.02", "9:30:00"),
        ("02-Jan-2024", "930"),
        ("2024-01-02", "9:30 AM"),
    ],
)
def test_days_and_times_of_the_day_may_be_two_columns(cli, at, file, stored, day, clock):
    row = ROW.replace("2026-01-05", f"{day},{clock}")
    cli("import", file(content(row, header=SPLIT)), "--timezone", "America/New_York", *at)
    assert [(bar.date, bar.extra) for bar in stored()] == [(NINE + delta(hours=5), None)]


def test_a_time_of_the_day_that_is_none_is_a_bad_row(cli, at, file):
    rows = [ROW.replace("2026-01-05", f"2024-01-02,{clock}") for clock in ("09:30", "25:00", "")]
    told = cli("import", file(content(*rows, header=SPLIT)), "--irregular", *at).stderr
    assert told.startswith("line 3: date='2024-01-02 25:00'")


def test_written_days_of_numbers_are_those_of_the_zone(cli, at, file, stored):
    given = file(dated("1704207600", "1704121200"))  # midnights in Tokyo
    cli("import", given, "--day", "written", "--timezone", "Asia/Tokyo", *at)
    assert [bar.date for bar in stored()] == [datetime(2024, 1, 2), datetime(2024, 1, 3)]
    cli("import", given, "--day", "written", *at)
    assert stored()[0].date == datetime(2024, 1, 1)


def test_days_in_a_zone_that_each_row_names_are_midnights_there(cli, at, file):
    rows = dated("20240102 00:00:00 Asia/Tokyo", "20240103 00:00:00 Asia/Tokyo")
    assert "the dates are midnights in Asia/Tokyo" in cli("import", file(rows), *at).stderr


def test_an_hour_that_occurs_twice_in_a_zone_of_the_text_is_ambiguous(cli, at, file):
    told = cli("import", file(dated("20241103 01:30:00 US/Eastern")), *at).stderr
    assert "that time occurred twice in US/Eastern" in told


# Numbers.


@pytest.mark.parametrize(
    ("cells", "more", "values"),
    [
        ('"$1,234.50",1e3', [], (1234.5, 1000)),
        ('"1,234,567",12', [], (1234567.0, 12)),
        ('"1,234",12', ["--decimal", "."], (1234.0, 12)),
        ('"1,234",12', ["--decimal", ","], (1.234, 12)),
        ('"1.234,5","1.000"', ["--decimal", ","], (1234.5, 1000)),
        ('"1.234","1 000"', ["--decimal", ","], (1234.0, 1000)),
        ("1.5,58.41M", [], (1.5, 58410000)),
        ("1.5,2K", [], (1.5, 2000)),
        ("-$5,1b", [], (-5.0, 10**9)),
        ("€7,1", [], (7.0, 1)),
    ],
)
def test_a_number_is_read_as_vendors_write_it(cli, at, file, stored, cells, more, values):
    row = f"AAPL,2026-01-05,1.5,2.5,0.5,{cells}"
    result = cli("import", file(content(row)), *more, *at)
    assert result.exit_code == 0, result.output
    assert [(bar.close, bar.volume) for bar in stored()] == [values]


def test_thousands_are_seen_in_other_numbers(cli, at, file, stored):
    rows = ['AAPL,2026-01-05,1.5,2.5,0.5,98.25,"12,345"']
    cli("import", file(content(*rows)), *at)
    assert [bar.volume for bar in stored()] == [12345]


def test_one_comma_may_be_a_decimal_one(cli, at, file):
    told = cli("import", file(content('AAPL,2026-01-05,1,2,1,"1,234",1')), *at).stderr
    assert told.startswith(
        "line 2: close='1,234': it may be 1234 or 1.234: give --decimal . or --decimal ,\n"
    )


def test_a_decimal_comma_is_reported_with_the_option(cli, at, file):
    told = cli("import", file(content('AAPL,2026-01-05,1,2,1,"1,5",1')), *at).stderr
    assert (
        "expected a number such as 1234.5; if the comma is a decimal one, give --decimal ," in told
    )


@pytest.mark.parametrize("cell", ["-1", "", "nan", "-", "N/A"])
def test_a_volume_may_be_not_reported(cli, at, file, stored, cell):
    cli("import", file(content(ROW.replace(",100", f",{cell}"))), "--volume", "none", *at)
    assert [bar.volume for bar in stored()] == [None]


def test_a_volume_that_is_reported_stays_with_volume_none(cli, at, file, stored):
    cli("import", file(content(ROW)), "--volume", "none", *at)
    assert [bar.volume for bar in stored()] == [100]


def test_a_column_of_volumes_may_be_missing_with_volume_none(cli, at, file, stored):
    given = content(ROW.removesuffix(",100"), header=HEADER.removesuffix(",Volume"))
    cli("import", file(given), "--volume", "none", *at)
    assert [bar.volume for bar in stored()] == [None]


def test_tick_volumes_count_only_if_all_volumes_are_zero(cli, at, file, stored):
    header = HEADER.replace("Volume", "<TICKVOL>,<VOL>")
    rows = [f"{ROW},0", f"{ROW.replace('05', '06')},7"]
    cli("import", file(content(*rows, header=header)), *at)
    assert [(bar.volume, bar.extra) for bar in stored()] == [
        (0, {"TICKVOL": 100}),
        (7, {"TICKVOL": 100}),
    ]
    told = cli("import", file(content(rows[0], header=header)), "--extra", "ignore", *at).stderr
    assert told == "volume: <TICKVOL>, since <VOL> is zero\n"


def test_decimals_of_parquet_are_the_nearest_floats(cli, at, tmp_path, stored):
    columns = dict.fromkeys(("open", "high", "low", "close"), pa.array([Decimal("0.1")]))
    symbols = pa.array(["AAPL"]).dictionary_encode()
    table = pa.table({"symbol": symbols, "date": [JAN_5], **columns, "volume": [2**53 + 1]})
    pq.write_table(table, tmp_path / "bars.parquet")
    cli("import", tmp_path / "bars.parquet", *at)
    assert [(bar.close, bar.volume) for bar in stored()] == [(0.1, 2**53 + 1)]


# The layout.


@pytest.mark.parametrize(
    ("given", "more"),
    [
        (f"{ROW}\n", ["--names", "symbol,date,open,high,low,close,volume"]),
        (f"{ROW}\n", ["--names", "symbol, date, open, high, low, close, volume, more"]),
        (content(ROW), ["--names", "symbol,date,open,high,low,close,volume"]),
        (f"# Bars, of: a, vendor\n{content(ROW)}", ["--skip-lines", "1"]),
        (f"https://vendor.example/\n{content(ROW)}", []),
        (content(ROW, ",,,,,,", " , ,,,,,"), []),
        (f",,,,,,\n{content(ROW)}", []),
        (content(ROW.replace(",", "!"), header=HEADER.replace(",", "!")), ["--delimiter", "!"]),
        (content(f"{ROW},"), []),
    ],
)
def test_the_header_is_found(cli, at, file, stored, given, more):
    result = cli("import", file(given), *more, *at)
    assert result.exit_code == 0, result.output
    assert [(bar.close, bar.extra) for bar in stored()] == [(2.25, None)]


def test_names_that_are_lacking_are_numbered(cli, at, file, stored):
    names = "symbol,date,open,high,low,close,volume"
    cli("import", file(f"{ROW},7\n"), "--names", names, *at)
    assert [bar.extra for bar in stored()] == [{"column8": 7}]


def test_skipped_lines_are_reported(cli, at, file):
    told = cli("import", file(f"https://vendor.example/\n{content(ROW)}"), *at).stderr
    assert told == "skipped 1 line before the header: https://vendor.example/\n"


def test_a_file_without_a_header_needs_names(cli, at, file):
    told = cli("import", file(f"{ROW[5:]}\n"), *at).stderr
    assert "line 1 has no column names: 2026-01-05,1.5,2.5,0.5,2.25,100; give them" in told


def test_an_encoding_can_be_given(cli, at, file, stored):
    cli("import", file(content(f"Ü{ROW}").encode("latin-1")), "--encoding", "latin-1", *at)
    assert len(stored("ÜAAPL")) == 1


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_an_encoding_is_recognized(cli, at, file, stored, codec):
    cli("import", file(content(ROW).encode(codec)), *at)
    assert len(stored()) == 1


@pytest.mark.parametrize("codec", ["klingon", "base64"])
def test_an_encoding_of_no_text_is_refused(cli, at, file, codec):
    told = cli("import", file(content(ROW)), "--encoding", codec, *at).stderr
    assert f"--encoding: no encoding {codec!r}" in told


def test_two_columns_of_whole_times_are_refused(cli, at, file):
    row = ROW.replace("2026-01-05", "2026-01-05T09:30,2026-01-05T09:31")
    told = cli("import", file(content(row, header=SPLIT)), *at).stderr
    assert "the columns 'Date' and 'Time' both name the date: say which one it is" in told


def test_a_third_line_that_is_no_name_of_an_index_is_a_row(cli, at, file):
    told = cli("import", file("a,b,c\nd,e,f\nDate,,\n"), *at).stderr
    assert "missing columns: symbol" in told


def test_a_cell_that_is_too_long_is_refused(cli, at, file):
    told = cli("import", file(f"{'x' * 200_000},open\n"), *at).stderr
    assert "bars.csv: not CSV: field larger than field limit" in told


def test_offsets_of_several_blocks_are_read(cli, at, file, stored, monkeypatch):
    monkeypatch.setattr(text, "BLOCK", 90)
    dates = [f"2026-01-0{day}T09:30+01:00" for day in range(5, 9)]
    assert cli("import", file(dated(*dates)), *at).stderr == ""
    assert len(stored()) == 4


def test_a_bad_row_near_a_night_decides_nothing(cli, at, file):
    rows = ["2026-11-01 01:30", "2026-11-01 02:30"]
    given = dated(*rows).replace('02:30",1.5', '02:30",x')
    told = cli("import", file(given), "--timezone", "America/New_York", "--irregular", *at).stderr
    assert told.startswith("line 2: date='2026-11-01 01:30:00': that time occurred twice")
    assert "line 3: open='x'" in told


def test_a_further_column_of_another_type_than_stored_is_refused(cli, at, file, stored):
    header = f"{HEADER},more"
    cli("import", file(content(f"{ROW},x", header=header)), *at)
    result = cli("import", file(content(f"{ROW},7", header=header)), *at)
    assert result.exit_code == 1
    assert "more" in result.stderr
    assert [bar.extra for bar in stored()] == [{"more": "x"}]


def test_small_blocks_change_nothing(cli, at, file, stored, monkeypatch):
    monkeypatch.setattr(text, "BLOCK", 64)
    rows = [
        f'AAPL,2026-01-{day:02},1.5,2.5,0.5,2.25,{day},"a ""note"",\nof {day}"'
        for day in range(1, 9)
    ]
    cli(
        "import",
        file(content(*rows, header=f"{HEADER},Note")),
        "--timeframe",
        "1h",
        "--irregular",
        *at,
    )
    assert [(bar.volume, bar.extra) for bar in stored(timeframe="1h")] == [
        (day, {"Note": f'a "note",\nof {day}'}) for day in range(1, 9)
    ]


def test_a_bad_row_behind_quoted_lines_has_its_own_line(cli, at, file):
    rows = [f'{ROW},"two\nlines"', "", f"{ROW.replace('2.25', 'x')},"]
    told = cli("import", file(content(*rows, header=f"{HEADER},Note")), *at).stderr
    assert told.startswith("line 5: close='x'")


# What is written.


def test_added_replaced_and_unchanged_bars_are_counted(cli, at, file):
    first = [ROW, ROW.replace("05", "06"), ROW.replace("05", "07")]
    assert "added 3, replaced 0, unchanged 0\n" in cli("import", file(content(*first)), *at).stdout
    again = [first[0], first[1].replace("2.25", "9.75"), ROW.replace("05", "08")]
    assert "added 1, replaced 1, unchanged 1\n" in cli("import", file(content(*again)), *at).stdout


@pytest.mark.parametrize(
    ("before", "after", "counts"),
    [
        ("7", "7", "added 0, replaced 0, unchanged 1"),
        ("7", "8", "added 0, replaced 1, unchanged 0"),
        ("7.5", "7", "added 0, replaced 1, unchanged 0"),
        ("", "7", "added 0, replaced 1, unchanged 0"),
        ("", "", "added 0, replaced 0, unchanged 1"),
    ],
)
def test_further_columns_count_as_the_others_do(cli, at, file, before, after, counts):
    for cell in (before, after):
        result = cli("import", file(content(f"{ROW},{cell}", header=f"{HEADER},more")), *at)
    assert counts in result.stdout


def test_a_further_column_that_is_no_longer_given_is_a_change(cli, at, file):
    cli("import", file(content(f"{ROW},7", header=f"{HEADER},more")), *at)
    assert "replaced 1, unchanged 0" in cli("import", file(content(ROW)), *at).stdout


def test_a_volume_that_no_float_equals_is_compared_exactly(cli, at, file):
    for volume in (2**53 + 1, 2**53 + 1, 2**53):
        result = cli("import", file(content(ROW.replace(",100", f",{volume}"))), *at)
        if volume == 2**53:
            assert "replaced 1" in result.stdout
    rows = [ROW.replace(",100", f",{2**53 + 1}"), ROW.replace("05", "06").replace("100", "0.5")]
    assert cli("import", file(content(*rows)), *at).exit_code == 0


def test_runs_beyond_memory_are_kept_on_disk(cli, at, file, stored, monkeypatch):
    monkeypatch.setattr(text, "BLOCK", 128)
    monkeypatch.setattr(runs, "RUN", 250)  # bytes, about four bars
    monkeypatch.setattr(writes, "BATCH", 3)
    rows = [ROW.replace("2026-01-05", str((JAN_5 - delta(day)).date())) for day in range(60)]
    result = cli("import", file(content(*rows, rows[0].replace("2.25", "9.75"))), *at)
    assert len(stored()) == 60
    assert stored()[-1].close == 9.75
    assert "60 1d bars of 1 symbol, 2025-11-07 to 2026-01-05" in result.stdout
    assert "1 row repeated a date" in result.stdout


def test_whole_volumes_and_fractions_of_several_blocks_stay_as_they_are(
    cli, at, file, stored, monkeypatch
):
    monkeypatch.setattr(text, "BLOCK", 90)
    volumes = [2**53 + 1, 0.5, 7]
    rows = [
        ROW.replace("05", f"0{day}").replace(",100", f",{volume}")
        for day, volume in enumerate(volumes, 5)
    ]
    cli("import", file(content(*rows)), *at)
    assert [bar.volume for bar in stored()] == volumes


@pytest.fixture
def typed(tmp_path):
    """Write a Parquet file of MSFT, or of no rows, with a column `more`."""

    def write(more, rows=1):
        columns = {name: [1.0] * rows for name in NUMBERS}
        table = pa.table({"symbol": ["MSFT"] * rows, "date": pa.array([JAN_5] * rows), **columns})
        path = tmp_path / "bars.parquet"
        pq.write_table(table.append_column("more", [more]), path)
        return path

    return write


@pytest.mark.parametrize("more", [7, "007"])
def test_a_further_column_may_differ_in_type_between_files(cli, at, file, stored, typed, more):
    texts = file(content(f"{ROW},x", header=f"{HEADER},more"))
    result = cli("import", texts, typed(pa.array([more])), *at)
    assert result.exit_code == 0, result.output
    assert [bar.extra["more"] for name in ("AAPL", "MSFT") for bar in stored(name)] == ["x", more]
    assert "nothing was written" in cli("import", texts, typed([more]), "--dry-run", *at).stdout


def test_the_timeframe_of_parquet_without_rows_is_a_day(cli, at, typed):
    empty = typed(pa.array([], pa.int64()), rows=0)
    assert "0 1d bars" in cli("import", empty, "--timeframe", "auto", *at).stdout


# A dry run.


def test_a_dry_run_shows_the_first_bars_and_writes_nothing(cli, at, file, base_path):
    rows = [f"{ROW.replace('2026-01-05', f'2026-01-05 {hour:02}:30')},7" for hour in range(12)]
    given = file(content(*rows, header=f"{HEADER},more"))
    result = cli(
        "import", given, "--dry-run", "--timezone", "America/New_York", "--timeframe", "1h", *at
    )
    heading, _, first, *rest = result.stdout.splitlines()
    assert heading.split() == [
        "symbol",
        "date",
        "(UTC)",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "more",
    ]
    assert first.split() == [
        "AAPL",
        "2026-01-05",
        "05:30:00",
        "1.50",
        "2.50",
        "0.50",
        "2.25",
        "100",
        "7",
    ]
    assert len(rest) == 10
    assert rest[-1] == "10 1h bars shown; nothing was written (--dry-run)"
    assert not base_path.exists()


def test_a_dry_run_of_nothing_says_so(cli, at, file):
    result = cli("import", file(content()), "--dry-run", *at)
    assert result.stdout == "no bars; nothing was written (--dry-run)\n"


def test_a_dry_run_shows_a_volume_that_is_absent_and_a_fraction(cli, at, file):
    rows = [ROW.removesuffix("100"), ROW.replace("05", "06").replace(",100", ",0.5")]
    printed = cli("import", file(content(*rows)), "--dry-run", *at).stdout.splitlines()
    assert [line.split()[-1] for line in printed[2:4]] == ["2.25", "0.5"]


# Formats.


def test_a_format_that_fits_is_suggested(cli, at, file):
    told = cli("import", file("01/02/2024,09:30,1.5,2.5,0.5,2.25,100\n", "AAPL.txt"), *at).stderr
    assert told.endswith("; or give --format kibot, which fits this file\n")


def test_a_format_that_would_read_times_otherwise_is_mentioned(cli, at, file):
    header = "Time,Open,High,Low,Last,Volume,Symbol"
    row = "01/22/2024 09:30,1.5,2.5,0.5,2.25,100,AAPL"
    told = cli("import", file(content(row, header=header)), *at).stderr
    assert told == "--format barchart fits this file: it reads times as America/Chicago\n"
    assert cli("import", file(content(row, header=header)), "--timezone", "UTC", *at).stderr == ""


def test_days_of_a_format_are_mentioned(cli, at, file):
    header = "symbol,timestamp,open,high,low,close,volume,trade_count,vwap"
    told = cli("import", file(content(f"{ROW},7,1.5", header=header)), *at).stderr
    assert told.endswith("it reads times as America/New_York, and days as they are written\n")


def test_an_unknown_format_gets_the_nearest(cli, at, file):
    told = cli("import", file(content(ROW)), "--format", "binanc", *at).stderr
    assert "no format 'binanc' (did you mean 'binance'?); known: alpaca, ariva," in told


def test_options_override_a_format(cli, at, file, stored):
    given = file("01/02/2024,09:30,1.5,2.5,0.5,2.25,100\n", "AAPL.txt")
    more = ["--timezone", "UTC", "--symbol", "X", "--timeframe", "1m", "--date-format", "dmy"]
    cli("import", given, "--format", "kibot", *more, *at)
    assert [bar.date for bar in stored("X", "1m")] == [datetime(2024, 2, 1, 9, 30)]


@pytest.mark.parametrize(
    ("steps", "timeframe"),
    [
        ([delta(minutes=1)] * 3, "1m"),
        ([delta(minutes=15)] * 3, "15m"),
        ([delta(days=1), delta(days=3), delta(days=1)], "1d"),
        ([delta(days=7)] * 3, "1w"),
        ([delta(days=31), delta(days=31)], "1mo"),
        ([delta(minutes=13)] * 3, "13m"),
        ([], "1d"),
    ],
)
def test_the_timeframe_can_be_found_in_the_dates(cli, at, file, stored, steps, timeframe):
    dates = [JAN_5]
    for step in steps:
        dates.append(dates[-1] + step)
    result = cli("import", file(dated(*dates)), "--timeframe", "auto", *at)
    assert result.exit_code == 0, result.output
    assert len(stored(timeframe=timeframe)) == len(dates)
    assert f"timeframe: {timeframe}, by the dates of" in result.stderr


def test_files_of_two_timeframes_are_not_stored_as_one(cli, at, file, stored):
    row = "1704205800000,1.5,2.5,0.5,2.25,100,1704205859999,150,7,50,75,0\n"
    files = [file(row, f"BTCUSDT-{each}-2024-01.csv") for each in ("1m", "1h")]
    told = cli("import", *files, "--format", "binance", *at).stderr
    assert "its name says 1h bars, but others are 1m bars: import them one after" in told
    assert stored("BTCUSDT", "1m") == []


def test_the_timeframe_of_a_file_without_rows_is_a_day(cli, at, file):
    assert "0 1d bars" in cli("import", file(content()), "--timeframe", "auto", *at).stdout


FORMATS = """
from storecore import ImportFormat, hookimpl

@hookimpl
def storecore_import_formats():
    return [{given}]
"""
ACME = (
    "ImportFormat(name='acme', names=('date,close,open,high,low,volume',), "
    "file_name=r'(?P<symbol>[A-Z]+)', delimiter='!')"
)


@pytest.fixture
def plugin(site):
    """Install the plugin `acme` with this source."""

    def install(source):
        modules = {"acme_formats": source}
        site.install("acme-formats", "1.5", modules=modules, plugins={"acme": "acme_formats"})

    return install


def test_a_plugin_adds_a_format(cli, at, file, stored, plugin):
    plugin(FORMATS.format(given=ACME))
    cli("import", file("2026-01-05!2.25!1.5!2.5!0.5!100\n", "AAPL.csv"), "--format", "acme", *at)
    assert [bar.close for bar in stored()] == [2.25]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (FORMATS.format(given="7"), "to return a list of ImportFormat, got one of int"),
        (FORMATS.format(given="1 / 0"), "storecore_import_formats raised ZeroDivisionError"),
        ("import no_such_module", "its import failed: No module named 'no_such_module'"),
    ],
)
def test_a_plugin_with_broken_formats_is_named(cli, at, file, plugin, source, words):
    plugin(source)
    told = cli("import", file(content(ROW)), "--format", "acme", *at).stderr
    assert "plugin 'acme' from" in told
    assert words in told


def test_an_interrupt_during_a_plugin_ends_the_command(cli, at, file, plugin):
    plugin(FORMATS.replace("return [{given}]", "raise KeyboardInterrupt"))
    assert cli("import", file(content(ROW)), "--format", "acme", *at).exit_code == 130


def test_a_plugin_with_formats_alone_observes_nothing(plugin, base_path):
    plugin(FORMATS.format(given=ACME))
    with storecore.open_store("file", base_path=base_path) as store:
        assert type(store).__name__ == "FileDataStore"


# JSON.

RECORD = (
    '{"symbol":"AAPL","date":"2026-01-05","open":1.5,"high":2.5,"low":0.5,"close":2.25,"volume":'
)


@pytest.mark.parametrize(
    "given",
    [
        f"[{RECORD}100}}]",
        f"[\n{RECORD}100}}\n]",
        f"{RECORD}100}}\n{RECORD.replace('01-05', '01-06')}null}}\n",
        '{"note":{"a":{"b":1}},\n"result":{"list":['
        + RECORD
        + '100}],"other":[[1]]},"flags":{"a":[]}}',
    ],
)
def test_records_of_json_are_bars(cli, at, file, stored, given):
    result = cli("import", file(given), *at)
    assert result.exit_code == 0, result.output
    assert stored()[0].close == 2.25


def test_values_of_json_that_are_no_texts_are_kept_as_texts(cli, at, file, stored):
    given = f'[{RECORD}100,"more":{{"a":[1,true]}},"is":true}}]'
    cli("import", file(given), *at)
    assert stored()[0].extra == {"more": '{"a":[1,true]}', "is": True}


@pytest.mark.parametrize("second", ["7", "[1,2]", "{}"])
def test_a_record_of_json_that_is_none_is_a_bad_row(cli, at, file, second):
    told = cli("import", file(f"[{RECORD}100}},{second}]"), *at).stderr
    assert told.startswith("record 2: ")


def test_lists_of_json_have_the_names_that_are_given(cli, at, file, stored):
    given = '[["AAPL","2026-01-05",1.5,2.5,0.5,2.25,100],["AAPL"]]'
    names = "symbol,date,open,high,low,close,volume"
    assert "record 2: date=''" in cli("import", file(given), "--names", names, *at).stderr


def test_a_bar_with_times_of_parquet_further_columns(cli, at, tmp_path, stored):
    seen = datetime(2026, 1, 6, tzinfo=UTC)
    columns = {name: [1.0] for name in NUMBERS}
    table = pa.table({"symbol": ["AAPL"], "date": [JAN_5], **columns, "seen": [seen], "note": [""]})
    pq.write_table(table, tmp_path / "bars.parquet")
    cli("import", tmp_path / "bars.parquet", *at)
    assert [bar.extra for bar in stored()] == [{"seen": seen, "note": ""}]


@pytest.mark.parametrize(
    ("at_batch", "words"),
    [
        (1, "interrupted: 0 bars written, perhaps some of the next batch too; import the files "),
        (3, "interrupted: 2 bars written, perhaps some of the next batch too; import the files "),
    ],
)
def test_an_interrupt_says_what_was_written(cli, at, file, stored, monkeypatch, at_batch, words):
    monkeypatch.setattr(writes, "BATCH", 1)
    rows = [ROW.replace("05", f"0{day}") for day in range(5, 9)]
    write, calls = writes.write_bar_table, []

    def interrupted(*args, **options):
        calls.append(args)
        if len(calls) == at_batch:
            raise KeyboardInterrupt
        return write(*args, **options)

    monkeypatch.setattr(writes, "write_bar_table", interrupted)
    result = cli("import", file(content(*rows)), *at)
    assert result.exit_code == 130
    assert words in result.stderr
    assert len(stored()) == at_batch - 1


def test_an_interrupt_while_files_are_read_says_that_nothing_was_written(
    cli, at, file, base_path, monkeypatch
):
    monkeypatch.setattr(runs.Runs, "finish", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
    result = cli("import", file(content(ROW)), *at)
    assert "interrupted: no bar written" in result.stderr
    assert not base_path.exists()


def test_a_dry_run_of_many_files_writes_nothing_and_bounds_its_notes(cli, at, tmp_path, base_path):
    for name in range(30):
        (tmp_path / f"S {name}.csv").write_text(f"# {name}\n{content(ROW)}")
    given = ("import", tmp_path / "S *.csv", "--symbol-from-name", "--dry-run", *at)
    result = cli(*given)
    assert result.exit_code == 0, result.output
    assert "10 1d bars shown; nothing was written (--dry-run)" in result.stdout
    assert result.stderr.count("\n") == 21
    assert result.stderr.endswith("more notes\n")
    assert not base_path.exists()


def test_a_symbol_of_several_files_is_one_series(cli, at, tmp_path, stored):
    for name, day, close in (("a", 5, "2.25"), ("b", 6, "2.25"), ("c", 5, "2.5")):
        row = ROW.replace("05", f"0{day}").replace("2.25", close)
        (tmp_path / f"{name}.csv").write_text(content(row))
    result = cli("import", *[tmp_path / f"{name}.csv" for name in "abc"], *at)
    assert [bar.close for bar in stored()] == [2.5, 2.25]
    assert "1 row repeated a date: the last one was taken" in result.stdout


def test_a_file_that_grows_while_it_is_read_is_read_to_its_end(cli, at, file, stored, monkeypatch):
    given, add = file(content(ROW)), runs.Runs.add

    def grow(self, table):
        if not self.given:
            with given.open("a") as more:
                more.write(ROW.replace("05", "06") + "\n")
        add(self, table)

    monkeypatch.setattr(runs.Runs, "add", grow)
    assert cli("import", given, *at).exit_code == 0
    assert len(stored()) == 2


def test_times_with_an_offset_are_times_and_what_only_looks_like_one_is_text(cli, at, file, stored):
    cells = ("2026-01-05T10:00:00+01:00", "2026-13-45T10:00:00Z")
    given = content(f"{ROW},{','.join(cells)}", header=f"{HEADER},seen,odd")
    assert cli("import", file(given), *at).exit_code == 0
    extra = stored()[0].extra
    assert extra["odd"] == cells[1]
    assert extra["seen"] == datetime.fromisoformat(cells[0])


def feather_of(tmp_path, **columns):
    prices = {name: [1.5] for name in ("open", "high", "low", "close")}
    given = {"symbol": ["AAPL"], "date": ["2026-01-05"], **prices, "volume": [7], **columns}
    path = tmp_path / "bars.feather"
    pyarrow.feather.write_feather(pa.table(given), path)
    return path


def test_a_typed_column_of_nulls_is_left_out(cli, at, tmp_path, stored):
    assert cli("import", feather_of(tmp_path, none=pa.nulls(1)), *at).exit_code == 0
    assert stored()[0].extra is None


def test_a_typed_column_that_no_bar_can_hold_is_refused_with_the_option_that_helps(
    cli, at, tmp_path
):
    result = cli("import", feather_of(tmp_path, many=[[1, 2]]), *at)
    assert result.exit_code == 1
    assert "many" in result.stderr
    assert result.stderr.endswith("give --extra ignore\n")


def test_files_whose_names_say_different_timeframes_are_not_stored_as_one(cli, at, tmp_path):
    row = "1704205800000,1.5,2.5,0.5,2.25,100,1704205859999,150,7,50,75,0\n"
    names = ("BTCUSDT-1m-2024-01.csv", "BTCUSDT-1d-2024-01.csv")
    for name in names:
        (tmp_path / name).write_text(row)
    result = cli("import", *[tmp_path / name for name in names], "--format", "binance", *at)
    assert result.exit_code == 1
    assert "its name says 1d bars, but others are 1m bars" in result.stderr


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            "AAPL,2024-01-02,1,1,1,1,-1",
            "line 2: volume=-1: expected a volume of 0 or more; if it was not reported, give "
            "--volume none\n",
        ),
        (
            "AAPL,2024-01-02,1,1,1,1,n/a",
            "line 2: volume='n/a': expected a number such as 1234.5; if it was not reported, give "
            "--volume none\n",
        ),
        (
            "AAPL,2024-13-02,1,1,1,1,1",
            "line 2: date='2024-13-02': expected an ISO date or time such as 2026-01-05 or "
            "2026-01-05T14:30:00+01:00; for another form give --date-format\n",
        ),
        (
            "AAPL,01/03/24,1,1,1,1,1",
            "line 2: date='01/03/24' may be 2024-03-01 (--date-format dmy) or 2024-01-03 "
            "(--date-format mdy), and no date before decides: give one of them\n",
        ),
    ],
)
def test_a_bad_cell_names_its_row_column_and_value_and_the_option_that_helps(
    cli, at, csv_file, row, words
):
    assert words in cli("import", csv_file(row), *at).stderr


def test_missing_columns_name_the_option_for_another_name(cli, at, csv_file):
    told = cli("import", csv_file("1,2", header="a,b"), *at).stderr
    assert "; if one has another name, say so as in --column date=NAME\n" in told


@pytest.mark.parametrize(
    ("clock", "stored_at"),
    [("GMT+0530", "04:00"), ("GMT+9", "00:30"), ("UTC-5", "14:30"), ("+05:30", "04:00")],
)
def test_an_offset_may_follow_gmt_or_utc(cli, at, csv_file, stored, clock, stored_at):
    cli("import", csv_file(f"AAPL,02.01.2024 09:30:00 {clock},1,1,1,1,1"), *at, "--irregular")
    assert [f"{bar.date:%H:%M}" for bar in stored()] == [stored_at]


def test_an_offset_of_a_day_is_a_bad_row(cli, at, csv_file):
    result = cli("import", csv_file("AAPL,02.01.2024 09:30:00 GMT+24,1,1,1,1,1"), *at)
    assert result.exit_code == 1
