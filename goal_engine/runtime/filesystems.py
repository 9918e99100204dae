"""Which file system a folder is on, whether journals are safe there, and which names it tells apart.

Over a network, locks and fsync promise less than on a disk; a synced folder is changed by somebody
who knows neither.  Both are warned of and never refused: it is the person's disk.  Two names of a tree
that are one there are refused: a workspace would lack a file, and nobody would know which.
"""

from __future__ import annotations

import os
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from goal_engine.errors import RepositoryUnusable

MOUNTS = Path("/proc/self/mountinfo")
"""Linux alone has it; elsewhere only names are looked at."""
NETWORK = {
    "nfs": "NFS",
    "nfs4": "NFS",
    "cifs": "a Windows share",
    "smb3": "a Windows share",
    "smbfs": "a Windows share",
    "9p": "a folder of the host of this machine",
    "virtiofs": "a folder of the host of this machine",
    "vboxsf": "a folder of the host of this machine",
    "fuse.vmhgfs-fuse": "a folder of the host of this machine",
    "fuse.sshfs": "SSHFS",
    "fuse.rclone": "rclone",
    "fuse.gcsfuse": "a bucket of Google's",
    "fuse.s3fs": "a bucket of Amazon's",
    "fuse.glusterfs": "GlusterFS",
    "fuse.davfs2": "WebDAV",
    "davfs": "WebDAV",
    "afs": "AFS",
    "ceph": "Ceph",
    "fuse.ceph": "Ceph",
    "lustre": "Lustre",
    "drvfs": "a Windows drive",
}
"""What the kernel calls a file system, and what people do."""
SYNCED = {
    "dropbox": "Dropbox",
    "onedrive": "OneDrive",
    "icloud drive": "iCloud",
    "icloud~drive": "iCloud",
    "com~apple~clouddocs": "iCloud",
    "google drive": "Google Drive",
    "googledrive": "Google Drive",
    "my drive": "Google Drive",
    "nextcloud": "Nextcloud",
    "owncloud": "ownCloud",
}
"""Names of folders that another program keeps equal between machines."""
ACCOUNT = re.compile(r" \(.*\)$| - .*$|(?<=^OneDrive)-.*$|(?<=^GoogleDrive)-.*$")
"""How these programs name the folder of one account: `OneDrive - Example`, `Dropbox (Work)`."""
OCTAL = re.compile(r"\\([0-7]{3})")


def find_type(mounts: str, folder: str) -> str:
    """Return the type of the file system that has `folder`, by the text of mountinfo (proc(5)).

    `folder` is absolute and has no symbolic link; the type is empty where no line has it.
    """
    inside = PurePosixPath(folder)
    found, depth = "", 0
    for point, kind in _parse_mounts(mounts):
        place = PurePosixPath(point)
        if inside.is_relative_to(place) and len(place.parts) >= depth:  # the later one is on top
            found, depth = kind, len(place.parts)
    return found


def _parse_mounts(mounts: str) -> Iterator[tuple[str, str]]:
    for line in mounts.splitlines():
        mount, _, source = line.partition(" - ")
        fields, kind = mount.split(" "), source.split(" ")[0]
        if len(fields) >= 5 and kind:
            yield OCTAL.sub(lambda code: chr(int(code[1], 8)), fields[4]), kind


def find_synced(folder: str) -> str:
    """Return who syncs a folder that `folder` is in, by the names of the folders above it."""
    for part in PurePosixPath(folder).parts:
        name = ACCOUNT.sub("", part).lower()
        if known := SYNCED.get(name):
            return known
    return ""


def say_filesystem(mounts: str, folder: str) -> str:
    """Return the warning about the place of a store; empty where it is on a disk of this machine."""
    if network := NETWORK.get(find_type(mounts, folder)):
        return (
            f"{folder} is on a network file system ({network}), where two machines that write at once, "
            "or a lost connection, can damage goals: work in a clone on a disk of this machine."
        )
    if synced := find_synced(folder):
        return (
            f"{folder} is kept in step by {synced}, which may replace or duplicate goals while they are "
            "written: work in a clone outside the synced folder."
        )
    return ""


def read_warning(checkout: Path) -> str:
    """Return `say_filesystem` for a checkout of this machine."""
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        mounts = ""
    return say_filesystem(mounts, os.path.realpath(checkout))


def folds_names(folder: Path) -> bool:
    """Whether names that differ in case alone are one in `folder`, as on most disks of macOS."""
    with tempfile.NamedTemporaryFile(prefix="Probe-A", dir=folder) as file:
        probe = Path(file.name)
        return probe.with_name(probe.name.swapcase()).exists()


def find_clashes(paths: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the pairs of paths, folders too, that differ in case or composition of letters alone."""
    seen: dict[str, str] = {}
    found: dict[tuple[str, str], None] = {}
    for path in sorted(paths):
        for place in (path, *map(str, PurePosixPath(path).parents)):
            other = seen.setdefault(unicodedata.normalize("NFC", place).casefold(), place)
            if other != place:
                found[other, place] = None
    return tuple(found)


def check_names(paths: Iterable[str]) -> None:
    """Raise `RepositoryUnusable` for paths that are one where names are folded."""
    clashes = find_clashes(paths)
    if clashes:
        one, other = clashes[0]
        more = f", and {len(clashes) - 1} more such pairs" if len(clashes) > 1 else ""
        raise RepositoryUnusable(
            f"{one!r} and {other!r} are one file on this disk, which does not tell such names apart"
            f"{more}: a workspace would lack one of them. Rename one and commit that, or work on a disk "
            "that does (GOALPROOF_STATE_DIR says where workspaces are)."
        )
