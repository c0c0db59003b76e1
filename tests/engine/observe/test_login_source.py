"""A login that is not accepted: said as such by source, state and readiness; and over again."""

from canary.engine.observe.readiness import ReadinessFeed
from canary.rollout.snapshot.state import find_state
from tests.embedded import Embedded
from tests.engine.watching import Watching, source

SAID = "Request had invalid authentication credentials."


async def test_an_expired_login_asks_for_a_new_one_and_is_over_with_it(embedded: Embedded):
    rights = ReadinessFeed(embedded.plan, embedded.run.run, embedded.clock)
    watching = Watching(embedded, readiness=rights)
    await watching.observer.refresh()
    for method in ("GetService", "TestIamPermissions", "ListRevisions"):
        embedded.break_method(method, code="UNAUTHENTICATED", message=SAID)
    snapshot = await watching.observer.refresh()
    assert source(snapshot, "Cloud Run").login
    state = find_state(snapshot, embedded.plan)
    assert (state.id, state.actor.kind) == ("cannot_see", "you")
    assert "gcloud auth application-default login" in state.next
    assert snapshot.readiness is not None
    assert any("Your login is not accepted" in reason for reason in snapshot.readiness.reasons)
    embedded.world.faults.clear(None)
    snapshot = await watching.observer.refresh()
    assert not source(snapshot, "Cloud Run").login
    assert find_state(snapshot, embedded.plan).id != "cannot_see"


async def test_a_cloud_that_is_away_is_no_matter_of_the_login(embedded: Embedded):
    watching = Watching(embedded)
    await watching.observer.refresh()
    embedded.break_method("GetService", code="UNAVAILABLE")
    snapshot = await watching.observer.refresh()
    assert not source(snapshot, "Cloud Run").login
    assert find_state(snapshot, embedded.plan).next == "it is asked again"
