"""Puts the server and its libraries into `bundled/libs`, for this platform.

    python3 scripts/bundle.py [--wheel goalproof-….whl]

Pure libraries once, in `common`; compiled ones per minor version of Python, in `cp311` and so on.
Without `--wheel` the server is built from the repository that this folder is in.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
REPOSITORY = HERE.parent.parent
LIBRARIES = HERE / "bundled" / "libs"
REQUIREMENTS = HERE / "bundled" / "requirements.txt"

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
COMPILED = ("pydantic-core", "psutil", "cryptography", "cffi")
"""Libraries with parts for one version of Python or one platform."""
USELESS = ("bin", "*.dist-info/direct_url.json", "**/__pycache__", "**/*.pyc")


def main() -> None:
    """Make the folder anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, help="the server as a wheel that is built already")
    wheel = parser.parse_args().wheel
    shutil.rmtree(LIBRARIES, ignore_errors=True)
    pins = read_pins(REQUIREMENTS)
    if missing := find_unpinned(REPOSITORY / "pyproject.toml", pins):
        sys.exit(f"{REQUIREMENTS.name} does not pin {', '.join(missing)}: its first lines say how.")
    pure = [line for name, line in pins.items() if name not in COMPILED]
    compiled = [pins[name] for name in COMPILED]
    install(LIBRARIES / "common", pure, PYTHONS[0])
    for python in PYTHONS:
        install(LIBRARIES / f"cp{python.replace('.', '')}", compiled, python)
    install_server(wheel.resolve() if wheel else REPOSITORY)
    for pattern in USELESS:
        for found in [path for folder in LIBRARIES.iterdir() for path in folder.glob(pattern)]:
            shutil.rmtree(found) if found.is_dir() else found.unlink()
    print(f"bundled {len(pure)} pure and {len(compiled)} compiled libraries: {LIBRARIES}")


def read_pins(path: Path) -> dict[str, str]:
    """Return the lines of a requirements file by name, each with the hashes that continue it."""
    joined = path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    lines = [line.split(" #")[0].strip() for line in joined if not line.strip().startswith("#")]
    return {line.split("==")[0].strip().lower(): line for line in lines if "==" in line}


def find_unpinned(project: Path, pins: dict[str, str]) -> list[str]:
    """Return what the server depends on and the pins leave out."""
    needed = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    names = [re.split(r"[^A-Za-z0-9_.-]", line, maxsplit=1)[0].lower() for line in needed]
    return [name for name in names if name not in pins]


def install(folder: Path, lines: list[str], python: str) -> None:
    """Install pinned wheels for a version of Python into a folder; pip checks every hash."""
    folder.mkdir(parents=True)
    listed = folder / "requirements.txt"
    listed.write_text("\n".join(lines) + "\n", encoding="utf-8")
    target = ["--target", str(folder), "--python-version", python, "--implementation", "cp"]
    pip(*target, "--only-binary", ":all:", "--require-hashes", "-r", str(listed))
    listed.unlink()


def install_server(source: Path) -> None:
    """Install the server itself, whose libraries are there already."""
    pip("--target", str(LIBRARIES / "common"), "--upgrade", str(source))


def pip(*arguments: str) -> None:
    """Run pip without dependencies: what is installed is what is pinned."""
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-compile", "--quiet"]
    subprocess.run([*command, "--disable-pip-version-check", *arguments], check=True)


if __name__ == "__main__":
    main()
