"""Agents as commands: what they change is judged, what they say is not, and nothing of them stays."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from goal_engine.budget import GoalBudget, SpendSource
from goal_engine.control import answer_question, cancel_goal, pause_goal
from goal_engine.dispatch.tasks import retries
from goal_engine.dispatch.tasks.retries import Pause
from goal_engine.document import parse_plan
from goal_engine.engine import Engine
from goal_engine.errors import BadConfiguration, BadInput, BadPlan, ToolMissing
from goal_engine.integration import accept_criterion
from goal_engine.lifecycle import execute_goal, resume_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.ports import WorkerTurn
from goal_engine.queries import resolve_goal_proof
from goal_engine.runtime.belongings import Belongings
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalStatus, TaskStatus, Trouble
from goal_engine.verifier.bundle import read_bundle
from goal_engine.workers.agents import read_agents
from goal_engine.workers.cli import CliWorker
from tests.integration.agents import DAEMONIZES, FAILS, FIXES, HANGS, LIES, configure, wait_until
from tests.integration.projects import CRITERIA, a_project, fingerprint
from tests.personal import set_sandbox

pytestmark = pytest.mark.one_python

S = GoalStatus
ME = Decision(actor="me", reason="I looked at it")
GOAL = "Make sums right in calc.py"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path / "config"))
    set_sandbox(tmp_path / "config", "off")
    return tmp_path / "config"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return a_project(tmp_path / "project")


@pytest.fixture
def engine(project: Path) -> Iterator[Engine]:
    opened = Engine.open(project)
    yield opened
    opened.close()


def a_plan(**more: str):
    extra = "\n".join(f"{key} = {value}" for key, value in more.items())
    return parse_plan(
        f'goal = "{GOAL}"\nkind = "fix"\n{CRITERIA}\n[[task]]\nid = "fix"\ntitle = "Fix the sum"\n'
        f'worker = "cli"\n{extra}\n',
        "plan.toml",
    )


async def create(engine: Engine, **options) -> GoalState:
    choice = await engine.choose_gates()
    return await create_goal(
        engine.ports, "" if "plan" in options else GOAL,
        CreateGoalOptions(gates=choice.specs, **options),
    )  # fmt: skip


async def run(engine: Engine, **options) -> GoalState:
    state = await create(engine, **options)
    assert state.status is S.PLANNED, state.blocked
    return await execute_goal(engine.ports, state.goal_id)


def reasons(state: GoalState) -> str:
    assert state.judgement is not None
    return "; ".join(state.judgement.reasons)


@pytest.mark.parametrize("more", [(), ("{prompt}",)], ids=["stdin", "argument"])
async def test_an_agent_that_fixes_it_is_ready_and_its_spend_is_unknown(
    engine: Engine, project: Path, config: Path, more: tuple[str, ...]
) -> None:
    before = fingerprint(project)
    configure(config, "mine", FIXES, *more)
    state = await run(engine, plan=a_plan(agent='"mine"'))
    assert state.status is S.READY, reasons(state)
    assert state.spend.tokens is None and state.spend.usd is None
    assert state.spend.source is SpendSource.UNKNOWN
    log = state.tasks["fix"].log
    assert log is not None and b"fixed it" in await engine.ports.store.read_object(log)
    assert fingerprint(project) == before
    proof, _ = read_bundle(await resolve_goal_proof(engine.ports, state.goal_id))
    assert proof.workers == ("cli (mine)",) and proof.spend.tokens is None


async def test_free_text_for_an_agent_ends_at_a_person_who_accepts_it(
    engine: Engine, config: Path
) -> None:
    configure(config, "mine", FIXES)
    state = await run(engine, agent="mine")
    assert state.status is S.BLOCKED_ON_HUMAN
    assert [c.id for c in state.criteria] == ["tests-holds", "accepted"]
    state = await accept_criterion(engine.ports, state.goal_id, "accepted", ME)
    assert state.status is S.READY, reasons(state)


async def test_an_agent_that_claims_success_without_a_change_is_not_ready(
    engine: Engine, config: Path
) -> None:
    configure(config, "liar", LIES)
    state = await run(engine, plan=a_plan(agent='"liar"'))
    assert state.status is S.NOT_READY
    assert "gate tests is not green" in reasons(state)


async def test_an_agent_that_was_not_ready_is_asked_again_and_told_why(
    engine: Engine, config: Path
) -> None:
    slow = "import sys\nprompt = sys.stdin.read()\n" + (
        "if 'is not enough' in prompt:\n"
        "    assert 'gate tests is not green' in prompt\n"
        "    text = open('calc.py').read()\n"
        "    open('calc.py', 'w').write(text.replace('a - b', 'a + b'))\n"
    )
    configure(config, "slow", slow)
    state = await run(engine, plan=a_plan(agent='"slow"'), budget=GoalBudget(repairs=0))
    assert state.status is S.NOT_READY
    state = await execute_goal(engine.ports, state.goal_id)
    assert state.status is S.READY, reasons(state)
    assert state.tasks["fix"].attempts == 2


async def test_an_agent_that_fails_says_its_last_line(engine: Engine, config: Path) -> None:
    configure(config, "sick", FAILS)
    state = await run(engine, plan=a_plan(agent='"sick"'))
    assert state.status is S.NOT_READY
    assert state.tasks["fix"].reason == "sick ended with exit code 3: 401: log in first"
    assert state.spend.tokens is None


async def test_of_its_last_lines_the_one_with_the_error_is_said(
    engine: Engine, config: Path
) -> None:
    said = (
        "print('0 errors\\n' * 9 + 'error: no login\\nSee log: /var/log/me')\nraise SystemExit(1)"
    )
    configure(config, "sick", said)
    state = await run(engine, plan=a_plan(agent='"sick"'))
    assert state.tasks["fix"].reason == "sick ended with exit code 1: error: no login"


async def test_what_an_agent_leaves_running_is_dead_when_its_turn_is_over(
    engine: Engine, config: Path
) -> None:
    script = configure(config, "forks", DAEMONIZES)
    state = await run(engine, plan=a_plan(agent='"forks"'))
    assert state.status is S.READY, reasons(state)
    assert not psutil.pid_exists(int(Path(f"{script}.pid").read_text()))


async def test_an_agent_that_takes_too_long_is_killed(engine: Engine, config: Path) -> None:
    configure(config, "hangs", HANGS)
    state = await run(engine, plan=a_plan(agent='"hangs"', timeout="0.5"))
    assert state.tasks["fix"].reason == "hangs was killed after 0.5 s, and said nothing"


@pytest.mark.parametrize("stop", [pause_goal, cancel_goal])
async def test_stopping_kills_the_agent_and_its_spend_stays_unknown(
    engine: Engine, config: Path, stop
) -> None:
    script = configure(config, "hangs", HANGS)
    state = await create(engine, plan=a_plan(agent='"hangs"'))
    job = asyncio.ensure_future(execute_goal(engine.ports, state.goal_id))
    await asyncio.to_thread(wait_until, Path(f"{script}.ready").exists)
    stopped = await stop(engine.ports, state.goal_id, ME)
    assert stopped.spend.tokens is None, "it spent something before it was stopped"
    assert not [
        p for p in psutil.process_iter(["cmdline"]) if str(script) in (p.info["cmdline"] or [])
    ]
    await job


async def test_a_command_of_a_plan_gets_the_workspace_and_nothing_secret(
    engine: Engine, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret")
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    shell = 'test "$PWD" = "$1" && ! env | grep -q secret && sed -i "s/a - b/a + b/" calc.py'
    plan = a_plan(command=f"['sh', '-c', '{shell}', 'sh', '{{workspace}}']")
    state = await run(engine, plan=plan)
    assert state.status is S.READY, reasons(state)


@pytest.mark.parametrize("program", ["claude", "sh"])
async def test_a_plan_s_own_way_to_start_a_known_agent_finds_its_login_and_no_namesake_does(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    checkout, workspace = tmp_path / "checkout", tmp_path / "workspace"
    for folder, said in (tmp_path / "bin", "theirs"), (workspace / "bin", "a namesake's"):
        folder.mkdir(parents=True)
        (folder / "claude").write_text(f'#!/bin/sh\necho "{said}"\n')
        (folder / "claude").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.defpath}")
    own = '[agent.mine]\nargv = ["sh", "x"]\nfolders = ["~/.mine"]\n'
    (config / "agents.toml").write_text(own)
    lent: list[Belongings] = []

    def confine(**given: Belongings) -> tuple[str, ...]:
        lent.extend(given.values())
        return () if given else ("a sandbox",)

    (task,) = a_plan(command=f"['{program}', '-c', 'echo sh', '{{prompt}}']").tasks
    turn = WorkerTurn(
        task=task, workspace=workspace, gates=(), log=tmp_path / "log", goal=GOAL, criteria=(),
        environment=SimpleNamespace(variables={"PATH": f"{workspace / 'bin'}:{os.defpath}"}),
        findings=(), read=None, record=None, confine=confine,
    )  # fmt: skip
    assert (await CliWorker(read_agents, checkout).run(turn)).ended
    known = program == "claude"
    assert turn.log.read_text() == ("theirs\n" if known else "sh\n")
    home = Path.home()
    assert [(one.folders, one.copies[:1]) for one in lent] == [
        ((home / ".claude",), (home / ".claude.json",)) if known else ((), ())
    ]


async def test_an_agent_gets_the_variables_that_its_owner_named(
    engine: Engine, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_AGENT_KEY", "key")
    monkeypatch.setenv("OTHER_KEY", "key")
    looks = (
        "import os\nassert os.environ['MY_AGENT_KEY'] == 'key' and 'OTHER_KEY' not in os.environ\n"
    )
    configure(config, "keyed", looks + FIXES, env=("MY_AGENT_KEY",))
    state = await run(engine, plan=a_plan(agent='"keyed"'))
    assert state.status is S.READY, state.tasks["fix"].reason


async def test_a_limit_that_an_agent_cannot_report_against_is_asked_about_first(
    engine: Engine, config: Path
) -> None:
    configure(config, "mine", FIXES)
    state = await create(engine, plan=a_plan(agent='"mine"'), budget=GoalBudget(usd="5"))
    state = await execute_goal(engine.ports, state.goal_id)
    assert state.status is S.BLOCKED_ON_HUMAN
    assert "cannot be kept: mine does not report what it uses" in state.open_questions[0].text
    assert state.tasks["fix"].attempts == 0
    with pytest.raises(BadInput, match="unlimited"):
        await answer_question(engine.ports, state.goal_id, "unmetered", "go on", ME)
    await answer_question(engine.ports, state.goal_id, "unmetered", "unlimited", ME)
    state = await resume_goal(engine.ports, state.goal_id)
    assert state.status is S.READY, state.blocked
    assert state.budget.usd is None


async def test_agents_are_refused_before_anything_is_made(
    engine: Engine, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match="no agent 'nobody'; there are claude, codex"):
        await create(engine, agent="nobody")
    with pytest.raises(BadInput, match="one of the workers acp, wire, cli"):
        await create(engine, agent="claude", worker="manual")
    with pytest.raises(BadPlan, match="names no agent .* and no command"):
        a_plan()
    monkeypatch.setenv("PATH", os.defpath)
    with pytest.raises(
        ToolMissing, match=r"has nobody to do it: agent codex .* npm install -g @openai/codex"
    ):
        await create(engine, agent="codex")
    with pytest.raises(BadInput, match=r"Say which agent .* None of the known ones"):
        await create(engine, worker="cli")
    assert list(await engine.ports.store.list()) == []


async def test_words_alone_go_to_the_only_agent_and_the_goal_says_so(
    engine: Engine, config: Path
) -> None:
    configure(config, "mine", FIXES)
    state = await create(engine)
    (task,) = state.graph
    assert (task.worker, task.agent, state.status) == ("cli", "mine", S.PLANNED)
    assert "You named nobody to do it: mine, the only agent on this machine" in " ".join(
        state.created.notices
    )
    configure(config, "other", FIXES)
    several = await create(engine)
    assert several.status is S.BLOCKED_ON_EXTERNAL and several.blocked is not None
    assert "On this machine are mine, other" in several.blocked.reason
    (config / "settings.toml").write_text('sandbox = "off"\nagent = "other"\n')
    chosen = await create(engine)
    assert [task.agent for task in chosen.graph] == ["other"]


async def test_an_agent_that_vanished_after_planning_says_how_to_get_it(
    engine: Engine, config: Path
) -> None:
    script = configure(config, "mine", FIXES)
    state = await create(engine, agent="mine")
    (config / "agents.toml").write_text(f"[agent.mine]\nargv = ['{script}-gone']\n")
    state = await execute_goal(engine.ports, state.goal_id)
    assert state.status is S.NOT_READY
    assert state.tasks["work"].status is TaskStatus.FAILED
    assert "agent mine is not on this machine" in state.tasks["work"].reason
    assert state.spend.tokens == 0, "nothing was spent"


async def test_a_repository_cannot_bring_an_agent_along(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = a_project(
        tmp_path / "hostile",
        **{"bin/claude": f"#!/bin/sh\ntouch {tmp_path}/owned\n", "agents.toml": "[agent.claude]\n"},
    )
    (project / "bin" / "claude").chmod(0o755)
    monkeypatch.setenv("PATH", f"{project / 'bin'}:bin:{os.defpath}")
    monkeypatch.chdir(project)
    engine = Engine.open(project)
    with pytest.raises(ToolMissing, match="claude was not found on PATH"):
        await create(engine, agent="claude")
    assert not (tmp_path / "owned").exists()
    engine.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[agent.x]\nargv = []\n", "says not how it is started"),
        ("[agent.x]\nargv = ['./x']\n", "depends on the folder"),
        ("[agent.x]\nargv = ['{prompt}']\n", "program from the prompt"),
        ("[agent.x]\nargv = ['x']\nsecret = 1\n", "agent.x.secret"),
        ("[agent.'X Y']\nargv = ['x']\n", "agent.X Y"),
        ("[agent", "cannot be read"),
        (f"a = {'9' * 5000}", "cannot be read"),
        ("a = " + "[" * 50_000, "cannot be read"),
    ],
)
def test_a_bad_configuration_of_agents_is_one_paragraph(config: Path, text: str, said: str) -> None:
    config.mkdir(exist_ok=True)
    (config / "agents.toml").write_text(text)
    with pytest.raises(BadConfiguration, match=said) as caught:
        read_agents()
    assert "agents.toml" in str(caught.value) and "\n" not in str(caught.value)


LIMITED_ONCE = f"""
import pathlib, sys
once = pathlib.Path(sys.argv[0] + ".once")
if not once.exists():
    once.touch()
    print("API Error: 429 rate_limit_error: try again later", file=sys.stderr)
    sys.exit(1)
{FIXES}"""


async def test_an_agent_that_its_vendor_put_off_is_asked_again(
    engine: Engine, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "PAUSES", dict.fromkeys(Trouble, Pause(first=0, most=0)))
    configure(config, "busy", LIMITED_ONCE, "{prompt}")
    state = await run(engine, plan=a_plan(agent='"busy"'))
    assert state.status is S.READY, state.judgement
    assert state.tasks["fix"].attempts == state.spend.attempts == 2
    told = [
        event for entry in await engine.ports.store.entries(state.goal_id) for event in entry.events
    ]
    (put_off,) = [event for event in told if event.type == "task.deferred"]
    assert (put_off.trouble, put_off.number) == (Trouble.RATE_LIMITED, 1)
    assert "429" in put_off.reason
