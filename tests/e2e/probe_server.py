"""A server with handlers that do what handlers should not, on our protocol or on stock pygls."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from goal_server import lsp_protocol
from goal_server.lsp import make_server
from goal_server.lsp_log import set_up_logs
from goal_server.lsp_serve import serve

LEAVING = 0.5
"""Seconds in which what runs is put away."""
ASKING = 0.5
"""Seconds that the client has to answer."""
TICKS = 40


class Slow:
    """Work that can be seen to go on."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server
        self.over = "never begun"

    async def work(self) -> str:
        self.over = "runs"
        try:
            for tick in range(TICKS):
                self._server.protocol.notify("probe/tick", {"tick": tick})
                await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            self.over = "cancelled"
            raise
        self.over = "done"
        return self.over


def add_probes(server: LanguageServer) -> Slow:
    """Register what the conformance table asks for."""
    slow = Slow(server)

    @server.feature("probe/echo")
    async def echo(ls: Any, params: Any) -> Any:
        return params

    @server.feature("probe/slow")
    async def wait(ls: Any, params: Any) -> Any:
        return await slow.work()

    @server.feature("probe/over")
    def over(ls: Any, params: Any) -> str:
        return slow.over

    @server.feature("probe/boom")
    def boom(ls: Any, params: Any) -> None:
        raise ValueError("secret")

    @server.feature("probe/no-json")
    def no_json(ls: Any, params: Any) -> Any:
        return {"it": {1, 2}}

    @server.feature("probe/nan")
    def nan(ls: Any, params: Any) -> float:
        return float("nan")

    @server.feature("probe/block")
    def block(ls: Any, params: Any) -> None:
        server.protocol.notify("probe/blocked", {})
        threading.Event().wait(60)

    @server.feature("probe/deaf")
    def deaf(ls: Any, params: Any) -> None:
        """Wait where no handler of a signal runs: another thread takes it."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        block(ls, params)

    @server.feature("probe/thread")
    @server.thread()
    def thread(ls: Any, params: Any) -> None:
        threading.Event().wait(60)

    @server.feature("probe/print")
    def say(ls: Any, params: Any) -> None:
        sys.stdout.write("this is no LSP\n")
        sys.stdout.flush()

    @server.feature("probe/child")
    def child(ls: Any, params: Any) -> str:
        """A child that writes to its standard output and reads its standard input to the end."""
        code = "import sys; print('this is no LSP', flush=True); sys.stdin.read()"
        subprocess.run([sys.executable, "-c", code], check=True, close_fds=False)
        return "done"

    @server.feature("probe/touch")
    def touch(ls: Any, params: Any) -> None:
        Path(ls.workspace.root_path, "touched").touch()

    @server.feature("probe/flood")
    def flood(ls: Any, params: Any) -> None:
        for rev in range(20_000):
            told = {"goalId": f"goal-{rev % 5}", "rev": rev, "pad": "x" * 2000}
            server.protocol.notify("goal/progress", told)
            if rev % 100 == 0:
                log = types.LogMessageParams(types.MessageType.Log, "x" * 2000)
                server.protocol.notify("window/logMessage", log)

    @server.feature("probe/ask")
    async def ask(ls: Any, params: Any) -> Any:
        try:
            return await server.protocol.send_request_async("probe/question", {})
        except Exception as error:
            return type(error).__name__

    @server.feature("probe/held")
    def held(ls: Any, params: Any) -> int:
        return len(server.protocol._request_futures)

    @server.feature("probe/answer-twice")
    async def answer_twice(ls: Any, params: Any) -> str:
        server.protocol._send_response(server.protocol.msg_id, "first")
        return "second"

    return slow


def serve_stock() -> int:
    """Serve the same on pygls as it is."""
    server = LanguageServer("stock", "1")
    slow = add_probes(server)

    @server.command("probe.slow")
    async def command(ls: Any) -> str:
        return await slow.work()

    @server.command("goal.show")
    def show(ls: Any, given: Any) -> Any:
        return given

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS)
    def lenses(ls: Any, params: types.CodeLensParams) -> list[types.CodeLens]:
        return []

    server.start_io()
    return 0


def serve_ours() -> int:
    """Serve as `goalproof lsp` does, with shorter times."""
    set_up_logs()
    lsp_protocol.PATIENCE = ASKING
    server = make_server()
    slow, run = add_probes(server), server.protocol.run_command

    async def run_command(name: str, arguments: list[Any]) -> Any:
        return await (slow.work() if name == "probe.slow" else run(name, arguments))

    server.protocol.run_command = run_command
    return serve(server, LEAVING)


if __name__ == "__main__":
    sys.exit(serve_stock() if "--stock" in sys.argv else serve_ours())
