"""The Mann–Whitney comparison of a report: by how much Canary's minutes lie above Legacy's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from canary.rollout import words
from canary.rollout.evidence.mann_whitney import Shift, estimate_shift
from canary.rollout.measure import Sample
from canary.rollout.report import Block, Paragraph, Section, Table

MOST_MINUTES: Final = 2_880
"""Of longer stages an even choice of minutes is compared: ranks take their time."""

_Value = Callable[[Sample], float | None]
METRICS: Final[tuple[tuple[str, str, _Value], ...]] = (
    ("error ratio", "error_ratio", lambda s: s.responses.error_ratio if s.responses else None),
    ("p95", "p95_ms", lambda s: s.latency.percentile(0.95) if s.latency else None),
    (
        "confidence",
        "confidence",
        lambda s: s.confidence.mean if s.confidence and s.confidence.count else None,
    ),
)


class ShiftRow(msgspec.Struct, frozen=True):
    """One metric: a value a minute of each side, and the shift of Canary's against Legacy's.

    `p_value` None: not computed, or a side has no minutes.
    """

    name: str
    metric: str
    legacy: tuple[float, ...]
    canary: tuple[float, ...]
    shift: Shift | None
    p_value: float | None = None


def compare_minutes(legacy: Sequence[Sample], canary: Sequence[Sample]) -> tuple[ShiftRow, ...]:
    """A row for each metric; samples of the stage, oldest first."""
    rows = []
    for name, metric, value in METRICS:
        sides = [
            _thin([v for s in side if (v := value(s)) is not None]) for side in (legacy, canary)
        ]
        shift = estimate_shift(sides[1], sides[0])
        rows.append(ShiftRow(name, metric, tuple(sides[0]), tuple(sides[1]), shift))
    return tuple(rows)


def with_p_values(rows: Sequence[ShiftRow], p_values: Sequence[float | None]) -> list[ShiftRow]:
    """The rows with their p-values, in the same order."""
    return [
        msgspec.structs.replace(row, p_value=p)
        for row, p in zip(rows, p_values, strict=True)
    ]  # fmt: skip


def shift_section(rows: Sequence[ShiftRow], note: str) -> Section:
    """The section: `note` says why there are no p-values, "" when there are."""
    shown = tuple(
        (
            row.name,
            f"{words.count(len(row.legacy))} / {words.count(len(row.canary))}",
            words.NO_DATA if row.shift is None else _signed(row.metric, row.shift.estimate),
            words.NO_DATA if row.shift is None else _interval(row.metric, row.shift),
            words.NO_DATA if row.p_value is None else f"{row.p_value:.2g}",
        )
        for row in rows
    )
    head = ("a period's", "periods L / C", "Canary − Legacy", "95 % interval", "p")
    blocks: list[Block] = [
        Paragraph(
            "Mann–Whitney over reported periods: the Hodges–Lehmann shift, as Kayenta estimates it."
            " Periods that follow each other are alike, so this describes the stage; what is"
            " proven is under Evidence."
        ),
        Table(head, shown),
    ]
    return Section("Shift", (*blocks, Paragraph(note)) if note else tuple(blocks))


def _thin(values: list[float]) -> list[float]:
    step = -(-len(values) // MOST_MINUTES) or 1
    return values[::step]


def _interval(metric: str, shift: Shift) -> str:
    return f"{_signed(metric, shift.low)} … {_signed(metric, shift.high)}"


def _signed(metric: str, value: float) -> str:
    """A difference in the metric's unit, always with its sign: "+0.12 %", "−4.0 ms", "+0.013"."""
    sign = "−" if value < 0 else "+"
    size = abs(value)
    if metric == "error_ratio":
        return f"{sign}{size * 100:.3f} %"
    return f"{sign}{size:.3f}" if metric == "confidence" else f"{sign}{words.milliseconds(size)}"
