"""Runs this proof again, with Python's standard library and git alone.

    python3 verify.py                          what the proof claims, and what would be run
    python3 verify.py --run --repository PATH  runs it, in clean checkouts in a temporary folder
                      --setup                  runs the set-up commands there first

PATH is a repository (or its URL) that has the base commit; it is cloned, never changed.  The answer is
the exit code, too: 0 REPRODUCED, 1 NOT REPRODUCED (and which field), 2 NOT REPRODUCIBLE HERE (and what
is missing).  Compared are how each gate ended, what each of its tests said, and what was looked at besides:
by what follows where times or chance decide.

What this cannot do: check the ed25519 signature, for which the standard library has nothing (`goalproof
verify-proof` does, or any DSSE verifier); and judge: that the verdict follows from the gates is checked
by `goalproof verify-proof --run`.  Whoever sent you the bundle wrote this file as well: read it.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import fnmatch
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Optional
from xml.parsers import expat

# What stands in place of these imports in a bundle: the text of these modules.
from goal_engine.gates.formats.readers import IN_FILE, read_told
from goal_engine.inline_tests import may_have_tests, swap_tests
from goal_engine.looking import find_dead_links, find_places, whole_word

Json = dict[str, Any]
Ran = tuple[str, Optional[int], dict[str, str], str]  # noqa: UP045 - Python 3.9 runs this, too
"""Outcome, exit code, what each test said, and a reason for people."""
Python = tuple[Path, str, tuple[int, int], list[str]]
"""An interpreter, the one below it, its version, and its folders of packages."""

Means = tuple[Python, list[str], list[list[str]]]
"""The interpreter, folders of programs that go first, and commands that set a checkout up."""

HERE = Path(__file__).resolve().parent
REPRODUCED, NOT_REPRODUCED, NOT_HERE = "REPRODUCED", "NOT REPRODUCED", "NOT REPRODUCIBLE HERE"
EXIT_CODES = {REPRODUCED: 0, NOT_REPRODUCED: 1, NOT_HERE: 2}
PAYLOAD_TYPE = "application/vnd.in-toto+json"
UNNAMED = {"statement.json", "statement.sha256", "proof.md", "envelope.dsse.json", "public-key.pem"}
"""Files that are made of the statement and so cannot be named in it."""
KEPT = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TERM", "TMPDIR", "TZ"}
KEPT |= {"CARGO_HOME", "RUSTUP_HOME", "GOPATH", "GOCACHE", "GOMODCACHE", "GOROOT", "PNPM_HOME"}
FRESH = {"CARGO_NET_OFFLINE": "true", "GOPROXY": "off", "GOFLAGS": "-count=1"}
PORTS, PORT_COUNT = range(20_000, 30_000, 20), 20
NODE, NODE_CACHES = "node_modules", {".cache", ".vite", ".vite-temp", ".vitest", ".nyc_output"}
OID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
REPORT_LIMIT = 64 << 20
FILE_LIMIT = 1 << 30
POINTER, POINTER_LIMIT = b"version https://git-lfs.github.com/spec/v1", 1024
SCRIPTS = (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".jsx", ".tsx")
SETUP_SECONDS = 1800.0
TESTS = (
    *("tests/**", "test/**", "**/tests/**", "**/test/**", "**/tests.py", "**/conftest.py"),
    *("**/test_*", "**/*_test.*", "**/*.test.*", "**/*.spec.*", "**/*_spec.*"),
    *("spec/**", "**/__tests__/**", "**/__snapshots__/**", "**/testdata/**", "testing/**"),
    *("**/test.*", "**/tests.*", "**/test-*", "**/*-test.*", "**/*-spec.*", "**/*.snap"),
    *("**/spec.?s", "**/spec.?sx", "**/__mocks__/**", "**/__fixtures__/**", "e2e/**"),
    *("cypress/**", "**/*Test.*", "**/*Tests.*", "**/*Spec.*"),
)
"""What counts as a test beside a gate's own `tests`: taken along when the change is taken away."""


class Different(Exception):
    """The bundle is not what it says, or a run ended in another way: names the field."""


class Missing(Exception):
    """It cannot be run here: names what is missing."""


def main() -> int:
    """Print the claims and the plan, run it if asked, and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", action="store_true", help="run the gates; they are a stranger's")
    parser.add_argument("--repository", metavar="PATH", help="a repository with the base commit")
    parser.add_argument(
        "--env", metavar="PATH", help="a Python, a virtual environment, or any folder with a bin"
    )
    parser.add_argument(
        "--setup", action="store_true", help="run the set-up commands first, in a new environment"
    )
    options = parser.parse_args()
    try:
        proof = read_bundle(HERE)
        print_claims(proof)
        if not options.run:
            print("\nNothing was run. With --run --repository PATH the commands above are.")
            return 0
        if not options.repository:
            raise Missing("a repository that has the base commit: give it with --repository PATH")
        with tempfile.TemporaryDirectory(prefix="goalproof-verify-") as scratch:
            differences = run_again(proof, options, Path(scratch).resolve())
        if differences:
            raise Different("; ".join(differences))
    except Different as error:
        return answer(NOT_REPRODUCED, error)
    except Missing as error:
        return answer(NOT_HERE, error)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return answer(NOT_REPRODUCED, f"statement.json: it is formed unlike a proof: {error!r}")
    return answer(REPRODUCED, "each gate ended, and each test and check said, what the proof says")


def answer(outcome: str, why: object) -> int:
    """Print the answer and return its exit code."""
    print(f"\n{outcome} ({plain(why)})")
    return EXIT_CODES[outcome]


def plain(text: object) -> str:
    """Return text of a stranger without what could steer a terminal."""
    return "".join(char if char.isprintable() else " " for char in str(text))


# The bundle


def read_bundle(folder: Path) -> Json:
    """Return the proof, once every file is the one that the statement or the envelope names."""
    statement = read(folder, "statement.json")
    if read(folder, "statement.sha256") != f"{digest(statement)}\n".encode():
        raise Different("statement.json: it does not have the digest in statement.sha256")
    try:
        envelope = json.loads(read(folder, "envelope.dsse.json"))
        payload = base64.b64decode(envelope["payload"], validate=True)
        kind, signatures = envelope["payloadType"], len(envelope["signatures"])
        proof: Json = json.loads(statement)["predicate"]
        files = dict(proof["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise Different(f"envelope or statement: {type(error).__name__}: {error}") from error
    if payload != statement or kind != PAYLOAD_TYPE or signatures != 1:
        raise Different("envelope.dsse.json: it is not one signature of statement.json")
    for name, wanted in files.items():
        if digest(read(folder, name)) != wanted:
            raise Different(f"files[{name}]: it is not the file that the statement names")
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    for name in sorted(there - set(files) - UNNAMED):
        raise Different(f"{name}: it is in the bundle, but the statement does not name it")
    return proof


def read(folder: Path, name: str) -> bytes:
    """Return the bytes of a file of the bundle."""
    path = folder / name
    if not path.resolve().is_relative_to(folder):
        raise Different(f"files[{name}]: it leads out of the bundle")
    try:
        return read_file(path)
    except OSError as error:
        raise Different(f"{name}: it is missing or no plain file ({error.strerror})") from error


def read_file(path: Path, limit: int = FILE_LIMIT) -> bytes:
    """Return the bytes of a plain file; a pipe would be waited for, a device never ends."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode) or about.st_size > limit:
            raise OSError(0, "it is no plain file, or too large")
        return file.read(limit)


