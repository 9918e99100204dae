"""The gates that a goal created now would get: the person's configuration, or what is found."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from goal_engine.errors import BadConfiguration
from goal_engine.gates.config import NAME, Configuration, parse_configuration
from goal_engine.gates.detection.detect import Detection, detect
from goal_engine.gates.detection.project import PassedOver, Tools, is_read
from goal_engine.gates.interpreters import find_interpreter
from goal_engine.gates.look import ask_in, look_in
from goal_engine.gates.select import check_tools, select_gates
from goal_engine.proof.gate import GateSpec
from goal_engine.proof.review import ReviewPolicy
from goal_engine.runtime.environment import find_environment
from goal_engine.runtime.regular import read_regular

MOST = 2000
"""Files that are looked through for one thing."""
LARGEST = 1024 * 1024
"""Bytes of a file that detection reads; a larger one is as good as empty."""


@dataclass(frozen=True, slots=True)
class GateChoice:
    """Gates, and where they come from."""

    specs: tuple[GateSpec, ...]
    path: Path | None
    """The configuration, `None` when the gates were found without one."""
    python: str | None
    """The environment that is not found without being named."""
    copies: tuple[str, ...]
    passed_over: tuple[PassedOver, ...] = ()
    """What is no gate, and why; nothing where the configuration names the gates."""
    review: ReviewPolicy = ReviewPolicy()
    setup: tuple[tuple[str, ...], ...] = ()
    """Commands that make each workspace ready."""
    keeps_setup: bool = True
    python_reason: str = ""
    """Why that Python is the project's; empty where there is none."""


def choose_gates(checkout: Path, files: Iterable[str]) -> GateChoice:
    """Return the gates of a checkout whose committed files are `files`.

    Starts the person's tools, so only a trusted workspace is asked.  Raises `BadConfiguration`
    and, for a gate that could not start, `ToolMissing`.
    """
    path, names = checkout / NAME, tuple(files)
    configuration = read_configuration(path) or Configuration()
    python = find_interpreter(checkout, names, configuration.python)
    user = find_environment(checkout, python.place)
    available = look_in(user, checkout)
    found = Detection()
    if not configuration.gates:
        content = {name: _read(checkout, name) if is_read(name) else None for name in names}
        tools = Tools(available, ask_in(user, checkout), lambda *asked: _contains(checkout, *asked))
        found = detect(content, tools)
    specs = select_gates(configuration, found.gates)
    check_tools(specs, available)
    return GateChoice(
        specs=specs,
        path=path if configuration.gates else None,
        python=python.place,
        python_reason=python.reason if user.python else "",
        copies=configuration.copies,
        review=configuration.review,
        setup=configuration.setup,
        keeps_setup=configuration.keeps_setup,
        passed_over=(*python.passed_over, *found.passed_over),
    )


def read_configuration(path: Path) -> Configuration | None:
    """Return the person's configuration, `None` when there is none.

    It is read from the checkout, committed or not: the person who runs a goal wrote it.
    """
    try:
        text = read_regular(path, LARGEST).decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfiguration(f"{path} cannot be read as UTF-8 text: {error}.") from error
    return parse_configuration(text, path.name)


def _contains(checkout: Path, paths: Iterable[str], pattern: re.Pattern[bytes]) -> bool:
    return any(pattern.search(_read(checkout, path) or b"") for path in islice(paths, MOST))


def _read(checkout: Path, name: str) -> bytes | None:
    """Return the content of a file, nothing for what is none of the checkout's or is too large."""
    path = checkout / name
    try:
        if not path.is_file() or not path.resolve().is_relative_to(checkout.resolve()):
            return None
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, RuntimeError):  # RuntimeError: links that lead in a circle
        return None
    return data if len(data) <= LARGEST else None
