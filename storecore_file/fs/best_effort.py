"""Work after the data of a call is safe: a failure in it is logged, not raised (law D2)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_log = logging.getLogger("storecore")


@contextmanager
def best_effort(place: Path, what: str) -> Iterator[None]:
    """Log an exception inside: a call that has written its data must not raise."""
    try:
        yield
    except Exception as error:
        _log.warning("%s: %s: %s", place, what, error)