def digest(data: bytes) -> str:
    """Return the sha256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def print_claims(proof: Json) -> None:
    """Say what the statement says, and each command that would be run."""

    def say(*words: object) -> None:
        print(plain(" ".join(map(str, words))))

    say("goal     ", proof["text"])
    say("verdict  ", proof["judgement"]["verdict"])
    say("base     ", proof["base_commit"])
    say("tree     ", proof["tree"])
    for item in proof["judgement"]["criteria"]:
        criterion = item["criterion"]
        say(
            "criterion",
            f"{criterion['id']}: {item['state']} ({criterion['evidence']}): {item['reason']}",
        )
    say("signature", f"by {proof['key_id']}, NOT checked here: the standard library cannot")
    if proof["key_exposed"]:
        say("         ", "an unsandboxed worker could have read that key")
    say("files    ", f"{len(proof['files'])}, each with the digest that the statement names")
    gates = {gate["name"]: gate for gate in proof["gates"]}
    if proof.get("recovered"):
        say("recovered", "made again from the journal: where the gates ran is not known")
    if proof.get("setup"):
        print("\nWith --setup, first in each checkout:")
        for argv in proof["setup"]:
            say(" ", shlex.join(argv))
    print("\nWould run, each in a clean checkout:")
    for run in proof["runs"]:
        gate = gates.get(run["gate"])
        if gate is None:
            raise Different(f"runs[{run['stage']} {run['gate']}]: there is no such gate")
        sets = "".join(f" {name}={shlex.quote(value)}" for name, value in gate["env"].items())
        say(f"  {run['stage']:14} {gate['name']}:{sets} {shlex.join(gate['argv'])}")
        say(" " * 16, f"in {gate['cwd']}, at most {gate['timeout']:g} s; said: {run['outcome']},"
            f" {len(run['tests'])} tests")  # fmt: skip
    for criterion, _ in find_checks(proof):
        check = criterion["check"]
        words = check.get("same_output") or check.get("faster")
        what = shlex.join(words) if words else json.dumps(check, sort_keys=True)
        say(f"  {'check':14} {criterion['id']}:", what)
        if "runs" in check:
            say(" " * 16, f"gate {criterion['gate']}, {check['runs']} times on each tree")
        elif words:
            say(" " * 16, f"in {check['cwd']}, at most {check['timeout']:g} s, again and again")


def find_checks(proof: Json) -> list[tuple[Json, Json]]:
    """Return each criterion that has something looked at, with what was seen."""
    asked = {item["criterion"]["id"]: item["criterion"] for item in proof["judgement"]["criteria"]}
    found = []
    for seen in proof.get("checks", []):
        if "check" not in asked.get(seen["criterion"], {}):
            raise Different(f"checks[{seen['criterion']}]: no criterion asks for it")
        found.append((asked[seen["criterion"]], seen))
    names = [seen["criterion"] for _, seen in found]
    for name, criterion in asked.items():
        if "check" in criterion and names.count(name) != 1:
            raise Different(f"checks[{name}]: there is not one result of it")
    return found


# The trees


def git(
    *arguments: str,
    cwd: Path,
    stdin: bytes | None = None,
    env: dict[str, str] | None = None,
    personal: bool = False,
) -> bytes:
    """Run git without hooks and, but for cloning, without anybody's settings; return its output."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    variables |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **(env or {})}
    if not personal:
        variables |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    command = ["git", "-c", f"core.hooksPath={os.devnull}", "-c", "gc.auto=0", *arguments]
    try:
        done = subprocess.run(
            command, cwd=cwd, env=variables, input=stdin, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise Missing("git: it is not on the PATH") from None
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise Missing(f"git {arguments[0]} failed: {' '.join(last)}")
    return done.stdout


def prepare(
    proof: Json, repository: str, scratch: Path
) -> tuple[Path, dict[str, str], dict[str, str]]:
    """Clone, take the change in, and return the clone and the commit that each stage is about."""
    for name in ("base_commit", "base_tree", "tree"):
        if not OID.fullmatch(proof[name]):
            raise Different(f"{name}: it is no git object name")
    clone = scratch / "clone"
    source = str(Path(repository).resolve()) if Path(repository).exists() else repository
    git("clone", "--quiet", "--no-checkout", "--template=", "--", source, str(clone),
        cwd=scratch, personal=True)  # fmt: skip
    base, tree = proof["base_commit"], proof["tree"]
    try:
        base_tree = oid(clone, f"{base}^{{tree}}")
    except Missing:
        raise Missing(f"commit {base}: {repository} does not have it; fetch it there") from None
    if base_tree != proof["base_tree"]:
        raise Different("base_tree: it is not the tree of base_commit")
    commits = {"baseline": base, "proving": base}
    if "change.bundle" in proof["files"]:
        try:
            git("-c", "transfer.fsckObjects=true", "fetch", "--quiet", str(HERE / "change.bundle"),
                "refs/heads/goalproof:refs/goalproof", cwd=clone)  # fmt: skip
        except Missing as error:
            raise Different(f"change.bundle: {error}") from error
        commits["proving"] = oid(clone, "refs/goalproof")
    if oid(clone, f"{commits['proving']}^{{tree}}") != tree:
        raise Different("tree: it is not what change.bundle holds")
    globs = [glob for gate in proof["gates"] for glob in gate["tests"]]
    trees = {"baseline": base_tree, "proving": tree}
    for stage, ground, tests in (
        ("counterfactual", base_tree, tree),
        ("original", tree, base_tree),
    ):
        trees[stage] = put_tests(clone, scratch, ground, tests, globs)
        commits[stage] = git(
            "commit-tree", trees[stage], "-p", base, "-m", "tests and change apart", cwd=clone,
            env={f"GIT_{who}_{what}": "goalproof" for who in ("AUTHOR", "COMMITTER")
                 for what in ("NAME", "EMAIL")},
        ).decode().strip()  # fmt: skip
    return clone, commits, trees


def oid(clone: Path, name: str) -> str:
    """Return the object name that `name` stands for."""
    return git("rev-parse", "--verify", "--quiet", name, cwd=clone).decode().strip()


def put_tests(clone: Path, scratch: Path, base_tree: str, tree: str, globs: list[str]) -> str:
    """Return `base_tree` with the tests of `tree` and nothing else of it."""
    diff = git("diff-tree", "-r", "-z", "--name-only", "--no-renames", base_tree, tree, cwd=clone)
    changed = [name for name in diff.split(b"\0") if name]
    tests = [name for name in changed if is_test(os.fsdecode(name), globs)]
    env = {"GIT_INDEX_FILE": str(scratch / "index")}
    git("read-tree", base_tree, cwd=clone, env=env)
    entries, grounds = list_entries(clone, tree), list_entries(clone, base_tree)
    nothing = b"0 " + b"0" * len(base_tree)
    lines = [nothing + b"\t" + name for name in tests]
    for name in filter(entries.__contains__, tests):
        mode, _, blob = entries[name].split(b" ")
        lines.append(mode + b" " + blob + b"\t" + name)
    for name in changed:
        if name in tests or name not in grounds or not may_have_tests(os.fsdecode(name)):
            continue
        code, other = read_entry(clone, grounds[name]), read_entry(clone, entries.get(name))
        swapped = swap_tests(code, other)
        if swapped != code:
            blob = git("hash-object", "-w", "--stdin", cwd=clone, stdin=swapped).strip()
            lines.append(grounds[name].split(b" ")[0] + b" " + blob + b"\t" + name)
    git("update-index", "-z", "--index-info", cwd=clone, env=env,
        stdin=b"".join(line + b"\0" for line in lines))  # fmt: skip
    return git("write-tree", cwd=clone, env=env).decode().strip()


def list_entries(clone: Path, tree: str) -> dict[bytes, bytes]:
    """Return mode, kind and object of each file of a tree, by its path."""
    entries = {}
    for line in git("ls-tree", "-r", "-z", "--full-tree", tree, cwd=clone).split(b"\0"):
        about, _, name = line.partition(b"\t")
        entries[name] = about
    return entries


def read_entry(clone: Path, entry: bytes | None) -> bytes:
    """Return what is in a file, nothing where there is none."""
    mode, kind, blob = entry.split(b" ") if entry else (b"", b"", b"")
    return git("cat-file", "blob", blob.decode(), cwd=clone) if kind == b"blob" else b""


def is_test(path: str, globs: list[str]) -> bool:
    """Whether a path is a test: `**` stands for folders, `*` and `?` never cross a slash."""
    return any(
        path == glob or matches(path.split("/"), split_glob(glob)) for glob in (*TESTS, *globs)
    )


def split_glob(glob: str) -> list[str]:
    """Return the parts of a glob; a trailing slash means everything below."""
    parts = glob[2:].split("/") if glob.startswith("./") else glob.split("/")
    if len(parts) > 1 and not parts[-1]:
        parts[-1] = "**"
    return [*parts, "*"] if parts[-1] == "**" else parts


def matches(names: list[str], parts: list[str]) -> bool:
    """Whether the components of a path are those that the parts of a glob ask for."""
    reached = {0}  # how many parts can be used up by the names so far
    for name in [*names, None]:
        for index in sorted(reached):
            while index < len(parts) and parts[index] == "**":
                index += 1
                reached.add(index)
        if name is None:
            break
        reached = {
            index + (parts[index] != "**")
            for index in reached
            if index < len(parts)
            and (parts[index] == "**" or re.match(fnmatch.translate(parts[index]), name))
        }
    return len(parts) in reached


# The gates


def run_again(proof: Json, options: argparse.Namespace, scratch: Path) -> list[str]:
    """Run each gate on each tree and return the fields that differ."""
    clone, commits, trees = prepare(proof, options.repository, scratch)
    python, first = find_python(options.env), find_first(options.env)
    setup = proof.get("setup", []) if options.setup else []
    if options.setup:
        python = make_environment(python, scratch)
    gates = {gate["name"]: gate for gate in proof["gates"]}
    unviewed = find_unviewed(clone, trees["proving"])
    differences: list[str] = []
    seen: set[tuple[str, str]] = set()
    known: dict[tuple[str, str], Ran] = {}
    print(plain(f"\nNot viewed here: {unviewed}\n") if unviewed else "")
    for run in proof["runs"]:
        stage, name = run["stage"], run["gate"]
        where = f"runs[{stage} {name}]"
        if (stage, name) in seen or run["tree"] != trees.get(stage):
            raise Different(f"{where}.tree: it is not the tree that this stage is about")
        seen.add((stage, name))
        if run["outcome"] == "wrong_tree":
            raise Missing(f"gate {name} judged nothing when the proof was made")
        if (run["tree"], name) not in known:
            known[run["tree"], name] = run_gate(
                gates[name], clone, commits[stage], python, scratch / f"{len(known)}", first, setup
            )
        outcome, code, tests, why = known[run["tree"], name]
        if stage == "baseline" and outcome == "error" != run["outcome"] and not tests:
            hint = "--setup runs the set-up commands, " if proof.get("setup") and not setup else ""
            hint = f"not viewed here: {unviewed}; {hint}" if unviewed else hint
            raise Missing(f"gate {name} does not answer here, not even on the base: {why}"
                          f"; {hint}--env names the environment that has what it needs")  # fmt: skip
        outcome, code, tests = expect_unsteady(gates[name], run, outcome, code, tests)
        found = [f"{where}.outcome: {run['outcome']} there, {outcome} here"] * (
            outcome != run["outcome"]
        )
        if (code == 0) != (run["exit_code"] == 0):
            found.append(f"{where}.exit_code: {run['exit_code']} there, {code} here")
        for test in sorted({*tests, *run["tests"]}):
            there, here = run["tests"].get(test, "absent"), tests.get(test, "absent")
            if there != here:
                found.append(f"{where}.tests[{test}]: {there} there, {here} here")
        if found and unviewed and stage == "baseline":
            raise Missing(f"what gate {name} may need even on the base: {unviewed}; {found[0]}")
        print(plain(f"  {stage:14} {name}: {outcome}, {len(tests)} tests"
                    f"{f' — differs; {why}' if found else ''}"))  # fmt: skip
        differences += found
    differences += find_false_flakes(proof, known)
    changed = trees["baseline"] != trees["proving"]
    apart = trees["original"] not in (trees["baseline"], trees["proving"])
    for name, gate in gates.items():
        needed = ("baseline", "proving", "original")[
            : 3 if apart and gate["report"] != "exit" else 2
        ]
        without = ("counterfactual",) if changed and is_to_flip(proof, gate) else ()
        for stage in (*needed, *without):
            if (stage, name) not in seen:
                differences.append(f"runs[{stage} {name}]: absent")
    means = (python, first, setup)
    return differences + check_again(proof, clone, commits, trees, means, scratch)


def find_unviewed(clone: Path, tree: str) -> str:
    """Return the submodules of a tree and the files whose content Git LFS keeps: gates see neither."""
    entries = list_entries(clone, tree)
    links = [os.fsdecode(name) for name, entry in entries.items() if entry.startswith(b"160000")]
    found = b""
    with contextlib.suppress(Missing):  # which git says where there is none
        found = git("grep", "-l", "-z", "-F", "-e", POINTER.decode(), tree, cwd=clone)
    names = [name.partition(b":")[2] for name in found.split(b"\0") if name]
    texts = {name: read_entry(clone, entries.get(name)) for name in names}
    kept = [os.fsdecode(name) for name, text in texts.items()
            if text.startswith(POINTER) and len(text) < POINTER_LIMIT]  # fmt: skip
    said = [(f"submodule{'s' * (len(links) > 1)} ", links), ("what Git LFS keeps of ", kept)]
    return "; ".join(
        what + ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
        for what, paths in said if paths
    )  # fmt: skip


def is_to_flip(proof: Json, gate: Json) -> bool:
    """Whether a criterion rests on what a gate says without the change."""
    return any(
        "check" not in criterion
        and (criterion["evidence"] == "flips" or criterion.get("some_test", False))
        and (criterion["gate"] == gate["name"]
             or (criterion["gate"] is None and gate["report"] != "exit"))
        for criterion in (item["criterion"] for item in proof["judgement"]["criteria"])
    )  # fmt: skip


def find_stages(check: Json, trees: dict[str, str]) -> set[str]:
    """Return the stages of which a check has to say what it saw."""
    stages = {"baseline", "proving"}
    if trees["baseline"] == trees["proving"] or not {"gone", "gone_pattern", "runs"} & set(check):
        return stages
    apart = trees["original"] not in (trees["baseline"], trees["proving"])
    return stages | {"counterfactual"} | ({"original"} if apart and "runs" in check else set())


def check_again(
    proof: Json,
    clone: Path,
    commits: dict[str, str],
    trees: dict[str, str],
    means: Means,
    scratch: Path,
) -> list[str]:
    """Look at what criteria have looked at, and return what differs."""
    differences = []
    for number, (criterion, said) in enumerate(find_checks(proof)):
        where = f"checks[{criterion['id']}]"
        if said["error"]:
            raise Missing(f"check {criterion['id']} could not be done when the proof was made")
        if set(said["seen"]) != find_stages(criterion["check"], trees):
            raise Different(f"{where}.seen: it is not of the trees that it has to be about")
        for stage, seen in said["seen"].items():
            if seen["tree"] != trees.get(stage):
                raise Different(f"{where}.{stage}.tree: it is not the tree that it is about")
        look = LOOKS[next(key for key in LOOKS if key in criterion["check"])]
        found = look(
            criterion, said["seen"], proof, clone, commits, means, scratch / f"check-{number}"
        )
        print(plain(f"  {'check':14} {criterion['id']}:{' differs' if found else ' as it says'}"))
        differences += [f"{where}.{what}" for what in found]
    return differences


def look_for_old(criterion: Json, seen: Json, proof: Json, clone: Path, *_: Any) -> list[str]:
    """Count where the old stands, and the new, in each tree."""
    check = criterion["check"]
    old = (
        re.compile(check["gone_pattern"]) if "gone_pattern" in check else whole_word(check["gone"])
    )
    new = whole_word(check["instead"]) if check.get("instead") else None
    found = []
    for stage, said in seen.items():
        contents = read_tree(clone, said["tree"])
        files = [
            p for p in contents if in_globs(p, check["paths"]) and not in_globs(p, check["but"])
        ]
        counted = len(find_places(old, files, contents.__getitem__))
        came = len(find_places(new, files, contents.__getitem__)) if new else 0
        if (counted, came) != (said["count"], said["instead"]):
            found.append(f"{stage}: {said['count']}/{said['instead']} there, {counted}/{came} here")
    return found


def look_at_links(criterion: Json, seen: Json, proof: Json, clone: Path, *_: Any) -> list[str]:
    """Count the links of changed documents that lead nowhere and did not before either."""
    globs = criterion["check"]["links"]
    changed = [f["path"] for f in proof["evidence"]["files"]
               if f["status"] != "D" and f["mode"] not in ("120000", "160000")]  # fmt: skip
    documents = [path for path in changed if in_globs(path, globs)]
    dead = {}
    for stage in ("baseline", "proving"):
        contents = read_tree(clone, seen[stage]["tree"])
        dead[stage] = {link for path in documents
                       for link in find_dead_links(path, contents.get(path, b""), contents)}  # fmt: skip
    count, said = len(dead["proving"] - dead["baseline"]), seen["proving"]
    if (count, len(documents)) == (said["count"], said["runs"]):
        return []
    return [f"proving: {said['count']} of {said['runs']} there, {count} of {len(documents)} here"]


def look_at_paths(criterion: Json, seen: Json, proof: Json, *_: Any) -> list[str]:
    """Count the changed paths that are no tests."""
    globs = [glob for gate in proof["gates"] for glob in gate["tests"]]
    files = proof["evidence"]["files"]
    paths = {name for file in files for name in (file["path"], file["old_path"]) if name}
    count = sum(not is_test(path, globs) for path in paths)
    said = seen["proving"]["count"]
    return [] if count == said else [f"proving: {said} there, {count} here"]


def run_repeatedly(
    criterion: Json, seen: Json, proof: Json, clone: Path, commits: dict[str, str], means: Means,
    folder: Path,
) -> list[str]:  # fmt: skip
    """Run a gate's tests again and again; that they are red now and then has to be true of the same trees."""
    gate = next(gate for gate in proof["gates"] if gate["name"] == criterion["gate"])
    python, first, setup = means
    folder.mkdir()
    found = []
    for stage, said in seen.items():
        red = 0
        for number in range(criterion["check"]["runs"]):
            place = folder / f"{stage}-{number}"
            outcome, _, tests, _ = run_gate(
                gate, clone, commits[stage], python, place, first, setup
            )
            red += is_red(outcome, tests, criterion["tests"], stage == "proving")
            shutil.rmtree(place)
        if bool(red) != bool(said["count"]) or said["runs"] != criterion["check"]["runs"]:
            found.append(
                f"{stage}: red in {said['count']} of {said['runs']} runs there, in {red} here"
            )
    return found


def is_red(outcome: str, tests: dict[str, str], names: list[str], strict: bool) -> bool:
    """Whether one run was red: strictly, whether anything of what counts was not green."""
    said = [how for test, how in tests.items() if not names or has_name(test, names)]
    bad = any(how in ("failed", "error") for how in said)
    if not strict:
        return outcome == "failed" and (bad or not tests)
    others = bool(names) and any(how != "passed" for how in said)
    return bad or others or outcome != "passed" or (bool(names) and not said)


def has_name(test: str, names: list[str]) -> bool:
    """Whether a test's id has one of the names in it, as whole words; a path is a module's name."""

    def dotted(name: str) -> str:
        stem = re.sub(r"\.py(?=$|::)", "", name) if "/" in name else name
        return stem.replace("::", ".").replace("/", ".")

    ways = (rf"(?<!\w){re.escape(dotted(name))}(?!\w)" for name in names)
    return any(re.search(way, dotted(test)) for way in ways)


def run_in_turns(
    criterion: Json, seen: Json, proof: Json, clone: Path, commits: dict[str, str], means: Means,
    folder: Path,
) -> list[str]:  # fmt: skip
    """Run a command before and after, and compare what it says, or how long it takes."""
    check = criterion["check"]
    measured = "faster" in check
    said: dict[str, list[tuple[int | None, bytes, float]]] = {"baseline": [], "proving": []}
    folder.mkdir()
    for number in range(check["rounds"] + 1 if measured else 2):
        for stage in ("baseline", "proving") if number % 2 else ("proving", "baseline"):
            if measured or number == 0 or stage == "baseline":
                ran = run_command(check, clone, commits[stage], means, folder)
                said[stage].append(ran)
    before, now = said["baseline"], said["proving"]
    found = []
    for stage, runs in said.items():
        ends, told = {ran[0] for ran in runs}, set(seen[stage]["ends"])
        if ends != told:
            found.append(
                f"{stage}.ends: {sorted(map(str, told))} there, {sorted(map(str, ends))} here"
            )
    same = {ran[1] for ran in before} == {ran[1] for ran in now}
    if not measured and same != (seen["baseline"]["outputs"] == seen["proving"]["outputs"]):
        found.append(f"outputs: they are {'the same' if same else 'different'} here")
    if measured and check["ratio"] is not None:
        there = median(seen["baseline"]["millis"]) / max(median(seen["proving"]["millis"]), 1)
        here = median([ran[2] for ran in before[1:]]) / max(median([ran[2] for ran in now[1:]]), 1)
        if (there >= check["ratio"]) != (here >= check["ratio"]):
            found.append(f"millis: {there:.2f} times as fast there, {here:.2f} here")
    return found


def run_command(
    check: Json, clone: Path, commit: str, means: Means, folder: Path
) -> tuple[int | None, bytes, float]:
    """Return how a command ended in a clean checkout, what it said and wrote, and its milliseconds."""
    place = folder / "place"
    workspace, own, log = place / "workspace", place / "tmp", place / "log"
    own.mkdir(parents=True)
    where, variables = make_workspace(clone, commit, means, place, check["cwd"])
    command = list(check.get("same_output") or check["faster"])
    argv = find_command(
        command, where, variables["PATH"], means[0], place / "view" / "bin" / "python"
    )
    environment = {**FRESH, **variables, "TMPDIR": str(own), "XDG_CACHE_HOME": str(own / "cache")}
    begun = time.monotonic()
    code = run_process(argv, where, environment, log, check["timeout"])
    took = (time.monotonic() - begun) * 1000
    said = read_file(log)
    for name in check.get("files", []):
        file = (workspace / name).resolve()
        inside = file.is_relative_to(workspace) and file.is_file()
        said += b"\n" + name.encode() + (b":\n" + read_file(file) if inside else b": absent\n")
    said = said.replace(str(place).encode(), b"<here>")
    shutil.rmtree(place)
    return code, said, took


LOOKS = {
    "gone": look_for_old,
    "gone_pattern": look_for_old,
    "links": look_at_links,
    "only_tests": look_at_paths,
    "runs": run_repeatedly,
    "same_output": run_in_turns,
    "faster": run_in_turns,
}
"""By the key that tells one check from the others."""


def in_globs(path: str, globs: list[str]) -> bool:
    """Whether one of the globs names a path."""
    return any(path == glob or matches(path.split("/"), split_glob(glob)) for glob in globs)


def read_tree(clone: Path, tree: str) -> dict[str, bytes]:
    """Return the content of each file of a tree; of a submodule, nothing."""
    names, asked = [], []
    for line in git("ls-tree", "-r", "-z", "--full-tree", tree, cwd=clone).split(b"\0"):
        if line:
            about, _, name = line.partition(b"\t")
            _, kind, oid_ = about.split(b" ")
            names.append((os.fsdecode(name), kind == b"blob"))
            asked += [oid_] if kind == b"blob" else []
    data = git("cat-file", "--batch", cwd=clone, stdin=b"".join(oid_ + b"\n" for oid_ in asked))
    found, at = {}, 0
    for path, is_file in names:
        found[path] = b""
        if is_file:
            end = data.index(b"\n", at)
            size = int(data[at:end].split(b" ")[2])
            found[path] = data[end + 1 : end + 1 + size]
            at = end + 2 + size
    return found


def find_false_flakes(proof: Json, known: dict[tuple[str, str], Ran]) -> list[str]:
    """Return the tests said to be flaky on the base that here pass there and fail on the result."""
    found = []
    for run in proof["runs"]:
        places = [(proof[tree], run["gate"]) for tree in ("base_tree", "tree")]
        if run["stage"] != "baseline" or any(place not in known for place in places):
            continue
        base, now = (known[place][2] for place in places)
        for test, count in sorted(run.get("counts", {}).items()):
            lost = base.get(test) == "passed" and now.get(test) in ("failed", "error")
            if count.get("failed", 0) and lost:
                found.append(
                    f"runs[baseline {run['gate']}].counts[{test}]: flaky there, but here it passes"
                    " on the base and fails on the result"
                )
    return found


def expect_unsteady(
    gate: Json, run: Json, outcome: str, code: int | None, tests: dict[str, str]
) -> tuple[str, int | None, dict[str, str]]:
    """Return what was found as it would be had chance decided as it did for the proof.

    A test that the proof has as flaky is expected to be red: it can excuse nothing that it backs.
    """
    bad = ("failed", "error")
    counts, said = run.get("counts", {}), run["tests"]
    red, runs = run.get("red", 0), run.get("runs", 1)
    if outcome not in ("passed", "failed") or run["outcome"] not in ("passed", "failed"):
        return outcome, code, tests
    if run["stage"] == "proving" and not tests and not said and 0 < red < runs:
        return "failed", code or 1, tests
    globs = [
        re.compile(fnmatch.translate(g.replace("[", "[[]"))) for g in gate.get("quarantine", [])
    ]
    loose = {test for test in {*said, *tests} if any(glob.fullmatch(test) for glob in globs)}
    flaky = {test for test, count in counts.items() if count.get("failed", 0)}
    failing = {test for test in tests if tests[test] in bad}
    expected = dict(tests)
    for test in {*loose, *counts}:
        if test in loose and test not in said:
            expected.pop(test, None)
        elif test in loose:
            expected[test] = said[test]
        elif test in flaky:
            expected[test] = said[test] if said.get(test) in bad else "failed"
        elif test not in failing:
            expected[test] = "skipped"
    if failing <= loose | flaky and (outcome == "passed" or failing):
        red_now = any(word in bad for word in expected.values())
        return "failed" if red_now else "passed", (code or 1) if red_now else 0, expected
    return outcome, code, expected


def find_python(given: str | None) -> Python:
    """Return the interpreter, what it is below any virtual environment, and its site-packages."""
    path = Path(given or sys.executable or shutil.which("python3") or "").absolute()
    if path.is_dir() and (path / "bin").is_dir() and not (path / "bin" / "python").exists():
        path = Path(sys.executable).absolute()
    path = path / "bin" / "python" if path.is_dir() else path
    question = (
        "import json, os, site, sys; base = getattr(sys, '_base_executable', None);"
        "print(json.dumps([base or os.path.realpath(sys.executable), list(sys.version_info[:2]),"
        "[p for p in ([site.getusersitepackages()] if sys.prefix == sys.base_prefix else [])"
        " + site.getsitepackages() if os.path.isdir(p)]]))"
    )
    try:
        done = subprocess.run([path, "-I", "-B", "-c", question], capture_output=True, check=True)
        base, version, sites = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise Missing(f"a Python at {path} that answers ({error})") from error
    return path, base, version, sites


def find_first(given: str | None) -> list[str]:
    """Return the folder of programs that goes first, if one was given."""
    programs = Path(given).absolute() / "bin" if given else None
    return [str(programs)] if programs is not None and programs.is_dir() else []


def make_environment(python: Python, scratch: Path) -> Python:
    """Return a new virtual environment, for the set-up commands to fill."""
    command = [python[1], "-I", "-m", "venv", str(scratch / "venv")]
    try:
        subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"a Python that can make a virtual environment: {error}") from error
    return find_python(str(scratch / "venv"))


