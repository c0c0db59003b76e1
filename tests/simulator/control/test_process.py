"""The embedded cloud as a process: it says when it is ready, and always ends."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.forked import begin_piped

WITHIN_S = 60


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a cloud and gives (process, line); all end with the test."""
    started = []

    def start_one(from_the_start=False, **config):
        if from_the_start:
            process = subprocess.Popen(
                [sys.executable, "-m", "canary.simulator", json.dumps(config)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        else:
            process = begin_piped([json.dumps(config)], tmp_path, os.environ, run="cloud")
        started.append(process)
        line = process.stdout.readline()
        return process, json.loads(line) if line else None

    yield start_one
    for process in started:
        process.kill()
        process.wait(WITHIN_S)
        process.stdout.close()
        process.stderr.close()


def ends(process):
    """Return (exit code, stderr) of a process that ends by itself."""
    _, errors = process.communicate(timeout=WITHIN_S)
    return process.returncode, errors


def test_it_says_in_one_line_that_it_is_ready_and_where(start, tmp_path):
    path = tmp_path / "state.db"
    process, ready = start(state_path=str(path), speed=30.0, from_the_start=True)
    assert (ready["pid"], ready["speed"]) == (process.pid, 30.0)
    assert set(ready["services"]) == {"ion-api", "ion-api-canary"}
    assert json.loads((tmp_path / "state.db.endpoint.json").read_text()) == ready
    assert httpx.get(ready["services"]["ion-api"] + "/health").status_code == 200


def test_a_second_one_on_the_same_state_shares_the_first(start, tmp_path):
    path = str(tmp_path / "state.db")
    _, first = start(state_path=path)
    other, second = start(state_path=path)
    assert second == {**first, "shared": True}
    assert ends(other) == (0, "")


def test_it_ends_with_its_last_lease_and_keeps_its_state(start, tmp_path):
    path = tmp_path / "state.db"
    process, ready = start(state_path=str(path), lease_grace_s=0.0)
    with httpx.stream("GET", ready["http"] + "/_cloud/lease") as lease:
        beats = lease.iter_raw()  # kept: an iterator that is dropped closes the connection
        assert next(beats) == b"\n"
        httpx.post(ready["http"] + "/_cloud/scenario", json={"name": "latency"})
    assert ends(process) == (0, "")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["state.db", "state.db.lock"]
    _, again = start(state_path=str(path))
    clock = httpx.get(again["http"] + "/_cloud/clock").json()
    assert clock["scenario"] == "latency"
    assert clock["now"] >= ready["now"]


def test_it_ends_when_nobody_takes_a_lease(start):
    process, _ = start(first_lease_s=0.0)
    assert ends(process) == (0, "")


def test_it_ends_when_its_starter_is_gone_before_it_is_ready():
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "canary.simulator", "{}"], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    os.close(reading)
    assert ends(process) == (0, b"")


def test_killed_in_the_middle_it_can_be_started_again(start, tmp_path):
    path = str(tmp_path / "state.db")
    process, ready = start(state_path=path)
    answer = httpx.post(ready["http"] + "/_cloud/scenario", json={"name": "quota"}).json()
    process.kill()
    process.wait()
    _, again = start(state_path=path)
    assert "shared" not in again
    clock = httpx.get(again["http"] + "/_cloud/clock").json()
    assert clock["scenario"] == "quota"
    assert clock["now"] >= answer["now"] - 3600


def test_fresh_starts_over(start, tmp_path):
    path = str(tmp_path / "state.db")
    process, _ = start(state_path=path, scenario="latency")
    process.send_signal(signal.SIGTERM)
    assert ends(process) == (0, "")
    _, again = start(state_path=path, fresh=True)
    assert httpx.get(again["http"] + "/_cloud/clock").json()["scenario"] == "healthy"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_in_the_foreground_it_runs_until_a_signal(start, tmp_path, number):
    process, _ = start(leases=False, first_lease_s=0.0, state_path=str(tmp_path / "s.db"))
    process.send_signal(number)
    assert ends(process) == (0, "")
    assert not (tmp_path / "s.db.endpoint.json").exists()


def test_with_leases_a_console_that_is_interrupted_does_not_take_it_down(start):
    process, ready = start()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGHUP)
    assert httpx.get(ready["http"] + "/_cloud/clock").status_code == 200
    assert process.poll() is None


def test_in_the_foreground_it_ends_with_its_parent():
    """The parent here is a process that starts it, hands its own stdout on, and is killed."""
    code = (
        "import subprocess, sys, json\n"
        "p = subprocess.Popen([sys.executable, '-m', 'canary.simulator', '{\"leases\": false}'])\n"
        "p.wait()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    ready = json.loads(parent.stdout.readline())
    parent.kill()
    # The pipe's last writer is the cloud: at its end the pipe ends.
    parent.communicate(timeout=WITHIN_S)
    with pytest.raises(httpx.ConnectError):
        httpx.get(ready["http"] + "/health")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["{"], "truncated"),
        (['{"percent": 200}'], "percent"),
        (['{"scenario": "storm"}'], "expected one of healthy, error-spike"),
        (['{"scenario": "latency", "scenario_params": {"ratio": 1}}'], "expected factor"),
        (["{}", "{}"], "usage"),
    ],
)
def test_a_configuration_that_is_wrong_is_one_sentence_and_exit_2(arguments, named):
    done = subprocess.run(
        [sys.executable, "-m", "canary.simulator", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert named in done.stderr


@pytest.mark.parametrize("port", ["grpc_port", "http_port"])
def test_a_port_that_is_taken_is_named_and_exit_3(start, port):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process, ready = start(**{port: taken.getsockname()[1]})
        code, errors = ends(process)
    assert (code, ready) == (3, None)
    assert port in errors
    assert "Traceback" not in errors


def test_a_state_file_that_is_none_is_named_and_exit_3(start, tmp_path):
    path = tmp_path / "state.db"
    path.write_text("not a database, " * 99)
    process, ready = start(state_path=str(path))
    code, errors = ends(process)
    assert (code, ready) == (3, None)
    assert str(Path(path)) in errors
    assert "Traceback" not in errors


def test_after_a_kill_it_listens_where_it_did(start, tmp_path):
    path = str(tmp_path / "state.db")
    process, before = start(state_path=path)
    process.kill()
    process.wait()
    _, after = start(state_path=path)
    assert {**after, "pid": 0, "now": 0} == {**before, "pid": 0, "now": 0}


def test_a_port_that_was_taken_meanwhile_is_left_to_its_owner(start, tmp_path):
    path = str(tmp_path / "state.db")
    process, before = start(state_path=path)
    process.kill()
    process.wait()
    with socket.create_server(("127.0.0.1", int(before["grpc"].rpartition(":")[2]))):
        _, after = start(state_path=path)
    assert after["grpc"] != before["grpc"]
    assert after["router"] == before["router"]
