"""Who gets the person's credentials: Google's hosts, and those that the person has trusted.

An address comes from a plan, and a plan may be somebody else's. Credentials come from the person's
own machine; but a credentials file says where they are exchanged, so that is looked at as well.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from canary.cloud.connection.endpoints import Address
from canary.host.trust import read_trust
from canary.rollout.errors import Denied, PlanError
from canary.rollout.plan.hosts import is_google_host, normalize_host
from canary.rollout.text import sanitize

SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)

_TOKEN_HOSTS: Final = ("accounts.google.com", "oauth2.google.com")
"""Beside googleapis.com, older credentials files are exchanged here."""

_TOKEN_FIELDS: Final = (
    "_token_uri",
    "_token_url",
    "_token_info_url",
    "_revoke_url",
    "_service_account_impersonation_url",
    "_impersonation_url",
)
"""Where google-auth keeps the addresses of a credentials file (service account, user, external)."""


def demand_trusted(address: Address, key: str) -> None:
    """Raise PlanError unless credentials may go to `address`, which `key` of the plan names.

    Plain loopback gets none, and passes. Raises RecordError when what is trusted cannot be read.
    """
    if address.plain or is_google_host(address.host):
        return
    host = normalize_host(address.host)
    if host in read_trust().hosts:
        return
    raise PlanError(
        f"{key}: {sanitize(host, 260)} is none of Google's hosts, and you have not trusted it: your"
        " credentials are not sent there.",
        remedy=f"If it is to have them: `canary trust host {sanitize(host, 260)}`.",
    )


def load_credentials() -> Any:
    """Application Default Credentials; it may ask the metadata server, and blocks while it does.

    Raises google.auth's GoogleAuthError without any, and Denied when their file sends them to a
    host that is neither Google's nor trusted.
    """
    import google.auth

    credentials, _ = google.auth.default(scopes=SCOPES)
    for at in (credentials, getattr(credentials, "_source_credentials", None)):
        for field in _TOKEN_FIELDS:
            _demand_token_host(getattr(at, field, None))
    return credentials


def _demand_token_host(url: object) -> None:
    if not isinstance(url, str) or not url:
        return
    host = normalize_host(urlsplit(url).hostname or "")
    https = urlsplit(url).scheme == "https"
    if https and (is_google_host(host) or host in _TOKEN_HOSTS or host in read_trust().hosts):
        return
    raise Denied(
        f"The credentials are to be exchanged at {sanitize(url, 200)}, which is none of Google's"
        " hosts: they are not used.",
        remedy=f"Look at the credentials file; if it is right: `canary trust host {host}`.",
        source="Google's login",
    )
