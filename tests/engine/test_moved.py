"""What moved in the person's repository, and what only tampering explains (S07)."""

from __future__ import annotations

import pytest

from goal_engine.moved import Fingerprint, Part, Seen, find_changes, parse_settings, say_changes

ONE, TWO = "1" * 64, "2" * 64


def seen(part, sha256=ONE, mode="file", **settings):
    return Seen(part=part, sha256=sha256, mode=mode, settings=settings)


def config(sha256, text):
    return seen(Part.CONFIG, sha256, **parse_settings(text))


OWN = ("/h/.gitconfig",)


def fingerprint(*, files=None, refs=None, index=ONE, common="/r/.git", own=OWN):
    refs = {"HEAD": "ref: refs/heads/main", "refs/heads/main": "a" * 40, **(refs or {})}
    refs = {name: value for name, value in refs.items() if value}
    return Fingerprint(
        git_dir=common, common=common, files=files or {}, refs=refs, index=index,
        own=own, hooks=("/h/hooks",),
    )  # fmt: skip


def moved(before, after):
    return [(change.name, change.steers) for change in find_changes(before, after)]


def of_config(old, new, name="config"):
    before, after = {name: config(ONE, old)}, {name: config(TWO, new)}
    return moved(fingerprint(files=before), fingerprint(files=after))


STEERS = {
    "a filter": ('[filter "x"]\n', '[filter "x"]\nclean = /tmp/evil\n'),
    "fsmonitor": ("[core]\nbare = false", "[core]\nbare = false\nfsmonitor = /tmp/evil\n"),
    "a bare repository": ("[core]\nbare = false", "[core]\nbare = true"),
    "an include": ("", "[include]\npath = /tmp/evil"),
    "a url": ('[remote "o"]\nurl = a', '[remote "o"]\nurl = b'),
    "another value beside": ("[core]\neditor = vi", "[core]\neditor = vi\neditor = evil"),
    "one line": ("", "[core] sshCommand = evil"),
    "what git does not understand": ("", "[core]\n= evil"),
    "a folder of hooks": ("", "[core]\n\thooksPath = /tmp/evil # mine"),
}
HARMLESS = {
    "a comment": ("[core]\nbare = false", "# hello\n[core]\nbare = false ; yes"),
    "another order": ("[a]\nx=1\n[b]\ny=2", "[b]\ny=2\n[a]\nx=1"),
    "quotes": ("[a]\nx = one", '[A]\nX = "one"'),
    "a note of an editor": ("", '[branch "main"]\nvscode-merge-base = origin/main'),
}


@pytest.mark.parametrize("case", STEERS)
def test_a_setting_that_changed_is_tampering(case):
    assert of_config(*STEERS[case]) == [("config", True)]


@pytest.mark.parametrize("case", HARMLESS)
def test_what_changes_no_setting_of_git_is_nothing(case):
    assert of_config(*HARMLESS[case]) == []


def test_a_branch_that_is_tracked_may_be_the_persons_own_doing():
    tracked = '[branch "x"]\nremote = origin\nmerge = refs/heads/x'
    assert of_config("", tracked) == [("config", False)]
    assert of_config("", tracked + "\n[core]\npager = evil") == [
        ("config", True),
        ("config", False),
    ]


