"""What Canary has cost since the split changed, and what waiting would cost. Pure.

Failed requests beyond those that Legacy's ratio of the same windows would have made, from judged
windows alone; requests are counted, never people. With few failures the interval of the ratio
stands beside the number: three errors are not a pattern.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from canary.rollout.change.stage_record import next_stage
from canary.rollout.evidence.interval import RatioInterval, format_interval
from canary.rollout.evidence.tally import RECENT_S, Part, Toll
from canary.rollout.evidence.view import EvidenceView
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import (
    format_clock,
    format_count,
    format_duration,
    format_iso_time,
    is_of_another_day,
)

Kind = Literal["failed", "slow"]

FEW: Final = 20
"""With fewer bad requests of Canary the interval is said beside the number."""

_RATE_LEAST_S: Final = 60.0
"""A rate from less than a minute is none."""

_LEVELS: Final = 6
"""How many ways there are to say it, from the longest to the shortest."""


class Impact(msgspec.Struct, frozen=True):
    """What one kind of bad request has come to. Counts are of judged windows since `since`.

    `unknown` says why nothing is known; "" when it is. `excess` is Canary's `bad` beyond what
    Legacy's ratio would have made of its `requests` (below 0 where it does better); None: Legacy
    had no request to compare with. `per_minute` is of the last five minutes, None where less than
    one of them was judged or they are too old; `until` is the end of the newest window. `factor` is
    the next stage's share ÷ the present one; None where there is none. `left_out_s` were seen and
    not judged. `is_estimate`: a sample of the log is read, and the counts are scaled up.
    """

    kind: Kind
    since: float | None = None
    until: float | None = None
    requests: int = 0
    bad: int = 0
    legacy_ratio: float | None = None
    excess: float | None = None
    per_minute: float | None = None
    factor: float | None = None
    interval: RatioInterval | None = None
    left_out_s: float = 0.0
    is_estimate: bool = False
    is_old: bool = False
    unknown: str = ""

    @property
    def is_few(self) -> bool:
        """Whether there are too few to go by their number alone."""
        return self.bad < FEW

    @property
    def more(self) -> int | None:
        """Bad requests more than Legacy would have, never below 0; None: not known."""
        return None if self.excess is None else max(0, round(self.excess))

    @property
    def in_ten_minutes(self) -> int | None:
        """What ten more minutes at the present share cost; None: not known."""
        return None if self.per_minute is None else max(0, round(10 * self.per_minute))


def find_impact(snapshot: Snapshot, plan: Plan, kind: Kind = "failed") -> Impact | None:
    """The impact of Canary's traffic; None while Canary takes none."""
    traffic = snapshot.traffic
    if traffic.is_all_on_legacy:
        return None
    view = snapshot.evidence
    if traffic.canary_percent is None:
        return Impact(kind, unknown="what share Canary has is not known")
    if view is None or view.began_at is None:
        return Impact(kind, unknown="nothing has been compared yet")
    left_out_s = sum(entry.seconds for entry in view.left_out)
    toll: Toll = view.failed if kind == "failed" else view.slow
    if toll.whole is None:
        unknown = _why_nothing(view, kind)
        return Impact(kind, view.began_at, left_out_s=left_out_s, unknown=unknown)
    whole = toll.whole
    is_old = snapshot.as_of - whole.until > 2 * RECENT_S
    return Impact(
        kind,
        view.began_at,
        whole.until,
        round(whole.canary),
        round(whole.bad_canary),
        whole.legacy_ratio,
        whole.excess,
        None if is_old else _rate(toll.newest),
        _factor(snapshot, plan),
        toll.interval,
        left_out_s,
        toll.sampled < 1.0,
        is_old,
    )


def _why_nothing(view: EvidenceView, kind: Kind) -> str:
    if view.rebuilding is not None:
        return "what this host has kept is being judged again"
    if kind == "slow" and view.slow_bound_ms is None:
        return "what is slow is not fixed yet"
    return "nothing of it has been judged yet"


def _rate(newest: Part | None) -> float | None:
    if newest is None or newest.excess is None or newest.seconds < _RATE_LEAST_S:
        return None
    return newest.excess / newest.seconds * 60.0


def _factor(snapshot: Snapshot, plan: Plan) -> float | None:
    traffic, index = snapshot.traffic, snapshot.stage.index
    served = traffic.served_percent
    percent = traffic.canary_percent if served is None else served
    following = next_stage(plan, index) if index is not None else None
    if not percent or following is None:
        return None
    return plan.percent_of(following) / percent


def format_so_far(impact: Impact | None) -> str:
    """For the strip of a rollback: "46 failures so far that Legacy would not have had"; "" where
    nothing is known.
    """
    if impact is None or impact.unknown:
        return ""
    count = f"{_about(impact)}{format_count(impact.bad)} failure{'' if impact.bad == 1 else 's'}"
    return f"{count} so far, {_excess(impact, 'would have')}"


