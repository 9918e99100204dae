"""What is asked of git, with a real one: nothing of a repository's own runs, and nothing is invented."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from goal_engine.errors import ChangeDoesNotFit, ProofRefused, RepositoryUnusable, ToolMissing
from goal_engine.runtime.repository import EvidenceRepository, read_checkout
from goal_engine.types import Person
from tests.builders import GOAL
from tests.integration.projects import fingerprint

pytestmark = pytest.mark.one_python

AT = datetime(2026, 1, 2, tzinfo=UTC)
ADA = Person(name="Ada", email="ada@example.org")
FILES = {"a.py": "one\ntwo\nthree\n", "old.py": "".join(f"line {n}\n" for n in range(30))}
FILES |= {"data.bin": b"\x00\x01" * 50, "run.sh": "echo\n", "gone.py": "x\n", "sub/deep.py": "y\n"}


def git(where, *args, **kwargs):
    """Run git as a person does and return what it prints."""
    done = subprocess.run(
        ("git", *args), cwd=where, check=True, capture_output=True, text=True, **kwargs
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(a_repository):
    return a_repository(FILES)


@pytest.fixture
def evidence(checkout, tmp_path):
    opened = EvidenceRepository.open(tmp_path / "evidence.git", checkout / ".git")
    yield opened
    opened.close()


def head_of(checkout):
    return git(checkout, "rev-parse", "HEAD")


@pytest.fixture
def workspace(checkout, evidence, tmp_path):
    path = tmp_path / "workspaces" / "one"
    evidence.make_workspace(path, head_of(checkout))
    return path


def commit(evidence, tree, *parents):
    return evidence.commit(tree, parents, author=ADA, at=AT, message="a change\n")


def change_everything(folder):
    """Change files in every way that git tells apart."""
    (folder / "a.py").write_text("one\n2\nthree\nfour\n", encoding="utf-8")
    (folder / "old.py").rename(folder / "new.py")
    (folder / "data.bin").write_bytes(b"\x00\x02" * 60)
    (folder / "run.sh").chmod(0o755)
    (folder / "gone.py").unlink()
    (folder / "link").symlink_to("a.py")
    (folder / "sub" / "deep.py").unlink()
    (folder / "sub" / "deep.py").symlink_to("../a.py")
    (folder / "sub" / "tab\tand ünicode.py").write_text("z\n", encoding="utf-8")


# what a checkout is


def test_a_clean_checkout_is_read_from_any_of_its_folders(checkout):
    status = read_checkout(checkout / "sub")
    assert status.root == checkout and status.git_dir == checkout / ".git"
    assert status.commit == head_of(checkout)
    assert status.tree == git(checkout, "rev-parse", "HEAD^{tree}")
    assert (status.branch, status.dirty, status.operation) == ("main", (), None)
    assert status.author == Person(name="Ada Tester", email="ada@example.org")


def test_a_folder_without_a_repository_is_refused(tmp_path):
    with pytest.raises(RepositoryUnusable, match="not in a git repository"):
        read_checkout(tmp_path)


def test_a_bare_repository_is_refused(tmp_path):
    git(tmp_path, "init", "-q", "--bare", "x.git")
    with pytest.raises(RepositoryUnusable, match="bare"):
        read_checkout(tmp_path / "x.git")


def test_a_repository_without_commits_is_refused(tmp_path):
    git(tmp_path, "init", "-q")
    with pytest.raises(RepositoryUnusable, match="no commits"):
        read_checkout(tmp_path)


def test_a_detached_head_has_no_branch(checkout):
    git(checkout, "checkout", "-q", "--detach")
    assert read_checkout(checkout).branch is None


def test_what_is_not_committed_is_named(checkout):
    (checkout / "a.py").write_text("changed\n", encoding="utf-8")
    (checkout / "gone.py").unlink()
    (checkout / "with space.py").write_text("new\n", encoding="utf-8")
    (checkout / "run.sh").write_text("staged\n", encoding="utf-8")
    git(checkout, "add", "run.sh")
    before = fingerprint(checkout)
    assert set(read_checkout(checkout).dirty) == {"a.py", "gone.py", "with space.py", "run.sh"}
    assert fingerprint(checkout) == before


def conflicted(checkout, *how):
    git(checkout, "checkout", "-qb", "other")
    (checkout / "a.py").write_text("theirs\n", encoding="utf-8")
    git(checkout, "commit", "-qam", "theirs")
    git(checkout, "checkout", "-q", "main")
    (checkout / "a.py").write_text("ours\n", encoding="utf-8")
    git(checkout, "commit", "-qam", "ours")
    assert subprocess.run(("git", *how), cwd=checkout, capture_output=True, check=False).returncode


@pytest.mark.parametrize("operation", ["merge", "rebase", "cherry-pick"])
def test_a_checkout_in_the_middle_of_something_says_so(checkout, operation):
    conflicted(checkout, operation, "other")
    status = read_checkout(checkout)
    assert status.operation == operation
    assert "a.py" in status.dirty


def test_a_linked_worktree_is_a_checkout(checkout, tmp_path):
    git(checkout, "worktree", "add", "-q", "-b", "linked", str(tmp_path / "linked"))
    status = read_checkout(tmp_path / "linked")
    assert (status.root, status.branch) == (tmp_path / "linked", "linked")
    opened = EvidenceRepository.open(tmp_path / "e.git", status.git_dir)
    assert opened.tree_of(status.commit) == status.tree


def test_the_callers_git_variables_mean_nothing(checkout, a_repository, monkeypatch, tmp_path):
    other = a_repository({"other.py": "x\n"})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "objects"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.bare")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    status = read_checkout(checkout)
    assert status.root == checkout and status.dirty == ()
    opened = EvidenceRepository.open(tmp_path / "e.git", checkout / ".git")
    opened.make_workspace(tmp_path / "w", status.commit)
    assert opened.snapshot(tmp_path / "w", status.commit) == status.tree
    assert opened.read_blob(status.tree, "a.py") == FILES["a.py"].encode()
    opened.close()


def a_git_that_says(folder, text):
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\necho '{text}'\n", encoding="utf-8")
    (folder / "git").chmod(0o755)
    return str(folder)


def test_without_git_the_tool_is_missing(checkout, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="git was not found"):
        read_checkout(checkout)


def test_an_old_git_is_named_with_its_version(checkout, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", a_git_that_says(tmp_path / "bin", "git version 2.37.9"))
    with pytest.raises(ToolMissing, match=r"2\.37\.9, too old"):
        read_checkout(checkout)


# nothing of a repository's own runs


def set_traps(repository, canary):
    """Let a repository's configuration and hooks leave `canary` wherever git would run something."""
    script = canary.with_name("trap.sh")
    script.write_text(f"#!/bin/sh\ntouch {canary}\ncat\n", encoding="utf-8")
    script.chmod(0o755)
    trap = str(script)
    hooks = repository / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "post-index-change", "reference-transaction", "pre-commit",
                 "post-commit", "fsmonitor-watchman", "post-merge", "pre-auto-gc"):  # fmt: skip
        (hooks / name).write_text(f"#!/bin/sh\ntouch {canary}\n", encoding="utf-8")
        (hooks / name).chmod(0o755)
    settings = {
        "filter.evil.clean": trap,
        "filter.evil.smudge": trap,
        "filter.evil.process": trap,
        "filter.evil.required": "true",
        "diff.evil.textconv": trap,
        "diff.evil.command": trap,
        "merge.evil.driver": trap,
        "diff.external": trap,
        "core.fsmonitor": trap,
        "core.hooksPath": str(hooks),
        "core.sshCommand": trap,
        "core.pager": trap,
        "core.editor": trap,
        "core.askPass": trap,
        "core.alternateRefsCommand": trap,
        "core.gitProxy": trap,
        "credential.helper": f"!{trap}",
        "gpg.program": trap,
        "commit.gpgSign": "true",
        "uploadpack.packObjectsHook": trap,
        "protocol.ext.allow": "always",
        f"url.ext::{trap} .insteadOf": str(canary.parent),
        "fetch.recurseSubmodules": "true",
        "submodule.recurse": "true",
        "gc.auto": "1",
        "fetch.fsckObjects": "true",
    }
    for key, value in settings.items():
        git(repository, "config", key, value)
    (repository / ".git" / "info").mkdir(exist_ok=True)
    attributes = "* filter=evil diff=evil merge=evil\n"
    (repository / ".git" / "info" / "attributes").write_text(attributes, encoding="utf-8")


