"""What a result undoes of merged work: histories with reverts that are known, and with none."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import pytest

from goal_engine.proof import undone
from goal_engine.proof.undone import Undoing, Undone, Version, Versions, find_undone

FILE, LINK = "100644", "120000"
HISTORIES = 60


def line(*words: object) -> bytes:
    """A line like no other one."""
    return hashlib.sha256(repr(words).encode()).hexdigest().encode()


def a_file(*lines: bytes) -> Version:
    return Version(FILE, b"\n".join(lines) + b"\n")


def files(
    before: Version | None, merged: Version | None, after: Version | None, path: str = "a.py"
) -> Versions:
    return Versions(path, before, merged, after)


OLD = [line(n) for n in range(40)]


# Histories with reverts that are known


@dataclass
class History:
    """A file that others changed, and what a result made of it, with the reverts in that."""

    before: list[bytes]
    merged: list[bytes] = field(default_factory=list)
    after: list[bytes] = field(default_factory=list)
    reverts: list[tuple[int, Undoing]] = field(default_factory=list)
    """The line in the result, from 1, and how."""


def make_history(seed: int, reverts: int) -> History:
    """Others change every fifth place; the result edits between them, and undoes `reverts`."""
    chance = Random(seed)
    history = History([line(seed, n) for n in range(chance.randint(20, 60))])
    places = list(range(2, len(history.before) - 2, 5))
    undoes = set(chance.sample(places, min(reverts, len(places))))
    at = 0
    for place in places:
        keep = history.before[at:place]
        history.merged += keep
        history.after += _edit(chance, keep, (seed, place))
        old = history.before[place : place + 1]
        kind = chance.choice(("added", "changed", "removed"))
        new = [line(seed, place, "new", n) for n in range(chance.randint(1, 4))]
        theirs = {"added": [*old, *new], "changed": new, "removed": []}[kind]
        history.merged += theirs
        if place in undoes:
            first = len(history.after) + (2 if kind == "added" else 1)
            how = Undoing.LOST if kind == "added" else Undoing.BACK
            history.reverts.append((first, how))
            history.after += old
        else:
            history.after += theirs
        at = place + 1
    history.merged += history.before[at:]
    history.after += history.before[at:]
    return history


def _edit(chance: Random, lines: Sequence[bytes], name: object) -> list[bytes]:
    """Change lines in the middle, so that an unchanged one lies before and after."""
    kept = list(lines)
    if len(kept) >= 4 and chance.random() < 0.6:
        kept[1:2] = [line(name, "own", n) for n in range(chance.randint(0, 3))]
    return kept


def look(history: History) -> tuple[Undone, ...]:
    return find_undone(
        [files(a_file(*history.before), a_file(*history.merged), a_file(*history.after))]
    )


def check_histories() -> None:
    """Every revert is found at its place, and nothing else is."""
    for seed in range(HISTORIES):
        history = make_history(seed, reverts=seed % 4)
        if history.after == history.before:
            continue
        found = [(one.line, one.how) for one in look(history)]
        assert sorted(found) == sorted(history.reverts), seed


def test_in_histories_with_known_reverts_each_is_found_and_nothing_else() -> None:
    check_histories()
    check_moved()


def check_moved() -> None:
    """What was merged and stands elsewhere now was moved; what was edited is still there."""
    new = [line("new", n) for n in range(5)]
    merged = [*OLD[:10], *new, *OLD[10:]]
    moved = [*OLD[:30], *new, *OLD[30:]]
    assert find_undone([files(a_file(*OLD), a_file(*merged), a_file(*moved))]) == ()
    edited = [*OLD[:10], new[0] + b" ", *(one[:-4] for one in new[1:]), *OLD[10:]]
    assert find_undone([files(a_file(*OLD), a_file(*merged), a_file(*edited))]) == ()


def _never_touches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undone, "_touches", lambda *_: False)


def _always_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undone, "_is_kept", lambda *_: True)


def _never_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undone, "_is_kept", lambda *_: False)


def _touches_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undone, "_touches", lambda *_: True)


def _no_lines_between(monkeypatch: pytest.MonkeyPatch) -> None:
    real = undone._touches
    monkeypatch.setattr(
        undone, "_touches", lambda block, first, end: first != end and real(block, first, end)
    )


def _from_the_wrong_side(monkeypatch: pytest.MonkeyPatch) -> None:
    real = undone.compare
    monkeypatch.setattr(
        undone, "compare", lambda one, two: ((c, d, a, b) for a, b, c, d in real(two, one))
    )
    monkeypatch.setattr(undone, "_told", lambda lines: sorted(set(lines))[:1])


@pytest.mark.parametrize(
    "mutant",
    [_never_touches, _always_kept, _never_kept, _touches_all, _no_lines_between,
     _from_the_wrong_side],
)  # fmt: skip
def test_a_detector_that_is_wrong_is_found_out(mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        test_in_histories_with_known_reverts_each_is_found_and_nothing_else()


# Whole files, and what has no lines


@pytest.mark.parametrize(
    ("before", "merged", "after", "how"),
    [
        (None, a_file(b"new"), None, Undoing.WHOLE),
        (a_file(b"old"), None, a_file(b"old"), Undoing.WHOLE),
        (Version(FILE, b"\0a"), Version(FILE, b"\0b"), Version(FILE, b"\0a"), Undoing.WHOLE),
        (Version(FILE, b"x"), Version("100755", b"x"), Version(FILE, b"x"), Undoing.WHOLE),
        (a_file(*OLD), a_file(*OLD, b"more work"), None, Undoing.LOST),
        (None, a_file(*OLD), a_file(*OLD[:-3]), Undoing.LOST),
    ],
    ids=["made", "deleted", "binary", "mode", "deleted with work", "made and cut"],
)
def test_a_file_that_is_again_what_it_was_is_said(
    before: Version | None, merged: Version | None, after: Version | None, how: Undoing
) -> None:
    (found,) = find_undone([files(before, merged, after)])
    assert found.how is how and found.path == "a.py"
    assert found.line == (0 if after is None else found.line)
    assert "a.py" in found.sentence and "since" in found.sentence


def test_lines_that_were_taken_out_are_noticed_in_another_file() -> None:
    """What a goal moves elsewhere while others delete it merges without a word."""
    cut = [*OLD[:5], *OLD[12:]]
    found = find_undone(
        [
            files(a_file(*OLD), a_file(*cut), a_file(*cut)),
            files(None, None, a_file(*OLD[5:12]), "b.py"),
        ]
    )
    assert [(one.path, one.line, one.how, one.count) for one in found] == [
        ("b.py", 1, Undoing.BACK, 7)
    ]
    few = files(None, None, a_file(*OLD[5:7]), "b.py")
    assert find_undone([files(a_file(*OLD), a_file(*cut), a_file(*cut)), few]) == (), (
        "may be chance"
    )


@pytest.mark.parametrize(
    ("before", "merged", "after"),
    [
        (a_file(*OLD), a_file(*OLD), a_file(*OLD[:3])),
        (a_file(*OLD), a_file(*OLD[:3]), a_file(*OLD[:3])),
        (a_file(*OLD), a_file(b"new", *OLD), a_file(b"new", *OLD, b"own")),
        (a_file(*OLD), a_file(*OLD, b"}"), a_file(b"x = 1", *OLD)),
        (
            a_file(*OLD, b"timeout = 5"),
            a_file(*OLD, b"timeout = 30"),
            a_file(*OLD, b"timeout = 31"),
        ),
    ],
    ids=["not touched", "not changed", "beside it", "a bracket", "edited on"],
)
def test_what_undoes_nothing_is_nothing(before: Version, merged: Version, after: Version) -> None:
    assert find_undone([files(before, merged, after)]) == ()


def test_a_figure_that_was_changed_back_is_noticed() -> None:
    versions = (a_file(*OLD, b"timeout = %d" % seconds, *OLD) for seconds in (5, 30, 5))
    before, merged, after = versions
    later = Version(FILE, after.data + b"own\n")
    (found,) = find_undone([files(before, merged, later)])
    assert found.sentence == ("a.py:41 has 1 line again that were taken out since: “timeout = 5”")


def test_large_files_take_no_longer_than_their_size() -> None:
    lines, others = ([b"%d %d" % (part, n) for n in range(3_000)] for part in (1, 2))
    (found,) = find_undone([files(a_file(*lines), a_file(*others), a_file(*lines, b"own"))])
    assert found.how is Undoing.BACK and found.count == 3_000
