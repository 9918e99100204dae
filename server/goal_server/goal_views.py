"""A goal and its parts as they are answered: typed, camelCase on the wire.

Nothing is decided here: a view is a picture of a state, for a person or an editor.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


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
