"""Runs a gate on the exact tree: a clean workspace for each run, and the engine reads the result.

What is red is run again, so that a flaky test is told from a broken one.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from goal_engine.errors import RepositoryUnusable
from goal_engine.gates.formats.told import TOLD
from goal_engine.gates.offline import find_need
from goal_engine.gates.reports import SUFFIX, BadReport, Report, find_notes, read_report
from goal_engine.gates.traces import find_failures
from goal_engine.left_behind import find_left_behind
from goal_engine.proof.flakes import merge_runs, wants_another
from goal_engine.proof.gate import (
    LIMITS,
    REPORT,
    GateOutcome,
    GateReport,
    GateResult,
    GateSpec,
    GateStage,
    TestFailure,
    TestOutcome,
)
from goal_engine.redaction import Redactor
from goal_engine.runtime.environment import Environment
from goal_engine.runtime.git import list_untracked
from goal_engine.runtime.process import (
    ANSWER_CAP,
    Finished,
    clean_environment,
    find_passed,
    run_process,
)
from goal_engine.runtime.redacting import redacting
from goal_engine.runtime.regular import read_regular
from goal_engine.runtime.sandbox import GATE
from goal_engine.runtime.threads import in_thread
from goal_engine.worktree import Workbench

FRESH = {"CARGO_NET_OFFLINE": "true", "GOPROXY": "off", "GOFLAGS": "-count=1"}
"""What a gate may set otherwise: nothing is fetched while it judges, and no result comes from a cache."""
READ = 2**18
"""Bytes of a red gate's output, its last, in which names of files are looked for."""
SAID_NO = (GateOutcome.FAILED, GateOutcome.ERROR)
READ_ONLY = re.compile(rb"read-only file ?system|\bEROFS\b", re.IGNORECASE)
SHUT_OUT = (
    "it tried to write where the sandbox lets nobody write: `sandbox_writes` in settings.toml names "
    "where it may"
)
PERHAPS = (
    "it ran in a sandbox: where it is green without, `sandbox_shows` and `sandbox_writes` in "
    "settings.toml name what it may read and where it may write"
)
"""Said of the person's own tree alone: there nothing that a worker did can be the reason."""
TOO_MANY_FILES = b"Too many open files"
LINES_SHOWN = 12
"""Lines of a red gate's output that its message quotes."""


@dataclass(frozen=True, slots=True)
class GateRunOutput:
    """A gate's result and what it printed."""

    result: GateResult
    log: bytes
    environment: Environment
    failures: tuple[TestFailure, ...] = ()
    """For a person: where the tests failed."""


Recall = Callable[[Environment, Path], GateRunOutput | None]
"""Returns what is known of a gate in an environment and its workspace; blocking."""


def name_run(stage: GateStage, gate: str) -> str:
    """Return how the workspace and the log of one run are called."""
    return f"{stage}-{gate.replace('.', '_')}-{sha256(gate.encode()).hexdigest()[:8]}"


async def settle_gate(
    bench: Workbench,
    spec: GateSpec,
    stage: GateStage,
    tree: str,
    commit: str,
    confirm: int = 0,
    recall: Recall | None = None,
) -> GateRunOutput:
    """Run `spec` until it is clear what it says, as often as `wants_another` asks for.

    The log is that of the first red run, and of the first green one beside it, if there was any.
    `recall` may answer in place of the runs, once the workspace stands and is what would be judged.
    Raises and is cancelled like `run_gate`.
    """
    ran = [await run_gate(bench, spec, stage, tree, commit, recall)]
    while not ran[0].result.cached and await in_thread(
        wants_another, spec, [one.result for one in ran], confirm
    ):
        ran.append(await run_gate(bench, spec, stage, tree, commit))
    result = await in_thread(merge_runs, [one.result for one in ran])
    failures = {failure.test: failure for one in reversed(ran) for failure in one.failures}
    return replace(
        ran[0], result=result, log=_join_logs(ran), failures=tuple(failures.values())[:TOLD]
    )


def _join_logs(ran: list[GateRunOutput]) -> bytes:
    first = {one.result.green: number for number, one in reversed(list(enumerate(ran, 1)))}
    if len(first) == 1:
        return ran[0].log
    return b"\n".join(
        b"==== run %d of %d: %s ====\n%s"
        % (number, len(ran), ran[number - 1].result.outcome.encode(), ran[number - 1].log)
        for _, number in sorted(first.items())
    )