def make_view(python: Python, workspace: Path, view: Path) -> dict[str, str]:
    """Make a virtual environment that has the workspace first and then the given packages."""
    path, base, (major, minor), sites = python
    site = view / "lib" / f"python{major}.{minor}" / "site-packages"
    site.mkdir(parents=True)
    (view / "bin").mkdir()
    for name in ("python", "python3", f"python{major}.{minor}"):
        (view / "bin" / name).symlink_to(base)
    (view / "pyvenv.cfg").write_text(f"home = {Path(base).parent}\n")
    source = [str(workspace / "src")] if (workspace / "src").is_dir() else []
    (site / "_verify.pth").write_text("\n".join([*source, str(workspace), *sites]) + "\n")
    variables = {name: os.environ[name] for name in os.environ if name in KEPT or name[:3] == "LC_"}
    search = os.pathsep.join(
        [str(view / "bin"), str(path.parent), variables.get("PATH", os.defpath)]
    )
    own = {"PATH": search, "VIRTUAL_ENV": str(view), "PYTHONDONTWRITEBYTECODE": "1"}
    return {**variables, **own, **find_ports()}


def find_ports() -> dict[str, str]:
    """Return the variables that tell a gate of ports on which nobody listens."""
    for base in PORTS:
        with contextlib.suppress(OSError):
            for port in range(base, base + PORT_COUNT):
                with socket.socket() as asked:
                    asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    asked.bind(("127.0.0.1", port))
            return {"GOALPROOF_PORT_BASE": str(base), "GOALPROOF_PORT_COUNT": str(PORT_COUNT)}
    raise Missing("twenty ports in a row, from 20000 on, that are free")


