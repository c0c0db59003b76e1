"""Credentials go to Google, and to whom the person has trusted: nobody else is ever asked."""

import asyncio
import fcntl
import json
import os
import socket
import subprocess
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from canary.cloud.connection.clients import Connection
from canary.cloud.connection.credentials import load_credentials
from canary.cloud.connection.http import open_http
from canary.cloud.connection.rest import Refusal, RestClient
from canary.host.trust import Trust, change_trust, read_trust
from canary.rollout.errors import CanaryError, Denied, PlanError, RecordError
from canary.rollout.plan.hosts import foreign_hosts, is_google_host
from canary.rollout.plan.plan import Endpoints
from tests.cli.commands import DEFAULT_PLAN, run_process
from tests.hostile.other import OTHER_UID, needs_root, share_with_group

GOOGLES = (
    "run.googleapis.com",
    "RUN.GoogleAPIs.com.",
    "europe-west1-run.googleapis.com",
    "run.europe-west1.rep.googleapis.com",
    "monitoring.mtls.googleapis.com",
    "run-ourpsc.p.googleapis.com",
    "restricted.googleapis.com",
    "private.googleapis.com",
)
FOREIGN = (
    "evil.example",
    "googleapis.com",
    "evilgoogleapis.com",
    "run.googleapis.com.evil.example",
    "run-googleapis.com",
    "run.googleapis.co",
    "run.googleapis.com\u3002evil.example",
    "run\u3002googleapis.com",
    "xn--run.googleapis.com.evil",
    "-.googleapis.com",
    "a b.googleapis.com",
    "127.0.0.1",
    "localhost",
    "::1",
    "run.app",
    "unix",
)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config"
    monkeypatch.setenv("CANARY_CONFIG_DIR", str(path))
    return path


@pytest.mark.parametrize("host", GOOGLES)
def test_googles_hosts_need_no_question(host: str):
    assert is_google_host(host)


@pytest.mark.parametrize("host", FOREIGN)
def test_what_only_looks_like_google_is_foreign(host: str):
    assert not is_google_host(host)


@pytest.mark.parametrize("field", Endpoints.__struct_fields__)
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:8443", "run.googleapis.com.evil.io"])
def test_no_service_of_the_plan_gets_credentials_at_a_foreign_host(
    config: Path, field: str, host: str
):
    url = f"https://{host}"
    endpoints = Endpoints(**{field: url})
    assert len(foreign_hosts(endpoints)) == 1
    opening = (
        partial(Connection, endpoints)
        if field in ("run", "monitoring", "logging")
        else partial(RestClient, url, "", key=f"target.endpoints.{field}", source="it")
    )
    with pytest.raises(PlanError, match="canary trust host"):
        opening()


