"""A split by a program of the team's: a real script that sets the embedded cloud's URL map."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from canary.cloud.router.choice import open_router
from canary.cloud.router.command import CommandRouter
from canary.cloud.router.intent import intent_key
from canary.cloud.views import ServiceState
from canary.rollout.change.change import Guard, SetScale, SetTraffic
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.errors import Conflict, OperationFailed, OutcomeUnknown, ToolFailed
from canary.rollout.plan.plan import Plan, ScalePreset
from tests.embedded import DEFAULT_PLAN, Embed, Embedded, with_router

PROGRAM = """#!{python} -IS
# Sets or reads the split as a team's own program would: by the load balancer's REST API.
# (By a socket: Python's own client of HTTP takes longer to import than all the rest.)
import json, socket, sys
host, port = "{url}".removeprefix("http://").split(":")

def call(method, body=b""):
    with socket.create_connection((host, int(port))) as server:
        path = "/compute/v1/projects/naeda-genesis/global/urlMaps/ion-api-map"
        head = f"{{method}} {{path}} HTTP/1.0\\r\\nContent-Length: {{len(body)}}\\r\\n\\r\\n"
        server.sendall(head.encode() + body)
        head, _, answer = server.makefile("rb").read().partition(b"\\r\\n\\r\\n")
    if head.split()[1] != b"200":
        sys.exit(head.decode())
    return json.loads(answer)

