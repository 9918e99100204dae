"""Gates of Node projects: what their scripts run, with the runner's own report wherever it has one.

A script of simple commands is run without its package manager, which may want to install itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from goal_engine.gates.detection.commands import (
    CANNOT_FAIL,
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
    table,
)
from goal_engine.proof.gate import REPORT, GateReport, GateSpec

MARKERS = ("package.json",)

SCRIPTS = (
    ("test", ("test",)),
    ("lint", ("lint", "eslint")),
    (
        "types",
        ("typecheck", "type-check", "types", "check-types", "check:types", "ts:check", "tsc"),
    ),
    ("format", ("format:check", "check:format", "fmt:check", "prettier:check", "format")),
    ("check", ("check",)),
)
"""Scripts that judge, by what they are for; the last one often runs the others."""

LOCKS = (
    *(("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lock", "bun")),
    *(("bun.lockb", "bun"), ("package-lock.json", "npm"), ("npm-shrinkwrap.json", "npm")),
)
INSTALL = {
    "npm": "npm ci",
    "pnpm": "pnpm install --frozen-lockfile",
    "yarn": "yarn install --immutable",
    "bun": "bun install --frozen-lockfile",
}
RUN = {
    "npm": ("npm", "run", "--silent"),
    "pnpm": ("pnpm", "run"),
    "yarn": ("yarn", "run"),
    "bun": ("bun", "run"),
}
ONCE = {"CI": "1", "NO_COLOR": "1"}
"""Runs once, writes no snapshot and asks nobody."""
OFFLINE = {
    "COREPACK_ENABLE_NETWORK": "0",
    "npm_config_offline": "true",
    "npm_config_manage_package_manager_versions": "false",
    "npm_config_update_notifier": "false",
    "YARN_ENABLE_NETWORK": "0",
}
"""A package manager that would fetch something fails instead."""

HANDS_OUT = re.compile(
    r"(?:^|\s)(?:turbo|nx|lerna|wireit|moon|rush|ultra)(?:\s|$)|--workspaces?\b|(?:^|\s)-ws\b"
    r"|\bpnpm\b.*(?:\s-r\b|--recursive|--filter|-F\b)|\byarn\b.*\bworkspaces?\b|\bbun\b.*--filter"
)
"""Scripts that run a script of each package."""
WAITS = re.compile(r"(?:^|\s)(?:nodemon|chokidar|onchange|watchexec|entr)\b")
WATCHES = re.compile(r"--watch(?:All)?\b|(?:^|\s)watch\b")
"""What waits for changes; a runner can be made to run once."""
MOST_PACKAGES = 8
"""Gates of inner packages up to which they are better than the one script that runs them all."""
COVERAGE = frozenset({"c8", "nyc"})
"""What runs a runner and looks at how much of the code it runs."""
STARTED = re.compile(r"/(vitest|jest|mocha)(?:\.m?js)?$")
"""A runner that node is told to run."""
NAMED = re.compile(r"\b(?:npm|pnpm|yarn|bun)(?:\s+(?:run|run-script|-s|--silent))*\s+([\w:.-]+)")
SEVERAL = re.compile(r"\b(?:run-s|run-p|npm-run-all2?|concurrently|wireit)\b")
"""How a script names another, and what is given the names of several."""
MANAGER = re.compile(r"(npm|pnpm|yarn|bun)(?:@|$)")


@dataclass(frozen=True, slots=True)
class Runner:
    """A test runner: how it is made to run once, and to write a report."""

    flags: tuple[str, ...]
    report: GateReport
    drop: frozenset[str] = frozenset()
    verb: str = ""
    """The word that makes it run once; other verbs do something else."""
    last: tuple[str, ...] | None = ()
    """What is given as well where the flags come after a script's own words; `None` where
    they may not."""


RUNNERS = {
    "vitest": Runner(
        ("--reporter=default", "--reporter=junit", f"--outputFile.junit={REPORT}"),
        GateReport.JUNIT,
        drop=frozenset({"watch", "dev", "--watch", "-w"}),
        verb="run",
        last=("--run",),
    ),
    "jest": Runner(
        ("--ci", "--json", f"--outputFile={REPORT}"),
        GateReport.JEST,
        drop=frozenset({"--watch", "--watchAll"}),
    ),
    "node": Runner(
        ("--test-reporter=junit", f"--test-reporter-destination={REPORT}"),
        GateReport.JUNIT,
        drop=frozenset({"--watch"}),
        last=None,
    ),
    "mocha": Runner(
        ("--reporter=xunit", f"--reporter-option=output={REPORT}"),
        GateReport.JUNIT,
        drop=frozenset({"--watch", "-w"}),
    ),
    "bun": Runner(
        ("--reporter=junit", f"--reporter-outfile={REPORT}"),
        GateReport.JUNIT,
        drop=frozenset({"--watch", "--hot"}),
        verb="test",
    ),
}
GLOBBED = re.compile(r"node (?:--?[\w=./@-]+ )*--test(?: [\w=./@*?{},-]+)*")
NODE_REPORT = 'node --test-reporter=junit --test-reporter-destination="$1" '
"""Names that a shell has to fill in leave the shell in place."""
OWN_REPORT = re.compile(r"--(?:test-)?reporter|--outputFile|(?:^|\s)-R\b|--json\b")
"""A script that asks for a report of its own is left as it is."""

READERS: Mapping[str, Callable[[tuple[str, ...]], tuple[str, ...] | None]] = {
    "eslint": lambda words: (*words, "--fix"),
    "prettier": lambda words: _write(words),
    "biome": lambda words: (
        words[0], "check" if words[1:2] == ("ci",) else words[1], "--write", *words[2:]
    ) if words[1:] else None,
    "oxlint": lambda words: (*words, "--fix"),
    "stylelint": lambda words: (*words, "--fix"),
    "xo": lambda words: (*words, "--fix"),
    "standard": lambda words: (*words, "--fix"),
    "tsc": lambda words: None,
    "vue-tsc": lambda words: None,
    "svelte-check": lambda words: None,
}  # fmt: skip
"""Tools that read the code and do not run it, and what repairs what they find."""
EVERYWHERE = frozenset({"run", "test", "check", "ci", "lint", "."})
NEAR = frozenset({"tsc", "vue-tsc", "svelte-check", "node", "mocha"})
"""Tools that look at one project, whatever lies below it."""
OTHER_VERBS = frozenset({"bench", "list", "related", "typecheck", "init", "install", "build"})
CONFIGURED = {
    "vitest": ("vitest.config.*", "vitest.workspace.*"),
    "jest": ("jest.config.*",),
    "mocha": (".mocharc.*",),
}
"""Files that say that there are tests, though no script runs them."""
DEEPEST = 4
"""Scripts that are followed from one to the next."""
LOOKS = frozenset({"--check", "-c", "--list-different", "-l"})
REPAIRS = frozenset({"--fix", "--write", "--apply", "--apply-unsafe", "--unsafe"})


@dataclass(frozen=True, slots=True)
class Package:
    """One package.json, and what lies around it."""

    project: Project
    content: Mapping[str, Any]
    manager: str
    depth: int
    """Folders between the root and this one."""

    @property
    def scripts(self) -> Mapping[str, str]:
        """Its scripts, those that are text."""
        found = table(self.content, "scripts")
        return {name: line for name, line in found.items() if isinstance(line, str)}

    @property
    def dependencies(self) -> frozenset[str]:
        """Names of everything that it installs."""
        kinds = ("dependencies", "devDependencies", "optionalDependencies")
        return frozenset(name for kind in kinds for name in table(self.content, kind))


@dataclass(frozen=True, slots=True)
class Found:
    """A finding, and what it means for packages around and inside."""

    finding: Finding
    group: str = ""
    """What its script is for, as in `SCRIPTS`."""
    tool: str = ""
    """The tool it runs over everything below its folder."""
    hands_out: bool = False
    """Whether it runs a script of each package."""


def find_node(projects: tuple[Project, ...], tools: Tools) -> Iterator[Finding]:
    """Yield the gates of packages; what an outer one runs for all is no gate of an inner one."""
    packages = _read_packages(projects)
    found = {
        project.folder: list(_find_package(packages[project.folder], tools))
        if project.folder in packages
        else [Found(project.passed("package.json", "it holds no JSON object"))]
        for project in projects
    }
    kept = frozenset(
        (project.folder, one.group)
        for project in projects
        for one in found[project.folder]
        if one.hands_out and not 0 < _count_inside(project, projects, found, one) <= MOST_PACKAGES
    )
    for project in projects:
        around = [other for other in projects if project.is_inside(other)]
        for one in found[project.folder]:
            reason = _find_cover(one, project, around, found, kept)
            if reason and isinstance(one.finding, GateSpec):
                yield project.passed(one.finding.name, reason)
            else:
                yield from project.place([one.finding])


def _count_inside(
    project: Project, projects: tuple[Project, ...], found: dict[str, list[Found]], outer: Found
) -> int:
    return sum(
        one.group == outer.group and isinstance(one.finding, GateSpec)
        for other in projects
        if other.is_inside(project)
        for one in found[other.folder]
    )


def _find_cover(
    one: Found,
    project: Project,
    around: list[Project],
    found: dict[str, list[Found]],
    kept: frozenset[tuple[str, str]],
) -> str:
    """Return why a gate would be a second one for the same thing, empty when it is not."""
    if one.hands_out and (project.folder, one.group) not in kept:
        return "it runs scripts of the packages inside, whose gates are here"
    for other in around:
        if (other.folder, one.group) in kept:
            return f"a script of {other.place_name} runs it with those of the other packages"
        tools = {o.tool for o in found[other.folder] if isinstance(o.finding, GateSpec)}
        if one.tool and one.tool in tools:
            return f"{one.tool} in {other.place_name} looks here as well"
    return ""


def _read_packages(projects: tuple[Project, ...]) -> dict[str, Package]:
    packages: dict[str, Package] = {}
    for project in projects:
        content = project.json("package.json")
        if content is None:
            continue
        near = [
            packages[o.folder] for o in projects if o.folder in packages and project.is_inside(o)
        ]
        named = _find_manager(project, content)
        manager = named or (near[-1].manager if near else "npm")
        depth = 0 if project.folder == "." else project.folder.count("/") + 1
        packages[project.folder] = Package(project, content, manager, depth)
    return packages


def _find_manager(project: Project, content: Mapping[str, Any]) -> str:
    named = MANAGER.match(str(content.get("packageManager", "")))
    lock = project.first([name for name, _ in LOCKS])
    return named.group(1) if named else dict(LOCKS).get(lock or "", "")


def _find_package(package: Package, tools: Tools) -> Iterator[Found]:
    seen: set[tuple[str, ...]] = set()
    tested = False
    for group, names in SCRIPTS:
        name = next((name for name in names if name in package.scripts), None)
        if name is None:
            continue
        for one in _read_script(package, name, group, seen, tools):
            tested = tested or (group == "test" and _is_answer(one.finding))
            yield one
    if not tested:
        yield from _find_unscripted(package, seen, tools)


def _is_answer(finding: Finding) -> bool:
    """Whether it is a gate, or would be one."""
    return isinstance(finding, GateSpec) or finding.absent


def _read_script(
    package: Package, name: str, group: str, seen: set[tuple[str, ...]], tools: Tools
) -> Iterator[Found]:
    """A script of simple commands becomes their gates; any other is one gate, as it stands."""
    line, what = package.scripts[name], f"script {name}"
    refused = _refuse(line, _gather(package, name))
    if refused:
        yield Found(package.project.passed(what, refused), group)
        return
    reason = f"`{name}` in package.json: {line[:80]}"
    commands = _expand(package, name)
    gates = [_make_gate(package, command, reason, tools) for command in commands or ()]
    if commands and all(gates) and not _builds_first(commands):
        fresh = {unwrap(c.words): gate for c, gate in zip(commands, gates, strict=True) if gate}
        fresh = {words: gate for words, gate in fresh.items() if words not in seen}
        seen.update(fresh)
        yield from (replace(gate, group=group) for gate in fresh.values())
        if not fresh:
            yield Found(package.project.passed(what, "other gates run all of it"), group)
        return
    if name == "format":
        yield Found(package.project.passed(what, "it may rewrite files, as scripts of its name do"))
        return
    yield _run_script(package, name, group, reason, tools)


def _builds_first(commands: tuple[Command, ...]) -> bool:
    """A compiler that writes files is there for what follows it, and cannot stand alone."""
    return any(
        command.program in ("tsc", "vue-tsc") and "--noEmit" not in command.words
        for command in commands[:-1]
    )


def _refuse(line: str, everything: str) -> str:
    """Return why a script is no gate, empty when it may be one; `everything` is what it leads to."""
    if is_vacuous(line):
        return "it runs no test, only prints or ends"
    if CANNOT_FAIL.search(line):
        return "it succeeds whatever it finds"
    if found := INSTALLERS.search(everything):
        return f"it fetches or starts what is not here ({found[0]}); {WRITE_ONE} if it should count"
    known = any(re.search(rf"\b{runner}\b", line) for runner in RUNNERS)
    if WAITS.search(line) or (WATCHES.search(line) and not known):
        return "it waits for changes and does not end"
    if REWRITES.search(line) and not re.search(r"\beslint\b", line):
        return "it rewrites files; a gate only looks (add a script that checks)"
    return ""


def _expand(package: Package, name: str, depth: int = 0) -> tuple[Command, ...] | None:
    """Return what a script runs, through the scripts that it names; `None` if that cannot be told."""
    if depth > DEEPEST or {f"pre{name}", f"post{name}"} & package.scripts.keys():
        return None
    commands = split_line(package.scripts.get(name, ""))
    if commands is None:
        return None
    found: list[Command] = []
    for command in commands:
        inner = _named_script(package, command)
        if command.is_vacuous:
            continue
        part = (command,) if inner is None else _expand(package, inner, depth + 1)
        if part is None or (inner and command.env):
            return None
        found += part
    return tuple(found)


def _named_script(package: Package, command: Command) -> str | None:
    words = [word for word in command.words if word not in ("run", "run-script", "-s", "--silent")]
    if len(words) == 2 and words[0] in RUN and words[1] in package.scripts:
        return None if words == ["bun", "test"] else words[1]
    return None


def _make_gate(package: Package, command: Command, reason: str, tools: Tools) -> Found | None:
    """Return the gate of one command that is known, `None` for any other."""
    words = unwrap(command.words)
    tool = words[0] if words else ""
    if tool in RUNNERS:
        made = _run_once(tool, words[1:], tools)
    elif tool in READERS:
        made = _read_only(words)
    else:
        return None
    if made is None or OWN_REPORT.search(" ".join(words)):
        return None
    program = _find_program(package, tool, tools)
    if program is None:
        return (
            None if _has_pnp(package, tools) else Found(_absent(package, tool, reason), tool=tool)
        )
    argv, fix, report = made
    env = {**command.env, **ONCE} if tool in RUNNERS else command.env
    gate = GateSpec(
        name="node-test" if tool == "node" else tool,
        argv=(program, *argv[1:]),
        fix=(program, *fix[1:]) if fix else None,
        env=env,
        report=report,
        reason=reason,
    )
    places = [word for word in words[1:] if not word.startswith("-") and word not in EVERYWHERE]
    broad = not places and tool not in NEAR
    return Found(gate, tool=tool if broad else "")


Made = tuple[tuple[str, ...], tuple[str, ...] | None, GateReport]
"""A command, what repairs what it finds, and its report."""


def _run_once(tool: str, rest: tuple[str, ...], tools: Tools) -> Made | None:
    runner = RUNNERS[tool]
    words = tuple(word for word in rest if word not in runner.drop)
    verb = words[:1] if words and not words[0].startswith("-") else ()
    if tool == "node":
        if "--test" not in words:
            return None
        old = _is_old_node(tools)
        flags = () if old else runner.flags
        return (tool, *flags, *words), None, GateReport.EXIT if old else runner.report
    if runner.verb and verb != (runner.verb,):
        if verb and (tool == "bun" or verb[0] in OTHER_VERBS):
            return None
        words = (runner.verb, *words)
    return (tool, *words, *runner.flags), None, runner.report


def _is_old_node(tools: Tools) -> bool:
    """Before version 20 node's runner writes no report."""
    said = tools.ask(".", ("node", "--version")) or b""
    version = re.match(rb"v(\d+)\.", said)
    return version is not None and int(version.group(1)) < 20


