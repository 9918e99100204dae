"""A runner that is killed while an agent plans or reviews: the goal is where it was, nobody is left, and it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from goal_engine.engine import Engine
from goal_engine.lifecycle import plan_by_agent, recover_goal, resume_goal
from goal_engine.proof.review import ReviewPass
from goal_engine.state.model import GoalState
from goal_engine.types import GoalStatus, TaskStatus
from tests.integration.agents import configure, wait_until
from tests.integration.crashes import find_leftovers
from tests.integration.projects import FIX, a_project, fingerprint, plan_text
from tests.integration.test_acp_worker import SPEAKS
from tests.integration.test_kill import survivors
from tests.personal import set_sandbox

pytestmark = pytest.mark.one_python

S = GoalStatus
PATIENCE = 120.0
GOAL = "Make sums right in calc.py"
PLAN = {"tasks": [{"id": "sums", "title": "Repair add()", "writes": ["calc.py", "tests/**"]}]}
HOLDS = """
import pathlib, signal, subprocess, sys, time
here = pathlib.Path(sys.argv[0])
if (here.parent / "hold").exists():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(86399)"], start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    (here.parent / "begun").touch()
    while True:
        time.sleep(60)
"""
ANSWERS = f"""
prompt = sys.stdin.read()
(here.parent / "asked").open("a").write("x")
print({json.dumps(PLAN)!r} if "You plan one goal" in prompt else '{{"findings": []}}')
"""
WHILE = "while it is asked"


def often(moments: tuple[str, ...], *few: str) -> list[object]:
    """A few points are tried with every change, the others in the long form."""
    return [
        pytest.param(moment, marks=[] if moment in few else [pytest.mark.long])
        for moment in moments
    ]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path / "config"))
    set_sandbox(tmp_path / "config", "off")
    configure(tmp_path / "config", "mine", HOLDS + ANSWERS)
    return tmp_path / "config"


def kill(project: Path, config: Path, moment: str, *words: str) -> None:
    """Run a command that does not live beyond a moment: an event, or as soon as an agent works."""
    command = ("--trust", "-C", str(project), *words)
    if moment != WHILE:
        argv = (sys.executable, "-m", "tests.integration.killed_command", *moment.split(), *command)
        done = subprocess.run(argv, capture_output=True, timeout=PATIENCE, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        return
    (config / "hold").touch()
    with subprocess.Popen(
        (sys.executable, "-m", "goal_server", *command), stdout=subprocess.DEVNULL
    ) as runner:
        wait_until((config / "begun").exists)
        runner.kill()
    (config / "hold").unlink()


async def recover(engine: Engine, tmp_path: Path) -> GoalState:
    """Return the one goal; nobody is left that worked on it, and what they left of one that ran is gone."""
    (name,) = await engine.ports.store.names()
    wait_until(lambda: survivors(tmp_path) == [])
    state = await recover_goal(engine.ports, name)
    assert state.status is not S.PAUSED or find_leftovers(engine.checkout) == []
    assert state.consulting is None
    return state


PLANNING = (
    WHILE,
    "before planning.started",
    "after planning.started",
    "after consultation.started",
    "before consultation.finished",
    "after consultation.finished",
    "before planning.ended",
    "after planning.ended",
)
USED = (WHILE, "after consultation.started", "before consultation.finished")
"""Moments in which an agent may have used something that nobody knows any more."""


@pytest.mark.parametrize("moment", often(PLANNING, WHILE, "after consultation.finished"))
async def test_killed_while_an_agent_plans_a_goal_has_the_plan_it_had_and_is_planned_again(
    tmp_path: Path, config: Path, moment: str
) -> None:
    project = a_project(tmp_path / "project")
    before = fingerprint(project)
    kill(project, config, moment, "plan", GOAL, "--agent", "mine", "--planner", "agent")
    engine = Engine.open(project)
    try:
        state = await recover(engine, tmp_path)
        begun, over = moment != "before planning.started", moment == "after planning.ended"
        assert state.status is (S.PAUSED if begun and not over else S.PLANNED)
        assert [task.id for task in state.graph] == ["sums" if over else "work"]
        assert not state.has_begun and state.tree is None
        answered = begun and moment not in ("after planning.started", *USED)
        assert state.spend.turns == (answered or moment in USED)
        if state.status is S.PAUSED:
            state = await resume_goal(engine.ports, state.goal_id)
        else:
            state = await plan_by_agent(engine.ports, state.goal_id, "cli", "mine")
        assert state.status is S.PLANNED and state.planner == "agent", state.unplanned
        assert [task.id for task in state.graph] == ["sums"]
        assert find_leftovers(project) == [] and fingerprint(project) == before
    finally:
        engine.close()


REVIEWING = (
    WHILE,
    "after consultation.started",
    "before consultation.finished",
    "after consultation.finished",
)


@pytest.mark.parametrize("moment", often(REVIEWING, WHILE, "after consultation.finished"))
async def test_killed_while_an_agent_reviews_a_result_it_is_reviewed_and_judged_afterwards(
    tmp_path: Path, config: Path, moment: str
) -> None:
    project = a_project(tmp_path / "project", **{"plan.toml": plan_text(FIX)})
    kill(project, config, moment, "run", "--plan", str(project / "plan.toml"), "--reviewer", "mine")
    engine = Engine.open(project)
    try:
        state = await recover(engine, tmp_path)
        assert state.status is S.PAUSED and state.judgement is None
        assert state.tasks["fix"].status is TaskStatus.DONE and state.tree is not None
        assert state.spend.turns == 1
        tree = state.tree
        state = await resume_goal(engine.ports, state.goal_id)
        assert state.status is S.READY and state.judgement is not None, state.blocked
        assert (state.tree, state.tasks["fix"].attempts) == (tree, 1)
        asked_again = moment != "after consultation.finished"
        assert state.spend.turns == 1 + asked_again
        assert state.consulted["review"].tree == tree
        code = next(one for one in state.judgement.reviews if one.name is ReviewPass.CODE)
        assert code.gaps == () and find_leftovers(project) == []
    finally:
        engine.close()


LENT = """
name = begin()
here = {here!r}
if os.path.exists(here + "/hold"):
    open(os.path.expanduser("~/.local/share/opencode/auth.json"), "a").write("{{}}")
    open(here + "/begun", "w").close()
    while True:
        time.sleep(60)
