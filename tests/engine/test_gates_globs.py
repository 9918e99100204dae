"""Globs: `**` stands for folders, and `*` never crosses a slash."""

from __future__ import annotations

import pytest

from goal_engine.task_graph.globs import match_any, match_glob

MATCHES = [
    ("app.py", "**"),
    ("a/b/app.py", "**"),
    ("app.py", "*.py"),
    ("app.py", "./app.py"),
    ("src/a.py", "src/**"),
    ("src/a/b.py", "src/**"),
    ("src/a.py", "src/"),
    ("test_a.py", "**/test_*.py"),
    ("a/b/test_a.py", "**/test_*.py"),
    ("a/c.py", "a/**/c.py"),
    ("a/b/b/c.py", "a/**/c.py"),
    ("a/x/b/y/b/c.py", "a/**/b/*.py"),
    ("a/b/c", "**/**/c"),
    ("a1.py", "a[0-9].py"),
    ("ax.py", "a[!0-9].py"),
    ("[x].py", "[[]x].py"),
    ("a?.py", "a?.py"),
    (".hidden", "*"),
]
MISSES = [
    ("", "**"),
    ("a/app.py", "*.py"),
    ("a/app.py", "a*p.py"),
    ("src", "src/**"),
    ("srcs/a.py", "src/**"),
    ("a/b/c.py", "a/*/d.py"),
    ("a/b/x/c.py", "a/*/c.py"),
    ("a.pyc", "*.py"),
    ("App.py", "app.py"),
    ("a/b", "a"),
    ("a", "a/b"),
    ("a1.py", "a[!0-9].py"),
    ("a\nb.py", "a"),
]


@pytest.mark.parametrize(("path", "pattern"), MATCHES)
def test_a_path_that_the_pattern_names(path, pattern):
    assert match_glob(path, pattern)


@pytest.mark.parametrize(("path", "pattern"), MISSES)
def test_a_path_that_the_pattern_leaves_out(path, pattern):
    assert not match_glob(path, pattern)


def test_many_stars_do_not_explode():
    assert not match_glob("/".join("a" * 60), "/".join(["**", "a"] * 30) + "/b")
    assert not match_glob("a" * 200, "*a" * 40 + "b")


def test_one_of_several_patterns_is_enough():
    assert match_any("a/b.py", ("c/**", "a/*"))
    assert not match_any("a/b.py", ())
