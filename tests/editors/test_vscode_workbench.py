"""A person does whole goals in the VS Code workbench, and sees what goes on and what to do next."""

from __future__ import annotations

import re
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
from playwright.sync_api import expect

from tests.editors.conftest import OpenFolder
from tests.editors.projects import UNTIDY, a_held_project, a_shop, an_untidy_project
from tests.editors.workbench import LATER, Workbench
from tests.integration.projects import a_project

GATES = "This repository asks to run"
MOVING = r"^\s*\w+\s+\d/\d\s*$"
ADDS = """
goal = "Make sums right in calc.py"
[[criterion]]
id = "adds"
text = "Sums are right"
evidence = "flips"
gate = "tests"
tests = ["tests.test_calc.CalcTest::test_add"]
[[task]]
id = "fix"
title = "Fix the sum"
writes = ["calc.py"]
steps = [{ replace = "calc.py", old = "2 * a", new = "a * 2" }]
"""
"""A plan that does not reach its goal."""
IDLE = r"^\s*Goalproof\s*$"


def approve_gates(window: Workbench) -> None:
    """Let the repository's gates run."""
    window.answer_dialog(GATES, "Approve and Run")


def run_plan(window: Workbench, name: str = "plan.toml") -> None:
    """Open a plan of the folder and run it."""
    window.open_file(name)
    window.command("Goalproof: Run Plan…")
    approve_gates(window)


def await_ready(window: Workbench) -> None:
    """Wait for the word that a goal is ready."""
    expect(window.toast("is ready")).to_be_visible(timeout=LATER)


def state_of(project: Path) -> str:
    """Return what git sees of the checkout: nothing where it is as it was."""
    done = subprocess.run(
        ("git", "status", "--porcelain"), cwd=project, check=True, capture_output=True, text=True
    )
    return done.stdout


def find_servers(window: Workbench) -> list[psutil.Process]:
    """Return the language servers of a window."""
    found = []
    for process in psutil.Process(window.pid).children(recursive=True):
        with suppress(psutil.Error):
            if any(word.endswith("bundled/tool/server.py") for word in process.cmdline()):
                found.append(process)
    return found


def test_a_goal_from_the_palette_is_planned_read_edited_and_run(
    vscode: OpenFolder, tmp_path: Path
) -> None:
    project = an_untidy_project(tmp_path / "project")
    window = vscode(project)
    window.command("Goalproof: New Goal…")
    window.type_in("Make the linter pass", "What is to be true afterwards?")
    window.pick("No agent")
    window.pick("Plan first")
    approve_gates(window)
    expect(window.tab("plan.toml")).to_be_visible(timeout=LATER)
    expect(window.lens("Run this plan")).to_be_visible(timeout=LATER)
    window.shot("plan")
    window.line("Gate lint passes").click()
    window.page.keyboard.press("End")
    window.page.keyboard.press("ArrowLeft")
    window.page.keyboard.type(", as everybody sees")
    window.lens("Run this plan").click()
    await_ready(window)
    assert (project / "greeting.py").read_text() == UNTIDY
    window.command("Goalproof: Open Proof of a Goal…")
    page = window.webview()
    expect(page.get_by_text("Gate lint passes, as everybody sees").first).to_be_visible()


