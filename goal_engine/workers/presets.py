"""Agents that are known by name: data alone, since their options change from month to month.

Each has what its vendor calls headless, one prompt, no questions, and an end, and the protocols in
which it can be talked to.  Where no word of `argv` has `{prompt}`, the prompt is given on the
standard input.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from goal_engine.budget import Reporting
from goal_engine.types import AGENT_WORKERS, AgentWorker
from goal_engine.workers.headless import DIALECTS, PLAIN

PROMPT = "{prompt}"
WORKSPACE = "{workspace}"
EVENTS = ("--output-format", "stream-json")
"""How several are told to print for machines."""

NETWORK = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"),
)
"""Variables by which every agent finds its way out."""


@dataclass(frozen=True, slots=True)
class Speaks:
    """How an agent is started for a protocol, and what it does there."""

    argv: tuple[str, ...]
    """The first word is a name on PATH or absolute; none is filled in."""
    mode: str = ""
    """The mode it works in, as it calls it: set in every session, since some begin in another one."""
    reading: str = ""
    """The mode in which it changes nothing; empty where it has none."""
    settings: tuple[tuple[str, str], ...] = ()
    """Variables that it is given beside the agent's own."""
    install: str = ""
    """What to do when its program is not there."""
    sessions: bool = False
    """Whether a later process can go on with a session."""
    tokens: Reporting = Reporting.NEVER
    usd: Reporting = Reporting.NEVER
    """What it says of what it uses, and when."""
    models: bool = False
    """Whether it names the models that used the tokens: then dollars can be estimated."""
    dialect: str = ""
    """What it prints for machines, one of `headless.DIALECTS`; empty for plain text."""
    held: tuple[tuple[str, str], ...] = ()
    """Words of `argv` and modes, each with what stands for it where our sandbox holds the agent.

    A sandbox of its own cannot be made inside ours on every system; without one, all it runs fails."""


@dataclass(frozen=True, slots=True)
class Package:
    """What a program was installed with."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Edition:
    """One of several packages that bring a program of the same name."""

    package: str
    speaks: tuple[AgentWorker, ...]
    """The workers that can start it."""
    argv: tuple[str, ...] = ()
    """Its headless command, where that is not the agent's usual one."""
    ends: str = ""
    """The first version that is no agent any more; empty while there is none."""


@dataclass(frozen=True, slots=True)
class Agent:
    """Somebody who works on a prompt, and how to start them."""

    name: str
    title: str
    argv: tuple[str, ...] = ()
    """Its headless command, empty where there is none.  `{prompt}` and `{workspace}` are filled in; the first word is a name on PATH or absolute."""
    looks: tuple[str, ...] = ()
    """The same for a turn that changes nothing, where its options can say so."""
    looking: tuple[tuple[str, str], ...] = ()
    """Variables that it is given in such a turn, beside its other settings."""
    dialect: str = ""
    """What these commands print, one of `headless.DIALECTS`; empty for plain text."""
    held: tuple[tuple[str, str], ...] = ()
    """As `Speaks.held`, for the headless command."""
    env: tuple[str, ...] = ()
    """Names of variables it gets beside the usual ones: where its login and configuration are."""
    folders: tuple[str, ...] = ()
    """Where it keeps its login and settings, `~` for the home folder: its sandbox lets it write there."""
    reads: tuple[str, ...] = ()
    """Names of what it acts on in other sessions, `/` after those of folders: its sandbox only reads.

    They are in the first of `folders` and in those that variables name, or begin with `~`."""
    forgets: tuple[str, ...] = ()
    """Names of folders that its sandbox has empty: it would read other work there, or leave code."""
    transcripts: tuple[str, ...] = ()
    """Names of folders that have its sessions: its sandbox has them empty, but for those of this task."""
    copies: tuple[str, ...] = ()
    """Names of files that hold a login and settings alike: its sandbox has a copy."""
    settings: tuple[tuple[str, str], ...] = ()
    """Variables it is given: what makes it fit to be started by somebody else."""
    install: str = ""
    """What to do when its program is not there."""
    keys: tuple[str, ...] = ()
    """Those of its variables that are a login."""
    logins: tuple[str, ...] = ()
    """Files that it keeps a login in: a name in its first folder, or one that begins with `~`."""
    log_in: str = ""
    """How a person logs in."""
    acp: Speaks | None = None
    """The Agent Client Protocol, version 1."""
    wire: Speaks | None = None
    """The wire protocol of Kimi CLI, 1.10."""
    editions: tuple[Edition, ...] = ()
    """What brings its program, where that makes a difference; the first is taken for what is not known."""

    @property
    def ways(self) -> Mapping[AgentWorker, Speaks]:
        """How each worker that can start it does so, the best first."""
        headless = _speak_headless(self) if self.argv else None
        known = dict(zip(AGENT_WORKERS, (self.acp, self.wire, headless), strict=True))
        return {worker: speaks for worker, speaks in known.items() if speaks}

    @property
    def programs(self) -> tuple[str, ...]:
        """The programs that start it, whichever way it is talked to."""
        return tuple(dict.fromkeys(speaks.argv[0] for speaks in self.ways.values()))


