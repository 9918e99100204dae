"""What of the agents is here is read from where installers leave it, and nothing is started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from goal_engine.errors import BadConfiguration, ToolMissing
from goal_engine.types import AGENT_WORKERS
from goal_engine.workers.agents import find_login, read_agents
from goal_engine.workers.installed import (
    find_hindrance,
    find_installed,
    find_package,
    find_way,
    read_hands,
)
from goal_engine.workers.presets import PRESETS, Package, find_speaks

KNOWN = {agent.name: agent for agent in PRESETS}
BOOM = "#!/bin/sh\ntouch {started}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, beside a checkout; what is started there leaves a trace."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    yield tmp_path
    assert not (tmp_path / "started").exists()


def put(path: Path, text: str = BOOM) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.format(started=path.parents[2] / "started"), encoding="utf-8")
    path.chmod(0o755)
    return path


def put_npm(here: Path, program: str, name: str, version: str) -> None:
    package = here / "lib" / "node_modules" / name
    (here / "bin" / program).symlink_to(put(package / "dist" / "cli.js"))
    (package / "package.json").write_text(json.dumps({"name": name, "version": version}))


MOVABLE = """#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")"/'python' "$0" "$@"
' '''"""


def put_python(
    here: Path, program: str, name: str, version: str, start: str = "#!{tool}/bin/python"
) -> None:
    tool = here / "tools" / name
    script = put(tool / "bin" / program, f"{start.format(tool=tool)}\nimport {name}\n")
    (here / "bin" / program).symlink_to(script)
    (tool / "lib" / "python3.13" / "site-packages" / f"{name}-{version}.dist-info").mkdir(
        parents=True
    )


@pytest.mark.parametrize(
    ("make", "able"),
    [
        (lambda here: put_npm(here, "kimi", "@moonshot-ai/kimi-code", "2.1.0"), ("acp", "cli")),
        (lambda here: put_python(here, "kimi", "kimi_cli", "1.51.0"), ("wire", "cli")),
        (lambda here: put_python(here, "kimi", "kimi_cli", "1.9.0"), ("wire", "cli")),
        (lambda here: put_python(here, "kimi", "kimi_cli", "1.51.0", MOVABLE), ("wire", "cli")),
        (lambda here: put_python(here, "kimi", "kimi_cli", "1.52.0"), None),
        (lambda here: put(here / "bin" / "kimi"), ("acp", "cli")),
    ],
)
def test_which_kimi_it_is_decides_how_it_is_talked_to(here: Path, make, able) -> None:
    make(here)
    assert find_installed(KNOWN, here / "checkout").get("kimi") == able


def test_the_headless_command_is_that_of_the_package(here: Path) -> None:
    put_python(here, "kimi", "kimi_cli", "1.51.0")
    way = find_way(KNOWN["kimi"], "cli", here / "checkout")
    assert way.speaks.argv[:3] == ("kimi", "--print", "-p")
    assert way.package == Package("kimi-cli", "1.51.0")
    with pytest.raises(ToolMissing, match=r"`acp` cannot start .*kimi-cli 1\.51\.0; npm install"):
        find_way(KNOWN["kimi"], "acp", here / "checkout")


def test_versions_are_read_from_where_installers_leave_them(here: Path) -> None:
    put_npm(here, "opencode", "opencode-ai", "1.18.33")
    assert find_package(here / "bin" / "opencode") == Package("opencode-ai", "1.18.33")
    native = put(here / "share" / "claude" / "versions" / "2.1.0")
    assert find_package(native) == Package("claude", "2.1.0")
    brewed = put(here / "Cellar" / "codex" / "0.166.0" / "bin" / "codex")
    assert find_package(brewed) == Package("codex", "0.166.0")
    for text in ("[]", "{", '{"name": "x", "version": "\\u001b[2J"}'):
        put_npm(here, f"x{len(text)}", f"x{len(text)}", "1")
        (here / "lib" / "node_modules" / f"x{len(text)}" / "package.json").write_text(text)
        assert find_package(here / "bin" / f"x{len(text)}") is None
    assert find_package(here / "bin" / "absent") is None


def test_a_protocol_that_the_person_prefers_comes_first_where_the_agent_has_it(here: Path) -> None:
    put_npm(here, "opencode", "opencode-ai", "1.18.33")
    put(here / "bin" / "codex")
    assert read_hands(here / "checkout").installed["opencode"] == ("acp", "cli")
    (here / "config" / "settings.toml").write_text('protocol = "cli"\nagent = "codex"\n')
    hands = read_hands(here / "checkout")
    assert hands.installed == {"opencode": ("cli", "acp"), "codex": ("cli",)}
    assert hands.preferred == "codex"
    assert read_hands(here / "checkout", ("cli",)).installed["opencode"] == ("cli",)
    (here / "config" / "settings.toml").write_text('protocol = "telepathy"\n')
    with pytest.raises(BadConfiguration, match="`protocol`"):
        read_hands(here / "checkout")


def test_nothing_of_the_repository_is_an_agent(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(here / "checkout" / "tools" / "bin" / "gemini")
    monkeypatch.setenv("PATH", str(here / "checkout" / "tools" / "bin"))
    assert find_installed(KNOWN, here / "checkout") == {}
    assert "was not found on PATH" in find_hindrance(KNOWN["gemini"], "acp", here / "checkout")


def test_an_agent_of_ones_own_may_speak_a_protocol_and_nothing_else(here: Path) -> None:
    mine = here / "config" / "agents.toml"
    mine.write_text('[agent.mine]\nacp = ["opencode", "acp"]\nmode = "build"\n')
    put(here / "bin" / "opencode")
    hands = read_hands(here / "checkout")
    assert hands.installed["mine"] == ("acp",)
    assert hands.agents["mine"].acp is not None and hands.agents["mine"].acp.mode == "build"
    for text, said in (
        ("[agent.mine]\ntitle = 'x'\n", "says not how it is started"),
        ("[agent.mine]\nacp = ['./agent']\n", "depends on the folder"),
        ("[agent.mine]\nwire = ['{prompt}']\n", "takes its program from the prompt"),
    ):
        mine.write_text(text)
        with pytest.raises(BadConfiguration, match=said):
            read_agents()


def test_every_preset_names_how_each_worker_starts_it() -> None:
    for agent in PRESETS:
        assert tuple(agent.ways) == tuple(way for way in AGENT_WORKERS if way in agent.ways)
        assert {"acp", "cli"} <= agent.ways.keys(), agent.name
        assert all(
            speaks.argv and (speaks.install or agent.install) for speaks in agent.ways.values()
        )
        assert agent.acp is not None and agent.acp.mode and agent.acp.reading
        for edition in agent.editions:
            package = Package(edition.package, "1.0")
            assert all(find_speaks(agent, worker, package) for worker in edition.speaks)


def test_a_login_is_seen_in_a_variable_or_a_file_and_its_value_is_never_told(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(here))
    for name in KNOWN["codex"].env:
        monkeypatch.delenv(name, raising=False)
    assert find_login(KNOWN["codex"]) == ""
    put(here / "elsewhere" / "codex" / "auth.json", "{{}}")
    monkeypatch.setenv("CODEX_HOME", str(here / "elsewhere" / "codex"))
    assert find_login(KNOWN["codex"]) == str(here / "elsewhere" / "codex" / "auth.json")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert find_login(KNOWN["codex"]) == "OPENAI_API_KEY"
