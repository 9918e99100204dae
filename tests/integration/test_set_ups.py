"""What set-up commands made is put into the next workspace as it was, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from goal_engine.runtime import set_ups
from goal_engine.runtime.set_ups import Manifest, SetUps, find_key, identify_program, look

pytestmark = pytest.mark.one_python

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = find_key(["npm ci", "tree"])


class Bench:
    """Two workspaces of the same files, each with its view beside it, and what is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, NOW
        self.kept = SetUps(folder / "kept", b"s" * 32, lambda: self.now)
        self.first, self.second = self.make("first"), self.make("second-of-them")

    def make(self, name: str) -> Path:
        workspace = self.folder / name
        (workspace / ".git").mkdir(parents=True)
        (workspace / "app.js").write_text("tracked\n")
        (workspace / "node_modules").mkdir()
        (workspace / "node_modules" / "old.js").write_text("copied\n")
        view = workspace.with_name(f"{name}.env")
        view.mkdir()
        (view / "pyvenv.cfg").write_text("home\n")
        return workspace

    def roots(self, workspace: Path) -> tuple[Path, Path]:
        return workspace, workspace.with_name(f"{workspace.name}.env")

    def keep(self, set_up: Callable[[Path], object]) -> str:
        before = look(self.roots(self.first))
        set_up(self.first)
        return self.kept.keep(KEY, self.roots(self.first), before, ("made",))

    def fetch(self) -> Manifest | None:
        return self.kept.fetch(KEY, self.roots(self.second), frozenset({"app.js"}))

    def shown(self, workspace: Path) -> dict[str, object]:
        """All that is in a workspace and its view: content or target, and the mode."""
        return {
            f"{number}/{path}": (
                os.readlink(root / path)
                if (root / path).is_symlink()
                else (root / path).is_file() and (root / path).read_text(),
                (root / path).lstat().st_mode,
            )
            for number, root in enumerate(self.roots(workspace))
            for _, path in look([root])
        }


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path.resolve())


def make_everything(workspace: Path) -> None:
    """Replace, remove, add; links, folders, programs; and in the view as well."""
    shutil.rmtree(workspace / "node_modules")
    (workspace / "node_modules" / ".bin").mkdir(parents=True)
    (workspace / "node_modules" / "new.js").write_text("installed\n")
    (workspace / "node_modules" / ".bin" / "new").symlink_to("../new.js")
    (workspace / "made" / "empty").mkdir(parents=True)
    (workspace / "made" / "tool").write_text("#!/bin/sh\n")
    (workspace / "made" / "tool").chmod(0o755)
    (workspace / "made" / "empty").chmod(0o555)
    (workspace.with_name(f"{workspace.name}.env") / "needed.py").write_text("VALUE = 1\n")


def test_a_workspace_gets_what_was_made_in_another_one(bench: Bench) -> None:
    assert bench.keep(make_everything) == ""
    found = bench.fetch()
    assert found is not None and found.places == ("made",)
    assert bench.shown(bench.second) == bench.shown(bench.first)
    assert (bench.second / ".git").is_dir()
    assert not bench.second.with_name("second-of-them.seed").exists()


def test_it_gets_files_of_its_own(bench: Bench) -> None:
    bench.keep(make_everything)
    bench.fetch()
    (bench.second / "node_modules" / "new.js").write_text("a gate writes here\n")
    third = bench.make("third")
    assert bench.kept.fetch(KEY, bench.roots(third), frozenset()) is not None
    assert (third / "node_modules" / "new.js").read_text() == "installed\n"


def test_what_was_made_later_is_newer_there_too(bench: Bench) -> None:
    def build(workspace: Path) -> None:
        for number, name in enumerate(("z.c", "a.o", "m.so")):
            (workspace / name).write_text(name)
            os.utime(workspace / name, ns=(number, number))

    bench.keep(build)
    bench.fetch()
    times = [(bench.second / name).stat().st_mtime_ns for name in ("z.c", "a.o", "m.so")]
    assert times == sorted(times) and times[0] > 2


def test_a_text_that_names_its_workspace_names_the_new_one(bench: Bench) -> None:
    def install(workspace: Path) -> None:
        view = workspace.with_name(f"{workspace.name}.env")
        (view / "tool").write_text(f"#!{view}/bin/python\nprint(1)\n")
        (view / "tool.pyc").write_bytes(b"\0" + os.fsencode(workspace))
        (workspace / "up").symlink_to(workspace / "app.js")

    assert bench.keep(install) == ""
    assert bench.fetch() is not None
    view = bench.second.with_name("second-of-them.env")
    assert (view / "tool").read_text() == f"#!{view}/bin/python\nprint(1)\n"
    assert not (view / "tool.pyc").exists()  # made anew when it is needed
    assert (bench.second / "up").readlink() == bench.second / "app.js"


def write_binary(workspace: Path) -> None:
    (workspace / "lib.so").write_bytes(b"\0rpath " + os.fsencode(workspace))


@pytest.mark.parametrize(
    ("set_up", "why"),
    [
        (write_binary, "lib.so names the workspace and is no text"),
        (lambda workspace: os.mkfifo(workspace / "pipe"), "pipe is no plain file"),
        (lambda workspace: None, "they made no files"),
    ],
)
def test_what_cannot_be_kept_is_not_and_says_why(
    bench: Bench, set_up: Callable[[Path], object], why: str
) -> None:
    assert why in bench.keep(set_up)
    assert bench.fetch() is None
    assert list((bench.folder / "kept").iterdir()) == []


@pytest.mark.parametrize(("limit", "most"), [("MOST_FILES", 2), ("MOST_BYTES", 3)])
def test_more_than_a_set_up_may_be_is_not_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(set_ups, limit, most)
    assert "they made more than" in bench.keep(make_everything)