def _speak_headless(agent: Agent) -> Speaks:
    says = DIALECTS.get(agent.dialect, PLAIN)
    return Speaks(
        agent.argv,
        install=agent.install,
        tokens=says.tokens,
        usd=says.usd,
        models=says.models,
        dialect=agent.dialect,
        held=agent.held,
    )


PRESETS: tuple[Agent, ...] = (
    Agent(
        name="claude",
        title="Claude Code",
        argv=(
            *("claude", "-p", *EVENTS, "--verbose", "--permission-mode", "acceptEdits"),
            *("--allowedTools", "Bash"),
        ),
        looks=(
            *("claude", "-p", *EVENTS, "--verbose", "--permission-mode", "default"),
            *("--disallowedTools", "Bash", "Edit", "MultiEdit", "Write", "NotebookEdit"),
            "EnterWorktree",
        ),
        dialect="claude",
        env=(
            *("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL"),
            *("CLAUDE_CONFIG_DIR", "CLAUDE_CODE_OAUTH_TOKEN"),
            *("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX"),
        ),
        folders=("~/.claude",),
        reads=(
            *("settings.json", "settings.local.json", "CLAUDE.md", "keybindings.json", "agents/"),
            *("commands/", "hooks/", "local/", "output-styles/", "plugins/", "rules/", "skills/"),
        ),
        forgets=("session-env/", "shell-snapshots/"),
        transcripts=("projects/",),
        copies=("~/.claude.json", ".claude.json"),
        settings=(("DISABLE_AUTOUPDATER", "1"),),
        install="npm install -g @anthropic-ai/claude-code",
        keys=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"),
        logins=(".credentials.json",),
        log_in="start `claude` and say /login",
        acp=Speaks(
            argv=("claude-agent-acp",),
            mode="default",
            reading="plan",
            install="npm install -g @agentclientprotocol/claude-agent-acp",
            sessions=True,
            tokens=Reporting.TURN,
            usd=Reporting.TURN,
            models=True,
        ),
    ),
    Agent(
        name="codex",
        title="Codex CLI",
        argv=(
            *("codex", "exec", "--json", "--sandbox", "workspace-write", "--skip-git-repo-check"),
            PROMPT,
        ),
        looks=(
            *("codex", "exec", "--json", "--sandbox", "read-only", "--skip-git-repo-check"),
            PROMPT,
        ),
        dialect="codex",
        held=tuple((own, "danger-full-access") for own in ("workspace-write", "read-only")),
        env=("OPENAI_API_KEY", "OPENAI_BASE_URL", "CODEX_API_KEY", "CODEX_HOME"),
        folders=("~/.codex",),
        reads=(
            *("config.toml", "AGENTS.md", "AGENTS.override.md", "hooks.json", "agents/", "hooks/"),
            *(".env", "environments.toml", ".tmp/", "memories/", "packages/"),
            *("plugins/", "prompts/", "rules/", "skills/"),
        ),
        forgets=("shell_snapshots/", "archived_sessions/", "tmp/"),
        transcripts=("sessions/",),
        install="npm install -g @openai/codex",
        keys=("CODEX_API_KEY", "OPENAI_API_KEY"),
        logins=("auth.json",),
        log_in="`codex login`",
        acp=Speaks(
            argv=("codex-acp",),
            mode="agent",
            reading="read-only",
            held=tuple((own, "agent-full-access") for own in ("agent", "read-only")),
            install="npm install -g @agentclientprotocol/codex-acp",
            sessions=True,
            tokens=Reporting.TURN,
            models=True,
        ),
    ),
    Agent(
        name="gemini",
        title="Gemini CLI",
        argv=("gemini", "-p", PROMPT, *EVENTS, "--approval-mode", "yolo"),
        looks=("gemini", "-p", PROMPT, *EVENTS, "--approval-mode", "default"),
        dialect="gemini",
        env=(
            *("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL"),
            *("GOOGLE_APPLICATION_CREDENTIALS",),
            *("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION", "GOOGLE_GENAI_USE_VERTEXAI"),
        ),
        folders=("~/.gemini",),
        reads=(
            *("settings.json", "GEMINI.md", "system.md", ".env", "trustedFolders.json"),
            *("trusted_hooks.json", "keybindings.json", "agents/", "bin/", "commands/"),
            *("extensions/", "hooks/", "policies/", "skills/"),
        ),
        forgets=("history/", "tmp/"),
        # a workspace is new to it each time, and it would ask whether to trust the folder
        settings=(("GEMINI_CLI_TRUST_WORKSPACE", "true"),),
        install="npm install -g @google/gemini-cli",
        keys=("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS"),
        logins=("oauth_creds.json",),
        log_in="start `gemini` and choose how to log in",
        acp=Speaks(
            argv=("gemini", "--acp"),
            mode="default",
            reading="plan",
            tokens=Reporting.TURN,
            models=True,
        ),
    ),
    Agent(
        name="opencode",
        title="OpenCode",
        argv=("opencode", "run", "--format", "json", PROMPT),
        looks=("opencode", "run", "--format", "json", "--agent", "plan", PROMPT),
        # its plan agent runs any command; what is asked would end the turn, what is denied does not
        looking=(
            (
                "OPENCODE_PERMISSION",
                '{"edit": "deny", "bash": "deny", "task": "deny", "external_directory": "deny"}',
            ),
        ),
        dialect="opencode",
        env=(
            *("OPENCODE_CONFIG", "OPENCODE_CONFIG_DIR", "OPENCODE_CONFIG_CONTENT"),
            *("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY"),
        ),
        folders=(
            *("~/.config/opencode", "~/.local/share/opencode", "~/.local/state/opencode"),
            "~/.cache/opencode",
        ),
        reads=(
            *(
                "opencode.json",
                "opencode.jsonc",
                "config.json",
                "config",
                "package.json",
                "AGENTS.md",
            ),
            *(".npmrc", "package-lock.json"),
            *("agent/", "agents/", "command/", "commands/", "mode/", "modes/", "node_modules/"),
            *("plugin/", "plugins/", "skill/", "skills/", "tool/", "tools/"),
            *("~/.cache/opencode/bin/", "~/.cache/opencode/node_modules/"),
            *("~/.cache/opencode/packages/", "~/.local/share/opencode/bin/"),
        ),
        forgets=("~/.local/share/opencode/repos/", "~/.local/share/opencode/snapshot/"),
        settings=(("OPENCODE_DISABLE_AUTOUPDATE", "1"),),
        install="npm install -g opencode-ai",
        keys=("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY"),
        logins=("~/.local/share/opencode/auth.json",),
        log_in="`opencode auth login`",
        acp=Speaks(
            argv=("opencode", "acp"),
            mode="build",
            reading="plan",
            sessions=True,
            usd=Reporting.LIVE,
        ),
    ),
    Agent(
        name="kimi",
        title="Kimi Code",
        argv=("kimi", "-p", PROMPT, *EVENTS),
        dialect="kimi",
        env=(
            *("KIMI_CODE_HOME", "KIMI_SHARE_DIR", "KIMI_API_KEY", "KIMI_BASE_URL"),
            *("KIMI_MODEL_NAME", "KIMI_MODEL_API_KEY", "KIMI_MODEL_BASE_URL"),
            "KIMI_MODEL_PROVIDER_TYPE",
        ),
        folders=("~/.kimi-code", "~/.kimi"),
        reads=(
            *("config.toml", "mcp.json", "AGENTS.md", "SYSTEM.md", "tui.toml"),
            *("agents/", "bin/", "hooks/", "plugins/", "skills/", "workspace-trust/"),
            *("~/.kimi/config.toml", "~/.kimi/config.json", "~/.kimi/mcp.json"),
            *("~/.kimi/plugins/", "~/.kimi/skills/"),
        ),
        transcripts=("sessions/", "~/.kimi/sessions/"),
        settings=(("KIMI_CODE_NO_AUTO_UPDATE", "1"), ("KIMI_CLI_NO_AUTO_UPDATE", "1")),
        install="npm install -g @moonshot-ai/kimi-code",
        keys=("KIMI_MODEL_API_KEY", "KIMI_API_KEY"),
        logins=("credentials/kimi-code.json", "~/.kimi/credentials/kimi-code.json"),
        log_in="`kimi login`",
        acp=Speaks(
            argv=("kimi", "acp"),
            mode="default",
            reading="plan",
            sessions=True,
            tokens=Reporting.TURN,
        ),
        wire=Speaks(
            argv=("kimi", "--wire"),
            reading="plan",
            install="uv tool install --python 3.13 kimi-cli==1.51.0",
            sessions=True,
            tokens=Reporting.LIVE,
        ),
        editions=(
            Edition("@moonshot-ai/kimi-code", speaks=("acp", "cli")),
            Edition(
                "kimi-cli",
                speaks=("wire", "cli"),
                argv=("kimi", "--print", "-p", PROMPT, *EVENTS),
                ends="1.52",
            ),
        ),
    ),
    Agent(
        name="qwen",
        title="Qwen Code",
        argv=("qwen", "-p", PROMPT, *EVENTS, "--approval-mode", "yolo"),
        looks=("qwen", "-p", PROMPT, *EVENTS, "--approval-mode", "plan"),
        dialect="qwen",
        env=(
            *("QWEN_HOME", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"),
            *("DASHSCOPE_API_KEY", "BAILIAN_CODING_PLAN_API_KEY"),
        ),
        folders=("~/.qwen",),
        reads=(
            *("settings.json", "QWEN.md", "AGENTS.md", "memory.md", "output-language.md"),
            *("system.md", ".env", "trustedFolders.json", "agents/", "commands/"),
            *("extensions/", "hooks/", "locales/", "memories/", "output-styles/", "rules/"),
            *("skills/", "updates/", "workflows/"),
        ),
        # it does not begin where it cannot write to this one
        forgets=("extension-store/",),
        transcripts=("tmp/", "projects/"),
        install="npm install -g @qwen-code/qwen-code",
        keys=("OPENAI_API_KEY", "DASHSCOPE_API_KEY", "BAILIAN_CODING_PLAN_API_KEY"),
        logins=("oauth_creds.json",),
        log_in="start `qwen` and say /auth",
        acp=Speaks(
            argv=("qwen", "--acp"),
            mode="default",
            reading="plan",
            sessions=True,
            tokens=Reporting.LIVE,
        ),
    ),
)
"""The presets, the most used first."""


def find_speaks(agent: Agent, worker: AgentWorker, package: Package | None) -> Speaks | None:
    """Return how `worker` starts an agent whose program `package` brought; `None` where it cannot."""
    usual = agent.ways.get(worker)
    named = [one for one in agent.editions if package and one.package == package.name]
    edition = next(iter((*named, *agent.editions)), None)
    if usual is None or edition is None:
        return usual
    if worker not in edition.speaks or (named and _has_ended(edition, package)):
        return None
    return replace(usual, argv=edition.argv) if worker == "cli" and edition.argv else usual


def _has_ended(edition: Edition, package: Package | None) -> bool:
    ends = _read_version(edition.ends)
    return bool(ends and package) and _read_version(package.version if package else "") >= ends


def _read_version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", text))


def hold(speaks: Speaks) -> Speaks:
    """Return how an agent is started in a sandbox of ours: without one of its own."""
    swap = dict(speaks.held)
    return replace(
        speaks,
        argv=tuple(swap.get(word, word) for word in speaks.argv),
        mode=swap.get(speaks.mode, speaks.mode),
        reading=swap.get(speaks.reading, speaks.reading),
    )


def fill_argv(argv: tuple[str, ...], prompt: str, workspace: str) -> tuple[str, ...]:
    """Return the words with their placeholders filled; what a prompt says is not looked at again."""
    return tuple(
        PROMPT.join(part.replace(WORKSPACE, workspace) for part in word.split(PROMPT)).replace(
            PROMPT, prompt
        )
        for word in argv
    )


def takes_argument(argv: tuple[str, ...]) -> bool:
    """Whether the prompt is one of the words; otherwise it is given on the standard input."""
    return any(PROMPT in word for word in argv)
