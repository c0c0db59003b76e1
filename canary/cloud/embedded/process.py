"""Starting the embedded cloud: a process in a session of its own, up when its line is there."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from canary.host.children import child_environment, python_command, safe_directory
from canary.rollout.change.stage_record import StageRecord, encode_record
from canary.rollout.errors import Unavailable
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize

STATE_FILE = "cloud.db"
LOG_FILE = "cloud.log"
SOURCE = "the embedded cloud"
START_WITHIN_S = 15.0


class Ready(msgspec.Struct, frozen=True):
    """What the embedded cloud says once it is up."""

    pid: int
    grpc: str
    http: str
    router: str
    services: dict[str, str]
    speed: float
    now: float
    tags: dict[str, str] = {}
    rest: str = ""
    shared: bool = False


class Starting:
    """An embedded cloud on its way up.

    Not asyncio's subprocess: that kills the child when the loop closes, and the cloud may by then
    be somebody else's, too. A thread waits for its end, so that it is never left as a zombie.
    """

    def __init__(self, process: subprocess.Popen[bytes], log_path: Path) -> None:
        self._process = process
        self._log_path = log_path

    def wait(self) -> Ready:
        """Wait for its line; call it once. Raises Unavailable, with what it said instead."""
        process = self._process
        stuck = threading.Timer(START_WITHIN_S, process.kill)
        stuck.daemon = True
        stuck.start()
        try:
            line = process.stdout.readline() if process.stdout else b""
        finally:
            stuck.cancel()
            if process.stdout:
                process.stdout.close()
            threading.Thread(target=process.wait, name="embedded-cloud", daemon=True).start()
        try:
            return msgspec.json.decode(line, type=Ready)
        except msgspec.MsgspecError as exc:
            said = _last_line(self._log_path) or "it said nothing"
            raise Unavailable(
                f"The embedded cloud did not come up: {said}.",
                remedy=f"See {self._log_path}.",
                source=SOURCE,
            ) from exc


def begin_process(config: Mapping[str, Any], log_path: Path) -> Starting:
    """Start the process in a session of its own. Raises Unavailable when that cannot be."""
    command = python_command("canary.simulator", msgspec.json.encode(config).decode())
    try:
        with open(log_path, "wb", opener=_private) as log:
            process = subprocess.Popen(
                command,
                cwd=safe_directory(),
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
    except OSError as exc:
        raise Unavailable(f"The embedded cloud cannot be started: {exc}.", source=SOURCE) from exc
    return Starting(process, log_path)


def begin_embedded(
    plan: Plan, state_dir: Path, *, fresh: bool = False, again_at: float | None = None
) -> Starting:
    """Start the embedded cloud of a plan. One that runs on the same state already answers for it.

    `again_at`: it ran before and goes on at this speed with what it played last, whatever the plan
    begins with. Raises Unavailable when no process can be started.
    """
    config = build_config(plan, state_dir / STATE_FILE, fresh=fresh)
    if again_at is not None:
        config |= {"speed": again_at, "scenario": "healthy"}  # which leaves the one that is on
    return begin_process(config, state_dir / LOG_FILE)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _last_line(log_path: Path) -> str:
    with contextlib.suppress(OSError):
        lines = log_path.read_text(errors="replace").strip().splitlines()
        return sanitize(lines[-1], 300).rstrip(".") if lines else ""
    return ""


# The plan as the embedded cloud wants to be told it: one JSON object.

_PLACEHOLDER = 0.5
"""The start of the stage while the record is encoded: none begins half a second into 1970."""


def build_config(plan: Plan, state_path: Path | None, *, fresh: bool = False) -> dict[str, Any]:
    """The JSON object that the embedded cloud is started with, from the plan."""
    target, local = plan.target, plan.local
    router = target.router
    # A candidate that is named by revision is the embedded cloud's own; its tag is its matter.
    by_name = router.candidate.startswith(f"{plan.router_service}-")
    return {
        "project": target.project,
        "region": target.region,
        "legacy": plan.router_service if target.shares_one_service else target.legacy,
        "canary": target.canary,
        "router": _build_router(plan, "canary" if by_name else router.candidate),
        "annotation": plan.record.annotation,
        "percent": plan.percent_of(local.stage),
        "stage": local.stage,
        "soaked_hours": local.soaked_hours,
        "record": _first_record(plan),
        "confidence_metric": plan.metrics.confidence_metric,
        "requests_per_s": local.requests_per_s,
        "speed": local.speed,
        "seed": local.seed,
        "scenario": local.scenario,
        "ab_test": _build_ab_test(plan),
        "state_path": None if state_path is None else str(state_path),
        "fresh": fresh,
    }


def _build_router(plan: Plan, canary_tag: str) -> dict[str, Any]:
    """How the embedded cloud routes. A program of the team's finds a URL map there to set."""
    router = msgspec.structs.asdict(plan.target.router)
    names = ("variable", "url_map", "legacy_backend", "canary_backend")
    told = {
        "kind": router["kind"] if plan.target.router.has_guard else "url-map",
        "service": plan.router_service,
        "canary_tag": canary_tag,
        **{name: router[name] for name in names},
    }
    return {name: value for name, value in told.items() if value is not None}


def _build_ab_test(plan: Plan) -> dict[str, str]:
    """The A/B test's table and groups, so that the demonstration has what the plan asks for."""
    test, own = plan.ab_test, f"{plan.target.project}."
    return {
        "table": test.full_table(plan.target.project).removeprefix(own),
        "location": test.location,
        "legacy_group": test.legacy_group,
        "canary_group": test.canary_group,
    }


def _first_record(plan: Plan) -> str:
    stage = plan.local.stage
    record = StageRecord(
        stage=stage,
        percent=plan.percent_of(stage),
        entered_at=_PLACEHOLDER,
        by="demo",
        host="embedded-cloud",
        change="demo-start",
        move="promote",
        reason="where the demonstration begins",
        previous_stage=max(0, stage - 1),
        previous_percent=plan.percent_of(max(0, stage - 1)),
        enabled=stage < len(plan.stages),
        production_service=plan.target.canary if stage == len(plan.stages) else "",
    )
    text = encode_record(record)
    return text.replace(f'"entered_at":{_PLACEHOLDER}', '"entered_at":@ENTERED_AT@', 1)
