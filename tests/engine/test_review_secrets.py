"""Secrets are found by their shape, examples are not, and neither is ever shown again."""

from __future__ import annotations

import time

import pytest

from goal_engine.secret_shapes import HIDDEN, find_secrets, redact

A = "Zq3vN8sKd0LmXw2RtYb7UcFhGj5PeQaI1oTy"
"""Thirty-six characters that say nothing.  Keys are put together here, so that no file holds one."""

KEYS = (
    "AKIA" + "QZ3WNBSKDKLMXW2R",
    "ghp_" + A,
    "glpat-" + A[:20],
    "xoxb-" + "123987456012-" + A[:24],
    "AIza" + A[:35],
    "sk_live_" + A[:24],
    "sk-proj-" + A + A[:10],
    "sk-ant-" + "api03-" + A + A[:10],
    "npm_" + A,
    "hf_" + "QzrvNbsKdxLmXwcRtYbtUcFhGjrPeQaIeo",
    "https://hooks.slack.com/services/" + "T0QZ3WNBS/B0QZ3WNBS/" + A[:24],
)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:8])
@pytest.mark.parametrize(
    "line", ["KEY = '{}'", "{}", 'curl -H "Authorization: Bearer {}"', "x={};"]
)
def test_a_key_of_a_known_shape_is_found_and_hidden(key: str, line: str) -> None:
    text = line.format(key)
    assert [secret.sure for secret in find_secrets(text) if secret.sure] == [True]
    assert key[4:] not in redact(text) and HIDDEN in redact(text)


@pytest.mark.parametrize(
    "line",
    [
        "AWS_KEY = 'AKIAIOSFODNN7EXAMPLE'",
        "token = 'ghp_" + "x" * 36 + "'",
        "token: ${GITHUB_TOKEN}",
        "password = os.environ['PASSWORD']",
        "password = 'correct horse battery staple'",
        "password = 'changeme-please-1'",
        "secret_name = 'my-service-account-token'",
        "sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'",
        "uuid = '123e4567-e89b-12d3-a456-426614174000'",
        "postgres://user:password@localhost/db",
        "sk-learn is imported as sklearn",
        "",
    ],
)
def test_what_is_written_for_readers_is_no_secret(line: str) -> None:
    assert list(find_secrets(line)) == []
    assert redact(line) == line


def test_a_random_value_for_a_telling_name_may_be_one() -> None:
    (found,) = find_secrets(f"db_password = '{A[:20]}'")
    assert not found.sure
    assert redact(f"db_password = '{A[:20]}'") == f"db_password = '{HIDDEN}'"


def test_secrets_that_overlap_are_hidden_once() -> None:
    key = "ghp_" + A
    assert redact(f"token = '{key}', 1") == f"token = '{HIDDEN}', 1"


@pytest.mark.parametrize(
    "piece",
    [
        "eyJ-",
        "sk-proj-",
        "a-",
        "a.",
        "a:",
        "a://",
        "password=",
        "-----BEGIN ",
        "AIza",
        "'",
        "ghp_",
        "xoxb-1",
    ],
)
def test_a_long_line_takes_no_longer_than_its_length(piece: str) -> None:
    began = time.process_time()
    assert list(find_secrets(piece * (200_000 // len(piece)))) == []
    assert time.process_time() - began < 5
