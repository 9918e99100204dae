"""Words of a proof's page; what comes from outside is made harmless in Markdown."""

from __future__ import annotations

import re

from goal_engine.proof.statement import GoalProof


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
    for char in "\\`*_[]<>|":
        plain = plain.replace(char, f"\\{char}")
    return plain
