"""A task that an agent proposes joins by every rule, and by a person's word or the plan's."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goal_engine.agent import (
    MOST_AT_ONCE,
    MOST_BYTES,
    RULES,
    GoalAgentTaskProposal,
    Unreadable,
    covers,
    is_plain_path,
    parse_proposal,
)
from goal_engine.budget import GoalBudget, InFlight, Spend, TaskBudget
from goal_engine.errors import BadInput
from goal_engine.runtime.dropped import Dropped, read_dropped
from goal_engine.state import commands as c
from goal_engine.state import events as e
from goal_engine.state.decide import decide
from goal_engine.state.evolve import fold
from goal_engine.state.proposals import find_questions
from goal_engine.task_graph.globs import match_any, match_glob
from goal_engine.task_graph.graph import GoalTask, GoalTaskGraph
from goal_engine.task_graph.policy import WorkPolicy
from goal_engine.types import GoalStatus, TaskStatus
from goal_engine.workers.prompt import PROPOSING, render_prompt
from tests.builders import A_PROPOSAL, BASE, ME, NOTHING, NOW, OTHER, a_goal, do

S, T = GoalStatus, TaskStatus
ACCEPT, REFUSE = WorkPolicy(proposals="accept"), WorkPolicy(proposals="refuse")
FINISHED = e.TaskFinished(
    task="fix", attempt=1, commit=OTHER, evidence=NOTHING, spent=Spend(attempts=1)
)
BEGUN = e.TaskStarted(task="fix", attempt=1, base_commit=BASE)


def an_agents_task(name, *deps, writes, **more):
    return GoalTask(id=name, title=name, deps=deps, writes=writes, worker="cli", agent="x", **more)


def a_state(policy=ACCEPT, budget=None):
    """Return a goal whose first task's agent is at work; a second one waits."""
    tasks = (
        an_agents_task("fix", writes=("src/**", "README.md", "docs/*.md", "src/deep/*.py")),
        an_agents_task("next", "fix", writes=("src/next.py",), reads=("docs/next.md",)),
    )
    goal = a_goal(S.RUNNING)
    fresh = goal.tasks["fix"]
    goal = goal.changed(
        graph=GoalTaskGraph(tasks=tasks), tasks={"fix": fresh, "next": fresh}, policy=policy
    )
    return fold((BEGUN,), goal.changed(budget=budget or GoalBudget()))


def leave(state, *left, end=FINISHED):
    command = c.RecordStep("task", InFlight(), (end,), "fix", tuple(left))
    events = decide(state, command, NOW)
    told = (e.TaskProposed, e.ProposalAccepted, e.ProposalRejected)
    return [event for event in events if isinstance(event, told)]


def one(**changes):
    return A_PROPOSAL.changed(**changes)


def test_a_proposal_that_keeps_every_rule_joins_and_is_done_by_the_same_agent_afterwards():
    (told,) = leave(a_state(), one(read_set=("src/a.py",), budget_secs=60, priority=4))
    assert isinstance(told, e.ProposalAccepted) and (told.by, told.attempt) == ("fix", 1)
    assert told.task.deps == ("fix",) and told.task.acceptance == A_PROPOSAL.acceptance
    assert (told.task.worker, told.task.agent, told.task.priority) == ("cli", "x", 4)
    assert told.task.budget == TaskBudget(seconds=60)
    after = fold((FINISHED, told), a_state())
    assert after.tasks["more"].status is T.PENDING and after.accepted == ("more",)
    assert after.plan.validate() == ()


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("blank", {"id": " "}),
        ("blank", {"title": ""}),
        ("blank", {"description": "\n"}),
        ("id", {"id": "More"}),
        ("id", {"id": "../x"}),
        ("id", {"id": "a" * 65}),
        ("id", {"id": "repair-1"}),
        ("taken", {"id": "next"}),
        ("acceptance", {"acceptance": ()}),
        ("acceptance", {"acceptance": ("yes", " ")}),
        ("writes", {"write_set": ()}),
        ("budget", {"budget_secs": 0}),
        ("budget", {"budget_secs": -5}),
        ("budget", {"budget_secs": 3601}),
        ("publishing", {"description": "Then publish it"}),
        ("publishing", {"title": "upload to crates.io"}),
        ("publishing", {"write_set": ("src/Publish.yml",)}),
        ("path", {"write_set": ("../x",)}),
        ("path", {"write_set": ("/etc/passwd",)}),
        ("path", {"write_set": ("~/x",)}),
        ("path", {"read_set": ("a\\b",)}),
        ("path", {"write_set": (".GitHub/workflows/ci.yml",)}),
        ("path", {"write_set": ("sub/.gitignore",)}),
        ("path", {"write_set": ("GIT~1/config",)}),
        ("path", {"write_set": (".Goalproof/x",)}),
        ("path", {"write_set": (".git. /config",)}),
        ("path", {"write_set": (".g\u200cit/config",)}),
        ("path", {"write_set": ("a\nb",)}),
        ("dependency", {"dependencies": ("more",)}),
        ("dependency", {"dependencies": ("gone",)}),
        ("conflict", {"write_set": ("src/next.py",)}),
        ("conflict", {"write_set": ("src/*.py",)}),
        ("conflict", {"write_set": ("docs/next.md",)}),
        ("conflict", {"read_set": ("src/next.py",)}),
    ],
)
def test_a_broken_rule_refuses_and_is_named(rule, changes):
    (told,) = leave(a_state(), one(**changes))
    assert isinstance(told, e.ProposalRejected), told
    assert told.rule == rule and told.reason
    assert fold((FINISHED, told), a_state()).tasks.keys() == {"fix", "next"}


