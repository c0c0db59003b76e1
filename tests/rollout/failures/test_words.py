import pytest

from canary.rollout.evidence.interval import RatioInterval
from canary.rollout.failures.requests import OTHER, FailedRequest, GroupKey
from canary.rollout.failures.view import FailureGroup, FailuresView
from canary.rollout.failures.words import (
    format_about,
    format_beyond,
    format_common,
    format_excess,
    format_key,
    format_spread,
)

KEY = GroupKey("POST", "/chat", "500")


def test_three_errors_are_no_pattern_and_that_is_said():
    assert format_beyond(FailureGroup(KEY, 0, 3, 3.0)) == "3 failures are no pattern"
    assert format_beyond(FailureGroup(KEY, 0, 1, 1.0)) == "one failure is no pattern"
    few = FailureGroup(KEY, 0, 3, 3.0, 5.0, True)
    assert "3 are few, in one burst they prove nothing" in format_beyond(few)


def test_what_is_beyond_chance_says_its_e_value():
    group = FailureGroup(KEY, 0, 34, 34.0, 7.6, True)
    assert format_beyond(group) == "beyond chance, e = 1 998"
    assert "over 1 000 000" in format_beyond(FailureGroup(KEY, 0, 34, 34.0, 90.0, True))


def test_what_may_be_chance_says_its_interval():
    group = FailureGroup(KEY, 100, 6, 1.0, 0.2, False, interval=RatioInterval(1.2, 0.5, 2.9))
    assert format_beyond(group) == "may be chance: ×1.2 (0.50 to 2.9)"
    assert format_excess(group) == "1 more than Legacy"
    assert format_excess(FailureGroup(KEY, 9, 0, -0.5)) == "no more than Legacy"


def test_a_group_is_named_whole():
    assert format_key(KEY) == "POST /chat 500"
    assert format_key(OTHER) == "all others"
    assert format_key(GroupKey("", "", "5xx")) == "5xx"


def request(instance: str, latency_ms: float = 100.0) -> FailedRequest:
    return FailedRequest("canary", 1.0, "POST", "/chat", 500, latency_ms, "r", instance)


def test_one_instance_stands_out_where_there_are_several():
    group = FailureGroup(KEY, 0, 10, 10.0, requests=(request("0007e26d3f2a91bc"),) * 10)
    said = "10 of the newest 10 on one of about 4 instances, 3f2a91bc"
    assert format_spread(group, 4.0).startswith(said)
    assert format_spread(group, 1.0) == "about 100 ms each"
    many = FailureGroup(KEY, 0, 6, 6.0, requests=tuple(request(f"i{i}") for i in range(6)))
    assert format_spread(many, 6.0) == "on 6 instances, about 100 ms each"
    assert format_spread(FailureGroup(KEY, 0, 2, 2.0, requests=(request("i"),) * 2)) == ""


def test_what_several_groups_have_in_common_is_one_instance():
    bad = tuple(request("0007e26d3f2a91bc") for _ in range(8))
    groups = tuple(
        FailureGroup(GroupKey("GET", route, "500"), 0, 8, 8.0, requests=bad) for route in "ab"
    )
    view = FailuresView(groups)
    said = "16 of the newest 16 failures are on one of about 4 instances: 3f2a91bc"
    assert format_common(view, 4.0) == said
    assert format_common(view, 1.0) == ""
    assert format_common(FailuresView(groups[:1]), 4.0) == ""


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (
            FailuresView(sampled=0.4, seen_s=3_600.0),
            "A sample of 40.0 % of the request log is read.",
        ),
        (FailuresView(seen_s=720.0), "Legacy has been seen for 12 m: NEW is new since then."),
        (FailuresView(unfit_s=30.0, seen_s=3_600.0), "30 s were seen and not compared."),
        (
            FailuresView(source="monitoring", missing="no routes: off"),
            "From Cloud Monitoring, by status: no routes: off",
        ),
        (FailuresView(more=3, seen_s=3_600.0), "3 more groups are not shown."),
    ],
)
def test_what_is_missing_or_thin_is_said(view, said):
    assert said in format_about(view)
