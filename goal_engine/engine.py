"""The composition root: builds the ports for one workspace and holds what is open."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from threading import Lock

from goal_engine.binding import Binding
from goal_engine.dispatch.tasks.team import LocalTeamRunner
from goal_engine.errors import NotAdopted, RepositoryUnusable
from goal_engine.gates.choose import GateChoice, choose_gates
from goal_engine.gates.trust import Trust
from goal_engine.ports import Ports
from goal_engine.runtime.anchors import Anchors
from goal_engine.runtime.atomic import sweep_left
from goal_engine.runtime.binding import Home, adopt
from goal_engine.runtime.clock import SystemClock
from goal_engine.runtime.config import FOLDER
from goal_engine.runtime.filesystems import read_warning
from goal_engine.runtime.repository import (
    EvidenceRepository,
    read_checkout,
)
from goal_engine.runtime.repository import (
    create_sample_repository as create_sample_repository,
)
from goal_engine.state.events import JournalEntry
from goal_engine.state.journal import Stamp
from goal_engine.state.model import GoalState
from goal_engine.state.persistence import FileSystemGoalStateStore, closed
from goal_engine.types import GoalId
from goal_engine.workers.acp_worker import AcpWorker
from goal_engine.workers.agents import read_agents
from goal_engine.workers.cli import CliWorker
from goal_engine.workers.manual import ManualWorker
from goal_engine.workers.recipe import RecipeWorker
from goal_engine.workers.wire_worker import WireWorker

Subscriber = Callable[[GoalState, JournalEntry], None]
log = logging.getLogger(__name__)


class SystemIds:
    """Chance, from the operating system."""

    def entropy(self) -> int:
        """Return 32 random bits."""
        return secrets.randbits(32)


class Engine:
    """One workspace's ports and subscribers.  Opening it runs no git and nothing of the workspace."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self._subscribers: list[Subscriber] = []
        self._repository: EvidenceRepository | None = None
        self._opening = Lock()
        self._closed = False
        self.home = Home(checkout)
        """Whose the goals here are."""
        self._store = FileSystemGoalStateStore(
            checkout / ".goalproof", Anchors(self.home.find_anchors), self.home.check
        )
        ids = SystemIds()
        self.ports = Ports(
            store=self._store,
            clock=SystemClock(),
            ids=ids,
            checkout=checkout,
            find_state_dir=lambda: self.state_dir,
            open_repository=self._open_repository,
            workers={
                "recipe": RecipeWorker(),
                "acp": AcpWorker(read_agents, checkout),
                "wire": WireWorker(read_agents, checkout, ids),
                "cli": CliWorker(read_agents, checkout),
                "manual": ManualWorker(),
            },
            publish=self._publish,
            team=LocalTeamRunner(),
        )

    @property
    def state_dir(self) -> Path:
        """What belongs to the workspace but is out of its reach; made when first asked for.

        Where goals can only be looked at nothing is made.
        """
        return self.home.state_dir()

    @cached_property
    def place_warning(self) -> str:
        """Why goals are not safe where the checkout is; empty where they are."""
        return read_warning(self.checkout)

    async def adopt(self, by: str) -> Binding:
        """Let goals be made here although the store came from another place; return what it was.

        `by` is whose word that is: it is remembered.  Raises `StoreUnwritable`.
        """
        return await asyncio.to_thread(adopt, self.checkout, by, self.ports.clock.now())

    @property
    def trust(self) -> Trust:
        """What the person approved here."""
        return Trust(self.state_dir, self.checkout)

    @classmethod
    def open(cls, path: Path) -> Engine:
        """Return the engine of the repository that `path` is in.  Raises `RepositoryUnusable`."""
        return cls(find_root(path))

    async def choose_gates(self) -> GateChoice:
        """Return the gates a goal would get now.  Asks the person's interpreter what it has."""
        return await asyncio.to_thread(self._choose_gates)

    def _choose_gates(self) -> GateChoice:
        head = read_checkout(self.checkout)
        return choose_gates(self.checkout, self._open_repository().list_files(head.tree))

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Tell `subscriber` of every change made through these ports; return how to stop that."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    async def mark_goals(self, goals: Iterable[GoalId], newest: int) -> dict[GoalId, Stamp]:
        """Return something for each of `goals`, and of the `newest`, that differs once it changes."""
        return await self._store.mark(goals, newest)

    def close(self) -> None:
        """Let go of what is open."""
        with self._opening:
            self._closed = True
            if self._repository is not None:
                self._repository.close()
        self._store.close()

    def _publish(self, state: GoalState, entry: JournalEntry) -> None:
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(state, entry)
            except Exception:  # one of the three boundaries: a subscriber stops nobody else
                log.exception("a subscriber failed on %s", entry.cause)

    def _open_repository(self) -> EvidenceRepository:
        with self._opening:
            if self._closed:
                raise closed(self.checkout)
            path = (self.state_dir / "evidence").absolute()
            if self._repository is not None and self._repository.path != path:
                self._repository.close()  # adopted meanwhile, under an id of its own
                self._repository = None
            if self._repository is None:
                self._repository = self._open_at(path)
            return self._repository

    def _open_at(self, path: Path) -> EvidenceRepository:
        """A moved checkout is where its objects are now; another's repository stays as it is."""
        status, (binding, _) = read_checkout(self.checkout), self.home.look()
        if binding.writes or binding is Binding.MOVED:
            repository = EvidenceRepository.open(path, status.git_dir)
            repository.sweep()
            sweep_left(self.checkout / FOLDER / "objects")
            return repository
        found = EvidenceRepository.open_to_read(path, status.git_dir)
        if found is None:
            raise NotAdopted(
                f"What these goals changed is in their proofs alone. {self.home.problem}"
            )
        return found


def find_root(path: Path) -> Path:
    """Return the root of the working tree that `path` is in, without asking git.

    Raises `RepositoryUnusable`, also for what cannot be looked at.
    """
    try:
        return _find_root(path)
    except (OSError, RuntimeError, ValueError) as error:  # `resolve` raises all three
        why = error.strerror if isinstance(error, OSError) else error
        raise RepositoryUnusable(
            f"{path} cannot be looked at ({why}); give the checkout to work on with `-C`."
        ) from error


def _find_root(path: Path) -> Path:
    start = path.resolve()
    if not start.is_dir():
        raise RepositoryUnusable(f"{path} is no folder; give the checkout to work on with `-C`.")
    for folder in (start, *start.parents):
        if (folder / ".git").exists():
            return folder
    if (start / "HEAD").is_file() and (start / "objects").is_dir():
        raise RepositoryUnusable(
            f"{path} is a bare repository: clone it and give the clone with `-C`."
        )
    raise RepositoryUnusable(
        f"{path} is not in a git repository: `git init` and commit there, or give another folder "
        "with `-C`."
    )
