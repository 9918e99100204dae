"""Each piece of the outside world is touched in one place."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.source import Module, find_imports, is_within, read_project

TERMINAL = tuple(
    f"goal_server.{name}" for name in ("cli", "demo", "failure", "render", "reporter", "session")
)
"""The command line's own modules."""

STANDALONE = "goal_engine.verifier.standalone"
"""The program in each bundle: it stands alone there, so it does all of this itself."""

PLACES = {
    "pygls": ("goal_server.lsp",),
    "lsprotocol": ("goal_server.lsp",),
    "click": TERMINAL,
    "rich": TERMINAL,
    "git": ("goal_engine.runtime.objects",),
    "cryptography": ("goal_engine.proof.envelope",),
    "subprocess": ("goal_engine.runtime", STANDALONE),
    "multiprocessing": (),
    "pty": (),
}
"""Who may import what.  A place stands for its submodules and for the modules named `place_…` too."""

STARTS_A_PROCESS = {
    *("create_subprocess_exec", "create_subprocess_shell", "subprocess_exec", "subprocess_shell"),
    *("fork", "forkpty", "popen", "posix_spawn", "posix_spawnp", "startfile", "system"),
    *("execl", "execle", "execlp", "execlpe", "execv", "execve", "execvp", "execvpe"),
    *("spawnl", "spawnle", "spawnlp", "spawnv", "spawnve", "spawnvp", "spawnvpe"),
}
SPELLS_GIT = ("goal_engine.runtime.git", STANDALONE)
STARTS_PROCESSES = ("goal_engine.runtime",)
JOURNAL_FILES = {"events.jsonl", "head.json"}
KNOWS_JOURNAL_FILES = ("goal_engine.state",)


def find_foreign_imports(module: Module) -> list[str]:
    """Return imports of what belongs to other modules."""
    return [
        f"{module.name} imports {name}"
        for name in find_imports(module.tree)
        for top in [name.partition(".")[0]]
        if top in PLACES and not is_within(module.name, PLACES[top])
    ]


def find_git_commands(module: Module) -> list[str]:
    """Return where a git command is spelled: a sequence that begins with git, or a call of `safe_git`."""
    if module.name in SPELLS_GIT:
        return []
    return [
        f"{module.name}:{node.lineno} spells a git command"
        for node in ast.walk(module.tree)
        if _is_git_command(node)
    ]


def _is_git_command(node: ast.AST) -> bool:
    match node:
        case ast.List(elts=[ast.Constant(value=str(word)), *_]):
            return word.rpartition("/")[2] == "git"
        case ast.Tuple(elts=[ast.Constant(value=str(word)), _, *_]):
            return word.rpartition("/")[2] == "git"
        case ast.Call(func=ast.Name(id="safe_git") | ast.Attribute(attr="safe_git")):
            return True
        case ast.Constant(value=str(text)):
            return text.startswith("git ") and text.isprintable() and " -" in text
        case _:
            return False


def find_process_starts(module: Module) -> list[str]:
    """Return calls that start a process themselves."""
    if is_within(module.name, STARTS_PROCESSES):
        return []
    return [
        f"{module.name}:{node.lineno} starts a process by {node.func.attr}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in STARTS_A_PROCESS
        and not (isinstance(node.func.value, ast.Name) and node.func.value.id == "platform")
    ]


def find_journal_files(module: Module) -> list[str]:
    """Return where a file of the journal is named outside of the store."""
    if is_within(module.name, KNOWS_JOURNAL_FILES):
        return []
    return [
        f"{module.name}:{node.lineno} names {node.value}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.rpartition("/")[2] in JOURNAL_FILES
    ]


def find_prints(module: Module) -> list[str]:
    """Return where the engine writes to standard output, which belongs to LSP."""
    if not is_within(module.name, ("goal_engine",)) or module.name == STANDALONE:
        return []
    return [
        f"{module.name}:{node.lineno} prints"
        for node in ast.walk(module.tree)
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
        )
        or (
            isinstance(node, ast.Attribute)
            and node.attr == "stdout"
            and ast.unparse(node) == "sys.stdout"
        )
    ]


CHECKS = [
    find_foreign_imports,
    find_git_commands,
    find_process_starts,
    find_journal_files,
    find_prints,
]


@pytest.mark.parametrize("check", CHECKS)
def test_the_project_keeps_to_its_places(check):
    assert [problem for module in read_project() for problem in check(module)] == []


@pytest.mark.parametrize(
    ("check", "name", "text"),
    [
        (find_foreign_imports, "goal_engine.lifecycle", "import pygls"),
        (find_foreign_imports, "goal_server.cli", "from lsprotocol import types"),
        (find_foreign_imports, "goal_server.lsp", "import click"),
        (find_foreign_imports, "goal_server.operations", "import click"),
        (find_foreign_imports, "goal_server.registry", "def f():\n    import rich.table"),
        (find_foreign_imports, "goal_engine.runtime.git", "import git"),
        (find_foreign_imports, "goal_engine.verifier.run", "import subprocess"),
        (find_foreign_imports, "goal_engine.verifier.bundle", "import cryptography.exceptions"),
        (find_git_commands, "goal_engine.runtime.repository", "run(['git', 'status'])"),
        (find_git_commands, "goal_server.cli", "run(('/usr/bin/git', 'push'))"),
        (find_git_commands, "goal_engine.runtime.repository", "safe_git(['status'])"),
        (find_git_commands, "goal_server.cli", "os.system('git status -s')"),
        (find_process_starts, "goal_server.cli", "os.system('ls')"),
        (find_process_starts, "goal_engine.workers.recipe", "asyncio.create_subprocess_exec('ls')"),
        (find_journal_files, "goal_engine.queries", "path = root / 'events.jsonl'"),
        (find_prints, "goal_engine.lifecycle", "print('done')"),
        (find_prints, "goal_engine.lifecycle", "import sys\nsys.stdout.write('done')"),
    ],
)
def test_a_planted_violation_is_found(check, name, text):
    assert check(Module(name, text)) != []


@pytest.mark.parametrize(
    ("check", "name", "text"),
    [
        (find_foreign_imports, "goal_server.lsp.lenses", "from lsprotocol import types"),
        (find_foreign_imports, "goal_server.cli_live", "import rich"),
        (find_foreign_imports, "goal_engine.runtime.objects", "import git"),
        (find_git_commands, "goal_engine.runtime.git", "run(['git', 'status'])"),
        (
            find_git_commands,
            "goal_engine.lifecycle",
            "raise ToolMissing('git is too old: install 2.38.')",
        ),
        (find_process_starts, "goal_engine.runtime.process", "os.posix_spawn('ls')"),
        (find_journal_files, "goal_engine.state.persistence", "name = 'events.jsonl'"),
    ],
)
def test_what_is_in_its_place_is_let_be(check, name, text):
    assert check(Module(name, text)) == []
