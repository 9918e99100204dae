"""Repositories that are not plain: what is written otherwise than it is kept, and what is not all there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from goal_engine.delivery.change import find_misfits
from goal_engine.delivery.local import (
    apply_change,
    carry_out,
    check_fit,
    plan_for,
    read_diff,
    read_present,
)
from goal_engine.diagnosis import diagnose
from goal_engine.engine import Engine
from goal_engine.errors import ChangeDoesNotFit, RepositoryUnusable
from goal_engine.evidence import GoalGitEvidence
from goal_engine.lifecycle import execute_goal
from goal_engine.planner import CreateGoalOptions, create_goal
from goal_engine.reverify import ReverifyOutcome, verify_proof
from goal_engine.runtime.filesystems import check_names, find_clashes, folds_names
from goal_engine.runtime.repository import CheckoutStatus, EvidenceRepository, read_checkout
from goal_engine.runtime.submodules import Submodules
from goal_engine.types import GoalStatus, Person
from goal_engine.verifier.bench import open_bench
from tests.builders import GOAL, a_goal
from tests.conftest import Repository
from tests.integration.projects import (
    FIX,
    GATE,
    TESTS,
    a_plan,
    a_project,
    create,
    fingerprint,
    run,
)

pytestmark = pytest.mark.one_python

AT = datetime(2026, 1, 2, tzinfo=UTC)
ADA = Person(name="Ada", email="ada@example.org")


def git(where: Path, *arguments: str) -> str:
    """Run git as a person does and return what it prints."""
    local = ("-c", "protocol.file.allow=always")
    done = subprocess.run(
        ("git", *local, *arguments), cwd=where, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def opened() -> Iterator[list[Engine]]:
    """Engines that are closed in the end."""
    engines: list[Engine] = []
    yield engines
    for engine in engines:
        engine.close()


def open_engine(opened: list[Engine], checkout: Path) -> Engine:
    opened.append(Engine.open(checkout))
    return opened[-1]


def clone(source: Path, target: Path, *options: str, **settings: str) -> Path:
    """Clone as a person does, with settings that hold from the start."""
    told = [word for key, value in settings.items() for word in ("-c", f"core.{key}={value}")]
    git(source.parent, "clone", "--quiet", *options, *told, source.as_uri(), str(target))
    return target


# Files that are written otherwise than they are kept


@dataclass
class Odd:
    """A checkout, its evidence repository, and a workspace of its base."""

    root: Path
    status: CheckoutStatus
    evidence: EvidenceRepository
    workspace: Path

    def take(self) -> GoalGitEvidence:
        """Return the change that stands in the workspace."""
        tree = self.evidence.snapshot(self.workspace, self.status.commit)
        return self.evidence.evidence(self.status.tree, tree)

    def put(self, change: GoalGitEvidence, *, undo: bool = False) -> tuple[str, ...]:
        """Put a change into the checkout or take it out, and return what it does not fit."""
        changes = plan_for(self.root, self.evidence, change)
        changes = tuple(one.turned_round for one in changes) if undo else changes
        misfits = find_misfits(changes, lambda path: read_present(self.root, path))
        if not misfits:
            carry_out(self.root, changes)
        return misfits


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[Callable[[Path], Odd]]:
    """Return what opens a checkout."""
    made: list[Odd] = []

    def open_odd(root: Path) -> Odd:
        status = read_checkout(root)
        evidence = EvidenceRepository.open(tmp_path / "evidence", status.git_dir)
        evidence.pin(status.commit, GOAL)
        evidence.make_workspace(tmp_path / "workspace", status.commit)
        made.append(Odd(root, status, evidence, tmp_path / "workspace"))
        return made[-1]

    yield open_odd
    for one in made:
        one.evidence.close()


DATA = "one\ntwo\nthree\n"
CRLF = DATA.replace("\n", "\r\n").encode()
WRITTEN = {
    "autocrlf": ("", {"autocrlf": "true"}, DATA, CRLF),
    "eol": ("*.txt text eol=crlf\n", {}, DATA, CRLF),
    "UTF-16": ("*.txt working-tree-encoding=UTF-16LE\n", {}, DATA, DATA.encode("utf-16-le")),
    "ident": ("*.txt ident\n", {}, f"{DATA}$Id$\n", None),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_change_goes_in_and_out_as_the_checkout_writes_its_files(
    how: str, a_repository: Repository, tmp_path: Path, odd: Callable[[Path], Odd]
) -> None:
    attributes, settings, kept, expected = WRITTEN[how]
    origin = a_repository({"data.txt": kept, "gone.txt": kept})
    (origin / ".gitattributes").write_text(attributes)
    git(origin, "add", ".gitattributes")
    git(origin, "commit", "-qm", "attributes")
    one = odd(clone(origin, tmp_path / "project", **settings))
    code = "utf-16-le" if how == "UTF-16" else "latin-1"
    data, written = one.root / "data.txt", (one.root / "data.txt").read_bytes()
    assert written != kept.encode() and written == (expected or written)
    assert one.status.dirty == () and one.take().files == ()
    work = one.workspace / "data.txt"
    work.write_bytes(work.read_bytes().decode(code).replace("two", "2").encode(code))
    (one.workspace / "gone.txt").rename(one.workspace / "new.txt")
    change = one.take()
    changed = [(f.path, f.status, f.additions, f.deletions) for f in change.files]
    assert changed == [("data.txt", "M", 1, 1), ("new.txt", "R", 0, 0)]
    assert one.put(change) == ()
    assert len(data.read_bytes()) == len(written.decode(code).replace("two", "2").encode(code))
    assert git(one.root, "diff", "--numstat") == "1\t1\tdata.txt\n0\t4\tgone.txt".replace(
        "4", str(kept.count("\n"))
    )
    git(one.root, "add", "--all")
    assert git(one.root, "write-tree") == change.tree
    assert one.put(change, undo=True) == ()
    assert data.read_bytes() == written
    git(one.root, "add", "--all")
    assert git(one.root, "write-tree") == one.status.tree


def test_what_a_person_saved_as_git_keeps_it_stays_so(
    a_repository: Repository, tmp_path: Path, odd: Callable[[Path], Odd]
) -> None:
    one = odd(clone(a_repository({"a.txt": "1\n"}), tmp_path / "project", autocrlf="true"))
    (one.root / "a.txt").write_bytes(b"1\n")
    (one.workspace / "a.txt").write_bytes(b"2\n")
    assert one.put(one.take()) == ()
    assert (one.root / "a.txt").read_bytes() == b"2\n"
    (one.root / "a.txt").write_bytes(b"mine\n")
    assert one.put(one.take()) == ("a.txt",)


def test_a_checkout_without_links_and_permissions_takes_a_change(
    a_repository: Repository, tmp_path: Path, odd: Callable[[Path], Odd]
) -> None:
    origin = a_repository({"a": "1", "run": "1"})
    (origin / "link").symlink_to("a")
    (origin / "run").chmod(0o755)
    git(origin, "add", "-A")
    git(origin, "commit", "-qm", "a link and a permission")
    project = clone(origin, tmp_path / "project", symlinks="false", fileMode="false")
    (project / "run").chmod(0o644)
    one = odd(project)
    assert (project / "link").read_text() == "a" and not (project / "link").is_symlink()
    assert one.status.dirty == () and one.take().files == ()
    (one.workspace / "link").unlink()
    (one.workspace / "link").symlink_to("run")
    assert one.put(one.take()) == ()
    assert (project / "link").read_text() == "run" and not (project / "link").is_symlink()


def test_a_file_that_git_would_not_take_back_as_it_wrote_it_is_no_change(
    a_repository, tmp_path: Path
) -> None:
    root = a_repository({"mixed.txt": "a\r\nb\n"})
    (root / ".gitattributes").write_text("*.txt text eol=crlf\n")
    git(root, "add", ".gitattributes")
    git(root, "commit", "-qm", "attributes without renormalizing")
    status = read_checkout(root)
    evidence = EvidenceRepository.open(tmp_path / "evidence", status.git_dir)
    workspace = tmp_path / "workspace"
    evidence.make_workspace(workspace, status.commit)
    mixed = workspace / "mixed.txt"
    assert mixed.read_bytes() == b"a\r\nb\r\n"
    mixed.write_bytes(mixed.read_bytes())  # so that git has to look at it
    assert evidence.snapshot(workspace, status.commit) == status.tree
    mixed.write_bytes(b"a\r\nb\r\nc\r\n")
    changed = evidence.evidence(status.tree, evidence.snapshot(workspace, status.commit))
    assert changed.paths == {"mixed.txt"}


# Submodules


def a_project_with_submodules(tmp_path: Path) -> tuple[Path, Path]:
    """Make a project whose tests need a submodule, in which there is another; return it and the lib."""
    inner = a_project(tmp_path / "inner", **{"deep.py": "VALUE = 5\n"})
    lib = a_project(tmp_path / "lib", **{"sums.py": "from vendor.lib.inner.deep import VALUE\n"})
    git(lib, "submodule", "--quiet", "add", inner.as_uri(), "inner")
    git(lib, "commit", "-qm", "inner")
    tests = TESTS.replace("import calc", "import calc\nfrom vendor.lib.sums import VALUE")
    tests = tests.replace("3), 5)", "3), VALUE)")
    origin = a_project(tmp_path / "origin", **{"tests/test_calc.py": tests})
    git(origin, "submodule", "--quiet", "add", lib.as_uri(), "vendor/lib")
    git(origin, "commit", "-qm", "lib")
    return origin, lib


async def test_gates_see_the_files_of_submodules_as_the_commit_records_them(
    tmp_path: Path, opened: list[Engine]
) -> None:
    origin, lib = a_project_with_submodules(tmp_path)
    git(lib, "commit", "-q", "--allow-empty", "-m", "later")
    project = clone(origin, tmp_path / "project", "--recurse-submodules")
    (project / "vendor/lib/sums.py").write_text("VALUE = 6\n")  # not committed: none of the goal's
    for key in ("core.fsmonitor", "core.sshCommand", "filter.x.smudge", "filter.x.clean"):
        git(project / "vendor/lib", "config", key, f"touch {tmp_path / 'canary'}; cat")
    (project / ".git/modules/vendor/lib/info/attributes").write_text("* filter=x\n")
    before = fingerprint(project)
    engine = open_engine(opened, project)
    state = await run(engine, a_plan(FIX))
    assert state.status is GoalStatus.READY, state.judgement
    assert state.created.notices == ()
    assert state.evidence is not None and state.evidence.paths == {"calc.py"}
    notes = next(iter(state.gates_run.values())).result.notes
    assert not (tmp_path / "canary").exists()
    assert any("vendor/lib at" in note and "vendor/lib/inner at" in note for note in notes)
    kept = {name: digest for name, digest in fingerprint(project).items() if name in before}
    assert kept == before
    assert state.proof is not None
    bundle = project / ".goalproof/goals" / state.goal_id / "proofs" / state.proof.digest
    assert (await verify_proof(bundle, project)).outcome is ReverifyOutcome.REPRODUCED
    alone = [sys.executable, "-I", "-S", str(bundle / "verify.py"), "--run", "--repository"]
    said = subprocess.run(  # noqa: ASYNC221 nothing else runs
        [*alone, str(project)], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (2, ""), said.stdout
    assert "Not viewed here: submodule vendor/lib" in said.stdout
    assert "what gate tests may need even on the base: submodule vendor/lib" in said.stdout
    workspace = tmp_path / "workspace"
    repository = engine.ports.open_repository()
    repository.make_workspace(workspace, state.created.base_commit)
    Submodules.of(repository, state.created.base_tree, project, tmp_path).view(workspace)
    assert (workspace / "vendor/lib/inner/deep.py").read_text() == "VALUE = 5\n"
    assert git(workspace, "status", "--porcelain") == ""


async def test_a_submodule_that_is_not_there_is_named_before_any_work(
    tmp_path: Path, opened: list[Engine]
) -> None:
    origin, _ = a_project_with_submodules(tmp_path)
    project = clone(origin, tmp_path / "project")
    state = await create(open_engine(opened, project), a_plan(FIX))
    assert len(state.created.notices) == 1
    assert "git submodule update --init --recursive -- vendor/lib" in state.created.notices[0]


async def test_work_in_a_submodule_is_refused_and_not_dropped(
    tmp_path: Path, opened: list[Engine]
) -> None:
    origin, _ = a_project_with_submodules(tmp_path)
    project = clone(origin, tmp_path / "project", "--recurse-submodules")
    engine = open_engine(opened, project)
    state = await create(engine, a_plan(FIX))
    bench, base = open_bench(engine.ports, state), state.created.base_commit
    async with bench.workspace("fix", base) as workspace:
        environment = await bench.environment(workspace, base)
        bench.take_result(workspace, "fix", base, environment)
        (workspace / "vendor/lib/inner/deep.py").write_text("VALUE = 6\n")
        with pytest.raises(
            RepositoryUnusable, match=r"inner/deep\.py, which belongs to a submodule"
        ):
            bench.take_result(workspace, "fix", base, environment)


# Files whose content Git LFS keeps


CONTENT = b"\x00 a picture \xff" * 300
POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    f"oid sha256:{hashlib.sha256(CONTENT).hexdigest()}\nsize {len(CONTENT)}\n"
)
LFS = {
    ".gitattributes": "*.png filter=lfs diff=lfs merge=lfs -text\n",
    "art/logo.png": POINTER,
    "tests/test_calc.py": TESTS.replace(
        "calc.add(2, 3), 5)", f"calc.add(2, 3), 5 if len(open('art/logo.png', 'rb').read()) == {len(CONTENT)} else 6)"
    ),
}  # fmt: skip


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A project whose checkout has the content of what git has a pointer to; its filter is a trap."""
    project = a_project(tmp_path / "project", **LFS)
    (project / "art/logo.png").write_bytes(CONTENT)
    git(project, "config", "filter.lfs.clean", "printf trapped")
    git(project, "config", "filter.lfs.smudge", "printf trapped")
    return project


