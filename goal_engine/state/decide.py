"""`decide` turns a command into events or refuses it; it reads no clock and touches nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Literal, assert_never

from goal_engine.agent import PROPOSAL, Left
from goal_engine.budget import (
    UNIT,
    GoalBudget,
    InFlight,
    Spend,
    extend,
    find_exceeded,
    find_nonsense,
    find_unlimited,
    find_warnings,
)
from goal_engine.decision import WAIVE, Answer, find_choices
from goal_engine.errors import BadInput, GoalAmbiguous, GoalNotFound
from goal_engine.permission import MOST_WORDS
from goal_engine.proof.statement import ProofCause
from goal_engine.proof.verdict import NOT_REJECTED, Judgement, Verdict
from goal_engine.state import commands as c
from goal_engine.state import events as e
from goal_engine.state.evolve import ImpossibleEvent, fold
from goal_engine.state.model import GoalState
from goal_engine.state.possible import check_possible, find_obstacle, refusal
from goal_engine.state.proposals import judge_answer, judge_left
from goal_engine.types import GoalStatus, TaskStatus

S = GoalStatus
JUDGED = (e.GoalJudged, e.GoalReady, e.GoalNotReady)
"""What follows from a judgement alone; nobody records it as a fact."""
INTERRUPTED = "interrupted"
"""The reason of a pause that nobody asked for: the runner went away."""
UNMETERED = "unmetered"
"""A question that begins so asks whether limits count against which no worker can report; the
answer `unlimited` waives them."""
STEERED, MOVED = "tamper", "moved"
"""Questions that begin so ask whose doing it was that the person's repository changed meanwhile."""


def decide(state: GoalState | None, command: c.Command, now: datetime) -> tuple[e.GoalEvent, ...]:
    """Return the events that `command` causes at `now`.

    Raises `NotPossibleNow` when the goal's status has no entry for one of them, naming what is
    possible instead, and for a goal that a newer release went on with; `GoalNotFound` for a
    question that is not open.
    """
    if state is not None and state.is_newer:
        raise refusal(state, _verb(command))
    try:
        events = _events(state, command, now)
        fold(events, state)
    except ImpossibleEvent as error:
        raise refusal(state, _verb(command)) from error
    return events


def _verb(command: c.Command) -> str:
    if isinstance(command, c.Record):
        return f"record {command.events[0].type}"
    return {
        c.StartGoal: "execute",
        c.ResumeGoal: "resume",
        c.AnswerQuestion: "answer",
        c.RevisePlan: "revise",
        c.StartPlanning: "revise",
        c.SubmitTask: "submit",
        c.AnswerAsk: "answer",
        c.SayWord: "tell",
        c.AcceptCriterion: "accept",
        c.RejectGoal: "reject",
        c.JudgeGoal: "be judged",
        c.ReopenVerification: "verify",
        c.MoveBase: "rebase",
        c.RecordHunks: "hunks",
        c.RecordReview: "agent-review",
        c.RecordRecovery: "recover its proof",
        c.RecordStep: "go on",
        c.WarnOfBudget: "warn",
        c.ExtendBudget: "budget",
        c.ArchiveGoal: "archive",
    }.get(type(command), getattr(command, "kind", "go on"))


def _events(state: GoalState | None, command: c.Command, now: datetime) -> tuple[e.GoalEvent, ...]:
    match command:
        case c.CreateGoal():
            follows = (
                command.planned,
                e.QuestionsAsked(questions=command.questions) if command.questions else None,
                command.blocked,
            )
            return (command.created, *(event for event in follows if event is not None))
        case c.StartGoal():
            return (e.GoalStarted(by=command.by),)
        case c.StopGoal():
            return (_stop(state, _harden(state, command), now),)
        case c.NoticeInterruption():
            return _notice(state, command, now)
        case c.Record():
            if any(isinstance(event, JUDGED) for event in command.events):
                raise refusal(state, _verb(command), "only a judgement decides that")
            return _set_late_aside(state, command.events)
        case _:
            return _of_goal(state, command, now)


