"""A rollout as OpenMetrics text: for node_exporter's textfiles, and for a port to scrape. Pure.

Names and units by OpenMetrics' rules (prometheus.io/docs/specs/om/open_metrics_spec): base units,
`_total` for counters, an info and state sets for words. What is not known has no sample: an absent
series is no data, and a zero would be a lie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from canary.rollout.decision.tree import SEVERITY
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import ChangeView, Snapshot
from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.state_words import WORDS
from canary.rollout.text import sanitize

CONTENT_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXTFILE_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX: Final = "canary_rollout"

Labels = dict[str, str]
Values = Iterable[tuple[Labels, float | None]]


def write_openmetrics(
    snapshot: Snapshot,
    plan: Plan,
    now: float,
    changes: Iterable[ChangeView],
    waiting_since: float | None,
    *,
    textfile: bool = False,
) -> str:
    """All families of one rollout.

    `now` is the cloud's time, `changes` those of the journal that are counted by kind and outcome,
    `waiting_since` when it began to wait for a person (None: it does not, or that is not known).
    `textfile`: in the older text format, the only one that node_exporter's textfiles are read in;
    it knows neither units nor an end, nor the types of an info and a state set.
    """
    state = find_state(snapshot, plan)
    of = {"rollout": sanitize(snapshot.rollout, 140)}
    is_waiting = state.actor.kind == "you"
    waited_s = None if waiting_since is None or not is_waiting else max(0.0, now - waiting_since)
    served, share = snapshot.traffic.served_percent, snapshot.traffic.canary_percent
    info = {
        **of,
        "project": snapshot.project,
        "region": snapshot.region,
        "provider": snapshot.provider,
    }
    verdict, word = f"{_PREFIX}_verdict", f"{_PREFIX}_state"
    sides = (("legacy", snapshot.legacy), ("canary", snapshot.canary))
    counts = Counter((c.kind, c.outcome.state) for c in changes if c.outcome is not None)
    families: list[tuple[str, str, str, str, Values]] = [
        ("", "info", "", "Which rollout this is.", [(info, 1)]),
        ("_stage", "gauge", "", "The stage it is at; 0: all on Legacy.",
         [(of, snapshot.stage.index)]),
        ("_set_ratio", "gauge", "ratio", "Canary's share as it is set.",
         [(of, None if share is None else share / 100)]),
        ("_served_ratio", "gauge", "ratio", "Canary's share as it is served.",
         [(of, None if served is None else served / 100)]),
        ("_verdict", "stateset", "", "What the decision tree says.",
         [({**of, verdict: name}, name == snapshot.decision.verdict) for name in SEVERITY]),
        ("_state", "stateset", "", "The one state it is in: the worst there is owns it.",
         [({**of, word: name}, name == state.id) for name in WORDS]),
        ("_data_age_seconds", "gauge", "seconds", "Age of a side's newest data.",
         [({**of, "side": name}, _grown(side.data_age_s, now - snapshot.as_of))
          for name, side in sides]),
        ("_changes", "counter", "", "Changes in this host's journal, by how they ended.",
         [({**of, "kind": kind, "outcome": end}, n) for (kind, end), n in sorted(counts.items())]),
        ("_waiting_for_person", "gauge", "", "1 while a person has to act.", [(of, is_waiting)]),
        ("_waiting_for_person_seconds", "gauge", "seconds", "For how long a person has had to act.",
         [(of, waited_s)]),
    ]  # fmt: skip
    lines = [line for family in families for line in _family(*family, textfile=textfile)]
    return "\n".join([*lines, *([] if textfile else ["# EOF"]), ""])


def _grown(age_s: float | None, since_s: float) -> float | None:
    """An age in a snapshot, told somewhat later."""
    return None if age_s is None else age_s + max(0.0, since_s)


_SUFFIX: Final = {"info": "_info", "counter": "_total"}


def _family(
    name: str, kind: str, unit: str, about: str, values: Values, *, textfile: bool
) -> Iterator[str]:
    known = [(labels, value) for labels, value in values if value is not None]
    if not known:
        return
    full, suffix = f"{_PREFIX}{name}", _SUFFIX.get(kind, "")
    # The older format names a family as its samples, and knows fewer types.
    family = f"{full}{suffix}" if textfile else full
    if textfile and kind in ("info", "stateset"):
        kind = "gauge"
    yield f"# HELP {family} {about}"
    yield f"# TYPE {family} {kind}"
    if unit and not textfile:
        yield f"# UNIT {family} {unit}"
    for labels, value in known:
        yield f"{full}{suffix}{{{_write_labels(labels)}}} {_number(value)}"


def _write_labels(labels: Labels) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())


LONGEST_LABEL: Final = 200


def _escape(value: str) -> str:
    return (
        sanitize(value, LONGEST_LABEL)
        .replace("\\", "\\\\")
        .replace('"', '\\"')
        .replace("\n", "\\n")
    )


def _number(value: float) -> str:
    return f"{float(value):.10g}"
