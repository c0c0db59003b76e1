"""ID tokens: who we are, said to a service that lets only known callers in (IAM).

Such a token is for one service; that of a person's login is not bound to one. So it goes only to
an address that Cloud Run itself reports, or that the person has trusted, over https.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final
from urllib.parse import urlsplit

from canary.cloud.connection.credentials import load_credentials
from canary.cloud.connection.errors import translate
from canary.host.trust import read_trust
from canary.rollout.errors import CanaryError, Denied
from canary.rollout.plan.hosts import normalize_host
from canary.rollout.text import sanitize

KEPT_S: Final = 1800.0
"""A token lives for an hour; it is made anew well before."""


class IdTokens:
    """Tokens by audience, kept for a while."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, float]] = {}

    async def token_for(self, url: str, *, reported: str) -> tuple[str, str]:
        """(token, "") for a request to `url`, or ("", why there is none).

        `reported`: the service's address as Cloud Run says it, "" if unknown. Nothing is raised.
        """
        parts = urlsplit(url)
        audience = f"{parts.scheme}://{parts.netloc}"
        try:
            if not _may_go(audience, reported):
                host = sanitize(parts.hostname or url, 200)
                return "", (
                    f"no ID token is sent to {host}: Cloud Run does not report it as the service's"
                    f" address; `canary trust host {host}` if it may have one"
                )
            return await self._token(audience), ""
        except CanaryError as error:
            return "", f"no ID token: {error.message}"

    async def _token(self, audience: str) -> str:
        kept = self._kept.get(audience)
        if kept is not None and time.monotonic() < kept[1]:
            return kept[0]
        token = await asyncio.to_thread(_fetch, audience)
        self._kept[audience] = (token, time.monotonic() + KEPT_S)
        return token


def _may_go(audience: str, reported: str) -> bool:
    parts, known = urlsplit(audience), urlsplit(reported)
    if parts.scheme != "https" or not parts.hostname:
        return False
    if known.scheme == "https" and known.netloc == parts.netloc:
        return True
    return normalize_host(parts.hostname) in read_trust().hosts


def _fetch(audience: str) -> str:
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request

    try:
        return make_id_token(load_credentials(), audience, Request())
    except GoogleAuthError as exc:
        raise translate(exc, "Google's login", "making an ID token") from exc


def make_id_token(credentials: Any, audience: str, request: Any) -> str:
    """The ID token of these credentials for `audience`; blocks. Raises Denied, GoogleAuthError.

    A person's login gives one without an audience, as `gcloud auth print-identity-token` does.
    """
    from google.auth import compute_engine as machines
    from google.auth import impersonated_credentials as impersonated
    from google.oauth2 import credentials as users
    from google.oauth2 import service_account as accounts

    # google-auth has no types for these.
    untyped: tuple[Any, Any, Any] = (accounts, impersonated, machines)
    account, lent, machine = (module.IDTokenCredentials for module in untyped)
    maker: Any = None
    if isinstance(credentials, accounts.Credentials):
        maker = account(
            credentials.signer,
            credentials.service_account_email,
            credentials._token_uri,
            audience,
        )
    elif isinstance(credentials, impersonated.Credentials):
        maker = lent(credentials, target_audience=audience, include_email=True)
    elif isinstance(credentials, machines.Credentials):
        maker = machine(request, audience, use_metadata_identity_endpoint=True)
    if maker is not None:
        maker.refresh(request)
        return str(maker.token)
    if isinstance(credentials, users.Credentials):
        person: Any = credentials
        person.refresh(request)
        if person.id_token:
            return str(person.id_token)
    raise Denied(
        "These credentials make no ID tokens.",
        remedy="Use a service account, or `gcloud auth application-default login` of a person.",
        source="Google's login",
    )
