"""What to do now: three lines at most under a verdict, with the key, the plan's own or these. Pure.

A person who is woken up reads what to press before what it means. The plan's lines for the verdict
take the place of the console's; whom to tell comes behind them where there is room for a line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from canary.rollout.plan.plan import Plan
from canary.rollout.plan.runbook import MOST_STEPS
from canary.rollout.snapshot.notices import drift_commands
from canary.rollout.snapshot.served import find_hindrance
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.state_words import COMMANDS, StateId
from canary.rollout.text import sanitize


class NextStep(msgspec.Struct, frozen=True):
    """One line. `action` is what it takes, by the name of its key; "" for nothing."""

    text: str
    action: str = ""


_GO_BACK = (
    NextStep("look what fails in Canary", "failures"),
    NextStep("look what Canary runs otherwise", "differences"),
)
_DEFAULTS: Final[dict[StateId, tuple[NextStep, ...]]] = {
    "roll_back_all": (NextStep("roll back all", "rollback_all"), *_GO_BACK),
    "roll_back_stage": (NextStep("roll back one stage", "step_back"), *_GO_BACK),
    "proven_worse": (
        NextStep("see what is proven", "evidence"),
        NextStep("roll back all", "rollback_all"),
        NextStep("look what Canary runs otherwise", "differences"),
    ),
    "rollback_not_possible": (
        NextStep("see which check fails, and its remedy", "readiness"),
        NextStep("let nobody promote meanwhile", "hold"),
    ),
    "unknown_outcome": (
        NextStep("check what became of it", "look_up"),
        NextStep("resume or abandon it only then", "recovery"),
    ),
    "failed": (
        NextStep("read what failed, then dismiss it", "acknowledge"),
        NextStep("verify what is served", "verify"),
    ),
    "cannot_see": (
        NextStep("see what is wrong: `canary doctor`"),
        NextStep("a rollback may be asked for even so; it waits", "rollback_all"),
    ),
    "drift": (
        NextStep("ask who changed it", "events"),
        NextStep("take it into the record", "adopt"),
        NextStep("or set it back", "revert"),
    ),
    "silent": (
        NextStep("see which source is silent: `canary doctor`"),
        NextStep("verify by requests of your own", "verify"),
        NextStep("if in doubt, roll back all", "rollback_all"),
    ),
    "stale": (
        NextStep("look again", "refresh"),
        NextStep("verify by requests of your own", "verify"),
        NextStep("if in doubt, roll back all", "rollback_all"),
    ),
    "watch": (
        NextStep("see whether it is chance", "evidence"),
        *_GO_BACK[:1],
        NextStep("let nobody promote meanwhile", "hold"),
    ),
    "held": (
        NextStep("ask who holds it"),
        NextStep("or release it in your own name", "hold"),
    ),
    "off": (NextStep("promote to begin", "promote"),),
    "ready": (
        NextStep("see what is left on the checklist", "checklist"),
        NextStep("look what Canary runs otherwise", "differences"),
        NextStep("promote", "promote"),
    ),
}
_LOUD: Final = frozenset(_DEFAULTS) - {"held", "off", "ready"}
"""States in which somebody may have to be told."""

SHELL: Final[Mapping[str, str]] = {
    **COMMANDS,
    "differences": "canary diff",
    "failures": "canary failures",
    "evidence": "canary evidence",
    "hold": "canary hold --reason TEXT",
    "checklist": "canary checklist",
    "events": "canary log",
    "recovery": "canary recover",
    "refresh": "canary status",
}
"""What is typed in a shell for an action of these lines."""
_PLACE: Final = re.compile(r"\{([a-z_]+)\}")


def find_next_steps(snapshot: Snapshot, plan: Plan) -> tuple[NextStep, ...]:
    """At most three: the plan's for the verdict, else the console's for the state; then whom to
    tell. Empty where there is nothing to do.
    """
    state = find_state(snapshot, plan).id
    own = _own_steps(snapshot, plan)
    steps = own or _that_work(_DEFAULTS.get(state, ()), snapshot)
    contact = _contact(plan) if state in _LOUD or own else None
    if contact is None:
        return steps[:MOST_STEPS]
    kept = steps[:MOST_STEPS] if len(own) >= MOST_STEPS else steps[: MOST_STEPS - 1]
    return (*kept, contact)[:MOST_STEPS]


def format_next_step(step: NextStep, hints: Mapping[str, str]) -> str:
    """One line: "R  roll back all". `hints` say what to press or to type for an action; one that
    has none stays without.
    """
    text = _PLACE.sub(lambda found: hints.get(found[1], found[0]), sanitize(step.text, 240))
    hint = hints.get(step.action, "")
    return f"{hint}  {text}" if hint else text


def format_for_shell(step: NextStep) -> str:
    """The same with the command behind it: "roll back all: `canary rollback --all`"."""
    text = _PLACE.sub(lambda found: SHELL.get(found[1], found[0]), sanitize(step.text, 240))
    command = SHELL.get(step.action, "")
    return f"{text}: `{command}`" if command else text


def _own_steps(snapshot: Snapshot, plan: Plan) -> tuple[NextStep, ...]:
    steps = plan.runbook.steps
    verdict = snapshot.decision.verdict
    lines = steps.go_on if verdict == "continue" else getattr(steps, verdict)
    if snapshot.traffic.is_all_on_legacy:
        return ()
    return tuple(NextStep(line) for line in lines)


def _that_work(steps: tuple[NextStep, ...], snapshot: Snapshot) -> tuple[NextStep, ...]:
    """Without what cannot be done now: to adopt what does not serve, to promote what would not."""
    commands = drift_commands(snapshot)
    refused = {"promote"} if find_hindrance(snapshot.traffic) is not None else set()
    refused |= {"adopt", "revert"} - set(commands) if snapshot.traffic.drift is not None else set()
    return tuple(step for step in steps if step.action not in refused)


def _contact(plan: Plan) -> NextStep | None:
    book = plan.runbook
    parts = [part for part in (book.owner, book.contact, book.link or "") if part]
    return NextStep(f"tell {', '.join(parts)}") if parts else None
