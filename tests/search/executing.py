"""An executor, instant by instant, as `engine.change.execute` goes: look, note, send, look up.

What is compared is `rollout.change.basis`, and what may be noted `rollout.change.life`: the
product's own. An instant is one read or one write, so that everything else may come in between.
"""

from __future__ import annotations

from collections.abc import Iterator

from canary.rollout.change import life
from canary.rollout.change.basis import (
    SplitNow,
    find_moved_scale,
    find_moved_split,
    lowers,
    needs_raising,
    raise_to,
    raises,
    rests_on_split,
)
from canary.rollout.change.change import (
    GOING_BACK,
    Change,
    SetScale,
    SetTraffic,
    Step,
    basis_of,
    split_of,
)
from canary.rollout.plan.plan import Plan, ScalePreset
from canary.rollout.plan.routing import routes_alike
from tests.search.world import PRODUCTION, Cloud, Left, Person

Next = tuple[str, Cloud, Person, Left]


class Executor:
    """One instant of one change under a plan; `without`: guards that are taken out."""

    def __init__(self, plan: Plan, change: Change, without: frozenset[str]) -> None:
        self.plan = plan
        self.change = change
        self.without = without
        self.carrier = plan.router_service == plan.target.legacy
        self.is_ours = "routing" in without or routes_alike(change.routing, plan)

    def instants(self, cloud: Cloud, me: Person, left: Left) -> Iterator[Next]:
        """All that may come next."""
        index = life.present_step(me.marks, len(self.change.steps))
        if me.at == "tell":
            yield from self._tell(cloud, me, left)
            return
        if not self.is_ours:
            yield "left alone", cloud, me._replace(at="ended", ended="left"), left
            return
        if index == len(self.change.steps):
            yield "end", cloud, self._ended(me, "done"), left
            return
        step = self.change.steps[index]
        yield from getattr(self, f"_{me.at}")(cloud, me, left, index, step)

    def crashed(self, me: Person) -> Person:
        """The next executor, which knows what the journal holds."""
        if me.at == "tell":  # found in the journal, and made up for
            return me._replace(at="ended") if "make up" in self.without else me
        at = life.NEXT[life.state_of(me.marks, len(self.change.steps))]
        return me._replace(at={"send": "look", "look_up": "look_up"}.get(at, "end"), renewed=False)

    # One method for each instant.

    def _look(self, cloud: Cloud, me: Person, left: Left, index: int, step: Step) -> Iterator[Next]:
        if self._moved(cloud, index, step):
            yield "refused", cloud, self._ended(me, "refused"), left
        elif self._must_raise(cloud, step):
            yield "look", cloud, me._replace(at="give"), left
        else:
            yield "look", cloud, me._replace(at="note"), left

    def _give(self, cloud: Cloud, me: Person, left: Left, index: int, step: Step) -> Iterator[Next]:
        after, me = self._raised(cloud, me)
        yield "raise legacy", after, me._replace(at="note"), left

    def _note(self, cloud: Cloud, me: Person, left: Left, index: int, step: Step) -> Iterator[Next]:
        yield "note sent", cloud, self._noted(me, index, "sent")._replace(at="send"), left

    def _send(self, cloud: Cloud, me: Person, left: Left, index: int, step: Step) -> Iterator[Next]:
        yield from self._last_look(cloud, me, left, index, step)
        if isinstance(step, SetTraffic) and not self._guard_holds(cloud, me, step):
            yield self._kept_out(cloud, me, left, index, step)
            return
        after, sent = self._applied(cloud, me, index, step)
        yield "send", after, sent._replace(at="behind"), left
        if left.lost:
            spent = left._replace(lost=0)
            yield "send, answer lost", after, sent._replace(at="look_up"), spent
            yield "lost on the way", cloud, me._replace(at="look_up"), spent
        if left.fails and isinstance(step, SetTraffic) and step.percent != cloud.percent:
            failed = after._replace(served=cloud.served, foreign=cloud.foreign)
            spent = left._replace(fails=0)
            yield "send, fails", failed, self._ended(sent, "failed"), spent

    def _last_look(
        self, cloud: Cloud, me: Person, left: Left, index: int, step: Step
    ) -> Iterator[Next]:
        """What it refuses may also have come a moment behind it: then the step is sent."""
        if self._moved(cloud, index, step):
            yield "refused at the last look", cloud, self._ended(me, "refused"), left
        elif isinstance(step, SetTraffic) and self._must_raise(cloud, step):
            yield self._kept_out(cloud, me, left, index, step)

    def _look_up(
        self, cloud: Cloud, me: Person, left: Left, index: int, step: Step
    ) -> Iterator[Next]:
        if self._shows(cloud, step):
            yield "found", cloud, me._replace(at="behind"), left
        elif self._makes_room(index):
            after, me = self._raised(cloud, me)
            yield "raise again", after, me._replace(at="behind"), left
        else:
            yield "unknown", cloud, self._ended(me, "unknown"), left

    def _behind(
        self, cloud: Cloud, me: Person, left: Left, index: int, step: Step
    ) -> Iterator[Next]:
        if self._must_raise(cloud, step):
            after, me = self._raised(cloud, me)
            yield "raise legacy behind", after, me, left
            return
        if self._is_crossed(cloud, index, step):
            after, me = self._raised(cloud, me)
            yield "put legacy back", after, self._ended(me, "refused"), left
            return
        yield "settled", cloud, self._noted(me, index, "settled")._replace(at="look"), left

    def _tell(self, cloud: Cloud, me: Person, left: Left) -> Iterator[Next]:
        yield "told", cloud, me._replace(at="ended", told=True), left
        if left.lost:
            kept = "ended" if "keep" in self.without else "tell"
            yield "not taken", cloud, me._replace(at=kept), left._replace(lost=0)

    # What they go by.

    def _moved(self, cloud: Cloud, index: int, step: Step) -> bool:
        now = SplitNow(cloud.percent, cloud.record[2], cloud.served, cloud.in_flux)
        if "served" in self.without:
            now = SplitNow(cloud.percent, cloud.record[2])
        checks = rests_on_split(step) and "scales" not in self.without
        if checks and find_moved_split(self.change, index, now):
            return True
        scaled: ScalePreset | None = None
        if isinstance(step, SetScale):
            scaled = cloud.legacy if step.service == self.plan.target.legacy else cloud.canary
        elif isinstance(step, SetTraffic) and raises(step):
            scaled = cloud.canary
        return bool(find_moved_scale(self.plan, self.change, index, scaled))

    def _must_raise(self, cloud: Cloud, step: Step) -> bool:
        looks = "look again" not in self.without
        return looks and lowers(step) and needs_raising(self.plan, cloud.legacy)

    def _is_crossed(self, cloud: Cloud, index: int, step: Step) -> bool:
        split, basis = split_of(self.change), basis_of(self.change)
        behind = split is not None and index > self.change.steps.index(split)
        rests = behind or (basis is not None and basis.idle)
        if not (isinstance(step, SetScale) and rests and "scales" not in self.without):
            return False
        cut = step.service == self.plan.target.legacy and needs_raising(self.plan, step.after)
        flux = cloud.in_flux and "served" not in self.without
        return cut and (cloud.percent != 100 or flux)

    def _makes_room(self, index: int) -> bool:
        split = split_of(self.change)
        return split is not None and index < self.change.steps.index(split) and lowers(split)

    def _guard_holds(self, cloud: Cloud, me: Person, step: SetTraffic) -> bool:
        return me.etag == cloud.etag or (me.renewed and self._is_as_shown(cloud, step))

    def _is_as_shown(self, cloud: Cloud, step: SetTraffic) -> bool:
        return (cloud.percent, cloud.record[2]) == (step.guard.percent, step.guard.record)

    def _kept_out(self, cloud: Cloud, me: Person, left: Left, index: int, step: SetTraffic) -> Next:
        if self.change.kind in GOING_BACK and self._is_as_shown(cloud, step):
            again = self._noted(me, index, "retry")._replace(at="look", renewed=True)
            return "again", cloud, again, left
        return "kept out", cloud, self._ended(me, "refused"), left

    def _shows(self, cloud: Cloud, step: Step) -> bool:
        if isinstance(step, SetTraffic):
            return cloud.record[2] == self.change.id
        if isinstance(step, SetScale):
            side = cloud.legacy if step.service == self.plan.target.legacy else cloud.canary
            return side == step.after
        return False

    def _applied(self, cloud: Cloud, me: Person, index: int, step: Step) -> tuple[Cloud, Person]:
        if isinstance(step, SetTraffic):
            record = step.record
            kept = (record.stage, record.percent, self.change.id, record.move)
            after = cloud._replace(percent=step.percent, served=step.percent, record=kept)
            etag = cloud.etag + 1
            foreign = cloud.foreign and step.percent == cloud.percent  # an adoption moves nothing
            return after._replace(etag=etag, foreign=foreign), me._replace(etag=etag, applied=True)
        assert isinstance(step, SetScale)
        if step.service != self.plan.target.legacy:
            wanted = raise_to(cloud.canary, step.after) if self._is_ahead(index) else step.after
            return cloud._replace(canary=wanted), me._replace(applied=True)
        wanted = raise_to(cloud.legacy, step.after) if self._is_ahead(index) else step.after
        return self._scaled(cloud, me, wanted)

    def _is_ahead(self, index: int) -> bool:
        split = split_of(self.change)
        return split is not None and index < self.change.steps.index(split)

    def _raised(self, cloud: Cloud, me: Person) -> tuple[Cloud, Person]:
        return self._scaled(cloud, me, raise_to(cloud.legacy, PRODUCTION))

    def _scaled(self, cloud: Cloud, me: Person, wanted: ScalePreset) -> tuple[Cloud, Person]:
        etag = cloud.etag + 1 if self.carrier else cloud.etag
        own = etag if me.etag == cloud.etag else me.etag  # the guard follows what is ours
        foreign = cloud.foreign and wanted.max >= cloud.legacy.max
        after = cloud._replace(legacy=wanted, etag=etag, foreign=foreign)
        return after, me._replace(etag=own, applied=True)

    def _noted(self, me: Person, index: int, note: life.NoteState) -> Person:
        """Raises IllegalEvent for what the table does not allow."""
        steps = len(self.change.steps)
        event = life.event_of_note(me.marks, steps, index, note)
        life.follow(life.state_of(me.marks, steps), event)
        return me._replace(marks=(*me.marks, (index, note)))

    def _ended(self, me: Person, state: str) -> Person:
        steps = len(self.change.steps)
        life.follow(life.state_of(me.marks, steps), life.EVENT_OF_END[state])  # type: ignore[index]
        nothing = state == "refused" and not me.applied
        return me._replace(at="tell", ended=state, said_nothing=nothing)
