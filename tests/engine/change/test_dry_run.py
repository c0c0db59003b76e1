"""The dry run: what would change, and the gcloud commands that do the same."""

import shlex
from pathlib import Path

import msgspec
import pytest

from canary.engine.change.dry_run import by_hand, describe
from canary.rollout.change import moves
from canary.rollout.change.change import (
    Author,
    Change,
    DeleteImages,
    DeleteService,
    Guard,
    KeepRecord,
    Request,
    Standing,
)
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.plan.file import load_plan
from canary.rollout.plan.plan import Plan, Router, ScalePreset

PLAN = load_plan(Path(__file__).resolve().parents[3] / "canary.toml")
BY_REVISIONS = msgspec.structs.replace(
    PLAN, target=msgspec.structs.replace(PLAN.target, router=Router(kind="revisions"))
)
REQUEST = Request("c1", Author("oncall", "bastion"), 1_772_373_802.0)
BEHIND = "--region=us-central1 --project=naeda-genesis"


def standing(stage=2, percent=10, revision="", **fields) -> Standing:
    return Standing(stage, percent, Guard("ion-api", "e1", percent, revision), **fields)


def test_a_promotion_names_share_stage_and_place():
    lines = describe(moves.promote(PLAN, standing(), REQUEST), PLAN).lines
    assert lines == (
        "Canary's share: 10 % → 25 % on ion-api, variable CANARY_TRAFFIC_PERCENTAGE"
        " (a new revision of ion-api)",
        "stage: 2 → 3, since 2026-03-01 14:03:22Z",
    )


def test_an_unknown_split_is_never_a_number():
    lines = describe(moves.rollback_all(PLAN, standing(percent=None), REQUEST), PLAN).lines
    assert lines[0].startswith("Canary's share: no data → 0 %")


def test_the_env_router_sets_one_variable():
    run = describe(moves.promote(PLAN, standing(), REQUEST), PLAN)
    assert run.gcloud == (
        "gcloud run services update ion-api --update-env-vars=CANARY_TRAFFIC_PERCENTAGE=25"
        f" {BEHIND}",
    )


def test_scale_is_set_on_the_service_not_on_the_revision():
    change = moves.scale(PLAN, standing(), REQUEST, "canary", ScalePreset(1, 10))
    run = describe(change, PLAN)
    assert run.gcloud == (f"gcloud run services update ion-api-canary --min=1 --max=10 {BEHIND}",)
    assert run.lines == ("ion-api-canary instances: unknown → 1 to 10",)


def test_leaving_production_scales_legacy_up_before_the_traffic_moves():
    at_the_end = standing(5, 100, scale_legacy=ScalePreset(0, 1))
    change = moves.rollback_all(PLAN, at_the_end, REQUEST)
    run = describe(change, PLAN)
    assert [c.split()[4:6] for c in run.gcloud] == [
        ["ion-api", "--min=1"],
        ["ion-api", "--update-env-vars=CANARY_TRAFFIC_PERCENTAGE=0"],
    ]
    assert run.lines[0] == "ion-api instances: 0 to 1 → 1 to 10"
    assert "ion-api is in backup size" in run.lines[-1]
    assert by_hand(change, PLAN) == " && ".join(run.gcloud)


def test_final_approval_shows_every_step_and_the_end_of_the_canary_mode():
    low, high = ScalePreset(0, 4), ScalePreset(1, 10)
    there = standing(4, 50, scale_legacy=high, scale_canary=low)
    run = describe(moves.promote(PLAN, there, REQUEST), PLAN)
    assert [c.split()[4:6] for c in run.gcloud] == [
        ["ion-api-canary", "--min=1"],
        ["ion-api", "--update-env-vars=CANARY_TRAFFIC_PERCENTAGE=100"],
        ["ion-api", "--min=0"],
    ]
    assert run.lines[0] == "ion-api-canary instances: 0 to 4 → 1 to 10"
    assert "canary mode: ended, production is ion-api-canary" in run.lines
    assert run.lines[-2] == "ion-api instances: 1 to 10 → 0 to 1"
    assert run.lines[-1].startswith("In this order:")


