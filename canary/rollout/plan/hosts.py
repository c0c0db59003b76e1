"""Whose host an address names: Google's own, or somebody else's.

Google's APIs answer below googleapis.com alone, private endpoints among them (TLS proves each):

- public: `run.googleapis.com`, and with a client certificate `run.mtls.googleapis.com`;
- regional: `run.REGION.rep.googleapis.com` (also private), and `REGION-run.googleapis.com`;
- Private Service Connect for a bundle of APIs: `run-ENDPOINT.p.googleapis.com`;
- Private Google Access: `private.googleapis.com`, `restricted.googleapis.com`.

Sources: https://cloud.google.com/run/docs/reference/rest (service endpoints),
https://cloud.google.com/vpc/docs/about-accessing-google-apis-endpoints (p.googleapis.com),
https://cloud.google.com/vpc/docs/about-accessing-regional-google-apis-endpoints (rep),
https://cloud.google.com/vpc/docs/configure-private-google-access (private and restricted).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

import msgspec

from canary.rollout.plan.plan import Endpoints

_GOOGLE: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+googleapis\.com")


def normalize_host(host: str) -> str:
    """A host's name as names are compared: small letters, no dot at the end."""
    return host.strip().lower().removesuffix(".")


def is_google_host(host: str) -> bool:
    """Whether a host is one of Google's for its APIs; by its letters, which TLS then proves."""
    return _GOOGLE.fullmatch(normalize_host(host)) is not None


def foreign_hosts(endpoints: Endpoints) -> tuple[str, ...]:
    """The hosts beside Google's that credentials would go to, each once, in the plan's order.

    Plain http (loopback only) gets none, and is not among them.
    """
    found: list[str] = []
    for url in msgspec.structs.astuple(endpoints):
        parts = urlsplit(url or "")
        host = normalize_host(parts.hostname or "")
        if parts.scheme == "https" and host and not is_google_host(host) and host not in found:
            found.append(host)
    return tuple(found)
