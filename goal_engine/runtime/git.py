"""The only module that spells a git argument.

Every command runs hardened: a clean environment, no configuration but ours and the repository's,
and of that nothing that could execute (DESIGN §4; reliability S04).  No command may speak to
another repository: what moves between two of them is a pack on a pipe.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
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
LONG = 1800.0
"""Seconds for what goes through all of a repository."""

HARDENED = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "core.editor": "true",
    "core.askPass": "true",
    "core.sshCommand": "false",
    "core.gitProxy": "false",
    "core.alternateRefsCommand": "true",
    "core.untrackedCache": "false",
    "core.excludesFile": os.devnull,
    "core.attributesFile": os.devnull,
    "core.quotePath": "true",
    "core.autocrlf": "false",
    "core.logAllRefUpdates": "false",
    "core.fileMode": "true",
    "core.symlinks": "true",
    "credential.helper": "",
    "diff.external": "",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "protocol.ext.allow": "never",
    "submodule.recurse": "false",
    "status.submoduleSummary": "false",
    "uploadpack.packObjectsHook": "",
    "safe.directory": "*",
    "advice.detachedHead": "false",
    "checkout.workers": "2",
}
"""What no repository's configuration can change.  `safe.directory` since trust is decided elsewhere."""
EXECUTES = r"^(filter\..*\.(clean|smudge|process|required)|merge\..*\.driver|diff\..*\.(textconv|command))$"
"""Keys by which a repository's own configuration makes git run something."""
FORMS = ("autocrlf", "eol", "filemode", "symlinks", "ignorecase", "precomposeunicode")
"""Keys of `core` that say how a checkout's files differ from what git keeps; none runs anything."""
PERSONAL = rf"^((user|author)\.(name|email)|core\.(excludesfile|{'|'.join(FORMS)}))$"
BRANCH_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
"""Narrower than git's own rule, which allows a leading dash in places (reliability S11)."""
OID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
NOBODY = Person(name="Goalproof", email="goalproof@localhost")


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

    @property
    def complaint(self) -> str:
        """The last of what it said on standard error, on one line."""
        return " ".join(self.stderr.decode("utf-8", "replace").split())[-500:]


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
    env: Mapping[str, str | None] | None = None,
    settings: Mapping[str, str] | None = None,
) -> GitOutput:
    """Run git hardened and return what it said; pathspecs are literal.

    `env` adds variables, and removes those that are `None` there; `settings` are further configuration, stronger than the repository's.  Raises `ToolMissing`
    without git and `GitFailed` for an exit code that is not in `ok` or after `timeout` seconds.
    """
    places = {"GIT_DIR": git_dir, "GIT_WORK_TREE": work_tree, "GIT_INDEX_FILE": index}
    bare = {} if work_tree is None else {"core.bare": "false"}
    told = _environment({**HARDENED, **bare, **(settings or {})})
    told |= {name: str(path) for name, path in places.items() if path is not None}
    given = {**told, **(env or {})}
    kept = {name: value for name, value in given.items() if value is not None}
    process = _start(args, cwd or work_tree or git_dir, kept)
    try:
        out, err = process.communicate(stdin, timeout)
    except subprocess.TimeoutExpired as error:
        raise GitFailed(f"git {args[0]} did not end within {timeout:g} s.") from error
    finally:
        _end(process)
    output = GitOutput(process.returncode, out, err)
    if output.code not in ok:
        raise GitFailed(f"git {args[0]} failed with exit code {output.code}: {output.complaint}")
    return output