def test_the_demo_goal_goes_from_plan_to_diff_apply_undo_proof_and_re_execution(
    vscode: OpenFolder, tmp_path: Path
) -> None:
    project = a_shop(tmp_path / "shop")
    prices = project / "shop" / "prices.py"
    before = prices.read_text()
    window = vscode(project)
    window.watch_status()
    run_plan(window)
    await_ready(window)
    said = window.read_status()
    assert any(re.fullmatch(r"\w+ \d/\d", text) for text in said), said
    assert any(re.fullmatch(r"Fix the four bugs.*: \w+ \d/\d", text) for text in said), said
    window.shot("ready")
    window.clear_toasts()
    window.await_status(IDLE)
    assert prices.read_text() == before and state_of(project) == ""

    window.open_file("shop/prices.py")
    expect(window.lens("Apply")).to_be_visible(timeout=LATER)
    window.shot("lens")
    window.lens("+1 −1").click()
    expect(window.page.locator(".monaco-diff-editor").first).to_be_visible(timeout=LATER)
    expect(window.line("ROUND_HALF_UP")).to_be_visible()
    window.shot("diff")

    window.command("Goalproof: Apply Goal to the Checkout…")
    window.answer_dialog("to your files?", "Apply")
    expect(window.toast("Undo takes it back out")).to_be_visible(timeout=LATER)
    window.await_that(lambda: "ROUND_HALF_UP" in prices.read_text())
    window.shot("applied")
    window.open_file("shop/prices.py")
    expect(window.lens("✓")).to_be_visible(timeout=LATER)
    window.shot("present")
    window.answer_toast("Undo takes it back out", "Undo")
    window.await_that(lambda: prices.read_text() == before and state_of(project) == "")

    window.clear_toasts()
    window.command("Goalproof: Open Proof of a Goal…")
    expect(window.webview().get_by_text("Half a cent is rounded up").first).to_be_visible()
    window.shot("proof")
    window.command("Goalproof: Verify Proof of a Goal…")
    expect(window.toast("REPRODUCED")).to_be_visible(timeout=LATER)
    window.shot("reproduced")
    assert window.strangers == set()


def test_a_person_does_a_task_in_its_folder_and_hands_it_in(
    vscode: OpenFolder, tmp_path: Path
) -> None:
    project = a_project(tmp_path / "project")
    window = vscode(project)
    window.command("Goalproof: New Goal…")
    window.type_in("Make sums right in calc.py")
    window.pick("I do it myself", LATER)
    window.pick("Run now")
    approve_gates(window)
    window.await_status("a task waits for you")
    window.shot("manual")
    window.command("Goalproof: Open Folder of a Task…")
    window.pick("Copy its path", LATER)
    window.await_that(lambda: window.read_clipboard().startswith("/"))
    calc = Path(window.read_clipboard()) / "calc.py"
    calc.write_text(calc.read_text().replace("a - b", "a + b"))
    window.command("Goalproof: Submit Manual Task…")
    window.command("Goalproof: Accept Criterion…")
    window.type_in("I added two and three by hand", "Why is")
    window.await_status(IDLE)
    window.command("Goalproof: List Goals…")
    expect(window.row("ready")).to_be_visible(timeout=LATER)
    assert "a - b" in (project / "calc.py").read_text()


def test_a_failing_test_is_underlined_and_becomes_a_goal(
    vscode: OpenFolder, tmp_path: Path
) -> None:
    project = a_project(tmp_path / "project", **{"plan.toml": ADDS})
    window = vscode(project)
    run_plan(window)
    expect(window.toast("is not ready")).to_be_visible(timeout=LATER)
    window.shot("not-ready")
    window.clear_toasts()
    window.open_file("tests/test_calc.py")
    expect(window.problem()).to_be_visible(timeout=LATER)
    window.command("Go to Next Problem in Files")
    window.shot("problem")
    window.page.keyboard.press("Escape")
    window.page.keyboard.press("Control+.")
    again = window.action("Run the gates of this goal again")
    expect(again).to_be_visible(timeout=LATER)
    window.page.keyboard.press("Escape")
    expect(again).to_be_hidden()
    window.choose_action_of_line("New goal from this…")
    expect(window.quick).to_contain_text("What is to be true afterwards?")
    window.shot("from-problem")


