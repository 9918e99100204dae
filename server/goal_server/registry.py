"""Everything that can be asked for is one row of `OPERATIONS`; both front ends are made from it.

The table is plain: it imports neither pydantic nor the engine, so that `--help` and the start of
the language server cost nothing.  Handlers and models are named, and imported when first used.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

Effect = Literal["read", "write", "execute", "network"]
"""What an operation may do: read or write goals, run code of the workspace, reach the network."""

NEEDS_TRUST: frozenset[Effect] = frozenset({"execute", "network"})
"""The effects that an untrusted workspace does not get."""

READ: tuple[Effect, ...] = ("read",)
WRITE: tuple[Effect, ...] = ("read", "write")
EXECUTE: tuple[Effect, ...] = ("read", "write", "execute")


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing a person or an editor can ask for."""

    name: str
    """The CLI's verb."""
    title: str
    """What it does, for help and palettes."""
    group: str
    """Where the CLI's help lists it."""
    effects: tuple[Effect, ...]
    handler: str
    """`module:function`, an async function of a context and the parameters."""
    params: str
    """`module:Model` of what it takes."""
    result: str
    """`module:Model` of what it returns."""
    cancellable: bool = False
    progress: bool = False
    """Whether it works on a goal for long enough to report on."""
    exits_by_status: bool = False
    """Whether the CLI's exit code tells the goal's status, instead of that the request was done."""
    executes_if: str = ""
    """The parameter that asks for the execute effect; without it nothing of the workspace runs."""
    writes_if: str = ""
    """The parameter that asks for the write effect; without it the operation only reads."""
    long_if: str = ""
    """The parameter without which it is over at once, so that nobody needs to cancel it."""
    anywhere: bool = False
    """Whether it needs no repository, as long as it executes nothing."""

    @property
    def camel(self) -> str:
        """The name on the wire: `verifyProof`."""
        first, *rest = self.name.split("-")
        return first + "".join(word.capitalize() for word in rest)

    @property
    def command(self) -> str:
        """The id of the server's command: `goal.verifyProof`."""
        return f"goal.{self.camel}"


@dataclass(frozen=True, slots=True)
class CliCommand:
    """A verb of the command line alone: it works on no workspace of the person."""

    name: str
    title: str
    group: str


def _row(
    name: str,
    title: str,
    group: str,
    effects: tuple[Effect, ...],
    names: tuple[str, str, str],
    **more: Any,
) -> Operation:
    function, params, result = names
    views = "goal_views" if result == "GoalView" else "results"
    return Operation(
        name=name,
        title=title,
        group=group,
        effects=effects,
        handler=f"goal_server.operations:{function}",
        params=f"goal_server.parameters:{params}",
        result=f"goal_server.{views}:{result}",
        **more,
    )


WORK, LOOK, DECIDE, DELIVER, ABOUT = "Work", "Look", "Decide", "Deliver and check", "About"
_LONG = {"cancellable": True, "progress": True, "exits_by_status": True}

