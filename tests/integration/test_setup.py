"""Set-up commands make each workspace ready, are approved like gates, and are in the proof."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from goal_engine.control import submit_task
from goal_engine.engine import Engine
from goal_engine.errors import BadConfiguration, BadInput, GatesNotApproved
from goal_engine.gates.config import find_mistakes, parse_configuration
from goal_engine.lifecycle import execute_goal, resume_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.proof.gate import GateSpec
from goal_engine.queries import resolve_goal_proof
from goal_engine.reverify import ReverifyOutcome, inspect_bundle, plan_commands, verify_proof
from goal_engine.state.events import JournalEntry
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalStatus
from goal_engine.verifier.bench import open_bench
from goal_engine.worktree import find_new_places
from goal_server import operations
from goal_server import parameters as p
from goal_server.goal_page import render_goal_page
from goal_server.operations import Context
from goal_server.pictures import render_goal
from tests.integration.projects import FIX, GATE, a_plan, a_project, create, fingerprint

pytestmark = pytest.mark.one_python

NEEDS = """
import site
from pathlib import Path

Path("made/by").mkdir(parents=True)
Path("made/by/setup.txt").write_text("ready")
Path(site.getsitepackages()[0], "needed.py").write_text("VALUE = 1")
"""
CHECK = """
import os
import socket
from pathlib import Path

import needed

assert needed.VALUE == 1 and Path("made/by/setup.txt").read_text() == "ready"
base, count = int(os.environ["GOALPROOF_PORT_BASE"]), int(os.environ["GOALPROOF_PORT_COUNT"])
for port in range(base, base + count):
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
"""
READY = '[workspace]\nsetup = [["python3", "prepare.py"]]\n'
USES = '[[gate]]\nname = "uses"\nargv = ["python3", "check.py"]\n'


def a_prepared_project(path: Path, setup: str = READY, **files: str) -> Path:
    content = {"prepare.py": NEEDS, "check.py": CHECK, "goalproof.toml": GATE + USES + setup}
    return a_project(path, **{**content, **files})


async def run_prepared(engine: Engine) -> GoalState:
    choice = await engine.choose_gates()
    plan = a_plan(FIX)
    options = CreateGoalOptions(gates=choice.specs, plan=plan, setup=choice.setup)
    state = await create_goal(engine.ports, plan.goal, options)
    return await execute_goal(engine.ports, state.goal_id)


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A project that needs to be set up, and the bundle of a ready goal of it."""
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOALPROOF_STATE_DIR", str(folder / "state"))
        runs = folder / "runs"
        counted = f"{NEEDS}open({str(runs)!r}, 'a').write('x')\n"
        engine = Engine.open(a_prepared_project(folder / "project", **{"prepare.py": counted}))

        async def prove() -> Path:
            state = await run_prepared(engine)
            assert state.status is GoalStatus.READY, state.blocked or state.judgement
            cost = [*(run.seeding for run in state.gates_run.values())]
            cost += [task.seeding for task in state.tasks.values()]
            assert {tuple(part.part for part in one) for one in cost if one} == {
                ("files", "python", "set-up")
            }
            how = [part.how for one in cost for part in one if part.part == "set-up"]
            assert how.count("kept") == 2  # where the base's files are, but for the first time
            assert (
                runs.read_text() == "xxxx"
            )  # and on the result for each gate and its confirmation
            page = render_goal_page(render_goal(state, None))
            assert "## Workspaces" in page and "gate uses | files " in page
            return await resolve_goal_proof(engine.ports, state.goal_id)

        bundle = asyncio.run(prove())
        engine.close()
        yield folder / "project", bundle


def test_what_was_set_up_is_no_part_of_the_result_and_stands_in_the_proof(
    proven: tuple[Path, Path],
) -> None:
    project, bundle = proven
    proof, _ = inspect_bundle(bundle)
    assert [file.path for file in proof.evidence.files] == ["calc.py"]
    assert proof.setup == (("python3", "prepare.py"),)
    page = (bundle / "proof.md").read_text("utf-8")
    assert "set up, in each workspace, with `python3 prepare.py`" in page
    assert not (project / "made").exists()


def test_what_was_set_up_is_told_alike_whether_it_ran_or_was_kept(
    proven: tuple[Path, Path],
) -> None:
    proof, _ = inspect_bundle(proven[1])
    said = {
        (run.tree, note) for run in proof.runs for note in run.notes if note.startswith("set up")
    }
    assert len({tree for tree, _ in said}) == len(said) == 2
    kept, run = "; what they made is kept as ", "; with a gate's rights and not kept"
    assert all((kept if tree == proof.base_tree else run) in note for tree, note in said)


