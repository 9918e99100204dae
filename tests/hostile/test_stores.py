"""Whatever lies in a store: the goals beside it are listed, in bounded time and memory (S15)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from goal_engine.state.journal import encode_entry, header_line
from tests.builders import a_first_entry, goal_id
from tests.hostile.stores import BAD, OBJECT, STORES, Store

pytestmark = pytest.mark.one_python

SECONDS = 60.0
"""For the looks at all stores; a pipe that is waited for takes for ever."""
ROOM = 512 << 20
"""Bytes of address space that a look may take beyond what the process has: all rows would be endless."""
LOOKS = """
import asyncio, json, resource, sys
from pathlib import Path

from goal_engine.engine import Engine
from goal_engine.errors import GoalError
from goal_engine.state import journal, persistence
from goal_engine.types import GoalId

roots, bad, sha, room, mutant = sys.argv[5:], *sys.argv[1:5]
if mutant == "any file":
    persistence.open_regular = lambda path: path.open("rb")
    persistence.read_regular = lambda path, limit: path.read_bytes()
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(room),) * 2)

async def look(root):
    engine = Engine(Path(root))
    store = engine.ports.store
    told = {"goals": [], "damage": "", "object": ""}
    try:
        for one in await store.list():
            told["goals"] += [one.goal_id] if one.state else []
            told["damage"] += one.damage if one.goal_id == bad else ""
        for ask in (store.head, store.salvage, store.entries):
            try:
                await ask(GoalId(bad))
            except GoalError as error:
                told["damage"] = told["damage"] or error.paragraph
        try:
            await store.read_object(sha)
        except GoalError as error:
            told["object"] = error.paragraph
        engine.home.problem
    finally:
        engine.close()
    return told

for root in roots:
    print(json.dumps(asyncio.run(look(root))), flush=True)
"""
GOOD = goal_id(7)


@pytest.fixture(scope="module")
def journals() -> dict[str, bytes]:
    return {name: header_line(name) + encode_entry(a_first_entry(name)) for name in (BAD, GOOD)}


def make(row: Store | None, root: Path, journals: dict[str, bytes]) -> Path:
    """Make a store of two goals and an object, and put the row's thing there."""
    own = root / ".goalproof"
    for name, data in journals.items():
        (own / "goals" / name).mkdir(parents=True)
        (own / "goals" / name / "events.jsonl").write_bytes(data)
    (own / "objects").mkdir()
    (own / "objects" / OBJECT).write_bytes(b"kept")
    (own / "id").write_text("0123456789abcdef" * 2)
    if row is not None:
        row.put(own)
    return root


def look(roots: list[Path], mutant: str = "") -> list[dict]:
    """Return what a process of its own, with little memory, says of each store."""
    words = [sys.executable, "-c", LOOKS, BAD, OBJECT, str(ROOM), mutant, *map(str, roots)]
    done = subprocess.run(
        words, capture_output=True, stdin=subprocess.DEVNULL, timeout=SECONDS, check=False
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == len(roots), done.stderr.decode()[-2000:]
    return told


def test_nothing_in_a_store_hides_the_goals_beside_it(
    tmp_path: Path, journals: dict[str, bytes]
) -> None:
    rows = (None, *STORES)
    roots = [make(row, tmp_path / str(n), journals) for n, row in enumerate(rows)]
    wrong = []
    for row, told in zip(rows, look(roots), strict=True):
        said = told["object" if row and row.objects else "damage"]
        if GOOD not in told["goals"]:
            wrong.append(f"{row}: the goal beside it is gone")
        if row is None and (said or BAD not in told["goals"]):
            wrong.append(f"a good store: {said}")
        if row is not None and row.says not in said:
            wrong.append(f"{row}: {said!r}")
    shutil.rmtree(tmp_path / "0")
    assert wrong == []


@pytest.mark.parametrize("name", ["an endless device for a head", "an object that is a hole"])
def test_a_store_that_reads_any_file_is_found_out(
    tmp_path: Path, journals: dict[str, bytes], name: str
) -> None:
    (row,) = (row for row in STORES if row.name == name)
    with pytest.raises((AssertionError, subprocess.TimeoutExpired), match="MemoryError"):
        look([make(row, tmp_path / "store", journals)], "any file")
