"""Turns any name into a file name that no file system confuses with another's (law N1).

A file name is ASCII; it holds letters of one case as they are, and marks the other case with `+`
(from one `+` to the next), so that file systems that fold case tell `AAPL` from `aapl`, which is
`+aapl`. Every other character but `-`, `_` and inner dots is written as the `%XX` of its UTF-8
bytes, so that none normalises, ends a path or hides a file. Names too long for a file system keep
their beginning and end in `%-` and the SHA-256 of the whole: those are read back from the data.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from string import ascii_letters, digits
from typing import NamedTuple

MAX_ENCODED = 150
_RESERVED = re.compile(r"(CON|PRN|AUX|NUL|(COM|LPT)[0-9¹²³])(\.|$)", re.I)
_SHIFT = "+"
_HASHED = "%-"
_PLAIN = {True: re.compile(r"[-0-9A-Z_]+"), False: re.compile(r"[-0-9a-z_]+")}
_TOKEN = re.compile(r"\+|(?:%[0-9A-F]{2})+|[^+%]+")


class NameCodec(NamedTuple):
    """How names are written: `upper` is the plain case, `dots` whether dots are plain."""

    upper: bool
    dots: bool

    def encode(self, name: str) -> str:
        """Return the file name of a name (checked by `storecore.values.names` already)."""
        return _encode(self, name)

    def decode(self, encoded: str) -> str | None:
        """Return the name of a file name, None if only the data in the file has it."""
        return _decode(self, encoded)

    def _decoded(self, encoded: str) -> str | None:
        if _is_plain(self, encoded):
            return encoded
        if _HASHED in encoded:
            return None
        name = self._unescaped(encoded)
        try:
            return name if self.encode(name) == encoded else None  # None: no name of ours
        except UnicodeEncodeError:  # a folder of somebody else's, its name no UTF-8
            return None

    def _unescaped(self, encoded: str) -> str:
        decoded, shifted = [], False
        for token in _TOKEN.findall(encoded):
            if token == _SHIFT:
                shifted = not shifted
            elif token.startswith("%"):
                decoded.append(bytes.fromhex(token.replace("%", "")).decode(errors="replace"))
            else:
                decoded.append(token.upper() if self.upper != shifted else token.lower())
        return "".join(decoded)


def is_hashed(encoded: str) -> bool:
    """Return whether a file name is a hash: only the data in the file gives the name."""
    return _HASHED in encoded


SYMBOLS = NameCodec(upper=True, dots=True)
STRATEGIES = NameCodec(upper=False, dots=True)
TIMEFRAMES = NameCodec(upper=False, dots=False)


def _is_plain(codec: NameCodec, name: str) -> bool:
    """Return whether a name surely is its own file name, as most symbols are."""
    return (
        len(name) <= MAX_ENCODED
        and _PLAIN[codec.upper].fullmatch(name) is not None
        and _RESERVED.match(name) is None
    )


@lru_cache(maxsize=65_536)
def _encode(codec: NameCodec, name: str) -> str:
    if _is_plain(codec, name):
        return name
    plain = digits + "-_" + ("." if codec.dots else "")
    encoded, shifted = [], False
    for position, letter in enumerate(name):
        if letter in ascii_letters and not (position == 0 and _RESERVED.match(name)):
            if shifted != (letter.isupper() != codec.upper):
                shifted = not shifted
                encoded.append(_SHIFT)
            encoded.append(letter)
        elif letter in plain and not (letter == "." and position in (0, len(name) - 1)):
            encoded.append(letter)
        else:
            encoded.append("".join(f"%{byte:02X}" for byte in letter.encode()))
    return _shortened("".join(encoded), name)


@lru_cache(maxsize=65_536)
def _decode(codec: NameCodec, encoded: str) -> str | None:
    return codec._decoded(encoded)


def _shortened(encoded: str, name: str) -> str:
    if len(encoded) <= MAX_ENCODED:
        return encoded
    whole = sha256(name.encode()).hexdigest().upper()
    return f"{encoded[: MAX_ENCODED - len(whole) - len(_HASHED)]}{_HASHED}{whole}"
