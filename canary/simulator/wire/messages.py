"""The wire messages of the APIs, as raw protobuf classes.

google-cloud-run and google-cloud-monitoring ship proto-plus wrappers only; their `.pb()` is the
protobuf class underneath. Raw ones are used throughout: building 3 000 points costs 6 µs each
instead of about 100. The packages' own `__init__` imports every client, transport and auth
library (0.6 s); only the message modules are wanted (0.05 s), so the package bodies are skipped
while those are loaded. Modules loaded so are the same ones a later full import finds.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from google.api import distribution_pb2, metric_pb2
from google.iam.v1 import iam_policy_pb2
from google.longrunning import operations_pb2
from google.protobuf import duration_pb2, empty_pb2, timestamp_pb2

_PACKAGES = (
    "google.cloud.run_v2",
    "google.cloud.run_v2.types",
    "google.cloud.monitoring_v3",
    "google.cloud.monitoring_v3.types",
)


@contextlib.contextmanager
def _bodies_skipped(packages: Sequence[str] = _PACKAGES) -> Iterator[None]:
    """Let the packages' submodules be imported without running the packages' own code."""
    hollow: list[str] = []
    for name in packages:
        if name in sys.modules:
            continue
        spec = importlib.util.find_spec(name)
        if spec is None or spec.submodule_search_locations is None:
            raise ModuleNotFoundError(f"{name} is not installed", name=name)
        package = ModuleType(name)
        package.__path__ = list(spec.submodule_search_locations)
        package.__spec__ = spec
        sys.modules[name] = package
        hollow.append(name)
    try:
        yield
    finally:
        for name in hollow:
            del sys.modules[name]
            owner, _, attribute = name.rpartition(".")
            if owner in sys.modules:
                # The import system binds a submodule to its package; unbind the hollow one.
                vars(sys.modules[owner]).pop(attribute, None)


def _load(name: str) -> Any:
    return importlib.import_module(name)


def load_types(package: str, module: str) -> Any:
    """Return a module of another package's messages, imported as lean as those here."""
    with _bodies_skipped((package, f"{package}.types")):
        return _load(f"{package}.types.{module}")


class LateMessage:
    """A message class that is imported when the first one of it is read.

    For methods that few callers use, and whose modules take milliseconds that the start has not.
    """

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def resolve(self) -> Any:
        """Return the protobuf class."""
        with _bodies_skipped():
            return getattr(_load(self._module), self._name).pb()

    def FromString(self, data: bytes) -> Any:  # noqa: N802 - as protobuf has it
        """Return the message in its wire form."""
        return self.resolve().FromString(data)

    def SerializeToString(self, message: Any) -> bytes:  # noqa: N802 - as protobuf has it
        """Return a message's wire form."""
        return bytes(message.SerializeToString())


with _bodies_skipped():
    _service = _load("google.cloud.run_v2.types.service")
    _revision = _load("google.cloud.run_v2.types.revision")
    _job = _load("google.cloud.run_v2.types.job")
    _template = _load("google.cloud.run_v2.types.revision_template")
    _condition = _load("google.cloud.run_v2.types.condition")
    _traffic = _load("google.cloud.run_v2.types.traffic_target")
    _metric_service = _load("google.cloud.monitoring_v3.types.metric_service")
    _metric = _load("google.cloud.monitoring_v3.types.metric")
    _common = _load("google.cloud.monitoring_v3.types.common")

Service: Any = _service.Service.pb()
GetServiceRequest: Any = _service.GetServiceRequest.pb()
ListServicesRequest: Any = _service.ListServicesRequest.pb()
ListServicesResponse: Any = _service.ListServicesResponse.pb()
UpdateServiceRequest: Any = _service.UpdateServiceRequest.pb()
DeleteServiceRequest: Any = _service.DeleteServiceRequest.pb()
Revision: Any = _revision.Revision.pb()
GetRevisionRequest: Any = _revision.GetRevisionRequest.pb()
ListRevisionsRequest: Any = _revision.ListRevisionsRequest.pb()
ListRevisionsResponse: Any = _revision.ListRevisionsResponse.pb()
Job: Any = _job.Job.pb()
ListJobsRequest: Any = _job.ListJobsRequest.pb()
ListJobsResponse: Any = _job.ListJobsResponse.pb()
RevisionTemplate: Any = _template.RevisionTemplate.pb()
Condition: Any = _condition.Condition.pb()
TO_LATEST = int(_traffic.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST)
TO_REVISION = int(_traffic.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION)

TestIamPermissionsRequest: Any = iam_policy_pb2.TestIamPermissionsRequest
TestIamPermissionsResponse: Any = iam_policy_pb2.TestIamPermissionsResponse

Operation: Any = operations_pb2.Operation
GetOperationRequest: Any = operations_pb2.GetOperationRequest
WaitOperationRequest: Any = operations_pb2.WaitOperationRequest

ListTimeSeriesRequest: Any = _metric_service.ListTimeSeriesRequest.pb()
ListTimeSeriesResponse: Any = _metric_service.ListTimeSeriesResponse.pb()
CreateTimeSeriesRequest: Any = _metric_service.CreateTimeSeriesRequest.pb()
ListMetricDescriptorsRequest: Any = _metric_service.ListMetricDescriptorsRequest.pb()
ListMetricDescriptorsResponse: Any = _metric_service.ListMetricDescriptorsResponse.pb()
TimeSeries: Any = _metric.TimeSeries.pb()
AGGREGATION: Any = _common.Aggregation.pb()

_ALERT, _ALERTS = (
    f"google.cloud.monitoring_v3.types.{name}" for name in ("alert", "alert_service")
)
AlertPolicy = LateMessage(_ALERT, "AlertPolicy")
ListAlertPoliciesRequest = LateMessage(_ALERTS, "ListAlertPoliciesRequest")
ListAlertPoliciesResponse = LateMessage(_ALERTS, "ListAlertPoliciesResponse")
GetAlertPolicyRequest = LateMessage(_ALERTS, "GetAlertPolicyRequest")
CreateAlertPolicyRequest = LateMessage(_ALERTS, "CreateAlertPolicyRequest")
UpdateAlertPolicyRequest = LateMessage(_ALERTS, "UpdateAlertPolicyRequest")
DeleteAlertPolicyRequest = LateMessage(_ALERTS, "DeleteAlertPolicyRequest")

MetricDescriptor: Any = metric_pb2.MetricDescriptor
Distribution: Any = distribution_pb2.Distribution

Duration: Any = duration_pb2.Duration
Empty: Any = empty_pb2.Empty
Timestamp: Any = timestamp_pb2.Timestamp


def timestamp(unix_s: float) -> Any:
    """Return a Timestamp of unix seconds, to the microsecond (all that a float holds)."""
    micros = round(unix_s * 1_000_000)
    return Timestamp(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1_000)


def nanoseconds(stamp: Any) -> int:
    """Return a Timestamp or Duration as integer nanoseconds."""
    return int(stamp.seconds) * 1_000_000_000 + int(stamp.nanos)


def short_name(name: str) -> str:
    """Return the last part of a resource name."""
    return name.rpartition("/")[2]
