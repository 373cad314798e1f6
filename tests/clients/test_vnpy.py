"""vnpy: its `BacktestingEngine` trades over a store as over its own SQLite driver."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from functools import partial
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

import storecore

pytestmark = pytest.mark.soak
ZONE = ZoneInfo("Asia/Shanghai")
REASON = "it is in tests/clients/requirements.txt"


@pytest.fixture(scope="session")
def vnpy_folder(tmp_path_factory):
    """A folder with vnpy's settings; vnpy reads them when it is imported, once in a process."""
    folder = tmp_path_factory.mktemp("vnpy") / ".vntrader"
    folder.mkdir()
    (folder / "vt_setting.json").write_text(json.dumps({"database.timezone": ZONE.key}))
    return folder.parent


@pytest.fixture
def shanghai():
    """The machine is in the zone of vnpy's settings: its SQLite driver is wrong in any other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", ZONE.key)
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def vnpy(vnpy_folder, shanghai, monkeypatch):
    """The modules of vnpy that the tests use."""
    monkeypatch.chdir(vnpy_folder)
    for name in ("vnpy", "vnpy_ctastrategy", "vnpy_sqlite"):
        pytest.importorskip(name, reason=REASON)
    from vnpy.trader import database
    from vnpy.trader.constant import Exchange, Interval
    from vnpy.trader.object import BarData, TickData
    from vnpy_ctastrategy import backtesting

    return SimpleNamespace(
        BarData=BarData,
        Exchange=Exchange,
        Interval=Interval,
        TickData=TickData,
        database=database,
        testing=backtesting,
    )


@pytest.fixture
def sqlite(vnpy, tmp_path):
    """vnpy's own driver, over an empty database."""
    from vnpy_sqlite import sqlite_database

    sqlite_database.db.close()
    sqlite_database.db.init(tmp_path / "vnpy.db")
    yield sqlite_database.SqliteDatabase()
    sqlite_database.db.close()


@pytest.fixture
def driver(vnpy, adapter):
    return adapter("vnpy_storecore", "vnpy").Database


@pytest.fixture
def database(driver, store):
    return driver(store)


@pytest.fixture
def rows(real_bars):
    """13 years of real prices of AAPL, oldest first."""
    return [row for row in real_bars.to_pylist() if row["symbol"] == "AAPL"]


@pytest.fixture
def bars(vnpy, rows):
    """Make bars of an interval: real prices; a turnover of their own and some open interest."""

    def make(interval, symbol="AAPL"):
        times = days(rows) if interval is vnpy.Interval.DAILY else minutes(len(rows))
        return [
            vnpy.BarData(
                "TEST",
                symbol,
                vnpy.Exchange.NASDAQ,
                at,
                interval,
                volume=row["volume"],
                turnover=round(row["volume"] * (row["high"] + row["low"]) / 2, 2),
                open_interest=row["volume"] // 7,
                open_price=row["open"],
                high_price=row["high"],
                low_price=row["low"],
                close_price=row["close"],
            )
            for at, row in zip(times, rows, strict=True)
        ]

    return make


@pytest.fixture
def ticks(vnpy, rows):
    """Make ticks of one symbol, each 20 seconds after the one before it."""

    def make():
        begin = datetime(2024, 3, 4, 9, tzinfo=ZONE)
        return [
            vnpy.TickData(
                "TEST",
                "AAPL",
                vnpy.Exchange.NASDAQ,
                begin + number * timedelta(seconds=20),
                name="Apple",
                volume=1000.0 * number,
                turnover=row["close"] * 1000 * number,
                open_interest=number // 3,
                last_price=row["close"],
                bid_price_1=row["close"] - 0.01,
                ask_price_1=row["close"] + 0.01,
                bid_volume_1=row["volume"] % 90,
                ask_volume_1=5,
                localtime=datetime(2024, 3, 4, 9, 0, 0, 123456) if number % 2 else None,
            )
            for number, row in enumerate(rows[:1500])
        ]

    return make


def days(rows):
    """Return the midnights in Shanghai of the days, which is how vnpy's feeds give them."""
    return [row["date"].replace(tzinfo=ZONE) for row in rows]


