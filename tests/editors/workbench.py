"""What a person does in the VS Code workbench, and what they see there.

Selectors are those of the pinned version.  Everything waits for what it needs, none of it sleeps.
Monaco draws spaces as U+00A0, so text is compared with any white space for a space.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Error, FrameLocator, Locator, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SIZE = {"width": 1280, "height": 800}
SECONDS = 1000
"""Playwright counts milliseconds."""
SOON = 30 * SECONDS
"""What takes the workbench alone."""
expect.set_options(timeout=SOON)
OPENS = 5 * SECONDS
"""In which a list that opens at all is there."""
POLL = 100
"""Between two looks at what the window cannot tell."""
LATER = 90 * SECONDS
"""What takes the server, a goal or a start."""


OURS = re.compile(
    r"(?:https?|wss?)://127\.0\.0\.1[:/]|data:|blob:"
    r"|https://vscode-remote\+127-002e0-002e0-002e1-003a\d+\.vscode-resource\.vscode-cdn\.net/"
)
"""The addresses of this machine; the last is one that VS Code's own worker in the page answers."""

WATCH = """() => {
  const said = (window.saidByStatus = []);
  const bar = document.querySelector('.part.statusbar');
  const look = () => {
    for (const item of bar.querySelectorAll('.statusbar-item')) {
      if (!said.includes(item.textContent)) said.push(item.textContent);
    }
  };
  new MutationObserver(look).observe(bar, { subtree: true, childList: true, characterData: true });
}"""


