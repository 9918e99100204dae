"""What an editor asks about files, answered on the engine's loop; nothing here changes a goal.

A file outside every repository has no lenses, no hover and no actions: that is no mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lsprotocol import types

from goal_engine.decision import CriterionState
from goal_engine.engine import Engine
from goal_engine.errors import GoalError
from goal_engine.gates.config import NAME, Mistake, find_mistakes
from goal_engine.proof.gate import GateStage, TestFailure
from goal_engine.proof.review import Finding, Severity
from goal_engine.queries import list_goals, resolve_goal
from goal_engine.state.model import GateRun, GoalState
from goal_engine.state.possible import find_possible
from goal_engine.types import GoalId, GoalStatus
from goal_engine.verifier.observe import read_failures
from goal_server.explain import explain_criterion, explain_region
from goal_server.host import EngineHost
from goal_server.lsp_lenses import find_lenses, find_plan_lenses
from goal_server.lsp_uris import resolve
from goal_server.marks import Mark, Marks, at_line, find_criterion, find_standing
from goal_server.pages import render_named
from goal_server.parameters import RenderParams
from goal_server.plan_mistakes import find_plan_mistakes
from goal_server.preferences import LensMode
from goal_server.results import ExplanationView, PageView

S = GoalStatus
UNDECIDED = frozenset({
    S.RUNNING, S.PAUSED, S.BLOCKED_ON_HUMAN, S.BLOCKED_ON_EXTERNAL, S.NEEDS_MORE_BUDGET,
    S.FAILED_INFRA, S.NOT_READY,
})  # fmt: skip
"""The statuses in which a goal's failing tests are a person's concern."""
GOALS = 20
"""The newest goals whose failing tests are told."""
PLAN = "plan.toml"
IS_PLAN = re.compile(r"^\s*goal\s*=", re.MULTILINE)
"""What a plan has and other files of that name have not."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failing test in a file that the person has."""

    path: Path
    root: str
    goal: str
    text: str
    gate: str
    failed_before: bool
    test: TestFailure


