"""What each operation takes: the CLI's arguments and the wire's params are these models.

Descriptions are the help texts.  `cli` in the schema's extras says how the command line spells a
field: `argument`, `words` (the rest of the line, quoted or not), `path` or `wire` (not at all); all
others are options.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from goal_engine.budget import UNIT, BudgetAdd, Dollars, Seconds
from goal_engine.types import AgentName, GoalKind, WorkerName


class Params(BaseModel):
    """What is asked for; camelCase on the wire."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True,
        validate_by_alias=True,
    )  # fmt: skip


def _argument(description: str, **more: Any) -> Any:
    extra = {"cli": more.pop("cli", "argument")}
    return Field(description=description, json_schema_extra=extra, **more)


def _goal() -> Any:
    return _argument(
        "The goal's id, the beginning of one, or `latest`.", min_length=1, max_length=200
    )


def _plan_text() -> Any:
    return _argument(
        "The text of the plan, in the place of what is in the file.", default=None, cli="wire"
    )


def _tree() -> Any:
    return Field(
        default=None,
        max_length=64,
        description="The tree that you looked at, or its beginning: refused if the goal has another.",
    )


class NoParams(Params):
    """Nothing."""


class GoalParams(Params):
    """One goal."""

    goal: str = _goal()


class ProofParams(GoalParams):
    """The proofs of a goal."""

    all: bool = Field(
        default=False, description="List the proofs before it, and why each was superseded."
    )


class ReviewParams(GoalParams):
    """A change to look through."""

    reviewer: AgentName | None = Field(
        default=None,
        description="An agent to ask for a review now, as `goalproof agents` shows them: it only reads,"
        " decides nothing, and what it uses counts against the goal's limits.",
    )
    worker: Literal["acp", "wire", "cli"] | None = Field(
        default=None, description="How it is talked to; the best way that it has if left out."
    )


class ReplayParams(GoalParams):
    """A history to tell."""

    at: int | None = Field(
        default=None, description="The goal as it was after this entry, and how it came there."
    )
    start: int | None = Field(
        default=None, alias="from", description="What changed from this entry on …"
    )
    end: int | None = Field(default=None, alias="to", description="… to this one.")
    task: str | None = Field(default=None, description="Only what is about this task.")
    gate: str | None = Field(default=None, description="Only what is about this gate.")
    last: int = Field(
        default=200, gt=0, le=100_000, description="How many moments to tell, the last ones (200)."
    )


class DiagnoseParams(Params):
    """A goal to examine."""

    goal: str = _argument(
        "The goal's id, the beginning of one, or `latest`.",
        default="latest", min_length=1, max_length=200,
    )  # fmt: skip


class HunksParams(GoalParams):
    """A change to take apart."""

    limit: int = Field(default=100, gt=0, le=10_000, description="Hunks to try at most (100).")
    seconds: int = Field(
        default=1800, gt=0, description="Seconds after which no gate is started any more (1800)."
    )


class ListParams(Params):
    """Which goals."""

    status: tuple[str, ...] = Field(default=(), description="Only goals with this status.")
    archived: bool = Field(default=False, description="The archived goals as well.")


def _figure(name: str, description: str) -> Any:
    """A number that people may write with its unit, so that the command line takes it as text."""
    return Field(
        default=None,
        le=UNIT[name].most,
        description=description,
        json_schema_extra={"cli": "figure"},
    )


Number = Annotated[int, Field(gt=0)]


class Limits(Params):
    """Limits of a goal; what is not given is not limited, but for repairs."""

    wall_seconds: Seconds | None = _figure(
        "wall_seconds", "Seconds of work (or 10m, 2h), pauses not counted."
    )
    attempts: Number | None = _figure("attempts", "Task attempts in all.")
    changed_lines: Number | None = _figure("changed_lines", "Lines added plus lines deleted.")
    tokens: Number | None = _figure("tokens", "Tokens of all workers.")
    usd: Dollars | None = _figure("usd", "US dollars of all workers.")
    turns: Number | None = _figure("turns", "Turns of agents in all.")
    repairs: int | None = Field(
        default=None, ge=0, le=20, description="Repairs of a result that gates said no to (2)."
    )


