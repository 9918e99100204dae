"""How a refusal travels: typed, readable, and without a path or a traceback of ours."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import TypeVar

from pygls.exceptions import JsonRpcException

from goal_engine.errors import GatesNotApproved, GoalError
from goal_server.lsp_protocol import INTERNAL, REQUEST_FAILED
from goal_server.plain import plain_line

log = logging.getLogger(__name__)
T = TypeVar("T")


async def guarded(work: Awaitable[T]) -> T:
    """Await `work` and turn what it raises into errors of the protocol."""
    try:
        return await work
    except GoalError as error:
        paragraph = plain_line(error.paragraph)
        told: dict[str, object] = {"class": type(error).__name__, "message": paragraph}
        if isinstance(error, GatesNotApproved):
            told["gates"] = error.gates
        raise JsonRpcException(paragraph, REQUEST_FAILED, told) from None
    except JsonRpcException:
        raise
    except Exception as error:  # one of the three boundaries: a request
        log.exception("a request failed")
        message = f"An internal fault ({type(error).__name__}); the server's log has more."
        raise JsonRpcException(message, INTERNAL) from None
