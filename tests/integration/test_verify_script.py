"""`verify.py` in a bundle: a stranger with Python and git alone gets the same answer, or is told why not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goal_engine.engine import Engine, create_sample_repository
from goal_engine.gates.junit import BadReport, parse_junit
from goal_engine.gates.protected import DEFAULT_TESTS, is_test
from goal_engine.lifecycle import execute_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.proof.envelope import render_envelope
from goal_engine.proof.gate import GateOutcome
from goal_engine.proof.statement import GoalProof
from goal_engine.queries import resolve_goal_proof
from goal_engine.reverify import inspect_bundle, verify_proof
from goal_engine.runtime.regular import read_regular
from goal_engine.types import GoalStatus
from goal_engine.verifier import standalone
from goal_engine.verifier.script import compose_verifier
from tests.conftest import Repository
from tests.integration.projects import FIX, a_plan, a_project, fingerprint, run
from tests.integration.test_reverify import forge, prove, proven

__all__ = ["proven"]


def verify(
    bundle: Path, *arguments: str, path: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a bundle's script as a stranger would: nothing of ours can be imported or is set."""
    alone = [sys.executable, "-I", "-S", str(bundle / "verify.py"), *arguments]
    return subprocess.run(
        alone, cwd=bundle, env={"PATH": path or os.environ["PATH"]}, capture_output=True,
        text=True, timeout=100, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def answered(done: subprocess.CompletedProcess[str], code: int, outcome: str) -> str:
    """Return the reason in the last line, once exit code and outcome are the expected ones."""
    assert done.stderr == ""
    last = done.stdout.splitlines()[-1]
    assert (done.returncode, last.split(" (")[0]) == (code, outcome), done.stdout
    return last.partition(" (")[2]


def test_without_arguments_it_says_what_is_claimed_and_runs_nothing(
    proven: tuple[Path, Path],
) -> None:
    _, bundle = proven
    proof, _ = inspect_bundle(bundle)
    before = fingerprint(bundle)
    done = verify(bundle)
    assert done.returncode == 0 and done.stderr == ""
    assert "Nothing was run" in done.stdout
    assert f"by {proof.key_id}, NOT checked here" in done.stdout
    assert "an unsandboxed worker could have read that key" in done.stdout
    for stage in ("baseline", "proving", "counterfactual"):
        assert f"{stage:14} tests: python3 run_tests.py --junit '{{report}}'" in done.stdout
    assert proof.tree in done.stdout and "verdict   ready" in done.stdout
    assert fingerprint(bundle) == before


def test_a_stranger_reproduces_the_proof(proven: tuple[Path, Path], tmp_path: Path) -> None:
    project, bundle = proven
    sent = Path(shutil.copytree(bundle, tmp_path / "sent" / "any name"))
    before = fingerprint(project), fingerprint(sent)
    done = verify(sent, "--run", "--repository", str(project))
    answered(done, 0, "REPRODUCED")
    assert (fingerprint(project), fingerprint(sent)) == before
    named = verify(sent, "--run", "--repository", str(project), "--env", sys.executable)
    answered(named, 0, "REPRODUCED")


def test_a_claim_that_does_not_come_true_is_named(
    proven: tuple[Path, Path], tmp_path: Path
) -> None:
    project, bundle = proven
    proof, _ = inspect_bundle(bundle)
    lies = tuple(
        run.changed(outcome=GateOutcome.PASSED, exit_code=0, tests={}) if run.stage == "baseline" else run
        for run in proof.runs
    )  # fmt: skip
    why = answered(
        tried(forged(proven, tmp_path, proof.changed(runs=lies)), project), 1, "NOT REPRODUCED"
    )
    for field in ("outcome: passed there, failed here", "exit_code", "tests[tests.test_calc"):
        assert f"runs[baseline tests].{field}" in why


def forged(proven: tuple[Path, Path], tmp_path: Path, proof: GoalProof) -> Path:
    return forge(proven[1], tmp_path / "forged", proof)


def tried(bundle: Path, project: Path) -> subprocess.CompletedProcess[str]:
    return verify(bundle, "--run", "--repository", str(project))


def test_runs_that_are_left_out_or_about_another_tree_are_named(
    proven: tuple[Path, Path], tmp_path: Path
) -> None:
    project, bundle = proven
    proof, _ = inspect_bundle(bundle)
    none = forge(bundle, tmp_path / "none", proof.changed(runs=()))
    assert "runs[proving tests]: absent" in answered(tried(none, project), 1, "NOT REPRODUCED")
    kept = tuple(run for run in proof.runs if run.stage != "counterfactual")
    unflipped = forge(bundle, tmp_path / "unflipped", proof.changed(runs=kept))
    why = answered(tried(unflipped, project), 1, "NOT REPRODUCED")
    assert "runs[counterfactual tests]: absent" in why
    swap = {proof.base_tree: proof.tree, proof.tree: proof.base_tree}
    runs = tuple(run.changed(tree=swap[run.tree]) for run in proof.runs)
    swapped = forge(bundle, tmp_path / "swapped", proof.changed(runs=runs))
    assert "runs[baseline tests].tree" in answered(tried(swapped, project), 1, "NOT REPRODUCED")


def test_a_flipped_byte_in_any_file_is_named(proven: tuple[Path, Path], tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(proven[1], tmp_path / "copy"))
    files = [path for path in bundle.rglob("*") if path.is_file()]
    script = (bundle / "verify.py").read_bytes()
    for path in files:
        if path.name in ("proof.md", "public-key.pem", "verify.py"):
            continue  # made of the statement, only for the signature, and itself
        good = path.read_bytes()
        path.chmod(0o644)
        half = len(good) // 2  # the end of the envelope is the signature
        path.write_bytes(good[:half] + bytes([good[half] ^ 1]) + good[half + 1 :])
        why = answered(verify(bundle), 1, "NOT REPRODUCED")
        assert path.name in why or "statement" in why
        path.write_bytes(good)
    (bundle / "verify.py").chmod(0o644)
    (bundle / "verify.py").write_bytes(script + b"# and more\n")
    assert "files[verify.py]" in answered(verify(bundle), 1, "NOT REPRODUCED")
    (bundle / "verify.py").write_bytes(script)
    (bundle / "logs" / "more").write_text("x", encoding="utf-8")
    assert "logs/more" in answered(verify(bundle), 1, "NOT REPRODUCED")
    (bundle / "logs" / "more").unlink()
    (bundle / "change.bundle").unlink()
    assert "change.bundle" in answered(verify(bundle), 1, "NOT REPRODUCED")


def test_what_is_missing_here_is_said(proven: tuple[Path, Path], tmp_path: Path) -> None:
    project, bundle = proven
    assert "--repository" in answered(verify(bundle, "--run"), 2, "NOT REPRODUCIBLE HERE")
    other = tmp_path / "other"
    other.mkdir()
    (other / "x").write_text("x", encoding="utf-8")
    create_sample_repository(other, "another project")
    assert "does not have it" in answered(tried(bundle, other), 2, "NOT REPRODUCIBLE HERE")
    (tmp_path / "empty").mkdir()
    repository = ("--run", "--repository", str(project))
    done = verify(bundle, *repository, path=str(tmp_path / "empty"))
    assert "git" in answered(done, 2, "NOT REPRODUCIBLE HERE")
    done = verify(bundle, *repository, "--env", str(tmp_path / "no-python"))
    assert "a Python at" in answered(done, 2, "NOT REPRODUCIBLE HERE")
    proof, _ = inspect_bundle(bundle)
    gates = tuple(gate.changed(argv=("no-such-tool",)) for gate in proof.gates)
    tool = forge(bundle, tmp_path / "tool", proof.changed(gates=gates))
    assert "no-such-tool" in answered(tried(tool, project), 2, "NOT REPRODUCIBLE HERE")


def an_environment(place: Path, **modules: str) -> Path:
    """Make a virtual environment with packages of one file, and a script `check` of a test runner."""
    venv.create(place, symlinks=True)
    (site,) = (place / "lib").glob("python*/site-packages")
    for name, text in modules.items():
        (site / name).mkdir()
        (site / name / "__init__.py").write_text(text, encoding="utf-8")
    script = place / "bin" / "check"
    script.write_text(f"#!{place}/bin/python\n{CHECK}", encoding="utf-8")
    script.chmod(0o755)
    return place


CHECK = """\
import sys, unittest
from needed import NAME
suite = unittest.defaultTestLoader.discover("tests", top_level_dir=".")
done = unittest.TextTestRunner().run(suite)
assert NAME == "from the environment"
sys.exit(not done.wasSuccessful())
"""
TOOL = '[[gate]]\nname = "tests"\nargv = ["check"]\ntimeout = 60\n[workspace]\npython = ".venv"\n'
WHOLE = """
[[criterion]]
id = "adds"
text = "Sums are right"
evidence = "flips"
gate = "tests"
"""


async def test_a_gate_gets_the_packages_and_scripts_of_the_environment_that_is_named(
    tmp_path: Path,
) -> None:
    ignore = {".gitignore": "__pycache__/\n.venv/\n"}
    project = a_project(tmp_path / "project", **{"goalproof.toml": TOOL, **ignore})
    needed = "NAME = 'from the environment'\n"
    an_environment(project / ".venv", needed=needed)
    engine = Engine.open(project)
    choice = await engine.choose_gates()
    plan = a_plan(FIX, criteria=WHOLE)
    options = CreateGoalOptions(gates=choice.specs, plan=plan, python=".venv")
    state = await create_goal(engine.ports, plan.goal, options)
    state = await execute_goal(engine.ports, state.goal_id)
    assert state.status is GoalStatus.READY, state.judgement
    bundle = await resolve_goal_proof(engine.ports, "latest")
    engine.close()
    elsewhere = an_environment(tmp_path / "env", needed=needed, calc="raise SystemExit('stale')")
    repository = ("--run", "--repository", str(project))
    answered(verify(bundle, *repository, "--env", str(elsewhere)), 0, "REPRODUCED")
    without = an_environment(tmp_path / "without")
    why = answered(verify(bundle, *repository, "--env", str(without)), 1, "NOT REPRODUCED")
    assert "runs[proving tests].outcome: passed there, failed here" in why


async def test_an_installed_copy_of_the_project_is_not_judged_in_its_place(tmp_path: Path) -> None:
    project = a_project(tmp_path / "project", **{"lib/shop/__init__.py": "PRICE = 1\n"})
    bundle = await prove(project)
    installed = an_environment(tmp_path / "env", shop="PRICE = 2\n")
    done = verify(bundle, "--run", "--repository", str(project), "--env", str(installed))
    assert "does not bring its own shop" in answered(done, 2, "NOT REPRODUCIBLE HERE")
    answered(tried(bundle, project), 0, "REPRODUCED")


def test_a_statement_that_is_formed_otherwise_is_no_crash(
    proven: tuple[Path, Path], tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(proven[1], tmp_path / "copy"))
    proof = json.loads((copy / "statement.json").read_bytes())["predicate"]
    files = proof["files"]
    for strange in ({"files": files}, {**proof, "runs": [1]}, {**proof, "gates": "x"}, {}, []):
        statement = json.dumps({"predicate": strange}).encode()
        envelope = render_envelope(statement, bytes(32))
        digest = hashlib.sha256(statement).hexdigest().encode() + b"\n"
        for name, data in (
            ("statement.json", statement),
            ("statement.sha256", digest),
            ("envelope.dsse.json", envelope),
        ):
            (copy / name).unlink()
            (copy / name).write_bytes(data)
        answered(verify(copy), 1, "NOT REPRODUCED")


def test_it_is_the_file_that_the_statement_names_and_ours(proven: tuple[Path, Path]) -> None:
    proof, _ = inspect_bundle(proven[1])
    assert "verify.py" in proof.files
    assert (proven[1] / "verify.py").read_bytes() == compose_verifier()


def test_a_stranger_s_text_cannot_steer_the_terminal(
    proven: tuple[Path, Path], tmp_path: Path
) -> None:
    proof, _ = inspect_bundle(proven[1])
    done = verify(forged(proven, tmp_path, proof.changed(text="fine \x1b[2J\nREPRODUCED (all)")))
    assert "\x1b" not in done.stdout
    assert not any(line.startswith("REPRODUCED") for line in done.stdout.splitlines())


# The same rules as the engine's

NAMES = st.sampled_from(
    ["tests", "test", "test_a.py", "a_test.go", "a.spec.ts", "conftest.py", "src", "a", "b.py"]
)
GLOBS = st.lists(
    st.sampled_from(["**", "*", "a", "t*", "*.py", "src", "[ab]", "?", "./a", ""]), min_size=1, max_size=4
)  # fmt: skip


@given(st.lists(NAMES, min_size=1, max_size=4), GLOBS)
def test_it_takes_the_same_paths_for_tests(names: list[str], glob: list[str]) -> None:
    path, pattern = "/".join(names), "/".join(glob)
    assert standalone.is_test(path, [pattern]) == is_test(path, (pattern,))


def test_it_knows_the_same_names_of_tests() -> None:
    assert standalone.TESTS == DEFAULT_TESTS


REPORTS = [
    '<testsuite><testcase classname="a" name="x"/><testcase classname="a" name="x"/></testsuite>',
    '<testsuites><testsuite><testcase name="x"><failure/></testcase></testsuite></testsuites>',
    '<testsuites><testcase name="y"><skipped/></testcase><testsuite><testcase name="x">'
    "<error/><failure/><system-out>words</system-out></testcase></testsuite></testsuites>",
    '<testsuite><testcase classname="a"/></testsuite>',
    "<testsuite/>",
    '<!DOCTYPE x [<!ENTITY a "b">]><testsuite/>',
    "no xml",
    "",
]


@pytest.mark.parametrize("report", REPORTS)
def test_it_reads_reports_alike(report: str) -> None:
    data = report.encode()
    try:
        expected = {name: str(said) for name, said in parse_junit(data).items()}
    except BadReport:
        with pytest.raises((ValueError, standalone.expat.ExpatError)):
            standalone.parse_junit(data)
        return
    assert standalone.parse_junit(data) == expected


NO_PLAIN_FILE = {
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to a file": lambda path: path.symlink_to(__file__),
    "a file that is too large": lambda path: path.write_bytes(b"12345"),
    "nothing": lambda path: None,
}


@pytest.mark.parametrize("what", NO_PLAIN_FILE)
def test_a_report_is_a_plain_file_to_it_and_to_the_engine(what: str, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    NO_PLAIN_FILE[what](report)
    for read in (standalone.read_file, partial(read_regular, links=False)):
        with pytest.raises(OSError, match=r"plain|ordinary|over|symbolic|No such|directory"):
            read(report, 4)
    (tmp_path / "plain").write_bytes(b"1234")
    assert standalone.read_file(tmp_path / "plain", 4) == b"1234"


def test_what_it_does_not_view_is_named(tmp_path: Path, a_repository: Repository) -> None:
    pointer = f"{standalone.POINTER.decode()}\noid sha256:{'1' * 64}\nsize 9\n"
    root = a_repository({"logo.png": pointer, "about.md": f"Like this:\n{pointer}"})
    assert standalone.find_unviewed(root, "HEAD") == "what Git LFS keeps of logo.png"
    commit = standalone.oid(root, "HEAD")
    links = ("--add", *(word for n in "abcdef" for word in ("--cacheinfo", f"160000,{commit},{n}")))
    standalone.git("update-index", *links, cwd=root)
    tree = standalone.git("write-tree", cwd=root).decode().strip()
    said = "submodules a, b, c, d, e and 1 more; what Git LFS keeps of logo.png"
    assert standalone.find_unviewed(root, tree) == said
    assert standalone.find_unviewed(a_repository({"a": ""}), "HEAD") == ""


def test_the_envelope_holds_the_statement(proven: tuple[Path, Path]) -> None:
    envelope = json.loads((proven[1] / "envelope.dsse.json").read_bytes())
    assert envelope["payloadType"] == standalone.PAYLOAD_TYPE


async def test_tests_that_were_changed_as_well_run_as_the_base_has_them(tmp_path: Path) -> None:
    project = a_project(tmp_path / "project")
    engine = Engine.open(project)
    more = '{ run = ["sh", "-c", "echo >> tests/test_calc.py"] }'
    assert (await run(engine, a_plan(f"{FIX}, {more}"))).status is GoalStatus.READY
    bundle = await resolve_goal_proof(engine.ports, "latest")
    engine.close()
    done = verify(bundle, "--run", "--repository", str(project))
    answered(done, 0, "REPRODUCED")
    assert "  original       tests: passed" in done.stdout
    proof, _ = inspect_bundle(bundle)
    less = tuple(run for run in proof.runs if run.stage != "original")
    forged = forge(bundle, tmp_path / "forged", proof.changed(runs=less))
    said = verify(forged, "--run", "--repository", str(project))
    assert answered(said, 1, "NOT REPRODUCED") == "runs[original tests]: absent)"
    found = await verify_proof(forged, project)
    assert "runs[original tests]: absent" in found.differences
