"""What happens between the look at the share and the team's program: it is looked at once more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from canary.cloud.router.command import CommandRouter
from canary.cloud.router.intent import BEGIN_S, intent_key, turn_s
from canary.rollout.change.change import SetTraffic
from canary.rollout.change.stage_record import decode_record, encode_record
from canary.rollout.errors import (
    CanaryError,
    Conflict,
    GateNotMet,
    OperationFailed,
    Unavailable,
)
from tests.chaos.routers import change_by_others
from tests.cloud.router.test_command import annotations, cloud, state_of, step_to, use, write_script
from tests.embedded import Embedded

__all__ = ["cloud"]

UPDATE = "UpdateService"


def of_move(step: SetTraffic, move: str, **record: Any) -> SetTraffic:
    kept = msgspec.structs.replace(step.record, move=move, **record)
    return msgspec.structs.replace(step, record=kept)


def behind_the_intent(cloud: Embedded, moment: Callable[[], Awaitable[None]]) -> None:
    """Have `moment` happen once, when the intent is written and the program has not been run."""
    run = cloud.router.run
    update, happened = run.update, []

    async def updating(*arguments: Any, **how: Any) -> str:
        operation = await update(*arguments, **how)
        if not happened and intent_key(cloud.plan) in arguments[0].annotations:
            happened.append(True)
            await moment()
        return operation

    run.update = updating  # type: ignore[method-assign]


def count_runs(cloud: Embedded, tmp_path: Path) -> Path:
    """Use a program that sets the share and writes down that it was run."""
    ran = tmp_path / "ran"
    script = f'echo "$1" >> {ran} && exec {tmp_path}/share set "$1"'
    use(cloud, tmp_path, set=(write_script(tmp_path, script), "{percent}"))
    return ran


@pytest.mark.parametrize(
    ("move", "to", "theirs"), [("step_back", 5, 1), ("promote", 25, 15), ("rollback_all", 0, 15)]
)
async def test_a_share_that_somebody_sets_behind_the_intent_is_not_overwritten(
    cloud: Embedded, tmp_path: Path, move: str, to: int, theirs: int
):
    ran = count_runs(cloud, tmp_path)
    step = of_move(step_to(await state_of(cloud), to), move)

    async def meddle() -> None:
        change_by_others(cloud, theirs)

    behind_the_intent(cloud, meddle)
    with pytest.raises(Conflict, match=f"is {theirs} %; this was decided at 10 %"):
        await cloud.writer.send(step)
    assert not ran.exists()
    assert cloud.world.timeline.split_at(cloud.now) == theirs
    assert intent_key(cloud.plan) not in await annotations(cloud)
    assert (await state_of(cloud)).record.change == "demo-start"


async def test_an_intent_that_another_has_overwritten_is_not_acted_on(
    cloud: Embedded, tmp_path: Path
):
    ran = count_runs(cloud, tmp_path)
    state = await state_of(cloud)

    async def begin_another() -> None:
        await write_intent(cloud, step_to(state, 0, "c2"))

    behind_the_intent(cloud, begin_another)
    with pytest.raises(Conflict, match="begun meanwhile; the program was not run"):
        await cloud.writer.send(step_to(state, 5))
    assert not ran.exists()
    assert "A change to 0 %" in (await state_of(cloud)).record_error


async def write_intent(cloud: Embedded, step: SetTraffic) -> None:
    """As somebody leaves it who was killed while the program ran."""
    service = await cloud.router.run.message(step.service)
    service.annotations[intent_key(cloud.plan)] = encode_record(step.record)
    await cloud.router.run.update(service, ["annotations"], "beginning", validate_only=False)


@pytest.mark.parametrize(
    ("move", "to", "raised"),
    [("promote", 25, Conflict), ("rollback_all", 0, Unavailable), ("step_back", 5, Unavailable)],
)
async def test_no_program_is_run_beside_another(
    cloud: Embedded, tmp_path: Path, move: str, to: int, raised: type[CanaryError]
):
    ran = count_runs(cloud, tmp_path)
    began = step_to(await state_of(cloud), 25, "theirs")
    await write_intent(cloud, began)
    at = began.record.entered_at + turn_s(cloud.plan) - 1.0
    step = of_move(step_to(await state_of(cloud), to), move, entered_at=at)
    with pytest.raises(raised, match="A program that sets 25 % for ann@b1 was begun 1 m ago"):
        await cloud.writer.send(step)
    assert not ran.exists()
    late = of_move(step, move, entered_at=at + 1.0)  # whoever ran it was killed long ago
    await cloud.writer.send(late)
    assert ran.read_text() == f"{to}\n"


async def test_nobody_waits_for_a_program_that_has_failed(cloud: Embedded, tmp_path: Path):
    use(cloud, tmp_path, set=("/bin/false", "{percent}"))
    with pytest.raises(OperationFailed):
        await cloud.writer.send(step_to(await state_of(cloud), 25))
    use(cloud, tmp_path)
    await cloud.writer.send(of_move(step_to(await state_of(cloud), 0, "c2"), "rollback_all"))
    assert (await state_of(cloud)).percent == 0
    assert not [key for key in await annotations(cloud) if "-intent" in key]


@pytest.mark.parametrize("read", [True, False])
async def test_an_intent_whose_answer_is_lost_is_looked_for_and_gone_on_with(
    cloud: Embedded, tmp_path: Path, read: bool
):
    use(cloud, tmp_path, **({} if read else {"read": ()}))
    cloud.break_method(UPDATE, code="UNAVAILABLE", after_apply=True, times=1)
    await cloud.writer.send(step_to(await state_of(cloud), 5))
    after = await state_of(cloud)
    assert (after.percent, after.record.change) == (5, "c1")


async def test_an_intent_that_never_arrived_runs_nothing_and_a_rollback_may_try_again(
    cloud: Embedded, tmp_path: Path
):
    ran = count_runs(cloud, tmp_path)
    step = of_move(step_to(await state_of(cloud), 0), "rollback_all")
    cloud.break_method(UPDATE, code="UNAVAILABLE", times=1)
    with pytest.raises(Unavailable, match="could not be noted"):
        await cloud.writer.send(step)
    assert not ran.exists()
    await cloud.writer.send(step)
    assert (await state_of(cloud)).percent == 0


@pytest.mark.parametrize(
    ("move", "to", "raised"), [("promote", 25, OperationFailed), ("step_back", 5, Unavailable)]
)
async def test_an_intent_that_cannot_be_taken_back_is_said_and_hinders_nobody_of_its_own(
    cloud: Embedded, tmp_path: Path, move: str, to: int, raised: type[CanaryError]
):
    ran = count_runs(cloud, tmp_path)
    step = of_move(step_to(await state_of(cloud), to), move)

    async def meddle_and_fail() -> None:
        change_by_others(cloud, 15)
        cloud.break_method(UPDATE, code="PERMISSION_DENIED", times=1)

    behind_the_intent(cloud, meddle_and_fail)
    with pytest.raises(raised, match="The program was not run; the note on ion-api") as refused:
        await cloud.writer.send(step)
    assert "Nothing was changed" not in str(refused.value)
    assert not ran.exists()
    kept = (await annotations(cloud))[intent_key(cloud.plan)]
    assert decode_record(kept).change == "c1"
    change_by_others(cloud, 10)
    await cloud.writer.send(msgspec.structs.replace(step, guard=step_to_guard(step)))
    assert (await state_of(cloud)).percent == to


def step_to_guard(step: SetTraffic) -> Any:
    return msgspec.structs.replace(step.guard, etag="")


async def test_what_took_too_long_to_begin_is_not_run(cloud: Embedded, tmp_path: Path):
    ran = count_runs(cloud, tmp_path)
    ticks = iter((0.0, BEGIN_S + 1.0))
    writer = CommandRouter(
        cloud.plan,
        cloud.router.run,
        cloud.router.registry,
        cloud.endpoints,
        monotonic=lambda: next(ticks),
    )
    with pytest.raises(Unavailable, match="took too long"):
        await writer.send(step_to(await state_of(cloud), 5))
    assert not ran.exists()
    assert intent_key(cloud.plan) not in await annotations(cloud)


async def test_a_step_back_whose_share_was_not_known_raises_nothing(
    cloud: Embedded, tmp_path: Path
):
    use(cloud, tmp_path, read=(write_script(tmp_path, "exit 1"),))
    unknown = of_move(step_to(await state_of(cloud), 5), "step_back")
    assert unknown.guard.percent is None
    ran = count_runs(cloud, tmp_path)
    change_by_others(cloud, 1)
    with pytest.raises(Conflict, match="setting 5 % would give it more"):
        await cloud.writer.send(unknown)
    assert not ran.exists()


async def test_a_step_back_gives_no_more_than_a_rollback_that_was_begun(
    cloud: Embedded, tmp_path: Path
):
    """Without a `read` nobody knows whether the killed one has set 0 %."""
    ran = tmp_path / "ran"
    use(cloud, tmp_path, read=(), set=(write_script(tmp_path, f'echo "$1" >> {ran}'), "{percent}"))
    await write_intent(cloud, step_to(await state_of(cloud), 0, "theirs"))
    later = 1_760_000_000.0 + turn_s(cloud.plan)
    back = of_move(step_to(await state_of(cloud), 5), "step_back", entered_at=later)
    with pytest.raises(Conflict, match="A change to 0 % was begun, and may be set"):
        await cloud.writer.send(back)
    assert not ran.exists()
    off = of_move(step_to(await state_of(cloud), 0), "rollback_all", entered_at=later)
    await cloud.writer.send(off)
    assert ran.read_text() == "0\n"


async def test_what_the_last_look_refuses_is_not_run(cloud: Embedded, tmp_path: Path):
    ran = count_runs(cloud, tmp_path)

    async def refuse() -> None:
        assert intent_key(cloud.plan) in await annotations(cloud)
        raise GateNotMet("held")

    with pytest.raises(GateNotMet, match="held"):
        await cloud.writer.send(step_to(await state_of(cloud), 25), last_look=refuse)
    assert not ran.exists()
    assert intent_key(cloud.plan) not in await annotations(cloud)
