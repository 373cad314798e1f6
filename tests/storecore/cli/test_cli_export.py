"""`storecore export` writes bars and other records to files, whole or not at all."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

import storecore
from storecore import Event, FundamentalData, PriceBar

DAY = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def some_bars(opened):
    """Store two daily bars of AAPL and one of MSFT, with further columns."""
    with opened() as store:
        store.write_bars(
            "AAPL",
            [
                PriceBar("AAPL", datetime(2026, 1, 5), 10, 12, 9, 11, 100, {"vwap": 5.0}),
                PriceBar("AAPL", datetime(2026, 1, 6), 5, 6, 4.5, 5.5, None, {"desk": 'a,"b"'}),
            ],
        )
        store.write_bars("MSFT", [PriceBar("MSFT", datetime(2026, 1, 5), 1, 1, 1, 1, 7.5)])


@pytest.fixture
def export(cli, at, tmp_path):
    """Export to a file of a name; return what was printed, and the file."""

    def run(name, *args):
        return cli("export", "-o", tmp_path / name, *args, *at), tmp_path / name

    return run


@pytest.fixture
def events(opened):
    with opened() as store:
        store.write_event(Event("split", "AAPL", DAY.replace(day=6), DAY, "feed", {"ratio": 2}))
        store.write_event(Event("halt", None, DAY, DAY, "feed", {}))


def test_a_csv_has_a_header_days_and_quotes_around_what_needs_them(export, some_bars):
    result, file = export("a.csv", "AAPL")
    assert result.stdout.startswith(f"2 bars written to {file} (CSV, ")
    assert file.read_text().splitlines() == [
        "symbol,date,open,high,low,close,volume,desk,vwap",
        "AAPL,2026-01-05,10,12,9,11,100,,5.0",
        'AAPL,2026-01-06,5,6,4.5,5.5,,"a,""b""",',
    ]


def test_bars_within_a_day_have_times_with_an_offset(export, opened):
    with opened() as store:
        bar = PriceBar("X", datetime(2026, 1, 5, 14, 30), 1, 1, 1, 1, 1)
        store.write_bars("X", [bar], timeframe="1m")
    _, file = export("x.csv", "X", "--timeframe", "1m")
    assert "X,2026-01-05T14:30:00Z,1," in file.read_text()


def test_volumes_are_whole_or_have_their_fraction_and_huge_ones_all_digits(export, opened):
    volumes = (2**53 + 1, 2**62)
    with opened() as store:
        bars = [
            PriceBar("X", datetime(2026, 1, 5 + at), 1, 1, 1, 1, each)
            for at, each in enumerate(volumes)
        ]
        store.write_bars("X", bars)
    _, file = export("x.csv", "X")
    assert [line.split(",")[6] for line in file.read_text().splitlines()[1:]] == [
        str(each) for each in volumes
    ]


def test_an_infinite_pattern_of_symbols_and_a_range_choose_bars(export, some_bars):
    result, file = export("all.jsonl", "*", "--start", "2026-01-05", "--end", "2026-01-05")
    assert result.exit_code == 0
    assert [json.loads(line)["symbol"] for line in file.read_text().splitlines()] == [
        "AAPL",
        "MSFT",
    ]


def test_without_a_symbol_all_are_written_with_the_types_of_their_columns(export, some_bars):
    _, file = export("all.parquet")
    table = pq.read_table(file)
    assert table["symbol"].to_pylist() == ["AAPL", "MSFT", "AAPL"]
    assert str(table.schema.field("date").type) == "timestamp[us, tz=UTC]"


def test_a_compressed_file_is_compressed(export, some_bars):
    _, file = export("a.csv.gz", "AAPL")
    assert gzip.decompress(file.read_bytes()).startswith(b"symbol,date,")


def test_a_dash_writes_to_stdout_and_says_nothing_else(cli, at, some_bars):
    printed = cli("export", "MSFT", "-o", "-", *at).stdout
    assert printed == "symbol,date,open,high,low,close,volume\nMSFT,2026-01-05,1,1,1,1,7.5\n"


def test_bars_are_adjusted_for_the_stored_events(export, some_bars, events):
    _, file = export("a.csv", "--adjust")
    rows = [line.split(",") for line in file.read_text().splitlines()]
    assert rows[0][-4:] == ["desk", "vwap", "factor", "volume_factor"]
    assert [row[2] for row in rows[1:]] == ["5", "5", "1"]
    assert rows[3][7:] == ["", "", "1.0", "1.0"]


def test_bars_are_resampled_in_the_days_of_a_zone(export, opened):
    with opened() as store:
        bars = [
            PriceBar("X", datetime(2026, 1, 5, hour), 1, 1, 1, hour, 1) for hour in (3, 4, 5, 6)
        ]
        store.write_bars("X", bars, timeframe="1h")
    result, file = export(
        *("x.csv", "X", "--timeframe", "1h", "--resample", "1d"),
        *("--timezone", "America/New_York", "--adjust"),
    )
    assert result.exit_code == 0, result.output
    assert file.read_text().splitlines()[1:] == [
        "X,2026-01-04,1,1,1,4,2",
        "X,2026-01-05,1,1,1,6,2",
    ]


