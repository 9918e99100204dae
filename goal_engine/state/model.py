"""A goal as it stands: pure data, made by folding its events, with no way to store itself."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from goal_engine.budget import GoalBudget, Spend
from goal_engine.decision import (
    Acceptance,
    Answer,
    Criterion,
    Decided,
    EvidenceKind,
    Question,
    Rejection,
)
from goal_engine.evidence import GoalGitEvidence
from goal_engine.permission import Answer as Leave
from goal_engine.proof.checked import CheckResult
from goal_engine.proof.confinement import Confinement
from goal_engine.proof.gate import GateResult, GateSpec
from goal_engine.proof.statement import ProofCause
from goal_engine.proof.verdict import Judgement
from goal_engine.seeding import Seeding
from goal_engine.stagnation import Round
from goal_engine.state.events import (
    FORMAT,
    BaseMoved,
    BaseOutgrown,
    ConsultationFinished,
    ConsultationStarted,
    ControlKind,
    ControlRequested,
    GoalBlocked,
    GoalCreated,
    HunksTried,
    IntegrationConflicted,
    PermissionAsked,
    PlanningStarted,
    Receipt,
    RepairPlanned,
    RepairsStopped,
    RepositoryMoved,
    TaskProposed,
)
from goal_engine.task_graph.graph import GoalTaskGraph
from goal_engine.task_graph.policy import DEFAULT_POLICY, WorkPolicy
from goal_engine.types import (
    Decision,
    Frozen,
    GitOid,
    GoalId,
    GoalPhase,
    GoalStatus,
    Sha256,
    TaskStatus,
    later,
)


class TaskState(Frozen):
    """One task as it stands."""

    status: TaskStatus = TaskStatus.PENDING
    attempts: int = 0
    commit: GitOid | None = None
    """The result of the attempt that ended well."""
    evidence: GoalGitEvidence | None = None
    reason: str = ""
    log: Sha256 | None = None
    base: GitOid | None = None
    """What the last attempt started from."""
    folder: str | None = None
    """The person's folder: there from the hand-over until its tree is part of the goal's."""
    exclude: tuple[str, ...] = ()
    """Paths in that folder that are not the person's."""
    submitted: Decision | None = None
    spend: Spend = Spend()
    """What its attempts used, the time of each included."""
    retries: int = later(0)
    """How often it was tried again after an attempt that said nothing of it."""
    not_before: datetime | None = later(None)
    """When the next attempt may begin, where one is to wait."""
    reported: Spend | None = None
    """What the attempt that runs, or was stopped, had reported."""
    seeding: Seeding = later(())
    """What the workspace of the last attempt cost."""
    session: str = later("")
    """What the agent of the last attempt called its session, if it said so."""
    words: tuple[str, ...] = later(())
    """What a person said to whoever works on it, to the attempts before this one too."""

    @property
    def waits_for_person(self) -> bool:
        """Whether it can be submitted now."""
        running = self.status is TaskStatus.RUNNING
        return running and self.folder is not None and self.submitted is None


class LeaveAsked(Frozen):
    """What an agent asked leave for, of an attempt that may still run."""

    asked: PermissionAsked
    answer: Leave | None = None


class GateRun(Frozen):
    """A gate's result and where its tests are."""

    result: GateResult
    report: Sha256 | None = None
    failures: Sha256 | None = None
    environment: str = ""
    left_behind: tuple[str, ...] = later(())
    seeding: Seeding = later(())


class ProofPointer(Frozen):
    """Where the proof of a tree is."""

    digest: Sha256
    tree: GitOid
    cause: ProofCause = ProofCause.JUDGED


def _softness(request: ControlRequested) -> tuple[bool, bool]:
    return request.kind is not ControlKind.CANCEL, request.after_step


