"""What a hostile command can do from inside the sandbox: nothing of what it can do outside (P01, S06, S13)."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from goal_engine.document import parse_plan
from goal_engine.engine import Engine
from goal_engine.errors import BadConfiguration, EnvironmentUnusable
from goal_engine.lifecycle import execute_goal
from goal_engine.proof.gate import GateOutcome, GateStage
from goal_engine.runtime import sandbox as boxes
from goal_engine.runtime.dialogue import talk
from goal_engine.runtime.personal import PersonalSettings, read_personal_settings
from goal_engine.runtime.process import clean_environment, run_process
from goal_engine.runtime.sandbox import (
    AGENT,
    GATE,
    Ground,
    confine,
    find_own,
    find_sandbox,
)
from goal_engine.state.model import GoalState
from goal_engine.types import GoalStatus
from goal_engine.verifier.bench import open_bench
from goal_engine.verifier.bundle import read_bundle
from goal_engine.verifier.run import run_gate
from goal_engine.worktree import Workbench
from tests.integration.hostile import BEGIN, find_survivors
from tests.integration.projects import FIX, a_plan, a_project, create, plan_text, run
from tests.integration.projects import GATE as GATE_TABLE
from tests.personal import set_sandbox

pytestmark = [
    pytest.mark.one_python,
    pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is Linux's"),
    pytest.mark.usefixtures("bubblewrap"),
]

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
CANARY = "canary-4f1c"

ATTEMPTS = """
import ctypes, json, os, socket, subprocess, sys

home, checkout, state, owner = sys.argv[1:5]
owner = int(owner)
done = {}

def attempt(name):
    def run(act):
        try:
            done[name] = bool(act())
        except OSError:
            done[name] = False
    return run

def writes(path):
    with open(path, "a") as file:
        file.write("x")
    return os.path.exists(path)

def read(path):
    with open(path, "rb") as file:
        return file.read()

@attempt("writes to the checkout")
def _(): return writes(f"{checkout}/calc.py")
@attempt("writes a hook")
def _(): return writes(f"{checkout}/.git/hooks/pre-commit")
@attempt("reads the person's variables")
def _(): return read(f"{checkout}/.env")
@attempt("reads the goals")
def _(): return read(f"{checkout}/.goalproof/journal")
@attempt("reads the key")
def _(): return read(f"{state}/signing/ed25519")
@attempt("writes to the state directory")
def _(): return writes(f"{state}/signing/more")
@attempt("reads an ssh key")
def _(): return read(f"{home}/.ssh/id_ed25519")
@attempt("follows a link to a secret")
def _(): return read(f"{home}/linked/config.json")
@attempt("reads a login")
def _(): return read(f"{home}/.netrc")
@attempt("reads another agent's login")
def _(): return read(f"{home}/.codex/auth.json")
@attempt("plants a file of the shell")
def _(): return writes(f"{home}/.profile")
@attempt("plants what is not there yet")
def _(): return os.makedirs(f"{home}/.aws") or writes(f"{home}/.aws/credentials")
@attempt("speaks to the person's agent of keys")
def _():
    with socket.socket(socket.AF_UNIX) as door:
        return door.connect(f"{home}/run/agent") is None
@attempt("finds the canary in an environment")
def _():
    found = False
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            found = found or sys.argv[5].encode() in read(f"/proc/{name}/environ")
        except OSError:
            pass
    return found
@attempt("signals its owner")
def _(): return os.kill(owner, 0) is None
@attempt("traces its owner")
def _():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    if libc.ptrace(0x4206, owner, 0, 0):  # PTRACE_SEIZE, which does not stop it
        raise OSError(ctypes.get_errno(), "")
    return libc.ptrace(17, owner, 0, 0) or True  # PTRACE_DETACH
@attempt("shares memory with others")
def _(): return ctypes.CDLL(None).shmget(int(sys.argv[6]), 1, 0) >= 0
@attempt("mounts over what is hidden")
def _():
    libc = ctypes.CDLL(None, use_errno=True)
    place = f"{home}/empty".encode()
    return not libc.mount(b"none", place, b"tmpfs", 0, None) and not libc.umount2(place, 2)

