"""What a test prints can neither turn a test green nor take a red one away, in any kind of report.

The files in `reports` are what the real tools wrote (their names say which version), of suites with
everything in them that these tools know; only the place they ran in is called `/ws`.
"""

from __future__ import annotations

import importlib.util
import json
import random
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from goal_engine.gates.contradictions import find_contradiction
from goal_engine.gates.formats import go, told
from goal_engine.gates.formats.told import WORSE, name_test
from goal_engine.gates.reports import BadReport, find_notes, read_report
from goal_engine.proof.gate import GateReport as R
from goal_engine.proof.gate import TestOutcome as T
from goal_engine.verifier.script import compose_verifier

HERE = Path(__file__).parent / "reports"
KINDS = {"cargo": R.CARGO, "go": R.GO, "unittest": R.UNITTEST, "jest": R.JEST, "vitest": R.JEST}
KINDS |= {"node": R.JUNIT}


def real(name: str) -> tuple[R, bytes]:
    kind = R.JUNIT if name.endswith(".xml") else KINDS[name.partition("-")[0]]
    return kind, (HERE / name).read_bytes()


CORPUS = sorted(path.name for path in HERE.iterdir())


def read(kind: R, data: bytes | str) -> dict[str, T]:
    data = data.encode() if isinstance(data, str) else data
    return read_report(kind, data, "/ws").outcomes