OPERATIONS: tuple[Operation, ...] = (
    _row("run", "Plan a goal, work on it and judge the result.", WORK, EXECUTE,
         ("run_goal", "RunParams", "GoalView"), **_LONG),
    _row("plan", "Plan a goal and start nothing; with --planner agent, an agent that only reads.", WORK,
         EXECUTE, ("plan_goal", "PlanParams", "GoalView"), exits_by_status=True, cancellable=True,
         long_if="planner"),
    _row("execute", "Work on a planned goal, or again on one that was judged.", WORK, EXECUTE,
         ("execute_goal", "ExecuteParams", "GoalView"), **_LONG),
    _row("revise", "Give a goal another plan while nothing of its plan was done.", WORK, EXECUTE,
         ("revise_goal", "ReviseParams", "GoalView"), cancellable=True, executes_if="planner"),
    _row("pause", "Stop a running goal; it can go on later.", WORK, WRITE,
         ("pause_goal", "PauseParams", "GoalView")),
    _row("resume", "Let a waiting goal go on, with other limits if given.", WORK, EXECUTE,
         ("resume_goal", "ResumeParams", "GoalView"), **_LONG),
    _row("cancel", "End a goal for good.", WORK, WRITE,
         ("cancel_goal", "StopParams", "GoalView")),
    _row("submit", "Say that a task of yours is done: what its folder holds is the result.", WORK,
         WRITE, ("submit_task", "SubmitParams", "GoalView")),
    _row("list", "List the goals of this workspace.", LOOK, READ,
         ("list_goals", "ListParams", "GoalList")),
    _row("show", "Show a goal: criteria, gates, spend, proof and what to do next.", LOOK, READ,
         ("show_goal", "GoalParams", "GoalView")),
    _row("diagnose", "Say why a goal stands where it stands, and what to do about it.", LOOK, READ,
         ("diagnose_goal", "DiagnoseParams", "DiagnosisView")),
    _row("replay", "Tell what happened to a goal, entry by entry, or how it was at one of them.", LOOK,
         READ, ("replay_goal", "ReplayParams", "ReplayView")),
    _row("diff", "Print the change of a goal, or of one of its tasks.", LOOK, READ,
         ("show_diff", "DiffParams", "DiffView")),
    _row("review", "Look through the change of a goal without a model; with --reviewer, an agent as well.",
         LOOK, EXECUTE, ("review_goal", "ReviewParams", "ReviewView"), cancellable=True,
         executes_if="reviewer", writes_if="reviewer"),
    _row("log", "Print what a task or a gate printed, while it runs or afterwards.", LOOK, READ,
         ("show_log", "LogParams", "LogView")),
    _row("open", "Say where the plan, the proof or a task's folder is, to open it.", LOOK, WRITE,
         ("open_goal", "OpenParams", "OpenView")),
    _row("proof", "Say where the proof of a goal is and what it states.", LOOK, WRITE,
         ("show_proof", "ProofParams", "ProofView")),
    _row("budget", "Show what a goal used of its limits, and what is left; or add to them.", DECIDE,
         WRITE, ("show_budget", "BudgetParams", "SpendingView")),
    _row("answer", "Answer a question that a goal asks, or what an agent asks leave for.", DECIDE, WRITE,
         ("answer_question", "AnswerParams", "GoalView")),
    _row("tell", "Say something to an agent while it works.", DECIDE, WRITE,
         ("tell_agent", "TellParams", "GoalView")),
    _row("accept", "Accept a criterion that only a person can judge.", DECIDE, EXECUTE,
         ("accept_criterion", "AcceptParams", "GoalView")),
    _row("reject", "Say no to the result of a goal: it is not ready, and the reason is worked on next.",
         DECIDE, EXECUTE, ("reject_goal", "RejectParams", "GoalView")),
    _row("apply", "Put the change of a ready goal into the checkout's files, or take it out again.",
         DELIVER, WRITE, ("apply_change", "ApplyParams", "GoalView")),
    _row("deliver", "Make one branch of a ready goal; the network is not used.", DELIVER, WRITE,
         ("deliver_goal", "GoalParams", "GoalView")),
    _row("verify", "Run the gates again on the tree that was judged, and judge it anew.", DELIVER,
         EXECUTE, ("verify_goal", "GoalParams", "GoalView"), **_LONG),
    _row("rebase", "Put a goal onto the newest commit of its branch and judge it anew there.",
         DELIVER, EXECUTE, ("rebase_goal", "RebaseParams", "GoalView"), **_LONG),
    _row("hunks", "Take away each hunk of a judged change: what no gate notices is unproven.",
         DELIVER, EXECUTE, ("try_hunks", "HunksParams", "HunksView"), cancellable=True),
    _row("verify-proof", "Check a proof; with --run, re-execute it in a clean checkout.", DELIVER,
         ("read", "execute"), ("verify_proof", "VerifyProofParams", "ReverificationView"),
         cancellable=True, executes_if="run", anywhere=True),
    _row("archive", "Put a goal that stands still out of the lists; nothing of it goes.", ABOUT, WRITE,
         ("archive_goal", "ArchiveParams", "GoalView")),
    _row("unarchive", "Take an archived goal back into the lists.", ABOUT, WRITE,
         ("unarchive_goal", "ArchiveParams", "GoalView")),
    _row("gc", "Show what takes room and can go: workspaces, caches, old results; with --yes it goes.",
         ABOUT, WRITE, ("free_room", "GcParams", "GcView")),
    _row("adopt", "Let goals be made here although the store was moved, copied or came from elsewhere.",
         ABOUT, WRITE, ("adopt_store", "NoParams", "AdoptedView")),
    _row("gates", "Show the gates of this workspace and why each was chosen.", ABOUT, EXECUTE,
         ("show_gates", "NoParams", "GatesView")),
    _row("trust-gate", "Approve gates by content, so that they may run.", ABOUT, EXECUTE,
         ("trust_gates", "TrustGateParams", "GatesView")),
    _row("agents", "Show the workers there are, and the agents on this machine.", ABOUT, READ,
         ("show_agents", "NoParams", "AgentsView"), anywhere=True),
    _row("doctor", "Say what goals need on this machine, how it stands, and what to do next.", ABOUT,
         READ, ("examine_machine", "NoParams", "DoctorView"), anywhere=True),
)  # fmt: skip
"""Every operation, in the order in which help shows them."""

CLI_COMMANDS: tuple[CliCommand, ...] = (
    CliCommand("demo", "Watch a real goal, from plan to re-executed proof.", ABOUT),
    CliCommand("lsp", "Serve an editor over standard input and output.", ABOUT),
)


def find_effects(operation: Operation, params: object) -> frozenset[Effect]:
    """Return what `operation` may do when it is asked with `params`."""
    effects = frozenset(operation.effects)
    if operation.executes_if and not getattr(params, operation.executes_if, None):
        effects -= NEEDS_TRUST
    if operation.writes_if and not getattr(params, operation.writes_if, None):
        effects -= {"write"}
    return effects


def find_operation(name: str) -> Operation | None:
    """Return the operation called `name`, as the CLI or the wire spells it."""
    return next((row for row in OPERATIONS if name in (row.name, row.camel, row.command)), None)


def load(reference: str) -> Any:
    """Return what `module:name` stands for, importing the module."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)
