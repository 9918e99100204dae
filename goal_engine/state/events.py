"""The journal's vocabulary: facts in the past tense, each worth replaying for ever.

Large things (logs, reports, diffs) are objects named by sha256; token streams never come here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from goal_engine.agent import GoalAgentTaskProposal
from goal_engine.budget import BudgetAdd, GoalBudget, Spend, UnitName
from goal_engine.conflicts import ConflictKind
from goal_engine.decision import Acceptance, Answer, Criterion, Question, Rejection
from goal_engine.evidence import GoalGitEvidence
from goal_engine.moved import RepositoryChange
from goal_engine.permission import MOST_SAID, Ask, AskKey
from goal_engine.permission import Answer as Leave
from goal_engine.proof.checked import CheckResult
from goal_engine.proof.gate import GateResult, GateSpec, GateStage
from goal_engine.proof.review import ReviewPolicy
from goal_engine.proof.statement import ProofCause
from goal_engine.proof.verdict import Judgement
from goal_engine.seeding import Seeding
from goal_engine.stagnation import Round, Stagnation
from goal_engine.task_graph.graph import GoalTask, GoalTaskGraph
from goal_engine.task_graph.policy import DEFAULT_POLICY, WorkPolicy
from goal_engine.types import (
    AgentName,
    Decision,
    Frozen,
    GitOid,
    GoalDeliveryPolicy,
    GoalId,
    GoalKind,
    Person,
    SessionName,
    Sha256,
    TaskId,
    Trouble,
    WorkerName,
    later,
)

FORMAT = 1
"""The journal format that this release writes.  An older one is read for ever, a newer one never."""


class GoalCreated(Frozen):
    """A goal exists, on a base that will not move."""

    type: Literal["goal.created"] = "goal.created"
    goal_id: GoalId
    text: str
    kind: GoalKind
    kind_reason: str
    base_commit: GitOid
    base_tree: GitOid
    branch: str | None = None
    """The branch the checkout was on, `None` when its head was detached."""
    author: Person
    gates: tuple[GateSpec, ...]
    """The gates as the person approved them: locked from here on."""
    gates_digest: Sha256
    worker: WorkerName | None = None
    """Who is to do what the plan gives to nobody; `None` when the person did not say."""
    agent: AgentName | Literal[""] = ""
    """Which agent, when the worker is one of those that start one."""
    python: str | None = None
    """The interpreter that goalproof.toml names for the gates."""
    copies: tuple[str, ...] = ()
    """Globs of untracked files that the gates need in a workspace."""
    review: ReviewPolicy = later(ReviewPolicy())
    """What the person wants of reviews, locked like the gates."""
    reviewer: AgentName | Literal[""] = later("")
    """The agent that reviews a result which the gates said yes to."""
    setup: tuple[tuple[str, ...], ...] = later(())
    """Commands that make each workspace ready before anything else runs in it."""
    keeps_setup: bool = later(True)
    """Whether what they made may be kept for the next workspace that would make the same."""
    budget: GoalBudget
    delivery: GoalDeliveryPolicy = GoalDeliveryPolicy.LOCAL
    notices: tuple[str, ...] = ()


class GoalPlanned(Frozen):
    """There are criteria and tasks."""

    type: Literal["goal.planned"] = "goal.planned"
    planner: Literal["scaffold", "plan", "agent"]
    criteria: tuple[Criterion, ...]
    graph: GoalTaskGraph
    policy: WorkPolicy = later(DEFAULT_POLICY)
    """How its tasks are given out."""


class PlanningStarted(Frozen):
    """An agent is to make the plan; nothing that the goal asks for is worked on meanwhile."""

    type: Literal["planning.started"] = "planning.started"
    worker: WorkerName
    agent: AgentName | Literal[""] = ""
    by: str = ""
    """Who asked for it; empty where nobody said so."""


class PlanningEnded(Frozen):
    """The agent's plan is the goal's now, or the one that was there stays."""

    type: Literal["planning.ended"] = "planning.ended"
    plan: GoalPlanned | None = None
    reason: str = ""
    """Why the one that was there stays."""
    spent: Spend = Spend()


Consulted = Literal["plan", "review"]
"""What an agent is asked for that may change nothing."""


class ConsultationStarted(Frozen):
    """An agent that may change nothing is about to be asked: written before its process is."""

    type: Literal["consultation.started"] = "consultation.started"
    about: Consulted
    attempt: int
    tree: GitOid
    """What it looks at."""
    worker: WorkerName
    agent: AgentName | Literal[""] = ""
    sandbox: str = ""
    """As of a gate."""


class ConsultationFinished(Frozen):
    """It answered, or did not; an answer with problems counts for nothing."""

    type: Literal["consultation.finished"] = "consultation.finished"
    about: Consulted
    attempt: int
    tree: GitOid
    agent: AgentName | Literal[""] = ""
    problems: tuple[str, ...] = ()
    spent: Spend
    log: Sha256 | None = None
    report: Sha256 | None = None
    """The object that holds what was taken of the answer."""
    wall_ms: int = 0


class GoalRestated(Frozen):
    """A person changed the goal's words, its kind or its limits together with its plan."""

    type: Literal["goal.restated"] = "goal.restated"
    text: str
    kind: GoalKind
    kind_reason: str
    budget: GoalBudget


