"""A proof is run again by a stranger: the same answer, another answer, or what is missing."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from goal_engine.engine import Engine, create_sample_repository
from goal_engine.errors import ProofRefused
from goal_engine.proof.envelope import find_key_id, render_envelope, render_public_key
from goal_engine.proof.gate import GateOutcome
from goal_engine.proof.report import describe_signature, render_proof_page
from goal_engine.proof.statement import find_digest, parse_statement, render_statement
from goal_engine.proof.verdict import PROTECTED, Verdict
from goal_engine.queries import resolve_goal_proof
from goal_engine.reverify import (
    SCRATCH,
    ReverifyOutcome,
    describe_inspection,
    inspect_bundle,
    plan_commands,
    read_signature,
    verify_proof,
)
from goal_engine.runtime.git import safe_git
from goal_engine.runtime.owner import own_tag
from goal_engine.runtime.signing_key import read_signing_seed
from goal_engine.types import GoalStatus
from tests.integration.projects import FIX, a_plan, a_project, fingerprint, run


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A project and the bundle of a ready goal of it; nobody changes either."""
    project = a_project(tmp_path_factory.mktemp("proven") / "project")
    return project, asyncio.run(prove(project))


async def prove(project: Path) -> Path:
    """Return the bundle of a ready goal."""
    engine = Engine.open(project)
    try:
        state = await run(engine, a_plan(FIX))
        assert state.status is GoalStatus.READY
        return await resolve_goal_proof(engine.ports, "latest")
    finally:
        engine.close()


async def test_a_stranger_with_a_clone_reproduces_the_proof(
    proven: tuple[Path, Path], tmp_path: Path
) -> None:
    project, bundle = proven
    clone = tmp_path / "clone"
    safe_git(
        ["clone", "--quiet", str(project), str(clone)],
        cwd=tmp_path,
        env={"GIT_ALLOW_PROTOCOL": "file"},
    )
    elsewhere = shutil.copytree(bundle, tmp_path / "sent" / bundle.name)
    before = fingerprint(clone)
    said: list[str] = []
    found = await verify_proof(elsewhere, clone, say=said.append)
    assert found.outcome is ReverifyOutcome.REPRODUCED, found
    assert len(said) == 3
    assert fingerprint(clone) == before
    assert not (clone / ".goalproof").exists()


async def test_a_proof_that_claims_more_than_is_there_is_not_reproduced(
    proven: tuple[Path, Path], tmp_path: Path
) -> None:
    project, bundle = proven
    proof, _ = inspect_bundle(bundle)
    lies = tuple(
        run.changed(outcome=GateOutcome.PASSED, exit_code=0) if run.stage == "baseline" else run
        for run in proof.runs
    )
    forged = forge(bundle, tmp_path / "forged", proof.changed(runs=lies))
    found = await verify_proof(forged, project)
    assert found.outcome is ReverifyOutcome.NOT_REPRODUCED
    assert any("runs[baseline tests].outcome" in item for item in found.differences)


def forge(bundle: Path, target: Path, proof: object) -> Path:
    """Write a bundle that is consistent in itself, as a liar with a key would."""
    from goal_engine.proof.statement import GoalProof

    seed = read_signing_seed()
    key = render_public_key(seed)
    said = proof.model_dump() | {"key_id": find_key_id(key)}  # type: ignore[attr-defined]
    made = GoalProof.model_validate(said)
    statement = render_statement(made)
    digest = find_digest(statement)
    folder = Path(shutil.copytree(bundle, target / digest))
    for name, data in (
        ("statement.json", statement),
        ("statement.sha256", f"{digest}\n".encode()),
        ("proof.md", render_proof_page(made, digest).encode()),
        ("envelope.dsse.json", render_envelope(statement, seed)),
        ("public-key.pem", key),
    ):
        (folder / name).chmod(0o644)
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.one_python
async def test_a_proof_is_judged_by_the_list_of_protected_files_of_its_time(tmp_path: Path) -> None:
    """`Dockerfile` came on the list later: such proofs are reproduced, and what is new is told."""
    engine = Engine.open(a_project(tmp_path / "project"))
    try:
        state = await run(engine, a_plan(FIX + ', { write = "Dockerfile", content = "FROM x" }'))
        assert state.status is GoalStatus.BLOCKED_ON_HUMAN
        bundle = await resolve_goal_proof(engine.ports, "latest")
    finally:
        engine.close()
    proof, _ = inspect_bundle(bundle)
    assert (proof.protected, proof.protected_list) == (("Dockerfile",), 2)
    criteria = tuple(v for v in proof.judgement.criteria if v.criterion.id != PROTECTED)
    judgement = proof.judgement.changed(verdict=Verdict.READY, criteria=criteria, reasons=())
    before = proof.changed(judgement=judgement, protected=(), protected_list=1)
    found = await verify_proof(forge(bundle, tmp_path / "before", before), tmp_path / "project")
    assert found.outcome is ReverifyOutcome.REPRODUCED, found.differences
    assert found.note.endswith(
        "these need one as well, so look at what it does to them: Dockerfile."
    )
    assert found.note in describe_inspection(before)
    assert "earlier list" not in describe_inspection(proof)


