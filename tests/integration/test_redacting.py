"""What a command prints is seen without the person's secrets, while it runs and for ever after (S14)."""

from __future__ import annotations

import asyncio
import base64

import pytest

from goal_engine.engine import Engine
from goal_engine.errors import StoreUnwritable
from goal_engine.logs import read_log
from goal_engine.redaction import Redactor
from goal_engine.runtime.redacting import find_redactor, redacting
from goal_engine.types import GoalStatus
from tests.integration.projects import FIX, TESTS, a_plan, a_project, closing, run


@pytest.fixture(autouse=True)
def _closing(monkeypatch):
    yield from closing(monkeypatch)


pytestmark = pytest.mark.one_python

VALUE = "Zq3vN8sKd0LmXw2RtYb7UcFhGj5Pe"
PRINTING = f"""
import base64, os
VALUE = "{VALUE[:9]}" + "{VALUE[9:]}"
print("the value is", VALUE, "or", base64.b64encode(b"x" + VALUE.encode()).decode(), flush=True)
assert not [name for name in os.environ if name.endswith("_TOKEN")]
"""


async def seen(log, wanted):
    async with asyncio.timeout(60):
        while log.read_bytes() != wanted:  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.02)


async def test_a_log_is_redacted_while_it_is_written(tmp_path):
    log = tmp_path / "deep" / "x.log"
    async with redacting(log, Redactor.of((VALUE,))) as raw:
        assert log.read_bytes() == b""
        with raw.open("wb", buffering=0) as file:
            file.write(b"one\n" + VALUE[:10].encode())
            await seen(log, b"one\n")
            file.write(VALUE[10:].encode() + b"\n")
            await seen(log, b"one\n[secret]\n")
            file.write(b"and " + VALUE.encode())
    assert log.read_bytes() == b"one\n[secret]\nand [secret]"
    assert list(log.parent.iterdir()) == [log]


async def test_what_ends_the_command_leaves_nothing_unredacted(tmp_path):
    log = tmp_path / "x.log"

    async def fail() -> None:
        async with redacting(log, Redactor.of((VALUE,))) as raw:
            raw.write_bytes(VALUE.encode())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert log.read_bytes() == b"[secret]" and list(tmp_path.iterdir()) == [log]


async def test_a_log_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnwritable):
        async with redacting(tmp_path / "file" / "x.log", Redactor()):
            pass


def test_the_redactor_knows_this_process_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("CANARY_TOKEN", VALUE)
    folder = tmp_path / "a+b (1)"
    folder.mkdir()
    monkeypatch.setenv("DEPLOY_KEY", str(folder))
    assert find_redactor().redact(VALUE.encode()) == b"[secret]"
    assert not find_redactor().has_value(bytes(folder))


async def test_a_result_with_a_secret_of_the_person_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("CANARY_TOKEN", VALUE)
    engine = Engine.open(a_project(tmp_path / "project"))
    write = f"printf 'KEY = %s%s\\\\n' {VALUE[:9]} {VALUE[9:]} >> calc.py"
    state = await run(engine, a_plan(f'{FIX}, {{ run = ["sh", "-c", "{write}"] }}'))
    assert state.tasks["fix"].reason == "it wrote a secret of your environment into calc.py"
    assert state.tree is None


async def test_nothing_that_is_kept_of_a_goal_has_a_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("CANARY_TOKEN", VALUE)
    tests = PRINTING + TESTS.replace("calc.add(2, 3), 5)", "calc.add(2, 3), 5, VALUE)")
    root = a_project(tmp_path / "project", **{"tests/test_calc.py": tests})
    engine = Engine.open(root)
    parts = f"printf '%s%s\\n' {VALUE[:9]} {VALUE[9:]}"
    printing = f'{FIX}, {{ run = ["sh", "-c", "{parts}; {parts} >&2"] }}'
    state = await run(engine, a_plan(printing))
    assert state.status is GoalStatus.READY
    wanted = {VALUE.encode(), base64.b64encode(b"x" + VALUE.encode())[2:-4]}
    state_dir = engine.state_dir
    files = [path for folder in (root / ".goalproof", state_dir) for path in folder.rglob("*")]
    kept = {
        path: path.read_bytes() for path in files if path.is_file() and "evidence" not in path.parts
    }
    leaks = {path.name for path, data in kept.items() if any(form in data for form in wanted)}
    assert leaks == set()
    assert (await read_log(engine.ports, state, task="fix", gate=None, offset=0)).text == (
        "[secret]\n[secret]\n"
    )
    gate = await read_log(engine.ports, state, task=None, gate="tests", offset=0)
    assert "the value is [secret] or " in gate.text
    run_ = next(run for run in state.gates_run.values() if run.failures)
    assert b"[secret]" in await engine.ports.store.read_object(run_.failures)
