"""What a review finds in a change, and what it leaves alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goal_engine.decision import Criterion, EvidenceKind
from goal_engine.evidence import ChangedFile
from goal_engine.gates.config import find_mistakes, parse_configuration
from goal_engine.gates.protected import is_test
from goal_engine.proof.gate import GateOutcome, GateResult, GateSpec, GateStage, TestOutcome
from goal_engine.proof.review import (
    Finding,
    ReviewPass,
    ReviewPolicy,
    ReviewStatus,
    Severity,
    find_blocking,
)
from goal_engine.proof.rules import RULES
from goal_engine.review import sections
from goal_engine.review.change import LIMIT, Change, FileChange
from goal_engine.review.sections import PASSES, review_change
from goal_engine.verifier.review import turned_green

CODE = "def add(a, b):\n    return a - b\n"
TEST = """import calc


def test_add():
    assert calc.add(2, 3) == 5
    assert calc.add(0, 0) == 0
"""
KEY = "ghp_" + "Zq3vN8sKd0LmXw2RtYb7UcFhGj5PeQaI1oTy"


def a_file(path: str, old: str | None, new: str | None, **more) -> FileChange:
    """A changed file; `None` where it was not, or is not."""
    status = "A" if old is None else "D" if new is None else "M"
    modes = {"old_mode": "100644", "mode": "100644", **more}
    file = ChangedFile(path=path, status=status, additions=1, deletions=1, **modes)
    content = ((text or "").encode("utf-8", "surrogatepass") for text in (old, new))
    return FileChange(file, *content, test=is_test(path))


def look(*files: FileChange, **more) -> tuple[Finding, ...]:
    """All findings about these files."""
    reviews = review_change(Change(files=files, **more))
    assert [section.name for section in reviews] == list(ReviewPass)
    assert all(section.model_dump_json() for section in reviews), "it can be written to a journal"
    return tuple(finding for section in reviews for finding in section.findings)


def rules(*files: FileChange, **more) -> set[str]:
    """The rules that found something, but for notes."""
    return {f.rule for f in look(*files, **more) if f.severity is not Severity.NOTES}


def changed_test(old: str, new: str) -> FileChange:
    """The test file with one piece of it changed."""
    assert old in TEST
    return a_file("tests/test_calc.py", TEST, TEST.replace(old, new))


# tests that ask for less

WEAKER = {
    "test-removed": ("def test_add():\n    assert calc.add(2, 3) == 5\n    assert calc.add(0, 0) == 0\n", ""),
    "test-skipped": ("def test_add", "@pytest.mark.skip\ndef test_add"),
    "test-skipped if": ("def test_add", "@pytest.mark.skipif(True, reason='x')\ndef test_add"),
    "test-skipped xfail": ("def test_add", "@pytest.mark.xfail\ndef test_add"),
    "test-skipped inside": ("    assert calc.add(2", "    pytest.skip('x')\n    assert calc.add(2"),
    "test-skipped module": ("import calc", "import calc\n\npytestmark = pytest.mark.skip"),
    "assertion-loosened in": ("== 5", "in (5, -1)"),
    "assertion-loosened none": ("== 5", "is not None"),
    "assertion-loosened truth": ("assert calc.add(2, 3) == 5", "assert calc.add(2, 3)"),
    "assertion-loosened type": ("calc.add(2, 3) == 5", "isinstance(calc.add(2, 3), int)"),
    "assertion-loosened greater": ("== 5", ">= -5"),
    "assertion-loosened near": ("== 5", "== pytest.approx(5, abs=9)"),
    "assertions-removed": ("    assert calc.add(2, 3) == 5\n    assert calc.add(0, 0) == 0\n", "    calc.add(2, 3)\n"),
    "assertions-fewer": ("    assert calc.add(0, 0) == 0\n", ""),
    "assertion-swallowed": ("    assert calc.add(2, 3) == 5", "    try:\n        assert calc.add(2, 3) == 5\n    except AssertionError:\n        pass"),
    "test-returns-early": ("    assert calc.add(2", "    if not calc.READY:\n        return\n    assert calc.add(2"),
    "subject-mocked": ("    assert calc.add(2", "    calc.add = lambda a, b: 5\n    assert calc.add(2"),
    "subject-mocked patch": ("    assert calc.add(2", "    monkeypatch.setattr(calc, 'add', lambda a, b: 5)\n    assert calc.add(2"),
    "expectation-changed": ("== 5", "== -1"),
}  # fmt: skip


@pytest.mark.parametrize("name", WEAKER)
def test_a_test_that_asks_for_less_is_found(name: str) -> None:
    code = a_file("calc.py", CODE, CODE.replace("-", "+"))
    assert name.split()[0] in rules(code, changed_test(*WEAKER[name]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("== 5", "== 5, 'the sum'"),
        ("    assert calc.add(0, 0) == 0\n", "    assert calc.add(0, 0) == 0\n    assert calc.add(1, 0) == 1\n"),
        ("assert calc.add(2, 3) == 5", "total = calc.add(2, 3)\n    assert total == 5"),
        ("def test_add", "def test_sums"),
        ("assert calc.add(2, 3) == 5", "assert 5 == calc.add(2, 3)"),
        ("import calc\n", "import calc\nimport pytest\n"),
        ("def test_add():", "def test_add() -> None:"),
    ],
)  # fmt: skip
def test_a_test_that_asks_as_much_is_left_alone(old: str, new: str) -> None:
    code = a_file("calc.py", CODE, CODE.replace("-", "+"))
    assert rules(code, changed_test(old, new)) == set()


def test_what_another_criterion_asks_about_is_not_asked_again() -> None:
    file = changed_test(*WEAKER["test-skipped"])
    (finding,) = (f for f in look(file) if f.rule == "test-skipped")
    assert finding.severity is Severity.BLOCKS and finding.place == "tests/test_calc.py:4"
    (told,) = (
        f
        for f in look(file, ran=frozenset({"tests.test_calc::test_add"}))
        if f.rule == "test-skipped"
    )
    assert told.severity is Severity.NOTES


def test_a_mocked_neighbour_is_no_mocked_subject() -> None:
    code = a_file(
        "calc.py", CODE, CODE.replace("-", "+") + "\n\ndef twice(a):\n    return add(a, a)\n"
    )
    test = "import calc\n\n\ndef test_twice(monkeypatch):\n    monkeypatch.setattr(calc, 'add', lambda a, b: 5)\n    assert calc.twice(1) == 5\n"
    assert rules(code, a_file("tests/test_twice.py", None, test)) == set()


@pytest.mark.parametrize(
    ("path", "old", "new", "rule"),
    [
        ("a.test.ts", "it('adds', () => { expect(add(1)).toBe(2) })", "it.skip('adds', () => { expect(add(1)).toBe(2) })", "test-skipped"),
        ("a.test.ts", "it('adds', () => { expect(add(1)).toBe(2) })", "it.only('adds', () => { expect(add(1)).toBe(2) })", "test-focused"),
        ("a.test.ts", "expect(add(1)).toBe(2)", "expect(add(1)).toBeTruthy()", "assertion-loosened"),
        ("tests/a.rs", "#[test]\nfn adds() {}", "#[test]\n#[ignore]\nfn adds() {}", "test-skipped"),
        ("a_test.go", "func TestAdd(t *testing.T) {", "func TestAdd(t *testing.T) {\n\tt.Skip()", "test-skipped"),
        ("__snapshots__/a.snap", "exports = 1", "exports = 2", "snapshot-rewritten"),
        ("a.test.ts", "it('adds')", None, "test-removed"),
    ],
)  # fmt: skip
def test_tests_of_other_languages_are_read_by_lines(
    path: str, old: str, new: str | None, rule: str
) -> None:
    assert rule in rules(a_file(path, old, new))


# what a change lets in


@pytest.mark.parametrize(
    ("path", "line", "rule"),
    [
        ("a.py", f"TOKEN = '{KEY}'", "secret"),
        ("docs/a.md", f"use {KEY}", "secret"),
        ("tests/test_a.py", f"TOKEN = '{KEY}'", "secret"),
        ("a.pem", "-----BEGIN RSA PRIVATE KEY-----\n" + "M" * 64, "secret"),
        ("a.py", "if access != 'user\u202e \u2066# admin\u2069 \u2066':\n    pass", "trojan-source"),
        ("a.js", "/*\u202e } \u2066if (isAdmin)\u2069 \u2066 begin */", "trojan-source"),
        ("a.py", "# -*- coding: utf-7 -*-\nx = 1", "trojan-source"),
        ("a.py", "x = 1\ry = eval(text)\rz = 2", "runs-text"),
        ("a.py", "p\u0430ssword = 1", "mixed-script-name"),
        ("a.py", "x = 'a\u200bb'", "hidden-character"),
        ("a.py", "eval(text)", "runs-text"),
        ("a.py", "os.system('rm ' + name)", "runs-a-shell"),
        ("a.py", "subprocess.run(f'ls {name}', shell=True)", "runs-a-shell"),
        ("a.py", "pickle.loads(data)", "unsafe-load"),
        ("a.py", "yaml.load(text)", "unsafe-load"),
        ("a.py", "requests.get(url, verify=False)", "tls-off"),
        ("a.py", "cursor.execute(f'SELECT * FROM users WHERE name = {name}')", "sql-from-text"),
        ("a.py", "cursor.execute('DELETE FROM users WHERE name = %s' % name)", "sql-from-text"),
        ("a.py", "os.chmod(path, 0o777)", "open-to-all"),
        ("a.py", "app.run(host='0.0.0.0')", "open-to-all"),
        ("a.sh", "curl -s https://example.org/x | sudo bash", "piped-to-shell"),
        ("Dockerfile", "RUN wget -qO- https://example.org/x | sh", "piped-to-shell"),
        ("a.ts", "element.innerHTML = text", "html-from-text"),
        ("a.ts", "child.exec(`ls ${name}`)", "runs-a-shell"),
        ("a.go", "InsecureSkipVerify: true,", "tls-off"),
        ("tool.exe", "MZ", "program-added"),
        ("requirements.txt", "git+https://example.org/x.git#egg=x", "dependency-from-elsewhere"),
        ("requirements.txt", "reqeusts==1", "look-alike-dependency"),
        ("requirements.txt", "requests==2", "dependency-changed"),
        ("package.json", '{"scripts": {"postinstall": "node x.js"}}', "install-script"),
        ("package.json", '{"dependencies": {"x": "github:a/b"}}', "dependency-from-elsewhere"),
        ("Cargo.toml", '[dependencies]\nx = { git = "https://example.org/x" }', "dependency-from-elsewhere"),
        ("go.mod", "require x.org/a v1.0.0\nreplace x.org/a => example.org/b v1.0.0", "dependency-from-elsewhere"),
        ("a.py", "<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> other", "conflict-marker"),
        ("a.py", "def f(:", "syntax-error"),
        ("a.json", "{", "syntax-error"),
        ("a.py", "breakpoint()", "debugger-left"),
        ("a.js", "debugger;", "debugger-left"),
        ("a.py", "try:\n    f()\nexcept Exception:\n    pass", "error-swallowed"),
        ("a.py", "import os  # noqa: F401", "suppression-added"),
        ("a.ts", "// @ts-ignore", "suppression-added"),
        ("a.py", "def f():\n    pass", "stub"),
        ("a.py", "def f(a):\n    '''Do it.'''\n    raise NotImplementedError('later')", "stub"),
        ("a.rs", "fn f() { todo!() }", "stub"),
        ("a.py", "x = 1  # TODO: finish", "to-do-left"),
        ("a.ts", "// ... rest of the code remains the same", "to-do-left"),
        ("a.py", "".join(f"# if x{n}:\n#     y = {n}\n" for n in range(4)), "commented-out"),
    ],
)  # fmt: skip
def test_what_a_reader_should_see_is_found(path: str, line: str, rule: str) -> None:
    found = {f.rule: f for f in look(a_file(path, "", f"{line}\n"))}
    assert rule in found
    assert KEY not in "".join(f.model_dump_json() for f in found.values())


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", "subprocess.run(['ls', name])"),
        ("a.py", "subprocess.run('ls | wc', shell=True)"),
        ("a.py", "yaml.load(text, Loader=yaml.SafeLoader)"),
        ("a.py", "cursor.execute('SELECT * FROM users WHERE name = %s', (name,))"),
        ("a.py", "model.eval()"),
        ("a.py", "# -*- coding: utf-8 -*-"),
        ("a.py", "TEXT = 'write # noqa behind it'"),
        ("a.py", "Δx = 1"),
        ("a.py", "x = '👨\u200d👩\u200d👧 ❤\ufe0f'"),
        ("a.py", "class A(Protocol):\n    def f(self) -> int: ..."),
        ("a.py", "class A(ABC):\n    @abstractmethod\n    def f(self):\n        raise NotImplementedError"),
        ("a.py", "class AError(Exception):\n    pass"),
        ("a.py", "# A comment that goes on\n# for some lines and says\n# what is odd here, and\n# why that is so, in\n# words alone, for\n# whoever reads it\n# later"),
        ("a.md", "=======\n"),
        ("tsconfig.json", "{ // comment\n}"),
        ("tests/test_a.py", "def test_a():\n    assert eval(text) == 1\n"),
        ("README.md", "Run `curl https://example.org | sh`."),
    ],
)  # fmt: skip
def test_what_is_fine_is_left_alone(path: str, line: str) -> None:
    assert rules(a_file(path, "", f"{line}\n")) == set()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("package.json", '{"dependencies": {"\\ud800": "1"}}'),
        ("package.json", '{"dependencies": {"' + "x" * 9999 + '": "1"}}'),
        ("requirements.txt", f"git+https://me:{KEY}@example.org/x.git"),
        ("requirements.txt", "git+https://me:Zq3vN8sKd0LmXw2R@example.org/x.git"),
    ],
)
def test_a_name_in_the_change_is_shown_as_carefully_as_a_line(path: str, text: str) -> None:
    found = look(a_file(path, "", text))
    said = "".join(f.model_dump_json() for f in found)
    assert found and "Zq3vN8sKd0" not in said and len(said) < 2000


def test_what_was_there_is_not_new_wherever_it_stands() -> None:
    old = f"eval(text)\nTOKEN = '{KEY}'\n"
    assert rules(a_file("a.py", old, f"import os\n\nTOKEN = '{KEY}'\nx = 1\neval(text)\n")) == set()


def test_a_second_one_of_what_was_there_is_new() -> None:
    assert rules(a_file("a.py", "eval(text)\n", "eval(text)\nx = 1\neval(text)\n")) == {"runs-text"}


# what the goal asked for


def test_a_stub_that_the_goal_names_blocks() -> None:
    file = a_file(
        "calc.py", CODE, CODE + "\n\ndef multiply(a, b):\n    raise NotImplementedError\n"
    )
    assert "goal-is-a-stub" in rules(file, text="Add `calc.multiply(a, b)`")
    assert rules(file, text="Add products") == {"stub"}


def test_a_gate_that_only_reads_is_not_turned_green_by_silence() -> None:
    gate = GateSpec(name="lint", argv=("ruff", "check", "."))
    flips = Criterion(id="clean", text="Clean", evidence=EvidenceKind.FLIPS, gate="lint")
    file = a_file("a.py", "import os\n", "import os  # noqa: F401\n")
    assert rules(file, gates=(gate,), criteria=(flips,)) == {"gate-silenced"}
    assert rules(file, gates=(gate,)) == {"suppression-added"}


def test_a_new_function_that_nothing_uses_is_told() -> None:
    file = a_file("calc.py", CODE, CODE + "\n\ndef multiply(a, b):\n    return a * b\n")
    assert "nothing-calls-it" in rules(file, find_word=lambda _: ("calc.py",))
    assert rules(file, find_word=lambda _: ("calc.py", "tests/test_calc.py")) == set()


def test_a_file_that_the_goal_names_and_that_is_not_there_is_told() -> None:
    file = a_file("calc.py", CODE, CODE + "\n")
    missing = {"find_path": lambda path: path == "calc.py"}
    assert rules(file, text="Write docs/api.md", **missing) == {"named-not-there"}
    assert rules(file, text="Remove docs/api.md", **missing) == set()
    assert rules(file, text="Fix calc.py", **missing) == set()


def test_what_a_worker_claims_and_did_not_do_is_told() -> None:
    file = a_file("src/calc.py", CODE, CODE.replace("-", "+"))
    assert rules(file, claims=("I updated `calc.py` and created docs/api.md.",)) == {
        "claimed-not-changed"
    }
    assert rules(file, claims=("Updated src/calc.py. All is well, e.g. now.",)) == set()


def test_what_the_plan_does_not_write_is_told() -> None:
    file = a_file("calc.py", CODE, CODE.replace("-", "+"))
    assert rules(file, writes=("other.py",)) == {"outside-the-plan"}
    assert rules(file, writes=("*.py",)) == set()


# the sections


def test_a_section_stands_as_its_worst_finding_and_says_what_next() -> None:
    reviews = {
        s.name: s
        for s in review_change(Change(files=(a_file("a.py", "", f"x = '{KEY}'\neval(x)\n"),)))
    }
    security = reviews[ReviewPass.SECURITY]
    assert security.status is ReviewStatus.BLOCKED and "review-findings" in security.next
    assert [f.rule for f in security.findings][:2] == ["secret", "runs-text"], (
        "what blocks comes first"
    )
    assert reviews[ReviewPass.PERFORMANCE].status is ReviewStatus.NOT_APPLICABLE
    assert reviews[ReviewPass.CODE].status is ReviewStatus.PASSED
    assert [f.rule for f in find_blocking(reviews.values())] == ["secret"]


def test_speed_is_judged_by_a_gate_that_measures_it() -> None:
    file = a_file("a.py", "", "x = 1\n")
    statuses = {
        met: review_change(Change(files=(file,), met={"bench": met}))[4].status
        for met in (True, False)
    }
    assert statuses == {True: ReviewStatus.PASSED, False: ReviewStatus.WARNED}


def test_a_person_chooses_what_blocks_and_what_is_left_out() -> None:
    file = a_file("a.py", "", f"x = '{KEY}'\neval(x)\n")
    policy = ReviewPolicy(block=("runs-text",), ignore=("secret",))
    security = review_change(Change(files=(file,), policy=policy))[3]
    assert [(f.rule, f.severity) for f in security.findings] == [("runs-text", Severity.BLOCKS)]
    assert security.gaps == ("ignored, as goalproof.toml says: secret",)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('block = ["run-text"]', "did you mean `runs-text`?"),
        ('ignore = ["x"]', "which is no rule of the review"),
        ('block = ["outside-the-plan"]', "looks at what a proof does not have"),
        ("blocks = []", "did you mean `block`?"),
    ],
)
def test_a_rule_that_is_not_there_is_a_mistake(line: str, says: str) -> None:
    (mistake,) = find_mistakes(f"[review]\n{line}\n")
    assert mistake.line == 2 and says in mistake.text


def test_what_is_written_is_what_counts() -> None:
    text = '[review]\nblock = ["stub"]\nignore = ["to-do-left"]\n'
    wanted = ReviewPolicy(block=("stub",), ignore=("to-do-left",))
    assert parse_configuration(text).review == wanted


def test_what_is_too_large_is_said_and_not_read() -> None:
    found = look(a_file("a.py", "", "x = 1\n" * LIMIT))
    assert [f.rule for f in found if f.severity is not Severity.NOTES] == ["not-looked-at"]


def test_a_look_that_gives_up_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(change: Change) -> list[Finding]:
        raise RecursionError

    monkeypatch.setitem(sections.PASSES, "slop", give_up)
    assert rules(a_file("a.py", "", "x = 1\n")) == {"not-looked-at"}


def test_a_list_that_is_too_long_says_how_much_is_left_out() -> None:
    text = "".join(f"eval(x{n})\n" for n in range(100))
    security = review_change(Change(files=(a_file("a.py", "", text),)))[3]
    assert (len(security.findings), security.more) == (sections.MOST, 100 - sections.MOST)


def test_every_rule_is_used_and_every_finding_has_a_rule() -> None:
    import pathlib

    source = "".join(p.read_text() for p in pathlib.Path(sections.__file__).parent.glob("*.py"))
    assert [name for name in RULES if f'"{name}"' not in source] == []


HOSTILE = ("(" * 3000, "x = " + "-" * 50_000 + "1", "\0", "\ud800", "{" * 5000, "a" * 300_000, "'" * 99_999, "# " * 99_999, "assert " * 2000)  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        "a.py",
        "tests/test_a.py",
        "a.json",
        "a.ts",
        "a.test.ts",
        "package.json",
        "requirements.txt",
        "pyproject.toml",
        "go.mod",
    ],
)
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:6]))
def test_hostile_text_is_no_crash_and_takes_no_time(path: str, text: str) -> None:
    began = time.process_time()
    look(a_file(path, TEST, text), text=text[:5000])
    look(a_file(path, text, TEST))
    assert time.process_time() - began < 10


PIECES = st.sampled_from(
    ["def test_a():\n", "    assert x == 1\n", "class T:\n", "@pytest.mark.skip\n", "    pass\n", "it.skip('x')\n",
     "[project]\n", "dependencies = [1]\n", '{"scripts": 1}', "<<<<<<< a\n", "=======\n", "x: ", "\u202e", "\ud800", "eyJ", "# if x:\n", "import calc\n"]
)  # fmt: skip
PATHS = st.sampled_from(
    [
        "a.py",
        "tests/test_a.py",
        "package.json",
        "pyproject.toml",
        "a.test.ts",
        "go.mod",
        "Cargo.toml",
        "poetry.lock",
    ]
)


@settings(max_examples=200, deadline=None)
@given(
    PATHS,
    *(
        st.one_of(
            st.none(), st.lists(st.one_of(PIECES, st.text(max_size=9)), max_size=12).map("".join)
        )
        for _ in "ab"
    ),
)
def test_whatever_changed_the_review_is_six_sections(
    path: str, old: str | None, new: str | None
) -> None:
    look(a_file(path, old, new), text=new or "")


def test_every_pass_is_tried_by_a_lie_or_a_test() -> None:
    assert set(PASSES) == {
        "scope",
        "mistakes",
        "weakening",
        "leaks",
        "hidden",
        "bytes",
        "dangers",
        "dependencies",
        "protected",
        "slop",
    }


def test_code_that_turned_a_test_green_is_tested() -> None:
    file = a_file("calc.py", CODE, CODE.replace("-", "+"))
    assert "nothing-tested" in {found.rule for found in look(file)}
    assert "nothing-tested" not in {found.rule for found in look(file, turned=True)}


@pytest.mark.parametrize(
    ("before", "now", "turned"),
    [
        ({"a": "failed"}, {"a": "passed"}, True),
        ({"a": "passed"}, {"a": "passed", "new": "passed"}, True),
        ({"a": "passed", "b": "failed"}, {"a": "passed", "b": "failed"}, False),
        ({"a": "failed"}, {"a": "skipped"}, False),
        ({}, {}, True),
        (None, {"a": "passed"}, False),
    ],
)
def test_what_turned_green(
    before: dict[str, str] | None, now: dict[str, str], turned: bool
) -> None:
    def seen(stage: GateStage, tests: dict[str, str], outcome: GateOutcome) -> GateResult:
        said = {test: TestOutcome(word) for test, word in tests.items()}
        return GateResult(gate="tests", stage=stage, tree="0" * 40, outcome=outcome, tests=said)

    base = None if before is None else seen(GateStage.BASELINE, before, GateOutcome.FAILED)
    assert turned_green(base, seen(GateStage.PROVING, now, GateOutcome.PASSED)) is turned
