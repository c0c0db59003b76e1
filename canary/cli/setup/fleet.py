"""`canary fleet`: every rollout in one list, the one that most needs a person first."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from canary.cli.opening import DEFAULT_NAME, find_plan, known_names
from canary.cli.options import chosen_read_only, json_option
from canary.cli.output import complain, print_json, say
from canary.cli.setup.console import demand_terminal, open_console
from canary.host.home import expand_home
from canary.rollout.errors import CanaryError, PlanError, UsageError
from canary.rollout.fleet.order import filter_rows, group_rows, need_of, sort_rows, tell_apart
from canary.rollout.fleet.rows import FleetRow, lost_row
from canary.rollout.fleet.words import HEADINGS, HERE, cells_of, group_line, summary_line
from canary.rollout.text import format_iso_time, sanitize

if TYPE_CHECKING:
    from canary.engine.fleet.member import Named
    from canary.rollout.plan.plan import Plan

EXIT_CODES: Final = {
    "roll_back_all": 20,
    "roll_back_stage": 20,
    "proven_worse": 20,
    "rollback_not_possible": 20,
    "unknown_outcome": 20,
    "failed": 20,
}
"""The exit code is the worst rollout's: 0 none needs anybody, 10 one waits for a person or is
watched, 20 one must be acted on, 30 of one nothing is known."""

EXIT_WAITS, EXIT_UNKNOWN = 10, 30


@click.command()
@click.argument("plans", nargs=-1, metavar="[PLAN|GLOB|DIR]...")
@click.option("--project", metavar="ID", help="Also what carries a record there (to look at).")
@click.option("--region", metavar="NAME", default="-", help="Only there; all regions.")
@click.option("--filter", "typed", metavar="TEXT", default="", help='"text", or "-l team=x".')
@click.option("--group", metavar="NAME", default="", help='By "region" or a label.')
@click.option("--watch", "-w", is_flag=True, help="Keep it on the screen; Enter opens one.")
@click.option("--line", is_flag=True, help="One line, for a status bar.")
@json_option
def fleet(
    plans: tuple[str, ...],
    project: str | None,
    region: str,
    typed: str,
    group: str,
    watch: bool,
    line: bool,
    as_json: bool,
) -> int:
    """List rollouts, the one that most needs a person first; nothing is changed from here.

    Of plan files (if none is given ./canary.toml, and those one folder down), and of what
    carries a rollout's record in --project. Exits 0 when none needs anybody, 10 when one waits for
    a person, 20 when one must be acted on, 30 when of one nothing is known (the worst counts).
    """
    if region != "-" and project is None:
        raise UsageError("--region goes with --project.")
    if watch + line + as_json > 1:
        raise UsageError("--watch, --line and --json exclude each other.")
    if watch:
        seek = {project: region} if project else {}
        return watch_fleet(plans, seek, typed, group=group, read_only=chosen_read_only())
    named, troubles = find_plans(plans, must=project is None)
    like = choose_like(named)
    rows, now = asyncio.run(_look(named, {project: region} if project else {}, like))
    whole = sort_rows([*rows, *troubles])
    rows = filter_rows(whole, typed)
    if whole and not rows:
        complain(f"None of {len(whole)} rollouts fits the filter.")
    if as_json:
        print_json([_document(row) for row in rows])
    elif line:
        say(summary_line(rows))
    else:
        _print(rows, now, group)
    return exit_code(rows) if rows or not whole else EXIT_UNKNOWN


def watch_fleet(
    plans: Sequence[str],
    seek: dict[str, str] | None = None,
    typed: str = "",
    *,
    group: str = "",
    began_at: str = "",
    read_only: bool = False,
) -> int:
    """Keep the list on the screen until it is left; a rollout that is opened comes back to it.

    `began_at` is the plan of the row that is chosen at first.
    """
    demand_terminal()
    named, troubles = find_plans(plans, must=not seek)
    like = choose_like(named)
    from canary.engine.fleet.watch import FleetWatch
    from tui.fleet import ListPlace, run_fleet

    chosen = next((lost_row(n.plan, "", n.path).key for n in named if n.path == began_at), None)
    found = FleetWatch(named, seek or {}, like, troubles)
    found.start()

    def open_row(row: FleetRow) -> int:
        return open_console(row.plan, read_only=read_only, from_list=True)

    try:
        place = ListPlace(typed=typed, group=group, chosen=chosen)
        return run_fleet(found, like.console, open_row, place)
    finally:
        found.stop()


def watch_beside(config: str | None, *, read_only: bool) -> int:
    """The list of the plan's own rollout and of those in the folders beside it."""
    path = find_plan(config).path.absolute()
    beside = (str(path), str(path.parent.parent))
    return watch_fleet(beside, began_at=str(path), read_only=read_only)


