"""What git prints of a change is read as it is written."""

from __future__ import annotations

import pytest

from goal_engine.evidence import ChangedFile, parse_diff

A, B = "a" * 40, "b" * 40


def raw(status, *paths, old="100644", mode="100644"):
    return "\0".join((f":{old} {mode} {A} {B} {status}", *paths, "")).encode(
        "utf-8", "surrogateescape"
    )


def count(added, deleted, *paths):
    text = (
        f"{added}\t{deleted}\t{paths[0]}\0"
        if len(paths) == 1
        else f"{added}\t{deleted}\t\0{paths[0]}\0{paths[1]}\0"
    )
    return text.encode("utf-8", "surrogateescape")


def check(output, *files):
    assert parse_diff(A, B, output).files == files


def file(path, status="M", **more):
    return ChangedFile(path=path, status=status, **{"old_mode": "100644", "mode": "100644", **more})


def test_no_output_is_no_change():
    evidence = parse_diff(A, B, b"")
    assert (evidence.files, evidence.paths, evidence.additions, evidence.deletions) == (
        (),
        set(),
        0,
        0,
    )


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (raw("M", "a.py") + count(3, 1, "a.py"), file("a.py", additions=3, deletions=1)),
        (
            raw("A", "new", old="000000") + count(2, 0, "new"),
            file("new", "A", old_mode="000000", additions=2),
        ),
        (
            raw("D", "old", mode="000000") + count(0, 4, "old"),
            file("old", "D", mode="000000", deletions=4),
        ),
        (
            raw("R087", "from", "to") + count(1, 1, "from", "to"),
            file("to", "R", old_path="from", additions=1, deletions=1),
        ),
        (
            raw("C100", "from", "to") + count(0, 0, "from", "to"),
            file("to", "C", old_path="from"),
        ),
        (raw("M", "logo.png") + count("-", "-", "logo.png"), file("logo.png", binary=True)),
        (raw("M", "run", mode="100755") + count(0, 0, "run"), file("run", mode="100755")),
        (
            raw("T", "link", mode="120000") + count(1, 9, "link"),
            file("link", "T", mode="120000", additions=1, deletions=9),
        ),
        (raw("M", ":a\tb\nc") + count(1, 0, ":a\tb\nc"), file(":a\tb\nc", additions=1)),
    ],
)
def test_each_kind_of_change_is_read(output, expected):
    check(output, expected)


def test_a_renamed_file_touches_both_names():
    evidence = parse_diff(A, B, raw("R100", "from", "to") + count(0, 0, "from", "to"))
    assert evidence.paths == {"from", "to"}


def test_counts_are_summed_over_files():
    output = raw("M", "a") + raw("M", "b") + count(3, 1, "a") + count(2, 5, "b")
    evidence = parse_diff(A, B, output)
    assert (evidence.additions, evidence.deletions) == (5, 6)


def test_names_that_look_alike_when_shown_stay_two_files():
    names = ("a\\xff", "a\udcff")
    output = b"".join(raw("A", name) for name in names) + b"".join(
        count(n, 0, name) for n, name in enumerate(names, 1)
    )
    assert [found.additions for found in parse_diff(A, B, output).files] == [1, 2]


def test_a_name_that_is_not_utf_8_can_be_written_as_json():
    evidence = parse_diff(A, B, raw("A", "caf\udce9") + count(1, 0, "caf\udce9"))
    assert evidence.model_dump_json()
    assert evidence.paths == {"caf\\xe9"}
