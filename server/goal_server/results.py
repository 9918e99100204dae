"""What each operation returns, beside a goal itself: typed views, camelCase on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from goal_server.goal_views import (
    CriterionView,
    ForecastView,
    GateView,
    GoalLine,
    GoalView,
    ProofPlace,
    ReviewSectionView,
    SpendView,
    View,
)


class ReviewView(View):
    """The review of the tree that a goal has now."""

    goal: str
    tree: str
    status: str
    """That of the section that stands worst."""
    sections: tuple[ReviewSectionView, ...]
    next: tuple[str, ...]


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
    tokens: str = "never"
    """When it says what tokens it used: `live`, `turn` (after each) or `never`."""
    usd: str = "never"
    """The same of dollars."""
    estimates: bool = False
    """Whether dollars can be estimated at list price where it says none."""


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
