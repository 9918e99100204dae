"""Results as text for people; all that comes from outside is stripped of controls first.

Pure: results in, lines out.  Colour is added only as click's styles, which a pipe strips.
"""

from __future__ import annotations

import shlex
import shutil
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click

from goal_engine.conflicts import say_others
from goal_server import goal_views as g
from goal_server import pictures
from goal_server import results as r
from goal_server.moments import say_moment, say_ms, say_time, say_took
from goal_server.plain import plain_line, plain_sheet, plain_text

COLOURS = {
    "ready": "green",
    "delivered": "green",
    "verified": "green",
    "passed": "green",
    "done": "green",
    "REPRODUCED": "green",
    "not_ready": "red",
    "failed": "red",
    "blocked": "red",
    "blocks": "red",
    "failed_infra": "red",
    "partial": "red",
    "not_addressed": "red",
    "damaged": "red",
    "NOT REPRODUCED": "red",
    "constrained": "green",
}
"""Words that mean good or bad; all others that are styled are yellow."""


CHECKPOINTS = 20
"""Checkpoints that a page of the terminal shows."""
CLASHING = 10
"""Files of a conflict that a goal shows."""
SHOWN = 3
"""Findings of each section that a goal shows."""
RECOVERED = (
    "recovered: the bundle before was lost or damaged, and this one was made again from the journal; "
    "where its gates ran is not known"
)


def render_result(result: g.View) -> str:
    """Return the text for any result, with a newline at its end."""
    render = RENDERERS[type(result)]
    text = "\n".join(render(result)) + "\n"
    return text if isinstance(result, r.LogView | r.DiffView) else plain_sheet(text)


def _goal(goal: g.GoalView) -> Iterator[str]:
    yield f"{render_word(goal.status)}  {click.style(plain_line(goal.text), bold=True)}"
    branch = f" ({plain_line(goal.base_branch)})" if goal.base_branch else ""
    moved = f", moved from {goal.bases[-1][:12]}" if goal.bases else ""
    yield f"{goal.id}  {goal.kind}  base {goal.base_commit[:12]}{branch}{moved}"
    if goal.status == "planned":
        yield from _wrap(f"{goal.kind}: {goal.kind_reason} (`--kind` says otherwise)", "kind    ")
    if goal.change:
        change = goal.change
        files = _count(len(change.files), "file")
        yield f"change  {files}, +{change.additions} −{change.deletions} lines"
    mine = [task.folder for task in goal.tasks if task.folder and task.status == "running"]
    for folder in mine:
        yield f"yours   {plain_line(folder)}"  # whole, to be copied
    if goal.blocker and not (goal.reasons or goal.questions or goal.asks or mine):
        yield from _wrap(goal.blocker, "why     ")
    if goal.conflict:
        yield from map(plain_line, _conflict(goal.conflict))
    if goal.receipt:
        yield from _wrap(goal.receipt.said.removeprefix("stopped: "), "stopped ")
    if goal.reasons and goal.status != "ready":
        for reason in goal.reasons:
            yield from _wrap(reason, "why     ")
    for notice in goal.notices:
        yield from _wrap(notice, "note    ")
    if goal.tasks:
        yield from _section("Tasks", (_task(task) for task in goal.tasks))
    if goal.gates:
        yield from _section("Gates", (_gate(gate) for gate in goal.gates))
    if goal.criteria:
        yield from _section("Criteria", (_criterion(item) for item in goal.criteria))
    if goal.reviews:
        yield from _section("Review", (_review_line(section) for section in goal.reviews))
    if goal.questions:
        yield from _section("Questions", ((q.id, plain_line(q.text)) for q in goal.questions))
    if goal.asks:
        asked = ((one.key, f"task {one.task}: {plain_line(one.text)}") for one in goal.asks)
        yield from _section("Agents ask", asked)
    if goal.decisions:
        yield from _section("Decisions", map(_decision, goal.decisions))
    yield ""
    yield f"spend   {render_spend(goal.spend)}"
    if goal.forecast:
        yield from _likely(goal.forecast)
    if goal.proof:
        recovered = "  (recovered)" if goal.proof.recovered else ""
        yield f"proof   {goal.proof.digest[:16]}  {plain_line(goal.proof.path)}{recovered}"
    for said in goal.sandbox:
        yield from _wrap(said, "sandbox ")
    if goal.hunks:
        yield f"hunks   {_standings(goal.hunks)}"
    if goal.applied:
        yield f"applied {_count(len(goal.applied), 'file')} in the checkout"
    if goal.branch:
        yield f"branch  {plain_line(goal.branch)}"
    if goal.next:
        yield from ("", "Next:", *(f"  {plain_line(step)}" for step in goal.next))


