"""What fails, as it is shown: groups in the order in which they matter, with what they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from canary.rollout.evidence.interval import Likelihood, RatioInterval, estimate_ratio
from canary.rollout.evidence.ratio import Counts
from canary.rollout.failures.discoveries import RATE, find_discoveries
from canary.rollout.failures.groups import FailuresState, Group
from canary.rollout.failures.requests import OTHER, FailedRequest, GroupKey

Mark = Literal["new", "twice", "once", ""]
Source = Literal["log", "monitoring"]

HOUR_S: Final = 3_600.0
NEW_FROM: Final = 3
"""So many in Canary, and none in Legacy, are new; fewer are told as seen once or twice."""

MOST_ROWS: Final = 40
MOST_REQUESTS: Final = 20
"""Of a group, newest first."""


class FailureGroup(msgspec.Struct, frozen=True):
    """One group as it is shown. Counts are since `since` of the view, of its `legacy` and `canary`
    requests.

    `excess` is Canary's count beyond what Legacy's ratio would make (below 0: fewer); None without
    a request of Legacy. `is_beyond_chance`: marked by e-BH among all groups. `log_e` is its
    e-value's logarithm. `interval`: how many times as often, at any look. `requests` newest first.
    """

    key: GroupKey
    legacy: int
    canary: int
    excess: float | None
    log_e: float = 0.0
    is_beyond_chance: bool = False
    mark: Mark = ""
    interval: RatioInterval | None = None
    last_at: float | None = None
    requests: tuple[FailedRequest, ...] = ()


class FailuresView(msgspec.Struct, frozen=True):
    """What fails in Canary, most important first, in the last hour at most (`since`), and since
    the split changed. `more`: groups that are left out below.

    `source` "monitoring": counts by status alone, as the request log is not read; `missing` then
    says what that leaves unknown, and why. `seen_s`: for how long Legacy was looked at, an hour at
    most. `sampled`: the share of the log that was read. `unfit_s` were seen and not compared.
    """

    groups: tuple[FailureGroup, ...] = ()
    legacy: int = 0
    canary: int = 0
    since: float | None = None
    until: float | None = None
    source: Source = "log"
    missing: str = ""
    sampled: float = 1.0
    seen_s: float = 0.0
    unfit_s: float = 0.0
    tested: int = 0
    more: int = 0

    @property
    def beyond_chance(self) -> int:
        """How many groups are beyond chance."""
        return sum(group.is_beyond_chance for group in self.groups)


def view_failures(state: FailuresState, now: float, missing: str = "") -> FailuresView:
    """The groups at `now` (cloud time). `missing`: what is wrong with the log, while it is read."""
    keys = list(state.groups)
    groups = [state.groups[key] for key in keys]
    marked = find_discoveries([group.test.log_value for group in groups])
    requests = _by_group(state)
    since = max(now - HOUR_S, state.since or 0.0, state.counted_since or 0.0)
    totals = state.requests.total(since)
    rows = [
        _row(state, key, group, (now, since), totals, requests, is_beyond_chance=place in marked)
        for place, (key, group) in enumerate(zip(keys, groups, strict=True))
    ]
    rows = sorted((r for r in rows if r.legacy or r.canary or r.requests), key=_order)
    shown = tuple(_with_interval(row, *totals) for row in rows[:MOST_ROWS])
    seen_s = 0.0 if state.seen_since is None else min(HOUR_S, now - state.seen_since)
    return FailuresView(
        shown,
        *totals,
        since if totals[0] or totals[1] else state.since,
        state.seen_until,
        "log",
        missing,
        state.sampled,
        max(0.0, seen_s),
        state.unfit_s,
        len(keys),
        max(0, len(rows) - MOST_ROWS),
    )


def excess_of(legacy: int, canary: int, of_legacy: int, of_canary: int) -> float | None:
    """Canary's count beyond Legacy's ratio: c − n_c·l/n_l; None without a request of Legacy."""
    return canary - of_canary * legacy / of_legacy if of_legacy else None


def mark_of(canary: int, *, is_unknown_in_legacy: bool) -> Mark:
    """What is to be said of a group that Legacy has had nothing of in the last hour."""
    if not is_unknown_in_legacy or not canary:
        return ""
    return "new" if canary >= NEW_FROM else "twice" if canary == 2 else "once"


def _row(
    state: FailuresState,
    key: GroupKey,
    group: Group,
    span: tuple[float, float],
    totals: tuple[int, int],
    requests: Mapping[GroupKey, list[FailedRequest]],
    *,
    is_beyond_chance: bool,
) -> FailureGroup:
    now, since = span
    unknown = key != OTHER and state.is_unknown_in_legacy(key, now - HOUR_S)
    legacy, canary = group.recent.total(since)
    excess = excess_of(legacy, canary, *totals)
    last = max(group.seen_at("canary"), group.seen_at("legacy"))
    return FailureGroup(
        key,
        legacy,
        canary,
        excess,
        group.test.log_value,
        is_beyond_chance and is_more(excess),
        mark_of(canary, is_unknown_in_legacy=unknown),
        None,
        last if last > float("-inf") else None,
        tuple(requests.get(key, ())[:MOST_REQUESTS]),
    )


def is_more(excess: float | None) -> bool:
    """Whether Canary has more than Legacy would: nothing else is marked as beyond chance."""
    return excess is None or excess > 0


def _with_interval(row: FailureGroup, of_legacy: int, of_canary: int) -> FailureGroup:
    """With the interval, which takes longer than all else: of what is shown alone."""
    if not row.canary:
        return row
    counts = Counts(0.0, HOUR_S, of_legacy, of_canary, row.legacy, row.canary)
    return msgspec.structs.replace(row, interval=estimate_ratio(Likelihood().add(counts), RATE))


def _by_group(state: FailuresState) -> dict[GroupKey, list[FailedRequest]]:
    """Canary's failing requests by group, newest first."""
    found: dict[GroupKey, list[FailedRequest]] = {}
    for request in state.newest("canary"):
        key = request.key if request.key in state.groups else OTHER
        found.setdefault(key, []).append(request)
    return found


def _order(row: FailureGroup) -> tuple[int, float, GroupKey]:
    """Those beyond chance by excess, then what is new, then the rest; a stable order."""
    rank = 0 if row.is_beyond_chance else 1 if row.mark == "new" else 2
    return rank, -(row.excess if row.excess is not None else float(row.canary)), row.key
