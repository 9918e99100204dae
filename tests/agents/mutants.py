"""Ways to get the engine wrong where agents work, each with the scenario that has to fail with it.

Each stands for one function of the engine while the scenario is played, and is counted when it is
called: a place that is not there any more, or that nobody comes by, fails as a hole does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from goal_engine import consulting, lifecycle
from goal_engine.dispatch.tasks import asking, retries, waves
from goal_engine.permission import Action, Answer, Ask, Permissions
from goal_engine.proof.verdict import Judgement, Verdict
from goal_engine.runtime import dialogue, process
from goal_engine.runtime.personal import PersonalSettings
from goal_engine.workers import acp_worker, telling
from goal_engine.workers.told import Ending, Over
from goal_engine.worktree import Workbench
from tests.agents import test_agents as played
from tests.agents.known import KIMI_ACP, KIMI_CLI, Known

Real = Callable[..., Any]
YES = Answer(allowed=True)


@dataclass(frozen=True)
class Mutant:
    """One way."""

    wrong: Callable[[Real], Real]
    """Returns what stands for the real function."""
    owner: Any
    piece: str
    """The function's name in its module or class."""
    scenario: Callable[..., Any]
    says: str
    """What the failure says, so that it fails for this reason."""
    known: Known = KIMI_ACP
    also: tuple[tuple[Any, str, Any], ...] = ()
    """What else stands in another's place, so that the scenario is soon over."""
    long: bool = False

    def __str__(self) -> str:
        return self.wrong.__name__.replace("_", "-") + f"-{self.known}" * (self.known != KIMI_ACP)

    def apply(self, patch: pytest.MonkeyPatch) -> list[str]:
        """Put it in its place, and return a list that grows with each call of it."""
        wrong, calls = self.wrong(getattr(self.owner, self.piece)), []

        def counting(*given: Any, **more: Any) -> Any:
            calls.append(self.piece)
            return wrong(*given, **more)

        for owner, piece, value in ((self.owner, self.piece, counting), *self.also):
            patch.setattr(owner, piece, value)
        return calls


def allows_everything(_: Real) -> Real:
    """The policy says yes, whatever is asked."""
    return lambda *_: YES


def guesses_an_answer(real: Real) -> Real:
    """A question is answered with the first of its choices."""

    def find(ask: Ask, *given: Any) -> Answer | None:
        question = ask.action is Action.QUESTION
        return Answer(allowed=True, reason=ask.choices[0]) if question else real(ask, *given)

    return find


def asks_nobody(_: Real) -> Real:
    """That the person wants to be asked is not read."""
    return lambda *_: Permissions()


def hands_no_answer_on(real: Real) -> Real:
    """Whatever the person says, the agent hears no."""

    async def wait(*given: Any) -> Answer:
        return (await real(*given)).changed(allowed=False)

    return wait


def keeps_words_to_itself(_: Real) -> Real:
    """What the person says is never handed on."""

    async def catch_up(_: Any) -> None:
        pass

    return catch_up


def believes_the_end_of_a_turn(real: Real) -> Real:
    """A turn that ended well is a goal that is ready, whatever gates said."""

    def judge(*given: Any) -> Judgement:
        judgement: Judgement = real(*given).changed(verdict=Verdict.READY, reasons=())
        return judgement

    return judge


def looks_at_no_write_set(_: Real) -> Real:
    """What an agent changed beyond its task is not looked for."""
    return lambda *_: ()


def confines_nobody(_: Real) -> Real:
    """Nothing runs in a sandbox, although one is required."""
    return lambda *_, **__: ()


def says_no_failures(real: Real) -> Real:
    """A repair is not told what was seen of the result."""

    def render(*given: Any, **more: Any) -> str:
        goal, task, criteria, gates, findings, failures, *rest = given
        said = "It was not enough." if failures else ""
        text: str = real(goal, task, criteria, gates, findings, said, *rest, **more)
        return text

    return render


def counts_nothing(_: Real) -> Real:
    """What an agent says that it used is not read."""
    return lambda _: None


def counts_twice(real: Real) -> Real:
    """What it used is counted double."""
    return lambda said: 2 * (real(said) or 0)


def names_no_login(_: Real) -> Real:
    """An agent that nobody is logged in to failed, and nobody knows why."""
    return lambda *_: Over(Ending.PROVIDER_ERROR, "it failed")


