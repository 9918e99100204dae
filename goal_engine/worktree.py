"""Where a goal's work happens: clean workspaces outside the checkout, gone when they are left.

A person's folder is the exception: it lies elsewhere, and goes only once its tree is the goal's.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import platform
import shlex
import shutil
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from time import perf_counter
from typing import Literal

from goal_engine.errors import (
    EnvironmentUnusable,
    GoalAmbiguous,
    GoalError,
    GoalNotFound,
    NotPossibleNow,
    RepositoryUnusable,
    ToolMissing,
)
from goal_engine.evidence import GoalGitEvidence
from goal_engine.installers import OWN_CACHES, find_read
from goal_engine.permission import Permissions, Presence
from goal_engine.redaction import Redactor
from goal_engine.runtime.belongings import Belongings
from goal_engine.runtime.cargo import view_cargo
from goal_engine.runtime.door import Door
from goal_engine.runtime.environment import (
    Environment,
    UserEnvironment,
    ms_since,
    probe_origin,
    view_environment,
)
from goal_engine.runtime.go_cache import SEED, find_go_cache, keep_go_cache, seed_go_cache
from goal_engine.runtime.inside import LeadsOut, copy_inside
from goal_engine.runtime.large_files import Pointer, describe_absent
from goal_engine.runtime.leftovers import forget, own
from goal_engine.runtime.port_ranges import lease_ports, render_ports
from goal_engine.runtime.process import clean_environment, run_process
from goal_engine.runtime.redacting import redacting
from goal_engine.runtime.repository import (
    BranchNews,
    EvidenceRepository,
    has_history,
    read_news,
)
from goal_engine.runtime.room import Fit, find_free, fit_in
from goal_engine.runtime.running import Ended, Running
from goal_engine.runtime.sandbox import (
    GATE,
    NO_SANDBOX,
    REMEDY,
    SETUP,
    Ground,
    Profile,
    Sandbox,
    confine,
    find_hidden,
    find_objects,
    find_own,
)
from goal_engine.runtime.set_ups import (
    SetUps,
    digest,
    digest_file,
    find_key,
    identify_program,
    look,
)
from goal_engine.runtime.storage import find_left, read_storage_policy
from goal_engine.runtime.submodules import Submodules, describe_views, list_touched
from goal_engine.runtime.threads import in_thread
from goal_engine.seeding import SeedingPart
from goal_engine.state.model import GoalState, TaskState
from goal_engine.state.store import GoalStateStore
from goal_engine.takeover import DESKS, sessions_folder
from goal_engine.types import GoalId, Person

SETUP_SECONDS = 1800.0
"""After which a set-up command is killed."""
OTHERS = "; with a gate's rights and not kept, as the tree is not the one that the goal began with"
"""What is said of set-up commands that ran on what a worker may have changed."""
LINES_SHOWN = 12
"""Lines of a failed one's output that are quoted."""


def task_folder(state_dir: Path, goal_id: GoalId, task: str) -> Path:
    """Return where the person's folder of a task is, whether or not there is one now.

    Never taken from a journal, which lies in the reach of the repository.
    """
    return state_dir / DESKS / goal_id / task


def name_base(moves: int) -> str:
    """Return as what the base is kept that a goal has after so many moves."""
    return f"base-{moves + 1}" if moves else "base"


def check_own(repository: EvidenceRepository, state: GoalState) -> None:
    """Raise `NotPossibleNow` for a goal that was not made here: nothing that its journal says was seen.

    A journal lies in the reach of the repository and may have come along with it: what a stranger
    wrote there nobody's key may vouch for, nothing of it runs and nothing of it is delivered.
    """
    names = {name_base(0): state.moves[0].from_commit} if state.moves else {}
    names[name_base(len(state.moves))] = state.created.base_commit
    if any(repository.find_kept(state.goal_id, name) != kept for name, kept in names.items()):
        raise NotPossibleNow(
            f"{state.goal_id} was not worked on in this checkout on this machine, so nothing that its "
            "journal says was seen here; `run` what it asks for as a goal of your own."
        )


@dataclass(slots=True)
class Standing:
    """A workspace that stands, or a person's folder that is in use."""

    variables: Mapping[str, str]
    """What everything that runs there is told beside its environment: its ports."""
    seeding: tuple[SeedingPart, ...] = ()
    fresh: bool = True
    """Whether it is as it was made: nobody worked in it yet."""


