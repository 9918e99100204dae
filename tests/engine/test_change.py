"""A change as what each file was and is to be, from what git says of it."""

from __future__ import annotations

import pytest

from goal_engine.delivery.change import (
    EXECUTABLE,
    FILE,
    Content,
    FileChange,
    find_gitlinks,
    find_misfits,
    plan_change,
)
from goal_engine.evidence import GITLINK, SYMLINK, ChangedFile, GoalGitEvidence
from tests.builders import BASE, TREE

BLOBS = {(BASE, "old.py"): b"old", (TREE, "new.py"): b"new", (BASE, "a.py"): b"a"}
BLOBS |= {(TREE, "a.py"): b"b", (TREE, "link"): b"a.py", (TREE, "copy.py"): b"a"}
OLD, NEW = Content(b"old", FILE), Content(b"new", EXECUTABLE)


def plan(*files: ChangedFile) -> tuple[FileChange, ...]:
    evidence = GoalGitEvidence(base_tree=BASE, tree=TREE, files=files)
    return plan_change(evidence, lambda tree, path: BLOBS.get((tree, path)))


def changed(path: str, status: str, old: str = FILE, new: str = FILE, **more: str) -> ChangedFile:
    return ChangedFile(path=path, status=status, old_mode=old, mode=new, **more)


@pytest.mark.parametrize(
    ("file", "planned"),
    [
        (changed("a.py", "M"), [FileChange("a.py", Content(b"a", FILE), Content(b"b", FILE))]),
        (
            changed("a.py", "M", new=EXECUTABLE),
            [FileChange("a.py", Content(b"a", FILE), Content(b"b", EXECUTABLE))],
        ),
        (changed("old.py", "D", new="000000"), [FileChange("old.py", OLD, None)]),
        (
            changed("link", "A", "000000", SYMLINK),
            [FileChange("link", None, Content(b"a.py", SYMLINK))],
        ),
        (
            changed("new.py", "R", new=EXECUTABLE, old_path="old.py"),
            [FileChange("new.py", None, NEW), FileChange("old.py", OLD, None)],
        ),
        (
            changed("copy.py", "C", old_path="a.py"),
            [FileChange("copy.py", None, Content(b"a", FILE))],
        ),
    ],
    ids=lambda value: value.status if isinstance(value, ChangedFile) else "",
)
def test_a_change_is_planned_file_by_file(file, planned):
    assert list(plan(file)) == planned


def test_a_change_turned_round_takes_it_out():
    (change,) = plan(changed("a.py", "M"))
    assert change.turned_round == FileChange("a.py", change.after, change.before)
    assert change.turned_round.turned_round == change


@pytest.mark.parametrize(
    ("present", "fits"),
    [
        (Content(b"a", FILE), True),
        (Content(b"b", FILE), True),
        (Content(b"a", EXECUTABLE), True),
        (Content(b"mine", FILE), False),
        (Content(b"a", SYMLINK), False),
        (None, False),
    ],
    ids=str,
)
def test_what_stands_there_is_one_side_of_the_change_or_somebody_elses(present, fits):
    changes = plan(changed("a.py", "M"))
    assert find_misfits(changes, lambda _: present) == (() if fits else ("a.py",))


def test_submodules_are_named():
    files = (changed("sub", "M", GITLINK, GITLINK), changed("a.py", "M"))
    assert find_gitlinks(GoalGitEvidence(base_tree=BASE, tree=TREE, files=files)) == ("sub",)
