"""What the team's own runbook says: whom to tell, where it is, what to do at each verdict. Part of
`plan`, as `[runbook]`.
"""

from typing import Annotated, Final

import msgspec

from canary.rollout.plan.tables import text

MOST_STEPS: Final = 3
"""So many lines are shown under a verdict."""
Line = Annotated[str, text(r"[^\x00-\x1f\x7f]{1,120}", "one line of at most 120 characters")]
Name = Annotated[str, text(r"[^\x00-\x1f\x7f]{0,80}", "at most 80 characters")]


class RunbookSteps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to do at each verdict of the tree; empty: the console's own lines.

    `{action}` in a line stands for the key of an action, as `{rollback_all}`.
    """

    go_on: tuple[Line, ...] = ()
    watch: tuple[Line, ...] = ()
    rollback_stage: tuple[Line, ...] = ()
    rollback_all: tuple[Line, ...] = ()
    no_data: tuple[Line, ...] = ()


class Runbook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who owns Canary, how they are reached, and where the runbook is; "" and None: not said."""

    owner: Name = ""
    contact: Name = ""
    link: str | None = None
    steps: RunbookSteps = RunbookSteps()
