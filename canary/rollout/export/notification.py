"""Notifications of a change, its outcome, a verdict that turned for the worse. Pure.

A notice becomes Slack's JSON, which Mattermost, Google Chat's bridges and others take as well.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from canary.rollout.change.change import (
    Annotate,
    Change,
    Outcome,
    OutcomeState,
    SetScale,
    split_of,
)
from canary.rollout.change.text import KIND_WORDS, format_scale, format_step
from canary.rollout.decision.gates import VERDICT_WORDS
from canary.rollout.decision.tree import SEVERITY, Verdict
from canary.rollout.evidence.verdict import Word
from canary.rollout.evidence.view import proven_text
from canary.rollout.export.evidence_document import NAMES, metric_line
from canary.rollout.measure.burn import format_burn
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.impact import find_impact, format_impact
from canary.rollout.snapshot.next_steps import find_next_steps, format_for_shell
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.state_words import COMMANDS, NEXT, format_actor, format_head
from canary.rollout.text import (
    format_age,
    format_count,
    format_iso_time,
    format_milliseconds,
    format_percent,
    format_ratio,
    format_score,
    sanitize,
)

Tone = Literal["info", "good", "warning", "critical"]

COLOURS: Final[dict[Tone, str]] = {
    "info": "#5f7d95",
    "good": "#2e7d32",
    "warning": "#f9a825",
    "critical": "#c62828",
}

_OUTCOME_TONES: Final[dict[OutcomeState, Tone]] = {
    "done": "good",
    "failed": "critical",
    "refused": "warning",
    "unknown": "critical",
    "not_begun": "warning",
    "abandoned": "warning",
}
_VERDICT_TONES: Final[dict[Verdict, Tone]] = {
    "continue": "good",
    "no_data": "warning",
    "watch": "warning",
    "rollback_stage": "critical",
    "rollback_all": "critical",
}


class Notification(msgspec.Struct, frozen=True):
    """One thing to tell. `key` says what it is the same as: that is told once in a while only.

    `key` "": it is always news. `facts` are (name, value) pairs below the text. Texts are plain.
    """

    key: str
    text: str
    tone: Tone
    facts: tuple[tuple[str, str], ...] = ()


def change_notice(change: Change, place: str) -> Notification:
    """A change is begun. `place` says which rollout, where (`place_of`)."""
    forced = " (forced)" if change.forced else ""
    facts = [("by", sanitize(change.author, 80))]
    if change.reason:
        facts.append(("why", sanitize(change.reason, 300)))
    if change.forced:
        facts.append(
            ("gates not met", sanitize(", ".join(change.evidence.gates_unmet), 200) or "–")
        )
    facts += _evidence(change)
    text = f"{place}: {describe(change)}{forced}"
    return Notification("", text, "info", tuple(facts))


def outcome_notice(change: Change, outcome: Outcome, place: str) -> Notification:
    """A change has ended. What was done or may have been is always told; the same failure is not
    told each time that somebody tries again.
    """
    state = outcome.state.replace("_", " ")
    said = sanitize(f"{outcome.message} {outcome.remedy}", 900)
    key = ""
    if outcome.state not in ("done", "unknown"):
        key = f"outcome {outcome.state} {change.kind} {change.to_stage} {sanitize(outcome.message)}"
    text = f"{place}: {state}: {describe(change)}"
    facts = (("by", sanitize(change.author, 80)), ("outcome", said))
    return Notification(key, text, _OUTCOME_TONES[outcome.state], facts)


def verdict_notice(
    before: Verdict, snapshot: Snapshot, plan: Plan, place: str
) -> Notification | None:
    """The verdict has become worse than `before`; None when it has not. Says the one state."""
    now = snapshot.decision.verdict
    if SEVERITY[now] <= SEVERITY[before]:
        return None
    window, stage = snapshot.canary.window, snapshot.stage
    where = f"stage {stage.index}" if stage.index else sanitize(stage.name, 40)
    share = format_percent(snapshot.traffic.canary_percent)
    state = find_state(snapshot, plan)
    steps = enumerate(find_next_steps(snapshot, plan), 1)
    text = (
        f"{place}: {format_head(state)} (was {VERDICT_WORDS[before]}), {where}, {share} Canary:"
        f" {state.cause}. {NEXT} {state.next}. {format_actor(state.actor, COMMANDS)}"
    )
    facts = (
        ("decision tree", sanitize(snapshot.decision.reason)),
        ("requests", format_count(window.requests)),
        ("error ratio", format_ratio(window.error_ratio)),
        ("p95", format_milliseconds(window.p95_ms)),
        ("success ratio", format_ratio(window.success_ratio)),
        ("confidence", format_score(window.confidence)),
        ("data", f"{format_age(snapshot.canary.data_age_s)} old"),
        *((("next", f"{n}. {format_for_shell(s)}") for n, s in steps)),
        *_impact(snapshot, plan),
    )
    return Notification(f"verdict {now}", text, _VERDICT_TONES[now], facts)


def evidence_notice(
    snapshot: Snapshot, place: str, plan: Plan | None = None
) -> Notification | None:
    """Canary is proven worse, or worse now; None while it is neither, or the plan ignores it."""
    advice, view = snapshot.advice, snapshot.evidence
    if advice is None or view is None:
        return None
    word: Word = "rollback" if advice.tier == "proven" else "worse_now"
    lines = tuple(
        (NAMES[m.metric], sanitize(metric_line(m), 300)) for m in view.metrics if m.verdict == word
    )
    lines += _impact(snapshot, plan)
    names = " ".join(advice.metrics)
    if advice.tier == "proven":
        until = "closes the gate until the split changes or somebody dismisses it"
        text = f"{place}: {proven_text(view)}. This {until}."
        return Notification(f"proven {names}", text, "critical", lines)
    text = f"{place}: {advice.text} (the quick test, which bursts of errors can fool)."
    return Notification(f"worse now {names}", text, "warning", lines)


def _impact(snapshot: Snapshot, plan: Plan | None) -> tuple[tuple[str, str], ...]:
    """What Canary has cost so far; none without a plan, and while Canary takes no traffic."""
    impact = None if plan is None else find_impact(snapshot, plan)
    return () if impact is None else (("impact", format_impact(impact)),)


def burn_notice(snapshot: Snapshot, place: str) -> Notification | None:
    """Notify others when a pair of windows burns; None while none does."""
    burn = snapshot.burn
    worst = burn.worst if burn is not None else None
    if burn is None or worst is None:
        return None
    tone: Tone = "critical" if worst.urgency == "page" else "warning"
    return Notification(f"burn {worst.factor}", f"{place}: {format_burn(burn, worst)}", tone)


def monitoring_notice(line: str, place: str, *, ended_by_time: bool) -> Notification:
    """The monitoring loop has ended: nobody writes snapshots of the soak any more."""
    tone: Tone = "info" if ended_by_time else "warning"
    return Notification("", f"{place}: {sanitize(line, 500)}", tone)


def handover_notice(text: str, place: str) -> Notification:
    """A shift is handed over; `text` is its Markdown."""
    return Notification("", f"{place}: handover", "info", (("handover", text[:MOST_HANDOVER]),))


MOST_HANDOVER: Final = 6_000
NUMBERS: Final = ("Cloud Monitoring", "Prometheus")
"""The sources of requests and latency, as they are called."""


def judged_verdict(snapshot: Snapshot) -> Verdict | None:
    """The verdict that others should hear of; None while there is nothing to judge.

    Before Cloud Monitoring's first answer, with nobody on Canary, and in the minutes after a change
    (which Cloud Monitoring shows later), silence is no news.
    """
    waiting = any(s.name in NUMBERS and s.state == "never" for s in snapshot.sources)
    if waiting or snapshot.decision.data == "masked" or not snapshot.traffic.canary_percent:
        return None
    return snapshot.decision.verdict


def place_of(rollout: str, project: str, provider: str) -> str:
    """Which rollout, and where: "ion-api → ion-api-canary (naeda-genesis)"."""
    where = sanitize(project, 60) if provider != "local" else "LOCAL CLOUD"
    return f"{sanitize(rollout, 120)} ({where})"


def describe(change: Change) -> str:
    """What a change does, in a few words: "promote, Canary 10 % → 25 %, stage 2 → 3"."""
    parts = [KIND_WORDS[change.kind].rstrip(":")]
    split = split_of(change)
    if split is not None:
        parts.append(f"Canary {format_step(split, brief=True)}")
    if change.to_stage is not None:
        parts.append(f"stage {change.from_stage} → {change.to_stage}")
    parts += [format_step(s, brief=True) for s in change.steps if isinstance(s, Annotate)]
    parts += [
        f"{sanitize(s.service, 60)} {format_scale(s.after)} instances"
        for s in change.steps
        if isinstance(s, SetScale)
    ]
    return ", ".join(parts)


def slack_document(notification: Notification) -> dict[str, Any]:
    """The notice as the body of a Slack-compatible incoming webhook."""
    text = _escape(notification.text)
    fields = [
        {"title": _escape(name), "value": _escape(value), "short": len(value) <= 40}
        for name, value in notification.facts
    ]
    attachment = {"color": COLOURS[notification.tone], "fallback": text, "fields": fields}
    return {"text": text, "attachments": [attachment] if fields else []}


def pagerduty_document(notification: Notification, key: str, at: float) -> dict[str, Any]:
    """The notice as a PagerDuty change event, which is shown beside incidents and pages nobody.

    `key` is the integration's routing key, `at` when it was, unix seconds. Source: PagerDuty's
    Events API v2, "Send a change event" (a summary has at most 1 024 characters).
    """
    return {
        "routing_key": key,
        "payload": {
            "summary": sanitize(notification.text, 1000),
            "timestamp": format_iso_time(at),
            "source": "canary",
            "custom_details": dict(notification.facts),
        },
        "links": [
            {"href": value, "text": name}
            for name, value in notification.facts
            if value.startswith("https://")
        ],
    }


def grafana_document(notification: Notification, at: float) -> dict[str, Any]:
    """The notice as an annotation of the whole Grafana, found by its tags.

    Source: Grafana's HTTP API, "Annotations" (times in ms).
    """
    lines = [notification.text, *(f"{name}: {value}" for name, value in notification.facts)]
    return {
        "time": round(at * 1000),
        "tags": ["canary", notification.tone],
        "text": "\n".join(_escape(line) for line in lines),
    }


def _evidence(change: Change) -> list[tuple[str, str]]:
    seen = change.evidence
    if not seen.verdict or seen.requests is None:
        return []
    numbers = f"error {format_ratio(seen.error_ratio)}, p95 {format_milliseconds(seen.p95)}"
    shown = (
        f"{sanitize(seen.verdict, 20).replace('_', ' ')}: {numbers}, {format_count(seen.requests)}"
    )
    return [("on", f"{shown} requests")]


def _escape(text: str) -> str:
    """Slack's three: without them "<!channel>" in a reason would call everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
