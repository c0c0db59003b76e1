"""The watch of the decision tree: its clock, advanced one observation at a time.

A warning opens a watch of `watch_s`. At its end: still warned → overdue (one stage back is
advised) until the warning clears; cleared → the watch closes. While the watch runs, a warning that
comes and goes neither restarts nor ends it: "watch closely for one hour" is meant literally.
Observations without data neither open, clear nor close a watch: silence is not recovery.
"""

from __future__ import annotations

import msgspec


class Watch(msgspec.Struct, frozen=True):
    """The watch at one moment. `since` None: nothing is being watched.

    `warning` is whether the newest judged observation was beyond a warning limit.
    """

    since: float | None = None
    warning: bool = False
    overdue: bool = False


IDLE = Watch()


def advance(watch: Watch, *, warned: bool | None, at: float, watch_s: float) -> Watch:
    """The watch after an observation at `at`; `warned` None is "no data"."""
    if watch.since is None:
        return Watch(since=at, warning=True, overdue=watch_s <= 0) if warned else IDLE
    if warned is None:
        return watch
    if at - watch.since < watch_s:
        return Watch(since=watch.since, warning=warned, overdue=False)
    return Watch(since=watch.since, warning=True, overdue=True) if warned else IDLE
