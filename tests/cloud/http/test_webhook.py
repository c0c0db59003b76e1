"""Posting to a webhook: once, bounded, and without a word of its address."""

import pytest

from canary.cloud.http.webhook import post_webhook
from canary.rollout.errors import CloudError, Denied, QuotaExhausted, Rejected, Unavailable
from tests.cloud.webhook_server import listening


async def test_the_document_arrives_as_json():
    async with listening() as webhook:
        await post_webhook(webhook.url, {"text": "→ 25 %"}, 5.0)
        assert webhook.bodies == [{"text": "→ 25 %"}]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (302, Rejected),
        (400, Rejected),
        (403, Denied),
        (404, Denied),
        (429, QuotaExhausted),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
async def test_a_refusal_is_told_once_and_not_tried_again(status: int, error: type[CloudError]):
    async with listening() as webhook:
        webhook.status, webhook.text = status, "invalid\x1b[31m_token"
        with pytest.raises(error) as caught:
            await post_webhook(webhook.url, {}, 5.0)
        assert type(caught.value) is error
        assert len(webhook.bodies) == 1
        assert f"127.0.0.1 answered {status}: invalid_token." in caught.value.message


@pytest.mark.parametrize(
    "answer",
    [
        "Cannot POST /services/T0/s3cret",
        '{"path": "/services/T0/s3cret?key=k3yk3y", "status": 404}',
        "no hook of the name s3cret",
        "unknown key k3yk3y",
    ],
)
async def test_what_an_answer_repeats_of_the_address_is_left_out(answer: str):
    async with listening() as webhook:
        webhook.status, webhook.text = 404, answer
        with pytest.raises(Denied) as caught:
            await post_webhook(f"{webhook.url}?key=k3yk3y", {}, 5.0)
    said = str(caught.value)
    assert "…" in said
    assert "s3cret" not in said
    assert "k3yk3y" not in said


async def test_an_answer_that_does_not_come_is_not_asked_for_again():
    async with listening() as webhook:
        webhook.status = 0
        with pytest.raises(Unavailable, match="no answer in time"):
            await post_webhook(webhook.url, {}, 0.2)
        assert len(webhook.bodies) == 1


async def test_without_a_connection_it_is_tried_once_more(unused_tcp_port: int):
    pauses = []

    async def sleep(pause_s: float) -> None:
        pauses.append(pause_s)

    with pytest.raises(Unavailable, match="cannot be reached") as caught:
        await post_webhook(f"http://127.0.0.1:{unused_tcp_port}/s3cret", {}, 5.0, sleep=sleep)
    assert len(pauses) == 1
    assert "s3cret" not in repr(caught.value) + str(caught.value.__context__)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/s3cret",
        "ftp://example.com/s3cret",
        "https://me:s3cret@example.com/",
        "s3cret",
        "https://example.com/s3cret\n",
        "https://[/s3cret",
    ],
)
async def test_an_address_that_may_not_be_used_is_refused_without_repeating_it(url: str):
    with pytest.raises(Rejected) as caught:
        await post_webhook(url, {}, 5.0)
    assert "s3cret" not in str(caught.value)
