"""Why a goal stands where it stands, and what to do about it: in words, for every status.

Pure: from the state and from where its tests failed.  No model is asked and nothing is guessed that
was not seen; the likely cause is the first row of `CAUSES_SEEN` that applies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from goal_engine.budget import find_exceeded
from goal_engine.conflicts import GoalMergeConflictEvidence, say_others, say_sides
from goal_engine.decision import CriterionState, Rejection, find_usual_answer
from goal_engine.left_behind import describe_left_behind
from goal_engine.permission import Action, say_ask
from goal_engine.progress import find_blocker
from goal_engine.proof.gate import GateOutcome, GateResult, GateStage, TestFailure
from goal_engine.proof.verdict import NOT_REJECTED, GateVerdict, say_rejection
from goal_engine.stagnation import CAUSES, describe_stagnation, find_signs
from goal_engine.state.model import GoalState
from goal_engine.types import Frozen, GoalId, GoalStatus, TaskStatus

S = GoalStatus
SHOWN = 5
"""Failing tests of one gate that are named."""


class SeenFact(Frozen):
    """One thing that the engine saw and that speaks for the diagnosis."""

    source: str
    """`gate tests`, `task fix`, `criterion adds` or `budget`."""
    text: str
    path: str | None = None
    line: int | None = None
    """Where to look, from 1."""
    log: str = ""
    """The command that prints all of it; empty where there is none."""


class GoalDiagnosis(Frozen):
    """What a goal waits for, the evidence, the likely cause, and what to do next."""

    goal_id: GoalId
    status: GoalStatus
    text: str
    why: str
    """What it waits for, or why it is not ready; a sentence."""
    cause: str = ""
    """The likely cause; empty where `why` says it all."""
    evidence: tuple[SeenFact, ...] = ()
    tried: tuple[str, ...] = ()
    """What repairs came to."""
    advice: str = ""
    commands: tuple[str, ...] = ()
    """What to type next, the most likely first."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One goal under examination."""

    state: GoalState
    failures: Mapping[str, tuple[TestFailure, ...]]
    """Where the tests of each gate failed on the goal's tree."""
    clash: GoalMergeConflictEvidence | None = None
    """What both sides of what does not merge did."""

    def say(self, verb: str, *words: str) -> str:
        return " ".join(("goalproof", verb, self.state.goal_id, *words))

    def find_result(self, gate: str, stage: GateStage = GateStage.PROVING) -> GateResult | None:
        base = self.state.created.base_tree
        tree = base if stage is GateStage.BASELINE else self.state.tree or base
        run = self.state.find_run(stage, tree, gate)
        return run.result if run else None

    def find_left_behind(self, gate: str) -> str:
        """Return what the gate's run on the base named and only the checkout has, in words."""
        run = self.state.find_run(GateStage.BASELINE, self.state.created.base_tree, gate)
        return describe_left_behind(run.left_behind) if run else ""

    @property
    def unmet(self) -> tuple[GateVerdict, ...]:
        verdicts = self.state.judgement.gates if self.state.judgement else ()
        return tuple(v for v in verdicts if v.required and not v.met)

    @property
    def failed_tasks(self) -> tuple[str, ...]:
        repairs = self.state.repair_ids
        return tuple(
            name
            for name, task in self.state.tasks.items()
            if task.status is TaskStatus.FAILED and name not in repairs
        )

    @property
    def rejection(self) -> Rejection | None:
        """The no that stands to the present tree."""
        if self.state.status is not S.NOT_READY:
            return None
        here = self.state.present_tree
        if any((w.criterion, w.tree) == (NOT_REJECTED, here) for w in self.state.acceptances):
            return None
        said = (no for no in reversed(self.state.rejections) if no.tree == here)
        return next(said, None)


OTHER_STEPS = "its steps are done and would be the same again: `run` with another plan makes a goal of its own"
Told = tuple[str, str, tuple[str, ...]]
"""Why, advice and commands."""