class QuestionsAsked(Frozen):
    """A person has to answer before there can be a plan, or before it can run."""

    type: Literal["questions.asked"] = "questions.asked"
    questions: tuple[Question, ...] = Field(min_length=1)


class QuestionAnswered(Frozen):
    """A person answered."""

    type: Literal["question.answered"] = "question.answered"
    answer: Answer


class GateWaived(Frozen):
    """A person said that a gate is not required in this goal."""

    type: Literal["gate.waived"] = "gate.waived"
    gate: str
    decision: Decision


class LimitsWaived(Frozen):
    """A person said that limits do not count which nobody could keep."""

    type: Literal["limits.waived"] = "limits.waived"
    limits: tuple[Literal["tokens", "usd"], ...]
    decision: Decision


BlockedOn = Literal["human", "external", "budget", "infra"]
"""Whom a goal waits for."""


class GoalBlocked(Frozen):
    """Nothing goes on until somebody outside does something."""

    type: Literal["goal.blocked"] = "goal.blocked"
    on: BlockedOn
    reason: str
    next: str
    """What would unblock it."""
    spent: Spend = Spend()
    limits: tuple[UnitName, ...] = later(())
    """The limits that are used up, where it waits for more of them."""


class GoalStarted(Frozen):
    """A runner took the goal up."""

    type: Literal["goal.started"] = "goal.started"
    by: str = later("")
    """Who asked for it; empty where nobody said so."""


class GoalResumed(Frozen):
    """A person lets it go on."""

    type: Literal["goal.resumed"] = "goal.resumed"
    budget: GoalBudget | None = None
    """The limits from here on, when the person changed them."""
    by: str = later("")
    """Who asked for it; empty where nobody said so."""


class BudgetExtended(Frozen):
    """A person gave a goal more of what is limited."""

    type: Literal["budget.extended"] = "budget.extended"
    added: BudgetAdd
    budget: GoalBudget
    """The limits from here on."""
    decision: Decision


class BudgetWarned(Frozen):
    """Much of a limit is used: said once for each of `WARN_AT`, anew when the limit changes."""

    type: Literal["budget.warned"] = "budget.warned"
    limit: UnitName
    percent: int
    used: str
    of: str


Step = Literal["wave", "task", "gates", "judging"]
"""When what was used is recorded beside what happened."""
STEPS: Mapping[Step, str] = {
    "wave": "before tasks",
    "task": "after task",
    "gates": "before the gates",
    "judging": "after the gates",
}
"""The words for it."""


class BudgetChecked(Frozen):
    """What was used by the time of a step: history, and what is known after a crash."""

    type: Literal["budget.checked"] = "budget.checked"
    step: Step
    task: TaskId | None = None
    spent: Spend
    """By the whole goal until then, with what runs."""


