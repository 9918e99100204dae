"""Each check carried out for real: a plan or a goal's words ask, the engine looks, and nobody is believed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from goal_engine.check import Faster, Gone
from goal_engine.decision import CriterionState
from goal_engine.document import parse_plan
from goal_engine.engine import Engine
from goal_engine.errors import GatesNotApproved
from goal_engine.integration import accept_criterion
from goal_engine.lifecycle import execute_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.proof.gate import GateSpec, GateStage
from goal_engine.queries import resolve_goal_proof
from goal_engine.reverify import ReverifyOutcome, plan_commands, verify_proof
from goal_engine.state.model import GoalState
from goal_engine.types import Decision, GoalStatus
from goal_engine.verifier import bundle as bundle_module
from goal_engine.verifier import checks as checks_module
from goal_engine.verifier.bench import open_bench
from goal_engine.verifier.bundle import read_bundle
from goal_engine.verifier.checks import digest_output, find_difference
from goal_server import operations
from goal_server import parameters as p
from goal_server.operations import Context
from tests.integration.projects import CALC, FIX, TESTS, a_project, run
from tests.integration.test_reverify import forge

pytestmark = pytest.mark.one_python

S, C = GoalStatus, CriterionState
ME = Decision(actor="me", reason="I looked at it")

APP = """\
import calc


def main():
    print("two and two:", calc.double(2))


if __name__ == "__main__":
    main()
"""
SLOW = """\
def total(numbers):
    found = 0
    for number in numbers:
        for _ in range(200_000):
            pass
        found += number
    return found
"""
BENCH = "import work\n\nprint(work.total(range(40)))\n"
FLAKY = """
import os
import unittest

import shaky


class ShakyTest(unittest.TestCase):
    def test_shaky(self):
        self.assertTrue(shaky.answer())
