"""A goal from plan to judgement, with real git, processes and disk; and the workers that lie."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from goal_engine import worktree
from goal_engine.budget import GoalBudget
from goal_engine.control import cancel_goal, pause_goal
from goal_engine.decision import CriterionState
from goal_engine.delivery.local import apply_change, deliver_local, read_diff
from goal_engine.engine import Engine
from goal_engine.errors import ChangeDoesNotFit, GoalBusy, NotPossibleNow
from goal_engine.integration import accept_criterion
from goal_engine.lifecycle import execute_goal, resume_goal
from goal_engine.proof.verdict import PROTECTED, REMOVED
from goal_engine.runtime.environment import Environment
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalStatus, TaskStatus
from tests.integration.projects import (
    CRITERIA,
    DOUBLE,
    FIX,
    GATE,
    TESTS,
    a_plan,
    a_project,
    create,
    fingerprint,
    run,
)

S = GoalStatus
ME = Decision(actor="me", reason="I looked at it")
FAKE_RUNNER = """
import sys
names = ["test_add", "test_double"]
cases = "".join(f'<testcase classname="tests.test_calc.CalcTest" name="{n}"/>' for n in names)
open(sys.argv[2], "w").write(f'<testsuites><testsuite name="x">{cases}</testsuite></testsuites>')
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return a_project(tmp_path / "project")


@pytest.fixture
def engine(project: Path) -> Iterator[Engine]:
    opened = Engine.open(project)
    yield opened
    opened.close()


def reasons(state: GoalState) -> str:
    assert state.judgement is not None
    return "; ".join(state.judgement.reasons)


