"""A split that a load balancer's URL map makes: weights of one route action, changed by one PATCH.

    {"fingerprint": …, "description": …, "defaultRouteAction": {"weightedBackendServices":
        [{"backendService": ".../backendServices/B", "weight": 0…1000}, …]}}

Weights count by their part of the sum. A PATCH is a merge patch: objects are merged, arrays are
replaced whole, so every entry that is there goes along. Which route action it is, is found in
`url_map_place`; where that cannot be told, no share is.

Record and split stay together because they are together: the record rides in the map's description,
in the same PATCH as the weights, guarded by the same fingerprint. There is nothing between the two
at which a crash could leave one without the other, and of two people at two consoles one is refused
(412). Rejected: the record as an annotation on a service, written before the PATCH; a crash between
the two leaves a record that the split does not follow.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from canary.cloud.load_balancer import OPERATION, SOURCE, UrlMap
from canary.cloud.registry import ImageRegistry
from canary.cloud.router.router import LastLook, Router, check_guard, look_no_more, share_out
from canary.cloud.router.url_map_place import (
    DEFAULT_ROUTE,
    Place,
    at,
    find_place,
    replace_weights,
)
from canary.cloud.run.client import RunClient
from canary.cloud.run.services import read_service
from canary.cloud.views import OperationState, ServiceState
from canary.rollout.change.change import Portion, SetTraffic
from canary.rollout.change.stage_record import StageRecord, decode_record, encode_record
from canary.rollout.errors import Malformed, Rejected
from canary.rollout.plan import plan as plans
from canary.rollout.plan.plan import Endpoints, Plan
from canary.rollout.text import quote_command, sanitize

FULL_WEIGHT = 1000
ONE_PLACE = "Weigh both backends in one place of the map, which all requests come to."

Document = Mapping[str, Any]


class UrlMapRouter(Router):
    """No service carries the split: the one that stands for it is read with the map's share.

    Its `etag` is the map's fingerprint. Who changed the map and when is not told by it, so neither
    is here; what a map shows is in effect, so it is never `reconciling`.
    """

    def __init__(
        self, plan: Plan, run: RunClient, registry: ImageRegistry, endpoints: Endpoints
    ) -> None:
        super().__init__(plan, run, registry, endpoints)
        self._map = UrlMap(plan, endpoints)

    async def read_split(self) -> ServiceState:
        """Service and map, asked for at once."""
        message, document = await asyncio.gather(
            self.run.message(self.plan.router_service), self._map.get(), return_exceptions=True
        )
        # Both are awaited to their end first: a read left behind would fail unheard.
        for answer in (message, document):
            if isinstance(answer, BaseException):
                raise answer
        state = await self.add_serving(read_service(self.plan, message), message)
        return show_split(self.plan, state, document)

    async def set_split(
        self, step: SetTraffic, *, validate_only: bool, last_look: LastLook = look_no_more
    ) -> str:
        """One PATCH of weights and description."""
        document = await self._map.get()
        fingerprint = document.get("fingerprint")
        check_guard(
            step.guard,
            read_percent(self.plan.target.router, document),
            fingerprint if isinstance(fingerprint, str) else "",
            share=f"Canary's share by URL map {self._map.name}",
            moved=f"URL map {self._map.name} was changed since this was decided (its fingerprint is"
            " another).",
        )
        body = build_patch(self.plan, document, step.percent, step.record)
        if validate_only:
            return ""
        # Change and fingerprint make the request recognisable over there, were it ever doubled.
        name = f"{step.record.change}|{fingerprint}"
        await last_look()
        return await self._map.patch(body, str(uuid.uuid5(uuid.NAMESPACE_OID, name)))

    async def operation(self, name: str) -> OperationState:
        """As everywhere, and Compute Engine's own."""
        if name.startswith(OPERATION):
            return await self._map.operation(name)
        return await super().operation(name)

    async def close(self) -> None:
        """The connections to Compute Engine, too."""
        await self._map.close()
        await super().close()

    @staticmethod
    def describe_place(step: SetTraffic, plan: Plan) -> str:
        """The map, and which of its weights, as the change was decided."""
        where = step.guard.place or "the one place that has both backends"
        return f"URL map {sanitize(plan.target.router.url_map)}, weights of {where}"

    @staticmethod
    def by_hand(step: SetTraffic, plan: Plan, _stable: str) -> str:
        """The PATCH of the default route by curl; elsewhere gcloud's editor, and what to write.

        A PATCH replaces arrays whole: with one of `pathMatchers` typed by hand the others would be
        gone.
        """
        router = plan.target.router
        shares = (
            (router.legacy_backend or "", (100 - step.percent) * 10),
            (router.canary_backend or "", step.percent * 10),
        )
        if step.guard.place != DEFAULT_ROUTE:
            where = sanitize(step.guard.place) or "the one place that has both backends"
            weights = ", ".join(f"{sanitize(name)} weight {share}" for name, share in shares)
            edit = ["gcloud", "compute", "url-maps", "edit", router.url_map or "", "--global"]
            command = quote_command([*edit, f"--project={plan.target.project}"])
            return f"{command}  # {where}: {weights}"
        weighted = [
            {"backendService": backend_path(plan, backend), "weight": share}
            for backend, share in shares
        ]
        body = {
            "fingerprint": step.guard.etag or "FINGERPRINT",
            "defaultRouteAction": {"weightedBackendServices": weighted},
        }
        maps = f"https://compute.googleapis.com/compute/v1/projects/{plan.target.project}"
        authorization = '"Authorization: Bearer $(gcloud auth print-access-token)"'
        data = quote_command([msgspec.json.encode(body).decode()])
        target = quote_command([f"{maps}/global/urlMaps/{router.url_map}"])
        kind = quote_command(["Content-Type: application/json"])
        return f"curl -X PATCH -H {authorization} -H {kind} -d {data} {target}"