def _conflict(conflict: g.ConflictView) -> Iterator[str]:
    yield f"clash   task {conflict.task} against {say_others(conflict.others)}"
    yield from (f"          {file.path} ({file.kind})" for file in conflict.files[:CLASHING])
    more = len(conflict.files) - CLASHING
    if more > 0:
        yield f"          and {more} more"


def render_spend(spend: g.SpendView) -> str:
    """Return what was used, in words; unknown is said, not shown as zero."""
    tokens = "unknown" if spend.tokens is None else str(spend.tokens)
    usd = "unknown" if spend.usd is None else spend.usd
    turns = f", {_count(spend.turns, 'turn')} of agents" if spend.turns else ""
    priced = f"; dollars estimated by {plain_line(spend.priced)}" if spend.priced else ""
    return (
        f"{spend.wall_ms / 1000:.1f} s, {_count(spend.attempts, 'attempt')},"
        f" {_count(spend.changed_lines, 'changed line')},"
        f" {tokens} tokens, {usd} USD ({spend.source}{priced}){turns}"
    )


def render_criteria(criteria: Iterable[g.CriterionView]) -> Iterator[str]:
    """Yield the criteria table."""
    yield from _table(_criterion(item) for item in criteria)


def _task(task: g.TaskView) -> tuple[str, ...]:
    return (render_word(task.status), task.id, plain_line(task.title), plain_line(task.reason))


def _gate(gate: g.GateView) -> tuple[str, ...]:
    standing = {True: "met", False: "not met", None: "not judged"}[gate.met]
    colour = {True: "green", False: "red", None: "yellow"}[gate.met]
    before = f"{gate.baseline or '·'} → {gate.outcome or '·'}"
    gaps = f" ({len(gate.gaps)} failed before as well)" if gate.gaps else ""
    flaky = f" ({len(gate.flaky)} flaky before as well)" if gate.flaky else ""
    quarantined = f" ({len(gate.quarantined)} quarantined)" if gate.quarantined else ""
    optional = "" if gate.required else " (optional)"
    reason = f"{plain_line(gate.verdict)}{gaps}{flaky}{quarantined}{optional}"
    return (click.style(standing, fg=colour), gate.name, before, reason)


def _criterion(item: g.CriterionView) -> tuple[str, ...]:
    said = item.reason
    if said == pictures.UNJUDGED:  # what it will ask for is more to know than that it did not yet
        said = f"{item.asks} ({item.why})" if item.why else item.asks
    text = f"{plain_line(item.text)} — {plain_line(said)}"
    return (render_word(item.state), item.id, item.evidence, text)


def _decision(decided: g.DecisionView) -> tuple[str, ...]:
    tree = f"tree {decided.tree[:12]}" if decided.tree else ""
    about = " ".join(filter(None, (plain_line(decided.about), tree)))
    return (decided.verb, plain_line(decided.actor), about, plain_line(decided.reason))


def _diagnosis(found: r.DiagnosisView) -> Iterator[str]:
    yield f"{render_word(found.status)}  {click.style(plain_line(found.text), bold=True)}"
    yield found.goal
    yield from _wrap(found.why, "why     ")
    if found.cause:
        yield from _wrap(found.cause, "cause   ")
    if found.advice:
        yield from _wrap(found.advice, "do      ")
    if found.evidence:
        yield from _section("Seen", (_seen(fact) for fact in found.evidence))
        logs = dict.fromkeys(fact.log for fact in found.evidence if fact.log)
        yield from (f"  all of it: {plain_line(log)}" for log in logs)
    if found.tried:
        yield from ("", "Tried", *(f"  {plain_line(line)}" for line in found.tried))
    if found.next:
        yield from ("", "Next:", *(f"  {plain_line(step)}" for step in found.next))


def _seen(fact: r.SeenView) -> tuple[str, ...]:
    place = f"{fact.path}:{fact.line}: " if fact.path else ""
    return (plain_line(fact.source), plain_line(f"{place}{fact.text}"))


