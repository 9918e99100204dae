"""Why a changed region is there: goal, task, criterion, gate and the evidence, for people."""

from __future__ import annotations

from goal_engine.decision import Criterion, describe_evidence
from goal_engine.errors import GoalNotFound
from goal_engine.proof.gate import GateResult, GateStage
from goal_engine.proof.hunk import HunkTrial
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import GoalTask
from goal_server.anchor import Anchor, AnchorMode
from goal_server.markdown import code, listed, plain
from goal_server.marks import find_criterion, find_standing
from goal_server.results import ExplanationView

MODES = {
    AnchorMode.PROPOSED: "proposed: it is not in this file yet",
    AnchorMode.PRESENT: "present in this file",
    AnchorMode.MOVED: "present in this file, which was edited elsewhere",
    AnchorMode.STALE: "edited since: what was shown does not speak for these lines any more",
}
STAGES = {
    GateStage.BASELINE: "before",
    GateStage.PROVING: "with the change",
    GateStage.COUNTERFACTUAL: "without it again",
    GateStage.ORIGINAL: "with the tests of before",
}


def explain_region(
    state: GoalState, task: GoalTask | None, anchor: Anchor, trial: HunkTrial | None = None
) -> ExplanationView:
    """Return why a region is there, and what was seen without it."""
    return _explain(state, task, find_criterion(state, task), anchor, trial)


def explain_criterion(state: GoalState, name: str | None) -> ExplanationView:
    """Return how a criterion stands, the first one without a name.  Raises `GoalNotFound`."""
    if name is None:
        return _explain(state, None, find_criterion(state, None), None)
    judged = state.judgement.criteria if state.judgement else ()
    known = {c.id: c for c in (*state.criteria, *(verdict.criterion for verdict in judged))}
    if name not in known:
        raise GoalNotFound(
            f"{state.goal_id} has no criterion {name[:80]!r}; it has {', '.join(known) or 'none'}."
        )
    task = next((task for task in state.graph if task.id == name), None)
    return _explain(state, task, known[name], None)


def _explain(
    state: GoalState,
    task: GoalTask | None,
    criterion: Criterion | None,
    anchor: Anchor | None,
    trial: HunkTrial | None = None,
) -> ExplanationView:
    lines = [f"**{plain(state.created.text)}**", "", ""]
    told = [f"Goal {code(state.goal_id)}: {plain(state.status.value.replace('_', ' '))}"]
    if anchor is not None:
        region = anchor.region
        told.append(f"Change: +{region.additions} −{region.deletions}, {MODES[anchor.mode]}")
    if trial is not None:
        told.append(f"Taken away: **{trial.standing}**: {plain(trial.reason)}")
    if task is not None:
        status = state.tasks[task.id].status
        told.append(f"Task {code(task.id)}: {plain(task.title)} ({status})")
    if criterion is not None:
        standing, reason = find_standing(state, criterion)
        told.append(
            f"Criterion {code(criterion.id)}: {plain(criterion.text)} — "
            f"**{plain(standing.replace('_', ' '))}**: {plain(reason)}"
        )
        told.append(f"Evidence asked for: {plain(describe_evidence(criterion))}")
        if criterion.why:
            told.append(f"Asked for because {plain(criterion.why)}")
        if criterion.gate:
            told.append(f"Gate {code(criterion.gate)}: {_render_runs(state, criterion.gate)}")
        told += [f"Test {code(test)}" for test in criterion.tests[:10]]
    if state.proof is not None:
        told.append(f"Proof {code(state.proof.digest[:16])} of tree {code(state.proof.tree[:12])}")
    lines.append(listed(told))
    return ExplanationView(
        goal=state.goal_id,
        mode=anchor.mode.value if anchor else None,
        task=task.id if task else None,
        criterion=criterion.id if criterion else None,
        gate=criterion.gate if criterion else None,
        markdown="\n".join(lines).replace("\n\n\n", "\n\n"),
    )


def _render_runs(state: GoalState, gate: str) -> str:
    """Say what a gate said at each stage of the tree that stands."""
    trees = {GateStage.BASELINE: state.created.base_tree, GateStage.PROVING: state.tree}
    said = []
    for stage, words in STAGES.items():
        result = _find_result(state, stage, gate, trees.get(stage))
        if result is not None:
            said.append(f"{result.outcome} {words}")
    return ", ".join(said) or "not run yet"


def _find_result(
    state: GoalState, stage: GateStage, gate: str, tree: str | None
) -> GateResult | None:
    """Return the latest result of a stage, of `tree` where that is known."""
    found = [
        run.result
        for run in state.gates_run.values()
        if run.result.stage is stage and run.result.gate == gate
        if tree is None or run.result.tree == tree
    ]
    return found[-1] if found else None
