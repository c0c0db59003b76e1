"""The text of a new plan: the shipped one with what was chosen in its lines."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import msgspec

from canary.cli.opening import DEFAULT_NAME
from canary.rollout.plan.confidence_presets import PRESETS, PresetName


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
    confidence: PresetName = "custom"
    source: str = "monitoring"
    url: str = "http://127.0.0.1:9090"
    auth: str = "none"
    secret_env: str = "PROMETHEUS_TOKEN"  # noqa: S105 - the name of a variable
    username: str = "canary"
    preset: str = "otel"
    requests: str = ""
    latency: str = ""


DEFAULTS: Final = Choices()
ROUTERS: Final = ("env", "revisions", "url-map", "command")

ROUTER_LINES: Final[dict[str, tuple[str, ...]]] = {
    "env": ("variable",),
    "revisions": ("candidate",),
    "url-map": ("url_map", "legacy_backend", "canary_backend"),
    "command": ("set", "read"),
}
"""The keys of [target.router] that a kind needs; those of the others are commented out."""

OF_PROMETHEUS: Final = (
    "url", "auth", "secret_env", "username", "preset", "requests", "latency"
)  # fmt: skip
"""What is chosen for a Prometheus, and for nothing else."""
_OF_METRICS: Final = frozenset({"confidence", "source", *OF_PROMETHEUS})
"""What is chosen for [metrics], whose keys others have too."""

_SCORE_LIMITS: Final = re.compile(r"(?m)^(?:min_confidence|confidence) = ")


def shipped_plan() -> str:
    """The commented plan that comes with the program, canary.toml.

    In an installed package it lies beside this file, in a checkout at the top.
    """
    beside = Path(__file__).with_name(DEFAULT_NAME)
    path = beside if beside.exists() else Path(__file__).parents[3] / DEFAULT_NAME
    return path.read_text(encoding="utf-8")


def render_plan(choices: Choices) -> str:
    """The plan file's text. What was chosen is quoted as TOML; the caller parses it to check it.

    The lines of the chosen router and source are live; those of the others are commented out, as
    examples. Without a score the limits on it are, too.
    """
    text = shipped_plan()
    own = ROUTER_LINES[choices.router]
    examples = {name for names in ROUTER_LINES.values() for name in names} - set(own)
    for name, value in msgspec.structs.asdict(choices).items():
        if name in _OF_METRICS or not value:
            continue
        if name in examples:
            text = re.sub(rf"(?m)^{name} = ", f"# {name} = ", text, count=1)
        else:
            text = _set_line(text, "kind" if name == "router" else name, _quote(value))
    text = _set_line(text, "confidence_metric", _quote(PRESETS[choices.confidence].metric))
    if choices.source == "prometheus":
        begin = text.index("[metrics]\n")
        end = text.index("[scale.backup]")
        text = text[:begin] + _with_prometheus(text[begin:end], choices) + text[end:]
    return _SCORE_LIMITS.sub(r"# \g<0>", text) if choices.confidence == "none" else text


def _with_prometheus(section: str, choices: Choices) -> str:
    """The plan's [metrics] with the lines of Prometheus live that are needed."""
    live = {"source": "prometheus", "url": choices.url, "auth": choices.auth}
    if choices.auth in ("bearer", "basic"):
        live["secret_env"] = choices.secret_env
    if choices.auth == "basic":
        live["username"] = choices.username
    live["preset"] = choices.preset
    if choices.confidence != "none":
        live["others"] = "monitoring"
    for name, value in live.items():
        section = _set_line(section, name, _quote(value))
    if choices.preset == "custom":
        section = section.replace("# [metrics.selectors]", "[metrics.selectors]")
        section = _set_line(section, "requests", _quote(choices.requests))
        if choices.latency:
            section = _set_line(section, "latency", _quote(choices.latency))
    return section


def _set_line(text: str, key: str, value: str) -> str:
    """The text with the first line of a key live and set; a comment behind it stays."""
    line = re.compile(rf"(?m)^(?:# )?{key} = [^#\n]*?( *#.*)?$")
    return line.sub(lambda found: f"{key} = {value}{found[1] or ''}", text, count=1)


def _quote(value: str | tuple[str, ...]) -> str:
    """A JSON string or list is one of TOML's, except that JSON need not escape DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
