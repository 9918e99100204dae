"""Yarn's map of packages says the same in a workspace, wherever that is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from goal_engine.errors import EnvironmentUnusable
from goal_engine.runtime import plug_n_play
from goal_engine.runtime.environment import Environment, view_environment
from goal_engine.runtime.interpreter import NO_PYTHON
from goal_engine.runtime.plug_n_play import LOCATION, VIRTUAL, move_map
from goal_engine.runtime.rerooting import Rerooting
from tests.integration.test_environment import git

pytestmark = pytest.mark.one_python

OLD, NEW = Path("/srv/ann/shop"), Path("/state/ws/of/a/goal/task")
REROOTING = Rerooting(OLD, NEW, Path("/nowhere"))


def resolve(location: str, folder: Path) -> Path:
    """Return the place that yarn would look at, as its VirtualFS does."""
    if virtual := VIRTUAL.match(location):
        ups = "../" * int(virtual["depth"])
        location = f"{virtual['place']}/{ups}{virtual['path']}"
    return Path(os.path.normpath(folder / location))


@pytest.mark.parametrize(
    "location",
    [
        "./",
        "./packages/cart/",
        "./.yarn/cache/ms-npm-2.1.3-10c0.zip/node_modules/ms/",
        "./.yarn/unplugged/esbuild-npm-0.1/node_modules/esbuild/",
        "./.yarn/__virtual__/react-dom-virtual-ab12/0/cache/react-dom-10c0.zip/node_modules/react-dom/",
        "./.yarn/__virtual__/cart-virtual-ab12/1/packages/cart/",
    ],
)
def test_what_lies_in_the_checkout_is_the_workspace_s_own(location: str) -> None:
    text = f'        "packageLocation": "{location}",\\\n'
    assert move_map(text, OLD, NEW, REROOTING) == text
    assert resolve(location, NEW).is_relative_to(NEW)


@pytest.mark.parametrize(
    "location",
    [
        "../../.yarn/berry/cache/ms-npm-2.1.3-10c0.zip/node_modules/ms/",
        "../shop-of-a-neighbour/",
        "./.yarn/__virtual__/react-dom-virtual-ab12/3/.yarn/berry/cache/react.zip/node_modules/react/",
        "./.yarn/__virtual__/x-virtual-ab12/5/opt/yarn/cache/x.zip/node_modules/x/",
    ],
)
def test_what_lies_elsewhere_is_found_from_the_workspace_as_well(location: str) -> None:
    text = f'  "packageLocation": "{location}",\n'
    moved = LOCATION.search(move_map(text, OLD, NEW, REROOTING))
    assert moved is not None and moved[2] != location
    assert resolve(moved[2], NEW) == resolve(location, OLD)
    assert moved[2].endswith("/")


MAP = json.dumps({"packageRegistryData": [["a", [["1", {"packageLocation": "../cache/a/"}]]]]})


class Shop:
    """A checkout with yarn's files, which git ignores, and a workspace of its commit elsewhere."""

    def __init__(self, folder: Path, ignored: str = ".pnp.*\n.yarn/*\n") -> None:
        self.checkout, self.workspace = folder / "checkout", folder / "far" / "away" / "ws"
        self.write("package.json", "{}")
        self.write(".gitignore", ignored)
        self.write(".pnp.cjs", f"module.exports = {MAP}\n")
        self.write(".yarn/cache/b.zip", "packed\n")
        self.write(".yarn/unplugged/c/node_modules/c/index.js", "unplugged\n")
        self.write(".yarn/install-state.gz", "state\n")
        self.write(".yarn/build-state.yml", "the checkout's\n")
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "base"]):
            git(*who, *command, cwd=self.checkout)
        git("clone", "-q", str(self.checkout), str(self.workspace), cwd=folder)

    def write(self, path: str, text: str) -> None:
        (self.checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (self.checkout / path).write_text(text)

    def view(self) -> Environment:
        return view_environment(NO_PYTHON, self.checkout, self.workspace)


def test_what_yarn_keeps_in_the_checkout_is_copied_and_no_part_of_a_result(tmp_path: Path) -> None:
    shop = Shop(tmp_path.resolve())
    view = shop.view()
    kept = (".yarn/cache", ".yarn/unplugged", ".pnp.cjs", ".yarn/install-state.gz")
    assert view.exclude == kept
    assert '"../../../cache/a/"' in (shop.workspace / ".pnp.cjs").read_text()
    assert (shop.workspace / ".yarn/cache/b.zip").read_text() == "packed\n"
    assert (shop.workspace / ".yarn/unplugged/c/node_modules/c/index.js").is_file()
    assert not (shop.workspace / ".yarn/build-state.yml").exists()
    shop.write(".pnp.cjs", "module.exports = {}\n")
    (shop.workspace / ".pnp.cjs").unlink()
    assert shop.view().key != view.key


def test_what_is_committed_is_judged_and_stays_as_it_is(tmp_path: Path) -> None:
    shop = Shop(tmp_path.resolve(), ".yarn/*\n!.yarn/cache\n")
    view = shop.view()
    assert view.exclude == (".yarn/unplugged", ".yarn/install-state.gz")
    git("diff", "--exit-code", "HEAD", cwd=shop.workspace)
    (shop.workspace / ".yarn/cache/b.zip").unlink()
    (shop.workspace / ".yarn/cache").rmdir()
    assert ".yarn/cache" not in shop.view().exclude  # a change may well have removed it


def test_nothing_is_copied_through_a_link(tmp_path: Path) -> None:
    shop = Shop(tmp_path.resolve())
    outside = tmp_path / "outside"
    outside.mkdir()
    (shop.workspace / ".yarn").symlink_to(outside)
    assert shop.view().exclude == (".pnp.cjs",)
    assert list(outside.iterdir()) == []


def test_a_map_that_is_none_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path.resolve())
    monkeypatch.setattr(plug_n_play, "LARGEST", 3)
    with pytest.raises(EnvironmentUnusable, match="no map of yarn's; run `yarn install`"):
        shop.view()
