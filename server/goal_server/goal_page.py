"""A goal as a page for people: Markdown, made from the same view that every client gets."""

from __future__ import annotations

from collections.abc import Iterator

from goal_engine.conflicts import say_others
from goal_engine.seeding import SeedingPart, describe_seeding
from goal_server import goal_views as g
from goal_server import results as r
from goal_server.markdown import code, listed, plain, table
from goal_server.moments import say_moment, say_ms, say_time, say_took

FILES = 50
"""Changed files that are listed."""


def render_goal_page(goal: g.GoalView) -> str:
    """Return the page; everything from outside in it is plain text."""
    return "\n\n".join(part for part in _parts(goal) if part) + "\n"


def _parts(goal: g.GoalView) -> Iterator[str]:
    yield f"# {plain(goal.text)}"
    about = [
        f"**{_words(goal.status)}** · {plain(goal.kind)} · {_words(goal.phase)}",
        code(goal.id),
        f"base {code(goal.base_commit[:12])}"
        + (f" ({plain(goal.base_branch)})" if goal.base_branch else "")
        + (f", moved from {code(goal.bases[-1][:12])}" if goal.bases else ""),
    ]
    yield "  \n".join(about)
    if goal.blocker and goal.status != "ready":
        yield f"Why it stands still: {plain(goal.blocker)}"
    if goal.conflict:
        yield _section("What does not merge", _conflict(goal.conflict))
    if goal.receipt:
        yield f"Stopped: {plain(goal.receipt.said)}"
    yield _section("Why it is not ready", listed(plain(reason) for reason in goal.reasons))
    yield _section("Questions", listed(f"{code(q.id)}: {plain(q.text)}" for q in goal.questions))
    yield _section(
        "Agents ask",
        listed(
            f"{code(one.key)}: task {code(one.task)} asks {plain(one.text)}" for one in goal.asks
        ),
    )
    yield _section("Next", listed(code(step) for step in goal.next))
    yield _section("Criteria", _criteria(goal))
    yield _section("Gates", _gates(goal))
    yield _section("Review", _reviews(goal))
    yield _section("Tasks", _tasks(goal))
    yield _section("Decisions", _decisions(goal))
    yield _section("Change", _change(goal))
    if goal.hunks:
        standings = (f"{number} {plain(word)}" for word, number in goal.hunks.items())
        yield _section("Hunks that were taken away", ", ".join(standings))
    yield _section("Spend", _spend(goal))
    yield _section("Workspaces", _workspaces(goal))
    if goal.proof:
        proof = [
            f"digest {code(goal.proof.digest)}",
            f"tree {code(goal.proof.tree)}",
            f"bundle {code(goal.proof.path)}",
        ]
        proof += ["recovered from the journal"] if goal.proof.recovered else []
        yield _section("Proof", listed(proof))
    notes = [plain(notice) for notice in goal.notices]
    notes += [f"sandbox, {plain(said)}" for said in goal.sandbox]
    notes += [f"applied to {len(goal.applied)} files of the checkout"] if goal.applied else []
    notes += [f"delivered as {code(goal.branch)}"] if goal.branch else []
    yield _section("Notes", listed(notes))


def _conflict(conflict: g.ConflictView) -> str:
    sides = f"task {plain(conflict.task)} against {plain(say_others(conflict.others))}"
    named = (f"{code(file.path)} {plain(file.kind)}" for file in conflict.files[:FILES])
    return f"{sides}\n\n{listed(named)}"


