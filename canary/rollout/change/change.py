"""Changes as data: what is to become true, from what, why, and what guards it.

A Change is built in `moves` from a Snapshot's facts (a retirement in `retirement`), shown in the
confirm strip, written to the journal as the intent, and carried out by the executor. Nothing else
changes the cloud.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from canary.rollout.change.hold import Hold
from canary.rollout.change.irreversible import Irreversible
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.plan.plan import ScalePreset
from canary.rollout.text import AtLeast, sanitize

Kind = Literal[
    "promote",
    "step_back",
    "rollback_all",
    "adopt",
    "revert",
    "scale",
    "retire",
    "hold",
    "release",
    "mark_irreversible",
    "clear_irreversible",
    "note",
]
GOING_BACK: Final[tuple[Kind, ...]] = ("step_back", "rollback_all")
"""What takes traffic off Canary: right later too, whatever else has happened to the service."""

ANNOTATING: Final[tuple[Kind, ...]] = (
    "hold",
    "release",
    "mark_irreversible",
    "clear_irreversible",
    "note",
)
"""What writes an annotation for people, and moves neither traffic, scale nor record."""

OutcomeState = Literal["done", "failed", "refused", "unknown", "not_begun", "abandoned"]
Side = Literal["legacy", "canary"]


class Portion(msgspec.Struct, frozen=True):
    """What one revision or backend has of the traffic, 0…100 %."""

    name: str
    percent: int


class Guard(msgspec.Struct, frozen=True):
    """What the change was decided on: if the world differs when it is sent, it is refused.

    `etag` is the service's when the strip opened; `percent` Canary's share then (None unknown), and
    `record` the change whose stage record it had ("" for none; unset: not known, and not compared).
    `revision` is Canary's. `pinned`: traffic was bound to revisions by name. `place` says which
    weights of a URL map make the split ("": not known, or another router).
    """

    service: str
    etag: str
    percent: int | None
    revision: str = ""
    record: str | msgspec.UnsetType = msgspec.UNSET
    pinned: bool = False
    place: str = ""


class Basis(msgspec.Struct, frozen=True):
    """What all steps of a change rest on, beside the guard of the one that sets the split.

    `guard` is the split as it was when the question opened; `legacy` and `canary` the limits that
    both sides were set to (None: not known, not compared). `idle`: it is right only as long as
    Legacy serves nothing. `completes`: it is what a final approval has left undone, and what keeps
    a promotion back keeps it back.
    """

    guard: Guard
    legacy: ScalePreset | None = None
    canary: ScalePreset | None = None
    idle: bool = False
    completes: bool = False


class SetTraffic(msgspec.Struct, frozen=True, tag="set_traffic"):
    """Set Canary's share to `percent` and write `record`, in one guarded update.

    `before_percent` None: not known. When only the record changes (adopt) the two are equal.
    """

    service: str
    before_percent: int | None
    percent: int
    record: StageRecord
    guard: Guard


class SetScale(msgspec.Struct, frozen=True, tag="set_scale"):
    """Set the least and most instances of a service (service level: no new revision)."""

    service: str
    before: ScalePreset | None
    after: ScalePreset


class KeepRecord(msgspec.Struct, frozen=True, tag="keep_record"):
    """Write the stage record on `service`, which is to keep it when its holder is deleted."""

    service: str
    record: StageRecord


Topic = Literal["hold", "irreversible", "marks"]
"""What an annotation beside the record is about; its name there."""


class Annotate(msgspec.Struct, frozen=True, tag="annotate"):
    """Write the annotation of `topic` on `service`, beside the record: `text`, by `change`.

    `before` is the change that wrote what is there now ("" for nobody): if it is another's when the
    step is sent, the step is refused. A mark goes beside those of others, and asks for none.
    """

    service: str
    topic: Topic
    text: str
    change: str
    before: str = ""


class DeleteService(msgspec.Struct, frozen=True, tag="delete_service"):
    """Delete a service with its revisions, guarded by its `etag` ("" is not compared).

    `percent` is Canary's share as it was when this was decided (None: not known); if it is another
    when the step is sent, the step is refused.
    """

    service: str
    etag: str
    percent: int | None


class DeleteImages(msgspec.Struct, frozen=True, tag="delete_images"):
    """Delete a service's container images, each named by its digest, with the tags on it.

    A digest names one content for ever, so that deleting it twice is deleting it once.
    """

    service: str
    images: tuple[str, ...]


Removal = DeleteService | DeleteImages
Step = SetTraffic | SetScale | KeepRecord | Annotate | DeleteService | DeleteImages


class ChangeEvidence(msgspec.Struct, frozen=True):
    """The numbers on the screen when the change was asked for; None is "no data".

    `p95_at_least`: of p95 only the lower bound `p95_ms` was known; `p95` has both in one.
    `load_test` is "PASSED" or "FAILED" and `ab_improvement` the relative gain where the stage's
    gates ask for them.
    """

    verdict: str = ""
    requests: int | None = None
    error_ratio: float | None = None
    success_ratio: float | None = None
    p95_ms: float | None = None
    confidence: float | None = None
    data_age_s: float | None = None
    gates_unmet: tuple[str, ...] = ()
    load_test: str = ""
    ab_improvement: float | None = None
    p95_at_least: bool = False

    @property
    def p95(self) -> float | None:
        """The p95 in ms, AtLeast where no more was known."""
        known = self.p95_at_least and self.p95_ms is not None
        return AtLeast(self.p95_ms) if known and self.p95_ms is not None else self.p95_ms


class Author(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who asks: the user and host the console runs on. `beside`: what else is known, or claimed.

    No control characters get in, wherever it is made or read from: it goes into the annotation and
    the journal.
    """

    user: str
    host: str
    beside: str = ""

    def __post_init__(self) -> None:
        """Make the texts harmless."""
        _make_harmless(self, "user", "host", "beside")

    def __str__(self) -> str:
        return f"{self.user}@{self.host}{f' ({self.beside})' if self.beside else ''}"


