"""Links: for every page of a real cloud an address and the same command; none for the local one."""

from __future__ import annotations

import shlex
from urllib.parse import urlsplit

import msgspec
import pytest

from canary.rollout.export.links import find_links, format_links
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.differences import Deployed, compare
from tests.rollout.build import PLAN, snapshot
from tui.pages.layout import PAGES

REAL: Plan = msgspec.structs.replace(PLAN, provider="gcp")
SHOWN = msgspec.structs.replace(
    snapshot(),
    differences=compare(
        Deployed("ion-api", "ion-api-00007-abc", None, "", ()),
        Deployed("ion-api-canary", "ion-api-canary-00009-xyz", None, "", ()),
    ),
)


@pytest.mark.parametrize("page", ["", *PAGES])
def test_every_page_has_an_address_of_googles_console_and_a_command(page: str) -> None:
    links = find_links(REAL, SHOWN, page)
    assert links
    for link in links:
        parts = urlsplit(link.url)
        assert (parts.scheme, parts.netloc) == ("https", "console.cloud.google.com")
        assert "naeda-genesis" in link.url
        assert link.url.isascii()
        assert " " not in link.url
        assert shlex.split(link.command)[0] in ("gcloud", "bq")
        assert "naeda-genesis" in link.command


def test_the_embedded_cloud_has_none() -> None:
    assert find_links(PLAN, SHOWN) == ()
    assert format_links(()) == ""


def test_the_differences_name_both_revisions() -> None:
    canary, legacy = find_links(REAL, SHOWN, "differences")
    assert "gcloud run revisions describe ion-api-canary-00009-xyz" in canary.command
    assert canary.url == (
        "https://console.cloud.google.com/run/detail/us-central1/ion-api-canary/revisions"
        "?project=naeda-genesis"
    )
    assert "gcloud run revisions describe ion-api-00007-abc" in legacy.command


def test_the_main_screen_has_logs_traces_metrics_and_revisions() -> None:
    names = [link.name for link in find_links(REAL, SHOWN)]
    assert names == ["logs", "traces", "metrics", "Canary's revision", "Legacy's revision"]
    text = format_links(find_links(REAL, SHOWN))
    assert text.count("\n  $ gcloud ") == 5
    assert "severity>=WARNING" in text


def test_where_nothing_is_known_of_the_revisions_the_service_is_described() -> None:
    unknown = msgspec.structs.replace(
        snapshot(), canary=msgspec.structs.replace(snapshot().canary, revision="")
    )
    canary, *_ = find_links(REAL, unknown, "differences")
    assert "gcloud run services describe ion-api-canary" in canary.command
