"""What a change must pass: `nox` runs it all, with the Python that runs nox."""

from __future__ import annotations

import shutil

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_external_run = True

LOCK = "requirements-dev.lock"
EDITORS_LOCK = "tests/editors/requirements.txt"
BY_MODULE = ("--numprocesses=2", "--dist=loadscope", "--no-loadscope-reorder")
ON_ALL_CORES = ("--numprocesses=logical", "--dist=worksteal")
SOURCES = ("goal_engine", "server", "tests", "noxfile.py")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting and banned calls."""
    install(session)
    session.run("ruff", "check", *SOURCES)
    session.run("ruff", "format", "--check", *SOURCES)


@nox.session
def types(session: nox.Session) -> None:
    """Types of both packages, strictly."""
    install(session)
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Every test, from pure to end-to-end, on all cores; arguments go to pytest."""
    install(session)
    left_out = (f"--ignore=tests/{folder}" for folder in ("bench", "bet", "cheats"))
    session.run("pytest", *ON_ALL_CORES, *left_out, *session.posargs)


@nox.session
def cheats(session: nox.Session) -> None:
    """No lying worker gets `ready`, and honest ones do: the corpus, once, on one Python."""
    install(session)
    session.run("pytest", *ON_ALL_CORES, "tests/cheats", *session.posargs)


@nox.session
def bet(session: nox.Session) -> None:
    """Gates in a workspace answer as in the user's environment, on three real projects."""
    install(session)
    session.install("--quiet", "pip")  # fetches the projects
    session.run("pytest", *BY_MODULE, "-rP", "tests/bet", *session.posargs)


@nox.session
def ecosystems(session: nox.Session) -> None:
    """Whole goals with the real tools of Node, Rust and Go, installed into a cache."""
    install(session)
    session.run("python", "-m", "tests.ecosystems.tools")
    session.run("pytest", *ON_ALL_CORES, "tests/ecosystems", *session.posargs)


@nox.session
def agents(session: nox.Session) -> None:
    """Real agents work on goals: their model is scripted, and there is no network but loopback."""
    install(session)
    session.run("python", "-m", "tests.agents.tools")
    alone = ("python", "-m", "tests.agents.isolated")
    session.run(*alone, "pytest", *ON_ALL_CORES, "tests/agents", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build wheel, source archive and extension as they are published, and try them elsewhere."""
    install(session)
    session.install("--quiet", "pip")  # fills the extension
    shutil.rmtree("dist", ignore_errors=True)
    session.run("uv", "build", "--quiet", "--out-dir", "dist")
    session.run("python", "-m", "tests.packages.extension")
    session.run("pytest", "tests/packages")


@nox.session(requires=["build"])
def editors(session: nox.Session) -> None:
    """Real editors do whole goals; they are installed into a cache outside the checkout."""
    install(session)
    session.install("--quiet", "-r", EDITORS_LOCK)
    session.run("python", "-m", "tests.editors.tools")
    session.run("python", "-m", "tests.agents.tools")
    session.run("pytest", *BY_MODULE, "tests/editors", *session.posargs)


@nox.session(default=False)
def torture(session: nox.Session) -> None:
    """Kill, cut and fill what the store stands on, at every point, and all that is `long`; some need root."""
    install(session)
    folders = ("tests/torture", "tests/simulation")
    session.run("pytest", *ON_ALL_CORES, "--long", *folders, *session.posargs)
    others = ("tests/e2e", "tests/integration", "tests/cheats")
    session.run("pytest", *ON_ALL_CORES, "--long", "-m", "long", *others, *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Print the table of times; nothing is asserted."""
    install(session)
    session.run("python", "-m", "tests.bench.run", *session.posargs)


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Write the lock files anew; `-- --upgrade` takes the newest versions."""
    session.install("uv")
    editors = ("--group", "editors", "--constraint", LOCK)
    for lock, wanted in ((LOCK, ("pyproject.toml", "--group", "dev")), (EDITORS_LOCK, editors)):
        session.run(
            *("uv", "pip", "compile", *wanted, "--output-file", lock),
            *("--universal", "--python-version", "3.11", "--generate-hashes", "--no-annotate"),
            *("--no-emit-index-url", "--custom-compile-command", "nox -s lock", "--quiet"),
            *session.posargs,
        )


@nox.session(default=False)
def diagram(session: nox.Session) -> None:
    """Draw the state diagram in ARCHITECTURE.md anew."""
    install(session)
    session.run("python", "-m", "tests.architecture.diagram")


def install(session: nox.Session) -> None:
    """Install what the lock file names, then the project itself as it stands."""
    session.install("--quiet", "-r", LOCK)
    session.install("--quiet", "--no-deps", "-e", ".")
