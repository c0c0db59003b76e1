"""What the tables [load_test] and [ab_test] must obey. Part of `plan_rules`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from canary.rollout.plan.mistakes import Found, Mistake, check_name, check_range, nearest
from canary.rollout.plan.tables import AbTest, EvidenceSettings, LoadProfile, LoadTest
from canary.rollout.text import sanitize

if TYPE_CHECKING:
    from canary.rollout.plan.plan import Plan, Router

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
        yield Mistake("load_test.profile", f'is "{sanitize(test.profile, 40)}"', known)
    yield from check_range("load_test.max_error_ratio", test.max_error_ratio, 0, 1, ratio=True)
    yield from check_range("load_test.max_p95_ms", test.max_p95_ms, 1, 3_600_000)
    yield from check_range("load_test.min_success_ratio", test.min_success_ratio, 0, 1, ratio=True)
    at = "load_test.max_unattributed_ratio"
    yield from check_range(at, test.max_unattributed_ratio, 0, 1, ratio=True)
    for name, profile in test.profiles.items():
        yield from _check_profile(f"load_test.profiles.{sanitize(name, 40)}", profile)


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


# What the table [evidence] must obey.


def find_evidence_mistakes(evidence: EvidenceSettings) -> Found:
    """Every rule that the table breaks."""
    for name in ("alpha", "pass_alpha"):
        value = getattr(evidence, name)
        if not 0 < value < 1:
            expected = "above 0 and below 1, as 0.01"
            yield Mistake(f"evidence.{name}", f"is {value:g}", expected)
    yield from check_range("evidence.warm_up_minutes", evidence.warm_up_minutes, 0, 1440)
    effect = evidence.smallest_score_effect
    if not 0 < effect <= 1:
        expected = "above 0 and at most 1, a difference of confidence"
        yield Mistake("evidence.smallest_score_effect", f"is {effect:g}", expected)


# What the table [notify] must obey. Part of `plan_rules`.

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOOPBACK: Final = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")


def find_notify_mistakes(plan: Plan) -> Found:
    """Every rule that the table breaks. The address is never repeated: it is a secret."""
    notify = plan.notify
    if notify.webhook is not None:
        wrong = webhook_mistake(notify.webhook)
        if wrong:
            yield Mistake("notify.webhook", wrong, "https://HOST/…, or http:// for this machine")
        if notify.webhook_variable is not None:
            yield Mistake("notify.webhook", "is set beside webhook_variable", "one of the two")
    if notify.webhook_variable is not None:
        expected = "the name of an environment variable"
        name = notify.webhook_variable
        if "://" in name:
            yield Mistake("notify.webhook_variable", "is an address", expected)
        else:
            yield from check_name("notify.webhook_variable", name, _VARIABLE, expected)
    yield from check_range("notify.repeat_minutes", notify.repeat_minutes, 0, 10_080)
    yield from check_range("notify.timeout_s", notify.timeout_s, 0.1, 60)


def webhook_mistake(url: str) -> str:
    """What is wrong with a webhook's address, without repeating it; "" when nothing is."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is no address"
    if not host or parts.scheme not in ("http", "https") or port == 0 or not url.isprintable():
        return "is no address"
    if parts.username or parts.password:
        return "carries a user name or password"
    if parts.scheme == "http" and not _LOOPBACK.fullmatch(host):
        return "is plain http to another machine"
    return ""


# What the table [verify] must obey. Part of `plan_rules`.

_PATH_rules: Final = re.compile(r"/[!-~]*")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

MOST_REQUESTS: Final = 10_000
"""A verification asks real users' servers; more than this is a load test."""


def find_procedure_mistakes(plan: Plan) -> Found:
    """Every rule that the table breaks."""
    verify = plan.verify
    yield from check_range("verify.requests", verify.requests, 1, MOST_REQUESTS)
    yield from check_range("verify.delay_ms", verify.delay_ms, 0, 60_000)
    yield from check_range("verify.timeout_s", verify.timeout_s, 0.1, 300)
    yield from check_name("verify.path", verify.path, _PATH_rules, 'a path, as "/health"')
    if verify.side_header is not None:
        yield from check_name(
            "verify.side_header", verify.side_header, _HEADER, "the name of a header"
        )
    for name in ("side_field", "confidence_field"):
        if getattr(verify, name) == "":
            yield Mistake(f"verify.{name}", "is empty", "the name of a field of a JSON body")


# What the table [target.router] must obey for the kinds `url-map` and `command`.

PERCENT: Final = "{percent}"
"""What stands for the share in the arguments of `set`."""

_RESOURCE: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME: Final = "the name of a resource: lower-case letters, digits and hyphens, at most 63"


def fill_percent(arguments: Sequence[str], percent: int) -> tuple[str, ...]:
    """The arguments with the share in them, for setting it."""
    return tuple(each.replace(PERCENT, str(percent)) for each in arguments)


def find_router_mistakes(router: Router) -> Found:
    """Every rule that the table breaks."""
    if router.kind == "url-map":
        yield from _check_url_map(router)
    if router.kind == "command" or router.set or router.read:
        yield from _check_command(router)
    yield from check_range("target.router.timeout_s", router.timeout_s, 0.1, 600)


def _check_url_map(router: Router) -> Found:
    for name in ("url_map", "legacy_backend", "canary_backend"):
        given = getattr(router, name)
        if given is None:
            yield Mistake(f"target.router.{name}", "is missing", _NAME)
        else:
            yield from check_name(f"target.router.{name}", given, _RESOURCE, _NAME)
    if router.canary_backend is not None and router.canary_backend == router.legacy_backend:
        wrong = "is the same as target.router.legacy_backend"
        yield Mistake("target.router.canary_backend", wrong, "another backend service")


def _check_command(router: Router) -> Found:
    example = f'a program and its arguments, as ["set-canary-share", "{PERCENT}"]'
    if not router.set:
        yield Mistake("target.router.set", "is missing", example)
    elif not any(PERCENT in argument for argument in router.set[1:]):
        yield Mistake("target.router.set", f"has no argument with {PERCENT}", example)
    for name, arguments in (("set", router.set), ("read", router.read)):
        if any("\0" in argument for argument in arguments):
            yield Mistake(f"target.router.{name}", "holds a NUL character", "plain text")
        program = arguments[0] if arguments else "-"
        # Beside which directory a relative path lies would depend on where the console is started.
        if not program or (PurePath(program).name != program and not program.startswith("/")):
            wrong = f'begins with "{sanitize(program, 80)}"'
            yield Mistake(f"target.router.{name}", wrong, "a name in PATH, or an absolute path")
