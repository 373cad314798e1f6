"""Makes messages safe: no password, and no character that would move a cursor or end a line.

Every `StoreError` and (by `storecore.logs`) every log record passes through here. So neither a
misplaced connection string nor a newline in a symbol reaches a log.
"""

from __future__ import annotations

import re

_HIDDEN = "…"
_NO_SLASHES = r"postgres(?:ql)?:(?=[^\s:/@=]*:\S*@)"
_NO_SCHEME = r"(?<![\w.:/])//(?=[^\s:/@]*:\S*@)"
_SCHEME = rf"(?:[a-z][a-z0-9+.-]{{1,30}}(?::/+|//)|{_NO_SLASHES}|{_NO_SCHEME})(?!/)"
_EXAMPLE = r"(?!user:password@)"  # what our own messages show as the form of a URL
_URL = re.compile(rf"{_SCHEME}{_EXAMPLE}", re.I)
_PORT = r"\d{1,5}(?:[/?#\s,;.'\")\]}]|$)"
_NO_HOST = re.compile(rf"({_SCHEME}){_EXAMPLE}[^/\s:@?#]*:(?!{_PORT})\S+", re.I)
_WORDS = ("pass", "pwd", "secret", "token", "apikey", "api_key", "api-key", "credential")
_SECRET_KEY = rf"(?:{'|'.join(_WORDS)})\w{{0,30}}"
_PAIR = re.compile(
    rf"({_SECRET_KEY}(?:['\"]\s*:|\s*=)\s*)(?![\s{_HIDDEN}])(?:'(?:[^'\\]|\\.)*'?|\"(?:[^\"\\]|\\.)*\"?|\S+)",
    re.I | re.S,
)


def redacted(text: str) -> str:
    """Return text without secrets: credentials of a URL, values of `password=…`."""
    at = text.rfind("@")  # the last: a password may hold one, a slash or a space
    if at > 0 and (url := _URL.search(text, 0, at + 1)):
        text = f"{text[: url.end()]}{_HIDDEN}{text[at:]}"
    if "//" in text or ":/" in text:
        text = _NO_HOST.sub(rf"\1{_HIDDEN}", text)
    low = text.lower()
    if any(word in low for word in _WORDS):  # far quicker than to search for what follows
        text = _PAIR.sub(rf"\1{_HIDDEN}", text)
    return text


def is_connection(text: str) -> bool:
    """Return whether a text that should be a name looks like a connection string."""
    return "@" in text or "://" in text or redacted(text) != text


def plain(text: str) -> str:
    """Return text as a message may show it: redacted, on one line, escaped where not printable."""
    text = redacted(text)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def is_clean(error: BaseException | None) -> bool:
    """Return whether an error and its causes show nothing that must be redacted.

    An error whose `__str__` raises is not clean either.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        try:
            texts = str(error), repr(error)
        except Exception:
            return False
        if any(redacted(text) != text for text in texts):
            return False
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return True


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