def _stop(
    state: GoalState | None, command: c.StopGoal, now: datetime
) -> e.GoalPaused | e.GoalCancelled:
    """The receipt says how long it took whoever asked the runner; other stops take nobody's time."""
    asked = state.request if state else None
    if asked is None or asked.kind is not command.kind:
        receipt = _receipt(state, command.actor, command.reason, command)
    else:
        receipt = _receipt(state, asked.decision.actor, command.reason, command)
        took = (now - asked.asked_at).total_seconds() if asked.asked_at else None
        # a clock that was put back meanwhile makes nothing shorter than nothing
        receipt = receipt.changed(took_ms=None if took is None else max(0, round(took * 1000)))
    reason, spent = command.reason, command.spent
    if command.kind is e.ControlKind.PAUSE:
        return e.GoalPaused(reason=reason, spent=spent, receipt=receipt)
    return e.GoalCancelled(reason=reason, spent=spent, kept=command.kept, receipt=receipt)


def _receipt(
    state: GoalState | None,
    actor: str,
    reason: str,
    command: c.StopGoal | c.NoticeInterruption,
) -> e.Receipt:
    tasks = state.tasks.items() if state else ()
    return e.Receipt(
        actor=actor,
        reason=reason,
        ended=command.ended,
        left=command.left,
        tasks=tuple(name for name, task in tasks if task.status is TaskStatus.RUNNING),
        gates=state.gates_running if state and state.status is S.RUNNING else (),
    )


def _of_goal(
    state: GoalState | None, command: c.GoalCommand, now: datetime
) -> tuple[e.GoalEvent, ...]:
    if state is None:
        raise refusal(state, _verb(command))
    match command:
        case c.AnswerQuestion():
            return _answer(state, command)
        case c.RevisePlan():
            return _revise(state, command)
        case c.StartPlanning():
            check_possible(state, "revise")
            begun = e.PlanningStarted(worker=command.worker, agent=command.agent, by=command.by)
            return (begun,)
        case c.ResumeGoal():
            return _resume(state, command)
        case c.ReopenVerification():
            return (_reopen(state, command),)
        case c.MoveBase():
            return _move_base(state, command)
        case c.RecordRecovery():
            if state.proof is None or state.proof.digest != command.lost:
                raise refusal(state, _verb(command), "it has another proof by now")
            tree, cause = state.proof.tree, ProofCause.RECOVERED
            return (e.ProofRecorded(digest=command.proof, tree=tree, cause=cause),)
        case c.RecordHunks():
            if state.proof is None or (command.seen, command.tried.tree) != (
                state.proof.digest,
                state.proof.tree,
            ):
                raise refusal(state, _verb(command), "it was judged again meanwhile")
            tree, cause = command.tried.tree, ProofCause.HUNKS
            proof = e.ProofRecorded(digest=command.proof, tree=tree, cause=cause)
            return (command.tried, proof)
        case c.RecordReview():
            return _add_review(state, command)
        case c.RecordStep():
            return _step(state, command)
        case c.WarnOfBudget():
            warned = _warn(state, command.running)
            if not warned:
                raise refusal(state, _verb(command), "no limit is nearly used up")
            return warned
        case c.ExtendBudget():
            return (_extend(state, command),)
        case c.ArchiveGoal():
            check_possible(state, "unarchive" if command.back else "archive")
            made = e.GoalUnarchived if command.back else e.GoalArchived
            return (made(decision=command.decision),)
        case c.RequestControl():
            return (
                e.ControlRequested(
                    kind=command.kind,
                    decision=command.decision,
                    after_step=command.after_step,
                    asked_at=now,
                ),
            )
        case c.SubmitTask():
            return (_submit(state, command),)
        case c.AnswerAsk():
            return _answer_ask(state, command)
        case c.SayWord():
            return (_say_word(state, command),)
        case c.JudgeGoal():
            return _judged(state, command, command.spent, command.cause)
        case c.AcceptCriterion(acceptance=word):
            _check_word(state, command, word.tree)
            accepted = e.CriterionAccepted(acceptance=word)
            return (accepted, *_judged(state, command, Spend(), ProofCause.ACCEPTED))
        case c.RejectGoal(rejection=word):
            _check_word(state, command, word.tree)
            if command.judgement.verdict is not Verdict.NOT_READY:
                raise refusal(state, _verb(command), "it was judged as if nobody had said no")
            rejected = e.GoalRejected(rejection=word)
            return (rejected, *_judged(state, command, Spend(), ProofCause.REJECTED))
        case _:
            assert_never(command)


