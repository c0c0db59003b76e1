"""BigQuery's REST over the table of the A/B test, with httpx."""

import pytest

from canary.cloud.bigquery.ab_query import build_query
from canary.rollout.text import format_iso_time
from canary.simulator.api.ab_query import COLUMNS, OTHER_SQL
from canary.simulator.config import AbTestConfig
from tests.simulator.local_cloud import START
from tests.simulator.rest_cloud import rest_cloud

QUERIES = "/bigquery/v2/projects/naeda-genesis/queries"
SQL = build_query("naeda-genesis.ab_test.results")
DAY_S = 86_400.0


def parameter(name, kind, value):
    return {"name": name, "parameterType": {"type": kind}, "parameterValue": {"value": value}}


def parameters(since=START - DAY_S, until=START + DAY_S, legacy="legacy", canary="canary"):
    return [
        parameter("legacy", "STRING", legacy),
        parameter("canary", "STRING", canary),
        parameter("since", "TIMESTAMP", format_iso_time(since)),
        parameter("until", "TIMESTAMP", format_iso_time(until)),
    ]


def body(sql=SQL, **more):
    return {
        "query": sql,
        "useLegacySql": False,
        "parameterMode": "NAMED",
        "queryParameters": parameters(),
        "maximumBytesBilled": "1000000000",
        "location": "US",
        "timeoutMs": 0,
    } | more


async def ask(cloud, sql=SQL, **more):
    """Return (status, answer) of a query, polled until it is complete."""
    answer = await cloud.rest.post(QUERIES, json=body(sql, **more), timeout=30)
    given = answer.json()
    if given.get("jobComplete") is False:
        cloud.advance(3)
        path = f"{QUERIES}/{given['jobReference']['jobId']}"
        answer = await cloud.rest.get(path, params={"location": "US", "timeoutMs": "0"})
    return answer.status_code, answer.json()


def table_of(answer):
    """Return the rows as dicts, numbers as numbers."""
    convert = {"INTEGER": int, "FLOAT": float, "STRING": str}
    fields = answer["schema"]["fields"]
    return [
        {
            one["name"]: None if cell["v"] is None else convert[one["type"]](cell["v"])
            for one, cell in zip(fields, row["f"], strict=True)
        }
        for row in answer.get("rows", [])
    ]


async def rows(cloud, **more):
    status, answer = await ask(cloud, **more)
    assert status == 200, answer
    return table_of(answer)


async def test_thirty_days_have_the_figures_of_the_mission():
    async with rest_cloud(percent=50) as cloud:
        days = parameters(since=START - 30 * DAY_S)
        canary, legacy = await rows(cloud, queryParameters=days)
        assert (legacy["side"], canary["side"]) == ("legacy", "canary")
        assert legacy["requests"] == pytest.approx(150_000, rel=0.01)
        assert legacy["response_mean_ms"] == pytest.approx(450, rel=0.02)
        assert legacy["response_p95_ms"] == pytest.approx(1200, rel=0.02)
        assert legacy["confidence_mean"] == pytest.approx(0.72, abs=0.01)
        assert legacy["succeeded"] / legacy["success_count"] == pytest.approx(0.988, abs=0.001)
        assert canary["response_mean_ms"] == pytest.approx(220, rel=0.02)
        assert canary["response_p95_ms"] == pytest.approx(600, rel=0.02)
        assert canary["confidence_mean"] == pytest.approx(0.85, abs=0.01)
        assert canary["succeeded"] / canary["success_count"] == pytest.approx(0.997, abs=0.001)
        assert canary["response_stddev_ms"] > 0


async def test_the_counts_are_of_the_rows_that_hold_a_value():
    async with rest_cloud(percent=50) as cloud:
        for row in await rows(cloud, queryParameters=parameters(since=START - DAY_S)):
            assert row["requests"] == row["response_count"] == row["success_count"]
            # Only a served request has a score.
            assert row["confidence_count"] == row["succeeded"] < row["requests"]
            assert row["confidence_stddev"] > 0


async def test_what_the_model_does_is_in_the_table():
    async with rest_cloud(percent=50, soaked_hours=4.0) as cloud:
        cloud.world.scenario.switch("latency", {})
        cloud.advance(2 * 3600)
        given = parameters(since=START)
        canary, legacy = await rows(cloud, queryParameters=given)
        assert canary["response_mean_ms"] > 5_000 > legacy["response_mean_ms"]
        assert canary["requests"] == pytest.approx(2 * 208, abs=3)


async def test_a_side_without_traffic_has_no_rows_of_that_time():
    async with rest_cloud(percent=0) as cloud:
        (only,) = await rows(cloud, queryParameters=parameters(since=START - 1800))
        assert only["side"] == "legacy"


