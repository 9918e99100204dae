"""The checkout is only read, and the evidence repository says what git says."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from goal_engine.conflicts import ConflictKind, name_files
from goal_engine.dispatch.merge import examine
from goal_engine.errors import ChangeDoesNotFit, ProofRefused, RepositoryUnusable, ToolMissing
from goal_engine.evidence import ChangedFile
from goal_engine.runtime.repository import EvidenceRepository, read_checkout
from goal_engine.types import GoalId, Person

pytestmark = pytest.mark.one_python

GOAL = GoalId("goal-20260102-030405-006-0123abcd")
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ADA = Person(name="Ada", email="ada@example.org")
FILES = {
    "app.py": "".join(f"line {n}\n" for n in range(20)),
    "docs/guide.md": "read me\n",
    "logo.bin": b"\0\1\2" * 50,
    ".gitignore": "*.log\nbuild/\n",
    "kept.log": "tracked although ignored\n",
}


def git(where, *arguments, **more):
    done = subprocess.run(
        ("git", *arguments),
        cwd=where,
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        **more,
    )
    return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")


def hash_of(root, *, without=()):
    """Return a digest of every file below `root`: names, modes, times and content."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            if os.path.relpath(path, root) in without:
                continue
            about = os.lstat(path)
            data = os.readlink(path).encode() if os.path.islink(path) else Path(path).read_bytes()
            digest.update(
                repr((os.path.relpath(path, root), about.st_mode, about.st_mtime_ns)).encode()
            )
            digest.update(data)
    return digest.hexdigest()


@pytest.fixture
def bench(a_repository, tmp_path):
    """A checkout and its evidence repository, with a workspace of the base."""
    root = a_repository(FILES)
    status = read_checkout(root)
    evidence = EvidenceRepository.open(tmp_path / "evidence", status.git_dir)
    evidence.pin(status.commit, GOAL)
    workspace = tmp_path / "work" / "task"
    evidence.make_workspace(workspace, status.commit)
    yield SimpleNamespace(
        root=root, status=status, evidence=evidence, workspace=workspace, tmp=tmp_path
    )
    evidence.close()


def take(bench, workspace=None, exclude=()):
    """Return tree and commit of what stands in a workspace."""
    tree = bench.evidence.snapshot(workspace or bench.workspace, bench.status.commit, exclude)
    return tree, record(bench, tree)


def record(bench, tree, parent=None):
    return bench.evidence.commit(
        tree, (parent or bench.status.commit,), author=ADA, at=AT, message="work"
    )


# The checkout


def test_a_clean_checkout_is_described(a_repository):
    root = a_repository(FILES)
    status = read_checkout(root / "docs")
    assert (status.root, status.git_dir) == (root, root / ".git")
    assert (status.commit, status.tree) == tuple(
        git(root, "rev-parse", "HEAD", "HEAD^{tree}").split()
    )
    assert (status.branch, status.dirty, status.operation) == ("main", (), None)
    assert status.author == Person(name="Ada Tester", email="ada@example.org")


def test_a_folder_without_repository_is_refused(tmp_path):
    with pytest.raises(RepositoryUnusable, match="not in a git repository"):
        read_checkout(tmp_path)


def test_a_folder_that_is_not_there_is_not_blamed_on_git(tmp_path):
    with pytest.raises(RepositoryUnusable, match="not in a git repository"):
        read_checkout(tmp_path / "absent")


def test_a_bare_repository_is_refused(tmp_path):
    git(tmp_path, "init", "--bare", "--quiet", "bare")
    with pytest.raises(RepositoryUnusable, match="bare repository"):
        read_checkout(tmp_path / "bare")


def test_the_inside_of_a_git_directory_is_refused(a_repository):
    with pytest.raises(RepositoryUnusable, match="inside a git directory"):
        read_checkout(a_repository(FILES) / ".git" / "objects")


def test_a_repository_without_commits_is_refused(tmp_path):
    git(tmp_path, "init", "--quiet", ".")
    with pytest.raises(RepositoryUnusable, match="no commits"):
        read_checkout(tmp_path)


def test_a_detached_head_is_no_branch(a_repository):
    root = a_repository(FILES)
    git(root, "checkout", "--quiet", "--detach")
    assert read_checkout(root).branch is None


def test_changed_staged_deleted_and_new_files_are_dirty_but_ignored_ones_are_not(a_repository):
    root = a_repository(FILES)
    (root / "app.py").write_text("changed")
    (root / "docs/guide.md").unlink()
    (root / "new name.py").write_text("")
    (root / "staged.py").write_text("")
    git(root, "add", "staged.py")
    (root / "noise.log").write_text("")
    assert sorted(read_checkout(root).dirty) == [
        "app.py",
        "docs/guide.md",
        "new name.py",
        "staged.py",
    ]


