"""What each operation returns: typed views of the engine's values, camelCase on the wire.

Nothing is decided here: a view is a picture of a state, for a person or an editor.
"""

from __future__ import annotations

import shlex
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

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
from goal_server.plain import visible_line

S = GoalStatus
UNJUDGED = "not judged yet"
"""Why a criterion stands where it does before anything was judged."""


class View(BaseModel):
    """What is answered."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class SpendView(View):
    """What was used.  `tokens` and `usd` are `None` when nobody could tell, never zero for it."""

    wall_ms: int
    attempts: int
    changed_lines: int
    tokens: int | None
    usd: str | None
    source: str
    turns: int = 0
    """Turns of agents."""
    priced: str = ""
    """Whose list prices the dollars are estimated by; empty where they are not."""


class SeedingView(View):
    """What one part of making a workspace ready cost."""

    part: Literal["files", "python", "node_modules", "submodules", "copies", "set-up"]
    ms: int
    bytes: int | None
    """That were copied or shared; `null` where nobody counted."""
    how: Literal["", "shared", "ran", "kept"]
    """`shared`: blocks of the disk; `ran`: set-up commands; `kept`: what they made before."""


class TaskView(View):
    """One task."""

    id: str
    title: str
    status: str
    worker: str
    attempts: int
    deps: tuple[str, ...]
    files: tuple[str, ...]
    reason: str
    agent: str = ""
    """The agent, or the program of the command, that the worker `cli` starts."""
    folder: str | None = None
    """A person's folder for it: while it waits for `submit`, and as long as its work is kept."""
    has_log: bool = False
    """Whether there is output to read, of a turn that runs or of the last one."""
    spend: SpendView | None = None
    """What its attempts used; `None` before the first."""
    seeding: tuple[SeedingView, ...] = ()
    """What the workspace of its last attempt cost."""


class GateView(View):
    """One gate; `met` is `None` until the result was judged."""

    name: str
    argv: tuple[str, ...]
    required: bool
    reason: str
    """Why it was chosen."""
    bar: str | None = None
    met: bool | None = None
    verdict: str = ""
    """Why it met its bar or did not."""
    gaps: tuple[str, ...] = ()
    flaky: tuple[str, ...] = ()
    """Tests that are flaky on the base as well, and how often each failed there."""
    quarantined: tuple[str, ...] = ()
    """Tests that the person took out of its answer, and what each did."""
    runs: int = 1
    """How often it ran on the result."""
    baseline: str | None = None
    outcome: str | None = None
    trusted: bool | None = None
    """Whether a person approved it exactly as it is; `None` where that was not looked up."""
    cwd: str = "."
    env: tuple[str, ...] = ()
    """The names of the variables that it sets."""
    fix: tuple[str, ...] | None = None
    """The command that repairs what it finds."""
    command: str = ""
    """All that it runs as one line in which nothing is hidden: what a person is asked about."""
    digest: str = ""
    """What is approved: the sha256 of all that the gate makes us run."""
    seeding: tuple[SeedingView, ...] = ()
    """What the workspace of its last run cost."""


class CriterionView(View):
    """One criterion; `state` is that of the last judgement."""

    id: str
    text: str
    evidence: str
    gate: str | None
    tests: tuple[str, ...]
    state: str
    reason: str
    asks: str = ""
    """In words, what would show it."""
    why: str = ""
    """Why it is asked for, where nobody wrote it into a plan."""


class FindingView(View):
    """One thing in a change that a reader should see."""

    rule: str
    severity: str
    """blocks, warns or notes."""
    path: str
    line: int | None
    """In the result, from 1."""
    message: str
    excerpt: str
    """The line, cut short and without secrets."""


class ReviewSectionView(View):
    """One section of a review: architect, code, test, security, performance or anti-slop."""

    name: str
    status: str
    """passed, blocked, warned or not_applicable."""
    findings: tuple[FindingView, ...]
    more: int
    """Findings that are not listed."""
    risks: tuple[str, ...]
    gaps: tuple[str, ...]
    """What was not looked at."""
    next: str


