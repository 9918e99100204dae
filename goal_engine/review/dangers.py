"""Plain ways to be unsafe, in new lines that are no tests: for a person to look at.

Python is read as syntax, so that a value that is written out is no alarm; the rest by lines, with
patterns that look at a bounded part of each.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from goal_engine.proof.review import Finding
from goal_engine.review.change import SCRIPT, SHELL, Change, FileChange
from goal_engine.review.found import find

LINES: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    ("piped-to-shell", (), r"\b(?:curl|wget)\b[^|\n]{0,300}\|\s{0,4}(?:sudo\s)?(?:ba|z|da)?sh\b", "runs what is downloaded"),
    ("open-to-all", (), r"\bchmod\s{1,4}(?:-R\s{1,4})?(?:0?777|a\+rwx)\b", "everybody may change it"),
    ("tls-off", (*SHELL, ""), r"\bcurl\b[^|\n]{0,200}\s(?:-k|--insecure)\b|--no-check-certificate\b", "certificates are not checked"),
    ("tls-off", SCRIPT, r"rejectUnauthorized\s{0,4}:\s{0,4}false|NODE_TLS_REJECT_UNAUTHORIZED", "certificates are not checked"),
    ("tls-off", (".go",), r"InsecureSkipVerify\s{0,4}:\s{0,4}true", "certificates are not checked"),
    ("tls-off", (".rs",), r"danger_accept_invalid_(?:certs|hostnames)\(true\)", "certificates are not checked"),
    ("runs-text", SCRIPT, r"(?<![\w.$])(?:eval|new Function)\(\s{0,4}[^'\"`)\s]", "runs a value as code"),
    ("runs-a-shell", SCRIPT, r"\b(?:exec|execSync)\(\s{0,4}(?:`[^`\n]{0,300}\$\{|['\"][^'\"\n]{0,300}['\"]\s{0,4}\+)", "a command made of text"),
    ("html-from-text", SCRIPT, r"\.(?:inner|outer)HTML\s{0,4}\+?=\s{0,4}(?!['\"`]{2})[^=\s'\"]|dangerouslySetInnerHTML|\bv-html=|\bdocument\.write\(", "markup made of text"),
    ("sql-from-text", (*SCRIPT, ".go", ".rb", ".php", ".java", ".kt"), r"(?i)[`\"'](?:select\s[^`\"'\n]{1,200}\sfrom|insert into|update\s[^`\"'\n]{1,100}\sset|delete from)\s[^`\"'\n]{0,200}(?:\$\{|[\"'`]\s{0,4}\+\s{0,4}\w|#\{)", "a statement made of text"),
    ("unsafe-block", (".rs",), r"\bunsafe\s{0,4}(?:\{|fn\b|impl\b)", "an unsafe block"),
)  # fmt: skip
"""Rule, endings of files (none: code of any kind; an empty one: files without), pattern, and words."""
PATTERNS = tuple((rule, ends, re.compile(shape), says) for rule, ends, shape, says in LINES)

CALLS: dict[str, tuple[str, str]] = {
    "eval": ("runs-text", "runs a value as code"),
    "exec": ("runs-text", "runs a value as code"),
    "os.system": ("runs-a-shell", "a command made of text"),
    "os.popen": ("runs-a-shell", "a command made of text"),
    "subprocess.getoutput": ("runs-a-shell", "a command made of text"),
}
"""Calls that are unsafe unless their first argument is written out."""
LOADS = frozenset(
    {"pickle.loads", "pickle.load", "cPickle.loads", "dill.loads", "dill.load", "marshal.loads",
     "marshal.load", "shelve.open", "jsonpickle.decode", "torch.load", "joblib.load"}
)  # fmt: skip
SQL = re.compile(
    r"(?i)^\s*(?:select\b.*\bfrom|insert\s+into|update\b.*\bset|delete\s+from|drop\s+table)\b"
)


def find_dangers(change: Change) -> Iterator[Finding]:
    """Yield what is unsafe in new lines of code."""
    for file in change.code:
        if file.tree is not None:
            yield from _find_in_python(file, file.tree)
        yield from _find_in_lines(file)


def _find_in_lines(file: FileChange) -> Iterator[Finding]:
    name = file.path.rpartition("/")[2]
    plain = "." not in name  # a Dockerfile, a Makefile, a script
    if not (file.is_code or plain or name.endswith((".yml", ".yaml"))):
        return
    rows = [row for row in PATTERNS if not row[1] or _ends(name, row[1], plain)]
    for number, line in file.added:
        yield from (
            find(rule, file, number, says) for rule, _, shape, says in rows if shape.search(line)
        )


def _ends(name: str, ends: tuple[str, ...], plain: bool) -> bool:
    return name.endswith(tuple(filter(None, ends))) or (plain and "" in ends)


def _find_in_python(file: FileChange, tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call | ast.Attribute) or node.lineno not in file.added_numbers:
            continue
        found = _look_at_call(node) if isinstance(node, ast.Call) else _look_at_name(node)
        if found:
            yield find(found[0], file, node.lineno, found[1])


def _look_at_name(node: ast.Attribute) -> tuple[str, str] | None:
    if dotted(node) in ("ssl._create_unverified_context", "ssl.CERT_NONE"):
        return "tls-off", "certificates are not checked"
    return None


def _look_at_call(call: ast.Call) -> tuple[str, str] | None:
    name = dotted(call.func)
    first = call.args[0] if call.args else None
    words = {word.arg: word.value for word in call.keywords if word.arg}
    made = first is not None and not isinstance(first, ast.Constant)
    if name in CALLS and made:
        return CALLS[name]
    if name in LOADS and not _is_true(words.get("weights_only")):
        return "unsafe-load", f"{name} runs what the data says"
    if name in ("yaml.load", "yaml.load_all") and not _is_safe_loader(call, words):
        return "unsafe-load", f"{name} without a safe loader"
    if _is_true(words.get("shell")) and made:
        return "runs-a-shell", "a command made of text, with a shell"
    if isinstance(words.get("verify"), ast.Constant) and words["verify"].value is False:  # type: ignore[attr-defined]
        return "tls-off", "certificates are not checked"
    if name == "os.chmod" and len(call.args) > 1 and _is_open(call.args[1]):
        return "open-to-all", "everybody may change it"
    if name.rpartition(".")[2] in ("execute", "executemany", "raw", "executescript") and first:
        return ("sql-from-text", "a statement made of text") if _is_made_sql(first) else None
    host = words.get("host", first)
    if name.endswith((".run", ".bind", "run_simple")) and _is_everywhere(host):
        return "open-to-all", "listens to every network"
    return None


def dotted(node: ast.expr) -> str:
    """Return `a.b` for a name or an attribute of one, empty for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            return f"{owner}.{name}"
        case ast.Attribute(attr=name):
            return f".{name}"
        case _:
            return ""


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _is_safe_loader(call: ast.Call, words: dict[str, ast.expr]) -> bool:
    loader = words.get("Loader", call.args[1] if len(call.args) > 1 else None)
    return loader is not None and "Safe" in dotted(loader)


def _is_open(mode: ast.expr) -> bool:
    return isinstance(mode, ast.Constant) and isinstance(mode.value, int) and mode.value & 0o002 > 0


def _is_everywhere(host: ast.expr | None) -> bool:
    if isinstance(host, ast.Tuple) and host.elts:
        host = host.elts[0]
    return isinstance(host, ast.Constant) and host.value == "0.0.0.0"


def _is_made_sql(node: ast.expr) -> bool:
    """Whether a statement is put together from text and values."""
    match node:
        case ast.JoinedStr(values=[ast.Constant(value=str(begin)), *rest]):
            return bool(rest) and SQL.search(begin) is not None
        case ast.BinOp(left=ast.Constant(value=str(begin)), op=ast.Mod() | ast.Add()):
            return SQL.search(begin) is not None
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(begin)), attr="format")):
            return SQL.search(begin) is not None
        case _:
            return False
