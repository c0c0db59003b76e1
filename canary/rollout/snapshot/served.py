"""What is set is not what serves: the difference in words, and what it forbids. Pure."""

from __future__ import annotations

import msgspec

from canary.rollout.change.change import Portion
from canary.rollout.change.history_entries import find_rolled_back, history_entry_of
from canary.rollout.snapshot.snapshot import Snapshot, TrafficView, format_history_entry
from canary.rollout.text import format_percent, sanitize


class Hindrance(msgspec.Struct, frozen=True):
    """Why a promotion would not serve what it sets, and what to do."""

    said: str
    remedy: str


def format_others(others: tuple[Portion, ...]) -> str:
    """ "ion-api-00002-x has 5 % of the traffic and is neither Legacy nor Canary."; "" for none."""
    if not others:
        return ""
    named = ", ".join(f"{sanitize(o.name, 80)} {format_percent(o.percent)}" for o in others)
    verb = "has traffic and is" if len(others) == 1 else "have traffic and are"
    return f"{named}: {verb} neither Legacy nor Canary."


def format_unserved(traffic: TrafficView) -> tuple[str, ...]:
    """What is to be said of set and served, a sentence each; none when what is set serves."""
    said = []
    if traffic.split_trouble:
        said.append(sanitize(traffic.split_trouble, 300))
    elif traffic.is_unserved:
        served, shown = traffic.served_percent, traffic.canary_percent
        said.append(f"Set is {format_percent(shown)}, served is {format_percent(served)}.")
    if traffic.others:
        said.append(format_others(traffic.others))
    if traffic.pinned:
        names = sanitize(", ".join(traffic.pinned), 160)
        said.append(f"Traffic is pinned to {names}: a share that is set alone serves nobody.")
    return tuple(said)


def find_rolled_back_revision(snapshot: Snapshot) -> str:
    """That Canary's present revision was rolled back, by whom and why; "" when it was not."""
    traffic = snapshot.traffic
    revision = traffic.guard.revision if traffic.guard is not None else ""
    record = traffic.record
    newest = (history_entry_of(record),) if record is not None and record.move else ()
    entry = find_rolled_back(revision, (*newest, *traffic.history))
    if entry is None:
        return ""
    return f"{sanitize(revision, 80)} was rolled back: {format_history_entry(entry)}."


def find_pin(traffic: TrafficView) -> Hindrance | None:
    """What is to be done about traffic that is bound to a revision by name and serves what is set:
    nothing is wrong with what is served, and a promotion would serve nobody. None where that is
    not so, or more is wrong.
    """
    wrong = traffic.split_trouble or traffic.is_unserved or traffic.others or traffic.reconciling
    return None if wrong or not traffic.pinned else find_hindrance(traffic)


def is_unadoptable(traffic: TrafficView) -> bool:
    """Whether what is set is nothing to take over: it does not serve, or a third one has traffic.

    Traffic that is pinned and serves what is set may well be adopted.
    """
    wrong = find_hindrance(traffic) is not None and find_pin(traffic) is None
    return wrong and not traffic.reconciling


def find_hindrance(traffic: TrafficView) -> Hindrance | None:
    """What forbids a promotion: traffic does not follow what is set, or a third one has some.

    None while a change is being put into effect: that is another gate's.
    """
    said = format_unserved(traffic)
    if not said:
        return None
    service = sanitize(traffic.guard.service, 60) if traffic.guard is not None else "SERVICE"
    return Hindrance(" ".join(said), _remedy(traffic, service))


def _remedy(traffic: TrafficView, service: str) -> str:
    if traffic.others:
        return "Roll back all leaves the traffic on Legacy alone; or set the traffic by hand."
    if traffic.pinned:
        return (
            f"If the newest revision may serve: `gcloud run services update-traffic {service}"
            " --to-latest`. A rollback serves even so."
        )
    return "See the service's traffic and revisions in Cloud Run, or roll back."
