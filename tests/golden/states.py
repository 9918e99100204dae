"""What each recorded journal means: the goal at its end, written once and never anew.

`python -m tests.golden.states` writes the ones that are missing, beside their journals.
"""

from __future__ import annotations

import json
from pathlib import Path

from goal_engine.state.events import JournalEntry
from goal_engine.state.evolve import fold_entries
from goal_engine.state.journal import parse_journal
from goal_engine.types import GoalId

HERE = Path(__file__).parent
JOURNALS = sorted(HERE.glob("*/*.jsonl"))


def read_entries(path: Path) -> tuple[JournalEntry, ...]:
    """Return the entries of a recorded journal."""
    data = path.read_bytes()
    goal_id = GoalId(json.loads(data.split(b"\n")[0][65:])["goal"])
    return parse_journal(data, goal_id).entries


def find_state(path: Path) -> Path:
    """Return where the goal at the end of a journal is recorded."""
    return path.with_suffix(".state.json")


def write_missing() -> None:
    """Record the goals at the ends of journals that are new."""
    for path in JOURNALS:
        if not find_state(path).exists():
            state = fold_entries(read_entries(path)).model_dump(mode="json")
            text = json.dumps(state, indent=1, sort_keys=True, ensure_ascii=True) + "\n"
            find_state(path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_missing()
