"""No secret is in any file or output, whatever ran and whatever went wrong."""

import asyncio
import logging
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.cli.bugs import write_bug
from canary.host import logs
from canary.host.logs import (
    LOG_LIMIT,
    mask,
    open_log,
    remember_address,
    remember_secret,
    remember_token,
    set_up_logging,
)
from tests.cli.commands import run_process, running_cloud
from tests.cloud.webhook_server import listening
from tests.hostile.monitoring import monitor_once
from tests.hostile.other import OTHER_UID, needs_root

SECRET = "s3cret"  # the last part of the test webhook's address


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(logs, "_secrets", set())
    monkeypatch.setattr(logs, "_tokens", deque(maxlen=logs.TOKENS_KEPT))
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
    for name in logs.OURS:
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.raiseExceptions = True


def files_with(place: Path, *secrets: str) -> list[str]:
    """The files below `place` in which one of the secrets stands."""
    bodies = [(path, path.read_bytes()) for path in place.rglob("*") if path.is_file()]
    return [str(path) for path, body in bodies if any(s.encode() in body for s in secrets)]


async def test_after_a_full_run_no_file_and_no_output_has_the_webhooks_address(tmp_path: Path):
    """Executor, shell, guard and monitoring loop, each of which tells the webhook."""
    place, state = tmp_path / "host", tmp_path / "host" / "state"
    place.mkdir()
    with running_cloud(tmp_path, scenario="error-spike") as cloud:
        async with listening() as webhook:
            text = cloud.plan_path.read_text()
            assert "\n[notify]\n" in text
            plan_path = tmp_path / "canary.toml"
            plan_path.write_text(
                text.replace("\n[notify]\n", '\n[notify]\nwebhook_variable = "HOOK"\n')
            )
            os.environ["HOOK"] = webhook.url
            try:
                outputs = await run_everything(plan_path, place, state)
            finally:
                del os.environ["HOOK"]
    assert len(webhook.bodies) >= 2, outputs
    assert files_with(place, SECRET, "/services/T0") == []
    assert not [said for said in outputs if SECRET in said]


async def run_everything(plan_path: Path, place: Path, state: Path) -> list[str]:
    """All that the processes said; the executor carries out what a shell asked for."""

    async def run(*arguments: str) -> str:
        given = [*arguments, "--config", str(plan_path)]
        ended = await asyncio.to_thread(run_process, given, place, state)
        assert ended.code in (0, 10, 20, 30), ended
        return ended.out + ended.err

    said = [await run("status"), await run("rollback", "--all", "--yes", "--reason", "x")]
    said.append(await run("promote", "--yes", "--force", "--reason", "x"))
    said.append(await run("guard", "--once", "--countdown", "5s"))
    said.append(await asyncio.to_thread(monitor_once, plan_path, state, place / "out"))
    said.append(await asyncio.to_thread(run_executor_once, plan_path, state))
    return said


def run_executor_once(plan_path: Path, state: Path) -> str:
    """An executor that finds an intent in the journal, carries it out, and tells it."""
    code = "import sys; from tests.hostile.executing import main; main(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(plan_path)],
        env={**os.environ, "CANARY_STATE_DIR": str(state)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done
    return done.stdout + done.stderr


def test_libraries_are_heard_from_warning_on(capsys: pytest.CaptureFixture[str]):
    """httpx's line at "info" holds the address; ours at "info" is wanted in the executor's log."""
    set_up_logging(logging.StreamHandler(sys.stdout), own=logging.INFO)
    logging.getLogger("httpx").info("HTTP Request: POST https://hooks.example/services/T0/s3cret")
    logging.getLogger("canary.engine").info("a change is taken up")
    said = capsys.readouterr().out
    assert "hooks.example" not in said
    assert "taken up" in said


def test_a_warning_with_the_address_and_a_traceback_are_masked(
    capsys: pytest.CaptureFixture[str],
):
    remember_address("https://me:pa55word@hooks.example/services/T0AB/s3cret?key=v4lue")
    set_up_logging(logging.StreamHandler(sys.stdout))
    try:
        int("no answer from https://hooks.example/services/T0AB/s3cret")
    except ValueError:
        logging.getLogger("httpx").exception("failed for %s", "s3cret and v4lue and pa55word")
    said = capsys.readouterr().out
    assert "ValueError" in said
    assert not [s for s in ("T0AB", "s3cret", "v4lue", "pa55word") if s in said]


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer s3cret-t0ken-of-one-hour",
        "authorization: Basic bWU6czNjcmV0czNjcmV0",
        "token ya29.s3cret-A0AfH6SMB",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzM2NyZXQifQ.s3cret",
        "https://me:s3cret@proxy.example:3128/",
        "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\ns3cret cut off",
        "refresh 1//0s3cret-s3cret-s3cret-s3cret",
    ],
)
def test_tokens_are_known_by_their_form(text: str):
    said = mask(f"before {text} after")
    assert "s3cret" not in said
    assert "czNjcmV0" not in said
    assert said.startswith("before ")


