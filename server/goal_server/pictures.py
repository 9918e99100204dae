"""The engine's values as views of them: what an operation returns is put together here.

Nothing is decided here.
"""

from __future__ import annotations

import shlex
from itertools import pairwise
from pathlib import Path

from goal_engine.budget import GoalBudget, Spend
from goal_engine.conflicts import ConflictKind, name_files
from goal_engine.decision import Decided, describe_evidence, find_usual_answer
from goal_engine.diagnosis import GoalDiagnosis
from goal_engine.freeing import Freed
from goal_engine.gates.detection.project import PassedOver
from goal_engine.gates.trust import digest_gate
from goal_engine.history.timeline import Moment
from goal_engine.permission import say_ask
from goal_engine.progress import find_blocker, say_outgrown, say_receipt, say_request
from goal_engine.proof.confinement import say_confinement
from goal_engine.proof.gate import GateResult, GateSpec, GateStage
from goal_engine.proof.hunk import HunkTrial
from goal_engine.proof.review import ReviewSection, ReviewStatus, find_blocking
from goal_engine.proof.statement import ProofCause, say_superseded
from goal_engine.proof.verdict import REVIEWED, CriterionVerdict
from goal_engine.replay import GoalReplay
from goal_engine.seeding import Seeding
from goal_engine.state.events import PermissionAsked
from goal_engine.state.model import GoalState
from goal_engine.state.possible import POSSIBLE, find_possible
from goal_engine.state.store import Summary
from goal_engine.types import GoalStatus, TaskStatus
from goal_server import goal_views as g
from goal_server import results as r
from goal_server.plain import visible_line

S = GoalStatus
UNJUDGED = "not judged yet"
"""Why a criterion stands where it does before anything was judged."""


def render_goal(
    state: GoalState, proof_path: Path | None, plan_path: Path | None = None
) -> g.GoalView:
    """Return the view of a goal whose current proof and plan lie at these paths."""
    return g.GoalView(
        id=state.goal_id,
        text=state.created.text,
        kind=state.created.kind,
        kind_reason=state.created.kind_reason,
        status=state.status,
        phase=state.phase,
        created_at=state.goal_id.created_at,
        updated_at=state.updated_at,
        base_commit=state.created.base_commit,
        base_tree=state.created.base_tree,
        base_branch=state.created.branch,
        tree=state.tree,
        change=_render_change(state),
        tasks=_render_tasks(state),
        gates=_render_gates(state),
        criteria=_render_criteria(state),
        spend=render_spend(state.spend),
        budget=_render_budget(state.budget),
        proof=_render_place(state, proof_path),
        questions=tuple(g.QuestionView(id=q.id, text=q.text) for q in state.open_questions),
        asks=tuple(map(_render_ask, state.open_asks)),
        blocker=find_blocker(state),
        reasons=state.judgement.reasons if state.judgement else (),
        next=find_next_steps(state),
        notices=(
            *(
                ("archived: `list --archived` shows it, `unarchive` takes it back",)
                * state.archived
            ),
            *state.created.notices,
            *(
                (f"planned without the agent that was asked: {state.unplanned}",)
                if state.unplanned
                else ()
            ),
            *_render_kept(state),
            *_render_delivered(state),
            *filter(
                None, (say_request(state), _say_news(state), Summary(state.goal_id, state).notice)
            ),
        ),
        branch=state.delivery_branch,
        applied=state.applied,
        plan_path=None if plan_path is None else str(plan_path),
        reviews=_render_reviews(state.judgement.reviews if state.judgement else ()),
        receipt=_render_receipt(state),
        hunks=state.hunks.count if state.hunks and state.hunks.tree == state.tree else None,
        possible=find_possible(state),
        archived=state.archived,
        decisions=tuple(map(_render_decided, state.decisions)),
        conflict=_render_conflict(state),
        sandbox=say_confinement(state.confined),
        news=_render_news(state),
        bases=tuple(move.from_commit for move in state.moves),
    )


def _say_news(state: GoalState) -> str:
    """Of a goal that has come to its end nobody needs to know."""
    ended = state.status in (S.DELIVERED, S.CANCELLED)
    return "" if ended else say_outgrown(state)


def _render_news(state: GoalState) -> g.NewsView | None:
    seen = state.outgrown
    if seen is None:
        return None
    shown = seen.model_dump(include={"branch", "head", "commits", "rewritten", "files", "touched"})
    return g.NewsView(**shown, said=say_outgrown(state))