class ReviewView(View):
    """The review of the tree that a goal has now."""

    goal: str
    tree: str
    status: str
    """That of the section that stands worst."""
    sections: tuple[ReviewSectionView, ...]
    next: tuple[str, ...]


class BudgetView(View):
    """The goal's limits; `None` is no limit."""

    wall_seconds: int | None
    attempts: int | None
    changed_lines: int | None
    tokens: int | None
    usd: str | None
    max_agents: int
    repairs: int = 2
    """Tasks that may be added in one run to repair what gates said no to."""
    turns: int | None = None


class LimitView(View):
    """One thing that can be limited, its figures as they are typed."""

    name: str
    words: str
    limit: str | None
    """`None` is no limit."""
    used: str
    """`unknown` where nobody could tell."""
    left: str | None
    percent: int | None
    """Of the limit, in whole per cent."""


class ShareView(View):
    """What one task used, all its attempts together."""

    task: str
    worker: str
    spend: SpendView


class CheckpointView(View):
    """What was used by the time of a step."""

    seq: int
    at: datetime
    label: str
    spend: SpendView


class WarningView(View):
    """A limit that was nearly used up."""

    at: datetime
    limit: str
    percent: int
    used: str
    of: str


class ExtensionView(View):
    """More of what is limited, as a person gave it."""

    at: datetime
    actor: str
    reason: str
    added: dict[str, str]


class RangeView(View):
    """The middle of what comparable tasks took, and what 90 of 100 stayed below."""

    median: str
    high: str
    count: int
    """Tasks that it rests on."""
    unknown: int
    """Comparable ones that did not tell."""


class TaskForecastView(View):
    """What one task is likely to take; no figure where there is no basis."""

    task: str
    worker: str
    basis: str
    seconds: RangeView | None
    tokens: RangeView | None
    usd: RangeView | None


class ForecastView(View):
    """What is likely still to come, by what finished goals took here."""

    tasks: tuple[TaskForecastView, ...]
    seconds: RangeView | None
    """Of all tasks that are left, without gates; `None` where one of them has no basis."""
    calibration: str
    """How such forecasts held."""


class SpendingView(View):
    """What a goal used of its limits, and what is left."""

    goal: str
    text: str
    status: str
    limits: tuple[LimitView, ...]
    max_agents: int
    spend: SpendView
    tasks: tuple[ShareView, ...]
    checkpoints: tuple[CheckpointView, ...]
    """The newest, oldest first."""
    earlier: int
    """Checkpoints before them."""
    warnings: tuple[WarningView, ...]
    extensions: tuple[ExtensionView, ...]
    forecast: ForecastView | None
    next: tuple[str, ...]


class AskView(View):
    """What an agent asks leave for, and waits; `answer` with its key."""

    key: str
    """By content: another ask has another one."""
    task: str
    tool: str
    action: str
    """edit, execute, read, fetch, question or other."""
    text: str
    """All of it in one line in which nothing is hidden."""
    detail: str
    """The command, the question, or what else it is about; its middle left out where it is long."""
    paths: tuple[str, ...]
    choices: tuple[str, ...]
    """What a question may be answered with, where it offers that; else it is free text."""
    until: datetime
    """When it is answered no by itself."""


class QuestionView(View):
    """Something a person has to say."""

    id: str
    text: str


class ProofPlace(View):
    """Where a proof is."""

    digest: str
    tree: str
    path: str
    recovered: bool = False
    """Whether it was made again from the journal."""


class ChangeView(View):
    """How large the change is."""

    files: tuple[str, ...]
    additions: int
    deletions: int


class ReceiptView(View):
    """What the last stop came to."""

    actor: str
    """Who asked; empty when nobody did."""
    reason: str
    took_ms: int | None
    """From asking until everything was dead; `None` where no runner was asked."""
    ended: int
    """Processes that were ended."""
    left: int
    """Processes that could not be."""
    tasks: tuple[str, ...]
    """Tasks that were under way."""
    gates: tuple[str, ...]
    """`stage gate` of each gate that was."""
    said: str
    """All of it in a sentence."""


