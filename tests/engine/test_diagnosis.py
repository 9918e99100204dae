"""Why a goal stands where it stands: said for every status, with what was seen and what to type."""

from __future__ import annotations

import pytest

from goal_engine.budget import Spend
from goal_engine.decision import Acceptance, Criterion, CriterionState, EvidenceKind, Rejection
from goal_engine.diagnosis import CAUSES_SEEN, DIAGNOSES, OTHER_STEPS, diagnose
from goal_engine.proof.gate import GateOutcome, GateResult, GateStage, TestFailure, TestOutcome
from goal_engine.proof.verdict import (
    NOT_REJECTED,
    Bar,
    CriterionVerdict,
    GateVerdict,
    Judgement,
    Verdict,
)
from goal_engine.stagnation import Cause, Stagnation
from goal_engine.state import events as e
from goal_engine.state.evolve import fold
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalStatus
from goal_server.registry import find_operation
from tests.builders import (
    BASE,
    DIGEST,
    GOAL,
    INTEGRATED,
    ME,
    NOTHING,
    OTHER,
    TREE,
    a_block,
    a_goal,
    a_goal_created,
    a_question,
    a_task,
    planned,
)

S = GoalStatus
ADD = "tests.test_calc::test_add"
PLACED = TestFailure(test=ADD, message="-1 != 5", path="tests/test_calc.py", line=9)
CRITERION = Criterion(id="adds", text="Sums", evidence=EvidenceKind.FLIPS, gate="tests")


def a_result(stage: GateStage, outcome: GateOutcome, **more) -> e.GateFinished:
    tree = BASE if stage is GateStage.BASELINE else more.pop("tree", TREE)
    result = GateResult(gate="tests", stage=stage, tree=tree, outcome=outcome, **more)
    return e.GateFinished(result=result)


def not_ready(
    *,
    base: GateOutcome = GateOutcome.FAILED,
    now: GateOutcome = GateOutcome.FAILED,
    said: str = "",
    changed: bool = True,
    met: bool = False,
    stagnation: Stagnation | None = None,
    before: tuple[e.GoalEvent, ...] = (),
) -> GoalState:
    """Return a goal that was judged `not_ready`, and what its one gate said before and now."""
    tests = {ADD: TestOutcome.FAILED}
    red = base is GateOutcome.FAILED
    tree = TREE if changed else BASE
    verdict = GateVerdict(
        gate="tests", required=True, bar=Bar.PASS, met=met, reason=said or "it fails"
    )
    state = CriterionState.NOT_ADDRESSED if met else CriterionState.PARTIAL
    judgement = Judgement(
        tree=tree,
        verdict=Verdict.NOT_READY,
        gates=(verdict,),
        criteria=(
            CriterionVerdict(criterion=CRITERION, state=state, reason="it was green before"),
        ),
        reasons=("gate tests: it fails",),
        stagnation=stagnation,
    )
    return fold(
        (
            a_goal_created(),
            planned(),
            e.GoalStarted(),
            a_result(GateStage.BASELINE, base, tests=tests if red else {}),
            *before,
            INTEGRATED if changed else e.VerificationStarted(tree=BASE),
            a_result(GateStage.PROVING, now, message=said, tree=tree),
            e.GoalJudged(judgement=judgement),
            e.ProofRecorded(digest=DIGEST, tree=tree),
            e.GoalNotReady(),
        )
    )


FAILED = e.TaskFailed.model_validate(
    {"task": "fix", "attempt": 1, "reason": "exit code 3: log in first", "spent": {}, "log": DIGEST}
)
DONE = (
    e.TaskStarted(task="fix", attempt=1, base_commit=BASE),
    e.TaskFinished(task="fix", attempt=1, commit=OTHER, evidence=NOTHING, spent=Spend(attempts=1)),
)
STUCK = Stagnation(cause=Cause.SCOPE, evidence="each round changed 25 files", confidence=1.0)
LEFT = a_result(GateStage.BASELINE, GateOutcome.FAILED).changed(left_behind=("local.ini",))
NO = Rejection(tree=TREE, decision=Decision(actor="ann", reason="it adds a cache"))
YES = Acceptance(criterion=NOT_REJECTED, tree=TREE, decision=ME)


