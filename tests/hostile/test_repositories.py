"""A repository that is opened, looked at and worked on runs nothing that it planted (S01, S04–S06).

Untrusted, one server over all of them starts no program but git, as the kernel tells it.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from goal_engine.delivery.local import deliver_local
from goal_engine.engine import Engine
from goal_engine.errors import GoalError
from goal_engine.runtime import git as hardened
from goal_engine.runtime.repository import read_checkout
from goal_engine.types import GoalStatus
from goal_server.registry import NEEDS_TRUST, OPERATIONS, Operation
from tests.e2e.wire import Wire, running
from tests.editors.tools import install_packages, open_cache
from tests.hostile.repositories import ATTRIBUTES, GIT, GROUPS, PLAIN, ROWS, Canaries
from tests.integration.projects import FIX, a_plan, a_project, fingerprint, plan_text, run

pytestmark = pytest.mark.one_python

ALLOWED = frozenset({"git"})
"""Names of the programs that a server may start for an untrusted workspace."""
SERVER = Path(sys.executable).parent / "goalproof"
TRUSTING = (
    "import goal_server.registry as registry; registry.NEEDS_TRUST = frozenset();"
    "from goal_server.cli import main; main()"
)
"""A server on which everybody has trust."""
STARTED = re.compile(r'\d+ +execve(?:at)?\((?:[^"]*)"([^"]+)".*\) = 0')
GIVEN: dict[str, dict[str, object]] = {
    "open": {"what": "plan"},
    "revise": {"planText": plan_text(FIX)},
    "answer": {"question": "x", "text": "y"},
    "accept": {"criterion": "adds"},
    "reject": {"reason": "no"},
    "run": {"planText": plan_text(FIX)},
    "plan": {"planText": plan_text(FIX)},
    "gc": {"yes": True},
    "budget": {"addSeconds": 1},
}
"""What operations are given beside the goal."""
WITHOUT = frozenset({"run", "plan", "list", "gc", "adopt", "gates", "trust-gate", "agents"})
"""Those that take no goal."""
UNUSABLE = frozenset({"files", "git-file", "work-tree", "submodule", "refs", "link"})
"""Groups in which a goal may be refused; that is an answer."""


@pytest.fixture
def canaries(tmp_path: Path) -> Canaries:
    return Canaries(tmp_path)


def a_template(path: Path) -> tuple[Path, str]:
    """Make a project with a goal that is ready, and return it with the goal's id."""
    root = a_project(path, **{".gitattributes": ATTRIBUTES, "later.txt": "1\n"})
    engine = Engine.open(root)
    state = asyncio.run(run(engine, a_plan(FIX)))
    engine.close()
    assert state.status is GoalStatus.READY
    return root, state.goal_id


def plant_all(
    template: Path, canaries: Canaries, groups: Iterable[str] = GROUPS
) -> dict[str, Path]:
    """Make a repository of each group, and plant its rows."""
    roots = {}
    for group in groups:
        root = roots[group] = template.parent / group / "project"
        shutil.copytree(template, root, symlinks=True)
        for row in ROWS:
            if row.group == group:
                row.plant(root, canaries, row.name)
        for name in ("calc.py", "later.txt"):  # dirty, so that git has to look into them
            with (root / name).open("a") as file:
                file.write("\n")
    canaries.sung()
    return roots