"""


@pytest.fixture
def open_project(tmp_path: Path) -> Iterator:
    opened = []

    def make(**files: str) -> Engine:
        opened.append(Engine.open(a_project(tmp_path / f"project-{len(opened)}", **files)))
        return opened[-1]

    yield make
    for engine in opened:
        engine.close()


def planned(steps: str, *criteria: str):
    rows = "".join(f"[[criterion]]\n{row}\n" for row in criteria)
    text = f'goal = "Do it in calc.py"\n{rows}\n[[task]]\nid = "do"\ntitle = "Do it"\nsteps = [{steps}]\n'
    return parse_plan(text, "plan.toml")


def asks(evidence: str, check: str, more: str = "") -> str:
    return f'id = "it"\ntext = "It"\nevidence = "{evidence}"\ncheck = {check}\n{more}'


def found(state: GoalState, name: str = "it"):
    assert state.judgement is not None, (state.status, state.blocked)
    return next(v for v in state.judgement.criteria if v.criterion.id == name)


RENAMED = """
{ replace = "calc.py", old = "def double", new = "def twice" },
{ replace = "app.py", old = "calc.double", new = "calc.twice" },
{ replace = "tests/test_calc.py", old = "calc.double", new = "calc.twice" },
{ replace = "calc.py", old = "a - b", new = "a + b" }"""
GONE = '{ gone = "double", paths = ["*.py"], instead = "twice" }'


async def test_what_was_renamed_is_gone_and_there_under_its_new_name(open_project) -> None:
    engine = open_project(**{"app.py": APP})
    state = await run(engine, planned(RENAMED, asks("flips", GONE)))
    verdict = found(state)
    assert verdict.state is C.VERIFIED, verdict
    assert "stood in 2 places before, in none now, and in 2 again without" in verdict.reason
    result = state.find_check("it", state.tree or "")
    assert result is not None and result.seen[GateStage.PROVING].instead == 2
    proof, _ = read_bundle(await resolve_goal_proof(engine.ports, state.goal_id))
    assert proof.checks == (result,)


HIDDEN = {
    "in pieces": 'getattr(calc, "dou" + "ble")(2)',
    "in pieces beside each other": "getattr(calc, 'dou' 'ble')(2)",
    "in a list": "getattr(calc, ''.join(['dou', 'ble']))(2)",
    "escaped": r'getattr(calc, "\\u0064ouble")(2)',
    "in letters that look alike": "calc.\uff44ouble(2)",
}


@pytest.mark.parametrize("name", HIDDEN)
async def test_what_is_only_spelled_in_another_way_waits_for_a_person(open_project, name) -> None:
    steps = f"""
{{ replace = "app.py", old = "calc.double(2)", new = '''{HIDDEN[name]}''' }},
{{ replace = "calc.py", old = "a - b", new = "a + b" }},
{{ replace = "calc.py", old = "def double", new = "def twice(a):\\n    return 2 * a\\n\\n\\ndef d0uble" }}"""
    steps = steps.replace("\\\\u", "\\u")
    state = await run(
        engine := open_project(**{"app.py": APP}), planned(steps, asks("flips", GONE))
    )
    verdict = found(state)
    assert verdict.state is C.IMPLEMENTED_UNVERIFIED, verdict
    assert "app.py:5, where it is spelled in another way" in verdict.reason
    assert state.status is not S.READY and engine


SAME = '{ same_output = ["python3", "app.py"] }'


async def test_a_program_that_says_the_same_holds(open_project) -> None:
    steps = f'{FIX}, {{ replace = "calc.py", old = "2 * a", new = "a + a" }}'
    state = await run(open_project(**{"app.py": APP}), planned(steps, asks("holds", SAME)))
    assert found(state).state is C.VERIFIED, found(state)


async def test_a_program_that_says_something_else_does_not(open_project) -> None:
    steps = f'{FIX}, {{ replace = "app.py", old = "two and two", new = "Two and two" }}'
    state = await run(open_project(**{"app.py": APP}), planned(steps, asks("holds", SAME)))
    assert found(state).state is C.PARTIAL
    assert "line 1: 'two and two: 4' before, 'Two and two: 4' now" in found(state).reason
    assert state.status is S.NOT_READY


async def test_a_file_that_is_written_counts_as_said(open_project) -> None:
    writes = APP.replace('print("two and two:", calc.double(2))', 'open("out.txt", "w").write("a")')
    steps = f'{FIX}, {{ replace = "app.py", old = \'"a"\', new = \'"b"\' }}'
    check = '{ same_output = ["python3", "app.py"], files = ["out.txt"] }'
    state = await run(open_project(**{"app.py": writes}), planned(steps, asks("holds", check)))
    assert found(state).state is C.PARTIAL and "'a' before, 'b' now" in found(state).reason


async def test_what_is_hidden_is_compared_and_what_is_too_large_is_not(
    open_project, monkeypatch
) -> None:
    """What is shown of both runs is equal, `[secret]`, and so is what is read of the file."""
    monkeypatch.setattr(checks_module, "FILE_LIMIT", 8)
    says = APP.replace("print(", 'open("out.txt", "w").write("123456789")\n    print(')
    says = says.replace("two and two:", 'k" "ey:", "gh" "p_" + "Zq3vN8sKd0LmXw2RtYb7" * 2, "')
    steps = f'{FIX}, {{ replace = "app.py", old = "Zq3v", new = "Zq4v" }}'
    engine = open_project(**{"app.py": says})
    both = asks("holds", SAME.replace(" }", ', files = ["out.txt"] }')).replace('"it"', '"big"')
    state = await run(engine, planned(steps, asks("holds", SAME), both))
    assert found(state, "big").state is C.PARTIAL
    assert "not be checked: out.txt is too large to be compared" in found(state, "big").reason
    assert found(state).state is C.PARTIAL and state.status is not S.READY
    assert "it says something else: what is hidden as a secret differs" in found(state).reason
    result = state.find_check("it", state.tree or "")
    assert result is not None and result.log is not None
    log = await engine.ports.store.read_object(result.log)
    assert log.count(b"key: [secret]  4") == 2 and b"ghp_" not in log
    (digest,) = result.seen[GateStage.BASELINE].outputs
    assert digest != sha256(b"key: ghp_" + b"Zq3vN8sKd0LmXw2RtYb7" * 2 + b"  4\n").hexdigest()


def test_what_is_hidden_has_a_digest_that_nobody_can_try_guesses_against() -> None:
    said, other, shown = b"pass: hunter2-x9", b"pass: hunter2-x8", b"pass: [secret]"
    assert digest_output(said, said, b"k") == sha256(said).hexdigest()
    assert digest_output(said, shown, b"k") == digest_output(said, shown, b"k")
    digests = {digest_output(said, shown, key) for key in (b"k", b"l")}
    assert len({*digests, digest_output(other, shown, b"k"), sha256(said).hexdigest()}) == 4


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (b"a\nb\n", b"a\nc\n", "line 2: 'b' before, 'c' now"),
        (b"a\n", b"a\nb\n", "line 2: nothing before, 'b' now"),
        (b"a\n", b"a\r\n", "the ends of lines differ"),
        (b"[secret]", b"[secret]", "what is hidden as a secret differs"),
    ],
)
def test_where_outputs_differ_is_told(before: bytes, now: bytes, told: str) -> None:
    assert find_difference(before, now) == told


async def test_a_program_that_asks_where_it_runs_waits_for_a_person(open_project) -> None:
    steps = f"""{FIX}, {{ replace = "app.py", old = "def main():", new = '''
def main():
    import os
    print(end="" if "workspaces" in os.getcwd() else "else")''' }}"""
    state = await run(open_project(**{"app.py": APP}), planned(steps, asks("holds", SAME)))
    assert found(state).state is C.IMPLEMENTED_UNVERIFIED
    assert "asks where it is run" in found(state).reason


FASTER = '{ faster = ["python3", "bench.py"], ratio = 1.2 }'
QUICK = '{ replace = "work.py", old = "        for _ in range(200_000):\\n            pass\\n", new = "" }'
WORK = {"work.py": SLOW, "bench.py": BENCH}


async def test_a_program_that_takes_less_time_is_measured_in_turns(open_project) -> None:
    plan = planned(f"{FIX}, {QUICK}", asks("flips", FASTER))
    state = await run(open_project(**WORK), plan)
    assert found(state).state is C.VERIFIED, found(state)
    assert "confidence; 1.2 times was asked for" in found(state).reason
    result = state.find_check("it", state.tree or "")
    assert result is not None
    assert all(len(seen.millis) == 5 for seen in result.seen.values())


async def test_a_program_that_is_as_slow_as_before_is_not_faster(open_project) -> None:
    state = await run(
        open_project(**WORK), planned(FIX, asks("flips", FASTER.replace("1.2", "50")))
    )
    assert found(state).state is C.PARTIAL and state.status is S.NOT_READY


async def test_a_benchmark_that_was_edited_waits_for_a_person(open_project) -> None:
    steps = f'{FIX}, {{ replace = "bench.py", old = "range(40)", new = "range(1)" }}'
    state = await run(open_project(**WORK), planned(steps, asks("flips", FASTER)))
    assert state.status is not S.READY
    assert state.judgement is not None
    assert any("bench.py" in verdict.criterion.text for verdict in state.judgement.criteria)


async def test_what_a_run_leaves_behind_does_not_make_the_next_one_faster(open_project) -> None:
    """A cache in the workspace or a temporary folder is gone before the next round."""
    cached = """{ write = "work.py", content = '''
import os, pathlib, tempfile
PLACES = [pathlib.Path("cache.txt"), pathlib.Path(tempfile.gettempdir(), "cache.txt"),
          pathlib.Path(os.environ.get("XDG_CACHE_HOME", ".")) / "cache.txt"]
def total(numbers):
    if any(place.exists() for place in PLACES):
        return 780
    for place in PLACES:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("780")
    found = 0
    for number in numbers:
        for _ in range(200_000):
            pass
        found += number
    return found
''' }"""
    plan = planned(f"{FIX}, {cached}", asks("flips", FASTER.replace("1.2", "1.5")))
    state = await run(open_project(**WORK), plan)
    assert found(state).state is C.PARTIAL, found(state)


async def test_words_alone_have_a_person_judge_what_was_measured(open_project) -> None:
    engine = open_project(**WORK, **{"calc.py": CALC.replace("a - b", "a + b")})
    choice = await engine.choose_gates()
    options = CreateGoalOptions(gates=choice.specs, plan=parse_plan(
        f'goal = "Speed up `python3 bench.py`"\n[[task]]\nid = "do"\ntitle = "Do it"\nsteps = [{QUICK}]\n', "p"
    ))  # fmt: skip
    state = await create_goal(engine.ports, "", options)
    asked = state.criteria[-1]
    assert isinstance(asked.check, Faster) and asked.check.faster == ("python3", "bench.py")
    state = await execute_goal(engine.ports, state.goal_id)
    assert state.status is S.BLOCKED_ON_HUMAN
    assert (
        "seen: " in found(state, asked.id).reason
        and "times as fast" in found(state, asked.id).reason
    )
    state = await accept_criterion(engine.ports, state.goal_id, asked.id, ME)
    assert state.status is S.READY


def shaky(folder: Path, every: int) -> str:
    """A module that fails each time a counter outside every workspace comes round."""
    return f"""