def test_what_the_person_ignores_everywhere_is_not_dirty(a_repository, monkeypatch):
    root = a_repository(FILES)
    (root / "notes.swp").write_text("")
    ignore = os.path.join(os.environ["XDG_CONFIG_HOME"], "git", "ignore")
    os.makedirs(os.path.dirname(ignore), exist_ok=True)
    with open(ignore, "w") as file:
        file.write("*.swp\n")
    try:
        assert read_checkout(root).dirty == ()
    finally:
        os.unlink(ignore)


@pytest.mark.parametrize("operation", ["merge", "rebase", "cherry-pick", "revert"])
def test_an_unfinished_operation_is_named(a_repository, operation):
    root = a_repository(FILES)
    git(root, "checkout", "--quiet", "-b", "other")
    (root / "app.py").write_text("other\n")
    git(root, "commit", "--quiet", "-am", "other")
    git(root, "checkout", "--quiet", "main")
    (root / "app.py").write_text("mine\n")
    git(root, "commit", "--quiet", "-am", "mine")
    (root / "app.py").write_text("later\n")
    git(root, "commit", "--quiet", "-am", "later")
    target = "HEAD~1" if operation == "revert" else "other"
    subprocess.run(("git", operation, target), cwd=root, capture_output=True, check=False)
    assert read_checkout(root).operation == operation


