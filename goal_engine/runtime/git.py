"""The only module that spells a git argument.

Every command runs hardened: a clean environment, no configuration but ours and the repository's,
and of that nothing that could execute (DESIGN §4; reliability S04).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from goal_engine.errors import RepositoryUnusable, ToolMissing
from goal_engine.types import Person

FLOOR = (2, 38)
"""`merge-tree --write-tree` is there from 2.38 on."""
TIMEOUT = 120.0
"""Seconds."""

HARDENED = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.editor=true",
    "core.askPass=true",
    "core.alternateRefsCommand=true",
    "core.sshCommand=false",
    "core.untrackedCache=false",
    "core.quotePath=true",
    "core.autocrlf=false",
    "core.logAllRefUpdates=false",
    "credential.helper=",
    "diff.external=",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.allow=never",
    "protocol.file.allow=always",
    "submodule.recurse=false",
    "safe.directory=*",
    "uploadpack.packObjectsHook=",
    "advice.detachedHead=false",
)
EXECUTES = r"^(filter\..*\.(clean|smudge|process|required)|merge\..*\.driver|diff\..*\.(textconv|command))$"
"""Keys by which a repository's own configuration makes git run something."""
EMPTY_TREE_SHA1 = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


@dataclass(frozen=True, slots=True)
class GitOutput:
    """What a git command said."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """The output as text, without the newline at its end."""
        return self.stdout.decode("utf-8", "surrogateescape").rstrip("\n")


class GitFailed(RepositoryUnusable):
    """A git command ended badly; the message has its last words."""


def safe_git(
    args: Sequence[str],
    *,
    git_dir: Path | None = None,
    work_tree: Path | None = None,
    index: Path | None = None,
    cwd: Path | None = None,
    stdin: bytes = b"",
    timeout: float = TIMEOUT,
    ok: Sequence[int] = (0,),
    env: Mapping[str, str] | None = None,
    blank: Sequence[str] = (),
) -> GitOutput:
    """Run git hardened and return what it said.

    `blank` are further configuration keys to empty.  Raises `ToolMissing` without git and
    `GitFailed` for an exit code that is not in `ok`.
    """
    settings = [*HARDENED, *(f"{key}=" for key in blank)]
    if work_tree is not None:
        settings.append("core.bare=false")
    command = ["git", "--no-pager", "--no-optional-locks", "--literal-pathspecs"]
    for setting in settings:
        command += ["-c", setting]
    told = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file",  # also over a repository's own `protocol.ext.allow`
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        **{
            name: str(path)
            for name, path in (
                ("GIT_DIR", git_dir),
                ("GIT_WORK_TREE", work_tree),
                ("GIT_INDEX_FILE", index),
            )
            if path is not None
        },
        **(env or {}),
    }
    try:
        done = subprocess.run(
            [*command, *args],
            cwd=cwd or git_dir or work_tree,
            env=told,
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise _missing() from error
    except subprocess.TimeoutExpired as error:
        raise GitFailed(f"git {args[0]} did not end within {timeout:g} s.") from error
    if done.returncode not in ok:
        words = done.stderr.decode("utf-8", "replace").strip()[-500:]
        raise GitFailed(f"git {args[0]} failed with exit code {done.returncode}: {words}")
    return GitOutput(done.returncode, done.stdout, done.stderr)


def _missing() -> ToolMissing:
    return ToolMissing(
        "git was not found: install git 2.38 or newer and make sure that it is on PATH."
    )


def require_git() -> tuple[int, ...]:
    """Return git's version.  Raises `ToolMissing` when it is absent or older than 2.38."""
    program = shutil.which("git")
    if program is None:
        raise _missing()
    version = _ask_version(program)
    if version < FLOOR:
        raise ToolMissing(
            f"{program} is version {'.'.join(map(str, version))}, too old: install git 2.38 or "
            "newer (`git merge-tree --write-tree` is needed)."
        )
    return version


@cache
def _ask_version(program: str) -> tuple[int, ...]:
    said = subprocess.run([program, "--version"], capture_output=True, check=False, timeout=30)
    found = re.search(rb"(\d+)\.(\d+)(?:\.(\d+))?", said.stdout)
    return tuple(int(part) for part in found.groups() if part) if found else (0,)


# What the person's repository says: nothing here changes it.


def find_git_dirs(path: Path) -> tuple[Path, Path, bool]:
    """Return the git directory, the common one (another for a linked worktree) and whether bare."""
    asked = ["rev-parse", "--absolute-git-dir", "--path-format=absolute", "--git-common-dir"]
    lines = safe_git([*asked, "--is-bare-repository"], cwd=path).text.split("\n")
    return Path(lines[0]), Path(lines[1]), lines[2] == "true"


def find_top(path: Path) -> Path:
    """Return the root of the working tree."""
    return Path(safe_git(["rev-parse", "--show-toplevel"], cwd=path).text)


