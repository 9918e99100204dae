"""Which goals a file shows, where, and in which words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from goal_engine.decision import Criterion, CriterionState, EvidenceKind
from goal_engine.engine import Engine
from goal_engine.errors import BadInput, GoalNotFound, RepositoryUnusable
from goal_engine.evidence import ChangedFile, GoalGitEvidence
from goal_engine.proof.hunk import Hunk, HunkStanding, HunkTrial
from goal_engine.proof.verdict import CriterionVerdict, Judgement, Verdict
from goal_engine.state.events import HunksTried
from goal_engine.state.model import GoalState
from goal_engine.state.store import Summary
from goal_engine.task_graph.graph import GoalTaskGraph
from goal_engine.types import GoalStatus
from goal_server.explain import explain_criterion, explain_region
from goal_server.goal_page import render_goal_page
from goal_server.lsp_lenses import MOST, find_lenses, find_plan_lenses, is_unstarted
from goal_server.lsp_reading import Reading, find_keys
from goal_server.marks import GOALS, Kept, Mark, Marks, at_line
from goal_server.pages import render
from goal_server.parameters import RenderParams
from goal_server.pictures import render_goal
from tests.builders import BASE, DIGEST, a_goal, a_goal_created, a_task, goal_id

S = GoalStatus
Blobs = dict[tuple[str, str], bytes]
NAME = "a.py"
LINES = [f"line {number}" for number in range(40)]
TEXT = "\n".join(LINES) + "\n"


def tree(number: int) -> str:
    return f"{number:040x}"


def changed(*numbers: int, word: str = "changed") -> str:
    new = [f"{word} {at}" if at in numbers else line for at, line in enumerate(LINES)]
    return "\n".join(new) + "\n"


class Place:
    """A checkout with goals whose trees are only looked up."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder.resolve()
        self.blobs: Blobs = {(BASE, NAME): TEXT.encode()}
        self.goals: list[Summary] = []
        self.reads = self.lists = 0
        self.broken = False
        self.ports: Any = SimpleNamespace(
            store=SimpleNamespace(list=self._list), open_repository=lambda: self
        )

    async def _list(self) -> Sequence[Summary]:
        self.lists += 1
        return tuple(self.goals)

    def read_blob(self, of: str, name: str) -> bytes | None:
        self.reads += 1
        if self.broken:
            raise RepositoryUnusable("It is gone.")
        return self.blobs.get((of, name))

    def evidence(self, number: int, text: str | bytes | None, **file: Any) -> GoalGitEvidence:
        """Return the change of `NAME` to `text`."""
        data = text.encode() if isinstance(text, str) else text
        if data is not None:
            self.blobs[tree(number), NAME] = data
        values = {"path": NAME, "status": "M", "old_mode": "100644", "mode": "100644", **file}
        return GoalGitEvidence(base_tree=BASE, tree=tree(number), files=(ChangedFile(**values),))

    def add(
        self, number: int, text: str | bytes | None, status: GoalStatus = S.READY, **more: Any
    ) -> GoalState:
        """Add a goal that changes `NAME` to `text`."""
        evidence = more.pop("evidence", None) or self.evidence(number, text)
        created = a_goal_created(goal_id(number), text=more.pop("words", f"Goal {number}"))
        state = a_goal(status).changed(
            created=created, evidence=evidence, tree=evidence.tree, **more
        )
        self.goals.append(Summary(state.goal_id, state))
        return state

    async def find(self, buffer: str, marks: Marks | None = None) -> tuple[Mark, ...]:
        engine: Any = self
        return await (marks or Marks()).find(engine, self.checkout / NAME, buffer)

    async def titles(self, buffer: str, mode: Any = "all") -> list[tuple[int, str]]:
        engine: Any = self
        marks = Marks()
        lenses = await find_lenses(engine, marks, await self.find(buffer, marks), mode)
        return [(lens.range.start.line, lens.command.title) for lens in lenses if lens.command]