def test_every_rule_is_broken_by_some_test():
    tried = {"blank", "id", "taken", "acceptance", "writes", "budget", "publishing", "path"}
    tried |= {"dependency", "conflict", "policy", "number", "wider", "risk", "asked"}
    assert {rule.name for rule in RULES} == tried


@pytest.mark.parametrize("path", ["src/publisher.py", "src/git/x.py", "a.git", "docs/*.md"])
def test_plain_paths_are_not_taken_for_others(path):
    assert is_plain_path(path)
    (told,) = leave(a_state(), one(write_set=("src/publisher.py",)))
    assert isinstance(told, e.ProposalAccepted)


def test_what_waits_for_a_task_is_not_in_its_way():
    (told,) = leave(a_state(), one(write_set=("src/next.py",), dependencies=("next",)))
    assert isinstance(told, e.ProposalAccepted) and told.task.deps == ("next", "fix")


def test_a_task_that_failed_is_nothing_to_wait_for():
    state = a_state()
    failed = state.tasks["next"].changed(status=T.FAILED)
    state = state.changed(tasks={**state.tasks, "next": failed})
    (told,) = leave(state, one(dependencies=("next",)))
    assert told.rule == "dependency"


def test_a_later_proposal_may_wait_for_an_earlier_one_and_not_be_in_its_way():
    first, second = one(), one(id="also", dependencies=("more",))
    told = leave(a_state(), first, second)
    assert [type(event) for event in told] == [e.ProposalAccepted, e.ProposalAccepted]
    assert [event.rule for event in leave(a_state(), second, first)[:1]] == ["dependency"]
    in_the_way = leave(a_state(), first, one(id="also"))
    assert in_the_way[1].rule == "conflict"
    assert leave(a_state(), one(write_set=()), one())[1].rule == "taken"


def test_no_more_are_looked_at_than_may_be_proposed():
    many = [one(id=f"t{n}", write_set=(f"src/m{n}.py",)) for n in range(MOST_AT_ONCE + 1)]
    told = leave(a_state(), *many)
    assert [type(event) for event in told[:-1]] == [e.ProposalAccepted] * MOST_AT_ONCE
    assert told[-1].rule == "number"


@pytest.mark.parametrize("budget", [GoalBudget(wall_seconds=299), GoalBudget(attempts=2)])
def test_what_the_goal_has_no_room_for_does_not_join(budget):
    (told,) = leave(a_state(budget=budget), one())
    assert told.rule == "budget"


@pytest.mark.parametrize(
    ("rule", "changes"),
    [("wider", {"write_set": ("setup.py",)}), ("wider", {"write_set": ("**",)}),
     ("risk", {"risk": "high"})],
)  # fmt: skip
def test_a_person_is_asked_although_the_plan_accepts(rule, changes):
    state = a_state()
    if changes.get("write_set") == ("**",):
        done = state.tasks["next"].changed(status=T.DONE)
        state = state.changed(tasks={**state.tasks, "next": done})
    (told,) = leave(state, one(**changes))
    assert isinstance(told, e.TaskProposed) and told.rule == rule


def test_a_plan_that_refuses_takes_none():
    (told,) = leave(a_state(REFUSE), one())
    assert told.rule == "policy"


@pytest.mark.parametrize("end", [FINISHED.changed(attempt=0), e.TaskFailed(task="fix", attempt=1, reason="x", spent=Spend())])  # fmt: skip
def test_only_who_finished_proposes(end):
    assert leave(a_state(), one(), end=end) == []


# A person's word


def asked():
    state = a_state(WorkPolicy())
    (told,) = leave(state, one())
    assert isinstance(told, e.TaskProposed) and told.rule == "asked"
    state = fold((FINISHED, told), state)
    questions = find_questions(state)
    assert [question.id for question in questions] == ["proposal:more"]
    assert "README.md" in questions[0].text and "`accept` or `refuse`" in questions[0].text
    block = e.GoalBlocked(on="human", reason="x", next="y")
    return fold((e.QuestionsAsked(questions=questions), block), state)