def find_plans(given: Sequence[str], *, must: bool) -> tuple[list[Named], list[FleetRow]]:
    """The plans of files, globs and directories, and rows for those that cannot be read.

    `must`: raise UsageError when there is none.
    """
    from canary.engine.fleet.member import Named

    named, troubles = list[Named](), list[FleetRow]()
    for path in _paths(given):
        try:
            source = find_plan(str(path))
        except CanaryError as error:
            whole = path.absolute()
            name = whole.parent.name if whole.name == DEFAULT_NAME else whole.name
            troubles.append(FleetRow(name, "", trouble=str(error), plan=str(whole)))
            continue
        named.append(Named(source.plan, str(source.path), source.distrust is None))
    if must and not named and not troubles:
        raise UsageError(
            "There is no plan here.", remedy="Name plan files or directories, or --project."
        )
    return named, troubles


def choose_like(named: Iterable[Named]) -> Plan:
    """What rollouts that no plan names are judged by: the first plan that nobody else could have
    written, else the shipped one.
    """
    return next((each.plan for each in named if each.is_own), None) or like_shipped()


def like_shipped() -> Plan:
    """The plan that `canary init` would write for a real cloud."""
    from canary.cli.setup.plan_text import Choices, render_plan
    from canary.rollout.plan.file import parse_plan

    return parse_plan(render_plan(Choices(provider="gcp")), "the default plan", known_names())


def _paths(given: Sequence[str]) -> list[Path]:
    found: list[Path] = []
    for text in given or (".",):
        path = expand_home(text, "the plan")
        if path.is_dir():
            found += _below(path)
        elif any(sign in text for sign in "*?["):
            found += sorted(p for p in Path().glob(text) if p.is_file())
        elif given:
            if not path.exists():
                raise PlanError(
                    f"There is no {sanitize(path, 200)}.",
                    remedy="Name a plan, a directory with plans, or a pattern in quotes.",
                )
            found.append(path)
    return list({path.resolve(): path for path in reversed(found)}.values())[::-1]


def _below(directory: Path) -> list[Path]:
    """Its own plan, and those one level down: a folder for each rollout is how teams keep them."""
    return sorted(p for p in (directory / DEFAULT_NAME, *directory.glob(f"*/{DEFAULT_NAME}"))
                  if p.is_file())  # fmt: skip


async def _look(
    named: Sequence[Named], seek: dict[str, str], like: Plan
) -> tuple[tuple[FleetRow, ...], float]:
    from canary.engine.fleet.fleet import open_fleet

    async with open_fleet(named, seek, like) as found:
        rows = await found.refresh()
        return rows, found.now


def exit_code(rows: Iterable[FleetRow]) -> int:
    """The worst row's."""
    codes = []
    for row in rows:
        if row.state is None:
            codes.append(EXIT_UNKNOWN)
        elif row.state.id in EXIT_CODES:
            codes.append(EXIT_CODES[row.state.id])
        elif need_of(row)[0] == 2:
            codes.append(EXIT_UNKNOWN)
        else:
            codes.append(EXIT_WAITS if row.waits_for_person or row.state.id == "watch" else 0)
    # To act comes before not to know.
    return max(codes, key=lambda code: (code == 20, code), default=0)


def _print(rows: Sequence[FleetRow], now: float, group: str) -> None:
    names = tell_apart(rows)
    for name, found in group_rows(rows, group) if group else [("", tuple(rows))]:
        if group:
            say(group_line(group, name, found))
        table = [HEADINGS, *(cells_of(row, now, name=names[row.key]) for row in found)]
        widths = [max(len(line[at]) for line in table) for at in range(len(HEADINGS))]
        shown = [at for at, _ in enumerate(HEADINGS) if at != HERE or any(c[at] for c in table[1:])]
        for cells in table:
            say("  ".join(cells[at].ljust(widths[at]) for at in shown).rstrip())
    say(summary_line(rows))


def _document(row: FleetRow) -> dict[str, Any]:
    state = row.state
    return {
        "name": row.name,
        "where": row.where,
        "state": None if state is None else state.id,
        "cause": row.trouble if state is None else state.cause,
        "next": None if state is None else state.next,
        "actor": None if state is None else state.actor.kind,
        "action": None if state is None else state.actor.action or None,
        "waits_for_person": row.waits_for_person,
        "hold": row.hold or None,
        "stage": row.stage,
        "percent": row.percent,
        "canary": {"error_ratio": row.canary.error_ratio, "p95_ms": _ms(row.canary.p95_ms)},
        "legacy": {"error_ratio": row.legacy.error_ratio, "p95_ms": _ms(row.legacy.p95_ms)},
        "soaked_hours": row.soaked_hours,
        "soak_hours": row.soak_hours,
        "data_age_s": row.data_age_s,
        "changed_at": None if row.changed_at is None else format_iso_time(row.changed_at),
        "changed_by": row.changed_by,
        "others": list(row.others),
        "guards": list(row.guards),
        "labels": dict(row.labels),
        "plan": row.plan or None,
        "look_only": row.looks_only,
    }


def _ms(value: float | None) -> float | None:
    return None if value is None else float(value)
