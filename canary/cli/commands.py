"""The `canary` command: the family of commands, and how each failure ends.

Every command is imported only when it is called: `canary --help` and a rollback load neither
Textual nor Google's packages nor httpx (a test looks).
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import click

from canary.cli.bugs import describe_bug
from canary.cli.options import Chosen, config_option, read_only_option
from canary.cli.output import FULL, Acting, forgive, loss
from canary.host import limits
from canary.host.logs import set_up_logging
from canary.paint.screen import give_back
from canary.rollout.errors import CanaryError, HostProblem
from canary.rollout.text import sanitize

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "status": (
        "inspect.status",
        "Say where it stands and what the decision tree calls for.",
    ),
    "validate": ("inspect.validate", "Check a stage's success criteria, live or on a file."),
    "promote": ("change.moves", "Go on to the next stage."),
    "rollback": ("change.moves", "Go one stage back, to a named one, or roll back all."),
    "scale": ("change.moves", "Set the least and most instances of a side."),
    "adopt": ("change.moves", "Take a split that was changed elsewhere into the record."),
    "revert": ("change.moves", "Set the split back to what the record says."),
    "hold": ("change.hold", "Hold the rollout where it stands, for everybody: nobody promotes."),
    "release": ("change.hold", "End a hold, whoever set it."),
    "note": ("change.note", "Mark this moment for everybody; show what was noted."),
    "mark-irreversible": (
        "change.irreversible",
        "Mark a step that no rollback undoes, for everybody.",
    ),
    "fleet": ("setup.fleet", "List every rollout, the one that most needs a person first."),
    "health": ("inspect.status", "Ask both sides whether they are well."),
    "load-test": ("procedure.load_test", "Put users on the router with Locust, for the gate."),
    "ab-test": ("procedure.ab_test", "Compare both groups of the A/B test in BigQuery."),
    "verify": ("change.verify", "Verify that the split that is served is the intended one."),
    "compare": ("change.verify", "Put both sides side by side, by requests to the router."),
    "monitor": ("procedure.monitor", "Write a snapshot every so often, for the soak."),
    "alerts": ("procedure.alerts", "Compare the plan's limits with alert policies; write them."),
    "retire": ("procedure.retire", "Show Legacy's calendar; delete it and its images in the end."),
    "checklist": ("procedure.checklist", "Show what goes with a move, and tick it."),
    "export": ("inspect.report", "Write a dashboard for Grafana, or the rollout as metrics."),
    "diff": ("inspect.diff", "Show what Canary runs otherwise than Legacy."),
    "failures": ("inspect.failures", "Say what fails in Canary and not in Legacy, by route."),
    "evidence": ("inspect.evidence", "Compare Canary with Legacy since the last change."),
    "report": ("inspect.report", "Write the report of a stage for the record."),
    "recording": ("inspect.recording", "Write what was recorded into one file, to take along."),
    "timeline": ("inspect.timeline", "Write what happened: changes, states, proofs, troubles."),
    "handover": ("inspect.timeline", "Write a handover for the next shift, in one screen."),
    "backtest": ("inspect.backtest", "Say what other limits would have said of what was recorded."),
    "replay": ("setup.replay", "Show what the console showed: yesterday, or at 14:03."),
    "log": ("inspect.log", "Show the changes made from this host; withdraw one that waits."),
    "recover": ("change.recover", "Look what became of a change whose end is not known."),
    "guard": ("change.guard", "Roll back by itself when the decision tree calls for it."),
    "doctor": ("setup.doctor", "Check plan, cloud, permissions, records and terminal."),
    "trust": ("setup.trust", "Say which hosts may have credentials, and whose plans may act."),
    "init": ("setup.init", "Write a commented plan."),
    "drill": ("setup.drill", "Practise on an embedded cloud in which something happens."),
    "simulate": ("setup.simulate", "Run the embedded cloud alone."),
    "demo": ("setup.console", "Open the console on an embedded cloud with a scenario."),
}
"""Command → (module in canary.cli, one line for the help). The function in the module has the
command's name, "_" for "-"."""

LEFT_FOR_LIST: Final = -1
"""tui.terminal.app.LIST, which is not imported for this."""

EXIT_INTERRUPTED: Final = 130
EXIT_NO_ROOM: Final = 3
EXIT_BUG: Final = 70
LONGEST_SENTENCE: Final = 2000

EXIT_CODES: Final = """\b
Exit codes:
  0    done, or "go on"
  1    criteria not met, unhealthy, or verification not passed
  2    wrong usage or a wrong plan
  3    the cloud refused or failed, or a file here cannot be used
  4    conflict, or a gate is not met
  5    outcome unknown: check its status, do not repeat
  10   watch closely              (status)
  20   roll back is advised       (status)
  30   no data                    (status, verify, compare, ab-test)
  70   a mistake in this program  (the message names the log)
  130  interrupted
"""


