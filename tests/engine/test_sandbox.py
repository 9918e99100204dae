"""What becomes of each place, and what is said of where workers and gates ran."""

from __future__ import annotations

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
from goal_engine.runtime.sandbox import NO_SANDBOX, How, Place, Profile, Sandbox, confine, prune
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
    assert confine(gone, Profile("gate", READ), None) == ()  # type: ignore[arg-type]
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
