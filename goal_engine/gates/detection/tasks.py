"""Gates that a Makefile or a justfile names, where no other gate runs the same; and what is none.

A Makefile is read and not asked: `make -n` runs `$(shell …)` and makes included files anew, in the
person's checkout.  `just --dump` runs nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from goal_engine.gates.detection.commands import (
    CANNOT_FAIL,
    ENVIRONMENTS,
    INSTALLERS,
    REWRITES,
    Command,
    is_vacuous,
    split_line,
    unwrap,
)
from goal_engine.gates.detection.project import (
    WRITE_ONE,
    Finding,
    PassedOver,
    Project,
    Tools,
)
from goal_engine.proof.gate import GateSpec

TARGETS = ("test", "lint", "check")
MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
JUSTFILES = ("justfile", "Justfile", ".justfile")
MARKERS = (
    *MAKEFILES,
    *JUSTFILES,
    "noxfile.py",
    "tox.ini",
    "tox.toml",
    "pyproject.toml",
    ".pre-commit-config.yaml",
)

RULE = re.compile(r"^([A-Za-z0-9_.% /-]+?)\s*::?(?!=)\s*([^#;]*)(?:;(.*))?")
INCLUDE = re.compile(r"^(?:-?include|sinclude|import\??|mod\??)\s(.*)$", re.MULTILINE)
VARIABLE = re.compile(r"^(?:export\s+)?([A-Za-z0-9_]+)\s*[:?+]{0,3}=\s*(.*?)\s*$")
REFERENCE = re.compile(r"\$[({]([A-Za-z0-9_]+)[)}]")
DEEPEST = 5
"""Targets that are followed from one to the next, and variables in variables."""

SAME: Mapping[tuple[str, ...], str] = {
    **{(tool,): tool for tool in ("pytest", "unittest", "mypy", "pyright", "basedpyright")},
    **{(tool,): tool for tool in ("vitest", "jest", "mocha", "eslint", "prettier", "biome", "tsc")},
    ("ruff", "check"): "ruff",
    ("ruff", "format"): "ruff-format",
    ("ruff",): "ruff",
    ("cargo", "test"): "cargo-test",
    ("cargo", "nextest"): "cargo-test",
    ("cargo", "clippy"): "clippy",
    ("cargo", "fmt"): "cargo-fmt",
    ("gofmt",): "gofmt",
    ("go", "test"): "go-test",
    ("go", "vet"): "go-vet",
    ("node", "--test"): "node-test",
    ("py.test",): "pytest",
}
"""The gate that a command would be."""
SCRIPT = re.compile(
    r"(?:npm|pnpm|yarn|bun)(?: run| run-script)?(?: -s| --silent)? (test|lint|check)\b"
)
UNIMPORTANT = frozenset({"cd", "export", "set", "mkdir", "test", "["})
"""Commands beside the one that judges."""

IF_IT_SHOULD = f"{WRITE_ONE} if it should count"
OWN_ENVIRONMENTS = "it makes environments of its own and may fetch what is in them"


@dataclass(frozen=True, slots=True)
class Known:
    """What the ecosystems found."""

    names: frozenset[str]
    absent: frozenset[str]
    """Tools that would be gates if they were installed."""
    places: frozenset[str]
    has_scripts: bool
    """Whether scripts of a package are among the gates."""

    @classmethod
    def made_of(cls, found: Iterable[Finding]) -> Known:
        """Return what a target is held against."""
        findings = tuple(found)
        gates = [finding for finding in findings if isinstance(finding, GateSpec)]
        passed = [finding for finding in findings if isinstance(finding, PassedOver)]
        return cls(
            names=frozenset(gate.name for gate in gates),
            absent=frozenset(one.what for one in passed if one.absent),
            places=frozenset(gate.cwd for gate in gates),
            has_scripts=any("package.json" in gate.reason for gate in gates),
        )


def find_tasks(
    projects: tuple[Project, ...], tools: Tools, found: Iterable[Finding]
) -> Iterator[Finding]:
    """Yield a gate for each target that judges something nothing that was `found` does."""
    known = Known.made_of(found)
    for project in projects:
        yield from _find_nested(project)
        if project.folder == "." or project.folder in known.places:
            yield from project.place(_find_make(project, tools, known))
            yield from project.place(_find_just(project, tools, known))


def _find_make(project: Project, tools: Tools, known: Known) -> Iterator[Finding]:
    if name := project.first(MAKEFILES):
        rules = read_rules(project.text(name))
        yield from _find_targets(project, ("make", name), rules, known, tools)


def _find_just(project: Project, tools: Tools, known: Known) -> Iterator[Finding]:
    name = project.first(JUSTFILES)
    if name and tools.has("just"):
        said = tools.ask(project.folder, ("just", "--dump", "--dump-format", "json"))
        yield from _find_targets(project, ("just", name), read_recipes(said or b""), known, tools)
    elif name:
        yield project.passed("just", f"{name} is there but just is not installed")


def _find_targets(
    project: Project,
    source: tuple[str, str],
    rules: Rules,
    known: Known,
    tools: Tools,
) -> Iterator[Finding]:
    """What one target runs is not run again for the next."""
    program, name = source
    run: set[str] = set()
    for target in TARGETS:
        if target not in rules:
            continue
        lines = follow(rules, target)
        fresh = [line for line in lines if line not in run]
        what, text = f"{program} {target}", "\n".join(lines)
        refused = _refuse(text, fresh, known)
        if refused:
            yield project.passed(what, refused)
        elif not tools.has(program):
            reason = f"`{target}` in {name}, but {program} is not installed"
            yield project.passed(what, reason, absent=True)
        else:
            run.update(lines)
            yield GateSpec(
                name=f"{program}-{target}",
                argv=(program, target),
                reason=f"`{target}` in {name}",
                runs=project.find_named("\n".join((text, *INCLUDE.findall(project.text(name))))),
            )


def _refuse(text: str, fresh: list[str], known: Known) -> str:
    """Return why a target is no gate, empty when it may be one."""
    absent = next(filter(None, (_find_absent(line, known) for line in fresh)), "")
    reasons = (
        (is_vacuous(text), "it runs nothing that judges"),
        (_cannot_fail(text), "it succeeds whatever it finds"),
        (_is_covered(fresh, known), "other gates run all of it"),
        (absent, f"it runs {absent}, which is not installed"),
        (ENVIRONMENTS.search(text), f"{OWN_ENVIRONMENTS}; {IF_IT_SHOULD}"),
        (INSTALLERS.search(text), f"it fetches or starts what is not here; {IF_IT_SHOULD}"),
        (REWRITES.search(text), "it rewrites files; a gate only looks"),
    )
    return next((reason for is_so, reason in reasons if is_so), "")


def _cannot_fail(text: str) -> bool:
    """Whether every line that judges is one whose failure is passed over."""
    lines = [line for line in text.split("\n") if not is_vacuous(line)]
    return all(line.startswith(("-", "@-")) or CANNOT_FAIL.search(line) for line in lines)


def _find_absent(line: str, known: Known) -> str:
    commands = split_line(line.lstrip("@-+ ")) or ()
    return next((name for name in map(find_gate, commands) if name in known.absent), None) or ""


def _is_covered(lines: list[str], known: Known) -> bool:
    for line in lines:
        commands = split_line(line.lstrip("@-+ "))
        if commands is None:
            return False
        for command in commands:
            if command.is_vacuous or command.program in UNIMPORTANT:
                continue
            if known.has_scripts and SCRIPT.match(" ".join(command.words)):
                continue
            if find_gate(command) not in known.names:
                return False
    return True


def find_gate(command: Command) -> str | None:
    """Return the name of the gate that a command would be."""
    words = unwrap(command.words)
    return SAME.get(words[:2]) or SAME.get(words[:1])


Rules = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""The lines of each target, and the targets that come before it."""


