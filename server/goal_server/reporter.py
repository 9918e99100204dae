"""Progress while a goal runs: live on a terminal, one line for each fact in a pipe, on stderr.

A reporter is a context manager that is told of every journal entry.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import click

from goal_engine.forecast import Sample, find_remaining
from goal_engine.progress import GoalProgressSnapshot, render_progress
from goal_engine.state.events import JournalEntry
from goal_engine.state.model import GoalState
from goal_server.facts import render_facts
from goal_server.plain import plain_line

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text


class Reporter(AbstractContextManager["Reporter"], Protocol):
    """Somebody who shows what goes on."""

    def see(self, state: GoalState, entry: JournalEntry) -> None:
        """Take notice of what was just recorded."""
        ...

    def say(self, line: str) -> None:
        """Show one line."""
        ...

    async def learn(self, read: Callable[[], Awaitable[Sequence[Sample]]]) -> None:
        """Find out what tasks took here, if what is left of a goal will be shown."""
        ...

    def aside(self) -> AbstractContextManager[None]:
        """Leave the terminal alone meanwhile, for a question."""
        ...


class Silent(AbstractContextManager["Silent"]):
    """Shows nothing: the result alone is wanted."""

    def see(self, state: GoalState, entry: JournalEntry) -> None:
        """Do nothing."""

    def say(self, line: str) -> None:
        """Do nothing."""

    async def learn(self, read: Callable[[], Awaitable[Sequence[Sample]]]) -> None:
        """Do nothing."""

    def aside(self) -> AbstractContextManager[None]:
        """Do nothing."""
        return nullcontext()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do nothing."""


class Lines(Silent):
    """One line for each fact, for pipes and logs."""

    def see(self, state: GoalState, entry: JournalEntry) -> None:
        """Print the facts of `entry`."""
        for line in render_facts(state, entry):
            click.echo(line, err=True)

    def say(self, line: str) -> None:
        """Print one line."""
        click.echo(plain_line(line), err=True)


class Screen(Silent):
    """Tasks and gates with their state and the time elapsed, drawn in place."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._begun = time.monotonic()
        self._snapshot: GoalProgressSnapshot | None = None
        self._samples: Sequence[Sample] = ()
        self._live: Live = Live(
            console=Console(stderr=True, highlight=False),
            get_renderable=self._draw,
            refresh_per_second=8,
            transient=True,
        )

    def __enter__(self) -> Screen:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        self._live.stop()

    def see(self, state: GoalState, entry: JournalEntry) -> None:
        """Draw the goal as it stands now; facts that pass stay above as lines."""
        self._snapshot = render_progress(state, find_remaining(state, self._samples))
        for line in render_facts(state, entry):
            if line.startswith(("gate ", "blocked", "goal ", "merged ", "waiting for you")):
                self._print(line, "bold" if line.startswith("waiting for you") else "dim")

    def say(self, line: str) -> None:
        """Print one line above."""
        self._print(line, "dim")

    async def learn(self, read: Callable[[], Awaitable[Sequence[Sample]]]) -> None:
        """Find out what tasks took here."""
        self._samples = await read()

    def _print(self, line: str, style: str) -> None:
        from rich.text import Text

        self._live.console.print(Text(plain_line(line), style=style))

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Stop drawing meanwhile."""
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()

    def _draw(self) -> Text:
        from rich.text import Text

        elapsed = f"{time.monotonic() - self._begun:.0f} s"
        if self._snapshot is None:
            return Text(f"looking at the repository  {elapsed}")
        at = self._snapshot
        text = Text()
        for line in at.lines:
            text.append(f"  {plain_line(line)}\n", style=STYLES.get(line[:1], ""))
        count = f"{at.done} of {at.total}"
        text.append(f"{at.phase}  {count}  {elapsed}  (Ctrl-C pauses)", style="bold")
        return text


STYLES = {"✓": "green", "✗": "red", "▸": "bold cyan", "·": "dim", "–": "dim"}


def open_reporter(*, quiet: bool) -> Reporter:
    """Return the reporter for where stderr goes."""
    if quiet:
        return Silent()
    return Screen() if sys.stderr.isatty() else Lines()
