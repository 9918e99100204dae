"""New Python that reaches for what judges it is found, and what only talks about it is not."""

from __future__ import annotations

import pytest

from goal_engine.gates.reaching import find_reaching


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("import unittest", "unittest"),
        ("import os, _pytest.runner", "_pytest.runner"),
        ("from unittest.mock import patch", "unittest.mock"),
        ("from os import _exit", "os._exit"),
        ("sys.modules['x']", "sys.modules"),
        ("anything()._exit(0)", "_exit"),
        ("sys._getframe(1)", "sys._getframe"),
        ("__import__('unit' + 'test')", "__import__"),
        ("importlib.import_module('pytest')", "importlib.import_module"),
        ("exec('x = 1')", "exec"),
        ("os.environ.get('PYTEST_CURRENT_TEST')", "PYTEST_CURRENT_TEST"),
        ("__builtins__", "__builtins__"),
        ("print 'old Python', unittest", "unittest"),
    ],
)
def test_code_that_reaches_for_its_judge_is_found(line: str, what: str) -> None:
    assert find_reaching("a.py", b"x = 1\n", f"x = 1\n{line}\n".encode()) == (f"a.py:2 {what}",)


@pytest.mark.parametrize(
    "text",
    [
        "# unittest and os._exit",
        "'''Run it with pytest; sys.modules is left alone.'''",
        "import os, sys, inspect, importlib",
        "importlib.import_module('json')",
        "sys.exit(0)",
        "print(sys.argv, os.environ.get('HOME'))",
        "pattern = re.compile('x')",
        "",
    ],
)
def test_code_that_only_talks_about_it_is_not(text: str) -> None:
    assert find_reaching("a.py", b"", text.encode()) == ()


def test_a_line_that_was_there_is_not_new_wherever_it_stands_now() -> None:
    assert find_reaching("a.py", b"import unittest\n", b"x = 1\n\nimport unittest\n") == ()


def test_only_python_is_read() -> None:
    assert find_reaching("a.md", b"", b"import unittest\n") == ()


@pytest.mark.parametrize("text", [b"\0", b"(" * 5000, b"\xff\xfe", b"x = " + b"-" * 100_000 + b"1"])
def test_what_cannot_be_parsed_is_no_crash(text: bytes) -> None:
    assert find_reaching("a.py", b"", text) == ()


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.js", "require('node:assert').strictEqual = () => {};"),
        ("a.mjs", 'import assert from "assert/strict";'),
        ("a.ts", "import { expect } from 'vitest'"),
        ("a.ts", 'await import("@jest/globals")'),
        ("a.js", "globalThis.expect = () => new Proxy({}, {})"),
        ("a.js", "global['it'] = () => {}"),
        ("a.js", "Object.is = () => true;"),
        ("a.js", "Number.prototype.valueOf = () => 5"),
        ("a.js", "Object.defineProperty(Object, 'is', { value: () => true })"),
        ("a.js", "return { asymmetricMatch: () => true, $$typeof: sign }"),
        ("a.cjs", "process.exit()"),
        ("a.tsx", "process.exit(code)"),
        ("a.js", "process.on('exit', () => { process.exitCode = 0 })"),
        ("a.js", "require.cache[x].exports = {}"),
        ("a.js", "if (process.env.JEST_WORKER_ID) return 5"),
        ("a.js", "if (process.env.NODE_ENV === 'test') return 5"),
        ("a.js", "eval('x')"),
        ("a.go", 'import "testing"'),
        ("a.go", '\t"testing"'),
        ("a.go", "\tos.Exit(0)"),
        ("a.go", 'if flag.Lookup("test.v") != nil {'),
        ("a.go", 'fmt.Println("--- PASS: TestAdds (0.00s)")'),
        ("a.go", "//go:linkname fail testing.(*common).FailNow"),
        ("a.rs", "std::process::exit(0);"),
        ("a.rs", "macro_rules! assert_eq { ($($t:tt)*) => {} }"),
        ("a.rs", "use crate::nothing as assert_eq;"),
        ("a.rs", "if cfg!(test) { return 5; }"),
        ("a.rs", "#[cfg(not(test))]"),
        ("a.rs", 'out.write_all(b"test result: ok. 2 passed")'),
        ("a.js", "write('<testcase name=adds>')"),
    ],
)
def test_other_languages_are_read_line_by_line(path: str, line: str) -> None:
    assert [place.split()[0] for place in find_reaching(path, b"x\n", f"x\n{line}\n".encode())] == [
        f"{path}:2"
    ]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            "a.js",
            "// process.exit() and eval(x)\n * expect.extend\nprocess.exit(1)\nconst test = 1",
        ),
        (
            "a.ts",
            "import { add } from './test'\nimport fs from 'node:fs'\nlet Objects = x\nexpect(x)",
        ),
        ("a.js", "if (Object.is(a, b)) it = Object.keys(x)\nconst f = (Object) => 1\nevaluate(x)"),
        ("a.ts", "const m: Map<string, number> = new Map()\nif (Number.MAX_VALUE === x) {}"),
        ("a.go", 'import "fmt"\nos.Exit(1)\n// os.Exit(0)\nt := "contest.x"\nvar testing bool'),
        (
            "a.rs",
            "std::process::exit(2);\nassert_eq!(a, b);\nx as u32\n#[cfg(unix)]\nprocess::id()",
        ),
    ],
)
def test_what_other_languages_do_every_day_is_not(path: str, text: str) -> None:
    assert find_reaching(path, b"", text.encode()) == ()
