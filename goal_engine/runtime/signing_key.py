"""The person's key that signs their proofs: made with the first one, and never told to anybody.

It lies in the state directory, outside every checkout and workspace, for the person alone.  Whatever
else runs as the same person could read it all the same, and the proofs say so.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path

from goal_engine.errors import StoreUnwritable
from goal_engine.runtime.atomic import make_dirs, write_once
from goal_engine.runtime.config import state_dir

SEED = re.compile(rb"[0-9a-f]{64}\n")
WHERE = "in the folder `signing` of Goalproof's state directory"
"""No error gives its path: what a person needs is the folder, and an agent reads errors too."""


def read_signing_seed() -> bytes:
    """Return the private key's 32 bytes, made when they are first asked for.

    Of several processes that make it at once, one does.  Raises `StoreUnwritable`.
    """
    folder = state_dir() / "signing"
    path = folder / "ed25519"
    try:
        if not path.exists():
            make_dirs(folder)
            write_once(folder / ".gitignore", b"*\n")  # should a home be a repository
            write_once(path, secrets.token_hex(32).encode() + b"\n", 0o600)
        return _read(path)
    except (StoreUnwritable, OSError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if cause is None:
            raise
        why = getattr(cause, "strerror", None) or type(cause).__name__
        raise StoreUnwritable(
            f"The key that signs proofs, {WHERE}, cannot be made or read: {why}. Make that "
            "directory yours and writable, then `execute` the goal again."
        ) from None


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        text = file.read(128)
    if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.geteuid():
        raise StoreUnwritable(
            f"The key that signs proofs, {WHERE}, is open to others: remove it, and the next "
            "proof makes a new one."
        )
    if not SEED.fullmatch(text):
        raise StoreUnwritable(
            f"The key that signs proofs, {WHERE}, is damaged: remove it, and the next proof makes "
            "a new one."
        )
    return bytes.fromhex(text.decode())
