"""What a gate said of a base is remembered for the next goal on it; nothing that proves comes from here.

Outside the workspace, for the person alone, and each entry sealed with their key: what runs as
another user cannot write it, and what runs as the same one could forge a proof as well.  In doubt an
entry is none.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import platform
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from goal_engine.errors import StoreUnwritable
from goal_engine.gates.trust import digest_gate
from goal_engine.proof.flakes import ANSWERS
from goal_engine.proof.gate import GateResult, GateSpec, GateStage, TestFailure
from goal_engine.runtime.atomic import make_dirs, write_atomic
from goal_engine.runtime.environment import Environment
from goal_engine.runtime.process import clean_environment
from goal_engine.runtime.sandbox import Sandbox
from goal_engine.types import Frozen

FORMAT = 1
STAGES = (GateStage.BASELINE,)
"""The stages that may be answered from here: none on which a verdict rests alone."""
MOST = 200
"""Entries that are kept; the oldest go first."""
OLDEST = timedelta(days=1)
"""Tools on the person's PATH change without a sign; after this an answer is asked for again."""
INSTALLED = (".package-lock.json", ".modules.yaml", ".yarn-integrity", ".yarn-state.yml")
"""Files in `node_modules` in which an installer says what it installed."""
LARGEST = 32 << 20
"""Bytes of an entry: a larger one is not kept."""


class Remembered(Frozen):
    """One answer of a gate: its result with the tests, its log and where tests failed."""

    result: GateResult
    failures: tuple[TestFailure, ...] = ()
    log: str = ""
    """The output, as it was, in Latin-1: any byte is one character."""
    at: datetime
    """When it was seen."""


@dataclass(frozen=True, slots=True)
class GateCache:
    """The answers of one workspace's gates.  Reading and writing never raise: a miss is no harm."""

    folder: Path
    seed: bytes
    """The person's secret that entries are sealed with."""
    now: datetime

    def read(self, key: str) -> Remembered | None:
        """Return what was remembered under `key`; `None` for nothing, damage, age or a forgery."""
        try:
            with (self.folder / key).open("rb") as file:
                data = file.read(LARGEST + 128)
            seal, _, content = data.partition(b"\n")
            if not hmac.compare_digest(seal, self._seal(key, content)):
                return None
            entry = Remembered.model_validate_json(content)
            return entry if timedelta(0) <= self.now - entry.at <= OLDEST else None
        except (OSError, ValidationError, ValueError):
            return None

    def write(self, key: str, entry: Remembered) -> None:
        """Remember an answer, whole or not at all, and forget the oldest beyond `MOST`."""
        content = json.dumps(entry.model_dump(mode="json"), sort_keys=True).encode()
        if len(content) > LARGEST:
            return
        try:
            make_dirs(self.folder)
            write_atomic(self.folder / key, self._seal(key, content) + b"\n" + content, 0o600)
            for path in self._oldest()[MOST:]:
                path.unlink(missing_ok=True)
        except (OSError, StoreUnwritable):
            return

    def _seal(self, key: str, content: bytes) -> bytes:
        """Under its key: a true answer of one base is none of another."""
        secret = hashlib.sha256(b"goalproof gate cache\0" + self.seed).digest()
        return hmac.new(secret, key.encode() + b"\0" + content, "sha256").hexdigest().encode()

    def _oldest(self) -> list[Path]:
        """Entries, the newest first."""
        with os.scandir(self.folder) as found:
            entries = [(one.stat().st_mtime_ns, one.path) for one in found if one.name[0] != "."]
        return [Path(path) for _, path in sorted(entries, reverse=True)]


def find_key(
    spec: GateSpec, tree: str, environment: Environment, workspace: Path, sandbox: Sandbox
) -> str:
    """Return the name of what `spec` says of `tree` there: of all that could change its answer.

    Lock files are part of the tree; what was put beside it into `workspace` counts by content, and
    what is installed by what its installer says.  Blocking.
    """
    beside = [workspace / path for path in environment.exclude]
    places = [*beside, *(path / name for path in beside for name in INSTALLED)]
    inherited = {k: v for k, v in clean_environment().items() if k != "TMPDIR"}
    said = {
        "format": FORMAT,
        "tree": tree,
        "gate": digest_gate(spec),
        "how": {**spec.limits, "reruns": spec.reruns, "quarantine": spec.quarantine},
        "environment": environment.key,
        "python": environment.version,
        "variables": {**dict.fromkeys(environment.variables, ""), **inherited},
        "notes": environment.notes,
        "beside": {str(path.relative_to(workspace)): _digest(path) for path in places},
        "platform": platform.platform(),
        "sandbox": [sandbox.said, *map(str, sandbox.shown), "", *map(str, sandbox.written)],
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def is_worth_keeping(result: GateResult) -> bool:
    """Whether an answer is complete and the same each time: a flaky gate is asked again."""
    return result.outcome in ANSWERS and not result.counts and result.red in (0, result.runs)