class SpendReported(Frozen):
    """What an attempt that was stopped had used, as its worker had reported."""

    type: Literal["spend.reported"] = "spend.reported"
    task: TaskId
    attempt: int
    spent: Spend


class ControlKind(StrEnum):
    """What can be asked of a runner."""

    PAUSE = "pause"
    CANCEL = "cancel"


class ControlRequested(Frozen):
    """Somebody asks the runner to stop; the runner obeys and writes the receipt."""

    type: Literal["control.requested"] = "control.requested"
    kind: ControlKind
    decision: Decision
    after_step: bool = later(False)
    """Whether the tasks and gates under way may come to their end first."""
    asked_at: datetime | None = later(None)
    """For display, and for how long it took."""


class Receipt(Frozen):
    """What a stop came to: written when everything is dead and nothing can start."""

    actor: str
    """Who asked; empty when the runner was ended itself, or went away."""
    reason: str
    took_ms: int | None = None
    """From asking until everything was dead, where somebody asked the runner."""
    ended: int = 0
    """Processes that were ended."""
    left: int = 0
    """Processes that could not be: another user's, or stuck in the system."""
    tasks: tuple[TaskId, ...] = ()
    """Tasks that were under way; their attempts count for nothing."""
    gates: tuple[str, ...] = ()
    """`stage gate` of each gate that was."""


class GoalPaused(Frozen):
    """Every process of the goal is dead and nothing can start: the receipt of a pause."""

    type: Literal["goal.paused"] = "goal.paused"
    reason: str
    spent: Spend = Spend()
    receipt: Receipt | None = later(None)


class GoalInterrupted(Frozen):
    """The runner went away without a word; whoever opened the goal next noticed.

    What was left of its processes had been ended by then.
    """

    type: Literal["goal.interrupted"] = "goal.interrupted"
    receipt: Receipt | None = later(None)


class GoalCancelled(Frozen):
    """Every process of the goal is dead and it will not go on: the receipt of a cancel."""

    type: Literal["goal.cancelled"] = "goal.cancelled"
    reason: str
    spent: Spend = Spend()
    kept: tuple[TaskId, ...] = ()
    """Tasks in whose folders a person's work was left."""
    receipt: Receipt | None = later(None)


class GateStarted(Frozen):
    """A gate is about to run: written before its process is."""

    type: Literal["gate.started"] = "gate.started"
    gate: str
    stage: GateStage
    tree: GitOid
    sandbox: str = later("")
    """What it runs in: `bubblewrap` and its version, or `none: ` and why; empty in older journals."""


class GateFinished(Frozen):
    """The engine ran a gate."""

    type: Literal["gate.finished"] = "gate.finished"
    result: GateResult
    """Without its tests, which are in `report`."""
    report: Sha256 | None = None
    """The object that holds the outcome of each test."""
    failures: Sha256 | None = later(None)
    """The object that says where tests failed, for a person."""
    environment: str = ""
    """The digest of the environment it ran in."""
    left_behind: tuple[str, ...] = later(())
    """Files of the checkout that git does not have and that a red run named (`left_behind`)."""
    seeding: Seeding = later(())
    """What its first workspace cost."""


class CheckFinished(Frozen):
    """The engine looked at what a criterion asks for."""

    type: Literal["check.finished"] = "check.finished"
    result: CheckResult
    sandbox: str = later("")
    """As of a gate; empty too where nothing was run for it."""


class TaskStarted(Frozen):
    """An attempt is about to start: written before its process is."""

    type: Literal["task.started"] = "task.started"
    task: TaskId
    attempt: int
    base_commit: GitOid
    sandbox: str = later("")
    """As of a gate; `by hand` for a person's own work."""


class TaskHandedOver(Frozen):
    """The person's folder for an attempt is ready; the task waits for `submit`."""

    type: Literal["task.handed_over"] = "task.handed_over"
    task: TaskId
    attempt: int
    folder: str
    """For the eye: where the engine looks it works out for itself."""
    exclude: tuple[str, ...] = ()
    """Paths in it that were put there beside the base's files and are never part of a result."""