@pytest.fixture
def canary(tmp_path):
    return tmp_path / "canary"


def test_the_traps_do_go_off_for_a_person(checkout, canary):
    set_traps(checkout, canary)
    (checkout / "a.py").write_text("changed\n", encoding="utf-8")
    subprocess.run(("git", "status"), cwd=checkout, capture_output=True, check=False)
    assert canary.exists()


def test_nothing_that_a_checkout_is_set_to_run_does(a_repository, canary, tmp_path):
    checkout = a_repository({**FILES, ".gitattributes": "* filter=evil diff=evil merge=evil\n"})
    other = a_repository({"x": "x"})
    alternates = checkout / ".git" / "objects" / "info" / "alternates"
    alternates.write_text(f"{other / '.git' / 'objects'}\n", encoding="utf-8")
    base = head_of(checkout)
    (checkout / "a.py").write_text("changed\n", encoding="utf-8")
    (checkout / "new.py").write_text("new\n", encoding="utf-8")
    set_traps(checkout, canary)
    assert "a.py" in read_checkout(checkout).dirty
    evidence = EvidenceRepository.open(tmp_path / "e.git", checkout / ".git")
    evidence.pin(base, GOAL)
    workspace = tmp_path / "w"
    evidence.make_workspace(workspace, base)
    change_everything(workspace)
    tree = evidence.snapshot(workspace, base)
    result = commit(evidence, tree, base)
    evidence.evidence(evidence.tree_of(base), tree)
    assert evidence.patch(evidence.tree_of(base), tree)
    assert evidence.read_blob(tree, "a.py") == b"one\n2\nthree\nfour\n"
    with suppress(RepositoryUnusable):  # `insteadOf` points elsewhere: refused is fine, run is not
        evidence.deliver(checkout, result, "goal/one")
    assert not canary.exists()


