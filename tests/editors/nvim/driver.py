"""A real Neovim without a screen, driven over its own socket; what it asks is answered from a list.

`lua` runs a function body in the editor and returns its value.  A Neovim that waits for a key
answers nothing, so a test of a prompt that blocks fails by its deadline.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PLUGIN = ROOT / "editors" / "nvim"
SERVER = (sys.executable, "-m", "goal_server", "lsp")
PATIENCE = 60.0
"""Seconds until something that does not come true is a failure."""
REST = 0.05
"""Seconds between two looks."""

PRELUDE = """
_G.said, _G.asked, _G.answers = {}, {}, {}
vim.notify = function(words, level)
  table.insert(said, { words = words, level = level or vim.log.levels.INFO })
end
local function ask(prompt, shown)
  table.insert(asked, { prompt = prompt, shown = shown })
end
vim.ui.select = function(items, options, done)
  local shown = vim.tbl_map(options.format_item or tostring, items)
  ask(options.prompt, shown)
  for place, answer in ipairs(answers) do
    for index, text in ipairs(shown) do
      if text:find(answer, 1, true) then
        table.remove(answers, place)
        return vim.schedule(function() done(items[index], index) end)
      end
    end
  end
  vim.schedule(function() done(nil) end)
end
vim.ui.input = function(options, done)
  ask(options.prompt, {})
  local text = table.remove(answers, 1)
  vim.schedule(function() done(text) end)
end
_G.events = {}
vim.api.nvim_create_autocmd('User', {
  pattern = 'GoalproofProgress',
  callback = function(event) table.insert(events, event.data.snapshot) end,
})
local function find_marks(buffer)
  local marks = {}
  for name, space in pairs(vim.api.nvim_get_namespaces()) do
    if name:find('codelens') then
      local found = vim.api.nvim_buf_get_extmarks(buffer, space, 0, -1, { details = true })
      vim.list_extend(marks, found)
    end
  end
  return marks
end
_G.virtual_text = function(buffer)
  local out = {}
  for _, mark in ipairs(find_marks(buffer)) do
    local rows = vim.list_extend({ mark[4].virt_text or {} }, mark[4].virt_lines or {})
    for _, chunk in ipairs(vim.iter(rows):flatten(1):totable()) do
      table.insert(out, chunk[1])
    end
  end
  return table.concat(out)
end
"""


class EditorFault(AssertionError):
    """The editor raised an error, or does not answer."""


def pack(value: Any) -> bytes:
    """Return what a request needs of msgpack: integers below 2**32, text and lists."""
    match value:
        case int():
            return struct.pack(">BI", 0xCE, value)
        case str():
            data = value.encode()
            return struct.pack(">BI", 0xDB, len(data)) + data
        case _:
            return struct.pack(">BI", 0xDD, len(value)) + b"".join(map(pack, value))


class Reader:
    """Reads msgpack from a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._stream = connection.makefile("rb")

    def close(self) -> None:
        """Let go of the socket."""
        self._stream.close()

    def read(self) -> Any:
        """Return the next value; an extension type is None."""
        (kind,) = self._take(1)
        if kind < 0x80 or kind >= 0xE0:
            return kind if kind < 0x80 else kind - 0x100
        if kind < 0x90:
            return {self.read(): self.read() for _ in range(kind & 0x0F)}
        if kind < 0xA0:
            return [self.read() for _ in range(kind & 0x0F)]
        if kind < 0xC0:
            return self._take(kind & 0x1F).decode()
        return self._read_marked(kind)

    def _read_marked(self, kind: int) -> Any:
        constants = {0xC0: None, 0xC2: False, 0xC3: True}
        numbers = {0xCA: "f", 0xCB: "d", 0xCC: "B", 0xCD: "H", 0xCE: "I", 0xCF: "Q"}
        numbers |= {0xD0: "b", 0xD1: "h", 0xD2: "i", 0xD3: "q"}
        sized = {0xC4: "B", 0xC5: "H", 0xC6: "I", 0xD9: "B", 0xDA: "H", 0xDB: "I"}
        if kind in constants:
            return constants[kind]
        if kind in numbers:
            return self._number(numbers[kind])
        if kind in sized:
            data = self._take(self._number(sized[kind]))
            return data.decode() if kind >= 0xD9 else data
        if kind in (0xDC, 0xDD):
            return [self.read() for _ in range(self._number("HI"[kind - 0xDC]))]
        if kind in (0xDE, 0xDF):
            return {self.read(): self.read() for _ in range(self._number("HI"[kind - 0xDE]))}
        if 0xD4 <= kind <= 0xD8:
            self._take(1 + 2 ** (kind - 0xD4))
        else:
            self._take(1 + self._number("BHI"[kind - 0xC7]))
        return None

    def _number(self, form: str) -> Any:
        (number,) = struct.unpack(f">{form}", self._take(struct.calcsize(f">{form}")))
        return number

    def _take(self, count: int) -> bytes:
        data = self._stream.read(count)
        if data is None or len(data) < count:
            raise EditorFault("Neovim closed its socket.")
        return data


