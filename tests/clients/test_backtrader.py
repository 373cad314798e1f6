"""backtrader: a strategy over a store gives the results that it gives over backtrader's feeds."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pytest

pytestmark = pytest.mark.soak
SPAN = {"fromdate": datetime(2003, 1, 1), "todate": datetime(2007, 1, 1)}
SYMBOLS = ["AAPL", "IBM"]
ANALYZERS = ["TradeAnalyzer", "DrawDown", "SharpeRatio", "SQN", "TimeReturn"]


@pytest.fixture
def backtrader():
    return pytest.importorskip("backtrader", reason="it is in tests/clients/requirements.txt")


@pytest.fixture
def feed(adapter):
    return adapter("backtrader_storecore", "backtrader").StorecoreData


@pytest.fixture
def bars(real_bars):
    """The bars of two symbols with an open interest, as futures have it."""
    table = real_bars.filter(pc.is_in(real_bars["symbol"], pa.array(SYMBOLS)))
    return table.append_column("open_interest", pc.divide(table["volume"], 7))


@pytest.fixture
def stored(store, bars):
    store.write_bar_table(bars)
    return store


@pytest.fixture
def run(backtrader):
    """Run a strategy of crossing averages over feeds; return its trades and worth."""
    bt = backtrader

    class Crossing(bt.Strategy):
        def __init__(self):
            self.done = []
            self.worth = []
            averages = [
                (bt.ind.EMA(each, period=9), bt.ind.SMA(each, period=31)) for each in self.datas
            ]
            self.crossing = [bt.ind.CrossOver(*pair) for pair in averages]
            self.range = [bt.ind.ATR(each) for each in self.datas]

        def notify_order(self, order):
            if order.status == order.Completed:
                done = order.executed
                self.done.append(
                    (order.data._name, bt.num2date(done.dt).date(), done.price, done.size, done.pnl)
                )

        def next(self):
            for data, crossing, spread in zip(self.datas, self.crossing, self.range, strict=True):
                if crossing[0]:
                    size = int(self.broker.getvalue() * 0.01 / spread[0])
                    self.order_target_size(data, size if crossing[0] > 0 else -size)
            row = [(each.volume[0], each.openinterest[0]) for each in self.datas]
            self.worth.append((self.broker.getvalue(), row))

    def run(feeds, **options):
        cerebro = bt.Cerebro(stdstats=False, **options)
        for name, each in feeds.items():
            cerebro.adddata(each, name=name)
        cerebro.addstrategy(Crossing)
        for name in ANALYZERS:
            cerebro.addanalyzer(getattr(bt.analyzers, name), _name=name)
        cerebro.broker.setcommission(commission=0.001)
        (strategy,) = cerebro.run()
        figures = {each: strategy.analyzers.getbyname(each).get_analysis() for each in ANALYZERS}
        return SimpleNamespace(done=strategy.done, worth=strategy.worth, figures=figures)

    return run


def test_trades_and_figures_equal_those_over_a_pandas_feed(backtrader, feed, run, stored, bars):
    def frame(symbol):
        rows = bars.filter(pc.equal(bars["symbol"], symbol)).to_pandas().set_index("date")
        return rows.rename(columns={"open_interest": "openinterest"})

    pandas = {each: backtrader.feeds.PandasData(dataname=frame(each), **SPAN) for each in SYMBOLS}
    expected = run(pandas)
    found = run({each: feed(store=stored, dataname=each, **SPAN) for each in SYMBOLS})
    assert len(found.done) > 50
    assert found == expected


def test_results_equal_those_over_a_file_of_csv(backtrader, feed, run, stored, bars, tmp_path):
    def csv(symbol):
        rows = bars.filter(pc.equal(bars["symbol"], symbol)).drop(["symbol"])
        days = rows["date"].cast(pa.date32())
        pyarrow.csv.write_csv(rows.set_column(0, "date", days), tmp_path / f"{symbol}.csv")
        return str(tmp_path / f"{symbol}.csv")

    files = {
        each: backtrader.feeds.GenericCSVData(dataname=csv(each), dtformat="%Y-%m-%d", **SPAN)
        for each in SYMBOLS
    }
    expected = run(files)
    found = run({each: feed(store=stored, dataname=each, **SPAN) for each in SYMBOLS})
    assert (found.done, found.worth) == (expected.done, expected.worth)


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_results_are_the_same_bar_by_bar(feed, run, stored):
    def feeds():
        return {each: feed(store=stored, dataname=each, **SPAN) for each in SYMBOLS}

    assert run(feeds(), preload=False, runonce=False) == run(feeds())


def test_a_feed_without_bounds_is_the_whole_series(feed, run, stored, bars):
    found = run({"AAPL": feed(store=stored, dataname="AAPL")})
    first = 31  # the longest average
    volumes = bars.filter(pc.equal(bars["symbol"], "AAPL"))["volume"].to_pylist()[first:]
    assert [row[0][0] for _, row in found.worth] == volumes