def test_delivery_arrives_in_a_checkout_full_of_traps(checkout, evidence, canary, workspace):
    base = head_of(checkout)
    change_everything(workspace)
    result = commit(evidence, evidence.snapshot(workspace, base), base)
    set_traps(checkout, canary)
    git(checkout, "config", "--remove-section", f"url.ext::{canary.with_name('trap.sh')} ")
    evidence.deliver(checkout, result, "goal/one")
    assert not canary.exists()
    (checkout / ".git" / "config").write_text("[core]\nbare = false\n", encoding="utf-8")
    assert git(checkout, "rev-parse", "goal/one") == result


def test_nothing_that_a_worker_sets_its_workspace_to_run_does(
    checkout, evidence, canary, workspace
):
    base = head_of(checkout)
    set_traps(workspace, canary)
    (workspace / ".gitattributes").write_text("* filter=evil diff=evil\n", encoding="utf-8")
    change_everything(workspace)
    tree = evidence.snapshot(workspace, base)
    evidence.patch(evidence.tree_of(base), tree)
    evidence.evidence(evidence.tree_of(base), tree)
    evidence.deliver(checkout, commit(evidence, tree, base), "goal/one")
    assert not canary.exists()
    assert evidence.read_blob(tree, "a.py") == b"one\n2\nthree\nfour\n"


# workspaces and what is taken from them


def test_a_workspace_holds_the_files_of_its_commit(checkout, workspace):
    assert git(workspace, "status", "--porcelain") == ""
    assert git(workspace, "rev-parse", "HEAD") == head_of(checkout)
    assert (workspace / "data.bin").read_bytes() == FILES["data.bin"]
    assert git(workspace, "remote") == ""


def test_a_snapshot_of_an_untouched_workspace_is_the_base(checkout, evidence, workspace):
    base = head_of(checkout)
    assert evidence.snapshot(workspace, base) == evidence.tree_of(base)


def test_a_snapshot_leaves_the_workspace_as_it_is(checkout, evidence, workspace):
    change_everything(workspace)
    before = fingerprint(workspace)
    evidence.snapshot(workspace, head_of(checkout))
    assert fingerprint(workspace) == before


def test_a_snapshot_leaves_out_what_is_ignored_or_excluded(checkout, evidence, workspace):
    base = head_of(checkout)
    (workspace / ".gitignore").write_text("*.log\n", encoding="utf-8")
    (workspace / "x.log").write_text("x", encoding="utf-8")
    (workspace / "build").mkdir()
    (workspace / "build" / "x").write_text("x", encoding="utf-8")
    tree = evidence.snapshot(workspace, base, ["build"])
    assert set(evidence.list_files(tree)) == {*FILES, ".gitignore"}


def test_what_a_worker_does_to_its_git_folder_means_nothing(checkout, evidence, workspace):
    base = head_of(checkout)
    git(workspace, "update-index", "--assume-unchanged", "a.py")
    (workspace / ".git" / "info").mkdir(exist_ok=True)
    (workspace / ".git" / "info" / "exclude").write_text("hidden.py\n", encoding="utf-8")
    (workspace / "a.py").write_text("changed\n", encoding="utf-8")
    (workspace / "hidden.py").write_text("x\n", encoding="utf-8")
    files = evidence.evidence(evidence.tree_of(base), evidence.snapshot(workspace, base)).paths
    assert files == {"a.py", "hidden.py"}