class DecisionView(View):
    """What somebody decided about a goal."""

    verb: str
    about: str
    """The criterion, question, gate or task; empty where it is the whole goal."""
    tree: str | None
    """The result that was decided about, where it was one."""
    actor: str
    reason: str


class NewsView(View):
    """How far the person's branch was ahead of a goal's base when somebody looked last."""

    branch: str | None
    head: str
    commits: int
    """On top of the base; 0 where the base is no part of it any more."""
    rewritten: bool
    files: int
    """That are different there."""
    touched: tuple[str, ...]
    """Those of them that the goal may write, the first ones."""
    said: str


class ConflictedFileView(View):
    """One file that does not merge."""

    path: str
    kind: str
    """content, delete/modify, rename, mode, binary, file/folder, submodule or other."""


class ConflictView(View):
    """A task's result that does not merge with what was there; `diagnose` has both sides' lines."""

    task: str
    others: tuple[str, ...]
    """Tasks that made the other side; `base` is the person's own commits."""
    files: tuple[ConflictedFileView, ...]


class GoalView(View):
    """One goal as it stands."""

    id: str
    text: str
    kind: str
    kind_reason: str
    status: str
    phase: str
    created_at: datetime
    updated_at: datetime | None
    base_commit: str
    base_tree: str
    base_branch: str | None
    tree: str | None
    change: ChangeView | None
    tasks: tuple[TaskView, ...]
    gates: tuple[GateView, ...]
    criteria: tuple[CriterionView, ...]
    spend: SpendView
    budget: BudgetView
    proof: ProofPlace | None
    questions: tuple[QuestionView, ...]
    asks: tuple[AskView, ...] = ()
    """What agents under way wait for a person to allow."""
    blocker: str
    reasons: tuple[str, ...]
    """Why the judgement is not `ready`, one sentence each."""
    next: tuple[str, ...]
    """Commands that make sense now."""
    notices: tuple[str, ...]
    branch: str | None
    """The branch that delivery made."""
    applied: tuple[str, ...]
    plan_path: str | None = None
    """The plan as a file, once it was opened."""
    reviews: tuple[ReviewSectionView, ...] = ()
    """What the judgement's look at the change found."""
    receipt: ReceiptView | None = None
    """What the stop came to that the goal stands at."""
    hunks: dict[str, int] | None = None
    """How many hunks of the change stand how, once they were tried: `constrained`, `unproven`, …"""
    forecast: ForecastView | None = None
    """What is likely still to come; only where a goal was asked for to look at."""
    possible: tuple[str, ...] = ()
    """The operations that are possible as it stands, the likeliest first."""
    decisions: tuple[DecisionView, ...] = ()
    """All that people decided about it, oldest first."""
    conflict: ConflictView | None = None
    """What does not merge, while nobody has seen to it."""
    sandbox: tuple[str, ...] = ()
    """What its workers and gates ran in, one phrase each; none before anything ran."""
    archived: bool = False
    """Whether lists leave it out."""
    news: NewsView | None = None
    """Where the person's branch went on; `rebase` puts a judged goal there."""
    bases: tuple[str, ...] = ()
    """The bases that the goal had before, oldest first."""


class GoalLine(View):
    """One goal in a list.  A damaged one has `damage` and little else."""

    id: str
    text: str = ""
    status: str = "damaged"
    created_at: datetime | None = None
    done: int = 0
    total: int = 0
    blocker: str = ""
    damage: str = ""
    notice: str = ""
    """What its status does not tell: that a newer release goes on with it, or its runner is gone."""
    made_here: bool = True
    """Whether this store wrote it; of another's goal nothing was seen here."""
    possible: tuple[str, ...] = ()
    """The operations that are possible as it stands; none where it cannot be read."""
    archived: bool = False
    """Whether lists leave it out unless they are asked for the archived ones too."""


