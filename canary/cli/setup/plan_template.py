"""The commented plan that `canary init` writes; with nothing chosen, the default canary.toml."""

from __future__ import annotations

import json
import re
from typing import Final

import msgspec

from canary.cli.setup.plan_text import TEMPLATE


class Choices(msgspec.Struct, frozen=True):
    """What `canary init` asks for; everything else is edited in the file afterwards."""

    provider: str = "local"
    project: str = "naeda-genesis"
    region: str = "us-central1"
    legacy: str = "ion-api"
    canary: str = "ion-api-canary"
    router: str = "env"
    variable: str = "CANARY_TRAFFIC_PERCENTAGE"
    candidate: str = "canary"
    url_map: str = "ion-api-map"
    legacy_backend: str = "ion-api-backend"
    canary_backend: str = "ion-api-canary-backend"
    set: tuple[str, ...] = ()
    read: tuple[str, ...] = ()


def render_plan(choices: Choices) -> str:
    """The plan file's text. What was chosen is quoted as TOML; the caller parses it to check it.

    The lines of the chosen router are live; those of the others stand commented out, as examples.
    """
    text = TEMPLATE
    for name in ROUTER_LINES.get(choices.router, ()):
        if getattr(choices, name):
            text = re.sub(rf"(?m)^# ({name} = )[^#\n]*?( *#.*)?$", rf"\g<1>@{name}@\g<2>", text)
    for name, value in msgspec.structs.asdict(choices).items():
        text = text.replace(f"@{name}@", _quote(value))
    return text


def _quote(value: str | tuple[str, ...]) -> str:
    """A JSON string or list is one of TOML's, except that JSON need not escape DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


ROUTER_LINES: Final[dict[str, tuple[str, ...]]] = {
    "url-map": ("url_map", "legacy_backend", "canary_backend"),
    "command": ("set", "read"),
}
"""The keys of [target.router] that a kind needs and the others leave commented out."""
