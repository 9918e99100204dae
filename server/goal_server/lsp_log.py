"""What the server logs: warnings on standard error, no bodies, nothing said over and over.

A client that does not read standard error blocks nobody: what it does not take is dropped.
"""

from __future__ import annotations

import logging
from time import monotonic

from goal_server.lsp_transport import Outbox, Rank

OFTEN, WINDOW = 10, 60.0
"""How often the same thing is said, and in how many seconds."""
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
TEMPLATES = 1000
"""Different things that are remembered."""


class Sparing(logging.Filter):
    """Lets the same thing through a few times each minute."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, object], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is written."""
        if len(self._said) > TEMPLATES:
            self._said.clear()
        key, now = (record.name, record.msg), monotonic()
        since, times = self._said.get(key, (now, 0))
        if now - since > WINDOW:
            since, times = now, 0
        self._said[key] = since, times + 1
        return times < OFTEN


class PipeHandler(logging.Handler):
    """Writes to a descriptor by a thread of its own."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._outbox = Outbox(descriptor)

    def emit(self, record: logging.LogRecord) -> None:
        """Leave a record to be written, or drop it."""
        self._outbox.put(f"{self.format(record)}\n".encode(errors="replace"), Rank.CASUAL)

    def flush(self) -> None:
        """Wait a little for what is not written yet."""
        self._outbox.flush(0.2)


def set_up_logs(descriptor: int = 2) -> None:
    """Send warnings of everything to a descriptor; pygls stays silent: it logs each refusal."""
    handler = PipeHandler(descriptor)
    handler.setFormatter(logging.Formatter(FORMAT))
    handler.addFilter(Sparing())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("pygls").setLevel(logging.CRITICAL)
    logging.getLogger("concurrent.futures").setLevel(logging.CRITICAL)
