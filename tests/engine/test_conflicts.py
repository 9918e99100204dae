"""What does not merge, as git tells it: which files, how, which lines, and no more than is shown."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goal_engine.budget import Spend
from goal_engine.conflicts import (
    LINES,
    REGIONS,
    ConflictedFile,
    ConflictKind,
    ConflictLines,
    GoalMergeConflictEvidence,
    MergeTold,
    describe_file,
    find_clashing,
    parse_lines,
    parse_merge,
    render_conflict,
    say_others,
)
from goal_engine.diagnosis import diagnose
from goal_engine.dispatch import merge
from goal_engine.state import events as e
from goal_engine.state.evolve import fold
from goal_engine.task_graph.graph import GoalTask, GoalTaskGraph
from goal_engine.types import GoalId
from goal_engine.workers.prompt import render_prompt
from goal_engine.worktree import Workbench
from goal_server.pictures import render_goal
from tests.builders import GOAL, a_block, a_goal_created, a_task, planned
from tests.simulation.world import SimRepository

OID = "a" * 40


def told(*entries: str, messages: Sequence[str] = ()) -> bytes:
    return "\0".join((OID, *entries, "", *messages, "")).encode()


def entry(path: str, stage: int = 2) -> str:
    return f"100644 {OID} {stage}\t{path}"


def test_a_clean_merge_is_its_tree() -> None:
    assert parse_merge(f"{OID}\0".encode()) == MergeTold(OID, (), {}, {})


@pytest.mark.parametrize(
    ("short", "kind"),
    [
        ("CONFLICT (contents)", ConflictKind.CONTENT),
        ("CONFLICT (binary)", ConflictKind.BINARY),
        ("CONFLICT (modify/delete)", ConflictKind.DELETED),
        ("CONFLICT (rename/delete)", ConflictKind.RENAMED),
        ("CONFLICT (rename/rename)", ConflictKind.RENAMED),
        ("CONFLICT (rename involved in collision)", ConflictKind.RENAMED),
        ("CONFLICT (distinct modes)", ConflictKind.MODE),
        ("CONFLICT (file/directory)", ConflictKind.FOLDER),
        ("CONFLICT (submodule)", ConflictKind.SUBMODULE),
        ("CONFLICT (of a later git)", ConflictKind.OTHER),
    ],
)
def test_each_kind_is_told_by_gits_own_name(short: str, kind: ConflictKind) -> None:
    output = told(
        entry("a b\tc", 1), entry("a b\tc"), messages=("1", "a b\tc", short, f"{short}: so\n")
    )
    found = parse_merge(output)
    assert (found.paths, found.find_kind("a b\tc")) == (("a b\tc",), kind)
    assert found.said == {"a b\tc": f"{short}: so"}


def test_what_merged_by_itself_is_no_conflict() -> None:
    messages = ("1", "a", "Auto-merging", "Auto-merging a\n")
    found = parse_merge(told(entry("a"), messages=messages))
    assert found.find_kind("a") is ConflictKind.OTHER and found.said == {}


def test_of_two_kinds_the_one_that_says_more_counts() -> None:
    contents = ("1", "a", "CONFLICT (contents)", "Merge conflict in a\n")
    deleted = ("2", "a", "b", "CONFLICT (rename/delete)", "a renamed to b\n")
    for order in (contents + deleted, deleted + contents):
        assert parse_merge(told(entry("a"), messages=order)).find_kind("a") is ConflictKind.RENAMED


DIFF = b"""diff --git a/a b/a
--- a/a
+++ b/a
@@ -2 +2,2 @@ def f():
-two
+zwei
+zwei und halb\r
@@ -9,0 +11 @@
+zehn
"""


def test_lines_stand_with_their_numbers() -> None:
    assert parse_lines(DIFF) == (
        ConflictLines(base=(2, 1), lines=(2, 2), text=("zwei", "zwei und halb"), gone=("two",)),
        ConflictLines(base=(9, 0), lines=(11, 1), text=("zehn",)),
    )


def at(start: int, size: int) -> ConflictLines:
    return ConflictLines(base=(start, size), lines=(start, size))


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        (at(2, 1), at(2, 1), True),
        (at(2, 2), at(4, 1), True),  # no unchanged line between them: git does not merge it either
        (at(2, 2), at(5, 1), False),
        (at(2, 0), at(2, 1), True),  # put in after line 2, which the other side changes
        (at(2, 0), at(3, 1), True),
        (at(2, 0), at(4, 1), False),
    ],
)
def test_only_places_that_touch_clash(
    one: ConflictLines, other: ConflictLines, clash: bool
) -> None:
    for mine, theirs in ((one, other), (other, one)):
        assert find_clashing((mine,), (theirs,)) == (((mine,), (theirs,)) if clash else ((), ()))


def a_clash(**changes: Any) -> GoalMergeConflictEvidence:
    file = ConflictedFile(
        path="calc.py",
        kind=ConflictKind.CONTENT,
        said="CONFLICT (content): Merge conflict in calc.py",
        ours=(ConflictLines(base=(3, 1), lines=(3, 1), text=("return a + b",), gone=("return",)),),
        theirs=(ConflictLines(base=(3, 1), lines=(3, 30), text=("~~~", "pass"), gone=("return",)),),
    )
    given = GoalMergeConflictEvidence(
        task="second", others=("fix",), base=OID, ours=OID, theirs=OID, files=(file,)
    )
    return given.changed(**changes)


SHOWN = """\
what does not merge: task second against task fix

