"""What the passes look at: each changed file before and after, and what the goal asked for.

A line is new where the change puts it: what is the same at both ends of a file, and every line that
the part between had before, is not.
"""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from goal_engine.decision import Criterion
from goal_engine.evidence import GITLINK, SYMLINK, ChangedFile, GoalGitEvidence
from goal_engine.gates.protected import is_test
from goal_engine.proof.gate import GateSpec
from goal_engine.proof.review import ReviewPolicy
from goal_engine.syntax import read_syntax

LIMIT = 1024 * 1024
"""Bytes of a file, before or after, beyond which it is not looked at."""
FILES = 2000
"""Files that are looked at."""

PYTHON = (".py", ".pyw", ".pyi")
SCRIPT = (".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts", ".cts", ".vue", ".svelte")
SHELL = (".sh", ".bash", ".zsh")
CODE = (
    *PYTHON, *SCRIPT, *SHELL, ".rs", ".go", ".java", ".kt", ".kts", ".scala", ".c", ".h", ".cc",
    ".cpp", ".hpp", ".cs", ".rb", ".php", ".swift", ".lua", ".pl", ".ps1", ".sql", ".ex", ".exs",
)  # fmt: skip
"""Endings of the files that people read as code."""

Line = tuple[int, str]
"""A line with its number, from 1."""


@dataclass(frozen=True)
class FileChange:
    """One changed file.  `old` and `new` are empty where it was not, or is not any more."""

    file: ChangedFile
    old: bytes
    new: bytes
    test: bool = False
    was_test: bool = False
    """Whether its old name was a test's."""
    protected: bool = False
    """Whether a criterion asks a person to look at this file anyway."""

    @property
    def path(self) -> str:
        """Where it is, or was."""
        return self.file.path

    @property
    def is_code(self) -> bool:
        """Whether people read it as code."""
        return self.path.endswith(CODE)

    @property
    def is_python(self) -> bool:
        """Whether it can be parsed here."""
        return self.path.endswith(PYTHON)

    @property
    def is_new(self) -> bool:
        """Whether there was nothing at its path."""
        return self.file.status == "A"

    @property
    def is_gone(self) -> bool:
        """Whether there is nothing at its path now."""
        return self.file.status == "D"

    @property
    def is_text(self) -> bool:
        """Whether it has lines that can be looked at."""
        readable = self.file.mode not in (SYMLINK, GITLINK) and not self.is_large
        return readable and b"\0" not in self.old and b"\0" not in self.new

    @property
    def is_large(self) -> bool:
        """Whether it is too large to be looked at."""
        return max(len(self.old), len(self.new)) > LIMIT

    @cached_property
    def old_lines(self) -> list[str]:
        """The lines before."""
        return _split(self.old)

    @cached_property
    def lines(self) -> list[str]:
        """The lines after."""
        return _split(self.new)

    @cached_property
    def added(self) -> tuple[Line, ...]:
        """The lines that are new, with their numbers."""
        return tuple(_find_new(self.old_lines, self.lines)) if self.is_text else ()

    @cached_property
    def removed(self) -> tuple[Line, ...]:
        """The lines that are no more, with the numbers that they had."""
        return tuple(_find_new(self.lines, self.old_lines)) if self.is_text else ()

    @cached_property
    def added_numbers(self) -> frozenset[int]:
        """The numbers of the new lines."""
        return frozenset(number for number, _ in self.added)

    @cached_property
    def old_tree(self) -> ast.Module | None:
        """The syntax before, `None` where there is none that this Python reads."""
        return parse(self.old) if self.is_python and self.is_text else None

    @cached_property
    def tree(self) -> ast.Module | None:
        """The syntax after."""
        return parse(self.new) if self.is_python and self.is_text else None


@dataclass(frozen=True)
class Change:
    """A whole change, what was asked for, and what is known of the tree around it."""

    files: tuple[FileChange, ...]
    text: str = ""
    """The goal, as the person said it."""
    criteria: tuple[Criterion, ...] = ()
    gates: tuple[GateSpec, ...] = ()
    ran: frozenset[str] = frozenset()
    """Ids of the tests that a gate told apart on the base: what becomes of them is asked elsewhere."""
    met: dict[str, bool] = field(default_factory=dict)
    """Whether each gate was green on the result."""
    turned: bool = False
    """Whether a test, or a gate, says yes to the result that did not to the base."""
    writes: tuple[str, ...] = ()
    """The write sets of the plan."""
    policy: ReviewPolicy = ReviewPolicy()
    claims: tuple[str, ...] = ()
    """What workers said when they were done."""
    find_word: Callable[[str], tuple[str, ...]] | None = None
    """Returns the paths of the result whose text has a word."""
    find_path: Callable[[str], bool] | None = None
    """Whether the result has a file of this name."""
    unread: int = 0
    """Files that are not among `files`, for there were too many."""

    @property
    def code(self) -> tuple[FileChange, ...]:
        """The files that are there, are text and are no tests."""
        return tuple(file for file in self.files if file.is_text and not file.test)

    @property
    def tests(self) -> tuple[FileChange, ...]:
        """The files of tests that are text, gone ones too."""
        return tuple(file for file in self.files if file.is_text and file.test)

    def is_told_apart(self, path: str, name: str = "") -> bool:
        """Whether a gate reported on this test of the base, or on any of its file without a name."""
        stem = path.rpartition("/")[2].partition(".")[0]
        for test in self.ran:
            where, _, what = test.rpartition("::")
            is_there = stem == where or stem in where.replace("/", ".").split(".")
            is_it = not name or what.partition("[")[0] == name.rpartition(".")[2]
            if is_there and is_it:
                return True
        return False


def read_files(
    read_blob: Callable[[str, str], bytes | None],
    evidence: GoalGitEvidence,
    gates: tuple[GateSpec, ...],
    protected: frozenset[str],
) -> tuple[FileChange, ...]:
    """Return the changed files with what is in them; blocking."""
    globs = tuple(glob for gate in gates for glob in gate.tests)
    found = []
    for file in evidence.files[:FILES]:
        old = new = b""
        if file.mode not in (SYMLINK, GITLINK):
            before = file.old_path or file.path
            old = b"" if file.status == "A" else read_blob(evidence.base_tree, before) or b""
            new = b"" if file.status == "D" else read_blob(evidence.tree, file.path) or b""
        test, watched = is_test(file.path, globs), file.path in protected
        was = is_test(file.old_path, globs) if file.status == "R" and file.old_path else test
        found.append(FileChange(file, old, new, test=test, was_test=was, protected=watched))
    return tuple(found)


def parse(text: bytes | str) -> ast.Module | None:
    """Return the syntax of Python, `None` for what this Python cannot read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the code, which is not ours to warn of
            return read_syntax(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _split(data: bytes) -> list[str]:
    """Lines as Python counts them, which ends one at a lone carriage return as well."""
    text = data.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _find_new(old: list[str], new: list[str]) -> Iterator[Line]:
    start, before, after = 0, len(old), len(new)
    while start < min(before, after) and old[start] == new[start]:
        start += 1
    while before > start and after > start and old[before - 1] == new[after - 1]:
        before, after = before - 1, after - 1
    known = Counter(line.strip() for line in old[start:before])
    for number in range(start, after):
        line = new[number]
        if known[line.strip()] > 0:
            known[line.strip()] -= 1
        elif line.strip():
            yield number + 1, line
