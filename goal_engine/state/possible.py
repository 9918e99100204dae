"""Status × operation: what may be asked of a goal is in `OPERATIONS`, nowhere else.

Each row says in which statuses an operation is possible, what else has to be so there, and which
events asking for it may cause.  All that a row leaves out is refused, naming what is possible instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from goal_engine.errors import NotPossibleNow
from goal_engine.proof.verdict import is_acceptable
from goal_engine.state import events as e
from goal_engine.state.journal import newer
from goal_engine.state.model import GoalState
from goal_engine.types import Frozen, GoalStatus, TaskStatus

S = GoalStatus
Events = tuple[type[Frozen], ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """What has to be so of a goal beside its status."""

    words: str
    """As the table in ARCHITECTURE.md says it."""
    find_obstacle: Callable[[GoalState], str]
    """Returns why it is not so, empty when it is."""


@dataclass(frozen=True, slots=True)
class Cell:
    """An operation in a status in which it is possible."""

    causes: Events = ()
    """The events that asking for it may cause at once; none where it only reads."""
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One operation in all statuses."""

    verb: str
    cells: Mapping[GoalStatus, Cell]
    aside: frozenset[GoalStatus] = frozenset()
    """Where it is possible and hardly what is wanted: no refusal names it there."""
    shows: bool = False
    """Whether it shows something even where it may cause no event."""

    @property
    def looks(self) -> bool:
        """Whether it is possible for a goal that may not be changed."""
        return self.shows or not any(cell.causes for cell in self.cells.values())

    @property
    def only_reads(self) -> bool:
        """Whether it is possible everywhere and changes nothing."""
        return set(self.cells) == set(S) and not any(
            cell.causes or cell.condition for cell in self.cells.values()
        )


# What has to be so beside the status


def _unless(words: str, holds: Callable[[GoalState], object], why: str) -> Condition:
    return Condition(words, lambda state: "" if holds(state) else why)


def _find_halt(state: GoalState) -> str:
    """What keeps a goal from going on that waits for a person: what can be said is said first."""
    if state.open_questions:
        return "answer " + ", ".join(question.id for question in state.open_questions)
    if state.moved is not None or any(
        state.tasks[name].status is TaskStatus.PENDING for name in state.accepted
    ):
        return ""
    if state.conflicted is None and state.is_judged and state.judgement is not None:
        return "; ".join(state.judgement.reasons)
    return ""


def _find_missing_tasks(state: GoalState) -> str:
    if state.graph.tasks:
        return ""
    return state.blocked.next if state.blocked else "it has no tasks"


def _find_move(state: GoalState) -> str:
    """What moved in the person's repository comes first: no word counts for what ran beside it."""
    asked = ", ".join(question.id for question in state.open_questions)
    return f"answer {asked}, then `resume`" if asked else "`resume` it first"


def _find_missing_judgement(state: GoalState) -> str:
    if state.moved is not None:
        return _find_move(state)
    return "" if state.is_judged else "its present tree was not judged yet"


def _find_missing_acceptable(state: GoalState) -> str:
    if state.moved is not None:
        return _find_move(state)
    if not state.is_judged or state.judgement is None:
        return "its present tree was not judged yet"
    waiting = any(is_acceptable(verdict) for verdict in state.judgement.criteria)
    return "" if waiting else "no criterion waits for a person's word"


ASKS = _unless("it asks something", lambda s: s.open_questions, "it asks nothing now")
ASKS_LEAVE = _unless(
    "an agent asks leave", lambda s: s.open_asks, "no agent asks leave for anything now"
)
HEARS = _unless(
    "an agent works that can hear it",
    lambda s: s.listeners,
    "no agent works that can hear it: one that is started with a command line is told its task alone",
)
HANDED = _unless("a task is in a person's hands", lambda s: s.handed_over, "no task waits for you")
UNBEGUN = _unless(
    "no task was attempted",
    lambda s: not s.has_begun and s.moved is None,
    "work on its plan has begun; `run` with the other plan makes a goal of its own",
)
TASKS = Condition("it has tasks", _find_missing_tasks)
JUDGED = Condition("its present tree was judged", _find_missing_judgement)
WAITS = Condition("a criterion waits for a person's word", _find_missing_acceptable)
GOES_ON = Condition("nothing is asked, and its present tree was not judged", _find_halt)
CHANGED = Condition(
    "its present tree was judged and changes something",
    lambda s: (
        _find_missing_judgement(s)
        or ("" if s.evidence is not None and s.evidence.files else "it changes nothing")
    ),
)
APPLIED = _unless("its change was applied", lambda s: s.applied, "its change was not applied")
HAS_CHANGE = _unless("there is a change", lambda s: s.tree, "it has no change yet")
LISTED = _unless("it is not archived", lambda s: not s.archived, "it is archived already")
ARCHIVED = _unless("it is archived", lambda s: s.archived, "it is not archived")
HAS_PROOF = _unless("there is a proof", lambda s: s.proof, "it has no proof yet")