def copy_node_modules(clone: Path, workspace: Path) -> None:
    """Copy what the given repository, if it is a checkout, has installed beside each package.json."""
    source = Path(git("config", "--get", "remote.origin.url", cwd=clone).decode().strip())
    if not source.is_absolute() or not source.is_dir():
        return
    for place, inner, files in os.walk(workspace):
        inner[:] = [name for name in inner if name not in (NODE, ".git")]
        beside = Path(place).relative_to(workspace)
        installed, copy = source / beside / NODE, Path(place) / NODE
        if "package.json" in files and installed.is_dir() and not os.path.lexists(copy):
            shutil.copytree(installed, copy, symlinks=True,
                            ignore=lambda _, names: NODE_CACHES.intersection(names))  # fmt: skip
            move_links(copy, workspace, source)


def move_links(folder: Path, workspace: Path, source: Path) -> None:
    """Let links that led into the checkout lead into the workspace, and others where they led."""
    for place, inner, files in os.walk(folder):
        for link in (Path(place) / name for name in [*inner, *files]):
            if link.is_symlink():
                there = source / link.relative_to(workspace)
                aimed = Path(os.path.normpath(there.parent / link.readlink()))
                inside = aimed.is_relative_to(source)
                link.unlink()
                link.symlink_to(workspace / aimed.relative_to(source) if inside else aimed)


