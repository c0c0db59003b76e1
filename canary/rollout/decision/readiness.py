"""Whether all traffic could be taken off Canary right now. Pure; asked all the time, at low cost.

    ok          it would work
    degraded    it would work, with a drawback, or something about it is not known
    impossible  it would not: an alarm, before it is needed

What nobody has looked at yet ("unknown" rights) is neither green nor an alarm: it degrades.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from canary.rollout.plan.plan import ScalePreset
from canary.rollout.text import format_clock, format_duration, sanitize

ReadinessState = Literal["ok", "degraded", "impossible"]
CheckId = Literal["cloud", "journal", "target", "rights", "instances", "fresh"]

AWAY_S = 60.0
"""Cloud Run away for longer than this is an alarm; shorter is a hiccup."""

REDEPLOY = "Deploy the router's service again, so that its newest revision is ready."

SEVERITY: dict[ReadinessState, int] = {"ok": 0, "degraded": 1, "impossible": 2}


class Check(msgspec.Struct, frozen=True):
    """One thing that going back rests on, what is said of it, and what to do where it is wrong.

    `known` False: it was not looked at yet, or not answered.
    """

    id: CheckId
    state: ReadinessState
    said: str
    remedy: str = ""
    known: bool = True


class Readiness(msgspec.Struct, frozen=True):
    """The worst of all checks, each check, and how long it took the last times (cloud seconds).

    `expected_s` None: nobody has gone back or forth from here yet.
    """

    state: ReadinessState
    checks: tuple[Check, ...]
    expected_s: float | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not "ok", worst first; empty when it is."""
        return tuple(c.said for c in self.wrong)

    @property
    def wrong(self) -> tuple[Check, ...]:
        """The checks that are not "ok", worst first."""
        found = (c for c in self.checks if c.state != "ok")
        return tuple(sorted(found, key=lambda c: -SEVERITY[c.state]))

    @property
    def is_only_unknown(self) -> bool:
        """Whether nothing is known to be wrong, and something is not known: as for a moment after
        every change, which makes a revision that nobody has asked about yet.
        """
        return bool(self.wrong) and not any(c.known for c in self.wrong)


class RollbackFacts(msgspec.Struct, frozen=True):
    """What is known about rollback readiness. None is "not known", and never taken for good.

    `away_since`: Cloud Run has not answered since then, `login`: for want of a login that is
    accepted. `target` is the service that is to take
    everything; `revision` the one that would serve, `revision_ready` as its list says (None: not
    asked). `remakes`: setting the share makes a new revision of the router's service, whose newest
    one is `template_ready`; where it is not, it is built on `base`, which serves ("": nothing
    does). `missing_rights` None: not asked or not told. `scale` is what the target may run,
    `scaled_to` what it would be scaled to first, `needed` about how many instances the whole load
    takes. `read_age_s` is how old what is set is, `fresh_s` how old it may be.
    """

    target: str
    away_since: float | None = None
    login: bool = False
    away_for_s: float = 0.0
    journal_trouble: str = ""
    exists: bool = True
    revision: str = ""
    revision_ready: bool | None = None
    revision_reason: str = ""
    remakes: bool = False
    template_ready: bool | None = True
    template_reason: str = ""
    base: str = ""
    missing_rights: tuple[str, ...] | None = None
    scale: ScalePreset | None = None
    scaled_to: ScalePreset | None = None
    needed: float | None = None
    read_age_s: float = 0.0
    fresh_s: float = 120.0
    expected_s: float | None = None


def judge_readiness(way: RollbackFacts) -> Readiness:
    """Every check, and the worst of them."""
    checks = (
        _check_cloud(way),
        _check_journal(way),
        _check_target(way),
        _check_rights(way),
        _check_instances(way),
        _check_fresh(way),
    )
    worst = max((c.state for c in checks), key=lambda s: SEVERITY[s])
    return Readiness(worst, checks, way.expected_s)