import os, pathlib
def answer():
    counter = pathlib.Path({str(folder)!r})
    number = counter.stat().st_size if counter.exists() else 0
    with counter.open("ab") as file:
        file.write(b".")
    return number % {every} != 0
"""


REPEATED = asks("flips", "{ runs = 6 }", 'gate = "tests"\ntests = ["test_shaky"]')


async def test_a_flaky_test_that_is_mended_is_green_every_time(open_project, tmp_path) -> None:
    files = {"shaky.py": shaky(tmp_path / "counter", 1), "tests/test_shaky.py": FLAKY}
    steps = f'{FIX}, {{ write = "shaky.py", content = "def answer():\\n    return True\\n" }}'
    state = await run(open_project(**files), planned(steps, REPEATED))
    assert found(state).state is C.VERIFIED, found(state)
    assert "green in 6 of 6 runs: fails in less than" in found(state).reason


async def test_a_flaky_test_that_is_only_red_less_often_is_still_red(
    open_project, tmp_path
) -> None:
    files = {"shaky.py": shaky(tmp_path / "counter", 3), "tests/test_shaky.py": FLAKY}
    steps = f'{FIX}, {{ replace = "shaky.py", old = "% 3", new = "% 5" }}'
    state = await run(open_project(**files), planned(steps, REPEATED))
    assert found(state).state is C.PARTIAL and "runs: tests.test_shaky" in found(state).reason


async def test_a_flaky_test_that_is_weakened_shows_nothing(open_project, tmp_path) -> None:
    files = {"shaky.py": shaky(tmp_path / "counter", 2), "tests/test_shaky.py": FLAKY}
    steps = f'{FIX}, {{ replace = "tests/test_shaky.py", old = "shaky.answer()", new = "True" }}'
    state = await run(open_project(**files), planned(steps, REPEATED))
    assert found(state).state is C.IMPLEMENTED_UNVERIFIED, found(state)
    assert state.status is not S.READY


LINKS = asks("holds", '{ links = ["**/*.md"] }')
WORD = 'id = "accepted"\ntext = "It reads well"\nevidence = "accepted"\n'


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("See [the code](calc.py), [tests](tests/#x) and `tests/test_calc.py`.", C.VERIFIED),
        ("See [the code](clac.py).", C.PARTIAL),
        ("See `src/calc.py`.", C.PARTIAL),
        ("See [out](../calc.py).", C.PARTIAL),
        ("See `numbers[0](calc.no)` and [a page](/guide/) and [it](guide.html).", C.VERIFIED),
        ("See `the code <clac.py>`_.", C.PARTIAL),
        ("See [it](https://example.org/x.md) and\n```\n[no](link)\n```", C.VERIFIED),
    ],
)
async def test_what_documents_refer_to_has_to_be_there(open_project, text, state) -> None:
    steps = f"{{ write = \"README.md\", content = '''{text}\n''' }}"
    goal = await run(open_project(), planned(steps, LINKS, WORD))
    assert found(goal).state is state, found(goal)


NEW_TESTS = asks("holds", "{ only_tests = true }", 'gate = "tests"')
MORE = (
    TESTS.replace("CalcTest", "MoreTest")
    .replace("test_add", "test_zero")
    .replace("2, 3), 5", "0, 0), 0")
)


async def test_new_tests_alone_are_what_a_goal_about_tests_shows(open_project) -> None:
    write = f"{{ write = \"tests/test_more.py\", content = '''{MORE}''' }}"
    goal = await run(open_project(), planned(write, NEW_TESTS, WORD))
    assert found(goal).state is C.VERIFIED and "MoreTest" in found(goal).reason
    goal = await run(open_project(), planned(f"{write}, {FIX}", NEW_TESTS, WORD))
    assert found(goal).state is C.IMPLEMENTED_UNVERIFIED and "calc.py" in found(goal).reason
    comment = '{ replace = "tests/test_calc.py", old = "import calc", new = "import calc  # x" }'
    goal = await run(open_project(), planned(comment, NEW_TESTS, WORD))
    assert found(goal).state is C.NOT_ADDRESSED and "no test passes" in found(goal).reason


async def test_the_words_of_a_renaming_ask_for_it(open_project) -> None:
    engine = open_project()
    choice = await engine.choose_gates()
    options = CreateGoalOptions(gates=choice.specs, worker="manual")
    state = await create_goal(engine.ports, "Rename `double` to `twice` in calc.py", options)
    gone, word = state.criteria[-2:]
    assert isinstance(gone.check, Gone) and (gone.check.gone, gone.check.instead) == (
        "double",
        "twice",
    )
    assert word.id == "accepted"


EVERYTHING = (
    GONE, SAME, FASTER.replace("1.2", "1.1"), '{ links = ["**/*.md"] }', '{ gone_pattern = "d.uble", paths = ["app.py"] }'
)  # fmt: skip


async def prove(engine: Engine) -> tuple[GoalState, Path]:
    """Return a goal of which each check that runs no gate speaks, and its bundle."""
    criteria = [
        f'id = "it-{number}"\ntext = "It"\nevidence = "{"holds" if number in (1, 3) else "flips"}"\n'
        f"check = {check}\n"
        for number, check in enumerate(EVERYTHING)
    ]
    write = '{ write = "README.md", content = "See [the code](calc.py).\\n" }'
    state = await run(engine, planned(f"{RENAMED}, {QUICK}, {write}", *criteria))
    return state, await resolve_goal_proof(engine.ports, state.goal_id)


def alone(bundle: Path, project: Path) -> subprocess.CompletedProcess[str]:
    """Run a bundle's own program, with the standard library alone."""
    command = [sys.executable, "-I", "-S", str(bundle / "verify.py")]
    command += ["--run", "--repository", str(project), "--env", sys.executable]
    return subprocess.run(command, capture_output=True, text=True, cwd=bundle, check=False)


