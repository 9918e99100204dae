"""The envelope of a proof: what it is signed over, what is refused, and what others say of it."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from goal_engine.errors import ProofRefused
from goal_engine.proof.envelope import (
    PAYLOAD_TYPE,
    check_envelope,
    encode_pae,
    find_key_id,
    open_envelope,
    render_envelope,
    render_public_key,
)

PAYLOAD = b'{"_type":"https://in-toto.io/Statement/v1"}\n'
SEED, OTHER = bytes(range(32)), bytes(range(1, 33))
PUBLIC, OTHER_PUBLIC = render_public_key(SEED), render_public_key(OTHER)
MADE = render_envelope(PAYLOAD, SEED)


def changed(**changes: object) -> bytes:
    """Return the envelope with other fields."""
    return json.dumps({**json.loads(MADE), **changes}).encode()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def signatures(*seeds: bytes) -> list[object]:
    return [json.loads(render_envelope(PAYLOAD, seed))["signatures"][0] for seed in seeds]


def test_what_is_signed_is_the_encoding_of_the_specification() -> None:
    assert encode_pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_an_envelope_gives_back_its_payload_and_who_signed() -> None:
    assert check_envelope(MADE, PUBLIC) == (PAYLOAD, find_key_id(PUBLIC))
    assert render_envelope(PAYLOAD, SEED) == MADE


REFUSED = {
    "an altered payload": (changed(payload=encoded(PAYLOAD + b" ")), "altered after it was signed"),
    "another key": (render_envelope(PAYLOAD, OTHER), "another key"),
    "another key that says it is ours": (
        changed(signatures=[{**signatures(OTHER)[0], "keyid": find_key_id(PUBLIC)}]),  # type: ignore[dict-item]
        "altered after it was signed, or somebody else signed",
    ),
    "no signature": (changed(signatures=[]), "is not signed"),
    "another payload type": (changed(payloadType="text/plain"), "payload type is 'text/plain'"),
    "an extra signature": (changed(signatures=signatures(SEED, OTHER)), "has 2 signatures"),
    "the same signature twice": (changed(signatures=signatures(SEED, SEED)), "has 2 signatures"),
    "no JSON": (b"{", "no DSSE envelope"),
    "no object": (b"[]", "no DSSE envelope"),
    "no payload": (json.dumps({"payloadType": PAYLOAD_TYPE, "signatures": []}).encode(), "no DSSE"),
    "a payload that is no base64": (changed(payload="***"), "no DSSE envelope"),
    "signatures that are text": (changed(signatures="abc"), "no DSSE envelope"),
    "nesting without end": (b"[" * 100_000, "no DSSE envelope"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_each_thing_that_is_wrong_has_its_own_sentence(case: str) -> None:
    data, sentence = REFUSED[case]
    with pytest.raises(ProofRefused, match=sentence):
        open_envelope(data, PUBLIC)


def test_any_flipped_bit_is_refused() -> None:
    for place in range(len(MADE)):
        for bit in (0x01, 0x20):
            flipped = bytearray(MADE)
            flipped[place] ^= bit
            with pytest.raises(ProofRefused):
                check_envelope(bytes(flipped), PUBLIC)


def test_another_way_to_write_it_is_opened_but_is_none_of_ours() -> None:
    url_safe = base64.urlsafe_b64encode(PAYLOAD).decode()
    for data in (changed(), changed(payload=url_safe), changed(more="words")):
        assert open_envelope(data, PUBLIC) == PAYLOAD
        with pytest.raises(ProofRefused, match="another way"):
            check_envelope(data, PUBLIC)


@pytest.mark.parametrize("key", [b"", b"no key", PUBLIC + b"\n", PUBLIC.replace(b"\n", b"\r\n")])
def test_a_public_key_is_one_of_ours_to_the_byte(key: bytes) -> None:
    with pytest.raises(ProofRefused, match="public key"):
        open_envelope(MADE, key)


def test_the_id_of_a_key_is_the_digest_of_its_der() -> None:
    body = b"".join(PUBLIC.splitlines()[1:-1])
    assert find_key_id(PUBLIC) == hashlib.sha256(base64.b64decode(body)).hexdigest()


def a_verifier(key: bytes) -> SSlibKey:
    """Return the other implementation's view of one of our keys."""
    loaded = load_pem_public_key(key)
    return SSlibKey.from_crypto(loaded, keyid=find_key_id(key))  # type: ignore[arg-type]


def test_another_implementation_verifies_our_envelopes() -> None:
    envelope = Envelope.from_dict(json.loads(MADE))
    assert envelope.pae() == encode_pae(PAYLOAD_TYPE, PAYLOAD)
    assert set(envelope.verify([a_verifier(PUBLIC)], 1)) == {find_key_id(PUBLIC)}
    for bad in (changed(payload=encoded(b"else")), render_envelope(PAYLOAD, OTHER)):
        with pytest.raises(VerificationError):
            Envelope.from_dict(json.loads(bad)).verify([a_verifier(PUBLIC)], 1)


@pytest.mark.parametrize("key_id", [None, "own"])
def test_we_verify_the_envelopes_of_another_implementation(key_id: str | None) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.from_private_bytes(SEED)
    signer = CryptoSigner(private, a_verifier(PUBLIC) if key_id else None)
    envelope = Envelope(PAYLOAD, PAYLOAD_TYPE, {})
    envelope.sign(signer)
    data = json.dumps(envelope.to_dict()).encode()
    assert open_envelope(data, PUBLIC) == PAYLOAD
    with pytest.raises(ProofRefused, match="altered|another key"):
        open_envelope(data, OTHER_PUBLIC)


@pytest.mark.parametrize("bit", range(8))
def test_no_bit_of_an_envelope_can_be_flipped(bit: int) -> None:
    """I01: of each byte of the type, the payload, the key's id and the signature."""
    accepted = []
    for place in range(len(MADE)):
        bad = bytearray(MADE)
        bad[place] ^= 1 << bit
        try:
            check_envelope(bytes(bad), PUBLIC)
        except ProofRefused:
            continue
        accepted.append(place)
    assert accepted == []