UNITTEST = {
    "tests.test_all.After": T.ERROR,
    "tests.test_all.After::test_before": T.PASSED,
    "tests.test_all.Broken": T.ERROR,
    "tests.test_all.SkippedClass::test_never": T.SKIPPED,
    "tests.test_all.SkippedSetUp": T.SKIPPED,
    "tests.test_all.Some::test_bad": T.FAILED,
    "tests.test_all.Some::test_bad_doc": T.FAILED,
    "tests.test_all.Some::test_doc": T.PASSED,
    "tests.test_all.Some::test_error": T.ERROR,
    "tests.test_all.Some::test_ok": T.PASSED,
    "tests.test_all.Some::test_prints": T.PASSED,
    "tests.test_all.Some::test_prints_ok": T.PASSED,
    "tests.test_all.Some::test_skipped": T.SKIPPED,
    "tests.test_all.Some::test_subs": T.FAILED,
    "tests.test_all.Some::test_subs_ok": T.PASSED,
    "tests.test_all.Some::test_subs_skip": T.PASSED,
    "tests.test_all.Some::test_xfail": T.SKIPPED,
    "tests.test_all.Some::test_xpass": T.FAILED,
    "tests.test_import": T.ERROR,
    "tests.test_skipped_module": T.SKIPPED,
    "tests.test_twice.T::test_a": T.PASSED,
}
BEFORE_3_11 = {
    test: outcome for test, outcome in UNITTEST.items() if test != "tests.test_all.SkippedSetUp"
} | {"tests.test_all.Some::test_subs_skip": T.SKIPPED}
CARGO = {
    "shop src/lib.rs::tests::adds": T.PASSED,
    "shop src/lib.rs::tests::bad": T.FAILED,
    "shop src/lib.rs::tests::left_out": T.SKIPPED,
    "shop src/lib.rs::tests::left_out_why": T.SKIPPED,
    "shop src/lib.rs::tests::panics": T.PASSED,
    "shop src/lib.rs::tests::writes": T.PASSED,
    "shop src/main.rs::adds": T.PASSED,
    "tests/crash.rs": T.ERROR,
    "tests/it.rs::adds": T.PASSED,
    "tests/it.rs::other": T.FAILED,
    "shop doc::src/lib.rs - add": T.PASSED,
    "shop doc::src/lib.rs - add#2": T.PASSED,
    "shop doc::src/lib.rs - bad": T.FAILED,
}
SUM = {
    "sum.test.js::sum > adds": T.PASSED,
    "sum.test.js::sum > is wrong": T.FAILED,
    "sum.test.js::sum > is wrong#2": T.PASSED,
    "sum.test.js::sum > left out": T.SKIPPED,
    "sum.test.js::sum > later": T.SKIPPED,
    "sum.test.js::sum > deep > throws": T.FAILED,
}
SUM_MJS = {test.replace(".js", ".mjs"): outcome for test, outcome in SUM.items()}
EXPECTED = {
    "cargo-1.95.txt": CARGO,
    "cargo-1.95-one.txt": CARGO,
    "go-1.19.txt": {
        "example.com/shop/cart::TestAdd": T.PASSED,
        "example.com/shop/cart::TestBad": T.FAILED,
        "example.com/shop/cart::TestSkip": T.SKIPPED,
        "example.com/shop/cart::TestForges": T.FAILED,
        "example.com/shop/cart::TestGhost": T.PASSED,  # it is printed by the one above
        "example.com/shop/cart::TestSubs": T.FAILED,
        "example.com/shop/cart::TestSubs/one": T.PASSED,
        "example.com/shop/cart::TestSubs/two_words": T.FAILED,
        "example.com/shop/cart::TestSubs/three": T.PASSED,
        "example.com/shop/cart::ExampleAdd": T.PASSED,
        "example.com/shop/panics::TestFirst": T.PASSED,
        "example.com/shop/panics::TestPanics": T.FAILED,
        "example.com/shop/broken": T.ERROR,
        "example.com/shop/exits": T.ERROR,
    },
    "jest-29.json": SUM
    | {"sum.test.js::hooks > never": T.FAILED, "open.test.js": T.ERROR, "broken.test.js": T.ERROR},
    "vitest-3.json": SUM_MJS
    | {"sum.test.mjs::hooks > never": T.SKIPPED, "broken.test.mjs": T.ERROR},
    "vitest-3.xml": SUM_MJS
    | {
        "sum.test.mjs::hooks > never": T.SKIPPED,
        "sum.test.mjs::hooks": T.FAILED,
        "broken.test.mjs": T.ERROR,
    },
    "node-20.xml": {
        "test::adds": T.PASSED,
        "broken.test.mjs": T.ERROR,
        "test::adds#2": T.PASSED,
        "test::is wrong": T.FAILED,
        "test::left out": T.SKIPPED,
        "test::later": T.SKIPPED,
        "test::adds#3": T.PASSED,
        "test::is wrong#2": T.FAILED,
        "test::child": T.PASSED,
    },
    "node-24.xml": {
        "b.test.mjs::adds": T.PASSED,
        "broken.test.mjs": T.ERROR,
        "sum.test.mjs::adds": T.PASSED,
        "sum.test.mjs::is wrong": T.FAILED,
        "sum.test.mjs::left out": T.SKIPPED,
        "sum.test.mjs::later": T.SKIPPED,
        "sum.test.mjs::outer > adds": T.PASSED,
        "sum.test.mjs::outer.inner > is wrong": T.FAILED,
        "sum.test.mjs::parent > child": T.PASSED,
    },
    "unittest-3.9.txt": BEFORE_3_11,
    "unittest-3.10.txt": BEFORE_3_11,
    "unittest-3.11.txt": UNITTEST,
    "unittest-3.12.txt": UNITTEST,
    "unittest-3.13.txt": UNITTEST,
}


@pytest.mark.parametrize("name", CORPUS)
def test_what_real_tools_say_is_understood(name):
    assert read(*real(name)) == EXPECTED[name]


@pytest.mark.parametrize("name", CORPUS)
def test_what_failed_is_told_with_its_words(name):
    report = read_report(*real(name), "/ws")
    red = {test for test, said in report.outcomes.items() if said in (T.FAILED, T.ERROR)}
    assert {failure.test for failure in report.failures} == red
    silent = {failure.test for failure in report.failures if not failure.text}
    assert {test.rpartition("::")[2] for test in silent} <= {"test_xpass"}


# What a test can print