class AdoptedView(View):
    """A store that may be written to now."""

    path: str
    was: str
    """`moved`, `copied` or `foreign`; anything else where nothing had to be done."""
    goals: int
    elsewhere: int
    """Goals of another place, which stay to be looked at."""
    adoptions: tuple[str, ...] = ()
    """Each time that somebody adopted it, in a sentence, oldest first."""


class GoalList(View):
    """Every goal of a workspace, newest first."""

    goals: tuple[GoalLine, ...]
    archived: int = 0
    """How many of those that were asked for are archived, listed or not."""


class RoomView(View):
    """One kind of what takes room."""

    kind: str
    """`workspaces`, `temporary`, `caches`, `archive`, `results`, `objects` or `orphans`."""
    words: str
    count: int
    bytes: int
    names: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    """What stays, and why."""


class GcView(View):
    """What takes room and can go, or what went."""

    done: bool
    rooms: tuple[RoomView, ...]
    bytes: int
    """Of all that can go, or went."""
    used: int
    """Bytes that are kept outside the checkout for it, now."""
    folder: str
    limit_mib: int | None
    """What the person allows for all checkouts together; `None` for no limit."""


class SeenView(View):
    """One thing that was seen and that speaks for a diagnosis."""

    source: str
    """`gate tests`, `task fix` or `criterion adds`."""
    text: str
    path: str | None
    line: int | None
    """Where to look, from 1."""
    log: str
    """The command that prints all of it; empty where there is none."""


class DiagnosisView(View):
    """Why a goal stands where it stands, and what to do about it."""

    goal: str
    text: str
    status: str
    why: str
    """What it waits for, or why it is not ready."""
    cause: str
    """The likely cause; empty where `why` says it all."""
    evidence: tuple[SeenView, ...]
    tried: tuple[str, ...]
    """What repairs came to."""
    advice: str
    next: tuple[str, ...]
    """What to type, the most likely first."""


class MoveView(View):
    """A task's status that changed."""

    task: str
    before: str | None
    """`None` for a task that is new."""
    after: str


class NamedObjectView(View):
    """Something that an event names and that is kept elsewhere."""

    what: str
    """`log`, `report`, `failures`, `digest` (of a proof), `commit` or `tree`."""
    name: str


class MomentView(View):
    """One event of a goal's history."""

    seq: int
    """The number of its entry in the journal."""
    at: datetime
    cause: str
    """The command that caused it."""
    kind: str
    """`task.finished`."""
    text: str
    by: str
    """Who decided it; empty for what the engine saw or did."""
    reason: str
    """Why, in that person's words."""
    status: str
    """Of the goal, afterwards."""
    was: str | None
    """Before; `None` for a goal that was not there."""
    phase: str
    tasks: tuple[str, ...]
    gate: str
    moves: tuple[MoveView, ...]
    gap_ms: int
    """Since the entry before."""
    took_ms: int | None
    """How long what ended here had taken."""
    spent: SpendView | None
    """In all, where it changed."""
    objects: tuple[NamedObjectView, ...]


class TimeView(View):
    """Where the time of a goal went."""

    what: str
    """`status running`, `task fix`, `gate tests on the result`."""
    times: int
    ms: int


class DifferenceView(View):
    """One thing that is different between two moments."""

    path: str
    """`status`, `tasks.fix.status`, `graph.tasks[fix].title`."""
    change: Literal["changed", "added", "removed"]
    before: Any
    after: Any
    text: str
    """In words."""


