"""What set-up commands read: a lock file only where that is all."""

from __future__ import annotations

import json

import pytest

from goal_engine.installers import find_read

LOCK = json.dumps({"packages": {"node_modules/six": {"version": "1.0"}}}).encode()
BUILDS = json.dumps({"packages": {"node_modules/six": {"hasInstallScript": True}}}).encode()
PLAIN = json.dumps({"name": "shop", "scripts": {"test": "vitest"}}).encode()
TREE = {
    "package.json": PLAIN,
    "package-lock.json": LOCK,
    "pnpm-lock.yaml": b"",
    "yarn.lock": b"",
    ".npmrc": b"",
    "packages/cart/package.json": PLAIN,
    "src/app.js": b"",
    "requirements.txt": b"six==1.0\n# a comment / with a slash\nattrs>=2 ; python_version > '3'\n",
    "dev.txt": b"-r requirements.txt\n",
    "own.txt": b"./lib\n",
    "empty.txt": b"",
}


def read_of(setup: str, **changed: bytes) -> tuple[str, ...] | None:
    tree = {**TREE, **changed}
    return find_read([setup.split()], tree, tree.get)


@pytest.mark.parametrize(
    ("setup", "lock"),
    [
        ("npm ci", "package-lock.json"),
        ("npm ci --ignore-scripts --no-audit --silent", "package-lock.json"),
        ("pnpm install --frozen-lockfile --ignore-scripts", "pnpm-lock.yaml"),
        ("yarn install --immutable --mode=skip-build", "yarn.lock"),
        ("yarn install --frozen-lockfile --offline --ignore-scripts", "yarn.lock"),
    ],
)
def test_an_installer_reads_its_lock_file_and_the_manifests(setup: str, lock: str) -> None:
    manifests = (".npmrc", "package.json", "packages/cart/package.json")
    assert read_of(setup) == tuple(sorted((*manifests, lock)))


@pytest.mark.parametrize(
    ("setup", "files"),
    [
        ("pip install -r requirements.txt", ("requirements.txt",)),
        ("python3 -m pip install -q -r ./requirements.txt", ("requirements.txt",)),
        (
            "uv pip install -r requirements.txt -c empty.txt",
            ("empty.txt", "requirements.txt"),
        ),
    ],
)
def test_a_list_of_published_packages_is_all_that_is_read(
    setup: str, files: tuple[str, ...]
) -> None:
    assert read_of(setup) == files


@pytest.mark.parametrize(
    "setup",
    [
        "make generate",
        "npm install",  # it may change the lock file
        "npm ci --workspaces=false",
        "npm run build",
        "pnpm install",
        "pnpm install --frozen-lockfile",  # its lock file does not say which packages run a script
        "yarn install --immutable",
        "yarn",
        "pip install -e .",
        "pip install .",
        "pip install -r dev.txt",
        "pip install -r own.txt",
        "pip install -r absent.txt",
        "pip install -r requirements.txt --pre",
        "./npm ci",
    ],
)
def test_whatever_else_may_read_the_whole_tree(setup: str) -> None:
    assert read_of(setup) is None


@pytest.mark.parametrize("script", ["prepare", "postinstall", "preinstall", "install"])
def test_a_script_of_the_project_that_installing_runs_may_read_anything(script: str) -> None:
    runs = json.dumps({"scripts": {script: "node build.js"}}).encode()
    assert read_of("npm ci", **{"package.json": runs}) is None
    assert read_of("npm ci", **{"packages/cart/package.json": runs}) is None
    assert read_of("npm ci --ignore-scripts", **{"package.json": runs}) is not None


@pytest.mark.parametrize(
    "manifest",
    [b"no JSON", b"[]", b'{"scripts": 3}', b'{"dependencies": {"a": "file:./a"}}'],
)
def test_a_manifest_in_doubt_is_none(manifest: bytes) -> None:
    assert read_of("npm ci", **{"package.json": manifest}) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"package-lock.json": BUILDS},
        {"package-lock.json": LOCK, "npm-shrinkwrap.json": BUILDS},
        {"packages/cart/binding.gyp": b"{}"},
    ],
)
def test_what_a_package_runs_when_it_is_installed_may_read_anything(
    changed: dict[str, bytes],
) -> None:
    assert read_of("npm ci", **changed) is None
    assert read_of("npm ci --ignore-scripts", **changed) is not None


def test_a_tree_without_a_lock_file_says_nothing() -> None:
    tree = {"package.json": PLAIN}
    assert find_read([["npm", "ci"]], tree, tree.get) is None


@pytest.mark.parametrize(
    ("path", "script", "module"),
    [
        ("pip.py", False, False),
        ("pip/__init__.py", False, False),
        ("src/pip/__init__.py", False, False),
        ("src/sitecustomize.py", False, False),
        ("json.py", True, False),  # `-m` looks beside itself before it looks into the library
        ("logging/__init__.py", True, False),
        ("ssl.cpython-312-x86_64-linux-gnu.so", True, False),
        ("src/json.py", True, True),
        ("html/index.html", True, True),
        ("docs/pip.md", True, True),
        ("src/shop/pipes.py", True, True),
    ],
)
def test_a_module_that_pip_would_run_of_the_tree_may_read_anything(
    path: str, script: bool, module: bool
) -> None:
    assert (read_of("pip install -r requirements.txt", **{path: b""}) is not None) is script
    assert (
        read_of("python -m pip install -r requirements.txt", **{path: b""}) is not None
    ) is module


def test_uv_reads_its_settings_of_the_project() -> None:
    read = read_of("uv pip install -r requirements.txt", **{"pyproject.toml": b""})
    assert read == ("pyproject.toml", "requirements.txt")


def test_one_command_that_reads_everything_is_enough() -> None:
    assert find_read([["npm", "ci"], ["make"]], TREE, TREE.get) is None
    both = find_read([["npm", "ci"], ["pip", "install", "-r", "requirements.txt"]], TREE, TREE.get)
    assert both is not None and {"package-lock.json", "requirements.txt"} <= set(both)
