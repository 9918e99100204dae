"""What may be asked of a goal: each may be refused, none does anything itself."""

from __future__ import annotations

from dataclasses import dataclass

from goal_engine.agent import Left
from goal_engine.budget import BudgetAdd, GoalBudget, InFlight, Spend
from goal_engine.decision import Acceptance, Question, Rejection
from goal_engine.permission import Answer
from goal_engine.proof.statement import ProofCause
from goal_engine.proof.verdict import Judgement
from goal_engine.state import events as e
from goal_engine.types import Decision, Sha256, WorkerName


@dataclass(frozen=True, slots=True)
class CreateGoal:
    """Bring a goal into being, with its plan or with the questions that come first."""

    created: e.GoalCreated
    planned: e.GoalPlanned | None
    questions: tuple[Question, ...] = ()
    blocked: e.GoalBlocked | None = None


@dataclass(frozen=True, slots=True)
class AnswerQuestion:
    """Record what a person said, and the plan or the waiver that follows from it."""

    question: str
    text: str
    decision: Decision
    planned: e.GoalPlanned | None = None
    questions: tuple[Question, ...] = ()
    blocked: e.GoalBlocked | None = None
    restored: tuple[str, ...] = ()
    """What was put back in the person's repository because they said so."""


@dataclass(frozen=True, slots=True)
class RevisePlan:
    """Put another plan in the place of the one that nothing was done of."""

    planned: e.GoalPlanned
    restated: e.GoalRestated | None = None


@dataclass(frozen=True, slots=True)
class StartPlanning:
    """Let an agent make another plan in the place of the one that nothing was done of."""

    worker: WorkerName
    agent: str = ""
    by: str = ""
    """Who asks."""


@dataclass(frozen=True, slots=True)
class StartGoal:
    """Take a goal up for the first time or, after a judgement, again."""

    by: str = ""
    """Who asks."""


@dataclass(frozen=True, slots=True)
class ResumeGoal:
    """Let a waiting goal go on, with other limits if given."""

    limits: GoalBudget | None = None
    """Only those that are set in it; the others stay."""
    by: str = ""
    """Who asks."""


@dataclass(frozen=True, slots=True)
class ReopenVerification:
    """Have the gates run again on the tree that was judged."""

    by: str = ""
    """Who asks."""


@dataclass(frozen=True, slots=True)
class MoveBase:
    """Put the goal onto newer commits, as somebody has worked it out."""

    moved: e.BaseMoved
    seen: str
    """The tree that the goal had then."""
    clash: e.IntegrationConflicted | None = None
    """What does not merge, if anything."""


@dataclass(frozen=True, slots=True)
class RequestControl:
    """Ask whoever runs the goal to pause or cancel."""

    kind: e.ControlKind
    decision: Decision
    after_step: bool = False
    """Whether what is under way may come to its end first."""


@dataclass(frozen=True, slots=True)
class SubmitTask:
    """Say that the folder of a handed-over task holds the result."""

    task: str | None
    """`None` for the one task that waits."""
    decision: Decision


@dataclass(frozen=True, slots=True)
class AnswerAsk:
    """Record what an agent is told that asked leave for something."""

    key: str
    answer: Answer
    decision: Decision | None = None
    """`None` where nobody answered in time."""
    asked: e.PermissionAsked | None = None
    """The very ask, where nobody waits for it any more; a person's word is to what was asked, whoever asked it."""


@dataclass(frozen=True, slots=True)
class SayWord:
    """Say something to the agent that works on a task."""

    task: str | None
    """`None` for the one that can hear it."""
    text: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class StopGoal:
    """Record that everything is dead: the receipt of a pause or cancel, or an interruption."""

    kind: e.ControlKind
    reason: str
    spent: Spend = Spend()
    kept: tuple[str, ...] = ()
    """Tasks in whose folders a person's work stays; of a cancel."""
    actor: str = ""
    """Who stops a goal that nobody runs; where somebody does, the request says it."""
    ended: int = 0
    """Processes that were ended for it."""
    left: int = 0
    """Processes that could not be."""


@dataclass(frozen=True, slots=True)
class NoticeInterruption:
    """Record that a running goal has no runner, and what was ended that it had left."""

    ended: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """Record facts that the runner saw."""

    events: tuple[e.GoalEvent, ...]


@dataclass(frozen=True, slots=True)
class RecordStep:
    """Record facts that end a step, with what was used by then and what is to be warned of."""

    step: e.Step
    running: InFlight
    """What this run of the goal used that no event says yet."""
    events: tuple[e.GoalEvent, ...] = ()
    task: str | None = None
    proposals: tuple[Left, ...] = ()
    """What the attempt that ended left as further tasks."""


@dataclass(frozen=True, slots=True)
class WarnOfBudget:
    """Warn of each limit that is nearly used up; refused where none is."""

    running: InFlight


@dataclass(frozen=True, slots=True)
class ExtendBudget:
    """Give a goal more of what is limited, running or not."""

    add: BudgetAdd
    decision: Decision


@dataclass(frozen=True, slots=True)
class JudgeGoal:
    """Record what the evidence amounts to."""

    judgement: Judgement
    proof: Sha256
    """The bundle that was made of it: no judgement without one."""
    spent: Spend = Spend()
    cause: ProofCause = ProofCause.JUDGED


@dataclass(frozen=True, slots=True)
class AcceptCriterion:
    """Record a person's word for a criterion and the judgement that follows."""

    acceptance: Acceptance
    judgement: Judgement
    proof: Sha256
    seen: Sha256 | None = None
    """The proof that the goal had when it was judged: with another one, gates may have said else."""


@dataclass(frozen=True, slots=True)
class RejectGoal:
    """Record a person's no to the result, and the judgement that follows."""

    rejection: Rejection
    judgement: Judgement
    proof: Sha256
    seen: Sha256 | None = None
    """The proof that the goal had when it was judged."""


@dataclass(frozen=True, slots=True)
class RecordHunks:
    """Record what was seen without each hunk, and the proof that says it."""

    tried: e.HunksTried
    proof: Sha256
    seen: Sha256 | None
    """The proof that the goal had when that one was made."""


@dataclass(frozen=True, slots=True)
class RecordReview:
    """Record what an agent's review added to the judgement, which stays what it is otherwise."""

    judgement: Judgement
    proof: Sha256
    seen: Sha256 | None
    """The proof that the goal had when that one was made."""


@dataclass(frozen=True, slots=True)
class RecordRecovery:
    """Record that a lost proof was made again."""

    proof: Sha256
    lost: Sha256


@dataclass(frozen=True, slots=True)
class ArchiveGoal:
    """Put a goal out of sight, or, `back`, into the lists again."""

    decision: Decision
    back: bool = False


GoalCommand = (
    AnswerQuestion
    | RevisePlan
    | StartPlanning
    | ResumeGoal
    | ReopenVerification
    | MoveBase
    | RequestControl
    | SubmitTask
    | AnswerAsk
    | SayWord
    | JudgeGoal
    | AcceptCriterion
    | RejectGoal
    | RecordHunks
    | RecordReview
    | RecordRecovery
    | RecordStep
    | WarnOfBudget
    | ExtendBudget
    | ArchiveGoal
)
"""The commands whose events depend on the goal as it stands."""

Command = CreateGoal | StartGoal | StopGoal | NoticeInterruption | Record | GoalCommand