async def test_the_same_query_has_the_same_answer_after_a_restart(tmp_path):
    settings = {"state_path": str(tmp_path / "cloud.db")}
    days = parameters(since=START - 2 * DAY_S, until=START)
    async with rest_cloud(**settings) as cloud:
        first = await rows(cloud, queryParameters=days)
    async with rest_cloud(**settings) as cloud:
        assert await rows(cloud, queryParameters=days) == first


async def test_a_job_is_not_complete_before_its_time_and_is_polled():
    async with rest_cloud() as cloud:
        given = (await cloud.rest.post(QUERIES, json=body())).json()
        assert given["jobComplete"] is False
        assert "rows" not in given
        path = f"{QUERIES}/{given['jobReference']['jobId']}"
        assert not (await cloud.rest.get(path, params={"timeoutMs": "0"})).json()["jobComplete"]
        cloud.advance(3)
        assert len((await cloud.rest.get(path)).json()["rows"]) == 2


async def test_rows_come_in_pages_when_they_are_asked_for_so():
    async with rest_cloud(query_s=0.0) as cloud:
        first = (await cloud.rest.post(QUERIES, json=body(maxResults=1))).json()
        assert (len(first["rows"]), first["totalRows"]) == (1, "2")
        path = f"{QUERIES}/{first['jobReference']['jobId']}"
        params = {"pageToken": first["pageToken"]}
        second = (await cloud.rest.get(path, params=params)).json()
        assert "pageToken" not in second
        assert table_of(second)[0]["side"] == "legacy"


async def test_the_same_request_twice_is_one_job():
    async with rest_cloud() as cloud:
        asked = [await cloud.rest.post(QUERIES, json=body(requestId="one")) for _ in range(2)]
        assert len({one.json()["jobReference"]["jobId"] for one in asked}) == 1


@pytest.mark.parametrize(
    ("more", "status", "reason"),
    [
        ({"useLegacySql": True}, 400, "invalid"),
        ({"parameterMode": "POSITIONAL"}, 400, "invalid"),
        ({"queryParameters": [{"name": "days"}]}, 400, "invalid"),
        ({"queryParameters": []}, 400, "invalidQuery"),
        ({"queryParameters": parameters()[:3]}, 400, "invalidQuery"),
        ({"queryParameters": parameters(legacy=None)}, 400, "invalidQuery"),
        (
            {"queryParameters": [*parameters()[:3], parameter("until", "TIMESTAMP", "soon")]},
            400,
            "invalidQuery",
        ),
        (
            {"queryParameters": [*parameters()[:3], parameter("until", "INT64", "5")]},
            400,
            "invalidQuery",
        ),
        ({"maximumBytesBilled": "1000000"}, 400, "bytesBilledLimitExceeded"),
        ({"maximumBytesBilled": "-1"}, 400, "invalid"),
        ({"location": "EU"}, 404, "notFound"),
    ],
)
async def test_a_wrong_request_is_refused_as_bigquery_does(more, status, reason):
    async with rest_cloud() as cloud:
        answer = await cloud.rest.post(QUERIES, json=body(**more))
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (status, status)
        assert error["errors"][0]["reason"] == reason


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "DELETE FROM t",
        "SELECT COUNT(*) FROM `naeda-genesis.ab_test.results`",
        SQL.replace("(95)", "(50)"),
        SQL.replace("ORDER BY side", ""),
        f"{SQL}; SELECT 1",
        f"{SQL} LIMIT 1",
    ],
)
async def test_any_other_query_is_refused_in_one_sentence(sql):
    async with rest_cloud() as cloud:
        for more in ({}, {"dryRun": True}):
            status, answer = await ask(cloud, sql, **more)
            assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
            (told,) = answer["error"]["errors"]
            assert (told["reason"], told["message"]) == ("invalidQuery", OTHER_SQL)


async def test_a_dry_run_tells_the_columns_and_what_would_be_read_and_begins_no_job():
    async with rest_cloud() as cloud:
        status, answer = await ask(cloud, dryRun=True)
        assert (status, answer["jobComplete"], "rows" in answer) == (200, True, False)
        assert [one["name"] for one in answer["schema"]["fields"]] == list(COLUMNS)
        # 30 days and 3 hours of two groups, 33 bytes a row.
        assert int(answer["totalBytesProcessed"]) == pytest.approx(301_250 * 33, rel=1e-3)
        assert "jobId" not in answer["jobReference"]


async def test_another_table_is_not_found():
    async with rest_cloud() as cloud:
        status, answer = await ask(cloud, build_query("naeda-genesis.ab_test.other"))
        assert status == 404
        assert "naeda-genesis:ab_test.other" in answer["error"]["message"]