async def test_a_goal_that_changes_while_goals_are_listed_is_listed_again(place: Place) -> None:
    marks, engine = Marks(), place

    async def list_slowly() -> Sequence[Summary]:
        found = await engine._list()
        if place.lists == 1:
            place.add(1, changed(3))
            marks.forget()
        return found

    place.ports.store.list = list_slowly
    assert await place.find(TEXT, marks) == ()
    assert [mark.name for mark in await place.find(TEXT, marks)] == [NAME]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_a_proposal_says_its_size_and_can_be_applied(place: Place) -> None:
    state = place.add(1, changed(3, 20))
    assert await place.titles(TEXT) == [
        (0, "Goal 1 · ready · all 2 changes proposed"),
        (3, "Goal 1 · +1 −1"),
        (3, "Apply"),
        (20, "Goal 1 · +1 −1"),
        (20, "Apply"),
    ]
    engine: Any = place
    lenses = await find_lenses(engine, Marks(), await place.find(TEXT), "all")
    root = place.checkout.as_uri()
    assert lenses[1].command and lenses[1].command.arguments == [
        {"goal": state.goal_id, "root": root, "path": NAME}
    ]


async def test_a_change_that_is_there_says_why(place: Place) -> None:
    place.add(1, changed(3, 20))
    assert await place.titles("new\n" + changed(3)) == [
        (0, "Goal 1 · ready · 1 present · 1 proposed"),
        (4, "· Goal 1 → Sums → gate tests · ready"),
        (21, "Goal 1 · +1 −1"),
        (21, "Apply"),
    ]


@pytest.mark.parametrize("status", [S.RUNNING, S.PAUSED, S.NOT_READY])
async def test_a_goal_that_is_not_ready_says_so_and_is_not_applied(
    place: Place, status: GoalStatus
) -> None:
    place.add(1, changed(3), status)
    words = status.value.replace("_", " ")
    assert await place.titles(TEXT) == [
        (0, f"Goal 1 · {words} · 1 change proposed"),
        (3, f"Goal 1 ({words}) · +1 −1"),
    ]


async def test_a_cancelled_goal_has_no_lens(place: Place) -> None:
    place.add(1, changed(3), S.CANCELLED)
    assert await place.titles(TEXT) == []


async def test_a_verified_criterion_has_a_tick(place: Place) -> None:
    criterion = Criterion(id="fix", text="Sums", evidence=EvidenceKind.FLIPS, gate="tests")
    verdict = CriterionVerdict(criterion=criterion, state=CriterionState.VERIFIED, reason="so")
    judgement = Judgement(tree=tree(1), verdict=Verdict.READY, gates=(), criteria=(verdict,))
    place.add(1, changed(3), criteria=(criterion,), judgement=judgement)
    assert (await place.titles(changed(3)))[1] == (3, "✓ Goal 1 → Sums → gate tests")


async def test_the_task_of_a_region_is_the_one_that_made_it(place: Place) -> None:
    state = place.add(1, changed(3, 20))
    tasks = GoalTaskGraph(tasks=(a_task("first"), a_task("second")))
    done = a_goal().tasks["fix"]
    place.goals[0] = Summary(
        state.goal_id,
        state.changed(
            graph=tasks,
            tasks={
                "first": done.changed(evidence=place.evidence(2, changed(3))),
                "second": done.changed(evidence=place.evidence(3, changed(20))),
            },
        ),
    )
    titles = await place.titles(changed(3, 20))
    assert titles[0][1].endswith("2 tasks")
    assert [title.split(" → ")[0] for _, title in titles[1:]] == ["· first", "· second"]


async def test_edited_lines_are_stale(place: Place) -> None:
    place.add(1, changed(3), words="Make it so, " * 9)
    assert await place.titles(changed(3, word="other")) == [
        (0, "Make it so, Make it so, Make it so, Mak… · ready · 1 change edited since"),
        (3, "changed since Make it so, Make it so, Make it so, Mak… worked on it"),
    ]


async def test_old_goals_that_were_edited_away_are_not_shown_beside_others(place: Place) -> None:
    for number in range(1, 4):
        place.add(number, changed(number * 5))
    assert [mark.state.created.text for mark in await place.find("all new\n")] == ["Goal 3"]
    found = await place.find(changed(5))
    assert [mark.state.created.text for mark in found] == ["Goal 3", "Goal 2", "Goal 1"]
    found = await place.find(changed(10, word="other").replace("line 15", "x"))
    assert [mark.state.created.text for mark in found] == ["Goal 1"]