def test_a_linked_worktree_is_a_checkout(a_repository, tmp_path):
    root = a_repository(FILES)
    git(root, "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "linked"))
    status = read_checkout(tmp_path / "linked")
    assert (status.root, status.branch) == (tmp_path / "linked", "side")
    evidence = EvidenceRepository.open(tmp_path / "evidence", status.git_dir)
    assert "app.py" in evidence.list_files(status.tree)
    evidence.deliver(status.git_dir, status.commit, "goal/same")
    assert git(root, "rev-parse", "goal/same") == status.commit


def test_the_identity_falls_back_to_goalproof(a_repository, monkeypatch):
    root = a_repository(FILES)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    assert read_checkout(root).author == Person(name="Goalproof", email="goalproof@localhost")


def test_the_repository_s_own_identity_wins(a_repository):
    root = a_repository(FILES)
    git(root, "config", "user.name", "Local <Ada>")
    assert read_checkout(root).author == Person(name="Local Ada", email="ada@example.org")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_checkout_of_another_user_is_read(a_repository):
    root = a_repository(FILES)
    for folder, _, files in os.walk(root):
        for name in (folder, *(os.path.join(folder, file) for file in files)):
            os.chown(name, 12345, 12345)
    assert read_checkout(root).branch == "main"


def test_reading_changes_no_byte_and_no_time_of_the_checkout(bench):
    os.utime(bench.root / "app.py")  # git would like to refresh its index now
    before = hash_of(bench.root)
    read_checkout(bench.root)
    again = EvidenceRepository.open(bench.tmp / "second", bench.status.git_dir)
    again.pin(bench.status.commit, GOAL)
    (bench.workspace / "app.py").write_text("x\n")
    tree, commit = take(bench)
    bench.evidence.merge(commit, bench.status.commit)
    bench.evidence.patch(bench.status.tree, tree)
    assert hash_of(bench.root) == before


# Workspaces


def test_a_workspace_has_the_files_and_nothing_of_the_repository(bench):
    assert {p.name for p in bench.workspace.iterdir()} == {
        "app.py", "docs", "logo.bin", ".gitignore", "kept.log", ".git",
    }  # fmt: skip
    assert git(bench.workspace, "status", "--porcelain") == ""
    assert git(bench.workspace, "rev-parse", "HEAD") == bench.status.commit
    assert git(bench.workspace, "for-each-ref") == ""
    assert not (bench.workspace / ".git" / "hooks").exists()


def test_what_is_done_in_a_workspace_s_git_reaches_nobody(bench):
    before = hash_of(bench.root)
    git(bench.workspace, "config", "core.bare", "true")
    git(bench.workspace, "update-ref", "refs/heads/main", "HEAD")
    shutil.rmtree(bench.workspace / ".git")
    assert hash_of(bench.root) == before
    assert bench.evidence.snapshot(bench.workspace, bench.status.commit) == bench.status.tree


def test_a_reset_workspace_is_as_new(bench, tmp_path):
    ws = bench.workspace
    (ws / "app.py").write_text("x")
    (ws / "docs/guide.md").unlink()
    (ws / "new").mkdir()
    git(ws / "new", "init", "--quiet")
    (ws / "cache.log").write_text("ignored")
    git(ws, "config", "core.fsmonitor", "false")
    bench.evidence.reset_workspace(ws, bench.status.commit)
    assert take(bench)[0] == bench.status.tree
    assert not (ws / "new").exists()
    assert (ws / "cache.log").exists()
    assert "fsmonitor" not in (ws / ".git" / "config").read_text()


def test_a_reset_does_not_write_through_a_link_that_a_worker_left(bench, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "guide.md").write_text("mine\n")
    shutil.rmtree(bench.workspace / "docs")
    (bench.workspace / "docs").symlink_to(outside)
    shutil.rmtree(bench.workspace / ".git")
    (bench.workspace / ".git").symlink_to(outside)
    bench.evidence.reset_workspace(bench.workspace, bench.status.commit)
    assert [(p.name, p.read_text()) for p in outside.iterdir()] == [("guide.md", "mine\n")]
    assert not (bench.workspace / "docs").is_symlink()


def test_a_removed_workspace_is_gone_also_when_it_was_locked(bench):
    (bench.workspace / "docs").chmod(0o000)
    bench.evidence.remove_workspace(bench.workspace)
    assert list(bench.workspace.parent.iterdir()) == []


def test_removing_a_workspace_follows_no_link(bench, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_text("")
    (bench.workspace / "way out").symlink_to(tmp_path / "outside")
    bench.evidence.remove_workspace(bench.workspace)
    assert (tmp_path / "outside" / "precious").exists()


# Results


def test_an_untouched_workspace_is_the_base_tree(bench):
    assert take(bench)[0] == bench.status.tree


def test_a_file_rewritten_with_the_same_size_and_time_is_noticed(bench):
    app = bench.workspace / "app.py"
    about = app.stat()
    app.write_bytes(app.read_bytes().replace(b"line 1\n", b"LINE 1\n"))
    os.utime(app, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert take(bench)[0] != bench.status.tree


def test_ignored_files_stay_out_and_tracked_ones_stay_in(bench):
    (bench.workspace / "noise.log").write_text("")
    (bench.workspace / "kept.log").write_text("changed\n")
    tree, _ = take(bench)
    assert bench.evidence.evidence(bench.status.tree, tree).paths == {"kept.log"}


def test_an_excluded_path_stays_out_whatever_the_tree_says(bench):
    (bench.workspace / ".gitignore").write_text("!.venv\n!.venv/**\n")
    (bench.workspace / ".venv" / ".git").mkdir(parents=True)
    (bench.workspace / ".venv" / "a[b]*").write_text("")
    tree, _ = take(bench, exclude=(".venv",))
    assert bench.evidence.evidence(bench.status.tree, tree).paths == {".gitignore"}


def test_files_that_break_the_tree_s_own_attributes_are_no_change(a_repository, tmp_path):
    root = a_repository({"dos.txt": "a\r\nb\r\n"})
    (root / ".gitattributes").write_text("*.txt text\n")
    git(root, "add", ".gitattributes")
    git(root, "commit", "--quiet", "-m", "attributes without renormalizing")
    status = read_checkout(root)
    evidence = EvidenceRepository.open(tmp_path / "evidence", status.git_dir)
    evidence.make_workspace(tmp_path / "ws", status.commit)
    assert evidence.snapshot(tmp_path / "ws", status.commit) == status.tree
    (tmp_path / "ws" / "dos.txt").write_bytes(b"a\r\nb\r\nc\r\n")
    tree = evidence.snapshot(tmp_path / "ws", status.commit)
    assert evidence.read_blob(tree, "dos.txt") == b"a\nb\nc\n"
    evidence.close()


def test_a_result_can_be_nothing_at_all(bench):
    for path in bench.workspace.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    tree, _ = take(bench)
    assert bench.evidence.list_files(tree) == ()


@pytest.mark.parametrize("name", [".git", ".GIT"])
@pytest.mark.parametrize("kind", ["directory", "file", "link"])
def test_a_repository_inside_the_workspace_is_refused_by_its_path(bench, name, kind):
    inside = bench.workspace / "vendor" / "lib"
    inside.mkdir(parents=True)
    if kind == "directory":
        git(inside, "init", "--quiet")
        (inside / ".git").rename(inside / name)
    elif kind == "file":
        (inside / name).write_text("gitdir: /elsewhere\n")
    else:
        (inside / name).symlink_to("/elsewhere")
    with pytest.raises(RepositoryUnusable, match=r"vendor/lib"):
        take(bench)


def test_a_name_that_is_not_utf_8_is_refused(bench):
    with open(os.fsencode(bench.workspace) + b"/caf\xe9", "w") as file:
        file.write("x")
    with pytest.raises(RepositoryUnusable, match="not UTF-8"):
        take(bench)


def test_a_pipe_in_place_of_a_file_is_refused_or_left_out(bench):
    os.mkfifo(bench.workspace / "pipe")
    assert take(bench)[0] == bench.status.tree
    (bench.workspace / "app.py").unlink()
    os.mkfifo(bench.workspace / "app.py")
    try:
        tree, _ = take(bench)
    except RepositoryUnusable:
        return
    assert bench.evidence.read_blob(tree, "app.py") is None


def test_submodules_of_the_base_stay_as_they_are(a_repository, tmp_path):
    root = a_repository({"app.py": ""})
    oid = git(root, "rev-parse", "HEAD")
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{oid},sub [1]/mod")
    git(root, "commit", "--quiet", "-m", "submodule")
    status = read_checkout(root)
    evidence = EvidenceRepository.open(tmp_path / "evidence", status.git_dir)
    evidence.pin(status.commit, GOAL)
    ws = tmp_path / "ws"
    evidence.make_workspace(ws, status.commit)
    assert evidence.snapshot(ws, status.commit) == status.tree
    shutil.rmtree(ws / "sub [1]")
    assert evidence.snapshot(ws, status.commit) == status.tree
    (ws / "sub [1]" / "mod").mkdir(parents=True)
    (ws / "sub [1]" / "mod" / "planted.py").write_text("")
    assert evidence.snapshot(ws, status.commit) == status.tree
    assert evidence.read_blob(status.tree, "sub [1]/mod") is None


def test_evidence_is_what_git_itself_prints(bench):
    ws, root = bench.workspace, bench.root
    (ws / "app.py").rename(ws / "main.py")
    (ws / "main.py").write_text((ws / "main.py").read_text() + "more\n")
    (ws / "logo.bin").write_bytes(b"\0\5" * 80)
    (ws / "docs/guide.md").chmod(0o755)
    (ws / "kept.log").unlink()
    (ws / "kept.log").symlink_to("main.py")
    (ws / "ünï \n.txt").write_text("1\n2\n")
    tree, commit = take(bench)
    bench.evidence.deliver(root, commit, "goal/look")
    found = bench.evidence.evidence(bench.status.tree, tree)
    assert found.files == _ask_git(root, bench.status.tree, tree)
    assert {(f.path, f.status) for f in found.files} == {
        ("main.py", "R"), ("logo.bin", "M"), ("docs/guide.md", "M"), ("kept.log", "T"),
        ("ünï \n.txt", "A"),
    }  # fmt: skip
    assert bench.evidence.read_blob(tree, "kept.log") == b"main.py"


def _ask_git(root, base, tree):
    """Read git's raw and numstat output apart from each other, to compare with our reading."""
    files = []
    fields = git(root, "diff", "--raw", "-z", "-M", base, tree).split("\0")
    counts = git(root, "diff", "--numstat", "-z", "-M", base, tree).split("\0")
    while fields[0]:
        old_mode, mode, _, _, status = fields.pop(0)[1:].split(" ")
        old = fields.pop(0) if status[0] == "R" else None
        path = fields.pop(0)
        added, deleted, inline = counts.pop(0).split("\t")
        if not inline:
            assert [counts.pop(0), counts.pop(0)] == [old, path]
        files.append(
            ChangedFile(
                path=path, old_path=old, status=status[0], old_mode=old_mode, mode=mode,
                binary=added == "-", additions=int(added.strip("-") or 0),
                deletions=int(deleted.strip("-") or 0),
            )
        )  # fmt: skip
    return tuple(files)


def test_a_patch_makes_the_same_tree_elsewhere(bench):
    (bench.workspace / "app.py").write_text("new\n")
    (bench.workspace / "logo.bin").write_bytes(b"\0\7\0")
    tree, _ = take(bench)
    subprocess.run(
        ("git", "apply", "--index", "-"), cwd=bench.root, check=True,
        input=bench.evidence.patch(bench.status.tree, tree),
    )  # fmt: skip
    assert git(bench.root, "write-tree") == tree


def test_the_same_values_make_the_same_commit(bench, tmp_path):
    first = record(bench, bench.status.tree)
    other = EvidenceRepository.open(tmp_path / "other", bench.status.git_dir)
    second = other.commit(
        bench.status.tree, (bench.status.commit,), author=ADA, at=AT, message="work"
    )
    assert first == second


def test_a_commit_says_who_when_and_what(bench):
    commit = bench.evidence.commit(
        bench.status.tree,
        (bench.status.commit,),
        author=ADA,
        at=AT,
        message="Subject\n\nGoal-Id: x\n",
    )
    said = git(bench.evidence.path, "log", "-1", "--format=%an <%ae> %at %cn %ct %P%n%B", commit)
    stamp = int(AT.timestamp())
    assert said.rstrip() == (
        f"Ada <ada@example.org> {stamp} Ada {stamp} {bench.status.commit}\nSubject\n\nGoal-Id: x"
    )


def test_changes_in_different_places_merge(bench):
    (bench.workspace / "docs/guide.md").write_text("a\n")
    _, ours = take(bench)
    bench.evidence.reset_workspace(bench.workspace, bench.status.commit)
    (bench.workspace / "new.py").write_text("b\n")
    _, theirs = take(bench)
    merged = bench.evidence.merge(ours, theirs)
    assert merged.conflicts == ()
    assert bench.evidence.read_blob(merged.tree, "docs/guide.md") == b"a\n"
    assert bench.evidence.read_blob(merged.tree, "new.py") == b"b\n"


def test_changes_of_the_same_line_conflict(bench):
    commits = []
    for text in ("a\n", "b\n"):
        (bench.workspace / "docs/guide.md").write_text(text)
        commits.append(take(bench)[1])
    merged = bench.evidence.merge(*commits)
    assert (merged.tree, merged.conflicts) == (None, ("docs/guide.md",))
    assert merged.told.find_kind("docs/guide.md") is ConflictKind.CONTENT


def test_each_way_of_not_merging_is_told_apart(bench):
    """One merge with a conflict of every kind that files alone can have."""
    sides = (
        lambda at: (
            (at / "app.py").write_text("mine\n"), (at / "docs/guide.md").unlink(),
            (at / "logo.bin").write_bytes(b"\0\1"), (at / "kept.log").rename(at / "moved"),
            (at / "new").write_text("a file"), (at / "way").write_text("text"),
        ),
        lambda at: (
            (at / "app.py").write_text("yours\n"), (at / "docs/guide.md").write_text("more\n"),
            (at / "logo.bin").write_bytes(b"\0\2"), (at / "kept.log").rename(at / "elsewhere"),
            (at / "new").mkdir(), (at / "new/inside").write_text("more"), (at / "way").symlink_to("x"),
        ),
    )  # fmt: skip
    commits = []
    for number, change in enumerate(sides):
        at = bench.tmp / f"side-{number}"
        bench.evidence.make_workspace(at, bench.status.commit)
        change(at)
        commits.append(take(bench, at)[1])
    told = bench.evidence.merge(*commits).told
    found = {name_files((path,))[0]: told.find_kind(path) for path in told.paths}
    renamed = ConflictKind.RENAMED
    assert found == {
        "app.py": ConflictKind.CONTENT,
        "docs/guide.md": ConflictKind.DELETED,
        "logo.bin": ConflictKind.BINARY,
        "kept.log": renamed,
        "moved": renamed,
        "elsewhere": renamed,
        "new": ConflictKind.FOLDER,
        "way": ConflictKind.MODE,
    }
    clash = examine(bench.evidence, "b", ("a",), (bench.status.commit, *commits), told)
    app = next(file for file in clash.files if file.path == "app.py")
    assert (app.ours[0].text, app.theirs[0].text) == (("mine",), ("yours",))
    assert app.ours[0].base == (1, 20) and app.ours[0].place == "line 1"


def test_an_overlay_takes_changes_additions_and_deletions_of_its_paths_only(bench):
    ws = bench.workspace
    (ws / "app.py").write_text("changed\n")
    (ws / "new.py").write_text("new\n")
    (ws / "logo.bin").unlink()
    shutil.rmtree(ws / "docs")
    (ws / "docs").write_text("a file now\n")
    (ws / "kept.log").write_text("not asked for\n")
    tree, _ = take(bench)
    paths = ("new.py", "logo.bin", "docs", "docs/guide.md", "absent")
    mixed = bench.evidence.overlay(bench.status.tree, tree, paths)
    assert set(bench.evidence.list_files(mixed)) == {
        "app.py",
        "new.py",
        "docs",
        ".gitignore",
        "kept.log",
    }
    assert bench.evidence.read_blob(mixed, "docs") == b"a file now\n"
    assert bench.evidence.read_blob(mixed, "app.py") == FILES["app.py"].encode()
    assert (
        bench.evidence.overlay(
            tree, bench.status.tree, bench.evidence.evidence(bench.status.tree, tree).paths
        )
        == bench.status.tree
    )


def test_a_blob_that_is_not_there_is_none(bench):
    read = bench.evidence.read_blob
    tree = bench.status.tree
    assert read(tree, "docs/guide.md") == b"read me\n"
    assert [read(tree, path) for path in ("absent", "docs", "app.py/x", "", "docs/")] == [None] * 5


def test_blobs_can_be_read_from_many_threads(bench):
    names = ["app.py", "docs/guide.md", "logo.bin"] * 20
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda name: bench.evidence.read_blob(bench.status.tree, name), names)
        )
    assert found == [v if isinstance(v := FILES[n], bytes) else v.encode() for n in names]


def test_snapshots_can_be_taken_at_the_same_time(bench):
    spaces = [bench.tmp / "work" / f"w{n}" for n in range(6)]

    def work(path):
        bench.evidence.make_workspace(path, bench.status.commit)
        (path / "app.py").write_text(path.name)
        return bench.evidence.read_blob(take(bench, path)[0], "app.py")

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, spaces)) == [path.name.encode() for path in spaces]