def _replay(told: r.ReplayView) -> Iterator[str]:
    yield f"{render_word(told.status)}  {click.style(plain_line(told.text), bold=True)}"
    span = f"after entry {told.after} to" if told.after else "to"
    yield f"{told.goal}  {span} entry {told.last} of {told.entries}"
    if told.damage:
        yield from _wrap(told.damage, "damaged ")
    if told.note:
        yield from _wrap(told.note, "note    ")
    for defect in told.defects:
        yield from _wrap(defect, "defect  ")
    if told.differences is not None:
        yield from ("", "Different")
        for text in _differences(told):
            yield from _wrap(text, "  ")
    if told.earlier:
        first = told.moments[0].seq
        more = f"{_count(told.earlier, 'moment')} more: `--at {first}`, or a larger `--last`"
        yield from _wrap(more, "earlier ")
    yield from _section("What happened (UTC)", map(_moment, told.moments))
    yield from _section("Where the time went", map(_time, told.times))
    yield from ("", f"spend   {render_spend(told.spend)}", f"state   {told.digest}")
    if told.state:
        yield from ("", f"As it was after entry {told.last}, {say_time(told.until)}:", "")
        yield from _goal(told.state)


def _differences(told: r.ReplayView) -> Iterator[str]:
    yield from (plain_line(one.text) for one in told.differences or ())
    if told.more:
        yield f"and {told.more} more"
    if not told.differences:
        yield "nothing but the number of the entry"


def _moment(moment: r.MomentView) -> tuple[str, ...]:
    what = plain_line(say_moment(moment, with_status=True))
    return str(moment.seq), say_time(moment.at), say_took(moment), what


def _time(one: r.TimeView) -> tuple[str, ...]:
    return say_ms(one.ms), f"{one.times}×", plain_line(one.what)


def _list(goals: r.GoalList) -> Iterator[str]:
    if not goals.goals and not goals.archived:
        yield 'No goals here yet. Begin with: goalproof run "Make the linter pass"'
        return
    yield from _table(
        (
            render_word(line.status),
            plain_line(line.id),
            f"{line.done}/{line.total}" if line.total else "",
            ("" if line.made_here else "not made here: ")
            + ("archived: " if line.archived else "")
            + plain_line(line.damage or line.notice or line.text),
        )
        for line in goals.goals
    )
    hidden = goals.archived - sum(line.archived for line in goals.goals)
    if hidden:
        is_are = "is" if hidden == 1 else "are"
        yield f"{_count(hidden, 'goal')} {is_are} archived; `list --archived` shows them."


def _adopted(adopted: r.AdoptedView) -> Iterator[str]:
    said = {
        "moved": "were moved here; what belongs to them came along, and they go on",
        "copied": "were a copy; new ones are made under an id of its own",
        "foreign": "came from elsewhere; new ones can be made",
    }
    happened = said.get(adopted.was, "were at home here already; nothing had to be done")
    yield from _wrap(f"The goals in {plain_line(adopted.path)} {happened}.", "")
    if adopted.elsewhere:
        count = _count(adopted.elsewhere, "goal")
        yield from _wrap(f"{count} not made here can be looked at, and not worked on.", "")
    for adoption in adopted.adoptions:
        yield from _wrap(adoption, "")


def _gc(view: r.GcView) -> Iterator[str]:
    said = "went" if view.done else "can go"
    yield from _table(
        (_size(room.bytes) if room.bytes else "", _say_room(room))
        for room in view.rooms
        if room.count
    )
    for name in (name for room in view.rooms for name in room.names):
        yield from _wrap(name, "  ")
    for why in (why for room in view.rooms for why in room.kept):
        yield from _wrap(why, "  kept  ")
    limit = f" of {view.limit_mib} MiB that all checkouts may take" if view.limit_mib else ""
    yield from _wrap(
        f"{_size(view.bytes)} {said}; {_size(view.used)} are kept in {view.folder}{limit}.", ""
    )
    if not view.done:
        yield "Let it go: goalproof gc --yes (it also packs objects, which may save more)"


def _say_room(room: r.RoomView) -> str:
    return f"{room.words}: {room.count}" if room.count > 1 else room.words


def _size(size: int) -> str:
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"


