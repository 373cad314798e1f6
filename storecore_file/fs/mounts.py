"""Finds the type of file system of a folder, and warns of network file systems."""

from __future__ import annotations

import re
from pathlib import Path

from storecore.values.logger import log as _log

_MOUNTS = Path("/proc/self/mounts")  # Linux only: elsewhere nothing is known
_NETWORK = re.compile(
    r"nfs\d*|cifs|smb\w*|ncpfs|afs|coda|9p|ceph|glusterfs|lustre|beegfs|gpfs|ocfs2|gfs2"
    r"|fuse\.(sshfs|s3fs|gcsfuse|rclone|glusterfs|ceph|davfs\w*|goofys|juicefs|mount-s3)"
)


def file_system(path: Path) -> str | None:
    """Return the type of the file system that a path lies on, None if unknown."""
    try:
        lines = _MOUNTS.read_text("utf-8", "surrogateescape").splitlines()
        place = path.resolve()
    except (OSError, MemoryError):
        return None
    found: tuple[int, str | None] = (-1, None)
    for line in lines:
        _, mounted, kind, *_ = line.split(" ")
        at = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), mounted))
        if place.is_relative_to(at):
            found = max(found, (len(at.parts), kind), key=lambda each: each[0])
    return found[1]


def is_on_network(folder: Path) -> bool:
    """Return whether a folder is known to lie on a network file system."""
    kind = file_system(folder)
    return kind is not None and _NETWORK.fullmatch(kind) is not None


def warn_of_network(folder: Path) -> bool:
    """Return whether a store's folder lies on a network file system, and warn of it once."""
    kind = file_system(folder)
    if kind is None or not _NETWORK.fullmatch(kind):
        return False
    _log.warning(
        "%s lies on a network file system (%s): that writers on several machines keep apart, "
        "and that what was written survives a power loss, is up to its server and is not "
        "promised here",
        folder,
        kind,
    )
    return True
