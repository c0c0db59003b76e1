"""Answers that are Google's own, given before the service was reached: internal ingress, IAM, IAP.

They say where the caller stands, and nothing of the service: it may be perfectly well for those who
may reach it. Sources: Cloud Run's troubleshooting pages for 403 and 404; IAP's for its header.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

FRONT_BODY: Final = 4096
"""So much of an answer is enough to know it."""

IAP_HEADER: Final = "x-goog-iap-generated-response"
LOGIN_HOSTS: Final = ("accounts.google.com", "accounts.youtube.com")
_NOT_FOUND: Final = (b"error: page not found", b"error 404 (not found)")
_NO_URL: Final = b"was not found on this server"


def find_barrier(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Why the service was not reached from here; "" when the answer may well be its own.

    `headers` by lower-case name; `body` may be cut. A 401, 403 or 407 is for want of an identity
    whoever says it: the service's health is not in it.
    """
    if IAP_HEADER in headers:
        return "Identity-Aware Proxy asks for a login"
    if 300 <= status < 400:
        host = urlsplit(headers.get("location", "")).hostname or ""
        return "it asks for a Google login" if host in LOGIN_HOSTS else ""
    if status in (401, 403, 407):
        return "it does not let callers without an identity in"
    if status == 404 and _is_googles_page(headers, body):
        return "Google's front does not know it here; with internal ingress that is so from outside"
    return ""


def _is_googles_page(headers: Mapping[str, str], body: bytes) -> bool:
    """Google's own page of a 404; a service's own goes through the same front unchanged."""
    text = body.lower()
    is_page = headers.get("content-type", "").startswith("text/html")
    return is_page and _NO_URL in text and any(title in text for title in _NOT_FOUND)
