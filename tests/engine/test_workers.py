"""Who does a task: what a plan may say, who gets what nobody was named for, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from goal_engine.budget import Spend, SpendSource
from goal_engine.decision import Answer, EvidenceKind
from goal_engine.document import assign_workers, parse_plan
from goal_engine.errors import (
    BadInput,
    BadPlan,
    GoalAmbiguous,
    GoalNotFound,
    NotPossibleNow,
    ToolMissing,
)
from goal_engine.planner import (
    CreateGoalOptions,
    check_agents,
    choose_agent,
    plan_whole,
    replan,
    settle_worker,
)
from goal_engine.progress import render_progress
from goal_engine.proof.verdict import Verdict
from goal_engine.state import commands as c
from goal_engine.state import events as e
from goal_engine.state.decide import decide
from goal_engine.state.evolve import fold
from goal_engine.task_graph.graph import GoalTask, GoalTaskGraph, WriteStep
from goal_engine.types import GoalKind, GoalStatus, TaskStatus
from goal_engine.workers.agents import find_folders
from goal_engine.workers.commands import find_last_line
from goal_engine.workers.installed import Hands
from goal_engine.workers.presets import PRESETS, fill_argv, hold, takes_argument
from tests.builders import (
    BASE,
    INTEGRATED,
    ME,
    NOTHING,
    NOW,
    OTHER,
    a_gate,
    a_goal,
    a_goal_created,
    a_judgement,
    a_question,
    planned,
)

S = GoalStatus
KNOWN = {agent.name: agent for agent in PRESETS}
STEP = WriteStep(write="x", content="")


def task(name="a", **changes):
    return GoalTask(id=name, title=name, **changes)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (task(), "has no steps"),
        (task(worker="manual", steps=(STEP,)), "does not carry out"),
        (task(worker="cli", agent="x", steps=(STEP,)), "does not carry out"),
        (task(worker="cli"), "names no agent (`agent`, or `--agent`) and no command"),
        (task(worker="acp"), "names no agent (`agent`, or `--agent`)"),
        (task(worker="cli", agent="x", command=("y",)), "an agent and a command"),
        (task(steps=(STEP,), command=("y",)), "gives `command`, for an agent"),
        (task(worker="manual", agent="x"), "gives `agent`, for an agent"),
        (task(worker="manual", timeout=5), "gives `timeout`, for an agent"),
        (task(worker="cli", command=(" ", "y")), "begins with no program"),
        (task(worker="cli", command=("x", "\0")), "NUL"),
    ],
)
def test_a_task_that_its_worker_cannot_do_is_a_problem(bad: GoalTask, said: str) -> None:
    assert [said in problem.message for problem in GoalTaskGraph(tasks=(bad,)).validate()] == [True]


@pytest.mark.parametrize(
    "good",
    [
        task(worker="manual"),
        task(worker="cli", agent="x"),
        task(worker="cli", command=("y", "{prompt}")),
    ],
)
def test_a_task_for_an_agent_or_a_person_needs_no_steps(good: GoalTask) -> None:
    assert GoalTaskGraph(tasks=(good,)).validate() == ()


PLAN = """
goal = "Make sums right in calc.py"
[[task]]
id = "nobody"
title = "n"
[[task]]
id = "steps"
title = "s"
deps = ["nobody"]
steps = [{ write = "x", content = "" }]
[[task]]
id = "named"
title = "m"
deps = ["steps"]
worker = "manual"
"""


def test_a_worker_is_for_the_tasks_that_name_none() -> None:
    plan = parse_plan(PLAN, "plan.toml", "cli", "codex")
    assert [(t.worker, t.agent) for t in plan.tasks] == [
        ("cli", "codex"),
        ("recipe", ""),
        ("manual", ""),
    ]
    assert assign_workers(plan, "manual") == plan, "who was named stays"
    assert parse_plan(PLAN, "plan.toml", agent="codex") == plan
    with pytest.raises(BadPlan, match="task nobody has no steps"):
        parse_plan(PLAN, "plan.toml")


def test_free_text_is_one_task_and_a_person_judges_it() -> None:
    gates = (a_gate(), a_gate(name="lint"), a_gate(name="slow", required=False))
    text = "Make sums right\nand say so" + "!" * 200
    made = plan_whole(text, GoalKind.MIXED, gates, "cli", "claude")
    (only,) = made.graph
    assert (only.title, only.writes, only.agent) == ("Make sums right", ("**",), "claude")
    assert made.graph.validate() == ()
    assert [(c.evidence, c.gate) for c in made.criteria] == [
        (EvidenceKind.HOLDS, "tests"),
        (EvidenceKind.HOLDS, "lint"),
        (EvidenceKind.ACCEPTED, None),
    ]
    assert made.criteria[-1].text == text
    assert len(plan_whole("x" * 300, GoalKind.FIX, gates, "manual").graph.tasks[0].title) == 100


BOTH = {"codex": ("cli",), "kimi": ("acp", "cli")}
ONE = {"codex": ("cli",)}


def settle(installed=ONE, preferred="", **options):
    made = CreateGoalOptions(gates=(), **options)
    settled = settle_worker(made, Hands(KNOWN, installed, preferred))
    return settled.worker, settled.agent


def test_an_agent_alone_means_the_best_worker_that_starts_it_here() -> None:
    assert settle(agent="claude") == ("cli", "claude")
    assert settle(agent="kimi", installed=BOTH) == ("acp", "kimi")
    assert settle(agent="kimi", worker="cli", installed=BOTH) == ("cli", "kimi")
    assert settle(worker="manual") == ("manual", "")
    assert settle() == (None, "")
    with pytest.raises(BadInput, match=r"`--agent NAME`.*this machine are codex, kimi"):
        settle(worker="cli", installed=BOTH)
    with pytest.raises(BadInput, match="one of the workers acp, wire, cli"):
        settle(worker="recipe", agent="claude")
    with pytest.raises(BadInput, match="no agent 'nobody'"):
        settle(agent="nobody")


def test_a_worker_alone_means_the_agent_that_alone_can_be_meant() -> None:
    assert settle(worker="cli") == ("cli", "codex")
    assert settle(worker="acp", installed=BOTH) == ("acp", "kimi")
    assert settle(worker="cli", installed=BOTH, preferred="kimi") == ("cli", "kimi")
    with pytest.raises(BadInput, match="is on this machine for the worker `wire`"):
        settle(worker="wire")


def choose(text="Make sums right", installed=ONE, preferred="", gates=(), **options):
    made = CreateGoalOptions(gates=gates, **options)
    chosen = choose_agent(made, text, Hands(KNOWN, installed, preferred))
    return chosen.worker, chosen.agent, " ".join(chosen.notices)


def test_words_alone_go_to_the_agent_that_is_set_or_the_only_one_and_it_is_said() -> None:
    assert choose() == (
        "cli",
        "codex",
        "You named nobody to do it: codex, the only agent on this machine, does (worker `cli`)."
        " `--agent NAME` or `--worker manual`, which is you, is somebody else.",
    )
    worker, agent, notice = choose(installed=BOTH, preferred="kimi")
    assert (worker, agent) == ("acp", "kimi") and "as your settings say" in notice
    for nobody in (
        choose(installed=BOTH),
        choose(installed={}),
        choose("Make the linter pass", gates=(a_gate(name="lint", fix=("ruff", "--fix")),)),
    ):
        assert nobody == (None, "", "")
    assert choose(worker="manual")[0] == "manual"


def test_a_plan_is_refused_whose_agents_are_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    def check(installed, **named) -> None:
        check_agents(GoalTaskGraph(tasks=(task(**named),)), Hands(KNOWN, installed), tmp_path)

    check({"claude": ("cli",)}, worker="cli", agent="claude")
    with pytest.raises(
        ToolMissing, match="claude was not found on PATH; npm install -g @anthropic"
    ):
        check({}, worker="cli", agent="claude")
    with pytest.raises(ToolMissing, match="claude-agent-acp was not found on PATH; npm install"):
        check({"claude": ("cli",)}, worker="acp", agent="claude")
    with pytest.raises(ToolMissing, match=r"claude is for `acp` or `cli`, not for .* `wire`"):
        check({"claude": ("cli",)}, worker="wire", agent="claude")
    with pytest.raises(BadInput, match="no agent 'x'"):
        check({}, worker="cli", agent="x")


def test_a_task_that_names_an_agent_alone_gets_the_worker_that_starts_it() -> None:
    rows = """goal = "x"
