"""Lets an agent make the plan of a goal, and takes it only where every rule is kept.

What it says is shown before anything of it is worked on, as any plan is.  Where no answer is taken,
the plan that was there stays, and the goal says why.
"""

from __future__ import annotations

from functools import partial

from goal_engine.agent_plan import BY_AGENT, Wanted, parse_agent_plan, render_planning
from goal_engine.consulting import Consultation, consult
from goal_engine.document import GoalPlan
from goal_engine.errors import BadPlan
from goal_engine.last_block import NotTaken
from goal_engine.metering import Meter
from goal_engine.planner import check_quarantine
from goal_engine.ports import Ports
from goal_engine.runtime.threads import in_thread
from goal_engine.state import events as e
from goal_engine.state.model import GoalState
from goal_engine.types import WorkerName
from goal_engine.worktree import Workbench

TURNS = 2
"""Answers that are asked for: the second after it was told what was wrong with the first."""


async def make_plan(
    ports: Ports, bench: Workbench, state: GoalState, meter: Meter
) -> e.PlanningEnded:
    """Return the plan that an agent made of a goal, or why the one that is there stays."""
    asked = state.planning
    assert asked is not None
    wanted = find_wanted(state, asked)
    base = state.created.base_tree
    files = await in_thread(bench.repository.list_files, base)
    problems: tuple[str, ...] = ()
    said = ""
    for attempt in range(1, TURNS + 1):
        consultation = Consultation(
            about="plan",
            attempt=attempt,
            worker=asked.worker,
            agent=asked.agent,
            commit=state.created.base_commit,
            tree=base,
            prompt=render_planning(wanted, files, problems, said),
            read=partial(_read, wanted),
        )
        answer = await consult(ports, bench, await ports.read(state.goal_id), consultation, meter)
        if answer.taken is not None:
            plan = answer.taken
            planned = e.GoalPlanned(
                planner="agent", criteria=plan.criteria, graph=plan.graph, policy=plan.policy
            )
            return e.PlanningEnded(plan=planned)
        problems, said = answer.problems, answer.said
        if not answer.ended:
            break
    who = asked.agent or asked.worker
    return e.PlanningEnded(reason=f"no plan of {who} was taken: {'; '.join(problems)}")


def _read(wanted: Wanted, said: str) -> GoalPlan:
    plan = parse_agent_plan(said, wanted)
    try:
        check_quarantine(wanted.gates, plan.criteria)
    except BadPlan as error:
        raise NotTaken([error.paragraph]) from error
    return plan


def find_wanted(state: GoalState, asked: e.PlanningStarted) -> Wanted:
    """Return what a plan has to be for; criteria that an agent added to an earlier one are not asked for."""
    created = state.created
    worker: WorkerName = asked.worker if created.worker in (None, "recipe") else created.worker
    return Wanted(
        goal=created.text,
        kind=created.kind,
        gates=created.gates,
        criteria=tuple(one for one in state.criteria if one.why != BY_AGENT),
        worker=worker,
        agent=created.agent or asked.agent,
        writes=state.granted or ("**",),
        policy=state.policy,
    )
