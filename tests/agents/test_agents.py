"""Real agents work on goals; what their model says is scripted, and there is no network.

`ALL` do the plain thing; one of each protocol plays every scenario.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from goal_engine.control import answer_question, cancel_goal, tell_agent
from goal_engine.lifecycle import execute_goal, plan_by_agent, recover_goal, resume_goal
from goal_engine.queries import resolve_goal_proof
from goal_engine.state import events as e
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalStatus, TaskStatus
from goal_engine.verifier.bundle import read_bundle
from goal_engine.workers.agents import read_agents
from goal_engine.workers.installed import find_installed
from tests.agents.conftest import SetStage
from tests.agents.isolated import ALONE, NOT_ALONE, can_isolate
from tests.agents.known import (
    ALL,
    CLAUDE_CLI,
    CODEX_ACP,
    CODEX_CLI,
    GEMINI_ACP,
    KEEPING,
    KIMI_ACP,
    KIMI_CLI,
    KIMI_WIRE,
    ONE_EACH,
    QWEN_ACP,
    TALKING,
    Known,
)
from tests.agents.scripted import Asked, Question, Read, Reply, Run, Script, Write, in_turn
from tests.agents.scripts import FIXES, PLAN, RIGHT, SLEEPS, WAITS, WRONG
from tests.agents.stage import Stage, find_agents, find_running
from tests.agents.tools import Programs
from tests.integration.agents import wait_until
from tests.integration.projects import fingerprint
from tests.personal import set_sandbox

S = GoalStatus
ME = Decision(actor="me", reason="I looked at it")
AGAIN = "What was seen of it"
"""What the prompt of a repair says, and no other."""
HERE = (
    ("kimi-code", "kimi", ("acp", "cli")),
    ("kimi-cli", "kimi", ("wire", "cli")),
    ("claude", "claude", ("acp", "cli")),
    ("opencode", "opencode", ("acp", "cli")),
    ("codex", "codex", ("acp", "cli")),
    ("gemini", "gemini", ("acp", "cli")),
    ("qwen", "qwen", ("acp", "cli")),
)
"""What is installed, whose it is, and which workers can start it."""

SEEN = "I see a sign that is wrong."
WORD = "Use plus, not times."
TRIED = "it was tried"
EACH = 1020
"""Tokens of one answer of the model."""


def with_long(known: tuple[Known, ...], usual: Callable[[Known], bool]) -> pytest.MarkDecorator:
    """For `usual` ones: the others play it with `nox -s agents -- --long`."""
    marks = {one: [] if usual(one) else [pytest.mark.long] for one in known}
    played = [pytest.param(one, marks=marks[one]) for one in known]
    return pytest.mark.parametrize("known", played, ids=str)


every = with_long(ALL, lambda one: one.worker != "cli" or one in (KIMI_CLI, CLAUDE_CLI))
"""The other headless ones are started and ended as these are, and fix it in `test_headless.py`."""
once = with_long(ONE_EACH, lambda one: one is KIMI_ACP)
"""For what the engine alone decides."""
talking = pytest.mark.parametrize("known", TALKING, ids=str)
thorough = pytest.mark.parametrize("known", ONE_EACH, ids=str)


def with_more(known: tuple[Known, ...], *more: Known) -> pytest.MarkDecorator:
    """For what some of the others do in a way of their own."""
    return pytest.mark.parametrize("known", [*known, *more], ids=str)


async def play(stage: Stage, writes: str = '"**"', **limits: object) -> GoalState:
    """Take the goal to its end."""
    state = await stage.create(writes, **limits)
    assert state.status is S.PLANNED, state.blocked
    state = await execute_goal(stage.engine.ports, state.goal_id)
    assert stage.model.asked, tell(state)
    return state


def tell(state: GoalState) -> str:
    """Return why a goal is where it is."""
    reasons = state.judgement.reasons if state.judgement else ()
    return f"{state.status}: {state.tasks['fix'].reason}; {reasons}; {state.blocked}"


def test_there_is_no_network_where_one_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ALONE, raising=False)
    call = "import socket; socket.create_connection(('192.0.2.1', 9), timeout=0.1)"
    words = (sys.executable, "-m", "tests.agents.isolated", sys.executable, "-c", call)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ("unreachable" if can_isolate() else NOT_ALONE) in done.stderr


def test_what_cannot_be_fetched_is_said_at_once(tmp_path: Path) -> None:
    environment = {**os.environ, ALONE: "1", "GOALPROOF_EDITORS_CACHE": str(tmp_path)}
    for words in (("tests.agents.tools",), ("pytest", "tests/agents")):
        done = subprocess.run(
            (sys.executable, "-m", *words),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        (said,) = filter(None, done.stderr.splitlines())
        assert done.returncode and said.endswith("run `python -m tests.agents.tools` first.")


@pytest.mark.parametrize(("installed", "agent", "ways"), HERE, ids=[row[0] for row in HERE])
def test_what_is_installed_is_known_without_being_started(
    programs: Programs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    installed: str,
    agent: str,
    ways: tuple[str, ...],
) -> None:
    monkeypatch.setenv("PATH", str(programs.agents[installed]))
    assert find_installed(read_agents(), tmp_path) == {agent: ways}


@every
async def test_an_agent_that_fixes_it_is_ready(stage: SetStage, known: Known) -> None:
    there = stage(known, FIXES)
    before = fingerprint(there.project)
    state = await play(there)
    assert state.status is S.READY, tell(state)
    assert "Sums are right." in await there.read_log(state)
    assert "Ran" in there.model.asked[-1].results[-1], "it ran a command, and saw what it printed"
    if known in TALKING:
        assert state.spend.tokens == EACH * len(there.model.asked)
    proof, _ = read_bundle(await resolve_goal_proof(there.engine.ports, state.goal_id))
    assert proof.workers == (f"{known.worker} ({known.agent})",)
    assert fingerprint(there.project) == before


@every
async def test_cancelling_ends_the_agent_and_what_it_runs(stage: SetStage, known: Known) -> None:
    there = stage(known, WAITS)
    state = await there.create()
    job = asyncio.ensure_future(execute_goal(there.engine.ports, state.goal_id))
    await asyncio.to_thread(wait_until, lambda: find_running(there.around, SLEEPS))
    state = await cancel_goal(there.engine.ports, state.goal_id, ME)
    assert state.status is S.CANCELLED and not find_agents(there.around)
    assert not find_running(there.around, SLEEPS)
    await job


@pytest.mark.parametrize(
    "known", [KIMI_ACP, pytest.param(KIMI_WIRE, marks=pytest.mark.long)], ids=str
)
async def test_what_an_agent_that_is_killed_left_running_is_ended_and_it_goes_on(
    stage: SetStage, known: Known, tmp_path: Path
) -> None:
    """Without a sandbox, which would end all of it by itself."""
    there = stage(known, lambda asked: (WAITS if asked.number == 0 else FIXES)(asked))
    set_sandbox(tmp_path / "config", "off")
    job = asyncio.ensure_future(play(there))
    await asyncio.to_thread(wait_until, lambda: find_running(there.around, SLEEPS))
    ours = find_agents(there.around)
    above = [one for one in find_running(there.around, SLEEPS)[-1].parents() if one in ours]
    above[-1].kill()
    state = await job
    assert state.status is S.READY, tell(state)
    assert not find_running(there.around, SLEEPS), "somebody is left"
    assert "its process broke off" in await there.read_log(state)


@thorough
async def test_a_wrong_fix_is_repaired_after_what_the_gates_said(
    stage: SetStage, known: Known
) -> None:
    def tries_twice(asked: Asked) -> Reply:
        content = RIGHT if AGAIN in asked.prompt else WRONG
        return in_turn(Reply("", (Write("calc.py", content),)), Reply("Now it is right."))(asked)

    there = stage(known, tries_twice)
    state = await play(there)
    assert state.status is S.READY, tell(state)
    assert list(state.tasks) == ["fix", "repair-1"]
    assert "6 != 5" in there.model.asked[-1].prompt


@once
async def test_an_agent_that_only_says_so_is_not_ready(stage: SetStage, known: Known) -> None:
    there = stage(known, in_turn(Reply("All tests pass now.")))
    state = await play(there, repairs=0)
    assert state.status is S.NOT_READY, tell(state)
    assert "gate tests is not green" in tell(state)


@once
async def test_what_it_writes_elsewhere_fails_the_task(stage: SetStage, known: Known) -> None:
    there = stage(
        known, in_turn(Reply("", (Write("calc.py", RIGHT), Run("touch other.py"))), Reply("Done."))
    )
    state = await play(there, '"calc.py"', repairs=0)
    assert state.status is S.NOT_READY, tell(state)
    assert state.tasks["fix"].status is TaskStatus.FAILED and "other.py" in tell(state)


@with_more(ONE_EACH, CODEX_ACP, CODEX_CLI)
async def test_it_cannot_write_to_the_checkout(
    stage: SetStage, known: Known, tmp_path: Path
) -> None:
    outside, beside = tmp_path / "project" / "calc.py", tmp_path / "beside"
    reach = "\n".join(
        f"try: open({str(path)!r}, 'a').write('x')\nexcept OSError as error: print(error)"
        for path in (outside, beside)
    )
    reach += f"\nprint({TRIED!r})\n"
    there = stage(
        known,
        in_turn(
            Reply("", (Write(str(outside), RIGHT),)),
            Reply("", (Run(f"echo >>'{outside}'; echo >'{beside}'"),)),
            Reply("", (Write("reach.py", reach),)),  # of this no policy sees where it leads
            Reply("", (Run("python3 reach.py"),)),
            Reply("Done."),
        ),
    )
    before = fingerprint(there.project)
    state = await play(there, repairs=0)
    assert state.status is S.NOT_READY, tell(state)
    assert fingerprint(there.project) == before and not beside.exists(), "it got out"
    assert TRIED in there.model.asked[-1].results[-1]


@with_more(ONE_EACH, CODEX_ACP, GEMINI_ACP, QWEN_ACP)
async def test_a_login_that_is_refused_is_said(stage: SetStage, known: Known) -> None:
    there = stage(known, lambda _: Reply(status=401))
    state = await play(there, repairs=0)
    assert state.status is not S.READY
    how = read_agents()[known.agent].log_in
    assert "401" in tell(state) or f"is not logged in: log in ({how})" in tell(state)
    assert state.tasks["fix"].attempts == 1


@once
async def test_a_model_that_is_busy_is_asked_again(stage: SetStage, known: Known) -> None:
    def busy(asked: Asked) -> Reply:
        return Reply(status=429) if asked.number < 2 else FIXES(asked)

    state = await play(stage(known, busy))
    assert state.status is S.READY, tell(state)


def plans(asked: Asked) -> Reply:
    """Give a plan to whoever asks for one, and do the work else."""
    told = Reply(f"I would do this.\n```json\n{json.dumps(PLAN)}\n```")
    return told if "You plan one goal" in asked.prompt else FIXES(asked)


@thorough
async def test_it_makes_the_plan_that_is_then_worked_on(stage: SetStage, known: Known) -> None:
    there = stage(known, plans)
    ports, before = there.engine.ports, fingerprint(there.project)
    state = await there.create_of_words()
    state = await plan_by_agent(ports, state.goal_id, known.worker, known.agent, by="me")
    assert state.status is S.PLANNED and state.planner == "agent", state.unplanned
    assert [(task.id, task.worker, task.agent) for task in state.graph] == [
        ("sums", known.worker, known.agent)
    ]
    state = await execute_goal(ports, state.goal_id)
    assert state.judgement is not None, state.blocked
    states = {one.criterion.id: one.state for one in state.judgement.criteria}
    assert states["all-green"] == "verified", state.judgement.reasons
    assert fingerprint(there.project) == before


@thorough
async def test_who_makes_the_plan_changes_nothing(stage: SetStage, known: Known) -> None:
    changes = (Reply("", (Run("echo >>calc.py"),)), Reply("", (Write("calc.py", WRONG),)))
    writes = in_turn(*changes, Reply(json.dumps(PLAN)))
    there = stage(known, writes)
    state = await there.create_of_words()
    state = await plan_by_agent(
        there.engine.ports, state.goal_id, known.worker, known.agent, by="me"
    )
    hindered = known in TALKING  # nobody can hinder the others: their plan is not taken
    assert (state.planner == "agent") is hindered, state.unplanned or "its plan was taken"
    assert bool(state.unplanned) is not hindered
    if known is KIMI_ACP:
        assert ", mode plan" in await there.read_planning(state)


@pytest.mark.parametrize("known", [KIMI_CLI, KIMI_ACP], ids=str)
async def test_a_limit_of_time_ends_the_agent(stage: SetStage, known: Known) -> None:
    there = stage(known, lambda _: Reply("I think", hangs=True))
    state = await there.create(wall_seconds=8)
    state = await execute_goal(there.engine.ports, state.goal_id)
    assert state.status is S.NEEDS_MORE_BUDGET, tell(state)
    assert state.blocked and state.blocked.limits == ("wall_seconds",)
    assert any(isinstance(fact, e.TaskStarted) for fact in there.facts)
    assert not find_agents(there.around)


async def test_a_limit_of_tokens_ends_the_agent_in_the_middle_of_its_turn(stage: SetStage) -> None:
    """Each answer of its model costs 1,020."""
    there = stage(KIMI_WIRE, lambda _: Reply("", (Run("true"),)))
    state = await play(there, tokens=2500)
    assert state.status is S.NEEDS_MORE_BUDGET, tell(state)
    assert state.blocked and state.blocked.limits == ("tokens",)
    assert state.spend.tokens == 3060 and not find_agents(there.around)


@with_more(TALKING, QWEN_ACP)
async def test_what_the_policy_denies_is_not_done_and_the_turn_goes_on(
    stage: SetStage, known: Known
) -> None:
    does = (Run("git push origin HEAD"), Read("calc.py"), Write("calc.py", RIGHT))
    there = stage(known, in_turn(*(Reply("", (one,)) for one in does), Reply("Done.")))
    state = await play(there)
    assert state.status is S.READY, tell(state)
    assert "denied by policy" in await there.read_log(state)
    assert "fatal" not in str(there.model.asked[-1].results), "it was run"


@talking
async def test_a_person_may_be_asked_and_allows_it(
    stage: SetStage, known: Known, tmp_path: Path
) -> None:
    there = stage(known, FIXES)
    with (tmp_path / "config" / "settings.toml").open("a") as settings:
        settings.write('permissions = "ask"\n')
    state, asked = await asyncio.gather(play(there), answer(there, "allow"))
    assert state.status is S.READY, tell(state)
    assert asked, "nobody was asked"
    assert "run_tests.py" in asked[-1]
    assert "Ran" in there.model.asked[-1].results[-1], "what was allowed is done"


@talking
async def test_a_question_waits_for_the_persons_answer(stage: SetStage, known: Known) -> None:
    def asks(asked: Asked) -> Reply:
        right = "Plus" in str(asked.results[:1])
        return in_turn(
            Reply("", (Question("Which sign is it?", ("Times", "Plus")),)),
            Reply("", (Write("calc.py", RIGHT if right else WRONG),)),
            Reply("Done."),
        )(asked)

    there = stage(known, asks)
    state, asked = await asyncio.gather(play(there, repairs=0), answer(there, "Plus"))
    assert state.status is S.READY, tell(state)
    assert len(asked) == 1 and "Which sign is it?" in asked[0]


@talking
async def test_it_hears_what_a_person_says_meanwhile(stage: SetStage, known: Known) -> None:
    def listens(asked: Asked) -> Reply:
        told = [at for at, (who, text) in enumerate(asked.items) if who == "user" and WORD in text]
        if told:
            since = [who for who, _ in asked.items[told[0] :]]
            return Reply("Done.") if "call" in since else Reply("", (Write("calc.py", RIGHT),))
        works = (Run("until test -e go; do sleep 0.1; done; rm go"), *[Run("sleep 0.3")] * 3)
        return in_turn(*(Reply("", (one,)) for one in works), Reply("I know nothing."))(asked)

    there = stage(known, listens)
    state, _ = await asyncio.gather(play(there, repairs=0), say(there, WORD))
    assert state.status is S.READY, tell(state)
    assert state.tasks["fix"].words == (WORD,)
    assert f"the person says: {WORD}" in await there.read_log(state)


@pytest.mark.parametrize("known", [KIMI_CLI, *KEEPING], ids=str)
async def test_a_goal_whose_runner_was_killed_goes_on_in_the_agents_session(
    stage: SetStage, known: Known
) -> None:
    there = stage(known, hangs_at(1, FIXES))
    state = await there.create()
    words = ("-m", "goal_server", "--trust", "-C", str(there.project), "execute", state.goal_id)
    await asyncio.to_thread(kill_when_asked, there, words, 2, SEEN if known in KEEPING else "")
    await asyncio.to_thread(wait_until, lambda: not find_agents(there.around))
    ports = there.engine.ports
    state = await recover_goal(ports, state.goal_id)
    assert state.status is S.PAUSED, tell(state)
    state = await resume_goal(ports, state.goal_id)
    assert state.status is S.READY, tell(state)
    assert any(isinstance(fact, e.GoalResumed) for fact in there.facts)
    first, second = there.model.asked[1], there.model.asked[2]
    if known in KEEPING:
        assert second.prompts[:-1] == first.prompts, "it remembers nothing"
        assert "You may remember" in second.prompt
        assert SEEN in second.said and SEEN not in second.prompts
    else:
        assert second.prompts == first.prompts and SEEN not in second.said


async def test_a_session_whose_transcript_is_gone_is_begun_anew(stage: SetStage) -> None:
    """Codex says that it goes on with it, and has no such thread when it is prompted."""
    there = stage(CODEX_ACP, hangs_at(0, FIXES))
    state = await there.create()
    words = ("-m", "goal_server", "--trust", "-C", str(there.project), "execute", state.goal_id)
    await asyncio.to_thread(kill_when_asked, there, words, 1)
    await asyncio.to_thread(wait_until, lambda: not find_agents(there.around))
    transcripts = [*there.around.rglob("rollout-*.jsonl")]
    assert transcripts
    for transcript in transcripts:
        transcript.unlink()
    state = await recover_goal(there.engine.ports, state.goal_id)
    state = await resume_goal(there.engine.ports, state.goal_id)
    assert state.status is S.READY, tell(state)
    assert "is gone: Internal error" in await there.read_log(state)


@pytest.mark.long  # with agents that are scripts, `tests/integration` has every point of it
async def test_a_goal_whose_runner_was_killed_while_it_planned_is_planned_again(
    stage: SetStage,
) -> None:
    there = stage(KIMI_ACP, hangs_at(0, plans))
    goal = (await there.create_of_words()).goal_id
    words = ("-m", "goal_server", "--trust", "-C", str(there.project))
    words += ("revise", goal, "--planner", "agent")
    await asyncio.to_thread(kill_when_asked, there, words, 1)
    await asyncio.to_thread(wait_until, lambda: not find_agents(there.around))
    ports = there.engine.ports
    state = await recover_goal(ports, goal)
    assert state.status is S.PAUSED and state.planner != "agent" and state.consulting is None
    state = await resume_goal(ports, goal)
    assert state.status is S.PLANNED and state.planner == "agent", state.unplanned


async def answer(there: Stage, text: str) -> list[str]:
    """Be the person until the goal is judged: give all that is asked one answer; return what it was."""
    asked: list[str] = []
    while not any(isinstance(fact, e.GoalJudged) for fact in there.facts):
        open_asks = (await there.read()).open_asks if there.facts else ()
        for one in open_asks:
            asked.append(one.ask.detail)
            await answer_question(there.engine.ports, there.goal, one.key, text, ME)
        await there.news.wait()
        there.news.clear()
    return asked


async def say(there: Stage, word: str) -> None:
    """Say something to the agent as soon as it waits for a file `go`, and then make it."""

    def find() -> list[psutil.Process]:
        return find_running(there.around, "test -e go")

    await asyncio.to_thread(wait_until, find)
    await tell_agent(there.engine.ports, there.goal, word, None, "me")
    (Path(find()[0].cwd()) / "go").touch()


def kill_when_asked(there: Stage, words: tuple[str, ...], number: int, seen: str = "") -> None:
    """Run a process until its agent has asked the model so often, and has written down what it has `seen`."""
    with subprocess.Popen((sys.executable, *words), stdout=subprocess.DEVNULL) as runner:
        try:
            there.model.wait_for(number)
            wait_until(lambda: there.has_transcript(seen))
        finally:
            runner.kill()


def hangs_at(number: int, script: Script) -> Script:
    """Return a script of which one answer never ends; those before look around."""

    def say(asked: Asked) -> Reply:
        if asked.number < number:
            return Reply(SEEN, (Run("true"),))
        return Reply("I think", hangs=True) if asked.number == number else script(asked)

    return say
