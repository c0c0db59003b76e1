"""Whose answer it is: the header first, then the body, and nobody's when in doubt."""

from __future__ import annotations

import pytest

from canary.loadtest.attribution import LONGEST_BODY, find_side
from canary.loadtest.settings import Sides

SERVICES = Sides(canary=("ion-api-canary",), legacy=("ion-api",))
REVISIONS = Sides(
    canary=("ion-api-00002-can",), header="x-rev", field="revision", others_are_legacy=True
)


@pytest.mark.parametrize(
    ("headers", "body", "side"),
    [
        ({"x-canary-service": "ion-api"}, b"", "legacy"),
        ({"x-canary-service": "ion-api-canary"}, b"", "canary"),
        ({"x-canary-service": "ion-api-canary"}, b'{"service": "ion-api"}', "canary"),
        ({}, b'{"service": "ion-api"}', "legacy"),
        ({}, b' {"service": "ion-api-canary"}', "canary"),
        ({"x-canary-service": "another"}, b"", "unattributed"),
        ({}, b"", "unattributed"),
        ({}, None, "unattributed"),
        (None, None, "unattributed"),
        ({}, b"Rate exceeded.", "unattributed"),
        ({}, b'{"service": 3}', "unattributed"),
        ({}, b'{"service": "ion-', "unattributed"),
        ({}, b"[]", "unattributed"),
        ({}, b'{"service": "ion-api", "x": "' + b"x" * LONGEST_BODY + b'"}', "unattributed"),
    ],
)
def test_services_are_told_by_their_names(headers, body, side) -> None:
    assert find_side(SERVICES, headers, body) == side


@pytest.mark.parametrize(
    ("headers", "body", "side"),
    [
        ({"x-rev": "ion-api-00002-can"}, b"", "canary"),
        ({"x-rev": "ion-api-00001-leg"}, b"", "legacy"),
        ({}, b'{"revision": "ion-api-00007-old"}', "legacy"),
        ({}, b"", "unattributed"),
    ],
)
def test_every_other_revision_is_legacys(headers, body, side) -> None:
    assert find_side(REVISIONS, headers, body) == side