def start_reader(args: Sequence[str], git_dir: Path) -> subprocess.Popen[bytes]:
    """Start a git that answers on its standard output for as long as it is asked."""
    told = {**_environment(HARDENED), "GIT_DIR": str(git_dir)}
    return _start(args, git_dir, told, errors=subprocess.DEVNULL)


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Nothing is inherited but where programs and the home are.

    The settings go by the environment because `-c` cannot spell a key that contains `=`.
    """
    told = {
        "PATH": _search_path(),
        "HOME": os.environ.get("HOME", "/"),
        "XDG_CONFIG_HOME": os.devnull,
        "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        **dict.fromkeys(("GIT_TRACE2", "GIT_TRACE2_EVENT", "GIT_TRACE2_PERF"), "0"),
        "GIT_ALLOW_PROTOCOL": "none",  # a lazy fetch would run the repository's upload-pack
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (key, value) in enumerate(settings.items()):
        told[f"GIT_CONFIG_KEY_{number}"] = key
        told[f"GIT_CONFIG_VALUE_{number}"] = value
    return told


def _search_path() -> str:
    """Return PATH without relative entries, which would mean the folder that git runs in."""
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(entry for entry in entries if Path(entry).is_absolute())


def _start(
    args: Sequence[str],
    cwd: Path | None,
    env: Mapping[str, str],
    errors: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [_find_git(), "--no-pager", *args],
            cwd=cwd or "/",
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    except OSError as error:
        raise GitFailed(f"git cannot work in {cwd}: {error.strerror}.") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _find_git() -> str:
    program = shutil.which("git", path=_search_path())
    if program is None:
        raise ToolMissing(
            "git was not found: install git 2.38 or newer and make sure that it is on PATH."
        )
    return program


def require_git() -> tuple[int, ...]:
    """Return git's version.  Raises `ToolMissing` when it is absent or older than 2.38."""
    program = _find_git()
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


def check_oid(text: str) -> str:
    """Return `text` if it is a whole object name; raises `RepositoryUnusable` for anything else."""
    if not OID.fullmatch(text):
        raise RepositoryUnusable(f"{text[:80]!r} is no git object name: 40 or 64 hex digits are.")
    return text


# What the person's repository says: nothing here changes it.


def find_git_dir(path: Path) -> tuple[Path, bool]:
    """Return the git directory of the repository that `path` is in, and whether it is bare."""
    asked = ["rev-parse", "--path-format=absolute", "--git-dir", "--is-bare-repository"]
    git_dir, bare = safe_git(asked, cwd=path).text.rsplit("\n", 1)
    return Path(git_dir), bare == "true"


def find_common_dir(git_dir: Path) -> tuple[Path, str]:
    """Return the git directory that has the objects, another one for a linked worktree, and their format."""
    asked = ["rev-parse", "--path-format=absolute", "--git-common-dir", "--show-object-format"]
    common, form = safe_git(asked, git_dir=git_dir).text.rsplit("\n", 1)
    return Path(common), form


def find_object_format(git_dir: Path) -> str:
    """Return `sha1` or `sha256`."""
    return safe_git(["rev-parse", "--show-object-format"], git_dir=git_dir).text


def find_top(path: Path) -> Path:
    """Return the root of the working tree."""
    asked = ["rev-parse", "--path-format=absolute", "--show-toplevel"]
    return Path(safe_git(asked, cwd=path).text)


def find_head(git_dir: Path) -> tuple[str, str] | None:
    """Return the commit that is checked out and its tree, if there is one."""
    asked = ["rev-parse", "HEAD^{commit}", "HEAD^{tree}"]
    said = safe_git(asked, git_dir=git_dir, ok=(0, 1, 128))
    commit, _, tree = said.text.partition("\n")
    return (commit, tree) if said.code == 0 else None


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
    said = safe_git(["symbolic-ref", "--quiet", "HEAD"], git_dir=git_dir, ok=(0, 1))
    return said.text.removeprefix("refs/heads/") or None


def count_commits(git_dir: Path, base: str, head: str) -> int | None:
    """Return how many commits `head` has on top of `base`, `None` where that is no part of it."""
    asked = ["merge-base", "--is-ancestor", base, head]
    if safe_git(asked, git_dir=git_dir, ok=(0, 1, 128)).code:
        return None
    return int(safe_git(["rev-list", "--count", f"{base}..{head}"], git_dir=git_dir).text)