def _add_review(state: GoalState, command: c.RecordReview) -> tuple[e.GoalEvent, ...]:
    """An agent's opinion stands in the judgement and the proof, and leaves the status as it is."""
    before, judgement = state.judgement, command.judgement
    if before is None or judgement.tree != state.tree or _proof_digest(state) != command.seen:
        raise refusal(state, _verb(command), "it was judged again meanwhile")
    if judgement != before.changed(reviews=judgement.reviews):
        raise refusal(state, _verb(command), "a review changes no verdict; `verify` judges anew")
    digest, tree = command.proof, judgement.tree
    return (
        e.GoalJudged(judgement=judgement),
        e.ProofRecorded(digest=digest, tree=tree, cause=ProofCause.REVIEWED),
    )


def _proof_digest(state: GoalState) -> str | None:
    return state.proof.digest if state.proof else None


def _check_word(state: GoalState, command: c.AcceptCriterion | c.RejectGoal, tree: str) -> None:
    """A person's word counts for the very result that they were shown."""
    if tree != command.judgement.tree:
        raise refusal(state, _verb(command), "it is said of another tree than the judged one")
    if command.seen != _proof_digest(state):
        raise refusal(state, _verb(command), "it was judged again meanwhile")


def _harden(state: GoalState | None, command: c.StopGoal) -> c.StopGoal:
    """A cancel that was asked for before the receipt of a pause stands: nothing may go on after it.

    Every folder of a person is kept then: nobody has looked whether they worked in it.
    """
    cancel = _find_cancel(state)
    if state is None or cancel is None or command.kind is e.ControlKind.CANCEL:
        return command
    kept = tuple(name for name, task in state.tasks.items() if task.folder is not None)
    reason = cancel.decision.reason or str(cancel.kind)
    return replace(command, kind=cancel.kind, reason=reason, kept=kept)


def _notice(
    state: GoalState | None, command: c.NoticeInterruption, now: datetime
) -> tuple[e.GoalEvent, ...]:
    """A cancel that was asked of a runner that went away is carried out in its place."""
    receipt = _receipt(state, "", INTERRUPTED, command)
    noticed = e.GoalInterrupted(receipt=receipt)
    if _find_cancel(state) is None:
        return (noticed,)
    stop = c.StopGoal(e.ControlKind.PAUSE, "", ended=command.ended, left=command.left)
    return (noticed, _stop(state, _harden(state, stop), now))


def _find_cancel(state: GoalState | None) -> e.ControlRequested | None:
    requests = state.requests if state else ()
    return next((one for one in requests if one.kind is e.ControlKind.CANCEL), None)


def _set_late_aside(
    state: GoalState | None, events: tuple[e.GoalEvent, ...]
) -> tuple[e.GoalEvent, ...]:
    """The end of an attempt counts while it is the present one, and nobody has given it up.

    Else it is recorded as what it is: a result that came too late changes nothing.
    """
    if state is None or not any(isinstance(event, e.AttemptEnded) for event in events):
        return events
    kept: list[e.GoalEvent] = []
    for event in events:
        task = state.tasks.get(event.task) if isinstance(event, e.AttemptEnded) else None
        if isinstance(event, e.AttemptEnded) and task and event.attempt <= task.attempts:
            open_ = state.status is S.RUNNING and task.status is TaskStatus.RUNNING
            if not open_ or task.attempts != event.attempt:
                event = e.AttemptLate(
                    task=event.task,
                    attempt=event.attempt,
                    present=task.attempts,
                    told=event.type,
                    commit=event.commit if isinstance(event, e.TaskFinished) else None,
                )
        kept.append(event)
        state = fold((event,), state)
    return tuple(kept)