def find_strangers(workspace: Path, variables: dict[str, str]) -> list[str]:
    """Return packages of the tree that would be imported from elsewhere: an installed copy, say."""
    found = [*workspace.glob("*/__init__.py"), *workspace.glob("*/*/__init__.py")]
    names = {
        path.parent.name for path in found if not (path.parent.parent / "__init__.py").exists()
    }
    names -= {"tests", "test", "testing", "docs", "doc", "examples", "benchmarks"}
    question = (
        "import importlib.util as u, os, sys\nfor n in sys.argv[2:]:\n"
        "  s = u.find_spec(n) if n not in getattr(sys, 'stdlib_module_names', ()) else None\n"
        "  p = s and s.origin and os.path.realpath(s.origin)\n"
        "  if p and not p.startswith(sys.argv[1] + os.sep): print(n)\n"
    )
    python = str(Path(variables["VIRTUAL_ENV"]) / "bin" / "python")
    command = [python, "-I", "-B", "-c", question, str(workspace), *sorted(names)]
    try:
        done = subprocess.run(command, capture_output=True, check=True, cwd=workspace)
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(
            f"a Python that starts in a virtual environment of its own: {error}"
        ) from error
    return done.stdout.decode().split()


def make_workspace(
    clone: Path, commit: str, means: Means, folder: Path, cwd: str
) -> tuple[Path, dict[str, str]]:
    """Make a clean checkout in a folder, set up; return the place in it to run in, and the variables."""
    python, first, setup = means
    workspace, log = folder / "workspace", folder / "log"
    git("clone", "--quiet", "--shared", "--no-checkout", "--template=", str(clone), str(workspace),
        cwd=folder)  # fmt: skip
    git("checkout", "--quiet", "--detach", commit, cwd=workspace)
    variables = make_view(python, workspace, folder / "view")
    if not setup:  # which would install what is copied otherwise
        copy_node_modules(clone, workspace)
    if strangers := find_strangers(workspace, variables):
        raise Missing(f"an environment that does not bring its own {', '.join(strangers)}")
    where = (workspace / cwd).resolve()
    if not where.is_relative_to(workspace) or not where.is_dir():
        raise Different(f"cwd: there is no folder {cwd} in the tree")
    own, rest = variables["PATH"].split(os.pathsep, 1)
    variables["PATH"] = os.pathsep.join([own, *first, rest])
    view = folder / "view" / "bin" / "python"
    for command in setup:
        ready = find_command(command, workspace, variables["PATH"], python, view)
        if run_process(ready, workspace, variables, log, SETUP_SECONDS) != 0:
            said = plain(read_file(log)[-600:].decode(errors="replace").strip())
            raise Missing(f"what the set-up command {shlex.join(command)} needs; it said: {said}")
    return where, variables