def _check_cloud(way: RollbackFacts) -> Check:
    if way.away_since is None:
        return Check("cloud", "ok", "Cloud Run answers.")
    state: ReadinessState = "impossible" if way.away_for_s > AWAY_S else "degraded"
    if way.login:
        said = (
            f"Your login is not accepted since {format_clock(way.away_since)}: a confirmed rollback"
            " waits for a new one."
        )
        remedy = "Log in: `gcloud auth application-default login`. It is taken over by itself."
        return Check("cloud", state, said, remedy)
    since = f"Cloud Run does not answer since {format_clock(way.away_since)}"
    said = f"{since}: a confirmed rollback waits until it does."
    return Check("cloud", state, said, "Roll back all the same if it is needed: it goes out then.")


def _check_journal(way: RollbackFacts) -> Check:
    if way.journal_trouble:
        remedy = "Mend the state directory (disk full, read-only?); `canary doctor` names it."
        return Check("journal", "impossible", sanitize(way.journal_trouble, 300), remedy)
    return Check("journal", "ok", "The journal can be written.")


def _check_target(way: RollbackFacts) -> Check:
    target = sanitize(way.target, 60)
    deploy = f"Deploy a revision of {target} that becomes ready, before it is needed."
    if not way.exists:
        said = f"{target} does not exist: nobody could take over."
        return Check("target", "impossible", said, deploy)
    if not way.revision:
        said = f"{target} has no ready revision to go back to."
        return Check("target", "impossible", said, deploy)
    revision = sanitize(way.revision, 80)
    if way.revision_ready is False:
        why = sanitize(way.revision_reason) or "no reason given"
        return Check("target", "impossible", f"{revision} is not ready: {why}", deploy)
    if way.remakes and way.template_ready is False:
        why = sanitize(way.template_reason) or "no reason given"
        if way.base:
            said = (
                f"The newest revision is not ready ({why.rstrip('.')}); a rollback is built on"
                f" {sanitize(way.base, 80)}, which serves."
            )
            return Check("target", "degraded", said, REDEPLOY)
        said = f"Setting the share makes a revision like the newest one, which is not ready: {why}"
        return Check("target", "impossible", said, REDEPLOY)
    if way.revision_ready is None:
        said = f"Checking whether {revision} is ready …"
        return Check("target", "degraded", said, known=False)
    return Check("target", "ok", f"{revision} is there and ready.")


def _check_rights(way: RollbackFacts) -> Check:
    if way.missing_rights is None:
        said = "Checking the right to change it …"
        return Check("rights", "degraded", said, known=False)
    if way.missing_rights:
        missing = sanitize(", ".join(way.missing_rights), 200)
        said = f"The right to change it is missing: {missing}."
        remedy = "Ask an admin to grant roles/run.developer, or find who has it and can roll back."
        return Check("rights", "impossible", said, remedy)
    return Check("rights", "ok", "The right to change it is there.")


def _check_instances(way: RollbackFacts) -> Check:
    target = sanitize(way.target, 60)
    limits = way.scaled_to if way.scaled_to is not None else way.scale
    if limits is None:
        said = f"Checking how many instances {target} may run …"
        return Check("instances", "degraded", said, known=False)
    first = f", scaled up from {way.scale.max} first" if way.scaled_to and way.scale else ""
    if way.needed is not None and limits.max < way.needed:
        return Check(
            "instances",
            "degraded",
            f"{target} may run {limits.max} instances{first}; full load needs about"
            f" {way.needed:.0f}.",
            f"Let {target} run more instances before everything goes back to it.",
        )
    enough = "" if way.needed is None else f"; full load needs about {max(1.0, way.needed):.0f}"
    return Check("instances", "ok", f"{target} may run {limits.max} instances{first}{enough}.")


def _check_fresh(way: RollbackFacts) -> Check:
    if way.read_age_s > way.fresh_s:
        age = format_duration(way.read_age_s)
        remedy = "It is read again by itself; a rollback is guarded by what is set then."
        return Check("fresh", "degraded", f"What is set was last read {age} ago.", remedy)
    return Check("fresh", "ok", "What is set was just read.")