[[task]]
id = "theirs"
title = "n"
agent = "kimi"
[[task]]
id = "command"
title = "n"
command = ["x"]
[[task]]
id = "anybody"
title = "n"
[policy]
sequential = true
"""
    plan = parse_plan(rows, "p", "cli", "codex", BOTH)
    assert [(t.worker, t.agent) for t in plan.tasks] == [
        ("acp", "kimi"),
        ("cli", ""),
        ("cli", "codex"),
    ]


def test_an_answered_goal_goes_to_the_worker_it_was_created_for() -> None:
    created = a_goal_created(worker="manual")
    goal = fold((created, e.QuestionsAsked(questions=(a_question(),))))
    answer = Answer(question="what", text="add() in calc.py", decision=ME)
    made, blocked, _ = replan(goal, answer)
    assert blocked is None and made is not None
    assert [t.worker for t in made.graph] == ["manual"]

    nobody = fold((a_goal_created(), e.QuestionsAsked(questions=(a_question(),))))
    made, blocked, _ = replan(nobody, answer, ("codex",))
    assert made is None and blocked is not None
    assert "--worker manual" in blocked.reason and "--agent codex" in blocked.reason


def test_presets_ask_nobody_and_fill_in_what_they_are_told() -> None:
    for agent in PRESETS:
        filled = fill_argv(agent.argv, "say {workspace} {prompt}", "/w")
        assert takes_argument(agent.argv) == ("say {workspace} {prompt}" in filled)
        assert agent.install and agent.env
    assert fill_argv(("x", "-C{workspace}", "{prompt}"), "{prompt}", "/w") == (
        "x",
        "-C/w",
        "{prompt}",
    )


def test_an_agent_with_a_sandbox_of_its_own_leaves_it_out_in_ours_and_no_other_changes() -> None:
    codex = KNOWN["codex"]
    acp, cli = (codex.ways[worker] for worker in ("acp", "cli"))
    assert (acp.mode, acp.reading) == ("agent", "read-only")
    assert {hold(acp).mode, hold(acp).reading} == {"agent-full-access"}
    assert "workspace-write" in cli.argv and "danger-full-access" not in cli.argv
    for argv in (cli.argv, codex.looks):
        held = hold(replace(cli, argv=argv)).argv
        assert held[held.index("--sandbox") + 1] == "danger-full-access"
        assert [word for word in held if word not in argv] == ["danger-full-access"]
    for agent in PRESETS:
        for speaks in agent.ways.values():
            assert agent is codex or hold(speaks) == speaks


# a task in a person's hands


HANDED = e.TaskHandedOver(task="fix", attempt=1, folder="/desks/fix")
STARTED = e.TaskStarted(task="fix", attempt=1, base_commit=BASE)


def by_hand(*more: e.GoalEvent, worker="manual"):
    first = fold(
        (
            a_goal_created(),
            planned(
                GoalTask(id="fix", title="Fix", worker=worker, agent="x" if worker == "cli" else "")
            ),
        )
    )
    return fold((e.GoalStarted(), STARTED, *more), first)


def test_no_agent_writes_into_the_repository_or_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`CODEX_HOME=$PWD/.codex`: the sandbox of its tasks would be open in the person's checkout."""
    home, checkout = tmp_path / "home", tmp_path / "home" / "code" / "project"
    own = home / "elsewhere"
    for folder in (own, checkout / ".codex", home / ".codex"):
        folder.mkdir(parents=True)
    (home / "link").symlink_to(checkout / ".codex")
    monkeypatch.setenv("HOME", str(home))
    refused = (checkout / ".codex", home / "link", checkout, checkout.parent, home, Path("/"))
    for told in refused:
        monkeypatch.setenv("CODEX_HOME", str(told))
        assert find_folders(KNOWN["codex"], checkout) == (home / ".codex",), told
    monkeypatch.setenv("CODEX_HOME", str(own))
    assert find_folders(KNOWN["codex"], checkout) == (home / ".codex", own)
    bold = replace(KNOWN["codex"], folders=("~/code", "~/code/project/.agent"))
    assert find_folders(bold, checkout) == (own,)


