"""Nothing that can happen breaks what must hold; without a guard, what it kept out is found.

docs/search.md has the number of states: another number is another search, and must be looked at.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.embedded import Embed
from tests.search.replay import Replay, config_of, plan_of
from tests.search.script import script_of
from tests.search.search import BEGINNINGS, Search, Violation, search_all

DOCUMENT = (Path(__file__).parents[2] / "docs" / "search.md").read_text(encoding="utf-8")


def test_every_interleaving_keeps_what_must_hold_where_another_carries_the_split() -> None:
    """From where most of the guards are needed; the long run begins everywhere."""
    found = Search(carrier=False).run(BEGINNINGS[2])
    assert found.violation is None, script_of(found.violation)
    assert found.states > 100_000


@pytest.mark.parametrize(
    "carrier", [True, pytest.param(False, marks=pytest.mark.long)], ids=["by-legacy", "by-another"]
)
def test_every_interleaving_keeps_what_must_hold(carrier: bool) -> None:
    found = search_all(carrier=carrier)
    assert found.violation is None, script_of(found.violation)
    who = "Legacy" if carrier else "another"
    written = re.search(rf"\| {who} \| ([0-9 ]+) \| ([0-9 ]+) \|", DOCUMENT)
    assert written is not None
    told = tuple(int(number.replace(" ", "")) for number in written.groups())
    assert told == (found.states, found.transitions)


GUARDS = {
    "scales": ("I1", 2, False),
    "served": ("I1", 3, True),
    "look again": ("I1", 2, False),
    "never more": ("I2", 5, True),
    "plan": ("I2", 6, True),
}
"""The guard that is taken out, what breaks then, and from where: the points 1 to 5 as they were."""

BESIDE = {
    "routing": ("I5", 0, True),
    "keep": ("I7", 0, True),
    "make up": ("I7", 0, True),
}
"""The same for executors of another routing, and for the webhook; `tests/engine` plays those."""


def found_without(guard: str) -> Violation:
    invariant, index, carrier = {**GUARDS, **BESIDE}[guard]
    search = Search(carrier=carrier, without=frozenset({guard}))
    violation = search.run(BEGINNINGS[index]).violation
    assert violation is not None
    assert violation.invariant.startswith(invariant)
    return violation


@pytest.mark.parametrize("guard", BESIDE)
def test_without_a_guard_it_finds_who_acts_for_others_and_who_never_tells(guard: str) -> None:
    assert found_without(guard).events


@pytest.mark.parametrize("guard", GUARDS)
async def test_without_a_guard_it_finds_what_the_product_keeps_out_on_the_embedded_cloud(
    embed: Embed, tmp_path: Path, guard: str
) -> None:
    """The counterexample is a script, and is played with every guard where it is."""
    violation = found_without(guard)
    script = script_of(violation)
    compile(script, "counterexample", "exec")
    assert "at.carry_out(" in script
    async with embed(plan_of(carrier=violation.carrier), **config_of(violation)) as cloud:
        at = Replay(cloud, tmp_path)
        legacy = violation.beginning.legacy
        await at.scale((legacy.min, legacy.max))
        last = {who: index for index, (who, _) in enumerate(violation.events)}
        for index, (who, what) in enumerate(violation.events):
            if not who:
                at.meddle(what)
            elif what.startswith("ask "):
                await at.ask(who, what.removeprefix("ask "))
            elif index == last[who]:
                await at.carry_out(who)
        assert await at.holds()