def minutes(count):
    """Return minutes of sessions of four hours on days in a row."""
    first = datetime(2024, 3, 4, 9, tzinfo=ZONE)
    return [first + timedelta(days=each // 240, minutes=each % 240) for each in range(count)]


@pytest.fixture
def backtest(vnpy, monkeypatch):
    """Run a strategy of vnpy over a database; return its trades, statistics and days."""

    def run(database, strategy, interval, start, end, mode="BAR"):
        testing = vnpy.testing
        monkeypatch.setattr(vnpy.database, "database", database)
        testing.load_bar_data.cache_clear()
        testing.load_tick_data.cache_clear()
        engine = testing.BacktestingEngine()
        engine.output = lambda text: None
        engine.set_parameters(
            vt_symbol="AAPL.NASDAQ",
            interval=interval,
            start=start,
            end=end,
            rate=0.3 / 10000,
            slippage=0.01,
            size=10,
            pricetick=0.01,
            capital=100_000,
            mode=testing.BacktestingMode[mode],
        )
        engine.add_strategy(strategy, {})
        engine.load_data()
        engine.run_backtesting()
        frame = engine.calculate_result()
        statistics = engine.calculate_statistics(output=False)
        trades = list(engine.trades.values())
        return SimpleNamespace(trades=trades, statistics=statistics, frame=frame)

    return run


def strategy_of_vnpy(module, name):
    found = pytest.importorskip(f"vnpy_ctastrategy.strategies.{module}", reason=REASON)
    return getattr(found, name)


def assert_same(found, expected):
    assert len(expected.trades) >= 3
    assert found.trades == expected.trades
    assert found.statistics == expected.statistics
    assert found.frame.drop(columns="trades").equals(expected.frame.drop(columns="trades"))


@pytest.mark.parametrize(
    ("module", "name"),
    [("double_ma_strategy", "DoubleMaStrategy"), ("atr_rsi_strategy", "AtrRsiStrategy")],
)
def test_a_backtest_of_days_equals_that_over_sqlite(
    vnpy, database, sqlite, bars, backtest, module, name
):
    interval = vnpy.Interval.DAILY
    for each in (database, sqlite):
        each.save_bar_data(bars(interval))
    run = partial(
        backtest,
        strategy=strategy_of_vnpy(module, name),
        interval=interval,
        start=datetime(2001, 6, 1),
        end=datetime(2012, 12, 31),
    )
    assert_same(run(database), run(sqlite))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("boll_channel_strategy", "BollChannelStrategy"),
        ("multi_timeframe_strategy", "MultiTimeframeStrategy"),
    ],
)
def test_a_backtest_of_minutes_equals_that_over_sqlite(
    vnpy, database, sqlite, bars, backtest, module, name
):
    interval = vnpy.Interval.MINUTE
    for each in (database, sqlite):
        each.save_bar_data(bars(interval))
    run = partial(
        backtest,
        strategy=strategy_of_vnpy(module, name),
        interval=interval,
        start=datetime(2024, 3, 6),
        end=datetime(2024, 3, 16),
    )
    assert_same(run(database), run(sqlite))


def test_a_backtest_of_ticks_equals_that_over_sqlite(vnpy, database, sqlite, ticks, backtest):
    for each in (database, sqlite):
        each.save_tick_data(ticks())
    run = partial(
        backtest,
        strategy=strategy_of_vnpy("double_ma_strategy", "DoubleMaStrategy"),
        interval=vnpy.Interval.MINUTE,
        start=datetime(2024, 3, 4),
        end=datetime(2024, 3, 5),  # vnpy divides by the number of days between them
        mode="TICK",
    )
    assert_same(run(database), run(sqlite))


@pytest.mark.parametrize("interval", ["DAILY", "MINUTE"])
def test_bars_come_back_as_from_sqlite_with_turnover_and_open_interest(
    vnpy, database, sqlite, bars, interval
):
    interval = vnpy.Interval[interval]
    series = "AAPL", vnpy.Exchange.NASDAQ, interval
    for each in (database, sqlite):
        each.save_bar_data(bars(interval))
    span = datetime(2000, 1, 1), datetime(2030, 1, 1)
    found = database.load_bar_data(*series, *span)
    assert found == sqlite.load_bar_data(*series, *span)
    given = bars(interval)
    assert [(each.turnover, each.open_interest) for each in found] == [
        (each.turnover, each.open_interest) for each in given
    ]
    assert [each.datetime for each in found] == [each.datetime for each in given]


def test_bars_that_are_saved_again_are_replaced_as_in_sqlite(vnpy, database, sqlite, bars):
    interval = vnpy.Interval.MINUTE
    for each in (database, sqlite):
        each.save_bar_data(bars(interval)[:100])
        corrected = bars(interval)[50:150]
        for bar in corrected:
            bar.close_price, bar.turnover = bar.close_price + 1, 0
        each.save_bar_data(corrected)
    series = "AAPL", vnpy.Exchange.NASDAQ, interval, datetime(2024, 3, 4), datetime(2024, 3, 5)
    found = database.load_bar_data(*series)
    assert found == sqlite.load_bar_data(*series)
    assert [each.turnover > 0 for each in found] == [True] * 50 + [False] * 100
    assert [each.count for each in database.get_bar_overview()] == [150]