def test_a_folder_stays_until_its_tree_is_taken() -> None:
    goal = by_hand(HANDED)
    assert goal.handed_over == ("fix",) and goal.only_waits_for_person
    assert render_progress(goal).blocker == "waiting for you: /desks/fix"
    for event in (
        e.GoalPaused(reason="x"),
        e.GoalInterrupted(),
        e.GoalBlocked(on="infra", reason="", next=""),
    ):
        stopped = fold((event,), goal)
        at = stopped.tasks["fix"]
        assert (at.status, at.folder, at.base) == (TaskStatus.PENDING, "/desks/fix", BASE)
        assert stopped.handed_over == ()
    failed = fold((e.TaskFailed(task="fix", attempt=1, reason="no", spent=Spend()),), goal)
    assert failed.tasks["fix"].folder == "/desks/fix"
    done = fold(
        (e.TaskFinished(task="fix", attempt=1, commit=OTHER, evidence=NOTHING, spent=Spend()),),
        goal,
    )
    assert done.tasks["fix"].folder == "/desks/fix"
    taken = fold((INTEGRATED.changed(tasks=("fix",)),), done)
    assert taken.tasks["fix"].folder is None


def test_a_cancel_keeps_what_it_names() -> None:
    goal = by_hand(HANDED)
    assert fold((e.GoalCancelled(reason="", kept=("fix",)),), goal).tasks["fix"].folder
    assert fold((e.GoalCancelled(reason=""),), goal).tasks["fix"].folder is None


