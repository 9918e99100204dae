"""Writes a proof's bundle: a folder named by the digest of its statement, never changed again."""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path

from goal_engine.errors import GoalError, ProofRefused
from goal_engine.gates.protected import LIST
from goal_engine.ports import Ports
from goal_engine.proof.confinement import is_sealed
from goal_engine.proof.envelope import (
    check_envelope,
    find_key_id,
    render_envelope,
    render_public_key,
)
from goal_engine.proof.hunk import HunkTrial
from goal_engine.proof.report import render_proof_page
from goal_engine.proof.statement import (
    GoalProof,
    ProofCause,
    ProvenEnvironment,
    find_digest,
    parse_statement,
    render_statement,
)
from goal_engine.proof.verdict import Judgement, Observations
from goal_engine.runtime.atomic import fsync_dir, sweep_left
from goal_engine.runtime.git import require_git
from goal_engine.runtime.owner import own_tag
from goal_engine.runtime.regular import open_regular, read_regular
from goal_engine.runtime.repository import EvidenceRepository
from goal_engine.runtime.signing_key import read_signing_seed
from goal_engine.runtime.threads import in_thread
from goal_engine.state.model import GoalState
from goal_engine.task_graph.graph import GoalTask
from goal_engine.types import GoalId
from goal_engine.verifier.observe import read_trials
from goal_engine.verifier.script import compose_verifier
from goal_engine.worktree import Workbench

STATEMENT = "statement.json"
NAME = "statement.sha256"
PAGE = "proof.md"
CHANGE = "change.bundle"
ENVELOPE = "envelope.dsse.json"
PUBLIC_KEY = "public-key.pem"
VERIFIER = "verify.py"
LARGEST = 64 << 20
"""Bytes of one of these files that are read."""
NEW = ".new-"
"""How the name of a bundle begins that is not whole yet."""


def proofs_folder(checkout: Path, goal_id: GoalId) -> Path:
    """Return where a goal's bundles are."""
    return checkout / ".goalproof" / "goals" / goal_id / "proofs"


async def write_bundle(
    ports: Ports,
    bench: Workbench,
    state: GoalState,
    seen: Observations,
    judgement: Judgement,
    cause: ProofCause = ProofCause.JUDGED,
) -> str:
    """Write the bundle of `judgement` and return its digest; `state` has the proof before it."""
    _, head = await ports.store.head(state.goal_id)
    where = ProvenEnvironment(
        python=bench.user.version,
        platform=platform.platform(terse=True),
        git=".".join(str(part) for part in require_git()),
        digest=_find_environment(state),
    )
    return await _write(ports, bench.repository, state, Making(seen, judgement, cause, head, where))


async def write_recovered(
    ports: Ports,
    repository: EvidenceRepository,
    state: GoalState,
    seen: Observations,
    judgement: Judgement,
    head: str,
) -> str:
    """Write the bundle of a judgement that was recorded, and return its digest.

    `head` is the journal's before that; where the gates ran then, nobody can tell any more.
    """
    digest = _find_environment(state)
    where = ProvenEnvironment(python="unknown", platform="unknown", git="unknown", digest=digest)
    made = Making(seen, judgement, ProofCause.RECOVERED, head, where)
    return await _write(ports, repository, state, made)


def _find_environment(state: GoalState) -> str:
    return next((run.environment for run in state.gates_run.values()), "")


@dataclass(frozen=True, slots=True)
class Making:
    """What a proof is made of, beside the goal."""

    seen: Observations
    judgement: Judgement
    cause: ProofCause
    head: str
    """The digest of the journal's last line before the proof."""
    where: ProvenEnvironment


async def _write(
    ports: Ports, repository: EvidenceRepository, state: GoalState, made: Making
) -> str:
    logs = {}
    named = [run.result.log for run in state.gates_run.values()]
    for log in (*named, *(check.log for check in state.checks_run.values())):
        if log:
            logs[f"logs/{log}"] = await ports.store.read_object(log)
    try:
        trials = await read_trials(ports, state)
    except GoalError:
        if made.cause is ProofCause.RECOVERED:
            raise
        trials = ()  # gates that ran anew need nothing of what was tried before
    return await in_thread(_put_bundle, ports.checkout, repository, state, made, logs, trials)


def _put_bundle(
    checkout: Path,
    repository: EvidenceRepository,
    state: GoalState,
    made: Making,
    logs: dict[str, bytes],
    trials: tuple[HunkTrial, ...],
) -> str:
    folder = proofs_folder(checkout, state.goal_id)
    folder.mkdir(parents=True, exist_ok=True)
    seed = read_signing_seed()
    public_key = render_public_key(seed)
    sweep_left(folder, NEW)
    with tempfile.TemporaryDirectory(prefix=f"{NEW}{own_tag()}-", dir=folder) as scratch:
        new = Path(scratch) / "bundle"
        new.mkdir()
        files = {**logs, VERIFIER: compose_verifier()}
        if state.commit is not None and state.tree != state.created.base_tree:
            repository.write_bundle(new / CHANGE, state.commit, state.created.base_commit)
            files[CHANGE] = (new / CHANGE).read_bytes()
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        key_id = find_key_id(public_key)
        proof = make_proof(repository, state, made, digests, key_id).changed(hunks=trials)
        statement = render_statement(proof)
        digest = find_digest(statement)
        page = render_proof_page(proof, digest).encode()
        extra = {
            STATEMENT: statement,
            NAME: f"{digest}\n".encode(),
            PAGE: page,
            ENVELOPE: render_envelope(statement, seed),
            PUBLIC_KEY: public_key,
        }
        for name, data in {**files, **extra}.items():
            _put(new / name, data)
        fsync_dir(new)
        _settle(new, folder / digest)
    return digest


