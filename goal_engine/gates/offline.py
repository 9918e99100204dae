"""What tools say when they need something that is not on this machine, and what to do about it.

Gates fetch nothing: what they need the person fetches once, in the checkout.
"""

from __future__ import annotations

import re

NEEDS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (
        re.compile(rb"you're using offline mode \(--offline\)|but --offline was specified"),
        "crates that it needs are not on this machine: run `cargo fetch` in the checkout",
    ),
    (
        re.compile(rb"module lookup disabled by GOPROXY=off"),
        "modules that it needs are not on this machine: run `go mod download` in the checkout",
    ),
    (
        re.compile(rb"ERR_PNPM_NO_OFFLINE_(?:TARBALL|META)"),
        "packages that it needs are not on this machine: run `pnpm install` in the checkout",
    ),
    (
        re.compile(rb"code ENOTCACHED"),
        "packages that it needs are not on this machine: run `npm ci` in the checkout",
    ),
    (
        re.compile(rb"has been blocked because of your configuration settings"),
        "packages that it needs are not on this machine: run `yarn install` in the checkout",
    ),
    (
        re.compile(rb"the network (?:was|is) disabled"),
        "packages that it needs are not on this machine: install them in the checkout first",
    ),
)
"""By the words of cargo 1.95, Go 1.19, pnpm 10, npm 11, yarn 4 and uv."""
LOOKED = 1 << 20
"""Bytes at the end of an output that are looked through."""


def find_need(output: bytes) -> str:
    """Return what the person has to fetch for a gate that printed `output`; empty for nothing."""
    told = output[-LOOKED:]
    return next((advice for pattern, advice in NEEDS if pattern.search(told)), "")
