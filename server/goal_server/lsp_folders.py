"""Which folders are open, and which of them a file or a request belongs to.

A request may name any place in an open folder, or in the repository that an open folder is part of;
a file belongs to the longest folder that it lies in.  Links are resolved first, because editors and
the system spell the same place differently.  While no folder is open, every place may be named: the
client says where, and there is nothing to hold it against.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from goal_server.lsp_uris import find_path, resolve, to_path

ROOT = "root"
"""The key that names a workspace beside an operation's own parameters."""


def find_folder(path: Path, folders: Iterable[Path]) -> Path | None:
    """Return the longest of `folders` that `path` lies in."""
    around = [folder for folder in folders if path.is_relative_to(folder)]
    return max(around, key=lambda folder: len(folder.parts), default=None)


def find_repository(folder: Path) -> Path:
    """Return the root of the repository that `folder` is part of, or the folder where there is none."""
    from goal_engine.engine import find_root  # costs as much to import as pygls; see `lsp`
    from goal_engine.errors import RepositoryUnusable

    try:
        return find_root(folder)
    except RepositoryUnusable:
        return folder


class Folders:
    """The folders that the client has open, resolved, in its order."""

    def __init__(self) -> None:
        self._open: dict[str, Path] = {}

    def begin(self, params: types.InitializeParams) -> None:
        """Take the folders of `initialize`, or its one root where the client knows no folders."""
        given = [folder.uri for folder in params.workspace_folders or ()]
        self._open = _resolve(given or [uri for uri in (params.root_uri,) if uri])

    def change(self, event: types.WorkspaceFoldersChangeEvent) -> Callable[[Path], bool]:
        """Take what was opened and closed; return whether a repository is one that was closed by it."""
        gone = [self._open.pop(folder.uri, None) for folder in event.removed]
        self._open |= _resolve(folder.uri for folder in event.added)
        closed = [find_repository(folder) for folder in gone if folder is not None]
        left = [find_repository(folder) for folder in self._open.values()]
        return lambda place: (
            find_folder(place, closed) is not None and (find_folder(place, left) is None)
        )

    @property
    def open(self) -> Sequence[Path]:
        """The folders, as resolved paths."""
        return tuple(self._open.values())

    @property
    def uris(self) -> Sequence[str]:
        """The folders, as the client spells them."""
        return tuple(self._open)

    def find_uri(self, path: Path) -> str | None:
        """Return the folder that a place belongs to, as the client spells it."""
        folder = find_folder(resolve(path), self._open.values())
        return next((uri for uri, there in self._open.items() if there == folder), None)

    def spell(self, path: Path) -> str:
        """Return the URI of a resolved path as the client spells it, which may be through a link."""
        folder = find_folder(path, self._open.values())
        top = find_path(self.find_uri(folder)) if folder is not None else None
        return (
            path.as_uri()
            if folder is None or top is None
            else (top / path.relative_to(folder)).as_uri()
        )

    def holds(self, path: Path) -> bool:
        """Whether a place may be worked on: it is in an open folder, or in the repository of one."""
        place = resolve(path)
        if not self._open or find_folder(place, self._open.values()) is not None:
            return True
        return find_folder(place, map(find_repository, self._open.values())) is not None

    def find_place(self, root: object, *, anywhere: bool = False) -> Path:
        """Return the folder that `root` names, or the first one; where it does not matter, any.

        Raises `JsonRpcInvalidParams`.
        """
        if root is None:
            if not self._open and anywhere:
                return Path(Path.home().anchor)
            if not self._open:
                raise JsonRpcInvalidParams(f"No workspace is open: name one with `{ROOT}`.")
            return self.open[0]
        if not isinstance(root, str):
            raise JsonRpcInvalidParams(f"`{ROOT}` is the URI of a folder.")
        place = resolve(to_path(root))
        if not self.holds(place):
            raise JsonRpcInvalidParams(
                f"`{ROOT}` names {root[:200]!r}, which is in no folder that is open: open it in the"
                " editor, or leave `root` out for the first folder."
            )
        return place


def _resolve(uris: Iterable[str]) -> dict[str, Path]:
    """Leave out what is no place on this machine: an editor may show such folders too."""
    found = ((uri, find_path(uri)) for uri in uris)
    return {uri: resolve(path) for uri, path in found if path is not None}
