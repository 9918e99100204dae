"""What a red gate names and only the checkout has: told when it is so, and not otherwise."""

from __future__ import annotations

import pytest

from goal_engine.left_behind import describe_left_behind, find_left_behind

CHECKOUT = frozenset(
    {
        ".env",
        "config/local.ini",
        "app/generated.py",
        "src/app/made/__init__.py",
        "sub/data.json",
        "node_modules/a/index.js",
        ".venv/lib/x.py",
        "__pycache__/calc.cpython-311.pyc",
        "caf\udce9/odd.ini",
        "notes",
        "build/out.txt",
    }
)
UNTRACKED = (".env", "config/local.ini", "caf\udce9/odd.ini", "build/", "notes")
NAMED = {
    "a path": ("FileNotFoundError: 'config/local.ini'", ["config/local.ini"]),
    "at the end of a sentence": ("cannot read config/local.ini.", ["config/local.ini"]),
    "a name alone": ("KeyError in local.ini, line 3", ["config/local.ini"]),
    "a hidden name": ("no such file: .env", [".env"]),
    "below the gate's folder": ("open data.json: ENOENT", ["sub/data.json"]),
    "in a folder that is ignored": ("missing build/out.txt", ["build/out.txt"]),
    "a module": ("ModuleNotFoundError: No module named 'app.generated'", ["app/generated.py"]),
    "a package": ("No module named 'app.made'", ["src/app/made/__init__.py"]),
    "in the order of their names": ("a .env b config/local.ini .env", [".env", "config/local.ini"]),
    "nothing that is there": ("assert 1 == 2 in tests/test_calc.py", []),
    "a word that is a name too": ("see the notes", []),
    "what tools leave behind": ("node_modules/a/index.js .venv/lib/x.py __pycache__/calc.cpython-311.pyc", []),
    "what cannot be told": ("odd.ini", []),
    "what leads out": ("../config/local.ini", []),
}  # fmt: skip


@pytest.mark.parametrize("how", NAMED)
def test_what_is_named_and_left_behind_is_found(how: str) -> None:
    output, expected = NAMED[how]
    assert list(find_left_behind(output, "sub", UNTRACKED, CHECKOUT.__contains__)) == expected


def test_what_is_found_is_told_with_the_setting_that_mends_it() -> None:
    assert describe_left_behind(()) == ""
    assert '`copy = ["a.ini"]` in goalproof.toml' in describe_left_behind(["a.ini"])
    assert "(and 2 more)" in describe_left_behind(["1.a", "2.a", "3.a", "4.a", "5.a"])
