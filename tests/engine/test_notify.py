"""Telling others: once, of what matters, and never in the way."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from canary.engine.change.executor import CloudClients, Executor
from canary.engine.change.in_process import carry_out_here
from canary.engine.notify import Notifier, open_notifier, telling
from canary.rollout.export.notification import Notification
from canary.rollout.plan.plan import Plan
from canary.store.journal import Journal
from canary.store.locks import Owner
from canary.store.paths import sent_notifications_path
from canary.store.sent_notifications import SentNotifications
from tests.cloud.webhook_server import Webhook, listening
from tests.embedded import DEFAULT_PLAN, Embed
from tests.engine.carried import PACE, ask
from tests.rollout.build import EMPTY, snapshot, window

BAD, WORSE = window(error_ratio=0.03), window(error_ratio=0.08)


def plan_for(server: Webhook, **fields: Any) -> Plan:
    told = {"webhook": server.url, "timeout_s": 2.0, **fields}
    return msgspec.structs.replace(
        DEFAULT_PLAN, notify=msgspec.structs.replace(DEFAULT_PLAN.notify, **told)
    )


class Watcher:
    """A notifier with a clock by hand, and what it complained of."""

    def __init__(self, plan: Plan, directory: Path | None = None, **options: Any) -> None:
        self.now = 1000.0
        self.troubles: list[str] = []
        told = SentNotifications(sent_notifications_path(directory)) if directory else None
        self.notifier = Notifier(plan, told, self.troubles.append, wall=lambda: self.now, **options)

    async def see(self, *seen: Any, minutes: float = 1.0) -> None:
        for one in seen:
            self.now += minutes * 60
            self.notifier.watch(one)
            await self.notifier.drain()


@pytest.fixture
async def webhook():
    async with listening() as opened:
        yield opened


async def test_a_verdict_that_turns_for_the_worse_is_told_and_a_recovery_is_not(webhook: Webhook):
    watcher = Watcher(plan_for(webhook))
    await watcher.see(snapshot(), snapshot(WORSE), snapshot(WORSE), snapshot())
    assert len(webhook.bodies) == 1
    assert "ROLL BACK ALL (was HEALTHY)" in webhook.texts[0]
    watcher.notifier.close()


async def test_the_first_verdict_ever_seen_is_no_turn(webhook: Webhook, tmp_path: Path):
    watcher = Watcher(plan_for(webhook), tmp_path)
    await watcher.see(snapshot(WORSE))
    assert webhook.bodies == []
    watcher.notifier.close()


async def test_a_flapping_verdict_is_told_once_in_a_while(webhook: Webhook, tmp_path: Path):
    watcher = Watcher(plan_for(webhook), tmp_path)
    await watcher.see(*[snapshot(), snapshot(WORSE)] * 5)
    assert len(webhook.bodies) == 1
    await watcher.see(snapshot(), minutes=15.0)
    assert len(webhook.bodies) == 2
    assert webhook.texts[1].startswith("[4 times, the last at 00:26:40Z, 15 m ago] ion-api")
    await watcher.see(snapshot(WORSE), minutes=15.0)
    assert len(webhook.bodies) == 3
    watcher.notifier.close()


async def test_the_same_verdict_at_another_share_is_told_at_once(webhook: Webhook):
    watcher = Watcher(plan_for(webhook))
    for percent in (10, 25):
        before, after = (
            msgspec.structs.replace(
                seen, traffic=msgspec.structs.replace(seen.traffic, canary_percent=percent)
            )
            for seen in (snapshot(), snapshot(WORSE))
        )
        await watcher.see(before, after)
    assert len(webhook.bodies) == 2
    watcher.notifier.close()


async def test_what_a_webhook_refuses_is_told_when_it_takes_again(webhook: Webhook):
    webhook.status = 503
    watcher = Watcher(plan_for(webhook))
    await watcher.see(snapshot(), snapshot(WORSE))
    assert len(webhook.bodies) == 1
    assert len(watcher.troubles) == 1
    webhook.status = 200
    await watcher.see(snapshot(WORSE), minutes=10.0)
    assert len(webhook.bodies) == 2
    assert webhook.texts[1].startswith("[00:18:40Z, 10 m ago] ")
    assert webhook.texts[1].endswith(webhook.texts[0])
    await watcher.see(snapshot(WORSE), minutes=60.0)
    assert len(webhook.bodies) == 2
    watcher.notifier.close()


async def test_what_one_process_could_not_tell_the_next_does(webhook: Webhook, tmp_path: Path):
    webhook.status = 503
    first = Watcher(plan_for(webhook), tmp_path)
    await first.see(snapshot(), snapshot(WORSE))
    first.notifier.close()
    webhook.status = 200
    second = Watcher(plan_for(webhook), tmp_path)
    second.now = first.now + 60
    second.notifier.resume()
    await second.notifier.drain()
    assert [text.endswith(webhook.texts[0]) for text in webhook.texts] == [True, True]
    second.notifier.close()


async def test_killed_while_telling_the_next_process_tells(webhook: Webhook, tmp_path: Path):
    webhook.status = 0
    first = Watcher(plan_for(webhook, timeout_s=30.0), tmp_path)
    first.notifier.tell(Notification("", "hello", "critical"))
    draining = asyncio.create_task(first.notifier.drain(30.0))
    await webhook.arrived.wait()
    draining.cancel()  # and nothing is given back, as by SIGKILL
    webhook.status = 200
    second = Watcher(plan_for(webhook), tmp_path)
    second.now = first.now + 600
    await second.notifier.drain()
    assert webhook.texts[-1].endswith("hello")
    assert len(webhook.texts) == 2
    for watcher in (first, second):
        watcher.notifier.close()


async def test_a_proof_is_told_once_by_all_processes_of_a_host(webhook: Webhook, tmp_path: Path):
    def see(watcher: Watcher, value: str) -> None:
        notification = Notification("proven 5xx", value, "critical") if value else None
        watcher.notifier.turned("evidence", value, lambda _: notification)

    for number in range(2):
        watcher = Watcher(plan_for(webhook), tmp_path)
        watcher.now += 3600 * number
        see(watcher, "since 1")
        await watcher.notifier.drain()
        watcher.notifier.close()
    assert webhook.texts == ["since 1"]
    third = Watcher(plan_for(webhook), tmp_path)
    third.now += 7200
    see(third, "since 2")
    await third.notifier.drain()
    third.notifier.close()
    assert webhook.texts == ["since 1", "since 2"]


async def test_of_two_watchers_on_one_host_one_tells(webhook: Webhook, tmp_path: Path):
    one, two = (Watcher(plan_for(webhook), tmp_path) for _ in range(2))
    for seen in (snapshot(), snapshot(WORSE)):
        await one.see(seen)
        await two.see(seen)
    assert len(webhook.bodies) == 1
    for watcher in (one, two):
        watcher.notifier.close()


async def test_a_turn_while_nobody_looked_is_told_by_the_next(webhook: Webhook, tmp_path: Path):
    before = Watcher(plan_for(webhook), tmp_path)
    await before.see(snapshot())
    before.notifier.close()
    after = Watcher(plan_for(webhook), tmp_path)
    await after.see(snapshot(WORSE))
    assert len(webhook.bodies) == 1
    after.notifier.close()


async def test_the_silence_after_a_change_is_no_turn(webhook: Webhook):
    watcher = Watcher(plan_for(webhook))
    await watcher.see(snapshot(), snapshot(EMPTY, "masked"), snapshot())
    assert webhook.bodies == []
    await watcher.see(snapshot(EMPTY, "missing"))
    assert "? SILENT" in webhook.texts[0]
    watcher.notifier.close()


async def test_without_a_webhook_nothing_is_kept_or_asked(tmp_path: Path):
    async with telling(DEFAULT_PLAN, tmp_path, pytest.fail) as notifier:
        notifier.watch(snapshot())
        notifier.tell(Notification("", "x", "info"))
    assert not sent_notifications_path(tmp_path).exists()


async def test_the_address_can_come_from_the_environment(webhook: Webhook):
    plan = plan_for(webhook, webhook=None, webhook_variable="HOOK")
    watcher = Watcher(plan, environ={"HOOK": f" {webhook.url}\n"})
    watcher.notifier.tell(Notification("", "hello", "info"))
    await watcher.notifier.drain()
    assert webhook.texts == ["hello"]
    watcher.notifier.close()


async def test_a_variable_that_is_not_set_is_said_once(webhook: Webhook):
    plan = plan_for(webhook, webhook=None, webhook_variable="HOOK")
    watcher = Watcher(plan, environ={})
    for text in ("a", "b"):
        watcher.notifier.tell(Notification("", text, "info"))
    await watcher.notifier.drain()
    assert watcher.troubles == ["The environment variable HOOK is not set: no notifications."]


async def test_a_webhook_that_hangs_holds_up_nothing_and_is_said(webhook: Webhook):
    webhook.status = 0
    watcher = Watcher(plan_for(webhook, timeout_s=30.0))
    for text in "abc":
        watcher.notifier.tell(Notification("", text, "info"))
    draining = asyncio.create_task(watcher.notifier.drain(1.0))
    await webhook.arrived.wait()
    await draining
    assert watcher.troubles == ["The webhook did not take everything in time."]
    assert all("s3cret" not in said for said in watcher.troubles)
    watcher.notifier.close()


async def test_the_first_word_leaves_a_change_its_time(webhook: Webhook):
    watcher = Watcher(plan_for(webhook))
    watcher.notifier.tell(Notification("", "a", "info"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert webhook.bodies == []
    await watcher.notifier.drain()
    assert webhook.texts == ["a"]
    watcher.notifier.close()


async def test_the_shells_change_is_told_with_its_outcome(
    embed: Embed, journal: Journal, webhook: Webhook, tmp_path: Path
):
    plan = plan_for(webhook)
    async with embed(plan, operation_s=0.0) as cloud:
        change = await ask(cloud, "promote", reason="soaked")
        cloud_clients = CloudClients(cloud.writer, cloud.run, cloud.clock)
        async with telling(plan, tmp_path, pytest.fail) as notifier:
            outcome = await carry_out_here(
                change, cloud_clients, journal, plan=cloud.plan, notifier=notifier, pace=PACE
            )
    assert outcome.state == "done"
    assert ["done" in text for text in webhook.texts] == [False, True]


@pytest.mark.parametrize(("begun", "told"), [(False, 2), (True, 1)])
async def test_the_executor_tells_a_change_once_even_if_it_takes_over(
    embed: Embed, journal: Journal, webhook: Webhook, tmp_path: Path, begun: bool, told: int
):
    plan = plan_for(webhook)
    async with embed(plan, operation_s=0.0) as cloud:
        change = await ask(cloud, "step_back")
        journal.intend(change)
        if begun:
            journal.note(change.id, 0, "sent", "", cloud.now)
            operation = await cloud.writer.send(change.steps[0])
            journal.note(change.id, 0, "accepted", operation, cloud.now)
        cloud_clients = CloudClients(cloud.writer, cloud.run, cloud.clock)
        with Owner(tmp_path) as owner:
            async with telling(plan, tmp_path, pytest.fail) as notifier:
                executor = Executor(
                    cloud.plan, cloud_clients, journal, owner, notifier=notifier, pace=PACE
                )
                executor.take_up()
                await executor.finish()
    assert journal.entry(change.id).outcome.state == "done"
    assert len(webhook.bodies) == told
    assert "done: roll back one stage, Canary 10 % → 5 %" in webhook.texts[-1]


async def test_how_a_change_ended_is_told_by_the_next_executor_when_the_first_was_killed(
    embed: Embed, journal: Journal, webhook: Webhook, tmp_path: Path
):
    plan = plan_for(webhook)
    open_notifier(plan, tmp_path, pytest.fail).close()  # what was before it began is not told
    async with embed(plan, operation_s=0.0) as cloud:
        clients = CloudClients(cloud.writer, cloud.run, cloud.clock)
        change = await ask(cloud, "step_back")
        await carry_out_here(change, clients, journal, plan=cloud.plan, pace=PACE)
        assert webhook.texts == []
        for _ in range(2):
            with Owner(tmp_path) as owner:
                async with telling(plan, tmp_path, pytest.fail) as notifier:
                    Executor(cloud.plan, clients, journal, owner, notifier=notifier).take_up()
    (told,) = webhook.texts
    assert "done: roll back one stage, Canary 10 % → 5 %" in told


async def test_the_end_of_the_monitoring_loop_is_told(webhook: Webhook, tmp_path: Path) -> None:
    said = "Monitoring ended (its time is over): 3 files."
    async with telling(plan_for(webhook), tmp_path, lambda _: None) as notifier:
        notifier.monitored(said, ended_by_time=True)
    (told,) = webhook.texts
    assert said in told
