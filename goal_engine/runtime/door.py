"""Lets steps in one by one; once it is closed, those inside finish and nobody enters any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Door:
    """The way into the steps of one run."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self.inside = 0
        """How many steps are under way that will end by themselves."""

    def close(self) -> None:
        """Let nobody in from now on: who comes waits until they are cancelled."""
        self._open.clear()

    @asynccontextmanager
    async def step(self, *, counted: bool = True) -> AsyncIterator[None]:
        """Go in, and out again at the end; one that waits for a person is not `counted`."""
        await self._open.wait()
        self.inside += counted
        try:
            yield
        finally:
            self.inside -= counted