RUST_LINES = [
    *("test tests::adds ... ok", "test tests::bad ... ok", "test tests::ghost ... ok", "ok"),
    *("test adds ... ignored", "failures:", "    tests::bad", "", "running 1 test"),
    "test result: ok. 4 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s",
    "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
    *("     Running tests/it.rs (target/debug/deps/it-af95e446eb8cc6bf)", "   Doc-tests shop"),
    *("---- tests::bad stdout ----", "running 6 tests"),
]
PYTHON_LINES = [
    *("test_bad (tests.test_all.Some.test_bad) ... ok", "ok", "FAIL", "skipped 'no'"),
    *("test_ghost (tests.test_all.Some.test_ghost) ... ok", "expected failure", "=" * 70, "-" * 70),
    *("FAIL: test_ok (tests.test_all.Some.test_ok)", "Ran 18 tests in 0.003s", "", "OK"),
    *("  test_subs (tests.test_all.Some.test_subs) (i=1) ... ok", "unexpected success"),
    "FAILED (failures=3, errors=4, skipped=5, expected failures=1, unexpected successes=1)",
    *("setUpClass (tests.test_all.Some) ... ERROR", "test_bad (tests.test_all.Some.test_bad)"),
]
GO_LINES = [
    json.dumps({"Package": package, "Action": action, "Test": test})
    for package in ("example.com/shop/cart", "example.com/shop/panics")
    for action in ("run", "pass", "skip", "output")
    for test in ("TestBad", "TestForges", "TestPanics", "TestNever", "TestAdd")
]
PRINTED = {R.CARGO: RUST_LINES, R.UNITTEST: PYTHON_LINES, R.GO: GO_LINES}
ON_OUTPUT = [name for name in CORPUS if real(name)[0] in PRINTED]


def find_greener(name: str, forged: str, *, may_vanish: bool = False) -> list[str]:
    """Return the tests that a forged output shows in a better light than the real one, or hides.

    `may_vanish` is about green ones: that they no longer run is seen elsewhere.
    """
    kind, data = real(name)
    honest = read(kind, data)
    try:
        found = read(kind, forged)
    except BadReport:
        return []
    return [
        test
        for test, said in honest.items()
        if not (test not in found and may_vanish and said in (T.PASSED, T.SKIPPED))
        and (test not in found or WORSE.index(found[test]) < WORSE.index(said))
    ]


def forge(name: str, places: list[tuple[float, list[str]]]) -> str:
    """Return a real output in which a test printed lines of its own at some places."""
    kind, data = real(name)
    lines = data.decode().split("\n")
    for share, printed in sorted(places, reverse=True):
        at = int(share * len(lines))
        lines[at:at] = printed
    return "\n".join(lines)


@st.composite
def forgeries(draw: st.DrawFn) -> tuple[str, str]:
    name = draw(st.sampled_from(ON_OUTPUT))
    lines = st.lists(st.sampled_from(PRINTED[real(name)[0]]), min_size=1, max_size=5)
    share = st.floats(0, 0.999)
    return name, forge(name, draw(st.lists(st.tuples(share, lines), min_size=1, max_size=3)))


@settings(max_examples=300, deadline=None)
@given(forgeries())
def test_what_tests_print_turns_nothing_green_and_hides_nothing_red(forgery):
    assert find_greener(*forgery, may_vanish=True) == []


def sweep() -> list[str]:
    """Return what single lines, printed anywhere, hide."""
    return [
        problem
        for name in ON_OUTPUT
        for line in PRINTED[real(name)[0]]
        for share in (0.05, 0.2, 0.4, 0.6, 0.999)
        for problem in find_greener(name, forge(name, [(share, [line])]))
    ]


def test_no_single_line_hides_anything():
    assert sweep() == []


def test_a_reader_for_which_the_last_word_counts_is_found(monkeypatch):
    monkeypatch.setattr(told, "worse", lambda one, other: other)
    monkeypatch.setattr(go, "worse", lambda one, other: other)
    assert sweep() != []


