"""Whoever swaps folders for links while we read and write leads nothing out of a workspace (S10)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from goal_engine.runtime import inside
from goal_engine.runtime.inside import (
    LeadsOut,
    copy_inside,
    link_inside,
    read_inside,
    replace_inside,
    unlink_inside,
    write_inside,
)

pytestmark = pytest.mark.one_python

SWAPPER = """
import ctypes, os, sys
root, outside = sys.argv[1:]
os.chdir(root)
os.symlink(outside, "s")
swap, here, exchange = ctypes.CDLL(None).renameat2, -100, 2
assert swap(here, b"d", here, b"s", exchange) == 0
print("begins", flush=True)
while True:
    swap(here, b"d", here, b"s", exchange)
"""
TRIES, PATIENCE = 2000, 60.0


@pytest.fixture
def places(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root / "d", outside):
        folder.mkdir(parents=True)
        (folder / "x").write_bytes(b"theirs" if folder == outside else b"ours")
    return root, outside


CALLS = {
    "read": lambda root, path: read_inside(root, path),
    "write": lambda root, path: write_inside(root, path, b"new"),
    "replace": lambda root, path: replace_inside(root, path, b"new", 0o644),
    "link": lambda root, path: link_inside(root, path, "elsewhere"),
    "unlink": lambda root, path: unlink_inside(root, path),
    "copy": lambda root, path: copy_inside(root / "d" / "x", root, path + ".copy"),
}


def naive_write(root, path, data):
    """What looks first and opens by the same name again: the mutant."""
    if not (root / path).resolve().is_relative_to(root.resolve()):
        raise LeadsOut(path)
    inside.find_place(root, path)
    (root / path).write_bytes(data)


def swap_after_the_look(monkeypatch, root, outside):
    """Swap in the one moment that counts: between finding out where a path leads and going there."""

    def look(found):
        def looked(*args):
            place = found(*args)
            (root / "d").rename(root / "e")
            (root / "d").symlink_to(outside)
            return place

        return looked

    monkeypatch.setattr(inside, "find_place", look(inside.find_place))


@pytest.mark.parametrize("call", [name for name in CALLS if name != "copy"])
def test_a_swap_right_after_the_look_is_refused(places, monkeypatch, call):
    root, outside = places
    swap_after_the_look(monkeypatch, root, outside)
    with pytest.raises(LeadsOut):
        CALLS[call](root, "d/x")
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"x": b"theirs"}


def test_the_mutant_is_led_out_by_it(places, monkeypatch):
    root, outside = places
    swap_after_the_look(monkeypatch, root, outside)
    naive_write(root, "d/x", b"new")
    assert (outside / "x").read_bytes() == b"new"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux exchanges two names at once")
def test_no_swap_in_thousands_of_tries_leads_out(places):
    """Another process exchanges a folder and a link as fast as it can."""
    root, outside = places
    tries = read = refused = 0
    with subprocess.Popen(
        [sys.executable, "-c", SWAPPER, str(root), str(outside)], stdout=subprocess.PIPE
    ) as swapper:
        try:
            assert swapper.stdout.readline() == b"begins\n"
            until = time.monotonic() + PATIENCE
            while (tries < TRIES or not read or not refused) and time.monotonic() < until:
                tries += 1
                with suppress(OSError):
                    write_inside(root, "d/y", b"new")
                with suppress(OSError):
                    unlink_inside(root, "d/y")
                try:
                    assert read_inside(root, "d/x") == b"ours"
                    read += 1
                except OSError:  # it may be a folder again when we look what it was
                    refused += 1
        finally:
            swapper.kill()
    assert sorted(os.listdir(outside)) == ["x"] and (outside / "x").read_bytes() == b"theirs"
    assert tries >= TRIES and read and refused, (tries, read, refused)


@pytest.mark.parametrize(
    "path", ["..", "../outside/x", "/etc/hostname", "d/../../outside/x", "out/x", "circle/x"]
)
@pytest.mark.parametrize("call", [name for name in CALLS if name != "copy"])
def test_a_path_that_leads_out_is_refused(places, path, call):
    root, outside = places
    (root / "out").symlink_to(outside)
    (root / "circle").symlink_to("circle")
    with pytest.raises(LeadsOut):
        CALLS[call](root, path)
    assert (outside / "x").read_bytes() == b"theirs"


def test_a_link_within_the_tree_is_followed_as_before(places):
    root, _ = places
    (root / "in").symlink_to("d")
    (root / "d" / "l").symlink_to("x")
    write_inside(root, "in/l", b"through")
    assert read_inside(root, "in/x") == b"through" and (root / "d" / "l").is_symlink()
    replace_inside(root, "in/l", b"gone", 0o755)
    assert not (root / "d" / "l").is_symlink() and os.access(root / "d" / "l", os.X_OK)
    assert read_inside(root, "d/x") == b"through"
    unlink_inside(root, "in/l")
    unlink_inside(root, "no/such/file")
    copy_inside(root / "d" / "x", root, "new/folder/x")
    assert read_inside(root, "new/folder/x", 4) == b"thro"
    with pytest.raises(FileExistsError):
        copy_inside(root / "d" / "x", root, "new/folder/x")
    assert sorted(os.listdir(root / "d")) == ["x"]


def test_what_is_no_file_is_not_waited_for(places):
    root, _ = places
    os.mkfifo(root / "pipe")
    for call in ("read", "write"):
        with pytest.raises(OSError, match=r"leads out|No such device"):
            CALLS[call](root, "pipe")
