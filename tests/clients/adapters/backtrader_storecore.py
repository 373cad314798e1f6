"""A backtrader feed over a store: `StorecoreData(store=store, dataname="AAPL")`."""

from __future__ import annotations

from typing import ClassVar

import backtrader as bt
import numpy as np

import storecore

UNITS = {
    bt.TimeFrame.Minutes: "m",
    bt.TimeFrame.Days: "d",
    bt.TimeFrame.Weeks: "w",
    bt.TimeFrame.Months: "mo",
}


class StorecoreData(bt.feed.DataBase):
    """The bars of one series; `dataname` is the symbol.

    `timeframe` and `compression` choose the series: 5 minutes are "5m". `fromdate` and `todate` are
    the bounds of the question, so no other bar is read. A line that a subclass adds is read from
    the column of its name; `names` gives the column of a line that has another name.
    """

    params: ClassVar = (("store", None), ("names", {"openinterest": "open_interest"}))

    def start(self):
        super().start()
        self._row = -1
        lines = (line for line in self.getlinealiases() if line != "datetime")
        columns = {line: self.p.names.get(line, line) for line in lines}
        table = storecore.read_bar_table(
            self.p.store,
            self.p.dataname,
            self.p.fromdate,
            self.p.todate,
            timeframe=f"{self.p.compression}{UNITS[self.p.timeframe]}",
        )
        self._times = [bt.date2num(each) for each in table["date"].to_pylist()]
        kept = [pair for pair in columns.items() if pair[1] in table.column_names]
        self._columns = [(getattr(self.lines, line), _floats(table[name])) for line, name in kept]

    def _load(self):
        self._row += 1
        if self._row == len(self._times):
            return False
        self.lines.datetime[0] = self._times[self._row]
        for line, values in self._columns:
            line[0] = values[self._row]
        return True


def _floats(column):
    """Return a column as floats, with NaN for null, which is what backtrader knows."""
    return column.to_numpy(zero_copy_only=False).astype(np.float64)
