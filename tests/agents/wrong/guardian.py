"""The guardian of a command, wrong: it ends the command's own group and nobody who has another one."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from importlib import util
from pathlib import Path

_REAL = Path(__file__).parents[3] / "goal_engine" / "runtime" / "guardian.py"
_found = util.spec_from_file_location("real", _REAL)
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
