"""`canary doctor`: whether everything that a rollout needs is there, and what to do where not."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click
import msgspec

from canary.cli.options import chosen_config, config_option, json_option
from canary.cli.output import say, say_json
from canary.cli.plan_source import PlanSource, find_plan
from canary.rollout.errors import CanaryError
from canary.rollout.words import plain

if TYPE_CHECKING:
    from canary.engine.session import Session

State = Literal["ok", "wrong", "unknown"]

LOOK: Final = ("run.services.get", "run.revisions.list")
CHANGE: Final = ("run.services.update",)
DELETE: Final = ("run.services.delete",)
ROLES: Final = {
    LOOK: "roles/run.viewer and roles/monitoring.viewer",
    CHANGE: "roles/run.developer and roles/iam.serviceAccountUser",
    DELETE: "roles/run.developer",
}


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. `needed` False: the rollout works without it."""

    what: str
    state: State
    said: str
    remedy: str = ""
    needed: bool = True


@click.command()
@json_option
@config_option
def doctor(as_json: bool, config: str | None) -> int:
    """Check plan, cloud, permissions, records and terminal. Exits 1 when something is wrong."""
    source = find_plan(chosen_config(config))
    findings = [
        Finding("plan", "ok", f"{plain(source.path)}, provider {source.plan.provider}"),
        *asyncio.run(_ask(source)),
        *_look_at_terminal(),
    ]
    if as_json:
        say_json([msgspec.to_builtins(finding) for finding in findings])
    else:
        for finding in findings:
            _say(finding)
    return 1 if any(f.state == "wrong" and f.needed for f in findings) else 0


def _say(finding: Finding) -> None:
    glyph = {"ok": "✓", "wrong": "✗", "unknown": "?"}[finding.state]
    say(f"{glyph} {finding.what}: {plain(finding.said, 500)}")
    if finding.remedy:
        say(f"    {plain(finding.remedy, 500)}")


async def _ask(source: PlanSource) -> list[Finding]:
    from canary.engine.session import Session

    try:
        async with await Session.open(source.plan, source.path, read_only=True) as session:
            return [finding async for finding in _look(source, session)]
    except CanaryError as error:
        return [Finding("cloud", "wrong", error.message, error.remedy)]


async def _look(source: PlanSource, session: Session) -> AsyncIterator[Finding]:
    yield _look_at_files(session)
    snapshot = await session.observer.refresh()
    for view in snapshot.sources:
        if view.name == "Journal":
            continue
        fine = view.state == "ok"
        yield Finding(view.name, "ok" if fine else "wrong", view.message or "answers")
    target = source.plan.target
    services = {source.plan.router_service, target.legacy}
    if target.router.kind != "revisions":
        services.add(target.canary)
    for service in sorted(services):
        for names in (LOOK, CHANGE, DELETE):
            yield await _look_at_permissions(session, service, names)
    for report in await session.probe():
        state: State = "ok" if report.ok else "wrong"
        yield Finding(f"health of {report.service}", state, report.message, needed=False)


async def _look_at_permissions(session: Session, service: str, names: tuple[str, ...]) -> Finding:
    purpose = {LOOK: "look", CHANGE: "change", DELETE: "delete"}[names]
    what = f"right to {purpose} {service}"
    needed = names != DELETE
    try:
        held = await session.run_reader.permissions(service, names)
    except CanaryError as error:
        return Finding(what, "unknown", error.message, error.remedy, needed)
    missing = [name for name in names if name not in held]
    if not missing:
        return Finding(what, "ok", ", ".join(names), needed=needed)
    said = f"missing: {', '.join(missing)}"
    return Finding(what, "wrong", said, f"Grant {ROLES[names]}.", needed)


def _look_at_files(session: Session) -> Finding:
    if session.journal is None:
        error = session.journal_error
        said = error.message if error is not None else "cannot be opened"
        return Finding("journal", "wrong", said, error.remedy if error is not None else "")
    try:
        session.journal.check()
    except CanaryError as error:
        return Finding("journal", "wrong", error.message, error.remedy)
    still_open = len(session.journal.open_changes())
    said = f"{plain(session.journal.path)}, {still_open} changes without an outcome"
    return Finding("journal", "ok", said)


def _look_at_terminal() -> Iterator[Finding]:
    """What the console would find here; the shell's commands need none of it."""
    if not sys.stdout.isatty():
        yield Finding("terminal", "unknown", "none here: the console needs one", needed=False)
        return
    colours = os.environ.get("COLORTERM") or os.environ.get("TERM") or "unknown"
    columns, lines = os.get_terminal_size()
    encoding = sys.stdout.encoding
    fine = encoding.lower().replace("-", "") == "utf8"
    said = f"{columns}×{lines}, {plain(colours, 40)}, {encoding}"
    remedy = "" if fine else "Set a UTF-8 locale, as LC_ALL=C.UTF-8: glyphs become ? without."
    yield Finding("terminal", "ok" if fine else "wrong", said, remedy, needed=False)
    if "TMUX" in os.environ:
        socket = Path(os.environ["TMUX"].partition(",")[0])
        state: State = "ok" if socket.exists() else "unknown"
        yield Finding("tmux", state, "copying falls back to its buffer", needed=False)