found = call("GET")
weighted = found["defaultRouteAction"]["weightedBackendServices"]
if sys.argv[1] == "read":
    print(weighted[1]["weight"] // 10)
    sys.exit()
percent = int(sys.argv[2])
weighted[0]["weight"], weighted[1]["weight"] = (100 - percent) * 10, percent * 10
body = json.dumps({{"fingerprint": found["fingerprint"],
                    "defaultRouteAction": {{"weightedBackendServices": weighted}}}})
print("asked for", call("PATCH", body.encode())["operationType"])
"""


@pytest.fixture
async def cloud(embed: Embed, tmp_path: Path) -> AsyncIterator[Embedded]:
    """Its clock stands still, but what the program asks for is done at once."""
    first = with_router(DEFAULT_PLAN, kind="command", set=("set", "{percent}"))
    async with embed(first, http=True, operation_s=0.0) as opened:
        program = tmp_path / "share"
        program.write_text(PROGRAM.format(python=sys.executable, url=opened.control_url))
        program.chmod(0o700)
        yield opened


def use(cloud: Embedded, tmp_path: Path, **router: object) -> Plan:
    """Point the cloud's adapters at the script, or at another."""
    share = str(tmp_path / "share")
    given = {"set": (share, "set", "{percent}"), "read": (share, "read"), **router}
    cloud.plan = with_router(cloud.plan, kind="command", **given)
    cloud.router = open_router(cloud.plan, cloud.connection)
    cloud.run = cloud.writer = cloud.router
    return cloud.plan


def write_script(tmp_path: Path, text: str) -> str:
    path = tmp_path / "other"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return str(path)


async def state_of(cloud: Embedded) -> ServiceState:
    return await cloud.run.service(cloud.plan.router_service)


def step_to(state: ServiceState, to: int, change: str = "c1", **guard: object) -> SetTraffic:
    record = StageRecord(1, to, 1_760_000_000.0, by="ann", host="b1", change=change)
    given = {"etag": state.etag, "percent": state.percent, **guard}
    return SetTraffic(state.name, state.percent, to, record, Guard(state.name, **given))  # type: ignore[arg-type]


async def annotations(cloud: Embedded) -> dict[str, str]:
    return dict((await cloud.run.run.message(cloud.plan.router_service)).annotations)


async def test_the_share_is_what_the_program_reads(cloud: Embedded, tmp_path: Path):
    use(cloud, tmp_path)
    state = await state_of(cloud)
    assert (state.percent, state.record.stage, state.record_error) == (10, 2, "")


async def test_without_a_read_the_record_tells_the_share(cloud: Embedded, tmp_path: Path):
    use(cloud, tmp_path, read=())
    assert (await state_of(cloud)).percent == 10


async def test_the_program_sets_the_share_and_the_record_follows(cloud: Embedded, tmp_path: Path):
    use(cloud, tmp_path)
    operation = await cloud.writer.send(step_to(await state_of(cloud), 5))
    cloud.advance(60)
    assert (await cloud.writer.operation(operation)).error is None
    after = await state_of(cloud)
    assert (after.percent, after.record.change, after.record_error) == (5, "c1", "")
    assert intent_key(cloud.plan) not in await annotations(cloud)
    assert cloud.world.timeline.split_at(cloud.now) == 5


async def test_a_program_that_fails_is_said_and_the_intent_stays(cloud: Embedded, tmp_path: Path):
    use(cloud, tmp_path, set=(write_script(tmp_path, "echo no rights; exit 3"), "{percent}"))
    with pytest.raises(OperationFailed, match="exit code 3, said: no rights"):
        await cloud.writer.send(step_to(await state_of(cloud), 5))
    state = await state_of(cloud)
    assert (state.percent, state.record.change) == (10, "demo-start")
    assert "A change to 5 % by ann@b1 was begun" in state.record_error


async def test_without_a_read_a_failed_program_leaves_the_share_unknown(
    cloud: Embedded, tmp_path: Path
):
    use(cloud, tmp_path, read=(), set=(write_script(tmp_path, "exit 1"), "{percent}"))
    with pytest.raises(OperationFailed, match="What is set now is not known"):
        await cloud.writer.send(step_to(await state_of(cloud), 5))
    assert (await state_of(cloud)).percent is None


async def test_the_next_change_takes_the_intents_place(cloud: Embedded, tmp_path: Path):
    use(cloud, tmp_path, set=(write_script(tmp_path, "exit 1"), "{percent}"))
    with pytest.raises(OperationFailed):
        await cloud.writer.send(step_to(await state_of(cloud), 5))
    use(cloud, tmp_path)
    await cloud.writer.send(step_to(await state_of(cloud), 0, "c2"))
    after = await state_of(cloud)
    assert (after.percent, after.record.change, after.record_error) == (0, "c2", "")


async def test_a_program_that_takes_too_long_is_ended_and_said(cloud: Embedded, tmp_path: Path):
    use(cloud, tmp_path, set=(write_script(tmp_path, "sleep 300"), "{percent}"), timeout_s=0.3)
    with pytest.raises(OperationFailed, match="took too long and was ended"):
        await cloud.writer.send(step_to(await state_of(cloud), 5))


async def test_a_program_that_sets_something_else_is_found_out(cloud: Embedded, tmp_path: Path):
    use(cloud, tmp_path, set=(write_script(tmp_path, "true"), "{percent}"))
    pauses: list[float] = []

    async def sleep(pause_s: float) -> None:
        pauses.append(pause_s)

    writer = CommandRouter(
        cloud.plan, cloud.router.run, cloud.router.registry, cloud.endpoints, sleep=sleep
    )
    with pytest.raises(OperationFailed, match="the share is 10 % even so, not 5 %"):
        await writer.send(step_to(await state_of(cloud), 5))
    assert len(pauses) == 4


async def test_a_program_that_is_not_there_changes_nothing(cloud: Embedded, tmp_path: Path):
    use(cloud, tmp_path, set=(str(tmp_path / "gone"), "{percent}"))
    with pytest.raises(ToolFailed):
        await cloud.writer.send(step_to(await state_of(cloud), 5))
    assert intent_key(cloud.plan) not in await annotations(cloud)


async def test_of_two_consoles_one_is_refused_before_its_program_runs(
    cloud: Embedded, tmp_path: Path
):
    ran = tmp_path / "ran"
    use(cloud, tmp_path, read=(), set=(write_script(tmp_path, f"echo $1 >> {ran}"), "{percent}"))
    state = await state_of(cloud)
    await cloud.writer.send(step_to(state, 5))
    with pytest.raises(Conflict):
        await cloud.writer.send(step_to(state, 25, "c2", percent=None))
    assert ran.read_text() == "5\n"


async def test_a_record_that_cannot_be_written_behind_the_program_is_unknown(
    cloud: Embedded, tmp_path: Path
):
    use(cloud, tmp_path)
    state = await state_of(cloud)
    method = "/google.cloud.run.v2.Services/UpdateService"
    fault = json.dumps({"method": method, "code": "PERMISSION_DENIED", "times": 1})
    (tmp_path / "break.py").write_text(
        f"import urllib.request as r; r.urlopen('{cloud.control_url}/_cloud/faults', b'{fault}')"
    )
    text = f"{tmp_path}/share set $1 && {sys.executable} {tmp_path}/break.py"
    use(cloud, tmp_path, set=(write_script(tmp_path, text), "{percent}"))
    with pytest.raises(OutcomeUnknown, match="The program has set the share; that could not be"):
        await cloud.writer.send(step_to(state, 5))
    after = await state_of(cloud)
    assert (after.percent, after.record.change) == (5, "demo-start")
    assert "is not recorded yet" in after.record_error


async def test_a_read_that_fails_or_says_nonsense_is_no_share(cloud: Embedded, tmp_path: Path):
    use(cloud, tmp_path, read=(write_script(tmp_path, "echo about ten"),))
    state = await state_of(cloud)
    assert state.percent is None
    assert 'said "about ten", not 0 to 100' in state.record_error
    use(cloud, tmp_path, read=(write_script(tmp_path, "exit 2"),))
    assert "ended with exit code 2" in (await state_of(cloud)).record_error


@pytest.mark.parametrize("text", ["10", "10 %", " 10\n"])
async def test_a_read_may_say_the_share_with_a_sign(cloud: Embedded, tmp_path: Path, text: str):
    use(cloud, tmp_path, read=("/bin/echo", text))
    assert (await state_of(cloud)).percent == 10


async def test_a_share_that_is_set_already_is_only_recorded(cloud: Embedded, tmp_path: Path):
    ran = tmp_path / "ran"
    use(cloud, tmp_path, set=(write_script(tmp_path, f"touch {ran}"), "{percent}"))
    await cloud.writer.send(step_to(await state_of(cloud), 10))
    assert not ran.exists()
    assert (await state_of(cloud)).record.change == "c1"


async def test_a_scale_runs_no_program(cloud: Embedded, tmp_path: Path):
    use(cloud, tmp_path, set=(str(tmp_path / "gone"), "{percent}"))
    operation = await cloud.writer.send(SetScale("ion-api", None, ScalePreset(2, 7)))
    cloud.advance(60)
    assert (await cloud.writer.operation(operation)).done
