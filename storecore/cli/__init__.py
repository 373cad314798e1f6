"""The command `storecore`.

It needs the extra `cli` (click and rich), which the commands import.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

_NEEDED = ("click", "rich")


def main() -> None:
    """Run the command with `sys.argv` and exit with its status."""
    for each in _NEEDED:
        if find_spec(each) is None:
            print(f"Error: no module {each!r}: pip install 'storecore[cli]'", file=sys.stderr)
            sys.exit(1)
    try:
        from storecore.cli.app import app
    except KeyboardInterrupt:  # the app itself ends so, once it is there
        sys.exit(130)

    app(prog_name="storecore")
