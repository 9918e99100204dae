"""One goal from its creation to its end, in two processes that are stopped, killed and restarted at any step.

What is run is the engine's own lifecycle, control and waves; a seed decides the goal, its workers and
everything that happens.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from goal_engine import lifecycle
from goal_engine.agent import GoalAgentTaskProposal, Left
from goal_engine.budget import SAYS_NOTHING, UNITS, GoalBudget, Reporting, Reports
from goal_engine.control import cancel_goal, pause_goal
from goal_engine.decision import Criterion, EvidenceKind
from goal_engine.dispatch.tasks import waves
from goal_engine.dispatch.tasks.team import LocalTeamRunner
from goal_engine.errors import GoalError
from goal_engine.lifecycle import execute_goal, recover_goal, resume_goal, verify_goal
from goal_engine.ports import Ports
from goal_engine.proof.gate import GateSpec
from goal_engine.state import events as e
from goal_engine.state.commands import CreateGoal
from goal_engine.state.journal import parse_journal
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import GoalTask, GoalTaskGraph
from goal_engine.task_graph.policy import WorkPolicy
from goal_engine.types import GoalStatus, TaskStatus
from goal_engine.verifier import stages
from tests.builders import GOAL, ME, NOW, a_goal_created
from tests.simulation.loop import SimLoop
from tests.simulation.world import (
    BUG,
    FIXED,
    Character,
    Disk,
    Monitor,
    Mutant,
    SimBench,
    SimRepository,
    SimStore,
    SimWorker,
    make_gate,
)

S = GoalStatus
MORE = "more-"
"""How the tasks are called that agents propose."""
NOWHERE = Path("/nowhere")
PATIENT = 2000.0
"""Seconds after which what has not ended will not."""
BY_TURN = Reports(tokens=Reporting.TURN, usd=Reporting.TURN)
DOOM = 0.15
"""Seconds, at most, after which the power goes when a cancel is to be left without its requester."""
TRIES = 12
"""How often a goal is taken up again, with honest workers, until it must be through."""
GATE = GateSpec(name="tests", argv=("check",), cache=False, confirm=0, reruns=0, timeout=20)
NO_LIMITS = GoalBudget(**{unit.name: None for unit in UNITS}, repairs=20)
GOES_ON = {
    S.PLANNED: execute_goal,
    S.NOT_READY: execute_goal,
    S.PAUSED: resume_goal,
    S.BLOCKED_ON_HUMAN: resume_goal,
    S.NEEDS_MORE_BUDGET: resume_goal,
    S.FAILED_INFRA: resume_goal,
    S.READY: verify_goal,
}
"""What a person does with a goal that does not run."""


@dataclass
class Process:
    """A terminal or an editor's server: gone when it is killed, and another one comes."""

    number: int
    jobs: list[asyncio.Task[Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """What came of a seed."""

    journal: bytes
    status: GoalStatus
    broken: tuple[str, ...]
    steps: int
    seconds: float
    kills: int
    deferred: int = 0
    """How often an attempt was put off."""
    joined: int = 0
    """Proposed tasks that joined."""


class Simulation:
    """Everything that there is for one seed."""

    def __init__(self, seed: int, mutant: Mutant | None = None) -> None:
        self.chance = Random(seed)
        self.mutant = mutant or Mutant()
        self.loop = SimLoop(Random(self.chance.random()))
        self.disk, self.monitor, self.repository = Disk(), Monitor(), SimRepository()
        self.processes = [Process(0), Process(1)]
        self.kills = 0
        self.parts = self._plan()
        self.character = self._find_character()
        self.proposes = self.chance.choice((0, 0.9))
        """That an agent proposes a task with its result."""

    def _plan(self) -> tuple[GoalTask, ...]:
        """Some tasks, each after some of those before it; the last one repairs the bug."""
        dice = self.chance
        self.metered = dice.random() < 0.5
        who: dict[str, Any] = (
            {} if self.metered else {"worker": "cli", "command": ("agent", "{prompt}")}
        )
        names = [f"part-{number}" for number in range(dice.randint(1, 6))]
        return tuple(
            GoalTask(
                id=name,
                title=name,
                deps=tuple(other for other in names[:at] if dice.random() < 1.2 / at),
                writes=(*self.write_part(name, names), *((f"{MORE}*.txt",) if at == 0 else ())),
                **who,
            )
            for at, name in enumerate(names)
        )

    def _find_character(self) -> Character:
        dice = self.chance
        return Character(
            fails=dice.choice((0, 0, 0.1, 0.3)),
            lies=0 if self.metered else dice.choice((0, 0, 0.3)),
            hangs=dice.choice((0, 0, 0.1)),
            tokens=dice.choice((0, 100)) if self.metered else 0,
            troubles=dice.choice((0, 0, 0.4)),
        )

    def find_budget(self) -> GoalBudget:
        """Return limits that may be too narrow."""
        dice = self.chance
        return GoalBudget(
            wall_seconds=dice.choice((None, None, 3, 15)),
            attempts=dice.choice((None, None, 4)),
            tokens=dice.choice((None, 150)) if self.metered else None,
            usd=dice.choice((None, Decimal(5))) if self.metered else None,
            max_agents=dice.choice((1, 2, 4)),
        )

    def write_part(self, task: str, parts: Sequence[str] = ()) -> Mapping[str, bytes]:
        """Return what a task is to do; a repair does whatever is missing."""
        names = parts or [part.id for part in self.parts]
        if task.startswith(MORE):
            return {f"{task}.txt": b"more\n"}
        wanted = [task] if task in names else names
        files = {f"{name}.txt": f"{name}\n".encode() for name in wanted}
        return files | ({BUG: FIXED} if names[-1] in wanted else {})

    # Its life

    def run(self) -> Result:
        """Let it all happen.  What is broken is in the result."""
        with self._patched():
            try:
                self.loop.run_until_complete(self._happen())
            except Exception as error:
                self.monitor.broken.append(f"{type(error).__name__}: {error}")
            finally:
                steps, seconds = self.loop.steps, self.loop.time()
                broken = (*self.monitor.broken, *self.loop.complaints)
                self.loop.bury()
        state = self.disk.states.get(GOAL)
        return Result(
            journal=self.disk.journals.get(GOAL, b""),
            status=state[0].status if state else S.PLANNED,
            broken=tuple(dict.fromkeys(broken)),
            steps=steps,
            seconds=seconds,
            kills=self.kills,
            deferred=self.monitor.deferred,
            joined=len(state[0].accepted) if state else 0,
        )

    @contextmanager
    def _patched(self) -> Iterator[None]:
        """Gates, workspaces and bundles are of the simulation; all else is the engine's own."""
        names = [f"{part.id}.txt" for part in self.parts]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lifecycle, "open_bench", self._open_bench)
            patch.setattr(lifecycle, "write_bundle", self._write_bundle)
            patch.setattr(stages, "settle_gate", make_gate(names, lambda: self.character))
            patch.setattr(waves, "_read_proposals", self._propose)
            patch.setattr(stages, "look_left_behind", lambda *_: ())
            yield

    def _propose(self, workspace: Path) -> tuple[Left, ...]:
        """Return what an agent leaves as further tasks; not all of it keeps the rules."""
        dice = self.loop.chance
        if dice.random() >= self.proposes:
            return ()
        name = f"{MORE}{dice.randrange(4)}"
        return (
            GoalAgentTaskProposal(
                id=name,
                title=name,
                description=name,
                write_set=(dice.choice((f"{name}.txt", f"{name}.txt", "../x")),),
                acceptance=("it is there",),
                dependencies=dice.choice(((), (self.parts[-1].id,))),
            ),
        )

    def _open_bench(self, ports: Ports, state: GoalState) -> SimBench:
        store: Any = ports.store
        return SimBench(
            repository=self.repository,
            goal_id=GOAL,
            author=state.created.author,
            folder=NOWHERE / str(store.owner.number),
            state_dir=NOWHERE,
            who=store.owner,
            monitor=self.monitor,
            chance=self.loop.chance,
        )

    async def _write_bundle(self, ports: Ports, bench: Any, state: GoalState, *seen: Any) -> str:
        await asyncio.sleep(self.loop.chance.uniform(0, 0.1))
        return hashlib.sha256(f"{state.seq} {seen[1]!r}".encode()).hexdigest()

    def ports(self, process: Process) -> Ports:
        """Return the world as one process sees it."""
        worker = SimWorker(
            self.repository,
            self.monitor,
            process,
            self.loop.chance,
            lambda: self.character,
            self.write_part,
            BY_TURN if self.metered else SAYS_NOTHING,
        )
        clock: Any = self
        store: Any = SimStore(self.loop, self.disk, process, self.monitor, self.mutant)
        repository: Any = self.repository
        return Ports(
            store=store,
            clock=clock,
            ids=clock,
            checkout=NOWHERE,
            find_state_dir=lambda: NOWHERE,
            open_repository=lambda: repository,
            workers={"recipe": worker, "cli": worker},
            publish=lambda state, entry: self.monitor.acknowledge(GOAL, entry),
            team=LocalTeamRunner(),
        )

    def entropy(self) -> int:
        """Return 32 bits of the simulation's chance."""
        return self.loop.chance.getrandbits(32)

    def now(self) -> Any:
        """Return the time of the simulation."""
        return NOW + timedelta(seconds=self.loop.time())

    async def _happen(self) -> None:
        await self._create()
        tempo, cancels = self.chance.choice((0.5, 2, 10)), self.chance.choice((0.3, 4))
        for _ in range(self.chance.randint(2, 16)):
            await asyncio.sleep(self.chance.expovariate(tempo))
            self._do_something(cancels)
        await asyncio.sleep(DOOM)
        await self._settle()
        await self._end()

    async def _create(self) -> None:
        base = self.repository.write_tree({BUG: b"broken\n", "src.txt": b"x\n"})
        commit = self.repository.commit(base, (), message="base")
        created = a_goal_created(
            base_commit=commit, base_tree=base, gates=(GATE,), budget=self.find_budget()
        )
        criterion = Criterion(
            id="works", text="It works", evidence=EvidenceKind.FLIPS, gate="tests"
        )
        planned = e.GoalPlanned(
            planner="plan",
            criteria=(criterion,),
            graph=GoalTaskGraph(tasks=self.parts),
            policy=WorkPolicy(proposals="accept"),
        )
        ports = self.ports(self.processes[0])
        await self.loop.start(self.processes[0], ports.transact(GOAL, CreateGoal(created, planned)))

    def _do_something(self, cancels: float) -> None:
        what = self.chance.choices(
            (self._work, self._pause, self._cancel, self._close, self._kill, self._lose_power),
            (8, 3, cancels, 1, 3, 1),
        )[0]
        what(self.processes[self.chance.randrange(2)])

    def _start(self, process: Process, work: Any) -> None:
        process.jobs = [job for job in process.jobs if not job.done()]
        process.jobs.append(self.loop.start(process, self._try(work)))

    async def _try(self, work: Any) -> None:
        """A refusal is an answer; anything else that is raised is a defect."""
        try:
            await work
        except GoalError:
            pass
        except Exception as error:
            self.monitor.broken.append(f"{type(error).__name__}: {error}")

    def _work(self, process: Process) -> None:
        ports, budget = self.ports(process), self.find_budget()

        async def go_on() -> None:
            state = await recover_goal(ports, GOAL)
            if state.status is S.NEEDS_MORE_BUDGET:
                await resume_goal(ports, GOAL, budget)
            elif state.status in GOES_ON:
                await GOES_ON[state.status](ports, GOAL)

        self._start(process, go_on())

    def _pause(self, process: Process) -> None:
        self._start(process, pause_goal(self.ports(process), GOAL, ME))

    def _cancel(self, process: Process) -> None:
        self._start(process, cancel_goal(self.ports(process), GOAL, ME))
        if self.chance.random() < 0.5:  # and whoever asked is not there to see it done
            self.loop.call_later(self.chance.uniform(0, DOOM), self._lose_power, process)

    def _close(self, process: Process) -> None:
        """Its editor closes: what runs is cancelled, in order."""
        for job in process.jobs:
            job.cancel()

    def _kill(self, process: Process) -> None:
        self.kills += 1
        self.loop.kill(process)
        self.disk.free(process)
        self.monitor.bury(process)
        self.processes[process.number] = Process(process.number)

    def _lose_power(self, _: Process) -> None:
        for process in tuple(self.processes):
            self._kill(process)
        self.disk.lose_power(self.chance)
        self.monitor.check_kept(self.disk, GOAL)
        whole = self.disk.journals.get(GOAL)
        self.monitor.forget(parse_journal(whole, GOAL).entries if whole else ())

    async def _settle(self) -> None:
        """Whatever was begun comes to its end."""
        jobs = [job for process in self.processes for job in process.jobs]
        if jobs:
            _, late = await asyncio.wait(jobs, timeout=PATIENT)
            if late:
                self.monitor.broken.append(f"{len(late)} jobs never end")

    async def _end(self) -> None:
        """With honest workers and room enough every goal gets there."""
        self.character = Character()
        process = self.processes[0]
        ports = self.ports(process)
        if GOAL not in self.disk.states:
            self.monitor.broken.append("the goal is not there")
            return
        for _ in range(TRIES):
            state = await self.loop.start(process, recover_goal(ports, GOAL))
            if state.status in (S.READY, S.CANCELLED):
                break
            self._start(process, self._go_on(ports, state))
            await self._settle()
        self._look_at_the_end(self.disk.states[GOAL][0])

    async def _go_on(self, ports: Ports, state: GoalState) -> None:
        if GOES_ON.get(state.status) is resume_goal:
            await resume_goal(ports, GOAL, NO_LIMITS)
        else:
            await execute_goal(ports, GOAL)

    def _look_at_the_end(self, state: GoalState) -> None:
        if self.monitor.alive:
            self.monitor.broken.append("something runs on")
        self.monitor.check_kept(self.disk, GOAL)
        unsound = state.plan.validate() if state.accepted else ()
        if unsound:
            self.monitor.broken.append(f"what joined made the plan unsound: {unsound}")
        if state.status is S.CANCELLED:
            return
        if state.status is not S.READY:
            why = "; ".join(state.judgement.reasons) if state.judgement else ""
            self.monitor.broken.append(f"it ends {state.status}: {why}")
            return
        assert state.tree is not None
        files = self.repository.trees[state.tree]
        done = [name for name, at in state.statuses.items() if at is TaskStatus.DONE]
        lost = [n for n in done if not self.write_part(n).items() <= files.items()]
        if lost and not any(part.worker == "cli" for part in self.parts):
            self.monitor.broken.append(f"the work of {lost} is not in the tree")


def simulate(seed: int, mutant: Mutant | None = None) -> Result:
    """Return what comes of a seed."""
    return Simulation(seed, mutant).run()