def test_a_command_sends_nothing_to_a_host_that_the_plan_names(tmp_path: Path, config: Path):
    """The plan in the current directory, a listener that is no Google: nobody ever calls."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        address = f"https://127.0.0.1:{listener.getsockname()[1]}"
        plan = tmp_path / "canary.toml"
        text = DEFAULT_PLAN.replace('provider = "local"', 'provider = "gcp"')
        plan.write_text(
            f'{text}\n[target.endpoints]\nrun = "{address}"\nmonitoring = "{address}"\n'
        )
        for command in (["status"], ["rollback", "--all", "--yes"], ["health"]):
            ended = run_process(command, tmp_path, tmp_path / "state")
            assert ended.code == 2, ended
            assert "canary trust host 127.0.0.1" in ended.err
        ended = run_process(["doctor"], tmp_path, tmp_path / "state")
        assert "none of Google's, and not trusted with your credentials" in ended.out
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_trusted_it_may_and_trusted_no_more_it_may_not(tmp_path: Path, config: Path):
    def canary(*arguments: str) -> Any:
        return run_process(["trust", *arguments], tmp_path, tmp_path / "state")

    assert canary("host", "https://Run.Example.Internal:8443").code == 0
    assert read_trust().hosts == ("run.example.internal",)
    Connection(Endpoints(run="https://run.example.internal"))
    assert "run.example.internal" in canary("list").out
    assert canary("list", "--json").document["hosts"] == ["run.example.internal"]
    assert (config / "trust.toml").stat().st_mode & 0o777 == 0o600
    assert config.stat().st_mode & 0o777 == 0o700
    assert canary("remove", "run.example.internal").code == 0
    assert canary("remove", "run.example.internal").code == 2
    with pytest.raises(PlanError):
        Connection(Endpoints(run="https://run.example.internal"))


@pytest.mark.parametrize(
    "name", ["", "a/b", "https://me:x@host", "host name", "h\u00f6st", "-x", "["]
)
def test_what_is_no_host_is_not_trusted(tmp_path: Path, config: Path, name: str):
    ended = run_process(["trust", "host", "--", name], tmp_path, tmp_path / "state")
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert read_trust() == Trust()


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o602, 0o660])
def test_a_trust_file_that_others_can_touch_is_not_believed(config: Path, mode: int):
    change_trust(lambda _: Trust(hosts=("evil.example",)))
    (config / "trust.toml").chmod(mode)
    with pytest.raises(RecordError, match="chmod"):
        Connection(Endpoints(run="https://evil.example"))


@needs_root
def test_a_trust_file_in_a_directory_of_others_is_not_believed(config: Path):
    change_trust(lambda _: Trust(hosts=("evil.example",)))
    share_with_group(config, 0o770)
    with pytest.raises(RecordError, match="chmod go-w"):
        Connection(Endpoints(run="https://evil.example"))


@pytest.mark.parametrize("text", ["hosts = 1", "nonsense", "hosts = ['a']\nextra = 1", "\x00"])
def test_a_trust_file_that_is_damaged_trusts_nobody(config: Path, text: str):
    change_trust(lambda _: Trust())
    (config / "trust.toml").write_text(text)
    with pytest.raises(RecordError, match="cannot be read"):
        Connection(Endpoints(run="https://evil.example"))


def test_a_config_directory_from_where_one_stands_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CANARY_CONFIG_DIR", ".")
    with pytest.raises(RecordError, match="relative"):
        Connection(Endpoints(run="https://evil.example"))


def test_a_lock_on_the_config_directory_keeps_nobody_waiting(config: Path):
    """Whoever may look into it could hold one for ever: a file of one's own is locked."""
    config.mkdir()
    fd = os.open(config, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_SH)
    change = threading.Thread(target=change_trust, args=(lambda known: known,), daemon=True)
    change.start()
    change.join(10)
    os.close(fd)
    assert not change.is_alive()
    assert (config / ".trust.toml.lock").stat().st_mode & 0o777 == 0o600


@needs_root
def test_nothing_is_left_in_a_config_directory_of_others(config: Path):
    """`sudo -E canary trust`: a lock of root's would keep its owner from trusting anybody."""
    config.mkdir(mode=0o700)
    os.chown(config, OTHER_UID, OTHER_UID)
    with pytest.raises(RecordError, match="is not believed in"):
        change_trust(lambda known: known)
    assert list(config.iterdir()) == []