class TaskSubmitted(Frozen):
    """The person said that what their folder holds is the result."""

    type: Literal["task.submitted"] = "task.submitted"
    task: TaskId
    attempt: int
    decision: Decision


class PermissionAsked(Frozen):
    """An agent asks leave for something that its policy leaves to a person, and waits for it."""

    type: Literal["permission.asked"] = "permission.asked"
    task: TaskId
    attempt: int
    key: AskKey
    """Of all that was asked, of which `ask` may be a part."""
    ask: Ask
    """As it is shown: without secrets, and shortened."""
    until: datetime
    """When it is answered no if nobody says anything; for display."""


class PermissionAnswered(Frozen):
    """A person said yes or no to it, or nobody did while it was waited for."""

    type: Literal["permission.answered"] = "permission.answered"
    task: TaskId
    attempt: int
    key: AskKey
    answer: Leave
    decision: Decision | None = None
    """`None` where nobody answered."""


class WordSaid(Frozen):
    """A person said something to the agent that works on a task."""

    type: Literal["word.said"] = "word.said"
    task: TaskId
    attempt: int
    text: str = Field(min_length=1, max_length=MOST_SAID)
    by: str = ""


class SessionOpened(Frozen):
    """The agent that works on a task told what it calls its session: a later attempt may go on with it."""

    type: Literal["session.opened"] = "session.opened"
    task: TaskId
    attempt: int
    session: SessionName


class TaskFinished(Frozen):
    """An attempt ended well and left a tree."""

    type: Literal["task.finished"] = "task.finished"
    task: TaskId
    attempt: int
    commit: GitOid
    evidence: GoalGitEvidence
    spent: Spend
    log: Sha256 | None = None
    wall_ms: int = later(0)
    """How long the attempt took, not counted against the goal: attempts run at once."""
    seeding: Seeding = later(())
    """What its workspace cost."""


class TaskFailed(Frozen):
    """An attempt did not end well."""

    type: Literal["task.failed"] = "task.failed"
    task: TaskId
    attempt: int
    reason: str
    spent: Spend
    log: Sha256 | None = None
    wall_ms: int = later(0)
    """How long the attempt took, not counted against the goal: attempts run at once."""
    seeding: Seeding = later(())
    """What its workspace cost."""


class TaskDeferred(Frozen):
    """An attempt failed for a reason that says nothing of its task: another one is made later."""

    type: Literal["task.deferred"] = "task.deferred"
    task: TaskId
    attempt: int
    trouble: Trouble
    reason: str
    number: int = Field(ge=1)
    """Which retry the next attempt is."""
    limit: int
    """How many there may be."""
    not_before: datetime
    """When it may begin."""
    spent: Spend
    log: Sha256 | None = None
    wall_ms: int = 0
    """How long the attempt took, not counted against the goal: attempts run at once."""
    seeding: Seeding = later(())
    """What its workspace cost."""


AttemptEnded = TaskFinished | TaskFailed | TaskDeferred
"""How an attempt that came to an end is told of."""


class WaveNarrowed(Frozen):
    """Fewer tasks than wanted can run at once, for want of room."""

    type: Literal["wave.narrowed"] = "wave.narrowed"
    at_once: int = Field(gt=0)
    reason: str


class AttemptLate(Frozen):
    """An attempt told how it ended when it was not the present one any more: it counts for nothing.

    What it used was counted when it was given up.
    """

    type: Literal["attempt.late"] = "attempt.late"
    task: TaskId
    attempt: int
    present: int
    """The last attempt at the task, which may be over as well."""
    told: Literal["task.finished", "task.failed", "task.deferred"]
    commit: GitOid | None = None
    """The result that it had and that nobody takes."""


class TaskProposed(Frozen):
    """An agent proposed a task that a person has to say yes or no to."""

    type: Literal["task.proposed"] = "task.proposed"
    proposal: GoalAgentTaskProposal
    by: TaskId
    """The task whose agent proposes it."""
    attempt: int
    rule: str
    """The rule that leaves it to a person."""
    reason: str