class GoalState(Frozen):
    """One goal (seed: `GoalState`).  `seq` is the number of the last entry that is folded in."""

    seq: int = 0
    format: int = FORMAT
    """Of the journal's last entries."""
    status: GoalStatus
    phase: GoalPhase = GoalPhase.PLANNING
    created: GoalCreated
    updated_at: datetime | None = None
    budget: GoalBudget
    criteria: tuple[Criterion, ...] = ()
    graph: GoalTaskGraph = GoalTaskGraph()
    policy: WorkPolicy = later(DEFAULT_POLICY)
    """How the plan's tasks are given out."""
    proposed: tuple[TaskProposed, ...] = later(())
    """Tasks that agents proposed and that a person has not settled."""
    accepted: tuple[str, ...] = later(())
    """Ids of proposed tasks that joined."""
    planner: str = ""
    granted: tuple[str, ...] = later(())
    """What a person's plan, or the goal's words, let it change: no agent's plan may say more."""
    planning: PlanningStarted | None = later(None)
    """Who is to make the plan, until that is over."""
    unplanned: str = later("")
    """Why the plan of the agent that was asked last is not the goal's."""
    consulting: ConsultationStarted | None = later(None)
    """Who is asked now."""
    consulted: dict[str, ConsultationFinished] = later({})
    """What agents answered last, by what about."""
    reviewed: ConsultationFinished | None = later(None)
    """The last review of an agent that was taken, of whichever tree."""
    tasks: dict[str, TaskState] = Field(default_factory=dict)
    questions: tuple[Question, ...] = ()
    answers: tuple[Answer, ...] = ()
    asks: tuple[LeaveAsked, ...] = later(())
    """What agents under way asked leave for, and what they were answered; see `open_asks`."""
    waived: tuple[str, ...] = ()
    blocked: GoalBlocked | None = None
    requests: tuple[ControlRequested, ...] = ()
    """Requests that nobody has answered with a receipt."""
    receipt: Receipt | None = None
    """What the stop came to that the goal stands at."""
    pause_reason: str = ""
    interrupted: bool = False
    moved: RepositoryMoved | None = later(None)
    """What moved in the person's repository, from when they are asked until the goal goes on."""
    moves_are_mine: bool = later(False)
    """Whether the person said that HEAD, branches and the index are theirs to move meanwhile."""
    integrated: tuple[str, ...] = ()
    """Ids of the tasks whose results are in `commit`."""
    commit: GitOid | None = None
    tree: GitOid | None = None
    evidence: GoalGitEvidence | None = None
    conflict: tuple[str, ...] = ()
    conflicted: str | None = None
    """The task whose result did not merge, while nobody has done it on what is there."""
    clash: IntegrationConflicted | None = later(None)
    """What was seen of that."""
    outgrown: BaseOutgrown | None = later(None)
    """How far the person's branch was ahead of the base when somebody looked last."""
    moves: tuple[BaseMoved, ...] = later(())
    """How the base moved, oldest first; `created` has the present one."""
    rebased: bool = later(False)
    """Whether it moved since the last judgement."""
    repairs: tuple[RepairPlanned, ...] = ()
    """Every repair there was, of earlier runs too."""
    repairs_before: int = 0
    """How many of them are of earlier runs."""
    rounds: tuple[Round, ...] = ()
    """What the gates said no to in this run, one for each result that was weighed."""
    stopped: RepairsStopped | None = None
    """Why this run tries no further repair."""
    gates_run: dict[str, GateRun] = Field(default_factory=dict)
    """By `stage:tree:gate`."""
    checks_run: dict[str, CheckResult] = Field(default_factory=dict)
    """By `tree:criterion`."""
    gates_running: tuple[str, ...] = ()
    """`stage gate` of each that has begun and not ended; of a runner that went away, too."""
    judgement: Judgement | None = None
    acceptances: tuple[Acceptance, ...] = ()
    rejections: tuple[Rejection, ...] = later(())
    """Results that a person said no to, of earlier trees too."""
    decisions: tuple[Decided, ...] = later(())
    """All that people decided, oldest first."""
    proof: ProofPointer | None = None
    superseded: tuple[ProofPointer, ...] = ()
    """The proofs before that one, oldest first."""
    hunks: HunksTried | None = None
    """What was seen without each hunk of a tree, of `tree` where that is the same."""
    reopened: bool = False
    """Whether the gates run again on the tree that was judged, until it is judged anew."""
    applied: tuple[str, ...] = ()
    applied_tree: GitOid | None = None
    """The tree whose files `applied` are."""
    applied_base: GitOid | None = later(None)
    """The tree of the base that they were a change of."""
    delivery_branch: str | None = None
    delivered_commit: GitOid | None = None
    delivered_before: dict[GitOid, str] = later({})
    """The branch of each commit that was delivered and then rejected: each stays where it is."""
    archived: bool = later(False)
    """Whether lists leave it out; it is in them again as soon as it moves."""
    spend: Spend = Spend()
    checked: Spend = Spend()
    """What was used at the last checkpoint: after a crash, all that is known."""
    confined: tuple[Confinement, ...] = later(())
    """What workers and gates ran in, since the goal was made."""
    warned: dict[str, int] = Field(default_factory=dict)
    """Per cent of each limit that was warned of last, while it is the same limit."""

    @property
    def used(self) -> Spend:
        """What was used, with the lines of the change as it is now."""
        change = self.evidence
        lines = change.additions + change.deletions if change else 0
        return self.spend.changed(changed_lines=max(lines, self.spend.changed_lines))

    @property
    def goal_id(self) -> GoalId:
        """The goal's id."""
        return self.created.goal_id

    @property
    def present_tree(self) -> GitOid:
        """The tree that the goal has now; its base's as long as nothing was done."""
        return self.tree or self.created.base_tree

    @property
    def first_base_tree(self) -> GitOid:
        """The tree of the base that the goal was created on."""
        return self.moves[0].from_tree if self.moves else self.created.base_tree

    @property
    def is_judged(self) -> bool:
        """Whether the judgement is about the present tree, on the present base."""
        return (
            self.judgement is not None
            and self.judgement.tree == self.present_tree
            and not self.rebased
        )

    @property
    def is_newer(self) -> bool:
        """Whether a newer release went on with it, in a format that this one cannot read."""
        return self.format > FORMAT

    @property
    def request(self) -> ControlRequested | None:
        """The request that counts: the hardest, and of those the first."""
        return min(self.requests, key=_softness, default=None)

    @property
    def repair_ids(self) -> frozenset[str]:
        """Ids of the tasks that the engine added to the plan's."""
        return frozenset(repair.task.id for repair in self.repairs)

    @property
    def plan(self) -> GoalTaskGraph:
        """The tasks of the plan alone, without repairs."""
        repairs = self.repair_ids
        return GoalTaskGraph(tasks=tuple(task for task in self.graph if task.id not in repairs))

    def find_repair(self, task: str) -> RepairPlanned | None:
        """Return what was planned with a repair, `None` for a task of the plan."""
        return next((repair for repair in self.repairs if repair.task.id == task), None)

    @property
    def gates(self) -> tuple[GateSpec, ...]:
        """The locked gates, those a person waived no longer required."""
        return tuple(
            gate.changed(required=False) if gate.name in self.waived else gate
            for gate in self.created.gates
        )

    @property
    def asked(self) -> tuple[Criterion, ...]:
        """The plan's criteria, but none that a gate holds which a person waived."""
        return tuple(
            criterion
            for criterion in self.criteria
            if criterion.evidence is not EvidenceKind.HOLDS
            or criterion.tests
            or criterion.gate not in self.waived
        )

    @property
    def gate_names(self) -> tuple[str, ...]:
        """The names of the locked gates."""
        return tuple(gate.name for gate in self.created.gates)

    @property
    def has_begun(self) -> bool:
        """Whether a task was attempted or the result judged: the plan stands from then on."""
        return self.judgement is not None or any(task.attempts for task in self.tasks.values())

    @property
    def open_questions(self) -> tuple[Question, ...]:
        """The questions without an answer."""
        answered = {answer.question for answer in self.answers}
        return tuple(question for question in self.questions if question.id not in answered)

    @property
    def statuses(self) -> dict[str, TaskStatus]:
        """Each task's status by id."""
        return {task_id: task.status for task_id, task in self.tasks.items()}

    def is_open(self, task: str) -> bool:
        """Whether no event has ended the last attempt at a task, or at asking about it."""
        if self.consulting is not None and self.consulting.about == task:
            return True
        at = self.tasks.get(task)
        return at is not None and at.status in (TaskStatus.PENDING, TaskStatus.RUNNING)

    @property
    def handed_over(self) -> tuple[str, ...]:
        """Ids of the tasks that wait for a person to submit them."""
        return tuple(task_id for task_id, task in self.tasks.items() if task.waits_for_person)

    def is_present(self, task: str, attempt: int) -> bool:
        """Whether an attempt at a task is the one under way."""
        stands = self.tasks.get(task)
        return (
            stands is not None
            and self.status is GoalStatus.RUNNING
            and stands.status is TaskStatus.RUNNING
            and stands.attempts == attempt
        )

    @property
    def open_asks(self) -> tuple[PermissionAsked, ...]:
        """What agents under way wait for a person to allow."""
        return tuple(
            one.asked
            for one in self.asks
            if one.answer is None and self.is_present(one.asked.task, one.asked.attempt)
        )

    def find_leave(self, asked: PermissionAsked) -> LeaveAsked | None:
        """Return how an ask stands, `None` once its attempt is over."""
        return next((one for one in self.asks if one.asked == asked), None)

    @property
    def listeners(self) -> tuple[str, ...]:
        """Ids of the tasks whose agents can be told something now."""
        return tuple(
            task.id
            for task in self.graph
            if task.hears and self.tasks[task.id].status is TaskStatus.RUNNING
        )

    @property
    def only_waits_for_person(self) -> bool:
        """Whether nothing works but a person, whose time is their own."""
        running = {name for name, at in self.statuses.items() if at is TaskStatus.RUNNING}
        waiting = {*self.handed_over, *(asked.task for asked in self.open_asks)}
        return bool(running) and running <= waiting

    @property
    def proofs(self) -> tuple[ProofPointer, ...]:
        """Every proof of the goal, oldest first; the last one counts."""
        return (*self.superseded, *((self.proof,) if self.proof else ()))

    @property
    def objects(self) -> frozenset[str]:
        """Every commit and tree that something can still be asked about."""
        tasks = self.tasks.values()
        named = (
            *(self.created.base_commit, self.commit, self.tree),
            *(self.delivered_commit, self.applied_tree),
            *(one for task in tasks for one in (task.commit, task.base)),
            *(task.evidence.tree for task in tasks if task.evidence),
            *(proof.tree for proof in self.proofs),
            *(one for move in self.moves for one in (move.from_commit, move.base_commit)),
            *self.delivered_before,
        )
        return frozenset(oid for oid in named if oid is not None)

    def find_waiting(self, task: str) -> tuple[str, ...]:
        """Return the pending tasks that cannot run without `task`."""
        return tuple(
            dependent
            for dependent in self.graph.dependents(task)
            if self.tasks[dependent].status is TaskStatus.PENDING
        )

    def find_run(self, stage: str, tree: str, gate: str) -> GateRun | None:
        """Return what a gate said on a tree, if it ran there."""
        return self.gates_run.get(f"{stage}:{tree}:{gate}")

    def find_check(self, criterion: str, tree: str) -> CheckResult | None:
        """Return what the check of a criterion saw on a result, if it was done there."""
        return self.checks_run.get(f"{tree}:{criterion}")
