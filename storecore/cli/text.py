"""Counts, lists, names and examples as text for the terminal."""

from __future__ import annotations

from collections.abc import Iterable


def counted(count: int, noun: str) -> str:
    """Return `1 bar`, `2 bars`, `3 series`."""
    return f"{count:,} {noun}{'' if count == 1 or noun.endswith('s') else 's'}"


def listed(names: Iterable[str], most: int = 10) -> str:
    """Return the first `most` names, separated by commas, and the number of the others."""
    printable_names = [printable(name) for name in names]
    rest = len(printable_names) - most
    more = f" and {rest} more" if rest > 0 else ""
    return ", ".join(printable_names[:most]) + more


def printable(name: str) -> str:
    """Return a name as it is, or escaped if it is not printable: it could move the cursor."""
    return name if name.isprintable() else ascii(name)


def examples(*commands: str) -> str:
    """Return the end of a help page: example commands, which click does not rewrap."""
    return "\n".join(("\b", "Examples:", *(f"  {command}" for command in commands)))