words({said!r})
end(name)
told("nothing more")
"""


@pytest.mark.usefixtures("confined")
@pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is Linux's")
async def test_what_was_lent_to_an_agent_whose_runner_was_killed_is_as_before_after_its_next_turn(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, shared = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("shared")
    set_sandbox(Path(os.environ["GOALPROOF_CONFIG_DIR"]), "required", (tmp_path,), (shared,))
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    (home / ".gitconfig").write_bytes((Path.home() / ".gitconfig").read_bytes())
    monkeypatch.setenv("HOME", str(home))
    (tmp_path / "bin").mkdir()
    script = LENT.format(here=str(shared), said=json.dumps(PLAN))
    (tmp_path / "bin" / "opencode").write_text(f"#!{sys.executable} -I\n{SPEAKS}{script}")
    (tmp_path / "bin" / "opencode").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    project = a_project(tmp_path / "project")
    kill(project, shared, WHILE, "plan", GOAL, "--agent", "opencode", "--planner", "agent")
    assert (home / ".config" / "opencode" / "opencode.json").exists(), "it covers what is not there"
    engine = Engine.open(project)
    try:
        state = await recover(engine, tmp_path)
        state = await resume_goal(engine.ports, state.goal_id)
        assert state.status is S.PLANNED and state.planner == "agent", state.unplanned
    finally:
        engine.close()
    left = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    assert left == {".gitconfig", ".local/share/opencode/auth.json"}, "its login alone is kept"
