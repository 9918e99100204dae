"""`doctor` says what goals need here and what to do next, and starts and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from goal_engine import doctor
from goal_engine.doctor import Check, Place, Standing, examine
from goal_engine.errors import RepositoryUnusable
from tests.personal import set_sandbox

BOOM = "#!/bin/sh\ntouch {started}\n"
LOGINS = ("OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_HOME")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine: `bin` is all that agents are found in, `config` is the person's."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path / "config"))
    for name in LOGINS:
        monkeypatch.delenv(name, raising=False)
    set_sandbox(tmp_path / "config", "off")
    yield tmp_path
    assert not (tmp_path / "started").exists(), "nobody was started"


def put_agent(here: Path, name: str) -> None:
    program = here / "bin" / name
    program.write_text(BOOM.format(started=here / "started"))
    program.chmod(0o755)


def look(here: Path, **more) -> dict[str, Check]:
    place = Place(**{"checkout": here / "project", "is_repository": True, **more})
    checks = examine(place)
    assert all(check.next for check in checks if check.standing is Standing.BAD)
    assert [check.name for check in checks if check.name == "Git"] == ["Git"]
    return {check.name: check for check in checks}


@pytest.fixture(autouse=True)
def _git_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "require_git", lambda: (2, 47, 1))
    monkeypatch.setattr(doctor, "find_start", lambda path: path)


def test_a_machine_with_nothing_on_it_is_told_what_to_do(here: Path) -> None:
    found = look(here, is_repository=False)
    assert found["Git"].said == "version 2.47.1"
    assert "not in a git repository" in found["repository"].said
    assert found["agents"].standing is Standing.NOTE and "npm install" in found["agents"].next
    assert found["sandbox"].standing is Standing.NOTE and "switched off" in found["sandbox"].said
    assert not any(check.standing is Standing.BAD for check in found.values())
    assert all(check.next for check in found.values() if check.name in ("repository", "agents"))


def test_an_agent_without_a_login_is_told_how_to_log_in(here: Path) -> None:
    put_agent(here, "codex")
    assert look(here)["agent codex"] == Check(
        "agent codex",
        Standing.NOTE,
        f"{here}/bin/codex, by the worker `cli`; no login was seen",
        "`codex login`",
    )
    (here / ".codex").mkdir()
    (here / ".codex" / "auth.json").touch()
    found = look(here)["agent codex"]
    assert (found.standing, found.next) == (Standing.GOOD, "")
    assert found.said.endswith(f"login: {here}/.codex/auth.json")


def test_the_last_kimi_cli_is_named_as_no_agent(here: Path) -> None:
    tool = here / "tools" / "bin" / "kimi"
    tool.parent.mkdir(parents=True)
    tool.write_text(f"#!{tool.parent}/python\n" + BOOM.format(started=here / "started"))
    tool.chmod(0o755)
    (here / "bin" / "kimi").symlink_to(tool)
    (here / "tools/lib/python3.13/site-packages/kimi_cli-1.52.0.dist-info").mkdir(parents=True)
    found = look(here)["agent kimi"]
    assert "kimi-cli 1.52.0, which is no agent any more" in found.said
    assert "@moonshot-ai/kimi-code" in found.next


@pytest.mark.parametrize(
    ("name", "text", "check"),
    [
        ("settings.toml", "sandbox = 1\n", "settings"),
        ("agents.toml", "[agent", "settings"),
        ("prices.toml", "[model", "prices"),
    ],
)
def test_what_a_person_wrote_wrongly_is_said_and_hinders_no_other_check(
    here: Path, name: str, text: str, check: str
) -> None:
    (here / "config" / name).write_text(text)
    found = look(here)
    assert found[check].standing is Standing.BAD and name in found[check].said
    assert found["Git"].standing is Standing.GOOD and "repository" in found


def test_what_hinders_several_checks_is_told_once(here: Path) -> None:
    (here / "config" / "settings.toml").write_text("nonsense = 1\n")
    found = look(here)
    assert "`nonsense`" in found["settings"].said
    for name in ("sandbox", "agents"):
        assert found[name].standing is Standing.BAD
        assert found[name].said == "not known before that is put right: settings"


@pytest.mark.parametrize("key", ["agent", "reviewer"])
def test_an_agent_that_is_set_and_unknown_is_named(here: Path, key: str) -> None:
    (here / "config" / "settings.toml").write_text(f'{key} = "nobody"\n')
    found = look(here)["settings"]
    assert found.said.startswith(f"settings.toml names the {key} nobody") and key in found.next


def test_goals_of_another_place_are_said(here: Path) -> None:
    found = look(here, problem="The store came from elsewhere: `goalproof adopt`.")
    assert found["repository"].standing is Standing.BAD and "adopt" in found["repository"].said


def test_a_repository_without_a_commit_is_bad_and_the_first_commit_is_what_to_make(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise RepositoryUnusable(f"{path} has no commits: make a first commit.")

    monkeypatch.setattr(doctor, "find_start", refuse)
    found = look(here)["repository"]
    assert found.standing is Standing.BAD and "make a first commit" in found.said