def test_ticks_come_back_as_from_sqlite_with_all_their_fields(vnpy, database, sqlite, ticks):
    for each in (database, sqlite):
        each.save_tick_data(ticks())
    series = "AAPL", vnpy.Exchange.NASDAQ, datetime(2024, 3, 4, 9, 5), datetime(2024, 3, 5)
    found = database.load_tick_data(*series)
    assert found == sqlite.load_tick_data(*series)
    assert len(found) == 1500 - 15


def test_a_day_is_filed_under_the_day_that_vnpy_shows(vnpy, database, store, bars):
    database.save_bar_data(bars(vnpy.Interval.DAILY)[:1])
    (kept,) = store.read_bars("AAPL.NASDAQ")
    assert kept.date == datetime(2000, 3, 1)


def test_a_series_that_is_deleted_is_gone(vnpy, database, bars):
    series = "AAPL", vnpy.Exchange.NASDAQ, vnpy.Interval.MINUTE
    database.save_bar_data(bars(vnpy.Interval.MINUTE))
    assert database.delete_bar_data(*series) == 3270
    assert database.load_bar_data(*series, datetime(2000, 1, 1), datetime(2030, 1, 1)) == []
    assert database.get_bar_overview() == []


def test_vnpy_finds_the_driver_by_its_name(vnpy, driver, bars, monkeypatch, tmp_path):
    config = tmp_path / "storecore.toml"
    config.write_text('[store]\nbackend = "file"\nbase_path = "data"\n')
    monkeypatch.setenv("STORECORE_CONFIG", str(config))
    monkeypatch.setattr(vnpy.database, "database", None)
    monkeypatch.setitem(vnpy.database.SETTINGS, "database.name", "storecore")
    found = vnpy.database.get_database()
    with found.store:
        found.save_bar_data(bars(vnpy.Interval.DAILY))
    with storecore.open_store("file", base_path=tmp_path / "data", create=False) as store:
        (series,) = store.inventory()
    assert (series.symbol, series.timeframe, series.count) == ("AAPL.NASDAQ", "1d", 3270)


SYMBOLS = 500
INSERT = "INSERT INTO dbbardata ({}) VALUES ({})".format(
    "symbol, exchange, datetime, interval, volume, turnover, open_interest, "
    "open_price, high_price, low_price, close_price",
    ", ".join("?" * 11),
)


@pytest.fixture
def fill(store, database, sqlite, rows):
    """Write days of many symbols into both databases, each in one step; return both."""

    def fill(count):
        names = [f"S{number:03}" for number in range(SYMBOLS)]
        table = pa.Table.from_pylist(rows[:count]).drop(["symbol"])
        symbols = (pa.repeat(f"{name}.NASDAQ", count) for name in names)
        series = [table.append_column("symbol", each) for each in symbols]
        store.write_bar_table(pa.concat_tables(series))
        prices = ("open", "high", "low", "close")
        given = [
            (str(row["date"]), "d", row["volume"], 0, 0, *(row[name] for name in prices))
            for row in rows[:count]
        ]
        with sqlite.db.atomic():
            every = ((name, "NASDAQ", *row) for name in names for row in given)
            sqlite.db.connection().executemany(INSERT, every)
            sqlite.get_bar_overview()  # the first one makes its table of overviews
        return database, sqlite

    return fill


def test_the_overview_of_500_symbols_is_that_of_sqlite(fill):
    found, expected = (
        [
            (each.symbol, each.exchange, each.interval, each.count, each.start, each.end)
            for each in one
        ]
        for one in (each.get_bar_overview() for each in fill(20))
    )
    assert len(found) == SYMBOLS
    assert found == sorted(expected, key=lambda row: row[0])


@pytest.mark.parametrize("store", ["file"], indirect=True)
def test_the_overview_of_500_symbols_takes_no_longer_than_with_sqlite(fill):
    both = fill(1000)
    times = [[seconds(each.get_bar_overview) for each in both] for _ in range(9)]
    ours, theirs = (min(column) for column in zip(*times, strict=True))
    print(f"overview of {SYMBOLS} symbols: {ours:.4f} s, vnpy_sqlite {theirs:.4f} s")
    assert ours <= theirs


def seconds(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
