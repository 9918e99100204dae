"""What is found in trees of every kind, as tables: few gates, each once, and a word for the rest."""

from __future__ import annotations

import json
import re

import pytest

from goal_engine.gates.contradictions import find_contradiction
from goal_engine.gates.detection.commands import is_vacuous, split_line, unwrap
from goal_engine.gates.detection.detect import MOST_GATES, Detection, detect
from goal_engine.gates.detection.project import MOST, Tools, is_read
from goal_engine.gates.detection.tasks import follow, read_rules
from goal_engine.gates.protected import find_protected
from goal_engine.gates.trust import digest_gate
from goal_engine.proof.gate import REPORT, GateReport, GateSpec

HERE = frozenset(
    {
        *("python", "-m pytest", "-m ruff", "-m mypy", "-m pyright", "npm", "pnpm", "yarn", "bun"),
        *("node", "cargo", "cargo-clippy", "cargo-fmt", "rustfmt", "go", "gofmt", "make", "just"),
        *("node_modules", "./node_modules"),
    }
)
BINS = ("vitest", "jest", "mocha", "eslint", "prettier", "biome", "tsc")
"""Programs of `node_modules/.bin`, in the root or in `packages/a`."""

VITEST = f"run --reporter=default --reporter=junit --outputFile.junit={REPORT}"
NODE = f"node --test-reporter=junit --test-reporter-destination={REPORT} --test"
PYTEST = f"python -m pytest -q -p no:cacheprovider --junitxml={REPORT}"
BIN = "node_modules/.bin/"


def package(test: str = "", **content: object) -> str:
    """Return a package.json whose scripts are `test` and those given."""
    return json.dumps({"scripts": {"test": test} if test else {}, **content})


def scripts(**lines: str) -> str:
    """Return a package.json with scripts; an underscore in a name is a colon."""
    return package(scripts={name.replace("_", ":"): line for name, line in lines.items()})


def look(
    files: dict[str, str | bytes],
    absent: tuple[str, ...] = (),
    answers: dict[tuple[str, ...], object] | None = None,
    has_tests: bool = True,
) -> Detection:
    """Return what is found when all tools but `absent` are there and answer with `answers`."""

    def has(tool: str) -> bool:
        if tool in absent:
            return False
        return (
            tool in HERE
            or re.search(r"node_modules/\.bin/(\w+)$", tool) is not None
            and (
                tool.rpartition("/")[2] in BINS and tool.startswith(("node_modules", "packages/a"))
            )
        )

    def ask(folder: str, argv: tuple[str, ...]) -> bytes | None:
        found = (answers or {}).get((folder, *argv[:2]))
        if found is None:
            return None
        return found.encode() if isinstance(found, str) else json.dumps(found).encode()

    content = {
        name: (text.encode() if isinstance(text, str) else text) if is_read(name) else None
        for name, text in files.items()
    }
    found = detect(content, Tools(has, ask, lambda paths, pattern: has_tests and any(paths)))
    for gate in found.gates:
        assert find_contradiction(gate.report, gate.argv) is None
    return found


def commands(found: Detection) -> dict[str, str]:
    """Return each gate's command, with the folder where it is not the root."""
    return {
        gate.name: " ".join(gate.argv) + (f" @{gate.cwd}" if gate.cwd != "." else "")
        for gate in found.gates
    }