def _render_conflict(state: GoalState) -> g.ConflictView | None:
    clash = state.clash
    if clash is None:
        return None
    kinds = dict(zip(clash.paths, clash.kinds, strict=False))
    files = {
        name_files((path,))[0]: str(kinds.get(path, ConflictKind.OTHER)) for path in clash.paths
    }
    return g.ConflictView(
        task=clash.task,
        others=clash.others,
        files=tuple(g.ConflictedFileView(path=path, kind=kind) for path, kind in files.items()),
    )


def _render_decided(decided: Decided) -> g.DecisionView:
    return g.DecisionView(
        verb=decided.verb,
        about=decided.about,
        tree=decided.tree,
        actor=decided.decision.actor,
        reason=decided.decision.reason,
    )


def _render_receipt(state: GoalState) -> g.ReceiptView | None:
    receipt = state.receipt
    if receipt is None:
        return None
    return g.ReceiptView(**receipt.model_dump(), said=say_receipt(receipt))


def render_line(summary: Summary, made_here: bool = True, gone: str = "") -> g.GoalLine:
    """Return one line of a list; `gone` says that nobody works on it, where it seems so."""
    state = summary.state
    if state is None:
        return g.GoalLine(
            id=summary.goal_id, damage=summary.damage or "it cannot be read", made_here=made_here
        )
    return g.GoalLine(
        id=summary.goal_id,
        text=state.created.text,
        status=state.status,
        created_at=state.goal_id.created_at,
        done=sum(task.status is TaskStatus.DONE for task in state.tasks.values()),
        total=len(state.tasks),
        blocker=find_blocker(state),
        damage=summary.damage,
        notice=summary.notice or gone,
        made_here=made_here,
        possible=find_possible(state),
        archived=state.archived,
    )


def render_freed(freed: Freed) -> r.GcView:
    """Return what can go, or went."""
    rooms = tuple(
        r.RoomView(
            kind=kind.name,
            words=kind.words,
            count=found.count,
            bytes=found.size,
            names=found.names,
            kept=found.kept,
        )
        for kind, found in freed.found
    )
    return r.GcView(
        done=freed.done,
        rooms=rooms,
        bytes=sum(room.bytes for room in rooms),
        used=freed.used,
        folder=str(freed.folder),
        limit_mib=freed.limit_mib,
    )


def render_superseded(state: GoalState, folder: Path) -> tuple[r.SupersededProof, ...]:
    """Return the proofs that a goal had before, newest first; their bundles are in `folder`."""
    return tuple(
        r.SupersededProof(
            digest=old.digest,
            tree=old.tree,
            path=str(folder / old.digest),
            superseded_by=new.digest,
            because=say_superseded(new.cause, same_tree=old.tree == new.tree),
        )
        for old, new in reversed(tuple(pairwise(state.proofs)))
    )


def render_proof(
    state: GoalState,
    proof_path: Path,
    key_id: str | None,
    signature: str,
    superseded: tuple[r.SupersededProof, ...] = (),
) -> r.ProofView:
    """Return what the current proof of a goal states; `key_id` is the checked signature's."""
    place = _render_place(state, proof_path)
    assert place is not None
    return r.ProofView(
        goal=state.goal_id,
        status=state.status,
        proof=place,
        criteria=_render_criteria(state),
        gates=_render_gates(state),
        signed=key_id is not None,
        key_id=key_id,
        signature=signature,
        next=(f"goalproof verify-proof {shlex.quote(str(proof_path))} --run",),
        superseded=superseded,
        recovered=place.recovered,
    )


def render_diagnosis(found: GoalDiagnosis) -> r.DiagnosisView:
    """Return the view of a diagnosis."""
    return r.DiagnosisView(
        goal=found.goal_id,
        text=found.text,
        status=found.status,
        why=found.why,
        cause=found.cause,
        evidence=tuple(r.SeenView(**fact.model_dump()) for fact in found.evidence),
        tried=found.tried,
        advice=found.advice,
        next=found.commands,
    )


