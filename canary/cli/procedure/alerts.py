"""`canary alerts`: the plan's limits as alert policies of Cloud Monitoring."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from canary.cli.change.text import ask_to_confirm, demand_terminal_to_ask
from canary.cli.opening import PlanSource, find_plan, open_session
from canary.cli.options import plan_options
from canary.cli.output import act, complain, print_json, say
from canary.engine.jobs.alert_policies import Applied, apply_actions, compare_policies
from canary.engine.person import this_person
from canary.rollout.errors import CanaryError, ReadOnly
from canary.rollout.export.alert_policies import Action
from canary.rollout.text import sanitize


@click.group()
def alerts() -> None:
    """Compare the plan's warnings and criticals with Cloud Monitoring's policies; write them."""


@alerts.command("diff")
@plan_options
def diff(as_json: bool, config: str | None) -> int:
    """Show what `apply` would create, update or delete. Exits 0 for nothing, 1 for something."""
    source = find_plan(config)
    actions = asyncio.run(_compare(source))
    changes = _changes(actions)
    if as_json:
        print_json(_document(source, actions, ()))
    else:
        _say(actions)
    return 1 if changes else 0


@alerts.command("apply", short_help="Write this rollout's policies as the plan says.")
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@plan_options
def apply(dry_run: bool, yes: bool, as_json: bool, config: str | None) -> int:
    """Create, update and delete this rollout's policies, one at a time, each read back.

    Policies of others are never touched, nor channels and switches of these. The first failure
    ends it; what was done stays, and asking again does the rest. `canary log` shows it.
    """
    source = find_plan(config, acts=not dry_run)
    if source.is_read_only:
        if not dry_run:
            raise ReadOnly("This console is read-only: nothing can be changed from here.")
    else:
        demand_terminal_to_ask(unasked=yes or dry_run)
    return asyncio.run(_apply(source, dry_run=dry_run, yes=yes, as_json=as_json))


async def _compare(source: PlanSource) -> tuple[Action, ...]:
    async with open_session(source, need_metrics=False) as session:
        return await compare_policies(session)


async def _apply(source: PlanSource, *, dry_run: bool, yes: bool, as_json: bool) -> int:
    async with open_session(source, need_metrics=False) as session:
        actions = await compare_policies(session)
        changes = _changes(actions)
        applied = Applied()
        if changes and not dry_run:
            if not yes:
                _ask(changes)
            act()
            author = this_person(source.plan)
            tell = _say_done if not as_json else lambda _: None
            applied = await apply_actions(session, changes, author, tell)
    if as_json:
        print_json(_document(source, actions, applied.done, applied.error))
    else:
        _print_applied(actions, applied, dry_run=dry_run)
    return applied.error.exit_code if applied.error is not None else 0


def _ask(changes: tuple[Action, ...]) -> None:
    for action in changes:
        for line in action.lines:
            click.echo(sanitize(line, 400), err=True)
    ask_to_confirm()


def _changes(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    return tuple(action for action in actions if action.kind != "keep")


def _say(actions: tuple[Action, ...]) -> None:
    for action in actions:
        for line in action.lines:
            say(sanitize(line, 400))
    kept = sum(action.kind == "keep" for action in actions)
    say(f"{kept} of {len(actions)} policies are as the plan says.")


def _say_done(action: Action) -> None:
    say(f"done: {sanitize(action.lines[0], 400)}")


def _print_applied(actions: tuple[Action, ...], applied: Applied, *, dry_run: bool) -> None:
    if dry_run:
        _say(actions)
        say("Nothing was changed: this was a dry run.")
        return
    if applied.error is not None:
        left = len(_changes(actions)) - len(applied.done)
        complain(f"{sanitize(applied.error, 900)} Not done: {left}.")
    elif not applied.done:
        say(f"All {len(actions)} policies are as the plan says: nothing to change.")


def _document(
    source: PlanSource,
    actions: tuple[Action, ...],
    done: tuple[Action, ...],
    error: CanaryError | None = None,
) -> dict[str, Any]:
    finished = {(action.kind, action.key) for action in done}
    return {
        "rollout": source.plan.name,
        "policies": [
            {
                "limit": action.key,
                "action": action.kind,
                "policy": None if action.found is None else action.found.name,
                "fields": list(action.fields),
                "lines": list(action.lines),
                "done": (action.kind, action.key) in finished,
            }
            for action in actions
        ],
        "in_step": not _changes(actions) or (bool(done) and error is None),
        "error": None if error is None else {"kind": type(error).__name__, "message": str(error)},
    }
