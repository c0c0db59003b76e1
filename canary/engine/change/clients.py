"""What a change is carried out with: the writer and reader of Cloud Run, and the cloud's clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from canary.cloud.connection.clock import CloudClock
from canary.engine.change.settling import ServiceReader, StepSender

if TYPE_CHECKING:
    from canary.cloud.embedded.embedded import EmbeddedCloud
    from canary.engine.clients import Cloud


class CloudClients(NamedTuple):
    """Writer and reader of Cloud Run, and the cloud's clock. `embedded` None: a cloud elsewhere."""

    writer: StepSender
    reader: ServiceReader
    clock: CloudClock
    embedded: EmbeddedCloud | None = None

    @classmethod
    def of(cls, cloud: Cloud) -> Self:
        """Those of a plan's cloud that is connected."""
        return cls(cloud.router, cloud.router, cloud.clock, cloud.embedded)
