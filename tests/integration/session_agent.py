"""An agent that keeps its sessions as real ones do: in its folder, by where it works.

A script: `session_agent.py HOME`, then `--wire --work-dir FOLDER --session NAME` or `acp`.  In its first turn it
waits until it is stopped; in the next it writes down what it remembers, does the work, and ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

HOME = Path(sys.argv[1])
CALC = Path("calc.py")


def say(**message: Any) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def hear() -> dict[str, Any]:
    line = sys.stdin.readline()
    if not line:
        sys.exit()
    message: dict[str, Any] = json.loads(line)
    return message


def find_transcript(session: str) -> Path:
    place = hashlib.md5(os.getcwd().encode(), usedforsecurity=False).hexdigest()
    return HOME / "sessions" / place / session / "context.jsonl"


def read(session: str) -> list[str]:
    """Return what was said in a session; one that cannot be read is its end."""
    path = find_transcript(session)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def work(session: str, prompt: str) -> bool:
    """Take a prompt in, and return whether it was done."""
    before, path = read(session), find_transcript(session)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(prompt) + "\n")
    begun = HOME / "begun"
    if not begun.exists():
        CALC.write_text("half of it")
        begun.touch()
        return False
    (HOME / "again.json").write_text(json.dumps([before, prompt, CALC.read_text()]))
    CALC.write_text(CALC.read_text().replace("a - b", "a + b"))
    return True


def be_wire() -> None:
    session = sys.argv[sys.argv.index("--session") + 1]
    told, prompt = read(session), ""
    while message := hear():
        match message.get("method"):
            case "initialize":
                answer(message, {"protocol_version": "1.10"})
            case "replay":
                for text in told:
                    tell("TurnBegin", user_input=text)
                answer(message, {"status": "finished", "events": len(told), "requests": 0})
            case "prompt":
                text, prompt = message["params"]["user_input"], message["id"]
                tell("TurnBegin", user_input=text)
                if work(session, text):
                    tell("TurnEnd")
                    say(id=prompt, result={"status": "finished"})
            case "cancel":
                answer(message, {})
                say(id=prompt, result={"status": "cancelled"})
            case _:
                answer(message, {})


def tell(kind: str, **payload: Any) -> None:
    say(method="event", params={"type": kind, "payload": payload})


def answer(message: dict[str, Any], result: dict[str, Any]) -> None:
    say(id=message["id"], result=result)


def be_acp() -> None:
    prompt, name = 0, os.urandom(8).hex()
    while message := hear():
        session = message.get("params", {}).get("sessionId", "")
        match message.get("method"):
            case "initialize":
                can = {"loadSession": True}
                answer(message, {"protocolVersion": 1, "agentCapabilities": can})
            case "session/new":
                answer(message, {"sessionId": name})
            case "session/load" if read(session):
                answer(message, {})
            case "session/load":
                say(id=message["id"], error={"code": -32602, "message": "there is none"})
            case "session/prompt":
                prompt = message["id"]
                if work(session, message["params"]["prompt"][0]["text"]):
                    say(id=prompt, result={"stopReason": "end_turn"})
            case "session/cancel":
                say(id=prompt, result={"stopReason": "cancelled"})


if __name__ == "__main__":
    be_wire() if "--wire" in sys.argv else be_acp()
