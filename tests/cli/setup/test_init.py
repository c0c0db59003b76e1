"""`canary init`: a commented plan, from flags or questions, never over one that is there."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from canary.cli.setup.plan_text import Choices, render_plan
from canary.rollout.plan.confidence_presets import PRESETS, PresetName, preset_of
from canary.rollout.plan.file import load_plan, parse_plan
from tests.cli.commands import ROOT, run_at_terminal
from tests.cli.conftest import Command

SHIPPED = (ROOT / "canary.toml").read_text()


def test_with_nothing_chosen_it_is_the_default_plan() -> None:
    assert render_plan(Choices()) == SHIPPED


def test_what_was_chosen_is_in_the_plan(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "new" / "plan.toml"
    flags = "--provider gcp --project my-project --region europe-west1 --legacy api --canary api2"
    router = "--router revisions --candidate next"
    ended = command("init", str(path), *flags.split(), *router.split())
    plan = load_plan(path)
    assert ended.code == 0
    assert (plan.provider, plan.target.project, plan.target.region) == (
        "gcp",
        "my-project",
        "europe-west1",
    )
    assert (plan.target.legacy, plan.target.canary) == ("api", "api2")
    assert (plan.target.router.kind, plan.target.router.candidate) == ("revisions", "next")
    assert path.read_text().count("#") > 20


def test_it_says_as_json_what_was_written(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    assert command("init", str(path), "--json").document == {"file": str(path), "provider": "local"}
    assert load_plan(path).provider == "local"


def test_a_router_by_url_map_is_named_in_the_plan(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    flags = "--yes --router url-map --url-map m --legacy-backend old --canary-backend new"
    assert command("init", str(path), *flags.split()).code == 0
    router = load_plan(path).target.router
    assert (router.kind, router.url_map) == ("url-map", "m")
    assert (router.legacy_backend, router.canary_backend) == ("old", "new")


def test_a_router_by_command_is_taken_apart_as_by_a_shell(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    wish = ["--set", "set-share --of 'the api' {percent}", "--read", "get-share"]
    assert command("init", str(path), "--yes", "--router", "command", *wish).code == 0
    router = load_plan(path).target.router
    assert router.set == ("set-share", "--of", "the api", "{percent}")
    assert router.read == ("get-share",)


@pytest.mark.parametrize("wish", [[], ["--set", "set 'x"], ["--set", "set-share ten"]])
def test_a_command_that_cannot_set_the_share_is_refused(
    command: Command, tmp_path: Path, wish: list[str]
) -> None:
    path = tmp_path / "plan.toml"
    assert command("init", str(path), "--yes", "--router", "command", *wish).code == 2
    assert not path.exists()


def test_a_file_that_is_there_is_left_as_it_is_unless_forced(
    command: Command, tmp_path: Path
) -> None:
    path = tmp_path / "canary.toml"
    mine = "[target]\n# a plan of mine\n"
    path.write_text(mine)
    refused = command("init", "--yes", "--config", str(path))
    assert (refused.code, path.read_text()) == (2, mine)
    assert command("init", "--yes", "--force", "--config", str(path)).code == 0
    assert path.read_text() == SHIPPED
    assert {each.name for each in tmp_path.iterdir()} == {"canary.toml", "state"}  # and no draft


@pytest.mark.parametrize(
    ("flag", "value", "key"),
    [
        ("--project", "a/b", "target.project"),
        ("--legacy", "Ion Api", "target.legacy"),
        ("--legacy", 'x"\nprovider = "gcp', "target.legacy"),
        ("--variable", "9", "target.router.variable"),
    ],
)
def test_an_answer_that_cannot_be_is_refused_and_nothing_is_written(
    command: Command, tmp_path: Path, flag: str, value: str, key: str
) -> None:
    path = tmp_path / "canary.toml"
    ended = command("init", "--yes", "--config", str(path), flag, value)
    assert (ended.code, key in ended.err) == (2, True)
    assert not path.exists()


def test_at_a_terminal_it_asks_what_the_router_needs(tmp_path: Path) -> None:
    typed = "gcp\n\n\nurl-map\n\n\nthe-map\nold\nnew\n\n\n"
    assert run_at_terminal(["init"], tmp_path, tmp_path / "state", typed).code == 0
    router = parse_plan((tmp_path / "canary.toml").read_text(), "canary.toml").target.router
    assert (router.url_map, router.legacy_backend, router.canary_backend) == (
        "the-map",
        "old",
        "new",
    )


def test_at_a_terminal_it_asks_what_was_not_given(tmp_path: Path) -> None:
    typed = "gcp\nmy-project\n\nenv\nold-api\nnew-api\nSHARE\nmonitoring\nlog\n"
    ended = run_at_terminal(["init"], tmp_path, tmp_path / "state", typed)
    plan = parse_plan((tmp_path / "canary.toml").read_text(), "canary.toml")
    assert ended.code == 0
    assert (plan.target.project, plan.target.region) == ("my-project", "us-central1")
    assert (plan.target.legacy, plan.target.router.variable) == ("old-api", "SHARE")
    assert plan.metrics.confidence_metric == "logging.googleapis.com/user/confidence"
    assert "gcloud logging metrics create confidence" in ended.out
    assert "next: `gcloud auth application-default login`, then `canary doctor`" in ended.out


def test_an_answer_that_cannot_be_is_asked_again_and_the_others_are_kept(tmp_path: Path) -> None:
    typed = "gcp\nmy-project\nno region\neurope-west1\ncommand\napi\napi\n\n"
    typed += "set-share ten\nset-share '{percent}\nset-share {percent}\n\n\nnone\n"
    ended = run_at_terminal(["init"], tmp_path, tmp_path / "state", typed)
    assert ended.code == 0, ended.out
    plan = parse_plan((tmp_path / "canary.toml").read_text(), "canary.toml")
    target = plan.target
    assert (target.project, target.region) == ("my-project", "europe-west1")
    assert (target.legacy, target.canary) == ("api", "api-canary")  # the same is no other service
    assert target.router.set == ("set-share", "{percent}")
    assert ended.out.count("Again:") == 4


def test_at_a_terminal_it_asks_what_a_prometheus_needs(tmp_path: Path) -> None:
    typed = "gcp\nmy-project\n\nenv\nold-api\nnew-api\nSHARE\n"
    typed += "prometheus\nhttp://prom.example\nhttps://prom.example\nbasic\nme\nTHE_PASSWORD\n"
    typed += 'custom\nrequests_total\nrequests_total{env="prod",{side}}\n\nnone\n'
    ended = run_at_terminal(["init"], tmp_path, tmp_path / "state", typed)
    assert ended.code == 0, ended.out
    metrics = parse_plan((tmp_path / "canary.toml").read_text(), "canary.toml").metrics
    assert (metrics.source, metrics.url) == ("prometheus", "https://prom.example")
    assert (metrics.auth, metrics.username, metrics.secret_env) == ("basic", "me", "THE_PASSWORD")
    assert metrics.preset == "custom"
    assert metrics.selectors is not None
    assert metrics.selectors.requests == 'requests_total{env="prod",{side}}'
    assert metrics.selectors.latency is None
    assert metrics.others == "none"
    assert ended.out.count("Again:") == 2  # plain http beyond this machine; no {side}


def test_flags_choose_a_prometheus(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    flags = "--yes --provider gcp --source prometheus --auth bearer --secret-env TOKEN"
    url = "--url https://prom.example/api"
    assert command("init", str(path), *flags.split(), *url.split()).code == 0
    metrics = load_plan(path).metrics
    assert (metrics.source, metrics.preset, metrics.auth) == ("prometheus", "otel", "bearer")
    assert (metrics.url, metrics.secret_env) == ("https://prom.example/api", "TOKEN")
    assert metrics.others == "monitoring"  # where the score is


def test_what_is_about_a_prometheus_needs_one(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    ended = command("init", str(path), "--yes", "--preset", "cloud-run")
    assert ended.code == 2
    assert "--source prometheus" in ended.err
    assert not path.exists()


@pytest.mark.parametrize("router", ["env", "revisions", "url-map", "command"])
def test_only_the_chosen_routers_keys_are_live(router: str) -> None:
    text = render_plan(Choices(router=router, set=("x", "{percent}")))
    keys = set(tomllib.loads(text)["target"]["router"])
    assert (
        keys - {"kind"}
        == {
            "env": {"variable"},
            "revisions": {"candidate"},
            "url-map": {"url_map", "legacy_backend", "canary_backend"},
            "command": {"set"},
        }[router]
    )


@pytest.mark.parametrize("name", ["log", "custom", "none"])
def test_each_way_to_a_score_gives_a_plan_that_can_be_met(name: PresetName) -> None:
    plan = parse_plan(render_plan(Choices(confidence=name)), "canary.toml")
    assert plan.metrics.confidence_metric == PRESETS[name].metric
    assert preset_of(plan) == name
    limits = [s.criteria.min_confidence for s in plan.stages if s.criteria is not None]
    assert all(limit is None for limit in limits) == (name == "none")