NODE_GATES = [
    (scripts(test="vitest"), {"vitest": f"{BIN}vitest {VITEST}"}),
    (scripts(test="vitest --watch src"), {"vitest": f"{BIN}vitest run src {VITEST[4:]}"}),
    (scripts(test="npx vitest run"), {"vitest": f"{BIN}vitest {VITEST}"}),
    (scripts(test="node --test"), {"node-test": NODE}),
    (scripts(test="node --test 'test/*.js'"), {"node-test": f"{NODE} test/*.js"}),
    (scripts(test="tsc --noEmit && vitest run"),
     {"tsc": f"{BIN}tsc --noEmit", "vitest": f"{BIN}vitest {VITEST}"}),
    (scripts(test="bun test"),
     {"bun": f"bun test --reporter=junit --reporter-outfile={REPORT}"}),
    (scripts(test="mocha"),
     {"mocha": f"{BIN}mocha --reporter=xunit --reporter-option=output={REPORT}"}),
    (scripts(test="vitest run || true"), {}),
    (scripts(test="vitest run; exit 0"), {}),
    (scripts(lint="eslint . || echo 'never mind'"), {}),
    (scripts(test="node --experimental-vm-modules node_modules/jest/bin/jest.js"),
     {"npm-test": f"npm run --silent test -- --ci --json --outputFile={REPORT}"}),
    (scripts(test="c8 --check-coverage mocha"),
     {"npm-test": "npm run --silent test -- --reporter=xunit "
      f"--reporter-option=output={REPORT}"}),
    (scripts(test="jest"), {"jest": f"{BIN}jest --ci --json --outputFile={REPORT}"}),
    (scripts(test="ava"), {"npm-test": "npm run --silent test"}),
    (scripts(test="vitest run --reporter=dot"), {"npm-test": "npm run --silent test"}),
    (scripts(test="vitest bench"), {"npm-test": "npm run --silent test"}),
    (scripts(test="./run.sh | tee log"), {"npm-test": "npm run --silent test"}),
    (scripts(test="./build.sh && vitest"),
     {"npm-test": f"npm run --silent test -- --run {VITEST[4:]}"}),
    (scripts(test="tsc -p . && vitest run"),
     {"npm-test": f"npm run --silent test -- {VITEST[4:]}"}),
    (scripts(test="vitest run", pretest="node build.js"),
     {"npm-test": f"npm run --silent test -- {VITEST[4:]}"}),
    (scripts(test="npm run unit", unit="vitest run"), {"vitest": f"{BIN}vitest {VITEST}"}),
    (scripts(test="vitest run", check="npm run lint && npm test", lint="eslint src"),
     {"vitest": f"{BIN}vitest {VITEST}", "eslint": f"{BIN}eslint src"}),
    (scripts(lint="eslint --fix ."), {"eslint": f"{BIN}eslint ."}),
    (scripts(lint="biome ci ."), {"biome": f"{BIN}biome ci ."}),
    (scripts(typecheck="tsc -b"), {"tsc": f"{BIN}tsc -b"}),
    (scripts(format_check="prettier -c ."), {"prettier": f"{BIN}prettier -c ."}),
    (scripts(test="react-scripts test"), {"npm-test": "npm run --silent test"}),
    (scripts(test="true"), {}),
    (scripts(test="exit 0"), {}),
    (scripts(test='echo "Error: no test specified" && exit 1'), {}),
    (scripts(test='echo "no test specified" && exit 0'), {}),
    (scripts(test="npm ci && vitest"), {}),
    (scripts(test="docker compose up"), {}),
    (scripts(test="npm run a", a="run-s b", b="curl example.org"), {}),
    (scripts(test="vitest", pretest="npm install"), {}),
    (scripts(test="node --test", other="npm ci"), {"node-test": NODE}),
    (scripts(test="nodemon test.js"), {}),
    (scripts(test="nodemon --exec jest"), {}),
    (scripts(format="prettier --write ."), {}),
    (scripts(format="prettier '**/*' --ignore-unknown"), {}),
    (scripts(format="biome format ."), {"biome": f"{BIN}biome format ."}),
    (scripts(test="npm test"), {"npm-test": "npm run --silent test"}),
    (scripts(a="npm run b", b="npm run a", test="npm run a"),
     {"npm-test": "npm run --silent test"}),
    (package(scripts=["test"]), {}),
    (package(scripts={"test": 1}), {}),
    ("[]", {}),
    ("{", {}),
    ("[" * 100_000, {}),
    ("\ufeff" + scripts(test="node --test"), {"node-test": NODE}),
    ("", {}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), NODE_GATES)
