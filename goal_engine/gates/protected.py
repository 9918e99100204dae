"""Paths that always need a person: what others execute, and what decides whether a gate is green.

The list is of names, at any depth, compared as a careless file system would: without case, in one
normal form, without trailing dots and spaces, without what HFS+ leaves out and NTFS takes for a stream.
A short name that Windows could have made (`GIT~1`) may stand for any of them, so it needs a person too.
"""

from __future__ import annotations

import posixpath
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import cache
from itertools import pairwise
from typing import Final

from goal_engine.evidence import GITLINK, SYMLINK, GoalGitEvidence
from goal_engine.gates.first_list import FIRST
from goal_engine.proof.gate import REPORT, GateReport, GateSpec
from goal_engine.task_graph.globs import match_any

OTHERS_EXECUTE = (
    *(".git*", ".hg", ".hgrc", ".svn", ".jj", ".goalproof"),
    *(".vscode", "*.code-workspace", ".idea", ".devcontainer", ".devcontainer.json", ".vs"),
    *(
        ".zed",
        ".fleet",
        "*.sublime-project",
        "*.sublime-workspace",
        ".dir-locals*.el",
        ".projectile",
    ),
    *(".nvim.lua", ".nvimrc", ".exrc", ".vimrc", ".gvimrc", ".lvimrc", ".vim", ".nvim"),
    *(
        ".editorconfig",
        ".gdbinit",
        ".lldbinit",
        ".pdbrc*",
        ".pythonrc*",
        ".irbrc",
        ".pryrc",
        ".rprofile",
    ),
    *(".bashrc", ".bash_profile", ".profile", ".zshrc", ".zshenv", ".inputrc", ".netrc", ".ssh"),
    *(".env*", ".direnv", ".tool-versions", "mise.toml", ".mise.toml"),
    *(".claude*", ".codex", ".cursor*", ".kimi", ".gemini*", ".amazonq", ".mcp.json", "mcp.json"),
    *(".windsurf*", ".cline*", ".roo*", ".kilocode*", ".kiro", ".continue", ".aider*", ".qwen"),
    *(
        ".opencode",
        "opencode.json*",
        ".goose*",
        ".augment*",
        ".junie",
        ".trae",
        ".copilot",
        ".agents",
    ),
    *("agents*.md", "claude*.md", "gemini.md", "qwen.md", "skill.md"),
    *(".ci", ".circleci", ".travis.yml", "azure-pipelines*.yml", "jenkinsfile*", ".drone.yml"),
    *(".woodpecker*", ".buildkite", "bitbucket-pipelines.yml", "buildspec*.yml", "cloudbuild.y*ml"),
    *(".husky", ".pre-commit-config.yaml", ".pre-commit-hooks.yaml", "lefthook.yml"),
    *("package.json", ".npmrc", ".yarnrc*", "makefile", "gnumakefile", "*.mk", "justfile"),
    *("taskfile*.y*ml", "build.rs", "hatch_build.py", "cmakelists.txt", "*.cmake", "meson.build"),
    *("dockerfile*", "containerfile*", "docker-compose*.y*ml", "compose*.y*ml", "vagrantfile"),
    *("procfile*", "tiltfile", "rakefile"),
)
"""Configuration that an editor, an agent, git, CI or a build runs without being asked."""

