"""Starts the bundled language server: `python -I -S bundled/tool/server.py`.

Only the standard library and the libraries beside this file are on the import path: neither the
workspace nor the packages of the interpreter's environment.
"""

import sys
from pathlib import Path

OLDEST = (3, 11)
LIBRARIES = Path(__file__).resolve().parent.parent / "libs"


def find_libraries() -> list[Path]:
    """Return the folders to import from: compiled parts of this Python's version, then the rest."""
    return [LIBRARIES / "cp{}{}".format(*sys.version_info[:2]), LIBRARIES / "common"]


def main() -> int:
    """Serve until the editor ends it.  Returns the exit code."""
    if sys.version_info < OLDEST:
        sys.stderr.write("goalproof needs Python {}.{} or later.\n".format(*OLDEST))
        return 2
    places = find_libraries()
    missing = [str(place) for place in places if not place.is_dir()]
    if missing:
        sys.stderr.write("The bundled server has no {}.\n".format(" and no ".join(missing)))
        return 2
    sys.path[:0] = map(str, places)
    from goal_server.lsp import main as serve

    return serve()


if __name__ == "__main__":
    sys.exit(main())