async def test_no_more_than_a_few_goals_and_lenses_are_shown(place: Place) -> None:
    for number in range(1, 9):
        place.add(number, changed(number))
    assert len(await place.find(TEXT)) == GOALS
    many = "".join(f"a {at}\nb {at}\nc {at}\nd {at}\ne {at}\n" for at in range(1000))
    place.blobs[BASE, NAME] = many.encode()
    place.add(9, many.replace("a ", "A "))
    titles = await place.titles(many)
    assert len(titles) == MOST
    assert titles[0][1] == "Goal 9 · ready · all 1000 changes proposed"


async def test_a_summary_alone_is_one_lens(place: Place) -> None:
    place.add(1, changed(3, 20))
    assert len(await place.titles(TEXT, "summary")) == 1
    assert await place.titles(TEXT, "off") == []


async def test_words_of_a_goal_are_plain(place: Place) -> None:
    place.add(1, changed(3), words="a\x1b[31m\u202eb\nc")
    assert (await place.titles(TEXT))[1][1] == "a[31mb c · +1 −1"


async def test_a_file_is_compared_once(place: Place) -> None:
    marks = Marks()
    place.add(1, changed(3))
    for buffer in (TEXT, TEXT, "x\n" + TEXT, changed(3)):
        assert len(await place.find(buffer, marks)) == 1
    assert (place.reads, place.lists) == (2, 1)
    marks.forget()
    await place.find(TEXT, marks)
    assert place.lists == 2


async def test_a_binary_file_has_a_summary_only(place: Place) -> None:
    place.blobs[BASE, NAME] = b"\0old"
    place.add(1, b"\0new")
    assert await place.titles("?") == [(0, "Goal 1 · ready")]


async def test_a_renamed_file_is_compared_with_what_it_was(place: Place) -> None:
    place.blobs[BASE, "old.py"] = TEXT.encode()
    del place.blobs[BASE, NAME]
    evidence = place.evidence(1, changed(3), status="R", old_path="old.py")
    place.add(1, None, evidence=evidence)
    (mark,) = await place.find(changed(3))
    assert [anchor.line for anchor in mark.anchors] == [3]


async def test_what_cannot_be_read_shows_nothing(place: Place, tmp_path: Path) -> None:
    place.add(1, changed(3))
    place.broken = True
    host: Any = SimpleNamespace(open=lambda _: place)
    reading = Reading(host)
    uri = (place.checkout / NAME).as_uri()
    assert await reading.find_lenses(place.checkout / NAME, uri, TEXT, "all") == []
    assert await reading.explain(place.checkout / NAME, TEXT, 3) is None
    assert await reading.find_acceptable(place.checkout / NAME, TEXT, 3) == ()
    place.broken = False
    assert len(await reading.find_lenses(place.checkout / NAME, uri, TEXT, "all")) == 3
    outside = tmp_path.parent / "other" / NAME
    assert await reading.find_lenses(outside, outside.as_uri(), TEXT, "all") == []


def test_the_latest_values_are_kept() -> None:
    kept = Kept[int](2)
    for key in ("a", "b"):
        kept.put(key, 1)
    assert kept.get("a") == 1
    kept.put("c", 1)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 1)


@pytest.mark.parametrize("status", GoalStatus)
def test_a_plan_can_be_run_while_nothing_began(status: GoalStatus) -> None:
    state = a_goal(status)
    titles = [lens.command.title for lens in find_plan_lenses(state, "r", "u") if lens.command]
    words = status.value.replace("_", " ")
    expected = ["▸ Run this plan", "Discard"] if is_unstarted(state) else [f"This plan is {words}"]
    assert titles == expected
    assert is_unstarted(a_goal()) and not is_unstarted(a_goal(S.READY))
    assert find_plan_lenses(None, "r", "u") == []


async def test_a_hover_shows_nothing_that_markdown_obeys(place: Place) -> None:
    place.add(1, changed(3), words="[x](command:rm) <b> `y`")
    ((mark, anchor),) = at_line(await place.find(changed(3)), 3)
    view = explain_region(mark.state, None, anchor)
    assert r"**\[x\](command:rm) \<b\> \`y\`**" in view.markdown
    assert view.mode == "present" and view.criterion == "adds" and view.task is None
    assert "not run yet" in view.markdown
    assert list(at_line(await place.find(changed(3)), 4)) == []


