"""Secrets are hidden in every form and however the bytes are cut (S14)."""

from __future__ import annotations

import base64
import json
import random
import time
from urllib.parse import quote

import pytest

from goal_engine.redaction import (
    CLUES,
    KEY_BLOCK,
    LONGEST,
    RedactedStream,
    Redactor,
    find_values,
)
from goal_engine.secret_shapes import SHAPES, redact
from tests.engine.test_review_secrets import KEYS, A

VALUE = 'Tr0ub4dor&3 "quoted" /+é\\end'
OTHER = A[::-1]
BLOCK = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + "\n".join([A + A[:28]] * 5)
    + "\n-----END RSA PRIVATE KEY-----"
)
LINES = "first-line-of-it-0123\nsecond-line-of-it-4567"
REDACTOR = Redactor.of((VALUE, OTHER, LINES))

FORMS = {
    "raw": VALUE.encode(),
    "hex": VALUE.encode().hex().encode(),
    "capital hex": VALUE.encode().hex().upper().encode(),
    "in an address": quote(VALUE, safe="").encode(),
    "in JSON": json.dumps(VALUE)[1:-1].encode(),
    "in readable JSON": json.dumps(VALUE, ensure_ascii=False)[1:-1].encode(),
    "two lines": LINES.encode(),
    "one of two lines": LINES.split("\n")[1].encode(),
    "two lines in JSON": json.dumps(LINES)[1:-1].encode(),
    **{
        f"base64, after {count} bytes": base64.b64encode(b"u:z"[:count] + OTHER.encode() + b"!!!")
        for count in range(3)
    },
    "base64 for addresses": base64.urlsafe_b64encode(VALUE.encode()),
    "a key": KEYS[1].encode(),
    "a private key": BLOCK.encode(),
}


def pieces(text, *cuts):
    edges = [0, *cuts, len(text)]
    return [text[start:end] for start, end in zip(edges, edges[1:], strict=False)]


def stream(redactor, parts):
    one = RedactedStream(redactor)
    return b"".join([*map(one.feed, parts), one.close()])


@pytest.mark.parametrize("form", FORMS)
def test_no_cut_lets_a_secret_through(form):
    """Cut in two at every place, in three around it, and byte by byte."""
    canary = FORMS[form]
    text = b"before it\nhere: " + canary + b" :there\nafter it\n"
    whole = REDACTOR.redact(text)
    core = canary[4:-6] if "base64" in form else canary
    assert core not in whole and whole.startswith(b"before it\nhere: ") and b"[secret]" in whole
    assert whole.endswith(b" :there\nafter it\n")
    for cut in range(len(text) + 1):
        assert stream(REDACTOR, pieces(text, cut)) == whole
    assert stream(REDACTOR, [bytes((byte,)) for byte in text]) == whole
    assert stream(REDACTOR, pieces(text, 17, len(text) - 20)) == whole


def test_a_secret_in_a_line_without_end_is_hidden_wherever_it_stands():
    long = b"x. " * (LONGEST // 2)
    for shift in range(0, 40, 3):
        text = long + b"." * shift + OTHER.encode() + long
        cut = stream(REDACTOR, [text[at : at + 1000] for at in range(0, len(text), 1000)])
        assert cut == text.replace(OTHER.encode(), b"[secret]")


def test_whole_lines_are_not_held_back():
    one = RedactedStream(Redactor.of((OTHER,)))
    assert one.feed(b"a line\nhalf a ") == b"a line\n"
    assert one.feed(b"line\r12 %\r13") == b"half a line\r12 %\r"
    assert one.close() == b"13"


def test_a_private_key_that_never_ends_is_let_go_one_day():
    one = RedactedStream(Redactor())
    assert one.feed(b"-----BEGIN PRIVATE KEY-----\n") == b""
    out = one.feed(b"word, " * KEY_BLOCK)
    assert out.startswith(b"[secret]") or b"word, word" in out


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:8])
@pytest.mark.parametrize("line", ["{}", "KEY = '{}'", "a b\nx={};\n{} {}", "Bearer {}\\n"])
def test_shapes_are_found_as_the_review_finds_them(key, line):
    text = line.replace("{}", key)
    assert Redactor().redact_text(text) == redact(text)
    assert key[4:] not in redact(text)


