"""Routers whose split one Cloud Run service carries: share and record go in one guarded update."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from canary.cloud.router.router import LastLook, Router, check_guard, look_no_more
from canary.cloud.run.services import put_annotations, start_update
from canary.rollout.change.change import SetTraffic


class ServiceRouter(Router):
    """What `env` and `revisions` have in common."""

    @abstractmethod
    def read_percent(self, service: Any) -> int | None:
        """Canary's share (0…100) as a raw Service has it set; None when that cannot be read."""

    @abstractmethod
    async def write_split(self, service: Any, step: SetTraffic) -> tuple[str, ...]:
        """Change a raw Service so that it serves the step's share; return the changed fields.

        None of them when it is set and served already. Raises NotFound and Rejected where that is
        not possible.
        """

    def note_split(self, _service: Any) -> dict[str, str]:
        """Annotations that tell what the next change of the split must know of this one."""
        return {}

    async def set_split(
        self, step: SetTraffic, *, validate_only: bool, last_look: LastLook = look_no_more
    ) -> str:
        """Send share and record as one UpdateService; a share that is set is not set again."""
        service = await self.run.message(step.service)
        percent = self.read_percent(service)
        self._check(step, service, percent)
        annotations = {
            **service.annotations,
            **self.note_split(service),
            **self.keep_record(service, step.record),
        }
        update = start_update(service)
        put_annotations(update, annotations)
        # Adopting takes the split as it is, whatever that is.
        adopts = step.record.move == "adopt" and percent == step.percent
        fields = () if adopts else await self.write_split(service, step)
        for field in fields:
            getattr(update, field).MergeFrom(getattr(service, field))
        mask = [*fields, "annotations"]
        await last_look()
        return await self.update(update, mask, step, validate_only=validate_only)

    def _check(self, step: SetTraffic, service: Any, percent: int | None) -> None:
        guard = step.guard
        same = service.etag == self.own_etag(guard.etag)
        check_guard(
            guard,
            percent,
            guard.etag if same else service.etag,
            share=f"Canary's share on {step.service}",
            moved=f"{step.service} was changed since this was decided (etag {service.etag},"
            f" not {guard.etag}).",
        )
