"""Whose a store is, decided by a table (rows D17 and S16 of the reliability table)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from goal_engine.binding import (
    WRITES,
    Adoption,
    Binding,
    Found,
    Known,
    Place,
    find_binding,
    say_adoption,
    say_binding,
)

HERE = Place(path="/data/ann/project", host="h1", device=1, inode=10)
THERE = Place(path="/data/ann/other", host="h1", device=1, inode=20)
REBOOTED = HERE.changed(device=9, inode=99)
MOUNTED = THERE.changed(device=1, inode=10)
OTHER_HOST = HERE.changed(host="h2")
NAMELESS = HERE.changed(host="")


def found(*places, known=True, has_id=True, has_goals=True, elsewhere=()):
    return Found(
        here=HERE, has_id=has_id, has_goals=has_goals,
        known=Known(places=places) if known else None, elsewhere=elsewhere,
    )  # fmt: skip


CASES = [
    ("nothing is there", found(known=False, has_id=False, has_goals=False), Binding.NEW),
    ("an id, and no goal yet", found(known=False, has_goals=False), Binding.NEW),
    ("the same place", found(HERE), Binding.OWN),
    ("devices were numbered anew, or a backup was put back", found(REBOOTED), Binding.OWN),
    ("a machine without a name, as in a container", found(NAMELESS), Binding.OWN),
    ("a home that is used on two machines", found(OTHER_HOST, HERE), Binding.OWN),
    ("the same folder by another name", found(THERE, elsewhere=(MOUNTED,)), Binding.OWN),
    ("an earlier release wrote no place down", found(), Binding.UNRECORDED),
    ("the place of before is gone", found(THERE), Binding.MOVED),
    ("the same path on another machine", found(OTHER_HOST), Binding.MOVED),
    ("the place of before still has it", found(THERE, elsewhere=(THERE,)), Binding.COPIED),
    (
        "a copy in which no goal was made",
        found(THERE, has_goals=False, elsewhere=(THERE,)),
        Binding.BLANK,
    ),
    ("moved before a goal was made", found(THERE, has_goals=False), Binding.BLANK),
    ("at home, and no goal yet", found(HERE, has_goals=False), Binding.OWN),
    ("goals with an id that nothing here knows", found(known=False), Binding.FOREIGN),
    ("goals without an id", found(known=False, has_id=False), Binding.FOREIGN),
    ("a link, wherever it leads", found(HERE).changed(is_link=True), Binding.FOREIGN),
]


@pytest.mark.parametrize(
    ("seen", "binding"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_how_a_store_stands_to_its_place(seen, binding):
    assert find_binding(seen) is binding


def test_every_binding_has_a_case():
    assert {case[2] for case in CASES} == set(Binding)


@pytest.mark.parametrize(("seen", "binding"), [case[1:] for case in CASES])
def test_who_may_only_look_is_told_which_places_and_what_next(seen, binding):
    said = say_binding(binding, seen)
    if binding in WRITES:
        assert said == ""
        return
    assert HERE.path in said and "`goalproof adopt`" in said and "\n" not in said
    for place in seen.known.places if seen.known else ():
        assert place.path in said
    assert ("on another machine" in said) == (seen.known == Known(places=(OTHER_HOST,)))


def test_a_store_has_one_place_on_each_machine():
    known = Known(places=(THERE, OTHER_HOST)).at(HERE)
    assert known.places == (OTHER_HOST, HERE)


def test_an_adoption_stays_when_the_store_comes_to_another_place():
    at = datetime(2031, 5, 6, 7, 8, tzinfo=UTC)
    adoption = Adoption(at=at, by="Ann", was=Binding.COPIED, places=("/data/ann/other",))
    known = Known(places=(THERE,)).adopted(adoption).at(OTHER_HOST)
    assert Known.model_validate_json(known.model_dump_json()) == known
    assert known.adoptions == (adoption,) and known.places == (THERE, OTHER_HOST)
    assert say_adoption(adoption) == (
        "Ann adopted it at 2031-05-06 07:08 UTC, when it was copied (/data/ann/other)"
    )


def test_a_record_without_an_adoption_reads_and_is_written_as_before():
    assert "adoptions" not in Known(places=(HERE,)).model_dump_json()
