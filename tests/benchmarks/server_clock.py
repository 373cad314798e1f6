"""The processor time of this process and of a PostgreSQL server that works for it.

On a busy machine the time that passes says little. Processes of the server that work for nobody in
particular (autovacuum, checkpoints) are left out, unless they end meanwhile.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

_FOR_NOBODY = (b"autovacuum", b"checkpointer", b"walwriter", b"background writer", b"launcher")
_CUTIME, _CSTIME = 13, 14  # fields of /proc/PID/stat behind the name of the program


def clock_of(server: int) -> Callable[[], float]:
    """Return a clock, given the number of the server's first process. It needs Linux's /proc."""
    spent = 0.0  # by the clock itself

    def now() -> float:
        nonlocal spent
        own = time.process_time()
        passed = own - spent + of_server(server)
        spent += time.process_time() - own
        return passed

    return now


def of_server(server: int) -> float:
    """Return the processor time of a server in seconds: of living processes, and of ended ones."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    fields = Path(f"/proc/{server}/stat").read_text().rsplit(")", 1)[1].split()
    ended = (int(fields[_CUTIME]) + int(fields[_CSTIME])) / os.sysconf("SC_CLK_TCK")
    return ended + sum(map(of_process, children))


def of_process(number: str) -> float:
    """Return the processor time of a process of the server, 0 if it works for nobody."""
    try:
        command = Path(f"/proc/{number}/cmdline").read_bytes()
        spent = Path(f"/proc/{number}/schedstat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return 0.0
    return 0.0 if any(each in command for each in _FOR_NOBODY) else int(spent.split()[0]) / 1e9