async def test_gates_see_the_content_of_large_files_and_the_result_keeps_the_pointer(
    large: Path, opened: list[Engine]
) -> None:
    engine = open_engine(opened, large)
    state = await run(engine, a_plan(FIX))
    assert state.status is GoalStatus.READY, state.judgement
    assert state.created.notices == ()
    assert state.evidence is not None and state.evidence.paths == {"calc.py"}
    assert state.tree is not None
    kept = engine.ports.open_repository().read_blob(state.tree, "art/logo.png")
    assert kept == POINTER.encode()


def test_large_files_are_moved_and_deleted_in_the_checkout_too(
    large: Path, odd: Callable[[Path], Odd]
) -> None:
    one = odd(large)
    found = one.evidence.find_large_files(one.status.commit, large).pointers
    view = one.evidence.view_large_files
    assert view(one.workspace, one.status.commit, large, {}) == () and one.take().files == ()
    assert git(one.workspace, "status", "--porcelain") == ""
    (one.workspace / "art/logo.png").rename(one.workspace / "art/brand.png")
    change = one.take()
    assert [(f.status, f.path, f.additions) for f in change.files] == [("R", "art/brand.png", 0)]
    assert one.evidence.read_blob(change.tree, "art/brand.png") == POINTER.encode()
    later = one.workspace.with_name("later")
    moved = one.evidence.commit(change.tree, (), author=ADA, at=AT, message="m")
    one.evidence.make_workspace(later, moved)
    assert view(later, moved, large, found) == ()
    assert (later / "art/brand.png").read_bytes() == CONTENT
    assert one.put(change) == ()
    assert (large / "art/brand.png").read_bytes() == CONTENT
    assert not (large / "art/logo.png").exists()
    assert one.put(change, undo=True) == ()
    assert (large / "art/logo.png").read_bytes() == CONTENT


