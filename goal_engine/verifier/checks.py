"""Carries out what criteria have the engine look at: in the files of trees, and by running commands.

Every run has a workspace and temporary folders of its own, and all of them one name: a program
can tell neither which tree it is run on nor what an earlier round found.
"""

from __future__ import annotations

import hmac
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice, zip_longest
from pathlib import Path

from goal_engine.check import (
    Faster,
    Gone,
    GonePattern,
    Links,
    OnlyTests,
    Repeats,
    SameOutput,
    find_command,
)
from goal_engine.decision import Criterion
from goal_engine.errors import ToolMissing
from goal_engine.evidence import GITLINK, SYMLINK, GoalGitEvidence
from goal_engine.gates.protected import is_test
from goal_engine.looking import (
    Contents,
    find_dead_links,
    find_hidden,
    find_places,
    find_where,
    whole_word,
)
from goal_engine.ports import Ports
from goal_engine.proof.checked import KEPT, CheckResult, CheckSeen
from goal_engine.proof.flakes import without_quarantined
from goal_engine.proof.flipping import is_named
from goal_engine.proof.gate import GateOutcome, GateResult, GateSpec, GateStage, TestOutcome
from goal_engine.runtime.inside import read_inside
from goal_engine.runtime.process import clean_environment, run_process
from goal_engine.runtime.redacting import redacting
from goal_engine.runtime.sandbox import GATE
from goal_engine.runtime.threads import in_thread
from goal_engine.state import events as e
from goal_engine.state.commands import Record
from goal_engine.state.model import GoalState
from goal_engine.task_graph.globs import match_any
from goal_engine.verifier.run import FRESH, name_run, run_gate
from goal_engine.verifier.stages import find_counterfactual, find_original
from goal_engine.worktree import Workbench

LOG_LIMIT = 1024 * 1024
"""Bytes of what a check's commands printed that are kept."""
FILE_LIMIT = 64 * 1024 * 1024
"""Bytes of a file that a command wrote which can be compared."""
MEASURES = re.compile(r"bench|perf|timing|profil", re.I)
"""Names of files that measure: who changes one changes what is measured."""
RED = (TestOutcome.FAILED, TestOutcome.ERROR)
PASSED = TestOutcome.PASSED
B, P, C, O = (  # noqa: E741 - four stages, as a table names them
    GateStage.BASELINE,
    GateStage.PROVING,
    GateStage.COUNTERFACTUAL,
    GateStage.ORIGINAL,
)


@dataclass(frozen=True, slots=True)
class Ground:
    """What checks look at: the trees with a commit for each, and the change between two of them."""

    trees: Mapping[GateStage, str]
    """Without the counterfactual and the original where nothing was changed."""
    commits: Mapping[str, str]
    evidence: GoalGitEvidence
    gates: tuple[GateSpec, ...]

    @property
    def changed(self) -> tuple[str, ...]:
        """Paths of regular files that the result has and the base has not like that."""
        return tuple(
            file.path
            for file in self.evidence.files
            if file.status != "D" and file.mode not in (SYMLINK, GITLINK)
        )

    @property
    def globs(self) -> tuple[str, ...]:
        """Globs of the tests beside the usual ones."""
        return tuple(glob for gate in self.gates for glob in gate.tests)


@dataclass(slots=True)
class _Ran:
    """What the runs of one command on one tree came to."""

    key: bytes
    """Of one check, and forgotten with it."""
    ends: list[int | None] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    """Of all that each run said and wrote, secrets too."""
    shown: list[bytes] = field(default_factory=list)
    """What the first run said and wrote, without them."""
    millis: list[int] = field(default_factory=list)
    cut: str = ""
    """What was too large to be compared, in words."""


async def run_checks(ports: Ports, bench: Workbench, state: GoalState) -> GoalState:
    """Carry out those checks of the goal's criteria that were not done for its tree, and record them."""
    tree = state.tree or state.created.base_tree
    todo = [c for c in state.criteria if c.check and state.find_check(c.id, tree) is None]
    if not todo:
        return state
    ground = await in_thread(find_ground, bench, state)
    for criterion in todo:
        result, log = await run_check(bench, criterion, ground)
        kept = await ports.store.write_object(log) if log else None
        ran = isinstance(criterion.check, Repeats | SameOutput | Faster)
        sandbox = bench.sandbox.said if ran else ""
        fact = e.CheckFinished(result=result.changed(log=kept), sandbox=sandbox)
        await ports.transact(state.goal_id, Record((fact,)))
    return await ports.read(state.goal_id)


