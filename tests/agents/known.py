"""How each agent is told where its model is: files in its home folder, as a person would have them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goal_engine.types import WorkerName
from tests.agents.scripted import MODEL, WINDOW

KIMI = f"""\
default_model = "stub"
telemetry = false
[providers.own]
type = "kimi"
base_url = "{{url}}"
api_key = "sk-stub"
[models.stub]
provider = "own"
model = "{MODEL}"
max_context_size = {WINDOW}
"""
TOOLS = 'capabilities = ["tool_use"]\n'
"""What the new Kimi wants to know of a model, and the old one does not know."""
OPENCODE = {
    "autoupdate": False,
    "share": "disabled",
    "model": f"stub/{MODEL}",
    "small_model": f"stub/{MODEL}",
}
CODEX = f"""\
model = "{MODEL}"
model_provider = "stub"
[model_providers.stub]
name = "Stub"
base_url = "{{url}}"
wire_api = "responses"
experimental_bearer_token = "sk-stub"
"""
GEMINI = {
    "general": {"enableAutoUpdate": False},
    "privacy": {"usageStatisticsEnabled": False},
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "model": {"name": "gemini-2.5-pro"},
}
QWEN = {
    "general": {"enableAutoUpdate": False},
    "privacy": {"usageStatisticsEnabled": False},
    "security": {"auth": {"selectedType": "openai"}},
    "model": {"name": MODEL},
}


@dataclass(frozen=True)
class Known:
    """An agent over one protocol."""

    agent: str
    """The preset's name."""
    worker: WorkerName
    programs: str
    """What `tools.py` calls its folder."""
    configure: Callable[[Path, str], None]
    """Writes its settings into a home folder, for a model at a URL."""

    def __str__(self) -> str:
        return f"{self.programs}-{self.worker}"


def write(path: Path, content: str | dict[str, Any]) -> None:
    """Write a file of settings, tables as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


def configure_kimi(home: Path, url: str) -> None:
    write(home / ".kimi-code" / "config.toml", KIMI.format(url=f"{url}/v1") + TOOLS)


def configure_old_kimi(home: Path, url: str) -> None:
    write(home / ".kimi" / "config.toml", KIMI.format(url=f"{url}/v1"))


def configure_opencode(home: Path, url: str) -> None:
    model = {
        "name": "Stub",
        "tool_call": True,
        "limit": {"context": WINDOW, "output": 8192},
        "cost": {"input": 1, "output": 2},
    }
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Stub",
        "options": {"baseURL": f"{url}/v1", "apiKey": "sk-stub"},
        "models": {MODEL: model},
    }
    path = home / ".config" / "opencode" / "opencode.json"
    write(path, {**OPENCODE, "provider": {"stub": provider}})


def configure_claude(home: Path, url: str) -> None:
    variables = {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "sk-ant-stub",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    write(home / ".claude" / "settings.json", {"env": variables})


def configure_codex(home: Path, url: str) -> None:
    write(home / ".codex" / "config.toml", CODEX.format(url=f"{url}/v1"))


def configure_gemini(home: Path, url: str) -> None:
    write(home / ".gemini" / "settings.json", GEMINI)
    write(home / ".gemini" / ".env", f"GEMINI_API_KEY=stub\nGOOGLE_GEMINI_BASE_URL={url}\n")


def configure_qwen(home: Path, url: str) -> None:
    variables = {"OPENAI_API_KEY": "sk-stub", "OPENAI_BASE_URL": f"{url}/v1"}
    write(home / ".qwen" / "settings.json", {**QWEN, "env": variables})


KIMI_CLI = Known("kimi", "cli", "kimi-code", configure_kimi)
KIMI_OLD_CLI = Known("kimi", "cli", "kimi-cli", configure_old_kimi)
CLAUDE_CLI = Known("claude", "cli", "claude", configure_claude)
OPENCODE_CLI = Known("opencode", "cli", "opencode", configure_opencode)
KIMI_ACP = Known("kimi", "acp", "kimi-code", configure_kimi)
CLAUDE_ACP = Known("claude", "acp", "claude", configure_claude)
OPENCODE_ACP = Known("opencode", "acp", "opencode", configure_opencode)
KIMI_WIRE = Known("kimi", "wire", "kimi-cli", configure_old_kimi)
CODEX_CLI = Known("codex", "cli", "codex", configure_codex)
CODEX_ACP = Known("codex", "acp", "codex", configure_codex)
GEMINI_CLI = Known("gemini", "cli", "gemini", configure_gemini)
GEMINI_ACP = Known("gemini", "acp", "gemini", configure_gemini)
QWEN_CLI = Known("qwen", "cli", "qwen", configure_qwen)
QWEN_ACP = Known("qwen", "acp", "qwen", configure_qwen)

ALL = (
    *(KIMI_CLI, KIMI_OLD_CLI, KIMI_ACP, KIMI_WIRE),
    *(CLAUDE_CLI, CLAUDE_ACP, OPENCODE_CLI, OPENCODE_ACP),
    *(CODEX_CLI, CODEX_ACP, GEMINI_CLI, GEMINI_ACP, QWEN_CLI, QWEN_ACP),
)
ONE_EACH = (KIMI_CLI, KIMI_ACP, KIMI_WIRE)
"""Of each protocol the agent that plays every scenario."""
TALKING = (KIMI_ACP, KIMI_WIRE)
"""Those of them that ask, and hear what a person says."""
KEEPING = (KIMI_ACP, KIMI_WIRE, CLAUDE_ACP, OPENCODE_ACP, CODEX_ACP)
"""Those that go on in a session of theirs in another process."""
