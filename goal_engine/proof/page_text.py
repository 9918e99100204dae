"""Words of a proof's page; what comes from outside is made harmless in Markdown.

Addresses and names that a forge would make links of, or call somebody by, stand as code from the third
form of the page on: `foreign` marks them, and `settle` decides.
"""

from __future__ import annotations

import re

from goal_engine.proof.statement import GoalProof

SPECIAL = "\\`*_[]<>|"
LIVE = re.compile(r"//|@|#\d|\bwww\.|\b(?:mailto|xmpp):|\bGH-\d", re.IGNORECASE)
"""What makes more than a text of a word: addresses, people, entries of a tracker."""
BEGIN, END = "\ue000", "\ue001"
"""Stand around such a word until the page is whole; no text from outside has them, nothing prints them."""
MARKED = re.compile(f"{BEGIN}([^{END}]*){END}")
ESCAPED = re.compile(rf"\\([{re.escape(SPECIAL)}])")


def describe_signature(proof: GoalProof) -> str:
    """Return in a sentence who signed and what that gives."""
    if proof.key_exposed:
        doubt = "an unsandboxed worker could have read the key"
    else:
        doubt = (
            "nothing that ran for this goal could read the key, but its owner could have signed "
            "anything"
        )
    return (
        f"signed by {proof.key_id} on the machine that made it; {doubt}; only running it again "
        "convinces"
    )


def code(text: str) -> str:
    """Return text from outside as code in a Markdown table, whatever backticks are in it."""
    plain = printable(text).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", plain)), default=0))
    inside = f" {plain} " if "`" in plain else plain
    return f"{fence}{inside}{fence}"


def printable(text: str) -> str:
    """Return text in which nothing steers a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def cell(text: str) -> str:
    """Make text from outside harmless in a Markdown table."""
    plain = printable(text)
    for char in SPECIAL:
        plain = plain.replace(char, f"\\{char}")
    return plain


def foreign(text: str) -> str:
    """Return text from outside like `cell`, with each word marked that a forge would make more of."""
    words = (
        f"{BEGIN}{cell(word)}{END}" if LIVE.search(word) else cell(word)
        for word in printable(text).split(" ")
    )
    return " ".join(words)


def settle(page: str, *, dead: bool) -> str:
    """Return a page without marks; where words are to be `dead`, the marked ones are code."""
    return MARKED.sub(lambda found: code(ESCAPED.sub(r"\1", found[1])) if dead else found[1], page)
