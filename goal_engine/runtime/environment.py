"""A gate answers in a workspace as it does for the user, and it judges the workspace.

Dependencies are *viewed*: a fresh venv of the user's own interpreter, whose one `.pth` names first
the workspace and then the user's site-packages.  Nothing of the user's is copied with its scripts,
hard-linked or written to; `probe_origin` shows that the project is imported from the workspace.
What npm and its like installed is copied (`node_modules`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Literal

from goal_engine.errors import EnvironmentUnusable
from goal_engine.runtime.entry_points import read_entry_points, write_scripts
from goal_engine.runtime.generated_files import view_generated
from goal_engine.runtime.git import list_ignored
from goal_engine.runtime.interpreter import UserEnvironment, find_environment
from goal_engine.runtime.node_modules import find_node_strays, view_node_modules
from goal_engine.runtime.origin import find_strays
from goal_engine.runtime.rerooting import PathFiles, Rerooting, read_path_files
from goal_engine.runtime.threads import in_thread
from goal_engine.seeding import SeedingPart

__all__ = ["Environment", "UserEnvironment", "find_environment", "probe_origin", "view_environment"]

PATH_FILE = "_goalproof_view.pth"
ACTIVATION = "etc/conda/activate.d"
"""Scripts that conda's activation runs in the person's shell; a gate's `env` says what they set."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What a gate is given to run in one workspace."""

    kind: Literal["python-venv", "none"]
    python: Path | None
    """The view's interpreter; None when the machine has none."""
    version: str
    variables: Mapping[str, str]
    """To be laid over `clean_environment()`; complete, so PATH is already the whole of it."""
    notes: tuple[str, ...]
    """What a person should know about the view: what was copied, what could not be."""
    key: str
    """A digest of interpreter, distributions and generated files: equal keys, equal packages."""
    exclude: tuple[str, ...]
    """Paths in the workspace that are the view's and never part of a result."""
    rerooting: Rerooting = field(repr=False)
    packages: Mapping[str, Path] = field(default_factory=dict, repr=False)
    """The project's importable names and where in the workspace each has to come from."""
    node_modules: tuple[str, ...] = ()
    """Paths in the workspace of the `node_modules` that were copied."""
    seeding: tuple[SeedingPart, ...] = ()
    """What it cost; no part of `key`."""


def view_environment(user: UserEnvironment, checkout: Path, workspace: Path) -> Environment:
    """Build the view of `user`'s environment for `workspace`: its Python, and its `node_modules`.

    Blocking, tens of milliseconds, and the time to copy what is installed of Node.  Raises
    `EnvironmentUnusable`.
    """
    begun = perf_counter()
    ignored = list_ignored(checkout.absolute())
    view = _view_python(user, checkout, workspace, ignored)
    seeding = [SeedingPart(part="python", ms=ms_since(begun))]
    begun = perf_counter()
    node = view_node_modules(ignored, view.rerooting)
    if node.folders:
        seeding.append(
            SeedingPart(
                part="node_modules",
                ms=ms_since(begun),
                bytes=node.bytes,
                how="shared" if node.shares else "",
            )
        )
    return replace(
        view,
        notes=(*view.notes, *node.notes),
        exclude=(*view.exclude, *node.folders),
        key=_digest([view.key, node.key]) if node.key else view.key,
        node_modules=tuple(node.folders),
        seeding=tuple(seeding),
    )


def ms_since(begun: float) -> int:
    """Return the milliseconds since a moment of `perf_counter`."""
    return round((perf_counter() - begun) * 1000)


def _view_python(
    user: UserEnvironment, checkout: Path, workspace: Path, ignored: tuple[str, ...]
) -> Environment:
    """Build the view of `user`'s Python, replacing an earlier one.

    It lies where the user's venv lies in the checkout, else beside the workspace as
    `<workspace>.env`.
    """
    checkout, workspace = checkout.absolute(), workspace.resolve()
    rerooting = Rerooting(checkout, workspace, user.prefix)
    if user.python is None:
        note = "no Python was found; gates run with the tools on PATH"
        path = {"PATH": os.environ.get("PATH", os.defpath)}
        return Environment("none", None, "", path, (note,), _digest(["none"]), (), rerooting)
    view, inside = _place(user, checkout, workspace)
    _remove(view)
    path_files = read_path_files(user.sites, rerooting)
    copied, notes, generated = view_generated(
        checkout, workspace, ignored, _import_directories(path_files)
    )
    _write_venv(view, user, path_files)
    scripts = read_entry_points([*user.sites, *path_files.rerooted])
    write_scripts(view / "bin", scripts, user.scripts if user.venv else None, rerooting)
    if user.conda and any((user.prefix / ACTIVATION).glob("*.sh")):
        notes = (f"the scripts in {ACTIVATION} of {user.prefix.name} are not run", *notes)
    if copied:
        notes = (f"viewed from the checkout: {', '.join(copied)}", *notes)
    return Environment(
        kind="python-venv",
        python=view / "bin" / "python",
        version=user.version,
        variables=_variables(view, user),
        notes=notes,
        key=_digest([user.implementation, user.version, generated, *_distributions(user)]),
        exclude=(*([inside] if inside else []), *copied),
        rerooting=rerooting,
        packages=path_files.packages,
    )


