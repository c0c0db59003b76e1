"""Log entries as Cloud Logging's messages, and as the fields that its filters select by."""

from __future__ import annotations

import functools
from typing import Any, Final

import msgspec

from canary.simulator.config import Config
from canary.simulator.wire.messages import load_types, timestamp
from canary.simulator.world.past_requests import AppLine
from canary.simulator.world.requests import LogEntry
from canary.simulator.world.traffic.causes import REMOTE_IP, USER_AGENT

NO_INSTANCE = "The request was aborted because there was no available instance."

SEVERITIES: Final = {"DEFAULT": 0, "INFO": 200, "WARNING": 400, "ERROR": 500, "CRITICAL": 600}
"""google/logging/type/log_severity.proto."""


class LogWriter:
    """Writes entries of one project; what those of a revision share is made once."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._templates: dict[tuple[str, str], Any] = {}

    def fields(self, entry: LogEntry) -> dict[str, str]:
        """Return what a request's entry is selected by."""
        return {
            **self._place(entry),
            "logName": request_log(self._config.project),
            "httpRequest.status": str(entry.status),
            "httpRequest.requestMethod": entry.aim.method,
            "severity": severity_of(entry.status),
            "insertId": entry.insert_id,
            "timestamp": repr(began_at(entry)),
        }

    def line_fields(self, line: AppLine) -> dict[str, str]:
        """Return what an application's line is selected by."""
        return {
            **self._place(line.of),
            "logName": application_log(self._config.project),
            "severity": line.severity,
            "timestamp": repr(line.at),
        }

    def _place(self, entry: LogEntry) -> dict[str, str]:
        config = self._config
        return {
            "resource.type": "cloud_run_revision",
            "resource.labels.project_id": config.project,
            "resource.labels.location": config.region,
            "resource.labels.service_name": entry.service,
            "resource.labels.revision_name": entry.revision,
            "resource.labels.configuration_name": entry.service,
            "labels.instanceId": entry.instance,
            "trace": self._trace(entry),
        }

    def write(self, proto: Any, entry: LogEntry) -> None:
        """Fill a message with a request's entry, with all that a real one says of the caller."""
        proto.CopyFrom(self._template(entry.service, entry.revision))
        proto.log_name = request_log(self._config.project)
        latency_s = entry.latency_ms / 1000.0
        proto.timestamp.CopyFrom(timestamp(began_at(entry)))
        proto.receive_timestamp.CopyFrom(timestamp(entry.ended_at + 0.5 + entry.late_s))
        proto.insert_id = entry.insert_id
        proto.severity = SEVERITIES[severity_of(entry.status)]
        http, aim = proto.http_request, entry.aim
        http.status = entry.status
        http.request_method = aim.method
        http.request_url = f"https://{entry.service}-abcdefghij-uc.a.run.app{aim.path}"
        http.remote_ip = REMOTE_IP
        http.user_agent = USER_AGENT
        if aim.trace:
            proto.trace = self._trace(entry)
        if entry.instance:
            proto.labels["instanceId"] = entry.instance
        else:
            proto.text_payload = NO_INSTANCE
        micros = round(latency_s * 1e6)
        http.latency.seconds = micros // 1_000_000
        http.latency.nanos = micros % 1_000_000 * 1_000

    def write_line(self, proto: Any, line: AppLine) -> None:
        """Fill a message with a line that the application wrote."""
        proto.CopyFrom(self._template(line.of.service, line.of.revision))
        proto.log_name = application_log(self._config.project)
        proto.timestamp.CopyFrom(timestamp(line.at))
        proto.receive_timestamp.CopyFrom(timestamp(line.at + 0.5))
        proto.insert_id = f"{line.of.insert_id}-{line.at:.6f}"
        proto.severity = SEVERITIES[line.severity]
        proto.trace = self._trace(line.of)
        proto.labels["instanceId"] = line.of.instance
        proto.text_payload = line.text

    def _trace(self, entry: LogEntry) -> str:
        trace = entry.aim.trace
        return f"projects/{self._config.project}/traces/{trace}" if trace else ""

    def _template(self, service: str, revision: str) -> Any:
        """What all entries of a revision share; filled once, copied for each."""
        known = self._templates.get((service, revision))
        if known is None:
            config = self._config
            known = log_messages().entry()
            known.resource.type = "cloud_run_revision"
            known.resource.labels.update(
                project_id=config.project,
                location=config.region,
                service_name=service,
                revision_name=revision,
                configuration_name=service,
            )
            self._templates[service, revision] = known
        return known


def began_at(entry: LogEntry) -> float:
    """Return an entry's timestamp: when the request began."""
    return entry.ended_at - entry.latency_ms / 1000.0


def request_log(project: str) -> str:
    """Return the name of Cloud Run's request log."""
    return f"projects/{project}/logs/run.googleapis.com%2Frequests"


def application_log(project: str) -> str:
    """Return the name of the log of what containers write to standard error."""
    return f"projects/{project}/logs/run.googleapis.com%2Fstderr"


def severity_of(status: int) -> str:
    """Return the severity of a request's entry, as Cloud Run sets it."""
    if status >= 500:
        return "ERROR"
    return "WARNING" if status >= 400 else "INFO"


# Cloud Logging's wire messages, loaded when the first call comes: nobody else needs them.


class LogMessages(msgspec.Struct, frozen=True):
    """The raw protobuf classes that the service speaks."""

    request: Any
    response: Any
    list_request: Any
    list_response: Any
    entry: Any
    rate_limit: int
    not_consumed: int


@functools.cache
def log_messages() -> LogMessages:
    """Return the classes; the first call imports them."""
    logging = load_types("google.cloud.logging_v2", "logging")
    log_entry = load_types("google.cloud.logging_v2", "log_entry")
    reasons = logging.TailLogEntriesResponse.SuppressionInfo.Reason
    return LogMessages(
        request=logging.TailLogEntriesRequest.pb(),
        response=logging.TailLogEntriesResponse.pb(),
        list_request=logging.ListLogEntriesRequest.pb(),
        list_response=logging.ListLogEntriesResponse.pb(),
        entry=log_entry.LogEntry.pb(),
        rate_limit=int(reasons.RATE_LIMIT),
        not_consumed=int(reasons.NOT_CONSUMED),
    )
