"""The sample application has four bugs, its tests show exactly those, and its plan repairs them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from goal_engine.decision import EvidenceKind
from goal_engine.document import GoalPlan, check_against_gates, parse_plan
from goal_engine.task_graph.graph import ReplaceStep
from goal_server.demo.content import PLAN, write_application


@pytest.fixture
def application(tmp_path: Path) -> Path:
    target = tmp_path / "shop app"
    write_application(target)
    return target


@pytest.fixture
def plan() -> GoalPlan:
    return parse_plan(PLAN, "plan.toml")


def run_gate(application: Path) -> tuple[int, dict[str, str]]:
    """Return the exit code and the outcome by test id."""
    report = application.parent / "report.xml"
    command = [sys.executable, "run_tests.py", "--junit", str(report)]
    ran = subprocess.run(command, cwd=application, capture_output=True, timeout=60, check=False)
    cases = ElementTree.parse(report).getroot().iter("testcase")
    return ran.returncode, {
        f"{case.get('classname')}::{case.get('name')}": case[0].tag if len(case) else "passed"
        for case in cases
    }


def carry_out(plan: GoalPlan, application: Path) -> None:
    for task in plan.tasks:
        for step in task.steps:
            assert isinstance(step, ReplaceStep)
            file = application / step.replace
            text = file.read_text()
            assert text.count(step.old) == step.count, task.id
            file.write_text(text.replace(step.old, step.new))


def ids_of(plan: GoalPlan, kind: EvidenceKind) -> list[str]:
    return sorted(t for c in plan.criteria if c.evidence is kind for t in c.tests)


def test_exactly_the_tests_that_the_plan_flips_are_red_and_all_by_assertion(
    application: Path, plan: GoalPlan
) -> None:
    code, outcomes = run_gate(application)
    assert code == 1
    assert sorted(outcomes) == sorted(
        ids_of(plan, EvidenceKind.FLIPS) + ids_of(plan, EvidenceKind.HOLDS)
    )
    assert {t: o for t, o in outcomes.items() if o != "passed"} == dict.fromkeys(
        ids_of(plan, EvidenceKind.FLIPS), "failure"
    )


def test_the_plan_makes_every_test_green(application: Path, plan: GoalPlan) -> None:
    carry_out(plan, application)
    code, outcomes = run_gate(application)
    assert code == 0
    assert set(outcomes.values()) == {"passed"}


@pytest.mark.parametrize("bug", ["pagination", "health", "not-found", "rounding"])
def test_one_task_turns_the_tests_of_its_own_criterion_and_no_others(
    application: Path, plan: GoalPlan, bug: str
) -> None:
    _, before = run_gate(application)
    only = tuple(task for task in plan.tasks if task.id == bug)
    carry_out(plan.model_copy(update={"tasks": only}), application)
    _, after = run_gate(application)
    (criterion,) = (c for c in plan.criteria if c.id == bug)
    assert {t for t in after if after[t] != before[t]} == set(criterion.tests)


def test_the_four_tasks_can_run_at_once_and_fit_the_gates(
    application: Path, plan: GoalPlan
) -> None:
    gates = tomllib.loads((application / "goalproof.toml").read_text())["gate"]
    check_against_gates(plan, tuple(gate["name"] for gate in gates), ())
    assert [task.deps for task in plan.tasks] == [()] * 4


def test_the_tests_leave_nothing_behind(application: Path) -> None:
    before = sorted(application.rglob("*"))
    run_gate(application)
    assert sorted(application.rglob("*")) == before


def test_the_report_tells_failures_errors_and_skips_apart(application: Path) -> None:
    (application / "tests" / "test_api.py").write_text("import nothing_of_this_name\n")
    (application / "tests" / "test_kinds.py").write_text(
        "import unittest\n"
        "class Kinds(unittest.TestCase):\n"
        "    def test_pass(self): pass\n"
        "    def test_fail(self): self.fail('no <good>')\n"
        "    def test_error(self): raise OSError('gone')\n"
        "    @unittest.skip('not today')\n"
        "    def test_skip(self): pass\n"
        "    def test_parts(self):\n"
        "        with self.subTest(part=1): self.assertEqual(1, 2)\n"
        "    @unittest.expectedFailure\n"
        "    def test_lucky(self): pass\n"
    )
    code, outcomes = run_gate(application)
    assert code == 1
    kinds = {t.partition("::")[2]: o for t, o in outcomes.items() if "test_kinds" in t}
    assert kinds == {
        "test_pass": "passed",
        "test_fail": "failure",
        "test_error": "error",
        "test_skip": "skipped",
        "test_parts": "failure",
        "test_lucky": "failure",
    }
    assert [o for t, o in outcomes.items() if "_FailedTest" in t] == ["error"]


def test_no_tests_at_all_is_not_a_success(application: Path) -> None:
    for file in (application / "tests").glob("test_*.py"):
        file.unlink()
    assert run_gate(application) == (1, {})