def read_rules(text: str) -> Rules:
    """Return the rules of a Makefile, as far as they stand in it."""
    variables = {"MAKE": "make"}
    rules: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    current: list[str] = []
    for line in text.replace("\\\n", " ").split("\n"):
        if line.startswith("\t"):
            for target in current:
                lines, before = rules[target]
                rules[target] = ((*lines, _fill(line.strip(), variables)), before)
        elif found := VARIABLE.match(line):
            variables[found.group(1)] = found.group(2)
        elif found := RULE.match(line):
            current = [word for word in found.group(1).split() if not word.startswith(".")]
            for target in current:
                lines, before = rules.get(target, ((), ()))
                here = (_fill(found.group(3).strip(), variables),) if found.group(3) else ()
                needed = _fill(found.group(2), variables).split()
                rules[target] = ((*lines, *here), (*before, *needed))
        elif line.strip() and not line.lstrip().startswith(("#", "if", "else", "endif")):
            current = []
    return rules


def read_recipes(data: bytes) -> Rules:
    """Return the recipes that `just` tells of, without those that need to be given something."""
    try:
        recipes = json.loads(data)["recipes"]
        return {
            name: _read_recipe(recipe)
            for name, recipe in recipes.items()
            if all(
                parameter["default"] is not None or parameter["kind"] == "star"
                for parameter in recipe.get("parameters", ())
            )
        }
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}


def _read_recipe(recipe: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    lines = tuple(
        "".join(part for part in line if isinstance(part, str)) for line in recipe["body"]
    )
    return lines, tuple(needed["recipe"] for needed in recipe["dependencies"])


def follow(rules: Rules, target: str) -> list[str]:
    """Return all lines that a target runs, those of the targets it needs first."""
    seen: list[str] = []

    def visit(name: str, depth: int) -> Iterator[str]:
        if name in seen or name not in rules or depth > DEEPEST:
            return
        seen.append(name)
        lines, before = rules[name]
        for needed in before:
            yield from visit(needed, depth + 1)
        yield from lines

    return list(visit(target, 0))


def _fill(line: str, variables: Mapping[str, str]) -> str:
    for _ in range(DEEPEST):
        filled = REFERENCE.sub(lambda found: variables.get(found.group(1), ""), line)
        if filled == line or len(filled) > 10_000:
            break
        line = filled
    return line


def _find_nested(project: Project) -> Iterator[Finding]:
    """Tools that run the others, each in environments of its own."""
    named = {
        "nox": project.first(("noxfile.py",)),
        "tox": _find_tox(project),
        "pre-commit": project.first((".pre-commit-config.yaml",)),
    }
    for tool, where in named.items():
        if where:
            yield project.passed(tool, f"{where}: {OWN_ENVIRONMENTS}; {IF_IT_SHOULD}")


def _find_tox(project: Project) -> str | None:
    if any(project.ini("tox.ini", section) is not None for section in ("tox", "testenv")):
        return "tox.ini"
    if "tox" in project.pyproject:
        return "[tool.tox] in pyproject.toml"
    return project.first(("tox.toml",))
