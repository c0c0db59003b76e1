"""Reading canary.toml: every mistake names file, key, what is wrong and what is expected."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.errors import PlanError
from canary.rollout.plan.file import MAX_BYTES, load_plan, parse_plan
from canary.rollout.plan.plan import Alerts, Local, Plan, Thresholds
from canary.rollout.plan.rules import KnownNames
from tests.rollout.build import BARE_PLAN

KNOWN = KnownNames(lambda: ("promote", "rollback_all", "scale"), ("healthy", "error-spike"))
DEFAULT = (Path(__file__).parents[3] / "canary.toml").read_text()


def refuse(text: str) -> PlanError:
    with pytest.raises(PlanError) as refused:
        parse_plan(text, "canary.toml", KNOWN)
    assert refused.value.exit_code == 2
    return refused.value


def verdict_on(text: str) -> str:
    """What is said of a text; nothing of a good one."""
    try:
        parse_plan(text, "canary.toml", KNOWN)
    except PlanError as refused:
        return str(refused)
    return ""


def swap(old: str, new: str) -> str:
    """The default plan with one place changed."""
    assert old in DEFAULT
    return DEFAULT.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (  # unknown key, with what was meant
            swap('theme = "dark"', 'thema = "dark"'),
            'console.thema is not a key of the plan; expected "theme" (known:',
        ),
        (
            swap("[metrics]", "[metric]"),
            'metric is not a key of the plan; expected "metrics"',
        ),
        (
            swap("soak_hours = 24.0", "soak = 24.0"),
            'stages[0].soak (stage 1) is not a key of the plan; expected "soak_hours"',
        ),
        (  # wrong type
            swap("percent = 25", 'percent = "25"'),
            'stages[2].percent (stage 3) is "25" (text); expected a whole number',
        ),
        (
            swap("percent = 25", "percent = 25.5"),
            "stages[2].percent (stage 3) is 25.5 (a number); expected a whole number",
        ),
        (
            swap("percent = 25", "percent = true"),
            "stages[2].percent (stage 3) is true; expected a whole number",
        ),
        (
            swap("load_test = true", "load_test = 1"),
            "stages[2].load_test (stage 3) is 1 (a whole number); expected true or false",
        ),
        (swap("speed = 60.0", "speed = nan"), "local.speed is nan"),
        (swap("speed = 60.0", "speed = inf"), "local.speed is inf"),
        ("stages = 3\n" + BARE_PLAN.split("[[stages]]")[0], "stages is 3"),
        # shares
        (
            swap("percent = 25", "percent = 8"),
            "stages[2].percent (stage 3) is 8, which falls below the stage before (10); "
            "expected more than 10",
        ),
        (
            swap("percent = 25", "percent = 10"),
            "stages[2].percent (stage 3) is 10, which is no more than the stage before (10)",
        ),
        (swap("percent = 100", "percent = 101"), "stages[4].percent (stage 5) is 101; expected 1"),
        (swap("percent = 5\n", "percent = 0\n"), "stages[0].percent (stage 1) is 0; expected 1 to"),
        (swap("percent = 5\n", "percent = -5\n"), "stages[0].percent (stage 1) is -5; expected"),
        # limits
        (
            swap("max_error_ratio = 0.015", "max_error_ratio = -0.015"),
            "stages[1].criteria.max_error_ratio (stage 2) is -0.015; expected 0 to 1",
        ),
        (
            swap("min_success_ratio = 0.91", "min_success_ratio = 91"),
            "stages[2].criteria.min_success_ratio (stage 3) is 91; "
            "expected 0 to 1: a ratio, so 91 % is 0.91",
        ),
        (
            swap("max_p95_ms = 15_000.0", "max_p95_ms = 0"),
            "stages[0].criteria.max_p95_ms (stage 1) is 0; expected 1 to",
        ),
        (
            swap("confidence = 0.70", "confidence = 70"),
            "stages[1].automatic_rollback.confidence (stage 2) is 70; expected 0 to 1",
        ),
        (
            swap("error_ratio = 0.05", "error_ratio = 0.01"),
            "alerts.warning.error_ratio is 0.02, laxer than alerts.critical.error_ratio (0.01); "
            "expected at most 0.01",
        ),
        (
            swap("success_ratio = 0.80", "success_ratio = 0.95"),
            "alerts.warning.success_ratio is 0.9, laxer than alerts.critical.success_ratio (0.95); "
            "expected at least 0.95",
        ),
        (
            swap("[alerts.warning]\nerror_ratio = 0.02", "[alerts.warning]\nerror_ratio = 2"),
            "alerts.warning.error_ratio is 2; expected 0 to 1: a ratio, so 2 % is 0.02",
        ),
        (swap("watch_minutes = 60.0", "watch_minutes = -1"), "alerts.watch_minutes is -1"),
        (swap("soak_hours = 48.0", "soak_hours = -1"), "stages[2].soak_hours (stage 3) is -1"),
        (
            swap("soak_hours = 48.0\n", ""),
            "stages[2].soak_hours (stage 3) is missing; expected hours",
        ),
        (
            swap("min_ab_improvement = 0.10", "min_ab_improvement = 10"),
            "stages[3].min_ab_improvement (stage 4) is 10; expected 0 to 1: a ratio, so 10 %",
        ),
        # the target
        (swap('legacy = "ion-api"\n', ""), "target.legacy is missing; expected text in quotes"),
        (swap('legacy = "ion-api"', 'legacy = ""'), "target.legacy is empty; expected a Cloud Run"),
        (swap('legacy = "ion-api"', 'legacy = "Ion/Api"'), 'target.legacy is "Ion/Api"; expected'),
        (
            swap('canary = "ion-api-canary"', 'canary = "ion-api"'),
            "target.canary is the same service as target.legacy",
        ),
        (swap('project = "naeda-genesis"', 'project = "a/b"'), 'target.project is "a/b"'),
        (swap('region = "us-central1"', 'region = "us central"'), 'target.region is "us central"'),
        (
            swap('kind = "env"', 'kind = "envs"'),
            'target.router.kind is "envs" (text); expected "env',
        ),
        (
            swap("CANARY_TRAFFIC_PERCENTAGE", "9 LIVES"),
            'target.router.variable is "9 LIVES"; expected the name of an environment variable',
        ),
        (swap('path = "/health"', 'path = "health"'), 'target.health.path is "health"; expected'),
        # choices
        (swap('"dark" ', '"drak" '), 'console.theme is "drak" (text); expected "dark"'),
        (
            swap('provider = "local"', 'provider = "aws"'),
            'provider is "aws" (text); expected one of',
        ),
        (
            swap("# rollback_all", "rolback_all").replace("# [console.keys]", "[console.keys]"),
            'console.keys.rolback_all is not an action; expected "rollback_all"',
        ),
        (
            DEFAULT + '\n[console.keys]\npromote = "x"\nscale = "x"\n',
            'console.keys.scale is "x", the key of promote too; expected a key of its own',
        ),
        (DEFAULT + '\n[console.keys]\nscale = ""\n', "console.keys.scale is empty"),
        (
            swap('scenario = "healthy"', 'scenario = "error-spik"'),
            'local.scenario is "error-spik"; expected "error-spike"',
        ),
        (swap("stage = 2", "stage = 6"), "local.stage is 6; expected 0 to 5"),
        # the rest
        (swap("min_requests = 100", "min_requests = 0"), "metrics.min_requests is 0; expected 1"),
        (
            swap("criteria_window_minutes = 60", "criteria_window_minutes = 3"),
            "metrics.criteria_window_minutes is 3; expected 5 to",
        ),
        (swap("max = 10", "max = 0"), "scale.production.max is 0; expected 1 to"),
        (
            swap("canary-console/record", "run.googleapis.com/record"),
            'record.annotation is in the namespace "run.googleapis.com", which Cloud Run refuses',
        ),
        (swap('file = "rollout.toml"', 'file = " "'), "record.file is empty; expected a path"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_is_expected(text: str, said: str) -> None:
    assert said in str(refuse(text))
    assert str(refuse(text)).startswith("canary.toml: ")


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1:8080",
        "http://run.example.com",
        "http://127.0.0.1.example.com",
        "http://127.0.0.999:8080",
        "https://run.example.com/v2",
        "http://localhost@example.com",
        "ftp://127.0.0.1",
        "127.0.0.1:8080",
        "https://",
        "https://[::1",
        "https://host:0",
        "https://host:99999",
        "",
    ],
)
@pytest.mark.parametrize("name", ["run", "monitoring"])
def test_plain_http_is_for_this_machine_only(name: str, url: str) -> None:
    refused = refuse(DEFAULT + f'\n[target.endpoints]\n{name} = "{url}"\n')
    assert f"target.endpoints.{name}" in str(refused)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080",
        "http://localhost:8080",
        "http://[::1]:8080",
        "https://run.example.com",
    ],
)
def test_an_endpoint_is_https_or_this_machine(url: str) -> None:
    plan = parse_plan(DEFAULT + f'\n[target.endpoints]\nrun = "{url}"\n', "canary.toml")
    assert plan.target.endpoints.run == url


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    refused = refuse(DEFAULT + '\n[target.endpoints]\nrun = "https://me:s3cret@run.example.com"\n')
    assert "user name or password" in str(refused)
    assert "s3cret" not in str(refused)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[target\n", "canary.toml, line 1, column 8"),
        ("a = 1\na = 2\n", "canary.toml, line 2"),
        ("a = 1\n\nb == 2\n", "canary.toml, line 3, column 4"),
    ],
)
def test_a_mistake_of_syntax_names_the_line(text: str, line: str) -> None:
    assert str(refuse(text)).startswith(line)


def test_every_mistake_of_range_order_and_name_is_told() -> None:
    text = swap("max_p95_ms = 18_000.0", "max_p95_ms = 0").replace("soak_hours = 48.0\n", "")
    text = text.replace("stale_after_s = 300.0", "stale_after_s = 1")
    text = text.replace("criteria_window_minutes = 60", "criteria_window_minutes = 0")
    text = text.replace('scenario = "healthy"', 'scenario = "calm"')
    refused = refuse(text + '\n[console.keys]\nfly = "x"\n')
    assert "stages[1].criteria.max_p95_ms (stage 2) is 0; expected 1 to 3.6e+06" in str(refused)
    assert refused.remedy.startswith("Also: ")
    for path in (
        "stages[2].soak_hours (stage 3)",
        "metrics.stale_after_s",
        "metrics.criteria_window_minutes",
        "local.scenario",
        "console.keys.fly",
    ):
        assert path in refused.remedy


def test_of_very_many_mistakes_the_first_are_told_and_the_rest_is_counted() -> None:
    text = "".join(f"wrong_{i} = 1\n" for i in range(12)) + DEFAULT
    refused = refuse(text)
    assert "wrong_0" in str(refused)
    assert "wrong_7" in refused.remedy
    assert "wrong_8" not in refused.remedy
    assert refused.remedy.endswith("And 4 more mistakes.")


def test_what_others_own_is_taken_as_it_is_where_nobody_says_what_is_known() -> None:
    text = swap('scenario = "healthy"', 'scenario = "calm"') + '\n[console.keys]\nfly = "x"\n'
    plan = parse_plan(text, "canary.toml")
    assert (plan.local.scenario, plan.console.keys) == ("calm", {"fly": "x"})


@pytest.mark.parametrize("number", ["1e999", "9" * 400, "-" + "9" * 400, "9" * 5000])
@pytest.mark.parametrize("key", ["speed", "seed", "stage"])
def test_a_number_beyond_all_bounds_is_refused(key: str, number: str) -> None:
    old = {"speed": "speed = 60.0", "seed": "seed = 7", "stage": "stage = 2"}[key]
    assert len(str(refuse(swap(f"\n{old}", f"\n{key} = {number}")))) < 400


def test_the_first_mistake_is_the_sentence_and_the_others_its_remedy() -> None:
    text = swap("percent = 25", "percent = 8").replace("stale_after_s = 300.0", "stale_after_s = 1")
    assert "stages[2].percent" in refuse(text).message
    assert refuse(text).remedy.startswith("Also: metrics.stale_after_s is 1; expected ")
    assert refuse("").remedy.startswith("Also: ")


def test_one_mistake_alone_counts_no_others() -> None:
    assert refuse(swap("percent = 25", "percent = 8")).remedy == ""


def test_text_of_the_file_cannot_act_on_the_terminal() -> None:
    refused = refuse(swap('legacy = "ion-api"', 'legacy = "\\u001b[31mred\\u202e"'))
    assert "\x1b" not in str(refused)
    assert "\u202e" not in str(refused)
    assert "\x1b" not in str(refuse(DEFAULT + '\n[console.keys]\n"\\u001b[31m" = "x"\n'))


def test_what_is_left_out_has_the_defaults_of_the_procedure() -> None:
    plan = parse_plan(BARE_PLAN, "canary.toml")
    assert plan == Plan(target=plan.target, stages=plan.stages, local=Local(stage=1))


def test_changing_one_alert_does_not_lose_the_others() -> None:
    plan = parse_plan(BARE_PLAN + "[alerts.critical]\nerror_ratio = 0.04\n", "canary.toml")
    assert plan.alerts == Alerts(critical=Thresholds(0.04, 30_000.0, 0.80))


def test_a_whole_number_is_good_where_a_fraction_may_stand() -> None:
    plan = parse_plan(swap("max_p95_ms = 15_000.0", "max_p95_ms = 15000"), "canary.toml")
    assert plan.stages[0].criteria is not None
    assert plan.stages[0].criteria.max_p95_ms == 15_000.0


def test_two_revisions_of_one_service_may_share_its_name() -> None:
    text = swap('kind = "env"', 'kind = "revisions"').replace('"ion-api-canary"', '"ion-api"')
    assert parse_plan(text, "canary.toml").target.canary == "ion-api"


def test_a_missing_file_says_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"no plan at .*/none\.toml.*canary init"):
        load_plan(tmp_path / "none.toml")


def test_a_directory_is_no_plan(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read"):
        load_plan(tmp_path)


def test_other_than_utf_8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "canary.toml"
    path.write_bytes(b"# one\n# caf\xe9\n")
    with pytest.raises(PlanError, match="line 2: this is not UTF-8"):
        load_plan(path)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "canary.toml"
    path.write_bytes(b"\xef\xbb\xbf" + DEFAULT.encode())
    assert load_plan(path).target.legacy == "ion-api"


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "canary.toml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(PlanError, match="at most"):
        load_plan(path)


def test_a_file_nested_too_deeply_is_refused() -> None:
    assert "nested" in str(refuse("a = " + "[" * 100_000))


@given(st.text(max_size=300))
def test_any_text_is_a_plan_or_refused_in_one_line(text: str) -> None:
    assert "\n" not in verdict_on(text)


@given(st.integers(0, len(DEFAULT) - 1), st.sampled_from(['"', "=", "[", "]", "-", "9", "\n", ""]))
def test_the_default_plan_with_one_slip_is_a_plan_or_refused_in_one_line(at: int, by: str) -> None:
    assert "\n" not in verdict_on(DEFAULT[:at] + by + DEFAULT[at + 1 :])
