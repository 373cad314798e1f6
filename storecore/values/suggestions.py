"""The known names that are spelled most like a given one, for errors."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Return the known names that are spelled most like a word, the nearest first, in any case."""
    folded: dict[str, list[str]] = {}
    for name in known:
        folded.setdefault(name.casefold(), []).append(name)
    near = difflib.get_close_matches(word.casefold(), folded, n=most)
    return [name for match in near for name in folded[match]][:most]


def did_you_mean(word: str, known: Iterable[str], most: int = 1) -> str:
    """Return ` (did you mean …?)` with the nearest known names, or an empty string."""
    near = nearest(word, known, most)
    return f" (did you mean {' or '.join(map(repr, near))}?)" if near else ""