PASSED_OFF = "test_x (m.T.test_x) ... {}\n\n{}" + "-" * 70 + "\nRan 1 test in 0.001s\n\n{}\n"
FAILURE = f"{'=' * 70}\nFAIL: test_x (m.T.test_x)\n{'-' * 70}\nTraceback\nAssertionError\n\n"
BAD = {
    "unittest without -v": (R.UNITTEST, ".\n" + "-" * 70 + "\nRan 1 test in 0.001s\n\nOK\n", "-v"),
    "unittest cut off": (R.UNITTEST, "test_x (m.T.test_x) ... ok\n", "no end"),
    "two ends": (R.UNITTEST, PASSED_OFF.format("ok", "", "OK") * 2, "2 ends"),
    "no verdict": (R.UNITTEST, PASSED_OFF.format("ok", "", "FINE"), "no verdict"),
    "a verdict of words": (R.UNITTEST, PASSED_OFF.format("ok", "", "OK (skipped=x)"), "counts"),
    "a hidden failure": (R.UNITTEST, PASSED_OFF.format("ok", "", "FAILED (failures=1)"), "failures"),
    "a printed failure": (R.UNITTEST, PASSED_OFF.format("ok", FAILURE, "OK"), "failures"),
    "cargo -q": (R.CARGO, "\nrunning 2 tests\n..\ntest result: ok.", "which program"),
    "a test after the end": (R.CARGO, "     Running tests/a.rs (t/a-0123456789abcdef)\ntest b ... ok", "after"),
    "go with half a line": (R.GO, '{"Action":"pass","Package', "no JSON"),
    "go with another line": (R.GO, "{}{}", "no JSON"),
    "jest of words": (R.JEST, "PASS sum.test.js", "no JSON"),
    "jest of a list": (R.JEST, "[]", "no JSON"),
    "jest without files": (R.JEST, '{"testResults": [{}]}', "no JSON"),
    "jest that is deep": (R.JEST, "[" * 200_000, "deep|no JSON"),
    "jest with other counts": (R.JEST, '{"testResults": [], "numTotalTests": 1}', "counts 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_contradicts_itself_is_no_report(name):
    kind, data, why = BAD[name]
    with pytest.raises(BadReport, match=why):
        read(kind, data)


def jest(**suite: object) -> str:
    whole = {"name": "/ws/a.test.js", "status": "passed", "assertionResults": [], "message": ""}
    return json.dumps({"success": True, "testResults": [whole | suite]})


def a_case(title: str, status: str = "passed") -> dict[str, object]:
    return {"ancestorTitles": [], "title": title, "status": status, "failureMessages": []}


def test_jest_that_calls_itself_a_success_is_held_to_it():
    with pytest.raises(BadReport, match="success"):
        read(R.JEST, jest(status="failed", assertionResults=[a_case("x", "failed")]))
    with pytest.raises(BadReport, match="says 'green'"):
        read(R.JEST, jest(assertionResults=[a_case("x", "green")]))


@pytest.mark.parametrize("path", ["/elsewhere/a.js", "/ws/../a.js", "/wsx/a.js", "../a.js"])
def test_a_file_outside_of_the_workspace_is_nobody_s_test(path):
    with pytest.raises(BadReport, match="outside"):
        read(R.JEST, jest(name=path, assertionResults=[a_case("x")]))


def test_ids_are_one_line_that_can_be_written():
    titles = ["a\nb", "\ud800", "x" * 10_000, "x" * 9_999]
    found = read(R.JEST, jest(assertionResults=[a_case(title) for title in titles]))
    assert len(found) == 4
    assert all(len(test.encode()) < 2_000 and "\n" not in test for test in found)
    assert name_test("", "") == "(unnamed)"


def test_a_package_that_go_could_not_build_is_an_error():
    """As Go 1.24 and later say it; before, it was a line beside the events."""
    events = [
        {"ImportPath": "m/x [m/x.test]", "Action": "build-output", "Output": "x/x.go:3:5: no\n"},
        {"ImportPath": "m/x [m/x.test]", "Action": "build-fail"},
        {"Action": "start", "Package": "m/x"},
        {"Action": "output", "Package": "m/x", "Output": "FAIL\tm/x [build failed]\n"},
        {"Action": "fail", "Package": "m/x", "Elapsed": 0, "FailedBuild": "m/x [m/x.test]"},
    ]
    assert read(R.GO, "\n".join(map(json.dumps, events))) == {"m/x": T.ERROR}


def test_a_go_test_without_an_end_is_an_error():
    begun = json.dumps({"Action": "run", "Package": "m", "Test": "TestX"})
    assert read(R.GO, begun) == {"m::TestX": T.ERROR}


def test_two_crates_with_a_program_of_one_name_are_told_apart():
    part = "     Running tests/it.rs (target/debug/deps/it-{:016x})\n\nrunning 1 test\ntest a ... {}\n\n"
    end = "test result: {}. {} passed; {} failed; 0 ignored; 0 measured; 0 filtered out\n\n"
    text = part.format(1, "ok") + end.format("ok", 1, 0)
    text += part.format(2, "FAILED") + end.format("FAILED", 0, 1)
    assert read(R.CARGO, text) == {"tests/it.rs::a": T.FAILED, "tests/it.rs#2::a": T.FAILED}
    swapped = part.format(2, "FAILED") + end.format("FAILED", 0, 1)
    swapped += part.format(1, "ok") + end.format("ok", 1, 0)
    assert read(R.CARGO, swapped) == {"tests/it.rs::a": T.FAILED, "tests/it.rs#2::a": T.PASSED}


def test_what_is_read_from_an_output_says_what_that_is_worth():
    assert {kind for kind in R if find_notes(kind)} == {R.GO, R.CARGO, R.UNITTEST}


# Anything at all


def shaken(name: str, seed: int) -> bytes:
    """Return a real report with some bytes turned over, cut, doubled or moved."""
    chance = random.Random(f"{name} {seed}")
    data = bytearray(real(name)[1])
    for _ in range(chance.randrange(1, 6)):
        at, to = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        match chance.randrange(4):
            case 0:
                del data[at : min(to, at + 300)]
            case 1:
                data[at:at] = data[at : min(to, at + 300)]
            case 2:
                data[at:at] = bytes(chance.randrange(256) for _ in range(chance.randrange(9)))
            case _:
                data[at : at + 1] = b"\x00"
    return bytes(data)


@given(st.sampled_from([*PRINTED, R.JEST]), st.binary(max_size=300))
@example(R.JEST, b'{"testResults": ' + b"9" * 5_000 + b"}")
@example(R.JEST, b"\xff\xfe[")
def test_any_bytes_are_a_report_or_a_bad_one(kind, data):
    try:
        read(kind, data)
    except BadReport:
        return


@given(st.sampled_from(CORPUS), st.integers(0, 10_000))
def test_a_damaged_report_is_one_or_a_bad_one(name, seed):
    try:
        found = read(real(name)[0], shaken(name, seed))
    except BadReport:
        return
    assert all(test.encode() for test in found)


ENDLESS = {
    R.UNITTEST: [
        "test_a (m.T.test_a) ... " + "skipped 'x" * 100_000,
        "test_a (m.T.test_a) ... \n  test_a (m.T.test_a) (i=1) ... ok\n"
        + "test_a (m.T.test_a) ... ok\n" * 100_000,
        "=" * 70 + "\n" + "FAIL: a (b)\n" * 50_000,
    ],
    R.CARGO: [
        "     Running " + "x (" * 200_000,
        "     Running a.rs (a)\n\nrunning 1 test\n" + "test a ... " * 50_000,
        "     Running a.rs (a)\n\nrunning 0 tests\nfailures:\n"
        + "failures:\n\ntest result: ok. 0 passed; "
        "0 failed; 0 ignored; 0 measured; 0 x\n" * 30_000,
        "     Running a.rs (a)\n\nrunning 0 tests\n" + "thread panicked at " * 100_000,
    ],
    R.GO: ['{"a":' * 100_000, ("{}\n" * 100_000), "FAIL\t" * 100_000],
    R.JEST: ["[" * 1_000_000, '{"testResults": [' * 50_000],
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_is_made_to_be_slow_is_not(kind):
    started = time.process_time()
    for text in ENDLESS[kind]:
        with suppress(BadReport):
            read(kind, text)
    assert time.process_time() - started < 20  # what is quadratic here takes hours


# The script in each bundle


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    path = tmp_path_factory.mktemp("bundle") / "verify.py"
    path.write_bytes(compose_verifier())
    spec = importlib.util.spec_from_file_location("verify_of_a_bundle", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ask(script: ModuleType, kind: R, data: bytes, folder: Path) -> dict[str, str] | None:
    (folder / "said").write_bytes(data)
    try:
        return script.read_report(str(kind), folder / "said", folder / "said", "/ws")
    except (ValueError, script.expat.ExpatError):
        return None


def answer(kind: R, data: bytes) -> dict[str, str] | None:
    try:
        return {test: str(said) for test, said in read(kind, data).items()}
    except BadReport:
        return None


@pytest.mark.parametrize("name", CORPUS)
def test_the_script_of_a_bundle_reads_alike(name, script, tmp_path):
    kind, data = real(name)
    assert ask(script, kind, data, tmp_path) == answer(kind, data) != None  # noqa: E711
    for seed in range(40):
        damaged = shaken(name, seed)
        if kind is not R.JUNIT:  # damaged XML is refused by both, each by its own parser
            assert ask(script, kind, damaged, tmp_path) == answer(kind, damaged)


def test_the_script_needs_nothing_of_ours():
    text = compose_verifier().decode()
    assert "goal_engine" not in text and text.count("from __future__") == 1
    names = Counter(
        line.split("(")[0].split(" ")[1].rstrip(":")
        for line in text.splitlines()
        if line.startswith(("def ", "class "))
    )
    assert [name for name, count in names.items() if count > 1] == []


# Commands that cannot give such a report

CONTRADICTIONS = [
    (R.JUNIT, ["pytest"], "--junitxml={report}"),
    (R.JEST, ["npx", "jest", "--json"], "outputFile"),
    (R.GO, ["go", "test", "./..."], "-json"),
    (R.GO, ["go", "test", "-json", "{report}"], "has `{report}`"),
    (R.EXIT, ["pytest", "--junitxml={report}"], "has `{report}`"),
    (R.UNITTEST, ["python", "-m", "unittest"], "-v"),
    (R.UNITTEST, ["python", "-m", "unittest", "-v", "-q"], "-v"),
    (R.CARGO, ["cargo", "test", "-q"], "leave out"),
    (R.CARGO, ["cargo", "test", "--", "--nocapture"], "leave out"),
    (R.CARGO, ["cargo", "nextest", "run"], "nextest"),
]
FITTING = [
    (R.JEST, ["npx", "jest", "--json", "--outputFile={report}"]),
    (R.GO, ["go", "test", "-json", "./..."]),
    (R.GO, ["make", "test"]),
    (R.UNITTEST, ["python", "-m", "unittest", "discover", "-bv"]),
    (R.UNITTEST, ["python", "run.py"]),
    (R.CARGO, ["cargo", "test", "--no-fail-fast", "--", "--test-threads=1"]),
    (R.CARGO, ["./ci/test"]),
    (R.EXIT, ["cargo", "test", "-q"]),
    ("no kind", ["x"]),
]


@pytest.mark.parametrize(("kind", "argv", "why"), CONTRADICTIONS)
def test_a_command_that_cannot_give_its_report_is_named(kind, argv, why):
    assert why in (find_contradiction(kind, argv) or "")


@pytest.mark.parametrize(("kind", "argv"), FITTING)
def test_a_command_that_can_is_not(kind, argv):
    assert find_contradiction(kind, argv) is None
