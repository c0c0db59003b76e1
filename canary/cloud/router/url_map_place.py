"""Where a URL map splits: the one place that names both backends, wherever it is. Pure.

    {"defaultService": …, "defaultRouteAction": {…},
     "hostRules": [{"hosts": ["*"], "pathMatcher": "m"}],
     "pathMatchers": [{"name": "m", "defaultService": …, "defaultRouteAction": {…},
        "routeRules": [{"priority": 2, "matchRules": […], "routeAction": {…}}],
        "pathRules": [{"paths": ["/*"], "routeAction": {…}}]}]}

Google's own recipe (global traffic management) has the weights in a route rule behind host `*`,
beside a map-level default that takes no traffic at all. Where several places weigh both backends,
or a host rule or an earlier rule takes the traffic past the weights, no share is told: it would be
of a part of the requests.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from canary.rollout.plan import plan as plans
from canary.rollout.text import sanitize

Document = Mapping[str, Any]
Keys = tuple[str | int, ...]

DEFAULT_ROUTE = "its default route"
_DEFAULT: Keys = ("defaultRouteAction",)
_RULES = (("routeRules", "route rule"), ("pathRules", "path rule"))


class Place(msgspec.Struct, frozen=True):
    """A route action by its way through the document, and its name for people."""

    keys: Keys
    words: str = DEFAULT_ROUTE

    @property
    def matcher(self) -> int | None:
        """Which path matcher it is in; None for the map's own default route."""
        return int(self.keys[1]) if self.keys[0] == "pathMatchers" else None


def find_place(router: plans.Router, document: Document) -> Place | str:
    """The place whose weights are the split, or why no place's are, one sentence."""
    names = {router.legacy_backend or "", router.canary_backend or ""}
    both = [p for p in _actions(document) if names <= set(_backends(at(document, p.keys)))]
    if len(both) > 1:
        listed = ", ".join(p.words for p in both)
        return f"The URL map weighs both backends in {len(both)} places ({listed})."
    place = both[0] if both else Place(_DEFAULT)
    if place.matcher is not None:
        unreached = _find_unreached(document, place)
        if unreached:
            return unreached
    return _find_past(router, document, place, names) or place


def at(document: Document, keys: Keys) -> Any:
    """What is at the end of a way through the document; None where it does not lead on."""
    found: Any = document
    for key in keys:
        if isinstance(key, int):
            found = found[key] if isinstance(found, list) and key < len(found) else None
        else:
            found = found.get(key) if isinstance(found, Mapping) else None
    return found


def replace_weights(
    document: Document, place: Place, weighted: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The part of a merge patch that puts `weighted` into the place.

    Arrays are replaced whole by a PATCH, so that all path matchers go along.
    """
    if place.matcher is None:
        return {"defaultRouteAction": {"weightedBackendServices": list(weighted)}}
    matchers = copy.deepcopy(list(document["pathMatchers"]))
    action = at({"pathMatchers": matchers}, place.keys)
    action["weightedBackendServices"] = list(weighted)
    return {"pathMatchers": matchers}


def _actions(document: Document) -> Iterator[Place]:
    """Every route action of the map."""
    if isinstance(at(document, _DEFAULT), Mapping):
        yield Place(_DEFAULT)
    for index, matcher in enumerate(_list(document, "pathMatchers")):
        name = f"path matcher {sanitize(str(matcher.get('name', index)), 40)}"
        way: Keys = ("pathMatchers", index)
        if isinstance(matcher.get("defaultRouteAction"), Mapping):
            yield Place((*way, "defaultRouteAction"), f"{name}, its default route")
        for kind, words in _RULES:
            for number, rule in enumerate(_list(matcher, kind)):
                if isinstance(rule.get("routeAction"), Mapping):
                    shown = rule.get("priority", number + 1)
                    yield Place((*way, kind, number, "routeAction"), f"{name}, {words} {shown}")


def _find_unreached(document: Document, place: Place) -> str:
    """Why no request comes to a place in a path matcher; "" when some do."""
    matcher = at(document, place.keys[:2])
    if not _hosts_of(document, matcher.get("name")):
        return f"The URL map weighs both backends in {place.words}, which no host rule leads to."
    kind = place.keys[2]
    before = [*_list(matcher, "pathRules")]
    if kind == "routeRules":
        own = at(document, place.keys[:4]).get("priority", 0)
        before = [r for r in _list(matcher, "routeRules") if r.get("priority", 0) < own]
    elif kind == "pathRules":
        before = []
    else:
        before += _list(matcher, "routeRules")
    if any(_catches_all(rule) for rule in before):
        return f"In the URL map an earlier rule takes all requests past the weights: {place.words}."
    return ""


def _find_past(router: plans.Router, document: Document, place: Place, names: set[str]) -> str:
    """Which host rule takes traffic past the weights; "" when none does."""
    own = None if place.matcher is None else at(document, place.keys[:2]).get("name")
    host = urlsplit(router.url or "").hostname or ""
    for rule in _list(document, "hostRules"):
        name = rule.get("pathMatcher")
        if own is not None and name == own:
            continue
        hosts = [str(one) for one in rule.get("hosts") or ()]
        matcher = next((m for m in _list(document, "pathMatchers") if m.get("name") == name), {})
        touched = sorted(names & set(_named(matcher)))
        catches = own is None and ("*" in hosts or (host and any(_is(host, h) for h in hosts)))
        if touched or catches:
            to = f" to {', '.join(touched)}" if touched else ""
            shown = sanitize(", ".join(hosts), 80)
            return (
                f"Host rule {shown} of the URL map takes traffic{to} past the weights"
                f" ({place.words})."
            )
    return ""


def _is(host: str, pattern: str) -> bool:
    return host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def _hosts_of(document: Document, name: object) -> list[str]:
    rules = [r for r in _list(document, "hostRules") if r.get("pathMatcher") == name]
    return [str(host) for rule in rules for host in rule.get("hosts") or ()]


def _catches_all(rule: Mapping[str, Any]) -> bool:
    if "/*" in (rule.get("paths") or ()):
        return True
    return any(
        set(match) == {"prefixMatch"} and match["prefixMatch"] == "/"
        for match in _list(rule, "matchRules")
    )


def _named(part: object) -> Iterator[str]:
    """Every backend service that is named anywhere below a part of the document."""
    if isinstance(part, Mapping):
        for key, value in part.items():
            is_link = key in ("service", "defaultService", "backendService")
            if is_link and isinstance(value, str):
                yield value.rpartition("/")[2]
            else:
                yield from _named(value)
    elif isinstance(part, list):
        for one in part:
            yield from _named(one)


def _backends(action: Any) -> Iterator[str]:
    for one in _list(action, "weightedBackendServices"):
        link = one.get("backendService")
        if isinstance(link, str):
            yield link.rpartition("/")[2]


def _list(part: Any, key: str) -> list[Mapping[str, Any]]:
    found = part.get(key) if isinstance(part, Mapping) else None
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
