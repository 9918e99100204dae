"""Makes workspaces in children that kill themselves on the way, each one step later than the last.

`python -m tests.integration.killed_maker PROJECT FOLDER`: in FOLDER there is one folder for each, named
like a goal; what is printed is how many steps there are.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from goal_engine.engine import Engine
from goal_engine.runtime import git
from goal_engine.runtime.leftovers import own
from goal_engine.runtime.repository import EvidenceRepository, read_checkout

STEPS: tuple[tuple[Any, str], ...] = (
    (git, "check_out"),
    (git, "init_workspace"),
    (Path, "write_text"),
    (Path, "replace"),
)
"""After each call of one of these the process may be gone."""


def die_after(left: int) -> None:
    """Let this process die after so many of the steps."""
    count = iter(range(1, 1000))

    def deadly(step: Callable[..., Any]) -> Callable[..., Any]:
        def done(*given: Any, **named: Any) -> Any:
            result = step(*given, **named)
            if next(count) == left:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return done

    for place, name in STEPS:
        setattr(place, name, deadly(getattr(place, name)))


def make(repository: EvidenceRepository, folder: Path, commit: str, left: int) -> bool:
    """Make a workspace in a child, and tell whether it died on the way."""
    child = os.fork()
    if child == 0:
        own(folder)
        die_after(left)
        repository.make_workspace(folder / "task", commit)
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


def main(project: str, folder: str) -> None:
    engine = Engine.open(Path(project))
    repository, commit = engine.ports.open_repository(), read_checkout(Path(project)).commit
    names = (f"goal-20260102-030405-006-{number:08x}" for number in range(1000))
    steps = 1
    while make(repository, Path(folder) / next(names), commit, steps):
        steps += 1
    sys.stdout.write(str(steps - 1))
    engine.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
