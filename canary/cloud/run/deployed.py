"""What a revision runs, as facts to compare: from raw messages, without any hidden value. Pure.

Fields by google.cloud.run.v2.Revision and Service. A field that is not known by name here is told
as "set", so that a difference in it is not lost.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from typing import Any, Final

from canary.rollout.snapshot.differences import Deployed, Fact
from canary.rollout.text import format_duration, sanitize

_KEY: Final = secrets.token_bytes(16)
"""Of this process alone: a token tells nothing outside of it."""

_COMMIT: Final = ("commit", "git-", "git_", "version", "build", "release")
_PLAIN: Final = frozenset(
    (
        *("name", "uid", "generation", "labels", "annotations", "create_time", "update_time"),
        *("delete_time", "expire_time", "launch_stage", "service", "scaling", "vpc_access"),
        *("max_instance_request_concurrency", "timeout", "service_account", "containers"),
        *("volumes", "execution_environment", "encryption_key", "reconciling", "conditions"),
        *("observed_generation", "log_uri", "satisfies_pzs", "session_affinity"),
        *("scaling_status", "creator", "etag"),
    )
)
"""Fields of a revision that are read by name, or say nothing of what it runs."""
_OF_CONTAINER: Final = frozenset(
    (
        *("name", "image", "env", "resources", "ports", "liveness_probe", "startup_probe"),
        *("readiness_probe", "build_info"),
    )
)
_EXECUTION: Final = {1: "first generation", 2: "second generation"}
_INGRESS: Final = {1: "all", 2: "internal", 3: "internal and load balancer", 4: "none"}
_EGRESS: Final = {1: "all traffic", 2: "private ranges only"}
_MOST: Final = 200
_MOST_FACTS: Final = 400
"""A service has fewer by far; what is beyond is left out, so that nothing grows without bound."""


def read_deployed(revision: Any, service: Any) -> Deployed:
    """A raw Revision with the raw Service that it belongs to; both are left as they are."""
    stamp = revision.create_time
    at = stamp.seconds + stamp.nanos / 1e9
    by = revision.creator or service.last_modifier
    name = service.name.rpartition("/")[2]
    facts = tuple(_unique(_facts(revision, service)))[:_MOST_FACTS]
    short = revision.name.rpartition("/")[2]
    return Deployed(name, sanitize(short, 80), at or None, sanitize(by, 100), facts)


def _unique(facts: Iterator[Fact]) -> Iterator[Fact]:
    seen: set[tuple[str, str]] = set()
    for fact in facts:
        if (fact.group, fact.field) not in seen:
            seen.add((fact.group, fact.field))
            yield fact


def _facts(revision: Any, service: Any) -> Iterator[Fact]:
    for index, container in enumerate(revision.containers):
        of = "" if len(revision.containers) == 1 else f" of {container.name or index + 1}"
        yield from _container(container, sanitize(of, 60))
    yield from _labels(revision)
    yield from _volumes(revision)
    yield from _sizes(revision, service)
    yield from _network(revision, service)
    yield from _identity(revision, service)
    yield from _rest(revision)


def _container(container: Any, of: str) -> Iterator[Fact]:
    yield Fact("image", f"image{of}", sanitize(container.image, 300))
    for variable in container.env:
        name = f"{sanitize(variable.name, 80)}{of}"
        if variable.WhichOneof("values") == "value_source":
            secret = variable.value_source.secret_key_ref
            yield Fact("secrets", name, _secret(secret.secret, secret.version))
        else:
            yield Fact("env", name, "", _token(variable.value.encode()))
    for name, amount in container.resources.limits.items():
        known = {"cpu": "CPU", "memory": "memory"}.get(name, name)
        yield Fact("resources", f"{sanitize(known, 60)}{of}", sanitize(amount, 40))
    always = not container.resources.cpu_idle
    yield Fact("resources", f"CPU outside of requests{of}", "on" if always else "off")
    if container.resources.startup_cpu_boost:
        yield Fact("resources", f"CPU boost at the start{of}", "on")
    for kind in ("startup", "liveness", "readiness"):
        if container.HasField(f"{kind}_probe"):
            probe = getattr(container, f"{kind}_probe")
            yield Fact("probes", f"{kind}{of}", _probe(probe), _token(_bytes(probe)))
    for port in container.ports:
        yield Fact("network", f"port{of}", sanitize(f"{port.container_port} {port.name}", 40))
    for field, value in container.ListFields():
        if field.name not in _OF_CONTAINER:
            yield Fact(
                "rest", f"{field.name.replace('_', ' ')}{of}", "", _token(repr(value).encode())
            )


def _secret(name: str, version: str) -> str:
    return sanitize(f"{name.rpartition('/')[2]}, version {version or 'latest'}", _MOST)


def _probe(probe: Any) -> str:
    kind = probe.WhichOneof("probe_type") or "probe"
    if kind == "http_get":
        what = f"HTTP {probe.http_get.path or '/'}"
        port = probe.http_get.port
    elif kind == "grpc":
        what, port = "gRPC", probe.grpc.port
    else:
        what, port = "TCP", probe.tcp_socket.port
    times = (
        f"every {probe.period_seconds or 10} s",
        f"timeout {probe.timeout_seconds or 1} s",
        f"{probe.failure_threshold or 3} failures",
        f"delay {probe.initial_delay_seconds} s" if probe.initial_delay_seconds else "",
    )
    at = f" port {port}" if port else ""
    return sanitize(f"{what}{at}, {', '.join(filter(None, times))}", _MOST)


def _labels(revision: Any) -> Iterator[Fact]:
    for key, value in revision.labels.items():
        if "/" in key:
            continue  # the system's
        is_commit = any(part in key.lower() for part in _COMMIT)
        yield Fact(
            "commit" if is_commit else "rest",
            sanitize(key if is_commit else f"label {key}", 80),
            sanitize(value, 80) or '""',
        )
    for key, value in revision.annotations.items():
        yield Fact("rest", f"annotation {sanitize(key, 80)}", "", _token(value.encode()))


def _volumes(revision: Any) -> Iterator[Fact]:
    for volume in revision.volumes:
        name = f"volume {sanitize(volume.name, 60)}"
        if volume.WhichOneof("volume_type") == "secret":
            versions = ", ".join(i.version for i in volume.secret.items if i.version)
            yield Fact("secrets", name, _secret(volume.secret.secret, versions))
        else:
            kind = (volume.WhichOneof("volume_type") or "volume").replace("_", " ")
            yield Fact("rest", name, kind, _token(_bytes(volume)))


def _sizes(revision: Any, service: Any) -> Iterator[Fact]:
    concurrency = revision.max_instance_request_concurrency
    yield Fact("resources", "concurrency", str(concurrency) if concurrency else "default")
    if revision.HasField("timeout"):
        yield Fact("resources", "timeout", format_duration(float(revision.timeout.seconds)))
    for name, scaling in (("service", service.scaling), ("revision", revision.scaling)):
        least, most = scaling.min_instance_count, scaling.max_instance_count
        if least or most:
            yield Fact("scaling", f"instances of the {name}", f"{least} to {most or 'default'}")


def _network(revision: Any, service: Any) -> Iterator[Fact]:
    ingress = _INGRESS.get(service.ingress, str(service.ingress))
    yield Fact("network", "ingress", ingress)
    vpc = revision.vpc_access
    if vpc.connector:
        yield Fact("network", "VPC connector", sanitize(vpc.connector.rpartition("/")[2], 80))
    for index, interface in enumerate(vpc.network_interfaces):
        where = f"{interface.network or '–'}/{interface.subnetwork or '–'}"
        tags = ", ".join(interface.tags)
        shown = sanitize(f"{where}{f' ({tags})' if tags else ''}", _MOST)
        yield Fact("network", f"VPC interface {index + 1}", shown)
    if vpc.egress:
        yield Fact("network", "VPC egress", _EGRESS.get(vpc.egress, str(vpc.egress)))


def _identity(revision: Any, service: Any) -> Iterator[Fact]:
    yield Fact("identity", "service account", sanitize(revision.service_account, 120) or "default")
    if revision.encryption_key:
        yield Fact("identity", "encryption key", sanitize(revision.encryption_key, _MOST))
    if service.invoker_iam_disabled:
        yield Fact("identity", "invoker check", "off")


def _rest(revision: Any) -> Iterator[Fact]:
    environment = _EXECUTION.get(revision.execution_environment, "default")
    yield Fact("rest", "execution environment", environment)
    yield Fact("rest", "session affinity", "on" if revision.session_affinity else "off")
    for field, value in revision.ListFields():
        if field.name not in _PLAIN:
            yield Fact("rest", field.name.replace("_", " "), "", _token(repr(value).encode()))


def _bytes(message: Any) -> bytes:
    return bytes(message.SerializeToString(deterministic=True))


def _token(value: bytes) -> str:
    return hashlib.blake2b(value, key=_KEY, digest_size=8).hexdigest()