def find_ground(bench: Workbench, state: GoalState) -> Ground:
    """Return what the checks of a goal look at; blocking."""
    created = state.created
    base, tree = created.base_tree, state.tree or created.base_tree
    trees = {B: base, P: tree}
    commits = {base: created.base_commit, tree: state.commit or created.base_commit}
    evidence = state.evidence or GoalGitEvidence(base_tree=base, tree=base)
    if tree != base and state.evidence is not None:
        trees[C] = find_counterfactual(bench, state)
        original = find_original(bench, state)
        if original not in (base, tree):
            trees[O] = original
        for made in (trees[C], original):
            if made not in commits:
                commits[made] = bench.commit(made, created.base_commit, "tests and change apart")
    return Ground(trees, commits, evidence, state.gates)


async def run_check(
    bench: Workbench, criterion: Criterion, ground: Ground
) -> tuple[CheckResult, bytes]:
    """Return what the check of `criterion` sees, and what its commands printed.

    Cancelled, it returns only when what it ran is dead.
    """
    result = CheckResult(criterion=criterion.id, tree=ground.trees[P])
    try:
        match criterion.check:
            case Gone() | GonePattern() as check:
                return await in_thread(_look_for, bench, check, ground, result), b""
            case Links() as check:
                return await in_thread(_follow_links, bench, check, ground, result), b""
            case OnlyTests():
                return _look_at_paths(ground, result), b""
            case Repeats() as check:
                return await _repeat(bench, criterion, check, ground, result)
            case SameOutput() as check:
                return await _compare(bench, check, ground, result)
            case Faster() as check:
                return await _measure(bench, check, ground, result)
            case None:
                return result.changed(error="there is nothing to check"), b""
    except ToolMissing as error:
        return result.changed(error=error.paragraph), b""


# what is in files


def _look_for(
    bench: Workbench, check: Gone | GonePattern, ground: Ground, result: CheckResult
) -> CheckResult:
    def is_wanted(path: str) -> bool:
        return match_any(path, check.paths) and not match_any(path, check.but)

    instead = check.instead if isinstance(check, Gone) else ""
    seen = {}
    for stage, tree in ground.trees.items():
        if stage is not O:
            files = [path for path in bench.repository.list_files(tree) if is_wanted(path)]
            read = _reader(bench, tree)
            places = find_places(check.pattern, files, read)
            new = find_places(whole_word(instead), files, read) if instead else ()
            seen[stage] = CheckSeen(
                tree=tree, count=len(places), instead=len(new), places=places[:KEPT]
            )
    old, now = _reader(bench, ground.trees[B]), _reader(bench, ground.trees[P])
    changed = [path for path in ground.changed if not match_any(path, check.but)]
    hidden = find_hidden(check.pattern, changed, is_wanted, old, now)
    return result.changed(seen=seen, look=hidden[:KEPT])


def _follow_links(
    bench: Workbench, check: Links, ground: Ground, result: CheckResult
) -> CheckResult:
    """What led nowhere before is not this change's."""
    documents = [path for path in ground.changed if match_any(path, check.links)]
    dead: dict[GateStage, set[str]] = {}
    for stage in (B, P):
        tree = ground.trees[stage]
        files, read = bench.repository.list_files(tree), _reader(bench, tree)
        found = (find_dead_links(path, read(path), files) for path in documents)
        dead[stage] = {link for links in found for link in links}
    new = sorted(dead[P] - dead[B])
    places = {B: sorted(dead[B]), P: new}
    seen = {
        stage: CheckSeen(
            tree=ground.trees[stage],
            count=len(found),
            runs=len(documents),
            places=tuple(found[:KEPT]),
        )
        for stage, found in places.items()
    }
    return result.changed(seen=seen)


def _look_at_paths(ground: Ground, result: CheckResult) -> CheckResult:
    others = [path for path in sorted(ground.evidence.paths) if not is_test(path, ground.globs)]
    places: dict[GateStage, list[str]] = {B: [], P: others}
    seen = {
        stage: CheckSeen(tree=ground.trees[stage], count=len(found), places=tuple(found[:KEPT]))
        for stage, found in places.items()
    }
    return result.changed(seen=seen)


def _reader(bench: Workbench, tree: str) -> Contents:
    def read(path: str) -> bytes:
        return bench.repository.read_blob(tree, path) or b""

    return read


# what commands say


