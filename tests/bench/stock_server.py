"""The least that pygls can be: what a start and a round trip are compared with."""

from __future__ import annotations

from pygls.lsp.server import LanguageServer

if __name__ == "__main__":
    server = LanguageServer("stock", "1")

    @server.command("bench.noop")
    async def noop(ls: LanguageServer) -> None:
        """Do nothing."""

    server.start_io()
