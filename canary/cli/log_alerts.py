"""Alert policies that were written, as `canary log` shows them beside the changes."""

from __future__ import annotations

from typing import Any

from canary.cli.output import say
from canary.record.alert_writings import AlertWriting
from canary.rollout.words import iso_time, plain, timestamp


def say_alert_writing(writing: AlertWriting) -> None:
    """Who wrote which policies, when, and how it ended."""
    state = "no end" if writing.state == "open" else writing.state
    done, wanted = len(writing.done), len(writing.wanted)
    by = plain(writing.author, 80)
    say(f"{timestamp(writing.asked_at)}  {state:<9}  alerts: {done} of {wanted} written  by {by}")
    for line in writing.done:
        say(f"    {plain(line, 400)}")
    if writing.message:
        say(f"    {plain(writing.message, 500)} {plain(writing.remedy, 500)}".rstrip())
    if writing.state != "done":
        say("    `canary alerts diff` says what is there")


def alert_document(writing: AlertWriting) -> dict[str, Any]:
    """The same with the names of a change's fields, as far as it has them."""
    outcome = {
        "state": writing.state,
        "message": writing.message,
        "at": iso_time(writing.ended_at),
        "percent": None,
        "remedy": writing.remedy,
    }
    return {
        "id": writing.id,
        "kind": "alerts",
        "rollout": writing.rollout,
        "by": str(writing.author),
        "who": {
            "user": writing.author.user,
            "host": writing.author.host,
            "cloud_identity": None,
            "automatic": False,
        },
        "what": f"alerts: {len(writing.done)} of {len(writing.wanted)} written",
        "intended_at": iso_time(writing.intended_at),
        "asked_at": iso_time(writing.asked_at),
        "wanted": list(writing.wanted),
        "done": list(writing.done),
        "outcome": None if writing.state == "open" else outcome,
    }