def render_replay(told: GoalReplay, *, shows_state: bool) -> r.ReplayView:
    """Return the view of a history; what could be done at an earlier moment is not said."""
    state = told.state
    shown = render_goal(state, None).model_copy(update={"next": ()}) if shows_state else None
    return r.ReplayView(
        goal=told.goal_id,
        text=state.created.text,
        status=state.status,
        entries=told.entries,
        after=told.after,
        last=told.last,
        begun_at=told.begun_at,
        until=told.until,
        digest=told.digest,
        moments=tuple(map(_render_moment, told.moments)),
        earlier=told.earlier,
        times=tuple(r.TimeView(**one.model_dump()) for one in told.times),
        spend=render_spend(state.spend),
        differences=None
        if told.differences is None
        else tuple(r.DifferenceView(**one.model_dump()) for one in told.differences),
        more=told.more,
        state=shown,
        damage=told.damage,
        note=told.note,
        defects=told.defects,
    )


def _render_moment(moment: Moment) -> r.MomentView:
    same = moment.model_dump(exclude={"spent"})
    return r.MomentView(**same, spent=render_spend(moment.spent) if moment.spent else None)


def render_review(state: GoalState, reviews: tuple[ReviewSection, ...]) -> r.ReviewView:
    """Return the view of a review of the tree that a goal has."""
    ranks = {status: rank for rank, status in enumerate(WORST)}
    standing = sorted((section.status for section in reviews), key=ranks.__getitem__)
    asked = [v.criterion.id for v in state.judgement.criteria] if state.judgement else []
    waits = "accept" in find_possible(state) and REVIEWED in asked and find_blocking(reviews)
    return r.ReviewView(
        goal=state.goal_id,
        tree=state.tree or state.created.base_tree,
        status=standing[0] if standing else ReviewStatus.NOT_APPLICABLE,
        sections=_render_reviews(reviews),
        next=(
            f"goalproof diff {state.goal_id}",
            *((f"goalproof accept {state.goal_id} {REVIEWED} --reason TEXT",) if waits else ()),
        ),
    )


WORST = (
    ReviewStatus.BLOCKED,
    ReviewStatus.WARNED,
    ReviewStatus.PASSED,
    ReviewStatus.NOT_APPLICABLE,
)


def _render_reviews(reviews: tuple[ReviewSection, ...]) -> tuple[g.ReviewSectionView, ...]:
    return tuple(
        g.ReviewSectionView(
            name=section.name,
            status=section.status,
            findings=tuple(
                g.FindingView(**f.model_dump(exclude={"section"})) for f in section.findings
            ),
            more=section.more,
            risks=section.risks,
            gaps=section.gaps,
            next=section.next,
        )
        for section in reviews
    )


def render_hunks(state: GoalState, trials: tuple[HunkTrial, ...], proof_path: Path) -> r.HunksView:
    """Return what was seen without each hunk of a goal."""
    place = _render_place(state, proof_path)
    assert place is not None and state.hunks is not None
    views = tuple(
        r.HunkView(
            path=trial.hunk.path,
            line=None if trial.hunk.whole else trial.hunk.head[0] + 1,
            lines=trial.hunk.head[1] - trial.hunk.head[0],
            standing=trial.standing,
            gates=tuple(bearing.gate for bearing in trial.by),
            tests=tuple(test for bearing in trial.by for test in bearing.tests),
            reason=trial.reason,
        )
        for trial in trials
    )
    return r.HunksView(goal=state.goal_id, hunks=views, count=state.hunks.count, proof=place)


def render_gate(spec: GateSpec, trusted: bool | None = None) -> g.GateView:
    """Return the view of a gate that has not run."""
    return g.GateView(
        name=spec.name,
        argv=spec.argv,
        required=spec.required,
        reason=spec.reason,
        trusted=trusted,
        cwd=spec.cwd,
        env=tuple(sorted(spec.env)),
        fix=spec.fix,
        command=say_command(spec),
        digest=digest_gate(spec),
    )


def render_passed(passed: PassedOver) -> r.PassedOverView:
    """Return the view of what is no gate."""
    return r.PassedOverView(
        what=passed.what, folder=passed.folder, reason=passed.reason, absent=passed.absent
    )


def say_command(gate: GateSpec) -> str:
    """Return all that a gate runs as one line."""
    more = [f"in {gate.cwd}"] if gate.cwd != "." else []
    more += [f"sets {', '.join(sorted(gate.env))}"] if gate.env else []
    more += [f"fixed by {shlex.join(gate.fix)}"] if gate.fix else []
    return visible_line(shlex.join(gate.argv) + (f" ({'; '.join(more)})" if more else ""))