def find_commit(git_dir: Path, name: str) -> str | None:
    """Return the commit that `name` means, if there is one."""
    asked = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    said = safe_git(asked, git_dir=git_dir, ok=(0, 1, 128))
    return said.text if said.code == 0 else None


def find_tree(git_dir: Path, commit: str) -> str:
    """Return the tree of a commit."""
    asked = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{tree}}"]
    return safe_git(asked, git_dir=git_dir).text


def find_branch(git_dir: Path) -> str | None:
    """Return the branch that is checked out, `None` for a detached head."""
    said = safe_git(["symbolic-ref", "--quiet", "--short", "HEAD"], git_dir=git_dir, ok=(0, 1))
    return said.text or None


def list_changed(top: Path) -> tuple[str, ...]:
    """Return what differs from the last commit, untracked files too; runs no filter."""
    asked = ["status", "--porcelain=v2", "-z", "--no-renames", "--ignore-submodules=all"]
    records = safe_git(asked, cwd=top, blank=find_executing(top)).text.split("\0")
    wanted = {"1": 8, "u": 10, "?": 1}
    return tuple(
        record.split(" ", wanted[record[0]])[-1] for record in records if record[:1] in wanted
    )


def find_executing(path: Path) -> tuple[str, ...]:
    """Return the keys of a repository's configuration by which git would run something."""
    asked = ["config", "--includes", "--name-only", "-z", "--get-regexp", EXECUTES]
    return tuple(key for key in safe_git(asked, cwd=path, ok=(0, 1)).text.split("\0") if key)


def list_ignored(checkout: Path) -> tuple[str, ...]:
    """Return the untracked files that git ignores; a wholly ignored directory ends with `/`."""
    asked = ["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"]
    found = safe_git(asked, cwd=checkout, blank=find_executing(checkout))
    return tuple(path for path in found.text.split("\0") if path)


def read_person(path: Path) -> Person:
    """Return who commits here, by the person's own configuration."""
    own = {"GIT_CONFIG_GLOBAL": "", "GIT_CONFIG_NOSYSTEM": "0"}
    for name in ("XDG_CONFIG_HOME",):
        if name in os.environ:
            own[name] = os.environ[name]
    given = os.environ.get("GIT_CONFIG_GLOBAL")
    env = {**own, "GIT_CONFIG_GLOBAL": given} if given else own
    if not given:
        home = Path(os.environ.get("HOME", "/")) / ".gitconfig"
        xdg = Path(os.environ.get("XDG_CONFIG_HOME") or home.parent / ".config") / "git" / "config"
        env["GIT_CONFIG_GLOBAL"] = str(home if home.exists() else xdg)
    values = []
    for key in ("user.name", "user.email"):
        said = safe_git(["config", "--get", key], cwd=path, ok=(0, 1), env=env)
        values.append(said.text.strip())
    return Person(name=values[0] or "Goalproof", email=values[1] or "goalproof@localhost")


def add_branch(top: Path, source: Path, ref: str, branch: str) -> None:
    """Make one branch in the person's repository from a ref of ours: no tag, no FETCH_HEAD."""
    options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"]
    asked = ["fetch", *options, "--no-recurse-submodules", "--end-of-options"]
    target = f"{ref}:refs/heads/{branch}"
    safe_git([*asked, str(source), target], cwd=top, blank=find_executing(top))


def is_branch_name(branch: str) -> bool:
    """Whether git takes `branch` as a name."""
    return (
        safe_git(["check-ref-format", "--branch", branch], cwd=Path("/"), ok=(0, 1, 128)).code == 0
    )


# The evidence repository, which is ours.


