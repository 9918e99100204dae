"""A moment of a goal's history in words, for a terminal and for a page alike."""

from __future__ import annotations

from datetime import UTC, datetime

from goal_server.results import MomentView

LEAST = 50
"""Milliseconds in which nothing happened and that are worth a word."""


def say_moment(moment: MomentView, *, with_status: bool) -> str:
    """Return what happened, who decided it and why, and where that left the goal."""
    by = f" — by {moment.by}" if moment.by else ""
    said = moment.reason in moment.text  # a stop says why by itself
    reason = f": {moment.reason}" if moment.reason and not said else ""
    moved = f" [{moment.status}]" if with_status and moment.status != moment.was else ""
    return f"{moment.text}{by}{reason}{moved}"


def say_took(moment: MomentView) -> str:
    """Return how long what ended here had taken, or else how long nothing had happened."""
    if moment.took_ms is not None:
        return say_ms(moment.took_ms)
    return f"+{say_ms(moment.gap_ms)}" if moment.gap_ms >= LEAST else ""


def say_time(at: datetime) -> str:
    """Return a time as everybody reads it, wherever they are."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def say_ms(ms: int) -> str:
    """Return a length of time in the unit that fits."""
    tenths = ms // 100
    minutes, seconds = divmod(tenths // 10, 60)
    if minutes == 0:
        return f"{tenths / 10:.1f} s"
    return f"{minutes} min {seconds} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
