"""Which plan a command works with, its session, and one look at the rollout.

The engine is imported only when a session is opened: help and mistakes of usage come at once.
"""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from canary.cli.options import chosen_config, chosen_read_only
from canary.host.home import expand_home
from canary.host.plans import Distrust, judge_plan
from canary.paint.last_seen import Subject, subject_of
from canary.rollout.errors import Denied, PlanError, ReadOnly, Unavailable, UsageError
from canary.rollout.plan.file import decode_plan, read_plan
from canary.rollout.plan.plan import Plan
from canary.rollout.plan.rules import KnownNames
from canary.rollout.plan.tables import Notify
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import sanitize

if TYPE_CHECKING:
    from canary.engine.session import Session
    from canary.store.journal import Entry, Journal, Unreadable

DEFAULT_NAME: Final = "canary.toml"


class PlanSource(msgspec.Struct, frozen=True):
    """A plan and the file it was read from.

    `distrust` None: it may act. Else it may only be looked at, and its programs and its webhook are
    taken out of it. `body` is the file's text (b"" for a plan that no file has).
    """

    plan: Plan
    path: Path
    distrust: Distrust | None = None
    body: bytes = b""

    @property
    def outputs(self) -> Path:
        """The directory for results, beside the plan."""
        return self.path.parent / self.plan.record.outputs

    @property
    def subject(self) -> Subject:
        """The plan as what was last seen of it is kept for."""
        return subject_of(str(self.path) if self.body else "", self.body)

    @property
    def is_read_only(self) -> bool:
        """Whether nothing may be changed from here, by `--read-only` or by the plan."""
        return chosen_read_only() or self.plan.console.read_only


def find_plan(config: str | None, *, acts: bool = False) -> PlanSource:
    """The plan named behind or before the command, else ./canary.toml.

    `acts`: the command changes, writes, sends or spends something for it. Raises PlanError: missing
    or wrong; and ReadOnly where it `acts` and others could have written the plan or a program of
    it (`canary.host.plans`). Whatever it is asked for, no program of such a plan is left in it.
    """
    config = chosen_config(config)
    path = expand_home(config, "--config") if config is not None else Path(DEFAULT_NAME)
    if config is None and not path.exists():
        raise PlanError(
            f"There is no {DEFAULT_NAME} in {sanitize(Path.cwd(), 200)}.",
            remedy="Name a plan with --config FILE, write one with `canary init`, or look around"
            " with `canary demo`.",
        )
    body = read_plan(path)
    plan = decode_plan(body, sanitize(path, 200), known_names())
    distrust = judge_plan(path.absolute(), body, plan)
    if distrust is None:
        return PlanSource(plan, path.absolute(), body=body)
    if acts:
        raise ReadOnly(distrust.said, remedy=distrust.remedy)
    return PlanSource(without_powers(plan), path.absolute(), distrust, body)


def without_powers(plan: Plan) -> Plan:
    """The plan as it may be looked at by somebody who does not trust it.

    Read-only, no program that reads the share (the record on the service tells it), no webhook.
    """
    replace = msgspec.structs.replace
    return replace(
        plan,
        target=replace(plan.target, router=replace(plan.target.router, read=())),
        console=replace(plan.console, read_only=True),
        guard=replace(plan.guard, armed=False),
        notify=Notify(),
    )


def demand_stage(plan: Plan, stage: int | None) -> None:
    """Raise UsageError for a stage beyond the plan's last one; None is no stage."""
    if stage is not None and stage > len(plan.stages):
        raise UsageError(f"There is no stage {stage}: the plan has {len(plan.stages)}.")


@contextlib.asynccontextmanager
async def open_session(source: PlanSource, *, need_metrics: bool = True) -> AsyncIterator[Session]:
    """The plan's session while the block lasts. Raises CanaryError: the cloud does not come up."""
    from canary.engine.session import Session

    async with await Session.open(source.plan, source.path, need_metrics=need_metrics) as session:
        say_place(source.plan)
        yield session


_TELL_THEMSELVES: Final = ("status", "doctor")


