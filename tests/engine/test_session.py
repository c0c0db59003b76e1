"""Session: one plan opened; what cannot be opened is said, and the rest goes on."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from canary.engine.session import Session, SessionOpening
from canary.rollout.change.change import Author, Request
from canary.rollout.change.moves import rollback_all
from canary.rollout.errors import Unavailable
from canary.rollout.plan.plan import Endpoints
from canary.store.paths import history_path, journal_path
from canary.store.paths import state_dir as directory_of
from tests.embedded import DEFAULT_PLAN, Embed, with_endpoints
from tests.engine.watching import source

pytestmark = pytest.mark.usefixtures("state_dir")


async def test_an_independent_server_is_used_and_no_cloud_is_started(embed: Embed) -> None:
    async with (
        embed(start_unix=time.time()) as cloud,
        await Session.open(cloud.plan) as session,
    ):
        snapshot = await session.observer.refresh()
        assert session.embedded is None
        assert snapshot.traffic.canary_percent == 10
        assert snapshot.decision.verdict == "continue"


async def test_of_an_independent_server_only_one_address_need_be_named(embed: Embed) -> None:
    async with embed(start_unix=time.time()) as cloud:
        plan = with_endpoints(cloud.plan, Endpoints(run=cloud.endpoints.run))
        async with await Session.open(plan) as session:
            snapshot = await session.observer.refresh()
    assert snapshot.decision.verdict == "continue"


async def test_a_journal_that_is_damaged_is_said_and_observing_goes_on(embed: Embed) -> None:
    async with embed(start_unix=time.time()) as cloud:
        journal_path(directory_of(cloud.plan)).write_bytes(b"this is no database" * 100)
        async with await Session.open(cloud.plan) as session:
            snapshot = await session.observer.refresh()
            assert session.journal is None
            assert session.journal_error is not None
    assert source(snapshot, "Journal").state == "failing"
    assert snapshot.decision.verdict == "continue"


async def test_a_history_that_is_damaged_is_done_without(embed: Embed) -> None:
    async with embed(start_unix=time.time()) as cloud:
        history_path(directory_of(cloud.plan)).write_bytes(b"this is no database" * 100)
        async with await Session.open(cloud.plan) as session:
            snapshot = await session.observer.refresh()
    assert snapshot.decision.verdict == "continue"


async def test_a_server_that_is_not_there_is_a_source_that_fails() -> None:
    plan = with_endpoints(DEFAULT_PLAN, Endpoints(run="http://127.0.0.1:1"))
    async with await Session.open(plan, need_metrics=False) as session:
        snapshot = await session.observer.refresh()
    assert source(snapshot, "Cloud Run").state == "failing"
    assert snapshot.standing is None


async def test_before_it_is_connected_there_are_files_and_no_session(embed: Embed) -> None:
    async with embed(start_unix=time.time()) as cloud:
        opening = SessionOpening(cloud.plan)
        try:
            assert opening.demand_journal().recent(9) == ()
            assert opening.connected is None
            with pytest.raises(Unavailable, match="not connected yet"):
                _ = opening.session
            assert await opening.connect() is opening.session
        finally:
            await opening.close()


async def test_closing_twice_is_fine(embed: Embed) -> None:
    async with embed() as cloud:
        session = await Session.open(cloud.plan)
        await session.close()
        await session.close()


async def test_both_sides_are_asked_for_their_health_at_the_address_that_run_reports(
    embed: Embed,
) -> None:
    async with (
        embed(start_unix=time.time(), http=True) as cloud,
        await Session.open(cloud.plan, need_metrics=False) as session,
    ):
        await session.observer.read_run()
        reports = await session.probe()
    assert [(r.service, r.ok) for r in reports] == [("ion-api", True), ("ion-api-canary", True)]


async def test_the_embedded_cloud_is_joined_by_a_second_session_and_plays_for_both() -> None:
    async with (
        await Session.open(DEFAULT_PLAN) as first,
        await Session.open(DEFAULT_PLAN) as second,
    ):
        assert first.embedded is not None
        assert second.embedded is not None
        assert first.embedded.pid == second.embedded.pid
        await first.embedded.set_scenario("latency")
        await second.embedded.refresh()
        assert second.observer.snapshot().scenario == "latency"
        assert (await second.observer.refresh()).stage.index == 2


async def test_starting_over_forgets_the_journal_but_not_under_another_console() -> None:
    async with await Session.open(DEFAULT_PLAN) as first:
        snapshot = await first.observer.refresh()
        assert snapshot.standing is not None
        assert first.journal is not None
        request = Request("c-1", Author("oncall", "bastion-2"), snapshot.as_of)
        first.journal.intend(rollback_all(first.plan, snapshot.standing, request))
        async with await Session.open(DEFAULT_PLAN, fresh=True) as beside:
            assert beside.journal is not None
            assert len(beside.journal.recent(9)) == 1


async def test_an_embedded_cloud_that_does_not_come_up_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(Unavailable):
        await Session.open(DEFAULT_PLAN)


@pytest.mark.parametrize("module", ["canary.engine.session", "canary.engine.console.console"])
def test_importing_the_engine_imports_neither_google_nor_textual(module: str) -> None:
    code = (
        f"import sys, {module}\n"
        "dear = {'google', 'grpc', 'textual', 'httpx'}\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in dear]\n"
        "sys.exit(str(bad) if bad else 0)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=Path.cwd()
    )
    assert run.returncode == 0, run.stderr