def test_what_the_scripts_of_a_package_run_are_its_gates(text, expected):
    assert commands(look({"package.json": text})) == expected


MANAGERS = [
    ({"pnpm-lock.yaml": ""}, {}, "pnpm run test"),
    ({"yarn.lock": ""}, {}, "yarn run test"),
    ({"bun.lock": ""}, {}, "bun run test"),
    ({"package-lock.json": ""}, {}, "npm run --silent test"),
    ({"package-lock.json": ""}, {"packageManager": "pnpm@9.1.0"}, "pnpm run test"),
    ({}, {"packageManager": 7}, "npm run --silent test"),
]


@pytest.mark.parametrize(("locks", "content", "command"), MANAGERS)
def test_a_script_is_run_by_the_manager_of_the_project(locks, content, command):
    found = look({"package.json": package("ava", **content), **locks})
    assert list(commands(found).values()) == [command]


def test_an_inner_package_has_the_manager_of_the_outer_one():
    files = {"package.json": "{}", "pnpm-lock.yaml": "", "web/package.json": package("ava")}
    assert commands(look(files)) == {"web-pnpm-test": "pnpm run test @web"}


REPORTS = [
    ({"package.json": scripts(test="vitest")}, GateReport.JUNIT),
    ({"package.json": scripts(test="jest")}, GateReport.JEST),
    ({"package.json": scripts(test="x && jest")}, GateReport.JEST),
    ({"package.json": scripts(test="ava")}, GateReport.EXIT),
    ({"Cargo.toml": "", "a.rs": ""}, GateReport.CARGO),
    ({"Cargo.toml": ""}, GateReport.EXIT),
    ({"go.mod": "", "a_test.go": ""}, GateReport.GO),
]


@pytest.mark.parametrize(("files", "report"), REPORTS)
def test_a_runner_that_can_tell_its_tests_apart_is_asked_to(files, report):
    assert look(files).gates[0].report is report


def test_names_that_a_shell_fills_in_leave_the_shell_and_still_give_a_report():
    gate = look({"package.json": scripts(test="node --test test/*.js")}).gates[0]
    assert gate.argv == (
        *("sh", "-c"),
        'node --test-reporter=junit --test-reporter-destination="$1" --test test/*.js',
        *("node-test", REPORT),
    )
    assert gate.report is GateReport.JUNIT


def test_an_old_node_is_not_asked_for_a_report_that_it_cannot_write():
    answers = {(".", "node", "--version"): "v18.1.0\n"}
    gate = look({"package.json": scripts(test="node --test")}, answers=answers).gates[0]
    assert (gate.argv, gate.report) == (("node", "--test"), GateReport.EXIT)


def test_variables_before_a_command_are_the_gate_s():
    gate = look({"package.json": scripts(test="cross-env NODE_ENV=test TZ=UTC vitest")}).gates[0]
    assert gate.env == {"NODE_ENV": "test", "TZ": "UTC", "CI": "1", "NO_COLOR": "1"}


def test_a_manager_that_runs_a_script_may_fetch_nothing():
    env = look({"package.json": scripts(test="ava")}).gates[0].env
    assert env["npm_config_offline"] == "true" and env["COREPACK_ENABLE_NETWORK"] == "0"


REPAIRS = [
    ("eslint .", f"{BIN}eslint . --fix"),
    ("prettier --check src", f"{BIN}prettier --write src"),
    ("biome ci src", f"{BIN}biome check --write src"),
]


@pytest.mark.parametrize(("line", "fix"), REPAIRS)
def test_a_tool_that_reads_brings_what_repairs(line, fix):
    gate = look({"package.json": scripts(lint=line)}).gates[0]
    assert " ".join(gate.fix) == fix


