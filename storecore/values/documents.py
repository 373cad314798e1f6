"""Documents of JSON that decode to exactly the value that was encoded (law S1).

A value is encoded, decoded and compared, so no value that JSON would change can pass. Only a value
that did not pass is walked, to name the path of the wrong part.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NoReturn, TypeVar

import msgspec
from msgspec.structs import replace

from storecore.errors import InvalidData, NotSerializable, shown
from storecore.values.fields import plain_record

MAX_DEPTH = 100
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder()
_Record = TypeVar("_Record", bound=msgspec.Struct)


def encode_document(value: dict[str, Any], what: str) -> bytes:
    """Return a dict of JSON values as JSON in UTF-8 that decodes to an equal dict.

    Subclasses of the JSON types (numpy's float64, an OrderedDict) become the plain types.
    Raises `NotSerializable` with the path of the value that JSON would change.
    """
    if not isinstance(value, dict):
        raise NotSerializable(f"{what}: $: expected a dict, got {type(value).__name__}")
    try:
        encoded = _ENCODER.encode(value)
        if is_shallow(value, encoded) and _DECODER.decode(encoded) == value:
            return encoded
    except (TypeError, ValueError, RecursionError):
        pass  # the walk below finds the wrong part
    if not is_shallow(value, None):
        raise NotSerializable(
            f"{what}: $: nested more than {MAX_DEPTH} deep, or contains itself; "
            "store a flatter dict"
        )
    return _ENCODER.encode(_plain(value, "$", what))


def is_shallow(value: Any, encoded: bytes | None) -> bool:
    """Return whether a value is nested at most `MAX_DEPTH` deep.

    A deeper one may be written from a shallow stack and then be unreadable from a deep stack.
    """
    if encoded is not None and encoded.count(b"{") + encoded.count(b"[") <= MAX_DEPTH:
        return True  # it has at most so many containers
    level = [value]
    for _ in range(MAX_DEPTH):
        children = (child for item in level for child in _children(item))
        level = list(
            {id(child): child for child in children}.values()
        )  # each only once: containers may be shared
        if not level:
            return True
    return False


def _children(value: Any) -> list[Any]:
    """Return the containers in a container."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [item for item in items if isinstance(item, dict | list)]


def decode_document(encoded: bytes) -> Any:
    """Return the value of a document."""
    return _DECODER.decode(encoded)


def checked(record: _Record, kind: type[_Record], what: str) -> _Record:
    """Return a record of plain values, each of its field's type, or raise `InvalidData`.

    Its datetimes must be plain and the payload of an event checked already. `extra` is checked as a
    document: `NotSerializable` names the path of a wrong value. A record that JSON does not change
    passes at once; any other is checked field by field.
    """
    if not isinstance(record, kind):
        raise InvalidData(f"{what}: expected {kind.__name__}, got {type(record).__name__}")
    extra = getattr(record, "extra", None)
    if extra is not None:
        plain_extra = decode_document(encode_document(extra, f"{what}.extra"))
        return replace(checked(replace(record, extra=None), kind, what), extra=plain_extra)
    try:
        plain: _Record = _decoder(kind).decode(_UNWRAPPING.encode(record))
        if plain == record:
            return plain
    except (TypeError, ValueError, RecursionError):  # a ValidationError is a ValueError
        pass  # checked field by field below
    fitted: _Record = plain_record(record, kind, what)
    return fitted


def checked_all(records: list[_Record], kind: type[_Record], what: str) -> list[_Record]:
    """Return a batch of records as `checked` does; `{}` in `what` is the row: `orders[{}]`."""
    with_extra = any(getattr(record, "extra", None) is not None for record in records)
    if not with_extra and set(map(type, records)) <= {kind}:
        try:
            encoded = _UNWRAPPING.encode(records)
            plain: list[_Record] = msgspec.json.decode(encoded, type=list[kind])  # type: ignore[valid-type]
            if plain == records:
                return plain
        except (TypeError, ValueError, RecursionError):
            pass  # checked one by one below
    return [checked(record, kind, what.format(row)) for row, record in enumerate(records)]


@lru_cache(maxsize=64)
def _decoder(kind: type[_Record]) -> msgspec.json.Decoder[_Record]:
    return msgspec.json.Decoder(kind)  # creating one costs more than decoding a record


def _unwrapped(value: Any) -> Any:
    """Return the plain value that equals a numpy scalar; times and durations have none."""
    is_scalar = type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()
    if not is_scalar or value.dtype.kind in "mM":
        raise TypeError(f"expected a plain value, got {type(value).__name__}")
    return value.item()


_UNWRAPPING = msgspec.json.Encoder(enc_hook=_unwrapped)


def _plain(value: Any, path: str, what: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _plain_text(value, path, what)
    if isinstance(value, (int, float)):
        return _plain_number(value, path, what)
    if isinstance(value, dict):
        return {
            _plain_key(key, path, what): _plain(item, _below(path, key), what)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_plain(item, f"{path}[{index}]", what) for index, item in enumerate(value)]
    return _refuse(value, path, what, f"JSON cannot carry a {type(value).__name__}")


def _below(path: str, key: Any) -> str:
    return f"{path}.{key}" if str(key).isidentifier() else f"{path}[{key!r}]"


def _plain_text(value: str, path: str, what: str) -> str:
    text = str.__str__(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        _refuse(value, path, what, "a lone surrogate is not text")
    return text


def _plain_number(value: int | float, path: str, what: str) -> int | float:
    if isinstance(value, int):
        number = int.__int__(value)
        try:
            _ENCODER.encode(number)
        except ValueError:
            _refuse(number, path, what, "the number is too long")
        return number
    if value != value or value in (float("inf"), float("-inf")):
        _refuse(value, path, what, "JSON has no such number")
    return float.__float__(value)


def _plain_key(key: Any, path: str, what: str) -> str:
    if not isinstance(key, str):
        _refuse(key, path, what, f"a key must be a str, got {type(key).__name__}")
    return _plain_text(key, path, what)


def _refuse(value: Any, path: str, what: str, why: str) -> NoReturn:
    raise NotSerializable(
        f"{what}: {path}: {shown(value)}: {why}; "
        "store it as a str, int, finite float, bool, None, list or dict"
    )


def uses_extra(record: bytes) -> bool:
    """Return whether an encoded record has what releases before `extra` call damaged.

    That is an `extra`, or a decision to sell. Quotes within a text are escaped in JSON, so neither
    can be part of one.
    """
    return b'"extra":{' in record or b'"action":"sell"' in record
