"""A store on a network file system or in a synced folder is warned of (row D16)."""

from __future__ import annotations

import pytest

from goal_engine.runtime import filesystems
from goal_engine.runtime.filesystems import (
    NETWORK,
    SYNCED,
    find_synced,
    find_type,
    read_warning,
    say_filesystem,
)

MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:5 / /proc rw,nosuid - proc proc rw
40 22 0:40 / /data/ann rw,relatime shared:20 master:1 - nfs4 server:/data rw,vers=4.2
41 40 0:41 / /data/ann/local rw - xfs /dev/sdb1 rw
42 22 0:42 / /mnt/my\040share rw - cifs //server/share rw
43 22 0:43 / /mnt/far rw - fuse.sshfs host:/ rw
44 22 0:44 / /mnt/twice rw - nfs old:/ rw
45 22 0:45 / /mnt/twice rw - ext4 /dev/sdc1 rw
46 22 0:46 / /mnt/c rw,noatime - 9p C:\134 rw
not a line of a mount
"""
PLACES = [
    ("/srv/project", "ext4"),
    ("/data/ann/project", "nfs4"),
    ("/data/annette/project", "ext4"),
    ("/data/ann/local/project", "xfs"),
    ("/data/ann", "nfs4"),
    ("/mnt/my share/project", "cifs"),
    ("/mnt/far/project", "fuse.sshfs"),
    ("/mnt/twice/project", "ext4"),
    ("/mnt/c/project", "9p"),
]


@pytest.mark.parametrize(("folder", "kind"), PLACES)
def test_the_file_system_is_that_of_the_nearest_mount(folder, kind):
    assert find_type(MOUNTS, folder) == kind


@pytest.mark.parametrize("kind", NETWORK)
def test_each_network_file_system_is_warned_of_by_its_name(kind):
    said = say_filesystem(f"1 0 0:1 / / rw - {kind} it rw", "/data/ann/project")
    assert NETWORK[kind] in said and "/data/ann/project" in said and "\n" not in said


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "apfs", "fuse", "zfs"]
)
def test_a_disk_is_not(kind):
    assert say_filesystem(f"1 0 0:1 / / rw - {kind} it rw", "/data/ann/project") == ""


@pytest.mark.parametrize(
    ("folder", "who"),
    [
        *((f"/data/ann/{name}/project", who) for name, who in SYNCED.items()),
        ("/data/ann/Dropbox (Work)/project", "Dropbox"),
        ("/data/ann/OneDrive - Example/project", "OneDrive"),
        ("/data/ann/Library/CloudStorage/OneDrive-Example/project", "OneDrive"),
        ("/data/ann/Library/Mobile Documents/com~apple~CloudDocs/project", "iCloud"),
        ("/data/ann/dropbox-sdk/project", ""),
        ("/data/ann/project", ""),
    ],
)
def test_a_synced_folder_is_known_by_its_name(folder, who):
    assert find_synced(folder) == who


def test_the_machine_is_asked_where_it_can_be(tmp_path, monkeypatch):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 0:1 / / rw - ext4 it rw\n2 1 0:2 / {tmp_path} rw - nfs it rw\n")
    monkeypatch.setattr(filesystems, "MOUNTS", mounts)
    link = tmp_path.parent / f"{tmp_path.name}-link"
    link.symlink_to(tmp_path)
    assert "NFS" in read_warning(link)
    mounts.unlink()
    assert read_warning(link) == ""