def test_bars_are_resampled_as_they_are_without_adjust(export, some_bars, events):
    _, file = export("a.csv", "AAPL", "--resample", "1w")
    (row,) = [line.split(",") for line in file.read_text().splitlines()[1:]]
    assert row[:6] == ["AAPL", "2026-01-05", "10", "12", "4.5", "5.5"]


def test_a_symbol_without_bars_in_the_range_is_left_out_of_changed_bars(export, some_bars):
    _, file = export("a.csv", "--adjust", "--start", "2026-01-06")
    assert len(file.read_text().splitlines()) == 2


@pytest.mark.parametrize("more", [(), ("--adjust",)])
def test_a_range_without_bars_is_an_error_and_writes_nothing(export, some_bars, more):
    result, file = export("a.csv", "AAPL", "MSFT", "--start", "2030-01-01", *more)
    assert result.stderr == "Error: no 1d bars in that range: nothing was written\n"
    assert not file.exists()


def test_one_symbol_without_bars_in_the_range_gets_the_range_that_there_is(export, some_bars):
    result, _ = export("a.csv", "AAPL", "--start", "2030-01-01")
    assert "there are 2, from 2026-01-05 to 2026-01-06" in result.stderr


def test_a_symbol_that_is_not_there_gets_the_nearest_name(export, some_bars):
    result, _ = export("a.csv", "APPL")
    assert "no 1d bars of 'APPL' (did you mean 'AAPL'" in result.stderr


def test_a_pattern_that_matches_nothing_gets_the_names_that_there_are(export, some_bars):
    result, _ = export("a.csv", "ZZ*")
    assert result.stderr == "Error: no 1d bars of 'ZZ*'; there are AAPL, MSFT\n"


def test_a_timeframe_without_bars_gets_those_of_the_symbol(export, some_bars):
    result, _ = export("a.csv", "AAPL", "--timeframe", "1m")
    assert "it has 1d: give --timeframe" in result.stderr


def test_text_that_import_would_change_is_a_hint_unless_the_file_has_types(export, opened):
    extras = [{"code": "007", "n": "12", "b": " x"}, {"code": "x", "n": "13", "b": "y"}]
    with opened() as store:
        bars = [
            PriceBar("X", datetime(2026, 1, 5 + at), 1, 1, 1, 1, 1, extra)
            for at, extra in enumerate(extras)
        ]
        store.write_bars("X", bars)
    result, _ = export("x.csv", "X")
    assert result.stderr.startswith("the column b, n has text that looks like other values")
    assert export("x.parquet", "X")[0].stderr == ""


