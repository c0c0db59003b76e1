"""What a URL map can be here, how a patch is merged into it, and what its weights mean. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canary.simulator.config import RouterConfig
from canary.simulator.wire.calls import RestError

LARGEST_WEIGHT = 1000
LONGEST_DESCRIPTION = 2048

_FIELDS = frozenset(
    [
        "kind",
        "id",
        "creationTimestamp",
        "name",
        "selfLink",
        "fingerprint",
        "description",
        "defaultService",
        "defaultRouteAction",
        "hostRules",
        "pathMatchers",
    ]
)
_MATCHER_FIELDS = frozenset(
    ["name", "description", "defaultService", "defaultRouteAction", "routeRules", "pathRules"]
)
_MATCHES = ("prefixMatch", "fullPathMatch")
ALL_PATHS = "/*"


def merge_patch(document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with a JSON merge patch (RFC 7396) in it.

    Objects are merged, null takes a field away, everything else, lists above all, is replaced
    whole.
    """
    merged = dict(document)
    for key, value in patch.items():
        before = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = merge_patch(before if isinstance(before, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def check_map(document: Mapping[str, Any], router: RouterConfig) -> None:
    """Raise RestError 400 for a map that Compute Engine refuses, or that nobody here routes by."""
    for field in document:
        if field not in _FIELDS:
            # To ignore it would be a lie about routing.
            raise _invalid(f"resource.{field}", "is not supported by the embedded cloud.")
    description = document.get("description", "")
    if not isinstance(description, str) or len(description) > LONGEST_DESCRIPTION:
        raise _invalid(
            "resource.description", f"must be a text of at most {LONGEST_DESCRIPTION} characters."
        )
    _check_target(document, "resource", router)
    names = [
        _check_matcher(m, f"resource.pathMatchers[{i}]", router)
        for i, m in enumerate(document.get("pathMatchers", ()))
    ]
    if "hostRules" in document and not document["hostRules"]:
        raise _invalid("resource.hostRules", "must not be empty.")
    for index, rule in enumerate(document.get("hostRules", ())):
        field = f"resource.hostRules[{index}]"
        if not rule.get("hosts"):
            raise _invalid(f"{field}.hosts", "must not be empty.")
        if rule.get("pathMatcher") not in names:
            raise _invalid(f"{field}.pathMatcher", "names no path matcher of the map.")


def _check_matcher(matcher: Mapping[str, Any], field: str, router: RouterConfig) -> str:
    for key in matcher:
        if key not in _MATCHER_FIELDS:
            raise _invalid(f"{field}.{key}", "is not supported by the embedded cloud.")
    _check_target(matcher, field, router)
    for kind in ("routeRules", "pathRules"):
        for index, rule in enumerate(matcher.get(kind, ())):
            _check_rule(rule, f"{field}.{kind}[{index}]", router)
    return str(matcher.get("name", ""))


def _check_rule(rule: Mapping[str, Any], field: str, router: RouterConfig) -> None:
    for index, match in enumerate(rule.get("matchRules", ())):
        if not set(match) <= set(_MATCHES):
            raise _invalid(
                f"{field}.matchRules[{index}]", "is not supported by the embedded cloud."
            )
    service, action = rule.get("service"), rule.get("routeAction")
    _check_target({"defaultService": service, "defaultRouteAction": action}, field, router)


def _check_target(part: Mapping[str, Any], at: str, router: RouterConfig) -> None:
    """One of a service and a route action with weights."""
    service, action = part.get("defaultService"), part.get("defaultRouteAction")
    if (service is None) == (action is None):
        raise _invalid(
            at, "exactly one of defaultService and defaultRouteAction must be specified."
        )
    if service is not None:
        _check_backend(service, f"{at}.defaultService", router)
        return
    field = f"{at}.defaultRouteAction.weightedBackendServices"
    weighted = action.get("weightedBackendServices") if isinstance(action, Mapping) else None
    if not isinstance(weighted, list) or not weighted:
        raise _invalid(field, "must not be empty.")
    for index, entry in enumerate(weighted):
        _check_entry(entry, f"{field}[{index}]", router)
    if sum(entry["weight"] for entry in weighted) == 0:
        raise _invalid(field, "at least one weight must be above 0.")


def _check_entry(entry: object, field: str, router: RouterConfig) -> None:
    if not isinstance(entry, dict):
        raise _invalid(field, "must be an object.")
    _check_backend(entry.get("backendService"), f"{field}.backendService", router)
    weight = entry.setdefault("weight", 0)
    if type(weight) is not int or not 0 <= weight <= LARGEST_WEIGHT:
        raise _invalid(f"{field}.weight", f"'{weight}' is not in 0 to {LARGEST_WEIGHT}.")


def _check_backend(link: object, field: str, router: RouterConfig) -> None:
    path, _, name = str(link).rpartition("/")
    known = name in (router.legacy_backend, router.canary_backend)
    if not known or (path and not path.endswith("global/backendServices")):
        raise _invalid(field, f"'{link}': the referenced backend service does not exist.")


def percent_of(document: Mapping[str, Any], router: RouterConfig) -> int:
    """Return Canary's share in whole percent of the requests to `/` at any host, of a map that was
    checked: by host rule, path matcher and rule, as the load balancer goes.

    A weight counts by its part of their sum; several entries of one backend count together.
    """
    target = _route(document)
    service = target.get("defaultService")
    if service is not None:
        return 100 if _is(service, router.canary_backend) else 0
    weighted = target["defaultRouteAction"]["weightedBackendServices"]
    total: int = sum(entry["weight"] for entry in weighted)
    canary: int = sum(
        entry["weight"] for entry in weighted if _is(entry["backendService"], router.canary_backend)
    )
    return round(100 * canary / total)


def _route(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the requests of the application come to: service or weighted route action."""
    wanted = next((r for r in document.get("hostRules", ()) if "*" in r["hosts"]), None)
    if wanted is None:
        return document
    matcher: Mapping[str, Any] = next(
        m for m in document["pathMatchers"] if m["name"] == wanted["pathMatcher"]
    )
    rules = sorted(matcher.get("routeRules", ()), key=lambda r: r.get("priority", 0))
    for rule in (*rules, *matcher.get("pathRules", ())):
        matches = rule.get("matchRules", ())
        if ALL_PATHS in rule.get("paths", ()) or any(m.get("prefixMatch") == "/" for m in matches):
            return {
                "defaultService": rule.get("service"),
                "defaultRouteAction": rule.get("routeAction"),
            }
    return matcher


def _is(link: str, backend: str) -> bool:
    return link.rpartition("/")[2] == backend


def _invalid(field: str, why: str) -> RestError:
    return RestError(
        400, "invalid", f"Invalid value for field '{field}': {why}", "INVALID_ARGUMENT"
    )
