"""The guardian of a command, wrong: it ends the command's own group and nobody who has another one."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from importlib import util

_ROOT = os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
)
_found = util.spec_from_file_location("real", f"{_ROOT}/goal_engine/runtime/guardian.py")
assert _found and _found.loader
real = util.module_from_spec(_found)
_found.loader.exec_module(real)


def end_everything(leader: int, *_: object) -> tuple[int, int]:
    """End less than the real one does, and say that all is well."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
    return 0, 0


assert callable(real.end_everything)
real.end_everything = end_everything
main = real.main
