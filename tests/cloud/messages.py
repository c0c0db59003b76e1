"""Raw protobuf messages as the adapters get them from Google's clients."""

from typing import Any

from canary.cloud.connection.client_modules import load_api

PARENT = "projects/p/locations/r/services"


def service(name: str = "ion-api", **fields: Any) -> Any:
    """A Service message; the share is set by the caller."""
    kind = load_api("services").types.Service
    return kind.pb(kind(name=f"{PARENT}/{name}", **fields))


def env_service(*containers: dict[str, str], **fields: Any) -> Any:
    """A Service whose template has these containers' environments."""
    return service(
        template={
            "revision": "ion-api-00007-abc",
            "containers": [
                {"image": "image", "env": [{"name": n, "value": v} for n, v in each.items()]}
                for each in containers
            ],
        },
        **fields,
    )


def split_service(*traffic: tuple[str, int, str], latest: str = "ion-api-00001-leg") -> Any:
    """A Service that splits: (revision or "" for LATEST, percent, tag)."""
    return service(
        latest_ready_revision=f"{PARENT}/ion-api/revisions/{latest}",
        traffic=[
            {"type_": 2 if revision else 1, "revision": revision, "percent": percent, "tag": tag}
            for revision, percent, tag in traffic
        ],
    )


def series(
    values: dict[int, Any], service_name: str = "ion-api", resource: Any = None, **labels: str
) -> Any:
    """A TimeSeries message of {end time: TypedValue as a dict}, newest first."""
    types = load_api("metrics").types
    kind = types.gm_metric.TimeSeries
    return kind.pb(
        kind(
            metric={"labels": labels},
            resource={"labels": resource or {"service_name": service_name}},
            points=[
                {"interval": {"end_time": {"seconds": end}}, "value": value}
                for end, value in sorted(values.items(), reverse=True)
            ],
        )
    )


def distribution(
    counts: list[int], mean: float = 5.0, deviation: float = 1.0, **options: Any
) -> dict[str, Any]:
    """A TypedValue with a distribution; `count` replaces the sum of the counts."""
    layout = {"exponential_buckets": {"num_finite_buckets": 3, "growth_factor": 2.0, "scale": 1.0}}
    return {
        "distribution_value": {
            "count": options.pop("count", sum(counts)),
            "mean": mean,
            "sum_of_squared_deviation": deviation,
            "bucket_options": options or layout,
            "bucket_counts": counts,
        }
    }
