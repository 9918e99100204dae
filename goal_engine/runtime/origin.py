"""A gate counts only when the project would be imported from inside the workspace.

Top-level names are looked up and never imported.  Yet a Python runs what starts with it: what set-up
commands wrote into the view, and a `sitecustomize` of the project.  So it is asked in a sandbox, where
there is one.  The working directory is off the path, because the script of a test runner does not have
it there either.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from goal_engine.runtime.interpreter import ask
from goal_engine.runtime.rerooting import Rerooting

QUESTION = """
import importlib.util, json, os, sys
answer = {"path": sys.path, "places": {}}
for name in sys.argv[1:]:
    try:
        spec = importlib.util.find_spec(name)
    except Exception as error:
        answer["places"][name] = [f"{type(error).__name__}: {error}"]
        continue
    if spec is not None:
        places = list(spec.submodule_search_locations or [])
        if spec.has_location and spec.origin:
            places.append(spec.origin)
        answer["places"][name] = [os.path.realpath(p) for p in places if os.path.isabs(p)]
print(json.dumps(answer))
"""

NO_PACKAGE = frozenset({"tests", "test", "testing", "docs", "doc", "examples", "benchmarks"})
"""Directories with an `__init__.py` that strangers' distributions install by mistake, too."""


def find_strays(
    python: Path, promised: Mapping[str, Path], rerooting: Rerooting, sandbox: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the names that `python`, in a sandbox, would import from outside the workspace, with places.

    `promised` are the names of editable installs: those that the workspace still has must be found.
    Other packages of the workspace need not be importable, yet must not come from elsewhere (a plain
    install of the project).  A namespace may be shared, but not with the checkout.
    """
    workspace = rerooting.workspace
    required = {name for name, place in promised.items() if place.exists()}
    names = sorted(required | _regular_packages(workspace))
    answer = ask(python, QUESTION, cwd=workspace, arguments=tuple(names), sandbox=sandbox)
    strays = []
    for name in names:
        places = [Path(place) for place in answer["places"].get(name, [])]
        outside = [place for place in places if not place.is_relative_to(workspace)]
        leaks = [place for place in outside if rerooting.path(place) is not None]
        if leaks or len(outside) == len(places) > 0:
            strays.append(f"{name} (from {[*leaks, *outside][0]})")
        elif not places and name in required:
            strays.append(f"{name} (not importable)")
    on_path = [entry for entry in answer["path"] if rerooting.path(Path(entry)) is not None]
    return (*strays, *(f"the import path names {entry}" for entry in dict.fromkeys(on_path)))


def _regular_packages(workspace: Path) -> set[str]:
    """Return packages in the workspace that nobody promised."""
    found = [*workspace.glob("*/__init__.py"), *workspace.glob("src/*/__init__.py")]
    return {file.parent.name for file in found} - NO_PACKAGE - sys.stdlib_module_names