@pytest.mark.parametrize("name", ["inner", "sub/inner"])
def test_a_repository_inside_a_workspace_is_refused(checkout, evidence, workspace, name):
    git(workspace, "init", "-q", name)
    with pytest.raises(RepositoryUnusable, match=name):
        evidence.snapshot(workspace, head_of(checkout))


def test_a_submodule_is_kept_as_it_is(checkout, evidence, tmp_path):
    link = head_of(checkout)
    git(checkout, "update-index", "--add", "--cacheinfo", f"160000,{link},vendor/lib")
    git(checkout, "commit", "-qm", "a submodule")
    base, path = head_of(checkout), tmp_path / "with-submodule"
    evidence.make_workspace(path, base)
    assert evidence.snapshot(path, base) == evidence.tree_of(base)
    (path / "a.py").write_text("changed\n", encoding="utf-8")
    tree = evidence.snapshot(path, base)
    assert f"160000 commit {link}\tvendor/lib" in git(evidence.path, "ls-tree", "-r", tree)
    assert evidence.evidence(evidence.tree_of(base), tree).paths == {"a.py"}


def test_a_workspace_is_removed_even_when_it_is_read_only(evidence, workspace):
    (workspace / "sub").chmod(0o500)
    evidence.remove_workspace(workspace)
    assert not workspace.exists()


# what git says of a change


def test_the_evidence_is_what_git_says(checkout, evidence, workspace):
    base = head_of(checkout)
    change_everything(workspace)
    before, tree = evidence.tree_of(base), evidence.snapshot(workspace, base)
    found = evidence.evidence(before, tree)
    asked = ("-c", "core.quotePath=false", "diff", "-M", "--abbrev=40")
    told = []
    for line in git(evidence.path, *asked, "--raw", before, tree).splitlines():
        meta, *paths = line.split("\t", 1)[0], *line.split("\t")[1:]
        old_mode, mode, _, _, status = meta[1:].split(" ")
        old = paths[0] if status[0] == "R" else None
        told.append((status[0], old, paths[-1].strip('"').replace("\\t", "\t"), old_mode, mode))
    ours = [(f.status, f.old_path, f.path, f.old_mode, f.mode) for f in found.files]
    assert sorted(ours, key=str) == sorted(told, key=str)
    counts = [line.split("\t") for line in git(evidence.path, *asked, "--numstat", before, tree).splitlines()]  # fmt: skip
    assert found.additions == sum(int(count[0]) for count in counts if count[0] != "-")
    assert found.deletions == sum(int(count[1]) for count in counts if count[1] != "-")
    by_path = {file.path: file for file in found.files}
    assert by_path["data.bin"].binary and by_path["new.py"].old_path == "old.py"
    assert (by_path["run.sh"].old_mode, by_path["run.sh"].mode) == ("100644", "100755")
    assert by_path["link"].mode == "120000" and by_path["sub/deep.py"].status == "T"


def test_a_patch_makes_the_tree_again(checkout, evidence, workspace):
    base = head_of(checkout)
    change_everything(workspace)
    tree = evidence.snapshot(workspace, base)
    patch = evidence.patch(evidence.tree_of(base), tree)
    subprocess.run(("git", "apply", "--index"), cwd=checkout, input=patch, check=True)
    assert git(checkout, "write-tree") == tree


def test_an_overlay_takes_the_named_paths_and_their_deletions(checkout, evidence, workspace):
    base = evidence.tree_of(head_of(checkout))
    change_everything(workspace)
    tree = evidence.snapshot(workspace, head_of(checkout))
    mixed = evidence.overlay(base, tree, ["gone.py", "new.py", "sub/deep.py"])
    assert evidence.evidence(base, mixed).paths == {"gone.py", "new.py", "sub/deep.py"}
    assert "gone.py" not in evidence.list_files(mixed)
    assert evidence.overlay(base, tree, []) == base
    everything = evidence.evidence(base, tree).paths
    assert evidence.overlay(base, tree, everything) == tree


def test_a_commit_is_the_same_every_time_and_whatever_the_persons_settings(
    checkout, evidence, monkeypatch
):
    tree = evidence.tree_of(head_of(checkout))
    first = commit(evidence, tree, head_of(checkout))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Eve")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert commit(evidence, tree, head_of(checkout)) == first