def diagnose(
    state: GoalState,
    failures: Mapping[str, tuple[TestFailure, ...]],
    clash: GoalMergeConflictEvidence | None = None,
) -> GoalDiagnosis:
    """Return the diagnosis of a goal; `failures` are those of the proving runs on its tree.

    `clash` is what was seen of a result that does not merge.
    """
    case = _Case(state, failures, clash)
    why, advice, commands = DIAGNOSES[state.status](case)
    cause = ""
    if state.status is S.NOT_READY:
        cause, advice = _find_cause(case) or ("", advice)
        advice = f"{advice}; {OTHER_STEPS}" if _is_fixed(case) else advice
    return GoalDiagnosis(
        goal_id=state.goal_id,
        status=state.status,
        text=state.created.text,
        why=why,
        cause=cause,
        evidence=tuple(_find_evidence(case)),
        tried=tuple(_find_tried(state)),
        advice=advice,
        commands=commands,
    )


# What each status waits for


def _planned(case: _Case) -> Told:
    return (
        "nothing of it has run yet: it waits for you to start it",
        "look at the plan if you like, then start it",
        (case.say("execute"), case.say("open", "plan")),
    )


def _running(case: _Case) -> Told:
    state = case.state
    if state.open_asks:
        asked = "; ".join(f"task {one.task} asks {say_ask(one.ask)}" for one in state.open_asks)
        answers = tuple(
            case.say("answer", one.key, word)
            for one in state.open_asks
            for word in (("TEXT",) if one.ask.action is Action.QUESTION else ("allow", "deny"))
        )
        return f"an agent waits for your leave: {asked}", "say yes or no to it", answers
    if state.handed_over:
        folders = ", ".join(state.tasks[name].folder or "" for name in state.handed_over)
        several = len(state.handed_over) > 1
        submits = tuple(
            case.say("submit", *(("--task", name) if several else ())) for name in state.handed_over
        )
        return f"it waits for your work in {folders}", "edit the files there, then submit", submits
    if state.requests:
        kind = state.requests[0].kind
        return f"it was asked to {kind} and is ending what runs", "wait a moment", ()
    running = [name for name, at in state.statuses.items() if at is TaskStatus.RUNNING]
    what = f"task {', '.join(running)}" if running else f"{state.phase}"
    repair = state.find_repair(running[0]) if running else None
    counted = f", repair {repair.number} of {repair.limit}" if repair else ""
    follow = (case.say("log", "--follow"), case.say("pause"))
    return f"it is being worked on: {what}{counted}", "watch it, or pause it", follow


def _paused(case: _Case) -> Told:
    state = case.state
    if state.interrupted:
        why = (
            "whoever ran it went away without a word: the process was killed or the machine stopped"
        )
        advice = "let it go on: what was finished is not done again"
    else:
        why, advice = (
            f"it was paused: {state.pause_reason or 'no reason was given'}",
            "let it go on",
        )
    return why, advice, (case.say("resume"), case.say("cancel"))


def _blocked_on_human(case: _Case) -> Told:
    state = case.state
    if state.open_questions:
        asked = state.open_questions
        answers = tuple(case.say("answer", q.id, find_usual_answer(q.id)) for q in asked)
        return "it asks: " + "; ".join(q.text for q in asked), "answer, then resume", answers
    if state.conflicted is not None:
        return (
            find_blocker(state),
            "look at what both sides did; `resume` does the task again on what is there by now",
            (case.say("diff", "--task", state.conflicted), case.say("resume"), case.say("cancel")),
        )
    waiting = _find_acceptable(state)
    if waiting:
        accepts = tuple(case.say("accept", name, "--reason", "TEXT") for name in waiting)
        why = f"what no gate can decide waits for you: {', '.join(waiting)}"
        return (
            why,
            "look at the change, then accept each with a reason",
            (case.say("diff"), *accepts),
        )
    return find_blocker(state), "", (case.say("resume"),)


def _blocked_on_external(case: _Case) -> Told:
    state = case.state
    after = state.blocked.next if state.blocked else ""
    step = case.say("resume") if state.graph.tasks else case.say("open", "plan")
    return find_blocker(state), after, (step, case.say("cancel"))


