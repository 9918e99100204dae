"""What workers and gates change in the person's repository is found, asked about and put back (S07)."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from goal_engine.control import answer_question, cancel_goal, pause_goal
from goal_engine.engine import Engine
from goal_engine.errors import NotPossibleNow, RepositoryUnusable
from goal_engine.hunks import try_hunks
from goal_engine.lifecycle import execute_goal, open_vigil, resume_goal
from goal_engine.metering import Meter
from goal_engine.moved import Fingerprint, Part, RepositoryChange, Seen, find_changes
from goal_engine.runtime.fingerprint import (
    keep_fingerprint,
    parse_index,
    read_fingerprint,
    restore_repository,
)
from goal_engine.runtime.sandbox import NO_SANDBOX, Sandbox
from goal_engine.state.events import RepositoryMoved
from goal_engine.tamper import find_told, is_out_of_reach, make_question
from goal_engine.types import Decision, GoalId, GoalStatus, TaskStatus
from goal_engine.verifier.bench import open_bench
from tests.builders import a_goal
from tests.integration.projects import FIX, a_plan, a_project, closing, create, fingerprint
from tests.personal import set_sandbox


@pytest.fixture(autouse=True)
def _closing(monkeypatch):
    yield from closing(monkeypatch)


pytestmark = pytest.mark.one_python

S = GoalStatus
GOAL = GoalId("goal-20260102-030405-006-0123abcd")
ME = Decision(actor="ada", reason="I looked")


def git(where, *words):
    told = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *words)
    done = subprocess.run(told, cwd=where, check=True, capture_output=True, text=True)
    return done.stdout


def put(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def lead_elsewhere(root: Path) -> None:
    evil = root.parent / "evil"
    git(root.parent, "init", "-q", "evil")
    put(root / ".git" / "worktrees" / "w" / "commondir", f"{evil}/.git\n")


def hooks_elsewhere(root: Path) -> None:
    evil = root.parent / "evil-hooks"
    put(evil / "pre-commit", "#!/bin/sh\n", 0o755)
    (root / ".git" / "hooks").rename(root / ".git" / "hooks-before")
    (root / ".git" / "hooks").symlink_to(evil)


TAMPERING = {
    "a setting": lambda r: git(r, "config", "core.fsmonitor", "/tmp/evil"),
    "core.bare": lambda r: git(r, "config", "core.bare", "true"),
    "no configuration": lambda r: (r / ".git/config").unlink(),
    "a link for a configuration": lambda r: (
        (r / ".git/config").rename(r / ".git/c"),
        (r / ".git/config").symlink_to("c"),
    ),
    "config.worktree": lambda r: put(r / ".git/config.worktree", "[core]\npager = evil\n"),
    "an included file": lambda r: put(r / ".git/more", "[core]\npager = evil\n"),
    "a new hook": lambda r: put(r / ".git/hooks/post-merge", "#!/bin/sh\n", 0o755),
    "a changed hook": lambda r: put(r / ".git/hooks/pre-push", "evil\n", 0o755),
    "a hook that runs now": lambda r: (r / ".git/hooks/asleep").chmod(0o755),
    "a hook that is gone": lambda r: (r / ".git/hooks/pre-push").unlink(),
    "hooks from elsewhere": hooks_elsewhere,
    "attributes": lambda r: put(r / ".git/info/attributes", "* filter=evil\n"),
    "excludes": lambda r: put(r / ".git/info/exclude", "evil\n"),
    "alternates": lambda r: put(r / ".git/objects/info/alternates", "/tmp/evil\n"),
    "a worktree's commondir": lead_elsewhere,
    "a replaced object": lambda r: git(r, "replace", "HEAD", "side"),
}
PERSONS = {
    "nothing": lambda r: None,
    "looking": lambda r: (
        (r / "calc.py").touch(),
        git(r, "status"),
        git(r, "log", "-1"),
        git(r, "diff"),
    ),
    "editing": lambda r: put(r / "calc.py", "x = 1\n"),
    "packing": lambda r: (git(r, "pack-refs", "--all"), git(r, "gc", "-q", "--prune=now")),
    "fetching": lambda r: git(r, "fetch", "-q", ".", "side:refs/remotes/o/x", "side:refs/tags/v9"),
    "another worktree": lambda r: git(r, "worktree", "add", "-q", "--detach", "../v"),
    "no worktree any more": lambda r: git(r, "worktree", "remove", "../w"),
    "an editor's note": lambda r: git(r, "config", "branch.main.vscode-merge-base", "o/main"),
}
MOVES = {
    "a commit": (lambda r: git(r, "commit", "-q", "--allow-empty", "-m", "x"), {"refs/heads/main"}),
    "a switch": (lambda r: git(r, "switch", "-q", "side"), {"HEAD", "index"}),
    "a new branch": (lambda r: git(r, "branch", "mine"), {"refs/heads/mine"}),
    "a tracked branch": (
        lambda r: git(r, "switch", "-qc", "mine", "--track", "main"),
        {"HEAD", "refs/heads/mine", "config"},
    ),
    "staging": (lambda r: (put(r / "new.py", "1\n"), git(r, "add", "new.py")), {"index"}),
    "hiding": (lambda r: git(r, "update-index", "--skip-worktree", "calc.py"), {"index"}),
    "a stash": (
        lambda r: (put(r / "calc.py", "x\n"), git(r, "stash", "-q")),
        {"refs/stash", "logs/refs/stash"},
    ),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """One repository that all the others are copies of."""
    root = a_project(tmp_path_factory.mktemp("template") / "project")
    put(root / ".git/hooks/pre-push", "#!/bin/sh\n", 0o755)
    put(root / ".git/hooks/asleep", "#!/bin/sh\n")
    put(root / ".git/info/exclude", "*.tmp\n")
    put(root / ".git/more", "[alias]\nx = status\n")
    git(root, "config", "include.path", "more")
    (root / ".git/config").chmod(0o600)
    git(root, "switch", "-qc", "side")
    put(root / "side.py", "1\n")
    git(root, "add", "side.py")
    git(root, "commit", "-q", "-m", "side")
    git(root, "switch", "-q", "main")
    return root


@pytest.fixture
def root(template, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(template, root, symlinks=True)
    git(root, "worktree", "add", "-q", "--detach", "../w", "side")
    return root


@pytest.mark.parametrize("way", TAMPERING)
def test_what_steers_git_is_found_and_put_back_byte_for_byte(root, tmp_path, way):
    before, content = read_fingerprint(root)
    keep_fingerprint(tmp_path / "state", GOAL, before, content)
    files = fingerprint(root / ".git")
    TAMPERING[way](root)
    after, _ = read_fingerprint(root)
    changes = find_changes(before, after)
    assert changes and changes[0].steers, changes
    if way == "a replaced object":
        return  # a ref: those are only told of
    names = restore_repository(tmp_path / "state", GOAL, root)
    assert names == tuple(dict.fromkeys(change.name for change in changes if change.steers))
    assert find_changes(before, read_fingerprint(root)[0]) == ()
    restored = fingerprint(root / ".git")
    assert {name: restored.get(name) for name in files} == files
    assert (root / ".git/config").stat().st_mode & 0o777 == 0o600
    assert restore_repository(tmp_path / "state", GOAL, root) == ()


def link_hooks(root: Path, name: str) -> None:
    """Let the hooks lie in a folder of the person's, outside of the repository."""
    put(root.parent / name / "pre-commit", f"#!/bin/sh\n# {name}\n", 0o755)
    hooks = root / ".git/hooks"
    if hooks.is_symlink():
        hooks.unlink()
    else:
        hooks.rename(root / ".git/hooks-before")
    hooks.symlink_to(root.parent / name)