def _step(state: GoalState, command: c.RecordStep) -> tuple[e.GoalEvent, ...]:
    """Two tasks may end at once: each is warned of what stands when it is recorded."""
    events = _set_late_aside(state, command.events)
    after = fold(events, state)
    if after.status is not S.RUNNING and events != command.events:
        return events
    told = _judge_left(after, events, command.proposals)
    events, after = (*events, *told), fold(told, after)
    spent = after.used.plus(command.running.total(after.is_open))
    checked = e.BudgetChecked(step=command.step, task=command.task, spent=spent)
    return (*events, checked, *_warn(after, command.running))


def _judge_left(
    state: GoalState, events: tuple[e.GoalEvent, ...], left: tuple[Left, ...]
) -> tuple[e.GoalEvent, ...]:
    """Only who finished a task of the plan proposes others; what a late result proposes is late too."""
    ended = next((event for event in events if isinstance(event, e.TaskFinished)), None)
    if ended is None or not left or state.find_repair(ended.task) is not None:
        return ()
    return tuple(judge_left(state, ended.task, ended.attempt, left))


def _warn(state: GoalState, running: InFlight) -> tuple[e.BudgetWarned, ...]:
    if state.reopened:
        return ()
    spent = state.used.plus(running.total(state.is_open))
    return tuple(
        e.BudgetWarned(
            limit=name,
            percent=percent,
            used=UNIT[name].say(UNIT[name].find_used(spent)),
            of=UNIT[name].say(UNIT[name].find_limit(state.budget)),
        )
        for name, percent in find_warnings(state.budget, spent, state.warned).items()
    )


def _extend(state: GoalState, command: c.ExtendBudget) -> e.BudgetExtended:
    missing = find_unlimited(state.budget, command.add)
    if missing:
        words = " and ".join(UNIT[name].words for name in missing)
        raise BadInput(
            f"{state.goal_id} has no limit of {words}, so there is nothing to add to:"
            " leave that out, or set a limit with `resume`."
        )
    budget = extend(state.budget, state.used, command.add)
    for name, said in find_nonsense(budget):
        raise BadInput(f"The limit of {UNIT[name].words} {said}.")
    return e.BudgetExtended(added=command.add, budget=budget, decision=command.decision)


def _submit(state: GoalState, command: c.SubmitTask) -> e.TaskSubmitted:
    waiting = state.handed_over
    kept = [task for task, at in state.tasks.items() if at.folder is not None]
    if command.task is not None and command.task not in state.tasks:
        listed = ", ".join(state.tasks) or "none"
        raise GoalNotFound(
            f"{state.goal_id} has no task {command.task[:80]!r}; there are: {listed}."
        )
    if state.status is not S.RUNNING and kept:
        raise refusal(
            state, "submit", f"the work on {', '.join(kept)} is kept; `resume` it, then `submit`"
        )
    if not waiting or (command.task is not None and command.task not in waiting):
        named = f"task {command.task} does not wait" if command.task else "no task waits"
        others = f"; waiting: {', '.join(waiting)}" if waiting else ""
        raise refusal(state, "submit", f"{named} for you{others}")
    if command.task is None and len(waiting) > 1:
        raise GoalAmbiguous(
            f"Several tasks of {state.goal_id} wait for you: {', '.join(waiting)}. Say which one "
            "is done (`--task NAME`)."
        )
    task = command.task or waiting[0]
    return e.TaskSubmitted(task=task, attempt=state.tasks[task].attempts, decision=command.decision)


