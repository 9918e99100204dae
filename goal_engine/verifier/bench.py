"""Brings together what is needed to work on one goal."""

from __future__ import annotations

from goal_engine.errors import StoreUnwritable
from goal_engine.ports import Ports
from goal_engine.runtime.config import state_dir
from goal_engine.runtime.environment import find_environment
from goal_engine.runtime.personal import read_personal_settings
from goal_engine.runtime.port_ranges import PORTS
from goal_engine.runtime.redacting import find_redactor
from goal_engine.runtime.running import Running
from goal_engine.runtime.sandbox import find_sandbox
from goal_engine.runtime.set_ups import SET_UPS, SetUps
from goal_engine.runtime.signing_key import read_signing_seed
from goal_engine.runtime.submodules import Submodules
from goal_engine.state.model import GoalState
from goal_engine.takeover import running_folder, workspaces_folder
from goal_engine.workers.agents import find_logins
from goal_engine.worktree import Workbench, check_own


def open_bench(ports: Ports, state: GoalState) -> Workbench:
    """Return what is needed to work on a goal that was made here.

    Raises `NotPossibleNow` for any other, `BadConfiguration` where the person's settings cannot be
    used, and what is raised when git or its tools are missing.
    """
    repository = ports.open_repository()
    check_own(repository, state)
    base, copies = state.created.base_tree, state.created.copies
    files = repository.list_files(base) if copies else ()
    settings = read_personal_settings()
    return Workbench(
        repository=repository,
        base=base,
        tracked=frozenset(files),
        checkout=ports.checkout,
        state_dir=ports.find_state_dir(),
        folder=workspaces_folder(ports.find_state_dir(), state.goal_id),
        user=find_environment(ports.checkout, state.created.python),
        goal_id=state.goal_id,
        author=state.created.author,
        copies=copies,
        large=repository.find_large_files(base, ports.checkout).pointers,
        submodules=Submodules.of(repository, base, ports.checkout, ports.find_state_dir()),
        setup=state.created.setup,
        kept=_open_set_ups(ports, state),
        ports=state_dir() / PORTS,
        redactor=find_redactor(),
        running=Running(running_folder(ports.find_state_dir(), state.goal_id)),
        sandbox=find_sandbox(settings),
        permissions=settings.find_permissions(
            state.policy.permissions, state.policy.permissions_deny
        ),
        logins=find_logins(),
    )


def _open_set_ups(ports: Ports, state: GoalState) -> SetUps | None:
    if not state.created.setup or not state.created.keeps_setup:
        return None
    try:
        seed = read_signing_seed()
    except StoreUnwritable:
        return None
    return SetUps(ports.find_state_dir() / SET_UPS, seed, ports.clock.now)
