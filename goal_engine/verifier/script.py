"""What a stranger runs, as one file: `standalone.py` with the readers of reports in place of their import."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
STANDALONE = HERE / "standalone.py"
FORMATS = HERE.parent / "gates" / "formats"
READERS = (
    *(FORMATS / f"{name}.py" for name in ("told", "jest", "go", "cargo", "pyunit", "readers")),
    HERE.parent / "inline_tests.py",
    HERE.parent / "looking.py",
)
"""The modules that become part of it, each after those that it imports."""

FUTURE = "from __future__ import annotations\n"
IMPORT = r"from goal_engine\.[\w.]+ import (?:\([^)]*\)|[^\n(]*)\n"
OURS = re.compile(f"^{IMPORT}", re.MULTILINE)
PLACE = re.compile(rf"^# What stands in place of these imports[^\n]*\n(?:{IMPORT})+", re.MULTILINE)


@cache
def compose_verifier() -> bytes:
    """Return the `verify.py` of a bundle, which needs nothing of ours."""
    parts = "".join(_strip(path.read_text("utf-8")) for path in READERS)
    text, count = PLACE.subn(lambda _: parts, STANDALONE.read_text("utf-8"))
    assert count == 1, "standalone.py imports ours in one place"
    return text.encode()


def _strip(module: str) -> str:
    """Return a module as a part of another: its first line, and nothing that it imports of ours."""
    docstring, _, body = module.partition(FUTURE)
    rule = docstring.partition("\n")[0].strip('"')
    return f"# {rule}\n{OURS.sub('', body).rstrip()}\n\n\n"
