"""What a goal of each kind must show, proposed from its words before anything is done.

A proposal that a worker could meet without doing what was asked ends with a person's look.  Every
one says why it is there; a plan's own criteria take the place of all of them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from goal_engine.check import RUNS, Faster, Gone, Links, OnlyTests, Repeats
from goal_engine.decision import Criterion, EvidenceKind
from goal_engine.oracle import count_words
from goal_engine.proof.gate import GateReport, GateSpec
from goal_engine.types import GoalKind, WorkerName

ACCEPTED = "accepted"
"""The criterion that a person judges: no gate can tell whether free text came true."""
SHOWN = "shown-by-a-test"
"""The criterion that a test which flips speaks for."""

REPEATED, GONE, FASTER, LINKED, TESTED = (
    *("green-every-time", "the-old-is-gone", "faster", "links-lead-somewhere", "new-tests"),
)
"""The criteria that the engine's own checks speak for."""

TEXTS = ("**/*.md", "**/*.rst", "**/*.txt", "docs/**", "doc/**")
"""Documents."""
LINKING = ("**/*.md", "**/*.rst")
"""Documents whose links can be read."""
FLAKY = re.compile(
    r"\b(flak(y|es?|iness)|intermittent(ly)?|sometimes fails?|fails? sometimes)\b", re.I
)
"""Words for what is red now and then."""
NAME = r"(?:`[^`\n]+`|'[^'\n]+'|\"[^\"\n]+\"|[\w.]*\w(?:\(\))?)"
RENAMING = tuple(
    re.compile(rule.replace("OLD", rf"(?P<old>{NAME})").replace("NEW", rf"(?P<new>{NAME})"), re.I)
    for rule in (
        r"\brenam\w+ (?:\w+ ){0,2}?OLD (?:to|into|as) NEW",
        r"\breplac\w+ OLD (?:with|by) NEW",
        r"\b(?:migrat\w+|port|switch\w*|mov\w+) (?:\w+ ){0,3}?from OLD to NEW",
        r"\b(?:drop|remove|delete)\w*(?: support)?(?: for| of)? (?P<old>`[^`\n]+`)(?P<new>)",
    )
)
"""How words say what goes and what comes; what only goes has to be in backticks."""
COMMAND = re.compile(r"`([^`\n]+)`")
TIMES = re.compile(r"\b(\d+(?:\.\d+)?) ?(?:x|×|times)(?: (?:as fast|faster|quicker))?(?!\w)", re.I)
TWICE = re.compile(r"\b(?:twice as fast|doubl\w+ the speed|half the time|halve)\b", re.I)
LESS = re.compile(r"\b(\d+(?:\.\d+)?) ?% (?:less|of the time less|shorter)", re.I)
MORE = re.compile(r"\b(\d+(?:\.\d+)?) ?% (?:faster|quicker|more)", re.I)

BY_TESTS = frozenset({GoalKind.FIX, GoalKind.FEATURE, GoalKind.SECURITY})
"""Kinds of which a test can tell the state before from the state after."""

TESTS_NAMED = re.compile(
    r"[\w./-]+::[\w.:\[\]-]*\w\]?"  # a test's id
    r"|\btest_\w+"  # a function or a module
    r"|\b(?:[\w-]+/)*(?:test_\w+|\w+_test|\w+\.(?:test|spec))\.\w+"  # a file
    r"|\b[A-Z]\w*Tests?(?:Case)?\b(?:\.\w+)*"  # a class
)
"""Names that only tests have."""
ALL_TESTS = re.compile(
    r"\b(?:the |all |our |every |those )*(?:failing |broken |red )(?:\w+ )?tests?\b"
    r"|\b(?:the |all |our |every )*(?:\w+ )?tests?(?: suite)? (?:pass|green)\b",
    re.I,
)
"""Words for everything that is red."""
ASKS = frozenset(
    ["again", "fix", "get", "let", "make", "repair", "run", "see", "test", "tests", "turn"]
)
"""Words that say no more than that it is to be done."""
PASSES = re.compile(r"\b(?:pass(?:es)?|succeeds?|green)\b", re.I)