def lets_a_planner_write(real: Real) -> Real:
    """An agent that plans is in the mode of one that works."""
    return lambda **given: real(**{**given, "reads_only": False})


def calls_it_busy(real: Real) -> Real:
    """An agent that nobody is logged in to is asked again later."""
    return lambda *given: replace(real(*given), ending=Ending.RATE_LIMITED)


WRONG_GUARDIAN = Path(__file__).with_name("wrong") / "guardian.py"


def leaves_who_went_away(real: Real) -> Real:
    """With an agent its own group is ended, and nobody who has another one."""

    def start(*given: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(process, "GUARDIAN", WRONG_GUARDIAN)
            return real(*given)

    return start


def forgets_the_session(real: Real) -> Real:
    """What an agent called its session is not told to the next attempt."""
    return lambda **given: real(**{**given, "session": ""})


def takes_a_plan_with_changes(_: Real) -> Real:
    """What an agent changed that was to change nothing is not looked for."""
    return lambda *_: ""


MUTANTS = (
    Mutant(
        allows_everything,
        asking,
        "find_answer",
        played.test_what_the_policy_denies_is_not_done_and_the_turn_goes_on,
        "denied by policy",
    ),
    Mutant(
        guesses_an_answer,
        asking,
        "find_answer",
        played.test_a_question_waits_for_the_persons_answer,
        "not_ready",
    ),
    Mutant(
        believes_the_end_of_a_turn,
        lifecycle,
        "judge",
        played.test_an_agent_that_only_says_so_is_not_ready,
        "ready: ; ()",
    ),
    Mutant(
        looks_at_no_write_set,
        waves,
        "find_outside",
        played.test_what_it_writes_elsewhere_fails_the_task,
        "ready: ; ()",
    ),
    Mutant(
        keeps_words_to_itself,
        asking.Beside,
        "catch_up",
        played.test_it_hears_what_a_person_says_meanwhile,
        "not_ready",
    ),
    Mutant(
        confines_nobody,
        Workbench,
        "confine",
        played.test_it_cannot_write_to_the_checkout,
        "it got out",
    ),
    Mutant(
        counts_nothing,
        acp_worker,
        "read_total",
        played.test_an_agent_that_fixes_it_is_ready,
        "tokens",
    ),
    Mutant(
        lets_a_planner_write,
        consulting,
        "WorkerTurn",
        played.test_who_makes_the_plan_changes_nothing,
        "changed calc.py",
    ),
    Mutant(
        says_no_failures,
        telling,
        "render_prompt",
        played.test_a_wrong_fix_is_repaired_after_what_the_gates_said,
        "6 != 5",
        long=True,
    ),
    Mutant(
        counts_twice,
        acp_worker,
        "read_total",
        played.test_an_agent_that_fixes_it_is_ready,
        "tokens",
        long=True,
    ),
    Mutant(
        asks_nobody,
        PersonalSettings,
        "find_permissions",
        played.test_a_person_may_be_asked_and_allows_it,
        "nobody was asked",
        long=True,
    ),
    Mutant(
        hands_no_answer_on,
        asking.Beside,
        "_wait",
        played.test_a_person_may_be_asked_and_allows_it,
        "Ran",
        long=True,
    ),
    Mutant(
        names_no_login,
        acp_worker,
        "read_error",
        played.test_a_login_that_is_refused_is_said,
        "401",
        long=True,
    ),
    Mutant(
        calls_it_busy,
        acp_worker,
        "read_error",
        played.test_a_login_that_is_refused_is_said,
        "is to ask its vendor later",
        also=((retries, "PAUSES", dict.fromkeys(retries.PAUSES, retries.Pause(1, 1))),),
        long=True,
    ),
    Mutant(
        leaves_who_went_away,
        dialogue,
        "start_guardian",
        played.test_what_an_agent_that_is_killed_left_running_is_ended_and_it_goes_on,
        "somebody is left",
        long=True,
    ),
    Mutant(
        forgets_the_session,
        waves,
        "WorkerTurn",
        played.test_a_goal_whose_runner_was_killed_goes_on_in_the_agents_session,
        "it remembers nothing",
        long=True,
    ),
    Mutant(
        takes_a_plan_with_changes,
        consulting,
        "_find_changed",
        played.test_who_makes_the_plan_changes_nothing,
        "its plan was taken",
        known=KIMI_CLI,
        long=True,
    ),
)