async def _repeat(
    bench: Workbench, criterion: Criterion, check: Repeats, ground: Ground, result: CheckResult
) -> tuple[CheckResult, bytes]:
    """The trees take turns, so that a machine that is slow for a while is so for all of them."""
    spec = next((gate for gate in ground.gates if gate.name == criterion.gate), None)
    if spec is None:
        return result.changed(error="it names no gate that there is"), b""
    stages = {tree: stage for stage, tree in reversed(tuple(ground.trees.items()))}
    red: dict[str, list[str]] = {tree: [] for tree in stages}
    count = dict.fromkeys(stages, 0)
    log = bytearray()
    for _ in range(check.runs):
        for tree, stage in stages.items():
            ran = await run_gate(bench, spec, stage, tree, ground.commits[tree])
            bench.log_path(name_run(stage, spec.name)).unlink(missing_ok=True)
            judged = without_quarantined(spec, ran.result)  # what is in quarantine backs nothing
            found = find_red(judged, criterion.tests, strict=stage is P)
            count[tree] += found is not None
            red[tree] += [test for test in found or () if test not in red[tree]]
            if found is not None and len(log) < LOG_LIMIT:
                log += ran.log
    seen = {
        stage: CheckSeen(
            tree=tree, count=count[tree], runs=check.runs, places=tuple(red[tree][:KEPT])
        )
        for stage, tree in ground.trees.items()
    }
    return result.changed(seen=seen), bytes(log[:LOG_LIMIT])


def find_red(result: GateResult, names: tuple[str, ...], *, strict: bool) -> tuple[str, ...] | None:
    """Return what was red in one run, `None` when nothing was.

    `strict` also counts whatever is not green: a test that is skipped or gone, a run that did not
    answer.  Before the change only a test that said no, or the gate where it tells no tests, counts.
    """
    said = {test: how for test, how in result.tests.items() if is_named(test, names)}
    bad = tuple(test for test, how in said.items() if how in RED)
    if not strict:
        failed = result.outcome is GateOutcome.FAILED and (bad or not result.tests)
        return bad if failed else None
    skipped = (
        tuple(test for test, how in said.items() if how not in (*RED, PASSED)) if names else ()
    )
    if names and not said:
        return ("none of the named tests ran",)
    if bad or skipped or not result.green:
        return (*bad, *skipped) or (result.message or f"gate {result.gate} {result.outcome}",)
    return None


async def _compare(
    bench: Workbench, check: SameOutput, ground: Ground, result: CheckResult
) -> tuple[CheckResult, bytes]:
    """The base runs twice: what does not even say the same of itself cannot be compared."""
    ran = _begin()
    for stage in (B, P, B):
        await _run(bench, check, check.files, ground, stage, ran[stage])
    return await in_thread(_told, bench, check, ground, ran, result)


async def _measure(
    bench: Workbench, check: Faster, ground: Ground, result: CheckResult
) -> tuple[CheckResult, bytes]:
    """One round to warm the machine up, then each round with the other one first."""
    ran = _begin()
    for number in range(check.rounds + 1):
        for stage in (B, P) if number % 2 else (P, B):
            await _run(bench, check, (), ground, stage, ran[stage])
    for each in ran.values():
        del each.millis[0]
    measured, log = await in_thread(_told, bench, check, ground, ran, result)
    touched = (path for path in sorted(ground.evidence.paths) if MEASURES.search(path))
    look = tuple(f"{path}, which may be what measures" for path in touched)
    return measured.changed(look=(*measured.look, *look)[:KEPT]), log


def _begin() -> dict[GateStage, _Ran]:
    key = secrets.token_bytes(32)
    return {B: _Ran(key), P: _Ran(key)}