def propose(
    text: str, kind: GoalKind, gates: tuple[GateSpec, ...], worker: WorkerName | None
) -> tuple[Criterion, ...]:
    """Return the criteria of a goal that one worker does from words alone."""
    holds = propose_holds(gates)
    tested = [gate for gate in gates if gate.required and gate.report is not GateReport.EXIT]
    own: tuple[Criterion, ...] = ()
    if len(tested) == 1 and means_all_tests(text):  # whatever kind such words are of
        return (*holds, _propose_test(text, kind, tested, worker))
    if named := find_named_gate(text, gates):
        return (
            *propose_holds(gate for gate in gates if gate != named),
            *_propose_gate(text, named),
        )
    match kind:
        case GoalKind.FIX if FLAKY.search(text) and len(tested) == 1:
            own = (_propose_repeats(text, tested[0]),)
        case GoalKind.FIX | GoalKind.FEATURE | GoalKind.SECURITY if tested:
            return (*holds, _propose_test(text, kind, tested, worker))
        case GoalKind.REFACTOR | GoalKind.MIGRATION:
            own = _propose_gone(text)
        case GoalKind.PERFORMANCE:
            own = _propose_faster(text)
        case GoalKind.DOCS:
            own = (_propose_links(),)
        case GoalKind.TEST if len(tested) == 1:
            own = (_propose_new_tests(tested[0]),)
        case _:
            pass
    judged = any(item.evidence is EvidenceKind.ACCEPTED for item in own)
    sure = kind is GoalKind.FIX and own
    return (*holds, *own) if judged or sure else (*holds, *own, _propose_word(text, kind))


def propose_holds(gates: Iterable[GateSpec]) -> tuple[Criterion, ...]:
    """Return for each required gate that it must hold."""
    return tuple(
        Criterion(
            id=f"{gate.name}-holds",
            text=f"Gate {gate.name} holds",
            evidence=EvidenceKind.HOLDS,
            gate=gate.name,
        )
        for gate in gates
        if gate.required
    )


def find_named_tests(text: str) -> tuple[str, ...]:
    """Return the tests that a goal's words name, each once, as they are written there."""
    return tuple(dict.fromkeys(match.group().strip(".") for match in TESTS_NAMED.finditer(text)))


def means_all_tests(text: str) -> bool:
    """Whether a goal asks for nothing but that all that is red turns green."""
    rest, found = ALL_TESTS.subn(" ", text)
    return bool(found) and not count_words(rest, ASKS)


def find_named_gate(text: str, gates: Iterable[GateSpec]) -> GateSpec | None:
    """Return the gate of which a goal asks that it passes, if it asks for nothing else."""
    for gate in gates:
        name = re.escape(gate.name).replace(r"\-", "[- ]")
        rest, found = re.subn(rf"(?<![\w-]){name}(?![\w-])", " ", text, count=1, flags=re.I)
        rest, passes = PASSES.subn(" ", rest)
        if gate.required and found and passes and not count_words(rest, ASKS | {"gate"}):
            return gate
    return None


def find_renaming(text: str) -> tuple[str, str] | None:
    """Return what a goal's words say is to go, and what comes in its place, if they name both."""
    found = next((match for rule in RENAMING if (match := rule.search(text))), None)
    if found is None:
        return None
    old, new = (_unquoted(found.group(name) or "") for name in ("old", "new"))
    return (old, new) if old and old != new else None


def find_measured(text: str) -> tuple[tuple[str, ...], float | None]:
    """Return the command that a goal's words have in backticks, and how many times as fast it is to be."""
    commands = (match.group(1) for match in COMMAND.finditer(text))
    return next(filter(None, map(_split, commands)), ()), _find_ratio(text)


def _find_ratio(text: str) -> float | None:
    times, word, less, more = (rule.search(text) for rule in (TIMES, TWICE, LESS, MORE))
    if times:
        ratio = float(times.group(1))
    elif word:
        ratio = 2.0
    elif less and float(less.group(1)) < 100:
        ratio = round(1 / (1 - float(less.group(1)) / 100), 3)
    elif more:
        ratio = 1 + float(more.group(1)) / 100
    else:
        return None
    return ratio if ratio > 1 else None


def _split(command: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(command))
    except ValueError:
        return ()
    return words if len(words) > 1 else ()  # one word may be anything's name