async def run_gate(
    bench: Workbench,
    spec: GateSpec,
    stage: GateStage,
    tree: str,
    commit: str,
    recall: Recall | None = None,
) -> GateRunOutput:
    """Run `spec` on `commit`, whose tree is `tree`, in a workspace of its own.

    The file of its log is left to whoever records the result: until then the gate counts as running.
    Raises `ToolMissing` when the gate's program does not exist.  Cancelled, it returns only when
    the gate's processes are dead.
    """
    name = name_run(stage, spec.name)
    async with bench.workspace(name, commit) as workspace:
        environment = await bench.environment(workspace, commit)
        strangers = await bench.find_strays(environment, workspace, commit)
        if strangers:
            result = GateResult(
                gate=spec.name,
                stage=stage,
                tree=tree,
                outcome=GateOutcome.WRONG_TREE,
                message="it would judge other files than the workspace's: "
                f"{', '.join(strangers)} would be imported from outside it",
            )
            return GateRunOutput(result, b"", environment)
        known = await in_thread(recall, environment, workspace) if recall else None
        if known is not None:
            return known
        log = bench.log_path(name)
        report = workspace.with_name(f"{name}.report") / f"report.{SUFFIX.get(spec.report, 'xml')}"
        await in_thread(_make_anew, report.parent)
        async with redacting(log, bench.redactor) as raw:
            ended = await run_process(
                [part.replace(REPORT, str(report)) for part in spec.argv],
                cwd=workspace / spec.cwd,
                env=clean_environment({**FRESH, **environment.variables, **spec.env}),
                log=raw,
                timeout=spec.timeout,
                limits=spec.limits,
                running=bench.running,
                sandbox=await in_thread(
                    partial(bench.confine, GATE, workspace, report.parent, sets=spec.env)
                ),
            )
            printed = await in_thread(_read_log, raw)
        if stage is GateStage.BASELINE:
            await in_thread(bench.keep_compiled, workspace)
        output = await in_thread(_read_log, log)
        root = str(workspace.resolve())
        outcome, tests, message = await in_thread(
            _read_outcome, spec, ended, report, printed, output, root
        )
        need = "" if tests.outcomes or outcome not in SAID_NO else find_need(output)
        message = f"{need} ({message})" if need else message
        failures = await in_thread(find_failures, tests.failures, workspace, spec.cwd)
        failures, message = await in_thread(_redact, bench.redactor, failures, message)
        if outcome in (GateOutcome.PASSED, GateOutcome.FAILED):
            changed = await in_thread(_find_changed, bench, workspace, tree, commit, environment)
            if changed:
                outcome = GateOutcome.ERROR
                message = f"it changed files that it was to judge: {', '.join(changed[:5])}"
        if bench.sandbox.program is not None and outcome in SAID_NO:
            message = "; ".join(filter(None, (message, hint_at_sandbox(stage, output))))
        result = GateResult(
            gate=spec.name,
            stage=stage,
            tree=tree,
            outcome=outcome,
            exit_code=ended.exit_code,
            tests=tests.outcomes,
            duration_ms=ended.duration_ms,
            message=message,
            notes=(*environment.notes, *say_passed(), *find_notes(spec.report)),
        )
        return GateRunOutput(result, output, environment, failures)


def hint_at_sandbox(stage: GateStage, output: bytes) -> str:
    """Return what a gate that said no in a sandbox may have needed; empty where nothing hints at it."""
    if READ_ONLY.search(output):
        return SHUT_OUT
    return PERHAPS if stage is GateStage.BASELINE else ""


def look_left_behind(bench: Workbench, spec: GateSpec, ran: GateRunOutput) -> tuple[str, ...]:
    """Return what a red run of the base named and only the checkout has; blocking."""
    if ran.result.stage is not GateStage.BASELINE or ran.result.green:
        return ()
    tracked = frozenset(bench.repository.list_files(ran.result.tree))
    viewed = (*ran.environment.exclude, *ran.environment.node_modules)

    def exists(path: str) -> bool:
        has = any(path == place or path.startswith(f"{place}/") for place in viewed)
        return not has and path not in tracked and (bench.checkout / path).is_file()

    told = "\n".join(failure.message for failure in ran.failures)
    output = f"{ran.log[-READ:].decode('utf-8', 'replace')}\n{told}"
    place = str(bench.folder / name_run(ran.result.stage, spec.name))
    for root in {place, str(Path(place).resolve())}:
        output = output.replace(f"{root}/", " ")
    return find_left_behind(output, spec.cwd, list_untracked(bench.checkout), exists)[:TOLD]