def _review(review: r.ReviewView) -> Iterator[str]:
    yield f"{render_word(review.status)}  {review.goal}  tree {review.tree[:12]}"
    for section in review.sections:
        yield from ("", f"{render_word(section.status)}  {section.name}")
        yield from (f"  {line}" for line in _table(map(_finding, section.findings), indent=2))
        yield from ([f"  and {section.more} more"] if section.more else ())
        for label, texts in (("risk", section.risks), ("gap", section.gaps)):
            for text in texts:
                yield from _wrap(text, f"  {label}  ")
        yield from _wrap(section.next, "  next  ") if section.next else ()
    if review.next:
        yield from ("", "Next:", *(f"  {plain_line(step)}" for step in review.next))


def _finding(found: g.FindingView) -> tuple[str, ...]:
    place = found.path if found.line is None else f"{found.path}:{found.line}"
    excerpt = f" — {found.excerpt}" if found.excerpt else ""
    text = plain_line(f"{place}  {found.message}{excerpt}")
    return (render_word(found.severity), found.rule, text)


def _review_line(section: g.ReviewSectionView) -> tuple[str, ...]:
    """What a goal shows of a section: what blocks and what warns, the notes counted."""
    shown = [found for found in section.findings if found.severity != "notes"]
    said = [f"{f.rule} in {f.path}{f':{f.line}' if f.line else ''}" for f in shown[:SHOWN]]
    left = len(section.findings) + section.more - len(said)
    said += [f"{left} more: `goalproof review`"] if left and said else []
    return (render_word(section.status), section.name, plain_line("; ".join(said)))


def _diff(diff: r.DiffView) -> Iterator[str]:
    if not diff.patch:
        yield "No change."
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in plain_text(diff.patch).splitlines():
        header = line.startswith(("+++", "---"))
        colour = None if header else colours.get(line[:1])
        yield click.style(line, fg=colour) if colour else line


def _gates(view: r.GatesView) -> Iterator[str]:
    source = view.configuration
    yield f"from {plain_line(source)}" if source else "detected; goalproof.toml would decide"
    if not view.gates:
        yield "No gates. Write a [[gate]] with name and argv in goalproof.toml."
    for gate in (*view.setup, *view.gates):
        trust = {True: "approved", False: "not approved", None: ""}[gate.trusted]
        optional = "" if gate.required else "  optional"
        yield f"{click.style(gate.name, bold=True)}  {trust}{optional}"
        yield f"  {gate.command}"
        if gate.trusted is False:
            yield f"  digest {gate.digest}"
        if gate.reason:
            yield from _wrap(gate.reason, "  why: ")
    if view.python or view.python_reason:
        said = f"{view.python} ({view.python_reason})" if view.python else view.python_reason
        yield from ("", f"Python  {plain_line(said)}")
    if view.passed_over:
        yield from _section("Not gates", map(_passed_over, view.passed_over))


def _passed_over(passed: r.PassedOverView) -> tuple[str, ...]:
    folder = "" if passed.folder == "." else f"in {passed.folder}: "
    return plain_line(passed.what), plain_line(f"{folder}{passed.reason}")


def _agents(view: r.AgentsView) -> Iterator[str]:
    yield from _table((worker.name, plain_line(worker.title)) for worker in view.workers)
    yield from _section("Agents", (_agent(agent) for agent in view.agents))
    yield from ("", *_wrap(view.note, ""))


def _agent(agent: r.AgentView) -> tuple[str, ...]:
    found = click.style("here", fg="green") if agent.available else "absent"
    facts = [agent.title, *dict.fromkeys(way.package for way in agent.ways if way.package)]
    able = [way for way in agent.ways if way.available]
    prefix = f"agent {agent.name} is not on this machine: "
    if able:
        hint = f"no login seen: {agent.log_in}" if agent.log_in else ""
        facts.append(f"login: {agent.login}" if agent.login else hint)
        facts += ["does goals of words alone"] if agent.is_default else []
        facts.append(_say_way(able[0]))
        best = agent.ways[0]
        lacks = best.missing.removeprefix(prefix)
        facts += [f"`{best.worker}` would be better: {lacks}"] if lacks else []
    else:
        missing = agent.ways[-1].missing if agent.ways else shlex.join(agent.argv)
        facts.append(missing.removeprefix(prefix))
    workers = " ".join(way.worker for way in able)
    return (found, plain_line(agent.name), workers, plain_line("; ".join(filter(None, facts))))


def _say_way(way: r.WayView) -> str:
    """Return how an agent works by a worker: its modes, and what it says of what it uses."""
    modes = [f"mode {way.mode}"] if way.mode else []
    modes += [f"reads in mode {way.reading}"] if way.reading else []
    dollars = USAGE[way.usd] or ("estimated" if way.estimates else "not said")
    usage = [f"tokens {USAGE[way.tokens] or 'not said'}", f"dollars {dollars}"]
    return f"by `{way.worker}`: {', '.join((*modes, *usage))}"


