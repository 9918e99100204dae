"""Times from the start of a real process: to its first answer, or to its end."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import IO, Any

from tests.bench.table import Row

RUNS = 11
STOCK = (sys.executable, str(Path(__file__).with_name("stock_server.py")))
OURS = (sys.executable, "-m", "goal_server", "lsp")
GOALPROOF = str(Path(sys.executable).with_name("goalproof"))
DEMO_SECONDS = 15


def measure_initialize() -> Iterator[Row]:
    """Compare start → initialize response with the stock server, in turns."""
    ours, stock = [], []
    for run in range(RUNS + 1):
        pair = initialize(OURS), initialize(STOCK)
        if run:  # the first one writes byte code
            ours.append(pair[0] * 1000)
            stock.append(pair[1] * 1000)
    note = f"{median(ours):.0f} ms against {median(stock):.0f} ms, medians of {RUNS} in turns"
    yield Row("start → initialize / stock pygls", median(ours) / median(stock), 1.25, "×", note)


def initialize(argv: Sequence[str]) -> float:
    """Return the seconds until a server has answered `initialize`."""
    folder = Path(__file__).parent.as_uri()
    params = {"processId": os.getpid(), "rootUri": folder, "capabilities": {}}
    begun = perf_counter()
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin and server.stdout
        try:
            ask(server.stdin, {"id": 1, "method": "initialize", "params": params})
            answer = read_answer(server.stdout)
            taken = perf_counter() - begun
            if "result" not in answer:
                raise RuntimeError(f"{' '.join(argv)} refused to initialize: {answer}")
            ask(server.stdin, {"method": "initialized", "params": {}})
            ask(server.stdin, {"id": 2, "method": "shutdown"})
            read_answer(server.stdout)
            ask(server.stdin, {"method": "exit"})
            server.wait(10)
        finally:
            server.kill()
    return taken


def ask(stream: IO[bytes], message: dict[str, Any]) -> None:
    """Send a message."""
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    stream.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    stream.flush()


def read_answer(stream: IO[bytes]) -> dict[str, Any]:
    """Return the next message that answers a request."""
    while True:
        length = 0
        while (line := stream.readline().strip()) or not length:
            if not line:
                raise RuntimeError("the server ended without an answer")
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        message: dict[str, Any] = json.loads(stream.read(length))
        if "id" in message and "method" not in message:
            return message


def measure_help() -> Iterator[Row]:
    """Compare the CPU time of `goalproof --help` with Python's own, in turns."""
    asked, nothing = [], []
    for _ in range(RUNS):
        asked.append(cpu_ms([GOALPROOF, "--help"]))
        nothing.append(cpu_ms([sys.executable, "-c", "pass"]))
    note = f"{min(asked):.0f} ms against {min(nothing):.0f} ms of CPU, least of {RUNS}"
    yield Row("goalproof --help over python", min(asked) - min(nothing), 150, "ms", note)


def cpu_ms(argv: Sequence[str]) -> float:
    """Return the CPU time, user and system, of a command, in ms."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure_demo() -> Iterator[Row]:
    """Time `goalproof demo --json`."""
    begun = perf_counter()
    subprocess.run([GOALPROOF, "demo", "--json"], check=True, stdout=subprocess.DEVNULL)
    yield Row("goalproof demo", perf_counter() - begun, DEMO_SECONDS, "s", "one run, wall time")
