"""Nothing that a repository or a worker plants is run by any function of ours (S04–S06, S11).

A canary is a command that leaves a file.  Each planted way is first shown to work on plain git, so
that a test which finds no file has looked for the right thing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from goal_engine.errors import RepositoryUnusable
from goal_engine.runtime.git import list_ignored
from goal_engine.runtime.repository import EvidenceRepository, read_checkout
from goal_engine.types import GoalId, Person

pytestmark = pytest.mark.one_python

GOAL = GoalId("goal-20260102-030405-006-0123abcd")
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ADA = Person(name="Ada", email="ada@example.org")
FILES = {
    "app.py": "x = 1\n",
    "old.txt": "1\n2\n3\n4\n",
    ".gitattributes": "* filter=evil diff=evil merge=evil\napp.py filter=a=b.c\n",
}
HOOKS = (
    "applypatch-msg", "pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "pre-rebase",
    "post-checkout", "post-merge", "pre-push", "pre-receive", "update", "post-receive", "post-update",
    "reference-transaction", "pre-auto-gc", "post-rewrite", "post-index-change", "fsmonitor-watchman",
    "proc-receive", "push-to-checkout", "sendemail-validate",
)  # fmt: skip


class Canary:
    """Scripts that leave a file named after the way they were started."""

    def __init__(self, folder):
        self.folder = folder / "canaries"
        self.scripts = folder / "scripts"
        self.folder.mkdir()
        self.scripts.mkdir()

    def script(self, name, then="cat 2>/dev/null"):
        path = self.scripts / name
        path.write_text(f"#!/bin/sh\n: > '{self.folder}/{name}'\n{then}\n")
        path.chmod(0o755)
        return str(path)

    def sung(self):
        found = sorted(os.listdir(self.folder))
        for name in found:
            (self.folder / name).unlink()
        return found


@pytest.fixture
def canary(tmp_path):
    return Canary(tmp_path)


def git(where, *arguments, check=True):
    return subprocess.run(
        ("git", *arguments), cwd=where, check=check, capture_output=True, stdin=subprocess.DEVNULL
    )


def plant(git_dir, canary):
    """Write every way that we know of to run something into a git directory."""
    script = canary.script
    settings = {
        "core.fsmonitor": script("fsmonitor"),
        "core.pager": script("pager"),
        "core.editor": script("editor"),
        "core.sshCommand": script("ssh"),
        "core.askPass": script("askpass"),
        "core.gitProxy": script("proxy"),
        "core.alternateRefsCommand": script("alternate-refs"),
        "credential.helper": script("credential"),
        "diff.external": script("external"),
        "gpg.program": script("gpg"),
        "commit.gpgSign": "true",
        "tag.gpgSign": "true",
        "log.showSignature": "true",
        "uploadpack.packObjectsHook": script("pack-objects"),
        "alias.status": "!" + script("alias"),
        "interactive.diffFilter": script("interactive"),
        "sequence.editor": script("sequence"),
        "trace2.eventTarget": str(canary.folder / "trace2"),
        "url.ext::sh -c evil.insteadOf": "/",
        "protocol.allow": "always",
        "protocol.ext.allow": "always",
        "submodule.recurse": "true",
        "fetch.fsckObjects": "false",
    }
    for name in ("evil", "a=b.c", "c d"):
        settings |= {
            f"filter.{name}.clean": script("clean"),
            f"filter.{name}.smudge": script("smudge"),
            f"filter.{name}.required": "true",
            f"diff.{name}.textconv": script("textconv"),
            f"diff.{name}.command": script("diff-command"),
            f"merge.{name}.driver": script("merge-driver"),
        }
    settings["filter.c d.process"] = script("process")
    hooks = git_dir / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in HOOKS:
        shutil.copy(script(f"hook-{hook}"), hooks / hook)
    for key, value in settings.items():
        git(git_dir, "config", "--file", str(git_dir / "config"), key, value)


def use_everything(root, scratch):
    """Call every function that touches a checkout or a workspace, and yield each workspace first."""
    status = read_checkout(root)
    list_ignored(root)
    evidence = EvidenceRepository.open(scratch / "evidence", status.git_dir)
    evidence.pin(status.commit, GOAL)
    ws = scratch / "work" / "task"
    evidence.make_workspace(ws, status.commit)
    (ws / "app.py").write_text("x = 2\n")
    (ws / "old.txt").rename(ws / "new.txt")
    yield SimpleNamespace(ws=ws, evidence=evidence, status=status)
    tree = evidence.snapshot(ws, status.commit)
    commit = evidence.commit(tree, (status.commit,), author=ADA, at=AT, message="m")
    evidence.keep(GOAL, "task-a", commit)
    other = evidence.commit(status.tree, (status.commit,), author=ADA, at=AT, message="m")
    assert evidence.merge(commit, other).tree == tree
    assert evidence.evidence(status.tree, tree).paths >= {"app.py", "new.txt", "old.txt"}
    assert evidence.patch(status.tree, tree)
    assert evidence.read_blob(tree, "app.py") == b"x = 2\n"
    evidence.overlay(status.tree, tree, ["app.py"])
    evidence.list_files(tree)
    evidence.write_bundle(scratch / "bundle", commit, status.commit)
    assert evidence.read_bundle(scratch / "bundle") == commit
    evidence.deliver(status.git_dir, commit, "goal/x-1")
    evidence.reset_workspace(ws, status.commit)
    evidence.drop_results(GOAL, all_of_it=True)
    evidence.remove_workspace(ws)
    evidence.close()


def test_the_canaries_sing_for_plain_git(a_repository, canary):
    root = a_repository(FILES)
    plant(root / ".git", canary)
    (root / "app.py").write_text("x = 2\n")
    for command in (
        "status",
        "add -A",
        "diff HEAD~0",
        "commit -m x",
        "fetch /nowhere",
        "update-ref refs/heads/x HEAD",
    ):
        git(root, *command.split(), check=False)
    assert {"fsmonitor", "clean", "hook-reference-transaction", "gpg"} <= set(canary.sung())


def test_a_hostile_checkout_runs_nothing(a_repository, canary, tmp_path):
    root = a_repository(FILES)
    plant(root / ".git", canary)
    (root / "app.py").write_text("x = 3\n")  # dirty, so that git has to look into it
    os.utime(root / "old.txt")
    assert "app.py" in read_checkout(root).dirty
    for _ in use_everything(root, tmp_path):
        pass
    assert canary.sung() == []


def test_configuration_that_a_repository_includes_runs_nothing(a_repository, canary, tmp_path):
    root = a_repository(FILES)
    outer = tmp_path / "outer"
    outer.mkdir()
    plant(outer, canary)
    git(root, "config", "include.path", str(outer / "config"))
    (root / "app.py").write_text("x = 3\n")
    for _ in use_everything(root, tmp_path):
        pass
    assert canary.sung() == []


@pytest.mark.parametrize("way", ["own", "gitfile", "commondir", "link", "worktree-config"])
def test_a_hostile_workspace_runs_nothing(a_repository, canary, tmp_path, way):
    root = a_repository(FILES)
    evil = tmp_path / "evil"
    git(tmp_path, "init", "--quiet", str(evil))
    plant(evil / ".git", canary)
    for given in use_everything(root, tmp_path):
        own = given.ws / ".git"
        if way == "own":
            plant(own, canary)
        elif way == "commondir":
            (own / "commondir").write_text(f"{evil / '.git'}\n")
        elif way == "worktree-config":
            git(given.ws, "config", "extensions.worktreeConfig", "true")
            plant(evil / ".git", canary)
            shutil.copy(evil / ".git" / "config", own / "config.worktree")
        else:
            shutil.rmtree(own)
            if way == "gitfile":
                own.write_text(f"gitdir: {evil / '.git'}\n")
            else:
                own.symlink_to(evil / ".git")
        assert git(given.ws, "status", check=False) is not None
        canary.sung()  # what the worker itself started is its own affair
    assert canary.sung() == []


def test_a_workspace_s_own_index_cannot_hide_a_change(a_repository, tmp_path):
    root = a_repository(FILES)
    for given in use_everything(root, tmp_path):
        git(given.ws, "update-index", "--assume-unchanged", "app.py")
        git(given.ws, "update-index", "--skip-worktree", "old.txt")
        (given.ws / ".git" / "info").mkdir(exist_ok=True)
        (given.ws / ".git" / "info" / "exclude").write_text("*\n")
        (given.ws / ".git" / "info" / "attributes").write_text("* -text\n")


def test_a_repository_planted_where_a_submodule_belongs_is_refused_and_not_run(
    a_repository, canary, tmp_path
):
    root = a_repository({"app.py": ""})
    evil = a_repository({"a.py": "", ".gitattributes": "* filter=evil\n"})
    oid = git(evil, "rev-parse", "HEAD").stdout.decode().strip()
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{oid},sub")
    git(root, "commit", "--quiet", "-m", "submodule")
    status = read_checkout(root)
    evidence = EvidenceRepository.open(tmp_path / "evidence", status.git_dir)
    ws = tmp_path / "ws"
    evidence.make_workspace(ws, status.commit)
    shutil.rmtree(ws / "sub")
    shutil.copytree(evil, ws / "sub")
    plant(ws / "sub" / ".git", canary)
    (ws / "sub" / "a.py").write_text("changed")
    with pytest.raises(RepositoryUnusable, match="in sub;"):
        evidence.snapshot(ws, status.commit)
    assert canary.sung() == []


def test_a_missing_object_is_not_fetched_by_a_command_of_the_repository(
    a_repository, canary, tmp_path
):
    root = a_repository({"app.py": "x = 1\n"})
    tree = git(root, "rev-parse", "HEAD^{tree}").stdout.decode().strip()
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": str(root),
        "remote.origin.uploadpack": canary.script("uploadpack", "exit 1"),
    }.items():
        git(root, "config", key, value)
    (root / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    git(root, "status", check=False)
    assert canary.sung() == ["uploadpack"]
    with pytest.raises(RepositoryUnusable):
        read_checkout(root)
    evidence = EvidenceRepository.open(tmp_path / "evidence", root / ".git")
    head = (root / ".git" / "refs" / "heads" / "main").read_text().strip()
    with pytest.raises(RepositoryUnusable, match="partial clone"):
        evidence.pin(head, GOAL)
    assert canary.sung() == []


INHERITED = {
    "GIT_DIR": "{evil}",
    "GIT_COMMON_DIR": "{evil}",
    "GIT_WORK_TREE": "/",
    "GIT_INDEX_FILE": "{evil}/index",
    "GIT_OBJECT_DIRECTORY": "{evil}/objects",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES": "{evil}/objects",
    "GIT_NAMESPACE": "evil",
    "GIT_CONFIG_PARAMETERS": "'core.fsmonitor={script}'",
    "GIT_CONFIG_GLOBAL": "{evil}/config",
    "GIT_EXTERNAL_DIFF": "{script}",
    "GIT_SSH_COMMAND": "{script}",
    "GIT_EXEC_PATH": "{evil}",
    "GIT_LITERAL_PATHSPECS": "0",
    "GIT_DEFAULT_HASH": "sha256",
    "GIT_TEMPLATE_DIR": "{evil}",
    "GIT_CEILING_DIRECTORIES": "/",
}


def test_variables_of_a_git_that_started_us_mean_nothing(
    a_repository, canary, tmp_path, monkeypatch
):
    root = a_repository(FILES)
    evil = tmp_path / "evil"
    git(tmp_path, "init", "--quiet", str(evil))
    plant(evil / ".git", canary)
    before = sorted((p, p.read_bytes()) for p in evil.rglob("*") if p.is_file())
    for name, value in INHERITED.items():
        monkeypatch.setenv(name, value.format(evil=evil / ".git", script=canary.script("env")))
    for _ in use_everything(root, tmp_path):
        pass
    assert sorted((p, p.read_bytes()) for p in evil.rglob("*") if p.is_file()) == before
    assert canary.sung() == []


def test_replaced_objects_are_seen_as_they_are(a_repository, tmp_path):
    root = a_repository(FILES)
    truth = read_checkout(root)
    (root / "app.py").write_text("a lie\n")
    git(root, "commit", "--quiet", "-am", "lie")
    git(root, "replace", truth.commit, "HEAD")
    git(root, "reset", "--quiet", "--soft", truth.commit)
    status = read_checkout(root)
    assert (status.commit, status.tree) == (truth.commit, truth.tree)


def test_file_names_that_look_like_options_and_patterns_are_file_names(a_repository, tmp_path):
    names = ["-rf", "--output=x", ":(exclude)app.py", "*", "a;b $(touch c) `d` | e", "'q\"", "\\n"]
    root = a_repository(dict.fromkeys(names, "1\n"))
    status = read_checkout(root)
    evidence = EvidenceRepository.open(tmp_path / "evidence", status.git_dir)
    ws = tmp_path / "ws"
    evidence.make_workspace(ws, status.commit)
    for name in names:
        (ws / name).write_text("2\n")
    tree = evidence.snapshot(ws, status.commit, exclude=["*"])
    assert evidence.evidence(status.tree, tree).paths == set(names) - {"*"}
    assert evidence.read_blob(tree, ":(exclude)app.py") == b"2\n"
    mixed = evidence.overlay(status.tree, tree, ["-rf", "*"])
    assert evidence.evidence(status.tree, mixed).paths == {"-rf"}
    evidence.close()


def test_a_repository_in_a_folder_with_an_odd_name_can_be_used(a_repository, tmp_path):
    odd = tmp_path / 'new\nline "quoted" \\back: ünï'
    shutil.copytree(a_repository(FILES), odd)
    for _ in use_everything(odd, tmp_path):
        pass