def test_an_export_that_fails_leaves_the_file_as_it_was(export, some_bars, monkeypatch):
    _, file = export("a.csv", "AAPL")
    before = file.read_bytes()

    def fail(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("storecore.cli.exports.files.csv_lines", fail)
    result, _ = export("a.csv", "MSFT")
    assert result.exit_code == 130
    assert file.read_bytes() == before
    assert [each.name for each in file.parent.glob("*.part")] == []
    assert "nothing was written" in result.stderr


def test_a_file_that_a_link_names_is_replaced_and_the_link_stays(export, some_bars, tmp_path):
    (tmp_path / "real.csv").write_text("before")
    (tmp_path / "a.csv").symlink_to("real.csv")
    export("a.csv", "AAPL")
    assert (tmp_path / "a.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("symbol,date")


def test_a_pipe_is_written_to_and_stays_one(export, some_bars, tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    reading = os.open(tmp_path / "a.csv", os.O_RDONLY | os.O_NONBLOCK)
    export("a.csv", "AAPL")
    assert os.read(reading, 100).startswith(b"symbol,date")
    os.close(reading)
    assert (tmp_path / "a.csv").is_fifo()


def test_an_error_that_is_not_of_the_system_keeps_its_text(export, some_bars, monkeypatch):
    def fail(*args, **options):
        raise OSError("Arrow cannot compress it")

    monkeypatch.setattr("storecore.cli.exports.files.csv_lines", fail)
    assert "Arrow cannot compress it" in export("a.csv", "AAPL")[0].stderr


def test_a_folder_that_is_missing_is_an_error_that_names_the_file(export, some_bars):
    result, file = export("nowhere/a.csv", "AAPL")
    assert result.exit_code == 1
    assert f"{file}: No such file or directory" in result.stderr.replace("'", "")


def test_volumes_that_no_column_of_parquet_holds_are_refused(export, opened, monkeypatch):
    import pyarrow as pa

    def tables(store, wanted):
        yield pa.table({"symbol": ["X"], "volume": pa.array([1.5])})
        yield pa.table({"symbol": ["X"], "volume": pa.array([2**53 + 1])})

    with opened() as store:
        store.write_bars("X", [PriceBar("X", datetime(2026, 1, 5), 1, 1, 1, 1, 1)])
    monkeypatch.setattr("storecore.cli.exports.command.bar_tables", tables)
    result, file = export("x.parquet", "X")
    assert "write CSV or JSON lines" in result.stderr
    assert not file.exists()


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.parquet.gz"])
def test_an_ending_that_names_no_format_is_wrong_use(export, some_bars, name):
    result, _ = export(name, "AAPL")
    assert "expected a name that ends in .csv, .parquet, .jsonl" in result.stderr


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--kind", "events", "--adjust"), "--adjust is for --kind bars"),
        (("--kind", "events"), "events are nested: give -o a name that ends in .jsonl"),
        (("--timezone", "Europe/Berlin"), "--timezone is for --adjust and --resample"),
        (("--timezone", "Berlin", "--adjust"), "no time zone 'Berlin'"),
        (("--start", "2026-02-01", "--end", "2026-01-01"), "give the earlier one first"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_use(export, some_bars, args, told):
    assert told in export("a.csv", *args)[0].stderr


def test_events_are_chosen_by_symbol_and_range(export, events):
    result, file = export("e.jsonl", "--kind", "events", "A*")
    assert "1 event written" in result.stdout
    assert json.loads(file.read_text())["payload"] == {"ratio": 2}
    _, file = export("e.jsonl", "--kind", "events", "--end", "2026-01-05")
    assert json.loads(file.read_text())["type"] == "halt"


def test_records_that_are_not_there_are_an_error(export, events):
    result, file = export("f.jsonl", "--kind", "fundamentals")
    assert result.stderr == "Error: no fundamentals of that name or range: nothing was written\n"
    assert not file.exists()


def test_fundamentals_are_chosen_by_symbol(export, opened):
    with opened() as store:
        for symbol in ("A", "B"):
            data = FundamentalData(
                symbol=symbol, timestamp=DAY, company_name="c", cik="1", raw_xml="<x/>"
            )
            store.write_fundamental(symbol, data)
    _, file = export("f.jsonl", "--kind", "fundamentals", "B")
    assert json.loads(file.read_text())["symbol"] == "B"


def test_states_have_their_version_and_time(export, opened):
    with opened() as store:
        store.save_strategy_state("value", {"cash": 1})
    _, file = export("s.jsonl", "--kind", "states")
    found = json.loads(file.read_text())
    assert (found["strategy"], found["version"], found["state"]) == ("value", 1, {"cash": 1})
    assert found["saved_at"].endswith("Z")


@pytest.mark.parametrize("kind", ["decisions", "orders"])
def test_a_log_is_written_line_by_line_as_it_was_logged(export, opened, decision, order, kind):
    from storecore import OrderResult

    with opened() as store:
        store.log_decision("value", decision())
        store.log_order("value", order(), OrderResult("1", "filled"))
        (line,) = [each.line for each in store.iter_audit(kind)]
    result, file = export("log.jsonl", "--kind", kind, "value")
    assert file.read_bytes() == line, result.output


def test_records_of_other_strategies_are_left_out(export, opened, decision):
    with opened() as store:
        for name in ("value", "growth", "value"):
            store.log_decision(name, decision())
    _, file = export("log.jsonl", "--kind", "decisions", "value")
    found = [json.loads(line)["strategy"] for line in file.read_text().splitlines()]
    assert found == ["value", "value"]


class TestOtherBackends:
    """Backends without capabilities."""

    def test_a_log_is_read_without_transfer(self, cli, backend_with, decision, tmp_path):
        at, file = backend_with("Catalog", "AuditTrail"), tmp_path / "a.jsonl"
        with storecore.open_store("partial") as store:
            store.log_decision("value", decision())
        result = cli("export", "--kind", "decisions", "-o", file, *at)
        assert result.exit_code == 0, (result.stderr, result.exception)
        assert json.loads(file.read_text())["strategy"] == "value"

    def test_symbols_must_be_named_if_they_cannot_be_listed(self, cli, backend_with, tmp_path):
        at, file = backend_with(), tmp_path / "a.csv"
        assert "name them" in cli("export", "-o", file, *at).stderr
        assert "1 bar written" in cli("export", "AAPL", "-o", file, *at).stdout

    def test_records_are_read_without_transfer(self, cli, backend_with, tmp_path):
        at = backend_with("Catalog", "AuditTrail")
        for kind in ("events", "states", "decisions", "orders"):
            result = cli("export", "--kind", kind, "-o", tmp_path / "a.jsonl", *at)
            assert f"no {kind} of that name" in result.stderr

    @pytest.mark.parametrize("kind", ["fundamentals", "states", "decisions"])
    def test_what_cannot_be_listed_is_an_error_that_says_so(
        self, cli, backend_with, tmp_path, kind
    ):
        result = cli("export", "--kind", kind, "-o", tmp_path / "a.jsonl", *backend_with())
        assert "it lacks the capability" in result.stderr