async def test_table_groups_and_place_can_be_called_otherwise():
    called = AbTestConfig(table="x.y", location="EU", legacy_group="old", canary_group="new")
    sql, given = build_query("naeda-genesis.x.y"), parameters(legacy="z", canary="new")
    async with rest_cloud(ab_test=called, query_s=0.0) as cloud:
        status, answer = await ask(cloud, sql, queryParameters=given, location="EU")
        assert (status, [row["side"] for row in table_of(answer)]) == (200, ["new"])


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        ({"code": "PERMISSION_DENIED"}, 403, "accessDenied"),
        ({"code": "RESOURCE_EXHAUSTED"}, 429, "rateLimitExceeded"),
        ({"code": "UNAVAILABLE"}, 503, "backendError"),
        ({"shape": "bytes-exceeded"}, 400, "bytesBilledLimitExceeded"),
    ],
)
async def test_errors_come_when_they_are_asked_for(fault, status, reason):
    async with rest_cloud() as cloud:
        method = {"method": "/google.cloud.bigquery.v2.*", "times": 1}
        await cloud.rest.post("/_cloud/faults", json=method | fault)
        answer = await cloud.rest.post(QUERIES, json=body())
        assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (
            status,
            reason,
        )
        assert (await cloud.rest.post(QUERIES, json=body())).status_code == 200


async def test_a_job_that_never_completes_can_be_cancelled():
    async with rest_cloud() as cloud:
        fault = {"method": "/google.cloud.bigquery.v2.*", "shape": "never-completes"}
        await cloud.rest.post("/_cloud/faults", json=fault)
        given = (await cloud.rest.post(QUERIES, json=body())).json()
        cloud.advance(86_400)
        path = f"{QUERIES}/{given['jobReference']['jobId']}"
        assert not (await cloud.rest.get(path, params={"timeoutMs": "0"})).json()["jobComplete"]
        cancel = path.replace("/queries/", "/jobs/") + "/cancel"
        assert (await cloud.rest.post(cancel)).json()["job"]["status"]["state"] == "DONE"
        assert (await cloud.rest.get(path)).json()["error"]["errors"][0]["reason"] == "stopped"


async def test_a_job_may_fail_after_it_was_accepted():
    async with rest_cloud() as cloud:
        fault = {"method": "/google.cloud.bigquery.v2.*", "fails": True, "times": 1}
        await cloud.rest.post("/_cloud/faults", json=fault)
        _, answer = await ask(cloud)
        assert (answer["jobComplete"], "schema" in answer) == (True, False)
        assert answer["errors"]


async def test_a_job_may_take_longer_than_usual():
    async with rest_cloud() as cloud:
        fault = {"method": "/google.cloud.bigquery.v2.*", "late_s": 60, "times": 1}
        await cloud.rest.post("/_cloud/faults", json=fault)
        given = (await cloud.rest.post(QUERIES, json=body())).json()
        path = f"{QUERIES}/{given['jobReference']['jobId']}"
        cloud.advance(62)
        assert not (await cloud.rest.get(path, params={"timeoutMs": "0"})).json()["jobComplete"]
        cloud.advance(2)
        assert (await cloud.rest.get(path)).json()["jobComplete"]


async def odd_rows(cloud, shape):
    fault = {"method": "/google.cloud.bigquery.v2.*", "shape": shape, "times": 1}
    await cloud.rest.post("/_cloud/faults", json=fault)
    status, answer = await ask(cloud)
    assert status == 200
    return answer


async def test_odd_answers_come_when_they_are_asked_for():
    async with rest_cloud() as cloud:
        assert "rows" not in await odd_rows(cloud, "no-rows")
        for row in table_of(await odd_rows(cloud, "nulls")):
            assert row["requests"] > 0
            assert row["response_mean_ms"] is row["response_p95_ms"] is None
        names = [
            one["name"] for one in (await odd_rows(cloud, "missing-column"))["schema"]["fields"]
        ]
        assert names == list(COLUMNS)[:-1]
        assert table_of(await odd_rows(cloud, "text"))[0]["confidence_mean"] == "fast"
        not_a_number = table_of(await odd_rows(cloud, "nan"))[0]["confidence_mean"]
        assert not_a_number != not_a_number
        endless = await odd_rows(cloud, "endless-pages")
        assert ("rows" in endless, endless["pageToken"]) == (False, "1")
        assert table_of(await odd_rows(cloud, "")) == await rows(cloud)


async def test_the_experiment_began_thirty_days_before_the_history():
    async with rest_cloud(query_s=0.0) as cloud:
        first = START - 30 * DAY_S - 3 * 3600
        before = parameters(since=first - DAY_S, until=first - 60)
        assert await rows(cloud, queryParameters=before) == []
        hour = parameters(since=first - DAY_S, until=first + 3600)
        found = await rows(cloud, queryParameters=hour)
        assert [row["requests"] for row in found] == [pytest.approx(208.5, abs=1)] * 2
