"""The command `storecore`.

It needs the extra `cli` (click and rich), which `main` imports.
"""

from __future__ import annotations

import sys

_NEEDED = ("click", "rich")


def main() -> None:
    """Run the command with `sys.argv` and exit with its status."""
    try:
        from storecore.cli.app import app
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _NEEDED:
            raise
        print(f"Error: no module {missing!r}: pip install 'storecore[cli]'", file=sys.stderr)
        sys.exit(1)
    app(prog_name="storecore")
