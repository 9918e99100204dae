"""Evidence equals git's answer on generated histories, and what is known of them without git's diff.

Three readings of the same change are compared: ours, git's raw and counted records taken apart from
each other by other code, and the two states themselves, from which the history was made.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goal_engine import evidence as ours
from goal_engine.evidence import ChangedFile, GoalGitEvidence
from goal_engine.runtime.repository import EvidenceRepository

pytestmark = pytest.mark.one_python

FILE, EXECUTABLE, LINK = "100644", "100755", "120000"
Entry = tuple[str, bytes]
"""Mode and content."""
Tree = dict[bytes, Entry]

NAMES = (
    b"a", b"b.py", b"d", b"d/x", b"d/y/z", b"with space", b"new\nline", b'tab\tand "quote"', b"-dash",
    b":(top)a", "ünï".encode(), b"back\\slash", b"*", b"d/[x]",
)  # fmt: skip
FOREIGN = b"caf\xe9/odd"
"""No UTF-8: it can be in a tree, not in a result."""


# Histories, from their states


lines = st.lists(st.sampled_from([b"one", b"two", b"", b"\tx = 1\r", b"\xff"]), max_size=6)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Texts that resemble each other, so that git finds renames, and some that are none."""
    long = [b"line %d" % number for number in range(draw(st.sampled_from([0, 3, 12])))]
    at = draw(st.integers(0, len(long)))
    text = b"\n".join([*long[:at], *draw(lines), *long[at:]])
    return text + draw(st.sampled_from([b"\n", b"", b"\0", b"\0binary"]))


entries = st.one_of(
    st.tuples(st.sampled_from([FILE, FILE, EXECUTABLE]), texts()),
    st.tuples(st.just(LINK), st.sampled_from([b"a", b"d/x", b"nowhere", b"line 1"])),
)


def trees(names: tuple[bytes, ...]) -> st.SearchStrategy[Tree]:
    return st.dictionaries(st.sampled_from(names), entries, max_size=6).map(_without_clashes)


def _without_clashes(tree: Tree) -> Tree:
    """A file is no folder as well."""
    return {
        name: entry
        for name, entry in tree.items()
        if not any(other.startswith(name + b"/") for other in tree)
    }


@st.composite
def histories(draw: st.DrawFn, names: tuple[bytes, ...]) -> list[Tree]:
    """States that follow each other: most of each stays, moves or is edited."""
    states = [draw(trees(names))]
    for _ in range(draw(st.integers(1, 3))):
        state = dict(states[-1])
        for name in draw(st.lists(st.sampled_from(sorted(state)), max_size=2)) if state else ():
            if (entry := state.pop(name, None)) and draw(st.booleans()):
                state[draw(st.sampled_from(names))] = entry
        states.append(_without_clashes({**state, **draw(trees(names))}))
    return states


def write_history(git_dir: Path, states: list[Tree]) -> list[str]:
    """Write each state as a commit and return their trees."""
    told = [b"reset refs/heads/main\n"]
    for state in states:
        told.append(
            b"commit refs/heads/main\ncommitter A <a@example.org> 1 +0000\ndata 0\ndeleteall\n"
        )
        for name, (mode, data) in state.items():
            quoted = b"".join(b"\\%03o" % byte for byte in name)
            told.append(
                b'M %s inline "%s"\ndata %d\n%s\n' % (mode.encode(), quoted, len(data), data)
            )
    run_git(git_dir, "fast-import", "--quiet", "--force", stdin=b"".join(told))
    said = run_git(git_dir, "log", "--reverse", "--format=%T", f"-{len(states)}", "refs/heads/main")
    return said.decode().split()


