"""Of the files that git ignores, a workspace gets those that importing the project needs.

These are copied, and nothing else: compiled modules (`*.so`, `*.pyd`), version stamps and protobuf
modules beside Python sources that the workspace has, and the `*.egg-info` of old editable installs.
Settings, databases, caches and keys are ignored too, and stay where they are.  A compiled module is
the checkout's build: a changed C file is not rebuilt, which is why what was viewed is a note.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

STAMPS = frozenset({"_version.py", "version.py", "__version__.py"})
COMPILED = frozenset({".so", ".pyd"})
LARGEST = 64 * 2**20
"""Bytes in one file; a bigger one is named in a note and not copied."""


def is_generated(path: str) -> bool:
    """Tell whether an ignored `path` (POSIX, a directory ends in `/`) may be viewed."""
    pure = PurePosixPath(path)
    if path.endswith("/"):
        return pure.suffix == ".egg-info"
    if pure.suffix == ".py":
        return pure.name in STAMPS or pure.stem.endswith(("_pb2", "_pb2_grpc"))
    return pure.suffix in COMPILED


def view_generated(
    checkout: Path, workspace: Path, ignored: Iterable[str], import_directories: Iterable[Path]
) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Copy the generated files; return the paths copied, notes, and a digest of their content.

    `ignored` are paths relative to the checkout, `import_directories` lie in the workspace.  Nothing
    is written through a symbolic link that leads out of the workspace.
    """
    on_path = frozenset(import_directories)
    copied, notes, digest = [], [], hashlib.sha256()
    for path in filter(is_generated, ignored):
        source, target = checkout / path, workspace / path
        beside = target.parent
        if source.is_symlink() or not (beside in on_path or any(beside.glob("*.py"))):
            continue
        if not beside.resolve().is_relative_to(workspace.resolve()):
            continue
        if source.is_dir():
            size = sum(file.stat().st_size for file in source.rglob("*") if file.is_file())
        else:
            size = source.stat().st_size
        if size > LARGEST:
            notes.append(f"{path} was not viewed: it is larger than {LARGEST >> 20} MiB")
            continue
        digest.update(path.encode("utf-8", "surrogateescape") + _copy(source, target))
        copied.append(path.rstrip("/"))
    if any(PurePosixPath(path).suffix in COMPILED for path in copied):
        notes.append(
            "compiled modules are the ones built in the checkout; changes to their sources are "
            "not compiled"
        )
    return tuple(copied), tuple(notes), digest.hexdigest()


def _copy(source: Path, target: Path) -> bytes:
    """Copy a file or a directory of metadata over an earlier view; return a digest of a file."""
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.is_dir():
        shutil.rmtree(target)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
        return b""
    shutil.copy2(source, target)
    return hashlib.sha256(source.read_bytes()).digest()