async def test_what_was_looked_at_is_looked_at_again(open_project, tmp_path) -> None:
    engine = open_project(**WORK, **{"app.py": APP})
    state, bundle = await prove(engine)
    assert [found(state, f"it-{number}").state for number in range(5)] == [C.VERIFIED] * 5
    proof, _ = read_bundle(bundle)
    assert len(plan_commands(proof)) == len(proof.runs) + 5
    again = await verify_proof(bundle, engine.checkout)
    assert again.outcome is ReverifyOutcome.REPRODUCED, again.differences
    done = alone(bundle, engine.checkout)
    assert done.returncode == 0 and "REPRODUCED" in done.stdout, done.stdout
    assert done.stdout.count("as it says") == 5


LIED = {
    "a count": (0, {"count": 1}),
    "an outcome": (1, {"outputs": ("e" * 64,)}),
    "a link": (3, {"count": 1, "places": ("x",)}),
}
IN_CI = "an outcome"


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.long] if n != IN_CI else []) for n in LIED]
)
async def test_a_proof_that_lies_about_what_was_seen_is_not_reproduced(
    open_project, name, monkeypatch
) -> None:
    number, lie = LIED[name]
    honest = bundle_module.make_proof

    def lies(*given):
        proof = honest(*given)
        check = proof.checks[number]
        seen = {**check.seen, GateStage.PROVING: check.seen[GateStage.PROVING].changed(**lie)}
        checks = (*proof.checks[:number], check.changed(seen=seen), *proof.checks[number + 1 :])
        return proof.changed(checks=checks)

    monkeypatch.setattr(bundle_module, "make_proof", lies)
    engine = open_project(**WORK, **{"app.py": APP})
    _, bundle = await prove(engine)
    again = await verify_proof(bundle, engine.checkout)
    assert again.outcome is ReverifyOutcome.NOT_REPRODUCED
    assert any(f"checks[it-{number}]" in said for said in again.differences), again.differences
    done = alone(bundle, engine.checkout)
    assert done.returncode == 1 and f"checks[it-{number}]" in done.stdout, done.stdout


