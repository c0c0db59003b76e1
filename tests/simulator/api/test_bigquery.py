"""BigQuery's REST over the table of the A/B test, with httpx."""

# ruff: noqa: S608 - the queries are the tests' own

import pytest

from canary.simulator.config import AbTestConfig
from tests.simulator.local_cloud import START
from tests.simulator.rest_cloud import rest_cloud

QUERIES = "/bigquery/v2/projects/naeda-genesis/queries"
TABLE = "`naeda-genesis.ab_test.results`"
SINCE = "WHERE timestamp >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL @days DAY)"
FIGURES = f"""
SELECT
  `group` AS side,  -- legacy or canary
  COUNT(*) AS requests,
  AVG(response_time_ms) AS mean_ms,
  STDDEV(response_time_ms) AS stddev_ms,
  APPROX_QUANTILES(response_time_ms, 100)[OFFSET(95)] AS p95_ms,
  AVG(confidence_score) AS confidence,
  AVG(IF(success, 1, 0)) AS success_ratio
FROM {TABLE}
{SINCE}
GROUP BY side
ORDER BY side DESC"""


def parameter(name, kind, value):
    return {"name": name, "parameterType": {"type": kind}, "parameterValue": {"value": value}}


def body(sql=FIGURES, **more):
    return {
        "query": sql,
        "useLegacySql": False,
        "parameterMode": "NAMED",
        "queryParameters": [parameter("days", "INT64", "30")],
        "maximumBytesBilled": "1000000000",
        "location": "US",
        "timeoutMs": 0,
    } | more


async def ask(cloud, sql=FIGURES, **more):
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


async def rows(cloud, sql=FIGURES, **more):
    status, answer = await ask(cloud, sql, **more)
    assert status == 200, answer
    return table_of(answer)


async def test_thirty_days_have_the_figures_of_the_mission():
    async with rest_cloud(percent=50) as cloud:
        legacy, canary = await rows(cloud)
        assert (legacy["side"], canary["side"]) == ("legacy", "canary")
        assert legacy["requests"] == pytest.approx(150_000, rel=0.01)
        assert legacy["mean_ms"] == pytest.approx(450, rel=0.02)
        assert legacy["p95_ms"] == pytest.approx(1200, rel=0.02)
        assert legacy["confidence"] == pytest.approx(0.72, abs=0.01)
        assert legacy["success_ratio"] == pytest.approx(0.988, abs=0.001)
        assert canary["mean_ms"] == pytest.approx(220, rel=0.02)
        assert canary["p95_ms"] == pytest.approx(600, rel=0.02)
        assert canary["confidence"] == pytest.approx(0.85, abs=0.01)
        assert canary["success_ratio"] == pytest.approx(0.997, abs=0.001)
        assert canary["stddev_ms"] > 0


async def test_what_the_model_does_is_in_the_table():
    sql = (
        f"SELECT `group`, COUNT(*) n, AVG(response_time_ms) ms FROM {TABLE}"
        " WHERE timestamp >= @since GROUP BY 1 ORDER BY 1"
    )
    async with rest_cloud(percent=50, soaked_hours=4.0) as cloud:
        cloud.world.scenario.switch("latency", {})
        cloud.advance(2 * 3600)
        given = [parameter("since", "TIMESTAMP", "2025-10-09T08:54:00Z")]
        canary, legacy = await rows(cloud, sql, queryParameters=given)
        assert canary["ms"] > 5_000 > legacy["ms"]
        assert canary["n"] == pytest.approx(2 * 208, abs=3)


async def test_a_side_without_traffic_has_no_rows_of_that_time():
    sql = f"SELECT `group` FROM {TABLE} WHERE timestamp >= @since GROUP BY `group`"
    async with rest_cloud(percent=0) as cloud:
        given = [parameter("since", "TIMESTAMP", "2025-10-09 08:30:00 UTC")]
        assert await rows(cloud, sql, queryParameters=given) == [{"group": "legacy"}]


