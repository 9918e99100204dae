"""The command line, made from the registry: a verb is built from its parameters when it is used.

Nothing heavy is imported here; `goalproof --help` reads a table and that is all.
"""

from __future__ import annotations

import difflib
import gc
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from goal_server.registry import (
    CLI_COMMANDS,
    OPERATIONS,
    CliCommand,
    Operation,
    find_operation,
    load,
)
from goal_server.settings import Settings

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic.fields import FieldInfo

PROGRAM = "goalproof"
ROWS: tuple[Operation | CliCommand, ...] = (*OPERATIONS, *CLI_COMMANDS)
HELP = "State a coding goal; get a change that a stranger can re-verify."
FIRST = f"""\b
New here?                 {PROGRAM} demo
Then, in your repository: {PROGRAM} run "Make the linter pass\""""


class Verbs(click.Group):
    """The group whose commands are the rows of the registry."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every verb, in the order of the table."""
        return [row.name for row in ROWS]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Build the command for a verb."""
        if name in BUILT:
            return BUILT[name]()
        operation = find_operation(name)
        return make_command(operation) if operation and operation.name == name else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; a word that is none is answered with the nearest one."""
        verbs = self.list_commands(ctx)
        if args and args[0] not in verbs and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], verbs, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"There is no verb {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs by group, without building any of them."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for row in ROWS:
            groups.setdefault(row.group, []).append((row.name, row.title))
        for title, rows in groups.items():
            with formatter.section(title):
                formatter.write_dl(rows)


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:
            setattr(ctx.ensure_object(Settings), name, value)

    return remember


def global_options() -> list[click.Parameter]:
    """Return the options that stand before or after the verb alike."""
    return [
        click.Option(
            ["-C", "place"], metavar="PATH", type=click.Path(path_type=Path), expose_value=False,
            callback=_set("path"), help="Work in this checkout instead of here.",
        ),
        click.Option(
            ["--json"], is_flag=True, expose_value=False, callback=_set("json"),
            help="Print the result, or the error, as JSON.",
        ),
        click.Option(
            ["--trust"], is_flag=True, expose_value=False, callback=_set("trust"),
            help="Let code of this workspace run without asking.",
        ),
    ]  # fmt: skip


def _print_version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        click.echo(f"{PROGRAM} {version(PROGRAM)}")
        ctx.exit()