def render_diagnosis_page(found: r.DiagnosisView) -> str:
    """Return a diagnosis as a page; everything from outside in it is plain text."""
    parts = [
        f"# Why: {plain(found.text)}",
        f"**{_words(found.status)}** · {code(found.goal)}",
        plain(found.why),
        _section("Likely cause", plain(found.cause)),
        _section("What to do", plain(found.advice)),
        _section("Seen", listed(map(_say_seen, found.evidence))),
        _section("Tried", listed(map(plain, found.tried))),
        _section("Next", listed(map(code, found.next))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_replay_page(told: r.ReplayView) -> str:
    """Return a history as a page; everything from outside in it is plain text."""
    earlier = [f"{told.earlier} earlier ones are told by {code(f'goalproof replay {told.goal}')}"]
    parts = [
        f"# What happened: {plain(told.text)}",
        f"**{_words(told.status)}** · {code(told.goal)} · {told.entries} entries",
        _section("Damaged", plain(told.damage)),
        plain(told.note),
        _section("Not what is shown elsewhere", listed(map(plain, told.defects))),
        listed(earlier) if told.earlier else "",
        table(("entry", "when (UTC)", "time", "what", "goal"), map(_moment, told.moments)),
        _section("Where the time went", _times(told)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _moment(moment: r.MomentView) -> tuple[str, ...]:
    moved = _words(moment.status) if moment.status != moment.was else ""
    what = plain(say_moment(moment, with_status=False))
    return str(moment.seq), say_time(moment.at), say_took(moment), what, moved


def _times(told: r.ReplayView) -> str:
    rows = ((say_ms(one.ms), str(one.times), plain(one.what)) for one in told.times)
    return table(("time", "times", "what"), rows) if told.times else ""


def render_review_page(goal: str, found: r.ReviewView) -> str:
    """Return a review as a page, notes too; everything from outside in it is plain text."""
    parts = [
        f"# Review: {plain(goal)}",
        f"**{_words(found.status)}** · {code(found.goal)} · tree {code(found.tree[:12])}",
        *(
            _section(f"{_words(section.name)}: {_words(section.status)}", _looked(section))
            for section in found.sections
        ),
        _section("Next", listed(map(code, found.next))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _looked(section: g.ReviewSectionView) -> str:
    items = [_say_finding(found) for found in section.findings]
    items += [f"and {section.more} more"] if section.more else []
    items += [f"risk: {plain(risk)}" for risk in section.risks]
    items += [f"not looked at: {plain(gap)}" for gap in section.gaps]
    items += [f"next: {plain(section.next)}"] if section.next else []
    return listed(items) or "Nothing was found."


def _say_finding(found: g.FindingView) -> str:
    place = code(found.path if found.line is None else f"{found.path}:{found.line}")
    excerpt = f": {code(found.excerpt)}" if found.excerpt else ""
    return f"{_words(found.severity)} {plain(found.rule)} {place} {plain(found.message)}{excerpt}"


def _say_seen(fact: r.SeenView) -> str:
    place = f"{code(f'{fact.path}:{fact.line}')} " if fact.path else ""
    log = f" ({code(fact.log)})" if fact.log else ""
    return f"{plain(fact.source)}: {place}{plain(fact.text)}{log}"


def _workspaces(goal: g.GoalView) -> str:
    """What it cost to make the last workspace of each task and each gate ready."""
    made = [("task", one.id, one.seeding) for one in goal.tasks]
    made += [("gate", one.name, one.seeding) for one in goal.gates]
    rows = [
        (f"{kind} {plain(name)}", plain(describe_seeding(map(_as_part, seeding))))
        for kind, name, seeding in made
        if seeding
    ]
    return table(("for", "what it cost"), rows[:FILES]) if rows else ""


def _as_part(one: g.SeedingView) -> SeedingPart:
    return SeedingPart(part=one.part, ms=one.ms, bytes=one.bytes, how=one.how)


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}" if text else ""


def _words(value: str) -> str:
    return plain(value.replace("_", " "))


def _criteria(goal: g.GoalView) -> str:
    if not goal.criteria:
        return ""
    return table(
        ("criterion", "id", "evidence", "state", "why"),
        (
            (plain(c.text), code(c.id), plain(c.asks), _words(c.state), plain(c.reason))
            for c in goal.criteria
        ),
    )


def _decisions(goal: g.GoalView) -> str:
    if not goal.decisions:
        return ""
    return table(
        ("what", "about", "tree", "who", "why"),
        (
            (
                plain(one.verb),
                plain(one.about),
                code(one.tree[:12]) if one.tree else "",
                plain(one.actor),
                plain(one.reason),
            )
            for one in goal.decisions
        ),
    )


def _gates(goal: g.GoalView) -> str:
    if not goal.gates:
        return ""
    met = {True: "met", False: "**not met**", None: "not judged"}
    return table(
        ("gate", "before → now", "bar", "why", "command"),
        (
            (
                plain(gate.name) + ("" if gate.required else " (optional)"),
                f"{_words(gate.baseline or '·')} → {_words(gate.outcome or '·')}",
                met[gate.met] + (f" ({_words(gate.bar)})" if gate.bar else ""),
                plain(gate.verdict),
                code(" ".join(gate.argv)),
            )
            for gate in goal.gates
        ),
    )


def _reviews(goal: g.GoalView) -> str:
    """The findings that block or warn; notes are in the proof."""
    rows = [
        (
            _words(section.name),
            _words(found.severity),
            plain(found.rule),
            code(found.path if found.line is None else f"{found.path}:{found.line}"),
            plain(found.message),
        )
        for section in goal.reviews
        for found in section.findings
        if found.severity != "notes"
    ]
    stands = ", ".join(f"{_words(s.name)} {_words(s.status)}" for s in goal.reviews)
    found = table(("section", "it", "rule", "where", "what"), rows) if rows else ""
    return "\n\n".join(filter(None, (stands, found)))


def _tasks(goal: g.GoalView) -> str:
    if not goal.tasks:
        return ""
    return table(
        ("task", "id", "status", "worker", "attempts", "files"),
        (
            (
                plain(task.title) + (f" ({plain(task.reason)})" if task.reason else ""),
                code(task.id),
                _words(task.status),
                plain(task.worker),
                str(task.attempts),
                _some(task.files),
            )
            for task in goal.tasks
        ),
    )


def _some(files: tuple[str, ...]) -> str:
    more = f", and {len(files) - 5} more" if len(files) > 5 else ""
    return ", ".join(code(name) for name in files[:5]) + more


def _change(goal: g.GoalView) -> str:
    if goal.change is None:
        return ""
    files = goal.change.files
    more = [f"and {len(files) - FILES} more"] if len(files) > FILES else []
    size = f"+{goal.change.additions} −{goal.change.deletions} lines"
    return f"{size}\n\n{listed([*(code(name) for name in files[:FILES]), *more])}".rstrip()


def _spend(goal: g.GoalView) -> str:
    spend = goal.spend
    tokens = "unknown" if spend.tokens is None else str(spend.tokens)
    usd = "unknown" if spend.usd is None else spend.usd
    priced = f", estimated by {plain(spend.priced)}" if spend.priced else ""
    return (
        f"{spend.wall_ms / 1000:.1f} s, attempts: {spend.attempts}, "
        f"changed lines: {spend.changed_lines}, tokens: {tokens}, USD: {plain(usd)} ({plain(spend.source)}{priced})"
    )
