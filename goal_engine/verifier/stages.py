"""Runs the gates stage by stage and records each result before anything is made of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from goal_engine.decision import Criterion
from goal_engine.errors import StoreUnwritable
from goal_engine.gates.protected import is_test, runs_tests
from goal_engine.inline_tests import may_have_tests, swap_tests
from goal_engine.ports import Ports
from goal_engine.proof.gate import GateReport, GateResult, GateSpec, GateStage, TestFailure
from goal_engine.runtime.environment import Environment
from goal_engine.runtime.sandbox import Sandbox
from goal_engine.runtime.signing_key import read_signing_seed
from goal_engine.runtime.threads import in_thread
from goal_engine.seeding import Seeding
from goal_engine.state import events as e
from goal_engine.state.commands import Record
from goal_engine.state.model import GoalState
from goal_engine.verifier.cache import STAGES, GateCache, Remembered, find_key, is_worth_keeping
from goal_engine.verifier.observe import read_run, render_failures, render_report
from goal_engine.verifier.run import GateRunOutput, look_left_behind, name_run, settle_gate
from goal_engine.worktree import Workbench


async def run_stage(
    ports: Ports,
    bench: Workbench,
    state: GoalState,
    stage: GateStage,
    commit: str,
    gates: Iterable[GateSpec],
) -> GoalState:
    """Run those of `gates` that have not run on this tree at this stage; the parallel ones together.

    Not two of one group at a time, no more than there are processors, and the others one by one.
    """
    tree = await in_thread(bench.repository.tree_of, commit)
    todo = [gate for gate in gates if state.find_run(stage, tree, gate.name) is None]
    bound = {gate.name for gate in find_flipping_gates(state.criteria, state.gates)}
    slots = asyncio.Semaphore(os.cpu_count() or 1)
    groups = {gate.group: asyncio.Lock() for gate in todo if gate.group}

    def begun(spec: GateSpec) -> e.GateStarted:
        said = bench.sandbox.said
        return e.GateStarted(gate=spec.name, stage=stage, tree=tree, sandbox=said)

    async def run(spec: GateSpec) -> None:
        # the group first: who waits for it keeps no processor from the others
        async with groups.get(spec.group, nullcontext()), slots, bench.door.step():
            await ports.transact(state.goal_id, Record((begun(spec),)))
            confirm = spec.confirm if stage is GateStage.PROVING and spec.name in bound else 0
            memory = await in_thread(open_memory, ports, spec, stage, tree, bench.sandbox)
            ran = await settle_gate(
                bench, spec, stage, tree, commit, confirm, memory.recall if memory else None
            )
            if memory:
                await in_thread(memory.keep, ran)
            log = await ports.store.write_object(ran.log) if ran.log else None
            result = ran.result.changed(log=log)
            missed = await in_thread(look_left_behind, bench, spec, ran)
            made = ran.environment
            await record(ports, state, result, made.key, ran.failures, missed, made.seeding)
            await in_thread(bench.log_path(name_run(stage, spec.name)).unlink, missing_ok=True)

    async with asyncio.TaskGroup() as group:
        for spec in todo:
            if spec.parallel:
                group.create_task(run(spec))
    for spec in todo:
        if not spec.parallel:
            await run(spec)
    return await ports.read(state.goal_id)


@dataclass
class Memory:
    """What is remembered of one gate on one tree."""

    cache: GateCache
    spec: GateSpec
    tree: str
    sandbox: Sandbox
    key: str = ""

    def recall(self, environment: Environment, workspace: Path) -> GateRunOutput | None:
        """Return an answer for this environment that was seen before; blocking."""
        self.key = find_key(self.spec, self.tree, environment, workspace, self.sandbox)
        known = self.cache.read(self.key)
        if known is None or (known.result.gate, known.result.tree) != (self.spec.name, self.tree):
            return None
        result = known.result.changed(cached=known.at.isoformat(timespec="seconds"))
        return GateRunOutput(result, known.log.encode("latin-1"), environment, known.failures)

    def keep(self, ran: GateRunOutput) -> None:
        """Remember an answer, if it is one for others as well; blocking."""
        if self.key and not ran.result.cached and is_worth_keeping(ran.result):
            log = ran.log.decode("latin-1")
            kept = Remembered(result=ran.result, failures=ran.failures, log=log, at=self.cache.now)
            self.cache.write(self.key, kept)


def open_memory(
    ports: Ports, spec: GateSpec, stage: GateStage, tree: str, sandbox: Sandbox
) -> Memory | None:
    """Return the memory of a gate, `None` where it may not answer from there; blocking."""
    if stage not in STAGES or not spec.cache:
        return None
    try:
        seed = read_signing_seed()
    except StoreUnwritable:
        return None
    cache = GateCache(ports.find_state_dir() / "gates", seed, ports.clock.now())
    return Memory(cache, spec, tree, sandbox)


async def record(
    ports: Ports,
    state: GoalState,
    result: GateResult,
    environment: str,
    failures: tuple[TestFailure, ...] = (),
    left_behind: tuple[str, ...] = (),
    seeding: Seeding = (),
) -> None:
    """Record a result; the outcome of each test, and where tests failed, are kept as objects."""
    write = ports.store.write_object
    fact = e.GateFinished(
        result=result.changed(tests={}),
        report=await write(await in_thread(render_report, result)) if result.tests else None,
        failures=await write(render_failures(failures)) if failures else None,
        environment=environment,
        left_behind=left_behind,
        seeding=seeding,
    )
    await ports.transact(state.goal_id, Record((fact,)))


async def run_counterfactual(
    ports: Ports, bench: Workbench, state: GoalState
) -> tuple[GoalState, str | None]:
    """Run the gates that must flip on the tree without its non-test changes, and return that tree.

    Where that tree is the base or the result itself, what was seen there is what is recorded; but
    what was only remembered of the base is seen now, since a criterion rests on it.
    """
    gates = find_flipping_gates(state.criteria, state.gates)
    base, tree = state.created.base_tree, state.tree
    if not gates or tree is None:
        return state, None
    without = await in_thread(find_counterfactual, bench, state)
    same = {base: GateStage.BASELINE, tree: GateStage.PROVING}.get(without)
    known = {
        gate.name: state.find_run(same, without, gate.name) if same else None for gate in gates
    }
    fresh = [
        gate for gate in gates if same is None or (run := known[gate.name]) and run.result.cached
    ]
    if fresh:
        commit = await in_thread(
            bench.commit, without, state.created.base_commit, "without the non-test changes"
        )
        state = await run_stage(ports, bench, state, GateStage.COUNTERFACTUAL, commit, fresh)
    for gate in gates:
        run = known[gate.name]
        if run is not None and state.find_run("counterfactual", without, gate.name) is None:
            seen = await read_run(ports, run)
            said = seen.changed(
                stage=GateStage.COUNTERFACTUAL, message=f"same tree as the {same} run"
            )
            await record(ports, state, said, run.environment)
    return await ports.read(state.goal_id), without


def find_flipping_gates(
    criteria: Iterable[Criterion], gates: Iterable[GateSpec]
) -> tuple[GateSpec, ...]:
    """Return the gates of which some criterion wants to know what they say without the change."""
    wanted = [criterion for criterion in criteria if criterion.wants_flip]
    names = {criterion.gate for criterion in wanted}
    return tuple(
        gate
        for gate in gates
        if gate.name in names or (None in names and gate.report is not GateReport.EXIT)
    )


def find_counterfactual(bench: Workbench, state: GoalState) -> str:
    """Return the tree that has the change's test files and nothing else of it."""
    assert state.tree is not None and state.evidence is not None
    globs = tuple(glob for gate in state.gates for glob in gate.tests)
    return overlay_tests(bench, state.created.base_tree, state.tree, state.evidence.paths, globs)