def rejected(*after: e.GoalEvent) -> GoalState:
    """Return a goal to which a person said no, and what happened after."""
    said = not_ready()
    assert said.judgement is not None
    again = (e.GoalJudged(judgement=said.judgement), e.ProofRecorded(digest=DIGEST, tree=TREE))
    return fold((e.GoalRejected(rejection=NO), *again, e.GoalNotReady(), *after), said)


CAUSES = {
    "a person said no": (rejected(), "a person said no to this result: rejected by ann: it adds"),
    "repairs lead nowhere": (not_ready(stagnation=STUCK), "too large to be judged at once: each round"),
    "a task failed": (not_ready(before=(FAILED,)), "task fix did not come to its end: exit code 3"),
    "left behind": (not_ready(before=(LEFT,)), 'differs from your checkout: its output names'),
    "it hangs": (not_ready(now=GateOutcome.TIMEOUT, said="killed after 9 s"), "gave no answer: killed"),
    "no answer": (not_ready(now=GateOutcome.ERROR, said="no report"), "gave no answer: no report"),
    "other files": (not_ready(now=GateOutcome.WRONG_TREE, said="from outside"), "from outside"),
    "nothing changed": (not_ready(changed=False), "nothing was changed"),
    "outside": (not_ready(said="it said: x | Connection refused"), "outside of the repository: network"),
    "broken": (not_ready(base=GateOutcome.PASSED), "broke what worked before"),
    "not reached": (not_ready(), "does not reach what was asked: gate tests is red as before"),
    "unproven": (not_ready(met=True, now=GateOutcome.PASSED), "nothing shows criterion adds"),
}  # fmt: skip


@pytest.mark.parametrize("status", S)
def test_every_status_is_said_in_words_and_says_what_to_type(status: GoalStatus) -> None:
    found = diagnose(a_goal(status), {})
    assert found.why and "\n" not in found.why
    for command in found.commands:
        program, verb, goal = command.split()[:3]
        assert (program, goal) == ("goalproof", GOAL) and find_operation(verb), command
    assert found.commands or status is S.CANCELLED


def test_who_meets_a_rejected_goal_is_told_the_reason_and_the_three_ways_on() -> None:
    found = diagnose(rejected(), {})
    assert "is told that reason" in found.advice
    assert found.commands[-3:] == (
        f"goalproof execute {GOAL}",
        f"goalproof accept {GOAL} not-rejected --reason TEXT",
        f"goalproof cancel {GOAL}",
    )


def test_a_no_that_was_taken_back_explains_nothing_any_more() -> None:
    state = rejected()
    assert state.judgement is not None
    back = fold(
        (
            e.CriterionAccepted(acceptance=YES),
            e.GoalJudged(judgement=state.judgement),
            e.ProofRecorded(digest=DIGEST, tree=TREE),
            e.GoalNotReady(),
        ),
        state,
    )
    assert "said no" not in diagnose(back, {}).cause


def test_steps_that_are_done_are_not_advised_to_be_run_unchanged() -> None:
    found = diagnose(not_ready(before=DONE), {})
    assert OTHER_STEPS in found.advice
    assert f"goalproof execute {GOAL}" not in found.commands
    assert found.commands[-1] == f"goalproof cancel {GOAL}"


@pytest.mark.parametrize(
    "state",
    [
        not_ready(said="it said: x | Connection refused", before=DONE),
        not_ready(now=GateOutcome.TIMEOUT, said="killed after 9 s", before=DONE),
        not_ready(before=(FAILED,)),
    ],
    ids=["outside", "no answer", "not done"],
)
def test_steps_are_run_again_where_what_failed_was_not_what_they_did(state: GoalState) -> None:
    found = diagnose(state, {})
    assert OTHER_STEPS not in found.advice
    assert found.commands[-1] == f"goalproof execute {GOAL}"


