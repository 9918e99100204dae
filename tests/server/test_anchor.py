"""Where lenses go: each region of a change is proposed, present, moved or stale in a buffer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goal_server.anchor import Anchor, AnchorMode, anchor, count_lines, find_change, split_lines

PROPOSED, PRESENT, MOVED, STALE = AnchorMode
TEN = tuple(f"line {number}" for number in range(10))


def text(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def changed(**lines: str | None) -> tuple[str, ...]:
    """Return the ten lines with some of them others: `l3="x"`, or gone: `l3=None`."""
    new = [lines.get(f"l{number}", line) for number, line in enumerate(TEN)]
    return tuple(line for line in new if line is not None)


def told(found: tuple[Anchor, ...]) -> list[tuple[AnchorMode, int]]:
    return [(item.mode, item.line) for item in found]


BASE, HEAD = text(*TEN), text(*changed(l1="one", l8="eight"))
DELETED = text(*changed(l4=None, l5=None))

CASES = {
    "as it was": (BASE, HEAD, BASE, [(PROPOSED, 1), (PROPOSED, 8)]),
    "as it is to be": (BASE, HEAD, HEAD, [(PRESENT, 1), (PRESENT, 8)]),
    "lines above": (BASE, HEAD, "new\n" + HEAD, [(MOVED, 2), (MOVED, 9)]),
    "lines below": (BASE, HEAD, HEAD + "new\n", [(MOVED, 1), (MOVED, 8)]),
    "half applied": (BASE, HEAD, text(*changed(l1="one")), [(MOVED, 1), (PROPOSED, 8)]),
    "half applied and edited": (
        BASE, HEAD, "new\n" + text(*changed(l8="eight")), [(PROPOSED, 2), (MOVED, 9)]
    ),
    "one edited": (BASE, HEAD, text(*changed(l1="other", l8="eight")), [(STALE, 1), (MOVED, 8)]),
    "all else": (BASE, HEAD, "nothing\nof it\n", [(STALE, 0), (STALE, 0)]),
    "a block moved": (
        BASE, text(*changed(l2="a function\nof two")),
        text(*TEN[3:], *TEN[:2], "a function", "of two"), [(MOVED, 9)],
    ),
    "a deletion proposed": (BASE, DELETED, "new\n" + BASE, [(PROPOSED, 5)]),
    "a deletion present": (BASE, DELETED, DELETED, [(PRESENT, 4)]),
    "a deletion moved": (BASE, DELETED, "new\n" + DELETED, [(MOVED, 5)]),
    "a deletion undone otherwise": (
        BASE, DELETED, text(*changed(l4="x", l5=None)), [(STALE, 4)]
    ),
    "a deletion at the end": (BASE, text(*TEN[:9]), text(*TEN[:9]), [(PRESENT, 9)]),
    "created, not there": (None, HEAD, "", [(PROPOSED, 0)]),
    "created": (None, HEAD, HEAD, [(PRESENT, 0)]),
    "created and edited below": (None, HEAD, HEAD + "x\n", [(MOVED, 0)]),
    "deleted, still there": (BASE, None, BASE, [(PROPOSED, 0)]),
    "deleted": (BASE, None, "", [(PRESENT, 0)]),
    "deleted, but another is there": (BASE, None, "other\n", [(STALE, 0)]),
    "no change": (BASE, BASE, BASE, []),
    "a mode alone": (BASE, BASE, "other\n", []),
    "windows line ends": (BASE, HEAD, HEAD.replace("\n", "\r\n"), [(PRESENT, 1), (PRESENT, 8)]),
    "old line ends": (BASE, HEAD, BASE.replace("\n", "\r"), [(PROPOSED, 1), (PROPOSED, 8)]),
    "no last line end": (BASE, HEAD, HEAD[:-1], [(PRESENT, 1), (PRESENT, 8)]),
    "other separators": (
        "a\x0cb\u2028c\x85d\ne\n", "a\x0cb\u2028c\x85d\nf\n", "a\x0cb\u2028c\x85d\nf\n",
        [(PRESENT, 1)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_region_is_found_where_it_stands(name: str) -> None:
    base, head, buffer, expected = CASES[name]
    assert told(anchor(base, head, buffer)) == expected


def test_changes_near_each_other_are_one_region() -> None:
    change = find_change(BASE, text(*changed(l2="x", l4="y", l9="z")))
    assert [(region.base, region.additions, region.deletions) for region in change.regions] == [
        ((2, 5), 2, 2),
        ((9, 10), 1, 1),
    ]


def test_a_region_ends_where_its_lines_end() -> None:
    head = text(*changed(l4="a\nb\nc"))
    (found,) = anchor(BASE, head, head)
    assert (found.line, found.end) == (4, 7)
    (found,) = anchor(BASE, head, BASE)
    assert (found.line, found.end) == (4, 5)


def test_a_file_of_twenty_thousand_alike_lines_is_compared_in_time() -> None:
    base = "x\n" * 20_000
    head = "x\n" * 9_000 + "y\n" + "x\n" * 11_000
    assert told(anchor(base, head, head)) == [(PRESENT, 9_000)]
    assert told(anchor(base, head, "y\n" + head)) == [(MOVED, 9_001)]


words = st.sampled_from(["a", "b", "c", "", "def f():", "    return", "x\u2028y", "\x0c", "é"])
ends = st.sampled_from(["\n", "\r\n", "\r", ""])
texts = st.lists(st.tuples(words, ends), max_size=12).map(
    lambda lines: "".join(line + end for line, end in lines)
)
files = st.none() | texts


@given(base=files, head=files, buffer=texts)
def test_every_region_is_on_a_line_of_the_buffer(
    base: str | None, head: str | None, buffer: str
) -> None:
    change = find_change(base, head)
    found = anchor(base, head, buffer)
    assert tuple(item.region for item in found) == change.regions
    for item in found:
        assert 0 <= item.line < item.end <= count_lines(buffer)
    grown = sum(region.additions - region.deletions for region in change.regions)
    assert len(change.head) - len(change.base) == grown


@given(base=files, head=files)
def test_a_buffer_as_before_has_every_region_proposed(base: str | None, head: str | None) -> None:
    assert {item.mode for item in anchor(base, head, base or "")} <= {PROPOSED}


@given(base=files, head=files)
def test_a_buffer_as_after_has_every_region_present(base: str | None, head: str | None) -> None:
    assert {item.mode for item in anchor(base, head, head or "")} <= {PRESENT}


@st.composite
def edits(draw: st.DrawFn) -> tuple[list[str], list[str], list[str]]:
    """Draw a base, a head, and the head with strange lines away from its last region."""
    size = draw(st.integers(12, 40))
    base = [f"unchanged line {number}" for number in range(size)]
    head: list[str] = []
    buffer: list[str] = []
    for number in range(size):
        kind = draw(st.sampled_from(["keep", "keep", "keep", "replace", "insert", "stray"]))
        if kind == "replace":
            head.append(f"replaced line {number}")
            buffer.append(f"replaced line {number}")
        elif kind == "insert":
            head += [f"inserted line {number}", base[number]]
            buffer += [f"inserted line {number}", base[number]]
        elif kind == "stray" and head[-5:] == base[max(0, number - 5) : number]:
            buffer.append(f"stray line {number}")
            head.append(base[number])
            buffer.append(base[number])
        else:
            head.append(base[number])
            buffer.append(base[number])
    return base, head, buffer


@given(drawn=edits())
def test_lines_elsewhere_move_a_region_and_nothing_more(
    drawn: tuple[list[str], list[str], list[str]],
) -> None:
    base, head, buffer = drawn
    where = {line: number for number, line in enumerate(buffer)}
    for item in anchor(text(*base), text(*head), text(*buffer)):
        lines = head[slice(*item.region.head)]
        standing = buffer[where[lines[0]] :][: len(lines)] == lines
        assert item.mode is (PRESENT if buffer == head else MOVED if standing else STALE)
        assert not standing or item.line == where[lines[0]]


@given(texts)
def test_lines_are_counted_as_editors_count_them(written: str) -> None:
    def scan() -> Iterator[int]:
        skip = False
        for number, char in enumerate(written):
            if skip:
                skip = False
            elif char in "\r\n":
                skip = written[number : number + 2] == "\r\n"
                yield number

    assert count_lines(written) == sum(1 for _ in scan()) + 1
    assert len(split_lines(written)) in (count_lines(written), count_lines(written) - 1)
