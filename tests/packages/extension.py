"""Build the VS Code extension as it is published: checked, tested, with the server inside.

The extension lands in `dist/`, beside the wheel whose server it brings.  Node is the pinned one, whatever the system has.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.editors.tools import NODE, InstallFailed, install_node_alone, run

ROOT = Path(__file__).parents[2]
HOME = ROOT / "editors" / "vscode"
STEPS = (
    ("npm", "run", "check"),
    ("npm", "test"),
    ("npm", "run", "bundle", "--", "--wheel", "{wheel}"),
    ("npm", "run", "build"),
    ("npm", "run", "package"),
)


def build_extension(target: Path) -> Path:
    """Return the extension's path in `target`, where the server's wheel has to be already."""
    environment = {**install_node_alone(), "npm_config_loglevel": "error"}
    install_packages(environment)
    for old in HOME.glob("*.vsix"):
        old.unlink()
    (wheel,) = target.glob("*.whl")
    for step in STEPS:
        run(*(word.format(wheel=wheel) for word in step), cwd=HOME, env=environment)
    (built,) = HOME.glob("*.vsix")
    return Path(shutil.move(built, target / built.name))


def install_packages(environment: Mapping[str, str]) -> None:
    """Install what the lock file names, unless it is what is there."""
    lock = (HOME / "package-lock.json").read_bytes()
    wanted = json.dumps({"node": NODE, "lock": hashlib.sha256(lock).hexdigest()})
    stamp = HOME / "node_modules" / ".goalproof"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        run("npm", "ci", "--no-audit", "--no-fund", cwd=HOME, env=environment)
        stamp.write_text(wanted, encoding="utf-8")


def main() -> int:
    """Build, and say what was built or why not."""
    try:
        built = build_extension(ROOT / "dist")
    except InstallFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{built.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
