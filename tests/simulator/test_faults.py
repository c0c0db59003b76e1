"""The fault table."""

import pytest

from canary.simulator.faults import Fault, FaultTable

UPDATE = "/google.cloud.run.v2.Services/UpdateService"


@pytest.mark.parametrize(
    ("pattern", "method", "covers"),
    [
        ("UpdateService", UPDATE, True),
        ("GetService", UPDATE, False),
        ("/google.cloud.run.v2.Services/*", UPDATE, True),
        ("/google.monitoring.v3.*", UPDATE, False),
        ("GetService|UpdateService", UPDATE, True),
        ("*", UPDATE, True),
        ("http:*/health", "http:ion-api-canary/health", True),
        ("http:ion-api/health", "http:ion-api-canary/health", False),
        ("http:*/chat", "http:ion-api/health", False),
    ],
)
def test_a_pattern_covers_the_methods_it_names(pattern, method, covers):
    assert Fault(method=pattern).covers(method) is covers


def test_a_fault_happens_as_often_as_it_was_asked_for():
    table = FaultTable()
    table.add(Fault(method="UpdateService", code="ABORTED", times=2))
    taken = [table.take(UPDATE) for _ in range(3)]
    assert [fault.code if fault else None for fault in taken] == ["ABORTED", "ABORTED", None]
    assert table.faults == ()


def test_a_fault_without_times_stays_until_it_is_taken_away():
    table = FaultTable()
    table.add(Fault(method="*", code="UNAVAILABLE"))
    assert all(table.take(UPDATE) for _ in range(5))
    assert table.clear() == 1
    assert table.take(UPDATE) is None


def test_another_method_does_not_use_a_fault_up():
    table = FaultTable()
    table.add(Fault(method="GetService", code="UNAVAILABLE", times=1))
    assert table.take(UPDATE) is None
    assert len(table.faults) == 1


def test_the_first_fault_that_fits_comes_first():
    table = FaultTable()
    table.add(Fault(method="UpdateService", code="ABORTED", times=1))
    table.add(Fault(method="*", code="INTERNAL"))
    assert [table.take(UPDATE).code for _ in range(2)] == ["ABORTED", "INTERNAL"]


def test_clearing_one_pattern_leaves_the_others():
    table = FaultTable()
    table.add(Fault(method="GetService"))
    table.add(Fault(method="UpdateService"))
    assert table.clear("GetService") == 1
    assert [fault.method for fault in table.faults] == ["UpdateService"]


@pytest.mark.parametrize("wrong", [{"times": 0}, {"delay_s": -0.1}])
def test_a_fault_that_could_never_happen_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        Fault(method="*", **wrong)