@pytest.mark.parametrize("path", ["art/logo.png", "art/new.png"])
def test_other_content_of_large_files_is_refused_and_not_stored(
    path: str, large: Path, odd: Callable[[Path], Odd]
) -> None:
    one = odd(large)
    (one.workspace / path).write_text("no picture")
    with pytest.raises(RepositoryUnusable, match=f"{path} is new or changed, and Git LFS keeps"):
        one.take()
    (one.workspace / ".gitattributes").unlink()
    assert one.take().paths == {".gitattributes", path}


async def test_content_that_is_not_there_is_named_before_any_work(
    large: Path, opened: list[Engine]
) -> None:
    (large / "art/logo.png").write_text(POINTER)
    state = await create(open_engine(opened, large), a_plan(FIX))
    assert ["git lfs pull" in notice for notice in state.created.notices] == [True]


# What a gate misses


async def test_a_file_that_git_ignores_and_a_gate_needs_is_told(
    tmp_path: Path, opened: list[Engine]
) -> None:
    needs = TESTS.replace(
        "import calc\n", "import calc\n\nNAMES = open('config/local.ini').read()\n"
    )
    files = {"tests/test_calc.py": needs, ".gitignore": "__pycache__/\n*.ini\n", "config/a.py": ""}
    project = a_project(tmp_path / "project", **files)
    (project / "config/local.ini").write_text("x")
    engine = open_engine(opened, project)
    state = await run(engine, a_plan(FIX))
    told = diagnose(state, {})
    assert state.status is not GoalStatus.READY
    assert any('`copy = ["config/local.ini"]`' in fact.text for fact in told.evidence), told
    project.joinpath("goalproof.toml").write_text(f'{GATE}[workspace]\ncopy = ["config/*.ini"]\n')
    choice = await engine.choose_gates()
    options = CreateGoalOptions(gates=choice.specs, plan=a_plan(FIX), copies=choice.copies)
    done = await execute_goal(engine.ports, (await create_goal(engine.ports, "", options)).goal_id)
    assert done.status is GoalStatus.READY, done.judgement


