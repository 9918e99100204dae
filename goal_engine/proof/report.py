"""The proof as a page for people, made from the statement alone: for a stranger who has nothing else."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from goal_engine.decision import Criterion, Decided, EvidenceKind, describe_evidence
from goal_engine.proof.confinement import say_confinement
from goal_engine.proof.first_page import render_first_page
from goal_engine.proof.gate import GateResult, GateStage
from goal_engine.proof.hunk import HunkStanding, HunkTrial, count_standings
from goal_engine.proof.page_text import code, describe_signature, foreign, settle
from goal_engine.proof.review import ReviewSection
from goal_engine.proof.statement import GoalProof, ProofCause
from goal_engine.proof.verdict import GateVerdict, Verdict
from goal_engine.stagnation import Round

__all__ = ["describe_signature", "render_proof_page"]

MEANING = {
    Verdict.READY: "every required gate met its bar and every criterion has its evidence",
    Verdict.NEEDS_PERSON: "no gate says no, but something waits for a person",
    Verdict.NOT_READY: "a gate says no, or a criterion has no evidence",
}
STAGES = {
    GateStage.BASELINE: "before",
    GateStage.PROVING: "now",
    GateStage.COUNTERFACTUAL: "without the change",
    GateStage.ORIGINAL: "with the tests of before",
}
CAUSES = {
    ProofCause.JUDGED: "the goal was worked on and judged",
    ProofCause.ACCEPTED: "a person accepted a criterion",
    ProofCause.REJECTED: "a person rejected the result",
    ProofCause.VERIFIED: "the gates ran again on the tree that there was",
    ProofCause.REBASED: "the base moved to newer commits, and everything was judged there",
    ProofCause.HUNKS: "the hunks of the change were taken away, one at a time",
    ProofCause.REVIEWED: "an agent was asked for a review, which decides nothing",
    ProofCause.RECOVERED: "the bundle before it was lost or damaged",
}
NAMED = 5
"""Tests that a row names."""
LISTED = 200
"""Hunks, and gaps of a gate, that the page names."""


def render_proof_page(proof: GoalProof, digest: str) -> str:
    """Return Markdown that says what the statement says, in the order a reader asks for it."""
    return PAGES[proof.page](proof, digest)


def _render_page(proof: GoalProof, digest: str) -> str:
    parts = (
        f"# Proof of {proof.goal_id}",
        f"> {foreign(proof.text)}",
        _verdict(proof),
        _section("What was asked, and what shows it", _criteria(proof)),
        _section("Gates", _gates(proof)),
        _section("What this does not show", _list(_find_gaps(proof))),
        _section("What was red on the way", _list(map(_say_round, proof.rounds))),
        _section("What people decided", _decisions(proof.decisions)),
        _section("Each hunk, taken away", _hunks(proof.hunks)),
        _section("Review", _reviews(proof.judgement.reviews)),
        _section("What it is about", _list(_facts(proof, digest))),
        _section("Run it again", AGAIN),
    )
    return settle("\n\n".join(part for part in parts if part) + "\n", dead=proof.page > 2)


AGAIN = """\
With Goalproof, in a clone that has the base:

    goalproof verify-proof BUNDLE --run

(`--setup` runs the set-up commands first, if there are any; `--env PATH` names an environment that has
what the gates need.)

With nothing but Python and git (read `verify.py` first: it came with the bundle):

    python3 verify.py --run --repository CLONE

