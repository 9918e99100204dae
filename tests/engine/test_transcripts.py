"""What an agent left of its session is there for the next attempt, whole or not at all, and leads nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from goal_engine.runtime import transcripts
from goal_engine.runtime.atomic import measure, remove_tree
from goal_engine.runtime.transcripts import empty, is_too_much, keep, place_of

MINE = Path("/srv/agent/sessions")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "sessions" / "goal" / "task"


def leave(folder: Path, name: str = "s.jsonl", data: bytes = b"{}\n") -> Path:
    """Leave something of a session, as an agent does that then is killed."""
    with keep(folder, anew=False) as kept:
        assert kept is not None
        place = place_of(kept, MINE)
        transcripts.make_own(place)
        (place / name).write_bytes(data)
    return place / name


def test_it_is_there_the_next_time_and_the_persons_alone(folder: Path) -> None:
    left = leave(folder)
    with keep(folder, anew=False):
        assert left.read_bytes() == b"{}\n"
    for path in (folder.parent.parent, folder.parent, folder, left.parent):
        assert path.stat().st_mode & 0o777 == 0o700


def test_who_begins_anew_finds_nothing(folder: Path) -> None:
    left = leave(folder)
    with keep(folder, anew=True) as kept:
        assert kept == folder and not left.parent.exists()
    assert [path.name for path in folder.iterdir()] == [transcripts.LOCK]


def test_two_turns_never_have_it_at_once(folder: Path) -> None:
    left = leave(folder)
    with keep(folder, anew=False), keep(folder, anew=True) as second:
        assert second is None and left.exists()
    with keep(folder, anew=False) as later:
        assert later == folder


@pytest.mark.parametrize(("name", "most"), [("MOST_BYTES", 64 << 10), ("MOST_ENTRIES", 20)])
def test_what_grew_beyond_its_measure_is_gone_as_a_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    left = leave(folder)
    for number in range(30):
        (left.parent / str(number)).write_bytes(b"x" * 4096)
    with keep(folder, anew=False):
        assert left.exists()
    monkeypatch.setattr(transcripts, name, most)
    with keep(folder, anew=False):
        assert not left.parent.exists(), "of a runner that was killed"
    again = leave(folder)
    assert again.exists()
    with keep(folder, anew=False):
        for number in range(30):
            (again.parent / str(number)).write_bytes(b"x" * 4096)
    assert not again.parent.exists()


@pytest.mark.parametrize("up", range(4))
def test_a_link_in_the_place_of_a_folder_is_not_followed(
    folder: Path, tmp_path: Path, up: int
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "key").write_text("secret")
    place = leave(folder).parent
    planted = [place, *place.parents][up]
    remove_tree(planted)
    planted.symlink_to(theirs)
    with keep(folder, anew=False) as kept:
        transcripts.make_own(place)
        assert kept == folder and not any(path.is_symlink() for path in (place, *place.parents))
        assert list(place.iterdir()) == []
    assert [path.name for path in theirs.iterdir()] == ["key"]


@pytest.mark.parametrize(
    "plant", [Path.mkdir, lambda path: path.symlink_to("/dev/null"), os.mkfifo]
)
def test_what_is_planted_in_the_place_of_the_lock_hinders_nobody(folder: Path, plant) -> None:
    left = leave(folder)
    (folder / transcripts.LOCK).unlink()
    plant(folder / transcripts.LOCK)
    with keep(folder, anew=False) as kept:
        assert kept == folder and left.exists()


def test_links_that_it_left_are_neither_measured_nor_emptied(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "much").write_bytes(b"x" * (1 << 20))
    left = leave(folder)
    (left.parent / "link").symlink_to(theirs)
    monkeypatch.setattr(transcripts, "MOST_BYTES", 512 << 10)
    assert not is_too_much(folder)
    empty(folder)
    assert not left.parent.exists() and (theirs / "much").exists()


def test_no_depth_keeps_a_tree_from_being_removed(folder: Path) -> None:
    """Deeper than calls go, and than a path may be long."""
    left = leave(folder)
    here = os.open(left.parent, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    assert measure(folder) > 0 and is_too_much(folder)
    with keep(folder, anew=False):
        assert not left.parent.exists()
    assert [path.name for path in folder.iterdir()] == [transcripts.LOCK]