def run_gate(
    gate: Json,
    clone: Path,
    commit: str,
    python: Python,
    folder: Path,
    first: list[str],
    setup: list[list[str]],
) -> Ran:
    """Run a gate on a clean checkout; return outcome, exit code, tests and a reason."""
    workspace, report, log = folder / "workspace", folder / "report.xml", folder / "log"
    folder.mkdir()
    where, variables = make_workspace(clone, commit, (python, first, setup), folder, gate["cwd"])
    view = folder / "view" / "bin" / "python"
    argv = [part.replace("{report}", str(report)) for part in gate["argv"]]
    environment = {**FRESH, **variables, **gate["env"]}
    argv = find_command(argv, where, environment["PATH"], python, view)
    code = run_process(argv, where, environment, log, gate["timeout"])
    said = plain(read_file(log)[-2000:].decode(errors="replace").strip())[-600:]
    if code is None:
        return "timeout", None, {}, f"killed after {gate['timeout']:g} s"
    tests: dict[str, str] = {}
    if gate["report"] != "exit":
        try:
            tests = read_report(gate["report"], report, log, str(workspace))
        except (OSError, ValueError, expat.ExpatError) as error:
            return "error", code, {}, f"no report ({error}); it said: {said}"
        if not tests:
            return "error", code, {}, f"its report holds no tests; it said: {said}"
    red = any(outcome in ("failed", "error") for outcome in tests.values())
    if code == 0 and red:
        return "error", code, tests, "exit code 0 although tests failed"
    try:
        git("diff", "--quiet", "HEAD", "--", cwd=workspace)
    except Missing:
        return "error", code, tests, "it changed files that it was to judge"
    return ("passed" if code == 0 else "failed"), code, tests, f"it said: {said}"