open("result.json", "w").write(json.dumps(done))
"""
"""Each says whether it got what it wanted."""

WORKS = """
import multiprocessing, os, socket, subprocess, sys, tempfile
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname(), 5).close()
with tempfile.TemporaryFile() as file:
    file.write(b"x")
multiprocessing.Lock()
assert subprocess.run(["git", "log", "--oneline"], check=True, capture_output=True).stdout
assert "secret" not in open(os.path.expanduser("~/.netrc")).read()
open(os.devnull, "w").write("x")
print("works")
"""


@pytest.fixture
def bubblewrap() -> Iterator[None]:
    """Have bubblewrap, or fail."""
    from tests.editors.tools import install_packages, open_cache

    with open_cache():
        install_packages({"bwrap": "bubblewrap"})
    boxes.probe.cache_clear()
    said, program, _ = boxes.probe()
    assert program is not None, said
    yield
    boxes.probe.cache_clear()


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's settings, in which nothing is said about sandboxes."""
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """A home with secrets, a checkout and a state directory in it, and a workspace in that."""
    home, state = tmp_path / "home", tmp_path / "home" / "state"
    checkout = home / "project"
    for name in (".ssh/id_ed25519", ".netrc", "elsewhere/config.json", ".codex/auth.json"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("secret")
    (home / ".kube").symlink_to(home / "elsewhere")
    (home / "linked").symlink_to(home / "elsewhere")
    (home / "run").mkdir()
    (home / "empty").mkdir()
    for path in (checkout / ".git" / "hooks", checkout / ".goalproof", state / "signing"):
        path.mkdir(parents=True)
    (checkout / "calc.py").write_text("")
    (checkout / ".env").write_text("secret")
    (checkout / ".goalproof" / "journal").write_text("secret")
    (state / "signing" / "ed25519").write_text("secret")
    workspace = state / "workspaces" / "goal" / "task"
    workspace.mkdir(parents=True)
    return Ground(
        home=home,
        checkout=checkout,
        hidden=(state,),
        readable=(Path(sys.prefix),),
        logins=(home / ".codex",),
        writable=(workspace,),
        own=(*find_own(), home / "run"),
        go_cache=workspace,
    )


def wants(sandbox: Any) -> PersonalSettings:
    return PersonalSettings(sandbox=sandbox)


async def try_all(ground: Ground, words: tuple[str, ...]) -> dict[str, bool]:
    (workspace,) = ground.writable
    script = workspace / "attempts.py"
    script.write_text(ATTEMPTS, encoding="utf-8")
    key = os.getpid() + 7
    state = ground.hidden[0]
    places = map(str, (ground.home, ground.checkout, state, os.getpid(), CANARY, key))
    log = ground.home / "log"
    ended = await run_process(
        [sys.executable, "-I", str(script), *places],
        cwd=workspace, env=clean_environment(), log=log, timeout=PATIENCE, sandbox=words,
    )  # fmt: skip
    assert ended.exit_code == 0, log.read_text()
    told: dict[str, bool] = json.loads((workspace / "result.json").read_text())
    return told


@pytest.fixture
def doors(ground: Ground) -> Iterator[None]:
    """What an attempt needs to get through outside: a socket, shared memory, a canary to find."""
    import ctypes
    import socket

    libc = ctypes.CDLL(None)
    shared = libc.shmget(os.getpid() + 7, 1, 0o1600)
    canary = subprocess.Popen(["sleep", "600"], env={"TOKEN": CANARY})
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(ground.home / "run")  # the whole path would be too long for a socket
        server.bind("agent")
        os.chdir(here)
        server.listen()
        yield
    canary.kill()
    canary.wait()
    libc.shmctl(shared, 0, None)


@pytest.mark.usefixtures("doors")
async def test_every_attempt_that_gets_through_outside_is_refused_inside(ground: Ground) -> None:
    box = find_sandbox(wants("required"))
    inside = {
        profile.name: await try_all(ground, confine(box, profile, ground))
        for profile in (AGENT, GATE)
    }
    for name, told in inside.items():
        assert {attempt for attempt, through in told.items() if through} == set(), name
    outside = await try_all(ground, ())
    free = {attempt for attempt, through in outside.items() if through}
    rooted = {
        "traces its owner",
        "mounts over what is hidden",
        "finds the canary in an environment",
    }
    assert set(outside) - free <= (set() if os.geteuid() == 0 else rooted)


async def test_what_gates_need_is_there(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace,) = ground.writable
    for words in (
        ("init", "-q"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a", "--allow-empty"),
    ):
        subprocess.run(("git", *words), cwd=workspace, check=True)  # noqa: ASYNC221
    env = {**clean_environment(), "HOME": str(ground.home)}
    log = ground.home / "log"
    argv = [sys.executable, "-I", "-c", WORKS]
    words = confine(find_sandbox(wants("auto")), GATE, ground)
    ended = await run_process(argv, cwd=workspace, env=env, log=log, timeout=60, sandbox=words)
    assert (ended.exit_code, log.read_text()) == (0, "works\n")


async def test_a_command_that_is_talked_to_is_confined_as_others_are(ground: Ground) -> None:
    (workspace,) = ground.writable
    words = confine(find_sandbox(wants("required")), AGENT, ground)
    tries = f"cat; cat {ground.home}/.netrc; echo x > {ground.checkout}/calc.py; exit 3"
    async with (
        asyncio.timeout(PATIENCE),
        talk(
            ["/bin/sh", "-c", tries],
            cwd=workspace,
            env=clean_environment(),
            log=ground.home / "log",
            grace=PATIENCE,
            sandbox=words,
        ) as dialogue,
    ):
        await dialogue.write(b"hello")
        assert await dialogue.read() == b"hello"
    assert dialogue.ended is not None and dialogue.ended.exit_code == 3
    assert b"secret" not in (ground.home / "log").read_bytes()
    assert (ground.checkout / "calc.py").read_text() == ""


OWNER = """
import asyncio, json, sys
from pathlib import Path
from goal_engine.runtime.process import clean_environment, run_process
from goal_engine.runtime.running import Running

here, words = Path(sys.argv[1]), json.loads(sys.argv[2])
asyncio.run(run_process(sys.argv[3:], cwd=here, env=clean_environment(), log=here / "log",
                        timeout=None, running=Running(here / "records"), sandbox=words))
"""
ESCAPES = (
    BEGIN
    + """
for number in range(3):
    daemon(stay, {})  # its own session, no mark in its environment, and nobody's child
ready(); stay()
"""
)


async def until(happened) -> None:
    async with asyncio.timeout(PATIENCE):
        while not happened():  # noqa: ASYNC110 - another process tells nobody
            await asyncio.sleep(0.01)


async def outlive(ground: Ground, words: tuple[str, ...]) -> list[psutil.Process]:
    """Run what wants to outlive its owner, kill the owner and both guardians, return what lives."""
    (workspace,) = ground.writable
    script = workspace / "escapes.py"
    script.write_text(ESCAPES, encoding="utf-8")
    ready = Path(f"{script}.ready")
    ready.unlink(missing_ok=True)
    shutil.rmtree(workspace / "records", ignore_errors=True)
    owner = subprocess.Popen(  # noqa: ASYNC220 - killed below, and nothing else is to do meanwhile
        [
            sys.executable,
            "-c",
            OWNER,
            str(workspace),
            json.dumps(words),
            sys.executable,
            "-I",
            script,
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        await until(ready.exists)
        (record,) = (workspace / "records").glob("*.json")
        keeper = psutil.Process(json.loads(record.read_text())["pid"])
        guards = [keeper, *keeper.children()]
    finally:
        owner.kill()
        owner.wait()
    for guard in guards:
        with suppress(psutil.NoSuchProcess):
            guard.kill()
    with suppress(TimeoutError):
        async with asyncio.timeout(30 if words else 0.5):
            while find_survivors(workspace):  # noqa: ASYNC110 - the system takes a moment
                await asyncio.sleep(0.01)
    left = find_survivors(workspace)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return left


async def test_nothing_outlives_an_owner_that_died_with_both_guardians(ground: Ground) -> None:
    assert await outlive(ground, confine(find_sandbox(wants("auto")), AGENT, ground)) == []
    assert await outlive(ground, ())  # what a pid namespace is for


async def test_a_sandboxed_command_is_asked_before_it_is_killed_and_what_it_left_is_counted(
    ground: Ground,
) -> None:
    words, (workspace,) = confine(find_sandbox(wants("auto")), GATE, ground), ground.writable
    log, env = ground.home / "log", clean_environment()
    asked = "trap 'echo asked; exit 5' TERM; sleep 600 & while :; do echo %01000d; done"
    ended = await run_process(
        ["sh", "-c", asked % 0],
        cwd=workspace, env=env, log=log, timeout=60, sandbox=words, grace=30,
        limits={"output": 1},  # which it meets when it is up, and not before
    )  # fmt: skip
    assert ended.exceeded == "output" and ended.killed == 1
    assert log.read_text().endswith("0\nasked\n")
    killed = ["sh", "-c", "kill -9 $$"]
    ended = await run_process(killed, cwd=workspace, env=env, log=log, timeout=60, sandbox=words)
    assert ended.exit_code == 128 + signal.SIGKILL


async def test_a_command_whose_folder_is_hidden_runs_nowhere_else(ground: Ground) -> None:
    words, log = confine(find_sandbox(wants("auto")), AGENT, ground), ground.home / "log"
    with pytest.raises(EnvironmentUnusable, match=r"could not be made: Can't chdir to .*signing"):
        await run_process(
            ["true"], cwd=ground.hidden[0] / "signing", env=clean_environment(), log=log,
            timeout=60, sandbox=words,
        )  # fmt: skip


async def test_a_sandbox_that_cannot_be_made_is_no_red_gate(ground: Ground) -> None:
    words = (
        *confine(find_sandbox(wants("auto")), GATE, ground),
        "--ro-bind",
        "/no/such/place",
        "/no/such",
    )
    (workspace,) = ground.writable
    with pytest.raises(EnvironmentUnusable, match=r"sandbox of true could not be made: .*/no/such"):
        await run_process(
            ["true"], cwd=workspace, env=clean_environment(), log=ground.home / "log", timeout=60,
            sandbox=words,
        )  # fmt: skip


# what the person wants, and what is said of it


def test_why_there_is_no_sandbox_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = tmp_path / "bwrap"
    refusing.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create a namespace' >&2\nexit 1\n"
    )
    refusing.chmod(0o755)
    for programs, said in (
        ((), "none: bubblewrap is not installed"),
        (
            (str(refusing),),
            "none: bubblewrap does not work here (No permissions to create a namespace)",
        ),
    ):
        monkeypatch.setattr(boxes, "PROGRAMS", programs)
        boxes.probe.cache_clear()
        assert (
            find_sandbox(wants("auto")).said == said and find_sandbox(wants("auto")).problem == ""
        )
        assert said in find_sandbox(wants("required")).problem
    assert find_sandbox(wants("off")).said == "none: switched off in settings.toml"


@pytest.mark.parametrize("text", ['sandbox = "always"', "sandbox = ", "sandbx = 1", "sandbox = 1"])
def test_settings_that_cannot_be_used_are_refused_and_never_guessed(
    config: Path, text: str
) -> None:
    config.mkdir()
    (config / "settings.toml").write_text(text)
    with pytest.raises(BadConfiguration, match=r'settings\.toml cannot be used: .*"required"'):
        read_personal_settings()


def test_a_person_shows_what_would_be_hidden(config: Path, ground: Ground) -> None:
    set_sandbox(config, "auto", (ground.home / ".ssh",))
    box = find_sandbox(read_personal_settings())
    assert box.shown == (ground.home / ".ssh",)
    hidden = find_hidden(ground, box.shown)
    assert ground.home / ".ssh" not in hidden and ground.home / ".netrc" in hidden


def find_hidden(ground: Ground, *wishes: tuple[Path, ...]) -> set[Path]:
    places = boxes.find_places(GATE, ground, *wishes)
    return {place.path for place in places if place.how is boxes.How.HIDE}


def test_no_wish_of_a_person_opens_the_state_directory(ground: Ground) -> None:
    state = ground.hidden[0]
    wishes = (state, state / "signing", ground.home)
    assert find_hidden(ground, wishes, wishes) == find_hidden(ground)


def test_a_secret_is_hidden_where_a_variable_puts_it(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cloud", "settings/gh", "packages/credentials.toml"):
        (ground.home / name).mkdir(parents=True)
    monkeypatch.setenv("KUBECONFIG", f"{ground.home}/cloud:{ground.home}/gone")
    monkeypatch.setenv("XDG_CONFIG_HOME", f"{ground.home}/settings")
    monkeypatch.setenv("CARGO_HOME", f"{ground.home}/packages")
    found = find_hidden(ground)
    assert {ground.home / "cloud", ground.home / "settings" / "gh"} <= found
    assert ground.home / "packages" / "credentials.toml" in found


async def test_a_gate_that_may_not_write_says_what_would_let_it_and_is_asked_again_once_it_may(
    tmp_path: Path, config: Path
) -> None:
    cache = Path.home() / "cache"
    argv = json.dumps(["sh", "-c", f"echo x > {cache}/x"])
    gate = (
        f'{GATE_TABLE}[[gate]]\nname = "caches"\nreport = "exit"\nrequired = false\nargv = {argv}\n'
    )
    engine = Engine.open(a_project(tmp_path / "project", **{"goalproof.toml": gate}))
    cache.mkdir()
    try:
        for wanted, green in ((), False), ((cache,), True):
            set_sandbox(config, "auto", writes=wanted)
            state = await run(engine, a_plan(FIX))
            said = {
                one.result.stage: one.result.message
                for one in state.gates_run.values()
                if one.result.gate == "caches"
            }
            for stage in ("baseline", "proving"):
                told = "`sandbox_writes` in settings.toml" in said[GateStage(stage)]
                assert told is not green, stage
    finally:
        engine.close()


ENTRY = f"ab/{'0' * 64}-d"
COMPILES = f"""
[[gate]]
name = "compiles"
report = "exit"
argv = ["sh", "-c", '''test -e "$GOCACHE/{ENTRY}" && echo there
test "$UV_CACHE_DIR" = mine && mkdir -p "$GOCACHE/ab" && echo x > "$GOCACHE/{ENTRY}" && test ! -e "$GOCACHE/ab/planted"
''']
env = {{ UV_CACHE_DIR = "mine" }}
"""
FILLS = """, { run = ["sh", "-c", "mkdir -p $GOCACHE/ab; echo y > $GOCACHE/ab/planted"] }"""


async def test_no_gate_finds_in_go_s_cache_what_a_worker_put_there_but_what_the_base_compiled(
    tmp_path: Path, config: Path
) -> None:
    set_sandbox(config, "required")
    engine = Engine.open(
        a_project(tmp_path / "project", **{"goalproof.toml": GATE_TABLE + COMPILES})
    )
    try:
        state = await run(engine, a_plan(FIX + FILLS))
        read = engine.ports.store.read_object
        ran = {
            one.result.stage: one.result.log and await read(one.result.log)
            for one in state.gates_run.values()
            if one.result.gate == "compiles"
        }
    finally:
        engine.close()
    assert state.status is GoalStatus.READY, state.judgement and state.judgement.reasons
    assert (ran["baseline"], ran["proving"]) == (None, b"there\n")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(a_project(tmp_path / "project"))
    yield opened
    opened.close()


@pytest.mark.parametrize("wanted", ["auto", "off"])
async def test_a_proof_says_what_all_that_ran_was_kept_from(
    engine: Engine, config: Path, wanted: str
) -> None:
    set_sandbox(config, wanted)
    state = await run(engine, a_plan(f'{FIX}, {{ run = ["git", "status"] }}'))
    assert state.status is GoalStatus.READY and state.proof is not None
    folder = (
        engine.checkout / ".goalproof" / "goals" / state.goal_id / "proofs" / state.proof.digest
    )
    proof, _ = read_bundle(folder)
    page = (folder / "proof.md").read_text(encoding="utf-8")
    if wanted == "auto":
        assert (proof.sandbox, proof.key_exposed) == ("bubblewrap", False)
        assert "- sandbox, workers: bubblewrap 0" in page and "- sandbox, gates: bubblewrap" in page
        assert "nothing that ran for this goal could read the key" in page
    else:
        assert (proof.sandbox, proof.key_exposed) == ("none", True)
        assert "- sandbox, gates: none: switched off in settings.toml" in page
        assert "without a sandbox, gates and workers could do what the person can do" in page


AGENT_OF_MINE = """#!/bin/sh
test "$(cat ~/.claude/login)" = secret && test -z "$(cat ~/.netrc)" || exit 1
test "$(cat ~/.claude.json)" = both && test -z "$(ls ~/.claude/projects)" || exit 2
echo renewed > ~/.claude/new && mv ~/.claude/new ~/.claude/login
for name in settings.json CLAUDE.md plugins/mine; do
    if echo planted >> ~/.claude/$name; then exit 3; fi
    if rm -f ~/.claude/$name; then exit 4; fi
done
mkdir -p ~/.claude/hooks && echo planted > ~/.claude/hooks/planted
echo planted > ~/.claude/projects/planted
echo planted > ~/.claude.json
sed -i 's/a - b/a + b/' calc.py
"""


async def test_an_agent_renews_its_login_and_leaves_nothing_that_acts_outside(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    mine = home / ".claude"
    for name in ("projects", "plugins"):
        (mine / name).mkdir(parents=True)
        (mine / name / "mine").write_text("mine")
    (home / ".claude.json").write_text("both")
    (mine / "settings.json").write_text("mine")
    shutil.copy(Path.home() / ".gitconfig", home)
    monkeypatch.setenv("HOME", str(home))
    (mine / "login").write_text("secret")
    (home / ".netrc").write_text("secret")
    script = home / "my-agent"
    script.write_text(AGENT_OF_MINE)
    script.chmod(0o755)
    set_sandbox(config, "required")
    (config / "agents.toml").write_text(
        f'[agent.mine]\nargv = ["{script}", "{{prompt}}"]\nfolders = ["~/.claude"]\n'
    )
    looks = (
        '[[gate]]\nname = "looks"\nreport = "exit"\nargv = ["sh", "-c", "! cat ~/.claude/login"]\n'
    )
    engine = Engine.open(a_project(tmp_path / "project", **{"goalproof.toml": GATE_TABLE + looks}))
    text = plan_text("", writes='"calc.py"').replace("steps = []", 'worker = "cli"\nagent = "mine"')
    try:
        state = await run(engine, parse_plan(text, "plan.toml"))
    finally:
        engine.close()
    assert state.status is GoalStatus.READY, state.judgement and state.judgement.reasons
    assert (mine / "login").read_text() == "renewed\n"
    files = {path.name for path in mine.rglob("*")}
    assert files == {"login", "settings.json", "plugins", "projects", "mine"}
    assert (mine / "settings.json").read_text() == "mine"
    assert (home / ".claude.json").read_text() == "both"


PLANTS = """
import site
from pathlib import Path

act = "import contextlib, pathlib\\nwith contextlib.suppress(OSError):\\n pathlib.Path({place!r}).touch()"
Path(site.getsitepackages()[0], "planted.pth").write_text(f"import sys; exec({{act!r}})\\n")
"""
"""A set-up command after which the view's Python writes to the checkout whenever it starts."""


FETCHES = """
from pathlib import Path

def attempt(act):
    try:
        return bool(act())
    except OSError:
        return False

login = attempt(lambda: (Path.home() / ".npmrc").read_text())
cache = attempt(lambda: (Path.home() / ".npm" / "more").write_text("x"))
Path("told.txt").write_text(f"login {login}, cache {cache}")
"""
"""A set-up command that tells what of the person's it can use to fetch packages."""


async def test_only_the_persons_tree_is_set_up_with_the_logins_of_registries(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".npm").mkdir(parents=True)
    (home / ".npmrc").write_text("secret")
    shutil.copy(Path.home() / ".gitconfig", home)
    monkeypatch.setenv("HOME", str(home))
    set_sandbox(config, "required")
    setup = '[workspace]\nsetup = [["python3", "prepare.py"]]\n'
    files = {"prepare.py": FETCHES, "goalproof.toml": GATE_TABLE + setup}
    engine = Engine.open(a_project(tmp_path / "project", **files))
    state = await create(engine, a_plan(FIX))
    bench, base = open_bench(engine.ports, state), state.created.base_commit
    async with bench.workspace("one", base) as workspace:
        await bench.environment(workspace, base)
        assert (workspace / "told.txt").read_text() == "login True, cache True"
        (workspace / "told.txt").unlink()
        (workspace / "prepare.py").write_text(f"{FETCHES}\n# a worker's")
        changed = bench.commit(bench.repository.snapshot(workspace, base), base, "changed")
    async with bench.workspace("two", changed) as workspace:
        await bench.environment(workspace, changed)
        assert (workspace / "told.txt").read_text() == "login False, cache False"
    engine.close()


@pytest.fixture
async def planted(tmp_path: Path, config: Path) -> AsyncIterator[tuple[Workbench, GoalState, Path]]:
    set_sandbox(config, "required")
    escaped = tmp_path / "project" / "escaped"
    setup = '[workspace]\nsetup = [["python3", "prepare.py"]]\n'
    files = {"prepare.py": PLANTS.format(place=str(escaped)), "goalproof.toml": GATE_TABLE + setup}
    opened = Engine.open(a_project(tmp_path / "project", **files))
    state = await create(opened, a_plan(FIX))
    yield open_bench(opened.ports, state), state, escaped
    opened.close()


async def test_the_python_of_a_workspace_is_asked_in_the_sandbox(
    planted: tuple[Workbench, GoalState, Path],
) -> None:
    """A set-up command may write to it, and it runs what was written when it starts."""
    bench, state, escaped = planted
    made, (spec,) = state.created, state.gates
    ran = await run_gate(bench, spec, GateStage.BASELINE, made.base_tree, made.base_commit)
    assert ran.result.outcome is GateOutcome.FAILED and ran.result.tests, ran.result.message
    assert not escaped.exists()


async def test_who_requires_a_sandbox_has_nothing_run_without(
    engine: Engine, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_sandbox(config, "required")
    monkeypatch.setattr(boxes, "PROGRAMS", ())
    boxes.probe.cache_clear()
    state = await create(engine, a_plan(FIX))
    ended = await execute_goal(engine.ports, state.goal_id)
    assert ended.status is GoalStatus.BLOCKED_ON_EXTERNAL and ended.blocked is not None
    assert (
        "requires a sandbox" in ended.blocked.reason and "install bubblewrap" in ended.blocked.next
    )
    assert ended.confined == () and not ended.gates_run


LOOKS = """
import ctypes, os, subprocess, sys
from goal_engine.runtime.process import keep_private

if os.environ.get("TOKEN") is None:
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "TOKEN": "canary"})
if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # who changes its user cannot be looked at anyway
look = ["cat", f"/proc/{os.getpid()}/environ"]
before = subprocess.run(look, capture_output=True).stdout
keep_private()
after = subprocess.run(look, capture_output=True).stdout
print(b"canary" in before, b"canary" in after)
"""


def test_a_child_without_a_sandbox_cannot_look_into_its_owner(tmp_path: Path) -> None:
    script = tmp_path / "looks.py"
    script.write_text(LOOKS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == "True False\n", done.stderr
