"""How long an agent is waited for: in all, and for a word.  Pure: whoever looks says what time it is."""

from __future__ import annotations


class Patience:
    """Seconds on a clock that stands still while the agent waits for somebody else."""

    def __init__(self, now: float, whole: float, idle: float) -> None:
        self._whole, self._idle = whole, idle
        self._deadline = now + whole
        self._asked = 0
        self._since = self._resumed = now

    def pause(self, now: float) -> None:
        """The agent asks something and waits."""
        if not self._asked:
            self._since = now
        self._asked += 1

    def go_on(self, now: float) -> None:
        """It has its answer."""
        self._asked -= 1
        if not self._asked:
            self._deadline += now - self._since
            self._resumed = now

    def find_left(self, now: float, heard: float) -> float | None:
        """Return the seconds that are left, `None` while it waits; `heard` is when it last said a word."""
        if self._asked:
            return None
        return min(self._deadline, max(heard, self._resumed) + self._idle) - now

    def say_over(self, now: float) -> str:
        """Return what is over, once nothing is left."""
        if now >= self._deadline:
            return f"it was not done after {self._whole:g} s"
        return f"it said nothing for {self._idle:g} s"