NPM = """#!/bin/sh
mkdir -p node_modules && cp package-lock.json node_modules/lock && echo $npm_config_cache >> "$RUNS"
"""


async def test_only_what_was_made_of_the_persons_tree_is_kept_and_only_for_what_reads_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another tree's commands could leave what the next gate of the base would then believe."""
    npm, runs = tmp_path / "bin" / "npm", tmp_path / "runs"
    npm.parent.mkdir()
    npm.write_text(NPM.replace("$RUNS", str(runs)))
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}:{os.environ['PATH']}")
    setup = '[workspace]\nsetup = [["npm", "ci"]]\n'
    files = {"goalproof.toml": GATE + setup, "package.json": "{}", "package-lock.json": "{}"}
    files[".gitignore"] = "node_modules/\n"
    engine = Engine.open(a_project(tmp_path / "project", **files))
    state = await create(engine, a_plan(FIX))
    bench, base = open_bench(engine.ports, state), state.created.base_commit

    async def set_up(commit: str, lock: str = "{}") -> tuple[str, str]:
        async with bench.workspace("one", commit) as workspace:
            view = await bench.environment(workspace, commit)
            assert (workspace / "node_modules" / "lock").read_text() == lock
            (part,) = (one for one in view.seeding if one.part == "set-up")
            ran = runs.read_text().splitlines()
            return part.how, ran[-1].replace(str(workspace), "<here>")

    async def change(name: str, text: str) -> str:
        async with bench.workspace("changed", base) as workspace:
            (workspace / name).write_text(text)
            return bench.commit(bench.repository.snapshot(workspace, base), base, "changed")

    lock = '{"own": 1}'
    locked, own = await change("package-lock.json", lock), ("ran", "<here>.env/caches/npm")
    for _ in range(2):  # what is made of a worker's lock file is made each time
        assert await set_up(locked, lock) == own
    assert await set_up(base) == ("ran", "")
    assert await set_up(base) == ("kept", "")
    assert await set_up(await change("calc.py", "")) == ("kept", "")
    assert await set_up(locked, lock) == own
    engine.close()