async def test_a_page_shows_the_very_command_whatever_is_in_it(proven: tuple[Path, Path]) -> None:
    _, bundle = proven
    page = (bundle / "proof.md").read_text(encoding="utf-8")
    assert "| `python3 run_tests.py --junit '{report}'` |" in page
    proof, _ = inspect_bundle(bundle)
    (gate,) = proof.gates
    strange = gate.changed(argv=("sh", "-c", "a | `b`\n"))
    page = render_proof_page(proof.changed(gates=(strange,)), "0" * 64)
    assert "| `` sh -c 'a \\| `b` ' `` |" in page


async def test_without_the_base_it_says_what_is_missing(
    proven: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what processes left there that are dead by now goes."""
    _, bundle = proven
    places = tmp_path / "tmp"
    monkeypatch.setattr(tempfile, "tempdir", str(places))
    mine = own_tag()
    dead = f"{mine.rpartition('-')[0]}-1"  # this number belonged to another process before
    for name in (f"{SCRATCH}{dead}-x/file", f"{SCRATCH}{mine}-y/file", f"{SCRATCH}z/file"):
        (places / name).mkdir(parents=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "x").write_text("x", encoding="utf-8")
    create_sample_repository(other, "another project")
    found = await verify_proof(bundle, other)
    assert found.outcome is ReverifyOutcome.NOT_REPRODUCIBLE_HERE
    assert "does not have the base commit" in found.missing[0]
    assert {path.name for path in places.iterdir()} == {f"{SCRATCH}{mine}-y", f"{SCRATCH}z"}


async def test_a_flipped_byte_anywhere_is_refused_and_named(
    proven: tuple[Path, Path], tmp_path: Path
) -> None:
    _, bundle = proven
    copy = Path(shutil.copytree(bundle, tmp_path / "copy" / bundle.name))
    files = [path for path in copy.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"statement.json", "proof.md", "change.bundle"}
    for path in files:
        good = path.read_bytes()
        path.chmod(0o644)
        for place in range(0, len(good), max(1, len(good) // 200)):
            bad = bytearray(good)
            bad[place] ^= 0x01
            path.write_bytes(bytes(bad))
            with pytest.raises(ProofRefused) as refused:
                inspect_bundle(copy)
            assert "statement" in str(refused.value) or path.name in str(refused.value)
        path.write_bytes(good)
    inspect_bundle(copy)


async def test_files_that_are_added_removed_or_renamed_are_named(
    proven: tuple[Path, Path], tmp_path: Path
) -> None:
    _, bundle = proven
    copy = Path(shutil.copytree(bundle, tmp_path / bundle.name))
    (copy / "extra").write_text("x", encoding="utf-8")
    with pytest.raises(ProofRefused, match="extra"):
        inspect_bundle(copy)
    (copy / "extra").unlink()
    (copy / "change.bundle").unlink()
    with pytest.raises(ProofRefused, match=r"change\.bundle"):
        inspect_bundle(copy)
    other = Path(shutil.copytree(bundle, tmp_path / ("0" * 64)))
    with pytest.raises(ProofRefused, match="named after another proof"):
        inspect_bundle(other)


async def test_the_statement_is_written_in_one_way_only(proven: tuple[Path, Path]) -> None:
    data = (proven[1] / "statement.json").read_bytes()
    assert render_statement(parse_statement(data)) == data
    with pytest.raises(ProofRefused):
        parse_statement(data.replace(b'"_type"', b' "_type"'))


async def test_what_would_run_is_told_before_anything_runs(proven: tuple[Path, Path]) -> None:
    proof, _ = inspect_bundle(proven[1])
    commands = plan_commands(proof)
    assert [line.split(":")[0] for line in commands] == [
        "baseline · tests", "proving · tests", "counterfactual · tests",
    ]  # fmt: skip
    assert all("run_tests.py" in line for line in commands)


async def test_runs_on_swapped_trees_are_not_reproduced(
    proven: tuple[Path, Path], tmp_path: Path
) -> None:
    project, bundle = proven
    proof, _ = inspect_bundle(bundle)
    swap = {proof.base_tree: proof.tree, proof.tree: proof.base_tree}
    runs = tuple(run.changed(tree=swap[run.tree]) for run in proof.runs)
    forged = forge(bundle, tmp_path / "forged", proof.changed(runs=runs))
    found = await verify_proof(forged, project)
    assert found.outcome is ReverifyOutcome.NOT_REPRODUCED
    assert any("not what this stage is about" in item for item in found.differences)


async def test_a_page_that_says_more_than_the_gates_is_not_reproduced(
    proven: tuple[Path, Path], tmp_path: Path
) -> None:
    project, bundle = proven
    proof, _ = inspect_bundle(bundle)
    gates = tuple(gate.changed(required=False) for gate in proof.judgement.gates)
    judgement = proof.judgement.changed(gates=gates)
    forged = forge(bundle, tmp_path / "forged", proof.changed(judgement=judgement))
    found = await verify_proof(forged, project)
    assert found.outcome is ReverifyOutcome.NOT_REPRODUCED
    assert any(item.startswith("gates[tests]") for item in found.differences)


OTHER = bytes(range(32))
"""Another key than the one that signed."""


def signed_by_another(statement: bytes) -> dict[str, bytes]:
    envelope = render_envelope(statement, OTHER)
    return {"envelope.dsse.json": envelope, "public-key.pem": render_public_key(OTHER)}


SIGNATURES: dict[str, tuple[str, Callable[[bytes], dict[str, bytes | None]]]] = {
    "no envelope": ("is not signed", lambda _: {"envelope.dsse.json": None}),
    "no key": ("is not signed", lambda _: {"public-key.pem": None}),
    "the key of another": (
        "is signed with another key",
        lambda _: {"public-key.pem": render_public_key(OTHER)},
    ),
    "signed anew by another": (
        "than the statement names",
        lambda statement: {**signed_by_another(statement)},
    ),
    "the envelope of another statement": (
        "is about another statement",
        lambda _: {**signed_by_another(b"{}")},
    ),
}


@pytest.mark.parametrize("case", SIGNATURES)
async def test_a_bundle_whose_signature_is_not_right_is_refused_with_the_reason(
    proven: tuple[Path, Path], tmp_path: Path, case: str
) -> None:
    sentence, change = SIGNATURES[case]
    copy = Path(shutil.copytree(proven[1], tmp_path / proven[1].name))
    for name, data in change((copy / "statement.json").read_bytes()).items():
        (copy / name).unlink()
        if data is not None:
            (copy / name).write_bytes(data)
    with pytest.raises(ProofRefused, match=sentence):
        inspect_bundle(copy)
    signer, why = read_signature(copy)
    assert signer is None and sentence in why


async def test_a_page_says_who_signed_and_what_that_gives(proven: tuple[Path, Path]) -> None:
    proof, _ = inspect_bundle(proven[1])
    page = (proven[1] / "proof.md").read_text(encoding="utf-8")
    assert proof.key_exposed
    assert (
        f"signed by {proof.key_id} on the machine that made it; an unsandboxed worker could have "
        "read the key; only running it again convinces" in page
    )
    assert read_signature(proven[1]) == (proof.key_id, describe_signature(proof))


async def test_another_implementation_verifies_the_envelope_of_a_bundle(
    proven: tuple[Path, Path],
) -> None:
    bundle = proven[1]
    public = load_pem_public_key((bundle / "public-key.pem").read_bytes())
    proof, _ = inspect_bundle(bundle)
    key = SSlibKey.from_crypto(public, keyid=proof.key_id)  # type: ignore[arg-type]
    envelope = Envelope.from_dict(json.loads((bundle / "envelope.dsse.json").read_bytes()))
    assert set(envelope.verify([key], 1)) == {proof.key_id}
    assert envelope.payload == (bundle / "statement.json").read_bytes()


async def test_a_script_that_is_not_ours_is_told_before_anybody_runs_it(
    proven: tuple[Path, Path], tmp_path: Path
) -> None:
    proof, _ = inspect_bundle(proven[1])
    assert "verify.py" not in describe_inspection(proof)
    other = proof.changed(files={**proof.files, "verify.py": "0" * 64})
    assert "Its verify.py is not the one" in describe_inspection(other)
