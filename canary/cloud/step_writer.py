"""Sends each step of a change to where it belongs: the split's writer, or the image registry."""

from __future__ import annotations

from canary.cloud.artifact_registry import OPERATION, ImageRegistry
from canary.cloud.run import RunReader
from canary.cloud.run_writer import RunWriter
from canary.cloud.views import OperationState
from canary.rollout.change import DeleteImages, Removal, Step
from canary.rollout.errors import NotFound


class StepWriter:
    """What a change's steps are sent with, whatever the plan's router. Decides nothing."""

    def __init__(self, split: RunWriter, reader: RunReader, images: ImageRegistry) -> None:
        self._split = split
        self._reader = reader
        self._images = images

    async def send(self, step: Step, *, validate_only: bool = False) -> str:
        """Send one step and return the operation's name ("" when only validated)."""
        if isinstance(step, DeleteImages):
            return "" if validate_only else await self._images.delete(step)
        return await self._split.send(step, validate_only=validate_only)

    async def operation(self, name: str) -> OperationState:
        """How far an operation is, wherever it runs."""
        if name.startswith(OPERATION):
            return await self._images.operation(name)
        return await self._split.operation(name)

    async def gone(self, step: Removal) -> bool:
        """Whether what a step was to delete is gone. Raises CanaryError when that is not known."""
        if isinstance(step, DeleteImages):
            for image in step.images:
                if await self._images.exists(image):
                    return False
            return True
        try:
            await self._reader.message(step.service)
        except NotFound:
            return True
        return False