def test_the_base_outlives_what_the_person_throws_away(bench, monkeypatch):
    root = bench.root
    (bench.workspace / "app.py").write_text("changed\n")
    tree, commit = take(bench)
    git(root, "checkout", "--quiet", "--orphan", "fresh")
    git(root, "commit", "--quiet", "--allow-empty", "-m", "fresh")
    git(root, "branch", "-D", "main")
    git(root, "reflog", "expire", "--expire=now", "--all")
    git(root, "gc", "--quiet", "--prune=now")
    assert subprocess.run(
        ("git", "cat-file", "-e", bench.status.commit), cwd=root, capture_output=True, check=False
    ).returncode
    assert bench.evidence.read_blob(bench.status.tree, "app.py") == FILES["app.py"].encode()
    assert bench.evidence.merge(commit, record(bench, bench.status.tree)).tree == tree
    bench.evidence.make_workspace(bench.tmp / "again", commit)
    with pytest.raises(ChangeDoesNotFit, match=bench.status.commit):
        bench.evidence.deliver(root, commit, "goal/late")


def test_history_before_the_base_is_not_needed(a_repository, tmp_path):
    root = a_repository({"a": "1"})
    for text in ("2", "3"):
        (root / "a").write_text(text)
        git(root, "commit", "--quiet", "-am", text)
    status = read_checkout(root)
    evidence = EvidenceRepository.open(tmp_path / "evidence", status.git_dir)
    evidence.pin(status.commit, GOAL)
    (evidence.path / "objects" / "info" / "alternates").unlink()
    sides = [
        evidence.commit(status.tree, (status.commit,), author=ADA, at=AT, message=message)
        for message in ("one", "two")
    ]
    assert evidence.merge(*sides).tree == status.tree


