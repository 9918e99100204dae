"""What a goal's words say: its kind, with the reason, and what is missing to know when it is done.

Words only, no model: a rule that errs can be read and overridden.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from goal_engine.decision import Question
from goal_engine.errors import BadGoal
from goal_engine.types import GoalKind

LONGEST = 4000
"""Characters of a goal."""

LEADING = 2
"""What it adds when a kind's word comes first: "Document …" is about documents."""

K = GoalKind
RULES: dict[GoalKind, dict[str, int]] = {
    K.FEATURE: {
        r"add(s|ing|ed)?": 2,
        r"implement\w*|introduc\w+|features?": 3,
        r"creat\w+|build|provid\w+|support\w*|allow\w*|enabl\w+|expos\w+|let": 2,
        r"new|endpoints?|button|page|option|command": 1,
    },
    K.FIX: {
        r"fix(es|ed|ing)?|repair\w*": 3,
        r"bugs?|bugfix(es)?|regressions?|crash\w*|off[ -]by[ -]one": 3,
        r"broken|wrong\w*|incorrect\w*|flaky|flakes|traceback|exceptions?|hangs?|deadlocks?": 2,
        r"fail(s|ed|ing|ures?)?|not work\w*|doesn'?t work": 2,
        r"(so|such) that (\w+ ){0,3}tests? (pass\w*|succeed\w*|(is|are) green)": 2,
        r"errors?|issues?": 1,
    },
    K.REFACTOR: {
        r"refactor\w*": 4,
        r"renam\w+|restructur\w+|reorgani[sz]\w+|decoupl\w+|untangl\w+|dedup\w+": 3,
        r"simplif\w+|extract\w*|clean ?up|cleanup|dead code|remove (unused|duplicat\w+)": 2,
        r"split\w*|mov(e|ing)|inline": 1,
    },
    K.MIGRATION: {
        r"migrat\w+": 4,
        r"port(ing)? (\w+ ){0,3}(to|from)|switch(ing)? (\w+ ){0,4}(to|from)": 3,
        r"rewrit\w+ (\w+ ){0,4}(in|to|with)|upgrad\w+": 3,
        r"convert\w* (\w+ ){0,4}to|replac\w+ (\w+ ){1,4}(with|by)|drop support": 2,
    },
    K.PERFORMANCE: {
        r"performance|perf|speed(ing)? up|n\+1": 4,
        r"as fast|faster|optimi[sz]\w+|latency|throughput|slow(er|ly|s|ness)?": 3,
        r"memory (use|usage|footprint)|benchmark\w*|profil(e|ing)|cach(e|es|ing)": 2,
    },
    K.SECURITY: {
        r"cve(-\d+)*|vulnerab\w+|security|(sql|command|code) injection|path traversal": 5,
        r"xss|csrf|ssrf|redos|exploit\w*": 4,
        r"saniti[sz]\w+|harden\w*|secrets?|encrypt\w*|injection": 3,
    },
    K.DOCS: {
        r"readme|changelog|docstrings?": 4,
        r"docs?|documentation|documents?|documenting|tutorials?": 4,
        r"typos?|guide|comments?": 2,
    },
    K.TEST: {
        r"(add|writ\w+|creat\w+|more|missing|extend) (\w+ ){0,3}tests?": 4,
        r"(test )?coverage|(unit|integration|end[ -]to[ -]end|e2e) tests?": 3,
        r"tests?|testing|fixtures?": 1,
    },
    K.CHORE: {
        r"lint\w*|ruff|mypy|flake8|pylint|eslint|black|pre-commit|type ?check\w*|chore": 4,
        r"(lint\w*|ruff|mypy|type) (errors?|warnings?|findings?|problems?)": 3,
        r"bump\w*|dependenc(y|ies)|deps|pin\w*|formatter|formatting|reformat\w*": 3,
        r"ci|pipeline|workflow|release|configuration|config": 2,
    },
}
"""Per kind: words (whole ones, whatever their case) and their weight; each rule counts once."""

COMPILED = {
    kind: [
        (re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.I), weight)
        for words, weight in rules.items()
    ]
    for kind, rules in RULES.items()
}

NAMED = re.compile(
    r"`[^`]+`"  # anything in backticks
    r"|(?:[\w.-]+/)+[\w.-]*"  # a path
    r"|\b\w[\w-]*\.[A-Za-z]\w*\b"  # file.ext, module.name
    r"|\b\w+\(\)"  # call()
    r"|\b[A-Za-z]+_\w+\b|\b[a-z]+[A-Z]\w*\b|\b[A-Z][a-z0-9]+[A-Z]\w*\b"  # snake_case, camelCase
)
"""Names of things in the code: they say where, and nothing about the kind."""