def test_what_is_planted_is_run_by_those_who_do_not_take_care(
    tmp_path: Path, canaries: Canaries
) -> None:
    template = a_project(tmp_path / "project", **{".gitattributes": ATTRIBUTES, "later.txt": "1\n"})
    (template / ".goalproof").mkdir()
    for root in (roots := plant_all(template, canaries)).values():
        assert root.is_dir()
    for group in sorted({row.group for row in ROWS if row.sings}):
        for command in PLAIN.get(group, GIT):
            subprocess.run(
                ("timeout", "20", "sh", "-c", command),
                cwd=roots[group],
                env={**os.environ, "EDITOR": "true", "VISUAL": "true"},  # none waits for a person
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
    assert {row.name for row in ROWS if row.sings} - canaries.sung() == set()


# Untrusted


def is_allowed(operation: Operation) -> bool:
    return operation.executes_if != "" or not NEEDS_TRUST.intersection(operation.effects)


def play(client: Wire, roots: Iterable[Path], goal: str) -> list[str]:
    """Do all that an editor can do in an untrusted workspace, twice: the second time it is adopted."""
    wrong = []
    for root in roots:
        for name in ("calc.py", "goalproof.toml", "plan.toml"):
            path = root / name
            client.open_document(path, path.read_text() if path.is_file() else plan_text(FIX))
            document = {"textDocument": {"uri": path.as_uri()}}
            place = {"line": 1, "character": 1}
            whole = {"start": place, "end": place}
            for method, more in (
                ("codeLens", {}),
                ("hover", {"position": place}),
                ("codeAction", {"range": whole, "context": {"diagnostics": []}}),
            ):
                if client.call(f"textDocument/{method}", {**document, **more}).get(
                    "result", ()
                ) not in (None, [], ()):
                    wrong.append(f"{root.parent.name}: {method} shows something")
        for page in ("goal", "plan", "proof", "diff", "diagnosis", "review", "replay"):
            client.call("goal/render", {"goal": goal, "page": page, "root": root.as_uri()})
        for operation in (*OPERATIONS, *OPERATIONS):
            given = GIVEN.get(operation.name, {})
            if operation.name == "verify-proof":
                given = {"proof": goal}
            elif operation.name not in WITHOUT:
                given = {"goal": goal, **given}
            said = client.command(operation.command, {"root": root.as_uri(), **given})
            if is_allowed(operation):
                if said.get("error", {}).get("code") == -32603:
                    wrong.append(f"{root.parent.name}: {operation.name}: {said['error']}")
            elif "error" not in said:
                wrong.append(f"{root.parent.name}: {operation.name} is done")
    return wrong


def find_started(trace: Path) -> list[str]:
    """Return the programs that were started after the server was there, by the kernel's word."""
    found = [STARTED.match(line) for line in trace.read_text(errors="replace").splitlines()]
    return [one[1] for one in found if one][1:]  # the first is the server itself


def serve(argv: Iterable[str], roots: dict[str, Path], goal: str, trace: Path) -> list[str]:
    """Let one server do everything in each of `roots`; return what it should not have done."""
    with open_cache():
        install_packages({"strace": "strace"})
    traced = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=execve,execveat", "-e")
    first = roots[GROUPS[-1] if GROUPS[-1] in roots else next(iter(roots))]
    words = (*traced, "signal=none", "-o", str(trace), "--", *argv)
    within = ("env", "-C", str(roots.get("files", first)))
    with running((*within, *words)) as client:
        client.open(*roots.values(), trusted=False)
        wrong = play(client, roots.values(), goal)
        client.call("shutdown")
        client.send("exit")
        client.leave()
    started = {name for name in find_started(trace) if Path(name).name not in ALLOWED}
    inside = {name for name in find_started(trace) if not Path(name).is_absolute()}
    return [*wrong, *(f"started {name}" for name in sorted(started | inside))]


def test_an_untrusted_repository_runs_nothing(tmp_path: Path, canaries: Canaries) -> None:
    template, goal = a_template(tmp_path / "template")
    roots = plant_all(template, canaries)
    wrong = serve((str(SERVER), "lsp"), roots, goal, tmp_path / "trace")
    assert (wrong, canaries.sung()) == ([], set())
    assert "git" in {Path(name).name for name in find_started(tmp_path / "trace")}


def test_a_server_that_trusts_everybody_is_found_out(tmp_path: Path, canaries: Canaries) -> None:
    template = a_project(tmp_path / "template")
    roots = plant_all(template, canaries, ["files"])
    wrong = serve(
        (sys.executable, "-I", "-c", TRUSTING, "lsp"), roots, "goal-x", tmp_path / "trace"
    )
    assert "files: gates is done" in wrong
    assert any(said.startswith("started") for said in wrong), wrong


# Trusted


async def work(root: Path) -> str:
    """Run a goal and deliver it; return why that was refused, if it was."""
    engine = Engine.open(root)
    try:
        await engine.adopt("ada")
        before = fingerprint(root)
        state = await run(engine, a_plan(FIX))
        assert fingerprint(root) == before, "the repository was changed"
        assert state.status is GoalStatus.READY, state.blocked
        await deliver_local(engine.ports, state.goal_id)
    except GoalError as error:
        return error.paragraph
    finally:
        engine.close()
    return ""


def test_a_goal_in_a_hostile_repository_runs_nothing_of_git_s(
    tmp_path: Path, canaries: Canaries
) -> None:
    template = a_project(
        tmp_path / "template", **{".gitattributes": ATTRIBUTES, "later.txt": "1\n"}
    )
    (template / ".goalproof").mkdir()
    groups = [group for group in GROUPS if group not in ("files", "link")]
    roots = plant_all(template, canaries, groups)
    refused = {group: asyncio.run(work(root)) for group, root in roots.items()}
    assert canaries.sung() == set()
    assert {group for group, why in refused.items() if why} <= UNUSABLE, refused


def test_git_that_is_not_hardened_is_found_out(
    tmp_path: Path, canaries: Canaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = a_project(
        tmp_path / "template", **{".gitattributes": ATTRIBUTES, "later.txt": "1\n"}
    )
    roots = plant_all(template, canaries, ["config", "include"])
    monkeypatch.setattr(hardened, "HARDENED", {"safe.directory": "*"})
    monkeypatch.setattr(hardened, "_blanked", lambda personal: {})
    for root in roots.values():
        read_checkout(root)
    assert {"fsmonitor", "clean", "include"} <= canaries.sung()
