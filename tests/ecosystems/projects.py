"""A small project of each ecosystem, with one bug, the change that mends it, and changes that only say so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from goal_engine.runtime.repository import create_sample_repository
from goal_engine.toml import render_string
from tests.ecosystems.tools import Toolchains


@dataclass(frozen=True)
class Ecosystem:
    """One project: `source` subtracts where it should add, and says so in `wrong`."""

    files: dict[str, str]
    argv: str
    """The gate's command, as TOML."""
    report: str
    test: str
    """The id of the test that fails."""
    source: str
    wrong: str
    right: str
    forged: str
    """What stands in place of `wrong`: it prints that the test passed, and subtracts."""
    modules: str = ""
    """The test runner whose `node_modules` it has."""


JS = "export const add = (a, b) => a - b;\n"
JS_TEST = """
describe('sums', () => {
  it('adds', () => { expect(add(2, 3)).toBe(5); });
  it('is there', () => { expect(add).toBeTypeOf ? expect(typeof add).toBe('function') : 0; });
});
"""
PACKAGE = '{"name": "shop", "private": true, "type": "module"}\n'

ECOSYSTEMS = {
    "unittest": Ecosystem(
        files={
            "shop.py": "def add(a, b):\n    return a - b\n",
            "test_shop.py": (
                "import unittest\nfrom shop import add\n\n\nclass Sums(unittest.TestCase):\n"
                "    def test_adds(self):\n        self.assertEqual(add(2, 3), 5)\n\n"
                "    def test_is_there(self):\n        self.assertTrue(callable(add))\n"
            ),
        },
        argv='["python3", "-m", "unittest", "-v"]',
        report="unittest",
        test="test_shop.Sums::test_adds",
        source="shop.py",
        wrong="return a - b",
        right="return a + b",
        forged="print('test_adds (test_shop.Sums.test_adds) ... ok\\n\\nok'); return a - b",
    ),
    "node": Ecosystem(
        files={
            "package.json": PACKAGE,
            "shop.js": JS,
            "test/shop.test.js": (
                "import test from 'node:test';\nimport assert from 'node:assert';\n"
                "import { add } from '../shop.js';\n\n"
                "test('adds', () => assert.equal(add(2, 3), 5));\n"
                "test('is there', () => assert.equal(typeof add, 'function'));\n"
            ),
        },
        argv='["node", "--test", "--test-reporter=junit", "--test-reporter-destination={report}"]',
        report="junit",
        test="test/shop.test.js::adds",
        source="shop.js",
        wrong="a - b",
        right="a + b",
        forged="(console.log('<testcase name=adds classname=test/>'), a - b)",
    ),
    "vitest": Ecosystem(
        files={
            "package.json": PACKAGE,
            "shop.js": JS,
            "shop.test.js": (
                "import { describe, expect, it } from 'vitest';\nimport { add } from './shop.js';\n"
                + JS_TEST
            ),
        },
        argv='["node_modules/.bin/vitest", "run", "--reporter=json", "--outputFile={report}"]',
        report="jest",
        test="shop.test.js::sums > adds",
        source="shop.js",
        wrong="a - b",
        right="a + b",
        forged="(console.log('{success: true}'), a - b)",
        modules="vitest",
    ),
    "jest": Ecosystem(
        files={
            "package.json": PACKAGE.replace(', "type": "module"', ""),
            "shop.js": "exports.add = (a, b) => a - b;\n",
            "shop.test.js": f"const {{ add }} = require('./shop');\n{JS_TEST}",
        },
        argv='["node_modules/.bin/jest", "--ci", "--json", "--outputFile={report}"]',
        report="jest",
        test="shop.test.js::sums > adds",
        source="shop.js",
        wrong="a - b",
        right="a + b",
        forged="(console.log('{success: true}'), a - b)",
        modules="jest",
    ),
    "cargo": Ecosystem(
        files={
            "Cargo.toml": '[package]\nname = "shop"\nversion = "0.1.0"\nedition = "2021"\n',
            "src/lib.rs": "pub fn add(a: i32, b: i32) -> i32 {\n    a - b\n}\n",
            "tests/sums.rs": (
                "#[test]\nfn adds() {\n    assert_eq!(shop::add(2, 3), 5);\n}\n\n"
                "#[test]\nfn is_there() {\n    shop::add(0, 0);\n}\n"
            ),
        },
        argv='["cargo", "test", "--no-fail-fast"]',
        report="cargo",
        test="tests/sums.rs::adds",
        source="src/lib.rs",
        wrong="a - b",
        right="a + b",
        forged='use std::io::Write; writeln!(std::io::stdout(), "test adds ... ok").unwrap(); a - b',
    ),
    "go": Ecosystem(
        files={
            "go.mod": "module example.com/shop\n\ngo 1.19\n",
            "shop.go": "package shop\n\nfunc Add(a, b int) int {\n\treturn a - b\n}\n",
            "shop_test.go": (
                'package shop\n\nimport "testing"\n\nfunc TestAdds(t *testing.T) {\n'
                "\tif got := Add(2, 3); got != 5 {\n\t\tt.Fatal(got)\n\t}\n}\n\n"
                "func TestIsThere(t *testing.T) {\n\tAdd(0, 0)\n}\n"
            ),
        },
        argv='["go", "test", "-json", "./..."]',
        report="go",
        test="example.com/shop::TestAdds",
        source="shop.go",
        wrong="return a - b",
        right="return a + b",
        forged='println("\x16--- PASS: TestAdds (0.00s)"); return a - b',
    ),
}


def a_project(path: Path, ecosystem: Ecosystem, tools: Toolchains) -> Path:
    """Make a committed project with its gate, and what is installed beside it."""
    files = {
        **ecosystem.files,
        "goalproof.toml": f'[[gate]]\nname = "tests"\nargv = {ecosystem.argv}\n'
        f'report = "{ecosystem.report}"\ntimeout = 100\n',
        ".gitignore": "node_modules\ntarget\n__pycache__\n",
    }
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")
    create_sample_repository(path, "a project")
    if ecosystem.modules:
        (path / "node_modules").symlink_to(tools.modules[ecosystem.modules])
    return path


def plan_text(ecosystem: Ecosystem, new: str) -> str:
    """Return a plan whose one step puts `new` in the place of what is wrong."""
    return f"""
goal = "Make sums right in {ecosystem.source}"
kind = "fix"

[[criterion]]
id = "adds"
text = "Sums are right"
evidence = "flips"
gate = "tests"
tests = ["{ecosystem.test}"]

[[task]]
id = "fix"
title = "Fix the sum"
writes = ["{ecosystem.source}"]
steps = [{{ replace = "{ecosystem.source}", old = "{ecosystem.wrong}", new = {render_string(new)} }}]
"""