async def test_the_same_query_has_the_same_answer_after_a_restart(tmp_path):
    settings = {"state_path": str(tmp_path / "cloud.db")}
    days = [parameter("days", "INT64", "2")]
    async with rest_cloud(**settings) as cloud:
        first = await rows(cloud, queryParameters=days, timeoutMs=0)
        start = cloud.now
    async with rest_cloud(**settings) as cloud:
        assert cloud.now == start
        again = await rows(cloud, queryParameters=days)
        assert [row["side"] for row in again] == [row["side"] for row in first]
        assert again[0]["mean_ms"] == pytest.approx(first[0]["mean_ms"], rel=1e-3)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("COUNTIF(success) / COUNT(*)", "ratio"),
        ("SAFE_DIVIDE(COUNTIF(success), COUNT(*))", "ratio"),
        ("AVG(CAST(success AS INT64))", "ratio"),
        ("AVG(CASE WHEN success THEN 1 ELSE 0 END)", "ratio"),
        ("COUNTIF(CAST(success AS BOOL)) / COUNT(success)", "ratio"),
        ("SAFE_DIVIDE(1, 0)", None),
        ("ROUND(1.25 * 4 - (2 + 1), 1)", 2.0),
        ("COUNT(confidence_score) - COUNTIF(success)", 0.0),
        ("MIN(response_time_ms) / MAX(response_time_ms) * 0", 0.0),
    ],
)
async def test_expressions_are_evaluated_as_they_are_written(expression, expected):
    sql = f"SELECT {expression} AS v, AVG(IF(success, 1.0, 0.0)) AS ratio FROM {TABLE} {SINCE}"
    async with rest_cloud() as cloud:
        (row,) = await rows(cloud, sql, queryParameters=[parameter("days", "INT64", "1")])
        assert row["v"] == (row["ratio"] if expected == "ratio" else expected)


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
        assert table_of(second)[0]["side"] == "canary"


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
        ({"queryParameters": [parameter("days", "INT64", "x")]}, 400, "invalidQuery"),
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
        f"SELECT AVG(latency) FROM {TABLE}",
        f"SELECT response_time_ms FROM {TABLE}",
        f"SELECT `group`, response_time_ms FROM {TABLE} GROUP BY `group`",
        f"SELECT success, COUNT(*) FROM {TABLE} GROUP BY success",
        f"SELECT COUNT(DISTINCT `group`) FROM {TABLE}",
        f"SELECT MEDIAN(response_time_ms) FROM {TABLE}",
        f"SELECT AVG(`group`) FROM {TABLE}",
        f"SELECT AVG(SUM(response_time_ms)) FROM {TABLE}",
        f"SELECT 1/0 FROM {TABLE}",
        f"SELECT COUNT(*) FROM {TABLE} WHERE response_time_ms > 5",
        f"SELECT COUNT(*) FROM {TABLE} WHERE timestamp >= @days",
        f"SELECT COUNT(*) FROM {TABLE} WHERE timestamp >= @days OR TRUE",
        f"SELECT COUNT(*) FROM {TABLE} LIMIT 1",
        f"SELECT APPROX_QUANTILES(response_time_ms, 100)[OFFSET(101)] FROM {TABLE}",
        f"SELECT COUNT(*) FROM {TABLE} JOIN other",
        f"SELECT COUNT(*) FROM {TABLE} ; SELECT 1",
        f"SELECT 'open FROM {TABLE}",
    ],
)
async def test_a_query_that_is_not_understood_is_refused_with_its_place(sql):
    async with rest_cloud() as cloud:
        status, answer = await ask(cloud, sql)
        assert (status, answer["error"]["errors"][0]["reason"]) == (400, "invalidQuery")
        assert "at [" in answer["error"]["message"]


async def test_another_table_is_not_found():
    async with rest_cloud() as cloud:
        status, answer = await ask(cloud, "SELECT COUNT(*) FROM `naeda-genesis.ab_test.other`")
        assert status == 404
        assert "naeda-genesis:ab_test.other" in answer["error"]["message"]


async def test_table_groups_and_place_can_be_called_otherwise():
    called = AbTestConfig(table="x.y", location="EU", legacy_group="old", canary_group="new")
    sql = "SELECT `group` FROM `naeda-genesis.x.y` WHERE `group` IN ('new', 'z') GROUP BY 1"
    async with rest_cloud(ab_test=called, query_s=0.0) as cloud:
        assert await rows(cloud, sql, location="EU") == [{"group": "new"}]


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
        fault = {"method": "/google.cloud.bigquery.v2.*", "shape": "job-fails"}
        await cloud.rest.post("/_cloud/faults", json=fault)
        _, answer = await ask(cloud)
        assert (answer["jobComplete"], "schema" in answer) == (True, False)
        assert answer["errors"]


async def test_the_experiment_began_thirty_days_before_the_history():
    sql = f"SELECT MIN(timestamp) AS first FROM {TABLE}"
    async with rest_cloud(query_s=0.0) as cloud:
        given = (await cloud.rest.post(QUERIES, json=body(sql))).json()
        first = float(given["rows"][0]["f"][0]["v"])
        assert START - 31 * 86_400 < first < START - 30 * 86_400
