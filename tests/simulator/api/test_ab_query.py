"""What the product asks BigQuery is what the embedded cloud recognises, whatever the plan says."""

import msgspec
import pytest

from canary.cloud.bigquery.ab_query import build_parameters, build_query
from canary.rollout.plan.tables import AbTest
from canary.simulator.api.ab_query import AbQuery, read_ab_query
from canary.simulator.wire.calls import RestError

NOW = 1_760_000_040.0


def sent(test, project="naeda-genesis", until=NOW):
    """The query of a plan's A/B test, as `engine.jobs.ab_test` sends it."""
    given = build_parameters(
        test.legacy_group, test.canary_group, until - test.days * 86_400.0, until
    )
    return build_query(test.full_table(project)), {one.name: (one.type, one.value) for one in given}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"table": "other_project.ab_test.results"},
        {"table": "example.com:project-1.data_set.Table-2"},
        {"days": 1},
        {"days": 3650},
        {"legacy_group": "control", "canary_group": "treatment"},
        {"legacy_group": "it's `old`", "canary_group": "Ünïcode \\ @until"},
    ],
)
def test_the_query_of_every_plan_is_recognised_with_its_parameters(changes):
    test = msgspec.structs.replace(AbTest(), **changes)
    assert read_ab_query(*sent(test)) == AbQuery(
        test.full_table("naeda-genesis"),
        (test.legacy_group, test.canary_group),
        NOW - test.days * 86_400.0,
        NOW,
    )


def test_white_space_means_nothing():
    sql, given = sent(AbTest())
    assert read_ab_query(f"\n  {sql}\n".replace("\n", "\r\n\t"), given).until == NOW


@pytest.mark.parametrize(
    "text", ["2025-10-09T08:54:00Z", "2025-10-09T08:54:00", "2025-10-09 08:54:00 UTC"]
)
def test_a_time_without_a_zone_is_utc(text):
    sql, given = sent(AbTest())
    assert read_ab_query(sql, given | {"until": ("TIMESTAMP", text)}).until == NOW


@pytest.mark.parametrize("name", ["legacy", "canary", "since", "until"])
def test_each_parameter_is_demanded_by_name(name):
    sql, given = sent(AbTest())
    del given[name]
    with pytest.raises(RestError, match=f"parameter '{name}'"):
        read_ab_query(sql, given)