class ReplayView(View):
    """What happened to a goal, as its journal alone tells it."""

    goal: str
    text: str
    status: str
    """After the last entry that is told."""
    entries: int
    """How many the journal has, as far as it verifies."""
    after: int
    """The entry after which the story begins; 0 is the beginning of the goal."""
    last: int
    """The entry that it ends with."""
    begun_at: datetime
    until: datetime
    digest: str
    """The sha256 of the goal after `last`, as canonical JSON."""
    moments: tuple[MomentView, ...]
    earlier: int
    """Moments before those, which were not asked for."""
    times: tuple[TimeView, ...]
    spend: SpendView
    differences: tuple[DifferenceView, ...] | None
    """Between the goal at `after` and at `last`, where that was asked for."""
    more: int
    """Differences that are left out, since there are so many."""
    state: GoalView | None
    """The goal at `last`, where one moment was asked for."""
    damage: str
    """Where the journal ends before its bytes do, and why; empty for one that is whole."""
    note: str
    """What its end alone does not tell: that a newer release goes on with it, or its runner is gone."""
    defects: tuple[str, ...]
    """Where what is shown elsewhere is not what the journal says."""


class DiffView(View):
    """A change as git prints it."""

    goal: str
    task: str | None
    patch: str
    """Text; bytes that are no UTF-8 are escaped, so apply the proof's bundle rather than this."""
    raw: bytes = Field(default=b"", exclude=True, repr=False)
    """The exact bytes, for a pipe."""


class LogView(View):
    """Part of what a task or a gate printed."""

    goal: str
    name: str
    """Whose log it is: a task's id, or a gate with its stage."""
    task: str | None
    gate: str | None
    text: str
    """At most 64 kB of it, without what a terminal would obey."""
    offset: int
    """In bytes: ask with it for what comes next."""
    live: bool
    """Whether more may come."""
    running: bool
    """Whether the goal is worked on, so that another log may follow."""


class OpenView(View):
    """Where something of a goal is."""

    goal: str
    what: str
    path: str
    kind: Literal["file", "folder"]


class PassedOverView(View):
    """What was looked at and is no gate."""

    what: str
    """The tool, script or target."""
    folder: str
    reason: str
    absent: bool
    """Whether it would be a gate if it were installed."""


class GatesView(View):
    """The gates that a goal created now would have."""

    gates: tuple[GateView, ...]
    configuration: str | None
    """The configuration file, `None` when the gates were detected."""
    passed_over: tuple[PassedOverView, ...] = ()
    """What else was found and why it is no gate; nothing where the configuration decides."""
    python: str | None = None
    """The environment that gates run in, where it is not the one of the root."""
    python_reason: str = ""
    """Why that Python is the project's: `.venv of uv, uv.lock`; empty where there is none."""
    setup: tuple[GateView, ...] = ()
    """The commands that make each workspace ready first; approved like gates, judging nothing."""


class WorkerView(View):
    """Somebody who can do a task."""

    name: str
    title: str
    available: bool


class WayView(View):
    """How one worker starts an agent."""

    worker: str
    argv: tuple[str, ...]
    path: str | None
    """The program that would be started, `None` when it is not on this machine."""
    available: bool
    package: str = ""
    """What brought the program, with its version; empty where that cannot be told."""
    missing: str = ""
    """Why it cannot be started here, and what to do."""
    mode: str = ""
    """The mode it is put into, as it calls it; empty where the protocol has none."""
    reading: str = ""
    """The mode in which it changes nothing."""
    sessions: bool = False
    """Whether a later turn can go on with a session."""


class AgentView(View):
    """Somebody who works on a prompt, and what there is of them on this machine."""

    name: str
    title: str
    argv: tuple[str, ...]
    """Its headless command, or its only other one."""
    path: str | None
    """The program that would be started, `None` when it is not on this machine."""
    available: bool
    ways: tuple[WayView, ...] = ()
    """By which workers it can be started, the best first."""
    login: str = ""
    """What says that it is logged in, a variable's name or a file; empty where nothing was seen."""
    log_in: str = ""
    """How to log in, where nothing was seen."""
    is_default: bool = False
    """Whether it does goals of words alone that name nobody."""


class AgentsView(View):
    """The workers there are, and the agents that three of them can start."""

    workers: tuple[WorkerView, ...]
    agents: tuple[AgentView, ...] = ()
    note: str


class CheckView(View):
    """What one check of this machine found."""

    name: str
    standing: Literal["good", "note", "bad"]
    """`bad`: no goal can be worked on before it is put right."""
    said: str
    next: str = ""
    """What to do; empty where nothing has to be done."""


