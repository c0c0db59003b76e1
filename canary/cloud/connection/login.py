"""What a failure of the person's login means: expired, not usable, or Google's login is away. Pure.

google-auth fails before anything is sent. Over gRPC that arrives as UNAVAILABLE, as if the service
were away ("Getting metadata from plugin failed", google-cloud-python#10424); over REST as an
exception of its own. Both are told apart here by what the token endpoint said.
"""

from __future__ import annotations

from typing import Final

from canary.rollout.errors import CanaryError, Denied, Unavailable
from canary.rollout.text import sanitize

PLUGIN_FAILED: Final = "Getting metadata from plugin failed"
LOG_IN: Final = "`gcloud auth application-default login`"

_REFUSED: Final = (
    "invalid_grant",
    "invalid_rapt",
    "rapt_required",
    "reauth",
    "invalid_client",
    "deleted_client",
    "unauthorized_client",
    "access_denied",
    "account_disabled",
    "revoked",
)
"""RFC 6749 5.2 and Google's own; "reauth": a session length that the organisation has set."""

_AWAY: Final = (
    "max retries exceeded",
    "connectionpool",
    "connection",
    "timed out",
    "timeout",
    "name resolution",
    "name or service not known",
    "getaddrinfo",
    "unreachable",
    "unable to connect",
    "remote end closed",
    "transporterror",
    "proxyerror",
    "sslerror",
    "internal_failure",
    "temporarily_unavailable",
    "server_error",
    "service unavailable",
    "backend error",
)
"""What requests, urllib3 and a token endpoint that fails (5xx) say."""


def login_failure(text: str, source: str, doing: str, *, away: bool = False) -> CanaryError:
    """Return what a failure of the credentials means, by its text; nothing was sent to `source`.

    Denied with `login_expired` when they were refused, Unavailable when the token endpoint cannot
    be asked (`away`: known to be so), else Denied: there are none that can be used.
    """
    detail = sanitize(text.removeprefix(PLUGIN_FAILED).removeprefix(" with error:"), 300)
    low = detail.lower()
    away = away or "certificate" in low
    refused = any(sign in low for sign in _REFUSED)
    unclear = not any(sign in low for sign in _AWAY) and "expired" in low
    if not away and (refused or unclear):
        said = f"Your login has expired: {LOG_IN} ({source}, {doing}): {detail}"
        return expired(said, source)
    if away or any(sign in low for sign in _AWAY):
        return Unavailable(
            f"Google's login is away: {source} was not asked ({doing}): {detail}",
            remedy="It is tried again; if it stays so, check the network and the proxy.",
            source=source,
        )
    return Denied(
        f"No usable credentials for {source} ({doing}): {detail}",
        remedy=f"Run {LOG_IN}, or use a service account.",
        source=source,
    )


def expired(message: str, source: str) -> Denied:
    """A login that has worked and does not any more; a new one is taken over without a restart."""
    return Denied(
        message,
        remedy=f"Log in again, {LOG_IN}; the new login is taken over by itself. A service account"
        " needs a new key, or this host a right clock.",
        source=source,
        login_expired=True,
    )


def is_login_failure(code: str, detail: str) -> bool:
    """Whether a gRPC status says that the login does not work, so that it is to be loaded anew."""
    return code == "UNAUTHENTICATED" or detail.startswith(PLUGIN_FAILED)