def say_place(plan: Plan) -> None:
    """On which cloud a command works, before anything else that it says: on standard error.

    Not where a program reads, nor where the command's own first line says it.
    """
    context = click.get_current_context(silent=True)
    if context is None or context.info_name in _TELL_THEMSELVES:
        return
    if context.params.get("as_json") or context.params.get("as_line"):
        return
    target = plan.target
    local = "LOCAL CLOUD, " if plan.provider == "local" else ""
    where = f"{target.project}/{target.region}: {target.legacy} and {target.canary}"
    # ASCII alone: no locale is without it.
    click.echo(sanitize(f"{local}{where}", 200).encode("ascii", "replace").decode(), err=True)


def read_changes(
    plan: Plan, read: Callable[[Journal], tuple[Entry | Unreadable, ...]]
) -> tuple[Entry | Unreadable, ...]:
    """What `read` finds in this host's journal; nothing where there is none: looking makes none."""
    from canary.store.journal import Journal
    from canary.store.paths import journal_path, state_dir

    path = journal_path(state_dir(plan))
    if not path.exists():
        return ()
    with Journal(path, read_only=True) as journal:
        return read(journal)


async def look(session: Session) -> Snapshot:
    """The snapshot of now. A source that fails is named in it, not raised.

    What earlier looks have read is taken over first, so that a one-hour watch is known at once.
    """
    session.observer.load_history()
    return await session.observer.refresh()


async def look_back(session: Session) -> Snapshot:
    """The snapshot of now, with the past that Cloud Monitoring still has. Raises Unavailable."""
    demand_cloud_run(await look(session))
    async for _ in session.observer.backfill():
        pass
    return session.observer.judge()


def demand_cloud_run(snapshot: Snapshot, first: str = "") -> None:
    """Raise Unavailable (Denied for the login), with what was said, when it has not answered.

    `first` is what to do before anything else.
    """
    if snapshot.standing is not None:
        return
    said = next((s.message for s in snapshot.sources if s.name == "Cloud Run" and s.message), "")
    if said and not said.startswith("Cloud Run"):
        # Nothing was asked: the login, or this host as it is set up.
        raise Denied(said, remedy=first or "`canary doctor` looks at all of it.", source="login")
    raise Unavailable(
        f"Cloud Run has not answered: {said}" if said else "Cloud Run has not answered.",
        remedy=f"{first}`canary doctor` says what is missing.",
        source="Cloud Run",
    )


# Names that a plan may use and that others own: the console's keys, the scenarios. The domain knows
# neither; every command that reads a plan gives it these.

SCENARIOS: Final = (
    "healthy",
    "error-spike",
    "slow-burn",
    "latency",
    "low-confidence",
    "no-data",
    "stale",
    "quota",
    "monitoring-outage",
    "run-outage",
    "conflict",
    "pinned",
    "moved-tag",
    "redeploy",
    "churn",
    "unhealthy",
    "load-test",
    "final-approval",
    "denied",
    "stuck-operation",
    "failing-operation",
    "crash-loop",
    "noisy",
    "sticky",
    "errors-unseen",
    "errors-run-away",
    "bad-redeploy",
    "log-excluded",
    "log-late",
    "route-fails",
    "instance-fails",
    "dependency-timeout",
    "new-exception",
)
"""What the embedded cloud can play. It is a process that nobody imports, so a test holds its own
list and this one together."""


SCENARIO_LIST: Final = "\b\nScenarios:\n" + textwrap.fill(
    ", ".join(SCENARIOS), 76, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
)
"""For the end of a command's help; no name is broken at its hyphen."""


def known_names() -> KnownNames:
    """What [console.keys] and `local.scenario` may name."""
    return KnownNames(_actions, SCENARIOS, _key_mistakes)


def _key_mistakes(keys: Mapping[str, str]) -> Iterable[tuple[str, str, str]]:
    from tui.keys import key_mistakes

    return key_mistakes(keys)


def _actions() -> tuple[str, ...]:
    """Asked for by a plan that binds keys; the table of keys is plain data, without Textual."""
    from tui.keys import ACTIONS

    return tuple(action.name for action in ACTIONS)
