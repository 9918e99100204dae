"""Tests beside the code in Rust: those of one version are put beside the code of another."""

from __future__ import annotations

import pytest

from goal_engine.inline_tests import may_have_tests, swap_tests

CODE = "pub fn add(a: i32, b: i32) -> i32 {\n    a - b\n}\n"
TESTS = (
    "\n#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn adds() {\n"
    "        assert_eq!(add(2, 3), 5);\n    }\n}\n"
)
FIXED, WEAK = CODE.replace("a - b", "a + b"), TESTS.replace("5)", "-1)")
MORE = "\npub fn more() {}\n"


def swap(code: str, tests: str) -> str:
    return swap_tests(code.encode(), tests.encode()).decode()


ROWS = {
    "the-base's-tests": (CODE + WEAK + MORE, CODE + TESTS, CODE + TESTS + MORE),
    "the-change's-tests": (CODE + TESTS, FIXED + WEAK, CODE + WEAK),
    "unchanged-tests": (MORE + FIXED + TESTS + MORE, CODE + TESTS, MORE + FIXED + TESTS + MORE),
    "tests-that-are-hidden-in-the-change": (
        CODE + "#[cfg(all(test))]\nmod tests {\n    #[test]\n    fn adds() {\n    }\n}\n",
        CODE + TESTS,
        CODE + "#[cfg(all(test))]\nmod tests {\n}\n" + TESTS[1:],
    ),
    "tests-that-the-change-moved-away": (CODE, CODE + TESTS, CODE + TESTS[1:]),
    "tests-of-a-new-file": (CODE + TESTS, "", CODE + "\n"),
    "a-single-test": (
        CODE + "#[test]\nfn t() { assert!(true) }\n" + MORE,
        CODE + "#[tokio::test]\n#[ignore]\n// why\nfn t() {\n    assert!(false)\n}\n",
        CODE + "#[tokio::test]\n#[ignore]\n// why\nfn t() {\n    assert!(false)\n}\n" + MORE,
    ),
    "a-module-in-a-module": (
        "mod sums {\n    #[cfg(test)] mod tests {\n        x\n    }\n    fn a() {}\n}\n",
        "mod sums {\n    #[cfg(test)]\n    mod tests {\n        y\n    }\n}\n",
        "mod sums {\n    #[cfg(test)]\n    mod tests {\n        y\n    }\n    fn a() {}\n}\n",
    ),
    "a-module-in-a-file-of-its-own": (
        "#[cfg(test)]\nmod tests;\n" + CODE,
        "#[cfg(test)]\n#[path = \"t.rs\"]\nmod tests;\n" + CODE,
        "#[cfg(test)]\n#[path = \"t.rs\"]\nmod tests;\n" + CODE,
    ),
    "no-line-at-the-end": ("fn a() {}", "#[test]\nfn t() {", "fn a() {}\n#[test]\nfn t() {"),
    "two-of-one-name": (
        "#[cfg(test)]\nuse a;\n#[cfg(test)]\nuse a;\nfn x() {}\n",
        "#[cfg(test)]\nuse a;\n",
        "#[cfg(test)]\nuse a;\nfn x() {}\n",
    ),
    "no-tests": (CODE, FIXED, CODE),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_tests_are_taken_from_one_and_code_from_the_other(row: str) -> None:
    code, tests, together = ROWS[row]
    assert swap(code, tests) == together
    assert swap(together, tests) == together


def test_it_is_rust_that_has_them() -> None:
    assert may_have_tests("src/lib.rs")
    assert not may_have_tests("src/lib.py")
