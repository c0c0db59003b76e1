"""What the tables [load_test] and [ab_test] must obey. Part of `plan_rules`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from canary.rollout.plan_mistakes import Found, Mistake, check_name, check_range, nearest
from canary.rollout.plan_trials import AbTest, LoadProfile, LoadTest
from canary.rollout.words import plain

if TYPE_CHECKING:
    from canary.rollout.plan import Plan

_TABLE: Final = re.compile(
    r"([a-z0-9.-]+:)?([a-z][-a-z0-9]{4,28}[a-z0-9]\.)?\w{1,1024}\.[\w-]{1,1024}"
)
_LOCATION: Final = re.compile(r"[A-Za-z]+(-[A-Za-z0-9]+)*")
_PATH: Final = re.compile(r"/[!-~]*")

LEAST_BYTES_BILLED: Final = 10_485_760
"""BigQuery bills at least 10 MB for each table that a query reads."""


def find_trial_mistakes(plan: Plan) -> Found:
    """Every rule that the two tables break."""
    yield from _check_load_test(plan.load_test)
    yield from _check_ab_test(plan.ab_test)


def _check_load_test(test: LoadTest) -> Found:
    yield from check_range("load_test.users", test.users, 1, 100_000)
    yield from check_range("load_test.spawn_rate", test.spawn_rate, 0.01, 10_000)
    yield from check_range("load_test.duration_minutes", test.duration_minutes, 0.01, 10_080)
    yield from check_range("load_test.timeout_s", test.timeout_s, 0.1, 3600)
    if test.find_profile(test.profile) is None:
        known = nearest(test.profile, test.profile_names)
        yield Mistake("load_test.profile", f'is "{plain(test.profile, 40)}"', known)
    yield from check_range("load_test.max_error_ratio", test.max_error_ratio, 0, 1, ratio=True)
    yield from check_range("load_test.max_p95_ms", test.max_p95_ms, 1, 3_600_000)
    yield from check_range("load_test.min_success_ratio", test.min_success_ratio, 0, 1, ratio=True)
    at = "load_test.max_unattributed_ratio"
    yield from check_range(at, test.max_unattributed_ratio, 0, 1, ratio=True)
    for name, profile in test.profiles.items():
        yield from _check_profile(f"load_test.profiles.{plain(name, 40)}", profile)


def _check_profile(path: str, profile: LoadProfile) -> Found:
    yield from check_range(f"{path}.min_wait_s", profile.min_wait_s, 0, 3600)
    least = max(0.0, profile.min_wait_s)
    yield from check_range(f"{path}.max_wait_s", profile.max_wait_s, least, 3600)
    if not profile.requests:
        yield Mistake(f"{path}.requests", "is empty", f"at least one table [[{path}.requests]]")
    for index, request in enumerate(profile.requests):
        at = f"{path}.requests[{index}]"
        yield from check_name(f"{at}.path", request.path, _PATH, 'a path, as "/chat"')
        yield from check_range(f"{at}.weight", request.weight, 1, 1000)
        if request.body and request.method == "GET":
            yield Mistake(f"{at}.body", "is set, and method is GET", 'method = "POST"')


def _check_ab_test(test: AbTest) -> Found:
    expected = 'dataset.table or project.dataset.table, as "ab_test.results"'
    yield from check_name("ab_test.table", test.table, _TABLE, expected)
    yield from check_range("ab_test.days", test.days, 1, 3650)
    yield from check_name("ab_test.location", test.location, _LOCATION, 'a location, as "US"')
    billed = test.max_bytes_billed
    yield from check_range("ab_test.max_bytes_billed", billed, LEAST_BYTES_BILLED, 2**63 - 1)
    yield from check_range("ab_test.timeout_s", test.timeout_s, 1, 3600)
    for name in ("legacy_group", "canary_group"):
        if not getattr(test, name).strip():
            yield Mistake(f"ab_test.{name}", "is empty", "a value of the column `group`")
    if test.legacy_group == test.canary_group:
        yield Mistake("ab_test.canary_group", "is the same as legacy_group", "another group")
