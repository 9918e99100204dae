"""The key that signs proofs: made once, for the person alone, and never told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from goal_engine.errors import StoreUnwritable
from goal_engine.runtime.config import state_dir
from goal_engine.runtime.signing_key import read_signing_seed


def the_key() -> Path:
    return state_dir() / "signing" / "ed25519"


def test_it_is_made_once_and_for_the_person_alone() -> None:
    seed = read_signing_seed()
    assert len(seed) == 32 and read_signing_seed() == seed
    assert the_key().stat().st_mode & 0o777 == 0o600
    assert the_key().parent.stat().st_mode & 0o777 == 0o700
    assert (the_key().parent / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_processes_that_make_it_at_once_sign_with_one_key() -> None:
    ask = "import sys; from goal_engine.runtime.signing_key import read_signing_seed as r;"
    ask += "sys.stdin.read(); print(r().hex())"
    asked = [
        subprocess.Popen(
            [sys.executable, "-c", ask], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in asked:
        assert process.stdin is not None
        process.stdin.close()  # now all of them go
    answers = set()
    for process in asked:
        assert process.stdout is not None
        with process.stdout:
            answers.add(process.stdout.read().strip())
        assert process.wait(60) == 0
    assert answers == {read_signing_seed().hex()}


def test_a_key_that_others_can_read_or_that_is_damaged_signs_nothing() -> None:
    read_signing_seed()
    the_key().chmod(0o640)
    refused(match="open to others")
    the_key().chmod(0o600)
    the_key().write_bytes(b"short\n")
    refused(match="damaged")


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    read_signing_seed()
    the_key().rename(tmp_path / "elsewhere")
    the_key().symlink_to(tmp_path / "elsewhere")
    refused(match="cannot be made or read")


def test_where_it_cannot_be_made_that_is_said() -> None:
    state_dir().mkdir(exist_ok=True)
    (state_dir() / "signing").write_text("in the way", encoding="utf-8")
    refused(match="cannot be made or read")


def refused(match: str) -> None:
    """It raises, and neither the message nor its cause says where the key is or what it is."""
    with pytest.raises(StoreUnwritable, match=match) as error:
        read_signing_seed()
    assert os.fspath(state_dir()) not in error.value.paragraph
    assert error.value.__cause__ is None