def test_a_shallow_clone_will_do(a_repository, tmp_path):
    root = a_repository({"a": "1"})
    (root / "a").write_text("2")
    git(root, "commit", "--quiet", "-am", "two")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{root}", "clone")
    status = read_checkout(tmp_path / "clone")
    evidence = EvidenceRepository.open(tmp_path / "evidence", status.git_dir)
    evidence.make_workspace(tmp_path / "ws", status.commit)
    assert git(tmp_path / "ws", "log", "--format=%s") == "two"
    evidence.pin(status.commit, GOAL)


def test_a_sha256_repository_will_do(tmp_path):
    root = tmp_path / "repo"
    git(tmp_path, "init", "--quiet", "--object-format=sha256", "repo")
    (root / "docs").mkdir()
    (root / "docs" / "a").write_text("1\n")
    git(root, "add", "-A")
    git(root, "commit", "--quiet", "-m", "base")
    status = read_checkout(root)
    evidence = EvidenceRepository.open(tmp_path / "evidence", status.git_dir)
    evidence.pin(status.commit, GOAL)
    evidence.make_workspace(tmp_path / "ws", status.commit)
    (tmp_path / "ws" / "docs" / "a").write_text("2\n")
    tree = evidence.snapshot(tmp_path / "ws", status.commit)
    commit = evidence.commit(tree, (status.commit,), author=ADA, at=AT, message="m")
    assert evidence.read_blob(tree, "docs/a") == b"2\n"
    evidence.write_bundle(tmp_path / "b", commit, status.commit)
    other = EvidenceRepository.open(tmp_path / "other", status.git_dir)
    assert other.read_bundle(tmp_path / "b") == commit
    evidence.deliver(root, commit, "goal/x")
    assert git(root, "rev-parse", "goal/x") == commit
    evidence.close()