FILES = {
    "a hook": ("hooks/pre-commit", Part.HOOK),
    "attributes": ("info/attributes", Part.INFO),
    "alternates": ("objects/info/alternates", Part.INFO),
    "an included file": ("/etc/shared.config", Part.CONFIG),
    "where .git leads": (".git", Part.POINTER),
    "a hook elsewhere": ("/h/hooks/pre-push", Part.OWN_HOOK),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_steers_git_is_tampering_however_it_changes(case):
    name, part = FILES[case]
    none, there = fingerprint(), fingerprint(files={name: seen(part)})
    other = fingerprint(files={name: seen(part, TWO, x=("1",))})
    runs = fingerprint(files={name: seen(part, TWO, mode="executable", x=("1",))})
    for before, after in ((none, there), (there, none), (there, other), (other, runs)):
        if part is not Part.CONFIG or (before, after) != (other, runs):
            assert moved(before, after) == [(name, True)]
    assert moved(there, there) == []


def test_what_was_not_looked_at_before_did_not_move():
    there = {"/h/.gitconfig": seen(Part.OWN, x=("1",)), "/new/pre-push": seen(Part.OWN_HOOK)}
    assert moved(fingerprint(own=()), fingerprint(files=there)) == []


def test_permissions_other_than_to_execute_are_nobodys_concern():
    before = seen(Part.HOOK).changed(bits=0o644)
    after = before.changed(bits=0o600)
    assert (
        moved(fingerprint(files={"hooks/x": before}), fingerprint(files={"hooks/x": after})) == []
    )


def test_another_git_directory_is_tampering():
    assert (".git", True) in moved(fingerprint(), fingerprint(common="/evil"))


def test_only_where_a_worktree_has_its_objects_never_changes():
    name = "worktrees/w/commondir"
    none, there = fingerprint(), fingerprint(files={name: seen(Part.POINTER)})
    led = fingerprint(files={name: seen(Part.POINTER, TWO)})
    assert moved(none, there) == moved(there, none) == []
    assert moved(there, led) == [(name, True)]


REFS = {
    "a commit": ({"refs/heads/main": "b" * 40}, [("refs/heads/main", False)]),
    "a switch": ({"HEAD": "ref: refs/heads/x"}, [("HEAD", False)]),
    "a branch": ({"refs/heads/x": "b" * 40}, [("refs/heads/x", False)]),
    "a branch that is gone": ({"refs/heads/main": ""}, [("refs/heads/main", False)]),
    "a stash": ({"refs/stash": "b" * 40}, [("refs/stash", False)]),
    "a fetch": ({"refs/remotes/o/main": "b" * 40, "refs/tags/v1": "b" * 40}, []),
    "a delivered goal": ({"refs/heads/goal/x-1": "b" * 40}, []),
    "a replaced object": ({"refs/replace/" + "a" * 40: "b" * 40}, None),
}


@pytest.mark.parametrize("case", REFS)
def test_refs_move_when_people_work(case):
    refs, wanted = REFS[case]
    if wanted is None:
        wanted = [(name, True) for name in refs]
    assert moved(fingerprint(), fingerprint(refs=refs)) == wanted


def test_a_tag_or_a_goals_branch_that_moves_is_asked_about():
    names = ("refs/tags/v1", "refs/heads/goal/x-1")
    before = fingerprint(refs=dict.fromkeys(names, "a" * 40))
    after = fingerprint(refs=dict.fromkeys(names, "b" * 40))
    assert {name for name, steers in moved(before, after) if not steers} == set(names)


def test_what_is_staged_may_be_the_persons_own_doing():
    assert moved(fingerprint(), fingerprint(index=TWO)) == [("index", False)]


def test_what_steers_git_is_told_first_and_values_are_cut_and_plain():
    evil = "[core]\npager = \x1b[31m" + "x" * 500
    before = fingerprint(files={"config": config(ONE, "")})
    after = fingerprint(files={"config": config(TWO, evil)}, index=TWO)
    said = say_changes(find_changes(before, after))
    assert said.startswith("config says: core.pager = '\\x1b[31mxxx")
    assert said.endswith("; index has other files staged") and len(said) < 200


def test_a_configuration_is_read_as_git_reads_it():
    text = """
    [core] bare
    [Remote "Or.i\\"gin"]
        url = "a # b" ; comment
        fetch = one \\
two
    [a.b]
    x = "q\\n" t
    """
    assert parse_settings(text) == {
        "core.bare": ("true",),
        'remote.Or.i"gin.url': ("a # b",),
        'remote.Or.i"gin.fetch': ("one two",),
        "a.b.x": ("q\n t",),
    }
