"""Records journals by real runs of the engine: `python -m tests.golden.record` writes the missing ones.

Each is the life of one goal with real git, gates and files, named by the status at its end and by what
is special about it.  What is recorded stays as it is for ever: none is written anew.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from goal_engine.budget import BudgetAdd, GoalBudget
from goal_engine.control import answer_question, extend_budget, submit_task
from goal_engine.delivery.local import apply_change, deliver_local
from goal_engine.document import GoalPlan, parse_plan, plan_of
from goal_engine.engine import Engine
from goal_engine.hunks import try_hunks
from goal_engine.integration import accept_criterion, reject_goal
from goal_engine.lifecycle import execute_goal, resume_goal, verify_goal
from goal_engine.planner import CreateGoalOptions, create_goal, revise_goal
from goal_engine.state.events import JournalEntry
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalId
from goal_engine.worktree import task_folder
from tests.conftest import GIT_CONFIG
from tests.integration.projects import CRITERIA, FIX, GATE, a_plan, a_project

HERE = Path(__file__).parent / "0.1.0"
ROOT = Path(__file__).parents[2]
ANN = Decision(actor="Ann", reason="I looked at it")
AGENT = """
import pathlib, sys
prompt = sys.stdin.read()
calc = pathlib.Path("calc.py")
def put(old, new):
    calc.write_text(calc.read_text().replace(old, new))
"""
REPAIRS = (
    AGENT + 'put(*(("b - a", "a + b") if "is not enough" in prompt else ("a - b", "b - a")))\n'
)
WORSE = AGENT + 'put(*(("2 * a", "3 * a") if "is not enough" in prompt else ("a - b", "b - a")))\n'
MERGES = (
    AGENT
    + """
notes = pathlib.Path("notes")
if "Write more" not in prompt:
    put("a - b", "a + b")
    notes.write_text("a file where the other has a folder")
elif "does not merge" in prompt:
    notes.unlink()
    notes.mkdir()
    (notes / "more").write_text("merged")
else:
    notes.mkdir()
    (notes / "more").write_text("hours of work")
"""
)
BY_AGENT = 'worker = "cli"\ncommand = ["python3", "agent.py"]\n'
LINT = '\n[[gate]]\nname = "lint"\nargv = ["false"]\n'
GONE = """
[[criterion]]
id = "renamed"
text = "It has another name"
evidence = "flips"
check = { gone = "double", paths = ["*.py"], instead = "twice" }
"""
RENAMED = """
{ replace = "calc.py", old = "def double", new = "def twice" },
{ replace = "tests/test_calc.py", old = "calc.double", new = "calc.twice" },
{ replace = "calc.py", old = "a - b", new = "a + b" }"""


def plan(*tasks: str, criteria: str = CRITERIA) -> GoalPlan:
    """Return a plan of these tasks, each the text of its table."""
    rows = "".join(f"[[task]]\n{task}\n" for task in tasks)
    text = f'goal = "Make sums right in calc.py"\nkind = "fix"\n{criteria}\n{rows}'
    return parse_plan(text, "plan.toml")


def task(name: str, title: str, writes: str, more: str) -> str:
    """Return the text of a task's table."""
    return f'id = "{name}"\ntitle = "{title}"\nwrites = {writes}\n{more}'


async def make(engine: Engine, wanted: GoalPlan | str, **limits: int) -> GoalState:
    """Create a goal of a plan, or of words."""
    choice = await engine.choose_gates()
    words, planned = ("", wanted) if isinstance(wanted, GoalPlan) else (wanted, None)
    options = CreateGoalOptions(gates=choice.specs, plan=planned, budget=GoalBudget(**limits))
    return await create_goal(engine.ports, words, options)


async def run(engine: Engine, wanted: GoalPlan, **limits: int) -> GoalState:
    """Create a goal of a plan and take it to its end."""
    return await execute_goal(engine.ports, (await make(engine, wanted, **limits)).goal_id)