TREES = [
    ({"package.json": package("turbo run test", workspaces=["packages/*"]),
      "packages/a/package.json": package("vitest run")},
     {"a-vitest": f"{BIN}vitest {VITEST} @packages/a"}),
    ({"package.json": package("turbo run test"),
      **{f"packages/p{n}/package.json": package("node --test") for n in range(9)}},
     {"npm-test": "npm run --silent test"}),
    ({"package.json": package("npm test --workspaces"), "packages/a/package.json": "{}"},
     {"npm-test": "npm run --silent test"}),
    ({"package.json": package("vitest run"), "packages/a/package.json": package("vitest run")},
     {"vitest": f"{BIN}vitest {VITEST}"}),
    ({"package.json": package("vitest run src"),
      "packages/a/package.json": package("vitest run")},
     {"vitest": f"{BIN}vitest run src {VITEST[4:]}",
      "a-vitest": f"{BIN}vitest {VITEST} @packages/a"}),
    ({"package.json": package(workspaces=["../../etc/*", "/"]),
      "packages/a/package.json": package("node --test")},
     {"a-node-test": f"{NODE} @packages/a"}),
    ({"a/web/package.json": package("node --test"), "b/web/package.json": package("node --test")},
     {"web-node-test": f"{NODE} @a/web", "b-web-node-test": f"{NODE} @b/web"}),
    ({"My App!/package.json": package("node --test")}, {"my-app-node-test": f"{NODE} @My App!"}),
    ({"ü/package.json": package("node --test"), "ö/package.json": package("node --test")},
     {"node-test": f"{NODE} @ö", "node-test-2": f"{NODE} @ü"}),
    ({"node_modules/x/package.json": package("node --test"), "vendor/go.mod": "",
      "third_party/y/Cargo.toml": "", "tests/fixtures/p/package.json": package("node --test"),
      "examples/e/package.json": package("node --test"),
      "{{cookiecutter.x}}/package.json": package("node --test"),
      "a/b/c/d/e/f/g/package.json": package("node --test")}, {}),
    ({"node_modules/x/test_a.py": "", ".venv/lib/test_b.py": ""}, {}),
    ({"backend/pyproject.toml": "[tool.pytest.ini_options]\n", "backend/tests/test_a.py": ""},
     {"backend-pytest": f"{PYTEST} @backend"}),
    ({"backend/pyproject.toml": "", "backend/test_a.py": "", "test_b.py": ""},
     {"pytest": PYTEST.replace("--junit", "--ignore=backend --junit"),
      "backend-pytest": f"{PYTEST} @backend"}),
    ({"pyproject.toml": "[tool.pytest.ini_options]\n", "libs/a/pyproject.toml": "",
      "libs/a/test_a.py": ""}, {"pytest": PYTEST}),
    ({"pyproject.toml": "[tool.pytest.ini_options]\ntestpaths = ['tests']\n",
      "libs/a/pyproject.toml": "[tool.pytest.ini_options]\n", "libs/a/test_a.py": ""},
     {"pytest": PYTEST, "a-pytest": f"{PYTEST} @libs/a"}),
    ({"pyproject.toml": "[tool.pytest.ini_options]\ntestpaths = ['libs']\n",
      "libs/a/pyproject.toml": "[tool.pytest.ini_options]\n", "libs/a/test_a.py": ""},
     {"pytest": PYTEST}),
    ({"ruff.toml": "", "a/pyproject.toml": "[tool.ruff]\n"},
     {"ruff": "python -m ruff check --no-fix --no-cache --output-format=concise ."}),
    ({"tests/data/p/pyproject.toml": "[tool.pytest.ini_options]\n", "tests/test_a.py": ""},
     {"pytest": PYTEST}),
    ({"pyrightconfig.json": "{}"}, {"pyright": "python -m pyright"}),
    ({"pyproject.toml": "[tool.basedpyright]\n"}, {"pyright": "python -m pyright"}),
    ({"Cargo.toml": "[package]\n", "src/lib.rs": ""}, {"cargo-test": "cargo test --no-fail-fast"}),
    ({"Cargo.toml": "[workspace]\n", "Cargo.lock": "", "a/Cargo.toml": "", "a/lib.rs": ""},
     {"cargo-test": "cargo test --no-fail-fast --workspace --locked"}),
    ({"Cargo.toml": "[package]\n", "a.rs": "", "clippy.toml": "", "rustfmt.toml": ""},
     {"cargo-test": "cargo test --no-fail-fast", "clippy": "cargo clippy --all-targets",
      "cargo-fmt": "cargo fmt --all --check"}),
    ({"Cargo.toml": "[lints.clippy]\n", "a.rs": "",
      ".github/workflows/ci.yml": "- run: cargo clippy -- -D warnings\n- run: cargo fmt --check"},
     {"cargo-test": "cargo test --no-fail-fast",
      "clippy": "cargo clippy --all-targets -- -D warnings",
      "cargo-fmt": "cargo fmt --all --check"}),
    ({"go.mod": "", "a.go": "", "a_test.go": ""},
     {"go-test": "go test -json ./...", "go-vet": "go vet ./..."}),
    ({"go.mod": "", "a.go": ""}, {"go-vet": "go vet ./..."}),
    ({"go.mod": ""}, {}),
    ({"go.mod": "", "a.go": "", "vendor/x/x_test.go": "", "testdata/m/go.mod": ""},
     {"go-vet": "go vet ./..."}),
    ({"go.work": "", "a/go.mod": "", "a/a_test.go": "", "b/go.mod": "", "b/b.go": ""},
     {"a-go-test": "go test -json ./... @a", "a-go-vet": "go vet ./... @a", "b-go-vet": "go vet ./... @b"}),
    ({"pyproject.toml": "[tool.pytest]\n", "web/package.json": package("node --test"),
      "core/Cargo.toml": "", "core/a.rs": "", "svc/go.mod": "", "svc/a.go": ""},
     {"pytest": PYTEST, "web-node-test": f"{NODE} @web",
      "core-cargo-test": "cargo test --no-fail-fast @core", "svc-go-vet": "go vet ./... @svc"}),
    ({"Makefile": "test:\n\t./run-tests\n"}, {"make-test": "make test"}),
    ({"Makefile": "test: ; ./run-tests\n"}, {"make-test": "make test"}),
    ({"Makefile": "test:\n\tpytest -q\n", "test_a.py": ""}, {"pytest": PYTEST}),
    ({"Makefile": "PY ?= uv run\ntest:\n\t@$(PY) python -m pytest $(ARGS)\n", "test_a.py": ""},
     {"pytest": PYTEST}),
    ({"Makefile": "PY ?= uv run\ntest: lint\n\t@cd . && $(PY) pytest\nlint:\n\truff check .\n",
      "test_a.py": "", "ruff.toml": ""},
     {"pytest": PYTEST,
      "ruff": "python -m ruff check --no-fix --no-cache --output-format=concise ."}),
    ({"Makefile": "lint:\n\truff check .\n\truff format --check .\n", "ruff.toml": ""},
     {"ruff": "python -m ruff check --no-fix --no-cache --output-format=concise .",
      "make-lint": "make lint"}),
    ({"Makefile": "test:\n\tnpm test\n", "package.json": package("node --test")},
     {"node-test": NODE}),
    ({"Makefile": "test:\n\t@echo nothing\n"}, {}),
    ({"Makefile": "test:\n\t-./run\n"}, {}),
    ({"Makefile": "test:\n\t./run || true\n"}, {}),
    ({"Makefile": "test:\n\t-rm -f x\n\t./run\n"}, {"make-test": "make test"}),
    ({"Makefile": "test:\n\tcd a && $(MAKE) test\n", "test_a.py": ""},
     {"pytest": PYTEST, "make-test": "make test"}),
    ({"Makefile": "test:\nifdef X\n\t./run\nendif\n"}, {"make-test": "make test"}),
    ({"Makefile": "check: test lint\ntest:\n\tpytest\nlint:\n\t./lint\n", "test_a.py": ""},
     {"pytest": PYTEST, "make-lint": "make lint"}),
    ({"Makefile": "test := 1\n.PHONY: test\n"}, {}),
    ({"Makefile": "test: venv\n\tpytest\nvenv:\n\tpip install -e .\n"}, {}),
    ({"Makefile": "test:\n\ttox -e py\n"}, {}),
    ({"Makefile": "lint:\n\tblack --fix .\n"}, {}),
    ({"sub/Makefile": "test:\n\t./x\n"}, {}),
    ({"a/" * 2000 + "package.json": "", "test_a.py": ""}, {"pytest": PYTEST}),
    ({"noxfile.py": "", "tox.ini": "[tox]\n", ".pre-commit-config.yaml": ""}, {}),
    ({"package.json": b"\xff\xfe", "Cargo.toml": b"\xff", "pyproject.toml": b"\x00"},
     {"cargo-check": "cargo check --all-targets"}),
]  # fmt: skip