async def test_no_redirect_is_followed_with_a_token(config: Path):
    """The one HTTP client of the project stays with whom it has asked."""
    asked = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readline()).decode())
        writer.write(b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with open_http(url) as client:
            answer = await client.get(f"{url}/asked", headers={"authorization": "Bearer x"})
        rest = RestClient(url, "", key="k", source="it")
        with pytest.raises(Refusal) as refused:
            await rest.send("GET", "/asked", "asking")
        await rest.close()
    assert (answer.status_code, refused.value.status) == (302, 302)
    assert [line.split()[1] for line in asked] == ["/asked", "/asked"]


def make_key() -> str:
    made = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout


def credentials_file(kind: str, host: str) -> dict[str, Any]:
    """Application Default Credentials of each kind, exchanged at `host`.
    Source: google-auth 2.x, google/oauth2/service_account.py, credentials.py, identity_pool.py.
    """
    if kind == "service_account":
        return {
            "type": kind,
            "client_email": "a@p.iam.gserviceaccount.com",
            "token_uri": f"https://{host}/token",
            "private_key": make_key(),
        }
    return {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "service_account_impersonation_url": f"https://{host}/v1/x:generateAccessToken",
        "credential_source": {"file": "/nowhere"},
    }


@pytest.mark.parametrize("kind", ["service_account", "external_account"])
def test_credentials_are_exchanged_with_google_alone(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch, kind: str
):
    path = tmp_path / "adc.json"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    path.write_text(json.dumps(credentials_file(kind, "iamcredentials.googleapis.com")))
    load_credentials()
    path.write_text(json.dumps(credentials_file(kind, "evil.example")))
    with pytest.raises(Denied, match=r"evil\.example"):
        load_credentials()
    change_trust(lambda _: Trust(hosts=("evil.example",)))
    load_credentials()


@pytest.mark.parametrize("field", ["token_url", "universe_domain", "source_credentials"])
def test_nothing_is_exchanged_before_it_is_known_where(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch, field: str
):
    """google.auth.default() exchanges an external account's token to learn its project."""
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    path, secret = tmp_path / "adc.json", tmp_path / "secret"
    secret.write_text("a file of the person, chosen by whoever wrote the credentials")
    with socket.create_server(("127.0.0.1", 0)) as evil:
        evil.setblocking(False)
        at = f"127.0.0.1:{evil.getsockname()[1]}"
        info = credentials_file("external_account", "iamcredentials.googleapis.com")
        info |= {"credential_source": {"file": str(secret)}, "token_url": f"https://{at}/token"}
        if field == "universe_domain":
            info |= {"token_url": f"https://sts.{at}/v1/token", "universe_domain": at}
        if field == "source_credentials":
            info = {"type": "impersonated_service_account", field: info}
        path.write_text(json.dumps(info))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        with pytest.raises(Denied, match="none of Google's hosts"):
            load_credentials()
        with pytest.raises(BlockingIOError):
            evil.accept()


def test_a_login_runs_no_program_to_be_read(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
):
    """google.auth.default() runs what is called gcloud on PATH, to learn a project."""
    (tmp_path / "gcloud").write_text(f"#!/bin/sh\n: > '{tmp_path}/run'\n")
    (tmp_path / "gcloud").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f":{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    path = tmp_path / "application_default_credentials.json"
    login = {"client_id": "a", "client_secret": "b", "refresh_token": "c"}
    path.write_text(json.dumps({"type": "authorized_user", **login}))
    assert load_credentials().refresh_token == "c"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    assert load_credentials().scopes is None
    assert not (tmp_path / "run").exists()


@needs_root
@pytest.mark.parametrize("weak", ["none", "the file", "the program", "an argument", "relative"])
def test_a_program_for_a_token_is_nobody_elses(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch, weak: str
):
    path, program, script = tmp_path / "adc.json", tmp_path / "token", tmp_path / "script"
    for each in (program, script):
        each.write_text("#!/bin/sh\n")
        each.chmod(0o755)
    command = "token" if weak == "relative" else f"{program} {script}"
    info = credentials_file("external_account", "iamcredentials.googleapis.com")
    info["credential_source"] = {"executable": {"command": command, "timeout_millis": 5000}}
    path.write_text(json.dumps(info))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    if weak == "none":
        assert load_credentials() is not None
        return
    others = {"the file": path, "the program": program, "an argument": script}
    if weak in others:
        os.chown(others[weak], OTHER_UID, OTHER_UID)
    with pytest.raises(Denied, match="has a program run" if weak in others else "absolute path"):
        load_credentials()


async def test_refused_where_they_are_exchanged_nothing_is_sent(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "adc.json"
    path.write_text(json.dumps(credentials_file("external_account", "evil.example")))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    connection = Connection(Endpoints())
    with pytest.raises(CanaryError, match=r"evil\.example"):
        await connection.api("services")
    rest = RestClient(None, "https://compute.googleapis.com", key="k", source="it")
    with pytest.raises(Denied, match=r"evil\.example"):
        await rest.send("GET", "/", "asking")
    await connection.close()
    await rest.close()
