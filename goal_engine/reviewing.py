"""Has an agent review a result that the gates said yes to, where the person wants that.

It is bound to the tree: another result is reviewed anew.  Without an answer the goal goes on, and the
review says what is missing.
"""

from __future__ import annotations

from functools import partial

from goal_engine.agent_review import (
    AgentReview,
    Reviewed,
    parse_agent_review,
    render_review_prompt,
)
from goal_engine.budget import Spend
from goal_engine.consulting import Consultation, consult
from goal_engine.errors import GoalError
from goal_engine.evidence import GoalGitEvidence
from goal_engine.metering import Meter
from goal_engine.planner import choose_consultant
from goal_engine.ports import Ports
from goal_engine.proof.gate import GateResult, GateStage
from goal_engine.proof.verdict import Observations, judge
from goal_engine.runtime.repository import EvidenceRepository
from goal_engine.runtime.threads import in_thread
from goal_engine.state import events as e
from goal_engine.state.commands import Record
from goal_engine.state.model import GoalState
from goal_engine.worktree import Workbench


def wants_review(state: GoalState, seen: Observations) -> bool:
    """Whether a result is to be reviewed, as `seen` by gates, and was not.

    What a gate refuses is not worth an agent's time, and nobody works while gates alone run again.
    """
    last = state.consulted.get("review")
    is_done = last is not None and last.tree == state.present_tree
    if not state.created.reviewer or state.reopened or is_done or state.commit is None:
        return False
    if state.evidence is None or not state.evidence.files:
        return False
    judgement = judge(state.gates, state.asked, state.acceptances, seen)
    return all(gate.met for gate in judgement.gates if gate.required)


async def ask_reviewer(ports: Ports, bench: Workbench, state: GoalState, meter: Meter) -> GoalState:
    """Return the goal after a review of its result that is wanted, or with the reason why there is none."""
    agent, evidence, tree = state.created.reviewer, state.evidence, state.present_tree
    assert evidence is not None
    assert state.commit is not None
    try:
        worker, agent = await choose_consultant(ports, None, agent)
    except GoalError as error:
        return await _leave_out(ports, state, agent, error.paragraph)
    repository = bench.repository
    raw = await in_thread(repository.patch, evidence.base_tree, tree)
    patch = raw.decode("utf-8", "replace")
    reviewed = Reviewed(state.created.text, state.asked, _find_results(state), evidence, patch)
    wanted = Consultation(
        about="review",
        attempt=1,
        worker=worker,
        agent=agent,
        commit=state.commit,
        tree=tree,
        prompt=render_review_prompt(reviewed),
        read=partial(_read, repository, evidence),
        pack=lambda found: found.model_dump_json().encode(),
    )
    answer = await consult(ports, bench, state, wanted, meter)
    state = await ports.read(state.goal_id)
    asked = state.consulted.get("review")
    if answer.taken is None and (asked is None or asked.tree != tree):
        return await _leave_out(ports, state, agent, "; ".join(answer.problems))
    return state


def _find_results(state: GoalState) -> tuple[GateResult, ...]:
    """What the gates said of the result."""
    runs = (
        state.find_run(GateStage.PROVING, state.present_tree, gate.name) for gate in state.gates
    )
    return tuple(run.result for run in runs if run is not None)


async def _leave_out(ports: Ports, state: GoalState, agent: str, why: str) -> GoalState:
    """Record that nobody was asked, so that the review can say so."""
    fact = e.ConsultationFinished(
        about="review",
        attempt=0,
        tree=state.present_tree,
        agent=agent,
        problems=(why,),
        spent=Spend(),
    )
    return await ports.transact(state.goal_id, Record((fact,)))


def _read(repository: EvidenceRepository, evidence: GoalGitEvidence, said: str) -> AgentReview:
    def count_lines(path: str) -> int:
        data = repository.read_blob(evidence.tree, path) or b""
        return len(data.splitlines())

    return parse_agent_review(said, evidence, count_lines)
