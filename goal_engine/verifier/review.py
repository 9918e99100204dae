"""Reads what the passes of the review look at, of one tree and its base; decides and changes nothing."""

from __future__ import annotations

from collections.abc import Iterable

from goal_engine.agent_review import AgentReview, add_opinions, say_missing_review
from goal_engine.decision import Criterion
from goal_engine.errors import GoalError, NotPossibleNow
from goal_engine.evidence import GoalGitEvidence
from goal_engine.ports import Ports
from goal_engine.proof.gate import GateResult, GateSpec, GateStage, TestOutcome
from goal_engine.proof.review import ReviewPolicy, ReviewSection
from goal_engine.proof.verdict import Observations
from goal_engine.review.change import FILES, Change, read_files
from goal_engine.review.sections import review_change
from goal_engine.runtime.repository import EvidenceRepository
from goal_engine.runtime.threads import in_thread
from goal_engine.state.model import GoalState
from goal_engine.verifier.observe import find_stage_tree, observe

LAST = 32 * 1024
"""Bytes of a worker's output that are read for what it claims."""


async def review_seen(
    ports: Ports, repository: EvidenceRepository, state: GoalState, seen: Observations
) -> Observations:
    """Return what was seen of a goal's tree with a review of its change."""
    writes = [path for task in state.graph for path in task.writes]
    claims = [
        await _read_end(ports, state.tasks[task.id].log) for task in state.graph if task.agent
    ]
    reviews = await in_thread(
        review_tree,
        repository,
        state.evidence,
        seen,
        state.created.text,
        state.asked,
        state.gates,
        state.created.review,
        writes,
        claims,
    )
    return seen.changed(reviews=await _add_agents_review(ports, state, reviews))


async def _add_agents_review(
    ports: Ports, state: GoalState, reviews: tuple[ReviewSection, ...]
) -> tuple[ReviewSection, ...]:
    """An agent's review counts for the tree that it is of, and lowers nothing."""
    found = (state.reviewed, state.consulted.get("review"))
    last = next((one for one in found if one and one.tree == state.present_tree), None)
    if last is None:
        return reviews
    if last.report is None:
        return say_missing_review(reviews, last.agent, last.problems)
    try:
        data = await ports.store.read_object(last.report)
        review = AgentReview.model_validate_json(data)
    except (GoalError, OSError, ValueError) as error:
        return say_missing_review(reviews, last.agent, (f"what it said is lost: {error}",))
    return add_opinions(reviews, review, last.agent)


def review_tree(
    repository: EvidenceRepository,
    evidence: GoalGitEvidence | None,
    seen: Observations,
    text: str,
    criteria: tuple[Criterion, ...],
    gates: tuple[GateSpec, ...],
    policy: ReviewPolicy,
    writes: Iterable[str] = (),
    claims: Iterable[str] = (),
) -> tuple[ReviewSection, ...]:
    """Return the review of a change, none of an empty one; blocking.

    What blocks follows from the two trees, the gates, the goal's words and what the gates said, all
    of which a proof has: whoever runs it again finds the same.
    """
    if evidence is None or not evidence.files:
        return ()
    there = frozenset(repository.list_files(evidence.tree))
    names = frozenset(path.rpartition("/")[2] for path in there)
    base, proven = seen.baseline.values(), seen.proving.values()
    change = Change(
        files=read_files(repository.read_blob, evidence, gates, frozenset(seen.protected)),
        text=text,
        criteria=criteria,
        gates=gates,
        ran=frozenset(test for result in base for test in result.tests),
        met={gate: result.green for gate, result in seen.proving.items()},
        turned=any(turned_green(seen.baseline.get(result.gate), result) for result in proven),
        policy=policy,
        writes=tuple(writes),
        claims=tuple(claims),
        find_word=lambda word: repository.find_word(evidence.tree, word),
        find_path=lambda path: path in there or path.rpartition("/")[2] in names,
        unread=max(0, len(evidence.files) - FILES),
    )
    return review_change(change)


def turned_green(before: GateResult | None, now: GateResult) -> bool:
    """Whether a gate, or a test of it, that was red or absent before is green now: what changed is
    tested, though no test was changed."""
    if before is None:
        return False
    if not before.tests and not now.tests:
        return now.green and not before.green
    passed = {test for test, outcome in now.tests.items() if outcome is TestOutcome.PASSED}
    return any(before.tests.get(test) is not TestOutcome.PASSED for test in passed)


async def review_goal(ports: Ports, state: GoalState) -> tuple[ReviewSection, ...]:
    """Return the review of the tree that a goal has now (seed: `review_goal`); writes nothing.

    Raises `NotPossibleNow` while there is none.
    """
    if state.tree is None:
        raise NotPossibleNow(
            f"{state.goal_id} has no change yet: it is {state.status}. `execute` it first."
        )
    without = find_stage_tree(state, GateStage.COUNTERFACTUAL)
    original = find_stage_tree(state, GateStage.ORIGINAL)
    seen = await observe(ports, state, without, original, ())
    repository = await in_thread(ports.open_repository)
    return (await review_seen(ports, repository, state, seen)).reviews


async def _read_end(ports: Ports, log: str | None) -> str:
    """What a worker said last; it only adds what a reader may ask, so a lost log adds nothing."""
    try:
        data = await ports.store.read_object(log) if log else b""
    except (GoalError, OSError):
        return ""
    return data[-LAST:].decode("utf-8", "replace")
