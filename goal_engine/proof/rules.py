"""Every rule of the review is one row of `RULES`: its section, what it does, and what it means.

A rule that is `lowered` where another criterion asks about the same thing anyway says so in its row:
nobody is asked twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from goal_engine.proof.review import ReviewPass, Severity

BLOCKS, WARNS, NOTES = Severity.BLOCKS, Severity.WARNS, Severity.NOTES
ARCHITECT, CODE, TEST = ReviewPass.ARCHITECT, ReviewPass.CODE, ReviewPass.TEST
SECURITY, PERFORMANCE = ReviewPass.SECURITY, ReviewPass.PERFORMANCE
SLOP = ReviewPass.ANTI_SLOP


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of finding."""

    section: ReviewPass
    severity: Severity
    risk: str
    """What it means, one sentence for all findings of the rule."""
    lowered: Severity | None = None
    """Where another criterion asks a person about it already."""


RULES: dict[str, Rule] = {
    # architect
    "large-change": Rule(ARCHITECT, WARNS, "A change of this size is hard to review as a whole."),
    "outside-the-plan": Rule(ARCHITECT, WARNS, "Files changed that no task of the plan names."),
    "public-name-removed": Rule(ARCHITECT, WARNS, "A name that others still mention is gone."),
    "not-looked-at": Rule(ARCHITECT, WARNS, "Parts of the change were too large to look at."),
    # code
    "conflict-marker": Rule(CODE, BLOCKS, "A merge was left half done."),
    "syntax-error": Rule(CODE, WARNS, "A file cannot be parsed any more."),
    "debugger-left": Rule(CODE, WARNS, "A debugger would stop whoever runs this."),
    "print-left": Rule(CODE, NOTES, "Output that may have been meant for the author alone."),
    "error-swallowed": Rule(CODE, WARNS, "An error that nobody hears of."),
    "suppression-added": Rule(CODE, WARNS, "A tool was told not to look."),
    "gate-silenced": Rule(CODE, BLOCKS, "The gate that had to turn green was told not to look."),
    # test
    "test-removed": Rule(TEST, BLOCKS, "What the test asked is asked no more.", NOTES),
    "test-renamed": Rule(TEST, WARNS, "Another test stands where one was.", NOTES),
    "test-skipped": Rule(TEST, BLOCKS, "A skipped test says nothing.", NOTES),
    "test-focused": Rule(TEST, BLOCKS, "All other tests do not run.", NOTES),
    "assertion-loosened": Rule(TEST, BLOCKS, "A test asks for less than before.", WARNS),
    "assertions-removed": Rule(TEST, BLOCKS, "A test asks for nothing any more.", WARNS),
    "assertions-fewer": Rule(TEST, WARNS, "A test asks for less than before."),
    "assertion-swallowed": Rule(TEST, BLOCKS, "A failing assertion is caught by the test itself."),
    "assertion-replaced": Rule(TEST, BLOCKS, "An assertion of the framework was replaced."),
    "subject-mocked": Rule(TEST, BLOCKS, "A test calls what it has itself put in place."),
    "test-returns-early": Rule(TEST, WARNS, "A test may end before it asks anything."),
    "expectation-changed": Rule(TEST, WARNS, "Code and what is expected of it changed together."),
    "snapshot-rewritten": Rule(TEST, WARNS, "A recorded expectation was recorded anew."),
    "nothing-tested": Rule(TEST, NOTES, "Code changed, no test with it, and none turned green."),
    # security
    "secret": Rule(SECURITY, BLOCKS, "Who can read the repository has this secret: revoke it."),
    "secret-like": Rule(SECURITY, WARNS, "This may be a secret."),
    "trojan-source": Rule(SECURITY, BLOCKS, "The code is not what an editor shows."),
    "hidden-character": Rule(SECURITY, WARNS, "There is text that nobody sees."),
    "mixed-script-name": Rule(SECURITY, BLOCKS, "A name that only looks like another."),
    "runs-text": Rule(SECURITY, WARNS, "Text from elsewhere may be run as code."),
    "runs-a-shell": Rule(SECURITY, WARNS, "Text from elsewhere may be run by a shell."),
    "unsafe-load": Rule(SECURITY, WARNS, "Loading this data can run code."),
    "tls-off": Rule(SECURITY, WARNS, "Nobody knows who is at the other end."),
    "sql-from-text": Rule(SECURITY, WARNS, "A value can become part of the statement."),
    "html-from-text": Rule(SECURITY, WARNS, "A value can become part of the page."),
    "piped-to-shell": Rule(SECURITY, WARNS, "Whatever the network answers is run."),
    "open-to-all": Rule(SECURITY, WARNS, "Everybody gets in."),
    "unsafe-block": Rule(SECURITY, NOTES, "The compiler does not look here."),
    "program-added": Rule(SECURITY, WARNS, "A program that nobody can read."),
    "binary-changed": Rule(SECURITY, NOTES, "Bytes that were not looked at."),
    "executable-bit": Rule(SECURITY, NOTES, "A file can be run now."),
    "protected-path": Rule(SECURITY, NOTES, "What configures gates and tools changed."),
    "dependency-from-elsewhere": Rule(SECURITY, BLOCKS, "It comes from no registry.", WARNS),
    "install-script": Rule(SECURITY, BLOCKS, "It runs on whoever installs this.", WARNS),
    "look-alike-dependency": Rule(SECURITY, BLOCKS, "Its name is nearly a well-known one.", WARNS),
    "dependency-changed": Rule(SECURITY, WARNS, "Code of others is relied upon in another way."),
    "lock-alone": Rule(SECURITY, WARNS, "A lock and its manifest tell different stories."),
    # anti-slop
    "goal-is-a-stub": Rule(SLOP, BLOCKS, "What the goal names is there by name alone."),
    "named-not-there": Rule(SLOP, WARNS, "The goal names a file that is not in the result."),
    "claimed-not-changed": Rule(SLOP, WARNS, "A worker claims what is not in the change."),
    "stub": Rule(SLOP, WARNS, "A function that does nothing."),
    "nothing-calls-it": Rule(SLOP, WARNS, "New code that nothing uses."),
    "to-do-left": Rule(SLOP, WARNS, "The author says that it is not finished."),
    "commented-out": Rule(SLOP, WARNS, "Code that does not run."),
}

OF_THIS_MACHINE = frozenset({"outside-the-plan", "claimed-not-changed"})
"""Rules that look at what a proof does not have: they can be ignored and cannot be made to block."""