def to_plain(gate: g.GateView) -> dict[str, object]:
    """Return a gate as the data of a refusal, nothing in it hidden."""
    told = gate.model_dump(mode="json", by_alias=True)
    words = {key: visible_line(told[key]) for key in ("reason", "cwd")}
    listed = {key: [visible_line(item) for item in told[key] or ()] for key in ("argv", "env")}
    fix = None if gate.fix is None else [visible_line(item) for item in gate.fix]
    return {**told, **words, **listed, "fix": fix}


def _render_ask(asked: PermissionAsked) -> g.AskView:
    ask = asked.ask
    return g.AskView(
        key=asked.key,
        task=asked.task,
        tool=ask.tool,
        action=ask.action,
        text=visible_line(say_ask(ask)),
        detail=ask.detail,
        paths=ask.paths,
        choices=ask.choices,
        until=asked.until,
    )


def find_next_steps(state: GoalState) -> tuple[str, ...]:
    """Return the commands that make sense now, the most likely one first."""
    goal = state.goal_id
    if state.is_newer:  # only looking is possible
        return tuple(
            f"goalproof {verb} {goal}" for verb in ("replay", "diff")[: 1 + bool(state.tree)]
        )
    blocked = state.status is S.BLOCKED_ON_HUMAN
    asked = state.open_questions if blocked else ()
    steps = [f"goalproof answer {goal} {q.id} {find_usual_answer(q.id)}" for q in asked]
    steps += [
        f"goalproof answer {goal} {one.key} {'TEXT' if one.ask.action == 'question' else 'allow'}"
        for one in state.open_asks
    ]
    if blocked or state.status is S.NOT_READY:
        steps += [
            f"goalproof accept {goal} {verdict.criterion.id} --reason TEXT"
            for verdict in _find_acceptable(state)
        ]
    waiting = state.handed_over
    steps += [
        f"goalproof submit {goal}{f' --task {task}' if len(waiting) > 1 else ''}"
        for task in waiting
    ]
    unneeded = {"answer", "accept", "submit", "tell", "undo", "show"}
    if state.status is S.READY:
        unneeded |= {"execute", "cancel"}
    if state.status is not S.READY:
        unneeded.add("reject")
    if state.outgrown is None:
        unneeded.add("rebase")
    if steps or (state.status is S.BLOCKED_ON_EXTERNAL and not state.graph.tasks):
        unneeded.add("resume")
    if state.status is S.NEEDS_MORE_BUDGET:
        told = state.blocked.limits if state.blocked else ()
        limits = told or ("wall_seconds", "attempts", "changed_lines")
        more = " ".join(f"--{name.replace('_', '-')} N" for name in limits)
        steps.append(f"goalproof resume {goal} {more}")
        unneeded.add("resume")
    possible = find_possible(state)
    if state.tree is None:
        unneeded |= {"diff", "proof"}
    if state.hunks and state.hunks.tree == state.tree:
        unneeded.add("hunks")
    if "undo" in possible:
        steps.append(f"goalproof apply {goal} --undo")
    if state.applied and state.applied_tree == state.tree:
        unneeded.add("apply")
    named = POSSIBLE[state.status]
    usual = [verb for verb in possible if verb in named and verb not in unneeded]
    return (
        *steps,
        *(f"goalproof {SPELLED.get(verb, '{} {}').format(verb, goal)}" for verb in usual),
    )


SPELLED = {"revise": "open {1} plan", "reject": "reject {1} --reason TEXT"}
"""How an operation begins that another one comes before."""


def _find_acceptable(state: GoalState) -> tuple[CriterionVerdict, ...]:
    verdicts = state.judgement.criteria if state.judgement else ()
    return tuple(v for v in verdicts if v.state == "implemented_unverified")


def _render_delivered(state: GoalState) -> tuple[str, ...]:
    """What was delivered and then rejected stays in the person's repository, and is said."""
    return tuple(
        f"branch {branch} was delivered before the result was rejected, and stays as it is: "
        f"`git branch -D {branch}` removes it"
        for branch in state.delivered_before.values()
        if branch != state.delivery_branch
    )


def _render_change(state: GoalState) -> g.ChangeView | None:
    if state.evidence is None:
        return None
    return g.ChangeView(
        files=tuple(sorted(file.path for file in state.evidence.files)),
        additions=state.evidence.additions,
        deletions=state.evidence.deletions,
    )