def test_a_goal_explains_each_criterion() -> None:
    assert explain_criterion(a_goal(), None).criterion == "adds"
    assert "not judged yet" in explain_criterion(a_goal(), "adds").markdown
    with pytest.raises(GoalNotFound, match="has no criterion 'x'; it has adds"):
        explain_criterion(a_goal(), "x")


def page(name: Any, **more: Any) -> RenderParams:
    return RenderParams(goal="latest", page=name, **more)


async def test_a_file_is_read_before_and_after(place: Place) -> None:
    state = place.add(1, changed(3))
    engine: Any = place
    before = await render(engine, state, page("base", path=NAME))
    after = await render(engine, state, page("head", path=NAME))
    assert (before.text, after.text) == (TEXT, changed(3))
    with pytest.raises(BadInput, match="needs a `path`"):
        await render(engine, state, page("base"))
    with pytest.raises(GoalNotFound, match="changes no file"):
        await render(engine, state, page("base", path="../" + NAME))
    with pytest.raises(GoalNotFound, match="has no task"):
        await render(engine, state, page("base", path=NAME, task="x"))
    with pytest.raises(GoalNotFound, match="has no change yet"):
        await render(engine, a_goal(), page("base", path=NAME))


@pytest.mark.parametrize(("data", "exists"), [(b"\xff\xfe", True), (b"a\0b", True), (None, False)])
async def test_what_is_no_text_is_said_to_be_none(
    place: Place, data: bytes | None, exists: bool
) -> None:
    state = place.add(1, data)
    engine: Any = place
    shown = await render(engine, state, page("head", path=NAME))
    assert (shown.text, shown.exists, shown.binary) == ("", exists, exists)


@pytest.mark.parametrize("status", GoalStatus)
def test_every_goal_has_a_page(status: GoalStatus) -> None:
    state = a_goal(status)
    text = render_goal_page(render_goal(state, Path("/p|q")))
    assert text.startswith("# Make sums right\n")
    for title in ("Criteria", "Gates", "Tasks", "Spend"):
        assert f"\n## {title}\n" in text
    assert "\n\n\n" not in text
    columns = {line.count("|") - line.count("\\|") for line in text.splitlines() if "| `" in line}
    assert columns <= {6, 7}


def test_lenses_are_renewed_only_for_what_they_are_made_of() -> None:
    running = a_goal(S.RUNNING)
    assert find_keys(running) == find_keys(running.changed(seq=9, updated_at=None))
    assert find_keys(running).lenses is None
    assert find_keys(a_goal(S.READY)) != find_keys(a_goal(S.DELIVERED))


async def test_a_region_that_no_gate_missed_says_so_in_its_lens_and_its_hover(place: Place) -> None:
    def a_trial(line: int, standing: HunkStanding) -> dict[str, Any]:
        hunk = Hunk(path=NAME, base=(line, line + 1), head=(line, line + 1))
        return HunkTrial(hunk=hunk, standing=standing, reason=f"{standing} it is").model_dump()

    reads: list[str] = []

    async def read_object(name: str) -> bytes:
        reads.append(name)
        kept, lost = HunkStanding.CONSTRAINED, HunkStanding.UNPROVEN
        return json.dumps([a_trial(3, kept), a_trial(12, lost)]).encode()

    place.ports.store.read_object = read_object
    tried = HunksTried(tree=tree(1), report=DIGEST, count={"constrained": 1, "unproven": 1})
    state = place.add(1, changed(3, 12), hunks=tried)
    marks, engine = Marks(), cast("Engine", place)
    (mark,) = await place.find(changed(3, 12), marks)
    found = [await marks.find_trial(engine, mark, anchor) for anchor in mark.anchors]
    assert [trial.standing.value for trial in found if trial] == ["constrained", "unproven"]
    titles = [title for _, title in await place.titles(changed(3, 12))]
    assert ["unproven" in title for title in titles] == [False, False, True]
    explained = explain_region(state, None, mark.anchors[1], found[1]).markdown
    assert "**unproven**: unproven it is" in explained
    assert len(reads) == 2  # once for each `Marks`
    other = state.changed(hunks=tried.changed(tree=tree(2)))
    assert await marks.find_trial(engine, Mark(other, NAME, mark.file, ()), mark.anchors[1]) is None