async def test_a_look_that_leaves_a_tree_out_is_no_look(open_project, tmp_path) -> None:
    """What was there before, and is there without the change, has to be said to be compared."""
    engine = open_project(**{"app.py": APP})
    state = await run(engine, planned(RENAMED, asks("flips", GONE)))
    bundle = await resolve_goal_proof(engine.ports, state.goal_id)
    proof, _ = read_bundle(bundle)
    (check,) = proof.checks
    now = {GateStage.PROVING: check.seen[GateStage.PROVING]}
    less = forge(bundle, tmp_path / "less", proof.changed(checks=(check.changed(seen=now),)))
    again = await verify_proof(less, engine.checkout)
    assert again.outcome is ReverifyOutcome.NOT_REPRODUCED
    done = alone(less, engine.checkout)
    assert done.returncode == 1 and "checks[it].seen" in done.stdout, done.stdout


async def test_commands_of_a_stranger_s_checks_are_asked_about_like_gates(open_project) -> None:
    """Approved gates say nothing of what else a proof would have run."""
    engine = open_project(**{"app.py": APP})
    state = await run(engine, planned(FIX, asks("holds", SAME)))
    bundle = await resolve_goal_proof(engine.ports, state.goal_id)
    engine.trust.approve(state.gates)
    asked: list[tuple[str, tuple[str, ...]]] = []

    def approve(specs: tuple[GateSpec, ...]) -> bool:
        asked.extend((spec.name, spec.argv) for spec in specs)
        return False

    context = Context(engine=engine, say=lambda _: None, trusted=True, actor="me", approve=approve)
    params = p.VerifyProofParams(proof=str(bundle), run=True)
    with pytest.raises(GatesNotApproved, match=r"check-1: python3 app\.py"):
        await operations.verify_proof(context, params)
    assert asked == [("check-1", ("python3", "app.py"))]


