"""What a criterion can have the engine itself look at: a table of questions about trees.

A check comes from the person's plan or from the goal's words, never from a worker's tree; its
commands are trusted like a plan's own steps.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from goal_engine.looking import whole_word
from goal_engine.types import Frozen, tell_by_key

RUNS = 20
"""How often something flaky is run on each tree unless the plan says."""
ROUNDS = 5
"""The fewest rounds that bound a ratio with 95 % confidence (see `judge_check`)."""


def _inside(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/") or posixpath.normpath(path) != path:
        raise ValueError("is no plain path inside the tree")
    return path


Inside = Annotated[str, Field(min_length=1), AfterValidator(_inside)]
Words = Annotated[tuple[str, ...], Field(min_length=1)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"is no pattern: {error}") from error
    return text


class Gone(Frozen):
    """Something old stands in the base's files and in none of the result's."""

    gone: str = Field(min_length=1)
    """As it is written, as a whole word."""
    paths: tuple[str, ...] = ("**",)
    but: tuple[str, ...] = ()
    """Globs of files that may go on speaking of it."""
    instead: str = ""
    """What has to stand there more often than before."""

    @property
    def pattern(self) -> re.Pattern[str]:
        """What is looked for."""
        return whole_word(self.gone)


class GonePattern(Frozen):
    """The same for a regular expression, line by line."""

    gone_pattern: Annotated[str, Field(min_length=1), AfterValidator(_pattern)]
    paths: tuple[str, ...] = ("**",)
    but: tuple[str, ...] = ()

    @property
    def pattern(self) -> re.Pattern[str]:
        """What is looked for."""
        return re.compile(self.gone_pattern)


class Links(Frozen):
    """The relative links and paths in documents that the change touches lead somewhere."""

    links: Words
    """Globs of the documents."""


class OnlyTests(Frozen):
    """Nothing but tests was changed, and there are new ones that pass."""

    only_tests: Literal[True]


class Repeats(Frozen):
    """A gate's tests, run again and again on each tree, are red now and then before and never after."""

    runs: int = Field(ge=2, le=1000)


class SameOutput(Frozen):
    """A command prints the same, writes the same and ends the same before and after."""

    same_output: Words
    files: tuple[Inside, ...] = ()
    """Files that it writes and that have to be the same, too."""
    cwd: Inside = "."
    timeout: Seconds = 600


class Faster(Frozen):
    """A command takes less time on the result than on the base, both measured in turns."""

    faster: Words
    ratio: float | None = Field(default=None, gt=1, le=1_000_000, allow_inf_nan=False)
    """How many times as fast at least; `None` only measures, for a person to judge."""
    rounds: int = Field(default=ROUNDS, ge=1, le=100)
    cwd: Inside = "."
    timeout: Seconds = 600


CHECKS: Mapping[str, type[Frozen]] = {
    "gone": Gone,
    "gone_pattern": GonePattern,
    "links": Links,
    "only_tests": OnlyTests,
    "runs": Repeats,
    "same_output": SameOutput,
    "faster": Faster,
}
"""By the key that tells one from the others."""


Check = Annotated[
    Annotated[Gone, Tag("gone")]
    | Annotated[GonePattern, Tag("gone_pattern")]
    | Annotated[Links, Tag("links")]
    | Annotated[OnlyTests, Tag("only_tests")]
    | Annotated[Repeats, Tag("runs")]
    | Annotated[SameOutput, Tag("same_output")]
    | Annotated[Faster, Tag("faster")],
    Discriminator(
        tell_by_key(CHECKS),
        custom_error_type="check",
        custom_error_message=f"a check has one of the keys {', '.join(CHECKS)}",
    ),
]


def find_command(check: object) -> tuple[str, ...]:
    """Return the command that a check runs, empty where it runs none of its own."""
    match check:
        case SameOutput():
            return check.same_output
        case Faster():
            return check.faster
        case _:
            return ()


def describe_check(check: Check | None) -> str:
    """Return in words what is looked at."""
    match check:
        case Gone():
            new = f" and `{check.instead}` stands there instead" if check.instead else ""
            return f"`{check.gone}` stands {_where(check.paths)} no more{new}"
        case GonePattern():
            return f"`{check.gone_pattern}` fits nothing {_where(check.paths)} any more"
        case Links():
            return f"links and paths in changed {', '.join(check.links)} lead somewhere"
        case OnlyTests():
            return "new tests pass, and nothing but tests was changed"
        case Repeats():
            return f"red in some of {check.runs} runs before, in none of {check.runs} after"
        case SameOutput():
            files = f" and writes the same {', '.join(check.files)}" if check.files else ""
            return f"`{' '.join(check.same_output)}` says the same before and after{files}"
        case Faster():
            asked = f"at least {check.ratio:g} times as fast" if check.ratio else "how much faster"
            return f"`{' '.join(check.faster)}`: {asked}, in {check.rounds} rounds in turns"
        case None:
            return "nothing"


def _where(paths: tuple[str, ...]) -> str:
    return "anywhere" if paths == ("**",) else f"in {', '.join(paths)}"
