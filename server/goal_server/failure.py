"""How a failure is told: one paragraph, a code, and for our own faults where the log is."""

from __future__ import annotations

import os
import tempfile
import traceback
from pathlib import Path

import click
from platformdirs import user_state_path

from goal_engine.errors import GoalError
from goal_server import exit_codes
from goal_server.plain import plain_line

CRASHES = "crash.log"


def report(error: BaseException, *, as_json: bool) -> int:
    """Tell the person what `error` means and return the exit code."""
    match error:
        case GoalError():
            return tell(exit_codes.find_exit_code(error), error, error.paragraph, as_json)
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return exit_codes.BAD_INPUT
        case click.UsageError():
            about = error.ctx.command_path if error.ctx else "goalproof"
            said = error.format_message()
            end = "" if said.endswith((".", "?")) else "."
            text = f"{said}{end} `{about} --help` shows what there is."
            return tell(exit_codes.BAD_INPUT, error, text, as_json)
        case click.ClickException():
            return tell(exit_codes.BAD_INPUT, error, error.format_message(), as_json)
        case BrokenPipeError():
            # whoever read us has gone: nothing may be written at exit either
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return exit_codes.BROKEN_PIPE
        case click.Abort():
            return tell(exit_codes.INTERRUPTED, error, "Stopped.", as_json)
        case _:
            text = (
                f"This is a fault of Goalproof itself ({type(error).__name__}: {error}). What"
                f" happened is in {write_crash(error)}; please send it along with a report. Goals"
                " are safe: `goalproof list` shows them."
            )
            return tell(exit_codes.INTERNAL, error, text, as_json)


def tell(code: int, error: BaseException, text: str, as_json: bool) -> int:
    """Print one paragraph on stderr, or the error as JSON on stdout, and return `code`."""
    paragraph = plain_line(text)
    if as_json:
        click.echo(exit_codes.render_error_json(code, type(error).__name__, paragraph))
    else:
        click.echo(f"goalproof: {paragraph}", err=True)
    return code


def write_crash(error: BaseException) -> Path:
    """Append the traceback to the crash log and return where that is."""
    told = "".join(traceback.format_exception(error))
    chosen = os.environ.get("GOALPROOF_STATE_DIR")
    folder = Path(chosen) if chosen else user_state_path("goalproof")
    for home in (folder, Path(tempfile.gettempdir())):
        try:
            home.mkdir(parents=True, exist_ok=True)
            with (home / CRASHES).open("a", encoding="utf-8", errors="backslashreplace") as log:
                log.write(told + "\n")
        except OSError:
            continue
        return home / CRASHES
    return Path(os.devnull)