def _unquoted(word: str) -> str:
    return word.strip("`'\"").removesuffix("()").rstrip(".,;:")


def _propose_repeats(text: str, gate: GateSpec) -> Criterion:
    named = find_named_tests(text)
    which = ", ".join(named) if named else f"what gate {gate.name} runs"
    return Criterion(
        id=REPEATED,
        text=text,
        evidence=EvidenceKind.FLIPS,
        gate=gate.name,
        tests=named,
        check=Repeats(runs=RUNS),
        why=f"one green run says nothing of a flaky test: {which} is run {RUNS} times on each tree",
    )


def _propose_gone(text: str) -> tuple[Criterion, ...]:
    found = find_renaming(text)
    if found is None:
        return ()
    old, new = found
    return (
        Criterion(
            id=GONE,
            text=f"{old} is gone",
            evidence=EvidenceKind.FLIPS,
            check=Gone(gone=old, but=TEXTS, instead=new),
            why=f"the goal is that {old} goes; documents may go on speaking of it",
        ),
    )


def _propose_faster(text: str) -> tuple[Criterion, ...]:
    command, ratio = find_measured(text)
    if not command:
        return ()
    asked = Criterion(
        id=FASTER,
        text=text,
        evidence=EvidenceKind.ACCEPTED,
        check=Faster(faster=command),
        why="the goal names a command to measure and not how much faster it has to be",
    )
    if ratio is None:
        return (asked,)
    return (
        asked.changed(
            evidence=EvidenceKind.FLIPS,
            check=Faster(faster=command, ratio=ratio),
            why=f"the goal names a command to measure, and {ratio:g} times as fast",
        ),
    )


def _propose_links() -> Criterion:
    return Criterion(
        id=LINKED,
        text="What the changed documents refer to is there",
        evidence=EvidenceKind.HOLDS,
        check=Links(links=LINKING),
        why="a document that leads nowhere is wrong, whatever it says",
    )


def _propose_new_tests(gate: GateSpec) -> Criterion:
    return Criterion(
        id=TESTED,
        text="There are new tests, and nothing else was changed",
        evidence=EvidenceKind.HOLDS,
        gate=gate.name,
        check=OnlyTests(only_tests=True),
        why="tests are what the goal is about",
    )


def _propose_test(
    text: str, kind: GoalKind, gates: list[GateSpec], worker: WorkerName | None
) -> Criterion:
    gate = gates[0].name if len(gates) == 1 else None
    asked = Criterion(id=SHOWN, text=text, evidence=EvidenceKind.FLIPS, gate=gate)
    if gate and means_all_tests(text):
        return asked.changed(why="the goal is that the tests that fail now pass")
    named = find_named_tests(text)
    if named:
        why = f"the goal names {', '.join(named)}: red now, green then, and red without the change"
        return asked.changed(some_test=True, tests=named, why=why)
    if worker == "manual":
        return asked.changed(
            evidence=EvidenceKind.ACCEPTED,
            some_test=True,
            why="you do it and you judge it; a test that flips is shown if there is one",
        )
    why = (
        f"a goal of kind {kind} is shown by a test that is red without it; none is named, so whether it is the"
        " right one is for a person to say"
    )
    return asked.changed(some_test=True, why=why)


def _propose_gate(text: str, gate: GateSpec) -> tuple[Criterion, ...]:
    """That a gate turns green is the goal; who says only yes or no is easily satisfied."""
    asked = Criterion(
        id=f"{gate.name}-passes",
        text=f"Gate {gate.name} passes",
        evidence=EvidenceKind.FLIPS,
        gate=gate.name,
        why="the goal is that it passes",
    )
    if gate.report is not GateReport.EXIT:
        return (asked,)
    why = f"gate {gate.name} does not tell its tests apart: see how it was turned green"
    return (asked, Criterion(id=ACCEPTED, text=text, evidence=EvidenceKind.ACCEPTED, why=why))


def _propose_word(text: str, kind: GoalKind) -> Criterion:
    why = (
        "no gate tells its tests apart"
        if kind in BY_TESTS
        else f"no gate can tell whether a goal of kind {kind} came true"
    )
    return Criterion(id=ACCEPTED, text=text, evidence=EvidenceKind.ACCEPTED, why=why)