@pytest.mark.parametrize(("files", "expected"), TREES)
def test_every_tree_has_the_gates_that_are_its_own_each_once(files, expected):
    found = look(files)
    assert commands(found) == expected


PASSED = [
    ({"package.json": "[]"}, [("package.json", ".", "no JSON object")]),
    ({"package.json": scripts(test="echo no && exit 0")}, [("script test", ".", "runs no test")]),
    ({"package.json": scripts(test="npm ci && ava")}, [("script test", ".", "fetches")]),
    ({"package.json": scripts(test="webpack --watch")}, [("script test", ".", "does not end")]),
    ({"package.json": scripts(format="prettier -w .")}, [("script format", ".", "rewrites")]),
    ({"package.json": package("vitest"), "packages/a/package.json": package("vitest")},
     [("vitest", "packages/a", "in the root looks here as well")]),
    ({"package.json": scripts(test="node --test", check="npm test")},
     [("script check", ".", "other gates run all of it")]),
    ({"noxfile.py": ""}, [("nox", ".", "noxfile.py: it makes environments of its own")]),
    ({"tox.ini": "[testenv]\n"}, [("tox", ".", "tox.ini")]),
    ({"a/pyproject.toml": "[tool.tox]\n"}, [("tox", "a", "[tool.tox]")]),
    ({".pre-commit-config.yaml": ""}, [("pre-commit", ".", "write a [[gate]]")]),
    ({"Makefile": "lint:\n\tuv run mypy .\n\t./x\n", "mypy.ini": ""},
     [("mypy", ".", "not installed"), ("make lint", ".", "it runs mypy, which is not installed")]),
    ({"Makefile": "check:\n\tcurl x\n"}, [("make check", ".", "fetches")]),
]  # fmt: skip


