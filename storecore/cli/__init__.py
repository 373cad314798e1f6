"""The command line `storecore`: demo, import, show, info, backends.

It needs the extra `cli` (click and rich), which are imported when `main` is called.
"""

from __future__ import annotations

import sys

_NEEDED = ("click", "rich")


def main() -> None:
    """Run the command line on `sys.argv` and exit with its status."""
    try:
        from storecore.cli.app import app
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _NEEDED:
            raise
        print(f"Error: no module {missing!r}: pip install 'storecore[cli]'", file=sys.stderr)
        sys.exit(1)
    app(prog_name="storecore")
