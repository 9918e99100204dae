"""What it costs to find the gates of a monorepo: its names and few of its contents."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from goal_engine.gates.choose import choose_gates
from goal_engine.gates.detection.detect import detect
from goal_engine.gates.detection.project import Tools, is_read
from tests.bench.graph import least_ms
from tests.bench.table import Row

FILES = 10_000
PROJECTS = 40


def a_monorepo() -> dict[str, str]:
    """Return files of forty projects, Python's, Node's and Go's, and what git has of others."""
    package = json.dumps({"scripts": {"test": "node --test", "lint": "eslint ."}})
    files = {"package.json": json.dumps({"scripts": {"test": "turbo run test"}}), "ruff.toml": ""}
    for number in range(PROJECTS):
        folder = f"services/s{number}"
        marker, text = (
            ("pyproject.toml", "[tool.pytest.ini_options]\n"),
            ("package.json", package),
            ("go.mod", f"module example.org/s{number}\n"),
        )[number % 3]
        files[f"{folder}/{marker}"] = text
        files[f"{folder}/tests/test_a.py"] = ""
    for number in range(FILES - len(files)):
        files[f"services/s{number % PROJECTS}/src/p{number % 17}/m{number}.ts"] = ""
    return files


def measure_detection() -> Iterator[Row]:
    """Time the choice alone, and with reading the checkout and asking its Python."""
    files = a_monorepo()
    content = {name: text.encode() if is_read(name) else None for name, text in files.items()}
    found = detect(content, Tools(lambda tool: True))
    assert len(found.gates) > 10, found
    yield Row(
        "gates of 10k files: the choice alone",
        least_ms(lambda: detect(content, Tools(lambda tool: True))),
        150,
        "ms",
        f"{PROJECTS} projects, least of 5",
    )
    with TemporaryDirectory(prefix="goalproof-bench-") as name:
        os.environ["GOALPROOF_STATE_DIR"] = str(Path(name) / "state")
        checkout = Path(name) / "project"
        for path, text in files.items():
            (checkout / path).parent.mkdir(parents=True, exist_ok=True)
            (checkout / path).write_text(text)
        yield Row(
            "gates of 10k files: with all that is asked",
            least_ms(lambda: choose_gates(checkout, files)),
            None,
            "ms",
            "two starts of the person's Python are most of it",
        )