async def test_each_tree_is_looked_at_once_for_what_comes_from_outside(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    probe = worktree.probe_origin

    async def look(environment: Environment, sandbox: Sequence[str]) -> tuple[str, ...]:
        looked.append(environment.rerooting.workspace.name.partition("-")[0])
        strays = await probe(environment, sandbox)
        return ("calc (from elsewhere)",) if stray in looked else strays

    monkeypatch.setattr(worktree, "probe_origin", look)
    stray = "nowhere"
    assert (await run(engine, a_plan(FIX))).status is S.READY
    assert looked == ["baseline", "proving"], "and what is repeated on either is not"
    stray = "proving"
    looked.clear()
    assert "imported from outside" in reasons(await run(engine, a_plan(FIX)))


async def test_a_fix_that_flips_its_test_is_ready_and_the_checkout_is_untouched(
    engine: Engine, project: Path
) -> None:
    before = fingerprint(project)
    state = await run(engine, a_plan(FIX))
    assert state.status is S.READY, reasons(state)
    assert fingerprint(project) == before
    assert state.proof is not None and state.proof.tree == state.tree
    assert b"+    return a + b" in await read_diff(engine.ports, state.goal_id)
    assert not (engine.state_dir / "workspaces" / state.goal_id).exists()


async def test_a_worker_that_claims_success_without_a_change_is_not_ready(engine: Engine) -> None:
    state = await run(engine, a_plan('{ run = ["echo", "all tests pass now"] }'))
    assert state.status is S.NOT_READY
    assert "gate tests is not green" in reasons(state)


async def test_a_worker_that_deletes_the_failing_test_is_not_ready(engine: Engine) -> None:
    start = TESTS.index("    def test_add")
    without = TESTS[:start] + TESTS[TESTS.index("    def test_double") :]
    step = f"{{ write = 'tests/test_calc.py', content = '''{without}''' }}"
    state = await run(engine, a_plan(step))
    assert state.status is S.NOT_READY

    whole = CRITERIA.replace("tests = [", "# tests = [")
    state = await run(engine, a_plan(step, criteria=whole))
    assert state.status is not S.READY
    assert REMOVED in reasons(state)


async def test_a_worker_that_weakens_the_test_is_not_ready(engine: Engine) -> None:
    step = '{ replace = "tests/test_calc.py", old = "(2, 3), 5", new = "(2, 3), -1" }'
    state = await run(engine, a_plan(step))
    assert state.status is S.NOT_READY
    assert "stays green when the change is taken away" in reasons(state)


async def test_a_worker_that_edits_the_gate_waits_for_a_person(engine: Engine) -> None:
    step = f"{{ write = 'run_tests.py', content = '''{FAKE_RUNNER}''' }}"
    state = await run(engine, a_plan(step))
    assert state.status is S.BLOCKED_ON_HUMAN
    assert PROTECTED in reasons(state)
    with pytest.raises(NotPossibleNow):
        await deliver_local(engine.ports, state.goal_id)


async def test_a_worker_that_edits_the_configuration_changes_no_locked_gate(
    engine: Engine,
) -> None:
    step = "{ write = 'goalproof.toml', content = '''[[gate]]\nname = \"tests\"\nargv = [\"true\"]''' }"
    state = await run(engine, a_plan(step))
    assert state.status is S.NOT_READY
    assert state.gates[0].argv[0] == "python3"


async def test_a_change_outside_the_write_set_fails_its_task(engine: Engine) -> None:
    steps = f"{FIX}, {{ run = ['sh', '-c', 'echo x > other.py'] }}"
    state = await run(engine, a_plan(steps, writes='"calc.py"'))
    assert state.status is S.NOT_READY
    assert "other.py" in reasons(state)


async def test_a_repository_inside_the_workspace_is_not_taken(engine: Engine) -> None:
    state = await run(engine, a_plan("{ run = ['git', 'init', '-q', 'inner'] }"))
    assert state.status is S.NOT_READY
    assert "another git repository in inner" in reasons(state)


async def test_commits_in_the_workspace_mean_nothing(engine: Engine) -> None:
    commit = "git -c user.name=x -c user.email=x commit -qam done && git checkout -q HEAD~1"
    state = await run(engine, a_plan(f"{FIX}, {{ run = ['sh', '-c', '{commit}'] }}"))
    assert state.status is S.NOT_READY


async def test_an_accepted_criterion_counts_for_its_tree(engine: Engine) -> None:
    looks = '[[criterion]]\nid = "looks"\ntext = "It reads well"\nevidence = "accepted"\n'
    state = await run(engine, a_plan(FIX, criteria=CRITERIA + looks))
    assert state.status is S.BLOCKED_ON_HUMAN
    first = state.proof
    state = await accept_criterion(engine.ports, state.goal_id, "looks", ME)
    assert state.status is S.READY
    assert state.proof != first
    with pytest.raises(NotPossibleNow):
        await accept_criterion(engine.ports, state.goal_id, "looks", ME)


async def test_a_red_gate_cannot_be_accepted_away(engine: Engine) -> None:
    state = await run(engine, a_plan("{ run = ['true'] }"))
    with pytest.raises(NotPossibleNow):
        await accept_criterion(engine.ports, state.goal_id, "adds", ME)


async def test_old_failures_are_gaps_and_do_not_keep_a_goal_from_ready(tmp_path: Path) -> None:
    more = TESTS + "\n    def test_old_trouble(self):\n        self.fail('since 2019')\n"
    project = a_project(tmp_path / "red", **{"tests/test_calc.py": more})
    engine = Engine.open(project)
    state = await run(engine, a_plan(FIX))
    assert state.status is S.READY, reasons(state)
    assert state.judgement is not None
    assert state.judgement.gates[0].gaps == ("tests.test_calc.CalcTest::test_old_trouble",)
    engine.close()


async def test_holding_alone_is_not_ready(engine: Engine) -> None:
    holds = (
        '[[criterion]]\nid = "keeps"\ntext = "Doubles stay right"\nevidence = "holds"\n'
        f'gate = "tests"\ntests = ["{DOUBLE}"]\n'
    )
    state = await run(engine, a_plan(FIX, criteria=holds))
    assert state.status is S.NOT_READY
    assert "nothing shows that this change matters" in reasons(state)


SLEEPER = '{ run = ["sh", "-c", "echo $$ > /dev/null; exec sleep 600"] }'


async def start_sleeping(engine: Engine) -> tuple[GoalState, asyncio.Task[GoalState]]:
    """Start a goal whose worker never ends, and return once it works."""
    working = asyncio.Event()
    engine.subscribe(
        lambda state, entry: (
            working.set() if any(event.type == "task.started" for event in entry.events) else None
        )
    )
    state = await create(engine, a_plan(SLEEPER))
    job = asyncio.ensure_future(execute_goal(engine.ports, state.goal_id))
    await working.wait()
    return state, job


def processes_below(path: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cwd"])
        if (process.info["cwd"] or "").startswith(str(path))
    ]


async def test_pause_kills_everything_and_resume_goes_on(engine: Engine) -> None:
    state, job = await start_sleeping(engine)
    paused = await pause_goal(engine.ports, state.goal_id, ME)
    assert paused.status is S.PAUSED
    assert processes_below(engine.state_dir) == []
    assert (await job).status is S.PAUSED
    assert paused.tasks["fix"].status is TaskStatus.PENDING

    again = asyncio.Event()
    engine.subscribe(lambda s, _: again.set() if s.tasks["fix"].attempts == 2 else None)
    resumed = asyncio.ensure_future(resume_goal(engine.ports, state.goal_id))
    await again.wait()
    cancelled = await cancel_goal(engine.ports, state.goal_id, ME)
    assert cancelled.status is S.CANCELLED
    assert (await resumed).status is S.CANCELLED
    assert processes_below(engine.state_dir) == []
    with pytest.raises(NotPossibleNow):
        await resume_goal(engine.ports, state.goal_id)


async def test_a_goal_without_budget_stops_and_goes_on_with_more(engine: Engine) -> None:
    plan = a_plan(FIX).changed(budget=GoalBudget(wall_seconds=1))
    slow = a_plan(f'{{ run = ["sleep", "600"] }}, {FIX}').changed(budget=plan.budget)
    state = await run(engine, slow)
    assert state.status is S.NEEDS_MORE_BUDGET
    assert processes_below(engine.state_dir) == []
    with pytest.raises(NotPossibleNow, match="raise the limit"):
        await resume_goal(engine.ports, state.goal_id)

    few = a_plan(FIX).changed(budget=GoalBudget(changed_lines=1))
    state = await run(engine, few)
    assert state.status is S.NEEDS_MORE_BUDGET
    more = await resume_goal(engine.ports, state.goal_id, GoalBudget(changed_lines=50))
    assert more.status is S.READY
    assert more.spend.attempts == 1


async def test_a_runner_that_is_cancelled_leaves_a_paused_goal(engine: Engine) -> None:
    state, job = await start_sleeping(engine)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert (await engine.ports.read(state.goal_id)).status is S.PAUSED
    assert processes_below(engine.state_dir) == []


async def test_apply_writes_the_files_once_and_refuses_others_work(
    engine: Engine, project: Path
) -> None:
    state = await run(engine, a_plan(FIX))
    (project / "calc.py").write_text("# mine\n", encoding="utf-8")
    with pytest.raises(ChangeDoesNotFit, match=r"calc\.py"):
        await apply_change(engine.ports, state.goal_id)
    assert (project / "calc.py").read_text(encoding="utf-8") == "# mine\n"


async def test_apply_and_deliver_a_ready_goal(engine: Engine, project: Path) -> None:
    state = await run(engine, a_plan(FIX))
    before = fingerprint(project)
    await apply_change(engine.ports, state.goal_id)
    after = fingerprint(project)
    assert {name for name in after if after[name] != before[name]} == {"calc.py"}
    assert (await apply_change(engine.ports, state.goal_id)).applied == ("calc.py",)
    with engine.ports.store.runner_lock(state.goal_id), pytest.raises(GoalBusy):
        await deliver_local(engine.ports, state.goal_id)  # another result may come of that
    delivered = await deliver_local(engine.ports, state.goal_id)
    assert delivered.status is S.DELIVERED
    assert delivered.delivery_branch is not None
    new = set(fingerprint(project)) - set(after)
    assert {name for name in new if "objects" not in name} == {
        f".git/refs/heads/{delivered.delivery_branch}"
    }


async def test_a_criterion_without_the_change_is_not_addressed(engine: Engine) -> None:
    already = CRITERIA.replace("test_add", "test_double")
    state = await run(engine, a_plan(FIX, criteria=already))
    assert state.status is S.NOT_READY
    assert state.judgement is not None
    assert state.judgement.criteria[0].state is CriterionState.NOT_ADDRESSED


async def test_a_link_out_of_the_tree_waits_for_a_person(engine: Engine, tmp_path: Path) -> None:
    outside = tmp_path / "calc.py"
    outside.write_text("def add(a, b):\n    return a + b\n\n\ndef double(a):\n    return 2 * a\n")
    state = await run(engine, a_plan(f'{{ run = ["ln", "-sf", "{outside}", "calc.py"] }}'))
    assert state.status is S.BLOCKED_ON_HUMAN
    assert PROTECTED in reasons(state)


async def test_code_that_repairs_itself_while_it_is_judged_is_not_ready(tmp_path: Path) -> None:
    old = TESTS + "\n    def test_old_trouble(self):\n        self.fail('since 2019')\n"
    engine = Engine.open(a_project(tmp_path / "red", **{"tests/test_calc.py": old}))
    heal = (
        "import pathlib\n"
        "p = pathlib.Path(__file__)\n"
        "p.write_text(p.read_text() + '# touched')\n"
        "def add(a, b):\n    return a + b\n"
        "def double(a):\n    return 2 * a\n"
    )
    state = await run(engine, a_plan(f"{{ write = 'calc.py', content = '''{heal}''' }}"))
    assert state.status is S.NOT_READY
    assert "it changed files that it was to judge" in reasons(state)
    engine.close()


async def test_a_weakened_test_is_a_test_whatever_other_gates_call_one(tmp_path: Path) -> None:
    other = '\n[[gate]]\nname = "web"\nargv = ["true"]\ntests = ["web/**"]\n'
    engine = Engine.open(a_project(tmp_path / "two", **{"goalproof.toml": GATE + other}))
    step = '{ replace = "tests/test_calc.py", old = "(2, 3), 5", new = "(2, 3), -1" }'
    state = await run(engine, a_plan(step))
    assert state.status is S.NOT_READY
    engine.close()


async def test_apply_writes_nothing_where_a_folder_of_the_person_stands(
    engine: Engine, project: Path
) -> None:
    state = await run(engine, a_plan(f"{FIX}, {{ write = 'notes', content = 'x' }}"))
    assert state.status is S.READY, reasons(state)
    (project / "notes").mkdir()
    (project / "notes" / "mine").write_text("mine", encoding="utf-8")
    before = fingerprint(project)
    with pytest.raises(ChangeDoesNotFit, match="notes"):
        await apply_change(engine.ports, state.goal_id)
    assert fingerprint(project) == before


async def test_a_cancel_that_comes_after_the_judgement_still_cancels(engine: Engine) -> None:
    state = await run(engine, a_plan(FIX))
    assert (await cancel_goal(engine.ports, state.goal_id, ME)).status is S.CANCELLED


async def test_a_deleted_file_does_not_come_back_by_the_copies_that_gates_need(
    tmp_path: Path,
) -> None:
    uses = "from helper import plus\n\n\ndef add(a, b):\n    return plus(a, b)\n\n\ndef double(a):\n    return 2 * a\n"
    config = GATE + '[workspace]\ncopy = ["helper.py"]\n'
    project = a_project(
        tmp_path / "copies",
        **{
            "calc.py": uses,
            "helper.py": "def plus(a, b):\n    return a - b\n",
            "goalproof.toml": config,
        },
    )
    (project / "helper.py").write_text("def plus(a, b):\n    return a + b\n", encoding="utf-8")
    engine = Engine.open(project)
    state = await run(engine, a_plan('{ run = ["rm", "helper.py"] }'))
    assert state.status is S.NOT_READY
    engine.close()


async def test_an_optional_gate_without_an_answer_backs_no_criterion(tmp_path: Path) -> None:
    optional = GATE + "required = false\n"
    heal = "import pathlib\np = pathlib.Path(__file__)\np.write_text(p.read_text() + '#')\n"
    heal += "def add(a, b):\n    return a + b\ndef double(a):\n    return 2 * a\n"
    engine = Engine.open(a_project(tmp_path / "optional", **{"goalproof.toml": optional}))
    state = await run(engine, a_plan(f"{{ write = 'calc.py', content = '''{heal}''' }}"))
    assert state.status is S.NOT_READY
    assert "gave no answer" in reasons(state)
    engine.close()


async def test_gates_whose_names_begin_alike_have_workspaces_of_their_own(tmp_path: Path) -> None:
    twice = GATE + GATE.replace('"tests"', '"tests.env"', 1)
    engine = Engine.open(a_project(tmp_path / "alike", **{"goalproof.toml": twice}))
    state = await run(engine, a_plan(FIX))
    assert state.status is S.READY, reasons(state)
    engine.close()