class LazyGroup(click.Group):
    """Commands by name, each imported when it is called; the help is told without importing."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now; None when there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command = getattr(import_module(f"canary.cli.{module}"), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)  # noqa: S101 - a slip in the table above
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name when there is none."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            from difflib import get_close_matches

            close = get_close_matches(name, COMMANDS, n=1)
            meant = f' Did you mean "{close[0]}"?' if close else ""
            ctx.fail(f'There is no command "{sanitize(name, 40)}".{meant}')
        return super().resolve_command(ctx, args)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """The table as it stands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="canary-console", prog_name="canary")
@config_option
@read_only_option
@click.pass_context
def canary(ctx: click.Context, config: str | None, read_only: bool) -> int:
    """Watch a rollout from Legacy to Canary on Cloud Run, and act on it.

    Without a command the console opens; it needs a terminal. The plan is ./canary.toml.
    """
    ctx.obj = Chosen(config=config, read_only=read_only)
    if ctx.invoked_subcommand is not None:
        return 0
    from canary.cli.setup.console import open_console

    code = open_console(config, read_only=read_only)
    if code != LEFT_FOR_LIST:
        return code
    from canary.cli.setup.fleet import watch_beside

    return watch_beside(config, read_only=read_only)


def run_process() -> int:
    """Run the command that was typed and end the process with its exit code."""
    if not sys.warnoptions:  # what Python warns of is for who builds this: PYTHONWARNINGS=default
        warnings.simplefilter("ignore")
    forgive()
    limits.raise_descriptor_limit()
    set_up_logging(form="%(message)s")
    code = _answer(run())
    if "textual" in sys.modules:
        return code
    # Taking apart Google's modules object by object takes 70 ms that a rollback need not wait for:
    # files and channels are closed by now, and the streams are flushed here.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _answer(code: int) -> int:
    """The exit code, after what could not be said: a change's own stands, a reader's is a failure.

    A reader that has enough has lost nothing.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    why = loss(sys.stdout)
    if why is None or isinstance(why, BrokenPipeError):
        return code
    said = f"Standard output could not be written: {why.strerror or why}."
    return _say(said, code if code or Acting.now else EXIT_NO_ROOM)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; every failure ends in one clear sentence."""
    try:
        try:
            code = canary.main(arguments, prog_name="canary", standalone_mode=False)
        finally:
            give_back()  # a failure is said where it can be read
        # Flushed here, so that a reader that is gone is met here and not at the very end.
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _say("Interrupted.", EXIT_INTERRUPTED)
    except CanaryError as error:
        return _print_error(error, arguments)
    except (BrokenPipeError, SystemExit):
        # The reader (`head`, a closed pager) has enough; click turns that into a SystemExit. No
        # traceback, now or at the end, and no failure in a script's pipeline.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        said = HostProblem(f"{limits.TOO_LITTLE_MEMORY}.", remedy=limits.MORE_MEMORY)
        return _print_error(said, arguments)
    except OSError as error:
        if error.errno in limits.NONE_LEFT:
            said = HostProblem(f"{limits.TOO_FEW_FILES}.", remedy=limits.MORE_FILES)
            return _print_error(said, arguments)
        if error.errno not in FULL:
            return _end_by_bug(error, arguments)
        where = f" {sanitize(str(error.filename), 300)}" if error.filename else ""
        return _say(f"There is no room to write{where}: {error.strerror}.", EXIT_NO_ROOM)
    except Exception as error:  # noqa: BLE001 - the outermost boundary: said, logged, told apart
        return _end_by_bug(error, arguments)
    return code if isinstance(code, int) else 0


def _say(sentence: str, code: int) -> int:
    click.echo(f"canary: {sentence}", err=True)
    return code


def _print_error(error: CanaryError, arguments: Sequence[str] | None) -> int:
    """The sentence on standard error; for `--json`, a document on standard output as well."""
    _print_error_document(
        type(error).__name__, error.message, error.remedy, arguments, error.commands
    )
    code = _say(sanitize(str(error), LONGEST_SENTENCE), error.exit_code)
    if len(str(error)) > LONGEST_SENTENCE:
        for command in error.commands:  # never cut: it is there to be copied
            click.echo(f"  by hand: {command}", err=True)
    return code


def _end_by_bug(error: Exception, arguments: Sequence[str] | None) -> int:
    said = describe_bug(error)
    _print_error_document("mistake", said, "", arguments)
    return _say(said, EXIT_BUG)


def _print_error_document(
    kind: str,
    message: str,
    remedy: str,
    arguments: Sequence[str] | None,
    commands: Sequence[str] = (),
) -> None:
    if "--json" not in (sys.argv[1:] if arguments is None else arguments):
        return
    from canary.cli.output import print_json

    message, remedy = sanitize(message, 2000), sanitize(remedy, 2000)
    copied = {"commands": list(commands)} if commands else {}
    print_json({"error": {"kind": kind, "message": message, "remedy": remedy, **copied}})