async def run_original(
    ports: Ports, bench: Workbench, state: GoalState
) -> tuple[GoalState, str | None]:
    """Run the gates that run tests on the change with the tests of the base, and return that tree.

    Only where both tests and code were changed: else there is nothing to tell apart.
    """
    assert state.evidence is not None or state.tree is None
    if state.evidence is None:
        return state, None
    original = await in_thread(find_original, bench, state)
    if original in (state.tree, state.created.base_tree):
        return state, None
    base = state.created.base_commit
    commit = await in_thread(bench.commit, original, base, "with the tests of the base")
    gates = [gate for gate in state.gates if runs_tests(gate)]
    return await run_stage(ports, bench, state, GateStage.ORIGINAL, commit, gates), original


def find_original(bench: Workbench, state: GoalState) -> str:
    """Return the tree that has the change, and the base's tests instead of the change's."""
    assert state.tree is not None and state.evidence is not None
    globs = tuple(glob for gate in state.gates for glob in gate.tests)
    return overlay_tests(bench, state.tree, state.created.base_tree, state.evidence.paths, globs)


def overlay_tests(
    bench: Workbench, base_tree: str, tree: str, paths: Iterable[str], globs: tuple[str, ...]
) -> str:
    """Return `base_tree` with those of `paths` that are tests taken from `tree`.

    Of a file of code that has its tests beside it, the tests alone.
    """
    repository = bench.repository
    tests = tuple(path for path in sorted(paths) if is_test(path, globs))
    made = repository.overlay(base_tree, tree, tests)
    for path in sorted({path for path in paths if may_have_tests(path)}.difference(tests)):
        code = repository.read_blob(base_tree, path)
        if code is None:
            continue
        swapped = swap_tests(code, repository.read_blob(tree, path) or b"")
        if swapped != code:
            made = repository.with_content(made, path, swapped)
    return made