USAGE = {"live": "told while it works", "turn": "told after each turn", "never": "", "nothing": ""}
"""When an agent says what it used."""


def _doctor(view: r.DoctorView) -> Iterator[str]:
    colours = {"good": "green", "note": "yellow", "bad": "red"}
    for check in view.checks:
        standing = click.style(check.standing, fg=colours[check.standing])
        yield f"{standing}  {plain_line(check.name)}"
        yield from _wrap(check.said, "    ")
        yield from (_wrap(f"→ {check.next}", "    ") if check.next else ())


def _proof(view: r.ProofView) -> Iterator[str]:
    yield f"{render_word(view.status)}  {view.goal}"
    yield f"digest  {view.proof.digest}"
    yield f"tree    {view.proof.tree}"
    yield f"path    {plain_line(view.proof.path)}"
    if view.recovered:
        yield from _wrap(RECOVERED, "note    ")
    yield from _wrap(view.signature, "signed  yes: " if view.signed else "signed  no: ")
    yield from _section("Gates", (_gate(gate) for gate in view.gates))
    yield from _section("Criteria", (_criterion(item) for item in view.criteria))
    if view.superseded:
        yield from _section("Superseded", (_superseded(item) for item in view.superseded))
    yield from ("", "Next:", *(f"  {plain_line(step)}" for step in view.next))


def _superseded(item: r.SupersededProof) -> tuple[str, ...]:
    return (
        item.digest[:16],
        f"tree {item.tree[:12]}",
        f"by {item.superseded_by[:16]}",
        item.because,
    )


def _hunks(view: r.HunksView) -> Iterator[str]:
    yield f"{_standings(view.count)}  {view.goal}"
    yield from _table(
        (render_word(hunk.standing), plain_line(_place(hunk)), plain_line(hunk.reason))
        for hunk in view.hunks
    )
    yield f"proof   {view.proof.digest[:16]}  {plain_line(view.proof.path)}"


def _standings(count: dict[str, int]) -> str:
    return ", ".join(f"{number} {render_word(word)}" for word, number in count.items())


def _place(hunk: r.HunkView) -> str:
    if hunk.line is None:
        return hunk.path
    last = hunk.line + hunk.lines - 1
    return f"{hunk.path}:{hunk.line}" + (f"-{last}" if last > hunk.line else "")


def _reverification(view: r.ReverificationView) -> Iterator[str]:
    yield f"{render_word(view.outcome)}  {plain_line(view.bundle)}"
    if view.outcome == "INSPECTED":
        yield from (f"gate    {plain_line(gate)}" for gate in view.gates)
    for difference in view.differences:
        yield from _wrap(difference, "differs ")
    for missing in view.missing:
        yield from _wrap(missing, "missing ")
    if view.superseded_by:
        yield from _wrap(f"by {view.superseded_by}: {view.superseded_because}", "superseded ")
    if view.note:
        yield from _wrap(view.note, "")


def _log(view: r.LogView) -> Iterator[str]:
    yield from plain_text(view.text).splitlines()


def _open(view: r.OpenView) -> Iterator[str]:
    yield plain_line(view.path)


def _spending(view: r.SpendingView) -> Iterator[str]:
    yield f"{render_word(view.status)}  {click.style(plain_line(view.text), bold=True)}"
    yield view.goal
    yield from _section("Limits", map(_limit, view.limits))
    yield f"  at once  {_count(view.max_agents, 'task')}"
    if view.tasks:
        yield from _section("Spent by task", map(_share, view.tasks))
    if view.checkpoints:
        yield from _section("Checkpoints", map(_checkpoint, view.checkpoints[-CHECKPOINTS:]))
        left = view.earlier + max(0, len(view.checkpoints) - CHECKPOINTS)
        yield from ([f"  {left} before them"] if left else ())
    if view.warnings:
        yield from _section("Warnings", map(_warning, view.warnings))
    if view.extensions:
        yield from _section("Given", map(_extension, view.extensions))
    if view.forecast:
        yield from ("", *_likely(view.forecast))
    yield from ("", "Next:", *(f"  {plain_line(step)}" for step in view.next))


