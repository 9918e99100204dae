"""What people get wrong: a paragraph that says what, which and what next, an exit code, nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from goal_server import cli
from tests.integration.projects import GATE, a_project, fingerprint

GOAL = "Make the linter pass"


def git(path: Path, *args: str) -> None:
    subprocess.run(["git", "-C", str(path), *args], check=True, capture_output=True)


def an_empty_folder(path: Path) -> Path:
    path.mkdir()
    return path


def without_commits(path: Path) -> Path:
    path.mkdir()
    git(path, "init", "-q")
    return path


def bare(path: Path) -> Path:
    path.mkdir()
    git(path, "init", "-q", "--bare")
    return path


def merging(path: Path) -> Path:
    a_project(path)
    (path / ".git" / "MERGE_HEAD").write_text("0" * 40 + "\n", encoding="utf-8")
    return path


def rebasing(path: Path) -> Path:
    a_project(path)
    (path / ".git" / "rebase-merge").mkdir()
    return path


def configured(text: str) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        return a_project(path, **{"goalproof.toml": text})

    return make


def planned(text: str) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        a_project(path)
        (path / "plan.toml").write_text(text, encoding="utf-8")
        return path

    return make


BAD_PLAN = """
goal = "Make sums right in calc.py"
[[task]]
id = "one"
title = ""
deps = ["nowhere"]
writes = ["../out.py"]
steps = [{ write = "../out.py", content = "" }]
[[task]]
id = "two"
title = "Two"
deps = ["two"]
steps = [{ run = ["true"] }]
"""
RUN_PLAN = ["run", "--plan", "PROJECT/plan.toml"]
CASES: dict[str, tuple[Callable[[Path], Path], list[str], int, tuple[str, ...]]] = {
    "not a repository": (an_empty_folder, ["run", GOAL], 6, ("not in a git repository", "-C")),
    "no commits": (without_commits, ["run", GOAL], 6, ("no commits", "make a first commit")),
    "bare": (bare, ["run", GOAL], 6, ("bare", "clone")),
    "mid-merge": (merging, ["run", GOAL], 6, ("merge", "finish or abort")),
    "mid-rebase": (rebasing, ["run", GOAL], 6, ("rebase", "finish or abort")),
    "no such gate tool": (
        configured(GATE.replace("python3", "no-such-tool")),
        ["run", GOAL],
        6,
        ("gate tests", "no-such-tool", "goalproof.toml"),
    ),
    "configuration is no TOML": (
        configured("[[gate]\nname = 1"),
        ["gates"],
        2,
        ("goalproof.toml", "line 1"),
    ),
    "configuration with a wrong key": (
        configured(GATE + 'retries = 3\n[[gate]]\nname = "x"\nargv = []\n'),
        ["run", GOAL],
        2,
        ("goalproof.toml", "line 7", "retries", "argv"),
    ),
    "a plan with many problems": (
        planned(BAD_PLAN),
        RUN_PLAN,
        2,
        ("task one has no title", "nowhere", "../out.py", "task two depends on itself"),
    ),
    "a plan that is no TOML": (planned("goal = 1 2"), RUN_PLAN, 2, ("plan.toml", "line 1")),
    "no plan there": (a_project, RUN_PLAN, 2, ("plan.toml", "cannot be read")),
    "a goal without words": (a_project, ["run", "  "], 2, ("goalproof run",)),
    "an unknown goal": (a_project, ["show", "goal-2001"], 2, ("goal-2001", "list")),
    "a free text that nobody can do": (
        a_project,
        ["run", "Add rate limiting to the login endpoint in api.py"],
        3,
        ("--plan",),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_told_in_a_paragraph_with_its_exit_code(
    case: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, words, expected, told = CASES[case]
    project = make(tmp_path / "project")
    before = fingerprint(project)
    argv = [word.replace("PROJECT", str(project)) for word in words]
    code = cli.run(["--trust", "-C", str(project), *argv])
    out, err = capfd.readouterr()
    assert code == expected, out + err
    for part in told:
        assert part in out + err
    assert "Traceback" not in out + err
    assert fingerprint(project) == before


def test_a_vague_goal_asks_and_the_answers_lead_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    project = a_project(tmp_path / "project")
    assert cli.run(["--trust", "-C", str(project), "run", "make it better"]) == 3
    out, err = capfd.readouterr()
    assert "answer" in out + err and "?" in out + err
    assert cli.run(["-C", str(project), "answer", "latest", "nonsense", "x"]) == 2
    assert "no open question" in capfd.readouterr().err


def test_an_untrusted_workspace_runs_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    project = a_project(tmp_path / "project")
    canary = tmp_path / "canary"
    (project / "goalproof.toml").write_text(
        f'[[gate]]\nname = "x"\nargv = ["touch", "{canary}"]\n', encoding="utf-8"
    )
    for words in (["run", GOAL], ["plan", GOAL], ["gates"]):
        assert cli.run(["-C", str(project), *words]) == 7
        assert "not trusted" in capfd.readouterr().err
    assert cli.run(["-C", str(project), "list"]) == 0
    assert not canary.exists()


def test_names_that_mean_several_goals_list_them(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    project = a_project(tmp_path / "project")
    for _ in range(2):
        cli.run(["--trust", "-C", str(project), "plan", "make it better"])
    capfd.readouterr()
    assert cli.run(["-C", str(project), "show", "goal-2"]) == 2
    assert "could be goal-2" in capfd.readouterr().err


def test_a_damaged_journal_is_shown_kept_and_does_not_hide_the_others(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    project = a_project(tmp_path / "project")
    for _ in range(2):
        cli.run(["--trust", "-C", str(project), "plan", "make it better"])
    journal = sorted(project.glob(".goalproof/goals/*/events.jsonl"))[0]
    data = bytearray(journal.read_bytes())
    data[200] ^= 1
    journal.write_bytes(bytes(data))
    capfd.readouterr()
    assert cli.run(["-C", str(project), "list"]) == 0
    out, _ = capfd.readouterr()
    assert "damaged" in out and out.count("goal-2") >= 2
    assert cli.run(["-C", str(project), "show", journal.parent.name]) == 6
    assert "line 2" in capfd.readouterr().err
    assert journal.read_bytes() == bytes(data)


def test_a_state_folder_that_cannot_be_written_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = a_project(tmp_path / "project")
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("GOALPROOF_STATE_DIR", str(tmp_path / "file" / "state"))
    assert cli.run(["--trust", "-C", str(project), "run", GOAL]) == 6
    err = capfd.readouterr().err
    assert str(tmp_path / "file") in err and "Traceback" not in err


@pytest.mark.parametrize(("script", "told"), [("", "not found"), ("git version 2.30.1", "too old")])
def test_a_missing_or_old_git_is_named(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    told: str,
) -> None:
    project = a_project(tmp_path / "project")
    tools = tmp_path / "bin"
    tools.mkdir()
    if script:
        (tools / "git").write_text(f"#!/bin/sh\necho {script}\n", encoding="utf-8")
        (tools / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools) if not script else f"{tools}{os.pathsep}/usr/bin:/bin")
    assert cli.run(["--trust", "-C", str(project), "run", GOAL]) == 6
    err = capfd.readouterr().err
    assert told in err and "2.38" in err


def test_a_detached_and_dirty_checkout_is_a_notice(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    project = a_project(tmp_path / "project")
    git(project, "checkout", "-q", "--detach")
    (project / "calc.py").write_text("# unfinished\n", encoding="utf-8")
    cli.run(["--trust", "-C", str(project), "plan", "make it better"])
    out, err = capfd.readouterr()
    assert "1 changed file is not included" in out + err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--reviewer", "nobody"), 2, ("There is no agent 'nobody'; there are claude, codex",)),
        (
            ("--reviewer", "gone"),
            6,
            ("Nobody can review the result", "no-such-agent was not found on PATH"),
        ),
        (("--planner", "agent", "--agent", "nobody"), 2, ("There is no agent 'nobody'",)),
        (
            ("--planner", "agent", "--agent", "gone"),
            6,
            ("Nobody can make the plan", "no-such-agent was not found on PATH"),
        ),
        (("--agent", "nobody"), 2, ("There is no agent 'nobody'",)),
        (
            ("--agent", "gone"),
            6,
            ("has nobody to do it", "no-such-agent was not found", "On this machine: "),
        ),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "run"])
def test_an_agent_that_is_not_known_or_not_here_is_refused_at_once(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    words: tuple[str, ...],
    code: int,
    told: tuple[str, ...],
) -> None:
    monkeypatch.setenv("GOALPROOF_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    mine = '[agent.gone]\nargv = ["no-such-agent", "{prompt}"]\n'
    (tmp_path / "config" / "agents.toml").write_text(mine, encoding="utf-8")
    project = a_project(tmp_path / "project")
    text = "Make sums right in calc.py"
    assert cli.run(["--trust", "-C", str(project), verb, text, *words]) == code
    err = capfd.readouterr().err
    assert all(part in err for part in told) and "Traceback" not in err, err
    assert len(err.strip().splitlines()) == 1
    assert cli.run(["-C", str(project), "list", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["goals"] == []


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_doctor_exits_by_what_it_found(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    assert cli.run(["-C", str(a_project(tmp_path / "project")), "doctor", *more]) == 0
    capfd.readouterr()
    assert cli.run(["-C", str(without_commits(tmp_path / "empty")), "doctor", *more]) == 6
    out = capfd.readouterr().out
    assert "make a first commit" in " ".join(out.split()) and "put that right" in out
    if more:
        assert json.loads(out)["good"] is False
