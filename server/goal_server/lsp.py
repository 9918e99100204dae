"""The language server: convert in, one engine call, convert out.

Untrusted until the client says otherwise.  A goal outlives the request that started it; `goal/wait`
waits for its end.  The engine works on a thread of its own.
"""

from __future__ import annotations

import asyncio
import getpass
import logging
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer

from goal_engine.errors import GoalError
from goal_server.lsp_progress import Coalescer
from goal_server.lsp_protocol import PROGRESS, TRUST, WAIT, GoalProtocol, serve
from goal_server.registry import OPERATIONS, Operation, find_operation, load

# The engine and its models are imported when they are first used, and warmed once the client has
# its answer to `initialize`: they cost as much to import as pygls itself.
if TYPE_CHECKING:
    from pydantic import ValidationError

    from goal_engine.engine import Engine
    from goal_engine.progress import GoalProgressSnapshot
    from goal_engine.proof.gate import GateSpec
    from goal_engine.state.model import GoalState
    from goal_engine.types import GoalId
    from goal_server.host import EngineHost
    from goal_server.operations import Context

log = logging.getLogger(__name__)

REQUEST_FAILED = -32803
INTERNAL = -32603
RUNNING = "running"
"""The status of a goal that is worked on."""
WARMED = ("goal_server.operations", "goal_server.host", "goal_server.lsp_lenses")
"""Modules that a client's first command needs."""
ROOT = "root"
"""The key that names a workspace beside an operation's own parameters."""