# Repositories that are not all there, or are more than one


def test_a_sparse_checkout_has_whole_workspaces_and_says_what_it_leaves_out(
    a_repository: Repository, tmp_path: Path, odd: Callable[[Path], Odd]
) -> None:
    origin = a_repository({"in/a": "1\n", "out/b": "1\n", "top": "1\n"})
    project = clone(origin, tmp_path / "project")
    git(project, "sparse-checkout", "set", "--cone", "--sparse-index", "in")
    one = odd(project)
    assert not (project / "out").exists() and one.status.dirty == ()
    assert (one.workspace / "out/b").read_text() == "1\n"

    def refuse(change: GoalGitEvidence, words: str) -> None:
        changes = plan_for(project, one.evidence, change)
        with pytest.raises(ChangeDoesNotFit, match=words):
            check_fit(project, a_goal(GoalStatus.READY), change, changes)

    (one.workspace / "out/b").write_text("2\n")
    refuse(one.take(), "leaves out out/b.*git sparse-checkout add")
    (project / "in/a").write_text("mine\n")
    (one.workspace / "out/b").write_text("1\n")
    (one.workspace / "in/a").write_text("2\n")
    refuse(one.take(), "in/a in .* is neither as")


def test_a_partial_clone_works_with_what_is_there_and_fetches_nothing(
    a_repository: Repository, tmp_path: Path, odd: Callable[[Path], Odd]
) -> None:
    origin = a_repository({"a": "1\n", "b": "other\n"})
    (origin / "a").write_text("2\n")
    git(origin, "commit", "-qam", "two")
    git(origin, "config", "uploadpack.allowFilter", "true")
    empty = clone(origin, tmp_path / "empty", "--filter=blob:none", "--no-checkout")
    evidence = EvidenceRepository.open(tmp_path / "other", empty / ".git")
    with pytest.raises(RepositoryUnusable, match="git fetch --refetch --no-filter"):
        evidence.pin(read_checkout(empty).commit, GOAL)
    project = clone(origin, tmp_path / "project", "--filter=blob:none")
    asked = ("rev-list", "--objects", "--all", "--missing=print")
    assert git(project, *asked).count("?") == 1
    origin.rename(tmp_path / "unreachable")
    one = odd(project)
    (one.workspace / "b").write_text("2\n")
    change = one.take()
    assert one.put(change) == ()
    commit = one.evidence.commit(change.tree, (one.status.commit,), author=ADA, at=AT, message="m")
    one.evidence.deliver(project, commit, "goal/x")
    assert git(project, "diff", "--stat", "goal/x") == ""
    assert git(project, *asked).count("?") == 1