def _make_anew(folder: Path) -> None:
    """Whatever lies where a gate is to report, it is nothing that this run said."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)


def _redact(
    redactor: Redactor, failures: tuple[TestFailure, ...], message: str
) -> tuple[tuple[TestFailure, ...], str]:
    """What a report says comes from a file that nobody has looked through yet."""
    told = (one.changed(message=redactor.redact_text(one.message)) for one in failures)
    return tuple(told), redactor.redact_text(message)


def say_passed() -> tuple[str, ...]:
    """Return what a reader of a proof should know: a gate saw more of the person's environment."""
    names = find_passed()
    return (f"saw variables of the person's environment: {', '.join(names)}",) if names else ()


def _read_log(log: Path) -> bytes:
    return log.read_bytes() if log.exists() else b""


def _find_changed(
    bench: Workbench, workspace: Path, tree: str, commit: str, environment: Environment
) -> tuple[str, ...]:
    """A gate that repairs what it finds has not judged the tree that is delivered."""
    try:
        after = bench.repository.snapshot(workspace, commit, environment.exclude)
    except RepositoryUnusable as error:
        return (error.paragraph,)
    if after == tree:
        return ()
    found = bench.repository.evidence(tree, after).files
    return tuple(file.path for file in found if file.status != "A")


def _read_outcome(
    spec: GateSpec, ended: Finished, report: Path, printed: bytes, output: bytes, root: str
) -> tuple[GateOutcome, Report, str]:
    """The exit code and the report must agree: a gate that contradicts itself has not answered.

    Names of tests are what was `printed`, the same everywhere; what is quoted is `output`, redacted.
    """
    if ended.timed_out:
        said = f"it was killed after {spec.timeout:g} s; {quote_last(output)}"
        return GateOutcome.TIMEOUT, Report({}), said
    if broken := find_broken_limit(spec, ended, output):
        return GateOutcome.ERROR, Report({}), f"{broken}; {quote_last(output)}"
    tests = Report({})
    if spec.report is not GateReport.EXIT:
        if ended.truncated and not spec.report.in_file:
            return GateOutcome.ERROR, tests, "it printed more than is kept: its tests are not known"
        try:
            told = spec.report.in_file
            data = read_regular(report, ANSWER_CAP, links=False) if told else printed
            tests = read_report(spec.report, data, root)
        except FileNotFoundError:
            return GateOutcome.ERROR, Report({}), f"it wrote no report; {quote(output)}"
        except (BadReport, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            return GateOutcome.ERROR, Report({}), f"its report cannot be read: {why}"
        finally:
            shutil.rmtree(report.parent, ignore_errors=True)
        if not tests.outcomes:
            return GateOutcome.ERROR, tests, f"its report holds no tests; {quote(output)}"
    red = {TestOutcome.FAILED, TestOutcome.ERROR}.intersection(tests.outcomes.values())
    if ended.exit_code == 0 and red:
        return GateOutcome.ERROR, tests, "it ended with exit code 0 although tests failed"
    if ended.exit_code == 0:
        return GateOutcome.PASSED, tests, ""
    return GateOutcome.FAILED, tests, "" if red else quote(output)


def find_broken_limit(spec: GateSpec, ended: Finished, output: bytes) -> str:
    """Return what a gate was ended for, or failed by, beside its time; empty for nothing."""
    name = ended.exceeded
    if not name and spec.files is not None and ended.exit_code != 0:
        name = "files" if TOO_MANY_FILES in output else ""
    if not name:
        return ""
    said = f"`{name} = {spec.limits[name]}`{f' ({LIMITS[name]})' if LIMITS[name] else ''}"
    ended_how = "it ran into" if name == "files" else "it was killed: it used more than"
    return f"{ended_how} {said}"


def quote_last(output: bytes) -> str:
    """Return the last line of an output, for a message: what it was at when it was ended."""
    lines = [line.strip() for line in output[-4096:].decode("utf-8", "replace").splitlines()]
    told = [line for line in lines if line]
    return f"it last said: {told[-1][-300:]}" if told else "it had said nothing"


def quote(output: bytes) -> str:
    """Return the first lines of an output, for a message."""
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines()]
    told = [line for line in lines if line][:LINES_SHOWN]
    return f"it said: {' | '.join(told)}"[:1000] if told else "it said nothing"