def show_split(plan: Plan, state: ServiceState, document: Document) -> ServiceState:
    """The service's state with share, record and fingerprint of the URL map."""
    description = document.get("description")
    text = description if isinstance(description, str) else ""
    record, record_error = read_record(text, plan.record.annotation)
    fingerprint, place = document.get("fingerprint"), find_place(plan.target.router, document)
    return msgspec.structs.replace(
        state,
        etag=fingerprint if isinstance(fingerprint, str) else "",
        percent=read_percent(plan.target.router, document),
        served_percent=None,
        split_trouble=place if isinstance(place, str) else "",
        place="" if isinstance(place, str) else place.words,
        others=find_others(plan.target.router, document),
        reconciling=False,
        record=record,
        record_error=record_error,
        last_modifier="",
        updated_at=None,
    )


def read_percent(router: plans.Router, document: Document) -> int | None:
    """Canary's share (0…100) by the one place that splits; None when there is none that tells.

    0 and 100 are said only when they are exact: 99.9 % reads as 99 %, so that nobody takes Legacy
    for idle while a weight is left on it.
    """
    place = find_place(router, document)
    entries = [] if isinstance(place, str) else _entries(document, place)
    total = sum(weight for _, weight in entries)
    if total <= 0:
        return None
    canary = sum(weight for backend, weight in entries if backend == router.canary_backend)
    percent = round(100 * canary / total)
    return percent if canary in (0, total) else min(99, max(1, percent))


def find_trouble(router: plans.Router, document: Document) -> str:
    """Why the map tells no share; "" when it does, or when it has no weights at all."""
    place = find_place(router, document)
    return place if isinstance(place, str) else ""


def find_others(router: plans.Router, document: Document) -> tuple[Portion, ...]:
    """Backends with weight beside the two, in percent."""
    place = find_place(router, document)
    entries = [] if isinstance(place, str) else _entries(document, place)
    total = sum(weight for _, weight in entries)
    shares: dict[str, int] = {}
    for backend, weight in entries:
        if weight and backend not in (router.legacy_backend, router.canary_backend):
            shares[backend] = shares.get(backend, 0) + weight
    return tuple(Portion(name, max(1, round(100 * w / total))) for name, w in shares.items())


def build_patch(
    plan: Plan, document: Document, percent: int, record: StageRecord
) -> dict[str, Any]:
    """The body of the PATCH: weights for `percent` and the record, guarded by the fingerprint.

    Weights that are as wanted are left out. Other backends than the two keep their proportion to
    Legacy's, except at 0 %: then Legacy alone has all. Raises Malformed for a map without a
    fingerprint, and Rejected where no one place splits.
    """
    fingerprint = document.get("fingerprint")
    if not isinstance(fingerprint, str) or not fingerprint:
        raise Malformed("The URL map has no fingerprint to guard a change with.", source=SOURCE)
    description = document.get("description")
    text = description if isinstance(description, str) else ""
    patch: dict[str, Any] = {
        "fingerprint": fingerprint,
        "description": write_record(text, plan.record.annotation, record),
    }
    place = find_place(plan.target.router, document)
    if isinstance(place, str):
        raise Rejected(f"{place} Nothing was changed.", remedy=ONE_PLACE, source=SOURCE)
    spare = percent == 0 and find_others(plan.target.router, document)
    if read_percent(plan.target.router, document) == percent and not spare:
        return patch
    patch |= replace_weights(document, place, _weigh(plan, document, place, percent))
    if place.matcher is None and "defaultService" in document:
        patch["defaultService"] = None  # a map has either the one or the other
    return patch


