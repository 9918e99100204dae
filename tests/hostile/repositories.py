"""Repositories that somebody made to hurt: each row plants one way to run something, or to lead out.

A canary is a command that leaves a file named for its row.  Rows of a group stand in one repository.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HOOKS = (
    *("applypatch-msg", "pre-commit", "prepare-commit-msg", "commit-msg", "post-commit"),
    *("pre-rebase", "post-checkout", "post-merge", "pre-push", "pre-receive", "update"),
    *("post-receive", "post-update", "reference-transaction", "pre-auto-gc", "post-rewrite"),
    *("post-index-change", "fsmonitor-watchman", "proc-receive", "push-to-checkout"),
)


class Canaries:
    """Scripts and lines of code that leave a file named after their row."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.scripts = folder / "canaries", folder / "scripts"
        self.folder.mkdir()
        self.scripts.mkdir()

    def shell(self, name: str) -> str:
        """Return a line of shell that sings."""
        return f": > {shlex.quote(str(self.folder / name))}"

    def python(self, name: str) -> str:
        """Return a line of Python that sings."""
        return f"open({str(self.folder / name)!r}, 'w').close()\n"

    def script(self, name: str, then: str = "cat 2>/dev/null") -> str:
        """Return a program that sings and hands on what it is given; `exit 1` for who waits for more."""
        path = self.scripts / name
        path.write_text(f"#!/bin/sh\n{self.shell(name)}\n{then}\n")
        path.chmod(0o755)
        return str(path)

    def sung(self) -> set[str]:
        """Return which sang since the last time."""
        found = {path.name for path in self.folder.iterdir()}
        for name in found:
            (self.folder / name).unlink()
        return found


Plant = Callable[[Path, Canaries, str], None]


@dataclass(frozen=True)
class Row:
    """One thing that is planted; the canary has its name."""

    name: str
    group: str
    plant: Plant
    sings: bool = False
    """Whether a command of `PLAIN` runs it: so the row is true."""