def test_submit_is_for_what_waits() -> None:
    goal = by_hand(HANDED)
    (event,) = decide(goal, c.SubmitTask(None, ME), NOW)
    assert event == e.TaskSubmitted(task="fix", attempt=1, decision=ME)
    done = fold((event,), goal)
    assert done.handed_over == () and not done.only_waits_for_person
    with pytest.raises(NotPossibleNow, match="no task waits for you"):
        decide(done, c.SubmitTask(None, ME), NOW)
    with pytest.raises(GoalNotFound, match="no task 'x'"):
        decide(goal, c.SubmitTask("x", ME), NOW)
    paused = fold((e.GoalPaused(reason="x"),), done)
    assert paused.tasks["fix"].submitted is None, "they may have gone on meanwhile"
    with pytest.raises(NotPossibleNow, match="`resume` it"):
        decide(paused, c.SubmitTask("fix", ME), NOW)
    with pytest.raises(NotPossibleNow, match="Possible: execute"):
        decide(a_goal(), c.SubmitTask(None, ME), NOW)


def test_of_several_one_is_named() -> None:
    both = planned(*(GoalTask(id=n, title=n, worker="manual", writes=(n,)) for n in ("a", "b")))
    hands = [
        event
        for n in ("a", "b")
        for event in (
            e.TaskStarted(task=n, attempt=1, base_commit=BASE),
            e.TaskHandedOver(task=n, attempt=1, folder=n),
        )
    ]
    goal = fold((a_goal_created(), both, e.GoalStarted(), *hands))
    with pytest.raises(GoalAmbiguous, match="a, b"):
        decide(goal, c.SubmitTask(None, ME), NOW)
    assert decide(goal, c.SubmitTask("b", ME), NOW)


@pytest.mark.parametrize("worker", ["cli", "manual"])
def test_after_not_ready_agents_and_people_go_on_and_steps_do_not(worker: str) -> None:
    ended = e.TaskFinished(task="fix", attempt=1, commit=OTHER, evidence=NOTHING, spent=Spend())
    judged = e.GoalJudged(judgement=a_judgement(Verdict.NOT_READY))
    goal = by_hand(ended, INTEGRATED, judged, e.GoalNotReady(), e.GoalStarted(), worker=worker)
    assert goal.tasks["fix"].status is TaskStatus.PENDING and goal.tasks["fix"].attempts == 1
    assert goal.integrated == () and goal.commit == OTHER
    steps = a_goal(S.RUNNING, STARTED, ended, INTEGRATED, judged, e.GoalNotReady(), e.GoalStarted())
    assert steps.tasks["fix"].status is TaskStatus.DONE and steps.integrated == ("fix",)
    ready = e.GoalJudged(judgement=a_judgement()), e.GoalReady(), e.GoalStarted()
    again = by_hand(ended, INTEGRATED, *ready, worker=worker)
    assert again.tasks["fix"].status is TaskStatus.DONE, "what is ready is only proved again"


@pytest.mark.parametrize(
    "end",
    [
        e.GoalPaused(reason="x"),
        e.GoalCancelled(reason="x"),
        e.GoalInterrupted(),
        e.GoalBlocked(on="budget", reason="x", next="y"),
    ],
    ids=lambda event: event.type,
)
def test_what_a_stopped_agent_spent_is_unknown(end: e.GoalEvent) -> None:
    spent = by_hand(end, worker="cli").spend
    assert spent.tokens is None and spent.usd is None and spent.source is SpendSource.UNKNOWN
    assert by_hand(end).spend.tokens == 0


OLD_NODE = """\
import zlib, { createZstdDecompress, gzip } from "node:zlib";
               ^^^^^^^^^^^^^^^^^^^^
SyntaxError: 'node:zlib' does not provide an export named 'createZstdDecompress'
    at ModuleJob._instantiate (node:internal/modules/esm/module_job:213:21)
    at async ModuleJob.run (node:internal/modules/esm/module_job:320:5)
    at async ModuleLoader.import (node:internal/modules/esm/loader:606:24)
    at async node:internal/main:117:5

Node.js v20.20.2
"""


def test_of_a_crash_in_node_the_error_is_quoted_and_not_where_it_was() -> None:
    assert find_last_line(OLD_NODE).startswith("SyntaxError: 'node:zlib' does not provide")
    assert find_last_line("look at it\n") == "look at it"