# The table


def _at(
    statuses: Iterable[GoalStatus], *causes: type[Frozen], given: Condition | None = None
) -> dict[GoalStatus, Cell]:
    return dict.fromkeys(statuses, Cell(causes, given))


DONE = (S.DELIVERED, S.CANCELLED)
WORD = (e.GoalJudged, e.ProofRecorded, e.GoalReady, e.GoalNotReady, e.GoalBlocked)
"""A person's word is followed by a judgement and its proof."""
NO = (e.GoalRejected, e.GoalJudged, e.ProofRecorded, e.GoalNotReady)
WAITING = (
    S.PAUSED, S.BLOCKED_ON_HUMAN, S.BLOCKED_ON_EXTERNAL, S.NEEDS_MORE_BUDGET, S.FAILED_INFRA,
)  # fmt: skip
LASTING = (S.BLOCKED_ON_HUMAN, S.NOT_READY, S.READY, S.DELIVERED)
"""Where a lost proof is made again."""
UNTOLD = frozenset(S)

OPERATIONS: tuple[Row, ...] = (
    Row("answer",
        _at((S.BLOCKED_ON_HUMAN,), e.QuestionAnswered, e.ProposalAccepted,
            e.ProposalRejected, e.GateWaived, e.LimitsWaived, e.QuestionsAsked,
            e.RepositorySettled, e.GoalPlanned, e.GoalBlocked, given=ASKS)
        | _at((S.RUNNING,), e.PermissionAnswered, given=ASKS_LEAVE)),
    Row("accept", _at((S.BLOCKED_ON_HUMAN, S.NOT_READY), e.CriterionAccepted, *WORD, given=WAITS)),
    Row("submit", _at((S.RUNNING,), e.TaskSubmitted, given=HANDED)),
    Row("tell", _at((S.RUNNING,), e.WordSaid, given=HEARS)),
    Row("diff", _at(S), UNTOLD - set(LASTING)),
    Row("apply", _at((S.READY, S.DELIVERED), e.ChangeApplied)),
    Row("deliver", _at((S.READY,), e.DeliveryIntended, e.GoalDelivered)),
    Row("budget",
        _at(set(S) - set(DONE), e.BudgetExtended) | _at(DONE), UNTOLD - {S.NEEDS_MORE_BUDGET}),
    Row("resume",
        _at((S.PAUSED, S.NEEDS_MORE_BUDGET, S.FAILED_INFRA), e.GoalResumed)
        | _at((S.BLOCKED_ON_HUMAN,), e.GoalResumed, given=GOES_ON)
        | _at((S.BLOCKED_ON_EXTERNAL,), e.GoalResumed, given=TASKS)),
    Row("execute",
        _at((S.PLANNED,), e.GoalStarted, given=TASKS)
        | _at((S.NOT_READY, S.READY), e.GoalStarted)),
    Row("diagnose", _at(S), UNTOLD - {S.NOT_READY, S.FAILED_INFRA}),
    Row("proof",
        _at((*WAITING, S.RUNNING, S.CANCELLED), given=HAS_PROOF)
        | _at((S.BLOCKED_ON_HUMAN,), e.ProofRecorded, given=HAS_PROOF)
        | _at((S.NOT_READY, S.READY, S.DELIVERED), e.ProofRecorded),
        UNTOLD - set(LASTING), shows=True),
    Row("verify",
        _at((S.BLOCKED_ON_HUMAN,), e.VerificationReopened, given=JUDGED)
        | _at((S.NOT_READY, S.READY), e.VerificationReopened)),
    Row("rebase",
        _at((S.PLANNED,), e.BaseMoved)
        | _at((S.BLOCKED_ON_HUMAN,), e.BaseMoved, e.IntegrationConflicted, given=JUDGED)
        | _at((S.NOT_READY, S.READY), e.BaseMoved, e.IntegrationConflicted),
        frozenset({S.PLANNED})),
    Row("hunks", _at(
        (S.BLOCKED_ON_HUMAN, S.READY), e.HunksTried, e.ProofRecorded, given=CHANGED,
    )),
    Row("revise",
        _at((S.PLANNED,), e.GoalPlanned, e.GoalRestated, e.PlanningStarted)
        | _at((S.BLOCKED_ON_HUMAN, S.BLOCKED_ON_EXTERNAL), e.GoalPlanned, e.GoalRestated,
              given=UNBEGUN)),
    Row("undo", _at((S.NOT_READY, S.READY, S.DELIVERED), e.ChangeUndone, given=APPLIED)),
    Row("pause", _at((S.RUNNING,), e.ControlRequested)),
    Row("reject",
        _at((S.BLOCKED_ON_HUMAN,), *NO, given=JUDGED)
        | _at((S.NOT_READY, S.READY, S.DELIVERED), *NO)),
    Row("cancel",
        _at(set(S) - set(DONE), e.GoalCancelled) | _at((S.RUNNING,), e.ControlRequested)),
    Row("show", _at(S), UNTOLD - {S.RUNNING, S.CANCELLED}),
    Row("review",
        _at((*WAITING, S.RUNNING, S.CANCELLED), given=HAS_CHANGE)
        | _at((S.NOT_READY, S.READY, S.DELIVERED)),
        UNTOLD),
    Row("agent-review", _at(
        (S.BLOCKED_ON_HUMAN, S.NOT_READY, S.READY), e.ConsultationStarted, e.ConsultationFinished,
        e.GoalJudged, e.ProofRecorded, given=CHANGED), UNTOLD),
    Row("archive", _at(set(S) - {S.RUNNING}, e.GoalArchived, given=LISTED), UNTOLD),
    Row("unarchive", _at(set(S) - {S.RUNNING}, e.GoalUnarchived, given=ARCHIVED), UNTOLD),
    *(Row(verb, _at(S), UNTOLD) for verb in ("log", "open", "replay")),
)  # fmt: skip
"""Every operation on a goal, the likeliest first.  `undo` is `apply --undo`, and `agent-review` is
`review --reviewer NAME`."""