class ProposalAccepted(Frozen):
    """A proposed task joins the goal: by a person's word, or by the plan's and every rule."""

    type: Literal["proposal.accepted"] = "proposal.accepted"
    task: GoalTask
    by: TaskId
    attempt: int


class ProposalRejected(Frozen):
    """A proposed task does not join the goal."""

    type: Literal["proposal.rejected"] = "proposal.rejected"
    name: str
    """Its id, or the file it was in, shortened: nobody has checked it."""
    by: TaskId
    attempt: int
    rule: str
    """The rule that it breaks; `person` where one said no, `shape` where it is no proposal."""
    reason: str
    proposal: GoalAgentTaskProposal | None = None


class TasksBlocked(Frozen):
    """Tasks cannot run because one they depend on failed."""

    type: Literal["tasks.blocked"] = "tasks.blocked"
    tasks: tuple[TaskId, ...]
    by: TaskId


class TreeIntegrated(Frozen):
    """The results of a wave are one tree."""

    type: Literal["tree.integrated"] = "tree.integrated"
    tasks: tuple[TaskId, ...]
    commit: GitOid
    tree: GitOid
    evidence: GoalGitEvidence
    """Against the goal's base."""


class IntegrationConflicted(Frozen):
    """A task's result does not merge with what is there."""

    type: Literal["integration.conflicted"] = "integration.conflicted"
    task: TaskId
    paths: tuple[str, ...]
    kinds: tuple[ConflictKind, ...] = later(())
    """Of each path, how it does not merge."""
    others: tuple[str, ...] = later(())
    """The tasks that made what is there, or `base`."""
    report: Sha256 | None = later(None)
    """The object that has the lines of both sides."""


class BaseOutgrown(Frozen):
    """The person's branch has other commits than the goal's base has: noticed, nothing stops."""

    type: Literal["base.outgrown"] = "base.outgrown"
    branch: str | None
    head: GitOid
    commits: int
    """On top of the base; 0 where it is not among them."""
    rewritten: bool
    """Whether the base is no part of the branch any more."""
    files: int
    """That are different there."""
    touched: tuple[str, ...] = ()
    """Those of them that the goal may write."""
    more: int = 0
    """And how many that are not named."""


class BaseMoved(Frozen):
    """A person put the goal onto newer commits: its change was merged into those, and is judged anew."""

    type: Literal["base.moved"] = "base.moved"
    from_commit: GitOid
    from_tree: GitOid
    base_commit: GitOid
    base_tree: GitOid
    branch: str | None
    commit: GitOid | None = None
    """The change on the new base, without what does not merge; `None` where nothing is left of it."""
    tree: GitOid | None = None
    evidence: GoalGitEvidence | None = None
    """Against the new base."""
    redo: tuple[TaskId, ...] = ()
    """Tasks that worked on what does not merge."""
    unwaived: tuple[str, ...] = later(())
    """Gates that a person waived for what they said on the base before: asked about again."""
    decision: Decision


class VerificationStarted(Frozen):
    """The gates are about to run on the integrated tree."""

    type: Literal["verification.started"] = "verification.started"
    tree: GitOid


class HunksTried(Frozen):
    """The change's hunks were taken away one at a time, and gates ran without each."""

    type: Literal["hunks.tried"] = "hunks.tried"
    tree: GitOid
    report: Sha256
    """The object that says what was seen without each."""
    count: dict[str, int]
    """How many hunks stand how."""
    sandbox: str = later("")
    """As of a gate."""


class RoundWeighed(Frozen):
    """The gates said no to a result that is, or was, being repaired."""

    type: Literal["round.weighed"] = "round.weighed"
    round: Round


