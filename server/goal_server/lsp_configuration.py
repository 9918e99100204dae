"""Asks the editor for its settings and holds the answers, one for each folder.

What is pulled counts, then what was pushed, then what came with `initialize`; where all are silent
the defaults hold.  A complaint is told when it is new, and not again while it stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from goal_server.lsp_folders import Folders
from goal_server.lsp_settings import SECTION, Parsed, find_trust_problem, parse_settings
from goal_server.preferences import Preferences
from goal_server.registry import Operation, load

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds until a client that does not answer has nothing set."""
NEW_GOALS = ("run", "plan")
"""The operations whose parameters have defaults from the settings."""
BY_AGENT = ("", "acp", "wire", "cli")
"""The workers that an agent is for."""


class Configuration:
    """What the person set.  Belongs to the server's loop."""

    def __init__(self, server: LanguageServer, folders: Folders) -> None:
        self._server = server
        self._folders = folders
        self._said: object = None
        """Pushed, or given with `initialize`."""
        self._pulled: dict[str | None, object] = {}
        """By the folder's URI; `None` is for what lies in no folder."""
        self._parsed: dict[str | None, Parsed] = {None: Parsed()}
        self._told: frozenset[str] = frozenset()
        self._pull: asyncio.Task[None] | None = None
        self._distrust = ""
        self.listeners: list[Callable[[], None]] = []
        """Called when a preference has changed."""

    def begin(self, options: object) -> None:
        """Take `initializationOptions.settings` as the first answer."""
        self._said = options.get("settings") if isinstance(options, dict) else None
        self._parsed = {None: parse_settings(self._said)}
        self._distrust = find_trust_problem(options)

    def start(self) -> None:
        """Begin to ask, and tell what was wrong with what came with `initialize`."""
        if self._distrust:
            warn(self._server, self._distrust)
        self._complain()
        self.ask()

    def change(self, params: types.DidChangeConfigurationParams) -> None:
        """Take what was pushed, and ask again where the client can be asked."""
        settings = params.settings
        pushed = settings.get(SECTION) if isinstance(settings, dict) else None
        if pushed is not None:
            self._said = pushed
            self._renew()
        self.ask()

    def ask(self) -> None:
        """Begin to pull the settings, if the client has that; the last question is the one that counts."""
        workspace = self._server.client_capabilities.workspace
        if not (workspace and workspace.configuration):
            return
        if self._pull is not None:
            self._pull.cancel()
        self._pull = asyncio.ensure_future(self._ask())

    async def settled(self) -> None:
        """Wait for the answer that is on its way."""
        if self._pull is not None:
            await asyncio.wait({self._pull}, timeout=PATIENCE)

    def find(self, place: Path | None = None) -> Preferences:
        """Return the preferences for a file or a folder, or those for no place in particular."""
        uri = self._folders.find_uri(place) if place is not None and len(self._parsed) > 1 else None
        return self._parsed.get(uri, self._parsed[None]).preferences

    async def fill(
        self, operation: Operation, given: dict[str, Any], place: Path
    ) -> dict[str, Any]:
        """Return the parameters of a new goal with the person's defaults where they say nothing."""
        if operation.name not in NEW_GOALS:
            return given
        await self.settled()
        fields: dict[str, Any] = load(operation.params).model_fields
        return {**given, **find_defaults(self.find(place), given, fields)}

    async def register(self) -> None:
        """Ask to be told of changes, where the client wants to be asked that."""
        workspace = self._server.client_capabilities.workspace
        change = workspace and workspace.did_change_configuration
        if not (change and change.dynamic_registration):
            return
        registration = types.Registration(
            id=f"{SECTION}-settings",
            method=types.WORKSPACE_DID_CHANGE_CONFIGURATION,
            register_options={"section": SECTION},
        )
        try:
            async with asyncio.timeout(PATIENCE):
                await self._server.client_register_capability_async(
                    types.RegistrationParams(registrations=[registration])
                )
        except Exception:  # the client may refuse; it is asked again when it tells by itself
            log.info("the client does not register for its settings")

    async def _ask(self) -> None:
        scopes = [None, *self._folders.uris]
        items = [types.ConfigurationItem(section=SECTION, scope_uri=scope) for scope in scopes]
        try:
            async with asyncio.timeout(PATIENCE):
                said = await self._server.workspace_configuration_async(
                    types.ConfigurationParams(items=items)
                )
        except Exception:  # whatever a client answers, the server goes on with what it has
            log.info("the client does not tell its settings")
            return
        answers = list(said or ()) + [None] * len(scopes)
        self._pulled = dict(zip(scopes, answers, strict=False))
        self._renew()

    def _renew(self) -> None:
        before = {uri: parsed.preferences for uri, parsed in self._parsed.items()}
        default = self._pulled.get(None)
        spoken = {
            uri: next((said for said in (pulled, default, self._said) if said is not None), None)
            for uri, pulled in {None: default, **self._pulled}.items()
        }
        self._parsed = {uri: parse_settings(said) for uri, said in spoken.items()}
        self._complain()
        if before != {uri: parsed.preferences for uri, parsed in self._parsed.items()}:
            for listener in tuple(self.listeners):
                listener()

    def _complain(self) -> None:
        found = [text for parsed in self._parsed.values() for text in parsed.complaints]
        for text in dict.fromkeys(found):
            if text not in self._told:
                warn(self._server, text)
        self._told = frozenset(found)


def find_defaults(
    preferences: Preferences, given: dict[str, Any], fields: dict[str, Any]
) -> dict[str, Any]:
    """Return what the person prefers of the `fields` of a new goal that are not `given`.

    A worker and its agent go together: who gives one of them has chosen.
    """
    wanted: dict[str, Any] = {
        "maxAgents": preferences.max_agents,
        "wallSeconds": preferences.wall_seconds,
    }
    if not given.get("worker") and not given.get("agent"):
        agent = preferences.agent if preferences.worker in BY_AGENT else ""
        wanted |= {"worker": preferences.worker or None, "agent": agent or None}
    names = {field.alias or name: name for name, field in fields.items()}
    return {
        key: value
        for key, value in wanted.items()
        if value is not None and key in names and given.get(key) is None
        and given.get(names[key]) is None
    }  # fmt: skip


def warn(server: LanguageServer, text: str) -> None:
    """Write a warning to the editor's log of this server."""
    said = types.LogMessageParams(type=types.MessageType.Warning, message=text)
    server.window_log_message(said)