@dataclass(frozen=True, slots=True)
class Found:
    """What the review found in a file that the person has."""

    path: Path
    root: str
    goal: str
    text: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Repair:
    """What can be done about a goal: a title, a server's command and its arguments."""

    title: str
    command: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation and the lines that it is about, from 0, the end not included."""

    view: ExplanationView
    line: int
    end: int


class Reading:
    """Answers about files, on the engine's loop."""

    def __init__(self, host: EngineHost) -> None:
        self._host = host
        self._marks = Marks()

    def forget(self) -> None:
        """A goal changed: list the goals anew."""
        self._marks.forget()

    def _open(self, folder: Path) -> Engine | None:
        try:
            return self._host.open(folder)
        except (GoalError, OSError, ValueError):
            return None

    async def _find_marks(self, path: Path, text: str) -> tuple[Engine, tuple[Mark, ...]] | None:
        engine = self._open(path.parent)
        if engine is None:
            return None
        try:
            return engine, await self._marks.find(engine, resolve(path), text)
        except GoalError:  # the goals are damaged, or their folder was closed meanwhile
            return None

    async def find_lenses(
        self, path: Path, uri: str, text: str, mode: LensMode
    ) -> list[types.CodeLens]:
        """Return the lenses of a file."""
        engine = self._open(path.parent)
        goal = find_plan_goal(engine, path) if engine else None
        if engine is not None and goal is not None:
            state = await self._find_goal(engine, goal)
            return find_plan_lenses(state, engine.checkout.as_uri(), uri)
        found = await self._find_marks(path, text)
        return await find_lenses(found[0], self._marks, found[1], mode) if found else []

    async def explain(self, path: Path, text: str, line: int) -> Explained | None:
        """Return why the region on a line (from 0) is there, the newest goal's one."""
        found = await self._find_marks(path, text)
        place = next(at_line(found[1], line), None) if found else None
        if found is None or place is None:
            return None
        mark, anchor = place
        task = await self._marks.find_task(found[0], mark, anchor)
        trial = await self._marks.find_trial(found[0], mark, anchor)
        view = explain_region(mark.state, task, anchor, trial)
        return Explained(view, anchor.line, anchor.end)

    async def explain_goal(self, place: Path, goal: str, criterion: str | None) -> ExplanationView:
        """Return how a criterion stands, the goal's first one by default.  Raises `GoalNotFound`."""
        state = await resolve_goal(self._host.open(place).ports, goal)
        return explain_criterion(state, criterion)

    async def render(self, place: Path, params: RenderParams) -> PageView:
        """Return a page of a goal.  Raises what `pages.render_named` raises."""
        return await render_named(self._host.open(place), params)

    async def find_acceptable(self, path: Path, text: str, line: int) -> tuple[Repair, ...]:
        """Return the criteria of the regions on a line that only a person can accept."""
        found = await self._find_marks(path, text)
        repairs = []
        for mark, anchor in at_line(found[1], line) if found else ():
            assert found is not None
            state = mark.state
            task = await self._marks.find_task(found[0], mark, anchor)
            criterion = find_criterion(state, task)
            if criterion is None or "accept" not in find_possible(state):
                continue
            if find_standing(state, criterion)[0] is CriterionState.IMPLEMENTED_UNVERIFIED:
                given = {
                    "goal": state.goal_id,
                    "criterion": criterion.id,
                    "tree": state.present_tree,
                }
                repairs.append(Repair(f"Accept criterion {criterion.id}…", "", given))
        return tuple(repairs)

    async def find_repair(self, folder: Path, goal: str) -> Repair | None:
        """Return how the gates of a goal are run again, if they can be now."""
        engine = self._open(folder)
        state = await self._find_goal(engine, goal) if engine else None
        if engine is None or state is None:
            return None
        given = {"goal": state.goal_id, "root": engine.checkout.as_uri()}
        possible = find_possible(state)
        for verb in ("verify", "execute", "resume"):
            if verb in possible:
                return Repair("Run the gates of this goal again", f"goal.{verb}", given)
        return None

    async def _find_goal(self, engine: Engine, goal: str) -> GoalState | None:
        try:
            return await engine.ports.read(GoalId(goal))
        except (GoalError, ValueError):
            return None

    # mistakes

    async def find_mistakes(self, path: Path, text: str) -> tuple[Mistake, ...] | None:
        """Return what is wrong with a configuration or a plan, `None` for any other file."""
        if path.name == NAME:
            return find_mistakes(text)
        engine = self._open(path.parent)
        goal = find_plan_goal(engine, path) if engine else None
        if engine is not None and goal is not None:
            state = await self._find_goal(engine, goal)
            gates = [gate.name for gate in state.gates] if state else None
            return find_plan_mistakes(text, gates)
        if path.name == PLAN and IS_PLAN.search(text):
            return find_plan_mistakes(text)
        return None

    async def find_failures(self, folders: Iterable[Path]) -> tuple[Failure, ...]:
        """Return the failing tests of the goals that nobody decided, in every open workspace.

        `folders` are opened first.  Only the newest goal speaks of a test.
        """
        for folder in folders:
            self._open(folder)
        found: list[Failure] = []
        for engine in self._host.engines:
            found += await self._find_failures(engine)
        return tuple(found)

    async def _find_failures(self, engine: Engine) -> list[Failure]:
        found: dict[tuple[str, str], Failure] = {}
        try:
            summaries = await list_goals(engine.ports)
        except GoalError:
            return []
        states = [s.state for s in reversed(summaries) if s.state and s.state.status in UNDECIDED]
        for state in states[:GOALS]:
            for run in _find_latest(state):
                for test in await self._read_failures(engine, run):
                    failure = _place_failure(engine, state, run, test)
                    key = (run.result.gate, test.test)
                    if failure is not None and key not in found:
                        found[key] = failure
        return list(found.values())

    async def find_findings(self) -> tuple[Found, ...]:
        """Return what the reviews of these goals found, of every engine that is open."""
        found: list[Found] = []
        for engine in self._host.engines:
            try:
                summaries = await list_goals(engine.ports)
            except GoalError:
                continue
            states = [s.state for s in reversed(summaries) if s.state]
            for state in [state for state in states if state.status in UNDECIDED][:GOALS]:
                places = ((_find_place(engine, f.path), f) for f in find_told(state))
                found += [
                    Found(
                        path, engine.checkout.as_uri(), state.goal_id, state.created.text, finding
                    )
                    for path, finding in places
                    if path is not None
                ]
        return tuple(found)

    async def _read_failures(self, engine: Engine, run: GateRun) -> tuple[TestFailure, ...]:
        try:
            return await read_failures(engine.ports, run)
        except (GoalError, ValueError):  # it only points: the verdict does not need it
            return ()


