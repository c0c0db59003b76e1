"""Which plan a command works with, and where it was looked for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from canary.rollout.errors import PlanError
from canary.rollout.plan.file import load_plan
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize

DEFAULT_NAME: Final = "canary.toml"


class PlanSource(msgspec.Struct, frozen=True):
    """A plan and the file it was read from."""

    plan: Plan
    path: Path


def find_plan(config: str | None) -> PlanSource:
    """The plan named by `config`, else ./canary.toml. Raises PlanError: missing or wrong."""
    path = Path(config).expanduser() if config is not None else Path(DEFAULT_NAME)
    if config is None and not path.exists():
        raise PlanError(
            f"There is no {DEFAULT_NAME} in {sanitize(Path.cwd(), 200)}.",
            remedy="Name a plan with --config FILE, write one with `canary init`, or look around"
            " with `canary demo`.",
        )
    return PlanSource(load_plan(path), path.absolute())