calc.py (content): CONFLICT (content): Merge conflict in calc.py
  there now, by task fix, line 3:
  - return
  + return a + b
  what second made of the same lines, lines 3–32:
  - return
  + ~~~
  + pass
    … 28 more lines"""


def test_both_sides_are_shown_word_for_word_and_fenced() -> None:
    assert render_conflict(a_clash()) == SHOWN
    task = GoalTask(id="repair-1", title="Repair", worker="cli", agent="claude")
    prompt = render_prompt("Sums", task, (), (), ("it does not merge",), SHOWN)
    assert prompt.endswith(f"## What was seen of it\n\n~~~~\n{SHOWN}\n~~~~\n")


def test_a_large_conflict_is_cut_and_says_so() -> None:
    diff = b"".join(b"@@ -%d,30 +%d,30 @@\n%b" % (n, n, b"+x\n" * 30) for n in range(1, 900, 40))
    places = parse_lines(diff)
    assert len(places) == 23 and {len(place.text) for place in places} == {LINES}
    conflicted = MergeTold(OID, ("a",), {"a": ConflictKind.CONTENT}, {})
    file = describe_file("a", conflicted, places, places)
    assert len(file.ours) == len(file.theirs) == REGIONS and file.more == 2 * (23 - REGIONS)
    said = render_conflict(a_clash(files=(file,), more=7))
    assert "and 30 more places" in said and said.endswith("and 7 more files")
    assert f"… {30 - LINES} more lines" in said


def test_a_person_sees_both_sides_too() -> None:
    clash = e.IntegrationConflicted(
        task="fix", paths=(f"notes~{OID}", "notes"), kinds=(ConflictKind.FOLDER,) * 2, others=("a",)
    )
    state = fold((a_goal_created(), planned(), e.GoalStarted(), clash, a_block()))
    shown = render_goal(state, None).conflict
    assert shown is not None and [(f.path, f.kind) for f in shown.files] == [
        ("notes", "file/folder")
    ]
    found = diagnose(state, {}, a_clash())
    assert [(fact.path, fact.line) for fact in found.evidence[:3]] == [
        ("calc.py", None), ("calc.py", 3), ("calc.py", 3),
    ]  # fmt: skip
    assert "task fix has there, line 3: return a + b" in found.evidence[1].text
    assert "second has there, lines 3–32: ~~~ ⏎ pass …" in found.evidence[2].text


def test_nobody_is_somebody() -> None:
    assert say_others(()) == "what was there already"
    assert say_others(("base", "a")) == "task a and the commits since the goal's first base"


# The order of the plan decides, not who was first


class Bench:
    """A workbench of which merging alone is asked."""

    def __init__(self, goal_id: GoalId = GOAL) -> None:
        self.repository, self.goal_id = SimRepository(), goal_id

    def commit(self, tree: str, parent: str, message: str) -> str:
        return self.repository.commit(tree, (parent,), message=message)


CONTENT = st.sampled_from([b"0", b"1", b"2"])
EDITS = st.dictionaries(st.sampled_from("abc"), CONTENT, min_size=1, max_size=2)


@settings(max_examples=40, deadline=None)
@given(st.lists(EDITS, min_size=2, max_size=4))
def test_the_same_results_in_any_order_give_the_same_tree(
    edits: list[dict[str, bytes]],
) -> None:
    names = [f"t{number}" for number in range(len(edits))]
    seen = set()
    for order in itertools.permutations(names) if len(names) < 4 else [names, names[::-1]]:
        seen.add(merge_in(order, edits))
    assert len(seen) == 1


def merge_in(order: Sequence[str], edits: Sequence[dict[str, bytes]]) -> object:
    """Merge results that were recorded in `order`; return all that it came to."""
    bench = Bench()
    tree = bench.repository.write_tree(dict.fromkeys("abc", b"0"))
    base = bench.repository.commit(tree, (), message="base")
    tasks = [a_task(f"t{number}", writes=("x",)) for number in range(len(edits))]
    created = a_goal_created().changed(base_commit=base, base_tree=tree)
    facts: list[e.GoalEvent] = [created, planned(*tasks), e.GoalStarted()]
    facts += [e.TaskStarted(task=task.id, attempt=1, base_commit=base) for task in tasks]
    for name in order:
        files = {**dict.fromkeys("abc", b"0"), **edits[int(name[1:])]}
        made = bench.repository.write_tree(files)
        commit = bench.commit(made, base, name)
        evidence = bench.repository.evidence(tree, made)
        spent = Spend(attempts=1)
        facts.append(
            e.TaskFinished(task=name, attempt=1, commit=commit, evidence=evidence, spent=spent)
        )
    events, clashes = merge._merge(cast(Workbench, bench), fold(facts))
    assert all(clash.others for clash in clashes.values()), "somebody made the other side"
    return events, tuple(clashes.items())


def test_a_merge_that_follows_the_order_of_arrival_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = fold

    def by_arrival(facts: Sequence[e.GoalEvent]) -> Any:
        state = real(facts)
        ended = [fact.task for fact in facts if isinstance(fact, e.TaskFinished)]
        tasks = {task.id: task for task in state.graph}
        return state.changed(graph=GoalTaskGraph(tasks=tuple(tasks[name] for name in ended)))

    monkeypatch.setattr(f"{__name__}.fold", by_arrival)
    edits = [{"a": b"1"}, {"a": b"2"}]
    assert merge_in(("t0", "t1"), edits) != merge_in(("t1", "t0"), edits)