def changed(evidence, base, path, name, text):
    evidence.make_workspace(path, base)
    (path / name).write_text(text, encoding="utf-8")
    return commit(evidence, evidence.snapshot(path, base), base)


def test_two_changes_merge_or_name_their_conflicts(checkout, evidence, tmp_path):
    base = head_of(checkout)
    one = changed(evidence, base, tmp_path / "1", "a.py", "mine\n")
    two = changed(evidence, base, tmp_path / "2", "run.sh", "mine\n")
    three = changed(evidence, base, tmp_path / "3", "a.py", "theirs\n")
    merged = evidence.merge(one, two)
    assert merged.tree is not None and merged.conflicts == ()
    paths = evidence.evidence(evidence.tree_of(base), merged.tree).paths
    assert paths == {"a.py", "run.sh"}
    conflict = evidence.merge(one, three)
    assert (conflict.tree, conflict.conflicts) == (None, ("a.py",))


# in and out


def test_a_bundle_brings_the_change_to_another_clone(checkout, evidence, tmp_path):
    base = head_of(checkout)
    result = changed(evidence, base, tmp_path / "1", "a.py", "mine\n")
    evidence.write_bundle(tmp_path / "change.bundle", result, base)
    git(tmp_path, "clone", "-q", str(checkout), "clone")
    other = EvidenceRepository.open(tmp_path / "other.git", tmp_path / "clone" / ".git")
    assert not other.has_commit(result)
    assert other.read_bundle(tmp_path / "change.bundle") == result
    assert other.tree_of(result) == evidence.tree_of(result)


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "empty"])
def test_a_damaged_bundle_is_refused(checkout, evidence, tmp_path, damage):
    base = head_of(checkout)
    path = tmp_path / "change.bundle"
    result = changed(evidence, base, tmp_path / "1", "a.py", "mine\n" * 100)
    evidence.write_bundle(path, result, base)
    data = path.read_bytes()
    flipped = data[:-30] + bytes([data[-30] ^ 0xFF]) + data[-29:]
    ruined = {"cut": data[:-40], "flipped": flipped, "text": b"hello\n", "empty": b""}
    path.write_bytes(ruined.get(damage, data))
    other = EvidenceRepository.open(tmp_path / "other.git", checkout / ".git")
    with pytest.raises(ProofRefused, match=r"change\.bundle"):
        other.read_bundle(path)


def test_a_pinned_base_survives_the_persons_repository(checkout, evidence, tmp_path):
    base = head_of(checkout)
    evidence.pin(base, GOAL)
    (evidence.path / "objects" / "info" / "alternates").unlink()
    assert evidence.has_commit(base)
    assert set(evidence.list_files(evidence.tree_of(base))) == set(FILES)
    assert evidence.read_blob(evidence.tree_of(base), "a.py") == FILES["a.py"].encode()
    evidence.drop_results(GOAL, all_of_it=True)
    assert git(evidence.path, "for-each-ref") == ""


def test_a_delivery_makes_one_branch_and_nothing_else(checkout, evidence, tmp_path):
    base = head_of(checkout)
    result = changed(evidence, base, tmp_path / "1", "a.py", "mine\n")
    before, refs = fingerprint(checkout), git(checkout, "for-each-ref")
    evidence.deliver(checkout, result, "goal/one")
    evidence.deliver(checkout, result, "goal/one")
    after = fingerprint(checkout)
    new = {name for name in after if after[name] != before.get(name)}
    assert {name for name in new if not name.startswith(".git/objects/")} == {
        ".git/refs/heads/goal/one"
    }
    assert set(before) <= set(after)
    assert git(checkout, "for-each-ref") == f"{result} commit\trefs/heads/goal/one\n{refs}"
    assert git(checkout, "status", "--porcelain") == ""
    git(checkout, "fsck", "--strict")


@pytest.mark.parametrize("name", ["taken", "-x", "a..b", "x.lock", "a b", ""])
def test_a_branch_that_is_taken_or_no_name_is_refused(checkout, evidence, tmp_path, name):
    base = head_of(checkout)
    git(checkout, "branch", "taken")
    result = changed(evidence, base, tmp_path / "1", "a.py", "mine\n")
    before = fingerprint(checkout)
    with pytest.raises(ChangeDoesNotFit):
        evidence.deliver(checkout, result, name)
    assert fingerprint(checkout) == before


def test_a_blob_that_is_not_there_is_none(checkout, evidence):
    tree = evidence.tree_of(head_of(checkout))
    for path in ("nowhere", "sub", "sub/nowhere", "a.py/x", ""):
        assert evidence.read_blob(tree, path) is None