def test_refs_are_kept_and_dropped_by_goal(bench):
    other = GoalId("goal-20260102-030405-006-ffffffff")
    commit = record(bench, bench.status.tree)
    bench.evidence.keep(GOAL, "task-a", commit)
    bench.evidence.pin(bench.status.commit, other)
    assert len(git(bench.evidence.path, "for-each-ref").splitlines()) == 3
    bench.evidence.drop_results(GOAL, all_of_it=True)
    assert (
        git(bench.evidence.path, "for-each-ref", "--format=%(refname)")
        == f"refs/goalproof/{other}/base"
    )
    assert not bench.evidence.has_commit("0" * 40)


def test_every_base_that_a_goal_had_stays_with_its_result(bench):
    """After a rebase the base that its proof is about is `base-2`."""
    commit = record(bench, bench.status.tree)
    for name in ("base-2", "base-10", "integrated", "task-base"):
        bench.evidence.keep(GOAL, name, commit)
    assert bench.evidence.count_results(GOAL, all_of_it=False) == 1
    assert bench.evidence.drop_results(GOAL, all_of_it=False) == 1
    assert bench.evidence.find_kept(GOAL, "task-base") is None
    kept = ("base", "base-2", "base-10", "integrated")
    assert all(bench.evidence.find_kept(GOAL, name) for name in kept)
    assert bench.evidence.count_results(GOAL, all_of_it=True) == 4


