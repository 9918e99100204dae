"""What a tool says that may not fetch is answered with what to fetch, in the words of real tools."""

from __future__ import annotations

import pytest

from goal_engine.gates.offline import LOOKED, find_need

CARGO = (
    b"error: no matching package named `itoa` found\nlocation searched: crates.io index\nrequired by"
    b" package `cr v0.1.0 (/w)`\nAs a reminder, you're using offline mode (--offline) which can"
    b" sometimes cause surprising resolution failures, if this error is too confusing you may wish"
    b" to retry without `--offline`.\n"
)
CARGO_CRATE = (
    b"error: failed to download `itoa v1.0.11`\n\nCaused by:\n  attempting to make an HTTP request,"
    b" but --offline was specified\n"
)
GO = b"shop.go:3:8: no required module provides package: module lookup disabled by GOPROXY=off\n"
YARN = (
    b"YN0080: left-pad@npm:1.3.0: Request to 'URL' has been"
    b" blocked because of your configuration settings\n"
)
PNPM = b" ERR_PNPM_NO_OFFLINE_META  Failed to resolve left-pad@1.3.0 in package mirror x.json\n"
NPM = b"npm error code ENOTCACHED\nnpm error request to URL failed\n"
UV = b"hint: Packages were unavailable because the network was disabled. When the network is disabled"


@pytest.mark.parametrize(
    ("output", "command"),
    [
        (CARGO, "`cargo fetch`"),
        (CARGO_CRATE, "`cargo fetch`"),
        (GO, "`go mod download`"),
        (YARN, "`yarn install`"),
        (PNPM, "`pnpm install`"),
        (NPM, "`npm ci`"),
        (UV, "install them in the checkout"),
    ],
)
def test_what_is_missing_is_told_with_the_command_that_gets_it(output: bytes, command: str) -> None:
    advice = find_need(b"x" * LOOKED + output)
    assert command in advice and "on this machine" in advice


@pytest.mark.parametrize("output", [b"", b"1 test failed\n", CARGO + b"y" * LOOKED])
def test_what_fails_for_another_reason_is_left_alone(output: bytes) -> None:
    assert find_need(output) == ""