def _needs_more_budget(case: _Case) -> Told:
    state = case.state
    used = _find_used_up(state)
    options = [word for name, limit in used.items() for word in _raise(name, limit)]
    why = find_blocker(state) or "a limit is used up"
    return f"a limit is used up: {why}", "let it go on with more", (case.say("resume", *options),)


def _find_used_up(state: GoalState) -> dict[str, float]:
    lines = state.evidence.additions + state.evidence.deletions if state.evidence else 0
    spend = state.spend.changed(changed_lines=max(lines, state.spend.changed_lines))
    names = [phrase.partition(":")[0] for phrase in find_exceeded(state.budget, spend)]
    told = state.blocked.reason if state.blocked else ""
    names += [name for name in ("attempts", "wall_seconds") if f"{name}:" in told]
    names += state.blocked.limits if state.blocked else ()
    return {name: float(getattr(state.budget, name) or 0) for name in dict.fromkeys(names)}


def _raise(name: str, limit: float) -> tuple[str, str]:
    """Twice as much is a guess that a person can change."""
    return f"--{name.replace('_', '-')}", f"{max(1.0, 2 * limit):g}"


def _failed_infra(case: _Case) -> Told:
    why = f"a tool that the engine itself needs did not work: {find_blocker(case.state)}"
    return why, "repair that, then let it go on: nothing that was finished is lost", (
        case.say("resume"), case.say("cancel"),
    )  # fmt: skip


def _not_ready(case: _Case) -> Told:
    state = case.state
    reasons = state.judgement.reasons if state.judgement else ()
    logs = [case.say("log", "--gate", verdict.gate) for verdict in case.unmet]
    logs += [case.say("log", "--task", name) for name in case.failed_tasks]
    steps = (*logs[:SHOWN], case.say("diff"))
    more: tuple[str, ...] = (case.say("execute"),)
    if case.rejection is not None:
        take_back = case.say("accept", NOT_REJECTED, "--reason", "TEXT")
        more = (*more, take_back, case.say("cancel"))
    elif _is_fixed(case):
        more = (case.say("cancel"),)
    return "; ".join(reasons), "look at the first failure, then run it again", (*steps, *more)


def _ready(case: _Case) -> Told:
    gaps = [
        gap for v in (case.state.judgement.gates if case.state.judgement else ()) for gap in v.gaps
    ]
    left = f"; {len(gaps)} tests fail as they did before" if gaps else ""
    applied = " and applied to the checkout" if case.state.applied else ""
    return (
        f"it is ready{applied}: every required gate met its bar and every criterion has its evidence{left}",
        "look at the change, then apply it or make a branch of it",
        (
            case.say("diff"),
            case.say("apply"),
            case.say("deliver"),
            case.say("verify-proof", "--run"),
        ),
    )


def _delivered(case: _Case) -> Told:
    why = f"it is done: branch {case.state.delivery_branch or '?'} has the change"
    return why, "", (case.say("proof"),)


def _cancelled(case: _Case) -> Told:
    kept = [at.folder for at in case.state.tasks.values() if at.folder]
    left = f"; your work is kept in {', '.join(kept)}" if kept else ""
    reason = case.state.pause_reason or "no reason was given"
    return f"it was cancelled: {reason}{left}", "nothing goes on; `run` makes another goal", ()


DIAGNOSES: Mapping[GoalStatus, Callable[[_Case], Told]] = {
    S.PLANNED: _planned,
    S.RUNNING: _running,
    S.PAUSED: _paused,
    S.BLOCKED_ON_HUMAN: _blocked_on_human,
    S.BLOCKED_ON_EXTERNAL: _blocked_on_external,
    S.NEEDS_MORE_BUDGET: _needs_more_budget,
    S.FAILED_INFRA: _failed_infra,
    S.NOT_READY: _not_ready,
    S.READY: _ready,
    S.DELIVERED: _delivered,
    S.CANCELLED: _cancelled,
}
"""What a goal waits for, by its status."""


def _find_acceptable(state: GoalState) -> tuple[str, ...]:
    verdicts = state.judgement.criteria if state.judgement else ()
    unverified = CriterionState.IMPLEMENTED_UNVERIFIED
    return tuple(v.criterion.id for v in verdicts if v.state is unverified)


