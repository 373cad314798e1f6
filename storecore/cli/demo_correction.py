"""The end of the demo: a bar is corrected, and the log shows which decisions saw the old one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from storecore import AuditTrail, ChangedRow, DataStore, History, at, read_bars
from storecore import replay as replay_of
from storecore.cli.replay import change_of
from storecore.cli.screen import console
from storecore.cli.text import counted

_DAYS = 5  # before the last day that was traded


class Corrected(NamedTuple):
    """The evening of a bar that was corrected, and the moment before its correction, if known."""

    evening: datetime
    then: datetime | None


def correct_a_bar(store: DataStore, symbol: str, last_day: str) -> Corrected:
    """Correct a close, and print which decisions saw the old one, and both answers.

    The bar is some trading days before the last one. The new close is in the middle of the bar.
    """
    say = console().print
    before = read_bars(store, symbol, end=last_day, last=_DAYS + 1)[0]
    after = replace(before, close=round((before.high + before.low) / 2, 2))
    then = store.recorded_now() if isinstance(store, History) else None
    store.write_bars(symbol, [after])
    say(f"\nA bar is corrected: {change_of(ChangedRow(symbol, before.date, before, after))}")
    if isinstance(store, AuditTrail):
        records = store.read_decisions(before.date, by="as_of")
        affected = [each.seq for each in records if replay_of(store, each).status != "same"]
        saw = f"{counted(len(affected), 'decision')} saw the old one"
        say(f"{saw}: records {', '.join(map(str, affected))}")
    evening = before.date + timedelta(1)
    say(f"  the close as known at the end of that day: {_close(store, symbol, evening)}")
    if then is not None:
        close = _close(store, symbol, evening, then)
        say(f"  the same, as recorded before the correction: {close}")
    return Corrected(evening, then)


def _close(
    store: DataStore, symbol: str, evening: datetime, recorded: datetime | None = None
) -> float:
    return at(store, evening, recorded=recorded).read_bars(symbol, last=1)[0].close
