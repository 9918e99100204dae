"""The toolchains that the tests run: Node with Vitest and Jest, Rust and Go, and package managers; in a cache.

What cannot be installed fails, as for the editors' tests, whose way of installing this is.

`python -m tests.ecosystems.tools` installs everything and prints where it is.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from tests.editors.tools import (
    ENVIRONMENT,
    InstallFailed,
    install_node,
    install_packages,
    npm_install,
    open_cache,
    piece,
    run,
    with_node,
)

PACKAGES = {"vitest": "3.2.7", "jest": "29.7.0"}
MANAGERS = {"pnpm": "10.28.0", "yarn": "1.22.22", "@yarnpkg/cli-dist": "4.18.1"}
"""Node's package managers; the last is yarn as it is now."""
PROGRAMS = {
    "pnpm": "bin/pnpm.cjs",
    "yarn": "bin/yarn.js",
    "@yarnpkg/cli-dist": "bin/yarn.js",
}
POETRY = "2.5.1"
"""Uv is one of the tests' own tools."""
COMMANDS = {"cargo": "cargo", "go": "golang-go"}
"""Commands, and the Debian packages that have them."""


@dataclass(frozen=True)
class Toolchains:
    """Where everything is that is not on the PATH."""

    node: Path
    """The folder of Node's package."""
    modules: dict[str, Path]
    """By test runner, the `node_modules` that has it."""
    managers: dict[str, Path]
    """By package manager, the program."""
    poetry: Path
    """The folder of packages that has it."""
    go_cache: Path
    """What Go has compiled of its standard library: half a minute, once."""

    def environment(self, scratch: Path) -> dict[str, str]:
        """Return what says to the toolchains where the person keeps them; they write to `scratch`."""
        home = Path(ENVIRONMENT.get("HOME", "~")).expanduser()
        return {
            "PATH": with_node(self.node, ENVIRONMENT)["PATH"],
            "RUSTUP_HOME": ENVIRONMENT.get("RUSTUP_HOME", str(home / ".rustup")),
            "CARGO_HOME": str(scratch / "cargo"),
            "GOPATH": str(scratch / "go"),
            "GOCACHE": str(self.go_cache),
        }


def install_toolchains() -> Toolchains:
    """Return the toolchains, installing what is missing."""
    with open_cache() as cache:
        node = install_node(cache)
        modules = {
            name: piece(
                cache,
                f"{name}-{version}",
                lambda folder, wanted=f"{name}@{version}": npm_install(folder, wanted, ENVIRONMENT),
            )
            / "node_modules"
            for name, version in PACKAGES.items()
        }
        managers = {
            name: piece(
                cache,
                f"{name.replace('/', '-')}-{version}",
                lambda folder, wanted=f"{name}@{version}": npm_install(folder, wanted, ENVIRONMENT),
            )
            / "node_modules"
            / name
            / PROGRAMS[name]
            for name, version in MANAGERS.items()
        }
        poetry = piece(cache, f"poetry-{POETRY}", install_poetry)
        install_packages(COMMANDS)
        go_cache = cache / "go-build"
        go_cache.mkdir(exist_ok=True)
    return Toolchains(node, modules, managers, poetry, go_cache)


def install_poetry(folder: Path) -> None:
    """Install poetry as a folder of packages, which can be moved."""
    uv = (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable)
    run(*uv, "--target", str(folder), f"poetry=={POETRY}", cwd=folder, env=ENVIRONMENT)


def main() -> int:
    """Install everything; say where it is, or why it is not."""
    try:
        tools = install_toolchains()
    except InstallFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for path in (
        tools.node,
        *tools.modules.values(),
        *tools.managers.values(),
        tools.poetry,
        tools.go_cache,
    ):
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
