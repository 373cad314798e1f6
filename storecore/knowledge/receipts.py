"""Receipts: what a view was asked, and the checksum of what it answered (law K4).

A view adds each read to its `Reads`. The checksums are computed when the receipt is asked for. By
then the caller may have changed the lists and dicts that it was given, so a read keeps its answer
in a form that cannot change. RECEIPTS.md defines all of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

from storecore.errors import shown
from storecore.knowledge.checksums import Sum, TableDigest, checksum, kept
from storecore.knowledge.clock import machine_now
from storecore.models import Read
from storecore.protocols import declaration
from storecore.values.times import to_datetime

if TYPE_CHECKING:
    import pyarrow as pa

MOST_BYTES = 256 * 2**20
"""If answers take more memory than this, all but the newest are digested before they are asked for.

The newest one is in the hands of who asked for it anyway, so a read itself is not slower by it.
"""
_RECORD = 512  # bytes of a bar or an event, roughly
_VALUE = 8  # of a table
_MICROSECONDS = 1_000_000


class _Asked(NamedTuple):
    """A read as it was asked: the call, its arguments, and when it was answered."""

    call: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    at: int


class Reads:
    """The reads of a view since its last receipt, in their order."""

    def __init__(self) -> None:
        self._reads: list[tuple[_Asked, Any]] = []
        self._bytes = 0  # of answers that are not digested

    def add(self, call: str, args: tuple[Any, ...], kwargs: dict[str, Any], answer: Any) -> None:
        """Add a read. Its arguments must not be iterators, which the read has used up."""
        size = _bytes_of(answer)
        if self._bytes + size > MOST_BYTES and self._bytes:
            self._reads = [(asked, _digested(each)) for asked, each in self._reads]
            self._bytes = 0
        self._reads.append((_asked(call, args, kwargs), kept(answer)))
        self._bytes += size

    def stream(
        self,
        call: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        pieces: Iterator[pa.Table],
    ) -> Iterator[pa.Table]:
        """Yield the tables of a read, which is in each receipt from its first table on to its end.

        The receipt of a stream that has not ended is one of the rows that were read.
        """
        stream = _Stream()
        self._reads.append((_asked(call, args, kwargs), stream))
        for piece in pieces:
            stream.digest.add(piece)
            yield piece
        stream.is_over = True

    def receipt(
        self, as_of: int, recorded: int | None, lengths: Mapping[str, int] | None = None
    ) -> list[Read]:
        """Return the receipts of the reads since the last call, and forget those that have ended.

        `as_of` and `recorded` are the instants of the view, `lengths` those of its timeframes.
        """
        reads, self._bytes = self._reads, 0
        self._reads = [pair for pair in reads if _is_running(pair[1])]
        return [_read(*pair, as_of, recorded, lengths or {}) for pair in reads]


class _Stream:
    """A read that is still being read."""

    def __init__(self) -> None:
        self.digest = TableDigest()
        self.is_over = False


def arguments_of(call: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call as JSON values by name, with the defaults of those left out.

    Bounds stay naive, aware or dates, since the answer depends on it.
    """
    bound = _signature(call).bind(*args, **kwargs)
    bound.apply_defaults()
    return {name: _as_json(value) for name, value in bound.arguments.items()}


@lru_cache(maxsize=64)
def _signature(call: str) -> inspect.Signature:
    signature = inspect.signature(declaration(call))
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def _asked(call: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Asked:
    if list in map(type, args):
        args = tuple([each[:] if type(each) is list else each for each in args])
    if list in map(type, kwargs.values()):
        kwargs = {name: each[:] if type(each) is list else each for name, each in kwargs.items()}
    return _Asked(call, args, kwargs, machine_now())


def _bytes_of(answer: Any) -> int:
    """Return roughly how much memory an answer takes."""
    if hasattr(answer, "schema"):  # `nbytes` looks at each piece of a table
        return _VALUE * len(answer) * len(answer.schema)
    return _RECORD * len(answer) if hasattr(answer, "__len__") else _RECORD


def _digested(answer: Any) -> Any:
    return answer if isinstance(answer, _Stream | Sum) else checksum(answer)


def _is_running(answer: Any) -> bool:
    return isinstance(answer, _Stream) and not answer.is_over


def _read(
    asked: _Asked, answer: Any, as_of: int, recorded: int | None, lengths: Mapping[str, int]
) -> Read:
    arguments = arguments_of(asked.call, asked.args, asked.kwargs)
    if isinstance(answer, _Stream):
        found = answer.digest.sum()
        if not answer.is_over:
            arguments["first"] = found.rows
    else:
        found = _digested(answer)
    if lengths:
        known = {name: micros / _MICROSECONDS for name, micros in lengths.items()}
        arguments["lengths"] = known
    then = None if recorded is None else to_datetime(recorded, aware=True)
    seen, read_at = to_datetime(as_of, aware=True), to_datetime(asked.at, aware=True)
    return Read(asked.call, arguments, found.rows, found.sha256, seen, then, read_at)


def _as_json(value: Any) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, date):
        return _text_of(value)
    if isinstance(value, set | frozenset):
        return sorted(map(_as_json, value), key=lambda each: (each is not None, each or ""))
    if isinstance(value, Iterable):
        return list(map(_as_json, value))
    return str(value) if type(value).__name__ == "datetime64" else shown(value)


def _text_of(value: date) -> str:
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return value.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"
    return value.isoformat()