@pytest.mark.parametrize("text", ["HEAD", "-x", "--output=/tmp/x", "a" * 39, "main", "", "A" * 40])
def test_only_whole_object_names_reach_git(bench, text):
    evidence = bench.evidence
    for call in (
        evidence.tree_of, evidence.has_commit, evidence.list_files,
        lambda oid: evidence.pin(oid, GOAL), lambda oid: evidence.read_blob(oid, "a"),
        lambda oid: evidence.merge(oid, oid), lambda oid: evidence.patch(oid, oid),
        lambda oid: evidence.deliver(bench.root, oid, "goal/x"),
        lambda oid: evidence.make_workspace(bench.tmp / f"never{len(list(bench.tmp.iterdir()))}", oid),
    ):  # fmt: skip
        with pytest.raises(RepositoryUnusable, match="no git object name"):
            call(text)


# In and out


@pytest.fixture
def bundle(bench):
    (bench.workspace / "app.py").write_text("changed\n")
    tree, commit = take(bench)
    path = bench.tmp / "change.bundle"
    bench.evidence.write_bundle(path, commit, bench.status.commit)
    return SimpleNamespace(path=path, tree=tree, commit=commit)


def test_a_bundle_carries_a_commit_to_another_clone(bench, bundle, tmp_path):
    git(tmp_path, "clone", "--quiet", str(bench.root), "clone")
    other = EvidenceRepository.open(tmp_path / "other", tmp_path / "clone" / ".git")
    for _ in range(2):
        assert other.read_bundle(bundle.path) == bundle.commit
    assert other.tree_of(bundle.commit) == bundle.tree


def test_git_takes_our_bundle_and_it_is_small(bench, bundle):
    git(bench.root, "bundle", "verify", str(bundle.path))
    git(bench.root, "fetch", "--quiet", str(bundle.path), "goalproof:taken")
    assert git(bench.root, "rev-parse", "taken") == bundle.commit
    assert bundle.path.stat().st_size < 1000


def test_the_same_commit_makes_the_same_bundle(bench, bundle):
    again = bench.tmp / "again.bundle"
    bench.evidence.write_bundle(again, bundle.commit, bench.status.commit)
    assert again.read_bytes() == bundle.path.read_bytes()


