"""What the evidence adds to the tree, in a few words beside the verdict: at every size."""

from __future__ import annotations

from canary.rollout import words
from canary.rollout.snapshot import Snapshot
from themes import Palette
from widgets.canvas import Run


def advice_runs(snapshot: Snapshot, palette: Palette, *, is_short: bool = False) -> list[Run]:
    """As "✗ 5xx proven worse", or short "✗ 5xx worse"; empty while nothing is proven, or the plan
    ignores it. It is said apart from the tree's own word, which stays as it is.
    """
    advice = snapshot.advice
    if advice is None:
        return []
    what = ", ".join(words.plain(name, 20) for name in advice.metrics)
    return [
        ("✗ ", palette.critical_line),
        (f"{what} {'worse' if is_short else 'proven worse'}", palette.text),
    ]
