"""The only reader of the wall clock."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """The time as the operating system tells it."""

    def now(self) -> datetime:
        """Return the aware time in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the place
