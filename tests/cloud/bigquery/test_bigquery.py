"""BigQuery's REST: what is sent, waiting, pages, refusals; against a server that speaks it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from canary.cloud.bigquery.ab_query import build_parameters, build_query, find_group
from canary.cloud.bigquery.client import BigQuery, Parameter
from canary.rollout.errors import (
    CanaryError,
    Denied,
    Malformed,
    NotFound,
    OperationFailed,
    PlanError,
    QuotaExhausted,
    Rejected,
    Unavailable,
)
from canary.rollout.trials.ab_test import Mean

SCHEMA = {"fields": [{"name": "side", "type": "STRING"}, {"name": "requests", "type": "INTEGER"}]}
JOB = {"projectId": "p", "jobId": "job 1", "location": "EU"}


def complete(*rows: tuple[str | None, ...], **more: Any) -> dict[str, Any]:
    cells = [{"f": [{"v": value} for value in row]} for row in rows]
    return {
        "jobComplete": True,
        "jobReference": JOB,
        "schema": SCHEMA,
        **({"rows": cells} if rows else {}),
        **more,
    }


def refusal(status: int, reason: str, message: str = "No.", code: str = "") -> web.Response:
    error = {"code": status, "message": message, "errors": [{"reason": reason}], "status": code}
    return web.json_response({"error": error}, status=status)


class Warehouse:
    """Gives the answers it was told, in order, the last one for ever; keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any] | web.Response] = []
        self.asked: list[tuple[str, str, dict[str, str], Any, dict[str, str]]] = []
        self.stuck = asyncio.Event()
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        path, query = request.path, dict(request.query)
        self.asked.append((request.method, path, query, body, dict(request.headers)))
        if path.endswith("/cancel"):
            return web.json_response({})
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, web.Response):
            return web.Response(
                status=answer.status, body=answer.body, content_type=answer.content_type
            )
        return web.json_response(answer)


@pytest.fixture
async def warehouse() -> AsyncIterator[Warehouse]:
    served = Warehouse()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", served.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield served
    await runner.cleanup()


async def no_pause(_: float) -> None:
    await asyncio.sleep(0)


PARAMETERS = (Parameter("legacy", "STRING", "l"),)


def connect(warehouse: Warehouse, timeout_s: float = 30.0) -> BigQuery:
    return BigQuery(
        warehouse.url,
        "p",
        location="EU",
        max_bytes_billed=20_000_000,
        timeout_s=timeout_s,
        pause=no_pause,
    )


async def ask(warehouse: Warehouse, timeout_s: float = 30.0) -> list[dict[str, Any]]:
    bigquery = connect(warehouse, timeout_s)
    try:
        return await bigquery.query("SELECT 1", PARAMETERS, "reading t")
    finally:
        await bigquery.close()


async def estimate(warehouse: Warehouse) -> int:
    bigquery = connect(warehouse)
    try:
        return await bigquery.estimate("SELECT 1", PARAMETERS, "looking at t")
    finally:
        await bigquery.close()


async def test_a_dry_run_tells_what_would_be_read_and_begins_no_job(warehouse: Warehouse) -> None:
    warehouse.answers = [complete(totalBytesProcessed="4097")]
    assert await estimate(warehouse) == 4097
    (asked,) = warehouse.asked
    assert asked[3]["dryRun"] is True
    assert asked[3]["queryParameters"][0]["name"] == "legacy"


async def test_a_dry_run_without_a_size_is_malformed(warehouse: Warehouse) -> None:
    warehouse.answers = [complete()]
    with pytest.raises(Malformed, match="how much it would read"):
        await estimate(warehouse)