def _answer_ask(state: GoalState, command: c.AnswerAsk) -> tuple[e.GoalEvent, ...]:
    """An answer is to what was asked: once it is answered, or its attempt over, there is nothing to say."""
    meant = tuple(
        asked
        for asked in state.open_asks
        if asked.key == command.key and command.asked in (None, asked)
    )
    if not meant:
        raise refusal(
            state, "answer", "that ask is answered already, or nobody waits for it any more"
        )
    return tuple(
        e.PermissionAnswered(
            task=asked.task,
            attempt=asked.attempt,
            key=asked.key,
            answer=command.answer,
            decision=command.decision,
        )
        for asked in meant
    )


def _say_word(state: GoalState, command: c.SayWord) -> e.WordSaid:
    check_possible(state, "tell")
    listeners = state.listeners
    if command.task is not None and command.task not in state.tasks:
        listed = ", ".join(state.tasks) or "none"
        raise GoalNotFound(
            f"{state.goal_id} has no task {command.task[:80]!r}; there are: {listed}."
        )
    if command.task is not None and command.task not in listeners:
        heard = ", ".join(listeners)
        raise refusal(state, "tell", f"nobody at task {command.task} can hear it, but at {heard}")
    if command.task is None and len(listeners) > 1:
        raise GoalAmbiguous(
            f"Several agents of {state.goal_id} work: {', '.join(listeners)}. Say whom you mean"
            " (`--task NAME`)."
        )
    task = command.task or listeners[0]
    if len(state.tasks[task].words) >= MOST_WORDS:
        raise refusal(state, "tell", f"{MOST_WORDS} things were said to task {task} already")
    return e.WordSaid(
        task=task, attempt=state.tasks[task].attempts, text=command.text, by=command.by
    )


def _reopen(state: GoalState, command: c.ReopenVerification) -> e.VerificationReopened:
    """Only what was judged can be judged anew: work that waits for something goes on by `resume`."""
    check_possible(state, "verify")
    return e.VerificationReopened(tree=state.present_tree, by=command.by)


def _move_base(state: GoalState, command: c.MoveBase) -> tuple[e.GoalEvent, ...]:
    """What was worked out counts for the base and the tree that it was worked out from.

    So does a gate's being waived: on another base it may be green, and what breaks it there counts.
    """
    check_possible(state, "rebase")
    moved, clash = command.moved.changed(unwaived=state.waived), command.clash
    if (moved.from_commit, command.seen) != (state.created.base_commit, state.present_tree):
        raise refusal(state, _verb(command), "it has another base or tree by now")
    return (moved, clash) if clash else (moved,)


def _judged(
    state: GoalState,
    command: c.JudgeGoal | c.AcceptCriterion | c.RejectGoal,
    spent: Spend,
    cause: ProofCause,
) -> tuple[e.GoalEvent, ...]:
    """A judgement counts for the tree that the goal has now, not for one it had before."""
    judgement = command.judgement
    if state.tree is not None and judgement.tree != state.tree:
        raise refusal(state, _verb(command), "the goal has another tree by now; judge that one")
    if judgement.verdict is Verdict.READY and _is_rejected(state, command):
        raise refusal(state, _verb(command), "a person said no to this very tree")
    return (
        e.GoalJudged(judgement=judgement, spent=spent),
        e.ProofRecorded(digest=command.proof, tree=judgement.tree, cause=cause),
        *_follow(judgement),
    )


def _is_rejected(state: GoalState, command: object) -> bool:
    """Whether a person's no stands that neither an acceptance nor this very command takes back."""
    words = state.acceptances
    if isinstance(command, c.AcceptCriterion):
        words = (*words, command.acceptance)
    back = {word.tree for word in words if word.criterion == NOT_REJECTED}
    return bool({no.tree for no in state.rejections} & {state.present_tree} - back)