class Change(msgspec.Struct, frozen=True):
    """One confirmed wish. `steps` are carried out in order; the first that fails ends it.

    `from_stage`/`to_stage` are None for a scale. `forced`: gates were overridden, with the `reason`
    that was given; `evidence.gates_unmet` names them. `created_at` is the cloud's time.
    `dry_run_shown`: what would change was on the screen when it was confirmed. `cause` is what made
    automatic rollback act (`guard.Cause.key`); empty when a person asked. `basis` unset: written
    by an older version, which kept none. `routing` is the digest of what routed when it was built
    (`plan.routing`); likewise.
    """

    id: str
    kind: Kind
    rollout: str
    steps: tuple[Step, ...]
    author: Author
    created_at: float
    from_stage: int | None = None
    to_stage: int | None = None
    reason: str = ""
    forced: bool = False
    evidence: ChangeEvidence = ChangeEvidence()
    dry_run_shown: bool = False
    cause: str = ""
    basis: Basis | msgspec.UnsetType = msgspec.UNSET
    routing: str | msgspec.UnsetType = msgspec.UNSET


def basis_of(change: Change) -> Basis | None:
    """What the steps rest on; None for a change of an older version."""
    return change.basis if isinstance(change.basis, Basis) else None


def goes_on(change: Change) -> bool:
    """Whether a change takes the rollout on: a promotion, or what one has left undone."""
    basis = basis_of(change)
    return change.kind == "promote" or (basis is not None and basis.completes)


_MOST_REASON: Final = 200
"""Characters: it rides in an annotation."""


def give_reason(change: Change, reason: str) -> Change:
    """The change with why it was made, said when it was confirmed: in itself, which the journal
    keeps, and in the record beside the split. What was typed is made harmless.
    """
    said = sanitize(reason, _MOST_REASON)
    steps = tuple(
        msgspec.structs.replace(step, record=msgspec.structs.replace(step.record, reason=said))
        if isinstance(step, SetTraffic | KeepRecord)
        else step
        for step in change.steps
    )
    return msgspec.structs.replace(change, reason=said, steps=steps)


def split_of(change: Change) -> SetTraffic | None:
    """The step that sets the split; None when the change has none."""
    return next((s for s in change.steps if isinstance(s, SetTraffic)), None)


def is_final_approval(change: Change) -> bool:
    """Whether a change makes Canary production: a promotion whose record ends the canary mode."""
    split = split_of(change)
    return change.kind == "promote" and split is not None and not split.record.enabled


class Outcome(msgspec.Struct, frozen=True):
    """How a change ended: what happened, what is true now, what to do."""

    state: OutcomeState
    message: str
    at: float
    percent: int | None = None
    remedy: str = ""


class Standing(msgspec.Struct, frozen=True):
    """Where the rollout stands, as far as a change must know it.

    `stage` is the record's (or inferred) stage; `percent` what is really set, and `served` what is
    really served where that is told. None is "not known". `in_doubt`: what is set may not be what
    serves (it is settling, or has failed). A scale is what can run; `limits_*` are what the service
    itself is set to, which a template's own limits may narrow. `recorded` is the share that the
    record has, whatever plan it was written under; `others` is what has
    traffic and is neither side; `drifted_at` is since when what is set is not the record's. `hold`
    is what is written of one, over or not, and `irreversible` likewise.
    """

    stage: int
    percent: int | None
    guard: Guard
    record: StageRecord | None = None
    scale_legacy: ScalePreset | None = None
    scale_canary: ScalePreset | None = None
    recorded: int | None = None
    served: int | None = None
    in_doubt: bool = False
    limits_legacy: ScalePreset | None = None
    limits_canary: ScalePreset | None = None
    others: tuple[Portion, ...] = ()
    drifted_at: float | None = None
    hold: Hold | None = None
    irreversible: Irreversible | None = None

    @property
    def most_percent(self) -> int | None:
        """The larger of what is set and what serves: so much may be Canary's. None: not known."""
        known = [p for p in (self.percent, self.served) if p is not None]
        return max(known, default=None)


class Request(msgspec.Struct, frozen=True):
    """What a change carries besides its target: identity, person, time, reason, evidence, cause."""

    id: str
    author: Author
    now: float
    reason: str = ""
    forced: bool = False
    evidence: ChangeEvidence = ChangeEvidence()
    dry_run_shown: bool = False
    cause: str = ""

    def __post_init__(self) -> None:
        """Make what was typed harmless: it goes into the annotation and the journal."""
        _make_harmless(self, "reason")


def _make_harmless(value: msgspec.Struct, *names: str) -> None:
    for name in names:
        text = getattr(value, name)
        if not text.isprintable():
            msgspec.structs.force_setattr(value, name, sanitize(text, len(text)))


# The steps of a change as the screen shows them: what each does, and how far it is.

StepState = Literal["to_do", "under_way", "done", "failed", "unknown"]


class StepView(msgspec.Struct, frozen=True):
    """One step. `text` is what it does, `said` the last word about it, "" for none.

    "unknown": it was sent, and how it ended could not be found out.
    """

    text: str
    state: StepState = "to_do"
    said: str = ""
