"""Where the harnesses work: on a file system in memory, with a process that forks and a tracer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.editors.tools import install_packages, open_cache
from tests.torture.forks import Forks

MEMORY = Path("/dev/shm")


@pytest.fixture
def memory() -> Iterator[Path]:
    """Give a folder in memory, where waiting for the disk is quick."""
    with TemporaryDirectory(prefix="goalproof-", dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Give the process that forks."""
    with TemporaryDirectory(prefix="gp-") as name:  # a socket's path has to be short
        opened = Forks(Path(name))
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def strace() -> None:
    """Have strace, or fail."""
    with open_cache():
        install_packages({"strace": "strace"})