@dataclass(frozen=True, slots=True)
class SetUp:
    """What the set-up commands came to in one workspace."""

    places: tuple[str, ...]
    """Paths of what they made, which is no part of a result."""
    how: Literal["ran", "kept"] = "ran"
    said: str = ""
    """What became of what they made, the same for all workspaces that it is made for."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Where they put what gates need as well."""


@dataclass(frozen=True, slots=True)
class Workbench:
    """What is needed to work on one goal: its repository, its folder and the person's tools."""

    repository: EvidenceRepository
    checkout: Path
    state_dir: Path
    """What belongs to the workspace but lies outside it; persons' folders are there."""
    folder: Path
    """Holds the other workspaces; made when first needed."""
    user: UserEnvironment
    goal_id: GoalId
    author: Person
    copies: tuple[str, ...] = ()
    """Globs of untracked files that the gates need."""
    setup: tuple[tuple[str, ...], ...] = ()
    """Commands that make a workspace ready, in each one anew."""
    first: Path | None = None
    """A folder of programs that comes before those of the person's PATH."""
    door: Door = field(default_factory=Door)
    """Where each step of the work goes in."""
    redactor: Redactor = Redactor()
    """Hides the person's secrets in what commands print."""
    running: Running | None = None
    """Keeps a record of what runs in the workspaces, where somebody would have to end it."""
    submodules: Submodules | None = None
    """Those of the base, whose files gates may need."""
    large: Mapping[str, Pointer] = field(default_factory=dict)
    """What Git LFS keeps of the base, by the names that the checkout has it under."""
    base: str = ""
    """The tree that the goal began with: the person's.  On others set-up commands have a gate's rights."""
    tracked: frozenset[str] = frozenset()
    """Paths of the base: what is tracked is never copied, or a deleted file would come back."""
    ports: Path | None = None
    """Has the locks of the ranges of ports; no workspace gets one without it."""
    kept: SetUps | None = None
    """Where what the set-up commands make is kept for the next workspace."""
    making: dict[str, asyncio.Lock] = field(default_factory=dict, repr=False)
    """The set-ups under way: of several workspaces that need the same, one makes it."""
    sound: set[tuple[str, ...]] = field(default_factory=set, repr=False)
    """The commits, each with a view, in which it was seen that nothing comes from outside."""
    standing: dict[Path, Standing] = field(default_factory=dict, repr=False)
    """What is known of the workspaces that stand now."""
    sandbox: Sandbox = NO_SANDBOX
    """What everything that is not the person's own runs in."""
    permissions: Permissions = Permissions()
    """What agents may do without asking a person."""
    presence: Presence = field(default_factory=Presence)
    """Whether one seems to be there."""
    logins: tuple[Path, ...] = ()
    """Where agents keep their logins, which nobody else is to see."""

    def find_fit(self, tree: str, wanted: int) -> Fit:
        """Return for how many workspaces of `tree` there is room, and why not for all; blocking.

        What environments and workers add is not known before.  Raises `BadConfiguration`.
        """
        each = self.repository.estimate_size(tree)
        left = find_left(read_storage_policy())
        return fit_in(wanted, each, find_free(self.folder), left)

    def as_runner(self) -> AbstractContextManager[None]:
        """Record, as long as it lasts, that this process works on the goal."""
        return self.running.as_runner() if self.running else nullcontext()

    @property
    def stopped(self) -> Ended:
        """What was ended because somebody wanted the end."""
        return self.running.stopped if self.running else Ended()

    @asynccontextmanager
    async def workspace(self, name: str, commit: str) -> AsyncIterator[Path]:
        """Make a workspace of `commit` and remove it with all that was made in it."""
        path = self.folder / name
        await in_thread(own, self.folder)
        await in_thread(self._clear, path)
        with self._stands(path) as standing:
            try:
                begun = perf_counter()
                await in_thread(self.repository.make_workspace, path, commit)
                standing.seeding = (SeedingPart(part="files", ms=ms_since(begun)),)
                yield path
            finally:
                await asyncio.shield(in_thread(self._clear, path))

    @asynccontextmanager
    async def desk(self, name: str, commit: str, *, again: bool) -> AsyncIterator[Path]:
        """Give a person's folder for a task: made of `commit`, or, `again`, as they left it."""
        path = task_folder(self.state_dir, self.goal_id, name)
        if not (again and path.is_dir()):
            await in_thread(self._clear, path)
            await in_thread(self.repository.make_workspace, path, commit)
        with self._stands(path) as standing:
            standing.fresh = not again
            yield path

    @contextmanager
    def _stands(self, path: Path) -> Iterator[Standing]:
        """Know of a workspace as long as it stands, with ports that no other one has."""
        name = f"{path.parent.name}/{path.name}"
        with lease_ports(self.ports, name) if self.ports else nullcontext() as base:
            self.standing[path] = Standing({} if base is None else render_ports(base))
            try:
                yield self.standing[path]
            finally:
                del self.standing[path]

    async def clear_desk(self, name: str) -> None:
        """Remove a person's folder: what was in it is a commit, or nothing of theirs."""
        path = task_folder(self.state_dir, self.goal_id, name)
        await in_thread(remove_workspace, self.repository, path)

    async def environment(
        self, workspace: Path, commit: str, exclude: Sequence[str] = ()
    ) -> Environment:
        """Return a view of the person's environment that judges `workspace`, which is of `commit`.

        The set-up commands have run there then; what they made the last time, in a person's folder,
        is at `exclude`.  Raises `EnvironmentUnusable` when one fails or changes what the commit has.
        """
        view = await in_thread(self._view, workspace, commit)
        view = replace(view, exclude=tuple(dict.fromkeys((*view.exclude, *exclude))))
        view = await self._set_up(workspace, commit, view) if self.setup else view
        if self.sandbox.program is not None:
            await in_thread(seed_go_cache, self.folder / SEED, find_beside(workspace))
        return view

    async def find_strays(
        self, environment: Environment, workspace: Path, commit: str
    ) -> tuple[str, ...]:
        """Return what of the project would come from outside `workspace`; see `probe_origin`.

        The view's Python is asked as a gate would run it: set-up commands may have written to it.  Where
        nobody but us did, and nothing was copied from the checkout, all workspaces of a commit answer
        the same, and the first is asked.
        """
        ours = not (self.setup or self.copies or environment.node_modules)
        known = (commit, environment.key, *sorted(environment.packages))
        if ours and known in self.sound:
            return ()
        sandbox = await in_thread(self.confine, GATE, workspace)
        strays = await probe_origin(environment, sandbox)
        if ours and not strays:
            self.sound.add(known)
        return strays

    def check_sandbox(self) -> None:
        """Raise `ToolMissing` where the person requires a sandbox and there can be none."""
        if problem := self.sandbox.problem:
            raise ToolMissing(f"Nothing was run: {problem}. {REMEDY[0].upper()}{REMEDY[1:]}.")

    def keep_compiled(self, workspace: Path) -> None:
        """Let other workspaces begin with what a gate of the base compiled in this one; blocking."""
        if self.sandbox.program is not None:
            keep_go_cache(find_beside(workspace), self.folder / SEED)

    def confine(
        self,
        profile: Profile,
        workspace: Path,
        *writable: Path,
        sets: Collection[str] = (),
        lent: Belongings = Belongings(),  # noqa: B008 frozen
    ) -> tuple[str, ...]:
        """Return the sandbox of a command in `workspace`, which may also write to `writable`; blocking.

        `sets` are the names of variables that it has a value for, which stays; `lent` is what an agent
        has of its own.
        """
        if self.sandbox.program is None:
            return ()
        user, beside = self.user, find_beside(workspace)
        beside.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = os.environ.get("PATH", os.defpath).split(os.pathsep)
        base = user.base_python.resolve().parent.parent
        python = (user.prefix, base, user.scripts, *user.sites) if user.python else ()
        ground = Ground(
            home=Path.home(),
            checkout=self.checkout,
            hidden=(*find_hidden(), self.state_dir),
            readable=(
                *python,
                *find_objects(self.repository.path / "objects"),
                *map(Path, filter(None, path)),
                *([self.first] if self.first else []),
            ),
            logins=self.logins,
            writable=(workspace, beside, *writable),
            own=find_own(),
            lent=lent,
            go_cache=find_go_cache(beside),
        )
        return confine(self.sandbox, profile, ground, sets)

    def _view(self, workspace: Path, commit: str) -> Environment:
        view = view_environment(self.user, self.checkout, workspace)
        if self.first is not None:
            own, _, rest = view.variables["PATH"].partition(os.pathsep)
            path = os.pathsep.join((own, str(self.first), rest))
            view = replace(view, variables={**view.variables, "PATH": path})
        begun, seeding = perf_counter(), list(view.seeding)
        see = self.repository.view_large_files
        absent = see(workspace, commit, self.checkout, self.large)
        views = self.submodules.view(workspace) if self.submodules is not None else ()
        told = (*describe_views(views), *describe_absent(absent))
        if told:
            key = hashlib.sha256("\0".join((view.key, *told)).encode()).hexdigest()
            view = replace(view, notes=(*view.notes, *told), key=key)
        if views or self.large:
            seeding.append(SeedingPart(part="submodules", ms=ms_since(begun)))
        begun = perf_counter()
        copied = dict(self._copy_wanted(workspace))
        if copied:
            size = sum(copied.values())
            seeding.append(SeedingPart(part="copies", ms=ms_since(begun), bytes=size))
        standing = self.standing.get(workspace) or Standing({})
        cargo = view_cargo(workspace)
        for folder in cargo.values():
            Path(folder).mkdir(parents=True, exist_ok=True)
        return replace(
            view,
            exclude=(*view.exclude, *copied),
            variables={**view.variables, **cargo, **standing.variables},
            seeding=(*standing.seeding, *seeding),
        )

    async def _set_up(self, workspace: Path, commit: str, view: Environment) -> Environment:
        """What the commands make beside the commit's files is never part of a result."""
        begun = perf_counter()
        made = await self._make_ready(workspace, commit, view)
        key = hashlib.sha256(repr((view.key, self.setup)).encode()).hexdigest()
        commands = "; ".join(shlex.join(argv) for argv in self.setup)
        part = SeedingPart(part="set-up", ms=ms_since(begun), how=made.how)
        return replace(
            view,
            exclude=(*view.exclude, *made.places),
            notes=(*view.notes, f"set up with {commands}{made.said}"),
            key=key,
            variables={**view.variables, **made.variables},
            seeding=(*view.seeding, part),
        )

    async def _make_ready(self, workspace: Path, commit: str, view: Environment) -> SetUp:
        """Put what the commands made before into a workspace, or run them and keep what they make.

        Kept is only what was made of the person's own tree, in a workspace that nobody had worked in.
        """
        own = await in_thread(self.repository.tree_of, commit) == self.base
        standing = self.standing.get(workspace)
        if self.kept is None or standing is None or not standing.fresh:
            return await self._run_setup(workspace, commit, view, own=own)
        key = await in_thread(self._find_set_up_key, workspace, commit, view)
        place = workspace.resolve()
        roots = (place, find_beside(place))
        async with self.making.setdefault(key, asyncio.Lock()):
            known = frozenset(await in_thread(self.repository.list_files, commit))
            found = await in_thread(self.kept.fetch, key, roots, known)
            said = f"; what they made is kept as {key[:12]}"
            if found is not None:
                return SetUp(found.places, "kept", said)
            if own:
                before = await in_thread(look, roots)
                made = await self._run_setup(workspace, commit, view, own=True)
                why = await in_thread(self.kept.keep, key, roots, before, made.places)
                return replace(
                    made, said=f"; not kept for the next workspace: {why}" if why else said
                )
        return await self._run_setup(workspace, commit, view, own=False)

    def _find_set_up_key(self, workspace: Path, commit: str, view: Environment) -> str:
        """Return the name of what the commands make of all that can change it."""
        tree, files = self.repository.tree_of(commit), self.repository.list_files(commit)

        def read(path: str) -> bytes | None:
            return self.repository.read_blob(tree, path)

        inputs = find_read(self.setup, files, read)
        inherited = {k: v for k, v in clean_environment().items() if k != "TMPDIR"}
        path = {**inherited, **view.variables}
        return find_key(
            (
                self.setup,
                tree if inputs is None else [(name, digest(read(name))) for name in inputs],
                view.key,
                [(name, digest_file(workspace / name)) for name in view.exclude],
                [identify_program(argv[0], path, workspace) for argv in self.setup],
                sorted(view.variables),
                inherited,
                self.sandbox.program is None,
                platform.platform(),
            )
        )

    async def _run_setup(
        self, workspace: Path, commit: str, view: Environment, *, own: bool
    ) -> SetUp:
        """Run the commands: on the person's `own` tree with what fetches packages, else as a gate runs.

        What they run of a tree is anybody's.  So others' get no registry's login, and caches that are
        this workspace's alone.
        """
        caches = {} if own else await in_thread(_make_caches, workspace)
        before = await in_thread(self.repository.snapshot, workspace, commit, view.exclude)
        log = workspace.with_name(f"{workspace.name}.set-up.log")
        profile = SETUP if own else GATE
        sandbox = await in_thread(partial(self.confine, profile, workspace, sets=caches))
        try:
            for argv in self.setup:
                env = clean_environment({**view.variables, **caches})
                async with redacting(log, self.redactor) as raw:
                    ended = await run_process(
                        argv,
                        cwd=workspace,
                        env=env,
                        log=raw,
                        timeout=SETUP_SECONDS,
                        running=self.running,
                        sandbox=sandbox,
                    )
                if ended.exit_code != 0:
                    said = _say_failed(argv, ended.exit_code, log.read_bytes(), own=own)
                    raise EnvironmentUnusable(said)
        finally:
            log.unlink(missing_ok=True)
        after = await in_thread(self.repository.snapshot, workspace, commit, view.exclude)
        found = await in_thread(self.repository.evidence, before, after)
        known = await in_thread(self.repository.list_files, commit)
        touched = sorted(found.paths & set(known))
        if touched:
            raise EnvironmentUnusable(
                f"The set-up commands changed {', '.join(touched[:5])}, which the repository has: then "
                "gates would judge something else. Take a command that leaves them alone (`npm ci`, "
                "not `npm install`), in goalproof.toml, `[workspace] setup`."
            )
        there = await in_thread(self.repository.list_files, before)
        new = (file.path for file in found.files if file.status in ("A", "C"))
        filled = {name: path for name, path in caches.items() if Path(path).is_dir()}
        places = find_new_places(new, there)
        return SetUp(places, said="" if own else OTHERS, variables=filled)

    def _copy_wanted(self, workspace: Path) -> Iterator[tuple[str, int]]:
        """Copy the untracked files that the configuration says gates need; yield path and size."""
        for glob in self.copies:
            for source in sorted(self.checkout.glob(glob)):
                path = source.relative_to(self.checkout)
                if path.as_posix() in self.tracked or not source.is_file():
                    continue
                try:
                    copy_inside(source, workspace, path)
                except (LeadsOut, FileExistsError, NotADirectoryError):
                    continue  # what the tree has there stays
                yield path.as_posix(), source.stat().st_size

    def log_path(self, name: str) -> Path:
        """Return where a process called `name` writes."""
        return log_file(self.folder, name)

    def sessions_path(self, task: str) -> Path:
        """Return where it is kept what the agent of a task leaves of its sessions."""
        return sessions_folder(self.state_dir, self.goal_id) / task

    def forget_sessions(self, task: str) -> None:
        """Let go of that; blocking."""
        forget(self.sessions_path(task))

    async def keep_log(self, store: GoalStateStore, log: Path) -> str | None:
        """Move a log into the store, if anything was written."""
        if not log.exists():
            return None
        data = await in_thread(log.read_bytes)
        log.unlink()
        return await store.write_object(data) if data else None

    def take_result(
        self,
        workspace: Path,
        name: str,
        base: str,
        environment: Environment,
        *,
        without: tuple[str, ...] = (),
    ) -> tuple[str, GoalGitEvidence]:
        """Return the commit and evidence of what stands in `workspace`, but for paths `without`.

        The same files give the same commit, so that a repeated attempt ends where the first did.
        Raises `RepositoryUnusable` where files of submodules were changed, and as `snapshot` does.
        """
        touched = list_touched(self.repository, workspace)
        if touched:
            raise RepositoryUnusable(
                f"It changed {', '.join(touched[:5])}, which belongs to a submodule: a goal changes "
                "one repository. Change the submodule in a goal of its own, in its own checkout."
            )
        tree = self.repository.snapshot(workspace, base, (*environment.exclude, *without))
        commit = self.commit(tree, base, name)
        self.repository.keep(self.goal_id, f"task-{name}", commit)
        return commit, self.repository.evidence(self.repository.tree_of(base), tree)

    def find_leaks(self, evidence: GoalGitEvidence) -> tuple[str, ...]:
        """Return the changed files that hold a secret of the person's environment and did not before.

        Their own values alone: what only looks like a key is for the review.  Blocking.
        """
        read, has = self.repository.read_blob, self.redactor.has_value
        return tuple(
            file.path
            for file in (evidence.files if self.redactor.values else ())
            if has(read(evidence.tree, file.path) or b"")
            and not has(read(evidence.base_tree, file.old_path or file.path) or b"")
        )

    def commit(self, tree: str, parent: str, message: str) -> str:
        """Return the commit that has these files on top of `parent`."""
        return self.repository.commit(
            tree, (parent,), author=self.author, at=self.goal_id.created_at, message=message
        )

    def read_news(self, base: str, branch: str | None) -> BranchNews | None:
        """Return where the person's branch stands, `None` where that is `base`; blocking."""
        return read_news(self.checkout, base, branch)

    def clear(self) -> None:
        """Remove every workspace of the goal."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _clear(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        remove_workspace(self.repository, path)


def _make_caches(workspace: Path) -> dict[str, str]:
    """Return where package managers keep what they fetch for one workspace, for as long as it stands."""
    folder = find_beside(workspace) / "caches"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return {variable: str(folder / name) for variable, name in OWN_CACHES.items()}


def _say_failed(argv: Sequence[str], code: int | None, output: bytes, *, own: bool) -> str:
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines()]
    said = " | ".join([line for line in lines if line][-LINES_SHOWN:])[-800:] or "nothing"
    how = f"was killed after {SETUP_SECONDS:g} s" if code is None else f"ended with {code}"
    others = (
        "It ran without the logins of registries and with empty caches, as the tree is not the one that "
        "the goal began with; what `npm ci --ignore-scripts` and its like make there is kept and used "
        "while their lock file stays as it is. "
    )
    return (
        f"The set-up command `{shlex.join(argv)}` {how}; its last words: {said}. "
        f"{'' if own else others}Repair that, or correct `[workspace] setup` in goalproof.toml and make "
        "the goal anew."
    )


def find_new_places(made: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Return the fewest paths that have all of `made` and none of `known`."""
    folders = {str(parent) for path in known for parent in PurePosixPath(path).parents}
    places = set()
    for path in made:
        above = [str(parent) for parent in PurePosixPath(path).parents]
        new = [folder for folder in above if folder not in folders and folder != "."]
        places.add(new[-1] if new else path)
    return tuple(sorted(places))


