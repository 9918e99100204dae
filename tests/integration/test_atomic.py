"""A file is there whole or not at all, and a disk that refuses is said to, with what to do."""

from __future__ import annotations

import errno
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from goal_engine.errors import StoreUnwritable
from goal_engine.runtime import atomic
from goal_engine.runtime.atomic import make_dirs, write_atomic, write_object, write_once
from goal_engine.runtime.binding import bind
from goal_engine.runtime.config import read_workspace_id, state_dir

REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)


def refuse(monkeypatch, name, number):
    def fail(*_args, **_kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic.os, name, fail)


def test_a_file_is_replaced_and_has_its_mode(tmp_path):
    path = tmp_path / "file"
    for data, mode in ((b"old", 0o600), (b"new", 0o644)):
        write_atomic(path, data, mode)
        assert path.read_bytes() == data and path.stat().st_mode & 0o777 == mode
    assert os.listdir(tmp_path) == ["file"]


def test_what_was_written_once_stays(tmp_path):
    path = tmp_path / "file"
    for data in (b"first", b"second"):
        write_once(path, data)
    assert path.read_bytes() == b"first" and os.listdir(tmp_path) == ["file"]


def test_a_filesystem_without_links_takes_a_file_all_the_same(tmp_path, monkeypatch):
    refuse(monkeypatch, "link", errno.EPERM)
    write_once(tmp_path / "file", b"first")
    assert (tmp_path / "file").read_bytes() == b"first" and os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("number", REFUSED)
@pytest.mark.parametrize("call", ["open", "fsync"])
@pytest.mark.parametrize("write", [write_atomic, write_once])
def test_a_refused_write_says_where_and_what_to_do_and_leaves_the_old(
    tmp_path, monkeypatch, call, number, write
):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    refuse(monkeypatch, call, number)
    with pytest.raises(StoreUnwritable) as refused:
        write(path, b"new")
    monkeypatch.undo()
    assert str(path) in refused.value.paragraph and os.strerror(number) in refused.value.paragraph
    assert "try again" in refused.value.paragraph
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_an_error_that_is_no_refusal_of_the_disk_is_left_as_it_is(tmp_path, monkeypatch):
    refuse(monkeypatch, "fsync", errno.EBADF)
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        write_atomic(tmp_path / "file", b"x")


def test_an_object_is_kept_once_under_its_digest_and_read_only(tmp_path):
    folder = tmp_path / "deep" / "objects"
    name = write_object(folder, b"a log")
    before = (folder / name).stat()
    assert name == hashlib.sha256(b"a log").hexdigest() == write_object(folder, b"a log")
    assert (folder / name).read_bytes() == b"a log" and before.st_mode & 0o777 == 0o444
    assert (folder / name).stat().st_ino == before.st_ino and os.listdir(folder) == [name]


def test_a_file_where_a_folder_should_be_is_a_refusal(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for write in (make_dirs, lambda path: write_object(path, b"x")):
        with pytest.raises(StoreUnwritable, match="file"):
            write(tmp_path / "file" / "objects")


def test_folders_are_for_the_person_alone(tmp_path):
    make_dirs(tmp_path / "a" / "b")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_workspace_has_one_id_that_git_does_not_see(tmp_path):
    first = read_workspace_id(tmp_path)
    assert first == read_workspace_id(tmp_path) and len(first) == 32
    assert (tmp_path / ".goalproof" / ".gitignore").read_bytes() == b"*\n"


def test_the_folder_is_ignored_before_anything_is_in_it(tmp_path, monkeypatch):
    monkeypatch.setattr("goal_engine.runtime.config.secrets.token_hex", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        read_workspace_id(tmp_path)
    assert os.listdir(tmp_path / ".goalproof") == [".gitignore"]


def test_all_who_ask_first_at_once_get_the_same_id(tmp_path):
    for round in range(20):
        checkout = tmp_path / str(round)
        checkout.mkdir()
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(read_workspace_id, [checkout] * 8))) == 1


@pytest.mark.parametrize("text", [b"", b"not an id\n", b"../../etc", b"\xff" * 32, b"A" * 32])
def test_an_id_that_is_none_is_refused_with_its_place(tmp_path, text):
    read_workspace_id(tmp_path)
    path = tmp_path / ".goalproof" / "id"
    path.write_bytes(text)
    with pytest.raises(StoreUnwritable, match="Remove that file") as refused:
        read_workspace_id(tmp_path)
    assert str(path) in refused.value.paragraph


def test_a_checkout_that_cannot_be_written_is_a_refusal(tmp_path):
    (tmp_path / ".goalproof").write_bytes(b"")
    with pytest.raises(StoreUnwritable, match=".goalproof"):
        read_workspace_id(tmp_path)


def test_what_belongs_to_a_workspace_is_outside_it(tmp_path, monkeypatch):
    monkeypatch.setenv("GOALPROOF_STATE_DIR", str(tmp_path / "state"))
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    place = bind(checkout)
    assert place == state_dir() / read_workspace_id(checkout) and place.is_dir()
    monkeypatch.delenv("GOALPROOF_STATE_DIR")
    assert state_dir().name == "goalproof"
