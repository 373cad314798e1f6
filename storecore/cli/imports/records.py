"""Fundamentals, events and states from JSON lines, as `storecore export` writes them.

All lines are checked before the first record is written, so a file is read twice; a stream is
copied first. Records that are stored already are not written again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby, islice
from typing import Any, NamedTuple

import click
import msgspec

from storecore.cli.imports.sources import Source, as_file
from storecore.cli.imports.text import line_blocks
from storecore.cli.interrupts import reporting
from storecore.cli.store_choice import StoreChoice
from storecore.cli.text import counted, printable
from storecore.errors import StoreError
from storecore.events import checked_events, decode_event
from storecore.fundamentals import checked_fundamentals, decode_fundamental
from storecore.models import Event, FundamentalData
from storecore.protocols import Bulk, DataStore
from storecore.store.digests import canonical, canonical_filing
from storecore.values.documents import encode_document
from storecore.values.names import check_name

_BATCH = 2_000


class _State(msgspec.Struct):
    """The line of a state; other fields, such as its version, are those of the store it is from."""

    strategy: str
    state: dict[str, Any]


class _Kind(NamedTuple):
    """How the records of a kind are decoded, checked and written.

    `write` returns the number of records that were not stored already.
    """

    noun: str
    decode: Callable[[bytes], Any]
    check: Callable[[list[Any]], Any]
    write: Callable[[DataStore, list[Any], Counter[bytes]], int]


def import_records(
    choice: StoreChoice, sources: Sequence[Source], kind: str, dry_run: bool
) -> None:
    """Write the records of files into a store, and print their number."""
    how = _KINDS[kind]
    with ExitStack() as held:
        files = [(as_file(source.open(held)), source.name) for source in sources]
        count = sum(len(batch) for batch in _batches(files, how))
        if not count:
            raise click.ClickException(f"no {kind} in {printable(sources[0].name)}")
        if dry_run:
            click.echo(f"{counted(count, how.noun)} found; nothing was written (--dry-run)")
            return
        seen: Counter[bytes] = Counter()
        with choice.open() as store, reporting(lambda: _perhaps(kind)):
            written = sum(how.write(store, batch, seen) for batch in _batches(files, how))
    click.echo(f"added or replaced {written:,}, unchanged {count - written:,}")
    click.echo(f"{counted(count, how.noun)} imported into {choice.named}")


def _perhaps(kind: str) -> str:
    return f"some {kind} may be written; import the files again to write the rest"


def _batches(files: Sequence[tuple[Any, str]], how: _Kind) -> Iterator[list[Any]]:
    """Yield checked records, file by file. Raises `click.ClickException` naming the line."""
    for file, name in files:
        file.seek(0)
        lines = _lines(file, name)
        while batch := list(islice(lines, _BATCH)):
            records = [_decoded(line, how, place) for place, line in batch]
            _check(records, batch, how)
            yield records


def _lines(file: Any, name: str) -> Iterator[tuple[str, bytes]]:
    for block in line_blocks(file, name, None):
        for number, line in enumerate(block.data.split(b"\n"), block.first):
            if line.strip():
                yield f"{printable(name)}: line {number}", line


def _decoded(line: bytes, how: _Kind, place: str) -> Any:
    try:
        return how.decode(line)
    except (ValueError, TypeError, RecursionError) as error:
        raise click.ClickException(
            f"{place}: expected a JSON object with the fields of {how.noun}s: {error}: "
            "nothing was written"
        ) from None


def _check(records: list[Any], batch: Sequence[tuple[str, bytes]], how: _Kind) -> None:
    """Check records together; if one is wrong, check them one by one to name its line."""
    try:
        how.check(records)
    except StoreError as error:
        alone = (_wrong(each, place, how) for each, (place, _) in zip(records, batch, strict=True))
        said = next(filter(None, alone), f"{batch[0][0]}: {error}")
        raise click.ClickException(f"{said}: nothing was written") from None


def _wrong(record: Any, place: str, how: _Kind) -> str:
    """Return what is wrong with a record, with its place, or an empty string."""
    try:
        how.check([record])
    except StoreError as error:
        return f"{place}: {error}"
    return ""


def _write_events(store: DataStore, events: list[Event], seen: Counter[bytes]) -> int:
    """Append the events that a store does not have yet; of identical ones as many as are given.

    `seen` has those of the instant at which the batch before has ended.
    """
    times = [event.timestamp for event in events]
    held = Counter(canonical(each) for each in store.read_events(min(times), max(times)))
    missing = []
    for event in events:
        key = canonical(event)
        seen[key] += 1
        if seen[key] > held[key]:
            held[key] += 1
            missing.append(event)
    _append(store, missing)
    last = {canonical(event) for event in events if event.timestamp == times[-1]}
    for key in seen.keys() - last:
        del seen[key]
    return len(missing)


def _append(store: DataStore, events: list[Event]) -> None:
    if isinstance(store, Bulk):
        return store.write_events(events)
    for event in events:
        store.write_event(event)
    return None


def _write_fundamentals(
    store: DataStore, found: list[FundamentalData], seen: Counter[bytes]
) -> int:
    """Write the fundamentals that differ from those of a store."""
    changed = [each for each in found if not _is_held(store, each)]
    for symbol, group in groupby(changed, key=lambda each: each.symbol):
        if isinstance(store, Bulk):
            store.write_fundamentals(group)
        else:
            for each in group:
                store.write_fundamental(symbol, each)
    return len(changed)


def _is_held(store: DataStore, data: FundamentalData) -> bool:
    held = store.read_fundamental(data.symbol, data.timestamp)
    return held is not None and canonical_filing(held) == canonical_filing(data)


def _write_states(store: DataStore, states: list[_State], seen: Counter[bytes]) -> int:
    written = 0
    for each in states:
        held = store.load_strategy_state(each.strategy)
        if held is None or canonical(held) != canonical(each.state):
            store.save_strategy_state(each.strategy, each.state)
            written += 1
    return written


def _check_states(states: list[_State]) -> None:
    for each in states:
        check_name(each.strategy, "strategy")
        encode_document(each.state, "state")


_KINDS = {
    "fundamentals": _Kind(
        "fundamental", decode_fundamental, checked_fundamentals, _write_fundamentals
    ),
    "events": _Kind("event", decode_event, checked_events, _write_events),
    "states": _Kind("state", msgspec.json.Decoder(_State).decode, _check_states, _write_states),
}
KINDS = ("bars", *_KINDS)
