"""Puts a file in the place of another, though a reader may hold that one open for a moment.

On POSIX a reader goes on reading the old file. Windows refuses to replace a file that is open, and
some file systems one that is busy: then it is tried again, for a second.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

_WAITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.3)  # seconds
_HELD = {5, 32}  # what Windows says of a file that another has open


def put_in_place(new: Path, path: Path) -> None:
    """Rename a file to `path`. Raises `OSError` where that is still refused after a second."""
    for wait in _WAITS:
        try:
            return os.replace(new, path)  # noqa: PTH105 - the quicker
        except OSError as error:
            if error.errno != errno.EBUSY and getattr(error, "winerror", None) not in _HELD:
                raise
        time.sleep(wait)
    return os.replace(new, path)  # noqa: PTH105