GATES_READ = (
    *("goalproof.toml", "conftest.py", "pyproject.toml", "setup.cfg", "setup.py", "tox.ini"),
    *("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "noxfile.py"),
    *("ruff.toml", ".ruff.toml", "mypy.ini", ".mypy.ini", ".coveragerc", ".flake8", ".pylintrc"),
    *("sitecustomize.py", "usercustomize.py", "*.pth", "*.egg-info", "*.dist-info", "*.egg-link"),
    *("__pycache__", "*.pyc", "*.pyo", "*.pyd", "*.so"),
)
"""What decides how a gate answers; a `.dist-info` in the tree can register a pytest plugin, and
compiled code is run in place of the source that a person reads."""

OTHER_GATES_READ = (
    *("vitest.*", "vite.config.*", "jest.config.*", "jest.setup.*", ".mocharc.*", "babel.config.*"),
    *(
        ".babelrc*",
        "tsconfig*.json",
        "eslint.config.*",
        ".eslintrc*",
        ".prettierrc*",
        "biome.json*",
    ),
    *("prettier.config.*", ".stylelintrc*", "turbo.json", "nx.json", "lerna.json", "bunfig.toml"),
    *("package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"),
    *("yarn.lock", "bun.lock*", ".pnp.*", "node_modules", ".pnpmfile.cjs", "pyrightconfig.json"),
    *("cargo.toml", "cargo.lock", ".cargo", "rust-toolchain*", "clippy.toml", ".clippy.toml"),
    *("rustfmt.toml", ".rustfmt.toml", "go.mod", "go.sum", "go.work*", ".justfile", "tox.toml"),
    *("setuptests.?s", "setuptests.?sx", "jest.*.?s", "jest.*.json", "jest.*.?js", ".swcrc"),
    *(
        "ava.config.*",
        "karma.conf.*",
        "playwright.config.*",
        "cypress.config.*",
        ".taprc",
        ".c8rc*",
    ),
    *(
        ".nycrc*",
        "deno.json*",
        "jsconfig.json",
        "node.config.json",
        ".pnpmfile.mjs",
        "nextest.toml",
    ),
    *("uv.lock", "poetry.lock", "pdm.lock", "pipfile*", "pylock*.toml", "poetry.toml", "uv.toml"),
    *("composer.json", "composer.lock", "gemfile*", "pom.xml", "build.gradle*", "settings.gradle*"),
    *("gradlew*", "gradle", "mvnw*", ".mvn", "build.sbt", "build.zig*", "build.xml"),
)
"""The same for other languages, and what decides which code of others is run."""

PATTERNS = OTHERS_EXECUTE + GATES_READ + OTHER_GATES_READ

ELSEWHERE = frozenset({SYMLINK, GITLINK})
"""Modes of what stands in a tree and has its content somewhere else."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What needed a person in one version of the list."""

    patterns: tuple[str, ...]
    short: bool = True
    """Whether short names that Windows could have made did."""
    links_alone: bool = False
    """Whether a submodule, and a link that goes, did not."""


LISTS: Mapping[int, Listing] = {
    1: Listing(FIRST, short=False, links_alone=True),
    2: Listing(PATTERNS),
}
"""By the number that a proof says.  Whoever changes the list leaves the one before here, as data,
and gives the new one the next number: proofs that were made by the old one are judged by it."""
LIST: Final = 2
"""The list that counts now."""

SHADOWS = {
    "pytest": ("_pytest", "pluggy", "iniconfig"),
    "unittest": (),
    "ruff": (),
    "mypy": ("mypyc", "mypy_extensions"),
}
"""Modules that a tool imports: one of that name in the tree would be run in its place."""

STANDARD = frozenset(sys.stdlib_module_names) - {"test"}
"""Modules that a gate's program imports: beside it, one of that name is imported instead.
`test` is what projects call their tests."""

READERS = frozenset(
    {
        *("ruff", "flake8", "pylint", "black", "isort", "mypy", "pyright", "basedpyright", "ty"),
        *(
            "eslint",
            "prettier",
            "biome",
            "tsc",
            "vue-tsc",
            "svelte-check",
            "oxlint",
            "stylelint",
            "pre-commit",
            "yamllint",
            "shellcheck",
        ),
        *("clippy", "vet", "gofmt"),
    }
)
"""Programs that read the code they judge and do not run it."""

DEFAULT_TESTS = (
    *("tests/**", "test/**", "**/tests/**", "**/test/**", "**/tests.py", "**/conftest.py"),
    *("**/test_*", "**/*_test.*", "**/*.test.*", "**/*.spec.*", "**/*_spec.*"),
    *("spec/**", "**/__tests__/**", "**/__snapshots__/**", "**/testdata/**", "testing/**"),
    *("**/test.*", "**/tests.*", "**/test-*", "**/*-test.*", "**/*-spec.*", "**/*.snap"),
    *("**/spec.?s", "**/spec.?sx", "**/__mocks__/**", "**/__fixtures__/**", "e2e/**"),
    *("cypress/**", "**/*Test.*", "**/*Tests.*", "**/*Spec.*"),
)
"""What counts as a test whatever a gate says: one taken for code would let a weakened test pass."""

INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
"""Characters that some file systems leave out when they compare names (git's `protectHFS`, and more)."""
SHORT = re.compile(r"(?=[^.]{3,8}(\.|$))[^.~]{1,6}~[0-9]{1,6}(\.[^.]{1,3})?$")
"""A name of eight and three that Windows makes of a longer one; of which, nobody can tell (`GI7EBA~1`)."""


def find_protected(
    paths: Iterable[str], specs: Iterable[GateSpec], version: int = LIST
) -> tuple[str, ...]:
    """Return those of `paths` that need a person, in their order, by a version of the list.

    Beside the list: every path that a gate's command names, and what `-m name` would run.
    """
    gates = tuple(specs)
    named = frozenset(fold for spec in gates for fold in map(_fold, _find_named(spec)))
    beside = frozenset(fold for spec in gates for fold in map(_fold, _find_places(spec)))
    return tuple(
        path
        for path in paths
        if _is_protected(_fold(path), named, version) or _is_shadow(_fold(path), beside)
    )


def find_protected_change(
    evidence: GoalGitEvidence, specs: Iterable[GateSpec], version: int = LIST
) -> tuple[str, ...]:
    """Return the changed paths that need a person's eye: protected ones, and symbolic links and
    submodules that come, change or go: their content is elsewhere and not in the tree."""
    links_alone = LISTS[version].links_alone
    links = {
        file.path
        for file in evidence.files
        if (file.mode == SYMLINK if links_alone else {file.mode, file.old_mode} & ELSEWHERE)
    }
    named = find_protected(sorted(evidence.paths), specs, version)
    return tuple(sorted({*named, *links}))


def runs_tests(spec: GateSpec) -> bool:
    """Whether a gate runs the tests, as far as its command tells, and does not only read code."""
    if spec.report is not GateReport.EXIT:
        return True
    words = {posixpath.basename(word) for word in spec.argv}
    return spec.fix is None and not words & READERS


def is_test(path: str, globs: tuple[str, ...] = ()) -> bool:
    """Whether `path` is a test, by the usual names or by a gate's own `globs`."""
    return match_any(path, (*DEFAULT_TESTS, *globs))


@cache
def _compile(version: int) -> re.Pattern[str]:
    """All of them at once: a change may have ten thousand paths."""
    return re.compile("|".join(map(translate, LISTS[version].patterns)))


def _is_protected(path: str, named: frozenset[str], version: int) -> bool:
    if path in named:
        return True
    short, names = LISTS[version].short, _compile(version)
    return any((short and SHORT.match(part)) or names.match(part) for part in path.split("/"))


def _is_shadow(path: str, places: frozenset[str]) -> bool:
    """Whether a program of Python that starts in one of `places` would import this as a standard one."""
    folder, _, name = path.removesuffix("/__init__.py").removesuffix(".py").rpartition("/")
    return path.endswith(".py") and name in STANDARD and (folder or ".") in places


def _find_places(spec: GateSpec) -> Iterator[str]:
    """Folders from which the gate's program may import: its own and those of its scripts."""
    words = [word for arg in spec.argv if REPORT not in arg for word in arg.split()]
    scripts = [posixpath.dirname(word) for word in words if word.endswith(".py")]
    settings = spec.env.get("PYTHONPATH", "").split(":")
    for place in (".", *scripts, *filter(None, settings)):
        yield posixpath.normpath(posixpath.join(spec.cwd, place))


def _fold(path: str) -> str:
    """Return `path` as the most forgiving of file systems would compare it."""
    shown = INVISIBLE.sub("", unicodedata.normalize("NFKC", path)).replace("\\", "/")
    folded = unicodedata.normalize(
        "NFC", unicodedata.normalize("NFKC", shown.casefold()).casefold()
    )
    return "/".join(map(_trim, folded.split("/")))


def _trim(part: str) -> str:
    """NTFS takes `.git::$INDEX_ALLOCATION` for `.git`, and leaves out dots and spaces at the end."""
    return part.partition(":")[0].rstrip(". ") or part


def _find_named(spec: GateSpec) -> Iterator[str]:
    """Paths that the gate's command may mean, relative to the root of the tree."""
    words = [word for arg in spec.argv if REPORT not in arg for word in arg.split()]
    modules = [name for word, name in pairwise([*words, ""]) if word == "-m"]
    modules += [word[2:] for word in words if re.match(r"-m\w", word)]
    places = ["", "src", *filter(None, spec.env.get("PYTHONPATH", "").split(":"))]
    names = [path for word in words for path in _find_paths(word)] + list(spec.runs)
    if not modules:
        names += [posixpath.join(name, "__main__.py") for name in names if name != "."]
    names += [
        posixpath.join(place, path)
        for place in places
        for module in modules
        for path in _find_modules(module)
    ]
    yield from (posixpath.normpath(posixpath.join(spec.cwd, name)) for name in names)


def _find_paths(word: str) -> Iterator[str]:
    """`x`, `--option=x`, `-ox` and `x::test` may all name the file x."""
    plain = word.split("::")[0]
    spellings = (plain, plain.partition("=")[2], plain[2:] if plain.startswith("-") else "")
    yield from filter(None, (name.strip("'\";&|()") for name in spellings))


def _find_modules(module: str) -> Iterator[str]:
    """Files that `python -m module` would run, were they in the tree."""
    parts = module.split(".")
    for name in (parts, *((shadow,) for shadow in SHADOWS.get(parts[0], ()))):
        base = "/".join(name)
        yield from (f"{base}.py", f"{base}/__main__.py", f"{base}/__init__.py")
    for depth in range(1, len(parts)):
        yield "/".join((*parts[:depth], "__init__.py"))
