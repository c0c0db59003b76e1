"""What the outside services said, in the console's own words: frozen, and cheap to import.

None always means "not said" or "cannot be read"; it is never a zero. Times are unix seconds UTC of
the cloud's clock. Everything that judges these values is elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from canary.rollout.change.change import Portion, Topic
from canary.rollout.change.history_entries import HistoryEntry
from canary.rollout.change.hold import Hold
from canary.rollout.change.irreversible import Irreversible
from canary.rollout.change.marks import Mark
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.errors import CanaryError, CloudError
from canary.rollout.measure.samples import Sample
from canary.rollout.plan.plan import ScalePreset
from canary.rollout.snapshot.differences import Deployed


class RevisionState(msgspec.Struct, frozen=True):
    """One revision of a service. `ready` None: not said yet; `reason` says why it is not ready."""

    name: str
    ready: bool | None
    reason: str
    created_at: float | None
    max_instances: int | None


class ServiceState(msgspec.Struct, frozen=True):
    """One Cloud Run service, read at one moment.

    `percent` is Canary's share as this plan's router has it set: None when this service does not
    carry the split, or when what is set cannot be read as a share. `served_percent` is what is
    really served now, whatever is set; None where the router does not tell, and where
    `split_trouble` says why it cannot be told. `pinned` are the revisions that traffic is bound to
    by name where setting the share makes a new one, which then serves nobody. `others` are
    revisions or backends with traffic that are neither side. `serving` is the revision that has the
    most traffic (between revisions: the candidate), `serving_since` when it came to it and
    `serving_created` when it was made; `affinity`:
    session affinity keeps its clients on it. `stable` is Legacy's revision, where the router splits
    between revisions and it is known; `place` is where a URL map has the weights. `revision` is the
    latest ready one, or the candidate's where the router splits between revisions. `record_error`
    is not empty when
    there is a stage record that cannot be read. `scale` is what can run; `limits` what the service
    itself is set to, which its template may narrow. `history` is the last moves of the split,
    newest first, where the router keeps any. `hold` is what is written of one, over or not,
    `irreversible` what is written of that on Canary's service, cleared or not, and `deployed_mark`
    the text of the same annotation on the revision that serves. `deployed` is what that runs, and
    `stable_deployed` what Legacy's does where the router splits between revisions; None: not told.
    `marks` are the marks and notes on Canary's service, newest first.
    """

    name: str
    etag: str
    uri: str
    percent: int | None
    served_percent: int | None
    reconciling: bool
    ready: bool | None
    ready_reason: str
    revision: str
    record: StageRecord | None
    record_error: str
    scale: ScalePreset | None
    last_modifier: str
    updated_at: float | None
    generation: int
    observed_generation: int
    image: str
    history: tuple[HistoryEntry, ...] = ()
    limits: ScalePreset | None = None
    split_trouble: str = ""
    pinned: tuple[str, ...] = ()
    others: tuple[Portion, ...] = ()
    serving: str = ""
    serving_since: float | None = None
    serving_created: float | None = None
    affinity: bool = False
    stable: str = ""
    place: str = ""
    hold: Hold | None = None
    irreversible: Irreversible | None = None
    deployed_mark: str = ""
    deployed: Deployed | None = None
    stable_deployed: Deployed | None = None
    marks: tuple[Mark, ...] = ()

    def writer_of(self, topic: Topic) -> str:
        """The id of the change that wrote the annotation of a topic; "" for nobody's."""
        if topic == "marks":
            return self.marks[0].change if self.marks else ""
        found = self.hold if topic == "hold" else self.irreversible
        return "" if found is None else found.change


class OperationState(msgspec.Struct, frozen=True):
    """A long-running operation. `error` is None until it is done, and when it succeeded."""

    name: str
    done: bool
    error: CanaryError | None


class SpoiltValue(msgspec.Struct, frozen=True):
    """One side's value of one metric in the period that ends at `end`, unix seconds."""

    side: Literal["legacy", "canary"]
    role: str
    end: float


class Reading(msgspec.Struct, frozen=True):
    """What Cloud Monitoring had for both sides.

    Samples are oldest first, one for each period in which anything was reported; the newest period
    is complete. `failures` are the metrics that could not be read, or were read with defects;
    `calls` is how many ListTimeSeries requests it took, pages included. `unread` says of which
    metrics nothing is known now, by role ("responses", …), and `absent` which ones beside requests
    and latency do not exist, or cannot be asked like this: that is an answer, and no failure.
    `spoilt` are the values that were answered and cannot be used.
    """

    legacy: tuple[Sample, ...]
    canary: tuple[Sample, ...]
    failures: tuple[CloudError, ...]
    calls: int
    unread: Mapping[str, CloudError] = {}
    absent: Mapping[str, CloudError] = {}
    spoilt: tuple[SpoiltValue, ...] = ()


class HealthReport(msgspec.Struct, frozen=True):
    """One health check over HTTP. `status` None: no answer; `latency_ms` None: likewise.

    `reached` False: the side itself was not reached from here (internal ingress, IAM, IAP, no
    connection, no address): nothing is known of its health.
    """

    service: str
    url: str
    ok: bool
    status: int | None
    latency_ms: float | None
    message: str
    at: float
    reached: bool = True