def run_git(git_dir: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run git as nobody's configuration has it."""
    done = subprocess.run(
        ("git", "--git-dir", str(git_dir), *arguments), input=stdin, check=True, capture_output=True
    )
    return done.stdout


# Other readings


MOVED = rb"([RC])\d+\0([^\0]+)\0([^\0]+)\0"
RAW = re.compile(rb":(\d+) (\d+) [0-9a-f]+ [0-9a-f]+ (?:" + MOVED + rb"|([AMDT])\0([^\0]+)\0)")
COUNT = re.compile(rb"(-|\d+)\t(-|\d+)\t(?:([^\0]+)\0|\0[^\0]+\0([^\0]+)\0)")


def read_git(git_dir: Path, base: str, tree: str, *how: str) -> set[ChangedFile]:
    """Return what git says a change is: its raw and its counted records, each asked on its own."""
    asked = ("diff", "-z", "--no-ext-diff", *how)
    raw = run_git(git_dir, *asked, "--raw", "--abbrev=40", base, tree)
    counted = run_git(git_dir, *asked, "--numstat", base, tree)
    assert RAW.sub(b"", raw) == b"" and COUNT.sub(b"", counted) == b""
    counts = {match[3] or match[4]: (match[1], match[2]) for match in COUNT.finditer(counted)}
    found = set()
    for match in RAW.finditer(raw):
        path = match[5] or match[7]
        added, deleted = counts[path]
        found.add(
            ChangedFile(
                path=show(path),
                old_path=show(match[4]) if match[4] else None,
                status=(match[3] or match[6]).decode(),
                old_mode=match[1].decode(),
                mode=match[2].decode(),
                binary=added == b"-",
                additions=0 if added == b"-" else int(added),
                deletions=0 if deleted == b"-" else int(deleted),
            )
        )
    return found


def show(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


def check_states(found: GoalGitEvidence, before: Tree, after: Tree) -> None:
    """Hold evidence against the states themselves: paths, modes, kinds, and how many lines there are."""
    old, new = ({show(name): entry for name, entry in tree.items()} for tree in (before, after))
    gone, made = set(), set()
    for file in found.files:
        source = file.old_path or file.path
        was, now = old.get(source), new.get(file.path)
        assert file.old_mode == (was[0] if was else "000000"), file
        assert file.mode == (now[0] if now else "000000"), file
        if file.status in "RD":
            gone.add(source)
        if file.status in "RA":
            made.add(file.path)
        if file.status in "MT":
            assert (file.status == "T") == (
                LINK in (file.mode, file.old_mode) and file.mode != file.old_mode
            )
        is_binary = any(b"\0" in entry[1] for entry in (was, now) if entry)
        assert file.binary == is_binary, file
        if not file.binary:
            counted = (
                (count(now) - count(was)) if file.status != "T" else file.additions - file.deletions
            )
            assert file.additions - file.deletions == counted, file
            assert file.additions <= count(now) and file.deletions <= count(was), file
    assert gone == set(old) - set(new) and made == set(new) - set(old)
    kept = {name for name in set(old) & set(new) if old[name] != new[name]}
    assert {file.path for file in found.files if file.status in "MT"} == kept


def count(entry: Entry | None) -> int:
    """Return the lines of an entry, as git counts them."""
    if entry is None or not entry[1]:
        return 0
    return entry[1].count(b"\n") + (not entry[1].endswith(b"\n"))


def check_history(evidence: EvidenceRepository, states: list[Tree]) -> None:
    """Compare the three readings of each step of a history, and of the whole way."""
    found = write_history(evidence.path, states)
    steps = dict.fromkeys(
        [*zip(range(len(states)), range(1, len(states)), strict=False), (0, len(states) - 1)]
    )
    for one, other in steps:
        base, tree = found[one], found[other]
        said = evidence.evidence(base, tree)
        assert len(said.files) == len(set(said.files))
        assert set(said.files) == read_git(evidence.path, base, tree, "-M", "-l1000")
        check_states(said, states[one], states[other])


def check_copies(evidence: EvidenceRepository, states: list[Tree]) -> None:
    """The parser reads copies as well, although nothing asks git for them now."""
    base, *_, tree = write_history(evidence.path, states)
    how = ("-C", "--find-copies-harder")
    records = run_git(
        evidence.path, "diff-tree", "-r", "--raw", "--numstat", "-z", *how, base, tree
    )
    said = ours.parse_diff(base, tree, records)
    assert set(said.files) == read_git(evidence.path, base, tree, *how)


def check_result(evidence: EvidenceRepository, states: list[Tree], workspace: Path) -> None:
    """What stands in a workspace is taken as git would have it: the last state, from the first."""
    found = write_history(evidence.path, states)
    base = (
        run_git(evidence.path, "rev-list", "--reverse", f"-{len(states)}", "main")
        .split()[0]
        .decode()
    )
    evidence.make_workspace(workspace, base)
    try:
        assert read_files(workspace) == states[0]
        for path in workspace.iterdir():
            if path.name != ".git":
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        write_files(workspace, states[-1])
        assert evidence.snapshot(workspace, base) == found[-1]
    finally:
        evidence.remove_workspace(workspace)


def write_files(workspace: Path, state: Tree) -> None:
    for name, (mode, data) in state.items():
        path = workspace / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if mode == LINK:
            path.symlink_to(os.fsdecode(data))
        else:
            path.write_bytes(data)
            path.chmod(0o755 if mode == EXECUTABLE else 0o644)


def read_files(workspace: Path) -> Tree:
    found: Tree = {}
    for path in workspace.rglob("*"):
        name = os.fsencode(path.relative_to(workspace))
        if name.split(b"/")[0] == b".git":
            continue
        if path.is_symlink():
            found[name] = (LINK, os.fsencode(path.readlink()))
        elif path.is_file():
            found[name] = (EXECUTABLE if os.access(path, os.X_OK) else FILE, path.read_bytes())
    return found


# The tests


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EvidenceRepository]:
    """One evidence repository of an empty checkout: histories do not meet in it."""
    top = tmp_path_factory.mktemp("differential")
    subprocess.run(("git", "init", "--quiet", str(top / "checkout")), check=True)
    opened = EvidenceRepository.open(top / "evidence", top / "checkout" / ".git")
    yield opened
    opened.close()


FEW = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(FEW, max_examples=500)


@FEW
@given(states=histories((*NAMES, FOREIGN)))
def test_evidence_is_what_git_says_and_what_the_states_are(
    repository: EvidenceRepository, states: list[Tree]
) -> None:
    check_history(repository, states)


@FEW
@given(states=histories(NAMES))
def test_copies_are_read_and_results_are_taken_as_git_has_them(
    repository: EvidenceRepository, states: list[Tree]
) -> None:
    check_copies(repository, states)
    check_result(repository, states, repository.path.with_name("workspace"))


@pytest.mark.long
@MANY
@given(states=histories((*NAMES, FOREIGN)))
def test_evidence_is_what_git_says_many_times(
    repository: EvidenceRepository, states: list[Tree]
) -> None:
    check_history(repository, states)
    check_copies(repository, states)


@pytest.mark.long
@MANY
@given(states=histories(NAMES))
def test_results_are_taken_as_git_has_them_many_times(
    repository: EvidenceRepository, states: list[Tree]
) -> None:
    check_result(repository, states, repository.path.with_name("workspace"))


# What the comparison notices


LINES = b"".join(b"line %d\n" % number for number in range(12))
EVERYTHING: list[Tree] = [
    {
        b"moved.py": (FILE, LINES), b"edited": (FILE, b"1\n2\n3\n"), b"logo": (FILE, b"\0\1"),
        b"gone": (FILE, b"x\n"), b"run": (FILE, b"x\n"), b"was": (FILE, b"y\n"),
    },
    {
        b"new\nline": (FILE, LINES + b"more\n"), b"edited": (FILE, b"1\ntwo\n3\n4\n"),
        b"logo": (FILE, b"\0\2\2"), b"run": (EXECUTABLE, b"x\n"), b"was": (LINK, b"run"),
        FOREIGN: (FILE, b"z\n"),
    },
]  # fmt: skip
"""Each kind of change once."""


def _each(
    change: Callable[[ChangedFile], ChangedFile | None],
) -> Callable[[GoalGitEvidence], GoalGitEvidence]:
    """Return a reading that takes each file for another, or for none."""
    return lambda said: said.changed(
        files=tuple(file for old in said.files if (file := change(old)) is not None)
    )


MUTANTS: Mapping[str, Callable[[GoalGitEvidence], GoalGitEvidence]] = {
    "counts are swapped": _each(lambda f: f.changed(additions=f.deletions, deletions=f.additions)),
    "counts are one short": _each(lambda f: f.changed(additions=max(f.additions - 1, 0))),
    "binaries are texts": _each(lambda f: f.changed(binary=False)),
    "a rename forgets where from": _each(lambda f: f.changed(old_path=None)),
    "a rename is an addition": _each(lambda f: f.changed(status="A") if f.status == "R" else f),
    "old and new names are swapped": _each(
        lambda f: f.changed(path=f.old_path, old_path=f.path) if f.old_path else f
    ),
    "modes are one": _each(lambda f: f.changed(old_mode=f.mode)),
    "modes are not compared": _each(lambda f: None if (f.additions, f.deletions, f.status) == (0, 0, "M") and not f.binary else f),
    "links are files": _each(lambda f: f.changed(status="M") if f.status == "T" else f),
    "deletions are left out": _each(lambda f: None if f.status == "D" else f),
    "names end at a newline": _each(lambda f: f.changed(path=f.path.split("\n")[0])),
    "odd names lose their bytes": _each(lambda f: f.changed(path=f.path.replace("\\xe9", "?"))),
    "the last file is lost": lambda said: said.changed(files=said.files[:-1]),
    "the first file is told twice": lambda said: said.changed(files=(*said.files, said.files[0])),
}  # fmt: skip


def test_a_history_of_everything_is_read_as_it_is(repository: EvidenceRepository) -> None:
    check_history(repository, EVERYTHING)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_reading_is_noticed(
    mutant: str, repository: EvidenceRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = repository.evidence
    monkeypatch.setattr(repository, "evidence", lambda *trees: MUTANTS[mutant](read(*trees)))
    with pytest.raises(AssertionError):
        check_history(repository, EVERYTHING)


ONLY_BY_GIT = frozenset({"the first file is told twice", "counts are one short"})


@pytest.mark.parametrize("mutant", sorted(set(MUTANTS) - ONLY_BY_GIT))
def test_a_wrong_reading_is_noticed_without_git_s_diff(
    mutant: str, repository: EvidenceRepository
) -> None:
    """The states alone tell most of it: git is not the only witness."""
    base, tree = write_history(repository.path, EVERYTHING)
    wrong = MUTANTS[mutant](repository.evidence(base, tree))
    with pytest.raises(AssertionError):
        check_states(wrong, *EVERYTHING)
