"""A store on a network file system says what is not promised there."""

from __future__ import annotations

import pytest

from storecore_file import FileDataStore
from storecore_file.fs import mounts
from storecore_file.fs.mounts import file_system


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Let folders lie on file systems of given types."""

    def mount(*mounts_and_kinds):
        lines = [f"device {at} {kind} rw 0 0" for at, kind in mounts_and_kinds]
        (tmp_path / "mounts").write_text("\n".join(lines) + "\n")
        monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "mounts")

    return mount


def test_the_innermost_mount_tells_the_type(mounted, tmp_path):
    mounted(("/", "ext4"), (tmp_path, "nfs4"), (tmp_path / "a", "tmpfs"), ("/", "rootfs"))
    found = [file_system(tmp_path / name) for name in ("b", "a", "a/b", "ab")]
    assert found == ["nfs4", "tmpfs", "tmpfs", "nfs4"]


def test_a_mount_with_a_space_in_its_name_is_reported(mounted, tmp_path):
    mounted(("/", "ext4"), (f"{tmp_path}/my\\040data", "cifs"))
    assert file_system(tmp_path / "my data" / "x") == "cifs"


def test_where_no_mount_is_known_nothing_is_reported(mounted, tmp_path, monkeypatch):
    mounted(("/elsewhere", "ext4"))
    assert file_system(tmp_path) is None
    monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "missing")
    assert file_system(tmp_path) is None


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph"])
def test_a_store_on_a_network_file_system_warns_once(mounted, base, caplog, event, kind):
    mounted(("/", kind))
    with FileDataStore(base) as store:
        store.write_event(event())
    (message,) = caplog.messages
    assert message.startswith(f"{base} lies on a network file system ({kind}): ")
    assert "not promised" in message


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuse.gocryptfs"])
def test_a_store_on_a_disk_of_the_machine_does_not(mounted, base, caplog, kind):
    mounted(("/", kind))
    FileDataStore(base).close()
    assert caplog.messages == []