Both print each command before it runs, work in clean checkouts of their own, and answer REPRODUCED,
NOT REPRODUCED (naming the field) or NOT REPRODUCIBLE HERE (naming what is missing)."""


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}" if text else ""


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _verdict(proof: GoalProof) -> str:
    judgement = proof.judgement
    said = f"**{judgement.verdict}**: {MEANING[judgement.verdict]}."
    return said + "".join(f"\n- {foreign(reason)}" for reason in judgement.reasons)


def _say_round(one: Round) -> str:
    """A result that is ready only after repairs says what it was before them."""
    made = one.task or "the first result"
    failed = f"{one.failures} failure{'' if one.failures == 1 else 's'}"
    return (
        f"{made}, tree {code(one.tree[:12])}: {failed}, {', '.join(map(foreign, one.failing[:3]))}"
    )


def _criteria(proof: GoalProof) -> str:
    items = proof.judgement.criteria
    head = ("criterion", "evidence", "state", "why", "shown by")
    rows = (
        (
            foreign(item.criterion.text),
            _say_asked(item.criterion),
            f"**{item.state}**".replace("_", " "),
            foreign(item.reason),
            _say_by(item.criterion),
        )
        for item in items
    )
    return _table(head, rows) if items else ""


def _say_by(criterion: Criterion) -> str:
    tests, more = criterion.tests[:NAMED], len(criterion.tests) - NAMED
    named = ", ".join((_say_who(criterion), *map(code, tests)))
    return f"{named} and {more} more" if more > 0 else named


def _say_asked(criterion: Criterion) -> str:
    """What was asked for beyond the kind of evidence is told as well."""
    if criterion.check is None and not criterion.some_test:
        return criterion.evidence.value
    return f"{criterion.evidence}: {foreign(describe_evidence(criterion))}"


def _say_who(criterion: Criterion) -> str:
    if criterion.gate:
        return f"gate {criterion.gate}"
    looked = criterion.check is not None and criterion.evidence is not EvidenceKind.ACCEPTED
    return "the engine's own look" if looked else "any test" if criterion.some_test else "a person"


def _gates(proof: GoalProof) -> str:
    specs = {gate.name: gate for gate in proof.gates}
    head = ("gate", "met", "why", "bar", "runs", "command")
    rows = (
        (
            gate.gate,
            _say_met(proof, gate),
            foreign(gate.reason),
            str(gate.bar).replace("_", " "),
            "; ".join(_runs(proof, gate.gate)),
            code(shlex.join(specs[gate.gate].argv)),
        )
        for gate in proof.judgement.gates
    )
    return _table(head, rows) if proof.gates else ""


def _say_met(proof: GoalProof, gate: GateVerdict) -> str:
    met = "yes" if gate.met else "**no**"
    if gate.gate in proof.waived:
        return f"{met}, waived by a person"
    return met if gate.required else f"{met}, optional"


def _runs(proof: GoalProof, gate: str) -> Iterator[str]:
    for run in proof.runs:
        if run.gate == gate:
            often = f", {run.runs} runs" if run.runs > 1 else ""
            known = f", cached: seen at {foreign(run.cached)}" if run.cached else ""
            yield f"{STAGES[run.stage]}: {run.outcome}{_count(run)}{often}{known}"


def _count(run: GateResult) -> str:
    count = Counter(str(outcome) for outcome in run.tests.values())
    said = ", ".join(f"{number} {word}" for word, number in sorted(count.items()))
    return f" ({said})" if said else ""


def _find_gaps(proof: GoalProof) -> Iterator[str]:
    """Everything that a reader would otherwise have to think of."""
    if proof.recovered:
        yield (
            "this proof was **recovered**: it was made again from the journal after its bundle was "
            "lost or damaged, and where its gates ran is not known"
        )
    for gate in proof.judgement.gates:
        yield from (
            f"{foreign(gap)} failed before as well and still does" for gap in gate.gaps[:LISTED]
        )
        more = len(gate.gaps) - LISTED
        if more > 0:
            yield f"{more} more tests of {gate.gate} failed before as well and still do"
        yield from (f"flaky, so it backs nothing: {foreign(said)}" for said in gate.flaky)
        yield from (
            f"quarantined, so it backs nothing: {foreign(said)}" for said in gate.quarantined
        )
    yield from (f"unfinished: {foreign(phrase)}" for phrase in proof.unfinished)
    for waived in proof.waived:
        yield f"gate {waived} counts for nothing here: a person said that it is optional"
    for word in proof.acceptances:
        if word.tree == proof.tree:
            yield (
                f"{word.criterion} rests on the word of {foreign(word.decision.actor)}: "
                f"{foreign(word.decision.reason)}"
            )
    if proof.protected:
        yield f"files that can change what gates mean were changed: {foreign(', '.join(proof.protected))}"
    yield _say_hunks(proof.hunks)
    if proof.sandbox == "none":
        yield _say_open(proof)
    yield f"the signature: {describe_signature(proof)}"
    yield from (f"of the environment: {foreign(note)}" for note in proof.environment.notes)


def _say_open(proof: GoalProof) -> str:
    """Old proofs know of no sandbox at all."""
    if not any(one.is_open for one in proof.confined):
        return "no sandbox: whoever worked on it and each gate could do what the person can do"
    whose = " and ".join(dict.fromkeys(str(one.who) for one in proof.confined if one.is_open))
    return f"without a sandbox, {whose} could do what the person can do"


def _decisions(decisions: tuple[Decided, ...]) -> str:
    rows = (
        (
            decided.verb,
            " ".join(
                filter(
                    None, (foreign(decided.about), code(decided.tree[:12]) if decided.tree else "")
                )
            ),
            foreign(decided.decision.actor),
            foreign(decided.decision.reason),
        )
        for decided in decisions
    )
    return _table(("what", "about", "who", "why"), rows) if decisions else ""


def _say_hunks(trials: tuple[HunkTrial, ...]) -> str:
    if not trials:
        return "no hunk was taken away on its own; `goalproof hunks GOAL` does that"
    count = count_standings(trials)
    said = ", ".join(f"{number} {standing}" for standing, number in count.items())
    return f"of the hunks taken away: {said}; `verify-proof` does not do that again"


def _hunks(trials: tuple[HunkTrial, ...]) -> str:
    if not trials:
        return ""
    shown = sorted(trials, key=lambda trial: trial.standing is HunkStanding.CONSTRAINED)
    rows = [
        (code(trial.hunk.place), f"**{trial.standing}**", foreign(trial.reason))
        for trial in shown[:LISTED]
    ]
    more = len(trials) - LISTED
    table = _table(("hunk", "standing", "what was seen"), rows)
    return table + (f"\n\nand {more} more in `statement.json`" if more > 0 else "")


def _reviews(reviews: tuple[ReviewSection, ...]) -> str:
    """How each section stands, and every finding with its place."""
    if not reviews:
        return ""
    rows = [
        (str(s.name), f"**{s.status}**".replace("_", " "), foreign("; ".join(s.gaps)))
        for s in reviews
    ]
    found = [finding for section in reviews for finding in section.findings]
    told = [
        (
            str(f.severity),
            f.rule,
            code(f.place),
            foreign(f.message),
            code(f.excerpt) if f.excerpt else "",
        )
        for f in found
    ]
    more = sum(section.more for section in reviews)
    parts = (
        "By rules, without a model; it lowers no bar.",
        _table(("section", "status", "not looked at"), rows),
        _table(("it", "rule", "where", "what", "line"), told) if told else "",
        f"and {more} more findings" if more else "",
    )
    return "\n\n".join(filter(None, parts))


def _facts(proof: GoalProof, digest: str) -> Iterator[str]:
    evidence, environment = proof.evidence, proof.environment
    count = len(evidence.files)
    yield f"statement: `{digest}`"
    yield f"made because {CAUSES[proof.cause]}"
    if proof.supersedes:
        yield f"supersedes: `{proof.supersedes}`"
    yield f"tree: `{proof.tree}`"
    yield f"base: `{proof.base_commit}`"
    yield (
        f"change: {count} {'file' if count == 1 else 'files'}, "
        f"+{evidence.additions} −{evidence.deletions}"
    )
    for argv in proof.setup:
        yield f"set up, in each workspace, with {code(shlex.join(argv))}"
    yield f"workers: {foreign(', '.join(proof.workers)) or 'none'}"
    yield from (f"sandbox, {foreign(said)}" for said in say_confinement(proof.confined))
    yield (
        f"environment: Python {environment.python or 'none'}, git {environment.git}, "
        f"{foreign(environment.platform)}"
    )
    yield f"journal: entry {proof.journal_seq}, head `{proof.journal_head}`"


PAGES: dict[int, Callable[[GoalProof, str], str]] = {
    1: render_first_page,
    2: _render_page,  # in which addresses from outside are links
    3: _render_page,
}
"""How each page that was ever written is made."""