ROWS: Mapping[str, Row] = {row.verb: row for row in OPERATIONS}

POSSIBLE: Mapping[GoalStatus, tuple[str, ...]] = {
    status: tuple(row.verb for row in OPERATIONS if status in row.cells and status not in row.aside)
    for status in S
}
"""The operations to name in a status, whatever else has to be so."""


def find_obstacle(state: GoalState, verb: str) -> str | None:
    """Return why an operation is not possible now, empty where the status says it all; else `None`.

    What a newer release goes on with is only looked at.
    """
    if state.is_newer and not ROWS[verb].looks:
        return newer(state.goal_id, state.format)
    cell = ROWS[verb].cells.get(state.status)
    if cell is None:
        return ""
    return (cell.condition.find_obstacle(state) or None) if cell.condition else None


def find_possible(state: GoalState) -> tuple[str, ...]:
    """Return every operation that is possible for a goal as it stands, the likeliest first."""
    return tuple(verb for verb in ROWS if find_obstacle(state, verb) is None)


def check_possible(state: GoalState, verb: str) -> None:
    """Raise `NotPossibleNow` unless an operation is possible for a goal as it stands."""
    why = find_obstacle(state, verb)
    if why is not None:
        raise refusal(state, verb, why)


def refusal(state: GoalState | None, verb: str, why: str = "") -> NotPossibleNow:
    """Return the paragraph that says what is possible instead."""
    if state is None:
        return NotPossibleNow(f"There is no such goal to {verb}; `goalproof list` shows them.")
    if state.is_newer:
        instead = ", ".join(find_possible(state))
        said = newer(state.goal_id, state.format)
        return NotPossibleNow(f"{said} Until then `{verb}` is refused. Possible: {instead}.")
    named = set(POSSIBLE[state.status]) - {verb}
    instead = ", ".join(other for other in find_possible(state) if other in named)
    return NotPossibleNow(
        f"{state.goal_id} is {state.status}, so `{verb}` is not possible now"
        f"{f': {why}' if why else ''}."
        f" Possible: {instead}."
    )


def render_operations() -> str:
    """Return the table as ARCHITECTURE.md shows it: one row for each operation."""
    lines = [("operation", *(str(status) for status in S), "given that"), ("---",) * (len(S) + 2)]
    for row in OPERATIONS:
        marks = (_mark(row.cells.get(status)) for status in S)
        words = dict.fromkeys(
            cell.condition.words for cell in row.cells.values() if cell.condition is not None
        )
        lines.append((f"`{row.verb}`", *marks, "; or ".join(words)))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _mark(cell: Cell | None) -> str:
    return "·" if cell is None else "(✓)" if cell.condition else "✓"
