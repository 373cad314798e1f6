"""What a message may show: no password, and no character that would move a cursor or end a line.

Every `StoreError` and every record of the logger `storecore` passes through here, so that neither a
connection string that was given in the wrong place nor a symbol with a newline in it reaches a log.
"""

from __future__ import annotations

import logging
import re

_HIDDEN = "…"
_SCHEME = r"[a-z][a-z0-9+.-]{1,30}(?::/+|//)(?!/)"
_EXAMPLE = r"(?!user:password@)"  # what our own messages show as the form of a URL
_URL = re.compile(rf"{_SCHEME}{_EXAMPLE}", re.I)
_PORT = r"\d{1,5}(?:[/?#\s,;.'\")\]}]|$)"
_NO_HOST = re.compile(rf"({_SCHEME}){_EXAMPLE}[^/\s:@?#]*:(?!{_PORT})\S+", re.I)
_SECRET_KEY = r"(?:pass|pwd|secret|token|api_?key|credential)\w{0,30}"
_PAIR = re.compile(
    rf"({_SECRET_KEY}(?:['\"]\s*:|\s*=)\s*)(?![\s{_HIDDEN}])(?:'(?:[^'\\]|\\.)*'?|\"(?:[^\"\\]|\\.)*\"?|\S+)",
    re.I | re.S,
)
_NUMBERS = (int, float, bool, type(None))


def redacted(text: str) -> str:
    """Return text without what may be a secret: credentials of a URL, values of `password=…`."""
    at = text.rfind("@")  # the last: a password may hold one, a slash or a space
    if url := _URL.search(text, 0, at + 1):
        text = f"{text[: url.end()]}{_HIDDEN}{text[at:]}"
    text = _NO_HOST.sub(rf"\1{_HIDDEN}", text)
    return _PAIR.sub(rf"\1{_HIDDEN}", text)


def is_connection(text: str) -> bool:
    """Tell whether a text that should be a name looks like a connection string, of any form."""
    return "@" in text or "://" in text or redacted(text) != text


def plain(text: str) -> str:
    """Return text as a message may show it: redacted, on one line, escaped where not printable."""
    text = redacted(text)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def is_clean(error: BaseException | None) -> bool:
    """Tell whether neither an error nor one that led to it says what a message may not."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if any(redacted(said) != said for said in (str(error), repr(error))):
            return False
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return True


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


class _PlainRecords(logging.Filter):
    """Makes the arguments of log records plain; what a record says otherwise is our own."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                each if isinstance(each, _NUMBERS) else plain(str(each)) for each in record.args
            )
        return True


logging.getLogger("storecore").addFilter(_PlainRecords())