@contextmanager
def open_browser(chromium: Path) -> Iterator[Browser]:
    """Hold a headless browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def words(text: str) -> re.Pattern[str]:
    """Return a pattern for plain text in which any white space stands for a space."""
    return re.compile(r"\s+".join(map(re.escape, text.split())))


@dataclass
class Workbench:
    """One window on one folder."""

    page: Page
    shots: Path
    """Where pictures go."""
    pid: int = 0
    """The server behind the window."""
    settings: Path = Path()
    """The settings of the machine, which may change while it runs."""
    console: list[str] = field(default_factory=list)
    """What the window wrote to the browser's console: warnings and errors."""
    strangers: set[str] = field(default_factory=set)
    """The hosts that the window asked for something, besides ours."""

    def __post_init__(self) -> None:
        self.page.set_default_timeout(SOON)
        self.page.on(
            "console",
            lambda said: (
                self.console.append(said.text) if said.type in ("error", "warning") else None
            ),
        )

    def open(self, url: str) -> None:
        """Open a folder by its address."""
        self.page.goto(url)
        self.await_ready()

    def reload(self) -> None:
        """Load the window anew, as after a crash or an update."""
        self.page.reload()
        self.await_ready()

    def await_ready(self) -> None:
        """Wait for the workbench and its explorer."""
        expect(self.page.locator(".monaco-workbench")).to_be_visible(timeout=LATER)
        expect(self.page.locator(".explorer-folders-view")).to_be_visible(timeout=LATER)

    def watch_status(self) -> None:
        """Note from now on what the status bar says, however short it says it."""
        self.page.evaluate(WATCH)

    def read_status(self) -> list[str]:
        """Return what the status bar's items have said since they were watched."""
        said: list[str] = self.page.evaluate("window.saidByStatus")
        return [" ".join(text.split()) for text in said]

    def await_that(self, condition: Callable[[], bool], timeout: float = LATER) -> None:
        """Wait for something outside of the window, such as the content of a file."""
        deadline = time.monotonic() + timeout / SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"this did not come true within {timeout / SECONDS:.0f} s")
            self.page.wait_for_timeout(POLL)  # lets the window's own events through

    # the palette and its boxes

    @property
    def quick(self) -> Locator:
        """The box at the top: palette, pickers, inputs."""
        return self.page.locator(".quick-input-widget:visible")

    @property
    def quick_input(self) -> Locator:
        return self.quick.locator("input.input")

    def row(self, text: str) -> Locator:
        """Return the first row of the box that has `text`."""
        return self.quick.locator(".monaco-list-row").filter(has_text=words(text)).first

    def show_palette(self, text: str) -> None:
        """Open the palette with `text` typed."""
        self.page.keyboard.press("F1")
        expect(self.quick_input).to_be_visible()
        self.quick_input.fill(f">{text}")

    def command(self, title: str, timeout: float = LATER) -> None:
        """Run a command by its title, once it is offered."""
        self.await_command(title, timeout, stay=True)
        self.row(title).click()

    def await_command(self, title: str, timeout: float = LATER, *, stay: bool = False) -> None:
        """Wait until a command is offered; a palette that is open does not learn of it."""
        deadline = time.monotonic() + timeout / SECONDS
        while not self.offers(title, stay=stay):
            if time.monotonic() > deadline:
                raise AssertionError(f"the palette never offered {title!r}")

    def offers(self, title: str, *, stay: bool = False) -> bool:
        """Tell whether the palette has a command; with `stay` it is left open where it has."""
        self.show_palette(title)
        expect(self.quick.locator(".monaco-list-row").first).to_be_visible()
        offered = self.row(title).is_visible()
        if not (offered and stay):
            self.page.keyboard.press("Escape")
            expect(self.quick).to_be_hidden()
        return offered

    def pick(self, text: str, timeout: float = SOON) -> None:
        """Choose a row of the picker that is open or about to open."""
        row = self.row(text)
        expect(row).to_be_visible(timeout=timeout)
        row.click()

    def type_in(self, text: str, prompt: str = "") -> None:
        """Answer the input box that is open or about to open."""
        if prompt:
            expect(self.quick).to_contain_text(words(prompt))
        expect(self.quick_input).to_be_visible()
        self.quick_input.fill(text)
        self.page.keyboard.press("Enter")

    # what the window shows

    def status(self, pattern: str) -> Locator:
        """Return the item of the status bar whose text matches."""
        return self.page.locator(".statusbar-item").filter(has_text=re.compile(pattern)).first

    def await_status(self, pattern: str, timeout: float = LATER) -> None:
        """Wait until the status bar says something."""
        expect(self.status(pattern)).to_be_visible(timeout=timeout)

    def toast(self, text: str) -> Locator:
        """Return the notification that has `text`."""
        return self.page.locator(".notification-toast").filter(has_text=words(text)).first

    def answer_toast(self, text: str, button: str, timeout: float = LATER) -> None:
        """Press a button of a notification."""
        toast = self.toast(text)
        expect(toast).to_be_visible(timeout=timeout)
        toast.locator(".monaco-button").filter(has_text=words(button)).first.click()

    def clear_toasts(self) -> None:
        """Close every notification."""
        self.command("Notifications: Clear All Notifications")

    def dialog(self, text: str) -> Locator:
        """Return the modal question that has `text`."""
        return self.page.locator(".monaco-dialog-box").filter(has_text=words(text)).first

    def answer_dialog(self, text: str, button: str, timeout: float = LATER) -> None:
        """Press a button of a modal question."""
        dialog = self.dialog(text)
        expect(dialog).to_be_visible(timeout=timeout)
        dialog.locator(".monaco-button").filter(has_text=words(button)).first.click()

    def read_clipboard(self) -> str:
        """Return what was copied."""
        copied: str = self.page.evaluate("navigator.clipboard.readText()")
        return copied

    # files

    def open_file(self, name: str) -> None:
        """Open a file of the folder by its name, or go to it: a diff of it may be open as well."""
        tab = self.page.locator(f'.tab[data-resource-name="{Path(name).name}"]')
        if tab.count():
            tab.first.click()
        else:
            self.page.keyboard.press("Control+P")
            expect(self.quick_input).to_be_visible()
            self.quick_input.fill(name)
            self.pick(Path(name).name)
        expect(tab.first).to_have_attribute("aria-selected", "true")

    def escape(self, shown: Locator) -> None:
        """Leave what is shown, which may not have the focus."""

        def is_gone() -> bool:
            if shown.is_visible():
                shown.click(position={"x": 10, "y": 10})
                self.page.keyboard.press("Escape")
            return not shown.is_visible()

        self.await_that(is_gone)

    def tab(self, name: str) -> Locator:
        """Return the tab of an open editor."""
        return self.page.locator(".tab").filter(has_text=words(name)).first

    def press_title(self, name: str) -> None:
        """Press a button in the title of the editor that is shown."""
        button = self.page.locator(".editor-actions a.action-label").and_(
            self.page.get_by_label(name)
        )
        expect(button.first).to_be_visible(timeout=LATER)
        button.first.click()

    def line(self, text: str) -> Locator:
        """Return the line of an editor that has `text`."""
        return self.lines(text).first

    def lines(self, text: str) -> Locator:
        """Return the lines of editors that have `text`."""
        return self.page.locator(".view-line").filter(has_text=words(text))

    def lens(self, text: str) -> Locator:
        """Return the code lens that has `text`."""
        return self.page.locator(".codelens-decoration a").filter(has_text=words(text)).first

    def problem(self) -> Locator:
        """Return the first stretch of text that is underlined as wrong."""
        return self.page.locator(".squiggly-error, .squiggly-warning").first

    def action(self, text: str) -> Locator:
        """Return the code action that has `text`, of those that are shown."""
        return self.page.locator(".action-widget .monaco-list-row").filter(has_text=text).first

    def choose_action_of_line(self, text: str) -> None:
        """Select a line and choose a code action; the list may close again, as a line just selected is.

        The key that puts such a list away takes the selection away as well.
        """
        give_up = time.monotonic() + LATER / SECONDS
        while True:
            for keys in ("Home", "Shift+End", "Control+."):
                self.page.keyboard.press(keys)
            try:
                return self.action(text).click(timeout=OPENS)
            except PlaywrightTimeout:
                if time.monotonic() > give_up:
                    raise
            self.page.keyboard.press("Escape")

    def close_editors(self) -> None:
        """Close every editor."""
        self.command("View: Close All Editors")

    def webview(self) -> FrameLocator:
        """Return the page that an extension shows, such as rendered markdown."""
        outer = self.page.frame_locator("iframe.webview.ready").last
        return outer.frame_locator("iframe#active-frame")

    def show_side_bar(self, name: str) -> None:
        """Open a view of the side bar by the name of its icon."""
        self.page.get_by_role("tab", name=name, exact=True).click()

    def tree(self, text: str) -> Locator:
        """Return the row of a tree in the side bar that has `text`."""
        return self.page.locator(".pane .monaco-list-row").filter(has_text=words(text)).first

    def unfold(self, text: str) -> None:
        """Show what is under a row of a tree."""
        row = self.tree(text)
        expect(row).to_be_visible(timeout=LATER)
        if row.get_attribute("aria-expanded") != "true":
            row.click()
        expect(row).to_have_attribute("aria-expanded", "true")

    # pictures

    def shot(self, name: str, part: Locator | None = None) -> Path:
        """Keep a picture of the window, or of a part of it."""
        self.shots.mkdir(parents=True, exist_ok=True)
        path = self.shots / f"{name}.png"
        if part is None:
            self.page.screenshot(path=path)
        else:
            part.screenshot(path=path)
        return path

    def try_shot(self, name: str) -> str:
        """Keep a picture for a failure's report; a window that is gone gives none."""
        try:
            return str(self.shot(name))
        except Error as error:
            return f"no picture: {error.message.splitlines()[0]}"


@contextmanager
def open_window(browser: Browser, shots: Path) -> Iterator[Workbench]:
    """Hold a window that nobody used before; it notes every host besides ours that it asks."""
    context = browser.new_context(
        viewport={"width": SIZE["width"], "height": SIZE["height"]},
        permissions=["clipboard-read", "clipboard-write"],
    )
    workbench = Workbench(context.new_page(), shots)
    context.on(
        "request",
        lambda asked: None if OURS.match(asked.url) else workbench.strangers.add(asked.url),
    )
    try:
        yield workbench
    finally:
        context.close()