def find_command(argv: list[str], where: Path, path: str, python: Python, view: Path) -> list[str]:
    """Return a command with its program found; a script of the Python runs with the view's."""
    program = str(where / argv[0]) if os.sep in argv[0] else shutil.which(argv[0], path=path)
    if program is None or not os.access(program, os.X_OK):
        raise Missing(f"the program {argv[0]}")
    own = Path(program).parent == python[0].parent and is_script(Path(program))
    return [*([str(view)] if own else []), program, *argv[1:]]


def is_script(program: Path) -> bool:
    """Whether a program is a Python script, by its first line or by the two that pip writes."""
    with program.open("rb") as file:
        return re.match(rb"#!.*python|#!/bin/sh\n'''exec'", file.read(400)) is not None


def run_process(
    argv: list[str], cwd: Path, env: dict[str, str], log: Path, timeout: float
) -> int | None:
    """Return the exit code, None after `timeout` seconds; the process group is dead then."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def read_report(kind: str, report: Path, log: Path, root: str) -> dict[str, str]:
    """Return what each test said, in the gate's report or in what it printed."""
    if kind == "junit":
        return parse_junit(read_file(report, REPORT_LIMIT), root)
    told = read_file(report, REPORT_LIMIT) if kind in IN_FILE else read_file(log)
    return read_told(kind, told, root).outcomes