# The lives


async def of_an_agent(folder: Path) -> GoalId:
    """It is asked about a limit, repaired, looked at hunk by hunk, applied, undone and delivered."""
    engine = Engine.open(a_project(folder, **{"agent.py": REPAIRS}))
    fix = task("fix", "Fix the sum", '["calc.py"]', BY_AGENT)
    ports, state = engine.ports, await run(engine, plan(fix), tokens=1000)
    goal = state.goal_id
    await answer_question(ports, goal, "unmetered", "unlimited", ANN)
    await resume_goal(ports, goal, by="Ann")
    await verify_goal(ports, goal, by="Ann")
    await try_hunks(ports, goal)
    await apply_change(ports, goal, by="Ann")
    await apply_change(ports, goal, undo=True, by="Ann")
    await deliver_local(ports, goal, by="Ann")
    engine.close()
    return goal


async def of_a_person(folder: Path) -> GoalId:
    """It asks about a gate, waits for a person's folder, warns, is given more and is accepted."""
    engine = Engine.open(a_project(folder, **{"goalproof.toml": GATE + LINT}))
    ports = engine.ports
    by_hand = parse_plan(
        'goal = "Make sums right in calc.py"\n'
        '[[criterion]]\nid = "seen"\ntext = "A person says so"\nevidence = "accepted"\n'
        '[[task]]\nid = "work"\ntitle = "Do it"\nworker = "manual"\n',
        "plan.toml",
    )
    handed: asyncio.Queue[GoalState] = asyncio.Queue()

    def see(state: GoalState, entry: JournalEntry) -> None:
        if any(event.type == "task.handed_over" for event in entry.events):
            handed.put_nowait(state)

    engine.subscribe(see)
    goal = (await run(engine, by_hand, attempts=2)).goal_id
    await answer_question(ports, goal, "gate:lint", "optional", ANN)
    job = asyncio.ensure_future(resume_goal(ports, goal, by="Ann"))
    async with asyncio.timeout(60):
        await handed.get()
    path = task_folder(engine.state_dir, goal, "work") / "calc.py"
    path.write_text(path.read_text(encoding="utf-8").replace("a - b", "a + b"), encoding="utf-8")
    await extend_budget(ports, goal, BudgetAdd(attempts=1), ANN)
    await submit_task(ports, goal, "work", ANN)
    await job
    await accept_criterion(ports, goal, "seen", ANN)
    engine.close()
    return goal


async def that_is_rejected(folder: Path) -> GoalId:
    """Its plan is changed before it runs, and a person says no to the result."""
    engine = Engine.open(a_project(folder))
    ports, state = engine.ports, await make(engine, a_plan(FIX))
    other = plan_of(state).changed(goal="Make all sums right in calc.py")
    await revise_goal(ports, state.goal_id, other)
    await execute_goal(ports, state.goal_id, by="Ann")
    await reject_goal(ports, state.goal_id, Decision(actor="Ann", reason="It needs a test."))
    engine.close()
    return state.goal_id


async def that_is_made_worse(folder: Path) -> GoalId:
    """What its only repair leaves is worse than before, and is not kept."""
    engine = Engine.open(a_project(folder, **{"agent.py": WORSE}))
    fix = task("fix", "Fix the sum", '["calc.py"]', BY_AGENT)
    state = await run(engine, plan(fix), repairs=1, attempts=3)
    engine.close()
    return state.goal_id


async def that_does_not_merge(folder: Path) -> GoalId:
    """Two tasks give one name to different things, and one of them is done again."""
    engine = Engine.open(a_project(folder, **{"agent.py": MERGES}))
    first = task("fix", "Fix the sum", '["calc.py", "notes"]', BY_AGENT)
    second = task("second", "Write more", '["notes/more"]', BY_AGENT)
    state = await run(engine, plan(first, second))
    engine.close()
    return state.goal_id


