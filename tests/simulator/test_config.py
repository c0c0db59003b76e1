"""The configuration of the embedded cloud."""

import pytest

from canary.simulator.config import Config, ConfigError, parse_config


def test_an_empty_object_is_the_mission_at_stage_2():
    config = parse_config("{}")
    assert (config.legacy, config.canary, config.percent) == ("ion-api", "ion-api-canary", 10)


def test_history_is_two_hours_longer_than_the_soak_unless_it_is_given():
    assert Config(soaked_hours=5.0).history_h == 7.0
    assert Config(soaked_hours=5.0, history_hours=6.0).history_h == 6.0


def test_the_revisions_router_has_one_service_for_both_sides():
    config = parse_config('{"router": {"kind": "revisions"}}')
    assert config.services == ("ion-api",)
    assert config.service_of("canary") == config.service_of("legacy") == "ion-api"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "truncated"),
        ("[]", "array"),
        ('{"percnt": 5}', "percnt"),
        ('{"percent": "ten"}', "percent"),
        ('{"percent": -1}', "percent"),
        ('{"percent": 101}', "percent"),
        ('{"speed": 0}', "speed"),
        ('{"requests_per_s": -1}', "requests_per_s"),
        ('{"soaked_hours": 3, "history_hours": 2}', "history_hours"),
        ('{"grpc_port": 65536}', "grpc_port"),
        ('{"canary": "ion-api"}', "canary"),
        ('{"router": {"kind": "url"}}', "router"),
    ],
)
def test_a_mistake_is_refused_by_name(text, named):
    with pytest.raises(ConfigError, match=named):
        parse_config(text)


@pytest.mark.parametrize("percent", [0, 100])
def test_a_share_on_its_limit_is_accepted(percent):
    assert parse_config(f'{{"percent": {percent}}}').percent == percent