class GoalServer(LanguageServer):
    """One client's server: its trust, its engines and what it is told."""

    protocol: GoalProtocol

    def __init__(self) -> None:
        super().__init__(
            "goalproof",
            version("goalproof"),
            text_document_sync_kind=types.TextDocumentSyncKind.Full,
            protocol_cls=GoalProtocol,
        )
        self.protocol.run_command = self.run_command
        self.protocol.cancel_progress = self.cancel_progress
        self.trusted = False
        self.host: EngineHost | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._coalescer = Coalescer(self._send_progress)
        self._jobs: dict[GoalId, asyncio.Task[Any]] = {}
        self._bars: dict[GoalId, asyncio.Task[str | None]] = {}
        self._held: set[asyncio.Task[Any]] = set()

    # where things are

    def engine_host(self) -> EngineHost:
        """Return the engine's thread, started when first needed."""
        if self.host is None:
            from goal_server.host import EngineHost

            self._loop = asyncio.get_running_loop()
            self.host = EngineHost(self._hear)
        return self.host

    def find_place(self, root: str | None) -> Path:
        """Return the folder that `root` names, or the client's first workspace folder."""
        if root is not None:
            return to_path(root)
        folders = list(self.workspace.folders.values())
        if folders:
            return to_path(folders[0].uri)
        if self.workspace.root_uri:
            return to_path(self.workspace.root_uri)
        raise JsonRpcInvalidParams(f"No workspace is open: name one with `{ROOT}`.")

    def _context(self, engine: Engine) -> Context:
        from goal_server.operations import Context

        def approve(gates: tuple[GateSpec, ...]) -> bool:
            # the client vouches for the workspace, and with it for the gates it has now
            if self.trusted:
                engine.trust.approve(gates)
            return self.trusted

        return Context(
            engine=engine,
            say=lambda line: log.info("%s", line),
            trusted=self.trusted,
            actor=f"{getpass.getuser()} (editor)",
            approve=approve,
        )

    # commands

    async def run_command(self, name: str, arguments: list[Any]) -> Any:
        """Carry out the operation that a command stands for."""
        operation = find_operation(name)
        if operation is None or operation.command != name:
            raise JsonRpcInvalidParams(f"There is no command {name!r}.")
        from pydantic import ValidationError

        given = dict(arguments[0]) if arguments and isinstance(arguments[0], dict) else {}
        if len(arguments) > 1 or (arguments and not isinstance(arguments[0], dict)):
            raise JsonRpcInvalidParams(f"{name} takes one object, with the operation's parameters.")
        root = given.pop(ROOT, None)
        try:
            params = load(operation.params).model_validate(given)
        except ValidationError as error:
            raise invalid(name, error) from error
        work = self._run_long if operation.progress else self._run
        return await guarded(work(operation, params, root))

    async def _run(self, operation: Operation, params: Any, root: str | None) -> Any:
        from goal_server.operations import dispatch

        place, host = self.find_place(root), self.engine_host()

        async def work() -> Any:
            return await dispatch(self._context(host.open(place)), operation, params)

        return to_wire(await host.call(work()))

    async def _run_long(self, operation: Operation, params: Any, root: str | None) -> Any:
        """Start what outlives the request; answer once the goal moves, or with the refusal."""
        from goal_server.operations import dispatch

        place, host = self.find_place(root), self.engine_host()

        async def work() -> Any:
            engine = host.open(place)
            moved: asyncio.Future[GoalId] = asyncio.get_running_loop().create_future()

            def hear(state: GoalState, _: Any) -> None:
                mine = getattr(params, "goal", None)
                if not moved.done() and (mine is None or names(mine, state)):
                    moved.set_result(state.goal_id)

            silence = engine.subscribe(hear)
            job = host.start_job(dispatch(self._context(engine), operation, params))
            try:
                await asyncio.wait({moved, job}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                silence()
            if not moved.done():
                return await job
            goal = moved.result()
            self._jobs[goal] = job
            job.add_done_callback(lambda done: self._end_job(goal, done))
            show = find_operation("show")
            assert show is not None
            shown = load(show.params)(goal=goal)
            return await dispatch(self._context(engine), show, shown)

        return to_wire(await host.call(work()))

    def _end_job(self, goal: GoalId, job: asyncio.Task[Any]) -> None:
        self._jobs.pop(goal, None)
        if not job.cancelled() and (error := job.exception()) is not None:
            log.error("%s ended", goal, exc_info=error)

    async def wait(self, params: Any) -> Any:
        """Return a goal once nothing works on it here; cancelling the request stops only the wait."""
        from goal_engine.queries import resolve_goal
        from goal_server.operations import dispatch

        given = params if isinstance(params, dict) else {}
        goal, root = given.get("goal"), given.get(ROOT)
        if not isinstance(goal, str):
            raise JsonRpcInvalidParams(f"{WAIT} takes the goal's id as `goal`.")
        place, host = self.find_place(root), self.engine_host()

        async def work() -> Any:
            engine = host.open(place)
            state = await resolve_goal(engine.ports, goal)
            job = self._jobs.get(state.goal_id)
            if job is not None:
                await asyncio.wait({job})
            show = find_operation("show")
            assert show is not None
            shown = load(show.params)(goal=state.goal_id)
            return await dispatch(self._context(engine), show, shown)

        return to_wire(await guarded(host.call(work())))

    # progress

    def _hear(self, state: GoalState) -> None:
        """Called on the engine's thread after each append."""
        from goal_engine.progress import render_progress

        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._coalescer.offer, render_progress(state))

    def _send_progress(self, snapshot: GoalProgressSnapshot) -> None:
        self.protocol.notify(PROGRESS, snapshot_to_wire(snapshot))
        goal, runs = snapshot.goal_id, snapshot.status == RUNNING
        if runs and goal not in self._bars and self._can("window.work_done_progress"):
            self._bars[goal] = asyncio.ensure_future(self._begin_bar(snapshot))
        elif goal in self._bars:
            bar = self._bars[goal] if runs else self._bars.pop(goal)
            self._hold(asyncio.ensure_future(self._move_bar(bar, snapshot, ends=not runs)))
        if not runs and self._can("workspace.code_lens.refresh_support"):
            self.workspace_code_lens_refresh(None)

    async def _begin_bar(self, snapshot: GoalProgressSnapshot) -> str | None:
        from goal_server.plain import plain_line

        token = f"goal/{snapshot.goal_id}/{snapshot.rev}"
        try:
            await self.work_done_progress.create_async(token)
        except Exception:  # the client may refuse; the work goes on without a bar
            log.info("the client takes no progress")
            return None
        begin = types.WorkDoneProgressBegin(
            title=plain_line(snapshot.text)[:80],
            cancellable=True,
            percentage=snapshot.percentage,
            message=snapshot.phase,
        )
        self.work_done_progress.begin(token, begin)
        return token

    async def _move_bar(
        self, bar: asyncio.Task[str | None], snapshot: GoalProgressSnapshot, *, ends: bool
    ) -> None:
        token = await bar
        if token is None:
            return
        if ends:
            end = types.WorkDoneProgressEnd(message=str(snapshot.status))
            self.work_done_progress.end(token, end)
            self.work_done_progress.tokens.pop(token, None)
            return
        message = f"{snapshot.phase} {snapshot.done}/{snapshot.total}"
        report = types.WorkDoneProgressReport(
            message=message, percentage=snapshot.percentage, cancellable=True
        )
        self.work_done_progress.report(token, report)

    def cancel_progress(self, token: Any) -> None:
        """Pause the goal whose bar the person cancelled: nothing is lost."""
        from goal_engine.types import GoalId

        parts = str(token).split("/")
        if len(parts) != 3 or self.host is None:
            return
        self._hold(asyncio.ensure_future(self.host.call(self._pause(GoalId(parts[1])))))

    async def _pause(self, goal: GoalId) -> None:
        from goal_engine import control
        from goal_engine.types import Decision

        assert self.host is not None
        decision = Decision(actor=f"{getpass.getuser()} (editor)", reason="stopped in the editor")
        for engine in self.host.engines:
            if goal in [summary.goal_id for summary in await engine.ports.store.list()]:
                await control.pause_goal(engine.ports, goal, decision)

    def _hold(self, task: asyncio.Task[Any]) -> None:
        self._held.add(task)
        task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[Any]) -> None:
        self._held.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("progress: %s", error)

    def _can(self, path: str) -> bool:
        there: Any = self.client_capabilities
        for name in path.split("."):
            there = getattr(there, name, None)
        return bool(there)

    # lenses

    async def lenses(self, uri: str) -> list[types.CodeLens]:
        """Return the lenses of a file; none while the workspace is untrusted."""
        if not self.trusted or urlparse(uri).scheme != "file":
            return []
        from goal_server.lsp_lenses import find_lenses

        buffer, path = self.workspace.get_text_document(uri).source, to_path(uri)
        host = self.engine_host()

        async def work() -> list[types.CodeLens]:
            try:
                engine = host.open(path.parent)
                return await find_lenses(engine, path.resolve(), buffer)
            except GoalError:
                return []

        return await host.call(work())

    async def close(self) -> None:
        """Record a pause for everything that runs and end the engine's thread."""
        if self.host is not None:
            host, self.host = self.host, None
            await host.close()


