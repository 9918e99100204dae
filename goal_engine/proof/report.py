"""The proof as a page for people, made from the statement alone."""

from __future__ import annotations

import re
import shlex

from goal_engine.proof.statement import GoalProof


def render_proof_page(proof: GoalProof, digest: str) -> str:
    """Return Markdown that says what the statement says, in the order a reader asks for it."""
    judgement = proof.judgement
    count = len(proof.evidence.files)
    lines = [
        f"# Proof of {proof.goal_id}",
        "",
        f"> {_cell(proof.text)}",
        "",
        f"Verdict: **{judgement.verdict}**" + "".join(f"\n- {_cell(r)}" for r in judgement.reasons),
        "",
        f"- statement: `{digest}`",
        f"- signature: {describe_signature(proof)}",
        f"- tree: `{proof.tree}`",
        f"- base: `{proof.base_commit}`",
        f"- change: {count} {'file' if count == 1 else 'files'}, "
        f"+{proof.evidence.additions} −{proof.evidence.deletions}",
        f"- sandbox: {proof.sandbox}",
        f"- environment: Python {proof.environment.python or 'none'}, git {proof.environment.git}, "
        f"{_cell(proof.environment.platform)}",
        *(f"- note: {_cell(note)}" for note in proof.environment.notes),
        "",
        "| criterion | evidence | state | why |",
        "| --- | --- | --- | --- |",
        *(
            f"| {_cell(item.criterion.text)} | {item.criterion.evidence} | {item.state} "
            f"| {_cell(item.reason)} |"
            for item in judgement.criteria
        ),
        "",
        "| gate | bar | met | why | command |",
        "| --- | --- | --- | --- | --- |",
    ]
    specs = {gate.name: gate for gate in proof.gates}
    for gate in judgement.gates:
        command = _code(shlex.join(specs[gate.gate].argv))
        met = "yes" if gate.met else "no"
        if gate.gate in proof.waived:
            met += ", waived by a person"
        elif not gate.required:
            met += ", optional"
        lines.append(f"| {gate.gate} | {gate.bar} | {met} | {_cell(gate.reason)} | {command} |")
        lines += [f"| | | gap | {_cell(gap)} failed before as well | |" for gap in gate.gaps]
        lines += [f"| | | flaky | {_cell(said)}; it backs nothing | |" for said in gate.flaky]
        lines += [
            f"| | | quarantined | {_cell(said)}; it backs nothing | |" for said in gate.quarantined
        ]
    lines += [
        "",
        "Run it again: `goalproof verify-proof BUNDLE --run`, or read `verify.py` beside this page and"
        " use it with nothing but Python and git.",
        "",
    ]
    return "\n".join(lines)


def describe_signature(proof: GoalProof) -> str:
    """Return in a sentence who signed and what that gives."""
    if proof.key_exposed:
        doubt = "an unsandboxed worker could have read the key"
    else:
        doubt = "no worker could read the key, but its owner could have signed anything"
    return (
        f"signed by {proof.key_id} on the machine that made it; {doubt}; only running it again "
        "convinces"
    )


def _code(text: str) -> str:
    """Return text from outside as code in a Markdown table, whatever backticks are in it."""
    plain = _printable(text).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", plain)), default=0))
    inside = f" {plain} " if "`" in plain else plain
    return f"{fence}{inside}{fence}"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _cell(text: str) -> str:
    """Make text from outside harmless in a Markdown table."""
    plain = _printable(text)
    for char in "\\`*_[]<>|":
        plain = plain.replace(char, f"\\{char}")
    return plain
