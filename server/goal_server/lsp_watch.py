"""The server does not outlive its client, whatever is stuck."""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

log = logging.getLogger(__name__)

LAST_WORDS = 0.5
"""Seconds to write the log."""
LOOK = 1.0
"""Seconds between two looks at the client's process, where the system cannot tell of its end."""


class Watchdog:
    """Ends the process once its time is over, also when a thread never comes back."""

    def __init__(self, code: Callable[[], int]) -> None:
        self._code = code

    def arm(self, seconds: float) -> None:
        """End the process in `seconds` at the latest; of several times the first counts."""
        timer = threading.Timer(seconds, self._bite)
        timer.daemon = True
        timer.start()

    def _bite(self) -> None:
        words = threading.Thread(target=say_what_happened, daemon=True)  # that may hang as well
        with suppress(RuntimeError):  # Python 3.12 begins no thread once it has begun to end
            words.start()
            words.join(LAST_WORDS)
        os._exit(self._code())


def say_what_happened() -> None:
    """Log that the process ends by force, and write the log out."""
    log.warning("something is stuck; the server ends without it")
    logging.shutdown()


def watch_signals(numbers: Iterable[signal.Signals], come: Callable[[], None]) -> None:
    """Call `come` from a thread once one of these signals has come.

    The interpreter runs a handler in the main thread, between two of its steps: one that comes
    just before the thread begins to wait for something is not seen until that is over.  The byte
    that the system's own handler writes is.
    """
    wanted = set(numbers)
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    for number in wanted:
        signal.signal(number, lambda *_: None)

    def watch() -> None:
        while not wanted.intersection(os.read(ours, 1)):
            pass
        come()

    threading.Thread(target=watch, name="signals", daemon=True).start()


def watch_process(pid: int, dead: Callable[[], None]) -> bool:
    """Call `dead` from a thread once a process has ended; `False` when it cannot be seen from here.

    A client in another container names a process that this one does not know (deno#22012).
    """
    wait = make_wait(pid)
    if wait is None:
        log.info("the client's process is not visible here and is not watched")
        return False

    def watch() -> None:
        wait()
        dead()

    threading.Thread(target=watch, name="parent", daemon=True).start()
    return True


def make_wait(pid: int) -> Callable[[], None] | None:
    """Return what returns when a process has ended, by the best means of the system."""
    if pid <= 0 or not is_alive(pid):
        return None
    with suppress(OSError):
        if sys.platform == "linux":
            return _by_pidfd(pid)
        if sys.platform == "darwin":
            return _by_kqueue(pid)
    return lambda: wait_by_looking(pid)


def wait_by_looking(pid: int) -> None:
    """Return when there is no such process any more."""
    pause = threading.Event()
    while is_alive(pid):
        pause.wait(LOOK)


def is_alive(pid: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _by_pidfd(pid: int) -> Callable[[], None]:
    descriptor = os.pidfd_open(pid)  # Linux 5.3

    def wait() -> None:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll()
        os.close(descriptor)

    return wait


if sys.platform == "darwin":

    def _by_kqueue(pid: int) -> Callable[[], None]:
        queue = select.kqueue()
        event = select.kevent(
            pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD | select.KQ_EV_ONESHOT, select.KQ_NOTE_EXIT
        )
        queue.control([event], 0)

        def wait() -> None:
            queue.control(None, 1)
            queue.close()

        return wait