@pytest.mark.parametrize(("files", "expected"), PASSED)
def test_what_is_no_gate_is_named_with_the_reason(files, expected):
    found = look(files, absent=("-m mypy",))
    said = [(one.what, one.folder, one.reason) for one in found.passed_over]
    assert [one[:2] for one in said] == [one[:2] for one in expected]
    assert all(want[2] in got[2] for got, want in zip(said, expected, strict=True))


ABSENT = [
    ({"package.json": scripts(test="vitest")}, "node_modules/.bin/vitest", "vitest", "npm ci"),
    ({"package.json": scripts(test="ava")}, "npm", "script test", "npm"),
    ({"package.json": scripts(test="bun test")}, "bun", "bun", "bun"),
    ({"Cargo.toml": ""}, "cargo", "cargo", "cargo is not installed"),
    ({"Cargo.toml": "", "clippy.toml": ""}, "cargo-clippy", "clippy", "not installed"),
    ({"Cargo.toml": "", "rustfmt.toml": ""}, "rustfmt", "cargo-fmt", "not installed"),
    ({"go.mod": ""}, "go", "go", "go is not installed"),
    ({"Makefile": "test:\n\t./x\n"}, "make", "make test", "make is not installed"),
    ({"uv.lock": "", "ruff.toml": ""}, "-m ruff", "ruff", "uv sync"),
    ({"a/b/test_x.py": ""}, "-m pytest", "pytest", "unittest does not find it"),
    ({"pyrightconfig.json": ""}, "-m pyright", "pyright", "pyrightconfig.json"),
]


