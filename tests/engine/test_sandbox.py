"""What becomes of each place, and what is said of where workers and gates ran."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from goal_engine.proof.confinement import (
    BY_HAND,
    UNRECORDED,
    Confined,
    Confinement,
    is_sealed,
    say_confinement,
    with_confinement,
)
from goal_engine.proof.gate import GateStage
from goal_engine.runtime.sandbox import (
    AGENT,
    GATE,
    NO_SANDBOX,
    SECRET_VARIABLES,
    SETUP,
    Ground,
    How,
    Place,
    Profile,
    Sandbox,
    confine,
    find_places,
    pin,
    prune,
)
from goal_engine.runtime.sandbox import render as render_words
from goal_engine.verifier.run import PERHAPS, SHUT_OUT, hint_at_sandbox


@pytest.mark.parametrize(
    ("stage", "output", "said"),
    [
        (GateStage.PROVING, b"mkdir: Read-only file system", SHUT_OUT),
        (GateStage.PROVING, b"OSError: [Errno 30] read-only filesystem", SHUT_OUT),
        (GateStage.BASELINE, b"Error: EROFS: read-only, open '/h/x'", SHUT_OUT),
        (GateStage.PROVING, b"no such file: ~/.aws, PEROFSKY", ""),
        (GateStage.BASELINE, b"no such file: ~/.aws", PERHAPS),
    ],
)
def test_a_red_gate_says_what_the_sandbox_may_have_to_do_with_it(
    stage: GateStage, output: bytes, said: str
) -> None:
    assert hint_at_sandbox(stage, output) == said
    assert all("sandbox_writes" in text for text in (SHUT_OUT, PERHAPS))


READ, HIDE, SHOW, OWN, WRITE = How
BWRAP = Path("/usr/bin/bwrap")


def place(path: str, how: How, folder: bool = True) -> Place:
    return Place(Path(path), how, folder)


def left(*places: Place) -> list[tuple[str, How]]:
    return [(str(one.path), one.how) for one in prune(places)]


PLACES = {
    "the inner one decides, in whatever order they are told": (
        (place("/s/w", WRITE), place("/s", HIDE)),
        [("/s", HIDE), ("/s/w", WRITE)],
    ),
    "what can be read anyway needs no mount": ((place("/h/me", READ),), []),
    "what lies in an empty folder has to be put there": (
        (place("/tmp", OWN), place("/tmp/home", READ), place("/tmp/home/.ssh", HIDE)),
        [("/tmp", OWN), ("/tmp/home", READ), ("/tmp/home/.ssh", HIDE)],
    ),
    "nothing has to be hidden in an empty folder": (
        (place("/tmp", OWN), place("/tmp/state", HIDE), place("/tmp/state/w", WRITE)),
        [("/tmp", OWN), ("/tmp/state/w", WRITE)],
    ),
    "a secret in a folder that can be written to is hidden": (
        (place("/h/me/.agent", WRITE), place("/h/me/.agent/.ssh", HIDE)),
        [("/h/me/.agent", WRITE), ("/h/me/.agent/.ssh", HIDE)],
    ),
    "what a checkout hides, its environment is not": (
        (place("/p", HIDE), place("/p/.venv", READ), place("/p/.goalproof", HIDE)),
        [("/p", HIDE), ("/p/.venv", READ)],
    ),
    "an empty folder in an empty folder is there": (
        (place("/tmp", OWN), place("/tmp/me", OWN)),
        [("/tmp", OWN), ("/tmp/me", OWN)],
    ),
    "the root is never a place of its own": ((place("/", READ),), []),
}


@pytest.mark.parametrize("case", PLACES)
def test_of_two_places_in_one_another(case: str) -> None:
    told, wanted = PLACES[case]
    assert left(*told) == wanted == left(*reversed(told))


def test_a_folder_around_what_cannot_be_written_cannot_be_moved_away() -> None:
    told = (place("/h", WRITE), place("/h/a/b/settings", READ), place("/h/w", OWN))
    assert [(str(one.path), one.how) for one in pin(told)] == [
        *(("/h", WRITE), ("/h/a", WRITE), ("/h/w", OWN)),
        *(("/h/a/b", WRITE), ("/h/a/b/settings", READ)),
    ]
    assert pin((place("/s", HIDE), place("/s/a/w", WRITE))) == (
        place("/s", HIDE),
        place("/s/a/w", WRITE),
    )


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """A home with the person's settings and a project, and nothing of this process's variables."""
    for name in tuple(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path / ".config" / "goalproof"))
    for name in ("project/.venv", "state/w", ".config"):
        (tmp_path / name).mkdir(parents=True)
    return Ground(
        home=tmp_path,
        checkout=tmp_path / "project",
        hidden=(tmp_path / "state",),
        readable=(tmp_path / "project" / ".venv",),
        logins=(),
        writable=(tmp_path / "state" / "w",),
        own=(),
    )


def find(
    ground: Ground, *written: Path, profile: Profile = GATE, shown: tuple[Path, ...] = ()
) -> dict[str, How]:
    """Return what becomes of each place below the home folder."""
    places = find_places(profile, ground, shown, written)
    home = ground.home
    return {
        str(one.path.relative_to(home)): one.how for one in places if one.path.is_relative_to(home)
    }


@pytest.mark.parametrize("profile", [AGENT, GATE, SETUP])
def test_of_the_checkout_its_environment_is_seen_and_no_file_of_the_persons(
    ground: Ground, profile: Profile
) -> None:
    places = find(ground, profile=profile)
    assert places["project"] is HIDE and places["project/.venv"] is READ


def test_no_gate_writes_our_settings_whatever_it_may_write_to(ground: Ground) -> None:
    home, settings = ground.home, ground.home / ".config" / "goalproof"
    box = Sandbox("bubblewrap", BWRAP, written=(home / ".config",))
    words = " ".join(confine(box, GATE, ground))  # which sees to it that there are some
    assert f" --bind {home}/.config " in words.partition(f" --ro-bind {settings} ")[0] != words
    elsewhere = home / "dotfiles" / "agents.toml"
    elsewhere.parent.mkdir()
    elsewhere.touch()
    (settings / "agents.toml").symlink_to(elsewhere)
    places = find(ground, home, settings, elsewhere)
    assert places["."] is WRITE and places[".config"] is WRITE  # which cannot be moved away
    assert places[".config/goalproof"] is READ and places["dotfiles/agents.toml"] is READ


SECRET = (
    *(".config/sops/age/keys.txt", ".kaggle/kaggle.json", ".databrickscfg", ".s3cfg", ".boto"),
    *(".config/doctl/config.yaml", ".config/stripe/config.toml", ".fly/config.yml"),
    *(".cache/huggingface/token", ".config/Code/User/settings.json", ".psql_history"),
    *(".node_repl_history", ".local/share/fish/fish_history"),
)
FETCHING = (
    *(".config/pypoetry/auth.toml", ".composer/auth.json", ".bundle/config"),
    *(".nuget/NuGet/NuGet.Config", ".sbt/.credentials"),
)


@pytest.mark.parametrize("name", [*SECRET, *FETCHING])
def test_what_holds_a_token_is_hidden(ground: Ground, name: str) -> None:
    path = ground.home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()

    def is_hidden(profile: Profile) -> bool:
        places = find(ground, profile=profile)
        around = (name, *map(str, Path(name).parents))
        return next((places[one] for one in around if one in places), READ) is HIDE

    assert is_hidden(GATE) and is_hidden(AGENT)
    assert is_hidden(SETUP) is (name in SECRET)  # set-up commands fetch packages with the others


@pytest.mark.parametrize("variable", SECRET_VARIABLES)
def test_what_holds_a_token_is_hidden_where_a_variable_puts_it(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    (ground.home / "elsewhere").touch()
    assert "elsewhere" not in find(ground)
    monkeypatch.setenv(variable, str(ground.home / "elsewhere"))
    assert find(ground)["elsewhere"] is HIDE


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DOCKER_HOST", "unix://{}"),
        ("DBUS_SESSION_BUS_ADDRESS", "unix:path={},guid=1"),
        ("TMUX", "{},3,0"),
        ("NVIM", "{}"),
        ("KITTY_LISTEN_ON", "unix:{}"),
    ],
)
def test_a_door_that_a_variable_leads_to_is_closed(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    door = ground.home / "door"
    door.touch()
    assert "door" not in find(ground)
    monkeypatch.setenv(variable, value.format(door))
    assert find(ground)["door"] is HIDE


def test_the_words_go_from_the_outside_to_the_inside() -> None:
    told = (
        *(place("/tmp", OWN), place("/s", HIDE), place("/h/me/.netrc", HIDE, folder=False)),
        *(place("/s/w", WRITE), place("/tmp/home", READ)),
    )
    words = " ".join(render_words(BWRAP, ("--flag",), prune(told), {"GOCACHE": "/s/w/go"}))
    assert words.startswith(
        "/usr/bin/bwrap --unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try "
        "--new-session --die-with-parent --cap-drop ALL --flag --ro-bind / / --dev /dev --proc /proc"
    )
    assert words.endswith(
        "--perms 0755 --tmpfs /s --perms 1777 --tmpfs /tmp --bind /s/w /s/w --ro-bind /tmp/home"
        " /tmp/home --dev-bind /dev/null /h/me/.netrc --setenv GOCACHE /s/w/go --remount-ro /s"
    )


def test_without_a_sandbox_there_are_no_words_and_the_reason_is_known() -> None:
    gone = Sandbox("none: bubblewrap is not installed", required=True)
    assert confine(gone, Profile("gate"), None) == ()  # type: ignore[arg-type]
    assert "requires a sandbox, and there is none: bubblewrap is not" in gone.problem
    assert NO_SANDBOX.problem == "" == Sandbox("bubblewrap 0.8.0", BWRAP, required=True).problem


W, G = Confined.WORKERS, Confined.GATES
B = "bubblewrap 0.8.0"


def told(*pairs: tuple[Confined, str]) -> tuple[Confinement, ...]:
    known: tuple[Confinement, ...] = ()
    for who, sandbox in pairs:
        known = with_confinement(known, who, sandbox)
    return known


@pytest.mark.parametrize(
    ("known", "sealed", "said"),
    [
        (told(), False, ()),
        (told((W, B), (G, B), (G, B)), True, (f"workers: {B}", f"gates: {B}")),
        (told((W, BY_HAND), (G, B)), True, ("workers: by hand", f"gates: {B}")),
        (told((G, "none: off"), (W, B)), False, (f"workers: {B}", "gates: none: off")),
        (told((G, B), (G, "")), False, (f"gates: {B}; {UNRECORDED}",)),
    ],
)
def test_the_key_was_out_of_reach_only_if_all_that_ran_was_kept_from_it(
    known: tuple[Confinement, ...], sealed: bool, said: tuple[str, ...]
) -> None:
    assert (is_sealed(known), say_confinement(known)) == (sealed, said)