def test_every_shape_has_a_clue():
    assert {name for clue in CLUES for name in clue.shapes} == {what for what, _ in SHAPES}


def test_what_may_be_a_secret_is_hidden_as_the_review_hides_it():
    for text in (
        f'db_password = "{A[:20]}"',
        f"'api-key': '{A[:24]}'",
        f"postgres://me:{A[:16]}@db.example/x",
        f"eyJ{A}.eyJ{A}.{A}",
    ):
        assert Redactor().redact_text(text) == redact(text) != text


ORDINARY = [
    "tests/test_key.py::test_token_is_kept PASSED  [ 10%]\n",
    "password: ${PASSWORD}, token='changeme-please-1', sk-learn, task-12, gh_pages, glob-x\n",
    "https://user:password@example.org and https://example.org/a:b@c\n",
    "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n",
]


def test_ordinary_text_stays_as_it_is():
    text = "".join(ORDINARY).encode() * 20
    noise = random.Random(4).randbytes(100_000)
    for data in (text, noise, b""):
        assert stream(REDACTOR, [data[at : at + 777] for at in range(0, len(data), 777)]) == data


def test_bytes_that_are_no_text_go_through():
    text = "a\udcffb " + OTHER
    assert REDACTOR.redact_text(text) == "a\udcffb [secret]"


VARIABLES = {
    "GITHUB_TOKEN": True, "AWS_SECRET_ACCESS_KEY": True, "AWS_ACCESS_KEY_ID": True, "PGPASSWORD": True,
    "API_KEY": True, "npm_config__authToken": True, "DJANGO_SECRET_KEY": True, "MY_SECRET": True,
    "DB_PASS": True, "SSH_KEY_PASSPHRASE": True, "SECRET_KEY_BASE": True, "ANTHROPIC_API_KEY": True,
    "HOME": False, "PATH": False, "MONKEY": False, "TOKENIZERS_PARALLELISM": False, "KEYBOARD": False,
    "SSH_AUTH_SOCK": False, "PASSES": False, "LANG": False,
}  # fmt: skip


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_tells_by_its_name_whether_it_is_secret(name):
    assert find_values({name: OTHER}) == ((OTHER,) if VARIABLES[name] else ())


@pytest.mark.parametrize(
    "value", ["", "short", "postgres", "1234567", "DISABLED", "/run/secrets/key.json", "~/.ssh/id"]
)
def test_a_value_that_ordinary_text_has_is_not_hidden(value):
    assert find_values({"API_KEY": value}) == ()


@pytest.mark.parametrize("name", ["PWD", "OLDPWD"])
def test_where_a_shell_is_is_no_secret(name):
    assert find_values({name: "/srv/a+b (1)"}) == ()


def test_a_path_that_leads_somewhere_is_no_secret():
    path, key = "/srv/ci+cd/a,b", "/" + A[:12] + "/" + A[12:30] + "/" + A[30:]
    assert find_values({"DEPLOY_KEY": path}, {path}.__contains__) == ()
    assert find_values({"DEPLOY_KEY": path}) == (path,)
    assert find_values({"DEPLOY_KEY": key}) == (key,), "a key may have slashes"


def test_a_password_in_an_address_is_a_secret_whatever_its_variable_is_called():
    assert find_values({"DATABASE_URL": "postgres://me:hunter2-x9@db.example/x"}) == ("hunter2-x9",)


@pytest.mark.parametrize(
    "piece", [b"://a:", b"key='", b"gh", b"eyJ-", b"-----BEGIN ", b'password="', b"x", b"sk-proj-"]
)
def test_what_looks_like_the_beginning_of_a_secret_takes_no_longer(piece):
    began = time.process_time()
    stream(Redactor(), [piece * (8192 // len(piece))] * 6)
    assert time.process_time() - began < 2