class RepairPlanned(Frozen):
    """The result is not enough yet: one more task, made by the engine, is to repair it."""

    type: Literal["repair.planned"] = "repair.planned"
    task: GoalTask
    number: int = Field(ge=1)
    """Which of the run's repairs it is."""
    limit: int
    """How many there may be."""
    reasons: tuple[str, ...]
    """What the result lacks, a sentence each."""
    tried: tuple[str, ...] = ()
    """What the repairs before it came to, a sentence each."""
    failures: Sha256 | None = None
    """The object that holds what the gates said, as its worker is told."""
    resolves: TaskId | None = None
    """The task whose result did not merge, and which it does on what is there."""


class RepairDropped(Frozen):
    """A repair made it worse: the goal has the tree from before again."""

    type: Literal["repair.dropped"] = "repair.dropped"
    task: TaskId
    reason: str
    commit: GitOid | None
    """Of the tree that is kept; `None` is the base."""
    tree: GitOid | None
    evidence: GoalGitEvidence | None
    """Against the goal's base."""


class RepairsStopped(Frozen):
    """No further repair is tried in this run."""

    type: Literal["repairs.stopped"] = "repairs.stopped"
    reason: str
    stagnation: Stagnation | None = None
    """The diagnosis, where that is the reason."""


class RepositoryMoved(Frozen):
    """Something of the person's repository is not as it was before workers or gates ran.

    Nothing of what they left goes on before a person has said whose doing that was.
    """

    type: Literal["repository.moved"] = "repository.moved"
    changes: tuple[RepositoryChange, ...] = Field(min_length=1)
    during: str
    """What ran meanwhile, in words."""
    tasks: tuple[TaskId, ...] = ()
    """The tasks of it that left results which nothing was made of yet."""
    gates: tuple[str, ...] = ()
    """`stage:tree:gate` of the gates that ran."""
    asked: bool = True
    """Whether a person is asked: not again about moves that they said are theirs."""

    @property
    def steers(self) -> bool:
        """Whether any of it can make git run or believe something."""
        return any(change.steers for change in self.changes)


class RepositorySettled(Frozen):
    """A person said what becomes of it."""

    type: Literal["repository.settled"] = "repository.settled"
    choice: Literal["mine", "restore"]
    restored: tuple[str, ...] = ()
    """What was put back as it was before."""
    decision: Decision


class VerificationReopened(Frozen):
    """A person has the gates run again on the tree that was judged; nobody works on it meanwhile."""

    type: Literal["verification.reopened"] = "verification.reopened"
    tree: GitOid
    by: str = later("")
    """Who asked for it; empty where nobody said so."""


class GoalJudged(Frozen):
    """The evidence was weighed; the verdict alone decides the status."""

    type: Literal["goal.judged"] = "goal.judged"
    judgement: Judgement
    spent: Spend = Spend()


class GoalReady(Frozen):
    """The judgement is `ready`."""

    type: Literal["goal.ready"] = "goal.ready"


class GoalNotReady(Frozen):
    """The judgement is `not_ready`."""

    type: Literal["goal.not_ready"] = "goal.not_ready"


class CriterionAccepted(Frozen):
    """A person gave the evidence for one criterion."""

    type: Literal["criterion.accepted"] = "criterion.accepted"
    acceptance: Acceptance


class GoalRejected(Frozen):
    """A person said no to a result: it is not ready, whatever was found out about it."""

    type: Literal["goal.rejected"] = "goal.rejected"
    rejection: Rejection


class ProofRecorded(Frozen):
    """An immutable bundle stands in the store."""

    type: Literal["proof.recorded"] = "proof.recorded"
    digest: Sha256
    tree: GitOid
    cause: ProofCause = later(ProofCause.JUDGED)

    @property
    def is_recovered(self) -> bool:
        """Whether it was made again from the journal."""
        return self.cause is ProofCause.RECOVERED


class ChangeApplied(Frozen):
    """The change was put into the checkout's files."""

    type: Literal["change.applied"] = "change.applied"
    tree: GitOid
    files: tuple[str, ...]
    by: str = later("")
    """Who asked for it; empty where nobody said so."""


class ChangeUndone(Frozen):
    """The change was taken out of the checkout's files again."""

    type: Literal["change.undone"] = "change.undone"
    tree: GitOid
    files: tuple[str, ...]
    by: str = later("")
    """Who asked for it; empty where nobody said so."""