def make_group() -> click.Group:
    """Return the whole command line."""
    version = click.Option(
        ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
        help="Print the version.",
    )  # fmt: skip
    return Verbs(
        PROGRAM,
        params=[*global_options(), version],
        help=HELP,
        epilog=FIRST,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def make_command(operation: Operation) -> click.Command:
    """Return the command of an operation, its parameters made from the model's fields."""
    fields: dict[str, FieldInfo] = load(operation.params).model_fields

    @click.pass_context
    def invoke(ctx: click.Context, /, **values: Any) -> None:
        params = parse_params(operation, values)
        from goal_server.session import perform

        _collect_again()
        ctx.exit(perform(ctx.ensure_object(Settings), operation, params))

    made = [make_parameter(name, field) for name, field in fields.items() if is_typed(field)]
    made.sort(key=lambda parameter: not isinstance(parameter, click.Argument))
    arguments = [
        (parameter.make_metavar(click.Context(click.Command(""))), fields[parameter.name or ""])
        for parameter in made
        if isinstance(parameter, click.Argument)
    ]
    notes = "\n".join(f"{metavar}  {field.description}" for metavar, field in arguments)
    return click.Command(
        operation.name,
        params=[*made, *global_options()],
        callback=invoke,
        help=operation.title + (f"\n\n\b\n{notes}" if notes else ""),
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def is_typed(field: FieldInfo) -> bool:
    """Whether a person can give this on the command line."""
    extra = field.json_schema_extra
    return not (isinstance(extra, dict) and extra.get("cli") == "wire")


def make_parameter(name: str, field: FieldInfo) -> click.Parameter:
    """Return the argument or option for one field."""
    extra = field.json_schema_extra
    spelled = extra.get("cli") if isinstance(extra, dict) else None
    if spelled in ("argument", "words", "many"):
        many = 1 if spelled == "argument" else -1
        required = field.is_required()
        metavar = name.upper() if required else f"[{name.upper()}]"
        return click.Argument([name], nargs=many, required=required, metavar=metavar)
    options: dict[str, Any] = {"help": field.description, "required": field.is_required()}
    kinds = str(field.annotation)
    if field.annotation is bool:
        options["is_flag"] = True
    elif "tuple" in kinds:
        options["multiple"] = True
    elif spelled == "figure":
        options["metavar"] = "N"
    elif re.search(r"\bint\b", kinds):
        options |= {"type": int, "metavar": "N"}
    else:
        options["metavar"] = "PATH" if spelled == "path" else "TEXT"
    own = (
        field.alias if field.alias_priority == 2 and field.alias else name
    )  # `from` is Python's word
    return click.Option([f"--{own.replace('_', '-')}", name], **options)


def parse_params(operation: Operation, values: dict[str, Any]) -> Any:
    """Return the parameters.  Raises `click.UsageError` that names the option."""
    from pydantic import ValidationError

    model = load(operation.params)
    given: dict[str, Any] = {}
    for name, value in values.items():
        extra = model.model_fields[name].json_schema_extra
        spelled = extra.get("cli") if isinstance(extra, dict) else None
        if value is None or value == ():
            continue
        if spelled == "words":
            value = " ".join(value)
        elif spelled == "path":
            value = str(Path(value).absolute())
        given[name] = value
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise click.UsageError(_say_invalid(error, model)) from error


def _say_invalid(error: ValidationError, model: Any) -> str:
    problems = []
    for item in error.errors():
        name = str(item["loc"][0]) if item["loc"] else ""
        field = model.model_fields.get(name)
        extra = field.json_schema_extra if field else None
        typed = (
            extra.get("cli") in ("argument", "words", "many") if isinstance(extra, dict) else False
        )
        said = name.replace("_", "-") or "input"
        problems.append(f"{'--' if field and not typed else ''}{said}: {item['msg']}")
    return "; ".join(problems) + "."


def _lsp_command() -> click.Command:
    def serve(stdio: bool) -> int:
        code: int = load("goal_server.lsp:main")()
        return code

    row = next(row for row in CLI_COMMANDS if row.name == "lsp")
    stdio = click.Option(["--stdio"], is_flag=True, help="The default, and the only way there is.")
    return click.Command("lsp", params=[stdio], callback=serve, help=row.title)


def _demo_command() -> click.Command:
    @click.pass_context
    def demo(ctx: click.Context, keep: bool) -> None:
        run_demo = load("goal_server.demo.command:run_demo")
        _collect_again()
        ctx.exit(run_demo(ctx.ensure_object(Settings), keep))

    row = next(row for row in CLI_COMMANDS if row.name == "demo")
    keep = click.Option(["--keep"], is_flag=True, help="Leave the folder, to look around in it.")
    return click.Command("demo", params=[keep, *global_options()], callback=demo, help=row.title)


BUILT: dict[str, Callable[[], click.Command]] = {"lsp": _lsp_command, "demo": _demo_command}


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit; a refusal is one paragraph on stderr, never a traceback."""
    args = list(sys.argv[1:] if argv is None else argv)
    gc.disable()  # importing is a tenth faster so; what works for long lets it run again
    code = run(args)
    gc.freeze()  # all goes with the process: looking through it first takes a third of a second
    sys.exit(code)


def _collect_again() -> None:
    """What is imported stays, and is looked through no more."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def run(args: list[str]) -> int:
    """Run the command line on `args` and return the exit code."""
    try:
        code = make_group().main(args, prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except Exception as error:  # the boundary of a request
        from goal_server.failure import report

        return report(error, as_json="--json" in args)
