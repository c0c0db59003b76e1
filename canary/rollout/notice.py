"""Word to others: what is told of a change, its outcome, a verdict that turned for the worse. Pure.

A notice becomes Slack's JSON, which Mattermost, Google Chat's bridges and others take as well.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from canary.rollout import words
from canary.rollout.approval import split_of
from canary.rollout.change import Change, Outcome, OutcomeState, SetScale
from canary.rollout.decision import SEVERITY, Verdict
from canary.rollout.snapshot import Snapshot
from canary.rollout.words import plain

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
_KINDS: Final = {
    "promote": "promote",
    "step_back": "step back",
    "rollback_all": "everybody off Canary",
    "adopt": "adopt the split",
    "revert": "revert the split",
    "scale": "scale",
}


class Notice(msgspec.Struct, frozen=True):
    """One thing to tell. `key` says what it is the same as: that is told once in a while only.

    `key` "": it is always news. `facts` are (name, value) pairs below the text. Texts are plain.
    """

    key: str
    text: str
    tone: Tone
    facts: tuple[tuple[str, str], ...] = ()


def change_notice(change: Change, place: str) -> Notice:
    """A change is begun. `place` says which rollout, where (`place_of`)."""
    forced = " (forced)" if change.forced else ""
    facts = [("by", plain(change.author, 80))]
    if change.reason:
        facts.append(("why", plain(change.reason, 300)))
    if change.forced:
        facts.append(("gates not met", plain(", ".join(change.evidence.gates_unmet), 200) or "–"))
    facts += _evidence(change)
    text = f"{place}: {describe(change)}{forced}"
    return Notice("", text, "info", tuple(facts))


def outcome_notice(change: Change, outcome: Outcome, place: str) -> Notice:
    """A change has ended. What was done or may have been is always told; the same failure is not
    told each time that somebody tries again.
    """
    state = outcome.state.replace("_", " ")
    said = plain(f"{outcome.message} {outcome.remedy}", 900)
    key = ""
    if outcome.state not in ("done", "unknown"):
        key = f"outcome {outcome.state} {change.kind} {change.to_stage} {plain(outcome.message)}"
    text = f"{place}: {state}: {describe(change)}"
    facts = (("by", plain(change.author, 80)), ("outcome", said))
    return Notice(key, text, _OUTCOME_TONES[outcome.state], facts)


def verdict_notice(before: Verdict, snapshot: Snapshot, place: str) -> Notice | None:
    """The verdict has become worse than `before`; None when it has not."""
    now = snapshot.decision.verdict
    if SEVERITY[now] <= SEVERITY[before]:
        return None
    window, stage = snapshot.canary.window, snapshot.stage
    where = f"stage {stage.index}" if stage.index else plain(stage.name, 40)
    share = words.percent(snapshot.traffic.canary_percent)
    text = (
        f"{place}: {words.verdict(now)} (was {words.VERDICT_WORDS[before]}), {where}, {share}"
        f" Canary: {plain(snapshot.decision.reason)}"
    )
    facts = (
        ("requests", words.count(window.requests)),
        ("error ratio", words.ratio(window.error_ratio)),
        ("p95", words.milliseconds(window.p95_ms)),
        ("success ratio", words.ratio(window.success_ratio)),
        ("confidence", words.score(window.confidence)),
        ("data", f"{words.age(snapshot.canary.data_age_s)} old"),
    )
    return Notice(f"verdict {now}", text, _VERDICT_TONES[now], facts)


def judged_verdict(snapshot: Snapshot) -> Verdict | None:
    """The verdict that others should hear of; None while there is nothing to judge.

    Before Cloud Monitoring's first answer, with nobody on Canary, and in the minutes after a change
    (which Cloud Monitoring shows later), silence is no news.
    """
    waiting = any(s.name == "Cloud Monitoring" and s.state == "never" for s in snapshot.sources)
    if waiting or snapshot.decision.data == "masked" or not snapshot.traffic.canary_percent:
        return None
    return snapshot.decision.verdict


def place_of(rollout: str, project: str, provider: str) -> str:
    """Which rollout, and where: "ion-api → ion-api-canary (naeda-genesis)"."""
    where = plain(project, 60) if provider != "local" else "LOCAL CLOUD"
    return f"{plain(rollout, 120)} ({where})"


def describe(change: Change) -> str:
    """What a change does, in a few words: "promote, Canary 10 % → 25 %, stage 2 → 3"."""
    parts = [_KINDS.get(change.kind, plain(change.kind, 40).replace("_", " "))]
    split = split_of(change)
    if split is not None:
        parts.append(f"Canary {words.percent(split.before_percent)} → {split.percent} %")
    if change.to_stage is not None:
        parts.append(f"stage {change.from_stage} → {change.to_stage}")
    parts += [
        f"{plain(s.service, 60)} {s.after.min} to {s.after.max} instances"
        for s in change.steps
        if isinstance(s, SetScale)
    ]
    return ", ".join(parts)


def slack_document(notice: Notice) -> dict[str, Any]:
    """The notice as the body of a Slack-compatible incoming webhook."""
    text = _escape(notice.text)
    fields = [
        {"title": _escape(name), "value": _escape(value), "short": len(value) <= 40}
        for name, value in notice.facts
    ]
    attachment = {"color": COLOURS[notice.tone], "fallback": text, "fields": fields}
    return {"text": text, "attachments": [attachment] if fields else []}


def _evidence(change: Change) -> list[tuple[str, str]]:
    seen = change.evidence
    if not seen.verdict or seen.requests is None:
        return []
    numbers = f"error {words.ratio(seen.error_ratio)}, p95 {words.milliseconds(seen.p95_ms)}"
    shown = f"{plain(seen.verdict, 20).replace('_', ' ')}: {numbers}, {words.count(seen.requests)}"
    return [("on", f"{shown} requests")]


def _escape(text: str) -> str:
    """Slack's three: without them "<!channel>" in a reason would call everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
