"""What the table [notify] must obey. Part of `plan_rules`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from canary.rollout.plan_mistakes import Found, Mistake, check_name, check_range

if TYPE_CHECKING:
    from canary.rollout.plan import Plan

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOOPBACK: Final = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")


def find_notify_mistakes(plan: Plan) -> Found:
    """Every rule that the table breaks. The address is never repeated: it is a secret."""
    notify = plan.notify
    if notify.webhook is not None:
        wrong = webhook_mistake(notify.webhook)
        if wrong:
            yield Mistake("notify.webhook", wrong, "https://HOST/…, or http:// for this machine")
        if notify.webhook_variable is not None:
            yield Mistake("notify.webhook", "is set beside webhook_variable", "one of the two")
    if notify.webhook_variable is not None:
        expected = "the name of an environment variable"
        name = notify.webhook_variable
        if "://" in name:
            yield Mistake("notify.webhook_variable", "is an address", expected)
        else:
            yield from check_name("notify.webhook_variable", name, _VARIABLE, expected)
    yield from check_range("notify.repeat_minutes", notify.repeat_minutes, 0, 10_080)
    yield from check_range("notify.timeout_s", notify.timeout_s, 0.1, 60)


def webhook_mistake(url: str) -> str:
    """What is wrong with a webhook's address, without repeating it; "" when nothing is."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is no address"
    if not host or parts.scheme not in ("http", "https") or port == 0 or not url.isprintable():
        return "is no address"
    if parts.username or parts.password:
        return "carries a user name or password"
    if parts.scheme == "http" and not _LOOPBACK.fullmatch(host):
        return "is plain http to another machine"
    return ""