def _weigh(plan: Plan, document: Document, place: Place, percent: int) -> list[dict[str, Any]]:
    """The entries for `percent`; each keeps what else it says (its header actions)."""
    router = plan.target.router
    entries = [dict(one) for one in _weighted(document, place)]
    names = [_name(one.get("backendService")) for one in entries]
    for backend in (router.legacy_backend, router.canary_backend):
        if backend not in names:
            entries.append({"backendService": backend_path(plan, backend or ""), "weight": 0})
            names.append(backend or "")
    own = names.index(router.canary_backend or "")
    gone = {n for n in names if n != router.legacy_backend} if percent == 0 else set()
    gone.add(router.canary_backend or "")
    rest = [0 if name in gone else _weight(one) for name, one in zip(names, entries, strict=True)]
    if not any(rest):
        rest[names.index(router.legacy_backend or "")] = 1
    canary = percent * FULL_WEIGHT // 100
    shares = share_out(FULL_WEIGHT - canary, rest)
    for index, entry in enumerate(entries):
        entry["weight"] = canary if index == own else shares[index]
    return entries


def backend_path(plan: Plan, backend: str) -> str:
    """A backend service as a URL map names it."""
    return f"projects/{plan.target.project}/global/backendServices/{backend}"


def _entries(document: Document, place: Place) -> list[tuple[str, int]]:
    """(backend, weight) of the place; at the default route a single service has all of it."""
    weighted = _weighted(document, place)
    if weighted:
        return [(_name(one.get("backendService")), _weight(one)) for one in weighted]
    service = document.get("defaultService") if place.matcher is None else None
    return [(_name(service), FULL_WEIGHT)] if service else []


def _weighted(document: Document, place: Place) -> Sequence[Mapping[str, Any]]:
    action = at(document, place.keys)
    found = action.get("weightedBackendServices") if isinstance(action, Mapping) else None
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _weight(entry: Mapping[str, Any]) -> int:
    weight = entry.get("weight", 0)
    return weight if isinstance(weight, int) and weight > 0 else 0


def _name(link: object) -> str:
    return link.rpartition("/")[2] if isinstance(link, str) else ""


# The stage record in a free text that people may write in, too: one line, `ANNOTATION={…}`. A URL
# map has no annotations; its `description` is the one field that goes in the same guarded PATCH.

LONGEST_TEXT = 2048
"""Characters that a description may have."""


def read_record(text: str, annotation: str) -> tuple[StageRecord | None, str]:
    """The record in `text` and "", or None and why it cannot be read; None and "" without one."""
    line = next((each for each in text.splitlines() if each.startswith(f"{annotation}=")), None)
    if line is None:
        return None, ""
    try:
        return decode_record(line.partition("=")[2]), ""
    except Malformed as error:
        return None, sanitize(error.message, 300)


def write_record(text: str, annotation: str, record: StageRecord) -> str:
    """`text` with the record as its last line; what people wrote in it stays.

    A reason that is too long for the space that is left is cut, and ends in "…".
    Raises Rejected when there is no space for the record even so.
    """
    kept = [line for line in text.splitlines() if not line.startswith(f"{annotation}=")]
    reason = record.reason
    while True:
        line = f"{annotation}={encode_record(record)}"
        written = "\n".join((*kept, line))
        excess = len(written) - LONGEST_TEXT
        if excess <= 0:
            return written
        if not reason:
            raise Rejected(
                f"The description of the URL map leaves no space for the stage record:"
                f" {len(written)} characters of at most {LONGEST_TEXT}.",
                remedy="Shorten the description of the URL map.",
                source=SOURCE,
            )
        reason = reason[: max(0, len(reason) - excess - 1)]
        record = msgspec.structs.replace(record, reason=f"{reason}…" if reason else "")