def _limit(limit: r.LimitView) -> tuple[str, ...]:
    if limit.limit is None:
        return (limit.name, f"{limit.used} used, no limit")
    percent = "" if limit.percent is None else f" ({limit.percent} %)"
    return (limit.name, f"{limit.used} of {limit.limit} used{percent}, {limit.left} left")


def _share(share: r.ShareView) -> tuple[str, ...]:
    return (plain_line(share.task), plain_line(share.worker), render_spend(share.spend))


def _checkpoint(one: r.CheckpointView) -> tuple[str, ...]:
    return (f"{one.at:%Y-%m-%d %H:%M:%S}", plain_line(one.label), render_spend(one.spend))


def _warning(one: r.WarningView) -> tuple[str, ...]:
    said = f"{one.percent} % of {one.limit}: {one.used} of {one.of}"
    return (f"{one.at:%Y-%m-%d %H:%M:%S}", plain_line(said))


def _extension(one: r.ExtensionView) -> tuple[str, ...]:
    said = ", ".join(f"{name} {value}" for name, value in one.added.items())
    return (
        f"{one.at:%Y-%m-%d %H:%M:%S}",
        plain_line(one.actor),
        plain_line(f"{said}: {one.reason}"),
    )


def _likely(likely: g.ForecastView) -> Iterator[str]:
    """One line for all of it, then a line for each task; no number where there is no basis."""
    based = [task for task in likely.tasks if task.seconds]
    if not based:
        yield from _wrap(f"no basis for a forecast: {likely.tasks[0].basis}", "likely  ")
        return
    if likely.seconds:
        yield f"likely  {_range(likely.seconds)} s of tasks, gates not counted"
    yield from (f"  {line}" for line in _table(map(_task_likely, likely.tasks), indent=2))
    yield from _wrap(likely.calibration, "held    ")


def _task_likely(task: g.TaskForecastView) -> tuple[str, ...]:
    units = (("s", task.seconds), ("tokens", task.tokens), ("USD", task.usd))
    said = ", ".join(f"{_range(found)} {unit}" for unit, found in units if found)
    blind = max((found.unknown for _, found in units if found), default=0)
    more = f"; {blind} did not tell" if blind else ""
    return (plain_line(task.task), said or "no number", plain_line(f"{task.basis}{more}"))


def _range(found: g.RangeView) -> str:
    return f"{found.median} to {found.high}"


RENDERERS: dict[type[g.View], Callable[[Any], Iterator[str]]] = {
    g.GoalView: _goal,
    r.GoalList: _list,
    r.DiagnosisView: _diagnosis,
    r.ReplayView: _replay,
    r.ReviewView: _review,
    r.DiffView: _diff,
    r.LogView: _log,
    r.OpenView: _open,
    r.GatesView: _gates,
    r.AdoptedView: _adopted,
    r.GcView: _gc,
    r.AgentsView: _agents,
    r.DoctorView: _doctor,
    r.ProofView: _proof,
    r.HunksView: _hunks,
    r.SpendingView: _spending,
    r.ReverificationView: _reverification,
}


def render_word(word: str) -> str:
    """Return a status, state or outcome in its colour."""
    return click.style(plain_line(word), fg=COLOURS.get(word, "yellow"))


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _section(title: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield from ("", title)
    yield from (f"  {line}" for line in _table(rows, indent=2))


def _table(rows: Iterable[Sequence[str]], indent: int = 0) -> Iterator[str]:
    """Align columns; the last one is wrapped to the width of the terminal."""
    lines = [tuple(row) for row in rows]
    if not lines:
        return
    columns = zip(*lines, strict=True)
    widths = [max(len(click.unstyle(cell)) for cell in column) for column in columns]
    left = sum(widths[:-1]) + 2 * (len(widths) - 1)
    room = max(_width() - left - indent, 24)
    for row in lines:
        head = "  ".join(
            cell + " " * (width - len(click.unstyle(cell)))
            for cell, width in zip(row[:-1], widths[:-1], strict=True)
        )
        first, *rest = textwrap.wrap(row[-1], room, break_on_hyphens=False) or [""]
        yield f"{head}  {first}".rstrip()
        yield from (" " * left + line for line in rest)


def _wrap(text: str, label: str) -> Iterator[str]:
    room, after = max(_width(), 40), " " * len(label)
    yield from textwrap.wrap(
        plain_line(text),
        room,
        initial_indent=label,
        subsequent_indent=after,
        break_on_hyphens=False,  # of a command that is copied, say
    )


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 120)
