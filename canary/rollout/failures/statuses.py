"""Failures without the request log: by status alone, from what Cloud Monitoring counts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from canary.rollout.evidence import ratio
from canary.rollout.evidence.interval import Likelihood, estimate_ratio
from canary.rollout.evidence.ratio import Counts, RatioTest
from canary.rollout.failures.discoveries import RATE, find_discoveries
from canary.rollout.failures.requests import GroupKey
from canary.rollout.failures.view import (
    HOUR_S,
    FailureGroup,
    FailuresView,
    excess_of,
    is_more,
    mark_of,
)
from canary.rollout.measure.samples import Responses, Sample

MISSING: Final = "routes, single requests, instances, traces and log lines"


class StatusMinute(msgspec.Struct, frozen=True):
    """One minute of both sides: requests of each status ("5xx", or "503")."""

    start: float
    end: float
    legacy: Mapping[str, int]
    canary: Mapping[str, int]


def view_classes(
    legacy: Sequence[Sample], canary: Sequence[Sample], since: float, why: str
) -> FailuresView:
    """The failures since a time, by class of status. `why`: why the request log is not used."""
    other = {(s.start, s.end): s for s in canary}
    since = max(since, legacy[-1].end - HOUR_S if legacy else since)
    minutes = []
    for sample in legacy:
        pair = other.get((sample.start, sample.end))
        if sample.start < since or pair is None:
            continue
        if sample.responses is not None and pair.responses is not None:
            minutes.append(
                StatusMinute(
                    sample.start, sample.end, _by_class(sample.responses), _by_class(pair.responses)
                )
            )
    return view_statuses(minutes, since, why)


def view_statuses(minutes: Sequence[StatusMinute], since: float, why: str) -> FailuresView:
    """The failures in these minutes, oldest first, by status; says what is missing, and why."""
    totals = [0, 0]
    counts: dict[str, list[int]] = {}
    tests: dict[str, tuple[RatioTest, Likelihood]] = {}
    for minute in minutes:
        both = sum(minute.legacy.values()), sum(minute.canary.values())
        totals = [totals[0] + both[0], totals[1] + both[1]]
        for status in sorted({*minute.legacy, *minute.canary}):
            if not status.startswith(("4", "5")):
                continue
            bad = minute.legacy.get(status, 0), minute.canary.get(status, 0)
            before = counts.setdefault(status, [0, 0])
            counts[status] = [before[0] + bad[0], before[1] + bad[1]]
            window = Counts(minute.start, minute.end, *both, *bad)
            test, seen = tests.get(status, (ratio.regression_test(), Likelihood()))
            tests[status] = (ratio.update(test, window), seen.add(window))
    names = list(counts)
    marked = find_discoveries([tests[name][0].log_value for name in names])
    rows = [
        FailureGroup(
            GroupKey("", "", name),
            counts[name][0],
            counts[name][1],
            (excess := excess_of(counts[name][0], counts[name][1], totals[0], totals[1])),
            tests[name][0].log_value,
            place in marked and is_more(excess),
            mark_of(counts[name][1], is_unknown_in_legacy=not counts[name][0]),
            estimate_ratio(tests[name][1], RATE),
        )
        for place, name in enumerate(names)
        if any(counts[name])
    ]
    rows.sort(key=lambda r: (not r.is_beyond_chance, -(r.excess or 0.0), r.key.status))
    return FailuresView(
        tuple(rows),
        totals[0],
        totals[1],
        since,
        minutes[-1].end if minutes else None,
        "monitoring",
        f"no {MISSING}: {why}",
        tested=len(names),
        seen_s=minutes[-1].end - minutes[0].start if minutes else 0.0,
    )


def _by_class(responses: Responses) -> dict[str, int]:
    return {
        "2xx": responses.ok_2xx,
        "3xx": responses.redirect_3xx,
        "4xx": responses.client_4xx,
        "5xx": responses.server_5xx,
    }