async def test_where_the_person_says_so_every_workspace_is_set_up_anew(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    counted = f"open({str(runs)!r}, 'a').write('x')\nopen('made.txt', 'w').write('x')\n"
    files = {"prepare.py": counted, "goalproof.toml": f"{GATE}{READY}cache = false\n"}
    engine = Engine.open(a_project(tmp_path / "project", **files))
    choice = await engine.choose_gates()
    plan = a_plan(FIX)
    options = CreateGoalOptions(
        gates=choice.specs, plan=plan, setup=choice.setup, keeps_setup=choice.keeps_setup
    )
    state = await create_goal(engine.ports, plan.goal, options)
    state = await execute_goal(engine.ports, state.goal_id)
    assert state.status is GoalStatus.READY, state.blocked
    assert len(runs.read_text()) >= 4  # baseline, task, proof, confirmation
    engine.close()


async def test_without_the_set_up_it_says_what_is_missing_and_with_it_reproduces(
    proven: tuple[Path, Path],
) -> None:
    project, bundle = proven
    before = fingerprint(project)
    found = await verify_proof(bundle, project)
    assert found.outcome is not ReverifyOutcome.REPRODUCED
    found = await verify_proof(bundle, project, setup=True)
    assert found.outcome is ReverifyOutcome.REPRODUCED, found
    assert fingerprint(project) == before
    proof, _ = inspect_bundle(bundle)
    assert plan_commands(proof, setup=True)[0] == "set-up · in each checkout: python3 prepare.py"
    assert not any("prepare.py" in command for command in plan_commands(proof))


def run_script(bundle: Path, *arguments: str) -> tuple[int, str]:
    """Run the bundle's own `verify.py` as a stranger does."""
    done = subprocess.run(
        [sys.executable, str(bundle / "verify.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_script_of_the_bundle_sets_up_as_well(proven: tuple[Path, Path]) -> None:
    project, bundle = proven
    again = ("--run", "--repository", str(project))
    code, said = run_script(bundle, *again, "--setup")
    assert (code, "REPRODUCED (" in said) == (0, True), said
    assert "With --setup, first in each checkout:\n  python3 prepare.py" in said
    assert run_script(bundle, *again)[0] != 0


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        ("print('the registry is down'); raise SystemExit(3)", "last words: the registry is down"),
        ("open('calc.py', 'a').write('x = 1')", "changed calc.py, which the repository has"),
        ("import os; os.unlink('check.py')", "changed check.py"),
    ],
)
async def test_a_set_up_that_fails_or_meddles_stops_the_goal_and_says_why(
    tmp_path: Path, prepare: str, sentence: str
) -> None:
    engine = Engine.open(a_prepared_project(tmp_path / "project", **{"prepare.py": prepare}))
    state = await run_prepared(engine)
    assert state.status is GoalStatus.FAILED_INFRA and state.blocked is not None
    assert sentence in state.blocked.reason
    assert state.judgement is None
    engine.close()


async def test_a_worker_that_changes_what_sets_up_needs_a_person(tmp_path: Path) -> None:
    """It runs before each gate, beside what the gate judges."""
    engine = Engine.open(a_prepared_project(tmp_path / "project"))
    tamper = '{ replace = "prepare.py", old = "VALUE = 1", new = "VALUE = 1 #" }'
    plan = a_plan(f"{FIX}, {tamper}")
    choice = await engine.choose_gates()
    options = CreateGoalOptions(gates=choice.specs, plan=plan, setup=choice.setup)
    state = await create_goal(engine.ports, plan.goal, options)
    state = await execute_goal(engine.ports, state.goal_id)
    assert state.status is GoalStatus.BLOCKED_ON_HUMAN and state.judgement is not None
    assert any("prepare.py" in item.criterion.text for item in state.judgement.criteria)
    bundle = await resolve_goal_proof(engine.ports, state.goal_id)
    found = await verify_proof(bundle, engine.checkout, setup=True)
    assert found.outcome is ReverifyOutcome.REPRODUCED, found
    engine.close()


STAMPS = """
import time
from pathlib import Path

Path("made").mkdir(exist_ok=True)
Path("made/stamp.txt").write_text(str(time.time_ns()))
"""


async def test_a_persons_folder_is_set_up_again_when_they_go_on_in_it(tmp_path: Path) -> None:
    """What the commands made the first time is theirs, and not a change of the person's."""
    files = {"prepare.py": STAMPS, "goalproof.toml": GATE + READY}
    engine = Engine.open(a_project(tmp_path / "project", **files))
    choice = await engine.choose_gates()
    options = CreateGoalOptions(gates=choice.specs, setup=choice.setup, worker="manual")
    state = await create_goal(engine.ports, "Make sums right in calc.py", options)
    handed = asyncio.Event()

    def hear(now: GoalState, _: JournalEntry) -> None:
        if now.handed_over:
            handed.set()

    engine.subscribe(hear)
    for attempt in (1, 2):
        handed.clear()
        act = execute_goal if attempt == 1 else resume_goal
        work = asyncio.ensure_future(act(engine.ports, state.goal_id))
        await asyncio.wait(
            {work, asyncio.ensure_future(handed.wait())}, return_when="FIRST_COMPLETED"
        )
        assert handed.is_set(), (await engine.ports.read(state.goal_id)).blocked
        (task,) = (await engine.ports.read(state.goal_id)).tasks.values()
        assert task.folder is not None and "made" in task.exclude
        if attempt == 1:
            work.cancel()
            await asyncio.wait({work})
    calc = Path(task.folder) / "calc.py"
    calc.write_text(calc.read_text().replace("a - b", "a + b"))
    await submit_task(engine.ports, state.goal_id, None, Decision(actor="me", reason="done"))
    ended = await work
    assert ended.evidence is not None
    assert [file.path for file in ended.evidence.files] == ["calc.py"]
    engine.close()


async def test_set_up_commands_are_asked_about_like_gates(tmp_path: Path) -> None:
    engine = Engine.open(a_prepared_project(tmp_path / "project"))
    asked: list[str] = []

    def approve(specs: tuple[GateSpec, ...]) -> bool:
        asked.extend(spec.name for spec in specs)
        return False

    context = Context(engine=engine, say=lambda _: None, trusted=True, actor="me", approve=approve)
    with pytest.raises(GatesNotApproved, match="set-up-1: python3 prepare.py"):
        await operations.plan_goal(context, p.PlanParams(text="Make sums right in calc.py"))
    assert asked == ["set-up-1", "tests", "uses"]
    shown = await operations.show_gates(context, p.NoParams())
    assert [gate.command for gate in shown.setup] == ["python3 prepare.py"]
    digests = tuple(gate.digest for gate in (*shown.setup, *shown.gates))
    shown = await operations.trust_gates(context, p.TrustGateParams(digests=digests))
    assert all(gate.trusted for gate in (*shown.setup, *shown.gates))
    engine.close()


async def test_nothing_of_a_stranger_runs_before_a_person_says_so(
    proven: tuple[Path, Path], tmp_path: Path
) -> None:
    project, bundle = proven
    engine = Engine.open(project)
    asked: list[tuple[str, ...]] = []

    def answer(yes: bool) -> Context:
        def approve(specs: tuple[GateSpec, ...]) -> bool:
            asked.append(tuple(spec.name for spec in specs))
            return yes

        return Context(engine=engine, say=said.append, trusted=True, actor="me", approve=approve)

    said: list[str] = []
    params = p.VerifyProofParams(proof=str(bundle), run=True, setup=True)
    with pytest.raises(GatesNotApproved):
        await operations.verify_proof(answer(False), params)
    assert asked == [("set-up-1", "tests", "uses")]
    assert said and all(line.startswith("will run ") for line in said)
    view = await operations.verify_proof(answer(True), params)
    assert view.outcome == "REPRODUCED"
    inspected = await operations.verify_proof(answer(False), p.VerifyProofParams(proof=str(bundle)))
    assert inspected.outcome == "INSPECTED"
    engine.close()


TOOL = "#!/bin/sh\nexit 0\n"


async def test_programs_of_an_environment_that_is_named_go_first(tmp_path: Path) -> None:
    """A gate that needs a tool is not reproducible without it, and is with it."""
    tools = tmp_path / "prefix" / "bin"
    tools.mkdir(parents=True)
    (tools / "special-tool").write_text(TOOL)
    (tools / "special-tool").chmod(0o755)
    gate = '[[gate]]\nname = "special"\nargv = ["special-tool"]\n'
    project = a_project(tmp_path / "project", **{"goalproof.toml": GATE + gate})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
        engine = Engine.open(project)
        state = await run_prepared(engine)
        assert state.status is GoalStatus.READY
        bundle = await resolve_goal_proof(engine.ports, state.goal_id)
        engine.close()
    found = await verify_proof(bundle, project)
    assert found.outcome is ReverifyOutcome.NOT_REPRODUCIBLE_HERE
    assert "special-tool" in found.missing[0]
    found = await verify_proof(bundle, project, env=str(tools.parent))
    assert found.outcome is ReverifyOutcome.REPRODUCED, found
    again = ("--run", "--repository", str(project))
    assert run_script(bundle, *again)[0] == 2
    code, said = run_script(bundle, *again, "--env", str(tools.parent))
    assert code == 0, said
    with pytest.raises(BadInput, match="no Python and no environment"):
        await verify_proof(bundle, project, env=str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("setup = [[]]", "is empty"),
        ('setup = "npm ci"', "workspace.setup"),
        ('setup = ["npm ci"]', "workspace.setup[0]"),
        ('setup = [["", "x"]]', "starts with no program"),
        ('set-up = [["npm", "ci"]]', "did you mean `setup`?"),
    ],
)
def test_a_mistake_in_the_set_up_is_told_with_its_line(text: str, sentence: str) -> None:
    document = f"{GATE}\n[workspace]\n{text}\n"
    with pytest.raises(BadConfiguration, match="line 9"):
        parse_configuration(document)
    assert any(sentence in mistake.text for mistake in find_mistakes(document))


def test_the_commands_are_read_in_their_order() -> None:
    text = '[workspace]\nsetup = [["npm", "ci"], ["npm", "run", "build"]]\n'
    assert parse_configuration(text).setup == (("npm", "ci"), ("npm", "run", "build"))


@pytest.mark.parametrize(
    ("made", "known", "places"),
    [
        (["a/b/c", "a/b/d"], ["x"], ("a",)),
        (["a/b/c"], ["a/x"], ("a/b",)),
        (["a/b"], ["a/x"], ("a/b",)),
        (["new"], [], ("new",)),
    ],
)
def test_new_folders_are_named_once(made: list[str], known: list[str], places: object) -> None:
    assert find_new_places(made, known) == places