@pytest.mark.parametrize(("files", "tool", "what", "reason"), ABSENT)
def test_a_tool_that_is_configured_and_not_installed_is_said_and_no_gate(files, tool, what, reason):
    found = look(files, absent=(tool,))
    assert [one.what for one in found.passed_over if one.absent] == [what]
    assert reason in found.passed_over[-1].reason
    assert what not in commands(found)


def test_a_tool_that_an_outer_package_lacks_covers_no_inner_one():
    files = {"package.json": package("vitest"), "packages/a/package.json": package("vitest")}
    found = look(files, absent=("node_modules/.bin/vitest",))
    assert list(commands(found)) == ["a-vitest"]


def test_cargo_is_asked_which_crates_are_members_of_its_workspace():
    told = {"workspace_root": "/r", "packages": [{"manifest_path": "/r/a/Cargo.toml"}]}
    files = {"Cargo.toml": "[workspace]\n", "a/Cargo.toml": "", "b/Cargo.toml": "", "b/x.rs": ""}
    found = look(files, answers={(".", "cargo", "metadata"): told})
    assert {gate.name: gate.argv[1] for gate in found.gates} == {
        "cargo-check": "check",
        "b-cargo-test": "test",
    }


@pytest.mark.parametrize("told", [[], {}, {"packages": [1]}, "no", {"packages": [{}]}])
def test_an_answer_of_cargo_that_is_none_leaves_what_lies_below_as_members(told):
    files = {"Cargo.toml": "[workspace]\n", "a/Cargo.toml": ""}
    found = look(files, answers={(".", "cargo", "metadata"): told})
    assert len(found.gates) == 1


def test_a_module_that_the_workspace_leaves_out_is_tested_outside_of_it():
    files = {"go.work": "", "a/go.mod": "", "a/a.go": "", "b/go.mod": "", "b/b.go": ""}
    found = look(files, answers={(".", "go", "work"): {"Use": [{"DiskPath": "./a"}]}})
    assert [gate.env.get("GOWORK") for gate in found.gates] == [None, "off"]


def test_just_is_asked_for_its_recipes():
    def recipe(*lines: str, needs: tuple[str, ...] = ()) -> dict[str, object]:
        return {"body": [[line] for line in lines], "dependencies": [{"recipe": n} for n in needs]}

    told = {
        "recipes": {
            "test": recipe("./run {{x}}", needs=("build",)),
            "build": recipe("cc x.c"),
            "lint": recipe("ruff check ."),
            "check": {**recipe("./x"), "parameters": [{"default": None, "kind": "singular"}]},
        }
    }
    files = {"justfile": "", "ruff.toml": ""}
    found = look(files, answers={(".", "just", "--dump"): told})
    assert list(commands(found)) == ["ruff", "just-test"]
    assert [one.what for one in found.passed_over] == ["just lint"]


def test_there_are_only_so_many_gates_and_the_rest_is_named():
    files = {f"p{n:02}/package.json": package("node --test") for n in range(MOST_GATES + 3)}
    found = look(files)
    assert len(found.gates) == MOST_GATES
    assert len(found.passed_over) == 3 and "more than" in found.passed_over[0].reason


def test_there_are_only_so_many_projects_and_that_is_said():
    files = {f"p{n:03}/go.mod": "" for n in range(MOST + 1)}
    assert [one.what for one in look(files).passed_over] == ["more projects"]


