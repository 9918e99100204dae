"""A statement is signed as a DSSE envelope: one ed25519 signature over type and payload together.

The form is https://github.com/secure-systems-lab/dsse (1.0).  A key's id is the sha256 of the public
key as SubjectPublicKeyInfo in DER, so that `openssl pkey -pubin -outform DER` can remake it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import TYPE_CHECKING, Any

from goal_engine.errors import ProofRefused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
URL_SAFE = bytes.maketrans(b"-_", b"+/")


def encode_pae(payload_type: str, payload: bytes) -> bytes:
    """Return what is signed: DSSE's pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def render_public_key(seed: bytes) -> bytes:
    """Return the public key of a private one (its 32 bytes) in PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return _to_pem(Ed25519PrivateKey.from_private_bytes(seed).public_key())


def find_key_id(public_key: bytes) -> str:
    """Return the id of a public key in PEM.  Raises `ProofRefused` for what is none of ours."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = _parse_public_key(public_key)
    return hashlib.sha256(
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).hexdigest()


def render_envelope(payload: bytes, seed: bytes) -> bytes:
    """Return the envelope of `payload`, signed; the same payload and key give the same bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(encode_pae(PAYLOAD_TYPE, payload))
    return _render(payload, find_key_id(render_public_key(seed)), signature)


def open_envelope(data: bytes, public_key: bytes) -> bytes:
    """Return the payload of an envelope, whoever wrote it, once its signature is checked.

    Raises `ProofRefused`, with a sentence for each thing that can be wrong.
    """
    from cryptography.exceptions import InvalidSignature

    payload, key_id, signature = _parse(data)
    expected = find_key_id(public_key)
    try:
        _parse_public_key(public_key).verify(signature, encode_pae(PAYLOAD_TYPE, payload))
    except InvalidSignature:
        if key_id not in ("", expected):
            raise ProofRefused(
                f"The envelope is signed with another key ({key_id[:64]!r}) than the public key "
                f"beside it ({expected}): ask whoever sent it which one is theirs."
            ) from None
        raise ProofRefused(
            f"The envelope's signature by {expected} does not fit its payload: the payload was "
            "altered after it was signed, or somebody else signed it."
        ) from None
    return payload


def check_envelope(data: bytes, public_key: bytes) -> tuple[bytes, str]:
    """Return payload and key id of an envelope that has to be exactly as Goalproof writes it.

    Raises `ProofRefused`.
    """
    payload = open_envelope(data, public_key)
    key_id = find_key_id(public_key)
    if data != _render(payload, key_id, _parse(data)[2]):
        raise ProofRefused("The envelope is written in another way than Goalproof writes it.")
    return payload, key_id


def _render(payload: bytes, key_id: str, signature: bytes) -> bytes:
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": key_id, "sig": base64.b64encode(signature).decode()}],
    }
    return json.dumps(envelope, indent=1, sort_keys=True).encode() + b"\n"


def _parse(data: bytes) -> tuple[bytes, str, bytes]:
    """Return payload, key id and signature; what DSSE does not know is left out of sight."""
    try:
        envelope: Any = json.loads(data)
        kind, signatures = envelope["payloadType"], envelope["signatures"]
        payload = _decode(envelope["payload"])
        found = [(str(item.get("keyid") or ""), _decode(item["sig"])) for item in signatures]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProofRefused(
            f"The envelope is no DSSE envelope: {type(error).__name__} ({str(error)[:100]})."
        ) from error
    if kind != PAYLOAD_TYPE:
        raise ProofRefused(
            f"The envelope's payload type is {str(kind)[:100]!r}, not {PAYLOAD_TYPE!r}: it holds "
            "something else than a statement."
        )
    if not found:
        raise ProofRefused("The envelope is not signed: its list of signatures is empty.")
    if len(found) > 1:
        raise ProofRefused(
            f"The envelope has {len(found)} signatures where Goalproof makes one: nobody here can "
            "say what the others stand for."
        )
    return payload, *found[0]


def _decode(text: str) -> bytes:
    """DSSE takes both alphabets of base64."""
    try:
        return base64.b64decode(text.encode().translate(URL_SAFE), validate=True)
    except binascii.Error as error:
        raise ValueError(f"no base64: {error}") from error


def _parse_public_key(pem: bytes) -> Ed25519PublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ProofRefused(f"The public key cannot be read: {str(error)[:100]}.") from error
    if not isinstance(key, Ed25519PublicKey) or _to_pem(key) != pem:
        raise ProofRefused("The public key is no ed25519 key as Goalproof writes it.")
    return key


def _to_pem(key: Ed25519PublicKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
