"""Redaction of messages: no password, and no character that would move a cursor or end a line.

Every `StoreError` and every log record (`storecore.values.logger`) is redacted, so neither a
misplaced connection string nor a newline in a symbol reaches a log.
"""

from __future__ import annotations

import re

_HIDDEN = "…"
_NO_SLASHES = r"postgres(?:ql)?:(?=[^\s:/@=]*:\S*@)"
_NO_SCHEME = r"(?<![\w.:/])//(?=[^\s:/@]*:\S*@)"
_SCHEME = rf"(?:[a-z][a-z0-9+.-]{{1,30}}(?::/+|//)|{_NO_SLASHES}|{_NO_SCHEME})(?!/)"
_EXAMPLE = r"(?!user:password@)"  # an example of a URL in storecore's own messages
_URL = re.compile(rf"{_SCHEME}{_EXAMPLE}", re.I)
_PORT = r"\d{1,5}(?:[/?#\s,;.'\")\]}]|$)"
_NO_HOST = re.compile(rf"({_SCHEME}){_EXAMPLE}[^/\s:@?#]*:(?!{_PORT})\S+", re.I)
_HEADERS = ("authorization", "cookie")
_WORDS = ("pass", "pwd", "secret", "token", "apikey", "api_key", "api-key", "credential", *_HEADERS)
_SECRET_KEY = rf"(?:{'|'.join(_WORDS)})\w{{0,30}}"
_SECRET = r"(?:'(?:[^'\\]|\\.)*'?|\"(?:[^\"\\]|\\.)*\"?|\S+)"
_PAIR = re.compile(
    rf"({_SECRET_KEY}(?:['\"]\s*:|\s*=)\s*)(?![\s{_HIDDEN}]){_SECRET}",
    re.I | re.S,
)
_PROSE = "missing|expected|unknown|required|invalid|must|not?|it|the|an?|is"
_COLON = rf"\s?:\s*(?![\s{_HIDDEN}]|(?:{_PROSE})(?:[\s;,.]|$))"  # else a message about the option
_NAMES = r"passw(?:or)?d|passphrase|pwd|secret|token|api[-_]?key|authorization"
_SCHEME_OF_HEADER = r"(?:(?:basic|bearer|digest|token|apikey)\s+)?"
_HEADER = re.compile(
    rf"((?:{_NAMES}){_COLON})(?:{_SCHEME_OF_HEADER}{_SECRET})|(cookie{_COLON})[^\r\n]+", re.I
)


def redacted(text: str) -> str:
    """Return a text without secrets.

    They are the credentials of a URL, the value in `password=…` and in `secret: …`, and headers of
    HTTP such as `Authorization: …`.
    """
    at = text.rfind("@")  # the last one: a password may contain @, a slash or a space
    if at > 0 and (url := _URL.search(text, 0, at + 1)):
        text = f"{text[: url.end()]}{_HIDDEN}{text[at:]}"
    if "//" in text or ":/" in text:
        text = _NO_HOST.sub(rf"\1{_HIDDEN}", text)
    low = text.lower()
    if any(map(low.__contains__, _WORDS)):  # much faster than the searches below
        text = _PAIR.sub(rf"\1{_HIDDEN}", text)
        text = _HEADER.sub(rf"\1\2{_HIDDEN}", text)
    return text


def is_connection(text: str) -> bool:
    """Return whether a text looks like a connection string."""
    return "@" in text or "://" in text or redacted(text) != text


def plain(text: str) -> str:
    """Return a text for a message: redacted, and escaped where it is not printable."""
    text = redacted(text)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def is_clean(error: BaseException | None) -> bool:
    """Return whether an error and its causes contain nothing to be redacted.

    An error whose `__str__` raises is not clean.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        try:
            texts = str(error), repr(error)
        except BaseException as another:
            from storecore.plugins.isolation import is_from_program  # it imports the errors

            if is_from_program(another):
                raise
            return False
        if any(redacted(text) != text for text in texts):
            return False
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return True


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
