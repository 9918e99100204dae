"""What an agent may write outlives its turn; what acts on later sessions does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from goal_engine.runtime.belongings import ASIDE, LENT, Belongings, lend
from goal_engine.runtime.sandbox import GATE, Ground, How, find_places, render
from goal_engine.workers.agents import find_belongings
from goal_engine.workers.presets import PRESETS, Agent


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    (home / ".claude").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GOALPROOF_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    return home


@pytest.fixture
def claude(home: Path, tmp_path: Path) -> Belongings:
    return find_belongings(PRESETS[0], tmp_path / "project")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_is_not_there_yet_is_covered_until_the_last_turn_ends(
    home: Path, claude: Belongings
) -> None:
    settings = home / ".claude" / "settings.json"
    with lend(claude):
        with lend(claude) as second:
            assert settings.read_text() == "{}\n" and settings in second.reads
        assert settings.exists() and (home / ".claude" / "hooks").is_dir()
    assert names(home / ".claude") == set()


def test_an_agent_that_never_ran_has_its_folders_made(home: Path, tmp_path: Path) -> None:
    opencode = find_belongings(PRESETS[3], tmp_path / "project")
    with lend(opencode) as lent:
        assert all(folder.is_dir() for folder in lent.folders)
        (home / ".local" / "share" / "opencode" / "auth.json").write_text("a login")
    left = {str(path.relative_to(home)) for path in home.rglob("*")}
    share = ".local/share/opencode"
    assert left == {".claude", ".local", ".local/share", share, f"{share}/auth.json"}


def test_what_a_person_makes_meanwhile_stays(home: Path, claude: Belongings) -> None:
    with lend(claude):
        made = home / ".claude" / "new"
        made.write_text("theirs")
        made.rename(home / ".claude" / "settings.json")
        (home / ".claude" / "skills" / "theirs").mkdir()
    assert names(home / ".claude") == {"settings.json", "skills"}


def test_what_came_in_the_place_of_a_link_is_set_aside(home: Path, claude: Belongings) -> None:
    theirs, link = home / "dotfiles", home / ".claude" / "settings.json"
    theirs.write_text("theirs")
    link.symlink_to(theirs)
    with lend(claude):
        link.unlink()
        link.write_text("planted")
    assert link.readlink() == theirs and theirs.read_text() == "theirs"
    assert names(home / ".claude") == {"settings.json", f"settings.json{ASIDE}"}


def test_a_file_that_would_mean_something_empty_is_not_made_and_not_left(
    home: Path, tmp_path: Path
) -> None:
    (home / ".gemini").mkdir()
    gemini = find_belongings(PRESETS[2], tmp_path / "project")
    variables = home / ".gemini" / ".env"
    with lend(gemini):
        assert not variables.exists()
        variables.write_text("GOOGLE_GEMINI_BASE_URL=http://elsewhere")
    assert names(home / ".gemini") == {f".env{ASIDE}"}


def test_what_holds_login_and_settings_is_a_copy_that_goes(
    home: Path, tmp_path: Path, claude: Belongings
) -> None:
    (home / ".claude.json").write_text("both")
    with lend(claude) as lent:
        copies = dict(lent.sources)
        copy = copies[home / ".claude.json"]
        assert copy.read_text() == "both" and copy.stat().st_mode & 0o77 == 0
        copy.write_text("planted")
    assert (home / ".claude.json").read_text() == "both"
    assert names(tmp_path / "state" / LENT) == {"lock"}


def test_in_a_folder_that_is_written_settings_are_read_and_a_copy_is_seen(
    home: Path, tmp_path: Path, claude: Belongings
) -> None:
    (home / ".claude.json").touch()
    (home / ".claude" / "plugins").mkdir()
    with lend(claude) as lent:
        ground = Ground(home, tmp_path / "project", (), (), (), (), (), lent=lent)
        places = find_places(GATE, ground)
        how = {str(place.path): place.how for place in places}
        folder = f"{home}/.claude"
        assert how[folder] is How.WRITE and how[f"{folder}/plugins"] is How.SHOW
        assert how[f"{folder}/settings.json"] is How.SHOW
        assert how[f"{folder}/session-env"] is How.OWN and how[f"{folder}/projects"] is How.WRITE
        words = " ".join(render(Path("/usr/bin/bwrap"), (), places, {}))
        copy = dict(lent.sources)[home / ".claude.json"]
        assert f"--bind {copy} {home}/.claude.json" in words


def test_sessions_of_other_work_are_not_there_and_its_own_last_for_the_turn(
    home: Path, tmp_path: Path, claude: Belongings
) -> None:
    """Where a process breaks off, another one of the same turn goes on with its session."""
    theirs = home / ".claude" / "projects"
    (theirs / "other-work").mkdir(parents=True)
    with lend(claude) as lent:
        kept = dict(lent.sources)[theirs]
        assert names(kept) == set() and kept.stat().st_mode & 0o77 == 0
        ground = Ground(home, tmp_path / "project", (), (), (), (), (), lent=lent)
        words = " ".join(render(Path("/usr/bin/bwrap"), (), find_places(GATE, ground), {}))
        assert f"--bind {kept} {theirs}" in words
        (kept / "session.jsonl").touch()
        with lend(claude) as another:
            assert names(dict(another.sources)[theirs]) == set()
        assert names(kept) == {"session.jsonl"}
    assert names(theirs) == {"other-work"} and not kept.exists()


def test_what_it_keeps_is_there_in_the_next_turn_of_the_same_task_alone(
    home: Path, tmp_path: Path, claude: Belongings
) -> None:
    theirs, goal = home / ".claude" / "projects", tmp_path / "state" / "sessions" / "goal"

    def place(lent: Belongings) -> Path:
        return dict(lent.sources)[theirs]

    with lend(claude, goal / "fix") as lent:
        (place(lent) / "s.jsonl").touch()
        with lend(claude, goal / "fix") as beside, lend(claude, goal / "other") as other:
            assert names(place(beside)) == names(place(other)) == set()
    with lend(claude, goal / "fix") as lent:
        assert names(place(lent)) == {"s.jsonl"}
    with lend(claude, goal / "fix", anew=True) as lent:
        assert names(place(lent)) == set()


def test_what_one_agent_kept_no_other_one_finds(home: Path, tmp_path: Path) -> None:
    (home / ".codex").mkdir()
    claude, codex = (find_belongings(agent, tmp_path / "p") for agent in PRESETS[:2])
    task = tmp_path / "state" / "sessions" / "goal" / "fix"
    with lend(claude, task) as lent:
        (dict(lent.sources)[home / ".claude" / "projects"] / "s.jsonl").touch()
    with lend(codex, task) as lent:
        assert names(dict(lent.sources)[home / ".codex" / "sessions"]) == set()


def test_an_agent_of_the_persons_own_that_has_a_known_folder_is_held_to_the_same(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = home / ".claude" / "settings.json"
    mine = find_belongings(Agent("mine", "", ("my-agent",), folders=("~/.claude",)), tmp_path / "p")
    assert settings in mine.reads and home / ".claude.json" in mine.copies
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(elsewhere))
    agent = Agent("mine", "", ("claude",), env=("CLAUDE_CONFIG_DIR",))
    moved = find_belongings(agent, tmp_path / "p")
    assert elsewhere / "settings.json" in moved.reads and elsewhere / ".claude.json" in moved.copies
    assert settings not in moved.reads and home / ".claude.json" not in moved.copies
    assert find_belongings(Agent("other", "", ("other",)), tmp_path / "p") == Belongings()


def test_sessions_that_are_kept_are_there_the_next_time_and_nowhere_else(
    home: Path, tmp_path: Path, claude: Belongings
) -> None:
    sessions, kept = home / ".claude" / "projects", tmp_path / "fix.sessions"
    for before in (set(), {"mine.jsonl"}):
        with lend(claude, kept) as lent:
            place = dict(lent.sources)[sessions]
            assert names(place) == before
            (place / "mine.jsonl").touch()
    with lend(claude, tmp_path / "other.sessions") as lent:
        assert names(dict(lent.sources)[sessions]) == set()
    assert not sessions.exists()
