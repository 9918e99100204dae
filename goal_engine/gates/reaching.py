"""New code that reaches for what runs and judges it: a person looks at it, whatever the gates say.

A gate runs the code it judges in one process, so that code can disarm the tests, write their report
or end the run.  This reads new code for the plain ways to do that: Python as syntax, where the ways are
in `REACHED`, and other languages line by line, where they are in `LANGUAGES`.  It is a look, not a
wall: code that hides well enough is only shown by the change itself.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from functools import partial

from goal_engine.syntax import read_syntax

FRAMEWORKS = frozenset({"unittest", "pytest", "_pytest", "pluggy", "doctest", "nose", "xdist"})
"""Modules that judge; code that is not a test has little reason to import one."""
REACHED = frozenset(
    {
        *("sys.modules", "sys._getframe", "sys.settrace", "sys.setprofile", "sys.addaudithook"),
        *("inspect.stack", "inspect.currentframe", "traceback.extract_stack"),
        *("traceback.walk_stack", "gc.get_objects", "gc.get_referrers", "atexit.register"),
        *("os._exit", "os.abort", "os.kill", "os.killpg", "signal.raise_signal"),
        *("os.execv", "os.execve", "os.execvp", "os.execl", "os.execlp"),
    }
)
"""Names, with their modules, that lead from code to whoever runs it, or end the run."""
MADE_UP = frozenset({"__import__", "importlib.import_module", "import_module", "exec", "eval"})
"""Calls that run or import what no reader sees, unless their argument is written out."""
SETTINGS = frozenset({"PYTEST_CURRENT_TEST", "PYTEST_VERSION", "VIRTUAL_ENV", "UNITTEST"})
"""Variables that tell a gate's process from a person's."""
SUFFIXES = (".py", ".pyw")
LIMIT = 4 * 1024 * 1024
"""Bytes of a file that are read."""
WORDS = re.compile(
    r"\b(unittest|_?pytest|pluggy|sys\.modules|_getframe|settrace|os\._exit|__import__|exec|eval|atexit)\b"
)
"""For a file that this Python cannot parse."""

ENDS_WELL = r"\s*\((?!\s*-?[1-9]\d*\s*\))"
"""The call of an exit that may say that all is well."""
REPORTED = r"<testcases?\b|<testsuites?\b|--- PASS\b|=== RUN\b|test result: ok|\\x16---"
"""How reports are written."""
JS_RUNNERS = "vitest|jest|mocha|chai|jasmine|ava|tap|expect|assert|node:assert|node:test|test"
JAVASCRIPT = (
    rf"""(?:\bfrom|\bimport|\brequire\s*\(|\bimport\s*\()\s*["'`](?:{JS_RUNNERS})(?:/[\w/]+)?["'`]""",
    r"""["'`]@(?:jest|vitest|testing-library)/""",
    r"""\b(?:globalThis|global|window)\s*(?:\.\s*|\[\s*["'`])(?:expect|describe|it|test|jest|vi|assert)\b""",
    r"\bexpect\s*\.\s*extend\b|\basymmetricMatch\b|jest\.asymmetricMatcher|import\.meta\.vitest",
    r"\b(?:Object|Reflect|Array|Number|String|Error|Promise|Map|Set|RegExp|Symbol|JSON|Function)"
    r"(?:\.prototype)?(?:\.\w+|\[[^\]]+\])\s*=(?![=>])",
    r"\bdefineProperty\s*\(\s*(?:globalThis|global|window|Object|Reflect|Array|Number|String|Error|Symbol)\b",
    rf"\bprocess\s*\.\s*(?:exit{ENDS_WELL}|exitCode\s*=|reallyExit|abort|kill|binding|_\w+|emit\b)",
    r"""\bprocess\s*\.\s*(?:on|once)\s*\(\s*["'`](?:exit|beforeExit|uncaught\w+|unhandled\w+)["'`]""",
    r"\bModule\s*\.\s*_|\brequire\s*\.\s*(?:cache|extensions)\b|\bmodule\s*\.\s*(?:parent|children)\b",
    r"\beval\s*\(|\bnew\s+Function\s*\(|\bconstructor\s*\.\s*constructor\b",
    r"\b(?:NODE_TEST_CONTEXT|JEST_WORKER_ID|VITEST\w*)\b|\bNODE_ENV\b.*\btest\b",
)
GO = (
    r"""^\s*(?:import\s+)?(?:\w+\s+|\.\s*)?"(?:testing(?:/\w+)?|github\.com/stretchr/testify[\w/]*)\"""",
    rf"\b(?:os|syscall)\.Exit{ENDS_WELL}|\bruntime\.Goexit\b|\bgo:linkname\b",
    r"\btesting\.Testing\b|[\"`]test\.",
)
RUST = (
    rf"\bprocess::(?:exit{ENDS_WELL}|abort\b)|\blibc::_?exit\b|\bextern\s.*\b_?exit\b",
    r"\bmacro_rules!\s*(?:debug_)?(?:assert\w*|panic|unreachable|matches)\b",
    r"\bas\s+(?:assert\w*|panic)\b|\bpanic::set_hook\b",
    r"\bcfg!\s*\([^)]*\btest\b|\bcfg\s*\(.*\bnot\s*\(\s*test\b|\bcfg_attr\s*\([^)]*\btest\b",
)
LANGUAGES = {
    **dict.fromkeys((".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"), JAVASCRIPT),
    **dict.fromkeys((".vue", ".svelte"), JAVASCRIPT),
    ".go": GO,
    ".rs": RUST,
}
"""By a file's ending, patterns of what code has little reason to do that is no test."""
COMMENT = re.compile(r"\s*(?://|\*|/\*)")
LINE = 2000
"""Characters of a line that are read."""


def find_reaching(path: str, old: bytes, new: bytes) -> tuple[str, ...]:
    """Return `path:line what` for each place where `new` reaches for its judge and `old` did not.

    Lines that `old` has as well, wherever they stand there, are not new.
    """
    language = posixpath.splitext(path)[1].lower()
    if language not in SUFFIXES and language not in LANGUAGES:
        return ()
    read = _read if language in SUFFIXES else partial(_read_lines, LANGUAGES[language])
    known = {line.strip() for line in old.splitlines()}
    lines = new[:LIMIT].splitlines()
    added = {number for number, line in enumerate(lines, 1) if line.strip() not in known}
    found = {(line, what) for line, what in read(new[:LIMIT]) if line in added}
    return tuple(f"{path}:{line} {what}" for line, what in sorted(found))


def _read_lines(patterns: tuple[str, ...], text: bytes) -> Iterator[tuple[int, str]]:
    every = re.compile("|".join((*patterns, REPORTED)))
    for number, line in enumerate(text.splitlines(), 1):
        said = line[:LINE].decode("utf-8", "replace")
        found = None if COMMENT.match(said) and "go:linkname" not in said else every.search(said)
        if found is not None:
            yield number, found.group().strip()


def _read(text: bytes) -> Iterator[tuple[int, str]]:
    try:
        tree = read_syntax(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), 1):
            yield from ((number, match.group()) for match in WORDS.finditer(line))
        return
    for node in ast.walk(tree):
        what = _find_reach(node)
        if what:
            yield getattr(node, "lineno", 1), what


def _find_reach(node: ast.AST) -> str:
    """What one node reaches for, empty for nothing."""
    match node:
        case ast.Import(names=names):
            return next((a.name for a in names if _top(a.name) in FRAMEWORKS), "")
        case ast.ImportFrom(module=str(module), names=names, level=0):
            dotted = (f"{module}.{a.name}" for a in names)
            return module if _top(module) in FRAMEWORKS else next(filter(_is_reached, dotted), "")
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            return f"{owner}.{name}" if _is_reached(f"{owner}.{name}") else ""
        case ast.Attribute(attr=("_getframe" | "_exit") as name):
            return name
        case ast.Name(id="__builtins__"):
            return "__builtins__"
        case ast.Call(func=func, args=[first, *_]):
            called = _name(func)
            return called if called in MADE_UP and not _is_written_out(called, first) else ""
        case ast.Constant(value=str(text)) if text in SETTINGS:
            return text
        case _:
            return ""


def _is_written_out(called: str, argument: ast.expr) -> bool:
    """Whether a reader sees what is imported, and that it is nothing that judges."""
    value = argument.value if isinstance(argument, ast.Constant) else None
    imports = called not in ("exec", "eval")
    return imports and isinstance(value, str) and _top(value) not in FRAMEWORKS


def _is_reached(dotted: str) -> bool:
    return dotted in REACHED


def _top(module: str) -> str:
    return module.partition(".")[0]


def _name(func: ast.expr) -> str:
    match func:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            return f"{owner}.{name}"
        case _:
            return ""
