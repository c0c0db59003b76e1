"""The procedure beside the numbers: verification, trials, monitoring loop, checklists, as shown.

One frozen value, like the Snapshot and beside it: it changes with what people run, not with what is
measured, and many times a second while something runs. None means "not known" or "never".
"""

from __future__ import annotations

from typing import Literal

import msgspec

from canary.rollout.export.alert_policies import Action
from canary.rollout.trials.ab_test import AbAnalysis, AbSource
from canary.rollout.trials.checklist import ChecklistBook
from canary.rollout.trials.load_test import LoadTestProgress, LoadTestSettings, LoadTestSummary
from canary.rollout.trials.retirement import Candidate
from canary.rollout.trials.verification import Verification, VerifyProgress

LoadState = Literal["idle", "starting", "running", "stopping"]
ResultOf = Literal["verification", "load_test"]
"""What ends with a result that stays until it is dismissed."""


class VerificationView(msgspec.Struct, frozen=True):
    """The verification that runs (`progress`; None: none does) and the last result.

    `acknowledged`: a person has seen the result.
    """

    progress: VerifyProgress | None = None
    result: Verification | None = None
    acknowledged: bool = False

    @property
    def waiting(self) -> Verification | None:
        """The result that nobody has dismissed yet."""
        return None if self.acknowledged else self.result


class LoadTestView(msgspec.Struct, frozen=True):
    """The load test of this console, running or the last one.

    `settings` is what was asked for, `url` where the requests enter, `by` who asked. `progress` is
    None until users are at work. `summary` is of the test that ended last, `trouble` why one did
    not begin or could not be written; a new one takes both away. `acknowledged`: a person has seen
    the result.
    """

    state: LoadState = "idle"
    settings: LoadTestSettings | None = None
    url: str = ""
    by: str = ""
    progress: LoadTestProgress | None = None
    summary: LoadTestSummary | None = None
    trouble: str = ""
    acknowledged: bool = False

    @property
    def is_running(self) -> bool:
        """Whether it makes load, or is about to, or ends only now."""
        return self.state != "idle"

    @property
    def waiting(self) -> LoadTestSummary | None:
        """The result that nobody has dismissed yet."""
        return None if self.acknowledged or self.is_running else self.summary


class AbTestView(msgspec.Struct, frozen=True):
    """The A/B test: whether it is being asked for, and what was found last, from where."""

    running: bool = False
    analysis: AbAnalysis | None = None
    source: AbSource | None = None
    trouble: str = ""


class RetirementView(msgspec.Struct, frozen=True):
    """What a retirement would delete: whether it is being looked up, and what was found last.

    `candidate` None: not looked up. `gone`: Legacy is deleted already.
    """

    running: bool = False
    candidate: Candidate | None = None
    gone: bool = False
    trouble: str = ""


class AlertsView(msgspec.Struct, frozen=True):
    """The alert policies against the plan. `actions` None: not compared; the kept ones included."""

    running: bool = False
    actions: tuple[Action, ...] | None = None
    trouble: str = ""

    @property
    def changes(self) -> tuple[Action, ...]:
        """What would be written."""
        return tuple(one for one in self.actions or () if one.kind != "keep")


class MonitoringView(msgspec.Struct, frozen=True):
    """The monitoring loop of this host. Times are the cloud's; None: not known, or there is none.

    `verdict` is the last snapshot's, `trouble` what went wrong with it. `until` None: without end.
    """

    running: bool = False
    pid: int | None = None
    since: float | None = None
    every_s: float | None = None
    until: float | None = None
    next_at: float | None = None
    files: int = 0
    last_file: str = ""
    last_at: float | None = None
    verdict: str = ""
    trouble: str = ""
    out_dir: str = ""
    ended_at: float | None = None
    ended_by: str = ""


class JobsView(msgspec.Struct, frozen=True):
    """All of it at one moment. `monitoring` and `checklists` None: not looked at yet."""

    verification: VerificationView = VerificationView()
    load_test: LoadTestView = LoadTestView()
    ab_test: AbTestView = AbTestView()
    monitoring: MonitoringView | None = None
    checklists: ChecklistBook | None = None
    retirement: RetirementView = RetirementView()
    alerts: AlertsView = AlertsView()


NOTHING_RUN = JobsView()