async def test_standard_sql_named_parameters_a_cap_and_the_location_are_sent(
    warehouse: Warehouse,
) -> None:
    warehouse.answers = [complete(("legacy", "3"))]
    await ask(warehouse)
    method, path, _, body, _ = warehouse.asked[0]
    assert (method, path) == ("POST", "/bigquery/v2/projects/p/queries")
    assert body["useLegacySql"] is False
    assert body["parameterMode"] == "NAMED"
    assert body["queryParameters"] == [
        {
            "name": "legacy",
            "parameterType": {"type": "STRING"},
            "parameterValue": {"value": "l"},
        }
    ]
    assert (body["maximumBytesBilled"], body["location"]) == ("20000000", "EU")


async def test_to_loopback_no_credentials_go_along(warehouse: Warehouse) -> None:
    warehouse.answers = [complete()]
    await ask(warehouse)
    assert "Authorization" not in warehouse.asked[0][4]


async def test_rows_are_values_under_their_columns_names(warehouse: Warehouse) -> None:
    warehouse.answers = [complete(("legacy", "3"), (None, None))]
    assert await ask(warehouse) == [
        {"side": "legacy", "requests": 3},
        {"side": None, "requests": None},
    ]


async def test_no_rows_are_an_empty_list(warehouse: Warehouse) -> None:
    warehouse.answers = [complete()]
    assert await ask(warehouse) == []


async def test_a_job_that_is_not_complete_is_waited_for(warehouse: Warehouse) -> None:
    waiting = {"jobComplete": False, "jobReference": JOB}
    warehouse.answers = [waiting, waiting, complete(("legacy", "3"))]
    assert len(await ask(warehouse)) == 1
    assert [(m, p) for m, p, *_ in warehouse.asked[1:]] == [
        ("GET", "/bigquery/v2/projects/p/queries/job 1")
    ] * 2
    assert warehouse.asked[1][2]["location"] == "EU"


async def test_all_pages_are_followed(warehouse: Warehouse) -> None:
    first = complete(("legacy", "3"), pageToken="next/+")
    warehouse.answers = [first, complete(("canary", "4"))]
    assert [row["side"] for row in await ask(warehouse)] == ["legacy", "canary"]
    assert warehouse.asked[1][2]["pageToken"] == "next/+"


async def test_a_page_that_is_due_and_empty_is_malformed(warehouse: Warehouse) -> None:
    warehouse.answers = [complete(("legacy", "3"), pageToken="more"), complete(pageToken="more")]
    with pytest.raises(Malformed, match="empty page"):
        await ask(warehouse)


async def test_a_job_that_takes_too_long_is_cancelled(warehouse: Warehouse) -> None:
    warehouse.answers = [{"jobComplete": False, "jobReference": JOB}]
    with pytest.raises(Unavailable, match=r"did not finish within 0\.2 s"):
        await ask(warehouse, timeout_s=0.2)
    method, path, query, *_ = warehouse.asked[-1]
    assert (method, path) == ("POST", "/bigquery/v2/projects/p/jobs/job 1/cancel")
    assert query == {"location": "EU"}


