"""Text from outside is shown in Markdown as it is."""

from __future__ import annotations

import pytest

from goal_server.markdown import code, plain, table, to_text

HOSTILE = {
    "[x](command:rm)": r"\[x\](command:rm)",
    "![x](http://e.example/a.png)": r"\!\[x\](http\://e.example/a.png)",
    "<img src=x>": r"\<img src=x\>",
    "https://e.example www.e.example a@e.example": r"https\://e.example www\.e.example a\@e.example",
    "&lt;b&gt;": r"\&lt;b\&gt;",
    "# no heading": r"\# no heading",
    "- no list": r"\- no list",
    "1. no list": r"1\. no list",
    "a | b": r"a \| b",
    "**x** __y__ `z` ~~w~~ $m$": r"\*\*x\*\* \_\_y\_\_ \`z\` \~\~w\~\~ \$m\$",
    "two\nlines\x1b[31m\u202e": r"two lines\[31m",
    "3.5 of a-b = c": "3.5 of a-b = c",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_has_nothing_to_do_in_text_from_outside(text: str) -> None:
    assert plain(text) == HOSTILE[text]


def test_code_is_code_whatever_is_in_it() -> None:
    assert code("a_b") == "`a_b`"
    assert code("a `b` c") == "`` a `b` c ``"
    assert code("``` x") == "```` ``` x ````"
    assert code("") == "` `"


def test_a_cell_ends_where_it_ends() -> None:
    assert (
        table(("a", "b"), [(plain("x | y"), code("p|q"))]).splitlines()[2] == r"| x \| y | `p\|q` |"
    )


def test_a_client_without_markdown_gets_the_words() -> None:
    assert to_text(f"**{plain('a_b *c*')}** {code('x')}") == "a_b *c* x"
