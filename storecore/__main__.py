"""`python -m storecore` is the command `storecore`."""

from __future__ import annotations

from storecore.cli import main

main()