@pytest.mark.parametrize("small", [0, 1 << 20])
def test_a_large_file_is_copied_and_held_against_its_digest_as_well(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(set_ups, "SMALL", small)
    bench.keep(make_everything)
    assert bench.fetch() is not None
    assert bench.shown(bench.second) == bench.shown(bench.first)
    change(bench.folder / "kept" / KEY)
    third = bench.make("third")
    assert bench.kept.fetch(KEY, bench.roots(third), frozenset()) is None
    monkeypatch.setattr(set_ups, "LARGEST", 5)
    shutil.rmtree(bench.folder / "kept")
    shutil.rmtree(bench.first)
    shutil.rmtree(bench.first.with_name("first.env"))
    bench.make("first")
    assert "is larger than" in bench.keep(make_everything)


def forge(kept: Path) -> None:
    manifest = kept / "manifest"
    manifest.write_bytes(manifest.read_bytes().replace(b'"made"', b'"mine"'))


def change(kept: Path) -> None:
    file = next(file for file in kept.iterdir() if file.read_bytes() == b"installed\n")
    file.write_text("poisoned!\n")


@pytest.mark.parametrize("harm", [forge, change])
def test_what_was_touched_meanwhile_is_removed_and_nothing_of_it_is_put_in_place(
    bench: Bench, harm: Callable[[Path], None]
) -> None:
    bench.keep(make_everything)
    before = bench.shown(bench.second)
    harm(bench.folder / "kept" / KEY)
    assert bench.fetch() is None
    assert bench.shown(bench.second) == before
    assert not (bench.folder / "kept" / KEY).exists()


def test_a_set_up_of_one_key_is_none_of_another(bench: Bench) -> None:
    bench.keep(make_everything)
    (bench.folder / "kept" / KEY).rename(bench.folder / "kept" / find_key(["other"]))
    roots = bench.roots(bench.second)
    assert bench.kept.fetch(find_key(["other"]), roots, frozenset()) is None


def test_one_that_somebody_else_sealed_is_none(bench: Bench) -> None:
    bench.keep(make_everything)
    bench.kept = SetUps(bench.folder / "kept", b"x" * 32, lambda: NOW)
    assert bench.fetch() is None


def test_an_old_one_is_made_again(bench: Bench) -> None:
    bench.keep(make_everything)
    bench.now = NOW + timedelta(days=8)
    assert bench.fetch() is None


def lead_out(workspace: Path) -> None:
    outside = workspace.with_name("outside")
    outside.mkdir()
    (workspace / "made").symlink_to(outside)


@pytest.mark.parametrize(
    "other",
    [
        lead_out,
        lambda workspace: (workspace / "made").write_text("a file"),
        lambda workspace: shutil.copytree(workspace / "node_modules", workspace / "made/tool"),
    ],
)
def test_where_something_else_is_in_the_way_the_commands_run(
    bench: Bench, other: Callable[[Path], object]
) -> None:
    bench.keep(make_everything)
    other(bench.second)
    before = bench.shown(bench.second)
    assert bench.fetch() is None
    assert bench.shown(bench.second) == before
    assert not any(bench.folder.glob("outside/*"))


def test_nothing_takes_the_place_of_what_the_repository_has(bench: Bench) -> None:
    bench.keep(make_everything)
    tracked = frozenset({"node_modules/new.js"})
    assert bench.kept.fetch(KEY, bench.roots(bench.second), tracked) is None


def test_those_that_were_not_used_for_longest_make_room(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keep(name: str) -> Path:
        workspace = bench.make(name)
        before = look([workspace])
        (workspace / "large").write_bytes(b"x" * 1000)
        assert bench.kept.keep(find_key([name]), [workspace], before, ()) == ""
        return bench.folder / "kept" / find_key([name])

    places = [keep("one"), keep("two")]
    for at, place in enumerate(reversed(places)):
        os.utime(place / "manifest", ns=(at, at))
    size = sum(file.stat().st_size for place in places for file in place.iterdir())
    monkeypatch.setattr(set_ups, "ALL_BYTES", size + 500)
    third = keep("three")
    assert [place.exists() for place in (*places, third)] == [True, False, True]


def test_little_room_on_the_disk_is_left_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(set_ups, "find_free", lambda _: 10)
    assert "would be left on the disk" in bench.keep(make_everything)


def test_another_version_of_a_program_is_another_program(tmp_path: Path) -> None:
    tool, workspace = tmp_path / "bin" / "npm", tmp_path / "ws"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    variables = {"PATH": str(tool.parent)}
    first = identify_program("npm", variables, workspace)
    tool.write_text("#!/bin/sh\necho another\n")
    assert identify_program("npm", variables, workspace) != first
    assert identify_program("absent", variables, workspace) == ["absent"]


def test_what_cannot_be_put_in_place_as_a_whole_is_taken_out_again(bench: Bench) -> None:
    """The name of a workspace may be longer than that of the first, and a link's target too long then."""

    def make(workspace: Path) -> None:
        make_everything(workspace)
        aim = f"{workspace}/".ljust(4095, "x")
        (workspace / "made" / "z").symlink_to(aim)

    assert bench.keep(make) == ""
    before = bench.shown(bench.second)
    assert bench.fetch() is None
    assert bench.shown(bench.second) == before
    assert not bench.second.with_name(f"{bench.second.name}.seed").exists()
    assert bench.kept.fetch(KEY, bench.roots(bench.make("third")), frozenset()) is not None


def test_the_disk_s_no_is_a_reason_and_no_error(bench: Bench) -> None:
    (bench.folder / "kept").write_text("in the way")
    assert "the disk does not take it" in bench.keep(make_everything)
    assert bench.fetch() is None