CHECKED = re.compile(
    r"\b(tests?|testing|lint\w*|gates?|coverage|ci|build|benchmarks?|pytest|unittest|ruff|mypy"
    r"|flake8|pylint|eslint|black|nox|tox|pre-commit|type ?check\w*|format\w*|types?|docstrings?"
    r"|typecheck\w*|exit code|status code|traceback)\b",
    re.I,
)
"""Words for something that can be run and read."""

EMPTY_WORDS = """
a about all an and any app application are as asap at awesome be beautiful best better bit bug
bugs by can clean cleaner cleanup code codebase cool could do does enhance enhanced error errors
everything feature features fine for from get good great had has have i if improve improved
improvement improvements in is issue issues it its just kindly like little look lot magic make
me modern modernise modernize more my need needs nice nicer now of on optimise optimize or our
perfect please polish pretty problem problems program project properly really repo repository
rework should so some something stuff super sure system than that the them then there these they
thing things this those to tweak up us very want we well will with work working works would you
your
"""
EMPTY = frozenset(EMPTY_WORDS.split())
"""Words after which one knows no more than before."""

FEWEST = 3
"""Words with a meaning that a goal without any name in it must have."""


@dataclass(frozen=True, slots=True)
class KindChoice:
    """The kind of a goal, why, and how every kind that was in question scored."""

    kind: GoalKind
    reason: str
    scores: tuple[tuple[GoalKind, int], ...]
    """Highest first; kinds without a word are left out."""


def parse_goal_text(text: str) -> str:
    """Return the goal without blanks around it and with plain line ends.  Raises `BadGoal`."""
    plain = text.replace("\r\n", "\n").strip()
    if not any(char.isalnum() for char in plain):
        raise BadGoal(
            "The goal is empty: say what is to be true afterwards, for example "
            '"Make the linter pass" or "Fix the wrong status code of /login".'
        )
    if len(plain) > LONGEST:
        raise BadGoal(
            f"The goal has {len(plain)} characters, {LONGEST} at most: state it in a few "
            "sentences and put the details in a file of the repository or in a plan."
        )
    for at, char in enumerate(plain):
        if _is_control(char):
            raise BadGoal(
                f"The goal has a control character (U+{ord(char):04X}, character {at + 1}), which "
                "would hide what it says: remove it, and give plain text."
            )
    return plain


def find_kind(text: str) -> KindChoice:
    """Return what sort of goal the words speak of; `mixed` when none or several speak loudest."""
    plain = NAMED.sub(" ", text).strip()
    hits = {kind: _find_hits(plain, kind) for kind in RULES}
    totals = {kind: sum(weight for _, weight in found) for kind, found in hits.items() if found}
    scores = tuple(sorted(totals.items(), key=lambda item: -item[1]))
    if not scores:
        return KindChoice(K.MIXED, "no word says of what kind it is", ())
    best = [kind for kind, score in scores if score == scores[0][1]]
    if len(best) > 1:
        names = " and ".join(best)
        return KindChoice(K.MIXED, f"its words speak as much of {names}", scores)
    words = ", ".join(f'"{word}"' for word, _ in hits[best[0]])
    return KindChoice(best[0], f"{words} in the goal", scores)


def find_questions(text: str) -> tuple[Question, ...]:
    """Return what a person has to say before anybody could tell that the goal is reached.

    None for a goal that names a thing in the code, a check, or says enough in words.
    """
    named, checked = NAMED.search(text), CHECKED.search(text)
    words = count_words(NAMED.sub(" ", text))
    if words >= FEWEST or (words and (named or checked)):
        return ()
    what = Question(
        id="what",
        text="What should be different afterwards? Name one thing that happens now and what "
        "should happen instead.",
    )
    where = Question(id="where", text="Where? Name a file, a function, a page or a command.")
    shown = Question(
        id="shown-by",
        text="Which command or test shows it: red or absent now, green when the goal is reached?",
    )
    return (what, *(() if named else (where,)), *(() if checked else (shown,)))


def count_words(text: str, besides: frozenset[str] = frozenset()) -> int:
    """Return how many words mean something, those in `besides` not counted.

    Scripts that put no blanks between words count by their length.
    """
    words = set(re.findall(r"[^\W_][\w'+.-]*", text.lower())) - EMPTY - besides
    return sum(1 if word.isascii() else max(1, len(word) // 2) for word in words)


def _find_hits(text: str, kind: GoalKind) -> list[tuple[str, int]]:
    found = [(rule.search(text), weight) for rule, weight in COMPILED[kind]]
    hits = [(match.group().lower(), weight) for match, weight in found if match]
    if any(match and match.start() == 0 for match, _ in found):
        hits[0] = (hits[0][0], hits[0][1] + LEADING)
    return hits


def _is_control(char: str) -> bool:
    """Control, bidirectional override or half a surrogate pair; line ends and tabs are none."""
    if char in "\n\t":
        return False
    category, bidi = unicodedata.category(char), unicodedata.bidirectional(char)
    overrides = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    return category in ("Cc", "Cs") or bidi in overrides
