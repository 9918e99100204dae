"""Whatever an environment says about the checkout is said about the workspace instead.

The rule for the user's `.pth` files, which a view does not process but reads:

* a directory inside the checkout (every `.pth` editable install) → the same directory in the
  workspace, ahead of the user's site-packages;
* a directory elsewhere → kept, behind them;
* an `import` line → kept, after all directories; where it names a module beside it that mentions
  the checkout (an editable finder), a re-rooted copy of the module goes into the view.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from goal_engine.syntax import read_literal

IMPORTED = re.compile(r"(?:^|;)\s*import\s+([A-Za-z_][\w.]*)|__import__\(['\"]([\w.]+)")
SETUPTOOLS_MAPPING = re.compile(r"^(?:MAPPING|NAMESPACES)\b[^=\n]*=\s*(\{.*\})\s*$", re.MULTILINE)
EDITABLES_MAPPING = re.compile(r"map_module\(\s*(['\"].*?['\"])\s*,\s*(['\"].*?['\"])\s*\)")
SITE_OF_THE_CALLER = "sys._getframe(1).f_locals['sitedir']"
"""How a `-nspkg.pth` asks where it lies; from the view it would hear the wrong place."""


@dataclass(frozen=True, slots=True)
class Rerooting:
    """Moves paths and text from `checkout` to `workspace`, leaving the venv inside it alone."""

    checkout: Path
    workspace: Path
    kept: Path
    """The user's environment: often inside the checkout, never part of it."""

    def path(self, path: Path) -> Path | None:
        """Return where `path` lies in the workspace, or None when it is not the checkout's."""
        for root in self._spellings():
            if path.is_relative_to(root) and not self._is_kept(path, root):
                return self.workspace / path.relative_to(root)
        return None

    def text(self, text: str) -> str:
        """Return `text` with every path of the checkout replaced; neighbours stay as they are."""
        for root in self._spellings():
            kept = ""
            if self._is_kept(self.kept, root):
                kept = rf"(?!/{re.escape(str(self.kept.relative_to(root)))}(?![\w.-]))"
            pattern = rf"(?<![\w./-]){re.escape(str(root))}{kept}(?![\w.-])"
            text = re.sub(pattern, lambda _: str(self.workspace), text)
        return text

    def _is_kept(self, path: Path, root: Path) -> bool:
        inside = self.kept != root and self.kept.is_relative_to(root)
        return inside and path.is_relative_to(self.kept)

    def _spellings(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys((self.checkout, self.checkout.resolve())))


@dataclass(slots=True)
class PathFiles:
    """What the view's one `.pth` file says, in order, and the modules that it imports."""

    rerooted: list[Path] = field(default_factory=list)
    elsewhere: list[Path] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    modules: dict[str, str] = field(default_factory=dict)
    packages: dict[str, Path] = field(default_factory=dict)
    """Top-level names of editable installs, each with its place in the workspace."""

    def render(self, sites: Iterable[Path]) -> str:
        """Return the text of the `.pth` file: the workspace first, then the user's packages."""
        paths = [*self.rerooted, *sites, *self.elsewhere]
        return "".join(f"{line}\n" for line in [*dict.fromkeys(map(str, paths)), *self.imports])


def read_path_files(sites: Iterable[Path], rerooting: Rerooting) -> PathFiles:
    """Read the `.pth` files of `sites` in the order Python does; hidden files are not read."""
    found = PathFiles()
    for site in sites:
        for file in sorted(site.glob("*.pth")):
            if not file.name.startswith("."):
                text = file.read_text("utf-8-sig", errors="surrogateescape")
                for line in text.splitlines():
                    _read_line(found, line.rstrip(), site, rerooting)
    for directory in found.rerooted:
        found.packages.update(top_level(directory, rerooting.workspace))
    return found


def _read_line(found: PathFiles, line: str, site: Path, rerooting: Rerooting) -> None:
    if not line.strip() or line.startswith("#"):
        return
    if not line.startswith(("import ", "import\t")):
        moved = rerooting.path(site / line)
        (found.elsewhere if moved is None else found.rerooted).append(moved or site / line)
        return
    for name in filter(None, (one or other for one, other in IMPORTED.findall(line))):
        module = site / f"{name}.py"
        if module.is_file():
            text = module.read_text("utf-8", errors="surrogateescape")
            moved_text = rerooting.text(text)
            if moved_text != text:
                found.modules[name] = moved_text
                found.packages.update(_mapped(moved_text, rerooting.workspace))
    found.imports.append(rerooting.text(line).replace(SITE_OF_THE_CALLER, repr(str(site))))


def _mapped(finder: str, workspace: Path) -> Mapping[str, Path]:
    """Return the top-level names that an editable finder maps into the workspace."""
    pairs: dict[str, str] = {}
    for table in SETUPTOOLS_MAPPING.findall(finder):
        for name, places in read_literal(table).items():
            for place in [places] if isinstance(places, str) else places[:1]:
                pairs[name] = place
    for name, place in EDITABLES_MAPPING.findall(finder):
        pairs[read_literal(name)] = read_literal(place)
    return {
        name: Path(place)
        for name, place in pairs.items()
        if "." not in name and Path(place).is_relative_to(workspace)
    }


def top_level(directory: Path, workspace: Path) -> Mapping[str, Path]:
    """Return what a re-rooted `directory` lets one import, by name.

    Loose modules count unless the directory is the workspace itself, where they are `setup.py` and
    the like; names that the standard library has never come from here.
    """
    found = {file.parent.name: file.parent for file in directory.glob("*/__init__.py")}
    if directory != workspace:
        found |= {file.stem: file for file in directory.glob("*.py")}
    return {name: at for name, at in found.items() if name not in sys.stdlib_module_names}
