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
    ]
)


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
            # hostRules, pathMatchers and the like: to ignore them would be a lie about routing.
            raise _invalid(f"resource.{field}", "is not supported by the embedded cloud.")
    description = document.get("description", "")
    if not isinstance(description, str) or len(description) > LONGEST_DESCRIPTION:
        raise _invalid(
            "resource.description", f"must be a text of at most {LONGEST_DESCRIPTION} characters."
        )
    service, action = document.get("defaultService"), document.get("defaultRouteAction")
    if (service is None) == (action is None):
        raise _invalid(
            "resource", "exactly one of defaultService and defaultRouteAction must be specified."
        )
    if service is not None:
        _check_backend(service, "resource.defaultService", router)
        return
    field = "resource.defaultRouteAction.weightedBackendServices"
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
    """Return Canary's share in whole percent, of a map that was checked.

    A weight counts by its part of their sum; several entries of one backend count together.
    """
    service = document.get("defaultService")
    if service is not None:
        return 100 if _is(service, router.canary_backend) else 0
    weighted = document["defaultRouteAction"]["weightedBackendServices"]
    total: int = sum(entry["weight"] for entry in weighted)
    canary: int = sum(
        entry["weight"] for entry in weighted if _is(entry["backendService"], router.canary_backend)
    )
    return round(100 * canary / total)


def _is(link: str, backend: str) -> bool:
    return link.rpartition("/")[2] == backend


def _invalid(field: str, why: str) -> RestError:
    return RestError(
        400, "invalid", f"Invalid value for field '{field}': {why}", "INVALID_ARGUMENT"
    )
