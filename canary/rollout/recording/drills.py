"""The drills: what happens in each, when, what is right, and what is to be learned. Pure.

A drill is an embedded cloud in which something happens at a moment that the seed draws. Nobody is
told what, and in some nothing has to be done.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Final, Literal

import msgspec

Right = Literal["rollback_all", "step_back", "nothing", "notice", "settle_drift"]
"""What is right: a move; no change at all; to notice it before it is needed; adopt or revert."""

RIGHT_WORDS: Final[Mapping[Right, str]] = {
    "rollback_all": "roll back all",
    "step_back": "watch; one stage back at the hour, or all of it where it is proven before",
    "nothing": "change nothing",
    "notice": "notice it, before it is needed; change nothing",
    "settle_drift": "adopt or revert what the colleague set, and talk",
}
ALLOWED: Final[Mapping[Right, frozenset[str]]] = {
    "rollback_all": frozenset({"rollback_all"}),
    "step_back": frozenset({"step_back"}),
    "nothing": frozenset(),
    "notice": frozenset(),
    "settle_drift": frozenset({"adopt", "revert"}),
}
"""The kinds of changes that are not needless."""

EARLIEST_S, LATEST_S = 120.0, 480.0
"""Cloud seconds after the begin between which it happens."""
CALM_REAL_S: Final = 15.0
"""So many real seconds a person sees the screen before anything happens, however fast the clock."""
LASTS_REAL_S: Final = 60.0
"""And so many real seconds are left for what is to be done, at least."""


LOG_READ_PER_S: Final = 700.0
"""Entries of the request log in a real second that are surely read."""


class DrillStep(msgspec.Struct, frozen=True):
    """A scenario of the embedded cloud that begins so many cloud seconds after the onset."""

    after_s: float
    scenario: str
    params: Mapping[str, float] = {}


class Drill(msgspec.Struct, frozen=True):
    """One drill. `cause` is told at the end; `tolerated` are changes that do no harm either.

    `requests_per_s` None: the plan's. `needs_log`: the request log has to be read, which is off
    where a fast clock makes too many entries of it. `lasts_s`: cloud seconds from the onset to
    its end, on a clock that is not too fast.
    """

    number: int
    name: str
    cause: str
    right: Right
    lesson: str
    steps: tuple[DrillStep, ...]
    tolerated: frozenset[str] = frozenset()
    requests_per_s: float | None = None
    lasts_s: float = 2_400.0
    needs_log: bool = False

    def rate_per_s(self, usual_per_s: float, speed: float) -> float:
        """Requests a cloud second, both sides; `usual_per_s` are the plan's."""
        rate = usual_per_s if self.requests_per_s is None else self.requests_per_s
        return min(rate, LOG_READ_PER_S / speed) if self.needs_log else rate

    def onset_s(self, seed: int, speed: float = 1.0) -> float:
        """Cloud seconds from the begin to the onset, as the seed draws it; `speed`: the clock's."""
        drawn = Random(f"{self.name} {seed}").uniform(EARLIEST_S, LATEST_S)
        return drawn + max(0.0, CALM_REAL_S * speed - EARLIEST_S)

    def length_s(self, speed: float = 1.0) -> float:
        """Cloud seconds from the onset to the end."""
        return max(self.lasts_s, LASTS_REAL_S * speed)


def _at_once(scenario: str, **params: float) -> tuple[DrillStep, ...]:
    return (DrillStep(0.0, scenario, params),)


