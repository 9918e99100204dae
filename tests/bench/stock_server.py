"""The least that pygls can be: what a start is compared with."""

from __future__ import annotations

from pygls.lsp.server import LanguageServer

if __name__ == "__main__":
    LanguageServer("stock", "1").start_io()
