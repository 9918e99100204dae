"""Words that somebody chose to be obeyed: by a terminal, an editor, a browser or a forge.

`[x](…)` stands for what a goal, a task, a test, a file or a log may be called.
"""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "colours": "\x1b[31mred\x1b[0m",
    "clears the screen": "\x1b[2J\x1b[H",
    "a title of the window": "\x1b]0;owned\x07",
    "a link of the terminal": "\x1b]8;;file:///etc/passwd\x1b\\here\x1b]8;;\x1b\\",
    "the clipboard": "\x1b]52;c;b3duZWQ=\x07",
    "eight bits": "\x9b31m\x9d0;owned\x9c\x90q\x9c",
    "answers of the terminal": "\x1b[6n\x1b[c\x05",
    "goes back": "ready\rnot ready\x08\x08\x7f",
    "another line": "one\nready  two\x0b\x0c\x85three",
    "turned around": "\u202egnp.exe\u202c \u2066x\u2069 \u061c\u200f",
    "without width": "re\u200bad\u200dy\u2060\ufeff",
    "tags": "ok\U000e0001\U000e0068\U000e0069",
    "other ends of lines": "one\u2028two\u2029three",
    "half a character": "x\udce9y",
    "a command": "[run](command:workbench.action.terminal.new)",
    "a command with arguments": "[ok](command:goal.deliver?%5B%22x%22%5D 'title')",
    "a link by name": "[x][y]\n\n[y]: command:evil",
    "a script": "<javascript:alert(1)> [x](javascript:alert(1))",
    "a picture": "![x](https://evil.example/beacon.png)",
    "a picture of HTML": '<img src="https://evil.example/x" onerror=alert(1)>',
    "an element": "<script>x</script><a href='command:x'>y</a><!-- hidden -->",
    "an entity": "&lt;img src=x&gt;",
    "an address": "<https://evil.example> https://evil.example www.evil.example",
    "an icon": "$(trash) $(sync~spin)",
    "out of code": "` [x](command:evil) `` ![y](https://evil.example/z) ```",
    "out of a table": "a | [x](command:evil) | b\n| --- |",
    "a heading": "# ready\n## Verdict",
    "a task": "- [x] accepted",
    "an escape of an escape": "\\[x](command:evil) \\\\[y](command:evil)",
    "a command of a workflow": "::error file=x::owned",
    "a command of a workflow on another line": "x " * 60 + "::set-output name=x::y",
    "an old command of a workflow": "x ##[error]owned",
    "somebody's name": "thanks @ada, (@team/owners) ada@evil.example mailto:ada@evil.example",
    "entries of a tracker": "fixes #12, owner/repo#3 and GH-7",
    "addresses in code": "`https://evil.example` `` //evil.example | @ada` \\`@ada\\` https://`@x`",
}
"""Append only: a text that was once obeyed stays."""