def test_objects_of_a_clone_of_a_clone_are_found(
    a_repository: Repository, tmp_path: Path, odd: Callable[[Path], Odd]
) -> None:
    source = a_repository({"a": "1\n"})
    for name in ("second", "third", "fourth"):
        git(tmp_path, "clone", "--quiet", "--shared", str(source), name)
        source = tmp_path / name
    one = odd(source)
    (one.workspace / "a").write_text("2\n")
    assert one.take().paths == {"a"}
    assert git(one.workspace, "show", "HEAD:a") == "1"


MOVE = """
from pathlib import Path
Path("two\\nlines").rename("x\\ny")
with open("x\\ny", "a") as file:
    file.write("new\\n")
"""


async def test_names_that_are_no_text_and_names_of_two_lines_go_all_the_way(
    tmp_path: Path, opened: list[Engine]
) -> None:
    project = a_project(tmp_path / "project", **{"two\nlines": "old\n"})
    Path(os.fsdecode(os.fsencode(project) + b"/caf\xe9.py")).write_text("VALUE = 1\n")
    git(project, "add", "--all")
    git(project, "commit", "-qm", "odd names")
    before = fingerprint(project)
    engine = open_engine(opened, project)
    state = await run(engine, a_plan(f"{FIX}, {{ run = ['python3', '-c', '''{MOVE}'''] }}"))
    assert state.status is GoalStatus.READY and state.evidence is not None, state.judgement
    assert state.evidence.paths == {"calc.py", "two\nlines", "x\ny"}
    await apply_change(engine.ports, state.goal_id)
    assert (project / "x\ny").read_text() == "old\nnew\n"
    assert b'"b/x\\ny"' in await read_diff(engine.ports, state.goal_id)
    await apply_change(engine.ports, state.goal_id, undo=True)
    kept = fingerprint(project)
    assert {name: kept[name] for name in before} == before


def test_names_that_a_disk_takes_for_one_are_found(tmp_path: Path) -> None:
    assert find_clashes(["a/File.py", "a/file.py", "b", "caf\u00e9", "cafe\u0301", "A/x"]) == (
        ("A", "a"),
        ("a/File.py", "a/file.py"),
        ("cafe\u0301", "caf\u00e9"),
    )
    with pytest.raises(RepositoryUnusable, match="'File' and 'file' are one file on this disk"):
        check_names(["file", "File", "other"])
    (tmp_path / "lower").write_text("")
    assert folds_names(tmp_path) == (tmp_path / "LOWER").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["lower"]
