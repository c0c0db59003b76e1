"""What holds between the values of a plan, and what no type can say. Finds every mistake.

Each rule yields what is wrong and what is expected, with the key's path as it is written in the
file. Names that are known elsewhere (keys, scenarios) are given by whoever reads the plan.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Final
from urllib.parse import urlsplit

import msgspec

from canary.rollout.plan.freeze import Freeze
from canary.rollout.plan.metrics import Metrics
from canary.rollout.plan.mistakes import Found, Mistake, check_range, nearest
from canary.rollout.plan.plan import MOST_INSTANCES, PERCENT, Plan, Router, ScalePreset, Stage
from canary.rollout.plan.runbook import MOST_STEPS
from canary.rollout.plan.tables import MOST_WAIT_S, VARIABLE, AbTest, LoadProfile, LoadTest, Notify
from canary.rollout.plan.zones import find_zone, has_zones
from canary.rollout.text import sanitize

_SYSTEM_ANNOTATIONS: Final = (
    "run.googleapis.com",
    "serving.knative.dev",
    "autoscaling.knative.dev",
    "cloud.googleapis.com",
)
_LOOPBACK: Final = re.compile(r"localhost|127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}|::1", re.ASCII)
"""127.0.0.999 is no address, but a name that a resolver may find anywhere."""
_RESOURCE: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_RESOURCE_NAME: Final = "the name of a resource: lower-case letters, digits and hyphens, at most 63"


class KnownNames(msgspec.Struct, frozen=True):
    """What a plan may name that the domain does not know: the console's actions, as they are bound
    to keys, and the scenarios of the embedded cloud. `actions` is called for a plan
    that binds some; `key_mistakes` is asked what is wrong with its keys beside the others' own, as
    (action, what is wrong, what is due).
    """

    actions: Callable[[], tuple[str, ...]]
    scenarios: tuple[str, ...]
    key_mistakes: Callable[[Mapping[str, str]], Iterable[tuple[str, str, str]]] = lambda _: ()


def find_rule_mistakes(plan: Plan, known: KnownNames | None) -> list[Mistake]:
    """Every rule that the plan breaks. `known` None: keys and scenario are taken as they are."""
    keys = plan.console.keys
    return [
        *_check_target(plan),
        *_check_addresses(plan),
        *_check_stages(plan.stages),
        *_check_confidence(plan),
        *_check_source(plan.metrics),
        *_check_alerts(plan),
        *_check_window(plan),
        *_check_preset("scale.backup", plan.scale.backup),
        *_check_preset("scale.production", plan.scale.production),
        *_check_load_test(plan.load_test),
        *_check_ab_test(plan.ab_test),
        *_check_freezes(plan.freeze),
        *_check_runbook(plan),
        *_check_notify(plan),
        *_check_record(plan),
        *(_check_keys(keys, known) if known and keys else ()),
        *check_range("local.stage", plan.local.stage, 0, len(plan.stages)),
        *(_check_scenario(plan.local.scenario, known.scenarios) if known else ()),
    ]


def find_address_mistake(url: str) -> str:
    """What is wrong with an address, without repeating it; "" when nothing is."""
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


def _check_target(plan: Plan) -> Found:
    target, router = plan.target, plan.target.router
    if not target.shares_one_service and target.canary == target.legacy:
        yield Mistake("target.canary", "is the same service as target.legacy", "another service")
    if router.kind == "url-map":
        yield from _check_url_map(router)
    if router.kind == "command" or router.set or router.read:
        yield from _check_command(router)


def _check_url_map(router: Router) -> Found:
    for name in ("url_map", "legacy_backend", "canary_backend"):
        given = getattr(router, name)
        if given is None or not _RESOURCE.fullmatch(given):
            said = f'is "{sanitize(given, 60)}"' if given else "is missing"
            yield Mistake(f"target.router.{name}", said, _RESOURCE_NAME)
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


def _check_addresses(plan: Plan) -> Found:
    target = plan.target
    yield from _check_url("target.router.url", target.router.url)
    yield from _check_url("target.health.legacy_url", target.health.legacy_url)
    yield from _check_url("target.health.canary_url", target.health.canary_url)
    for name in target.endpoints.__struct_fields__:
        path, url = f"target.endpoints.{name}", getattr(target.endpoints, name)
        mistakes = list(_check_url(path, url))
        yield from mistakes
        parts = urlsplit("" if mistakes else url or "")
        # An API's address has no use for a path or a query.
        if parts.path.strip("/") or parts.query or parts.fragment:
            wrong = f'is "{sanitize(url, 80)}"'
            yield Mistake(path, wrong, "a host and a port and nothing behind them")


def _check_url(path: str, url: str | None) -> Found:
    wrong = find_address_mistake(url) if url is not None else ""
    if wrong.startswith("carries"):
        # The address itself is not repeated: it holds a secret.
        yield Mistake(path, wrong, "an address without credentials")
    elif wrong:
        expected = "https://HOST, or http:// for this machine only (localhost, 127.0.0.1, [::1])"
        yield Mistake(path, f'{wrong} ("{sanitize(url, 80)}")', expected)


def _check_confidence(plan: Plan) -> Found:
    """A limit of a score that nobody reports could never be met."""
    if plan.metrics.confidence_metric:
        return
    for index, stage in enumerate(plan.stages):
        if stage.criteria is not None and stage.criteria.min_confidence is not None:
            path = f"stages[{index}].criteria.min_confidence"
            wrong = "can never be met, since metrics.confidence_metric is none"
            yield Mistake(path, wrong, "no such limit")


def _check_source(metrics: Metrics) -> Found:
    """What a Prometheus needs, and what only it takes."""
    if metrics.source != "prometheus":
        for name in ("url", "secret_env", "selectors", "side_label"):
            if getattr(metrics, name) is not None:
                wrong = 'is given, but metrics.source is not "prometheus"'
                yield Mistake(f"metrics.{name}", wrong, 'source = "prometheus" beside it')
        return
    if metrics.url is None:
        example = 'the address of its API without /api/v1, as "http://127.0.0.1:9090"'
        yield Mistake("metrics.url", "is missing", example)
    else:
        yield from _check_url("metrics.url", metrics.url)
        if urlsplit(metrics.url).query or urlsplit(metrics.url).fragment:
            yield Mistake("metrics.url", "has a query", "an address without a question mark")
    yield from _check_secrets(metrics)
    if (metrics.preset == "custom") != (metrics.selectors is not None):
        is_missing = metrics.selectors is None
        wrong = "is missing" if is_missing else f'is given, but preset is "{metrics.preset}"'
        yield Mistake("metrics.selectors", wrong, 'requests, and latency, with preset = "custom"')


def _check_secrets(metrics: Metrics) -> Found:
    """A secret is named by its variable, and stands nowhere in a plan."""
    needs_secret = metrics.auth in ("bearer", "basic")
    if needs_secret and metrics.secret_env is None:
        due = "the name of the environment variable that holds the secret"
        yield Mistake("metrics.secret_env", f'is missing for auth = "{metrics.auth}"', due)
    if not needs_secret and metrics.secret_env is not None:
        wrong = f'is given, but metrics.auth is "{metrics.auth}"'
        yield Mistake("metrics.secret_env", wrong, 'auth = "bearer" or "basic"')
    if metrics.auth == "basic" and (not metrics.username or ":" in metrics.username):
        wrong = "has a colon" if metrics.username else "is missing"
        yield Mistake("metrics.username", wrong, "the user of basic authentication")
    for name, value in metrics.headers.items():
        if name.lower() in ("authorization", "proxy-authorization", "cookie"):
            due = "metrics.auth, or metrics.headers_env: a secret does not stand in a plan"
            yield Mistake(f"metrics.headers.{name}", "holds a secret", due)
        elif not value.isascii() or not value.isprintable():
            yield Mistake(f"metrics.headers.{name}", "is no value of a header", "printable ASCII")


def _check_stages(stages: tuple[Stage, ...]) -> Found:
    if not stages:
        yield Mistake("stages", "is empty", "at least one table [[stages]]")
    before = 0
    for index, stage in enumerate(stages):
        path = f"stages[{index}]"
        if 1 <= stage.percent <= before:
            fall = "falls below" if stage.percent < before else "is no more than"
            wrong = f"is {stage.percent}, which {fall} the stage before ({before})"
            due = f"more than {before}: shares rise from stage to stage"
            yield Mistake(f"{path}.percent", wrong, due)
        if 1 <= stage.percent <= 100:
            before = max(before, stage.percent)
        if index < len(stages) - 1:
            if stage.soak_hours is None:
                yield Mistake(
                    f"{path}.soak_hours", "is missing", "hours; only the last stays until changed"
                )
            if stage.criteria is None:
                due = "what this stage must show to leave it"
                yield Mistake(f"{path}.criteria", "is missing", due)


def _check_alerts(plan: Plan) -> Found:
    signs = {"error_ratio": 1, "p95_ms": 1, "success_ratio": -1, "confidence": -1}
    for name, sign in signs.items():
        mild, hard = getattr(plan.alerts.warning, name), getattr(plan.alerts.critical, name)
        if mild is None or (name != "p95_ms" and not 0 <= mild <= 1):
            continue  # what is no ratio at all is told as such
        if hard is not None and (mild - hard) * sign > 0:
            wrong = f"is {mild:g}, laxer than alerts.critical.{name} ({hard:g})"
            due = f"{'at most' if sign > 0 else 'at least'} {hard:g}: a warning comes first"
            yield Mistake(f"alerts.warning.{name}", wrong, due)


def _check_window(plan: Plan) -> Found:
    at, metrics = "metrics.criteria_window_minutes", plan.metrics
    least = max(1, metrics.window_minutes)
    yield from check_range(at, metrics.criteria_window_minutes, least, 10_080)


def _check_preset(path: str, preset: ScalePreset) -> Found:
    yield from check_range(f"{path}.max", preset.max, max(1, preset.min), MOST_INSTANCES)


def _check_load_test(test: LoadTest) -> Found:
    if test.find_profile(test.profile) is None:
        meant = nearest(test.profile, test.profile_names)
        yield Mistake("load_test.profile", f'is "{sanitize(test.profile, 40)}"', meant)
    for name, profile in test.profiles.items():
        yield from _check_profile(f"load_test.profiles.{sanitize(name, 40)}", profile)


def _check_profile(path: str, profile: LoadProfile) -> Found:
    least = max(0.0, profile.min_wait_s)
    yield from check_range(f"{path}.max_wait_s", profile.max_wait_s, least, MOST_WAIT_S)
    if not profile.requests:
        yield Mistake(f"{path}.requests", "is empty", f"at least one table [[{path}.requests]]")
    for index, request in enumerate(profile.requests):
        if request.body and request.method == "GET":
            at = f"{path}.requests[{index}].body"
            yield Mistake(at, "is set, and method is GET", 'method = "POST"')


def _check_ab_test(test: AbTest) -> Found:
    if test.legacy_group == test.canary_group:
        yield Mistake("ab_test.canary_group", "is the same as legacy_group", "another group")


def _check_freezes(freezes: tuple[Freeze, ...]) -> Found:
    """A host without a database of zones says nothing of any: there the freeze simply holds."""
    for index, freeze in enumerate(freezes):
        path = f"freeze[{index}]"
        if not freeze.days:
            yield Mistake(f"{path}.days", "is empty", 'days of the week, as ["fri", "sat"]')
        if freeze.begins == "24:00":
            yield Mistake(f"{path}.begins", 'is "24:00"', '"00:00", on the day after')
        elif freeze.begins == freeze.ends:
            wrong, due = f'is "{freeze.ends}", as begins', "another time; all day is 00:00 to 24:00"
            yield Mistake(f"{path}.ends", wrong, due)
        if find_zone(freeze.zone) is None and has_zones():
            wrong = f'is "{sanitize(freeze.zone, 40)}", which is no zone'
            yield Mistake(f"{path}.zone", wrong, 'a time zone, as "Europe/Berlin"')


def _check_runbook(plan: Plan) -> Found:
    yield from _check_url("runbook.link", plan.runbook.link)
    for name in plan.runbook.steps.__struct_fields__:
        count = len(getattr(plan.runbook.steps, name))
        if count > MOST_STEPS:
            yield Mistake(f"runbook.steps.{name}", f"has {count} lines", f"at most {MOST_STEPS}")


def _check_notify(plan: Plan) -> Found:
    """Each that is to be told; the first is `notify`, of several the next `notify[1]`."""
    yield from _check_told("notify", plan.notify)
    for place, other in enumerate(plan.notify.others, 1):
        yield from _check_told(f"notify[{place}]", other)
        if not other.is_on:
            due = "webhook, webhook_variable, or PagerDuty's secret_variable"
            yield Mistake(f"notify[{place}]", "says nowhere whom to tell", due)


def _check_told(path: str, told: Notify) -> Found:
    """The address is never repeated: it is a secret with most services."""
    address, variable = told.webhook, told.webhook_variable
    if address is not None:
        wrong = find_address_mistake(address)
        if wrong:
            yield Mistake(f"{path}.webhook", wrong, "https://HOST/…, or http:// for this machine")
        if variable is not None:
            yield Mistake(f"{path}.webhook", "is set beside webhook_variable", "one of the two")
    for name in ("webhook_variable", "secret_variable"):
        given = getattr(told, name)
        if given is not None and not re.fullmatch(VARIABLE, given):
            said = f'is "{sanitize(given, 60)}"' if given else "is empty"
            wrong = "is an address" if "://" in given else said
            yield Mistake(f"{path}.{name}", wrong, "the name of an environment variable")
    if told.kind != "slack" and told.secret_variable is None:
        due = f"the environment variable that holds the secret of {told.kind}"
        yield Mistake(f"{path}.secret_variable", "is missing", due)
    if told.kind == "slack" and told.secret_variable is not None:
        wrong = "is given, but the secret of a webhook is its address"
        yield Mistake(f"{path}.secret_variable", wrong, "webhook_variable")
    if told.others and path != "notify":
        yield Mistake(f"{path}.others", "is given", "another table [[notify]]")


def _check_record(plan: Plan) -> Found:
    prefix = plan.record.annotation.partition("/")[0]
    if prefix.endswith(_SYSTEM_ANNOTATIONS):
        wrong = f'is in the namespace "{sanitize(prefix, 60)}", which Cloud Run refuses'
        yield Mistake("record.annotation", wrong, "a prefix of your own")
    if plan.record.push and not plan.record.git:
        yield Mistake("record.push", "is true without record.git", "git = true, or push = false")


def _check_keys(keys: dict[str, str], known: KnownNames) -> Found:
    actions, taken = known.actions(), dict[str, str]()
    told = list(_check_names(keys, actions, taken))
    yield from told
    paths = {mistake.path for mistake in told}
    right = {action: key for action, key in keys.items() if action in actions and key.strip()}
    for action, wrong, due in known.key_mistakes(right):
        path = f"console.keys.{sanitize(action, 40)}"
        if path not in paths:
            paths.add(path)
            yield Mistake(path, wrong, due)


def _check_names(keys: dict[str, str], actions: tuple[str, ...], taken: dict[str, str]) -> Found:
    for action, key in keys.items():
        path = f"console.keys.{sanitize(action, 40)}"
        if action not in actions:
            yield Mistake(path, "is not an action", nearest(action, actions))
        elif not key.strip():
            yield Mistake(path, "is empty", 'a key, as "p" or "ctrl+r"')
        elif key in taken:
            wrong = f'is "{sanitize(key, 20)}", the key of {taken[key]} too'
            yield Mistake(path, wrong, "a key of its own")
        taken.setdefault(key, action)


def _check_scenario(scenario: str, scenarios: tuple[str, ...]) -> Found:
    if scenario not in scenarios:
        said = f'is "{sanitize(scenario, 40)}"'
        yield Mistake("local.scenario", said, nearest(scenario, scenarios))
