"""What an import prints: bad rows, notes, the first rows of a dry run and the summary."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import click
import pyarrow as pa

from storecore.bars.extra_values import FIELDS
from storecore.bars.table import PRICES
from storecore.cli.imports.problems import MOST_SHOWN
from storecore.cli.imports.writes import Counts, total
from storecore.cli.screen import console, date_text, date_texts, price_texts, table
from storecore.cli.text import counted, listed, printable

FIRST = 10


def say(notes: Sequence[str]) -> None:
    """Print notes on stderr, each once, but not those of thousands of files."""
    different = [*dict.fromkeys(notes)]
    for note in different[:MOST_SHOWN]:
        click.echo(note, err=True)
    if len(different) > MOST_SHOWN:
        click.echo(f"and {counted(len(different) - MOST_SHOWN, 'more note')}", err=True)


def written_by(written: Sequence[Counts]) -> str:
    """Return what an import had written when the user interrupted it.

    A batch is counted once its write has returned, which may be interrupted when it has taken
    effect: in a hook of an observer.
    """
    found = total(written)
    bars = counted(found.added + found.replaced, "bar")
    done = f"{bars} written, perhaps some of the next batch too" if written else "no bar written"
    return f"{done}; import the files again to write the rest"


def report_bad(texts: Sequence[str], count: int, good: int, named: str, skip_bad: bool) -> None:
    """Print the first bad rows on stderr; raise if nothing is to be written."""
    screen = console(stderr=True)
    for problem in texts[:MOST_SHOWN]:
        screen.print(problem)
    if count > MOST_SHOWN:
        screen.print(f"and {count - MOST_SHOWN:,} more")
    found = f"{named}: {counted(count, 'bad row')}"
    if count and not good:
        raise click.ClickException(f"{found} and no good rows: nothing was written")
    if count and not skip_bad:
        raise click.ClickException(f"{found}: nothing was written; --skip-bad writes the others")


def show_first(bars: pa.Table | None, timeframe: str) -> None:
    """Print the first rows as they would be stored."""
    if bars is None:
        console().print("no bars; nothing was written (--dry-run)")
        return
    further = [name for name in bars.column_names if name not in FIELDS]
    columns: dict[str, Sequence[str]] = {
        "symbol": [printable(each) for each in bars["symbol"].to_pylist()],
        "date (UTC)": date_texts(bars["date"].to_pylist()),
        **{name: price_texts(bars[name].to_pylist()) for name in PRICES},
        **{name: [_text(each) for each in bars[name].to_pylist()] for name in ("volume", *further)},
    }
    right = [*PRICES, "volume"]
    console().print(
        table([printable(name) for name in columns], zip(*columns.values(), strict=True), right)
    )
    console().print(
        f"{counted(len(bars), f'{timeframe} bar')} shown; nothing was written (--dry-run)"
    )


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else printable(str(value))


class Summary(NamedTuple):
    """What was read: distinct bars, symbols, the first and last date, bad and repeated rows."""

    bars: int
    symbols: int
    first: datetime | None
    last: datetime | None
    bad: int
    repeated: int
    ignored: Sequence[str]
    timeframe: str
    source: str


def summarize(counts: Counts, total: Summary, target: str) -> None:
    """Print what was written."""
    screen = console()
    if total.ignored:
        screen.print(f"ignored columns: {listed(total.ignored)}")
    if total.repeated:
        repeated = counted(total.repeated, "row")
        screen.print(f"{repeated} repeated a date: the last one was taken")
    if total.bad:
        screen.print(f"{counted(total.bad, 'bad row')} skipped")
    screen.print(
        f"added {counts.added:,}, replaced {counts.replaced:,}, unchanged {counts.unchanged:,}"
    )
    ends = [date_text(each) for each in (total.first, total.last) if each is not None]
    span = f", {' to '.join(ends)}," if ends else ""
    bars = counted(total.bars, f"{total.timeframe} bar")
    screen.print(
        f"{bars} of {counted(total.symbols, 'symbol')}{span} from {total.source} into {target}"
    )