def _settle(new: Path, target: Path) -> None:
    """Give a bundle its name; the same one may be there, of somebody who was as quick."""
    try:
        new.rename(target)  # never onto a folder that holds anything
    except OSError:
        if not target.is_dir():
            raise
    fsync_dir(target.parent)


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o444)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def make_proof(
    repository: EvidenceRepository,
    state: GoalState,
    made: Making,
    files: dict[str, str],
    key_id: str,
) -> GoalProof:
    """Return the proof of a judgement: what was seen, not what was said."""
    created, seen = state.created, made.seen
    stages = (seen.baseline, seen.proving, seen.counterfactual, seen.original)
    runs = tuple(result for stage in stages for result in stage.values())
    evidence = state.evidence or repository.evidence(created.base_tree, created.base_tree)
    return GoalProof(
        goal_id=state.goal_id,
        text=created.text,
        kind=created.kind,
        base_commit=created.base_commit,
        base_tree=created.base_tree,
        tree=seen.tree,
        judgement=made.judgement,
        evidence=evidence,
        gates=state.gates,
        runs=runs,
        checks=tuple(seen.checks.values()),
        protected=seen.protected,
        protected_list=LIST,
        undone=seen.undone,
        unfinished=seen.unfinished,
        environment=made.where.changed(
            notes=tuple(dict.fromkeys(note for run in runs for note in run.notes))
        ),
        spend=state.spend,
        workers=tuple(sorted({_name_worker(task) for task in state.graph})),
        acceptances=state.acceptances,
        rejections=state.rejections,
        decisions=state.decisions,
        answers=state.answers,
        waived=state.waived,
        rounds=state.rounds,
        key_id=key_id,
        sandbox="bubblewrap" if is_sealed(state.confined) else "none",
        confined=state.confined,
        key_exposed=not is_sealed(state.confined),
        journal_seq=state.seq,
        journal_head=made.head,
        files=files,
        page=3,
        review=created.review,
        setup=created.setup,
        cause=made.cause,
        recovered=made.cause is ProofCause.RECOVERED,
        supersedes=state.proof.digest if state.proof else None,
    )


def _name_worker(task: GoalTask) -> str:
    """Who did it, an agent by its name; never a command's arguments, which may hold anything."""
    agent = task.agent or next(iter(task.command), "")
    return f"{task.worker} ({agent})" if agent else task.worker


def read_bundle(folder: Path) -> tuple[GoalProof, str]:
    """Return the proof in `folder` and its digest.

    Raises `ProofRefused`, naming the file, unless every byte is what the statement says and the
    statement is signed by the key that it names.
    """
    try:
        statement = read_regular(folder / STATEMENT, LARGEST)
        name = read_regular(folder / NAME, LARGEST)
        page = read_regular(folder / PAGE, LARGEST)
    except OSError as error:
        raise ProofRefused(
            f"{folder} is no proof bundle: {error.filename} cannot be read ({error.strerror}). "
            "Give the folder that `goalproof proof` names."
        ) from error
    key_id = _check_signature(folder, statement)
    digest = find_digest(statement)
    if name != f"{digest}\n".encode():
        raise ProofRefused(f"{folder / STATEMENT} does not have the digest that {NAME} says.")
    if len(folder.name) == len(digest) and folder.name != digest:
        raise ProofRefused(f"{folder} is named after another proof than it holds ({digest}).")
    proof = parse_statement(statement)
    if proof.key_id != key_id:
        raise ProofRefused(
            f"{folder / ENVELOPE} is signed with another key ({key_id}) than the statement names "
            f"({proof.key_id})."
        )
    if page != render_proof_page(proof, digest).encode():
        raise ProofRefused(f"{folder / PAGE} does not say what the statement says.")
    _check_files(folder, proof)
    return proof, digest


def read_page(folder: Path) -> bytes | None:
    """Return the page of the bundle in `folder`, as it lies there; `None` where there is none."""
    try:
        return read_regular(folder / PAGE, LARGEST)
    except OSError:
        return None


def has_own_verifier(proof: GoalProof) -> bool:
    """Whether the bundle's `verify.py` is the one that this version writes."""
    own = hashlib.sha256(compose_verifier()).hexdigest()
    return proof.files.get(VERIFIER) == own


def _check_signature(folder: Path, statement: bytes) -> str:
    """Return the id of the key that signed `statement`."""
    try:
        envelope = read_regular(folder / ENVELOPE, LARGEST)
        public_key = read_regular(folder / PUBLIC_KEY, LARGEST)
    except OSError as error:
        raise ProofRefused(
            f"{folder} is not signed: {error.filename} cannot be read ({error.strerror}). Proofs of "
            "early versions were not; `execute` the goal again to make one that is."
        ) from error
    try:
        payload, key_id = check_envelope(envelope, public_key)
    except ProofRefused as error:
        raise ProofRefused(f"{folder / ENVELOPE} with {PUBLIC_KEY}: {error}") from error
    if payload != statement:
        raise ProofRefused(f"{folder / ENVELOPE} is about another statement than {STATEMENT}.")
    return key_id


def _digest_file(path: Path) -> str:
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ProofRefused(f"{path} cannot be read ({error.strerror}).") from error


def _check_files(folder: Path, proof: GoalProof) -> None:
    own = {STATEMENT, NAME, PAGE, ENVELOPE, PUBLIC_KEY}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    for name in sorted(there - own - set(proof.files)):
        raise ProofRefused(f"{folder / name} is in the bundle, but the statement does not name it.")
    for name, digest in proof.files.items():
        if name not in there:
            raise ProofRefused(f"{folder / name} is missing from the bundle.")
        if _digest_file(folder / name) != digest:
            raise ProofRefused(f"{folder / name} is not the file that the statement names.")