def test_every_gate_has_a_name_of_its_own_that_a_gate_may_have():
    folders = ["x" * 80 + "/a", "x" * 80 + "/b", "A", "a", "-", "é"]
    files = {f"{folder}/package.json": package("node --test") for folder in folders}
    gates = look(files).gates
    assert len({gate.name for gate in gates}) == len(folders)
    assert all(GateSpec.model_validate(gate.model_dump()) == gate for gate in gates)


def test_the_folder_of_a_gate_is_part_of_what_a_person_approves():
    gate = look({"a/package.json": package("node --test")}).gates[0]
    assert digest_gate(gate) != digest_gate(gate.changed(cwd="b"))


SCRIPTED = [
    ({"package.json": scripts(test="./run.sh|tee x", pretest="npm run b", b="node 'tools/b-c.js'"),
      "run.sh": "", "tools/b-c.js": "", "other.js": ""}, ("run.sh", "tools/b-c.js")),
    ({"Makefile": "test: b\n\t@./run.sh --x=$(Y)\nb:\n\tcc c.c\n", "run.sh": "", "c.c": ""},
     ("c.c", "run.sh")),
    ({"Makefile": "-include more.inc\ntest:\n\t./x\n", "more.inc": "", "x": ""},
     ("more.inc", "x")),
    ({"Makefile": "test:\n\t@cc-x --in=a-b.c,c.c -I. -o@x\n", "a-b.c": "", "c.c": "", "x": ""},
     ("a-b.c", "c.c")),
]  # fmt: skip


@pytest.mark.parametrize(("files", "expected"), SCRIPTED)
def test_what_a_script_or_a_target_starts_needs_a_person_when_it_is_changed(files, expected):
    gate = look(files).gates[0]
    assert gate.runs == expected
    assert set(find_protected(files, [gate])) >= set(expected)
    assert not set(find_protected(files, [gate.changed(runs=())])) & set(expected)


CONFIGURE = (
    *("web/vitest.config.ts", "jest.config.js", "tsconfig.build.json", "package-lock.json"),
    *("Cargo.toml", ".cargo/config.toml", "build.rs", "go.mod", "go.work.sum", "Makefile"),
    *("a/justfile", "noxfile.py", "node_modules/.bin/vitest", "eslint.config.mjs"),
)


def test_what_configures_gates_of_any_language_needs_a_person():
    assert find_protected(CONFIGURE, ()) == CONFIGURE


LINES = [
    ("a b && c", (("a", "b"), ("c",))),
    ("a; b", (("a",), ("b",))),
    ("A=1 cross-env B=2 a", (("a",),)),
    ("a 'x*' b", (("a", "x*", "b"),)),
    *((line, None) for line in ("a | b", "a || b", "a > f", "a $X", "a `b`", "a *", "(a)", "a '")),
]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_a_line_is_told_apart_only_where_no_shell_makes_more_of_it(line, expected):
    found = split_line(line)
    assert (found and tuple(command.words for command in found)) == expected


UNWRAPPED = [
    ("uv run --no-sync python -m pytest -q", ("pytest", "-q")),
    ("poetry run pytest", ("pytest",)),
    (".venv/bin/python -m pytest", ("pytest",)),
    ("npx --no-install jest", ("jest",)),
    ("node_modules/.bin/eslint .", ("eslint", ".")),
    ("uv run", ()),
]


@pytest.mark.parametrize(("line", "expected"), UNWRAPPED)
def test_what_a_command_is_does_not_depend_on_where_it_comes_from(line, expected):
    assert unwrap(line.split()) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [("echo a && exit 1", True), ("true", True), ("", True), ("echo a && jest", False)],
)
def test_a_line_that_only_prints_is_told(line, expected):
    assert is_vacuous(line) is expected


def test_a_makefile_is_followed_from_target_to_target_and_not_in_circles():
    rules = read_rules(
        "A = x\nB := $(A) y\ntest check: lint ## words\n\trun $(B) \\\n  more\nlint: test\n\tlook\n"
    )
    assert follow(rules, "test") == ["look", "run x y    more"]
    assert follow(rules, "check") == ["run x y    more", "look", "run x y    more"]