def _read_only(words: tuple[str, ...]) -> Made | None:
    """A command that repairs is run without that, and is its own fix."""
    looks = tuple(word for word in words if word not in REPAIRS)
    if words[0] == "prettier" and LOOKS.isdisjoint(looks):
        return None
    if words[0] == "biome" and looks[1:2] not in (("check",), ("ci",), ("lint",), ("format",)):
        return None
    return looks, READERS[words[0]](looks), GateReport.EXIT


def _write(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("--write" if word in LOOKS else word for word in words)


def _find_program(package: Package, tool: str, tools: Tools) -> str | None:
    """Return how a package's tool is started in its folder, `None` when it is not installed."""
    if tool in ("node", "bun"):
        return tool if tools.has(tool) else None
    start = "" if package.project.folder == "." else f"{package.project.folder}/"
    parts = package.project.folder.split("/") if start else []
    for up in range(package.depth + 1):
        folder = "/".join(parts[: len(parts) - up])
        if tools.has(f"{folder}/node_modules/.bin/{tool}".lstrip("/")):
            return f"{'../' * up}node_modules/.bin/{tool}"
    return None


def _run_script(
    package: Package,
    name: str,
    group: str,
    reason: str,
    tools: Tools,
) -> Found:
    """The script as it stands, by its manager; a runner at its end is asked for a report."""
    manager, line = package.manager, package.scripts[name]
    hooked = {f"pre{name}", f"post{name}"} & package.scripts.keys()
    if GLOBBED.fullmatch(line) and not hooked and tools.has("node") and not _is_old_node(tools):
        argv = ("sh", "-c", line.replace("node ", NODE_REPORT, 1), "node-test", REPORT)
        gate = GateSpec(
            name="node-test", argv=argv, env=ONCE, report=GateReport.JUNIT, reason=reason
        )
        return Found(gate, group)
    if not tools.has(manager):
        said = f"{manager} runs this project's scripts and is not installed"
        return Found(package.project.passed(f"script {name}", said, absent=True), group)
    if package.dependencies and not _is_installed(package, tools):
        return Found(_absent(package, f"script {name}", reason), group)
    flags, report = _find_flags(line)
    if manager == "npm" and flags:
        flags = ("--", *flags)
    gate = GateSpec(
        name=re.sub(r"[^a-z0-9._-]+", "-", f"{manager}-{name}".casefold()),
        argv=(*RUN[manager], name, *flags),
        env={**ONCE, **OFFLINE},
        report=report,
        reason=reason,
        runs=package.project.find_named(_gather(package, name)),
    )
    return Found(gate, group, hands_out=bool(HANDS_OUT.search(line)))


def _gather(package: Package, name: str) -> str:
    """Return the text of a script and of all that it may lead to."""
    lines: dict[str, str] = {}
    wanted = [name]
    while wanted:
        script = wanted.pop()
        if script not in lines and script in package.scripts:
            lines[script] = package.scripts[script]
            wanted += [f"pre{script}", f"post{script}", *NAMED.findall(lines[script])]
            several = SEVERAL.search(lines[script])
            wanted += lines[script].split() if several else []
    return "\n".join(lines.values())


def _find_flags(line: str) -> tuple[tuple[str, ...], GateReport]:
    """A manager gives what follows a script's name to its last command."""
    last = unwrap(re.split(r"&&|;|\|\|?", line)[-1].split())
    while last and (last[0] in COVERAGE or last[0].startswith("-")):
        last = unwrap(last[1:])
    started = [match.group(1) for match in map(STARTED.search, last) if match]
    last = (started[0], *last[1:]) if last[:1] == ("node",) and started else last
    runner = RUNNERS.get(last[0]) if last else None
    if runner is None or runner.last is None or OWN_REPORT.search(line):
        return (), GateReport.EXIT
    if last[0] == "bun" and last[1:2] != ("test",) or last[1:2] and last[1] in OTHER_VERBS:
        return (), GateReport.EXIT
    extra = () if runner.verb in last[1:] else runner.last
    return (*extra, *runner.flags), runner.report


def _find_unscripted(package: Package, seen: set[tuple[str, ...]], tools: Tools) -> Iterator[Found]:
    """A runner that is configured and that no script names."""
    for tool, patterns in CONFIGURED.items():
        name = next(filter(None, map(package.project.matching, patterns)), None)
        reason = name or (f'"{tool}" in package.json' if tool in package.content else "")
        if reason and (tool,) not in seen:
            found = _make_gate(package, Command((tool,)), reason, tools)
            if found is not None:
                yield replace(found, group="test")
                return


def _has_pnp(package: Package, tools: Tools) -> bool:
    """Whether yarn resolves its modules, and there are no programs to name."""
    committed = any(name.startswith(".pnp.") for name in package.project.files)
    return committed or _has_above(package, tools, ".pnp.cjs")


def _is_installed(package: Package, tools: Tools) -> bool:
    return any(_has_above(package, tools, name) for name in ("node_modules", ".pnp.cjs"))


def _has_above(package: Package, tools: Tools, name: str) -> bool:
    """Whether the package's folder in the checkout, or one above it, has something of that name."""
    parts = [] if package.project.folder == "." else package.project.folder.split("/")
    folders = ["/".join(parts[:depth]) for depth in range(len(parts) + 1)]
    return any(
        tools.has(f"{folder}/{name}".lstrip("/") if folder else f"./{name}") for folder in folders
    )


def _absent(package: Package, what: str, reason: str) -> PassedOver:
    said = f"it is configured ({reason}) but not installed; run `{INSTALL[package.manager]}`"
    return package.project.passed(what, said, absent=True)
