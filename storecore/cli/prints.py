"""What plugins print while a command loads them, opens a store or runs their hooks."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, redirect_stdout


def prints_apart() -> AbstractContextManager[object]:
    """Redirect it to stderr: stdout has the result of the command, which a program may parse."""
    return redirect_stdout(sys.stderr)
