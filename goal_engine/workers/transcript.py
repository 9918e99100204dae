"""What an agent says and does, as lines that people read; pure but for whoever takes them.

What stands at the margin is the engine's, what is indented is the agent's.  Pieces become lines,
nothing but plain text goes through, and there is an end to it.
"""

from __future__ import annotations

from collections.abc import Callable

from goal_engine.workers.prompt import COLOURS

MOST = 4 * 1024 * 1024
"""Characters in all."""
WIDEST = 2000
"""Characters of a line; a longer one goes on in the next."""
INDENTED, THOUGHT = "  ", "  ~ "


def make_plain(text: str) -> str:
    """Return a text without colours and other things that a terminal would do; tabs and lines stay."""
    bare = COLOURS.sub("", text)
    return "".join(char for char in bare if char.isprintable() or char in "\n\t")


class Transcript:
    """Takes what comes in the order in which it comes."""

    def __init__(self, write: Callable[[str], None], most: int = MOST) -> None:
        self._write = write
        self._left = most
        self._held = ""
        self._lead = INDENTED

    def add_words(self, text: str, *, thought: bool = False) -> None:
        """Take a piece of what the agent says, or thinks."""
        lead = THOUGHT if thought else INDENTED
        if lead != self._lead:
            self._flush()
            self._lead = lead
        shown = make_plain(text[: max(0, self._left) + 1])
        *lines, held = (self._held + shown).split("\n")
        for line in lines:
            self._put_line(line)
        whole = max(0, len(held) - 1) // WIDEST * WIDEST
        for start in range(0, whole, WIDEST):
            self._put_line(held[start : start + WIDEST])
        self._held = held[whole:]

    def add(self, line: str) -> None:
        """Take a line of the engine's own; what is foreign in it makes no second one."""
        self._flush()
        self._put(" ".join(make_plain(line[:MOST]).split())[:WIDEST])

    def close(self, line: str) -> None:
        """Take the last line, for which there always is room."""
        self._flush()
        self._left = max(self._left, WIDEST)
        self.add(line)

    def _flush(self) -> None:
        if self._held:
            line, self._held = self._held, ""
            self._put_line(line)

    def _put_line(self, line: str) -> None:
        if line.strip():
            self._put(f"{self._lead}{line}")

    def _put(self, line: str) -> None:
        if self._left <= 0:
            return
        self._left -= len(line) + 1
        self._write(f"{line}\n" if self._left > 0 else f"{line}\nthe rest is left out\n")