def git(where: Path, *words: str, check: bool = True) -> str:
    """Run the person's own git, unhardened."""
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    done = subprocess.run(
        ("git", *who, *words),
        cwd=where,
        check=check,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    return done.stdout.strip()


def put(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def key(*keys: str, value: str = "{}", then: str = "cat 2>/dev/null") -> Plant:
    """Plant settings; `{}` is the canary's program."""

    def plant(root: Path, canaries: Canaries, name: str) -> None:
        for setting in keys:
            git(root, "config", setting, value.format(canaries.script(name, then)))

    return plant


def hook(kind: str) -> Plant:
    def plant(root: Path, canaries: Canaries, name: str) -> None:
        (root / ".git/hooks").mkdir(exist_ok=True)
        shutil.copy(canaries.script(name), root / ".git/hooks" / kind)

    return plant


def text(path: str, form: str) -> Plant:
    """Plant a file in which `{sh}` sings in a shell, and `{py}` in Python."""

    def plant(root: Path, canaries: Canaries, name: str) -> None:
        sh, py = canaries.shell(name), canaries.python(name)
        said = json.dumps(sh)[1:-1] if path.endswith(".json") else sh
        put(root / path, form.replace("{sh}", said).replace("{py}", py))

    return plant


def program(path: str) -> Plant:
    def plant(root: Path, canaries: Canaries, name: str) -> None:
        put(root / path, f'#!/bin/sh\n{canaries.shell(name)}\nexec python3 "$@"\n', 0o755)

    return plant


def another(root: Path, canaries: Canaries, name: str) -> Path:
    """Make another repository with the same history that runs something, and return its `.git`."""
    evil = root.parent / f"evil-{root.name}"
    shutil.copytree(root / ".git", evil / ".git")
    git(evil, "config", "core.fsmonitor", canaries.script(name))
    return evil / ".git"


def include(root: Path, canaries: Canaries, name: str) -> None:
    place = root.parent / "included"
    git(root, "config", "--file", str(place), "core.fsmonitor", canaries.script(name))
    git(root, "config", "include.path", str(place))


def include_if(root: Path, canaries: Canaries, name: str) -> None:
    place = root.parent / "included-if"
    git(root, "config", "--file", str(place), "diff.external", canaries.script(name))
    git(root, "config", "includeIf.gitdir:/**.path", str(place))


def worktree_config(root: Path, canaries: Canaries, name: str) -> None:
    git(root, "config", "extensions.worktreeConfig", "true")
    git(root, "config", "--worktree", "core.fsmonitor", canaries.script(name))


def commondir(root: Path, canaries: Canaries, name: str) -> None:
    put(root / ".git/commondir", f"{another(root, canaries, name)}\n")


def git_file(root: Path, canaries: Canaries, name: str) -> None:
    evil = another(root, canaries, name)
    shutil.rmtree(root / ".git")
    put(root / ".git", f"gitdir: {evil}\n")


def work_tree(root: Path, canaries: Canaries, name: str) -> None:
    evil = root.parent / "elsewhere"
    shutil.copytree(root, evil, ignore=shutil.ignore_patterns(".git", ".goalproof"))
    git(root, "config", "core.worktree", str(evil))
    git(root, "config", "core.fsmonitor", canaries.script(name))


def alternates(root: Path, canaries: Canaries, name: str) -> None:
    evil = another(root, canaries, name)
    put(root / ".git/objects/info/alternates", f"{evil}/objects\n")
    git(root, "config", "core.alternateRefsCommand", canaries.script(name))


def replaced(root: Path, canaries: Canaries, name: str) -> None:
    blob = git(root, "rev-parse", "HEAD:calc.py")
    put(root / "calc.py.evil", "raise SystemExit\n")
    evil = git(root, "hash-object", "-w", "calc.py.evil")
    (root / "calc.py.evil").unlink()
    git(root, "replace", blob, evil)


def submodule(root: Path, canaries: Canaries, name: str) -> None:
    url = f"ext::sh -c {canaries.script(name, 'exit 1')}"
    git(root, "config", "submodule.sub.url", url)
    git(root, "config", "remote.evil.url", url)
    git(root, "config", "submodule.recurse", "true")
    git(root, "config", "protocol.ext.allow", "always")
    put(root / ".gitmodules", f'[submodule "sub"]\n\tpath = sub\n\turl = "{url}"\n')
    head = git(root, "rev-parse", "HEAD")
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{head},sub")
    git(root, "add", ".gitmodules")
    git(root, "commit", "-q", "-m", "a submodule")


def promisor(root: Path, canaries: Canaries, name: str) -> None:
    for setting, value in {
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": str(root),
        "remote.origin.uploadpack": canaries.script(name),
    }.items():
        git(root, "config", setting, value)


def odd_refs(root: Path, canaries: Canaries, name: str) -> None:
    head = git(root, "rev-parse", "HEAD")
    for ref in ("-x", "--output=owned", f"--upload-pack={name}", "a;b", "$(c)"):
        put(root / ".git/refs/heads" / ref, f"{head}\n")
        put(root / ".git/refs/tags" / ref, f"{head}\n")
    put(root / ".git/HEAD", "ref: refs/heads/--output=owned\n")


def linked_store(root: Path, canaries: Canaries, name: str) -> None:
    outside = root.with_name(f"{root.name}-outside")
    (root / ".goalproof").rename(outside)
    (root / ".goalproof").symlink_to(outside)


PYTHON = ["sitecustomize.py", "usercustomize.py", "conftest.py", "noxfile.py", "setup.py"]
SHADOWS = [
    "json",
    "pydantic",
    "pygls",
    "click",
    "goal_engine",
    "goal_server",
    "server",
    "logging",
]
FILES: dict[str, str] = {
    ".env": "{sh}\nPYTHONSTARTUP=/nowhere\n",
    ".envrc": "{sh}\n",
    ".exrc": ":!{sh}\n",
    ".nvim.lua": "os.execute([[{sh}]])\n",
    ".vscode/tasks.json": '{"version": "2.0.0", "tasks": [{"label": "x", "type": "shell", "command":'
    ' "{sh}", "runOptions": {"runOn": "folderOpen"}}]}\n',
    ".vscode/settings.json": '{"goalproof.importStrategy": "fromEnvironment", "python.defaultInterpreter'
    'Path": "{sh}", "goalproof.trusted": true}\n',
    ".git-blame-ignore-revs": "{sh}\n",
    "Makefile": "X := $(shell {sh})\ntest:\n\t{sh}\n",
    "justfile": "x := `{sh}`\ntest:\n    {sh}\n",
    "package.json": '{"name": "x", "scripts": {"preinstall": "{sh}", "test": "{sh}", "lint": "{sh}"}}\n',
    "tox.ini": "[testenv]\ncommands = sh -c '{sh}'\n",
    ".pre-commit-config.yaml": "repos: [{repo: local, hooks: [{id: x, name: x, entry: sh -c '{sh}'}]}]\n",
    "goalproof.toml": '[workspace]\nsetup = [["sh", "-c", """{sh}"""]]\n[[gate]]\nname = "tests"\n'
    'argv = ["sh", "-c", """{sh}"""]\n',
}  # fmt: skip

ROWS: tuple[Row, ...] = (
    Row("fsmonitor", "config", key("core.fsmonitor"), sings=True),
    Row("pager", "config", key("core.pager", "pager.diff", "pager.log")),
    Row("editor", "config", key("core.editor", "sequence.editor"), sings=True),
    Row("ssh", "config", key("core.sshCommand", then="exit 1"), sings=True),
    Row("askpass", "config", key("core.askPass")),
    Row("proxy", "config", key("core.gitProxy", then="exit 1"), sings=True),
    Row("credential", "config", key("credential.helper", value="!{}")),
    Row("external", "config", key("diff.external"), sings=True),
    Row("gpg", "config", key("gpg.program"), sings=True),
    Row("signing", "config", key("commit.gpgSign", "tag.gpgSign", "log.showSignature", value="true")),
    Row("packing", "config", key("uploadpack.packObjectsHook")),
    Row("alias", "config", key("alias.status", "alias.st", value="!{}"), sings=True),
    Row("clean", "config", key("filter.evil.clean", "filter.a=b.c.clean"), sings=True),
    Row("smudge", "config", key("filter.evil.smudge"), sings=True),
    Row("process", "config", key("filter.late.process"), sings=True),
    Row("textconv", "config", key("diff.evil.textconv")),
    Row("diff-command", "config", key("diff.evil.command"), sings=True),
    Row("merge-driver", "config", key("merge.evil.driver")),
    Row("interactive", "config", key("interactive.diffFilter")),
    Row("all-protocols", "config", key("protocol.allow", "protocol.ext.allow", value="always")),
    *(Row(f"hook-{kind}", "hooks", hook(kind), kind in ("post-commit", "reference-transaction"))
      for kind in HOOKS),
    Row("include", "include", include, sings=True),
    Row("include-if", "include", include_if, sings=True),
    Row("worktree-config", "worktree-config", worktree_config, sings=True),
    Row("commondir", "commondir", commondir, sings=True),
    Row("git-file", "git-file", git_file, sings=True),
    Row("work-tree", "work-tree", work_tree, sings=True),
    Row("alternates", "objects", alternates),
    Row("replaced", "objects", replaced),
    Row("promisor", "objects", promisor),
    Row("submodule", "submodule", submodule, sings=True),
    Row("odd-refs", "refs", odd_refs),
    Row("linked-store", "link", linked_store),
    *(Row(name, "files", text(name, form), name in (".env", ".envrc"))
      for name, form in FILES.items()),
    *(Row(name, "files", text(name, "{py}"), name == "sitecustomize.py") for name in PYTHON),
    *(Row(f"{name}.py", "files", text(f"{name}.py", "{py}"), name == "json") for name in SHADOWS),
    *(Row(f"{name}-package", "files", text(f"{name}/__init__.py", "{py}"))
      for name in ("goal_server", "goal_engine")),
    Row("own-python", "files", program(".venv/bin/python"), sings=True),
    Row("own-git", "files", program("git"), sings=True),
)  # fmt: skip
"""Append only: a row that once hurt stays."""

GROUPS = tuple(dict.fromkeys(row.group for row in ROWS))
ATTRIBUTES = "*.py filter=evil diff=evil merge=evil\n*.txt filter=late\n"
PLAIN: dict[str, tuple[str, ...]] = {
    "files": (
        "PYTHONPATH=. python3 -c 'import json'",
        "sh ./.env",
        "sh ./.envrc",
        ".venv/bin/python -c ''",
        "PATH=.:$PATH git -c ''",
    )
}
"""What runs the rows of a group that can be run here; of the others, git's own commands."""
GIT = (
    "git status",
    "git st",
    "git fetch ssh://nowhere.invalid/x",
    "git fetch git://nowhere.invalid/x",
    "git diff",
    "git -c diff.external= diff",
    "git -c commit.gpgSign=false commit --allow-empty",
    "git add -A",
    "git commit -S -m x",
    "git checkout -f HEAD -- calc.py later.txt",
    "git update-ref refs/heads/x HEAD",
    "git fetch evil",
    "git commit --allow-empty -m x",
)