def include(root: Path, path: str) -> None:
    git(root, "config", "--add", "include.path", path)


def include_an_outside_file(root: Path) -> Path:
    put(root.parent / "mine.config", "[core]\npager = mine\n")
    include(root, str(root.parent / "mine.config"))
    return root.parent / "mine.config"


def include_from_inside(root: Path) -> Path:
    put(root / ".git/mine", "[core]\npager = mine\n")
    include(root, "mine")
    return root / ".git/mine"


def lead_hooks_to_other_ones(root: Path) -> Path:
    link_hooks(root, "theirs")
    put(root.parent / "mine/post-merge", "evil", 0o755)
    return root.parent / "theirs/pre-commit"


def put_own(name: str, text: str) -> Path:
    put(Path.home() / name, text)
    return Path.home() / name


@pytest.fixture
def home(root, tmp_path, monkeypatch):
    """A home folder with a configuration that leads to hooks and is a link, as dotfiles are."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME")
    put_own("dotfiles/gitconfig", "[core]\nhooksPath = ~/.githooks\n[include]\npath = ~/work.inc\n")
    put_own("work.inc", "[user]\nemail = ada@work.example\n")
    put_own(".githooks/pre-push", "#!/bin/sh\n")
    (tmp_path / "home/.gitconfig").symlink_to("dotfiles/gitconfig")
    put(root / ".husky/_/h", "#!/bin/sh\n")
    put(root / ".husky/pre-commit", "npm test\n")
    git(root, "config", "core.hooksPath", ".husky/_")
    return tmp_path / "home"


BESIDE = {
    "a setting of their own": lambda r, h: put(h / "dotfiles/gitconfig", "[core]\npager = evil\n"),
    "a configuration beside it": lambda r, h: put(h / ".config/git/config", "[a]\nb = evil\n"),
    "another file for a link": lambda r, h: (
        (h / ".gitconfig").unlink(),
        put(h / ".gitconfig", "[core]\nsshCommand = evil\n"),
    ),
    "a link to another file": lambda r, h: (
        (h / ".gitconfig").unlink(),
        (h / ".gitconfig").symlink_to("work.inc"),
    ),
    "what it includes": lambda r, h: put(h / "work.inc", "[core]\neditor = evil\n"),
    "no configuration of their own": lambda r, h: (h / ".gitconfig").unlink(),
    "hooks of their own": lambda r, h: put(h / ".githooks/pre-push", "evil\n"),
    "a new hook of husky's": lambda r, h: put(r / ".husky/_/post-merge", "evil\n", 0o755),
    "what husky reads": lambda r, h: put(r / ".husky/pre-commit", "evil\n"),
    "a hook that is gone": lambda r, h: (r / ".husky/pre-commit").unlink(),
    "another folder of hooks": lambda r, h: git(r, "config", "core.hooksPath", str(r / "tests")),
}


@pytest.mark.parametrize("way", BESIDE)
def test_what_steers_git_from_beside_the_repository_is_found_and_put_back(
    root, home, tmp_path, way
):
    before, content = read_fingerprint(root)
    keep_fingerprint(tmp_path / "state", GOAL, before, content)
    files = [fingerprint(place) for place in (root, home)]
    BESIDE[way](root, home)
    changes = find_changes(before, read_fingerprint(root)[0])
    assert changes and all(change.steers for change in changes)
    names = {change.name for change in changes}
    assert set(restore_repository(tmp_path / "state", GOAL, root, changes)) == names
    assert find_changes(before, read_fingerprint(root)[0]) == ()
    restored = [fingerprint(place) for place in (root, home)]
    for was, now in zip(files, restored, strict=True):
        assert {name: now.get(name) for name in was} == was
    assert restore_repository(tmp_path / "state", GOAL, root) == ()


def test_what_is_the_persons_own_is_put_back_only_as_they_were_told(root, home, tmp_path):
    before, content = read_fingerprint(root)
    keep_fingerprint(tmp_path / "state", GOAL, before, content)
    put(home / "work.inc", "[core]\neditor = evil\n")
    told = find_changes(before, read_fingerprint(root)[0])
    assert restore_repository(tmp_path / "state", GOAL, root) == (), "nobody was told"
    put(home / "work.inc", "[core]\neditor = mine\n")
    with pytest.raises(NotPossibleNow, match=r"work.inc changed again since you were asked"):
        restore_repository(tmp_path / "state", GOAL, root, told)
    assert (home / "work.inc").read_text() == "[core]\neditor = mine\n"


def test_a_folder_that_is_not_one_of_hooks_alone_is_looked_at_for_hooks(root, home, tmp_path):
    git(root, "config", "core.hooksPath", "scripts")
    for number in range(100):
        put(root / f"scripts/{number}.sh", "")
    put(root / "scripts/pre-push", "mine\n")
    before, _ = read_fingerprint(root)
    put(root / "scripts/1.sh", "other\n")
    put(root / "scripts/pre-push", "evil\n")
    changes = find_changes(before, read_fingerprint(root)[0])
    assert [change.name for change in changes] == [f"{root}/scripts/pre-push"]


KEPT = {
    "what is included from elsewhere": include_an_outside_file,
    "what is included from the git directory": include_from_inside,
    "what other hooks a link leads to": lead_hooks_to_other_ones,
}


@pytest.mark.parametrize("way", KEPT)
def test_what_may_be_the_persons_own_is_never_removed(root, tmp_path, way):
    link_hooks(root, "mine")
    before, content = read_fingerprint(root)
    keep_fingerprint(tmp_path / "state", GOAL, before, content)
    path = KEPT[way](root)
    said = path.read_bytes()
    assert restore_repository(tmp_path / "state", GOAL, root)
    assert path.read_bytes() == said
    assert find_changes(before, read_fingerprint(root)[0]) == ()
    assert [hook.name for hook in (root.parent / "mine").iterdir()] == ["pre-commit"]


def test_what_leads_out_of_the_repository_is_left_alone(root, tmp_path):
    before, content = read_fingerprint(root)
    keep_fingerprint(tmp_path / "state", GOAL, before, content)
    other = root.parent / "other"
    put(other / "alternates", "/srv/objects\n")
    (root / ".git/objects/info").rename(root / ".git/objects/info-before")
    (root / ".git/objects/info").symlink_to(other)
    with pytest.raises(NotPossibleNow, match="alternates leads out of the repository"):
        restore_repository(tmp_path / "state", GOAL, root)
    assert (other / "alternates").read_text() == "/srv/objects\n"


def test_a_replaced_object_goes_and_what_cannot_go_is_said(root, tmp_path):
    git(root, "replace", "HEAD:calc.py", "side:side.py")
    git(root, "pack-refs", "--all")
    mine = git(root, "replace").strip()
    before, content = read_fingerprint(root)
    keep_fingerprint(tmp_path / "state", GOAL, before, content)
    git(root, "replace", "HEAD:tests/test_calc.py", "side:side.py")
    restore_repository(tmp_path / "state", GOAL, root)
    assert git(root, "replace").split() == [mine]
    git(root, "replace", "-d", mine)
    with pytest.raises(NotPossibleNow, match=f"refs/replace/{mine} of .* cannot be put back"):
        restore_repository(tmp_path / "state", GOAL, root)


@pytest.mark.parametrize("doing", PERSONS)
def test_what_people_and_editors_do_is_no_tampering(root, doing):
    before, _ = read_fingerprint(root)
    PERSONS[doing](root)
    assert find_changes(before, read_fingerprint(root)[0]) == ()


@pytest.mark.parametrize("doing", MOVES)
def test_what_moves_when_people_work_is_told_by_name(root, doing):
    before, _ = read_fingerprint(root)
    move, names = MOVES[doing]
    move(root)
    changes = find_changes(before, read_fingerprint(root)[0])
    assert {change.name for change in changes} == names
    assert not any(change.steers for change in changes)


def test_a_linked_worktree_has_its_own_head_and_the_others_hooks(root):
    before, _ = read_fingerprint(root.parent / "w")
    put(root / ".git/hooks/post-merge", "#!/bin/sh\n", 0o755)
    put(root.parent / "w" / ".git", f"gitdir: {root}/.git\n")
    changes = find_changes(before, read_fingerprint(root.parent / "w")[0])
    assert {change.name for change in changes if change.steers} == {".git", "hooks/post-merge"}


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_an_index_is_read_as_git_reads_it(root, version):
    for name in ("a", "a/b" * 30, "zürich", "x" * 200):
        put(root / "deep" / f"{name}.txt", name)
    git(root, "add", "deep")
    if version == "3":
        put(root / "later.txt", "x")
        git(root, "add", "--intent-to-add", "later.txt")
    else:
        git(root, "update-index", "--index-version", version)
    data = (root / ".git/index").read_bytes()
    assert data[7] == int(version)
    read = sorted(record[25 if version == "2" else -1 :] for record in parse_index(data))
    listed = git(root, "-c", "core.quotePath=false", "ls-files", "-z", "-s").split("\0")
    names = sorted(line.split("\t")[1] for line in listed if line)
    assert len(read) == len(names)
    for record in parse_index(data):
        assert any(record.endswith(name.encode() + b"\0") for name in names)
    oids = {line.split()[1] for line in listed if line}
    assert {record[4:24].hex() for record in parse_index(data)} == oids


def sneaky(root: Path, then: str) -> str:
    return f'{FIX}, {{ run = ["sh", "-c", "{then}"] }}'


async def execute(root: Path, steps: str):
    engine = Engine.open(root)
    state = await create(engine, a_plan(steps))
    return engine, await execute_goal(engine.ports, state.goal_id)


async def test_a_worker_that_plants_a_hook_gets_nothing_integrated(root):
    hook = root / ".git/hooks/post-checkout"
    once = f"test -e {root.parent}/done || printf evil > {hook}; touch {root.parent}/done"
    engine, state = await execute(root, sneaky(root, once))
    assert state.status is S.BLOCKED_ON_HUMAN and state.tree is None
    assert [question.id for question in state.open_questions] == ["tamper"]
    assert "while task fix ran" in state.open_questions[0].text
    assert "hooks/post-checkout appeared" in state.open_questions[0].text
    for call in (resume_goal, execute_goal):
        with pytest.raises(NotPossibleNow):
            await call(engine.ports, state.goal_id)
    state = await answer_question(engine.ports, state.goal_id, "tamper", "restore", ME)
    assert not hook.exists() and state.tasks["fix"].status is TaskStatus.PENDING
    assert [(d.verb, d.about, d.decision.actor) for d in state.decisions][-1] == (
        "restore", "hooks/post-checkout", "ada",
    )  # fmt: skip
    done = await resume_goal(engine.ports, state.goal_id)
    assert done.status is S.READY and done.tasks["fix"].attempts == 2 and done.moved is None


async def test_a_gate_that_changes_the_configuration_is_judged_by_nobody(root):
    test = root / "tests/test_calc.py"
    evil = f'\nopen({str(root / ".git/config")!r}, "a").write("[core]\\npager = evil\\n")\n'
    test.write_text(test.read_text() + evil)
    git(root, "commit", "-qam", "a test that does more")
    engine, state = await execute(root, FIX)
    assert state.status is S.BLOCKED_ON_HUMAN and state.judgement is None and not state.has_begun
    assert "core.pager = 'evil'" in state.open_questions[0].text
    state = await answer_question(engine.ports, state.goal_id, "tamper", "restore", ME)
    assert "pager" not in (root / ".git/config").read_text() and not state.gates_run
    state = await resume_goal(engine.ports, state.goal_id)
    assert [question.id for question in state.open_questions] == ["tamper-2"]


async def test_a_worker_that_changes_the_persons_own_configuration_is_asked_about(root, home):
    evil = f"printf '[core]\\n\\tpager = evil\\n' >> {home}/work.inc"
    engine, state = await execute(root, sneaky(root, evil.replace("\\", "\\\\")))
    (question,) = state.open_questions
    assert question.id == "tamper" and state.status is S.BLOCKED_ON_HUMAN
    assert f"{home}/work.inc says: core.pager = 'evil'" in question.text
    state = await answer_question(engine.ports, state.goal_id, question.id, "restore", ME)
    assert (home / "work.inc").read_text() == "[user]\nemail = ada@work.example\n"
    assert state.tasks["fix"].status is TaskStatus.PENDING


async def test_a_person_who_commits_meanwhile_is_asked_once(root):
    commit = f"git -C {root} -c user.name=A -c user.email=a commit -q --allow-empty -m mine"
    engine, state = await execute(root, sneaky(root, commit))
    assert [question.id for question in state.open_questions] == ["moved"]
    assert "refs/heads/main is" in state.open_questions[0].text
    state = await answer_question(engine.ports, state.goal_id, "moved", "mine", ME)
    assert state.tasks["fix"].status is TaskStatus.DONE and state.moves_are_mine
    done = await resume_goal(engine.ports, state.goal_id)
    assert done.status is S.READY and done.tasks["fix"].attempts == 1


async def test_where_nothing_of_ours_can_write_people_move_their_branches_unasked(
    root, tmp_path, monkeypatch
):
    set_sandbox(tmp_path / "config", "required")
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path / "config"))
    engine = Engine.open(root)

    def commit(goal, entry):
        if any(event.type == "task.started" for event in entry.events):
            git(root, "commit", "-q", "--allow-empty", "-m", "meanwhile")

    engine.subscribe(commit)
    evil = f"! printf evil > {root}/.git/hooks/post-merge"
    state = await create(engine, a_plan(sneaky(root, evil)))
    state = await execute_goal(engine.ports, state.goal_id)
    assert state.status is S.READY and not (root / ".git/hooks/post-merge").exists()
    assert git(root, "log", "-1", "--format=%s").strip() == "meanwhile"


async def begin_and_tamper(engine, root, then):
    """Start a goal, plant a hook once its worker runs, and do `then` with the goal and its run."""
    state = await create(engine, a_plan(sneaky(root, "sleep 60")))
    begun = asyncio.Event()

    def watch(goal, entry):
        if any(event.type == "task.started" for event in entry.events):
            begun.set()

    engine.subscribe(watch)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(execute_goal(engine.ports, state.goal_id))
        await begun.wait()
        put(root / ".git/hooks/post-merge", "#!/bin/sh\n", 0o755)
        await then(state.goal_id, run)
    return await engine.ports.read(state.goal_id)


async def test_what_a_run_changed_that_was_cut_off_is_found_by_the_next(root):
    engine = Engine.open(root)

    async def cut_off(goal_id, run):
        run.cancel()

    state = await begin_and_tamper(engine, root, cut_off)
    assert state.status is S.PAUSED
    state = await resume_goal(engine.ports, state.goal_id)
    assert state.status is S.BLOCKED_ON_HUMAN
    assert "a run that was cut off" in state.open_questions[0].text


async def find_moves(engine, goal_id):
    entries = await engine.ports.store.entries(goal_id)
    told = [one for entry in entries for one in entry.events if one.type == "repository.moved"]
    return [(one.during, change.name, one.asked) for one in told for change in one.changes]


async def test_a_goal_that_is_cancelled_tells_what_it_changed(root):
    engine = Engine.open(root)

    async def cancel(goal_id, run):
        await cancel_goal(engine.ports, goal_id, ME)

    state = await begin_and_tamper(engine, root, cancel)
    assert state.status is S.CANCELLED
    assert await find_moves(engine, state.goal_id) == [
        ("a run that was cancelled", "hooks/post-merge", False)
    ]


async def test_what_moves_beside_a_run_that_is_paused_is_recorded_once(root):
    engine = Engine.open(root)

    async def pause(goal_id, run):
        (root / ".git/hooks/post-merge").unlink()
        git(root, "branch", "meanwhile")
        await pause_goal(engine.ports, goal_id, ME)

    state = await begin_and_tamper(engine, root, pause)
    assert state.status is S.PAUSED
    git(root, "branch", "later")
    meter = Meter(asyncio.get_running_loop().time)
    vigil = open_vigil(engine.ports, open_bench(engine.ports, state), meter)
    assert await vigil.finds_left(state) is None
    assert await find_moves(engine, state.goal_id) == [
        ("a run that was paused", "refs/heads/meanwhile", False)
    ]


async def test_what_a_killed_run_moved_is_recorded_by_the_next(root):
    engine = Engine.open(root)
    state = await create(engine, a_plan(FIX))
    before, content = read_fingerprint(root)
    keep_fingerprint(engine.state_dir, state.goal_id, before, content)
    git(root, "branch", "meanwhile")
    done = await execute_goal(engine.ports, state.goal_id)
    assert done.status is S.READY
    assert await find_moves(engine, state.goal_id) == [
        ("a run that was cut off", "refs/heads/meanwhile", False)
    ]


ODD = {
    "a link to itself": lambda r, h: (
        (h / ".gitconfig").unlink(),
        (h / ".gitconfig").symlink_to(".gitconfig"),
    ),
    "a folder": lambda r, h: ((h / ".gitconfig").unlink(), (h / ".gitconfig").mkdir()),
    "hooks in a link to itself": lambda r, h: (
        (r / "loop").symlink_to("loop"),
        put(r / ".git/config", "[core]\nhooksPath = loop/hooks\n"),
    ),
    "hooks nowhere": lambda r, h: put(r / ".git/config", '[core]\nhooksPath = "~a\0b/c"\n'),
    "an include nowhere": lambda r, h: put(r / ".git/config", '[include]\npath = "a\0b"\n'),
    "an include of a long name": lambda r, h: put(
        r / ".git/config", f"[include]\npath = {'a' * 5000}\n"
    ),
}


@pytest.mark.parametrize("way", ODD)
def test_what_git_itself_could_not_read_is_found_all_the_same(root, home, way):
    before, _ = read_fingerprint(root)
    ODD[way](root, home)
    assert find_changes(before, read_fingerprint(root)[0])
    written = (root.parent / "elsewhere",)
    assert is_out_of_reach(Sandbox("one", Path("/usr/bin/bwrap"), written=written), root)


WRITES = {
    "nothing": ((), True),
    "the folder that it is in": (("",), True),
    "another place": (("elsewhere",), True),
    "the checkout": (("project",), False),
    "the git directory": (("project/.git",), False),
    "hooks": (("project/.git/hooks",), False),
}


@pytest.mark.parametrize("case", WRITES)
def test_whether_anything_of_ours_can_move_a_branch_is_for_the_person_to_say(root, case):
    names, out_of_reach = WRITES[case]
    written = tuple(root.parent / name for name in names)
    sandbox = Sandbox("one", Path("/usr/bin/bwrap"), written=written)
    assert is_out_of_reach(sandbox, root) is out_of_reach
    linked = root.parent / "w"  # whose branches are in the other checkout's git directory
    assert is_out_of_reach(sandbox, linked) is (out_of_reach and names != ("",))
    assert not is_out_of_reach(NO_SANDBOX, root)


def moved(part, name, what="is other", *, steers):
    return RepositoryChange(part=part, name=name, what=what, steers=steers)


STEERING = moved(Part.CONFIG, "config", "says: core.pager = 'evil'", steers=True)
TRACKED = moved(Part.CONFIG, "config", "says: branch.mine.remote = 'o'", steers=False)
OWN = moved(Part.OWN, "/ada/.gitconfig", "says: core.pager = 'evil'", steers=True)
STAGED = moved(Part.INDEX, "index", steers=False)


def test_who_is_asked_is_told_what_of_theirs_would_be_put_back():
    changes = (STEERING, STAGED, TRACKED)
    assert find_told(changes, own=False) == changes
    assert find_told(changes, own=True) == (STEERING, TRACKED)
    assert find_told((STAGED, TRACKED), own=True) == ()
    assert find_told((OWN, STAGED), own=False) == (OWN, STAGED)
    assert find_told((OWN, STEERING), own=True) == (STEERING,)
    told = RepositoryMoved(changes=changes, during="task fix")
    text = make_question(a_goal(), told).text
    assert "config says: branch.mine.remote = 'o'" in text
    assert (
        "to put config back as it was (index stays as it is: `git reflog` shows what was)" in text
    )
    assert "(with every setting named here, a remote or branch of yours too)" in text


def test_settings_that_are_too_many_are_told_by_their_sections():
    before = Seen(part=Part.CONFIG, sha256="1" * 64, mode="file")
    settings = {f"a{number}.x": ("1",) for number in range(6)} | {
        "remote.up.url": ("u",),
        "remote.up.fetch": ("f",),
    }
    after = before.changed(sha256="2" * 64, settings=settings)
    (change,) = find_changes(a_fingerprint(before), a_fingerprint(after))
    assert change.what.endswith("a5.x = '1' and 2 more, of remote.up")


def a_fingerprint(config):
    return Fingerprint(git_dir="/r", common="/r", files={"config": config}, refs={}, index="1" * 64)


async def test_hunks_are_not_recorded_beside_tampering(root):
    other = '{ replace = "calc.py", old = "2 * a", new = "a * 2" }'
    engine, state = await execute(root, f"{FIX}, {other}")
    assert state.status is S.READY

    def tamper(_):
        put(root / ".git/hooks/post-merge", "#!/bin/sh\n", 0o755)

    with pytest.raises(RepositoryUnusable, match="hooks/post-merge appeared"):
        await try_hunks(engine.ports, state.goal_id, say=tamper)
    assert (await engine.ports.read(state.goal_id)).hunks is None