def _follow(judgement: Judgement) -> tuple[e.GoalEvent, ...]:
    match judgement.verdict:
        case Verdict.READY:
            return (e.GoalReady(),)
        case Verdict.NOT_READY:
            return (e.GoalNotReady(),)
        case Verdict.NEEDS_PERSON:
            return (
                e.GoalBlocked(
                    on="human",
                    reason="; ".join(judgement.reasons),
                    next="look at `diff`, then `accept` each criterion with a reason",
                ),
            )
        case _:
            assert_never(judgement.verdict)


def check_asked(state: GoalState, question: str) -> None:
    """Raise `GoalNotFound` for a question that the goal does not ask now."""
    if question not in {asked.id for asked in state.open_questions}:
        waiting = ", ".join(asked.id for asked in state.open_questions) or "none"
        raise GoalNotFound(
            f"{state.goal_id} has no open question {question[:80]!r}; open: {waiting}."
        )


def _answer(state: GoalState, command: c.AnswerQuestion) -> tuple[e.GoalEvent, ...]:
    check_asked(state, command.question)
    said = _check_choice(command)
    answer = Answer(question=command.question, text=command.text, decision=command.decision)
    events: list[e.GoalEvent] = [e.QuestionAnswered(answer=answer)]
    if command.question.startswith(WAIVE) and said == "optional":
        gate = command.question.removeprefix(WAIVE)
        events.append(e.GateWaived(gate=gate, decision=command.decision))
    if command.question.startswith(UNMETERED):
        limits = find_unmetered_limits(state)
        events.append(e.LimitsWaived(limits=limits, decision=command.decision))
    if command.question.startswith((STEERED, MOVED)):
        settled = e.RepositorySettled(
            choice="restore" if said == "restore" else "mine",
            restored=command.restored,
            decision=command.decision,
        )
        events.append(settled)
    if command.question.startswith(PROPOSAL):
        events.append(judge_answer(state, command.question, said, command.decision))
    if command.questions:
        events.append(e.QuestionsAsked(questions=command.questions))
    events += [event for event in (command.planned, command.blocked) if event is not None]
    return tuple(events)


def _check_choice(command: c.AnswerQuestion) -> str:
    """Return an answer as choices are compared.  An unknown one would be kept and mean nothing."""
    said, choices = command.text.strip().casefold(), find_choices(command.question)
    if choices and said not in choices:
        listed = " or ".join(f"`{choice}`" for choice in choices)
        raise BadInput(
            f"{command.text[:80]!r} is no answer to {command.question}: answer {listed}, or"
            " `cancel` the goal."
        )
    return said


def _revise(state: GoalState, command: c.RevisePlan) -> tuple[e.GoalEvent, ...]:
    check_possible(state, "revise")
    return (command.planned, *((command.restated,) if command.restated else ()))


def find_unmetered_limits(state: GoalState) -> tuple[Literal["tokens", "usd"], ...]:
    """Return the limits of what workers spend that are set."""
    set_: list[Literal["tokens", "usd"]] = []
    if state.budget.tokens is not None:
        set_.append("tokens")
    if state.budget.usd is not None:
        set_.append("usd")
    return tuple(set_)


def _resume(state: GoalState, command: c.ResumeGoal) -> tuple[e.GoalEvent, ...]:
    budget = _set_limits(state.budget, command.limits) if command.limits else None
    why = _find_obstacle(state, budget or state.budget)
    if why:
        raise refusal(state, "resume", why)
    return (e.GoalResumed(budget=budget, by=command.by),)


def _set_limits(budget: GoalBudget, limits: GoalBudget) -> GoalBudget:
    """What was not named stays as it is by now: somebody may have raised it meanwhile."""
    return budget.changed(**{name: getattr(limits, name) for name in limits.model_fields_set})


def _find_obstacle(state: GoalState, budget: GoalBudget) -> str:
    """`resume` is refused until the recorded cause is gone."""
    if state.status is S.NEEDS_MORE_BUDGET:
        full = state.blocked.limits if state.blocked else ()
        exceeded = find_exceeded(budget, state.used, full)
        return f"raise the limit ({'; '.join(exceeded)})" if exceeded else ""
    return find_obstacle(state, "resume") or ""
