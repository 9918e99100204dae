"""The command line as a person types it, against an engine that is a script."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goal_engine.errors import JournalDamaged
from goal_engine.gates.detection.project import PassedOver
from goal_engine.gates.trust import digest_gate
from goal_engine.proof.verdict import Verdict
from goal_engine.runtime.config import config_dir
from goal_engine.state import events as e
from goal_server import cli, operations, session
from goal_server.registry import OPERATIONS, Operation

from .fakes import TESTS, FakeEngine, asked, created, goal_id, install, judged, planned

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    fake = install(monkeypatch, FakeEngine(tmp_path))
    opener = type("Opener", (), {"open": staticmethod(lambda path: fake)})
    monkeypatch.setattr(session, "Engine", opener)
    monkeypatch.setenv("GOALPROOF_STATE_DIR", str(tmp_path / "state"))
    return fake


@pytest.fixture
def run(engine: FakeEngine, capfd: pytest.CaptureFixture[str]) -> Run:
    def type_line(*args: str) -> tuple[int, str, str]:
        code = cli.run(list(args))
        out, err = capfd.readouterr()
        return code, out, err

    return type_line


def test_a_goal_runs_to_ready(run: Run, engine: FakeEngine) -> None:
    code, out, err = run("run", "Fix", "the", "login", "--trust")
    assert code == 0
    assert out.startswith("ready  Fix the login")
    assert "planned: 1 task" in err
    assert engine.closed


def test_options_may_stand_on_either_side_of_the_verb(run: Run) -> None:
    before = run("--json", "--trust", "run", "Fix it")
    after = run("run", "Fix it", "--trust", "--json")
    assert before == after
    assert json.loads(after[1])["status"] == "ready"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_no_option_of_a_verb_is_taken_for_one_of_the_whole_line(operation: Operation) -> None:
    names = [parameter.name for parameter in cli.make_command(operation).params]
    assert len(names) == len(set(names))


def test_json_leaves_stderr_alone(run: Run) -> None:
    assert run("run", "Fix it", "--trust", "--json")[2] == ""


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ((e.GoalStarted(), *judged(Verdict.NOT_READY, "gate tests: it fails")), 1),
        ((e.GoalStarted(), *judged(Verdict.NEEDS_PERSON, "accept it")), 3),
        ((e.GoalStarted(), e.GoalPaused(reason="lunch")), 4),
        ((e.GoalStarted(), e.GoalBlocked(on="budget", reason="used up", next="more")), 4),
        ((e.GoalStarted(), e.GoalCancelled(reason="no")), 5),
        ((e.GoalStarted(), e.GoalBlocked(on="infra", reason="no git", next="git")), 6),
    ],
)
def test_the_exit_code_tells_the_status(
    run: Run, engine: FakeEngine, ending: tuple[e.GoalEvent, ...], code: int
) -> None:
    engine.work = ending
    assert run("run", "Fix it", "--trust")[0] == code


def test_looking_at_a_goal_that_failed_is_no_failure(run: Run, engine: FakeEngine) -> None:
    engine.add(created(), planned(), e.GoalStarted(), *judged(Verdict.NOT_READY, "red"))
    code, out, _ = run("show", goal_id())
    assert code == 0
    assert out.startswith("not_ready")
    assert "why     red" in out


def test_an_untrusted_workspace_runs_nothing(run: Run, engine: FakeEngine) -> None:
    code, out, err = run("run", "Fix it")
    assert code == 7
    assert out == ""
    assert err.startswith("goalproof: `run` would run code of ")
    assert engine.calls == []


def test_an_untrusted_workspace_can_be_looked_at(run: Run, engine: FakeEngine) -> None:
    engine.add(created(), planned())
    assert run("list")[0] == 0


def test_trust_on_the_line_is_for_this_once(run: Run, engine: FakeEngine) -> None:
    assert run("run", "Fix it", "--trust")[0] == 0
    assert engine.trust.approved == []
    assert run("run", "Fix it")[0] == 7


def test_gates_that_changed_are_named_before_they_run(run: Run, engine: FakeEngine) -> None:
    engine.trust.workspace = True
    code, _, err = run("run", "Fix it")
    assert code == 7
    assert "tests: python -m pytest" in err
    assert engine.calls == []


def test_a_person_at_a_terminal_is_asked_once(
    run: Run, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []

    def confirm(text: str, **more: Any) -> bool:
        questions.append(text)
        return True

    monkeypatch.setattr(session, "can_ask", lambda: True)
    monkeypatch.setattr("click.confirm", confirm)
    assert run("run", "Fix it")[0] == 0
    count = len(questions)
    assert count
    assert engine.trust.approved == [TESTS]
    assert run("run", "Fix it")[0] == 0
    assert len(questions) == count


def test_an_unknown_goal_is_one_paragraph(run: Run) -> None:
    code, out, err = run("show", "goal-nope")
    assert (code, out) == (2, "")
    assert err == "goalproof: No goal is called goal-nope; `goalproof list` shows them.\n"


def test_a_refusal_is_json_when_asked_for(run: Run) -> None:
    code, out, err = run("show", "goal-nope", "--json")
    error = json.loads(out)["error"]
    assert (code, error["code"], error["class"], err) == (2, 2, "GoalNotFound", "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["frobnicate"], "There is no verb 'frobnicate'."),
        (["shwo", "x"], "Did you mean 'show'? `goalproof --help`"),
        (["show"], "Missing"),
        (["run", "x", "--wall-seconds", "no"], "--wall-seconds"),
        (["run", "x", "--wall-seconds", "0"], "wall-seconds: Input should be greater than 0"),
        (["accept", "g", "c"], "--reason"),
        (["list", "--status", "happy"], "no status 'happy'"),
        (["run", "--trust"], "Say what is to be true afterwards"),
        (["run", "--trust", "--plan", "absent.toml"], "cannot be read: No such file"),
    ],
)
def test_bad_input_is_named(run: Run, line: list[str], said: str) -> None:
    code, out, err = run(*line)
    assert (code, out) == (2, "")
    assert err.startswith("goalproof: ")
    assert said in err
    assert "Traceback" not in err


def test_limits_reach_the_goal(run: Run, engine: FakeEngine, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'goal = "Do it"\n[budget]\nattempts = 9\nwall_seconds = 60\n'
        '[[task]]\nid = "a"\ntitle = "A"\nsteps = [{ run = ["true"] }]\n'
    )
    assert run("run", "--plan", str(plan), "--wall-seconds", "5", "--trust")[0] == 0
    options = engine.calls[0][1]
    assert (options.budget.wall_seconds, options.budget.attempts) == (5, 9)
    assert options.plan.goal == "Do it"


def test_resume_without_limits_keeps_them(run: Run, engine: FakeEngine) -> None:
    engine.add(created(), planned(), e.GoalStarted(), e.GoalPaused(reason="lunch"))
    run("resume", goal_id(), "--trust")
    assert engine.calls == [("execute", (None,))]


def test_a_diff_reaches_a_pipe_byte_for_byte(
    engine: FakeEngine, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    engine.add(created(), planned())
    assert cli.run(["diff", goal_id()]) == 0
    assert b"-caf\xe9\n+\x1b[31mred" in capfdbinary.readouterr().out


def test_damaged_goals_are_listed(run: Run, engine: FakeEngine) -> None:
    engine.add(created(), planned())
    engine.damaged = ("goal-broken",)
    code, out, _ = run("list", "--json")
    goals = json.loads(out)["goals"]
    assert code == 0
    assert [goal["status"] for goal in goals] == ["damaged", "planned"]


def test_questions_are_shown_with_the_way_to_answer(run: Run, engine: FakeEngine) -> None:
    engine.add(created(), asked("scope"), e.GoalBlocked(on="human", reason="vague", next="answer"))
    assert f"goalproof answer {goal_id()} scope TEXT" in run("show", goal_id())[1]


def test_next_steps_can_be_pasted_where_the_person_is(run: Run, engine: FakeEngine) -> None:
    engine.add(created(), planned())
    assert f"goalproof -C sub execute {goal_id()}" in run("-C", "sub", "show", goal_id())[1]


def test_a_reason_for_stopping_is_recorded(run: Run, engine: FakeEngine) -> None:
    engine.add(created(), planned())
    assert run("cancel", goal_id(), "--reason", "changed my mind")[0] == 0
    assert engine.calls[0][1].reason == "changed my mind"


def test_agents_shows_who_is_on_this_machine_and_starts_nobody(
    run: Run,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path_factory.mktemp("config")))
    mine, theirs = tmp_path_factory.mktemp("bin"), tmp_path / "bin"
    theirs.mkdir()
    for program in (mine / "codex", theirs / "claude"):
        program.write_text("#!/bin/sh\ntouch started\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{theirs}:{mine}:bin")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    view = json.loads(run("agents", "--json")[1])
    found = {agent["name"]: agent for agent in view["agents"]}
    assert found["codex"]["path"] == str(mine / "codex") and found["codex"]["available"]
    assert found["claude"]["path"] is None, "what lies in the checkout is the repository's"
    assert not (tmp_path / "started").exists()
    assert [worker["name"] for worker in view["workers"]] == [
        *("recipe", "acp", "wire", "cli", "manual")
    ]
    assert found["codex"]["isDefault"] and found["codex"]["logIn"] == "`codex login`"
    assert [way["worker"] for way in found["codex"]["ways"] if way["available"]] == ["cli"]
    assert "codex-acp was not found on PATH" in found["codex"]["ways"][0]["missing"]
    assert {way["worker"]: way["tokens"] for way in found["kimi"]["ways"]}["wire"] == "live"
    text = run("agents")[1]
    words = " ".join(text.split())
    assert "by `cli`: tokens told after each turn, dollars" in words, words
    assert "`acp` would be better: codex-acp was not found on PATH" in words
    assert "is not on this machine:" not in words and "claude was not found on PATH" in words
    assert "agents.toml" in text and "here" in text and "no login seen: `codex login`" in text
    config_dir().mkdir(parents=True, exist_ok=True)
    (config_dir() / "agents.toml").write_text('[agent.mine]\nacp = ["codex"]\n', encoding="utf-8")
    (mine,) = (line for line in run("agents")[1].splitlines() if " mine " in line)
    assert mine.split(maxsplit=3)[3].startswith("your own") and "login" not in mine


def test_a_worker_and_an_agent_are_words(run: Run, engine: FakeEngine) -> None:
    assert run("run", "Fix it", "--trust", "--worker", "cli", "--agent", "codex")[0] == 0
    options = engine.calls[0][1]
    assert (options.worker, options.agent) == ("cli", "codex")
    code, _, err = run("run", "Fix it", "--trust", "--worker", "robot")
    assert code == 2 and "'recipe', 'acp', 'wire', 'cli' or 'manual'" in err


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        ((e.GoalStarted(), e.GoalPaused(reason="stopped")), "paused; everything|resume"),
        ((), "planned; everything|execute"),
    ],
    ids=["under way", "not begun"],
)
def test_ctrl_c_pauses_and_says_how_to_go_on(
    run: Run, engine: FakeEngine, recorded: tuple[e.GoalEvent, ...], said: str
) -> None:
    async def press() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            engine.add(created(), planned(), *recorded)

    engine.execute = press
    code, _, err = run("run", "Fix it", "--trust")
    stands, verb = said.split("|")
    assert code == 130 and f"{goal_id()} is {stands}" in err
    assert f"`goalproof {verb} {goal_id()}` goes on" in err


def test_a_fault_of_ours_is_a_paragraph_and_a_log(
    run: Run, engine: FakeEngine, tmp_path: Path
) -> None:
    async def fail() -> None:
        raise RuntimeError("wires crossed")

    engine.execute = fail
    code, _, err = run("run", "Fix it", "--trust")
    assert code == 70
    assert "Traceback" not in err
    assert str(tmp_path / "state" / "crash.log") in err
    assert "wires crossed" in (tmp_path / "state" / "crash.log").read_text()


def test_a_damaged_journal_is_infrastructure(run: Run, engine: FakeEngine) -> None:
    async def fail() -> None:
        raise JournalDamaged("Line 3 of the journal does not verify.")

    engine.execute = fail
    assert run("run", "Fix it", "--trust")[0] == 6


def test_gates_can_be_approved_by_the_digest_that_is_shown(run: Run, engine: FakeEngine) -> None:
    engine.trust.workspace = True
    shown = json.loads(run("trust-gate", "--json")[1])["gates"]
    assert [(gate["name"], gate["trusted"]) for gate in shown] == [("tests", False)]
    assert engine.trust.approved == []
    code, out, _ = run("trust-gate", shown[0]["digest"])
    assert code == 0 and "tests  approved" in out
    assert run("run", "Fix it")[0] == 0


def test_what_is_no_gate_is_shown_with_the_reason(run: Run, engine: FakeEngine) -> None:
    engine.trust.workspace = True
    engine.gates = (TESTS.changed(cwd="web", reason="`test` in package.json"),)
    engine.passed_over = (
        PassedOver("nox", ".", "it makes environments of its own"),
        PassedOver("ruff", "api\u202e", "it is not installed\x1b[2J", absent=True),
    )
    out = " ".join(run("gates")[1].split())
    assert "(in web)" in out and "why: `test` in package.json" in out
    assert "Not gates nox it makes environments of its own ruff in api: it is not installed" in out
    told = json.loads(run("gates", "--json")[1])["passedOver"]
    assert [(one["what"], one["absent"]) for one in told] == [("nox", False), ("ruff", True)]


def test_all_gates_that_there_are_can_be_approved_at_once(run: Run, engine: FakeEngine) -> None:
    engine.trust.workspace = True
    assert run("trust-gate", "--all")[0] == 0
    assert engine.trust.approved == [TESTS]


def test_a_gate_of_an_older_goal_can_be_approved_too(run: Run, engine: FakeEngine) -> None:
    engine.trust.workspace = True
    older = TESTS.changed(argv=("python", "-m", "unittest"))
    engine.add(created(gates=(older,)), planned())
    assert run("trust-gate", digest_gate(older))[0] == 0
    assert engine.trust.approved == [older]


def test_a_digest_that_no_gate_has_approves_nothing(run: Run, engine: FakeEngine) -> None:
    engine.trust.workspace = True
    code, _, err = run("trust-gate", digest_gate(TESTS), "0" * 64)
    assert code == 2 and "look at `gates` again" in err
    assert engine.trust.approved == []


def test_nothing_that_a_gate_runs_is_hidden_from_who_approves_it(
    run: Run, engine: FakeEngine
) -> None:
    hostile = TESTS.changed(argv=("sh", "-c", "rm\u202e -rf"), env={"LD_PRELOAD": "x"}, fix=("fx",))
    engine.gates = (hostile,)
    engine.trust.workspace = True
    _, _, err = run("run", "Fix it")
    said = " ".join(err.split())
    assert "tests: sh -c 'rm\\u202e -rf' (sets LD_PRELOAD; fixed by fx)" in said
    assert "\u202e" not in err


def test_a_plan_is_opened_before_it_is_revised(run: Run, engine: FakeEngine) -> None:
    state = engine.add(created(), planned())
    assert f"goalproof open {goal_id()} plan" in run("show", goal_id())[1]
    code, out, _ = run("open", goal_id(), "plan")
    assert code == 0
    assert (
        Path(out.strip()).read_text(encoding="utf-8").startswith("# The plan of " + state.goal_id)
    )
    assert json.loads(run("show", goal_id(), "--json")[1])["planPath"] == out.strip()
    assert run("open", goal_id(), "nonsense")[0] == 2


def test_the_text_of_a_plan_is_not_for_the_command_line(run: Run) -> None:
    for verb in ("run", "execute", "revise"):
        assert "plan-text" not in run(verb, "--help")[1]


def test_what_was_applied_can_be_taken_out(run: Run, engine: FakeEngine) -> None:
    taken: list[bool] = []

    async def apply_change(ports: Any, goal: str, *, undo: bool, editor: Any, by: str) -> Any:
        assert by
        taken.append(undo)
        return engine.goals[goal]

    async def find_proof(ports: Any, goal: str) -> Path:
        return Path("proof")

    vars(operations.local)["apply_change"] = apply_change
    vars(operations.queries)["resolve_goal_proof"] = find_proof
    applied = e.ChangeApplied(tree="b" * 40, files=("a.py",))
    engine.add(created(), planned(), e.GoalStarted(), *judged(Verdict.READY), applied)
    assert f"goalproof apply {goal_id()} --undo" in run("apply", goal_id())[1]
    assert run("apply", goal_id(), "--undo")[0] == 0
    assert taken == [False, True]


@pytest.mark.parametrize("verb", ["execute", "resume"])
@pytest.mark.parametrize("more", [(), ("--trust",)])
def test_what_a_status_rules_out_is_said_before_anybody_is_asked_for_trust(
    run: Run, engine: FakeEngine, verb: str, more: tuple[str, ...]
) -> None:
    engine.add(created(), planned(), e.GoalCancelled(reason="no"))
    code, _, err = run(verb, goal_id(), *more)
    assert code == 4 and "is cancelled" in err
    assert engine.calls == []


def test_why_a_goal_stands_still_is_said_in_words(run: Run, engine: FakeEngine) -> None:
    unchanged = judged(Verdict.NOT_READY, "gate tests: red")[1:]
    engine.add(created(), planned(), e.GoalStarted(), *unchanged)
    code, out, _ = run("diagnose", goal_id())
    assert code == 0, "that it is not ready is no failure of asking why"
    assert out.startswith("not_ready  Fix the login") and "why     gate tests: red" in out
    assert f"goalproof execute {goal_id()}" in out
    told = json.loads(run("--json", "diagnose", goal_id())[1])
    assert told["status"] == "not_ready" and told["cause"] == "nothing was changed"