async def probe_origin(environment: Environment, sandbox: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the project's packages that would *not* come from inside its workspace; () is good.

    Each is told with its place, e.g. `toolz (from /…/site-packages/toolz)`.  Nothing of the project
    is imported; the view's Python is asked in `sandbox`.  Raises `EnvironmentUnusable` when it does
    not start.
    """
    linked = await in_thread(
        find_node_strays, environment.rerooting.workspace, environment.node_modules
    )
    if environment.python is None:
        return linked
    return (
        *linked,
        *await in_thread(
            find_strays,
            environment.python,
            environment.packages,
            environment.rerooting,
            sandbox,
        ),
    )


def _place(user: UserEnvironment, checkout: Path, workspace: Path) -> tuple[Path, str | None]:
    """Return where the view goes, and its path in the workspace if it lies there."""
    for root in (checkout, checkout.resolve()):
        if user.venv and user.prefix.is_relative_to(root) and user.prefix != root:
            inside = user.prefix.relative_to(root)
            if not (workspace / inside).parent.resolve().is_relative_to(workspace):
                raise EnvironmentUnusable(
                    f"The environment's place {inside} leads out of the workspace {workspace}; "
                    "the change must not replace one of its parents by a link."
                )
            return workspace / inside, inside.as_posix()
    return workspace.with_name(workspace.name + ".env"), None


def _remove(view: Path) -> None:
    if view.is_symlink() or view.is_file():
        view.unlink()
    elif view.exists():
        shutil.rmtree(view)


def _write_venv(view: Path, user: UserEnvironment, path_files: PathFiles) -> None:
    """Make by hand what `python -m venv --without-pip` makes in ten times as long."""
    (view / "bin").mkdir(parents=True)
    site = view / user.library
    site.mkdir(parents=True)
    if (user.prefix / "lib64").is_symlink():
        (view / "lib64").symlink_to("lib")
    for name in ("python", "python3", f"python{'.'.join(user.version.split('.')[:2])}"):
        (view / "bin" / name).symlink_to(user.base_python)
    (view / "pyvenv.cfg").write_text(
        f"home = {user.base_python.parent}\ninclude-system-site-packages = false\n"
        f"version = {user.version}\n"
    )
    (view / ".gitignore").write_text("*\n")
    for name, text in path_files.modules.items():
        (site / f"{name}.py").write_text(text, "utf-8", errors="surrogateescape")
    (site / PATH_FILE).write_text(path_files.render(user.sites), "utf-8", errors="surrogateescape")


def _variables(view: Path, user: UserEnvironment) -> dict[str, str]:
    """Return PATH with the view ahead and the user's venv gone, and what a venv's activation sets.

    Bytecode is read but not written: the user's site-packages stay as they are, and a file changed
    twice in a second at the same size is not answered by a stale cache.  (A cache elsewhere would
    keep both promises but compile pytest afresh for every workspace.)
    """
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    scripts = str(user.scripts)
    if user.venv:
        entries = [entry for entry in entries if entry != scripts]
    elif user.conda:  # as its activation has it: what it installed goes before the system's
        entries = [scripts, *(entry for entry in entries if entry != scripts)]
    elif scripts not in entries:
        entries.append(scripts)
    return {
        "PATH": os.pathsep.join([str(view / "bin"), *entries]),
        "VIRTUAL_ENV": str(view),
        "PYTHONDONTWRITEBYTECODE": "1",
        **({"CONDA_PREFIX": str(user.prefix)} if user.conda else {}),
    }


def _import_directories(path_files: PathFiles) -> list[Path]:
    return [*path_files.rerooted, *(place.parent for place in path_files.packages.values())]


def _distributions(user: UserEnvironment) -> list[str]:
    conda = sorted((user.prefix / "conda-meta").glob("*.json")) if user.conda else []
    return [
        entry.name
        for site in user.sites
        for pattern in ("*.dist-info", "*.egg-info")
        for entry in sorted(site.glob(pattern))
    ] + [entry.name for entry in conda]


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