def format_impact(impact: Impact, width: int | None = None) -> str:
    """The line, as long as `width` allows (None: all of it); never cut amid a part.

    "since 13:58Z: 1 842 Canary requests, 55 failed, 46 more than Legacy would have · 10 more
    minutes ≈ 25 · at the next stage × 2.5".
    """
    lines = [_line(impact, level) for level in range(_LEVELS)]
    for parts in lines:
        if width is None or len(" · ".join(parts)) <= width:
            return " · ".join(parts)
    parts = lines[-1]
    while len(parts) > 1 and width is not None and len(" · ".join(parts)) > width:
        parts = parts[:-1]
    shown = " · ".join(parts)
    return shown if width is None or len(shown) <= width else _least(impact)


def _line(impact: Impact, level: int) -> list[str]:
    """The parts of the line, most important first; the higher the level, the fewer words."""
    if impact.unknown:
        since = f"since {_clock(impact)}: " if impact.since is not None and level < 2 else ""
        return [f"{since}impact not known: {impact.unknown}", *_masked(impact, level)]
    since = ("since {}: ", "since {}: ", "{}: ", "{}: ", "", "")[level].format(_clock(impact))
    about, of = _about(impact), format_count(impact.requests)
    bad = format_count(impact.bad)
    counts = (
        f"{of} Canary requests, {bad} {impact.kind}, ",
        f"{bad} of {of} {impact.kind}, ",
        f"{bad} of {of} {impact.kind}, ",
        f"{bad} of {of} {impact.kind}, ",
        f"{bad} {impact.kind}, ",
        "",
    )[level]
    beyond = _excess(impact, "would have" if level < 2 else "")
    parts = [f"{since}{about}{counts}{beyond}"]
    if impact.is_few and impact.interval is not None:
        parts.append(_interval(impact.interval, level))
    parts.append(_soon(impact, level))
    if impact.factor is not None and impact.factor > 1.0:
        words = "at the next stage" if level == 0 else "next"
        parts.append(f"{words} × {impact.factor:.3g}")
    return [part for part in (*parts, *_masked(impact, level)) if part]


def _soon(impact: Impact, level: int) -> str:
    if impact.is_old:
        return f"no numbers since {format_clock(impact.until)}"
    if impact.in_ten_minutes is None:
        return "rate not known yet" if level < 2 else ""
    words = "10 more minutes" if level < 2 else "10 m"
    return f"{words} ≈ {format_count(impact.in_ten_minutes)}"


def _interval(interval: RatioInterval, level: int) -> str:
    """How many times as often, and the bounds: three errors are not a pattern."""
    whose = "Legacy's ratio " if level < 2 else ""
    return f"{whose}{format_interval(interval)}"


def _masked(impact: Impact, level: int) -> list[str]:
    if impact.left_out_s < 1.0 or level > 2:
        return []
    return [f"{format_duration(impact.left_out_s)} masked{', left out' if level == 0 else ''}"]


def _excess(impact: Impact, verb: str) -> str:
    verb = f" {verb}" if verb else ""
    if impact.more is None:
        return "Legacy had none to compare" if not verb else "Legacy had no request to compare with"
    if impact.more == 0:
        # A healthy past must not hide what fails now.
        now = round(impact.per_minute or 0.0)
        if now < 1:
            return f"no more than Legacy{verb}"
        late = f"{format_count(now)} a minute more now"
        return f"no more than Legacy{verb} in all, {late}" if verb else late
    return f"{format_count(impact.more)} more than Legacy{verb}"


def _least(impact: Impact) -> str:
    return "impact not known" if impact.unknown else f"{format_count(impact.bad)} {impact.kind}"


def _about(impact: Impact) -> str:
    return "about " if impact.is_estimate else ""


def _clock(impact: Impact) -> str:
    """When the split changed, to the minute; with the day where that is not today's."""
    since = impact.since or 0.0
    clock = f"{format_clock(since)[:5]}Z"
    if not is_of_another_day(since, impact.until or since):
        return clock
    return f"{(format_iso_time(since) or '')[5:10]} {clock}"


def impact_document(impact: Impact | None) -> dict[str, Any] | None:
    """The impact in the contract of `canary status --json`; None: Canary takes no traffic."""
    if impact is None:
        return None
    known = not impact.unknown
    interval = impact.interval
    return {
        "since": format_iso_time(impact.since),
        "until": format_iso_time(impact.until),
        "requests": impact.requests if known else None,
        impact.kind: impact.bad if known else None,
        "legacy_ratio": impact.legacy_ratio,
        "excess": None if impact.excess is None else round(impact.excess, 1),
        "per_minute": None if impact.per_minute is None else round(impact.per_minute, 2),
        "in_ten_minutes": impact.in_ten_minutes,
        "next_stage_factor": impact.factor,
        "times_legacy": None
        if interval is None
        else {"estimate": interval.estimate, "low": interval.low, "high": interval.high},
        "left_out_s": round(impact.left_out_s, 1),
        "sampled": impact.is_estimate,
        "why_unknown": impact.unknown or None,
    }