class PlanParams(Limits):
    """A new goal."""

    text: str = _argument(
        "What is to be true afterwards, in a sentence; may be left out with --plan.",
        default="", cli="words",
    )  # fmt: skip
    plan: str | None = _argument("A plan to follow (TOML file).", default=None, cli="path")
    plan_text: str | None = _plan_text()
    max_agents: int | None = Field(
        default=None, gt=0, le=64, description="Tasks that run at the same time (4)."
    )
    sequential: bool = Field(
        default=False, description="One task after the other, each on what those before it left."
    )
    worker: WorkerName | None = Field(
        default=None,
        description="Who does it: recipe (steps of a plan, fixes of gates), acp, wire or cli (an agent,"
        " by that protocol or headless), manual (you). With a plan, for its tasks that name nobody.",
    )
    agent: AgentName | None = Field(
        default=None,
        description="Which agent, as `goalproof agents` shows them, by the best worker that it has.",
    )
    kind: GoalKind | None = Field(
        default=None,
        description=f"What sort of goal it is, over what its words say: {', '.join(GoalKind)}.",
    )
    reviewer: AgentName | None = Field(
        default=None,
        description="An agent that reviews the result once the gates said yes; it decides nothing.",
    )
    planner: Literal["scaffold", "agent"] | None = Field(
        default=None,
        description="Who makes the plan where none is given: agent, who reads the repository and changes"
        " nothing, or scaffold, without any model (usual).",
    )


class RunParams(PlanParams):
    """A new goal that is worked on at once."""


class ExecuteParams(GoalParams):
    """A goal to work on."""

    plan: str | None = _argument(
        "A plan to take first (TOML file), while nothing of the goal's own was done.",
        default=None, cli="path",
    )  # fmt: skip
    plan_text: str | None = _plan_text()

    @property
    def has_plan(self) -> bool:
        """Whether another plan is given with it."""
        return self.plan is not None or self.plan_text is not None


class ReviseParams(GoalParams):
    """Another plan for a goal."""

    plan: str | None = _argument(
        "The plan to take (TOML file); the one that `open GOAL plan` wrote if left out.",
        default=None, cli="path",
    )  # fmt: skip
    plan_text: str | None = _plan_text()
    planner: Literal["agent"] | None = Field(
        default=None, description="`agent` has one make the plan, in the place of a file."
    )
    agent: AgentName | None = Field(
        default=None, description="Which agent makes the plan; the goal's own if left out."
    )


class OpenParams(Params):
    """Something of a goal to look at or to work in."""

    goal: str = _goal()
    what: Literal["plan", "proof", "task"] = _argument(
        "`plan` (a file to change and give back), `proof` (a page) or `task` (the folder in which"
        " you do a task).",
        default="plan",
    )  # fmt: skip
    task: str | None = Field(default=None, description="Which task, where several wait for you.")


class LogParams(Params):
    """A log to read."""

    goal: str = _goal()
    task: str | None = Field(default=None, description="What this task printed.")
    gate: str | None = Field(
        default=None, description="What this gate printed, on the result if it ran on it."
    )
    offset: int = Field(default=0, ge=0, description="Bytes to leave out at the beginning.")
    follow: bool = Field(default=False, description="Wait for more until it has ended.")


class ApplyParams(Params):
    """A change for the checkout's files."""

    goal: str = _goal()
    undo: bool = Field(default=False, description="Take the change out again.")


class ResumeParams(Limits):
    """A goal that goes on."""

    goal: str = _goal()


class BudgetParams(GoalParams):
    """A goal's limits; with any of the additions, more of them."""

    add_seconds: Seconds | None = _figure("wall_seconds", "Seconds of work to add (or 10m, 2h).")
    add_tokens: Number | None = _figure("tokens", "Tokens to add.")
    add_usd: Dollars | None = _figure("usd", "US dollars to add.")
    add_turns: Number | None = _figure("turns", "Turns of agents to add.")
    add_attempts: Number | None = _figure("attempts", "Task attempts to add.")
    add_lines: Number | None = _figure("changed_lines", "Changed lines to add.")
    max_agents: int | None = Field(
        default=None, gt=0, le=64, description="Tasks that run at the same time from now on."
    )
    reason: str = Field(default="", description="Why there is to be more, for the record.")

    @property
    def addition(self) -> BudgetAdd | None:
        """What is to be added, `None` to look alone."""
        add = BudgetAdd(
            wall_seconds=self.add_seconds,
            tokens=self.add_tokens,
            usd=self.add_usd,
            turns=self.add_turns,
            attempts=self.add_attempts,
            changed_lines=self.add_lines,
            max_agents=self.max_agents,
        )
        return None if add == BudgetAdd() else add


