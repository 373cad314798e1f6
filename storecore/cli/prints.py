"""What plugins print while a command loads them, opens a store or runs their hooks."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, redirect_stdout


def prints_apart() -> AbstractContextManager[object]:
    """Send it to stderr: stdout has the answer of the command, which a program may read."""
    return redirect_stdout(sys.stderr)
