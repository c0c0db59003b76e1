"""`canary recording export`: what was shown, in one file that opens anywhere."""

from __future__ import annotations

import click

from canary.cli.opening import find_plan
from canary.cli.options import config_option
from canary.cli.output import say
from canary.cli.recordings import open_file, read_at
from canary.host.home import expand_home
from canary.rollout.text import format_count, format_timestamp


@click.group()
def recording() -> None:
    """What this host has recorded of a rollout."""


@recording.command(short_help="Write the recording into FILE, for `canary replay FILE`.")
@click.argument("file")
@click.option("--from", "since", metavar="TIME", help="From then on; the begin if not given.")
@click.option("--to", "until", metavar="TIME", help="Up to then; the end if not given.")
@config_option
def export(file: str, since: str | None, until: str | None, config: str | None) -> int:
    """Write the recording into FILE: `canary replay FILE` opens it, without a plan or a cloud.

    Left out are the webhook, and who else was there, at which terminal, from which address. Names
    of services, the project and who changed what stay.
    """
    from canary.rollout.recording.file import write_bundle
    from canary.rollout.recording.player import Recording
    from canary.store.outputs import write_bytes

    plan = find_plan(config).plan
    source = open_file(plan)
    known = Recording(source)
    begin, end = read_at(known, since), read_at(known, until)
    begin = known.begin if begin is None else begin
    end = known.end if end is None else end
    data = write_bundle(source, plan.name, begin, end)
    path = expand_home(file, "FILE").absolute()
    write_bytes(path, data)
    span = f"{format_timestamp(begin)} to {format_timestamp(end)}"
    say(f"{path}: {span}, {format_count(len(data) // 1000)} kB. Open it: canary replay {file}")
    return 0