# Why a goal is not ready


Cause = tuple[str, str]
"""The likely cause, and what to do about it."""


def _find_cause(case: _Case) -> Cause | None:
    return next((found for look in CAUSES_SEEN if (found := look(case)) is not None), None)


def _is_rejected(case: _Case) -> Cause | None:
    """What a person saw explains more than what no gate saw."""
    if case.rejection is None:
        return None
    return (
        f"a person said no to this result: {say_rejection(case.rejection.decision)}",
        "`execute` it, and whoever works on it is told that reason; or take the no back with"
        f" `accept {case.state.goal_id} {NOT_REJECTED}`; or `cancel` it",
    )


def _seems_stuck(case: _Case) -> Cause | None:
    found = case.state.judgement.stagnation if case.state.judgement else None
    return (describe_stagnation(found), CAUSES[found.cause].advice) if found else None


def _seems_unfinished(case: _Case) -> Cause | None:
    if not case.failed_tasks:
        return None
    name = case.failed_tasks[0]
    return (
        f"task {name} did not come to its end: {case.state.tasks[name].reason}",
        "see to that, then `execute`: a task that failed is done again, one that is done is not",
    )


def _seems_unable(case: _Case) -> Cause | None:
    """A gate that gave no answer says nothing about the change."""
    for verdict in case.unmet:
        result = case.find_result(verdict.gate)
        advice = UNABLE.get(result.outcome) if result else None
        if result is not None and advice is not None:
            return f"gate {verdict.gate} gave no answer: {verdict.reason}", advice
    return None


def _seems_left_behind(case: _Case) -> Cause | None:
    """What a gate of the base missed it misses with the change too."""
    for verdict in case.unmet:
        missed = case.find_left_behind(verdict.gate)
        if missed:
            return (
                f"gate {verdict.gate} was red before the change, and {missed}",
                "add that, then `run` it anew: what a goal copies was settled when it was made",
            )
    return None


UNABLE = {
    GateOutcome.TIMEOUT: "find out what hangs, or give that gate more `timeout` in goalproof.toml",
    GateOutcome.ERROR: "run the gate's command by hand: it has to answer, red or green",
    GateOutcome.WRONG_TREE: "install the project so that it is imported from the folder it lies in",
}


def _seems_empty(case: _Case) -> Cause | None:
    if case.state.tree not in (None, case.state.created.base_tree):
        return None
    return "nothing was changed", "say more exactly what is to be done, or let another worker do it"


def _seems_external(case: _Case) -> Cause | None:
    told = [failure.message for some in case.failures.values() for failure in some]
    told += [result.message for v in case.unmet if (result := case.find_result(v.gate))]
    signs = find_signs(line for text in told for line in text.split(" | "))
    if not signs:
        return None
    return (
        f"what fails may depend on something outside of the repository: {signs[0]}",
        "install what is missing or start what is not reached, then `execute` again",
    )


def _seems_broken(case: _Case) -> Cause | None:
    for verdict in case.unmet:
        base = case.find_result(verdict.gate, GateStage.BASELINE)
        if base is not None and base.green:
            return (
                f"the change broke what worked before: gate {verdict.gate} was green without it",
                "look at the change and at the first failure",
            )
    return None


def _seems_unreached(case: _Case) -> Cause | None:
    for verdict in case.unmet:
        base = case.find_result(verdict.gate, GateStage.BASELINE)
        if base is not None and not base.green:
            return (
                f"the change does not reach what was asked: gate {verdict.gate} is red as before",
                "look at the change and at the first failure, or say more exactly what is wrong",
            )
    return None


def _seems_unproven(case: _Case) -> Cause | None:
    verdicts = case.state.judgement.criteria if case.state.judgement else ()
    for verdict in verdicts:
        if verdict.state is CriterionState.NOT_ADDRESSED:
            return (
                f"nothing shows criterion {verdict.criterion.id}: {verdict.reason}",
                "name a test that is red without the change and green with it",
            )
    return None


