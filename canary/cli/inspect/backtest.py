"""`canary backtest`: what other limits would have said of what was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from canary.cli.opening import find_plan
from canary.cli.options import config_option, json_option
from canary.cli.output import print_json, print_table, say
from canary.cli.recordings import open_recording, read_at
from canary.rollout.decision.gates import format_verdict
from canary.rollout.text import (
    format_clock,
    format_count,
    format_duration,
    format_iso_time,
    format_percent,
    format_timestamp,
    sanitize,
)

if TYPE_CHECKING:
    from canary.engine.jobs.backtest import Alarm, Backtest


@click.command()
@click.option("--from", "since", metavar="TIME", help="From then on; the begin if not given.")
@click.option("--to", "until", metavar="TIME", help="Up to then; the end if not given.")
@click.option("--plan", "other", metavar="FILE", help="Whose limits; the plan's own if not given.")
@json_option
@config_option
def backtest(
    since: str | None, until: str | None, other: str | None, as_json: bool, config: str | None
) -> int:
    """Walk the tree over what was recorded, with these or other limits.

    Says which alarms there would have been and when, which of them had more failures than chance
    makes of Legacy's ratio, and what would have been rolled back.
    """
    from canary.engine.jobs.backtest import backtest as walk

    plan = find_plan(config).plan
    limits = plan if other is None else find_plan(other).plan
    recording = open_recording(plan)
    begin, end = read_at(recording, since), read_at(recording, until)
    found = walk(
        recording,
        limits,
        recording.begin if begin is None else begin,
        recording.end if end is None else end,
    )
    if as_json:
        print_json(_document(found))
    else:
        _print(found)
    return 0


def _document(found: Backtest) -> dict[str, object]:
    return {
        "from": format_iso_time(found.since),
        "to": format_iso_time(found.until),
        "alarms": [
            msgspec.to_builtins(alarm)
            | {"at": format_iso_time(alarm.at), "until": format_iso_time(alarm.until)}
            | {
                "rolled_back_at": None
                if alarm.rolled_back_at is None
                else format_iso_time(alarm.rolled_back_at)
            }
            for alarm in found.alarms
        ],
        "founded": sum(alarm.is_founded for alarm in found.alarms),
        "rollbacks": sum(_rolls_back(alarm) for alarm in found.alarms),
    }


def _print(found: Backtest) -> None:
    since, until = format_timestamp(found.since), format_timestamp(found.until)
    alarms, founded = len(found.alarms), sum(a.is_founded for a in found.alarms)
    rollbacks = sum(map(_rolls_back, found.alarms))
    say(f"{since} to {until}: {alarms} alarms, {founded} with more failures than chance makes;")
    say(f"{rollbacks} of them would have been rolled back.")
    if not found.alarms:
        return
    say()
    heads = ("from", "for", "verdict", "canary", "failed", "excess", "in fact", "why")
    print_table([heads, *map(_row, found.alarms)])


def _rolls_back(alarm: Alarm) -> bool:
    return alarm.verdict in ("rollback_all", "rollback_stage")


def _row(alarm: Alarm) -> tuple[str, ...]:
    excess = "not known" if alarm.excess is None else format_count(round(alarm.excess))
    done = "–" if alarm.rolled_back_at is None else f"back at {format_clock(alarm.rolled_back_at)}"
    return (
        format_timestamp(alarm.at),
        format_duration(alarm.until - alarm.at),
        format_verdict(alarm.verdict),
        format_percent(alarm.percent),
        f"{format_count(alarm.failed)} of {format_count(alarm.requests)}",
        excess + ("" if alarm.is_founded else " (chance)"),
        done,
        sanitize(alarm.reason, 80),
    )
