"""How long the console's engine waits between two looks at a source."""

from __future__ import annotations

import math

LEAST_PAUSE_S = 1.0
LEAST_METRICS_S = 0.5
LEAST_RUN_S = 2.0
IN_FLIGHT_RUN_S = 2.0
JOURNAL_IDLE_S, JOURNAL_IN_FLIGHT_S = 1.0, 0.25
SIGN_OF_LIFE_S = 5.0
TROUBLE_PAUSE_S = 5.0
EMBEDDED_S = 10.0
EXECUTOR_S = 1.0
BACKFILL_S = 60.0
LOG_AGAIN_S = 60.0
FIRST_NUMBERS_S = 10.0
"""Pauses in real seconds."""

MINUTE_S = 60.0
"""Cloud seconds: metrics are sampled that often."""

BETWEEN_PIECES_S = 0.005
"""Real seconds for everybody else, the screen's thread included, between two pieces of a past that
is judged again."""

PIECES_SHOWN = 25
"""So many pieces are judged until it is said how far it is."""


def pause_until(wait_s: float, speed: float) -> float:
    """Real seconds to wait for something that comes in `wait_s` and then every minute (cloud
    seconds), however fast the clock: at least `LEAST_METRICS_S`, and still just after it came.
    """
    minute_s, pause = MINUTE_S / speed, max(0.0, wait_s) / speed
    if pause >= LEAST_METRICS_S:
        return pause
    return pause + math.ceil((LEAST_METRICS_S - pause) / minute_s) * minute_s
