"""Runs a proof again, in clean workspaces, and compares: the only thing that convinces.

What a bundle says is data from a stranger: its commands run only when the caller says so.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from goal_engine.check import Faster, Repeats, SameOutput, describe_check
from goal_engine.decision import Criterion
from goal_engine.errors import (
    BadInput,
    EnvironmentUnusable,
    ProofRefused,
    RepositoryUnusable,
    ToolMissing,
)
from goal_engine.gates.protected import LIST, find_protected_change, runs_tests
from goal_engine.history.sentences import name_some
from goal_engine.proof.checked import CheckResult, find_differences, judge_check
from goal_engine.proof.flakes import expect_unsteady
from goal_engine.proof.gate import (
    GateOutcome,
    GateResult,
    GateSpec,
    GateStage,
    TestOutcome,
    name_setup,
)
from goal_engine.proof.report import describe_signature
from goal_engine.proof.statement import GoalProof
from goal_engine.proof.verdict import EXTRA_CRITERIA, Observations, judge
from goal_engine.runtime.atomic import sweep_left
from goal_engine.runtime.config import state_dir
from goal_engine.runtime.environment import find_environment
from goal_engine.runtime.owner import own_tag
from goal_engine.runtime.personal import read_personal_settings
from goal_engine.runtime.port_ranges import PORTS
from goal_engine.runtime.process import clean_environment, run_process
from goal_engine.runtime.redacting import find_redactor
from goal_engine.runtime.repository import EvidenceRepository, read_checkout
from goal_engine.runtime.sandbox import find_sandbox
from goal_engine.runtime.submodules import Submodules
from goal_engine.runtime.threads import in_thread
from goal_engine.types import Frozen, Person, Sha256
from goal_engine.verifier.bundle import CHANGE, VERIFIER, has_own_verifier, read_bundle
from goal_engine.verifier.checks import Ground, run_check
from goal_engine.verifier.observe import find_reaching_change, find_watched, name_checks
from goal_engine.verifier.review import review_tree
from goal_engine.verifier.run import settle_gate
from goal_engine.verifier.stages import overlay_tests
from goal_engine.workers.agents import find_logins
from goal_engine.worktree import Workbench

Say = Callable[[str], None]
VENV_SECONDS = 300.0
SCRATCH = "goalproof-verify-"
"""How the name of the folder begins in which a proof is run again; the rest says whose it is."""


class ReverifyOutcome(StrEnum):
    """What running a proof again amounts to."""

    REPRODUCED = "REPRODUCED"
    NOT_REPRODUCED = "NOT REPRODUCED"
    NOT_REPRODUCIBLE_HERE = "NOT REPRODUCIBLE HERE"


class Reverification(Frozen):
    """The answer, and each field that differs or thing that is missing."""

    digest: Sha256
    outcome: ReverifyOutcome
    differences: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    note: str = ""
    """What to know of it, whatever the answer."""


def inspect_bundle(bundle: Path) -> tuple[GoalProof, str]:
    """Return the proof in a bundle and its digest; runs nothing.  Raises `ProofRefused`."""
    return read_bundle(bundle)


def read_signature(bundle: Path) -> tuple[Sha256 | None, str]:
    """Return who signed a bundle and what that gives; nobody, and why, when it is refused."""
    try:
        proof, _ = read_bundle(bundle)
    except ProofRefused as error:
        return None, error.paragraph
    return proof.key_id, describe_signature(proof)


def describe_inspection(proof: GoalProof) -> str:
    """Return what is known of a proof whose bundle was read and of which nothing was run."""
    strange = (
        ""
        if has_own_verifier(proof)
        else (
            f" Its {VERIFIER} is not the one that this version of Goalproof writes: read it before you"
            " run it."
        )
    )
    unlisted = describe_unlisted(proof)
    return (
        f"Every file is what the proof says, which is {describe_signature(proof)}.{strange}"
        " Nothing was run: --run re-executes the gates."
        f"{' ' * bool(unlisted)}{unlisted}"
    )


def describe_unlisted(proof: GoalProof) -> str:
    """Return which changed files would need a person today that needed none when the proof was made.

    The proof is judged by the list it names: anybody can name an older one, so this is never left out.
    """
    if proof.protected_list == LIST:
        return ""
    more = [name for name in _find_protected(proof, LIST) if name not in proof.protected]
    if not more:
        return ""
    return (
        "It was judged by an earlier list of files that need a person; by today's, these need one as"
        f" well, so look at what it does to them: {name_some(more)}."
    )


def _find_protected(proof: GoalProof, version: int) -> tuple[str, ...]:
    gates = (*proof.gates, *name_setup(proof.setup))
    watched = find_watched(gates, _find_planned(proof))
    return find_protected_change(proof.evidence, watched, version)


def _find_planned(proof: GoalProof) -> tuple[Criterion, ...]:
    """Return the criteria that the goal was planned with, without those that its change added."""
    criteria = (item.criterion for item in proof.judgement.criteria)
    return tuple(one for one in criteria if one.id not in EXTRA_CRITERIA)


def find_runnable(proof: GoalProof, *, setup: bool) -> tuple[GateSpec, ...]:
    """Return all that running the proof again would execute, as what a person approves."""
    asked = find_asked(proof).values()
    return (*(name_setup(proof.setup) if setup else ()), *proof.gates, *name_checks(asked))


def plan_commands(proof: GoalProof, *, setup: bool = False) -> tuple[str, ...]:
    """Return a line for each command that running the proof again would execute."""
    specs = {gate.name: gate for gate in proof.gates}
    first = tuple(
        f"set-up · in each checkout: {' '.join(argv)}" for argv in (proof.setup if setup else ())
    )
    asked = find_asked(proof)
    checks = (
        f"check {run.criterion}: {describe_check(asked[run.criterion].check)}{_say_how(asked[run.criterion])}"
        for run in proof.checks
        if run.criterion in asked
    )
    gates = (
        f"{run.stage} · {run.gate}: {' '.join(specs[run.gate].argv)}"
        f" (in {specs[run.gate].cwd}, at most {specs[run.gate].timeout:g} s"
        f"{', sets ' + ', '.join(specs[run.gate].env) if specs[run.gate].env else ''})"
        for run in proof.runs
        if run.gate in specs
    )
    return (*first, *gates, *checks)


def find_asked(proof: GoalProof) -> dict[str, Criterion]:
    """Return the criteria of a proof that ask the engine to look itself."""
    criteria = (item.criterion for item in proof.judgement.criteria)
    return {criterion.id: criterion for criterion in criteria if criterion.check is not None}


def _say_how(criterion: Criterion) -> str:
    """Say how often something is run for a check."""
    match criterion.check:
        case Repeats() as check:
            return f" (gate {criterion.gate}, {check.runs} times on each tree)"
        case SameOutput() | Faster() as check:
            return f" (in {check.cwd}, at most {check.timeout:g} s each time)"
        case _:
            return ""


async def verify_proof(
    bundle: Path,
    repository: Path,
    *,
    env: str | None = None,
    setup: bool = False,
    say: Say = lambda _: None,
) -> Reverification:
    """Run every gate of the proof in `bundle` again and compare outcomes, tests and verdict.

    `repository` is a checkout that has the base commit; it is only read.  `env` is a Python, a
    virtual environment or any folder with a `bin`, which goes first; the repository's own Python
    when not given.  With `setup` the proof's set-up commands run in each clean checkout, over a new
    virtual environment.  Raises `ProofRefused` and `BadInput`.
    """
    python, first = split_environment(env)
    proof, digest = await in_thread(read_bundle, bundle)
    await in_thread(sweep_left, Path(tempfile.gettempdir()), SCRATCH)
    with tempfile.TemporaryDirectory(prefix=f"{SCRATCH}{own_tag()}-") as scratch:
        try:
            if setup:
                python = await _make_environment(repository, python, Path(scratch))
            bench, commits, trees = await in_thread(
                _open, proof, bundle, repository, Path(scratch), python
            )
            settings = await in_thread(read_personal_settings)
            sandbox = await in_thread(find_sandbox, settings)
            commands = proof.setup if setup else ()
            bench = replace(
                bench, setup=commands, first=first, sandbox=sandbox, logins=find_logins()
            )
            bench.check_sandbox()
            differences = await _rerun(proof, bench, commits, trees, say)
        except (RepositoryUnusable, ToolMissing, EnvironmentUnusable) as error:
            return Reverification(
                digest=digest,
                outcome=ReverifyOutcome.NOT_REPRODUCIBLE_HERE,
                missing=(error.paragraph,),
            )
    outcome = ReverifyOutcome.NOT_REPRODUCED if differences else ReverifyOutcome.REPRODUCED
    note = describe_unlisted(proof)
    return Reverification(digest=digest, outcome=outcome, differences=differences, note=note)


def split_environment(env: str | None) -> tuple[str | None, Path | None]:
    """Return the Python that `env` means, and the folder of programs that goes first.

    Raises `BadInput` for what is neither.
    """
    if env is None:
        return None, None
    path = Path(env).expanduser().absolute()
    programs = path / "bin"
    if path.is_file():
        return str(path), None
    if not programs.is_dir():
        raise BadInput(
            f"{env[:200]!r} is no Python and no environment: give an interpreter, or a folder that "
            "has a `bin` with the tools that the gates need."
        )
    return (str(path) if (programs / "python").exists() else None), programs


async def _make_environment(repository: Path, python: str | None, scratch: Path) -> str | None:
    """Return a new virtual environment of the Python that there is, if there is one."""
    checkout = (await in_thread(read_checkout, repository)).root
    user = await in_thread(find_environment, checkout, python)
    if user.python is None:
        return None
    target, log = scratch / "venv", scratch / "venv.log"
    ended = await run_process(
        [str(user.base_python), "-I", "-m", "venv", str(target)],
        cwd=scratch,
        env=clean_environment(),
        log=log,
        timeout=VENV_SECONDS,
    )
    if ended.exit_code != 0:
        said = log.read_text("utf-8", "replace").strip()[-300:]
        raise EnvironmentUnusable(
            f"No virtual environment could be made for the set-up commands: {said}. Install what "
            "`python -m venv` needs, or give an environment that has all with `--env`."
        )
    return str(target)


def _open(
    proof: GoalProof, bundle: Path, repository: Path, scratch: Path, python: str | None
) -> tuple[Workbench, dict[str, str], dict[GateStage, str]]:
    """Return a workbench, the commit of each tree, and the tree that each stage is about."""
    status = read_checkout(repository)
    evidence = EvidenceRepository.open(scratch / "evidence", status.git_dir)
    bench = Workbench(
        repository=evidence,
        base=proof.base_tree,
        checkout=status.root,
        state_dir=scratch,
        folder=scratch / "workspaces",
        user=find_environment(status.root, python),
        ports=state_dir() / PORTS,
        redactor=find_redactor(),
        goal_id=proof.goal_id,
        author=Person(name="Goalproof", email="goalproof@localhost"),
    )
    if not evidence.has_commit(proof.base_commit):
        raise RepositoryUnusable(
            f"{repository} does not have the base commit {proof.base_commit}: fetch it, or give "
            "another clone with `--repository`."
        )
    if evidence.tree_of(proof.base_commit) != proof.base_tree:
        raise ProofRefused("base_tree is not the tree of base_commit.")
    submodules = Submodules.of(evidence, proof.base_tree, status.root, scratch)
    large = evidence.find_large_files(proof.base_tree, status.root).pointers
    bench = replace(bench, submodules=submodules, large=large)
    commits = {proof.base_tree: proof.base_commit}
    if CHANGE in proof.files:
        commits[proof.tree] = evidence.read_bundle(bundle / CHANGE)
        if evidence.tree_of(commits[proof.tree]) != proof.tree:
            raise ProofRefused(f"{CHANGE} holds another tree than the statement names.")
    elif proof.tree != proof.base_tree:
        raise ProofRefused(f"{CHANGE} is missing although the change is not empty.")
    if evidence.evidence(proof.base_tree, proof.tree) != proof.evidence:
        raise ProofRefused("evidence is not what git says about the two trees.")
    globs = tuple(glob for gate in proof.gates for glob in gate.tests)
    without = overlay_tests(bench, proof.base_tree, proof.tree, proof.evidence.paths, globs)
    original = overlay_tests(bench, proof.tree, proof.base_tree, proof.evidence.paths, globs)
    for tree in (without, original):
        if tree not in commits:
            commits[tree] = bench.commit(tree, proof.base_commit, "tests and change apart")
    trees = {
        GateStage.BASELINE: proof.base_tree,
        GateStage.PROVING: proof.tree,
        GateStage.COUNTERFACTUAL: without,
        GateStage.ORIGINAL: original,
    }
    return bench, commits, trees


async def _rerun(
    proof: GoalProof,
    bench: Workbench,
    commits: dict[str, str],
    trees: dict[GateStage, str],
    say: Say,
) -> tuple[str, ...]:
    specs = {gate.name: gate for gate in proof.gates}
    fresh: dict[tuple[str, str], GateResult] = {}
    differences: list[str] = []
    stages: dict[GateStage, dict[str, GateResult]] = {stage: {} for stage in GateStage}
    for run in proof.runs:
        if run.gate not in specs or run.tree != trees[run.stage] or run.gate in stages[run.stage]:
            differences.append(f"runs[{run.stage} {run.gate}].tree: not what this stage is about")
            continue
        if (run.tree, run.gate) not in fresh:
            spec, commit = specs[run.gate], commits[run.tree]
            ran = await settle_gate(bench, spec, run.stage, run.tree, commit)
            fresh[run.tree, run.gate] = ran.result
        result = fresh[run.tree, run.gate].changed(stage=run.stage)
        if result.outcome is GateOutcome.WRONG_TREE is not run.outcome:
            raise EnvironmentUnusable(f"Gate {run.gate} cannot be judged here: {result.message}.")
        silent = result.outcome is GateOutcome.ERROR and not result.tests
        if silent and run.stage is GateStage.BASELINE and run.outcome is not GateOutcome.ERROR:
            first = (
                "Run the proof's set-up commands first (`--setup`), or give"
                if proof.setup
                else "Give"
            )
            raise EnvironmentUnusable(
                f"Gate {run.gate} does not answer here, not even on the base: {result.message}. "
                f"{first} the environment that has what it needs (`--env`)."
            )
        result = expect_unsteady(specs[run.gate], run, result)
        found = compare(run, result)
        say(f"{run.stage} · {run.gate}: {result.outcome}{' — differs' if found else ''}")
        differences += found
        stages[run.stage][run.gate] = result
    differences += find_false_flakes(proof, fresh)
    if trees[GateStage.ORIGINAL] not in (proof.tree, proof.base_tree):
        differences += [
            f"runs[{GateStage.ORIGINAL} {gate.name}]: absent"
            for gate in proof.gates
            if runs_tests(gate) and gate.name not in stages[GateStage.ORIGINAL]
        ]
    read = bench.repository.read_blob
    reaching = await in_thread(find_reaching_change, read, proof.evidence, proof.gates)
    checks, unlike = await _recheck(proof, bench, commits, trees, say)
    differences += unlike
    differences += await in_thread(
        _compare_judgement, proof, stages, checks, reaching, bench.repository
    )
    return tuple(differences)


async def _recheck(
    proof: GoalProof,
    bench: Workbench,
    commits: dict[str, str],
    trees: dict[GateStage, str],
    say: Say,
) -> tuple[dict[str, CheckResult], list[str]]:
    """Do each check again: what it says here, or what the proof says where that is no contradiction.

    Times and the luck of a flaky test are never the same twice, and need not be.
    """
    asked = find_asked(proof)
    needless = (
        {GateStage.ORIGINAL}
        if trees[GateStage.ORIGINAL] in (proof.base_tree, proof.tree)
        else set()
    )
    if proof.tree == proof.base_tree:
        needless.add(GateStage.COUNTERFACTUAL)
    kept = {stage: tree for stage, tree in trees.items() if stage not in needless}
    ground = Ground(kept, commits, proof.evidence, proof.gates)
    results: dict[str, CheckResult] = {}
    differences: list[str] = []
    for said in proof.checks:
        if said.criterion not in asked or said.criterion in results:
            differences.append(f"checks[{said.criterion}]: no criterion asks for it")
            continue
        criterion = asked[said.criterion]
        found, _ = await run_check(bench, criterion, ground)
        if found.error and not said.error:
            raise EnvironmentUnusable(f"Check {said.criterion} cannot be done here: {found.error}")
        unlike = find_differences(criterion, said, found)
        say(
            f"check {said.criterion}: {judge_check(criterion, found)[1]}{' — differs' if unlike else ''}"
        )
        results[said.criterion] = found if unlike else said
        differences += unlike
    return results, differences


def find_false_flakes(proof: GoalProof, fresh: dict[tuple[str, str], GateResult]) -> list[str]:
    """Return the tests said to be flaky on the base that here pass there and fail on the result."""
    return [
        f"runs[{GateStage.BASELINE} {run.gate}].counts[{test}]: flaky there, but here it passes on"
        " the base and fails on the result"
        for run in proof.runs
        if run.stage is GateStage.BASELINE
        and (base := fresh.get((proof.base_tree, run.gate))) is not None
        and (now := fresh.get((proof.tree, run.gate))) is not None
        for test in sorted(run.flaky & now.failing - now.flaky)
        if base.tests.get(test) is TestOutcome.PASSED
    ]


def compare(said: GateResult, found: GateResult) -> list[str]:
    """Return each field in which a repeated run differs; times and messages do not count."""
    where = f"runs[{said.stage} {said.gate}]"
    differences = []
    if said.outcome is not found.outcome:
        differences.append(f"{where}.outcome: {said.outcome} there, {found.outcome} here")
    if (said.exit_code == 0) != (found.exit_code == 0):
        differences.append(f"{where}.exit_code: {said.exit_code} there, {found.exit_code} here")
    for test in sorted(said.tests.keys() | found.tests.keys()):
        there, here = said.tests.get(test), found.tests.get(test)
        if there is not here:
            differences.append(
                f"{where}.tests[{test}]: {there or 'absent'} there, {here or 'absent'} here"
            )
    return differences


def _compare_judgement(
    proof: GoalProof,
    stages: dict[GateStage, dict[str, GateResult]],
    checks: dict[str, CheckResult],
    reaching: tuple[str, ...],
    repository: EvidenceRepository,
) -> list[str]:
    """The verdict must follow from what was seen here, by the engine's own rule."""
    criteria = _find_planned(proof)
    seen = Observations(
        tree=proof.tree,
        baseline=stages[GateStage.BASELINE],
        proving=stages[GateStage.PROVING],
        counterfactual=stages[GateStage.COUNTERFACTUAL],
        original=stages[GateStage.ORIGINAL],
        checks=checks,
        protected=_find_protected(proof, proof.protected_list),
        reaching=reaching,
        undone=proof.undone,
        unfinished=proof.unfinished,
        rejections=proof.rejections,
    )
    reviews = review_tree(
        repository, proof.evidence, seen, proof.text, criteria, proof.gates, proof.review
    )
    judgement = judge(proof.gates, criteria, proof.acceptances, seen.changed(reviews=reviews))
    differences = []
    if judgement.verdict is not proof.judgement.verdict:
        differences.append(f"verdict: {proof.judgement.verdict} there, {judgement.verdict} here")
    if proof.judgement.tree != proof.tree:
        differences.append("judgement.tree: not the tree that the proof is about")
    if proof.protected != seen.protected:
        differences.append("protected: not the protected paths of this change")
    gates_there = {v.gate: (v.required, v.bar, v.met, v.gaps) for v in proof.judgement.gates}
    gates_here = {v.gate: (v.required, v.bar, v.met, v.gaps) for v in judgement.gates}
    differences += [
        f"gates[{name}]: {gates_there.get(name, 'absent')} there, {gates_here.get(name, 'absent')} here"
        for name in sorted(gates_there.keys() | gates_here.keys())
        if gates_there.get(name) != gates_here.get(name)
    ]
    asked_there = {item.criterion.id: item.criterion for item in proof.judgement.criteria}
    asked_here = {item.criterion.id: item.criterion for item in judgement.criteria}
    if asked_there != asked_here:
        differences.append("criteria: not the criteria that follow from this change")
    said = {item.criterion.id: item.state for item in proof.judgement.criteria}
    found = {item.criterion.id: item.state for item in judgement.criteria}
    differences += [
        f"criteria[{name}].state: {said.get(name, 'absent')} there, {found.get(name, 'absent')} here"
        for name in sorted(said.keys() | found.keys())
        if said.get(name) is not found.get(name)
    ]
    return differences
