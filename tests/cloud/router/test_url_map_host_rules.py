"""Router `url-map` behind host rules: the one place that names both backends, or none and why.

The shape is that of Google's own recipe, cloud.google.com/load-balancing/docs/https/
setting-up-global-traffic-mgmt: a map-level `defaultService`, weights in a path matcher behind `*`.
"""

import copy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.cloud.router.url_map import (
    build_patch,
    find_others,
    find_trouble,
    read_percent,
    show_split,
)
from canary.rollout.change.change import Portion
from canary.rollout.errors import Rejected
from canary.rollout.permit.permit import why_not
from canary.simulator.world.url_map_rules import percent_of
from canary.store.journal import Journal
from tests.cloud.router.test_url_map import PLAN, RECORD, ROUTER, url_map
from tests.cloud.router.test_url_map_split import MAP_PLAN
from tests.embedded import Embed, Embedded
from tests.engine.carried import ask, carry, router_service
from tests.engine.watching import Watching

RECIPE: dict[str, Any] = {
    "name": "m",
    "fingerprint": "MKfYsObzqgw=",
    "defaultService": "projects/p/global/backendServices/old",
    "hostRules": [{"hosts": ["*"], "pathMatcher": "matcher1"}],
    "pathMatchers": [
        {
            "name": "matcher1",
            "defaultService": "projects/p/global/backendServices/old",
            "routeRules": [
                {
                    "priority": 2,
                    "matchRules": [{"prefixMatch": "/"}],
                    "routeAction": {
                        "weightedBackendServices": [
                            {
                                "backendService": "projects/p/global/backendServices/old",
                                "weight": 75,
                            },
                            {
                                "backendService": "projects/p/global/backendServices/new",
                                "weight": 25,
                            },
                        ]
                    },
                }
            ],
        }
    ],
}
SERVICE = "projects/p/global/backendServices/"


def recipe(**fields: Any) -> dict[str, Any]:
    return copy.deepcopy({**RECIPE, **fields})


def test_the_weights_of_the_recipe_are_read() -> None:
    assert read_percent(ROUTER, RECIPE) == 25
    assert find_trouble(ROUTER, RECIPE) == ""


async def test_the_place_of_the_weights_is_told(embed: Embed) -> None:
    async with embed(MAP_PLAN, http=True) as cloud:
        state = await router_service(cloud)
        snapshot = await Watching(cloud).observer.refresh()
    assert state.place == "its default route"
    assert snapshot.traffic.guard is not None
    assert snapshot.traffic.guard.place == state.place
    assert show_split(PLAN, state, RECIPE).place == "path matcher matcher1, route rule 2"


def test_only_the_weights_of_the_recipe_are_written_and_all_else_goes_along() -> None:
    patch = build_patch(PLAN, RECIPE, 10, RECORD)
    assert set(patch) == {"fingerprint", "description", "pathMatchers"}
    expected = recipe()["pathMatchers"]
    weighted = expected[0]["routeRules"][0]["routeAction"]["weightedBackendServices"]
    weighted[0]["weight"], weighted[1]["weight"] = 900, 100
    assert patch["pathMatchers"] == expected


@given(st.integers(0, 100))
def test_what_is_set_behind_a_host_rule_reads_back(percent: int) -> None:
    after = {**RECIPE, **build_patch(PLAN, RECIPE, percent, RECORD)}
    assert read_percent(ROUTER, after) == percent


def second_matcher() -> dict[str, Any]:
    """Another path matcher, which sends its host's requests to Legacy alone."""
    return {"name": "matcher2", "defaultService": f"{SERVICE}old"}


def in_two_places() -> dict[str, Any]:
    document = recipe()
    other = copy.deepcopy(document["pathMatchers"][0])
    document["pathMatchers"].append({**other, "name": "matcher2"})
    document["hostRules"].append({"hosts": ["b.example.com"], "pathMatcher": "matcher2"})
    return document


def behind_another_rule() -> dict[str, Any]:
    document = recipe()
    first = {"priority": 1, "matchRules": [{"prefixMatch": "/"}], "service": f"{SERVICE}old"}
    document["pathMatchers"][0]["routeRules"].append(first)
    return document


def past_the_weights() -> dict[str, Any]:
    document = recipe()
    document["pathMatchers"].append(second_matcher())
    document["hostRules"].append({"hosts": ["b.example.com"], "pathMatcher": "matcher2"})
    return document


