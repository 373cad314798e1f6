"""A second implementation of the checksums of receipts, made from RECEIPTS.md alone.

It takes rows as plain Python values and imports nothing of storecore.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from hashlib import sha256

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOTHING = sha256().hexdigest()
SHORT = {8: "b", 9: "t", 10: "n", 12: "f", 13: "r", 34: '"', 92: "\\"}
FILING = ("symbol", "timestamp", "company_name", "cik", "employees", "shares_outstanding")
FILING += ("float_shares", "industry", "category", "subcategory", "raw_xml", "extra", "timezone")


def micros(value):
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value
    delta = aware - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def ints(values):
    return b"".join(struct.pack("<q", each) for each in values)


def floats(values):
    return b"".join(struct.pack("<d", each) for each in values)


def hashed(content):
    return sha256(content).digest()


def text_of(value):
    """Return a time in UTC as text."""
    plain = value.replace(tzinfo=None) if value.tzinfo is None else value.astimezone(UTC)
    seconds = plain.isoformat()[:19]
    return seconds + (f".{plain.microsecond:06d}" if plain.microsecond else "") + "Z"


def number(value):
    if isinstance(value, int):
        return str(value)
    sign = "-" if repr(value).startswith("-") else ""
    mantissa, _, power = repr(abs(value)).partition("e")
    whole, _, part = mantissa.partition(".")
    digits = (whole + part).lstrip("0")
    point = len(whole) + int(power or 0) - (len(whole + part) - len(digits))
    digits = digits.rstrip("0") or "0"
    if value == 0 or 0.00001 <= abs(value) < 1e16:
        if value == 0:
            return sign + "0.0"
        padded = digits.ljust(point, "0")
        whole, part = (
            (padded[:point], padded[point:]) if point > 0 else ("0", "0" * -point + digits)
        )
        return sign + whole + "." + (part or "0")
    return sign + digits[0] + ("." + digits[1:] if digits[1:] else "") + "e" + str(point - 1)


def string(value):
    out = []
    for letter in value:
        code = ord(letter)
        if code in SHORT:
            out.append("\\" + SHORT[code])
        else:
            out.append(letter if code >= 32 else f"\\u{code:04x}")
    return '"' + "".join(out) + '"'


def canonical(value, order=lambda names: sorted(names, key=str.encode)):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, str):
        return string(value)
    if isinstance(value, datetime):
        return string(text_of(value))
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    members = (string(name) + ":" + canonical(value[name]) for name in order(value))
    return "{" + ",".join(members) + "}"


def of_records(records):
    """Return the checksum over records, which are texts."""
    encoded = [each.encode() for each in records]
    return sha256(b"".join(b"%d:%b" % (len(each), each) for each in encoded)).hexdigest()


def filing(data):
    """Return the document of a fundamental, given as a dict with `timestamp` and `timezone`."""
    given = {name: value for name, value in data.items() if name != "extra" or value is not None}
    return canonical(given, lambda names: [each for each in FILING if each in names])


def is_exact(volume):
    return isinstance(volume, int) and float(volume) != volume


def kind_of(value):
    for kind, name in ((bool, "bool"), (int, "int64"), (float, "float64"), (str, "string")):
        if isinstance(value, kind):
            return name
    return "timestamp"


def further(rows, places, word):
    """Return the columns of the further values of rows, which are dicts."""
    columns = {}
    for name in sorted({name for row in rows for name in row}):
        pairs = [(at, row[name]) for at, row in zip(places, rows, strict=True) if name in row]
        pairs = [pair for pair in pairs if pair[1] is not None]
        if not pairs:
            continue
        kind = kind_of(pairs[0][1])
        values = [value for _, value in pairs]
        columns[f"{word} of {kind} {name}"] = ints(at for at, _ in pairs)
        if kind == "string":
            columns[f"lengths of {kind} {name}"] = ints(len(each.encode()) for each in values)
            columns[f"values of {kind} {name}"] = "".join(values).encode()
        elif kind == "float64":
            columns[f"values of {kind} {name}"] = floats(values)
        else:
            plain = [micros(each) if kind == "timestamp" else int(each) for each in values]
            columns[f"values of {kind} {name}"] = ints(plain)
    return columns


def of_bars(bars):
    """Return the checksum of bars, given as dicts with the members of a bar."""
    if not bars:
        return NOTHING
    dates = [micros(bar["date"]) for bar in bars]
    exact = [
        (at, bar["volume"]) for at, bar in zip(dates, bars, strict=True) if is_exact(bar["volume"])
    ]
    parts = [ints(dates)]
    parts += [floats(bar[name] for bar in bars) for name in ("open", "high", "low", "close")]
    parts += [floats(float(bar["volume"] or 0) for bar in bars)]
    parts += [ints(at for at, _ in exact), ints(volume for _, volume in exact)]
    nulls = [at for at, bar in zip(dates, bars, strict=True) if bar["volume"] is None]
    columns = further([bar["extra"] or {} for bar in bars], dates, "dates")
    columns |= {"null volumes": ints(nulls)} if nulls else {}
    whole = b"".join(map(hashed, parts))
    for name in sorted(columns, key=str.encode):
        whole += hashed(name.encode()) + hashed(columns[name])
    return sha256(whole).hexdigest()


def of_table(names, rows):
    """Return the checksum of a table with these columns, its rows given as dicts."""
    numbers, columns = range(len(rows)), {}
    for name in names:
        values = [row[name] for row in rows]
        if name == "date":
            columns[name] = ints(map(micros, values))
        elif name in ("open", "high", "low", "close"):
            columns[name] = floats(values)
        elif name == "symbol":
            columns["lengths of symbol"] = ints(len(each.encode()) for each in values)
            columns["symbol"] = "".join(values).encode()
        elif name == "volume":
            exact = [
                (row, each) for row, each in zip(numbers, values, strict=True) if is_exact(each)
            ]
            columns["volume"] = floats(float(each or 0) for each in values)
            columns["exact rows"] = ints(row for row, _ in exact)
            columns["exact volumes"] = ints(each for _, each in exact)
            nulls = [row for row, each in zip(numbers, values, strict=True) if each is None]
            columns["null volumes"] = ints(nulls)
        else:
            columns |= further([{name: each} for each in values], numbers, "rows")
    whole = b""
    for name in sorted(columns, key=str.encode):
        if columns[name]:
            whole += hashed(name.encode()) + hashed(columns[name])
    return sha256(whole).hexdigest()
