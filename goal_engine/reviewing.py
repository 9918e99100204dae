"""Has an agent review a result: one that the gates said yes to, where the person wants that, or any
that was judged, when they ask for it.

It is bound to the tree: another result is reviewed anew.  Without an answer the goal goes on, and the
review says what is missing.  No status and no verdict changes by what it says.
"""

from __future__ import annotations

import asyncio
from functools import partial

from goal_engine.agent_review import (
    AgentReview,
    Reviewed,
    parse_agent_review,
    render_review_prompt,
)
from goal_engine.budget import Spend
from goal_engine.consulting import Consultation, Consulted, consult
from goal_engine.errors import GoalError, NotPossibleNow
from goal_engine.evidence import GoalGitEvidence
from goal_engine.hunks import check_untouched
from goal_engine.metering import Meter
from goal_engine.planner import NO_REVIEW, choose_consultant
from goal_engine.ports import Ports
from goal_engine.proof.gate import GateResult, GateStage
from goal_engine.proof.statement import ProofCause
from goal_engine.proof.verdict import Observations, judge
from goal_engine.runtime.fingerprint import read_fingerprint
from goal_engine.runtime.repository import EvidenceRepository
from goal_engine.runtime.threads import in_thread
from goal_engine.state import events as e
from goal_engine.state.commands import Record, RecordReview
from goal_engine.state.model import GoalState
from goal_engine.state.possible import check_possible
from goal_engine.takeover import take_over
from goal_engine.types import GoalId, WorkerName
from goal_engine.verifier.again import weigh_again
from goal_engine.verifier.bench import open_bench
from goal_engine.verifier.bundle import write_bundle
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
    agent, tree = state.created.reviewer, state.present_tree
    try:
        worker, agent = await choose_consultant(ports, None, agent, NO_REVIEW)
    except GoalError as error:
        return await _leave_out(ports, state, agent, error.paragraph)
    answer = await _consult(ports, bench, state, worker, agent, meter)
    state = await ports.read(state.goal_id)
    asked = state.consulted.get("review")
    if answer.taken is None and (asked is None or asked.tree != tree):
        return await _leave_out(ports, state, agent, "; ".join(answer.problems))
    return state


async def review_by_agent(
    ports: Ports, goal_id: GoalId, worker: WorkerName, agent: str
) -> tuple[GoalState, tuple[str, ...]]:
    """Ask an agent for a review of a judged goal; return the goal, and why nothing was taken of the answer.

    What it found stands in the judgement and in a proof of its own; the status stays.  It is within the
    goal's limits.  Raises `NotPossibleNow` where nothing was judged, `GoalBusy`, and
    `RepositoryUnusable` where the person's repository was tampered with meanwhile.
    Cancelled, it returns when all of it is dead, and what it had used is recorded.
    """
    with ports.store.runner_lock(goal_id):
        state, _ = await take_over(ports, goal_id)
        check_possible(state, "agent-review")
        await ports.store.check_room()
        bench = await in_thread(open_bench, ports, state)
        bench.check_sandbox()
        try:
            with bench.as_runner():
                before, _ = await in_thread(read_fingerprint, ports.checkout)
                meter = Meter(asyncio.get_running_loop().time)
                answer = await _consult(ports, bench, state, worker, agent, meter)
                during = f"{agent} reviewed"
                await in_thread(check_untouched, ports.checkout, before, during)
                if answer.taken is not None:
                    await _record(ports, bench, state)
        finally:
            await asyncio.shield(in_thread(bench.clear))
    return await ports.read(goal_id), answer.problems


async def _consult(
    ports: Ports,
    bench: Workbench,
    state: GoalState,
    worker: WorkerName,
    agent: str,
    meter: Meter,
) -> Consulted[AgentReview]:
    """Ask about the goal's present tree, in a context of its own."""
    evidence, tree, repository = state.evidence, state.present_tree, bench.repository
    assert evidence is not None
    assert state.commit is not None
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
    return await consult(ports, bench, state, wanted, meter)


async def _record(ports: Ports, bench: Workbench, before: GoalState) -> None:
    """Put the review into the judgement, with the proof that has it; somebody may have accepted meanwhile."""
    while True:
        state = await ports.read(before.goal_id)
        if state.judgement is None or state.tree != before.tree:
            return  # nothing that is judged now was reviewed
        seen, _ = await weigh_again(ports, bench.repository, state)
        judgement = state.judgement.changed(reviews=seen.reviews)
        digest = await write_bundle(ports, bench, state, seen, judgement, ProofCause.REVIEWED)
        try:
            last = state.proof.digest if state.proof else None
            await ports.transact(before.goal_id, RecordReview(judgement, digest, last))
        except NotPossibleNow:
            now = await ports.read(before.goal_id)
            if now.proof == state.proof:
                raise
        else:
            return


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
