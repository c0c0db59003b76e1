"""google.monitoring.v3.MetricService of the embedded cloud: time series and descriptors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from canary.simulator.api.monitoring.aggregation import (
    NS,
    Aggregation,
    ModelSeries,
    Point,
    aggregate,
    check,
    first_slot_start,
)
from canary.simulator.api.monitoring.descriptors import (
    GENERIC_TASK,
    RESOURCE_TYPE,
    SAMPLE_PERIOD_S,
    Labels,
    Metric,
    metrics_of,
)
from canary.simulator.api.monitoring.series import (
    SeriesWriter,
    read_aggregation,
    read_interval,
)
from canary.simulator.wire import messages
from canary.simulator.wire.calls import (
    PageToken,
    cut_page,
    denied,
    invalid,
    invalid_field,
    not_found,
    page_size,
    read_token,
    unimplemented,
)
from canary.simulator.wire.filters import MonitoringFilter, parse_filter
from canary.simulator.world.traffic.minute import Minute
from canary.simulator.world.world import World

POINTS_A_PAGE = 10_000
"""The real limit is 100 000; a page of so many distributions would pass gRPC's 4 MB default."""

_KEPT_ANSWERS = 4


class MonitoringApi:
    """Answers from the world's minutes. Every method takes and returns the wire message."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._metrics = metrics_of(world.config.confidence_metric)
        self._visible_ns = 0
        self._answers: OrderedDict[tuple[str, int], list[ModelSeries]] = OrderedDict()

    def list_time_series(self, request: Any) -> Any:
        """Answer ListTimeSeries.

        Series are ordered by their labels, points newest first; a page is counted in points, so
        that a long series goes on in the next page.
        """
        self._check_project(request.name, "monitoring.timeSeries.list")
        selection = parse_filter(request.filter)
        metric = self._metric(selection)
        if request.order_by:
            raise invalid_field("order_by", request.order_by, "It must be left blank.")
        if request.HasField("secondary_aggregation"):
            raise unimplemented("secondary_aggregation: the embedded cloud reduces once only.")
        if request.view:
            raise unimplemented("view: the embedded cloud answers with points only.")
        aggregation = read_aggregation(request.aggregation, metric)
        shape = check(aggregation, metric.shape)
        token = read_token(request)
        until_ns = token.until_ns or self._visible_until()
        key = (token.digest, until_ns)
        series = self._answers.get(key)
        if series is None:
            series = self._compute(request, selection, metric, aggregation, until_ns)
            self._keep(key, series)
        writer = SeriesWriter(metric, shape, aggregation)
        token = PageToken(token.digest, token.offset, until_ns)
        return _write_points(request, series, writer, token)

    def list_metric_descriptors(self, request: Any) -> Any:
        """Answer ListMetricDescriptors: sorted by type."""
        self._check_project(request.name, "monitoring.metricDescriptors.list")
        selection = parse_filter(request.filter)
        found = [
            metric
            for _, metric in sorted(self._metrics.items())
            if selection.matches(
                {"metric.type": metric.type, "resource.type": metric.resource_type}
            )
        ]
        page, following = cut_page(found, request, default=1000, most=10_000)
        return messages.ListMetricDescriptorsResponse(
            metric_descriptors=[self._describe(metric) for metric in page],
            next_page_token=following,
        )

    def create_time_series(self, request: Any) -> Any:
        """Refuse CreateTimeSeries as the real one does; the model writes its own points."""
        self._check_project(request.name, "monitoring.timeSeries.create")
        if any(one.resource.type == RESOURCE_TYPE for one in request.time_series):
            raise invalid(
                "One or more TimeSeries could not be written: Metrics cannot be written to"
                f" {RESOURCE_TYPE}. See https://cloud.google.com/monitoring/custom-metrics/"
                "creating-metrics#which-resource for a list of writable resource types."
            )
        raise unimplemented("CreateTimeSeries: the embedded cloud writes its own points.")

    def _check_project(self, name: str, permission: str) -> None:
        if name != f"projects/{self._world.config.project}":
            raise denied(permission, name)

    def _metric(self, selection: MonitoringFilter) -> Metric:
        metric_type = selection.metric_type()
        metric = self._metrics.get(metric_type)
        if metric is None:
            raise not_found(
                f'Cannot find metric(s) that match type = "{metric_type}". If a metric was '
                "created recently, it could take up to 10 minutes to become available. Please "
                "try again soon."
            )
        strange = any(
            part.field.startswith("resource.labels.")
            and part.field.removeprefix("resource.labels.") not in metric.resource_labels
            for part in selection.tree.restrictions()
        )
        if strange or not selection.admits("resource.type", metric.resource_type):
            raise invalid(
                "The supplied filter does not specify a valid combination of metric and "
                "monitored resource descriptors. The query will not return any time series."
            )
        return metric

    def _visible_until(self) -> int:
        """Return the newest end of a minute that may be shown now, in ns.

        It never goes back: when the delay grows, what was visible stays so and nothing new comes.
        """
        now = self._world.clock.now()
        delay_s = self._world.scenario.current(now).ingest_delay_s
        self._visible_ns = max(self._visible_ns, int((now - delay_s) * NS))
        return self._visible_ns

    def _keep(self, key: tuple[str, int], series: list[ModelSeries]) -> None:
        self._answers[key] = series
        while len(self._answers) > _KEPT_ANSWERS:
            self._answers.popitem(last=False)

    def _compute(
        self,
        request: Any,
        selection: MonitoringFilter,
        metric: Metric,
        aggregation: Aggregation,
        until_ns: int,
    ) -> list[ModelSeries]:
        start_ns, end_ns = read_interval(request.interval)
        since_ns = first_slot_start(start_ns, end_ns, aggregation.period_s)
        raw = self._collect(selection, metric, since_ns, min(end_ns, until_ns))
        series = aggregate(raw, aggregation, end_ns)
        return [one for one in series if one.points]

    def _collect(
        self, selection: MonitoringFilter, metric: Metric, since_ns: int, until_ns: int
    ) -> list[ModelSeries]:
        """Return the selected series with their samples in (since, until], ordered by labels."""
        points: dict[tuple[str, str, Labels], list[Point]] = {}
        for service in self._world.config.services:
            if not selection.admits(f"resource.labels.{metric.service_label}", service):
                continue
            for minute in self._world.minutes(service, None, since_ns / NS, until_ns / NS):
                _add_minute(points, metric, minute)
        selected = []
        for (service, revision, labels), samples in sorted(points.items()):
            series = ModelSeries(self._resource(metric, service, revision), dict(labels), samples)
            if selection.matches(_fields(metric, series)):
                selected.append(series)
        return selected

    def _resource(self, metric: Metric, service: str, revision: str) -> dict[str, str]:
        config = self._world.config
        values = (config.project, config.region, service, revision, service)
        if metric.resource_type == GENERIC_TASK:
            # As OpenTelemetry writes it: service.namespace, service.name, service.instance.id.
            values = (config.project, config.region, revision, service, f"{revision}/1")
        return dict(zip(metric.resource_labels, values, strict=True))

    def _describe(self, metric: Metric) -> Any:
        proto = messages.MetricDescriptor
        descriptor = proto(
            name=f"projects/{self._world.config.project}/metricDescriptors/{metric.type}",
            type=metric.type,
            metric_kind=proto.MetricKind.Value(metric.shape.kind),
            value_type=proto.ValueType.Value(metric.shape.value_type),
            unit=metric.unit,
            display_name=metric.display_name,
            description=metric.description,
            monitored_resource_types=[metric.resource_type],
        )
        for key, description in metric.labels:
            descriptor.labels.add(key=key, description=description)
        descriptor.metadata.sample_period.seconds = SAMPLE_PERIOD_S
        # The descriptor tells the usual delay; a scenario that delays more does not announce it.
        descriptor.metadata.ingest_delay.seconds = round(self._world.config.ingest_delay_s)
        return descriptor


def _add_minute(
    points: dict[tuple[str, str, Labels], list[Point]], metric: Metric, minute: Minute
) -> None:
    end_ns = minute.end * NS
    for labels, value in metric.read(minute):
        key = (minute.service, minute.revision, labels)
        samples = points.get(key)
        if samples is None:
            samples = points[key] = []
        samples.append((end_ns, value))


def _fields(metric: Metric, series: ModelSeries) -> Mapping[str, str]:
    fields = {"metric.type": metric.type, "resource.type": metric.resource_type}
    fields |= {f"resource.labels.{name}": text for name, text in series.resource_labels.items()}
    fields |= {f"metric.labels.{name}": text for name, text in series.metric_labels.items()}
    return fields


def _write_points(
    request: Any, series: Sequence[ModelSeries], writer: SeriesWriter, token: PageToken
) -> Any:
    response = messages.ListTimeSeriesResponse()
    room = page_size(request, POINTS_A_PAGE, POINTS_A_PAGE)
    passed = 0
    for one in series:
        skip = max(0, token.offset - passed)
        take = min(room, len(one.points) - skip)
        passed += len(one.points)
        if take > 0:
            writer.write(response.time_series.add(), one, newest=skip, points=take)
            room -= take
    handed = token.offset + page_size(request, POINTS_A_PAGE, POINTS_A_PAGE) - room
    if handed < passed:
        response.next_page_token = PageToken(token.digest, handed, token.until_ns).encode()
    return response
