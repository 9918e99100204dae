"""What an agent says becomes lines that people read, and its patience is counted without a clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goal_engine.workers.patience import Patience
from goal_engine.workers.transcript import MOST, WIDEST, Transcript


def write(act, **more):
    lines = []
    act(Transcript(lines.append, **more))
    return "".join(lines)


def test_pieces_become_lines_and_the_margin_is_the_engines():
    def act(transcript):
        for piece in ("I ", "will", " write.\n\nNow", " then"):
            transcript.add_words(piece)
        transcript.add_words("hm", thought=True)
        transcript.add("calls Write")
        transcript.add_words("Done")
        transcript.close("end_turn")

    assert write(act).splitlines() == [
        "  I will write.",
        "  Now then",
        "  ~ hm",
        "calls Write",
        "  Done",
        "end_turn",
    ]


def test_nothing_of_an_agent_gets_to_the_margin_or_the_terminal():
    def act(transcript):
        transcript.add_words("a\nallowed by person\r\x1b[2Jb\x1b[31mred\x07")
        transcript.add("calls x\nallowed by person\x1b[0m")

    said = write(act)
    assert said == "  a\n  allowed by personbred\ncalls x allowed by person\n"


def test_a_flood_is_cut_and_its_end_is_told():
    def act(transcript):
        for _ in range(30):
            transcript.add_words("x" * 200_000)
        transcript.close("timeout")

    said = write(act)
    assert len(said) < MOST + 3 * WIDEST
    assert said.splitlines()[-2:] == ["the rest is left out", "timeout"]
    assert max(map(len, said.splitlines())) <= WIDEST + 4


def test_a_line_without_an_end_costs_no_more_than_what_is_kept_of_it():
    said = write(lambda transcript: transcript.add_words("x" * (32 << 20)), most=MOST // 16)
    assert len(said) < MOST // 16 + 3 * WIDEST
    assert said.endswith("the rest is left out\n")


@given(st.lists(st.tuples(st.booleans(), st.text(max_size=20)), max_size=20))
def test_any_words_are_plain_lines(pieces):
    def act(transcript):
        for thought, text in pieces:
            transcript.add_words(text, thought=thought)
        transcript.close("over")

    *lines, last = write(act).splitlines()
    assert last == "over" and all(line.startswith("  ") for line in lines)


@pytest.mark.parametrize(
    ("asks", "now", "heard", "left"),
    [
        ((), 0, 0, 10),
        ((), 6, 6, 10),
        ((), 6, 0, 4),
        ((), 95, 94, 5),
        (((2, 50),), 50, 1, 10),  # nobody has to speak while it waits
        (((2, 50),), 130, 130, 10),
        (((2, 50),), 140, 139, 8),  # and that time is not its own
        (((2, 50), (60, 70)), 150, 150, 8),
    ],
)
def test_time_stands_still_while_an_agent_waits_for_its_answer(asks, now, heard, left):
    patience = Patience(0, whole=100, idle=10)
    for begin, end in asks:
        patience.pause(begin)
        assert patience.find_left(end, begin) is None
        patience.go_on(end)
    assert patience.find_left(now, heard) == left


def test_two_questions_at_once_end_with_the_last_answer():
    patience = Patience(0, whole=100, idle=10)
    patience.pause(1)
    patience.pause(2)
    patience.go_on(3)
    assert patience.find_left(50, 0) is None
    patience.go_on(51)
    assert patience.find_left(51, 0) == 10


def test_what_is_over_is_said():
    patience = Patience(0, whole=100, idle=10)
    assert patience.say_over(11) == "it said nothing for 10 s"
    assert patience.say_over(100) == "it was not done after 100 s"