@dataclass(slots=True)
class Neovim:
    """One running editor."""

    process: subprocess.Popen[bytes]
    connection: socket.socket
    reader: Reader
    home: Path
    """Where its settings, trust database and logs are."""
    count: int = 0

    def lua(self, body: str, *arguments: Any) -> Any:
        """Run a function body in the editor, `...` being the arguments; return its value."""
        self.count += 1
        code = f"""
            local given = vim.json.decode((...))
            local function body(...) {body} end
            local value = body(unpack(given))
            return vim.json.encode({{ value = value == nil and vim.NIL or value }})
        """
        request = [0, self.count, "nvim_exec_lua", [code, [json.dumps(list(arguments))]]]
        self.connection.sendall(pack(request))
        while True:
            try:
                message = self.reader.read()
            except TimeoutError as error:
                raise EditorFault(f"Neovim does not answer: {body.strip()[:200]}") from error
            if message[0] == 1 and message[1] == self.count:
                break
        if message[2] is not None:
            raise EditorFault(f"{message[2][1]}\n{self.story()}")
        return json.loads(message[3])["value"]

    def ex(self, command: str) -> None:
        """Carry out an Ex command."""
        self.lua("vim.cmd(...)", command)

    def keys(self, keys: str) -> None:
        """Type keys, `<CR>` and the like included."""
        self.lua("vim.api.nvim_feedkeys(vim.keycode(...), 'mtx', false)", keys)

    def until(self, body: str, *arguments: Any, patience: float = PATIENCE) -> Any:
        """Return the value of a function body once it is one that Lua takes for true."""
        end = time.monotonic() + patience
        while True:
            value = self.lua(f"vim.cmd('redraw!') {body}", *arguments)
            if value not in (None, False, "", []):
                return value
            broken = "stack traceback" in str(self.lua("return vim.v.errmsg"))
            if broken or time.monotonic() > end:
                raise EditorFault(f"It never came true: {body.strip()}\n{self.story()}")
            rest()

    def answer(self, *answers: str) -> None:
        """What the person will say: to a choice the first of these that it offers, else the next."""
        self.lua("vim.list_extend(answers, ...)", list(answers))

    def asked(self) -> list[dict[str, Any]]:
        """Return what was asked so far: prompts and what there was to choose from."""
        return list(self.lua("return asked") or [])

    def said(self) -> list[str]:
        """Return what the person was told so far."""
        return [item["words"] for item in self.lua("return said") or []]

    def until_said(self, words: str) -> str:
        """Return the message that has these words, once there is one."""
        return str(
            self.until(
                "local words = ... for _, item in ipairs(said) do"
                " if item.words:find(words, 1, true) then return item.words end end",
                words,
            )
        )

    def until_status(self, status: str) -> dict[str, Any]:
        """Return the snapshot of progress with this status, once there is one."""
        found = self.until(
            "local status = ... for _, told in ipairs(events) do"
            " if told.status == status then return told end end",
            status,
        )
        assert isinstance(found, dict)
        return found

    def lines(self) -> list[str]:
        """Return the text of the current buffer."""
        return list(self.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)"))

    def statusline(self) -> str:
        """Return what the plugin shows in a statusline."""
        return str(
            self.lua(
                "return vim.api.nvim_eval_statusline("
                "[[%{v:lua.require'goalproof'.statusline()}]], { maxwidth = 300 }).str"
            )
        )

    def lenses(self) -> str:
        """Return the virtual text of the code lenses in the current buffer."""
        return str(self.lua("return virtual_text(0)"))

    def until_lens(self, words: str) -> str:
        """Return the virtual text of the lenses once these words are in it."""
        return str(
            self.until(
                "local text = virtual_text(0) return text:find(..., 1, true) and text", words
            )
        )

    def quit(self) -> None:
        """Leave as a person does, and wait until the editor is gone."""
        self.connection.sendall(pack([2, "nvim_command", ["qall!"]]))
        self.process.wait(PATIENCE)

    def story(self) -> str:
        """Return what was told, asked and logged, for a failure's message."""
        if self.process.poll() is not None:
            return f"Neovim ended with {self.process.returncode}."
        log = self.home / "state" / "nvim" / "lsp.log"
        tail = log.read_text(errors="replace")[-3000:] if log.is_file() else ""
        self.count += 1
        request = [0, self.count, "nvim_exec_lua", [STORY, []]]
        self.connection.sendall(pack(request))
        while (message := self.reader.read())[1] != self.count:
            pass
        return f"{message[3]}\n{tail}"