def init_bare(path: Path) -> None:
    """Make a bare repository without templates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    safe_git(["init", "--quiet", "--bare", "--template=", str(path)], cwd=path.parent)


def init_workspace(path: Path) -> None:
    """Make a repository with a working tree, without templates."""
    safe_git(["init", "--quiet", "--template=", "--initial-branch=goal", str(path)], cwd=path)


def checkout_all(workspace: Path, commit: str) -> None:
    """Put the files of `commit` there, its head detached."""
    safe_git(["update-ref", "--no-deref", "HEAD", commit], git_dir=workspace / ".git")
    safe_git(
        ["read-tree", "--reset", "-u", commit], git_dir=workspace / ".git", work_tree=workspace
    )


def update_ref(git_dir: Path, ref: str, commit: str) -> None:
    """Let `ref` be `commit`."""
    safe_git(["update-ref", "--no-deref", ref, commit], git_dir=git_dir)


def delete_refs(git_dir: Path, prefix: str) -> None:
    """Remove every ref below `prefix`."""
    refs = safe_git(["for-each-ref", "--format=delete %(refname)", prefix], git_dir=git_dir)
    if refs.stdout:
        safe_git(["update-ref", "--stdin"], git_dir=git_dir, stdin=refs.stdout)


def pack_commit(git_dir: Path, commit: str) -> None:
    """Copy a commit and its files into a pack of this repository, so that it stands alone."""
    listed = safe_git(["rev-list", "--objects", "--no-walk", commit], git_dir=git_dir).stdout
    names = b"".join(line.split(b" ")[0] + b"\n" for line in listed.splitlines())
    target = git_dir / "objects" / "pack" / "pack"
    target.parent.mkdir(parents=True, exist_ok=True)
    safe_git(["pack-objects", "--quiet", str(target)], git_dir=git_dir, stdin=names)


def read_tree(git_dir: Path, index: Path, tree: str) -> None:
    """Fill an index from a tree."""
    safe_git(["read-tree", tree], git_dir=git_dir, index=index)


def add_all(git_dir: Path, index: Path, work_tree: Path) -> None:
    """Take every file of a working tree that is not ignored into an index."""
    safe_git(
        ["add", "--all", "--", "."],
        git_dir=git_dir,
        index=index,
        work_tree=work_tree,
        cwd=work_tree,
    )


def write_tree(git_dir: Path, index: Path) -> str:
    """Return the tree of an index."""
    return safe_git(["write-tree"], git_dir=git_dir, index=index).text


def update_index(git_dir: Path, index: Path, records: bytes) -> None:
    """Change entries of an index: `mode SP oid TAB path NUL`, mode 0 removes."""
    safe_git(["update-index", "-z", "--index-info"], git_dir=git_dir, index=index, stdin=records)


def list_tree(git_dir: Path, tree: str) -> bytes:
    """Return the records of `ls-tree -r -z` of a tree."""
    return safe_git(["ls-tree", "-r", "-z", "--full-tree", tree], git_dir=git_dir).stdout


def commit_tree(
    git_dir: Path, tree: str, parents: Sequence[str], author: Person, at: datetime, message: str
) -> str:
    """Return the commit of these values: the same values give the same commit."""
    date = f"{int(at.timestamp())} +0000"
    env: dict[str, str] = {}
    for role in ("AUTHOR", "COMMITTER"):
        env |= {
            f"GIT_{role}_NAME": author.name,
            f"GIT_{role}_EMAIL": author.email,
            f"GIT_{role}_DATE": date,
        }
    args = ["commit-tree", tree]
    for parent in parents:
        args += ["-p", parent]
    return safe_git(args, git_dir=git_dir, stdin=message.encode(), env=env).text


def merge_trees(git_dir: Path, ours: str, theirs: str) -> GitOutput:
    """Merge two commits without a working tree; code 1 is a conflict."""
    asked = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs]
    return safe_git(asked, git_dir=git_dir, ok=(0, 1))


def diff_records(git_dir: Path, base: str, tree: str) -> bytes:
    """Return the raw and counted records of a change."""
    options = [
        "--raw",
        "--numstat",
        "-z",
        "-r",
        "-M",
        "--no-ext-diff",
        "--no-textconv",
        "--full-index",
    ]
    return safe_git(["diff-tree", *options, base, tree], git_dir=git_dir).stdout


def diff_patch(git_dir: Path, base: str, tree: str) -> bytes:
    """Return a change as a patch that `git apply` takes."""
    options = ["-p", "-r", "-M", "--binary", "--full-index", "--no-ext-diff", "--no-textconv"]
    return safe_git(["diff-tree", *options, "--no-color", base, tree], git_dir=git_dir).stdout


def create_bundle(git_dir: Path, path: Path, ref: str, base: str) -> None:
    """Write what `ref` has beyond `base`."""
    safe_git(["bundle", "create", "--quiet", str(path), ref, f"^{base}"], git_dir=git_dir)


def fetch_bundle(git_dir: Path, path: Path, ref: str) -> None:
    """Take the one ref of a bundle in as `ref`."""
    options = ["--quiet", "--no-tags", "--no-write-fetch-head"]
    safe_git(["fetch", *options, str(path), f"+refs/*:{ref}/*"], git_dir=git_dir)


def verify_bundle(git_dir: Path, path: Path) -> GitOutput:
    """Say whether a bundle is whole and what it needs is there."""
    return safe_git(["bundle", "verify", "--quiet", str(path)], git_dir=git_dir, ok=(0, 1, 128))


def list_refs(git_dir: Path, prefix: str) -> tuple[str, ...]:
    """Return the commits of the refs below `prefix`."""
    said = safe_git(["for-each-ref", "--format=%(objectname)", prefix], git_dir=git_dir)
    return tuple(said.text.split())


def init_sample(path: Path, message: str) -> None:
    """Make a repository of the files in `path`, with one commit."""
    safe_git(["init", "--quiet", "--template=", "--initial-branch=main", str(path)], cwd=path)
    safe_git(["add", "--all"], cwd=path)
    who = ["-c", "user.name=Goalproof", "-c", "user.email=goalproof@localhost"]
    safe_git([*who, "commit", "--quiet", "-m", message], cwd=path)
