"""The page of proofs that were made before there was a better one: never changed again.

A bundle whose page does not say what its statement says is refused, so old ones are remade exactly.
"""

from __future__ import annotations

import shlex

from goal_engine.proof.page_text import cell, code, describe_signature
from goal_engine.proof.statement import GoalProof


def render_first_page(proof: GoalProof, digest: str) -> str:
    """Return the page of a proof whose `page` is 1."""
    judgement = proof.judgement
    count = len(proof.evidence.files)
    lines = [
        f"# Proof of {proof.goal_id}",
        "",
        f"> {cell(proof.text)}",
        "",
        f"Verdict: **{judgement.verdict}**" + "".join(f"\n- {cell(r)}" for r in judgement.reasons),
        "",
        f"- statement: `{digest}`",
        f"- signature: {describe_signature(proof)}",
        f"- tree: `{proof.tree}`",
        f"- base: `{proof.base_commit}`",
        f"- change: {count} {'file' if count == 1 else 'files'}, "
        f"+{proof.evidence.additions} −{proof.evidence.deletions}",
        f"- sandbox: {proof.sandbox}",
        f"- environment: Python {proof.environment.python or 'none'}, git {proof.environment.git}, "
        f"{cell(proof.environment.platform)}",
        *(f"- note: {cell(note)}" for note in proof.environment.notes),
        "",
        "| criterion | evidence | state | why |",
        "| --- | --- | --- | --- |",
        *(
            f"| {cell(item.criterion.text)} | {item.criterion.evidence} | {item.state} "
            f"| {cell(item.reason)} |"
            for item in judgement.criteria
        ),
        "",
        "| gate | bar | met | why | command |",
        "| --- | --- | --- | --- | --- |",
    ]
    specs = {gate.name: gate for gate in proof.gates}
    for gate in judgement.gates:
        command = code(shlex.join(specs[gate.gate].argv))
        met = "yes" if gate.met else "no"
        if gate.gate in proof.waived:
            met += ", waived by a person"
        elif not gate.required:
            met += ", optional"
        lines.append(f"| {gate.gate} | {gate.bar} | {met} | {cell(gate.reason)} | {command} |")
        lines += [f"| | | gap | {cell(gap)} failed before as well | |" for gap in gate.gaps]
    lines += [
        "",
        "Run it again: `goalproof verify-proof BUNDLE --run`, or read `verify.py` beside this page and"
        " use it with nothing but Python and git.",
        "",
    ]
    return "\n".join(lines)
