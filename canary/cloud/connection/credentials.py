"""Who gets the person's credentials: Google's hosts, and those that the person has trusted.

An address comes from a plan, and a plan may be somebody else's. Credentials come from the person's
own machine; but a credentials file says where they are exchanged, so that is looked at as well.
"""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any, Final
from urllib.parse import urlsplit

from canary.cloud.connection.credentials_file import (
    Unusable,
    exchanged_at,
    find_credentials_file,
    find_foreign_program,
    make_credentials,
    read_credentials_file,
)
from canary.cloud.connection.endpoints import Address
from canary.cloud.connection.login import LOG_IN, login_failure
from canary.host.trust import read_trust
from canary.rollout.errors import CanaryError, Denied, PlanError
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

    Raises Denied without any, when their file cannot be used (whatever its shape or owner), and
    when it sends them to a host that is neither Google's nor trusted; Unavailable when the metadata
    server is away.
    """
    import google.auth
    from google.auth.exceptions import GoogleAuthError, TransportError

    # Each attempt would write a line of its own beside the sentence that is raised here.
    logging.getLogger("google.auth").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        # "… without a quota project": said where it matters, by the refusal that it leads to.
        warnings.simplefilter("ignore")
        try:
            credentials = _load(google.auth)
        except CanaryError:
            raise
        except TransportError as exc:
            raise login_failure(str(exc), "the login", "looking for it", away=True) from exc
        except (GoogleAuthError, Unusable) as exc:
            raise _unusable(str(exc)) from exc
        except Exception as exc:
            # A file of another shape, owner or kind makes of google-auth a KeyError, an OSError, …
            no_file = f"it is not what a credentials file holds ({type(exc).__name__}: {exc})"
            why = exc.strerror if isinstance(exc, OSError) else no_file
            raise _unusable(why or no_file) from exc
    for at in (credentials, getattr(credentials, "_source_credentials", None)):
        for field in _TOKEN_FIELDS:
            _demand_token_host(getattr(at, field, None))
    return credentials


def _load(google_auth: Any) -> Any:
    """What is made of the file, once it has been looked at; without one this host's identity."""
    path = find_credentials_file()
    if path is None:
        return google_auth.default(scopes=SCOPES)[0]
    info = read_credentials_file(path)
    for url in exchanged_at(info):
        _demand_token_host(url)
    if why := find_foreign_program(path, info):
        raise Unusable(why)
    return make_credentials(info, SCOPES)


def _unusable(why: str) -> Denied:
    """The sentence that names the file, which is the variable's or gcloud's own."""
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if named is not None:
        at = f"GOOGLE_APPLICATION_CREDENTIALS ({sanitize(named, 200)})"
        remedy = f"Correct the file, or unset the variable and run {LOG_IN}."
    else:
        at = "Application Default Credentials"
        remedy = f"Run {LOG_IN}, or use a service account."
    return Denied(
        f"No usable credentials: {at}: {sanitize(why, 300)}", remedy=remedy, source="Google's login"
    )


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
