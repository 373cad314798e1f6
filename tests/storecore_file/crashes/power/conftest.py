"""A file system of its own, whose power can be cut: ext4 in a file, which root may mount."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess

import pytest

EXT4_IOC_SHUTDOWN = 0x8004_587D
NOLOGFLUSH = 2  # what the journal has not on the disk yet is lost
MEGABYTES = 64


class Disk:
    """A file system in a file; `folder` is where it is mounted."""

    def __init__(self, image, folder):
        self.image, self.folder = image, folder

    def mount(self):
        # Without delayed writes being forced at a rename, which would hide a sync that is missing.
        options = "loop,noauto_da_alloc"
        return run("mount", "-t", "ext4", "-o", options, self.image, self.folder)

    def unmount(self):
        run("umount", self.folder).check_returncode()

    def cut_power(self):
        """Let nothing more reach the disk, at once; what was not synced by now is lost."""
        root = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(root, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        finally:
            os.close(root)

    def power_on(self):
        """Mount it again, which replays its journal."""
        self.unmount()
        self.mount().check_returncode()


def run(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


@pytest.fixture
def disk(tmp_path):
    """An empty file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    made = Disk(tmp_path / "image", tmp_path / "disk")
    made.folder.mkdir()
    with made.image.open("wb") as image:
        image.truncate(MEGABYTES * 2**20)
    try:
        run("mkfs.ext4", "-q", made.image).check_returncode()
    except FileNotFoundError:
        pytest.skip("mkfs.ext4 is not installed")
    mounted = made.mount()
    if mounted.returncode:
        pytest.skip(f"a file system in a file cannot be mounted here: {mounted.stderr.strip()}")
    yield made
    made.unmount()
