"""The bad rows of an import: the first ones with their places, and the number of all."""

from __future__ import annotations

from collections.abc import Iterable

MOST_SHOWN = 20


class Problems:
    """The bad rows of one file."""

    def __init__(self, unit: str) -> None:
        self.count = 0
        self._unit = unit
        self._first: list[tuple[int, str]] = []

    def add(self, bad: Iterable[tuple[int, str]]) -> None:
        """Add bad rows, each with its place."""
        for each in bad:
            self.count += 1
            self._first.append(each)
        if len(self._first) > MOST_SHOWN:
            self._first = sorted(self._first)[:MOST_SHOWN]

    @property
    def texts(self) -> list[str]:
        """The first bad rows in the order of the file."""
        return [f"{self._unit} {place}: {problem}" for place, problem in sorted(self._first)]