def test_the_table_knows_every_status() -> None:
    assert set(DIAGNOSES) == set(S)


@pytest.mark.parametrize("name", CAUSES)
def test_the_likely_cause_of_what_is_not_ready(name: str) -> None:
    state, cause = CAUSES[name]
    found = diagnose(state, {})
    assert cause in found.cause and found.advice


def test_each_look_for_a_cause_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that is left out is missed by the cause that it is there for."""
    for look in CAUSES_SEEN:
        rest = tuple(other for other in CAUSES_SEEN if other is not look)
        with monkeypatch.context() as patch:
            patch.setattr("goal_engine.diagnosis.CAUSES_SEEN", rest)
            wrong = [
                name for name, (at, said) in CAUSES.items() if said not in diagnose(at, {}).cause
            ]
        assert wrong, look.__name__


def test_what_failed_first_is_named_with_its_place_and_its_log() -> None:
    old = TestFailure(test="tests.test_calc::test_old", message="as before", path="a.py", line=1)
    state = not_ready()
    base = {ADD: TestOutcome.PASSED, old.test: TestOutcome.FAILED}
    fact = a_result(GateStage.BASELINE, GateOutcome.FAILED, tests=base)
    runs = {**state.gates_run}
    key = f"baseline:{BASE}:tests"
    runs[key] = runs[key].changed(result=fact.result)
    found = diagnose(state.changed(gates_run=runs), {"tests": (old, PLACED)})
    first = found.evidence[0]
    assert (first.path, first.line) == ("tests/test_calc.py", 9)
    assert first.text == f"{ADD}: -1 != 5" and first.log == f"goalproof log {GOAL} --gate tests"
    assert found.evidence[-1].source == "criterion adds"


def test_what_waits_for_a_person_says_for_what() -> None:
    asked = a_goal(S.RUNNING, e.QuestionsAsked(questions=(a_question(),)), a_block())
    assert diagnose(asked, {}).commands == (f"goalproof answer {GOAL} what TEXT",)
    gate = e.QuestionsAsked(questions=(a_question("gate:lint"),))
    waits = a_goal(S.RUNNING, gate, a_block())
    assert diagnose(waits, {}).commands == (f"goalproof answer {GOAL} gate:lint optional",)
    handed = a_goal(
        S.RUNNING,
        e.TaskStarted(task="fix", attempt=1, base_commit=BASE),
        e.TaskHandedOver(task="fix", attempt=1, folder="/desk"),
    )
    assert "/desk" in diagnose(handed, {}).why
    conflict = a_goal(
        S.RUNNING, e.IntegrationConflicted(task="fix", paths=("a.py",)), a_block("human")
    )
    assert f"goalproof diff {GOAL} --task fix" in diagnose(conflict, {}).commands
    stopping = a_goal(S.RUNNING, e.ControlRequested(kind=e.ControlKind.PAUSE, decision=ME))
    assert "asked to pause" in diagnose(stopping, {}).why


def test_a_limit_that_is_used_up_names_the_option_that_raises_it() -> None:
    blocked = e.GoalBlocked(on="budget", reason="attempts: 3 of 3", next="more")
    state = a_goal(S.RUNNING, blocked)
    state = state.changed(budget=state.budget.changed(attempts=3))
    assert diagnose(state, {}).commands == (f"goalproof resume {GOAL} --attempts 6",)


def test_repairs_are_counted() -> None:
    repair = e.RepairPlanned(task=a_task("repair-1"), number=1, limit=2, reasons=("red",))
    begun = e.TaskStarted(task="repair-1", attempt=1, base_commit=BASE)
    found = diagnose(a_goal(S.RUNNING, repair, begun), {})
    assert "repair 1 of 2" in found.why
    assert found.tried == ("repair-1 (repair-1, running)",)
