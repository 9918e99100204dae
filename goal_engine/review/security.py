"""What the change lets in: secrets, text that hides, and bytes that nobody reads."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterator

from goal_engine.evidence import GITLINK, SYMLINK
from goal_engine.proof.review import Finding
from goal_engine.review.change import Change, FileChange
from goal_engine.review.found import find
from goal_engine.secret_shapes import PRIVATE_KEY, find_secrets

DIRECTING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Characters that put text in another order than it is read in (CVE-2021-42574)."""
UNSEEN = re.compile(
    "[\u00ad\u115f\u1160\u180e\u200b\u2060-\u2064\u3164\uffa0\ufeff\U000e0000-\U000e007f]"
)
"""Characters that nobody sees.  What joins or varies emoji is not among them."""
FLAG = "\U0001f3f4"
"""The flags of regions are made of unseen characters."""
WORD = re.compile(r"[^\W\d]\w*")
ENCODING = re.compile(r"[ \t\f]{0,80}#[^\n]{0,80}?coding[:=][ \t]{0,4}([-\w.]{1,40})")
"""How Python is told of an encoding, on its first two lines (PEP 263)."""
PLAIN = ("utf-8", "utf8", "ascii", "us-ascii", "latin", "iso-8859", "cp1252", "iso-latin")
"""Encodings in which what is shown as ASCII is that."""
KEY_BODY = re.compile(r"[A-Za-z0-9+/]{40}")
PROGRAMS = (
    ".exe", ".dll", ".so", ".dylib", ".jar", ".class", ".pyc", ".pyo", ".pyd", ".o", ".a", ".wasm",
    ".msi", ".deb", ".rpm", ".whl", ".apk", ".node",
)  # fmt: skip
"""Endings of what is run and cannot be read."""


def find_leaks(change: Change) -> Iterator[Finding]:
    """Yield the secrets in new lines.  In tests a private key is told, not asked about: it has to be
    somewhere, and there it mostly protects nothing."""
    for file in change.files:
        for number, line in file.added:
            for secret in find_secrets(line):
                sure = secret.sure
                if PRIVATE_KEY.match(line, secret.start):
                    if not _has_key_body(file, number):
                        continue
                    sure = not file.test
                elif not sure and (file.test or not _is_kept(file)):
                    continue
                rule = "secret" if sure else "secret-like"
                yield find(rule, file, number, f"looks like {secret.what}")


def _has_key_body(file: FileChange, number: int) -> bool:
    """Whether a key follows the line that announces one, there or on one of the next lines."""
    return any(KEY_BODY.search(line) for line in file.lines[number - 1 : number + 3])


def _is_kept(file: FileChange) -> bool:
    """Whether values in a file are for programs: locks are full of digests, and pages of examples."""
    name = file.path.rpartition("/")[2].lower()
    is_lock = (
        name.endswith((".lock", ".sum", ".snap", ".svg", ".min.js", ".ipynb")) or "lock" in name
    )
    return not is_lock and not name.endswith((".md", ".rst", ".txt", ".adoc", ".html"))


def find_hidden(change: Change) -> Iterator[Finding]:
    """Yield the places where text is not what an editor shows."""
    for file in change.files:
        for number, line in file.added:
            if line.isascii():
                continue
            if DIRECTING.search(line):
                rule = "trojan-source" if file.is_code else "hidden-character"
                yield find(rule, file, number, "characters change the order of the text")
            elif FLAG not in line and UNSEEN.search(line[1:] if number == 1 else line):
                yield find("hidden-character", file, number, "a character that cannot be seen")
        yield from _find_mixed(file)
        yield from _find_encoding(file)


def _find_encoding(file: FileChange) -> Iterator[Finding]:
    """Python that is read in another encoding than it is shown in, such as UTF-7."""
    for number, line in file.added if file.is_python else ():
        named = ENCODING.match(line) if number <= 2 else None
        if named and not named.group(1).lower().replace("_", "-").startswith(PLAIN):
            yield find("trojan-source", file, number, f"is read as {named.group(1)[:20]}")


def _find_mixed(file: FileChange) -> Iterator[Finding]:
    """Names of Python in which letters of two scripts look alike."""
    if file.new.isascii() or file.tree is None:
        return
    for node in ast.walk(file.tree):
        name = _name_of(node)
        number = getattr(node, "lineno", None)
        if name and number in file.added_numbers and _is_mixed(name):
            yield find("mixed-script-name", file, number, f"{ascii(name)} mixes Latin and Cyrillic")


def _name_of(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case _:
            return ""


def _is_mixed(name: str) -> bool:
    if name.isascii():
        return False
    scripts = {unicodedata.name(char, "").partition(" ")[0] for char in name if char.isalpha()}
    return {"LATIN", "CYRILLIC"} <= scripts


def find_bytes(change: Change) -> Iterator[Finding]:
    """Yield files that are run or linked and not read."""
    for file in change.files:
        if file.is_gone or file.file.mode in (SYMLINK, GITLINK):
            continue
        if file.path.lower().endswith(PROGRAMS):
            yield find("program-added", file, None, "a program, not its source")
        elif not file.is_text and not file.is_large:
            yield find("binary-changed", file, None, "bytes that are no text")
        if file.file.mode == "100755" and file.file.old_mode != "100755":
            yield find("executable-bit", file, None, "can be run now")


def find_protected_files(change: Change) -> Iterator[Finding]:
    """Yield the changed files about which `protected-paths` asks, so that the section has them too."""
    for file in change.files:
        if file.protected:
            yield find("protected-path", file, None, "`protected-paths` asks about it")