def answer(text):
    return c.AnswerQuestion("proposal:more", text, ME)


def test_yes_lets_it_join_and_the_goal_goes_on():
    after = do(asked(), answer("accept"))
    assert after.tasks["more"].status is T.PENDING and after.proposed == ()
    assert after.decisions[-1].about == "proposal:more: accept"
    assert do(after, c.ResumeGoal()).status is S.RUNNING


def test_no_leaves_it_out_for_good():
    state = asked()
    told = decide(state, answer("refuse"), NOW)[1]
    assert (told.rule, told.name) == ("person", "more") and ME.reason in told.reason
    after = do(state, answer("refuse"))
    assert "more" not in after.tasks and after.proposed == () and find_questions(after) == ()


def test_no_other_word_is_an_answer():
    with pytest.raises(BadInput, match="`accept` or `refuse`"):
        decide(asked(), answer("maybe"), NOW)


def test_a_yes_is_held_against_the_goal_as_it_is_by_then():
    state = asked()
    taken = an_agents_task("rival", writes=("README.md",))
    graph = GoalTaskGraph(tasks=(*state.graph.tasks, taken))
    state = state.changed(graph=graph, tasks={**state.tasks, "rival": state.tasks["next"]})
    told = decide(state, answer("accept"), NOW)[1]
    assert isinstance(told, e.ProposalRejected) and told.rule == "conflict"


# What an agent leaves


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"[]", "object"),
        (b'"\xff"', "JSON"),
        (b'{"id": "a"}', "title"),
        (b'{"id": "a", "title": "b", "description": "c", "gates": []}', "gates"),
        (b'{"id": "a", "title": "b", "description": "c", "risk": "none"}', "risk"),
        (json.dumps({"id": "a", "title": "b" * 201, "description": "c"}).encode(), "title"),
    ],
)
def test_what_is_no_proposal_says_why(data, said):
    found = parse_proposal("a.json", data)
    assert isinstance(found, Unreadable) and said in found.problem
    (told,) = leave(a_state(), found)
    assert (told.rule, told.name) == ("shape", "a.json")


def test_a_proposal_is_read_with_the_defaults_of_the_seed():
    found = parse_proposal("a", b'{"id": "a", "title": "b", "description": "c"}')
    assert found == GoalAgentTaskProposal(id="a", title="b", description="c")
    assert (found.risk, found.budget_secs, found.priority) == ("moderate", 300, 0)


def test_files_are_read_and_links_pipes_and_floods_are_not(tmp_path):
    folder = tmp_path / ".goalproof" / "proposals"
    folder.mkdir(parents=True)
    (folder / "a.json").write_bytes(b"{}")
    (folder / "b.json").symlink_to("/etc/passwd")
    os.mkfifo(folder / "c.json")
    (folder / "d.json").write_bytes(b" " * (MOST_BYTES + 1))
    (folder / "e.txt").write_bytes(b"{}")
    (folder / "f.json").mkdir()
    found = read_dropped(tmp_path, ".goalproof/proposals", ".json", 9, MOST_BYTES)
    assert found[0] == Dropped("a.json", b"{}")
    assert [(one.name, bool(one.problem), one.data) for one in found[1:]] == [
        (f"{name}.json", True, b"") for name in "bcdf"
    ]
    assert len(read_dropped(tmp_path, ".goalproof/proposals", ".json", 2, 9)) == 2
    moved = tmp_path / "moved"
    (tmp_path / ".goalproof").rename(moved)
    (tmp_path / ".goalproof").symlink_to(moved)
    assert read_dropped(tmp_path, ".goalproof/proposals", ".json", 9, 9) == ()
    assert read_dropped(tmp_path, "gone", ".json", 9, 9) == ()


def test_an_agent_is_told_how_to_propose_and_what_its_task_is_about():
    task = an_agents_task("a", writes=("x",), description="All of it.", acceptance=("It is.",))
    assert PROPOSING not in render_prompt("g", task, (), ())
    told = render_prompt("g", task, (), (), may_propose=True)
    assert PROPOSING in told and "All of it." in told and "It is." in told


PARTS = st.sampled_from(("a", "b", "*", "a*", "**", "[ab]"))
PATHS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
EXACT = st.lists(st.sampled_from(("a", "b", "ab")), min_size=1, max_size=3).map("/".join)


@given(st.lists(PATHS, max_size=3), PATHS, EXACT)
def test_what_globs_cover_they_name(globs, path, exact):
    if covers(globs, path) and match_glob(exact, path):
        assert match_any(exact, globs)