STORY = (
    "return vim.inspect({said = said, asked = asked, answers = answers, events = events and #events,"
    " messages = vim.fn.execute('messages')})"
)


def rest() -> None:
    """Give the editor a moment between two looks."""
    import select

    select.select([], [], [], REST)


def make_environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the surroundings of an editor that nobody has used before."""
    places = {"HOME": home}
    for name in ("CONFIG", "CACHE", "DATA", "STATE"):
        places[f"XDG_{name}_HOME"] = home / name.lower()
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    return {
        **os.environ,
        **{name: str(place) for name, place in places.items()},
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        **(more or {}),
    }


def make_command(program: Path, settings: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the command of an editor that has the plugin and nothing else."""
    given = {"cmd": list(SERVER), **(settings or {})}
    quoted = json.dumps(json.dumps(given))
    return (
        *(str(program), "--clean", "-n", "-i", "NONE"),
        *("--cmd", f"set rtp^={PLUGIN}"),
        *("--cmd", f"lua vim.g.goalproof = vim.json.decode({quoted})"),
    )


@contextmanager
def open_neovim(
    program: Path,
    project: Path,
    *files: str,
    home: Path,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[Neovim]:
    """Run an editor in `project` with `files` open, and end it with all it started."""
    sockets = Path(tempfile.mkdtemp(prefix="gp-nvim-"))  # a socket's path has to be short
    address = sockets / "s"
    prelude = home / "prelude.lua"
    home.mkdir(parents=True, exist_ok=True)
    prelude.write_text(PRELUDE, encoding="utf-8")
    command = (
        *make_command(program, settings),
        *("--headless", "--listen", str(address), "--cmd", f"luafile {prelude}"),
        *files,
    )
    process = subprocess.Popen(
        command,
        cwd=project,
        env=make_environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with _connect(address, process) as connection, closing(Reader(connection)) as reader:
            editor = Neovim(process, connection, reader, home)
            yield editor
            if process.poll() is None:
                editor.quit()
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(sockets, ignore_errors=True)


def _connect(address: Path, process: subprocess.Popen[bytes]) -> socket.socket:
    end = time.monotonic() + PATIENCE
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(address))
        except OSError:
            connection.close()
            if process.poll() is not None or time.monotonic() > end:
                raise EditorFault(f"Neovim did not start: {process.poll()}") from None
            rest()
        else:
            connection.settimeout(PATIENCE)
            return connection
