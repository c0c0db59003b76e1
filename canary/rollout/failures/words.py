"""What is said of failures, on the page and in the shell alike. Pure."""

from __future__ import annotations

import math
from typing import Final

from canary.rollout.evidence.interval import format_interval
from canary.rollout.failures.discoveries import RATE
from canary.rollout.failures.groups import is_server
from canary.rollout.failures.requests import OTHER, FailedRequest, GroupKey
from canary.rollout.failures.view import HOUR_S, FailureGroup, FailuresView, Mark
from canary.rollout.text import (
    format_clock,
    format_count,
    format_duration,
    format_milliseconds,
    format_ratio,
    sanitize,
)

MARKS: Final[dict[Mark, str]] = {
    "new": "NEW",
    "twice": "seen twice in Canary only",
    "once": "seen once in Canary only",
    "": "",
}
FEW: Final = 5
"""So few are no pattern, whatever the e-value: it takes failures for independent."""

_MOST_E: Final = math.log(1e6)


def format_key(key: GroupKey) -> str:
    """A group: "POST /api/v2/recommend/personalized 500"; "all others"."""
    if key == OTHER:
        return "all others"
    return " ".join(filter(None, (key.method, key.route, key.status)))


def format_counts(count: int, of: int) -> str:
    """How many of how many: "34 of 1 842, 1.85 %"."""
    share = f", {format_ratio(count / of)}" if of else ""
    return f"{format_count(count)} of {format_count(of)}{share}"


def format_excess(group: FailureGroup) -> str:
    """ "34 more than Legacy"; "no more than Legacy"; "Legacy had no request"."""
    if group.excess is None:
        return "Legacy had no request"
    more = round(group.excess)
    return f"{format_count(more)} more than Legacy" if more > 0 else "no more than Legacy"


def format_beyond(group: FailureGroup) -> str:
    """What the count rests on: "beyond chance, e = 2 000", or that it may be chance."""
    rests = f"e = {_e_value(group.log_e)}"
    if group.is_beyond_chance:
        few = f"; {group.canary} are few, in one burst they prove nothing"
        return f"beyond chance, {rests}{few if group.canary < FEW else ''}"
    if group.canary and group.canary < FEW:
        return f"{_errors(group.canary)} no pattern"
    if group.interval is not None:
        return f"may be chance: {format_interval(group.interval)}"
    return "may be chance" if group.canary else "not in Canary"


def format_about(view: FailuresView) -> tuple[str, ...]:
    """What all of it rests on, a sentence each, the most needed first."""
    said = []
    if view.missing:
        where = "From Cloud Monitoring, by status: " if view.source == "monitoring" else ""
        said.append(f"{where}{sanitize(view.missing, 300)}")
    since = "" if view.since is None else f"Since {format_clock(view.since)}: "
    said.append(
        f"{since}{format_count(view.canary)} Canary requests, {format_count(view.legacy)} of"
        f" Legacy. {view.tested} groups, {view.beyond_chance} beyond chance"
        f" (of such marks at most {RATE:.0%} are chance)."
    )
    if view.sampled < 1.0:
        said.append(f"A sample of {format_ratio(view.sampled)} of the request log is read.")
    if view.source == "log" and view.seen_s < HOUR_S - 60:
        seen = format_duration(view.seen_s)
        said.append(f"Legacy has been seen for {seen}: NEW is new since then.")
    if view.unfit_s:
        said.append(f"{format_duration(view.unfit_s)} were seen and not compared.")
    if view.more:
        said.append(f"{format_count(view.more)} more groups are not shown.")
    return tuple(said)


def format_request(request: FailedRequest) -> str:
    """One request in a row: time, method, route, status, latency, instance, trace."""
    instance = f"  instance {request.instance[-8:]}" if request.instance else "  no instance"
    trace = f"  trace {request.trace[:16]}" if request.trace else ""
    return (
        f"{format_clock(request.at)}  {format_key(request.key)}"
        f"  {format_milliseconds(request.latency_ms)}{instance}{trace}"
    )


def format_spread(group: FailureGroup, instances: float | None = None) -> str:
    """On how many instances and how fast the newest requests failed: "12 of the newest 12 on one of
    about 4 instances, 3f2a91bc; about 10.0 s each"; "" where nothing stands out.

    `instances`: how many Canary has; with one alone it says nothing that all failed on it.
    """
    found = group.requests
    if len(found) < FEW:
        return ""
    said = []
    names = [r.instance for r in found if r.instance]
    if names and (instances is None or instances > 1.5):
        worst = max(sorted(set(names)), key=names.count)
        count = names.count(worst)
        if count >= 0.8 * len(found):
            of = "" if instances is None else f"one of about {instances:.0f} instances, "
            said.append(f"{count} of the newest {len(found)} on {of}{worst[-8:]}")
        else:
            said.append(f"on {len(set(names))} instances")
    times = sorted(r.latency_ms for r in found)
    said.append(f"about {format_milliseconds(times[len(times) // 2])} each")
    return ", ".join(said)


def format_common(view: FailuresView, instances: float | None) -> str:
    """What the failures of several groups have in common: most are on one of Canary's instances;
    "" where they are not, or where it has one alone.
    """
    found = [r.instance for g in view.groups for r in g.requests if is_server(g.key)]
    named = [name for name in found if name]
    groups = sum(bool(g.requests) and is_server(g.key) for g in view.groups)
    if groups < 2 or len(named) < 2 * FEW or instances is None or instances <= 1.5:
        return ""
    worst = max(sorted(set(named)), key=named.count)
    count = named.count(worst)
    if count < 0.7 * len(named):
        return ""
    return (
        f"{count} of the newest {len(named)} failures are on one of about {instances:.0f}"
        f" instances: {worst[-8:]}"
    )


def _errors(count: int) -> str:
    return "one failure is" if count == 1 else f"{format_count(count)} failures are"


def _e_value(log_e: float) -> str:
    if log_e >= _MOST_E:
        return "over 1 000 000"
    value = math.exp(log_e)
    return format_count(round(value)) if value >= 10 else f"{value:.1f}"
