"""Small words: counts, lists and the nearest spelling of a name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def counted(count: int, noun: str) -> str:
    """Return `1 bar`, `2 bars`, `3 series`."""
    return f"{count:,} {noun}{'' if count == 1 or noun.endswith('s') else 's'}"


def listed(names: Iterable[str], most: int = 10) -> str:
    """Return names with commas between, and how many more there are after the first `most`."""
    printable_names = [printable(name) for name in names]
    rest = len(printable_names) - most
    more = f" and {rest} more" if rest > 0 else ""
    return ", ".join(printable_names[:most]) + more


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """Return up to three known names that are spelt like a word, whatever their case."""
    folded: dict[str, list[str]] = {}
    for name in known:
        folded.setdefault(name.casefold(), []).append(name)
    near = difflib.get_close_matches(word.casefold(), folded, n=3)
    return [name for match in near for name in folded[match]][:3]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean …?)` with the nearest names, or nothing."""
    near = nearest(word, known)
    return f" (did you mean {' or '.join(map(repr, near))}?)" if near else ""


def printable(name: str) -> str:
    """Return a name as it is, or escaped where it would move the terminal's cursor."""
    return name if name.isprintable() else ascii(name)
