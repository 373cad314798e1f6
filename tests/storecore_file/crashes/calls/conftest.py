"""Breaks a system call of a write: `strace` attaches to it and injects a kill or an error."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

CHANGING = (  # what there is on some platform
    "open,openat,creat,write,pwrite64,writev,pwritev,fsync,fdatasync,sync_file_range,fallocate,"
    "rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,mkdir,mkdirat,truncate,ftruncate,"
    "flock,fcntl,utimensat"
)
NAMES = ",".join(f"?{name}" for name in CHANGING.split(","))
CALL = re.compile(r"\d+ +(\w+)\(.*")


class Writer:
    """Processes that write, forked from one; `writer.py` says how they are told to."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("writer.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _tell(self, *words):
        print(json.dumps(words), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    @contextmanager
    def opened(self, kind, base, warm=False):
        """Let a new process open a store; yield its id. It ends without closing the store."""
        self.killed = False
        try:
            yield self._tell(kind, str(base), warm)
        finally:
            if not self.killed:
                self._tell("end")

    def write(self, number):
        """Write; return the error that the writer met, None where it met none."""
        answer = self._tell("write", number)
        self.killed = answer == {"ended": -signal.SIGKILL}
        return answer

    def read(self):
        """Return what is there, once `verify()` and `verify_audit()` have found nothing."""
        looked = self._tell("read")
        assert looked.get("findings") == [], looked
        return looked["there"]

    def end(self):
        self._process.communicate(timeout=10)


@pytest.fixture(scope="session")
def writer():
    """A process that writes what it is told to."""
    process = Writer()
    yield process
    process.end()


@pytest.fixture(scope="session")
def strace(tmp_path_factory):
    """Attach to a process with some options; returns what gives its calls, once it has ended."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed (apt-get install strace)")
    log = tmp_path_factory.mktemp("strace") / "calls.txt"

    def attach(process, *options):
        watched = ["strace", "-f", "-y", "-o", log, f"--trace={NAMES}", "-p", str(process)]
        tracing = subprocess.Popen([*watched, *options], stderr=subprocess.PIPE, text=True)
        said = tracing.stderr.readline()
        if "attached" not in said:
            pytest.skip(f"strace may not attach to a process here: {said.strip()}")

        def calls():
            tracing.communicate(timeout=10)
            return list(filter(None, map(CALL.match, log.read_text().splitlines())))

        return calls

    return attach