class DeliveryIntended(Frozen):
    """A delivery is about to happen; the branch is its idempotency key."""

    type: Literal["delivery.intended"] = "delivery.intended"
    branch: str
    commit: GitOid


class GoalDelivered(Frozen):
    """The branch stands in the person's repository."""

    type: Literal["goal.delivered"] = "goal.delivered"
    branch: str
    commit: GitOid
    by: str = later("")
    """Who asked for it; empty where nobody said so."""


class GoalArchived(Frozen):
    """The goal is put out of sight: lists leave it out until it moves, or is taken back."""

    type: Literal["goal.archived"] = "goal.archived"
    decision: Decision


class GoalUnarchived(Frozen):
    """The goal is in the lists again."""

    type: Literal["goal.unarchived"] = "goal.unarchived"
    decision: Decision


class FormatRaised(Frozen):
    """What follows is written in a newer format: a release that does not know it stops here."""

    type: Literal["format.raised"] = "format.raised"
    format: int = Field(ge=1)


GoalEvent = Annotated[
    GoalCreated
    | GoalPlanned
    | PlanningStarted
    | PlanningEnded
    | ConsultationStarted
    | ConsultationFinished
    | GoalRestated
    | QuestionsAsked
    | QuestionAnswered
    | GateWaived
    | LimitsWaived
    | GoalBlocked
    | GoalStarted
    | GoalResumed
    | ControlRequested
    | GoalPaused
    | GoalInterrupted
    | GoalCancelled
    | GateStarted
    | GateFinished
    | CheckFinished
    | TaskStarted
    | TaskHandedOver
    | TaskSubmitted
    | PermissionAsked
    | PermissionAnswered
    | WordSaid
    | SessionOpened
    | TaskFinished
    | TaskFailed
    | TaskDeferred
    | AttemptLate
    | TaskProposed
    | ProposalAccepted
    | ProposalRejected
    | WaveNarrowed
    | TasksBlocked
    | TreeIntegrated
    | IntegrationConflicted
    | BaseOutgrown
    | BaseMoved
    | VerificationStarted
    | RoundWeighed
    | RepairPlanned
    | RepairDropped
    | RepairsStopped
    | RepositoryMoved
    | RepositorySettled
    | VerificationReopened
    | HunksTried
    | GoalJudged
    | GoalReady
    | GoalNotReady
    | CriterionAccepted
    | GoalRejected
    | ProofRecorded
    | ChangeApplied
    | ChangeUndone
    | DeliveryIntended
    | GoalDelivered
    | BudgetExtended
    | BudgetWarned
    | BudgetChecked
    | SpendReported
    | GoalArchived
    | GoalUnarchived
    | FormatRaised,
    Field(discriminator="type"),
]


class JournalEntry(Frozen):
    """One line of a journal: the events that one command caused, all or none."""

    seq: int = Field(ge=1)
    """1 for the first entry; the header line is 0."""
    prev: Sha256
    """The digest of the line before."""
    at: datetime
    """For display; order is by `seq` alone."""
    cause: str
    """The name of the command."""
    events: tuple[GoalEvent, ...] = Field(min_length=1)

    @property
    def creates(self) -> GoalId | None:
        """The goal whose journal begins here."""
        if GoalCreated not in map(type, self.events):
            return None
        return next(one.goal_id for one in self.events if isinstance(one, GoalCreated))

    @property
    def raises_format(self) -> bool:
        """Whether this release cannot read what follows."""
        if FormatRaised not in map(type, self.events):
            return False
        return any(isinstance(one, FormatRaised) and one.format > FORMAT for one in self.events)

    @property
    def is_receipt(self) -> bool:
        """Whether it only says that nothing goes on, or asks for that."""
        return all(isinstance(one, RECEIPTS) for one in self.events)


RECEIPTS = (ControlRequested, GoalBlocked, GoalPaused, GoalCancelled, GoalInterrupted)