def _is_fixed(case: _Case) -> bool:
    """Whether running it again would do nothing else: all steps are spelled out and done.

    Unless what failed lies outside of them.
    """
    state = case.state
    recipes = all(task.worker == "recipe" for task in state.graph)
    done = all(status is TaskStatus.DONE for status in state.statuses.values())
    outside = _seems_unable(case) or _seems_external(case)
    return bool(state.graph.tasks) and recipes and done and not outside


CAUSES_SEEN: tuple[Callable[[_Case], Cause | None], ...] = (
    _is_rejected,
    _seems_stuck,
    _seems_unfinished,
    _seems_left_behind,
    _seems_unable,
    _seems_empty,
    _seems_external,
    _seems_broken,
    _seems_unreached,
    _seems_unproven,
)
"""The most specific first."""


# What was seen


def _find_evidence(case: _Case) -> Iterator[SeenFact]:
    if case.state.status not in (S.NOT_READY, S.BLOCKED_ON_HUMAN, S.READY):
        return
    if case.clash is not None:
        yield from _find_sides(case.clash)
    for name in case.failed_tasks:
        task = case.state.tasks[name]
        log = case.say("log", "--task", name) if task.log else ""
        yield SeenFact(source=f"task {name}", text=task.reason, log=log)
    for verdict in case.unmet:
        yield from _find_failures(case, verdict)
    for gate in case.state.judgement.gates if case.state.judgement else ():
        if gate.met and gate.gaps:
            yield SeenFact(source=f"gate {gate.gate}", text=f"fails as before: {_list(gate.gaps)}")
    for spec in case.state.gates:
        if missed := case.find_left_behind(spec.name):
            yield SeenFact(source=f"gate {spec.name}", text=missed)
    for criterion in case.state.judgement.criteria if case.state.judgement else ():
        if criterion.state is not CriterionState.VERIFIED:
            yield SeenFact(source=f"criterion {criterion.criterion.id}", text=criterion.reason)


def _find_sides(clash: GoalMergeConflictEvidence) -> Iterator[SeenFact]:
    """Each place that both sides changed, the side that was there first."""
    for file in clash.files[:SHOWN]:
        source = f"conflict {file.kind}"
        yield SeenFact(source=source, text=file.said or say_sides(clash), path=file.path)
        for who, places in ((say_others(clash.others), file.ours), (clash.task, file.theirs)):
            for place in places[:SHOWN]:
                kept = " ⏎ ".join(line.strip() for line in place.text[:SHOWN]) or "nothing"
                more = " …" if place.lines[1] > SHOWN else ""
                text = f"{who} has there, {place.place}: {kept}{more}"
                yield SeenFact(source=source, text=text, path=file.path, line=place.lines[0] or 1)
    left = len(clash.files) - SHOWN + clash.more
    if left > 0:
        yield SeenFact(source="conflict", text=f"and {left} more files")


def _list(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def _find_failures(case: _Case, verdict: GateVerdict) -> Iterator[SeenFact]:
    """The new failures first, and those whose place is known before the others."""
    source, log = f"gate {verdict.gate}", case.say("log", "--gate", verdict.gate)
    base = case.find_result(verdict.gate, GateStage.BASELINE)
    old = base.failing if base is not None else frozenset[str]()
    told = sorted(
        case.failures.get(verdict.gate, ()), key=lambda f: (f.test in old, f.path is None)
    )
    if not told:
        yield SeenFact(source=source, text=verdict.reason, log=log)
    for failure in told[:SHOWN]:
        text = f"{failure.test}: {failure.message}" if failure.message else failure.test
        yield SeenFact(source=source, text=text, path=failure.path, line=failure.line, log=log)
    if len(told) > SHOWN:
        yield SeenFact(source=source, text=f"and {len(told) - SHOWN} more", log=log)


def _find_tried(state: GoalState) -> Iterator[str]:
    for repair in state.repairs[state.repairs_before :]:
        task = state.tasks[repair.task.id]
        said = f": {task.reason}" if task.reason else ""
        yield f"{repair.task.title} ({repair.task.id}, {task.status}){said}"
