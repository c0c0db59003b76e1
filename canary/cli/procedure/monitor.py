"""`canary monitor`: a snapshot every so often, into files, for the soak."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click
import msgspec

from canary.cli.opening import PlanSource, find_plan, say_place
from canary.cli.options import Duration, metrics_port_option, plan_options
from canary.cli.output import print_json, say
from canary.host.home import expand_home
from canary.rollout.errors import RecordError, UsageError
from canary.rollout.text import (
    format_count,
    format_duration,
    format_iso_time,
    format_timestamp,
    sanitize,
)

if TYPE_CHECKING:
    from canary.engine.jobs.monitoring_loop import LoopOrder, TakenSnapshot
    from canary.engine.jobs.monitoring_process import Monitoring

EXIT_NOT_RUNNING = 1


class LengthOrNone(Duration):
    """As Duration; "0" stands for "without end"."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds; 0.0 for "0"."""
        return 0.0 if str(value).strip() == "0" else super().convert(value, param, ctx)


@click.command()
@click.option(
    "--every",
    "every_s",
    type=Duration(60, 604_800),
    help="From one snapshot to the next, in the cloud's time; 30m (last stage: 60m).",
)
@click.option(
    "--for",
    "for_s",
    type=LengthOrNone(60, 31_536_000),
    help="How long; the stage's soak (last stage: 0, without end).",
)
@click.option("--out-dir", metavar="DIR", help="Where the files go; record.outputs of the plan.")
@click.option("--detach", is_flag=True, help="Go on in the background.")
@click.option("--stop", "stops", is_flag=True, help="End the loop that runs.")
@click.option(
    "--status", "asks", is_flag=True, help="Say what the loop does; exits 1 if none runs."
)
@metrics_port_option
@plan_options
def monitor(
    every_s: float | None,
    for_s: float | None,
    out_dir: str | None,
    detach: bool,
    stops: bool,
    asks: bool,
    metrics_port: int | None,
    as_json: bool,
    config: str | None,
) -> int:
    """Write outputs/monitor_<UTC time>.json every so often, for the soak.

    One loop for a rollout: a new one replaces the one that runs. It survives outages (a snapshot
    then says "no data") and ends at SIGTERM or Ctrl-C with a last line; the webhook is
    told of its end. Exits 0.
    """
    if stops + asks + detach > 1:
        raise UsageError("--detach, --stop and --status exclude each other.", remedy="Choose one.")
    source = find_plan(config, acts=not (asks or stops))
    say_place(source.plan)
    if asks:
        return _status(source, as_json)
    if stops:
        return _stop(source, as_json)
    order = _order(source, every_s, for_s, out_dir, metrics_port)
    return _detach(source, order, as_json) if detach else _run(source, order, as_json)


def _order(
    source: PlanSource,
    every_s: float | None,
    for_s: float | None,
    out_dir: str | None,
    metrics_port: int | None,
) -> LoopOrder:
    from canary.engine.jobs.monitoring_loop import LoopOrder
    from canary.store.outputs import outputs_path

    if out_dir is None:
        # Of the plan, and not of the person who types: it must be where a plan may write.
        directory = outputs_path(source.path.parent, source.plan.record.outputs)
    else:
        directory = expand_home(out_dir, "--out-dir").absolute()
    return LoopOrder(str(directory), every_s, for_s, metrics_port, source.subject)


def _run(source: PlanSource, order: LoopOrder, as_json: bool) -> int:
    from canary.engine.jobs.monitoring_process import last_line, run_loop

    def note(line: str) -> None:
        click.echo(line, err=True)

    def on_snapshot(taken: TakenSnapshot) -> None:
        if as_json:
            # One document a line, so that a reader can follow.
            file = None if taken.path is None else str(taken.path)
            click.echo(json.dumps({"file": file, **taken.document}, allow_nan=False))
        else:
            say(taken.line)

    ended = asyncio.run(run_loop(source.plan, source.path, order, note, on_snapshot))
    if as_json:
        note(last_line(ended))
    else:
        say(last_line(ended))
    return 0


def _detach(source: PlanSource, order: LoopOrder, as_json: bool) -> int:
    from canary.engine.jobs.monitoring_process import has_begun, start_detached

    pid = start_detached(source.plan, source.path, order)
    # Who asks for --status next is not to be told that none runs.
    begun = has_begun(source.plan, pid)
    if as_json:
        print_json({"pid": pid, "out_dir": order.out_dir})
    else:
        say(f"Monitoring in the background (process {pid}), into {sanitize(order.out_dir)}.")
        if not begun:
            say("It has not begun yet: another one is to end before it, or see monitor.log.")
        say("`canary monitor --status` says what it does, `--stop` ends it.")
    return 0


def _stop(source: PlanSource, as_json: bool) -> int:
    from canary.engine.jobs.monitoring_process import stop

    pid = stop(source.plan)
    if pid == 0:
        raise RecordError(
            "A monitoring loop runs, and its process is not known: it is just beginning, or its"
            " disk is full.",
            remedy="Make room if there is none, then ask again; it signs after its next snapshot.",
        )
    if as_json:
        print_json({"pid": pid, "asked": pid is not None})
    elif pid is None:
        say("No monitoring loop runs for this rollout.")
    else:
        say(f"The monitoring loop of process {pid} is asked to end.")
    return 0


def _status(source: PlanSource, as_json: bool) -> int:
    from canary.engine.jobs.monitoring_process import state

    now = state(source.plan)
    if as_json:
        print_json(_document(now))
    else:
        for line in _lines(now):
            say(line)
    return 0 if now.is_running else EXIT_NOT_RUNNING


def _lines(now: Monitoring) -> list[str]:
    known = now.state
    if known is None:
        return ["It is just beginning." if now.is_running else "No loop has run for this rollout."]
    if now.is_running:
        until = "without end" if known.until is None else f"until {format_timestamp(known.until)}"
        head = f"Monitoring (process {now.pid}) since {format_timestamp(known.since)}, {until}"
        head += f", every {format_duration(known.every_s)}; next {format_timestamp(known.next_at)}."
    elif known.ended_at is not None:
        head = f"No loop runs; the last ended at {format_timestamp(known.ended_at)}."
    else:
        head = "No loop runs; the last did not end by itself."
    files, newest = format_count(known.files), sanitize(known.last_file) or "none"
    lines = [head, f"{files} files, the newest {newest}."]
    if known.last_at is not None:
        verdict = known.verdict.replace("_", " ")
        lines.append(f"Last snapshot at {format_timestamp(known.last_at)}: {verdict}.")
    if known.trouble:
        lines.append(f"! {sanitize(known.trouble, 500)}")
    return lines


def _document(now: Monitoring) -> dict[str, Any]:
    known = now.state
    if known is None:
        return {"running": now.is_running, "pid": now.pid, "state": None}
    times = ("since", "until", "next_at", "last_at", "ended_at")
    shown = {
        k: format_iso_time(v) if k in times else v for k, v in msgspec.to_builtins(known).items()
    }
    return {"running": now.is_running, "pid": now.pid, "state": shown}