def test_a_bundle_without_its_base_names_what_is_missing(bench, bundle, a_repository, tmp_path):
    stranger = read_checkout(a_repository({"other.py": ""}))
    other = EvidenceRepository.open(tmp_path / "other", stranger.git_dir)
    with pytest.raises(RepositoryUnusable, match=bench.status.commit):
        other.read_bundle(bundle.path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"not a bundle at all\n\n",
        lambda data: data[:-30],
        lambda data: data[:-40] + bytes([data[-40] ^ 1]) + data[-39:],
        lambda data: data.replace(b" refs/heads/goalproof", b" refs/heads/goalproof\n" + b"a" * 40 + b" x"),
        lambda data: data.replace(data.split(b"\n")[2][:40], b"a" * 40),
        lambda data: data.replace(data.split(b"\n")[2][:40], b"--upload-pack=x"),
    ],
    ids=["empty", "no bundle", "cut", "flipped", "two heads", "other head", "an option"],
)  # fmt: skip
def test_a_damaged_bundle_is_refused(bench, bundle, tmp_path, damage):
    bad = tmp_path / "bad.bundle"
    bad.write_bytes(damage(bundle.path.read_bytes()))
    other = EvidenceRepository.open(tmp_path / "other", bench.status.git_dir)
    with pytest.raises(ProofRefused, match="bad.bundle"):
        other.read_bundle(bad)


def test_a_missing_bundle_is_refused(bench, tmp_path):
    with pytest.raises(ProofRefused, match="cannot be read"):
        bench.evidence.read_bundle(tmp_path / "absent")


def test_delivery_makes_one_branch_and_changes_nothing_else(bench, bundle):
    root = bench.root
    (root / "app.py").write_text("uncommitted\n")
    git(root, "stash")
    before = git(root, "for-each-ref"), git(root, "status", "--porcelain=v2", "--branch")
    objects = ("index", "config", "HEAD", "logs/HEAD", "packed-refs")
    files = [(root / ".git" / p).read_bytes() for p in objects if (root / ".git" / p).exists()]
    work = hash_of(root, without=())
    bench.evidence.deliver(root, bundle.commit, "goal/fix-1")
    assert git(root, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/goal") == (
        f"refs/heads/goal/fix-1 {bundle.commit}"
    )
    git(root, "fsck", "--strict")
    assert not (root / ".git" / "FETCH_HEAD").exists()
    assert [
        (root / ".git" / p).read_bytes() for p in objects if (root / ".git" / p).exists()
    ] == files
    delivered = hash_of(root)
    bench.evidence.deliver(root, bundle.commit, "goal/fix-1")
    assert hash_of(root) == delivered != work
    git(root, "branch", "-D", "goal/fix-1")
    assert (git(root, "for-each-ref"), git(root, "status", "--porcelain=v2", "--branch")) == before


def test_another_branch_of_that_name_is_left_alone(bench, bundle):
    git(bench.root, "branch", "goal/fix-1")
    with pytest.raises(ChangeDoesNotFit, match="goal/fix-1"):
        bench.evidence.deliver(bench.root, bundle.commit, "goal/fix-1")
    assert git(bench.root, "rev-parse", "goal/fix-1") == bench.status.commit


def test_a_branch_in_the_way_is_said(bench, bundle):
    git(bench.root, "branch", "goal")
    with pytest.raises(ChangeDoesNotFit, match="goal/fix-1"):
        bench.evidence.deliver(bench.root, bundle.commit, "goal/fix-1")


@pytest.mark.parametrize(
    "branch", ["-x", "--output=x", "a b", "a..b", "@{-1}", "a.lock", "", "/x", "x\n", "HEAD^"]
)
def test_only_plain_branch_names_are_delivered(bench, bundle, branch):
    before = hash_of(bench.root)
    with pytest.raises(ChangeDoesNotFit):
        bench.evidence.deliver(bench.root, bundle.commit, branch)
    assert hash_of(bench.root) == before


# Git itself


def _fake_git(tmp_path, says):
    (tmp_path / "git").write_text(f"#!/bin/sh\necho '{says}'\n")
    (tmp_path / "git").chmod(0o755)
    return str(tmp_path)


def test_an_old_git_is_named_with_its_version(a_repository, tmp_path, monkeypatch):
    root = a_repository(FILES)
    monkeypatch.setenv("PATH", _fake_git(tmp_path, "git version 2.30.2"))
    with pytest.raises(ToolMissing, match=r"2\.30\.2.*2\.38"):
        read_checkout(root)


def test_a_missing_git_says_what_to_install(a_repository, tmp_path, monkeypatch):
    root = a_repository(FILES)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="install git 2.38"):
        read_checkout(root)


def test_a_git_in_the_folder_itself_is_not_run(a_repository, tmp_path, monkeypatch):
    root = a_repository(FILES)
    _fake_git(root, "git version 9.9")
    monkeypatch.chdir(root)
    monkeypatch.setenv("PATH", os.pathsep.join((".", "", os.environ["PATH"])))
    assert read_checkout(root).dirty == ("git",)