DRILLS: Final[tuple[Drill, ...]] = (
    Drill(
        1,
        "route",
        "one route of Canary fails suddenly",
        "rollback_all",
        "A route that fails is a Canary that fails: the share of its requests decides how much.\n"
        "The average hides it for minutes; the failures by route show it at once (`f`).\n"
        "Do not look for the reason while requests fail: R, y, then look.\n"
        "Roll back all costs nothing that a later promotion would not bring back.\n"
        "Afterwards the groups by route, with their links, are what the team needs.",
        _at_once("route-fails", ratio=0.12),
    ),
    Drill(
        2,
        "burn",
        "errors stay between warning and critical: a slow burn",
        "step_back",
        "A warning opens one hour of watching, and nothing else: it may clear.\n"
        "What burns slowly spends as much in an hour as a spike in minutes.\n"
        "At the end of the hour the tree calls for one stage back: r, y.\n"
        "Where Canary is proven worse before that, do not wait for the hour: R, y.\n"
        "Write down since when: the soak begins anew.",
        _at_once("slow-burn"),
        frozenset({"rollback_all"}),
        lasts_s=4_800.0,
    ),
    Drill(
        3,
        "dependency",
        "a dependency times out in Canary only",
        "rollback_all",
        "504 after exactly 10 s is a timeout of what stands behind, not of Canary's own code.\n"
        "Legacy asks the same dependency and is well: so it is how Canary asks.\n"
        "Whose fault it is does not matter yet: requests fail on Canary, and not on Legacy.\n"
        "R, y; the differences (`d`) then tell which setting is another.\n"
        "A page to the dependency's team can wait until nobody fails.",
        _at_once("dependency-timeout", ratio=0.12),
    ),
    Drill(
        4,
        "shared",
        "the shared dependency fails for both sides alike",
        "nothing",
        "Both sides fail alike: compare before you act (the column beside Canary's).\n"
        "The tree sees Canary's limit alone and calls for roll back all.\n"
        "That does no harm, and helps nobody: Legacy fails as often.\n"
        "The page is the dependency's; the evidence says that Canary is no worse.\n"
        "Do not blame the release in the first message: it is quoted for weeks.",
        _at_once("error-spike", ratio=0.08, base=0.08),
        frozenset({"rollback_all", "step_back"}),
    ),
    Drill(
        5,
        "bursts",
        "errors come in bursts on both sides, without a difference",
        "nothing",
        "A burst is not a trend, and two sides burst at different moments.\n"
        "The evidence is made for this: it stays undecided where the means are equal.\n"
        "Look at the hour, not at the minute (`w`).\n"
        "A rollback for noise teaches everybody to distrust the next one.\n"
        "Hold, if it makes you uneasy; say why.",
        _at_once("noisy", cv=2.0),
    ),
    Drill(
        6,
        "night",
        "there is hardly any traffic",
        "nothing",
        "Few requests prove nothing, neither that it is well nor that it is not.\n"
        "TOO FEW REQUESTS is its own answer: not green, and not an alarm.\n"
        "Nobody promotes at night on twelve requests; hold until the morning (`h`).\n"
        "One failed request of twelve is not 8 % of errors.\n"
        "The soak goes on; only the gates wait.",
        _at_once("healthy"),
        requests_per_s=0.15,
    ),
    Drill(
        7,
        "blind",
        "Cloud Monitoring is away while errors rise in the request log",
        "rollback_all",
        "When one source is away, what it showed last is old, not well.\n"
        "The request log is another source, seconds old: the evidence reads it (`E`).\n"
        "Proven worse without Monitoring is proven all the same.\n"
        "The tree cannot speak: it reads Monitoring alone. You can.\n"
        "R, y never waits for data.",
        _at_once("errors-unseen", ratio=0.15),
        needs_log=True,
    ),
    Drill(
        8,
        "rights",
        "the right to change the service is gone",
        "notice",
        "Rollback readiness is asked all the time, so that this is seen before it is needed.\n"
        "ROLLBACK NOT POSSIBLE is an alarm although every number is well.\n"
        "Find now who has the right, and keep the command ready for that hand.\n"
        "`b` shows what is missing, and what to have granted.\n"
        "Do not try it out by a change.",
        _at_once("denied"),
    ),
    Drill(
        9,
        "colleague",
        "a colleague changes the split at the same moment",
        "settle_drift",
        "DRIFT: what is set is not what the record says; somebody had a reason, perhaps.\n"
        "Ask before you revert: the last modifier is named.\n"
        "Adopt takes it into the record, revert sets it back; both say who did it.\n"
        "Numbers from before the change are not judged: wait for new ones.\n"
        "Hold the rollout (`h`) while you talk.",
        _at_once("conflict"),
        frozenset({"rollback_all"}),
    ),
    Drill(
        10,
        "instance",
        "one of Canary's instances is in a crash loop",
        "rollback_all",
        "The average of all instances stays under the limit while one of them fails everything.\n"
        "The proof does not need the average: it is there long before the limit.\n"
        "The failures name the instance (`f`); it is not yours to repair now.\n"
        "Act on the proof: R, y.\n"
        "A restart would hide it until the next one.",
        _at_once("instance-fails", ratio=0.045),
    ),
    Drill(
        11,
        "redeploy",
        "a redeploy in the soak brings a bad revision",
        "rollback_all",
        "The revision changed in the middle of the stage: the soak began anew, and it is said.\n"
        "What was proven of the old revision says nothing of the new one.\n"
        "R, y; the revision that was rolled back is remembered.\n"
        "Promoting it again takes a reason: that is the point.\n"
        "Find who deploys during a soak, and why they could.",
        _at_once("bad-redeploy", ratio=0.12),
    ),
    Drill(
        12,
        "away",
        "Cloud Run does not answer when the rollback is confirmed",
        "rollback_all",
        "A rollback that cannot be sent waits, visibly, and goes out when Cloud Run is back.\n"
        "Nothing is sent twice: do not confirm another one, do not leave the console for gcloud.\n"
        "W withdraws it while it waits; then somebody has to do it by another way.\n"
        "The numbers go on: Monitoring is another service.\n"
        "When it is back, look that the split is served (`v`).",
        (
            DrillStep(0.0, "error-spike", {"ratio": 0.12}),
            DrillStep(200.0, "errors-run-away", {"ratio": 0.12}),
            DrillStep(800.0, "error-spike", {"ratio": 0.12}),
        ),
    ),
)


def find_drill(name: str, seed: int) -> Drill | None:
    """The drill of a name or number; "random": one that the seed draws. None: there is none."""
    if name == "random":
        return Random(f"drill {seed}").choice(DRILLS)
    return next((d for d in DRILLS if name in (d.name, str(d.number))), None)
