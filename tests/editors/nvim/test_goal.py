"""A whole goal without leaving Neovim, and every turn that a person may take on the way."""

from __future__ import annotations

from pathlib import Path

from tests.editors.nvim.conftest import SLOW, OpenEditor, newest, write_plan
from tests.editors.nvim.driver import Neovim
from tests.integration.projects import CALC, FIX

TRUST, APPROVE = "Trust this folder", "Approve this command"
FIXED = CALC.replace("a - b", "a + b")


def open_calc(start: OpenEditor, project: Path, **settings: object) -> Neovim:
    """Open the file with the bug, with the server attached to it."""
    editor = start(project, "calc.py", **settings)
    editor.until("return #vim.lsp.get_clients({ name = 'goalproof', bufnr = 0 }) == 1")
    return editor


def run_plan(editor: Neovim, status: str) -> str:
    """Run the project's plan, saying yes to everything; return the goal's id."""
    editor.answer(TRUST, APPROVE)
    editor.ex("Goal run plan.toml")
    return str(editor.until_status(status)["goalId"])


def text_of(editor: Neovim) -> str:
    """Return the text of the current buffer as a file would have it."""
    return "\n".join([*editor.lines(), ""])


def test_a_goal_goes_from_command_to_verified_proof(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    run_plan(editor, "running")
    asked_trust, asked_gates = editor.asked()
    assert str(project) in asked_trust["prompt"]
    assert "tests: python3 run_tests.py --junit {report}" in asked_gates["prompt"]
    editor.until("return require('goalproof').statusline():find('%d/2')")
    editor.until_status("ready")
    assert editor.statusline() == "goal: ready"
    revs = editor.lua("return vim.tbl_map(function(told) return told.rev end, events)")
    assert revs == sorted(set(revs))
    assert len(revs) > 2

    proposed = editor.until_lens("Apply")
    assert "+1 −1" in proposed
    assert text_of(editor) == CALC

    editor.ex("Goal diff")
    editor.until("return #vim.api.nvim_list_tabpages() == 2")
    assert editor.lua("return vim.wo.diff")
    assert "    return a + b" in editor.lines()
    editor.keys("<C-w>h")
    assert "    return a - b" in editor.lines()
    editor.keys("q")
    editor.until("return #vim.api.nvim_list_tabpages() == 1")

    editor.ex("Goal apply")
    editor.until_said("applied, 1 file")
    assert text_of(editor) == FIXED
    assert (project / "calc.py").read_text(encoding="utf-8") == CALC  # the person writes it
    editor.until_lens("✓")

    editor.keys("u")
    assert text_of(editor) == CALC
    editor.until_lens("Apply")
    editor.ex("Goal apply")
    editor.until("return vim.fn.search('a + b', 'nw') > 0")
    editor.ex("write")
    editor.ex("Goal undo")
    editor.until_said("taken out again")
    assert text_of(editor) == CALC
    editor.ex("Goal apply")
    editor.until("return vim.fn.search('a + b', 'nw') > 0")
    editor.ex("write")

    editor.ex("Goal proof")
    editor.until("return vim.api.nvim_buf_get_name(0):match('proof%.md$') ~= nil")
    assert any("Sums are right" in line for line in editor.lines())
    editor.ex("Goal verify")
    editor.until_said("the proof: REPRODUCED")
    assert editor.lines()[0] == "REPRODUCED"


def test_a_click_on_a_lens_does_what_it_says(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    run_plan(editor, "ready")
    editor.until_lens("Apply")
    row = editor.lua(
        "for _, lens in ipairs(vim.lsp.codelens.get(0)) do"
        " if lens.command.command == 'goal.apply' then return lens.range.start.line + 1 end end"
    )
    editor.answer("Apply")
    editor.lua("vim.api.nvim_win_set_cursor(0, {..., 0}) vim.lsp.codelens.run()", row)
    editor.until_said("applied")
    assert text_of(editor) == FIXED


@newest
def test_an_applied_change_is_saved_if_the_person_wants_that(
    start: OpenEditor, project: Path
) -> None:
    editor = open_calc(start, project, save_on_apply=True)
    run_plan(editor, "ready")
    editor.ex("Goal apply")
    editor.until_said("applied")
    assert (project / "calc.py").read_text(encoding="utf-8") == FIXED


@newest
def test_a_change_that_does_not_fit_is_refused_and_nothing_is_touched(
    start: OpenEditor, project: Path
) -> None:
    editor = open_calc(start, project)
    run_plan(editor, "ready")
    editor.lua("vim.api.nvim_buf_set_lines(0, 0, -1, true, { 'def add(a, b):', '    pass' })")
    editor.ex("Goal apply")
    assert "calc.py" in editor.until_said("calc.py")
    assert editor.lines() == ["def add(a, b):", "    pass"]


def test_a_goal_is_paused_goes_on_and_is_cancelled(start: OpenEditor, project: Path) -> None:
    write_plan(project, SLOW)
    editor = open_calc(start, project)
    goal = run_plan(editor, "running")
    editor.ex("Goal pause lunch")
    assert editor.until_status("paused")["blocker"] == "lunch"
    assert editor.statusline() == "goal: paused · lunch"
    editor.lua("events = {}")
    editor.ex(f"Goal resume {goal}")
    editor.until_status("running")
    editor.ex("Goal cancel")
    editor.until_status("cancelled")
    editor.until_said("is cancelled")
    assert editor.lenses() == ""


def test_a_plan_is_read_edited_and_run_as_it_stands_in_the_buffer(
    start: OpenEditor, project: Path
) -> None:
    write_plan(project, '{ replace = "calc.py", old = "a - b", new = "a * b" }')
    editor = open_calc(start, project)
    editor.answer(TRUST, APPROVE)
    editor.ex("Goal plan plan.toml")
    editor.until("return vim.api.nvim_buf_get_name(0):match('%.goalproof/goals/.*/plan%.toml$')")
    assert editor.lua("return vim.lsp.get_clients({ name = 'goalproof', bufnr = 0 })[1] ~= nil")
    editor.until_lens("Run this plan")
    editor.ex("%s/a \\* b/a + b/")
    assert editor.lua("return vim.bo.modified")
    editor.ex("Goal execute")
    editor.until_status("ready")


@newest
def test_a_selection_goes_along_with_a_new_goal(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    editor.answer(TRUST, APPROVE)
    editor.ex("2,3Goal run Make add right")
    asked = editor.until_status("blocked_on_external")
    assert asked["text"].startswith("Make add right")
    assert "calc.py, lines 2 to 3" in asked["text"]
    assert "return a - b" in asked["text"]


@newest
def test_a_goal_without_a_text_asks_for_one(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    editor.answer("Do something vague", "Run it at once", TRUST, APPROVE)
    editor.ex("Goal new")
    editor.until("return #asked >= 3")
    prompts = [item["prompt"] for item in editor.asked()]
    assert prompts[0] == "What is to be true afterwards? "
    assert prompts[1] == "Do something vague"


@newest
def test_a_red_gate_is_in_the_quickfix_list(start: OpenEditor, project: Path) -> None:
    write_plan(project, '{ replace = "calc.py", old = "2 * a", new = "3 * a" }')
    editor = open_calc(start, project)
    run_plan(editor, "not_ready")
    editor.ex("Goal failures")
    editor.until("return vim.bo.filetype == 'qf'")
    listed = "\n".join(editor.lines())
    assert "gate tests" in listed
    assert "test_double" in listed


@newest
def test_what_is_not_ready_is_diagnosed_its_change_reviewed_and_its_history_told(
    start: OpenEditor, project: Path
) -> None:
    write_plan(project, '{ replace = "calc.py", old = "2 * a", new = "3 * a" }')
    editor = open_calc(start, project)
    run_plan(editor, "not_ready")
    editor.ex("Goal diagnose")
    editor.until("return vim.api.nvim_buf_get_name(0):match('/diagnosis$') ~= nil")
    told = editor.lines()
    assert "not ready" in told and "What to do" in told
    assert "test_double" in "\n".join(told)
    editor.keys("q")
    editor.ex("Goal review")
    editor.until("return vim.api.nvim_buf_get_name(0):match('/review$') ~= nil")
    assert {"architect", "security"} <= {line.split(":")[0] for line in editor.lines()}
    assert "  nothing was found" in editor.lines()
    editor.keys("q")
    editor.ex("Goal replay")
    editor.until("return vim.api.nvim_buf_get_name(0):match('/replay$') ~= nil")
    told = "\n".join(editor.lines())
    assert "it got a plan: 1 task, 1 criterion" in told
    assert told.endswith("it is not ready [not_ready]")


@newest
def test_the_gates_run_again_and_each_hunk_is_tried(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    run_plan(editor, "ready")
    editor.lua("events = {}")
    editor.ex("Goal again")
    editor.until_status("ready")
    editor.ex("Goal hunks")
    editor.until_said("the hunks: 1 constrained")
    told = editor.lines()
    assert told[0] == "1 constrained"
    assert told[-1].startswith("  constrained calc.py:3: ")


def test_a_window_follows_the_goal_that_it_shows(start: OpenEditor, project: Path) -> None:
    write_plan(project, SLOW)
    editor = open_calc(start, project)
    run_plan(editor, "running")
    editor.ex("Goal show")
    editor.until("return vim.api.nvim_win_get_config(0).relative == 'editor'")
    editor.until("return vim.fn.search('▸ Fix the sum', 'nw') > 0")
    editor.keys("p")
    editor.until("return vim.fn.search('^paused', 'nw') > 0")
    assert any(line.startswith("stands still") for line in editor.lines())
    editor.keys("q")
    editor.until("return vim.api.nvim_win_get_config(0).relative == ''")


@newest
def test_a_log_is_followed_while_it_grows(start: OpenEditor, project: Path) -> None:
    write_plan(project, '{ run = ["sh", "-c", "echo first; sleep 1; echo last; sleep 600"] }')
    editor = open_calc(start, project)
    run_plan(editor, "running")
    editor.until("return events[#events].lines[1] and events[#events].lines[1]:find('▸') ~= nil")
    editor.ex("Goal log")
    editor.until("return vim.fn.search('^first$', 'nw') > 0")
    editor.until("return vim.fn.search('^last$', 'nw') > 0")
    assert not editor.lua("return vim.bo.modifiable")
    editor.keys("p")
    editor.until_status("paused")
    editor.keys("r")
    editor.until(
        "local begun = vim.tbl_filter(function(line) return line == 'first' end,"
        " vim.api.nvim_buf_get_lines(0, 0, -1, false)) return #begun == 2"
    )
    editor.ex("Goal cancel")
    editor.until_status("cancelled")


@newest
def test_a_long_log_is_read_to_its_end(start: OpenEditor, project: Path) -> None:
    """Of what had ended, the first 64 kB were shown, as if it were all."""
    says = '{ run = ["python3", "-c", "for at in range(20000): print(at, flush=True)"] }'
    write_plan(project, f"{says}, {FIX}")
    editor = open_calc(start, project)
    run_plan(editor, "ready")
    editor.ex("Goal log latest fix")
    editor.until("return vim.fn.search('^19999$', 'nw') > 0")


@newest
def test_a_result_that_is_rejected_is_not_ready_for_the_reason(
    start: OpenEditor, project: Path
) -> None:
    editor = open_calc(start, project)
    run_plan(editor, "ready")
    editor.ex("Goal reject latest sums of texts are wrong")
    editor.until_status("not_ready")
    editor.ex("Goal show")
    editor.until("return vim.fn.search('sums of texts are wrong', 'nw') > 0")


@newest
def test_the_menu_offers_what_is_possible_now(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    run_plan(editor, "ready")
    editor.ex("Goal")
    editor.until("return #asked == 3")
    shown = [line.split(":")[0] for line in editor.asked()[-1]["shown"]]
    assert {"diff", "apply", "proof", "deliver", "reject", "new", "gates"} <= set(shown)
    assert not {"pause", "resume", "answer", "undo"} & set(shown)


@newest
def test_a_goal_is_delivered_as_a_branch(start: OpenEditor, project: Path) -> None:
    editor = open_calc(start, project)
    run_plan(editor, "ready")
    editor.ex("Goal deliver")
    assert "goal/" in editor.until_said("delivered as the branch")


@newest
def test_a_question_is_answered_and_the_goal_goes_on(start: OpenEditor, project: Path) -> None:
    plan = project / "plan.toml"
    accepted = plan.read_text().replace('evidence = "flips"', 'evidence = "accepted"')
    plan.write_text("\n".join(line for line in accepted.splitlines() if "tests" not in line))
    editor = open_calc(start, project)
    run_plan(editor, "blocked_on_human")
    editor.until_said("waits for you")
    editor.answer("I looked at it")
    editor.ex("Goal accept")
    editor.until("return #asked == 3")
    assert editor.asked()[-1]["prompt"] == "Why is “Sums are right” met? "
    editor.until_status("ready")


@newest
def test_a_person_does_a_task_in_its_folder_and_hands_it_in(
    start: OpenEditor, project: Path
) -> None:
    plan = project / "plan.toml"
    lines = [line for line in plan.read_text().splitlines() if not line.startswith("steps")]
    plan.write_text("\n".join([*lines, 'worker = "manual"']))
    editor = open_calc(start, project)
    goal = run_plan(editor, "running")
    editor.until("return #events > 1 and #events[#events].lines > 0")
    editor.ex("Goal show")
    editor.until("return vim.fn.search('yours: do it in', 'nw') > 0")
    editor.keys("q")
    editor.ex(f"Goal open {goal} task")
    editor.until("return #vim.api.nvim_list_tabpages() == 2")
    folder = Path(editor.lua("return vim.fn.getcwd()"))
    assert (folder / "calc.py").read_text(encoding="utf-8") == CALC
    editor.ex("edit calc.py | %s/a - b/a + b/ | write")
    editor.ex(f"Goal submit {goal}")
    editor.until_status("ready")


@newest
def test_a_change_of_many_files_is_looked_at_one_by_one(start: OpenEditor, project: Path) -> None:
    write_plan(project, FIX + ', { write = "note.md", content = "sums\\n" }')
    plan = project / "plan.toml"
    plan.write_text(plan.read_text().replace('writes = ["calc.py"]', 'writes = ["**"]'))
    editor = open_calc(start, project)
    run_plan(editor, "ready")
    editor.answer("note.md")
    editor.ex("Goal diff")
    editor.until("return #vim.api.nvim_list_tabpages() == 2")
    assert editor.asked()[-1]["shown"] == ["calc.py", "note.md", "The whole change as one patch"]
    assert editor.lines() == ["sums"]
    editor.keys("]f")
    editor.until("return vim.api.nvim_buf_get_name(0):find('/head/calc.py', 1, true) ~= nil")
    assert "    return a + b" in editor.lines()
    assert editor.lua("return #vim.api.nvim_list_tabpages()") == 2
    editor.keys("q")
    editor.answer("one patch")
    editor.ex("Goal diff")
    editor.until("return vim.bo.filetype == 'diff'")
    assert "+    return a + b" in editor.lines()
    assert not editor.lua("return vim.bo.modifiable")


@newest
def test_the_agent_for_new_goals_is_chosen_for_the_session(
    start: OpenEditor, project: Path
) -> None:
    editor = open_calc(start, project)
    editor.answer("manual")
    editor.ex("Goal agents")
    editor.until_said("new goals are for manual from now on")
    assert editor.lua("return require('goalproof.config').get().settings.worker") == "manual"
    editor.answer(TRUST, APPROVE)
    editor.ex("Goal run Make sums right in calc.py")
    editor.until_status("running")
    editor.ex("Goal cancel")
    editor.until_status("cancelled")