class DoctorView(View):
    """What goals need on this machine, and how it stands."""

    good: bool
    """Whether goals can be worked on."""
    checks: tuple[CheckView, ...]


class SupersededProof(View):
    """A proof that the goal had before."""

    digest: str
    tree: str
    path: str
    superseded_by: str
    because: str


class ProofView(View):
    """A proof and what it states."""

    goal: str
    status: str
    proof: ProofPlace
    criteria: tuple[CriterionView, ...]
    gates: tuple[GateView, ...]
    signed: bool
    """Whether the signature was checked and fits."""
    key_id: str | None
    """The sha256 of the public key."""
    signature: str
    """What the signature gives, or why there is none to rely on."""
    next: tuple[str, ...]
    superseded: tuple[SupersededProof, ...] = ()
    """The proofs before it, newest first, where they were asked for."""
    recovered: bool = False
    """Whether it was made again from the journal, since the bundle before was lost or damaged."""


class HunkView(View):
    """A hunk of a change: some lines of a file, or all of it."""

    path: str
    line: int | None
    """The first of its lines after the change, from 1; `None` for a whole file."""
    lines: int
    """How many there are, 0 where lines were only taken away."""
    standing: str
    """constrained, unproven, unclear or untried."""
    gates: tuple[str, ...]
    tests: tuple[str, ...]
    """Those that are red without it, of all gates."""
    reason: str


class HunksView(View):
    """What was seen without each hunk."""

    goal: str
    hunks: tuple[HunkView, ...]
    count: dict[str, int]
    proof: ProofPlace


class ReverificationView(View):
    """What checking a proof found.  `outcome` is INSPECTED when nothing was run."""

    bundle: str
    outcome: str
    gates: tuple[str, ...]
    differences: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    note: str = ""
    superseded_by: str | None = None
    """The digest of the proof of this goal that came after it, as this workspace knows."""
    superseded_because: str = ""


class ExplanationView(View):
    """Why a changed region is there, or how a criterion stands."""

    goal: str
    mode: str | None
    """proposed, present, moved or stale; `None` for a criterion that was asked for by name."""
    task: str | None
    criterion: str | None
    gate: str | None
    markdown: str


class PageView(View):
    """Something to read: `text` is empty where `exists` is false or `binary` is true."""

    title: str
    text: str
    language_id: str
    exists: bool
    binary: bool


class DemoView(View):
    """What the demo showed."""

    goal: GoalView
    reverification: ReverificationView
    seconds: float
    folder: str | None
    """Where everything is, `None` when it was removed."""