def test_the_status_bar_pauses_resumes_and_cancels(vscode: OpenFolder, tmp_path: Path) -> None:
    release = tmp_path / "release"
    project = a_held_project(tmp_path / "project", release)
    window = vscode(project)
    run_plan(window)
    window.await_status(MOVING)
    window.command("Goalproof: Show Log of a Goal…")
    window.pick("Make sums right", LATER)
    expect(window.line("waiting for a word")).to_be_visible(timeout=LATER)
    window.shot("log")
    window.show_side_bar("Goalproof")
    window.unfold("Make sums right")
    window.unfold("Tasks")
    expect(window.tree("Wait for a word")).to_be_visible(timeout=LATER)
    window.shot("tree")
    window.status(MOVING).click()
    window.shot("menu")
    window.pick("Pause")
    window.await_status(IDLE)
    expect(window.line("── end ──")).to_be_visible(timeout=LATER)
    window.press_title("Resume Goal…")
    window.await_status(MOVING)
    expect(window.lines("waiting for a word")).to_have_count(2, timeout=LATER)
    window.press_title("Pause Goal…")
    window.await_status(IDLE)
    window.status(IDLE).click()
    window.pick("Resume")
    window.await_status(MOVING)
    window.status(MOVING).click()
    window.pick("Cancel")
    window.answer_dialog("for good?", "Cancel Goal")
    window.await_status(IDLE)
    window.command("Goalproof: List Goals…")
    expect(window.row("cancelled")).to_be_visible(timeout=LATER)


def test_gates_that_are_not_approved_do_not_run(vscode: OpenFolder, tmp_path: Path) -> None:
    project = a_shop(tmp_path / "shop")
    window = vscode(project)
    window.open_file("plan.toml")
    window.command("Goalproof: Run Plan…")
    expect(window.dialog(GATES)).to_contain_text("run_tests.py", timeout=LATER)
    window.shot("gates")
    window.page.keyboard.press("Escape")
    expect(window.dialog(GATES)).to_be_hidden()
    assert not (project / ".goalproof" / "goals").exists()
    window.command("Goalproof: Run Plan…")
    approve_gates(window)
    await_ready(window)


def test_an_untrusted_folder_runs_nothing_until_it_is_trusted(
    vscode: OpenFolder, tmp_path: Path
) -> None:
    project = a_shop(tmp_path / "shop")
    window = vscode(project, trust_all=False)
    expect(window.status("Restricted Mode")).to_be_visible(timeout=LATER)
    window.open_file("plan.toml")
    window.command("Goalproof: Run Plan…")
    expect(window.toast("trust")).to_be_visible(timeout=LATER)
    window.shot("restricted")
    assert not (project / ".goalproof" / "goals").exists()
    window.clear_toasts()
    window.status("Restricted Mode").click()
    editor = window.page.locator(".workspace-trust-editor")
    editor.locator(".monaco-button").filter(has_text=re.compile("^Trust$")).first.click()
    expect(window.status("Restricted Mode")).to_be_hidden(timeout=LATER)
    window.escape(editor)
    run_plan(window)
    await_ready(window)


def test_an_interpreter_that_is_not_there_is_named_and_restart_repairs(
    vscode: OpenFolder, tmp_path: Path
) -> None:
    project = a_project(tmp_path / "project")
    window = vscode(project, machine={"goalproof.interpreter": "/nowhere/python3"})
    expect(window.toast("/nowhere/python3")).to_be_visible(timeout=LATER)
    window.shot("broken")
    assert not window.offers("Goalproof: New Goal…")
    assert window.offers("Goalproof: Show Output")
    window.settings.write_text("{}")
    window.command("Goalproof: Restart Server")
    window.await_command("Goalproof: New Goal…")


def test_a_server_that_is_killed_is_started_again(vscode: OpenFolder, tmp_path: Path) -> None:
    project = a_shop(tmp_path / "shop")
    window = vscode(project)
    window.await_command("Goalproof: New Goal…")
    (server,) = find_servers(window)
    server.kill()
    window.await_that(lambda: find_servers(window) != [] and server not in find_servers(window))
    run_plan(window)
    await_ready(window)


def test_a_window_that_is_loaded_anew_shows_the_same_goals(
    vscode: OpenFolder, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    project = a_held_project(tmp_path / "project", release)
    window = vscode(project)
    run_plan(window)
    window.await_status(MOVING)
    window.reload()
    window.command("Goalproof: List Goals…")
    expect(window.row("Make sums right in calc.py")).to_be_visible(timeout=LATER)
    window.page.keyboard.press("Escape")
    release.touch()
    window.command("Goalproof: Resume Goal…")
    await_ready(window)
