"""What is shown and must not be kept."""

import msgspec

from canary.rollout.failures.requests import FailedRequest
from canary.rollout.failures.view import FailureGroup, FailuresView
from canary.rollout.recording.frames import Frame, TreeMaker
from canary.rollout.trials.jobs import NOTHING_RUN
from tests.rollout.build import NOW, PLAN, snapshot


def test_what_failed_is_in_no_recording():
    request = FailedRequest(
        "canary", NOW, "POST", "/secret-route", 500, 1.0, "rev-1", "inst-1", "trace-1"
    )
    view = FailuresView((FailureGroup(request.key, 0, 1, 1.0, requests=(request,)),))
    shown = snapshot(failures=view)
    tree = TreeMaker(lambda *_: 1).make(Frame(shown, NOTHING_RUN, PLAN, NOW))
    kept = msgspec.json.encode(tree).decode()
    for text in ("secret-route", "trace-1", "inst-1"):
        assert text not in kept