def parse_junit(data: bytes, root: str = "") -> dict[str, str]:
    """Return what each test said, by `classname::name`; a second one of a name gets `#2`."""
    if len(data) > REPORT_LIMIT:
        raise ValueError("it is too large")
    cases: list[tuple[str | None, str, str, set[str]]] = []
    stack: list[str] = []

    def refuse(*_: object) -> None:
        raise ValueError("it declares a document type")

    def start(tag: str, attributes: dict[str, str]) -> None:
        stack.append(tag)
        if tag == "testcase":
            file = attributes.get("file", "")
            inside = bool(root) and file.startswith(f"{root}/") and file.endswith(SCRIPTS)
            cases.append(
                (
                    attributes.get("classname"),
                    attributes.get("name") or "(unnamed)",
                    file[len(root) + 1 :] if inside else "",
                    set(),
                )
            )
        elif len(stack) > 1 and stack[-2] == "testcase":
            cases[-1][3].add(tag)

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: stack.pop()
    parser.Parse(data, True)
    words = {"error": "error", "failure": "failed", "skipped": "skipped"}
    found: dict[str, str] = {}
    count: dict[str, int] = {}
    for group, name, file, tags in cases:
        unloaded = name in (group, file) or bool(root and name.startswith(f"{root}/"))
        if unloaded:  # it stands for a file
            plain_name = file or name
        elif file:
            plain_name = (
                f"{file}::{name}" if group in (None, "test") else f"{file}::{group} > {name}"
            )
        else:
            plain_name = f"{group}::{name}" if group else name
        unique = plain_name = plain_name.replace(f"{root}/", "") if root else plain_name
        if unloaded and "failure" in tags:
            tags.add("error")
        while unique in found:
            count[plain_name] = count.get(plain_name, 1) + 1
            unique = f"{plain_name}#{count[plain_name]}"
        found[unique] = next((words[tag] for tag in words if tag in tags), "passed")
    return found


if __name__ == "__main__":
    sys.exit(main())