class SubmitParams(Params):
    """A task that a person has done."""

    goal: str = _goal()
    task: str | None = Field(
        default=None, max_length=64, description="The task's id, when several wait for you."
    )


class StopParams(Params):
    """A goal to stop."""

    goal: str = _goal()
    reason: str = Field(default="", description="Why, for the record.")


class RebaseParams(GoalParams):
    """A goal to put onto newer commits."""

    reason: str = Field(default="", max_length=4000, description="Why, for the record.")


class ArchiveParams(StopParams):
    """A goal to put away, or to take back."""


class GcParams(Params):
    """What may go."""

    yes: bool = Field(default=False, description="Remove it; without this it is only shown.")
    orphans: bool = Field(
        default=False,
        description="Also what is kept for checkouts that are gone. If you moved one, open it first.",
    )


class PauseParams(StopParams):
    """A goal to stop for a while."""

    after_step: bool = Field(
        default=False, description="Let the tasks and gates under way come to their end first."
    )


class DiffParams(Params):
    """A change to print."""

    goal: str = _goal()
    task: str | None = Field(default=None, description="Only what this task changed.")
    path: str | None = Field(default=None, description="Only this file, relative to the root.")


class DocumentPlace(Params):
    """An open document."""

    uri: str


class LinePlace(Params):
    """A position in it, from 0."""

    line: int = Field(ge=0)
    character: int = Field(default=0, ge=0)


class ExplainParams(Params):
    """A position in a document, or a criterion of a goal."""

    text_document: DocumentPlace | None = None
    position: LinePlace | None = None
    goal: str | None = None
    criterion: str | None = None


class RenderParams(Params):
    """A page of a goal to read."""

    goal: str = _goal()
    page: Literal["goal", "plan", "proof", "diff", "base", "head", "diagnosis", "review", "replay"]
    task: str | None = None
    path: str | None = None
    """Relative to the repository; for the text before and after, and to narrow a diff."""


class AnswerParams(Params):
    """An answer to a goal's question, or to what an agent asks leave for."""

    goal: str = _goal()
    question: str = _argument(
        "The question's id, as `show` prints it; of an agent's ask its key, or the beginning.",
        min_length=1,
    )
    text: str = _argument(
        "The answer; to an agent's ask `allow`, or `deny` and what it is to know.",
        min_length=1, max_length=4000, cli="words",
    )  # fmt: skip
    reason: str = Field(
        default="", max_length=4000, description="Why; it stands in the journal and the proof."
    )


class TellParams(Params):
    """Something to say to an agent."""

    goal: str = _goal()
    text: str = _argument("What to say.", min_length=1, max_length=4000, cli="words")
    task: str | None = Field(
        default=None, max_length=64, description="The task it works on, when several agents work."
    )


class AcceptParams(Params):
    """A person's word for one criterion."""

    goal: str = _goal()
    criterion: str = _argument("The criterion's id, as `show` prints it.", min_length=1)
    reason: str = Field(
        min_length=1, max_length=4000, description="Why it is met; it stands in the proof."
    )
    tree: str | None = _tree()


class RejectParams(Params):
    """A person's no to a result."""

    goal: str = _goal()
    reason: str = Field(
        min_length=1,
        max_length=4000,
        description="What is wrong with it: whoever works on it next is told, and it stands in the"
        " proof.",
    )
    tree: str | None = _tree()


class TrustGateParams(Params):
    """Gates to approve."""

    digests: tuple[str, ...] = _argument(
        "The digests of the gates to approve, as `gates` prints them; without any they are listed.",
        default=(), cli="many",
    )  # fmt: skip
    all: bool = Field(default=False, description="Approve all gates that there are now.")


class VerifyProofParams(Params):
    """A proof to check."""

    proof: str = _argument("A proof bundle (folder), or a goal's id.", min_length=1)
    run: bool = Field(default=False, description="Re-execute the gates that it prints.")
    env: str | None = _argument(
        "What the gates need: a virtual environment, a Python, or any folder with a bin that goes"
        " first.", default=None, cli="path",
    )  # fmt: skip
    setup: bool = Field(
        default=False,
        description="Run the proof's set-up commands first, in each clean checkout, with a new"
        " virtual environment.",
    )
    python: str | None = _argument("The same as --env.", default=None, cli="path")
    repository: str | None = _argument(
        "The repository that has the proof's base; this one by default.", default=None, cli="path"
    )
