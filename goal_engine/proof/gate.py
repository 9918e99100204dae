"""A gate and what it said: the engine runs it, and its bar decides what counts as met."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from goal_engine.types import Frozen, GitOid, Sha256, later

GateName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
REPORT = "{report}"
"""Stands in `argv` for the report's file; its path is the engine's and outside the workspace."""


OUTPUT = 1024
"""MiB that a gate may print unless it says another number: far more than anybody reads."""
LIMITS = {"memory": "MiB", "cpu": "s", "processes": "", "files": "", "output": "MiB"}
"""What a gate can be held to, and in what."""


class GateReport(StrEnum):
    """How a gate tells its result: the first two in a file, `exit` not per test, the others on its
    output."""

    JUNIT = "junit"
    JEST = "jest"
    """The JSON of Jest and of Vitest."""
    EXIT = "exit"
    GO = "go"
    """`go test -json`."""
    CARGO = "cargo"
    """`cargo test`, in words."""
    UNITTEST = "unittest"
    """`python -m unittest -v`, in words."""

    @property
    def in_file(self) -> bool:
        """Whether it is written to the file that `{report}` stands for."""
        return self in (GateReport.JUNIT, GateReport.JEST)


class GateSpec(Frozen):
    """One check, as locked when the goal was created.  A worker's tree never supplies it."""

    name: GateName
    argv: tuple[str, ...] = Field(min_length=1)
    cwd: str = "."
    env: dict[str, str] = Field(default_factory=dict)
    timeout: float = Field(default=600, gt=0)
    """Seconds until the gate's process tree is killed."""
    required: bool = True
    parallel: bool = True
    report: GateReport = GateReport.EXIT
    fix: tuple[str, ...] | None = None
    """The command that repairs what this gate finds, for recipe workers."""
    tests: tuple[str, ...] = ()
    """Globs of the files that are tests; the default ones when empty."""
    reruns: int = later(2)
    """How often, at most, a red run is repeated on the same tree to see what is flaky."""
    confirm: int = later(1)
    """How often a green run is repeated when a criterion that flips rests on it."""
    quarantine: tuple[str, ...] = later(())
    """Globs over test ids (`*` and `?` alone): these tests neither fail the gate nor back anything."""
    cache: bool = later(True)
    """Whether what it said of a base may be remembered for the next goal on that base."""
    group: str = later("")
    """Gates of one group never run at the same time; of no group when empty."""
    memory: int | None = later(None)
    """MiB that all its processes may have resident together."""
    cpu: int | None = later(None)
    """Seconds of processor time that all its processes may use together."""
    processes: int | None = later(None)
    """How many processes it may have at once."""
    files: int | None = later(None)
    """How many files each of its processes may have open."""
    output: int | None = later(None)
    """MiB that it may print; `OUTPUT` when it is not said."""
    reason: str = ""
    """Why this gate was chosen: configuration or what detection saw."""
    runs: tuple[str, ...] = later(())
    """Files (from `cwd`) that its command does not name and that decide how it ends: what a script
    or a target starts."""

    @property
    def limits(self) -> dict[str, int]:
        """What it is held to beside its timeout, by name."""
        said = {name: getattr(self, name) for name in LIMITS}
        return {"output": OUTPUT, **{name: most for name, most in said.items() if most is not None}}


def name_setup(commands: tuple[tuple[str, ...], ...]) -> tuple[GateSpec, ...]:
    """Return set-up commands as what a person approves: they are run like gates, and judge nothing."""
    return tuple(
        GateSpec(name=f"set-up-{number}", argv=argv, reason="makes each workspace ready")
        for number, argv in enumerate(commands, 1)
    )


class TestOutcome(StrEnum):
    """What one test said.  `FAILED` is an assertion; `ERROR` is anything that kept it from one."""

    __test__ = False

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


class TestCounts(Frozen):
    """What a test said over several runs on one tree, where it did not always say the same."""

    __test__ = False

    passed: int = 0
    failed: int = 0
    """Runs in which it failed or ended in an error."""
    neither: int = 0
    """Runs in which it was skipped or was not there."""

    @property
    def runs(self) -> int:
        """How often it could have run."""
        return self.passed + self.failed + self.neither


class GateOutcome(StrEnum):
    """How one run of a gate ended."""

    PASSED = "passed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    ERROR = "error"
    """It could not answer: no report, a report that is no report, no such tool."""
    WRONG_TREE = "wrong_tree"
    """It would have judged other files than the workspace's; counts for nothing."""


class GateStage(StrEnum):
    """Which tree a gate ran on."""

    BASELINE = "baseline"
    PROVING = "proving"
    COUNTERFACTUAL = "counterfactual"
    """Without the change to anything but tests."""
    ORIGINAL = "original"
    """With the change, but for the tests, which are the base's."""


class TestFailure(Frozen):
    """A failing test for a person to look at; nothing is judged by it."""

    __test__ = False

    test: str
    """Its id, as in `GateResult.tests`."""
    message: str
    """Its first words, from the test: plain text at most."""
    path: str | None = None
    """The file in the repository where it failed, as far as the report tells."""
    line: int | None = None
    """The line (from 1) there."""


class GateResult(Frozen):
    """What one gate said of one tree, in one run or in several."""

    gate: GateName
    stage: GateStage
    tree: GitOid
    outcome: GateOutcome
    exit_code: int | None = None
    tests: dict[str, TestOutcome] = Field(default_factory=dict)
    """Per test id, for gates with a report; of several runs the worst that it said."""
    duration_ms: int = 0
    log: Sha256 | None = None
    """The object that holds the gate's output."""
    message: str = ""
    notes: tuple[str, ...] = ()
    """What was particular about the environment it ran in, for the proof."""
    runs: int = later(1)
    """How many complete runs this is made of, each in a workspace of its own."""
    red: int = later(0)
    """How many of several runs were red."""
    counts: dict[str, TestCounts] = later({})
    """Of several runs, the tests that did not say the same in each."""
    cached: str = later("")
    """When it was seen, for an earlier goal on the same base; empty where it ran for this one."""

    @property
    def green(self) -> bool:
        """Whether the gate passed."""
        return self.outcome is GateOutcome.PASSED

    @property
    def answered(self) -> bool:
        """Whether the gate said yes or no to the tree."""
        return self.outcome in (GateOutcome.PASSED, GateOutcome.FAILED)

    @property
    def failing(self) -> frozenset[str]:
        """Ids of the tests that did not pass and were not skipped."""
        bad = (TestOutcome.FAILED, TestOutcome.ERROR)
        return frozenset(test for test, outcome in self.tests.items() if outcome in bad)

    @property
    def flaky(self) -> frozenset[str]:
        """Ids of the tests that failed in some runs on this tree, and not in others."""
        return frozenset(test for test, count in self.counts.items() if count.failed)