def find_beside(workspace: Path) -> Path:
    """Return the folder beside a workspace that has what is its own and no part of its files."""
    return workspace.with_name(f"{workspace.name}.env")


def remove_workspace(repository: EvidenceRepository, path: Path) -> None:
    """Remove a workspace and the environment beside it; blocking."""
    for left in (path, find_beside(path)):
        if left.exists():
            repository.remove_workspace(left)


def find_folders(find_state_dir: Callable[[], Path], state: GoalState) -> dict[str, Path]:
    """Return the persons' folders that a goal has, by task."""
    named = [name for name, task in state.tasks.items() if task.folder is not None]
    places = {name: task_folder(find_state_dir(), state.goal_id, name) for name in named}
    return {name: path for name, path in places.items() if path.is_dir()}


def find_kept(
    repository: EvidenceRepository, folders: Mapping[str, Path], state: GoalState
) -> tuple[str, ...]:
    """Return the tasks whose folders hold what the tree they were made of does not; blocking.

    In doubt a folder counts as somebody's work.
    """

    def is_worked_in(path: Path, task: TaskState) -> bool:
        if task.base is None:
            return True
        try:
            tree = repository.snapshot(path, task.base, task.exclude)
            changed = tree != repository.tree_of(task.base) or has_history(path, task.base)
            return changed or bool(list_touched(repository, path))
        except (GoalError, OSError):
            return True

    return tuple(name for name, path in folders.items() if is_worked_in(path, state.tasks[name]))


def log_file(folder: Path, name: str) -> Path:
    """Return where a process called `name` writes, of the goal whose workspaces are in `folder`."""
    return folder / f"{name}.log"


def name_consultation(about: str) -> str:
    """Return what the workspace and the log of an agent are called that is asked for something."""
    return f"{about}.agent"  # no task's id has a dot


def choose_folder(state: GoalState, find_state_dir: Callable[[], Path], task: str | None) -> Path:
    """Return the person's folder of a task; `None` is the only one that has one.

    Raises `GoalNotFound`, and `GoalAmbiguous` where there are several.
    """
    there = find_folders(find_state_dir, state)
    if task is None and len(there) > 1:
        raise GoalAmbiguous(
            f"Several tasks of {state.goal_id} wait for you: {', '.join(there)}. Say which one to "
            "open (`--task NAME`)."
        )
    name = next(iter(there), None) if task is None else task
    if name is None or name not in there:
        which = "no task" if task is None else f"task {task[:80]!r} is none that"
        raise GoalNotFound(
            f"In {state.goal_id}, {which} waits for you, so there is no folder to open; waiting: "
            f"{', '.join(there) or 'none'}."
        )
    return there[name]