def make_server() -> GoalServer:
    """Return a server with all its handlers."""
    server = GoalServer()
    for operation in OPERATIONS:
        server.command(operation.command)(_unreached)

    @server.feature(types.INITIALIZE)
    def initialize(ls: GoalServer, params: types.InitializeParams) -> None:
        options = params.initialization_options
        # only an explicit, well-formed yes is trust
        ls.trusted = isinstance(options, dict) and options.get("trusted") is True

    @server.feature(types.INITIALIZED)
    async def initialized(ls: GoalServer, *_: Any) -> None:
        for name in WARMED:
            await asyncio.to_thread(import_module, name)

    @server.feature(types.SHUTDOWN)
    async def shutdown(ls: GoalServer, *_: Any) -> None:
        await ls.close()

    @server.feature(TRUST)
    def change_trust(ls: GoalServer, params: Any) -> None:
        ls.trusted = isinstance(params, dict) and params.get("trusted") is True

    @server.feature(WAIT)
    async def wait(ls: GoalServer, params: Any) -> Any:
        return await ls.wait(params)

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS)
    async def code_lens(ls: GoalServer, params: types.CodeLensParams) -> list[types.CodeLens]:
        return await ls.lenses(params.text_document.uri)

    return server


def _unreached(*_: Any) -> None:
    """Registered so that the command is announced; `run_command` carries it out."""


def names(wanted: str, state: GoalState) -> bool:
    """Whether the goal that a request names may be this one."""
    return wanted == "latest" or wanted.removeprefix("goal-") in state.goal_id


async def guarded(work: Any) -> Any:
    """Await `work` and turn what it raises into typed errors of the protocol."""
    try:
        return await work
    except GoalError as error:
        told = {"class": type(error).__name__, "message": error.paragraph}
        raise JsonRpcException(error.paragraph, REQUEST_FAILED, told) from None
    except JsonRpcException:
        raise
    except Exception as error:  # one of the three boundaries: a request
        log.exception("a request failed")
        message = f"An internal fault ({type(error).__name__}); the server's log has more."
        raise JsonRpcException(message, INTERNAL) from None


def invalid(name: str, error: ValidationError) -> JsonRpcInvalidParams:
    """Return the refusal of parameters, readable and as data."""
    told = [
        {"field": ".".join(map(str, item["loc"])), "message": item["msg"]}
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    words = "; ".join(f"{item['field'] or 'params'}: {item['message']}" for item in told)
    return JsonRpcInvalidParams(f"{name}: {words}", data=told)


def to_wire(view: Any) -> Any:
    """Return a result as JSON in camelCase."""
    return view.model_dump(mode="json", by_alias=True) if hasattr(view, "model_dump") else view


def snapshot_to_wire(snapshot: GoalProgressSnapshot) -> dict[str, Any]:
    """Return a snapshot as `goal/progress` carries it."""
    from goal_server.plain import plain_line

    spend = snapshot.spend
    return {
        "goalId": snapshot.goal_id,
        "rev": snapshot.rev,
        "text": plain_line(snapshot.text),
        "status": snapshot.status,
        "phase": snapshot.phase,
        "done": snapshot.done,
        "total": snapshot.total,
        "lines": [plain_line(line) for line in snapshot.lines],
        "spend": {"wallMs": spend.wall_ms, "tokens": spend.tokens, "source": spend.source},
        "blocker": plain_line(snapshot.blocker),
    }


def to_path(uri: str) -> Path:
    """Return the path of a `file:` URI; anything else is taken for a path."""
    parsed = urlparse(uri)
    return Path(unquote(parsed.path)) if parsed.scheme == "file" else Path(uri)


def main() -> int:
    """Serve one client over standard input and output."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    logging.getLogger("pygls").setLevel(logging.CRITICAL)  # it logs each refusal as a fault
    return serve(make_server())
