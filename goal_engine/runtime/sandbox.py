"""What a command that is not the person's own can reach: a table of places, made into bubblewrap's words.

Everything can be read and nothing written, but for what the table says; of two places that lie one in
the other the inner one decides.  The command has its own processes, its own `/tmp` and `/dev`, and no
privilege to take.  It has the person's network: gates talk to databases, and agents to their vendors.
Linux only; elsewhere, and where the system forbids it, there is none, and every proof says why.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from pathlib import Path

from goal_engine.runtime.belongings import Belongings
from goal_engine.runtime.config import config_dir, state_dir
from goal_engine.runtime.personal import PersonalSettings

PROGRAMS = (
    "/usr/bin/bwrap",
    "/bin/bwrap",
    "/usr/local/bin/bwrap",
    "/run/current-system/sw/bin/bwrap",
)
"""Where bubblewrap is looked for: never on a PATH, which may lead into a repository."""
ANSWER_SECONDS = 20
ALONE = (
    *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--new-session", "--die-with-parent", "--cap-drop", "ALL"),
)
"""Processes of its own that die with it, no terminal to type into, no capability."""
ROOTS = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "NET_BIND_SERVICE",
)
"""What root keeps of its capabilities: none that mounts, traces or reaches around a mount."""

SECRETS = (
    *(".ssh", ".gnupg", ".password-store", ".local/share/keyrings", ".config/op", ".vault-token"),
    *(".aws", ".azure", ".config/gcloud", ".kube", ".terraform.d", ".config/rclone"),
    *(".docker", ".config/containers", ".config/gh", ".config/glab-cli", ".config/hub"),
    *(".netrc", ".git-credentials", ".config/git/credentials", ".pgpass", ".my.cnf"),
    *(".mozilla", ".thunderbird", ".config/google-chrome", ".config/chromium", ".config/vivaldi"),
    *(".config/BraveSoftware", ".config/microsoft-edge", ".config/opera", "snap/firefox"),
    *(".var/app/org.mozilla.firefox", ".var/app/com.google.Chrome", ".local/share/kwalletd"),
    *(".config/sops/age", ".kaggle", ".databrickscfg", ".s3cfg", ".boto", ".config/doctl"),
    *(".config/stripe", ".fly", ".cache/huggingface/token", ".cache/huggingface/stored_tokens"),
    *(".config/Code", ".config/Code - Insiders", ".config/VSCodium", ".config/Cursor"),
    *(".colima", ".lima", ".minikube", ".rd"),
    *(".Xauthority", ".ICEauthority", ".bash_history", ".zsh_history", ".zsh_sessions"),
    *(".local/share/fish/fish_history", ".python_history", ".node_repl_history", ".psql_history"),
    *(".mysql_history", ".sqlite_history", ".rediscli_history", ".dbshell", ".irb_history"),
    *(".lesshst", ".viminfo", ".local/state/nvim/shada"),
)
"""Of the home folder: keys, logins and what was typed.  What is not there now cannot be made either."""
REGISTRIES = (
    *(".npmrc", ".yarnrc.yml", ".pypirc", ".config/pip", ".cargo/credentials.toml"),
    *(".cargo/credentials", ".m2/settings.xml", ".m2/settings-security.xml"),
    *(".gradle/gradle.properties", ".gem/credentials", ".bundle/config", ".ivy2/.credentials"),
    *(".sbt/credentials", ".sbt/.credentials", ".sbt/1.0/credentials.sbt"),
    *(".config/pypoetry/auth.toml", ".config/composer/auth.json", ".composer/auth.json"),
    *(".nuget/NuGet/NuGet.Config", ".config/NuGet/NuGet.Config"),
)
"""Of the home folder: how packages are fetched, often with a token.  Only set-up commands see it."""
LOGINS = (
    *(".claude", ".claude.json", ".codex", ".gemini", ".kimi", ".qwen", ".cursor"),
    *(".config/opencode", ".local/share/opencode", ".config/github-copilot", ".config/amp"),
)
"""Of the home folder: agents' logins and settings; an agent sees its own."""
SOCKETS = (
    *("/run/dbus", "/run/docker.sock", "/run/containerd", "/run/podman", "/run/crio"),
    *("/run/snapd.socket", "/run/libvirt", "/run/systemd/private", "/run/user"),
    *("/run/docker", "/run/cri-dockerd.sock", "/run/k3s", "/run/buildkit", "/run/incus"),
    *("/var/lib/incus/unix.socket", "/var/lib/lxd/unix.socket"),
    *("/var/snap/lxd/common/lxd/unix.socket", "/run/screen", "/run/WSL", "/mnt/wslg"),
)
"""Doors to somebody who does more than the command may; those below `/tmp` are gone with it."""
SOCKET_VARIABLES = (
    *("DOCKER_HOST", "CONTAINER_HOST", "BUILDKIT_HOST", "CONTAINERD_ADDRESS", "LXD_SOCKET"),
    *("INCUS_SOCKET", "DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS", "PULSE_SERVER"),
    *("TMUX", "NVIM", "NVIM_LISTEN_ADDRESS", "KITTY_LISTEN_ON", "VSCODE_IPC_HOOK_CLI"),
)
"""Variables of the person that lead to such a door: a path, `unix:///path`, `unix:path=/path,more`."""
SOCKET = re.compile(r"(?:unix:(?:path=)?(?://)?)?(/[^,;]*)")
CACHES = (
    *(".cache", ".npm", ".local/share/pnpm", ".yarn", ".bun", ".cargo/registry", ".cargo/git"),
    *("go/pkg/mod", ".gradle", ".m2", ".nuget", ".gem"),
)
"""Of the home folder: what package managers keep.  Only set-up commands may write there."""
CACHE_VARIABLES = ("XDG_CACHE_HOME", "GOMODCACHE", "PNPM_HOME")
ELSEWHERE = {".config": "XDG_CONFIG_HOME", ".local/share": "XDG_DATA_HOME", ".cargo": "CARGO_HOME"}
"""Folders of the home folder that a variable may put elsewhere."""
SECRET_VARIABLES = (
    *("SSH_AUTH_SOCK", "GNUPGHOME", "KUBECONFIG", "DOCKER_CONFIG", "GH_CONFIG_DIR", "NETRC"),
    *("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "CLOUDSDK_CONFIG", "AZURE_CONFIG_DIR"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "OPENCODE_CONFIG_DIR"),
    *("XAUTHORITY", "PGPASSFILE", "VAULT_CONFIG_PATH", "SOPS_AGE_KEY_FILE", "HF_TOKEN_PATH"),
    *("KAGGLE_CONFIG_DIR", "DATABRICKS_CONFIG_FILE", "BOTO_CONFIG", "HISTFILE"),
)
"""Variables of the person that say where a secret is; some have several places."""
DEVICES = ("nvidia*", "dri", "kfd", "kvm")
"""Of `/dev`, beside the usual ones: what computes."""


class How(IntEnum):
    """What becomes of a place; of two rules for the same one the later member here counts."""

    READ = 1
    """As it is, and nothing can be changed."""
    HIDE = 2
    """As if it were empty."""
    SHOW = 3
    """Read, although a rule of this module would hide just that."""
    OWN = 4
    """An empty folder of the command's own, in memory."""
    WRITE = 5


@dataclass(frozen=True, slots=True)
class Place:
    """One path, without symbolic links, and what becomes of it."""

    path: Path
    how: How
    folder: bool = True
    """Whether it is a folder; of anything else only whether it can be read is decided."""
    source: Path | None = None
    """What is seen there instead of it."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a kind of command reaches beside its workspace, where the others do not."""

    name: str
    fetches: bool = False
    """Whether it fetches packages: with the registries' logins, into the caches."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Where tools that cannot do without a cache of their own find one that is empty."""


AGENT = Profile(
    "agent",
    variables={"UV_CACHE_DIR": "/tmp/uv-cache", "npm_config_cache": "/tmp/npm-cache"},
)
GATE = Profile("gate", variables={"UV_CACHE_DIR": "/tmp/uv-cache"})
SETUP = Profile("set-up", fetches=True)


@dataclass(frozen=True, slots=True)
class Ground:
    """What a command stands on: places of the person's, and those that are this command's."""

    home: Path
    checkout: Path
    """Hidden but for what has to be read: workspaces have what is tracked, `.env` is the person's."""
    hidden: tuple[Path, ...]
    """Beside the tables: where goals, evidence and keys are."""
    readable: tuple[Path, ...]
    """What has to be read wherever it lies: interpreters, installed packages, git's objects."""
    logins: tuple[Path, ...]
    """Where agents that the person configured keep theirs; the one that runs may write to its own."""
    writable: tuple[Path, ...]
    own: tuple[Path, ...]
    """Folders that are empty and the command's alone: `/tmp` and the like."""
    lent: Belongings = Belongings()
    """What is the command's own of the home folder."""
    go_cache: Path = Path("/tmp/go-build")
    """In a folder that is writable: Go cannot do without, and the person's is linked into their programs."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What commands of others run in: bubblewrap, or nothing, and then why."""

    said: str
    """For proofs and people: `bubblewrap 0.8.0`, or `none: ` and the reason."""
    program: Path | None = None
    flags: tuple[str, ...] = ()
    """What this system needs for it to work."""
    shown: tuple[Path, ...] = ()
    """What the person lets commands read although it would be hidden."""
    written: tuple[Path, ...] = ()
    """What the person lets commands write to beside their workspaces."""
    required: bool = False
    """Whether nothing may run without it."""

    @property
    def problem(self) -> str:
        """Why nothing may run; empty where it may."""
        if self.program is not None or not self.required:
            return ""
        return f"settings.toml requires a sandbox, and there is {self.said}"


NO_SANDBOX = Sandbox("none: nobody asked for one")
REMEDY = 'install bubblewrap (`apt install bubblewrap`), or set `sandbox = "auto"` in settings.toml'
"""What to do where one is required and there is none."""


def find_sandbox(settings: PersonalSettings) -> Sandbox:
    """Return the sandbox for a person who wants it like this; blocking, once."""
    if settings.sandbox == "off":
        return Sandbox("none: switched off in settings.toml")
    said, program, flags = probe()
    shown, written = (
        tuple(Path(path).expanduser() for path in paths)
        for paths in (settings.sandbox_shows, settings.sandbox_writes)
    )
    required = settings.sandbox == "required"
    return Sandbox(said, program, flags, shown, written, required)


@cache
def probe() -> tuple[str, Path | None, tuple[str, ...]]:
    """Find out, once, whether bubblewrap works here: with root's own rights, else by a user namespace."""
    if sys.platform != "linux":
        return "none: only Linux has one", None, ()
    program = next((Path(name) for name in PROGRAMS if Path(name).is_file()), None)
    if program is None:
        return "none: bubblewrap is not installed", None, ()
    root = os.geteuid() == 0
    capabilities = tuple(word for name in ROOTS for word in ("--cap-add", f"CAP_{name}"))
    why = ""
    for flags in (capabilities, ("--unshare-user",)) if root else ((),):
        said, why = _try(program, flags)
        if said:
            return said, program, flags
    return f"none: bubblewrap does not work here ({why})", None, ()


def _try(program: Path, flags: tuple[str, ...]) -> tuple[str, str]:
    """Return what bubblewrap says of itself from inside a sandbox, or why there is none."""
    own = Place(Path("/tmp"), How.OWN)
    words = (*render(program, flags, (own,), {}), "--", str(program), "--version")
    try:
        done = subprocess.run(
            words, cwd="/", env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=ANSWER_SECONDS, check=False, start_new_session=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return "", str(error)[:200]
    if done.returncode == 0:
        return done.stdout.strip()[:80], ""
    lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
    return "", lines[-1].removeprefix("bwrap: ")[:200]


def confine(
    sandbox: Sandbox, profile: Profile, ground: Ground, sets: Collection[str] = ()
) -> tuple[str, ...]:
    """Return the words that go before a command, none where there is no sandbox.

    `sets` are the variables that the command has values of its own for: those stay as they are.
    Blocking: it looks at which places there are, at some dozens.
    """
    if sandbox.program is None:
        return ()
    _make_settings(sandbox.written)
    places = find_places(profile, ground, sandbox.shown, sandbox.written)
    variables = {"GOCACHE": str(ground.go_cache), **profile.variables}
    own = {name: value for name, value in variables.items() if name not in sets}
    return render(sandbox.program, sandbox.flags, places, own)


def _make_settings(written: Iterable[Path]) -> None:
    """What is not there cannot be kept from being made: our own settings are there."""
    settings = config_dir()
    if any(settings.is_relative_to(path) for path in written):
        with suppress(OSError):  # then nobody else can make them either
            settings.mkdir(mode=0o700, parents=True, exist_ok=True)


def find_places(
    profile: Profile,
    ground: Ground,
    shown: tuple[Path, ...] = (),
    written: tuple[Path, ...] = (),
) -> tuple[Place, ...]:
    """Return what becomes of each place that there is; all that is not named can only be read.

    `shown` and `written` are the person's own wishes, which never reach what the ground hides;
    and nobody writes our own settings, which say what is a sandbox's and which agents there are.
    """
    home = ground.home
    names = (*SECRETS, *LOGINS, *(() if profile.fetches else REGISTRIES))
    hidden = [path for name in names for path in _find_all(home, name)]
    hidden += ground.logins
    hidden += map(Path, (*SOCKETS, *_read_variables(SECRET_VARIABLES)))
    hidden += _find_sockets(os.environ)
    settings = tuple(_resolve((config_dir(), *config_dir().glob("*"))))
    sealed = tuple(_resolve(ground.hidden))
    shown = tuple(_leave_out(sealed, shown))
    written = tuple(_leave_out((*sealed, *settings), written))
    wanted = {
        How.READ: (home, *settings, *ground.readable),
        How.HIDE: (*hidden, *ground.hidden, ground.checkout, ground.checkout / ".goalproof"),
        How.SHOW: (*shown, *ground.lent.reads, *ground.lent.shelves),
        How.OWN: (*ground.own, *ground.lent.forgets),
        How.WRITE: (
            *written,
            *ground.writable,
            *ground.lent.folders,
            *(_find_caches(home) if profile.fetches else ()),
        ),
    }
    found: dict[Path, Place] = {}
    for how, paths in wanted.items():
        for path in _resolve(paths):
            found[path] = Place(path, how, path.is_dir())
    for told, source in ground.lent.sources:
        for path in _resolve((told,)):
            found[path] = Place(path, How.WRITE, folder=False, source=source)
    return pin(prune(found.values()))


def _leave_out(sealed: Iterable[Path], wishes: Iterable[Path]) -> Iterable[Path]:
    return (path for path in _resolve(wishes) if not any(map(path.is_relative_to, sealed)))


def _find_sockets(variables: Mapping[str, str]) -> Iterable[Path]:
    """Return the sockets of this machine that variables name; what is at another is not ours to hide."""
    told = (SOCKET.match(variables.get(name, "")) for name in SOCKET_VARIABLES)
    return (Path(found[1]) for found in told if found)


def _find_caches(home: Path) -> tuple[Path, ...]:
    found = (path for name in CACHES for path in _find_all(home, name))
    return (*found, *map(Path, _read_variables(CACHE_VARIABLES)))


def _find_all(home: Path, name: str) -> Iterable[Path]:
    """Return a path of the home folder, and where a variable of the person puts it."""
    yield home / name
    for folder, variable in ELSEWHERE.items():
        if name.startswith(f"{folder}/") and (told := os.environ.get(variable)):
            yield Path(told) / name.removeprefix(f"{folder}/")


def _read_variables(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        yield from filter(None, os.environ.get(name, "").split(os.pathsep))


def _resolve(paths: Iterable[Path]) -> Iterable[Path]:
    """A mount is made at a path without links; what is not there needs none."""
    for path in paths:
        if path.is_absolute():
            try:
                yield path.resolve(strict=True)
            except OSError:
                continue


def prune(places: Iterable[Place]) -> tuple[Place, ...]:
    """Return the places from the outside to the inside, without those that change nothing."""
    kept: dict[Path, Place] = {}
    for place in sorted(places, key=lambda place: (len(place.path.parts), place.path)):
        above = next((kept[path] for path in place.path.parents if path in kept), None)
        around = above.how if above else How.READ
        reads = (How.READ, How.SHOW)
        same = place.how is around and around is not How.OWN and place.source is None
        same = same or (place.how in reads and around in reads)
        unseen = place.how is How.HIDE and around is How.OWN
        if not same and not unseen and place.path != Path("/"):
            kept[place.path] = place
    return tuple(kept.values())


def pin(places: Iterable[Place]) -> tuple[Place, ...]:
    """Return the places and the folders that must not be renamed.

    A mount stays where it is, but a folder around it that can be written to could be moved away
    with it and another put in its place, unless that is a mount as well.
    """
    kept = {place.path: place for place in places}
    for place in tuple(kept.values()):
        between: list[Path] = []
        for path in place.path.parents:
            if path in kept:
                if kept[path].how is How.WRITE and place.how is not How.WRITE:
                    kept.update((one, Place(one, How.WRITE)) for one in between)
                break
            between.append(path)
    return tuple(sorted(kept.values(), key=lambda place: (len(place.path.parts), place.path)))


def render(
    program: Path, flags: tuple[str, ...], places: Iterable[Place], variables: Mapping[str, str]
) -> tuple[str, ...]:
    """Return bubblewrap's words for these places, which go from the outside to the inside."""
    words = [
        str(program),
        *ALONE,
        *flags,
        "--ro-bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
    ]
    for device in (found for name in DEVICES for found in sorted(Path("/dev").glob(name))):
        words += ["--dev-bind-try", str(device), str(device)]
    closed = []
    for place in places:
        path = str(place.path)
        match place.how:
            case How.WRITE:
                words += ["--bind", str(place.source or path), path]
            case How.READ | How.SHOW:
                words += ["--ro-bind", path, path]
            case How.OWN:
                words += ["--perms", "1777", "--tmpfs", path]
            case How.HIDE if place.folder:
                words += ["--perms", "0755", "--tmpfs", path]
                closed += ["--remount-ro", path]
            case How.HIDE:
                words += ["--dev-bind", "/dev/null", path]  # else the device could not be opened
    for name, value in variables.items():
        words += ["--setenv", name, value]
    return (*words, *closed)


def find_own() -> tuple[Path, ...]:
    """Return the folders that everybody writes to, of which a command gets empty ones."""
    told = map(Path, _read_variables(("TMPDIR", "XDG_RUNTIME_DIR")))
    return (Path("/tmp"), Path("/var/tmp"), *told)


def find_hidden() -> tuple[Path, ...]:
    """Return where the person's keys, evidence and workspaces are, whatever goal is worked on."""
    return (state_dir(),)


def find_objects(objects: Path) -> tuple[Path, ...]:
    """Return the folders of git's objects that are seen through `objects`, itself among them."""
    found: dict[Path, None] = {}
    todo = [objects]
    while todo:
        at = todo.pop()
        if at in found:
            continue
        found[at] = None
        try:
            lines = (at / "info" / "alternates").read_text("utf-8", "surrogateescape").splitlines()
        except OSError:
            continue
        for line in filter(None, lines):
            path = line[1:-1].replace(r"\"", '"').replace("\\\\", "\\") if line[0] == '"' else line
            todo.append(Path(os.path.normpath(at / path)))
    return tuple(found)
