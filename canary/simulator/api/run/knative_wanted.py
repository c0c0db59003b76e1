"""What a PUT of the v1 API (Knative's) wants of a service, as a v2 Service.

What is not translated is refused by name rather than dropped: a flag of gcloud that was accepted
and did nothing would be worse than an error.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from canary.simulator.api.run.knative_view import AUTOSCALING, INGRESS, LOCATION_LABEL, RUN
from canary.simulator.wire import messages
from canary.simulator.wire.calls import ApiError, invalid
from canary.simulator.world.services.rules import SYSTEM_NAMESPACES

MASK = (
    "description",
    "labels",
    "annotations",
    "client",
    "client_version",
    "ingress",
    "template",
    "traffic",
    "scaling",
)
"""What a PUT replaces: all that the v1 view shows and a caller may set."""

_WRITTEN_BY_CLOUD_RUN = frozenset(
    [
        f"{RUN}/ingress-status",
        f"{RUN}/operation-id",
        f"{RUN}/urls",
        f"{RUN}/launch-stage",
        f"{RUN}/build-function-target",
        "serving.knative.dev/creator",
        "serving.knative.dev/lastModifier",
    ]
)
_SERVICE = frozenset(
    f"{RUN}/{name}"
    for name in ("client-name", "client-version", "description", "ingress", "minScale", "maxScale")
)
_TEMPLATE = frozenset(
    [
        f"{AUTOSCALING}/minScale",
        f"{AUTOSCALING}/maxScale",
        f"{RUN}/sessionAffinity",
        f"{RUN}/startup-cpu-boost",
        # Only who made it; the real service takes them without making a new revision either.
        f"{RUN}/client-name",
        f"{RUN}/client-version",
    ]
)
_SPEC = frozenset(["containers", "containerConcurrency", "timeoutSeconds", "serviceAccountName"])
_CONTAINER = frozenset(["name", "image", "command", "args", "env", "ports", "resources"])
_TARGET = frozenset(["revisionName", "latestRevision", "percent", "tag", "url"])


def read_wanted(current: Any, sent: Mapping[str, Any]) -> Any:
    """Return the v2 Service that a v1 object wants; `current` is the stored one.

    Raises ApiError INVALID_ARGUMENT for what is no such object, or holds what is not translated.
    """
    try:
        return _read(current, sent)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise invalid(f"The Service cannot be read: {type(exc).__name__} {exc}.") from exc


def _read(current: Any, sent: Mapping[str, Any]) -> Any:
    metadata, spec = sent["metadata"], sent["spec"]
    annotations = dict(metadata.get("annotations") or {})
    _refuse(annotations, _SERVICE | _WRITTEN_BY_CLOUD_RUN, "metadata.annotations")
    wanted = messages.Service(
        name=current.name,
        etag=metadata.get("resourceVersion") or "",
        description=annotations.get(f"{RUN}/description", ""),
        client=annotations.get(f"{RUN}/client-name", ""),
        client_version=annotations.get(f"{RUN}/client-version", ""),
        ingress=_ingress(annotations.get(f"{RUN}/ingress", "all")),
    )
    wanted.labels.update(_without(metadata.get("labels"), {LOCATION_LABEL}))
    wanted.annotations.update(_own(annotations))
    wanted.scaling.CopyFrom(current.scaling)
    _read_scaling(wanted.scaling, annotations, RUN)
    wanted.template.CopyFrom(current.template)
    _read_template(wanted.template, spec["template"])
    for target in spec.get("traffic") or ():
        _read_target(wanted.traffic.add(), target)
    return wanted


def _read_template(template: Any, sent: Mapping[str, Any]) -> None:
    metadata, spec = sent.get("metadata") or {}, sent["spec"]
    annotations = dict(metadata.get("annotations") or {})
    _refuse(annotations, _TEMPLATE, "spec.template.metadata.annotations")
    _known(spec, _SPEC, "spec.template.spec")
    template.revision = metadata.get("name") or ""
    template.labels.clear()
    template.labels.update(_without(metadata.get("labels"), {LOCATION_LABEL}))
    template.annotations.clear()
    template.annotations.update(_own(annotations))
    _read_scaling(template.scaling, annotations, AUTOSCALING)
    if not template.scaling.ByteSize():
        # Absent and empty mean the same, but are different configurations to a comparison.
        template.ClearField("scaling")
    template.session_affinity = annotations.get(f"{RUN}/sessionAffinity") == "true"
    template.max_instance_request_concurrency = int(spec.get("containerConcurrency") or 0)
    template.timeout.seconds = int(spec.get("timeoutSeconds") or 0)
    template.service_account = spec.get("serviceAccountName") or ""
    before = list(template.containers)
    del template.containers[:]
    boost = annotations.get(f"{RUN}/startup-cpu-boost") == "true"
    for index, container in enumerate(spec["containers"]):
        read = template.containers.add()
        if index < len(before):
            read.CopyFrom(before[index])
        _read_container(read, container)
        if read.resources.startup_cpu_boost != boost:
            read.resources.startup_cpu_boost = boost


def _read_container(container: Any, sent: Mapping[str, Any]) -> None:
    _known(sent, _CONTAINER, "spec.template.spec.containers[]")
    container.name = sent.get("name") or ""
    container.image = sent["image"]
    container.command[:] = sent.get("command") or []
    container.args[:] = sent.get("args") or []
    del container.env[:]
    for entry in sent.get("env") or ():
        _read_variable(container.env.add(name=entry["name"]), entry)
    del container.ports[:]
    for port in sent.get("ports") or ():
        container.ports.add(
            name=port.get("name") or "", container_port=int(port.get("containerPort") or 0)
        )
    limits = (sent.get("resources") or {}).get("limits") or {}
    if dict(container.resources.limits) != limits:
        container.resources.limits.clear()
        container.resources.limits.update(limits)


def _read_variable(variable: Any, sent: Mapping[str, Any]) -> None:
    where = "spec.template.spec.containers[].env[]"
    _known(sent, {"name", "value", "valueFrom"}, where)
    if not sent.get("valueFrom"):
        variable.value = sent.get("value") or ""
        return
    _known(sent["valueFrom"], {"secretKeyRef"}, f"{where}.valueFrom")
    secret = sent["valueFrom"]["secretKeyRef"]
    variable.value_source.secret_key_ref.secret = secret["name"]
    variable.value_source.secret_key_ref.version = secret["key"]


def _read_target(target: Any, sent: Mapping[str, Any]) -> None:
    _known(sent, _TARGET, "spec.traffic[]")
    latest = bool(sent.get("latestRevision"))
    target.type_ = messages.TO_LATEST if latest else messages.TO_REVISION
    # A client may send back the name that the status gave to the latest one.
    target.revision = "" if latest else sent.get("revisionName") or ""
    target.percent = int(sent.get("percent") or 0)
    target.tag = sent.get("tag") or ""


def _read_scaling(scaling: Any, annotations: Mapping[str, str], namespace: str) -> None:
    scaling.min_instance_count = int(annotations.get(f"{namespace}/minScale") or 0)
    scaling.max_instance_count = int(annotations.get(f"{namespace}/maxScale") or 0)


def _ingress(text: str) -> int:
    found = [number for number, name in INGRESS.items() if name == text and number]
    if not found:
        raise invalid(f"metadata.annotations[{RUN}/ingress]: {text!r} is not a kind of ingress.")
    return found[0]


def _own(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return what is not in a namespace of the system: v2 keeps only those as annotations."""
    return {
        key: text
        for key, text in annotations.items()
        if key.partition("/")[0] not in SYSTEM_NAMESPACES
    }


def _refuse(annotations: Mapping[str, str], known: Collection[str], where: str) -> None:
    for key in annotations:
        if key.partition("/")[0] in SYSTEM_NAMESPACES and key not in known:
            raise _untranslated(f"{where}[{key}]")


def _known(sent: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for key, value in sent.items():
        if key not in known and value:
            raise _untranslated(f"{where}.{key}")


def _untranslated(what: str) -> ApiError:
    return invalid(f"{what}: the embedded cloud does not know this part of the v1 API.")


def _without(labels: Mapping[str, str] | None, left_out: Collection[str]) -> dict[str, str]:
    return {key: text for key, text in (labels or {}).items() if key not in left_out}
