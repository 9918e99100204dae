"""What a person allowed: the workspace as a whole, and each gate by its content.

Kept outside the workspace, so that nothing in it can approve itself.  In doubt, nothing is trusted.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from goal_engine.proof.gate import GateSpec
from goal_engine.runtime.atomic import make_dirs, write_atomic
from goal_engine.types import Frozen, Sha256

RUN_BY_US = {"name", "argv", "cwd", "env", "timeout", "report", "fix"}
LETS_PASS = {"quarantine"}
"""What makes a gate pass over tests; it counts where there is any."""
LIMIT = 4 * 1024 * 1024


class _Record(Frozen):
    """The file's content.  It has no word for a gate but its digest."""

    version: Literal[1] = 1
    workspace: bool = False
    gates: frozenset[Sha256] = frozenset()


class Trust:
    """The approvals of one checkout, in a file of its own in the workspace's state directory.

    A workspace's id lies in the repository, which may be a copy or bring along another one's: so
    an approval is for one place, and a checkout that was moved is asked about again.  Read anew
    each time, since another process may have asked.  Writing raises `StoreUnwritable`.
    """

    def __init__(self, state_dir: Path, checkout: Path) -> None:
        place = hashlib.sha256(os.fsencode(checkout.resolve())).hexdigest()
        self.path = state_dir / f"trust-{place[:32]}.json"

    def is_workspace_trusted(self) -> bool:
        """Whether code of this workspace may run at all."""
        return self._read()[0].workspace

    def is_trusted(self, *specs: GateSpec) -> bool:
        """Whether each of these gates was approved exactly as it is now."""
        approved = self._read()[0].gates
        return all(digest_gate(spec) in approved for spec in specs)

    def trust_workspace(self) -> None:
        """Record that code of this workspace may run; its gates are still asked for."""
        self._write(self._read()[0].changed(workspace=True))

    def approve(self, specs: Iterable[GateSpec]) -> None:
        """Record that these gates may run; the workspace is another question."""
        record = self._read()[0]
        added = frozenset(digest_gate(spec) for spec in specs)
        if added <= record.gates:
            return
        self._write(record.changed(gates=record.gates | added))

    @property
    def problem(self) -> str:
        """Why earlier approvals are not seen, empty when they are."""
        return self._read()[1]

    def _read(self) -> tuple[_Record, str]:
        try:
            with self.path.open("rb") as file:
                return _Record.model_validate_json(file.read(LIMIT)), ""
        except FileNotFoundError:
            return _Record(), ""
        except (OSError, ValidationError) as error:
            why = error.strerror if isinstance(error, OSError) else "its content is damaged"
            return _Record(), (
                f"The approvals in {self.path} cannot be read ({why}), so nothing of this "
                "workspace is trusted: look at its gates and approve them again."
            )

    def _write(self, record: _Record) -> None:
        make_dirs(self.path.parent)
        content = record.model_dump(mode="json") | {"gates": sorted(record.gates)}
        write_atomic(self.path, json.dumps(content, indent=1).encode() + b"\n", 0o600)


def digest_gate(spec: GateSpec) -> str:
    """Return the sha256 of all that a gate makes us run, its fix and its variables' values too.

    Also of the tests that it passes over: a quarantine that came with a pull is asked about.

    Unlike the digest in a proof this one stays on the machine, so the values may count.
    """
    content = spec.model_dump(mode="json", include=RUN_BY_US)
    content |= spec.model_dump(mode="json", include=LETS_PASS, exclude_defaults=True)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
