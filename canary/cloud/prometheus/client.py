"""One Prometheus API: range queries in pieces that it can answer, and what it says of itself."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from canary.cloud.connection.rest import Refusal, RestClient
from canary.cloud.prometheus.answers import SOURCE, Series, read_matrix
from canary.host.logs import remember_secret
from canary.rollout.errors import HostProblem, PlanError
from canary.rollout.plan.metrics import Metrics
from canary.rollout.plan.plan import Plan

MOST_POINTS: Final = 11_000
"""Of one series in one answer; more is refused (prometheus web/api/v1, "exceeded maximum
resolution")."""

READ_TIMEOUT_S: Final = 20.0


class PrometheusClient:
    """Asks the API of a plan's [metrics]. Raises PlanError where its address cannot be used or is
    to get a secret without being trusted, HostProblem where a variable holds no secret.
    """

    def __init__(self, plan: Plan) -> None:
        metrics = plan.metrics
        if metrics.url is None:
            raise PlanError("metrics.url is missing.", remedy="Say where Prometheus is.")
        parts = urlsplit(metrics.url)
        self._base = parts.path.rstrip("/")
        address = f"{parts.scheme}://{parts.netloc}"
        own = None if metrics.auth == "google" else read_headers(metrics, os.environ)
        self._extra = read_headers(metrics, os.environ) if own is None else {}
        self._rest = RestClient(address, address, key="metrics.url", source=SOURCE, own=own)

    async def query_range(
        self, query: str, start: int, end: int, step_s: int, doing: str
    ) -> list[Series]:
        """The series of a query at `start`, `start` + `step_s` … `end`, unix seconds.

        Asked in pieces where there are more points than are answered at once; a series that is in
        two of them is put together again. Raises CanaryError.
        """
        found: dict[tuple[tuple[str, str], ...], Series] = {}
        piece_s = (MOST_POINTS - 1) * step_s
        for first in range(start, end + 1, piece_s + step_s):
            last = min(end, first + piece_s)
            form: dict[str, str | int] = {"query": query, "start": first, "end": last}
            form["step"] = step_s
            for one in read_matrix(await self._post("query_range", form, doing), doing):
                key = tuple(sorted(one.labels.items()))
                known = found.get(key)
                if known is None:
                    found[key] = one
                else:
                    known.values.update(one.values)
                    known.histograms.update(one.histograms)
        return list(found.values())

    async def version(self) -> str:
        """The version that the server says it has; "" where it does not (Mimir, Google)."""
        try:
            answer = await self._rest.send(
                "GET", f"{self._base}/api/v1/status/buildinfo", "asking for its version"
            )
        except Refusal:
            return ""
        data = answer.get("data")
        return str(data.get("version", "")) if isinstance(data, dict) else ""

    async def close(self) -> None:
        """Close the connections; can be called twice."""
        await self._rest.close()

    async def _post(self, what: str, form: Mapping[str, str | int], doing: str) -> dict[str, Any]:
        """POST, as a query may be longer than an address may."""
        try:
            return await self._rest.send(
                "POST",
                f"{self._base}/api/v1/{what}",
                doing,
                form=form,
                timeout_s=READ_TIMEOUT_S,
                more_headers=self._extra,
            )
        except Refusal as refusal:
            raise refusal.translate(SOURCE, doing) from refusal


def read_headers(metrics: Metrics, environ: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request: the plan's own, and those whose values the environment holds.

    Raises HostProblem naming the variable that is not set, or is no value of a header.
    """
    headers = dict(metrics.headers)
    for name, variable in metrics.headers_env.items():
        headers[name] = _secret(variable, environ, f"metrics.headers_env.{name}")
    if metrics.auth in ("bearer", "basic") and metrics.secret_env is not None:
        secret = _secret(metrics.secret_env, environ, "metrics.secret_env")
        if metrics.auth == "bearer":
            headers["authorization"] = f"Bearer {secret}"
        else:
            pair = base64.b64encode(f"{metrics.username}:{secret}".encode()).decode()
            remember_secret(pair)
            headers["authorization"] = f"Basic {pair}"
    return headers


def _secret(variable: str, environ: Mapping[str, str], key: str) -> str:
    value = environ.get(variable, "").strip()
    if not value or not value.isascii() or not value.isprintable():
        wrong = "holds no value of a header" if value else "is not set"
        raise HostProblem(
            f"The environment variable {variable} ({key}) {wrong}.",
            remedy=f"Set {variable} to the secret before you start.",
            source=SOURCE,
        )
    remember_secret(value)
    return value