def render_goal(
    state: GoalState, proof_path: Path | None, plan_path: Path | None = None
) -> GoalView:
    """Return the view of a goal whose current proof and plan lie at these paths."""
    return GoalView(
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
        questions=tuple(QuestionView(id=q.id, text=q.text) for q in state.open_questions),
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


def _render_news(state: GoalState) -> NewsView | None:
    seen = state.outgrown
    if seen is None:
        return None
    shown = seen.model_dump(include={"branch", "head", "commits", "rewritten", "files", "touched"})
    return NewsView(**shown, said=say_outgrown(state))


def _render_conflict(state: GoalState) -> ConflictView | None:
    clash = state.clash
    if clash is None:
        return None
    kinds = dict(zip(clash.paths, clash.kinds, strict=False))
    files = {
        name_files((path,))[0]: str(kinds.get(path, ConflictKind.OTHER)) for path in clash.paths
    }
    return ConflictView(
        task=clash.task,
        others=clash.others,
        files=tuple(ConflictedFileView(path=path, kind=kind) for path, kind in files.items()),
    )


def _render_decided(decided: Decided) -> DecisionView:
    return DecisionView(
        verb=decided.verb,
        about=decided.about,
        tree=decided.tree,
        actor=decided.decision.actor,
        reason=decided.decision.reason,
    )


def _render_receipt(state: GoalState) -> ReceiptView | None:
    receipt = state.receipt
    if receipt is None:
        return None
    return ReceiptView(**receipt.model_dump(), said=say_receipt(receipt))


def render_line(summary: Summary, made_here: bool = True, gone: str = "") -> GoalLine:
    """Return one line of a list; `gone` says that nobody works on it, where it seems so."""
    state = summary.state
    if state is None:
        return GoalLine(
            id=summary.goal_id, damage=summary.damage or "it cannot be read", made_here=made_here
        )
    return GoalLine(
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


def render_freed(freed: Freed) -> GcView:
    """Return what can go, or went."""
    rooms = tuple(
        RoomView(
            kind=kind.name,
            words=kind.words,
            count=found.count,
            bytes=found.size,
            names=found.names,
            kept=found.kept,
        )
        for kind, found in freed.found
    )
    return GcView(
        done=freed.done,
        rooms=rooms,
        bytes=sum(room.bytes for room in rooms),
        used=freed.used,
        folder=str(freed.folder),
        limit_mib=freed.limit_mib,
    )


def render_superseded(state: GoalState, folder: Path) -> tuple[SupersededProof, ...]:
    """Return the proofs that a goal had before, newest first; their bundles are in `folder`."""
    return tuple(
        SupersededProof(
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
    superseded: tuple[SupersededProof, ...] = (),
) -> ProofView:
    """Return what the current proof of a goal states; `key_id` is the checked signature's."""
    place = _render_place(state, proof_path)
    assert place is not None
    return ProofView(
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


def render_diagnosis(found: GoalDiagnosis) -> DiagnosisView:
    """Return the view of a diagnosis."""
    return DiagnosisView(
        goal=found.goal_id,
        text=found.text,
        status=found.status,
        why=found.why,
        cause=found.cause,
        evidence=tuple(SeenView(**fact.model_dump()) for fact in found.evidence),
        tried=found.tried,
        advice=found.advice,
        next=found.commands,
    )


def render_replay(told: GoalReplay, *, shows_state: bool) -> ReplayView:
    """Return the view of a history; what could be done at an earlier moment is not said."""
    state = told.state
    shown = render_goal(state, None).model_copy(update={"next": ()}) if shows_state else None
    return ReplayView(
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
        times=tuple(TimeView(**one.model_dump()) for one in told.times),
        spend=render_spend(state.spend),
        differences=None
        if told.differences is None
        else tuple(DifferenceView(**one.model_dump()) for one in told.differences),
        more=told.more,
        state=shown,
        damage=told.damage,
        note=told.note,
        defects=told.defects,
    )


def _render_moment(moment: Moment) -> MomentView:
    same = moment.model_dump(exclude={"spent"})
    return MomentView(**same, spent=render_spend(moment.spent) if moment.spent else None)


def render_review(state: GoalState, reviews: tuple[ReviewSection, ...]) -> ReviewView:
    """Return the view of a review of the tree that a goal has."""
    ranks = {status: rank for rank, status in enumerate(WORST)}
    standing = sorted((section.status for section in reviews), key=ranks.__getitem__)
    asked = [v.criterion.id for v in state.judgement.criteria] if state.judgement else []
    waits = "accept" in find_possible(state) and REVIEWED in asked and find_blocking(reviews)
    return ReviewView(
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


def _render_reviews(reviews: tuple[ReviewSection, ...]) -> tuple[ReviewSectionView, ...]:
    return tuple(
        ReviewSectionView(
            name=section.name,
            status=section.status,
            findings=tuple(
                FindingView(**f.model_dump(exclude={"section"})) for f in section.findings
            ),
            more=section.more,
            risks=section.risks,
            gaps=section.gaps,
            next=section.next,
        )
        for section in reviews
    )


def render_hunks(state: GoalState, trials: tuple[HunkTrial, ...], proof_path: Path) -> HunksView:
    """Return what was seen without each hunk of a goal."""
    place = _render_place(state, proof_path)
    assert place is not None and state.hunks is not None
    views = tuple(
        HunkView(
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
    return HunksView(goal=state.goal_id, hunks=views, count=state.hunks.count, proof=place)


def render_gate(spec: GateSpec, trusted: bool | None = None) -> GateView:
    """Return the view of a gate that has not run."""
    return GateView(
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


def render_passed(passed: PassedOver) -> PassedOverView:
    """Return the view of what is no gate."""
    return PassedOverView(
        what=passed.what, folder=passed.folder, reason=passed.reason, absent=passed.absent
    )


def say_command(gate: GateSpec) -> str:
    """Return all that a gate runs as one line."""
    more = [f"in {gate.cwd}"] if gate.cwd != "." else []
    more += [f"sets {', '.join(sorted(gate.env))}"] if gate.env else []
    more += [f"fixed by {shlex.join(gate.fix)}"] if gate.fix else []
    return visible_line(shlex.join(gate.argv) + (f" ({'; '.join(more)})" if more else ""))


def to_plain(gate: GateView) -> dict[str, object]:
    """Return a gate as the data of a refusal, nothing in it hidden."""
    told = gate.model_dump(mode="json", by_alias=True)
    words = {key: visible_line(told[key]) for key in ("reason", "cwd")}
    listed = {key: [visible_line(item) for item in told[key] or ()] for key in ("argv", "env")}
    fix = None if gate.fix is None else [visible_line(item) for item in gate.fix]
    return {**told, **words, **listed, "fix": fix}


def _render_ask(asked: PermissionAsked) -> AskView:
    ask = asked.ask
    return AskView(
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
        steps.append(f"goalproof resume {goal} --wall-seconds N --attempts N --changed-lines N")
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


def _render_change(state: GoalState) -> ChangeView | None:
    if state.evidence is None:
        return None
    return ChangeView(
        files=tuple(sorted(file.path for file in state.evidence.files)),
        additions=state.evidence.additions,
        deletions=state.evidence.deletions,
    )


def _render_tasks(state: GoalState) -> tuple[TaskView, ...]:
    views = []
    for task in state.graph:
        at = state.tasks[task.id]
        views.append(
            TaskView(
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
    return tuple(views)


def render_seeding(seeding: Seeding) -> tuple[SeedingView, ...]:
    """Return what a workspace cost."""
    return tuple(
        SeedingView(part=one.part, ms=one.ms, bytes=one.bytes, how=one.how) for one in seeding
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


def _render_gates(state: GoalState) -> tuple[GateView, ...]:
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


def _render_criteria(state: GoalState) -> tuple[CriterionView, ...]:
    """The judged ones when there is a judgement: it may ask for more than the plan did."""
    judged = state.judgement.criteria if state.judgement else ()
    found = [(v.criterion, v.state.value, v.reason) for v in judged]
    if not judged:
        found = [(c, "not_addressed", UNJUDGED) for c in state.asked]
    return tuple(
        CriterionView(
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


def render_spend(spend: Spend) -> SpendView:
    """Return what was used."""
    return SpendView(
        wall_ms=spend.wall_ms,
        attempts=spend.attempts,
        changed_lines=spend.changed_lines,
        tokens=spend.tokens,
        usd=None if spend.usd is None else str(spend.usd),
        source=spend.source,
        turns=spend.turns,
        priced=spend.priced if spend.usd is not None else "",
    )


def _render_budget(budget: GoalBudget) -> BudgetView:
    return BudgetView(
        wall_seconds=budget.wall_seconds,
        attempts=budget.attempts,
        changed_lines=budget.changed_lines,
        tokens=budget.tokens,
        usd=None if budget.usd is None else str(budget.usd),
        max_agents=budget.max_agents,
        repairs=budget.repairs,
        turns=budget.turns,
    )


def _render_place(state: GoalState, path: Path | None) -> ProofPlace | None:
    if state.proof is None or path is None:
        return None
    proof = state.proof
    recovered = proof.cause is ProofCause.RECOVERED
    return ProofPlace(digest=proof.digest, tree=proof.tree, path=str(path), recovered=recovered)