def list_changed_paths(git_dir: Path, base: str, head: str) -> tuple[str, ...]:
    """Return the paths at which two commits differ, a renamed file as two.

    None where folders of them are missing, as in a partial clone: nothing is fetched.
    """
    asked = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", base, head]
    said = safe_git(asked, git_dir=git_dir, ok=(0, 128))
    return tuple(path for path in said.text.split("\0") if path) if said.code == 0 else ()


def read_personal(path: Path) -> dict[str, str]:
    """Return who commits here, what they ignore everywhere, how their files are written, and all that
    would make git run something.

    Where the person's own settings cannot be read it is only what the repository's would run.
    """
    env = {
        "GIT_CONFIG_GLOBAL": os.environ.get("GIT_CONFIG_GLOBAL"),
        "GIT_CONFIG_NOSYSTEM": None,
        "XDG_CONFIG_HOME": str(_config_home()),
        "GIT_CONFIG_COUNT": "1",  # ours would hide the person's; `config` runs nothing of theirs
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    asked = ["config", "--includes", "-z", "--get-regexp"]
    said = safe_git([*asked, f"{PERSONAL}|{EXECUTES}"], cwd=path, ok=(0, 1, 128), env=env)
    if said.code == 128:
        said = safe_git([*asked, EXECUTES], cwd=path, ok=(0, 1))
    records = (record.partition("\n") for record in said.text.split("\0") if record)
    return {key: value if told else "true" for key, told, value in records}


def find_forms(personal: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that say how the person's files differ from what git keeps."""
    keys = (f"core.{name}" for name in FORMS)
    return {key: personal[key] for key in keys if key in personal}


def _config_home() -> Path:
    home = os.environ.get("HOME", "/")
    return Path(os.environ.get("XDG_CONFIG_HOME") or f"{home}/.config")


def find_person(personal: Mapping[str, str]) -> Person:
    """Return who commits; git refuses names without a letter, so those are nobody's."""
    name, email = (
        re.sub(
            r"[<>\x00-\x1f]", "", personal.get(f"author.{key}") or personal.get(f"user.{key}", "")
        )
        for key in ("name", "email")
    )
    return Person(
        name=name.strip() if re.search(r"\w", name) else NOBODY.name,
        email=email.strip() if re.search(r"\w", email) else NOBODY.email,
    )


def list_changed(top: Path, personal: Mapping[str, str]) -> tuple[str, ...]:
    """Return what differs from the last commit, untracked files too; runs no filter."""
    asked = ["status", "--porcelain=v2", "-z", "--no-renames", "--ignore-submodules=all"]
    records = safe_git(asked, cwd=top, settings=_blanked(personal)).text.split("\0")
    wanted = {"1": 8, "u": 10, "?": 1}
    return tuple(
        record.split(" ", wanted[record[0]])[-1] for record in records if record[:1] in wanted
    )


def list_ignored(checkout: Path) -> tuple[str, ...]:
    """Return the untracked files that git ignores; a wholly ignored directory ends with `/`."""
    asked = ["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"]
    blanked = _blanked(read_personal(checkout))
    return tuple(
        path for path in safe_git(asked, cwd=checkout, settings=blanked).text.split("\0") if path
    )


def list_skipped(checkout: Path) -> tuple[str, ...]:
    """Return the files of the index that a sparse checkout leaves out."""
    blanked = _blanked(read_personal(checkout))
    said = safe_git(["ls-files", "-t", "-z"], cwd=checkout, settings=blanked)
    return tuple(record[2:] for record in said.text.split("\0") if record.startswith("S "))


def list_untracked(checkout: Path) -> tuple[str, ...]:
    """Return what git does not have, ignored or not; a folder of nothing else ends with `/`."""
    asked = ["ls-files", "--others", "--directory", "-z"]
    blanked = _blanked(read_personal(checkout))
    said = safe_git(asked, cwd=checkout, settings=blanked)
    return tuple(path for path in said.text.split("\0") if path)


def _blanked(personal: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that keep a repository's own from running anything."""
    ignores = personal.get("core.excludesfile") or str(_config_home() / "git" / "ignore")
    return {
        **{key: "" for key in personal if re.match(EXECUTES, key)},
        **find_forms(personal),
        "core.excludesFile": str(Path(ignores).expanduser()),
    }


# The one change that is made in the person's repository.


def is_branch_name(branch: str) -> bool:
    """Whether `branch` is a name that we make and git takes."""
    if not BRANCH_NAME.fullmatch(branch):
        return False
    return safe_git(["check-ref-format", "--branch", branch], ok=(0, 1, 128)).code == 0


def unpack(git_dir: Path, pack: bytes) -> None:
    """Add the objects of a thin pack to a repository."""
    safe_git(["unpack-objects", "-q"], git_dir=git_dir, stdin=pack)


def is_whole(git_dir: Path, commit: str) -> bool:
    """Whether everything that `commit` needs beyond the repository's refs is there."""
    asked = ["rev-list", "--objects", "--quiet", commit, "--not", "--all"]
    return safe_git(asked, git_dir=git_dir, ok=(0, 1, 128)).code == 0


def create_branch(git_dir: Path, branch: str, commit: str) -> None:
    """Make a branch that was not there.  Raises `GitFailed` when it is."""
    told = ["update-ref", "--no-deref", f"refs/heads/{branch}", commit, "0" * len(commit)]
    safe_git(told, git_dir=git_dir)


# The evidence repository, which is ours.


def init_bare(path: Path, object_format: str) -> None:
    """Make a bare repository without templates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = ["init", "--quiet", "--bare", "--template=", f"--object-format={object_format}"]
    safe_git([*told, "--", str(path)], cwd=path.parent)


def is_at_work(git_dir: Path) -> bool:
    """Whether a process of this person works in a repository of ours, as each git here is told."""
    import psutil  # costs time that no command should pay

    told = str(git_dir)
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it ended, or is somebody else's
            if process.environ().get("GIT_DIR") == told or told in process.cmdline():
                return True
    return False


def init_workspace(path: Path, object_format: str) -> None:
    """Make a repository with a working tree, without templates."""
    told = ["init", "--quiet", "--template=", "--initial-branch=goal"]
    safe_git([*told, f"--object-format={object_format}"], cwd=path)


def check_out(git_dir: Path, index: Path, work_tree: Path, commit: str) -> None:
    """Put the files of `commit` there, whatever was there before, and remember them in `index`."""
    told = ["read-tree", "--reset", "-u", commit]
    safe_git(told, git_dir=git_dir, index=index, work_tree=work_tree)


def check_out_paths(
    git_dir: Path, index: Path, work_tree: Path, paths: Iterable[str], settings: Mapping[str, str]
) -> None:
    """Put files of an index there, written as a checkout with `settings` has them."""
    safe_git(
        ["checkout-index", "--force", "-z", "--stdin"],
        git_dir=git_dir,
        index=index,
        work_tree=work_tree,
        stdin="".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape"),
        settings=settings,
    )


def list_touched(git_dir: Path, index: Path, work_tree: Path) -> tuple[str, ...]:
    """Return the files of an index that stand otherwise, or not at all, in a working tree."""
    refresh = ["update-index", "-q", "--refresh"]
    safe_git(refresh, git_dir=git_dir, index=index, work_tree=work_tree, ok=(0, 1))
    asked = ["diff-files", "--name-only", "--ignore-submodules=all", "-z"]
    named = safe_git(asked, git_dir=git_dir, index=index, work_tree=work_tree)
    return tuple(path for path in named.text.split("\0") if path)


def assume_unchanged(git_dir: Path, index: Path, work_tree: Path, paths: Iterable[str]) -> None:
    """Let whoever asks an index take `paths` for what it says of them."""
    safe_git(
        ["update-index", "--assume-unchanged", "-z", "--stdin"],
        git_dir=git_dir,
        index=index,
        work_tree=work_tree,
        stdin="".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape"),
    )


def find_filters(git_dir: Path, index: Path, paths: Iterable[str]) -> dict[str, str]:
    """Return the filter that the attributes in an index name for each of `paths` that has one."""
    said = safe_git(
        ["check-attr", "--cached", "-z", "--stdin", "filter"],
        git_dir=git_dir,
        index=index,
        stdin="".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape"),
    )
    fields = said.text.split("\0")[:-1]
    named = zip(fields[::3], fields[2::3], strict=True)
    return {path: name for path, name in named if name not in ("unspecified", "unset", "set")}


def clean(git_dir: Path, index: Path, work_tree: Path) -> None:
    """Remove what is neither in `index` nor ignored, other repositories too."""
    safe_git(["clean", "-ffdq"], git_dir=git_dir, index=index, work_tree=work_tree)


def update_ref(git_dir: Path, ref: str, commit: str) -> None:
    """Let `ref` be `commit`."""
    safe_git(["update-ref", "--no-deref", ref, commit], git_dir=git_dir)


def list_refs(git_dir: Path, prefix: str) -> tuple[str, ...]:
    """Return the refs below `prefix`."""
    asked = ["for-each-ref", "--format=%(refname)", prefix]
    return tuple(safe_git(asked, git_dir=git_dir).text.split())


def delete_refs(git_dir: Path, refs: Sequence[str]) -> int:
    """Remove refs, and return how many they were."""
    told = "".join(f"delete {ref}\n" for ref in refs).encode()
    if refs:
        safe_git(["update-ref", "--stdin"], git_dir=git_dir, stdin=told)
    return len(refs)


def list_kept(git_dir: Path) -> frozenset[str]:
    """Return every object that a ref names, and its tree."""
    asked = ["for-each-ref", "--format=%(objectname) %(tree)"]
    return frozenset(safe_git(asked, git_dir=git_dir).text.split())


def find_seen(git_dir: Path, oids: Iterable[str]) -> frozenset[str]:
    """Return those of the objects that can be seen from here."""
    told = "".join(f"{oid}\n" for oid in oids).encode()
    said = safe_git(["cat-file", "--batch-check=%(objectname)"], git_dir=git_dir, stdin=told)
    return frozenset(line for line in said.text.splitlines() if OID.fullmatch(line))


YOUNG = "--expire=1.day.ago"
"""What is younger may be about to be kept, by whoever just made it."""


def list_prunable(git_dir: Path, needed: Sequence[str]) -> tuple[str, ...]:
    """Return the loose objects that neither a ref nor `needed` leads to, but for the young."""
    said = safe_git(["prune", "--dry-run", YOUNG, "--", *needed], git_dir=git_dir, timeout=LONG)
    return tuple(line.split(" ")[0] for line in said.text.splitlines() if OID.match(line))


def prune(git_dir: Path, needed: Sequence[str]) -> None:
    """Remove the loose objects that neither a ref nor `needed` leads to, but for the young."""
    safe_git(["prune", YOUNG, "--", *needed], git_dir=git_dir, timeout=LONG)


def repack(git_dir: Path) -> None:
    """Put all that refs lead to into one pack, borrowed objects too; the rest becomes loose."""
    safe_git(["pack-refs", "--all", "--prune"], git_dir=git_dir)
    safe_git(["repack", "-A", "-d", "--quiet"], git_dir=git_dir, timeout=LONG)


def pack_commit(git_dir: Path, commit: str) -> None:
    """Copy a commit and its files into a pack of this repository, so that it stands alone."""
    listed = safe_git(["rev-list", "--objects", "--no-walk", commit], git_dir=git_dir).stdout
    target = git_dir / "objects" / "pack" / "pack"
    target.parent.mkdir(parents=True, exist_ok=True)
    safe_git(["pack-objects", "--quiet", str(target)], git_dir=git_dir, stdin=listed)


def read_pack(git_dir: Path, commit: str, without: Iterable[str]) -> bytes:
    """Return a thin pack of what `commit` has beyond `without`; the same objects, the same bytes."""
    told = ["pack-objects", "--quiet", "--revs", "--thin", "--stdout", "--delta-base-offset"]
    asked = "".join(f"{oid}\n" for oid in (commit, *(f"^{base}" for base in without)))
    options = ["--threads=1", "--no-use-bitmap-index"]
    return safe_git([*told, *options], git_dir=git_dir, stdin=asked.encode()).stdout


def index_pack(git_dir: Path, pack: bytes) -> GitOutput:
    """Add a thin pack from elsewhere to the repository after looking through it; not 0 is bad."""
    told = ["index-pack", "--stdin", "--fix-thin", "--strict"]
    return safe_git(told, git_dir=git_dir, stdin=pack, ok=(0, 1, 128))


def is_connected(git_dir: Path, commit: str, without: Iterable[str]) -> bool:
    """Whether everything that `commit` has beyond `without` is there."""
    asked = ["rev-list", "--objects", "--quiet", commit, *(f"^{base}" for base in without)]
    return safe_git(asked, git_dir=git_dir, ok=(0, 1, 128)).code == 0


def list_parents(git_dir: Path, commit: str) -> tuple[str, ...]:
    """Return the parents of a commit."""
    said = safe_git(["rev-list", "--parents", "--no-walk", commit], git_dir=git_dir)
    return tuple(said.text.split()[1:])


def read_tree(git_dir: Path, index: Path, tree: str) -> None:
    """Fill an index from a tree."""
    safe_git(["read-tree", tree], git_dir=git_dir, index=index)


def add_all(git_dir: Path, index: Path, work_tree: Path, without: Iterable[str]) -> None:
    """Take every file of a working tree that is not ignored into an index.

    What is at `without` stays as the index has it: by pathspec, since an ignore rule could be
    undone by the tree's own `.gitignore` and does not hold for submodules.
    """
    specs = [".", *(f":(top,exclude,literal){path}" for path in without)]
    safe_git(
        ["add", "--all", "--pathspec-from-file=-", "--pathspec-file-nul"],
        git_dir=git_dir,
        index=index,
        work_tree=work_tree,
        stdin="\0".join(specs).encode("utf-8", "surrogateescape"),
        env={"GIT_LITERAL_PATHSPECS": "0"},
    )


def find_ignored(
    git_dir: Path, index: Path, work_tree: Path, paths: Iterable[str]
) -> frozenset[str]:
    """Return those of `paths` that are untracked and ignored: `add` leaves them out unasked, and
    fails when a pathspec names one, even to exclude it."""
    asked = "\0".join(paths).encode("utf-8", "surrogateescape")
    if not asked:
        return frozenset()
    said = safe_git(
        ["check-ignore", "-z", "--stdin"],
        git_dir=git_dir,
        index=index,
        work_tree=work_tree,
        stdin=asked,
        ok=(0, 1),
        env={"GIT_LITERAL_PATHSPECS": "0"},  # it knows names only, and refuses the setting
    )
    return frozenset(said.text.split("\0"))


def write_tree(git_dir: Path, index: Path) -> str:
    """Return the tree of an index."""
    return safe_git(["write-tree"], git_dir=git_dir, index=index).text


def update_index(git_dir: Path, index: Path, records: bytes) -> None:
    """Change entries of an index: `mode SP oid TAB path NUL`, mode 0 removes."""
    safe_git(["update-index", "-z", "--index-info"], git_dir=git_dir, index=index, stdin=records)


def list_tree(git_dir: Path, tree: str) -> bytes:
    """Return the records of `ls-tree -r -z` of a tree."""
    return safe_git(["ls-tree", "-r", "-z", "--full-tree", tree], git_dir=git_dir).stdout


def list_sizes(git_dir: Path, tree: str) -> Iterator[int]:
    """Yield the bytes of each file of a tree."""
    asked = ["ls-tree", "-r", "-z", "--full-tree", "--format=%(objectsize)", tree]
    sizes = safe_git(asked, git_dir=git_dir).text.split("\0")
    return (int(size) for size in sizes if size.isdecimal())  # a submodule has none


def list_differing(git_dir: Path, base: str, tree: str) -> bytes:
    """Return the raw records of what differs between two trees, renames as two."""
    asked = ["diff-tree", "-r", "-z", "--raw", "--no-renames", base, tree]
    return safe_git(asked, git_dir=git_dir).stdout


def commit_tree(
    git_dir: Path, tree: str, parents: Sequence[str], author: Person, at: datetime, message: str
) -> str:
    """Return the commit of these values: the same values give the same commit."""
    env: dict[str, str | None] = {}
    for role in ("AUTHOR", "COMMITTER"):
        env |= {
            f"GIT_{role}_NAME": author.name,
            f"GIT_{role}_EMAIL": author.email,
            f"GIT_{role}_DATE": f"@{int(at.timestamp())} +0000",
        }
    told = ["commit-tree", tree, *(word for parent in parents for word in ("-p", parent))]
    return safe_git([*told, "-F", "-"], git_dir=git_dir, stdin=message.encode(), env=env).text


def merge_trees(git_dir: Path, ours: str, theirs: str) -> GitOutput:
    """Merge two commits without a working tree; code 1 is a conflict, and then it says why."""
    asked = ["merge-tree", "--write-tree", "-z", ours, theirs]
    return safe_git(asked, git_dir=git_dir, ok=(0, 1))


DIFF = ("-r", "-M", "-l1000", "--diff-algorithm=default", "--no-ext-diff", "--no-textconv")
"""Spelled out, since a proof compares what two versions of git say."""


def diff_records(git_dir: Path, base: str, tree: str) -> bytes:
    """Return the raw and counted records of a change."""
    told = ["diff-tree", "--raw", "--numstat", "-z", *DIFF, base, tree]
    return safe_git(told, git_dir=git_dir).stdout


def diff_patch(git_dir: Path, base: str, tree: str, paths: Sequence[str] = ()) -> bytes:
    """Return a change, or what it does to `paths`, as a patch that `git apply` takes."""
    looks = ["--no-color", "--src-prefix=a/", "--dst-prefix=b/"]
    told = ["diff-tree", "-p", "--binary", "--full-index", *looks, *DIFF, base, tree]
    told += ["--", *paths]
    return safe_git(told, git_dir=git_dir).stdout


def find_word(git_dir: Path, tree: str, word: str) -> bytes:
    """Return `tree:path` of each text file of a tree that has a word, separated by NULs."""
    told = ["grep", "-l", "-z", "-I", "-w", "-F", "--full-name", "--no-recurse-submodules"]
    return safe_git([*told, "-e", word, tree], git_dir=git_dir, ok=(0, 1)).stdout


def bare_patch(git_dir: Path, base: str, tree: str, path: str) -> bytes:
    """Return what a change does to one file, without a line of what it leaves as it was."""
    told = ["diff-tree", "-p", "-U0", "--no-color", "-r", "--no-renames", *DIFF[2:], base, tree]
    return safe_git([*told, "--", path], git_dir=git_dir).stdout


def write_blob(git_dir: Path, data: bytes) -> str:
    """Keep a file's content, byte for byte, and return its object."""
    told = ["hash-object", "-w", "--stdin", "--no-filters"]
    return safe_git(told, git_dir=git_dir, stdin=data).text


def init_sample(path: Path, message: str) -> None:
    """Make a repository of the files in `path`, with one commit."""
    safe_git(["init", "--quiet", "--template=", "--initial-branch=main", str(path)], cwd=path)
    safe_git(["add", "--all"], cwd=path)
    who = ["-c", f"user.name={NOBODY.name}", "-c", f"user.email={NOBODY.email}"]
    safe_git([*who, "commit", "--quiet", "-m", message], cwd=path)