def default_that_takes_nothing() -> dict[str, Any]:
    rules = [{"hosts": ["*"], "pathMatcher": "matcher2"}]
    return url_map(("old", 900), ("new", 100), hostRules=rules, pathMatchers=[second_matcher()])


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (in_two_places(), "weighs both backends in 2 places"),
        (past_the_weights(), "Host rule b.example.com of the URL map takes traffic to old past"),
        (recipe(hostRules=[]), "which no host rule leads to"),
        (behind_another_rule(), "an earlier rule takes all requests past the weights"),
        (default_that_takes_nothing(), "Host rule * of the URL map takes traffic to old past"),
    ],
)
def test_where_no_one_place_tells_there_is_no_share_and_it_is_said_why(
    document: dict[str, Any], why: str
) -> None:
    assert read_percent(ROUTER, document) is None
    assert why in find_trouble(ROUTER, document)
    with pytest.raises(Rejected, match="Nothing was changed"):
        build_patch(PLAN, document, 0, RECORD)


def test_a_host_rule_of_something_else_takes_nothing_away() -> None:
    document = url_map(
        ("old", 900),
        ("new", 100),
        hostRules=[{"hosts": ["shop.example.com"], "pathMatcher": "shop"}],
        pathMatchers=[{"name": "shop", "defaultService": f"{SERVICE}shop"}],
    )
    assert read_percent(ROUTER, document) == 10
    at_shop = msgspec.structs.replace(ROUTER, url="https://shop.example.com/")
    assert read_percent(at_shop, document) is None


def test_all_to_legacy_takes_the_weight_of_a_third_backend_too() -> None:
    before = url_map(("old", 600), ("new", 0), ("third", 400))
    assert find_others(ROUTER, before) == (Portion("third", 40),)
    after = {**before, **build_patch(PLAN, before, 0, RECORD)}
    weights = [w["weight"] for w in after["defaultRouteAction"]["weightedBackendServices"]]
    assert (weights, find_others(ROUTER, after)) == ([1000, 0, 0], ())


@pytest.fixture
async def cloud(embed: Embed):
    async with embed(MAP_PLAN, http=True) as opened:
        yield opened


async def rewrite(cloud: Embedded, **fields: Any) -> None:
    """Somebody gives the map Google's recipe, with the embedded cloud's backends."""
    maps = cloud.router._map  # type: ignore[attr-defined]
    document = await maps.get()
    text = msgspec.json.encode({k: v for k, v in recipe(**fields).items() if k != "name"}).decode()
    for short, name in (("old", "ion-api-backend"), ("new", "ion-api-canary-backend")):
        text = text.replace(f'backendServices/{short}"', f'backendServices/{name}"')
    body = {**msgspec.json.decode(text), "defaultRouteAction": None}
    await maps.patch({**body, "fingerprint": document["fingerprint"]}, "by-hand")
    cloud.advance(60)


async def test_going_back_behind_host_rules_serves(cloud: Embedded, tmp_path: Path) -> None:
    await rewrite(cloud)
    assert cloud.world.timeline.split_at(cloud.now) == 25
    assert (await router_service(cloud)).percent == 25
    with Journal(tmp_path / "journal.db") as journal:
        outcome = await carry(cloud, journal, await ask(cloud, "rollback_all"))
    assert outcome.state == "done", outcome
    assert cloud.world.timeline.split_at(cloud.now) == 0
    document = await cloud.router._map.get()  # type: ignore[attr-defined]
    assert document["hostRules"] == RECIPE["hostRules"]
    assert percent_of(document, cloud.world.config.router) == 0


async def test_a_map_that_splits_twice_tells_no_share_and_changes_nothing(
    cloud: Embedded, tmp_path: Path
) -> None:
    twice = in_two_places()
    await rewrite(cloud, hostRules=twice["hostRules"], pathMatchers=twice["pathMatchers"])
    snapshot = await Watching(cloud).observer.refresh()
    assert snapshot.traffic.canary_percent is None
    assert "in 2 places" in snapshot.traffic.split_trouble
    assert "in 2 places" in (why_not("promote", snapshot, False) or "")
    assert why_not("rollback_all", snapshot, False) is None
    with Journal(tmp_path / "journal.db") as journal:
        outcome = await carry(cloud, journal, await ask(cloud, "rollback_all"))
    assert outcome.state == "failed"
    assert "in 2 places" in outcome.message
    assert cloud.world.timeline.split_at(cloud.now) == 25


def test_a_map_of_the_embedded_cloud_routes_as_the_recipe_says() -> None:
    config = msgspec.structs.replace(_config(), legacy_backend="old", canary_backend="new")
    assert percent_of(RECIPE, config) == 25


def _config() -> Any:
    from canary.simulator.config import RouterConfig

    return RouterConfig(kind="url-map")