@pytest.mark.parametrize(
    ("stage", "percent", "to", "candidate", "stable", "flag"),
    [
        (2, 10, 3, "api-2", "", "--to-revisions=api-2=25"),
        (2, 10, 3, "api-2", "api-1", "--to-revisions=api-2=25,api-1=75"),
        (2, 10, 3, "", "", "--to-tags=canary=25"),
        (4, 50, 5, "api-2", "api-1", "--to-revisions=api-2=100"),
        (4, 50, 5, "", "", "--to-tags=canary=100"),
        (2, 10, 0, "api-2", "", "--to-revisions=api-2=0"),
        (2, 10, 0, "api-2", "api-1", "--to-revisions=api-1=100"),
        (5, 100, 0, "api-2", "", "--to-revisions=STABLE_REVISION=100"),
        (5, 100, 4, "api-2", "", "--to-revisions=api-2=50,STABLE_REVISION=50"),
        (5, 100, 4, "", "api-1", "--to-revisions=CANDIDATE_REVISION=50,api-1=50"),
        (2, None, 0, "api-2", "", "--to-revisions=STABLE_REVISION=100"),
    ],
)
def test_the_revisions_router_sets_the_split(stage, percent, to, candidate, stable, flag):
    known = ScalePreset(1, 10)
    there = standing(stage, percent, candidate, scale_legacy=known, scale_canary=known)
    if to == 0:
        change = moves.rollback_all(BY_REVISIONS, there, REQUEST)
    elif to > stage:
        change = moves.promote(BY_REVISIONS, there, REQUEST)
    else:
        change = moves.step_back(BY_REVISIONS, there, REQUEST, to)
    (command,) = describe(change, BY_REVISIONS, stable).gcloud
    assert command == f"gcloud run services update-traffic ion-api {flag} {BEHIND}"


def test_names_from_the_plan_cannot_break_out_of_the_command():
    router = Router(service="a; rm -rf /", variable="X $(id)")
    target = msgspec.structs.replace(PLAN.target, router=router, project="p\x1b[31m'")
    plan = msgspec.structs.replace(PLAN, target=target)
    (command,) = describe(moves.promote(plan, standing(), REQUEST), plan).gcloud
    assert shlex.split(command)[4:] == [
        "a; rm -rf /",
        "--update-env-vars=X $(id)=25",
        "--region=us-central1",
        "--project=p'",
    ]


def with_router(**router) -> Plan:
    return msgspec.structs.replace(
        PLAN, target=msgspec.structs.replace(PLAN.target, router=Router(**router))
    )


def test_a_url_map_is_patched_under_the_fingerprint_it_was_decided_on():
    plan = with_router(kind="url-map", url_map="m", legacy_backend="old", canary_backend="new")
    guard = Guard("ion-api", "e1", 10, "rev-2", place="its default route")
    at_stage = msgspec.structs.replace(standing(), guard=guard)
    dry_run = describe(moves.promote(plan, at_stage, REQUEST), plan)
    assert dry_run.lines[0] == (
        "Canary's share: 10 % → 25 % on URL map m, weights of its default route"
    )
    parts = shlex.split(dry_run.gcloud[0])
    body = msgspec.json.decode(parts[parts.index("-d") + 1])
    assert body["fingerprint"] == "e1"
    weights = [w["weight"] for w in body["defaultRouteAction"]["weightedBackendServices"]]
    assert weights == [750, 250]
    assert parts[-1].endswith("/projects/naeda-genesis/global/urlMaps/m")


@pytest.mark.parametrize("place", ["path matcher m1, route rule 2", ""])
def test_weights_behind_a_host_rule_are_never_patched_by_hand_at_the_default_route(place):
    """A PATCH of `defaultRouteAction` would move nothing, or what is none of the rollout's."""
    plan = with_router(kind="url-map", url_map="m", legacy_backend="old", canary_backend="new")
    at_stage = msgspec.structs.replace(standing(), guard=Guard("ion-api", "e1", 10, place=place))
    change = moves.promote(plan, at_stage, REQUEST)
    dry_run = describe(change, plan)
    assert dry_run.lines[0].endswith(
        f"on URL map m, weights of {place or 'the one place that has both backends'}"
    )
    command = by_hand(change, plan)
    assert "defaultRouteAction" not in command
    assert shlex.split(command, comments=True) == (
        ["gcloud", "compute", "url-maps", "edit", "m", "--global", "--project=naeda-genesis"]
    )
    assert place in command
    assert "old weight 750, new weight 250" in command


def test_a_program_of_the_teams_is_shown_with_what_it_lacks():
    plan = with_router(kind="command", set=("set-share", "to {percent}; x"))
    dry_run = describe(moves.promote(plan, standing(), REQUEST), plan)
    assert "no guard against a change made elsewhere meanwhile" in dry_run.lines[0]
    assert dry_run.gcloud == ("set-share 'to 25; x'",)


def test_a_retirement_is_said_step_by_step():
    image = f"us-docker.pkg.dev/p/r/i@sha256:{'0' * 64}"
    record = StageRecord(5, 100, 1_772_373_802.0)
    steps = (
        KeepRecord("ion-api-canary", record),
        DeleteService("ion-api", "e1", 100),
        DeleteImages("ion-api", (image,)),
    )
    change = Change("c1", "retire", PLAN.name, steps, REQUEST.author, REQUEST.now)
    dry_run = describe(change, PLAN)
    assert dry_run.lines[:3] == (
        "stage record: kept on ion-api-canary from now on",
        "ion-api: deleted, with all its revisions",
        f"image deleted: {image}",
    )
    assert dry_run.gcloud == (
        f"gcloud run services delete ion-api {BEHIND}",
        f"gcloud artifacts docker images delete {image} --delete-tags",
    )
