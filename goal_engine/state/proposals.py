"""What becomes of the tasks that an agent proposed: events, by the rules in `agent`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from goal_engine.agent import (
    PROPOSAL,
    UNSAID,
    GoalAgentTaskProposal,
    Ground,
    Left,
    Unreadable,
    judge_proposal,
    make_task,
)
from goal_engine.decision import Question
from goal_engine.state.events import ProposalAccepted, ProposalRejected, TaskProposed
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import GoalTaskGraph
from goal_engine.types import Decision, TaskStatus

NAMED = 80
"""Characters of a name that nobody has checked."""
Told = TaskProposed | ProposalAccepted | ProposalRejected


def judge_left(state: GoalState, by: str, attempt: int, left: Iterable[Left]) -> Iterator[Told]:
    """Yield what becomes of each proposal that an attempt left, in their order."""
    ground = make_ground(state, by)
    for number, one in enumerate(left):
        ground = _with(ground, looked_at=number)
        if isinstance(one, Unreadable):
            yield ProposalRejected(
                name=_shorten(one.name), by=by, attempt=attempt, rule="shape", reason=one.problem
            )
            continue
        ruling = judge_proposal(one, ground)
        match ruling.kind:
            case "refused":
                yield ProposalRejected(
                    name=_shorten(one.id),
                    by=by,
                    attempt=attempt,
                    rule=ruling.rule,
                    reason=ruling.reason,
                    proposal=one,
                )
            case "asked":
                yield TaskProposed(
                    proposal=one, by=by, attempt=attempt, rule=ruling.rule, reason=ruling.reason
                )
            case "joins":
                task = make_task(one, ground)
                yield ProposalAccepted(task=task, by=by, attempt=attempt)
                ground = _with(
                    ground,
                    graph=GoalTaskGraph(tasks=(*ground.graph.tasks, task)),
                    statuses={**ground.statuses, task.id: TaskStatus.PENDING},
                )
        joined = ground.joined + (ruling.kind != "refused")
        ground = _with(ground, earlier=(*ground.earlier, one.id), joined=joined)


def judge_answer(
    state: GoalState, question: str, said: str, decision: Decision
) -> ProposalAccepted | ProposalRejected:
    """Return what a person's word makes of a proposal; the goal may have changed since it was made."""
    asked = next(one for one in state.proposed if PROPOSAL + one.proposal.id == question)
    one, by, attempt = asked.proposal, asked.by, asked.attempt
    if said == "refuse":
        why = f"{decision.actor} said no" + (f": {decision.reason}" if decision.reason else "")
        return ProposalRejected(
            name=one.id, by=by, attempt=attempt, rule="person", reason=why, proposal=one
        )
    others = tuple(other.proposal.id for other in state.proposed if other is not asked)
    ground = make_ground(state, by)
    ground = _with(ground, by_person=True, earlier=others, joined=ground.joined - 1)
    ruling = judge_proposal(one, ground)
    if ruling.kind == "joins":
        return ProposalAccepted(task=make_task(one, ground), by=by, attempt=attempt)
    return ProposalRejected(
        name=one.id, by=by, attempt=attempt, rule=ruling.rule, reason=ruling.reason, proposal=one
    )


def make_ground(state: GoalState, by: str) -> Ground:
    """Return what the proposals of a task's agent are judged against."""
    plan = state.plan
    return Ground(
        graph=plan,
        statuses={task.id: state.tasks[task.id].status for task in plan},
        policy=state.policy,
        budget=state.budget,
        spent=state.used,
        by=next(task for task in plan if task.id == by),
        earlier=tuple(one.proposal.id for one in state.proposed),
        joined=len(state.accepted) + len(state.proposed),
    )


def find_questions(state: GoalState) -> tuple[Question, ...]:
    """Return what a person has to say about the proposals that nobody has settled."""
    return tuple(
        Question(id=PROPOSAL + one.proposal.id, text=_ask(one.by, one.proposal, one.reason))
        for one in state.proposed
    )


def _ask(by: str, one: GoalAgentTaskProposal, reason: str) -> str:
    said = "" if reason == UNSAID else f" ({reason})"
    return (
        f"the agent of {by} proposes the task {one.id}: {_plain(one.title)}; it would change"
        f" {', '.join(one.write_set)}, in {one.budget_secs} s at most{said}; answer `accept` or"
        " `refuse`"
    )


def _plain(text: str) -> str:
    return "".join(char for char in text if char.isprintable())


def _shorten(name: str) -> str:
    return _plain(name)[:NAMED] or "nameless"


def _with(ground: Ground, **changes: object) -> Ground:
    return replace(ground, **changes)  # type: ignore[arg-type]
