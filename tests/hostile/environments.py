"""Environments as people really have them: what is set, and what the sentence must name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import msgspec

PLAN: Final = Path(__file__).parents[2] / "canary.toml"
NOWHERE: Final = "/dev/null/nowhere"
"""A path that cannot be made, for root neither."""


class Case(msgspec.Struct, frozen=True):
    """One environment. `variables` None: taken away. `names`: what `status` must say of it.

    `stands_for_its_kind`: every command is tried in it, not `status` alone.
    """

    name: str
    variables: dict[str, str | None]
    names: str = ""
    stands_for_its_kind: bool = False


FILES: Final[dict[str, str | bytes]] = {
    "list.json": "[]",
    "text.json": '"text"',
    "empty.json": "{}",
    "nothing.json": "",
    "binary.json": b"\xff\xfe\x00\x9c+\xbd\n",
    "user.json": '{"type": "authorized_user"}',
    "account.json": '{"type": "service_account", "client_email": "a", "private_key": "x"}',
    "no-source.json": '{"type": "impersonated_service_account"}',
    "odd-source.json": json.dumps(
        {
            "type": "impersonated_service_account",
            "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/x",
            "source_credentials": [],
        }
    ),
}


def cases(here: Path) -> list[Case]:
    """All of them; the files that they name are written into `here`."""
    for name, content in FILES.items():
        (here / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (here / "directory").mkdir(exist_ok=True)
    google = "GOOGLE_APPLICATION_CREDENTIALS"
    files = [*FILES, "directory", "missing.json", "list.json/below"]
    return [
        *(
            Case(f"credentials {name}", {google: str(here / name)}, google, name == "list.json")
            for name in files
        ),
        Case(
            "no credentials",
            {google: None, "NO_GCE_CHECK": "true"},
            "No usable credentials",
            stands_for_its_kind=True,
        ),
        Case(
            "no certificates", {"SSL_CERT_FILE": NOWHERE}, "SSL_CERT_FILE", stands_for_its_kind=True
        ),
        Case("text as certificates", {"SSL_CERT_FILE": str(PLAN)}, "SSL_CERT_FILE"),
        Case("no bundle", {"REQUESTS_CA_BUNDLE": NOWHERE}, "REQUESTS_CA_BUNDLE"),
        Case(
            "SOCKS",
            {"HTTPS_PROXY": "socks5://127.0.0.1:1080"},
            "HTTPS_PROXY",
            stands_for_its_kind=True,
        ),
        Case("a proxy without a port", {"https_proxy": "http://proxy:port"}, "https_proxy"),
        Case("an odd proxy", {"ALL_PROXY": "gopher://proxy:70"}, "ALL_PROXY"),
        Case("an odd NO_PROXY", {"NO_PROXY": "fd00::/8"}),
        Case("odd mTLS", {"GOOGLE_API_USE_MTLS_ENDPOINT": "maybe"}, "GOOGLE_API_USE_MTLS_ENDPOINT"),
        Case("another universe", {"GOOGLE_CLOUD_UNIVERSE_DOMAIN": "x y"}),
        Case("no HOME", {"HOME": None}),
        Case(
            "a HOME that is none",
            {"HOME": NOWHERE, "CANARY_STATE_DIR": None},
            NOWHERE,
            stands_for_its_kind=True,
        ),
        Case(
            "a state directory that is none",
            {"CANARY_STATE_DIR": NOWHERE},
            NOWHERE,
            stands_for_its_kind=True,
        ),
        Case(
            "nobody's state",
            {"CANARY_STATE_DIR": "~nobody-here/x"},
            "CANARY_STATE_DIR",
            stands_for_its_kind=True,
        ),
        Case("state in /proc", {"CANARY_STATE_DIR": "/proc/canary"}, "/proc/canary"),
        Case(
            "ASCII",
            {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            stands_for_its_kind=True,
        ),
        Case(
            "Latin-1", {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}, stands_for_its_kind=True
        ),
        Case("no TMPDIR", {"TMPDIR": NOWHERE}),
        Case("an odd TZ", {"TZ": "Nonsense/Zone"}),
        Case("an odd size", {"COLUMNS": "wide", "LINES": "-3"}),
    ]