async def test_a_failing_server_is_asked_again_with_the_same_request_id(
    warehouse: Warehouse,
) -> None:
    warehouse.answers = [refusal(503, "backendError"), complete(("legacy", "3"))]
    assert len(await ask(warehouse)) == 1
    first, second = (asked[3]["requestId"] for asked in warehouse.asked)
    assert first == second


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (refusal(400, "invalidQuery", "Unrecognized name: succes"), Rejected, "Check the columns"),
        (refusal(400, "bytesBilledLimitExceeded"), Rejected, "max_bytes_billed"),
        (refusal(401, "authError"), Denied, "BigQuery refused access"),
        (refusal(403, "accessDenied", "no bigquery.jobs.create"), Denied, "roles/bigquery.jobUser"),
        (refusal(403, "quotaExceeded"), QuotaExhausted, "asked too often"),
        (refusal(404, "notFound", "Not found: Dataset p:ab_test"), NotFound, "ab_test.location"),
        (refusal(429, "rateLimitExceeded"), QuotaExhausted, "asked too often"),
        (refusal(500, "internalError"), Unavailable, "BigQuery failed"),
        (web.Response(status=404, text="<html>nobody here</html>"), NotFound, "nobody here"),
        (web.Response(text='{"jobComplete": tr'), Malformed, "cannot be read"),
        (web.Response(text="[]"), Malformed, "not an object"),
        ({"jobComplete": False}, Malformed, "did not name the job"),
        ({"jobComplete": True}, Malformed, "no columns"),
        ({"jobComplete": True, "errors": [{"message": "Out of slots"}]}, OperationFailed, "slots"),
        ({**complete(), "rows": 3}, Malformed, "no list"),
        ({**complete(("legacy",))}, Malformed, "as many cells"),
        ({**complete(("legacy", "many"))}, Malformed, "is no INTEGER"),
        ({**complete(), "schema": {"fields": [{"name": "a", "type": "RECORD"}]}}, Malformed, "sin"),
    ],
)
async def test_a_refusal_is_one_sentence_of_the_right_kind(
    warehouse: Warehouse, answer: Any, error: type[CanaryError], said: str
) -> None:
    warehouse.answers = [answer]
    with pytest.raises(error) as caught:
        await ask(warehouse)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_control_characters_in_a_message_do_not_get_through(warehouse: Warehouse) -> None:
    warehouse.answers = [refusal(400, "invalidQuery", "bad\x1b[2J\r\nname")]
    with pytest.raises(Rejected) as caught:
        await ask(warehouse)
    assert "\x1b" not in str(caught.value)


async def test_nobody_there_is_unavailable() -> None:
    gone = Warehouse()
    gone.url = "http://127.0.0.1:9"
    with pytest.raises(Unavailable, match="cannot be reached"):
        await ask(gone)


async def test_plain_http_to_another_host_is_refused() -> None:
    with pytest.raises(PlanError, match=r"target\.endpoints\.bigquery"):
        BigQuery("http://example.com", "p", location="US", max_bytes_billed=1, timeout_s=1)


def test_the_query_names_the_table_and_takes_the_rest_as_parameters() -> None:
    sql = build_query("naeda-genesis.ab_test.results")
    assert "FROM `naeda-genesis.ab_test.results`" in sql
    names = {p.name for p in build_parameters("legacy", "canary", 0.0, 60.0)}
    assert all(f"@{name}" in sql for name in names)
    assert "@@" not in sql


def test_times_are_sent_as_timestamps_in_utc() -> None:
    since, until = build_parameters("legacy", "canary", 0.0, 86_400.0)[2:]
    assert (since.type, since.value) == ("TIMESTAMP", "1970-01-01T00:00:00Z")
    assert until.value == "1970-01-02T00:00:00Z"


ROW = {
    "side": "legacy",
    "requests": 10,
    "response_count": 9,
    "response_mean_ms": 450.0,
    "response_stddev_ms": 30.0,
    "response_p95_ms": 1200,
    "confidence_count": 0,
    "confidence_mean": None,
    "confidence_stddev": None,
    "success_count": 10,
    "succeeded": 8,
}


def test_a_row_is_a_groups_figures() -> None:
    group = find_group([ROW], "legacy")
    assert group is not None
    assert (group.requests, group.p95_ms) == (10, 1200.0)
    assert group.response_ms == Mean(450.0, 30.0, 9)
    assert group.confidence is None
    assert group.success == Mean(0.8, pytest.approx(0.4), 10)


def test_a_group_without_a_row_is_none() -> None:
    assert find_group([ROW], "canary") is None


def test_not_a_number_is_no_data() -> None:
    group = find_group([{**ROW, "response_mean_ms": float("nan")}], "legacy")
    assert group is not None
    assert group.response_ms is None


def test_a_column_that_is_missing_or_text_is_malformed() -> None:
    without = {name: value for name, value in ROW.items() if name != "succeeded"}
    with pytest.raises(Malformed, match='no column "succeeded"'):
        find_group([without], "legacy")
    with pytest.raises(Malformed, match='"fast" in the column'):
        find_group([{**ROW, "response_mean_ms": "fast"}], "legacy")
