"""Cloud Run's Service message → ServiceState."""

from __future__ import annotations

import pytest

from canary.cloud.run.services import read_service
from tests.cloud.messages import env_service
from tests.embedded import DEFAULT_PLAN


@pytest.mark.parametrize(
    ("state", "ready"),
    [
        ("STATE_UNSPECIFIED", None),
        ("CONDITION_PENDING", None),
        ("CONDITION_RECONCILING", None),
        ("CONDITION_FAILED", False),
        ("CONDITION_SUCCEEDED", True),
    ],
)
def test_a_service_is_ready_by_its_terminal_condition(state: str, ready: bool | None) -> None:
    message = env_service({}, terminal_condition={"type_": "Ready", "state": state})
    assert read_service(DEFAULT_PLAN, message).ready is ready