async def whose_task_fails(folder: Path) -> GoalId:
    """A task does not end well, and the one that needs it is not run."""
    engine = Engine.open(a_project(folder))
    fix = task("fix", "Fix the sum", '["calc.py"]', 'steps = [{ run = ["false"] }]')
    news = 'steps = [{ write = "NEWS", content = "right" }]'
    say = task("say", "Say so", '["NEWS"]', f'deps = ["fix"]\n{news}')
    state = await run(engine, plan(fix, say))
    engine.close()
    return state.goal_id


async def that_is_checked(folder: Path) -> GoalId:
    """The engine looks itself whether a name is gone."""
    engine = Engine.open(a_project(folder))
    rename = task("do", "Rename it", '["**"]', f"steps = [{RENAMED}]")
    state = await run(engine, plan(rename, criteria=CRITERIA + GONE))
    engine.close()
    return state.goal_id


async def whose_runner_is_killed(folder: Path) -> GoalId:
    """Its runner is killed in the middle of a task, and another process takes it to its end."""
    project = a_project(folder)
    fix = task("fix", "Fix the sum", '["**"]', f"steps = [{FIX}]")
    (folder.parent / "plan.toml").write_text(
        f'goal = "Make sums right in calc.py"\nkind = "fix"\n{CRITERIA}\n[[task]]\n{fix}\n',
        encoding="utf-8",
    )
    for entries in ("6", "0"):
        await asyncio.to_thread(_go_on, project, entries)
    engine = Engine.open(project)
    (known,) = await engine.ports.store.list()
    engine.close()
    return GoalId(known.goal_id)


def _go_on(project: Path, entries: str) -> None:
    """Take the goal on in a process that dies after so many entries; `0` is at its end."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "server")))
    argv = (sys.executable, "-m", "tests.integration.killed_runner", project, "after", entries)
    env = {**os.environ, "PYTHONPATH": path}
    subprocess.run(argv, cwd=ROOT, env=env, check=entries == "0")


async def that_is_too_large(folder: Path) -> GoalId:
    """Its change has more lines than it may."""
    engine = Engine.open(a_project(folder))
    state = await run(engine, a_plan(FIX), changed_lines=1)
    engine.close()
    return state.goal_id


async def that_nobody_can_do(folder: Path) -> GoalId:
    """There is no agent for it."""
    engine = Engine.open(a_project(folder))
    state = await make(engine, "Make the sums of the calculator right for all inputs")
    engine.close()
    return state.goal_id


LIVES: dict[str, Callable[[Path], Awaitable[GoalId]]] = {
    "delivered-agent": of_an_agent,
    "ready-person": of_a_person,
    "not_ready-rejected": that_is_rejected,
    "not_ready-worse": that_is_made_worse,
    "ready-merged": that_does_not_merge,
    "not_ready-failed": whose_task_fails,
    "blocked_on_human-checked": that_is_checked,
    "delivered-interrupted": whose_runner_is_killed,
    "needs_more_budget-lines": that_is_too_large,
    "blocked_on_external-nobody": that_nobody_can_do,
}
"""By the name of the journal: the status at its end, and what is special about it."""


def record_missing() -> None:
    """Live each life that is not recorded, in a home of its own."""
    for name, life in LIVES.items():
        target = HERE / f"{name}.jsonl"
        if target.exists():
            continue
        with TemporaryDirectory(prefix="goalproof-golden-") as place:
            folder = Path(place)
            (folder / ".gitconfig").write_text(GIT_CONFIG, encoding="utf-8")
            os.environ |= {"HOME": place, "GOALPROOF_STATE_DIR": str(folder / "state")}
            goal = asyncio.run(life(folder / "project"))
            journal = folder / "project" / ".goalproof" / "goals" / goal / "events.jsonl"
            target.write_bytes(journal.read_bytes())


if __name__ == "__main__":
    record_missing()
