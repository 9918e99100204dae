"""What a workspace's Go begins with, and what never comes to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from goal_engine.runtime import go_cache
from goal_engine.runtime.go_cache import find_go_cache, keep_go_cache, seed_go_cache

A, B = f"0a/{'0a' * 32}-a", f"b1/{'b1' * 32}-d"


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    return tmp_path / "go-base"


def compiled(environment: Path, **content: str) -> Path:
    """Make a workspace whose Go left these files."""
    for name, text in content.items():
        path = find_go_cache(environment) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return environment


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_workspace_begins_with_copies_of_what_the_base_compiled(
    tmp_path: Path, seed: Path
) -> None:
    keep_go_cache(compiled(tmp_path / "one", **{A: "a", "trim.txt": "1", "0a/x": "x"}), seed)
    keep_go_cache(compiled(tmp_path / "two", **{A: "other", B: "b"}), seed)
    workspace = compiled(tmp_path / "three", **{B: "its own"})
    seed_go_cache(seed, workspace)
    cache = find_go_cache(workspace)
    assert files(seed) == {A: "a", B: "b"} and files(cache) == {A: "a", B: "its own"}
    (cache / A).write_text("changed")
    assert files(seed) == {A: "a", B: "b"}


def test_no_link_leads_a_cache_elsewhere(tmp_path: Path, seed: Path) -> None:
    theirs = compiled(tmp_path / "theirs", **{A: "theirs"})
    for name, link in {"whole": "go-build", "part": "go-build/0a", "one": f"go-build/{A}"}.items():
        place = tmp_path / name / link
        place.parent.mkdir(parents=True)
        place.symlink_to(find_go_cache(theirs) / Path(link).relative_to("go-build"))
        keep_go_cache(tmp_path / name, seed)
    assert files(seed) == {} and files(find_go_cache(theirs)) == {A: "theirs"}
    keep_go_cache(compiled(tmp_path / "base", **{A: "a", B: "b"}), seed)
    seed_go_cache(seed, tmp_path / "whole")
    seed_go_cache(seed, tmp_path / "part")
    assert files(find_go_cache(theirs)) == {A: "theirs"}


def test_what_is_too_much_to_copy_each_time_is_not_kept(
    tmp_path: Path, seed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(go_cache, "MOST_BYTES", 3)
    keep_go_cache(compiled(tmp_path / "one", **{A: "four", B: "b"}), seed)
    assert files(seed) == {B: "b"}