def find_plan_goal(engine: Engine, path: Path) -> str | None:
    """Return the goal whose plan is written at `path`: `.goalproof/goals/<id>/plan.toml`."""
    resolved = resolve(path)
    goals = engine.checkout / ".goalproof" / "goals"
    is_plan = resolved.name == PLAN and resolved.parent.parent == goals
    return resolved.parent.name if is_plan else None


class Keys(NamedTuple):
    """What lenses and problems are made of: while a key is the same, they are."""

    lenses: object
    problems: object


def find_keys(state: GoalState) -> Keys:
    """Return the keys of a goal."""
    runs = [run.failures for run in _find_latest(state)] if state.status in UNDECIDED else []
    told = [run for run in runs if run is not None]
    gaps = [gate.gaps for gate in state.judgement.gates] if state.judgement else []
    found = find_told(state) if state.status in UNDECIDED else ()
    return Keys(_find_lens_key(state), (told, gaps, found) if told or found else None)


def _find_lens_key(state: GoalState) -> object:
    judged = (
        [(v.criterion.id, v.state) for v in state.judgement.criteria] if state.judgement else ()
    )
    tree = state.evidence.tree if state.evidence else None
    if tree is None and state.status is not S.PLANNED:
        return None
    return (state.status, tree, tuple(judged), state.proof, state.hunks)


def _find_latest(state: GoalState) -> list[GateRun]:
    """Return what the gates said of the tree that the goal has now."""
    return [
        run
        for run in state.gates_run.values()
        if run.result.stage is GateStage.PROVING and run.result.tree == state.tree
    ]


def _place_failure(
    engine: Engine, state: GoalState, run: GateRun, test: TestFailure
) -> Failure | None:
    """Only a file that really is in the checkout can be pointed at."""
    if test.path is None:
        return None
    path = _find_place(engine, test.path)
    verdicts = state.judgement.gates if state.judgement else ()
    gaps = [gap for verdict in verdicts if verdict.gate == run.result.gate for gap in verdict.gaps]
    if path is None:
        return None
    return Failure(
        path=path,
        root=engine.checkout.as_uri(),
        goal=state.goal_id,
        text=state.created.text,
        gate=run.result.gate,
        failed_before=test.test in gaps,
        test=test,
    )


def find_told(state: GoalState) -> tuple[Finding, ...]:
    """Return the findings about the tree that a goal has, without those that only note."""
    judgement = state.judgement
    if judgement is None or judgement.tree != state.tree:
        return ()
    found = (finding for section in judgement.reviews for finding in section.findings)
    return tuple(finding for finding in found if finding.severity is not Severity.NOTES)


def _find_place(engine: Engine, name: str) -> Path | None:
    """Return a file of the checkout, `None` for one that is not there or not in it."""
    path = engine.checkout / name
    try:
        inside = path.resolve().is_relative_to(engine.checkout.resolve()) and path.is_file()
    except (OSError, ValueError, RuntimeError):
        return None
    return path if inside else None
