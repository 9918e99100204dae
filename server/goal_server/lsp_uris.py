"""A document or a folder is named by a URI; only those of this machine's files are places here.

Editors and the system spell the same place differently: compare paths whose links are resolved.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlparse

from pygls.exceptions import JsonRpcInvalidParams


def find_path(uri: object) -> Path | None:
    """Return the path of a `file:` URI of this machine, `None` for any other and for what is none."""
    try:
        parsed = urlparse(uri if isinstance(uri, str) else "")
        path = os.fsdecode(unquote_to_bytes(parsed.path))
    except ValueError:
        return None
    is_file = parsed.scheme == "file" and parsed.netloc in ("", "localhost")
    return Path(path) if is_file and path.startswith("/") and "\0" not in path else None


def to_path(uri: str) -> Path:
    """Return the path of a `file:` URI.  Raises `JsonRpcInvalidParams` for any other."""
    path = find_path(uri)
    if path is None:
        raise JsonRpcInvalidParams(f"{uri[:200]!r} is no file: URI of this machine.")
    return path


def resolve(path: Path) -> Path:
    """Return a path with its links resolved; one whose links lead nowhere is left as it is."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path
