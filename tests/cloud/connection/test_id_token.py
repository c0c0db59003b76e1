"""ID tokens: made by the credentials over the real protocol, and for whom."""

import asyncio
import base64
import datetime as dt
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt as google_jwt
from google.auth.transport.requests import Request
from google.oauth2 import credentials as users
from google.oauth2 import service_account

from canary.cloud.connection.id_token import IdTokens, make_id_token
from canary.rollout.errors import Denied

AUDIENCE = "https://ion-api-canary-abc.a.run.app"
SOON = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
PARTS = ({"alg": "none"}, {"aud": AUDIENCE, "exp": int(SOON.timestamp())}, {})
TOKEN = ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode() for p in PARTS)


@asynccontextmanager
async def token_server(asked: list[dict[str, str]]) -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append({k: str(v) for k, v in (await request.post()).items()})
        return web.json_response({"id_token": TOKEN, "access_token": "a", "expires_in": 3600})

    app = web.Application()
    app.router.add_post("/token", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/token"
    finally:
        await runner.cleanup()


async def test_a_service_accounts_is_for_the_service_that_is_asked() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    asked: list[dict[str, str]] = []
    async with token_server(asked) as uri:
        info = {"client_email": "a@p.iam.gserviceaccount.com", "private_key": key.decode()}
        account = service_account.Credentials.from_service_account_info({**info, "token_uri": uri})
        token = await asyncio.to_thread(make_id_token, account, AUDIENCE, Request())
    assert token == TOKEN
    assert google_jwt.decode(asked[0]["assertion"], verify=False)["target_audience"] == AUDIENCE


async def test_a_persons_login_gives_its_own() -> None:
    asked: list[dict[str, str]] = []
    async with token_server(asked) as uri:
        person = users.Credentials(
            None, refresh_token="r", token_uri=uri, client_id="c", client_secret="s"
        )
        token = await asyncio.to_thread(make_id_token, person, AUDIENCE, Request())
    assert (token, asked[0]["grant_type"]) == (TOKEN, "refresh_token")


def test_credentials_that_make_none_say_so() -> None:
    with pytest.raises(Denied, match="no ID tokens"):
        make_id_token(object(), AUDIENCE, Request())


@pytest.mark.parametrize(
    ("url", "reported"),
    [
        ("https://evil.run.app/health", AUDIENCE),
        ("https://evil.run.app/health", ""),
        ("http://ion-api-canary-abc.a.run.app/health", AUDIENCE),
    ],
)
async def test_none_goes_to_an_address_that_cloud_run_does_not_report(
    url: str, reported: str, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setenv("CANARY_CONFIG_DIR", str(tmp_path))
    token, why = await IdTokens().token_for(url, reported=reported)
    assert token == ""
    assert "Cloud Run does not report it" in why
