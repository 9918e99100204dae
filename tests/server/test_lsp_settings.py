"""What an editor sets is read by one table: what does not fit is told, and its default holds."""

from __future__ import annotations

import dataclasses

import pytest

from goal_server.lsp_settings import CLIENT_ONLY, SETTINGS, Parsed, parse_settings
from goal_server.preferences import Preferences


def test_every_preference_has_a_setting() -> None:
    fields = {field.name for field in dataclasses.fields(Preferences)}
    assert {setting.field for setting in SETTINGS} == fields


def test_the_default_of_a_setting_is_one_that_it_takes() -> None:
    for setting in SETTINGS:
        assert setting.default is None or setting.kind.fits(setting.default)


@pytest.mark.parametrize("said", [None, {}, dict.fromkeys([setting.key for setting in SETTINGS])])
def test_nothing_set_is_the_defaults_without_a_word(said: object) -> None:
    assert parse_settings(said) == Parsed(Preferences(), ())


def test_what_is_set_is_what_holds() -> None:
    said = {
        "lens": "summary",
        "diagnostics": False,
        "worker": "cli",
        "agent": "claude",
        "maxAgents": 2,
        "wallSeconds": 900,
    }
    wanted = Preferences("summary", False, "cli", "claude", 2, 900)
    assert parse_settings(said) == Parsed(wanted, ())


def test_what_only_clients_act_on_is_no_mistake() -> None:
    assert parse_settings({key: {"server": "verbose"} for key in CLIENT_ONLY}) == Parsed()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("lens", "sometimes", 'one of "all", "summary", "off"; the default, "all", is used'),
        ("lens", ["all"], 'goalproof.lens is ["all"]'),
        ("diagnostics", "yes", "true or false; the default, true, is used"),
        ("diagnostics", 1, "true or false"),
        ("worker", "robot", 'goalproof.worker is "robot"'),
        ("agent", 5, "a text"),
        ("maxAgents", 0, "a whole number from 1 to 64, or null"),
        ("maxAgents", 65, "from 1 to 64"),
        ("maxAgents", True, "from 1 to 64"),
        ("wallSeconds", 1.5, "a whole number above 0"),
        ("wallSeconds", "1\u202e0", 'goalproof.wallSeconds is "10"'),
        ("lense", "all", "goalproof.lense is no setting of Goalproof and is ignored; did you mean lens?"),
        ("zzz", 1, "there are lens, diagnostics"),
        ("trusted", True, "goalproof.trusted is no setting: trust is given by the editor"),
    ],
)  # fmt: skip
def test_a_bad_setting_is_told_and_its_default_holds(key: str, value: object, words: str) -> None:
    found = parse_settings({key: value, "agent": "codex"} if key != "agent" else {key: value})
    assert found.preferences == Preferences(agent="" if key == "agent" else "codex")
    (complaint,) = found.complaints
    assert words in complaint


@pytest.mark.parametrize("said", [[], "all", 7, True])
def test_settings_that_are_no_object_are_told(said: object) -> None:
    found = parse_settings(said)
    assert found.preferences == Preferences()
    assert "settings are an object" in found.complaints[0]


def test_a_long_value_is_not_repeated_whole() -> None:
    (complaint,) = parse_settings({"lens": "x" * 5000}).complaints
    assert len(complaint) < 300
