"""The agent that the editors' tests have, the person that they are to it, and what its model says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Event

import pytest

from tests.agents.endpoint import DEADLINE
from tests.agents.scripted import Asked, Reply, Run, Script, Write
from tests.agents.scripts import FIXES, PLAN, RIGHT
from tests.agents.tools import install_agents
from tests.personal import set_sandbox

TEXT = "Make all tests pass"
WORD = "Use plus, not times."
FOUND = "nobody adds texts"
REVIEW = {
    "findings": [
        {"section": "code", "severity": "warns", "path": "calc.py", "line": 2, "message": FOUND}
    ]
}


def have_one_agent(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Kimi alone; it asks the person before it runs a command.  `config` is for their settings."""
    programs = install_agents()
    path = (programs.agents["kimi-code"], programs.node, os.environ["PATH"])
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, path)))
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(config))
    set_sandbox(config, "off")
    with (config / "settings.toml").open("a", encoding="utf-8") as settings:
        settings.write('permissions = "ask"\n')


def works(asked: Asked) -> Reply:
    """Make the plan of the goal, do it, and find something in the change that others made."""
    if "You plan one goal" in asked.prompt:
        return answer_with(PLAN)
    return answer_with(REVIEW) if "You review one change" in asked.prompt else FIXES(asked)


def answer_with(value: object) -> Reply:
    """Say a text that ends with a block of JSON."""
    return Reply(f"So:\n```json\n{json.dumps(value)}\n```")


def hears(told: Event, *commands: str) -> Script:
    """Return a script: the commands, then nothing until `told`, and the work once it heard the word."""

    def say(asked: Asked) -> Reply:
        heard = [at for at, (who, text) in enumerate(asked.items) if who == "user" and WORD in text]
        if heard:
            wrote = "call" in [who for who, _ in asked.items[heard[0] :]]
            return Reply("Done.") if wrote else Reply("", (Write("calc.py", RIGHT),))
        if asked.done < len(commands):
            return Reply("I look.", (Run(commands[asked.done]),))
        told.wait(DEADLINE)
        return Reply("I know nothing.")

    return say
