"""Cloud Run's resources as the v1 API (Knative's) shows them: v2 messages → JSON objects.

The v1 API is another view of the same services: what v2 has as fields are annotations in
`run.googleapis.com/` and `autoscaling.knative.dev/` there, and `resourceVersion` is the etag.
Source: https://cloud.google.com/run/docs/reference/rest/v1/namespaces.services
"""

from __future__ import annotations

import json
from typing import Any

from canary.simulator.api.registry import by_digest
from canary.simulator.wire import messages
from canary.simulator.wire.messages import short_name

API_VERSION = "serving.knative.dev/v1"
LOCATION_LABEL = "cloud.googleapis.com/location"
INGRESS = {0: "all", 1: "all", 2: "internal", 3: "internal-and-cloud-load-balancing", 4: "none"}
RUN = "run.googleapis.com"
AUTOSCALING = "autoscaling.knative.dev"

_STATUS = {"CONDITION_SUCCEEDED": "True", "CONDITION_FAILED": "False"}


def view_service(service: Any, operation_id: str) -> dict[str, Any]:
    """Return a Service; `operation_id` is of the newest change, "" when there is none known."""
    path = service.name.split("/")
    name, project, region = path[5], path[1], path[3]
    return {
        "apiVersion": API_VERSION,
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": project,
            "selfLink": f"/apis/{API_VERSION}/namespaces/{project}/services/{name}",
            "uid": service.uid,
            "resourceVersion": service.etag,
            "generation": int(service.generation),
            "creationTimestamp": service.create_time.ToJsonString(),
            "labels": {**service.labels, LOCATION_LABEL: region},
            "annotations": _service_annotations(service, operation_id),
        },
        "spec": {
            "template": view_template(service.template),
            "traffic": [_target(target) for target in service.traffic],
        },
        "status": _service_status(service),
    }


def _service_annotations(service: Any, operation_id: str) -> dict[str, str]:
    shown = {
        f"{RUN}/client-name": service.client,
        f"{RUN}/client-version": service.client_version,
        f"{RUN}/description": service.description,
        f"{RUN}/ingress": INGRESS.get(service.ingress, "all"),
        f"{RUN}/ingress-status": INGRESS.get(service.ingress, "all"),
        f"{RUN}/minScale": _count(service.scaling.min_instance_count),
        f"{RUN}/maxScale": _count(service.scaling.max_instance_count),
        f"{RUN}/operation-id": operation_id,
        f"{RUN}/urls": json.dumps(list(service.urls)),
        "serving.knative.dev/creator": service.creator,
        "serving.knative.dev/lastModifier": service.last_modifier,
    }
    return {**service.annotations, **{key: text for key, text in shown.items() if text}}


def view_template(template: Any) -> dict[str, Any]:
    """Return the template of a Service, as it can be sent back."""
    named = _filled(name=template.revision, labels=dict(template.labels))
    metadata = {"annotations": _revision_annotations(template), **named}
    return {"metadata": metadata, "spec": _revision_spec(template)}


def _revision_annotations(template: Any) -> dict[str, str]:
    scaling = template.scaling
    resources = [one.resources for one in template.containers if one.HasField("resources")]
    shown = {
        f"{AUTOSCALING}/minScale": _count(scaling.min_instance_count),
        f"{AUTOSCALING}/maxScale": _count(scaling.max_instance_count),
        f"{RUN}/sessionAffinity": "true" if template.session_affinity else "",
        f"{RUN}/startup-cpu-boost": "true" if any(r.startup_cpu_boost for r in resources) else "",
    }
    return {**template.annotations, **{key: text for key, text in shown.items() if text}}


def _revision_spec(template: Any) -> dict[str, Any]:
    return {
        "containers": [_container(one) for one in template.containers],
        **_filled(
            containerConcurrency=int(template.max_instance_request_concurrency),
            timeoutSeconds=int(template.timeout.seconds),
            serviceAccountName=template.service_account,
        ),
    }


def _container(container: Any) -> dict[str, Any]:
    limits = dict(container.resources.limits)
    return {
        "image": container.image,
        **_filled(
            name=container.name,
            command=list(container.command),
            args=list(container.args),
            env=[_variable(one) for one in container.env],
            ports=[
                {"name": port.name, "containerPort": int(port.container_port)}
                for port in container.ports
            ],
            resources={"limits": limits} if limits else {},
        ),
    }


def _variable(variable: Any) -> dict[str, Any]:
    """A variable; of a secret's the v1 API calls the version `key`."""
    if variable.WhichOneof("values") != "value_source":
        return {"name": variable.name, "value": variable.value}
    secret = variable.value_source.secret_key_ref
    source = {"secretKeyRef": {"name": secret.secret, "key": secret.version or "latest"}}
    return {"name": variable.name, "valueFrom": source}


def _target(target: Any) -> dict[str, Any]:
    latest = target.type_ == messages.TO_LATEST
    to = {"latestRevision": True} if latest else {"revisionName": target.revision}
    return {**to, **_filled(percent=int(target.percent), tag=target.tag)}


def _filled(**shown: Any) -> dict[str, Any]:
    """Return what is neither empty nor 0: proto's JSON leaves the rest out."""
    return {name: value for name, value in shown.items() if value}


def _service_status(service: Any) -> dict[str, Any]:
    latest = short_name(service.latest_ready_revision)
    served = []
    for status in service.traffic_statuses:
        # Unlike in v2, the latest revision is named here too.
        named = {"revisionName": status.revision or latest, **_filled(url=status.uri)}
        served.append({**_target(status), **named})
    conditions = [_condition(service.terminal_condition), *map(_condition, service.conditions)]
    return {
        "observedGeneration": int(service.generation),
        "conditions": conditions,
        "latestReadyRevisionName": latest,
        "latestCreatedRevisionName": short_name(service.latest_created_revision),
        "traffic": served,
        "url": service.uri,
        "address": {"url": service.uri},
    }


def _condition(condition: Any) -> dict[str, str]:
    state = messages.Condition.State.Name(condition.state)
    info = condition.severity == messages.Condition.Severity.Value("INFO")
    return {
        "type": condition.type_,
        "status": _STATUS.get(state, "Unknown"),
        "lastTransitionTime": condition.last_transition_time.ToJsonString(),
        **_filled(message=condition.message, severity="Info" if info else ""),
    }


def view_revision(revision: Any) -> dict[str, Any]:
    """Return a Revision."""
    path = revision.name.split("/")
    name, project, region = path[7], path[1], path[3]
    labels = {
        **revision.labels,
        LOCATION_LABEL: region,
        "serving.knative.dev/service": path[5],
        "serving.knative.dev/configuration": path[5],
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "Revision",
        "metadata": {
            "name": name,
            "namespace": project,
            "selfLink": f"/apis/{API_VERSION}/namespaces/{project}/revisions/{name}",
            "uid": revision.uid,
            "resourceVersion": revision.etag,
            "generation": int(revision.generation),
            "creationTimestamp": revision.create_time.ToJsonString(),
            "labels": labels,
            "annotations": {
                **_revision_annotations(revision),
                "serving.knative.dev/creator": revision.creator,
            },
        },
        "spec": _revision_spec(revision),
        "status": {
            "observedGeneration": int(revision.generation),
            "conditions": [_condition(one) for one in revision.conditions],
            "imageDigest": by_digest(revision.containers[0].image),
        },
    }


def _count(number: int) -> str:
    return str(number) if number else ""
