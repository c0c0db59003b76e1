"""A redeploy in the middle of a stage, a revision that was rolled back, and session affinity."""

import pytest

from canary.rollout.errors import GateNotMet
from canary.rollout.evidence.verdict import AFFINITY
from canary.rollout.permit.permit import authorize, find_reason_needed, why_not
from canary.rollout.snapshot.status import status_document
from canary.store.journal import Journal
from tests.embedded import Embedded
from tests.engine.carried import ask, carry, router_service
from tests.engine.watching import Watching, texts
from tests.hands import deploy, message_of

CANARY = "ion-api-canary"


async def test_a_redeploy_begins_soak_and_windows_anew_and_says_so(
    embedded: Embedded, journal: Journal
):
    assert (await carry(embedded, journal, await ask(embedded, "step_back"))).state == "done"
    watching = Watching(embedded)
    await watching.after(120, every=30)
    before = (await watching.observer.refresh()).stage
    assert before.soaked_hours is not None
    assert before.soaked_hours > 1.9
    new = await deploy(embedded, service=CANARY)
    snapshot = await watching.observer.refresh()
    assert snapshot.stage.redeployed == new
    assert snapshot.stage.soaked_hours is not None
    assert snapshot.stage.soaked_hours < 0.1
    assert snapshot.canary.data != "ok"  # nothing of the new revision has been seen yet
    assert any(f"deployed anew in the middle of the stage: {new}" in t for t in texts(snapshot))
    assert status_document(snapshot)["serving"]["redeployed"] == new
    # A console that is opened now says the same.
    fresh = await Watching(embedded).observer.refresh()
    assert (fresh.stage.redeployed, fresh.stage.entered_at) == (new, snapshot.stage.entered_at)


async def test_a_scale_and_a_label_are_no_redeploy(embedded: Embedded, journal: Journal):
    await carry(embedded, journal, await ask(embedded, "scale"))
    assert (await Watching(embedded).observer.refresh()).stage.redeployed == ""


async def test_a_revision_that_was_rolled_back_is_promoted_again_with_a_reason(
    embedded: Embedded, journal: Journal
):
    await carry(embedded, journal, await ask(embedded, "rollback_all", reason="500s"))
    record = (await router_service(embedded)).record
    assert record is not None
    assert record.revision == (await embedded.run.service(CANARY)).revision
    snapshot = await Watching(embedded).observer.refresh()
    assert "was rolled back: oncall@bastion" in find_reason_needed(snapshot)
    with pytest.raises(GateNotMet, match="takes a reason"):
        authorize(await ask(embedded, "promote", "c2"), snapshot, read_only=False)
    again = await ask(embedded, "promote", "c2", reason="the 500s were the database's")
    authorize(again, snapshot, read_only=False)
    await carry(embedded, journal, again)
    promoted = await Watching(embedded).observer.refresh()
    assert find_reason_needed(promoted) == ""


async def test_another_revision_than_the_one_that_was_rolled_back_needs_no_reason(
    embedded: Embedded, journal: Journal
):
    await carry(embedded, journal, await ask(embedded, "rollback_all"))
    await deploy(embedded, service=CANARY)
    snapshot = await Watching(embedded).observer.refresh()
    assert "was rolled back" not in (why_not("promote", snapshot, False) or "")


@pytest.mark.parametrize("service", ["ion-api", CANARY])
async def test_session_affinity_of_either_side_is_shown_and_nothing_is_compared(
    embedded: Embedded, service: str
):
    message = await message_of(embedded, service)
    update = type(message)(name=message.name)
    update.template.CopyFrom(message.template)
    update.template.revision = ""
    update.template.session_affinity = True
    await embedded.run.run.update(update, ["template"], "by hand", validate_only=False)
    embedded.advance(60)
    assert (await embedded.run.service(service)).affinity
    snapshot = await Watching(embedded).observer.refresh()
    assert snapshot.traffic.affinity
    assert status_document(snapshot)["serving"]["session_affinity"]


async def test_session_affinity_makes_every_metric_inconclusive(embedded: Embedded):
    from canary.engine.observe.position import find_invalid
    from canary.rollout.evidence.state import start_evidence
    from canary.rollout.evidence.verdict import judge

    watching = Watching(embedded)
    snapshot = await watching.observer.refresh()
    assert not snapshot.traffic.affinity
    facts = watching.observer._run.facts
    assert facts is not None
    assert find_invalid(facts) == ""
    settings = embedded.plan.evidence
    state = start_evidence(embedded.now, 0.1, baseline=None, before=None, settings=settings)
    verdicts = judge(state, settings, AFFINITY)
    assert {(v.verdict, v.why) for v in verdicts} == {("inconclusive", AFFINITY)}