@given(st.text(min_size=logs.LEAST_SECRET, max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_what_is_remembered_never_comes_out(secret: str, before: str, after: str):
    logs._secrets.clear()
    remember_secret(secret)
    said = mask(f"{before}{secret}{after}")
    assert secret not in said or secret in logs.MASK * len(secret)


def test_what_nobody_catches_is_written_masked():
    code = (
        "from canary.host.logs import set_up_logging, remember_secret\n"
        "set_up_logging(); remember_secret('s3cret')\n"
        "import threading\n"
        "t = threading.Thread(target=lambda: 1 / int('s3cret')); t.start(); t.join()\n"
        "raise ValueError('s3cret')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("ValueError") == 2
    # the source lines of a -c program are not shown: what is left is the messages
    assert "s3cret" not in done.stderr


def test_a_log_that_an_older_version_left_is_begun_anew_where_it_has_addresses(tmp_path: Path):
    """httpx's own line, as the first versions had it in executor.log and monitor.log."""
    path = tmp_path / "executor.log"
    kept = "2026-03-01 10:00:00 INFO canary.engine.change.executor: change c1: done\n"
    path.write_text(kept)
    os.close(logs.open_log(path))
    assert path.read_text() == kept
    path.write_text(
        f"{kept}2026-03-01 10:00:01 INFO httpx: HTTP Request:"
        f' POST https://hooks.example/services/T0/{SECRET} "HTTP/1.1 200 OK"\n'
    )
    log = logs.open_log(path)
    os.write(log, b"new\n")
    os.close(log)
    assert path.read_text() == "new\n"
    path.write_bytes(b"x" * (logs.LOG_LIMIT + 1))
    os.close(logs.open_log(path))
    assert path.read_bytes() == b""


def test_of_the_tokens_of_weeks_the_newest_are_masked_and_no_more_are_kept():
    remember_secret("configured")
    for hour in range(1000):
        remember_token(f"token-{hour:04d}")
        remember_token(f"token-{hour:04d}")
    assert mask("token-0999 token-0990 configured") == "… … …"
    assert len(logs._tokens) == logs.TOKENS_KEPT


def test_the_log_of_a_process_that_lives_for_months_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """An executor that cannot look into the journal says so again and again."""
    path = tmp_path / "executor.log"
    longest = 0
    with os.fdopen(open_log(path), "w") as log:
        monkeypatch.setattr(sys, "stderr", log)
        set_up_logging(bounded=True)
        for number in range(40):
            logging.getLogger("canary").warning("%d %s", number, "x" * 20_000)
            longest = max(longest, path.stat().st_size)
    assert longest <= LOG_LIMIT + 21_000
    assert "39 x" in path.read_text()
    assert "\0" not in path.read_text()


@needs_root
@pytest.mark.parametrize("lay", ["a link", "a pipe", "a file of theirs"])
def test_a_mistake_is_written_into_no_file_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lay: str
):
    """CANARY_STATE_DIR=/tmp: the directory passes, as only its owner removes a file there."""
    place, victim = tmp_path / "tmp", tmp_path / "victim"
    place.mkdir()
    place.chmod(0o1777)
    log = place / "canary.log"
    if lay == "a link":
        log.symlink_to(victim)
    elif lay == "a pipe":
        os.mkfifo(log)
    else:
        log.touch(0o666)
        os.chown(log, OTHER_UID, OTHER_UID)
    monkeypatch.setenv("CANARY_STATE_DIR", str(place))
    assert write_bug(ValueError("x")) is None
    assert not victim.exists()
    assert lay == "a pipe" or log.is_symlink() or log.read_text() == ""


def test_a_log_that_others_could_read_is_closed_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CANARY_STATE_DIR", str(tmp_path))
    (tmp_path / "canary.log").touch()
    (tmp_path / "canary.log").chmod(0o644)
    path = write_bug(ValueError("x"))
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600