async def test_a_flaky_test_is_run_again_as_often(open_project, tmp_path) -> None:
    files = {"shaky.py": shaky(tmp_path / "counter", 1), "tests/test_shaky.py": FLAKY}
    steps = f'{FIX}, {{ write = "shaky.py", content = "def answer():\\n    return True\\n" }}'
    engine = open_project(**files)
    state = await run(engine, planned(steps, REPEATED))
    bundle = await resolve_goal_proof(engine.ports, state.goal_id)
    again = await verify_proof(bundle, engine.checkout)
    assert again.outcome is ReverifyOutcome.REPRODUCED, again.differences
    done = alone(bundle, engine.checkout)
    assert done.returncode == 0, done.stdout


async def test_a_check_that_was_recorded_is_not_done_again(open_project, monkeypatch) -> None:
    engine = open_project(**{"app.py": APP})
    state = await run(engine, planned(RENAMED, asks("flips", GONE)))
    bench = open_bench(engine.ports, state)

    async def done_again(*_: object) -> None:
        raise AssertionError("it was recorded")

    monkeypatch.setattr(checks_module, "run_check", done_again)
    assert await checks_module.run_checks(engine.ports, bench, state) == state
    with pytest.raises(AssertionError, match="it was recorded"):
        await checks_module.run_checks(engine.ports, bench, state.changed(checks_run={}))