def _render_tasks(state: GoalState) -> tuple[g.TaskView, ...]:
    tasks = []
    for task in state.graph:
        at = state.tasks[task.id]
        tasks.append(
            g.TaskView(
                id=task.id,
                title=task.title,
                status=at.status,
                worker=task.worker,
                attempts=at.attempts,
                deps=task.deps,
                files=tuple(sorted(at.evidence.paths)) if at.evidence else (),
                reason=at.reason,
                agent=task.agent or next(iter(task.command), ""),
                folder=at.folder,
                has_log=at.log is not None
                or (at.status is TaskStatus.RUNNING and task.worker != "manual"),
                spend=render_spend(at.spend) if at.attempts else None,
                seeding=render_seeding(at.seeding),
            )
        )
    return tuple(tasks)


def render_seeding(seeding: Seeding) -> tuple[g.SeedingView, ...]:
    """Return what a workspace cost."""
    return tuple(
        g.SeedingView(part=one.part, ms=one.ms, bytes=one.bytes, how=one.how) for one in seeding
    )


def _render_kept(state: GoalState) -> tuple[str, ...]:
    """A cancelled goal leaves a person's work where it is, and says where."""
    if state.status is not S.CANCELLED:
        return ()
    return tuple(
        f"your work on task {name} is kept in {at.folder}; remove it when you do not need it"
        for name, at in state.tasks.items()
        if at.folder is not None
    )


def _render_gates(state: GoalState) -> tuple[g.GateView, ...]:
    verdicts = {v.gate: v for v in state.judgement.gates} if state.judgement else {}
    ran = {(run.result.stage, run.result.gate): run.result for run in state.gates_run.values()}
    seeded = {
        run.result.gate: render_seeding(run.seeding)
        for run in state.gates_run.values()
        if run.seeding
    }
    views = []
    for spec in state.gates:
        view = render_gate(spec)
        found: dict[str, object] = {
            "baseline": _outcome(ran.get((GateStage.BASELINE, spec.name))),
            "outcome": _outcome(proven := ran.get((GateStage.PROVING, spec.name))),
            "runs": proven.runs if proven else 1,
            "seeding": seeded.get(spec.name, ()),
        }
        if verdict := verdicts.get(spec.name):
            found |= {
                "bar": verdict.bar.value,
                "met": verdict.met,
                "verdict": verdict.reason,
                "gaps": verdict.gaps,
                "flaky": verdict.flaky,
                "quarantined": verdict.quarantined,
            }
        views.append(view.model_copy(update=found))
    return tuple(views)


def _outcome(result: GateResult | None) -> str | None:
    return result.outcome.value if result else None


def _render_criteria(state: GoalState) -> tuple[g.CriterionView, ...]:
    """The judged ones when there is a judgement: it may ask for more than the plan did."""
    judged = state.judgement.criteria if state.judgement else ()
    found = [(v.criterion, v.state.value, v.reason) for v in judged]
    if not judged:
        found = [(c, "not_addressed", UNJUDGED) for c in state.asked]
    return tuple(
        g.CriterionView(
            id=criterion.id,
            text=criterion.text,
            evidence=criterion.evidence,
            gate=criterion.gate,
            tests=criterion.tests,
            state=standing,
            reason=reason,
            asks=describe_evidence(criterion),
            why=criterion.why,
        )
        for criterion, standing, reason in found
    )


def render_spend(spend: Spend) -> g.SpendView:
    """Return what was used."""
    return g.SpendView(
        wall_ms=spend.wall_ms,
        attempts=spend.attempts,
        changed_lines=spend.changed_lines,
        tokens=spend.tokens,
        usd=None if spend.usd is None else str(spend.usd),
        source=spend.source,
        turns=spend.turns,
        priced=spend.priced if spend.usd is not None else "",
    )


def _render_budget(budget: GoalBudget) -> g.BudgetView:
    return g.BudgetView(
        wall_seconds=budget.wall_seconds,
        attempts=budget.attempts,
        changed_lines=budget.changed_lines,
        tokens=budget.tokens,
        usd=None if budget.usd is None else str(budget.usd),
        max_agents=budget.max_agents,
        repairs=budget.repairs,
        turns=budget.turns,
    )


def _render_place(state: GoalState, path: Path | None) -> g.ProofPlace | None:
    if state.proof is None or path is None:
        return None
    proof = state.proof
    recovered = proof.cause is ProofCause.RECOVERED
    return g.ProofPlace(digest=proof.digest, tree=proof.tree, path=str(path), recovered=recovered)