async def _run(
    bench: Workbench,
    check: SameOutput | Faster,
    files: Sequence[str],
    ground: Ground,
    stage: GateStage,
    ran: _Ran,
) -> None:
    argv = find_command(check)
    name = f"check-{sha256(' '.join(argv).encode()).hexdigest()[:8]}"
    own = bench.folder / f"{name}.tmp"
    commit = ground.commits[ground.trees[stage]]
    async with bench.workspace(name, commit) as workspace:
        environment = await bench.environment(workspace, commit)
        strangers = await bench.find_strays(environment, workspace, commit)
        if strangers:
            raise ToolMissing(f"{', '.join(strangers)} would be imported from outside the tree.")
        try:
            own.mkdir(parents=True)
            fresh = {"TMPDIR": str(own), "XDG_CACHE_HOME": str(own / "cache")}
            log = bench.log_path(name)
            async with redacting(log, bench.redactor) as raw:
                ended = await run_process(
                    argv,
                    cwd=workspace / check.cwd,
                    env=clean_environment({**FRESH, **environment.variables, **fresh}),
                    log=raw,
                    timeout=check.timeout,
                    running=bench.running,
                    sandbox=await in_thread(bench.confine, GATE, workspace, own),
                )
                output = await in_thread(_read, raw)
            printed = await in_thread(_read, log)
            log.unlink(missing_ok=True)
            written, cut = await in_thread(_read_written, workspace, files)
            shown = printed + await in_thread(bench.redactor.redact, written)
        finally:
            await in_thread(shutil.rmtree, own, ignore_errors=True)
    places = (
        environment.variables.get("VIRTUAL_ENV", ""),
        str(own),
        str(workspace.resolve()),
        str(workspace),
        ended.mark,
    )
    said, shown = (_without(places, text) for text in (output + written, shown))
    ran.ends.append(ended.exit_code)
    ran.digests.append(digest_output(said, shown, ran.key))
    ran.shown = ran.shown or [shown]
    ran.millis.append(ended.duration_ms)
    ran.cut = ran.cut or ("what it printed" if ended.truncated else cut)


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _read_written(workspace: Path, paths: Sequence[str]) -> tuple[bytes, str]:
    """Return files, each with a line that says it is there, and the first that is too large.

    One that is not there, or leads out, is absent.
    """
    found, cut = [], ""
    for path in paths:
        try:
            data = read_inside(workspace, path, FILE_LIMIT + 1)
        except OSError:
            found.append(f"\n{path}: absent\n".encode())
        else:
            found.append(f"\n{path}:\n".encode() + data)
            cut = cut or (path if len(data) > FILE_LIMIT else "")
    return b"".join(found), cut


def _without(places: Sequence[str], text: bytes) -> bytes:
    """Return a text that says `<here>` for places which every run has others of."""
    for place in filter(None, places):
        text = text.replace(place.encode(), b"<here>")
    return text


def digest_output(said: bytes, shown: bytes, key: bytes) -> str:
    """Return the name of what was said; `shown` is that without secrets.

    It is made of the secrets too: two outputs that differ in what is hidden are not the same.  Whoever
    reads a proof could try guesses against a plain digest, so one that hides something needs `key`.
    """
    if said == shown:
        return sha256(said).hexdigest()
    return hmac.new(key, said, sha256).hexdigest()


def _told(
    bench: Workbench,
    check: SameOutput | Faster,
    ground: Ground,
    ran: Mapping[GateStage, _Ran],
    result: CheckResult,
) -> tuple[CheckResult, bytes]:
    if cut := ran[B].cut or ran[P].cut:
        return result.changed(error=f"{cut} is too large to be compared"), b""
    same = ran[B].digests[0] == ran[P].digests[0]
    difference = () if same else (find_difference(ran[B].shown[0], ran[P].shown[0]),)
    seen = {
        stage: CheckSeen(
            tree=ground.trees[stage],
            runs=len(each.ends),
            ends=tuple(dict.fromkeys(each.ends)),
            outputs=tuple(dict.fromkeys(each.digests)),
            millis=tuple(each.millis) if isinstance(check, Faster) else (),
            places=difference if stage is P else (),
        )
        for stage, each in ran.items()
    }
    log = b"".join(
        f"--- {stage}, which ended with {each.ends[0]}\n".encode() + each.shown[0]
        for stage, each in ran.items()
    )
    look = _find_askers(bench, ground)
    return result.changed(seen=seen, look=look), log[:LOG_LIMIT]


def find_difference(before: bytes, now: bytes) -> str:
    """Return where two outputs differ, as a person reads it: they do, though it may be hidden."""
    if before == now:
        return "what is hidden as a secret differs"
    old, new = (said.decode("utf-8", "replace").splitlines() for said in (before, now))
    for number, (one, other) in enumerate(zip_longest(old, new), 1):
        if one != other:
            return f"line {number}: {_quote(one)} before, {_quote(other)} now"
    return "the ends of lines differ"


def _quote(line: str | None) -> str:
    return "nothing" if line is None else repr(line[:100])


def _find_askers(bench: Workbench, ground: Ground) -> tuple[str, ...]:
    """New code that asks where it is run could say one thing here and another one elsewhere."""
    old, new = _reader(bench, ground.trees[B]), _reader(bench, ground.trees[P])
    found = (
        place
        for path in ground.changed
        if not is_test(path, ground.globs)
        for place in find_where(path, old(path), new(path))
    )
    return tuple(islice(found, KEPT))
