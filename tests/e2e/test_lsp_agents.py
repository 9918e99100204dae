"""An editor beside an agent that works: what it asks reaches the editor, and what is said there reaches it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import pytest_lsp
from pygls.exceptions import JsonRpcException
from pytest_lsp import ClientServerConfig

from tests.e2e.test_lsp import PATIENCE, Editor, make_editor, open_editor
from tests.integration.projects import CRITERIA, a_project
from tests.integration.test_acp_worker import SPEAKS
from tests.personal import set_sandbox

pytestmark = pytest.mark.one_python

WORD = "Sums are made with plus."
ASKS = f"""
def put(name, command):
    options = [{{"optionId": kind, "kind": kind, "name": kind}} for kind in ("allow_once", "reject_once")]
    call = {{"toolCallId": name, "title": "Bash", "kind": "execute", "rawInput": {{"command": command}}}}
    say(id=name, method="session/request_permission",
        params={{"sessionId": "s", "options": options, "toolCall": call}})

def picked(name):
    answer = told()
    assert answer["id"] == name, answer
    return answer["result"]["outcome"]["optionId"]

turn = begin()
put("first", "make tidy")
put("second", "make sums")
assert picked("second") == "allow_once"
say(method="$/cancel_request", params={{"requestId": "first"}})
assert told()["error"]
put("third", "make war")
assert picked("third") == "reject_once"
end(turn)
told_later = told("session/prompt")
if {WORD!r} in told_later["params"]["prompt"][0]["text"]:
    with open("calc.py") as file:
        text = file.read().replace("a - b", "a + b")
    with open("calc.py", "w") as file:
        file.write(text)
end(told_later["id"])
"""
PLAN = f"""
goal = "Make sums right in calc.py"
kind = "fix"
{CRITERIA}
[[task]]
id = "fix"
title = "Fix the sum"
worker = "acp"
agent = "mine"
writes = ["calc.py"]
[[task]]
id = "note"
title = "Say so"
deps = ["fix"]
writes = ["NOTE"]
steps = [{{ write = "NOTE", content = "Sums are right." }}]
"""


@pytest.fixture(autouse=True)
def _person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a person who has one agent and wants to be asked; the server is started after that."""
    config = tmp_path / "config"
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(config))
    set_sandbox(config, "off")
    with (config / "settings.toml").open("a", encoding="utf-8") as settings:
        settings.write('permissions = "ask"\npermissions_timeout = 600\n')
    argv = json.dumps([sys.executable, "-I", "-c", SPEAKS + ASKS])
    (config / "agents.toml").write_text(f"[agent.mine]\nacp = {argv}\n", encoding="utf-8")


@pytest_lsp.fixture(
    config=ClientServerConfig(
        server_command=[sys.executable, "-m", "goal_server", "lsp"], client_factory=make_editor
    )
)
async def editor(lsp_client: Editor) -> Any:
    yield
    await lsp_client.shutdown_session()


async def until_asked(editor: Editor, *commands: str, before: Iterable[str] = ()) -> dict[str, str]:
    """Return the keys of what is asked, by command, once it is just that and nothing asked `before`."""

    def is_asked() -> bool:
        asked = set(editor.told[-1].asks) if editor.told else set()
        return len(asked) == len(commands) and asked.isdisjoint(before)

    async with editor.news, asyncio.timeout(PATIENCE):
        await editor.news.wait_for(is_asked)
    shown = await editor.command("goal.show", goal=editor.told[-1].goalId)
    keys = {one.detail: one.key for one in shown.asks}
    assert set(keys) == set(commands) and set(keys.values()) == set(editor.told[-1].asks)
    return keys


async def check_refused(editor: Editor, says: str, name: str, **given: str) -> None:
    with pytest.raises(JsonRpcException) as refused:
        await editor.command(name, **given)
    said = str(refused.value)
    assert refused.value.code == -32803 and says in said, said
    assert "\n" not in said and "Traceback" not in said


async def test_what_an_agent_asks_is_answered_from_the_editor_and_it_is_told_something(
    editor: Editor, tmp_path: Path
) -> None:
    project = a_project(tmp_path / "project", **{"plan.toml": PLAN})
    await open_editor(editor, project, trusted=True)
    goal = (await editor.command("goal.run", plan="plan.toml")).id

    async def refuse_answer(says: str, question: str, text: str = "allow") -> None:
        await check_refused(editor, says, "goal.answer", goal=goal, question=question, text=text)

    async def refuse_word(says: str, **given: str) -> None:
        await check_refused(editor, says, "goal.tell", **{"goal": goal, "text": WORD, **given})

    keys = await until_asked(editor, "make tidy", "make sums")
    await refuse_answer("No agent of", "0" * 16)
    await refuse_answer("too short", keys["make sums"][:7])
    await refuse_answer("say `allow` or `deny`", keys["make sums"], "perhaps")
    await refuse_word("nobody at task note can hear it", task="note")
    await refuse_word("has no task 'other'", task="other")
    await refuse_word("Say between 1 and", text=" ")
    await editor.command("goal.answer", goal=goal, question=keys["make sums"][:8], text="allow")
    last = await until_asked(editor, "make war", before=keys.values())
    await refuse_answer("it was answered, taken back", keys["make tidy"])
    await refuse_answer("it was answered, taken back", keys["make sums"])
    told = await editor.command("goal.tell", goal=goal, text=WORD)
    assert told.status == "running"
    await editor.command("goal.answer", goal=goal, question=last["make war"], text="deny")
    ended = await editor.wait(goal)
    assert ended.status == "ready", ended.reasons
    assert (await editor.until("ready")).asks == []
    await refuse_answer("is ready", last["make war"])
    await refuse_word("is ready")
