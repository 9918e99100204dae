"""A real agent does goals in VS Code; its model is scripted, as in `tests/agents`."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest
from playwright.sync_api import expect

from tests.agents.endpoint import serve
from tests.agents.known import configure_kimi
from tests.editors.agents import FOUND, TEXT, WORD, have_one_agent, hears, works
from tests.editors.conftest import OpenFolder
from tests.editors.test_vscode_workbench import approve_gates, await_ready
from tests.editors.workbench import LATER, Workbench
from tests.integration.projects import a_project


@pytest.fixture(autouse=True)
def _one_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    have_one_agent(tmp_path / "config", monkeypatch)


def begin(window: Workbench, way: str) -> None:
    """State the goal for the agent."""
    window.command("Goalproof: New Goal…")
    window.type_in(TEXT, "What is to be true afterwards?")
    window.pick("Kimi Code")
    window.pick(way)
    approve_gates(window)


def test_it_makes_the_plan_that_the_person_reads_does_it_and_reviews_the_result(
    vscode: OpenFolder, cradle: Path, tmp_path: Path
) -> None:
    with serve(works, TEXT) as model:
        window = vscode(a_project(tmp_path / "project"))
        configure_kimi(cradle / "profile" / "home", model.url)
        begin(window, "Let an agent plan first")
        expect(window.tab("plan.toml")).to_be_visible(timeout=LATER)
        expect(window.line("all-green")).to_be_visible(timeout=LATER)
        window.lens("Run this plan").click()
        window.answer_toast("run_tests.py", "Allow")
        await_ready(window)
        window.shot("agent")
        window.clear_toasts()
        window.command("Goalproof: Review with an Agent…")
        expect(window.webview().get_by_text(FOUND).first).to_be_visible(timeout=LATER)
    assert model.problems == []
    window.open_file("calc.py")
    expect(window.lens("Apply")).to_be_visible(timeout=LATER)


def test_it_is_denied_and_allowed_what_it_asks_and_told_a_word_from_its_log(
    vscode: OpenFolder, tmp_path: Path, cradle: Path
) -> None:
    told, denied = Event(), "python3 calc.py"
    with serve(hears(told, denied, "python3 run_tests.py"), TEXT) as model:
        window = vscode(a_project(tmp_path / "project"))
        configure_kimi(cradle / "profile" / "home", model.url)
        window.command("Goalproof: Check This Machine…")
        window.pick("agent kimi", LATER)
        begin(window, "Run now")
        window.answer_toast(denied, "Deny")
        window.command("Goalproof: Show Log of a Goal…")
        window.pick(TEXT, LATER)
        expect(window.line("asks to execute: python3 run_tests.py")).to_be_visible(timeout=LATER)
        window.press_title("Allow or Deny What the Agent Asks…")
        window.pick("Allow", LATER)
        expect(window.line("allowed by person")).to_be_visible(timeout=LATER)
        model.wait_for(3)
        window.press_title("Say a Word to the Agent…")
        window.type_in(WORD, "What should the agent of")
        expect(window.toast("hears it as soon as it listens")).to_be_visible(timeout=LATER)
        told.set()
        expect(window.line(f"the person says: {WORD}")).to_be_visible(timeout=LATER)
        expect(window.line("denied by person")).to_be_visible()
        window.shot("told")
        await_ready(window)
    assert model.problems == []
    assert "not run" in str(model.asked[1].results)
