"""A login that expires in a process that lives on, and is renewed beside it: real TLS and gRPC.

The process is one of its own: gRPC reads its roots once. The token endpoint and the TLS in front of
the embedded cloud are this test's; the credentials are google-auth's own (an external account).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.embedded import Embedded

ROOT = Path(__file__).parents[3]
LIMIT_S = 60.0
DRIVER = """
import asyncio, sys
from pathlib import Path
from canary.cloud.connection.clients import Connection
from canary.cloud.run.client import RunClient
from canary.rollout.errors import CanaryError, Denied
from canary.rollout.plan.file import load_plan

async def main():
    plan = load_plan(Path(sys.argv[1]))
    connection = Connection(plan.target.endpoints)
    run = RunClient(connection, plan)
    while await asyncio.to_thread(sys.stdin.readline):
        try:
            print("read", (await run.message("ion-api")).name, flush=True)
        except CanaryError as error:
            expired = isinstance(error, Denied) and error.login_expired
            print(type(error).__name__, expired, error.message, flush=True)
    await connection.close()

asyncio.run(main())
"""


def make_certificate(directory: Path) -> None:
    """A certificate for localhost, its own root, and its key, in `directory`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (directory / "root.pem").write_bytes(certificate.public_bytes(pem))
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "key.pem").write_bytes(secret)


def served_with(directory: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "root.pem", directory / "key.pem")
    return context


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def tls_in_front_of(plain_port: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", plain_port)
        await asyncio.gather(pipe(reader, there[1]), pipe(there[0], writer))

    context.set_alpn_protocols(["h2"])
    async with await asyncio.start_server(connected, "localhost", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


@contextlib.asynccontextmanager
async def token_endpoint(context: ssl.SSLContext) -> AsyncIterator[int]:
    """/good gives tokens; /expired refuses, as Google's does (RFC 6749, 5.2)."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b" /good " in head:
            status, body = (
                "200 OK",
                {
                    "access_token": "t",
                    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                    "token_type": "Bearer",
                    "expires_in": 3600,
                },
            )
        else:
            said = "Token has been expired or revoked."
            status, body = "400 Bad Request", {"error": "invalid_grant", "error_description": said}
        content = json.dumps(body)
        writer.write(
            f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n"
            f"content-length: {len(content)}\r\n\r\n{content}".encode()
        )
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(connected, "localhost", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


def log_in(directory: Path, url: str, subject: str = "subject") -> None:
    (directory / "subject").write_text("token")
    document = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": url,
        "credential_source": {"file": str(directory / subject)},
    }
    (directory / "login.json").write_text(json.dumps(document))


def environment(directory: Path) -> dict[str, str]:
    trust = directory / "config"
    trust.mkdir(mode=0o700)
    (trust / "trust.toml").write_text('hosts = ["localhost"]\n')
    (trust / "trust.toml").chmod(0o600)
    roots = ("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(directory),
        "CANARY_CONFIG_DIR": str(trust),
        "GOOGLE_APPLICATION_CREDENTIALS": str(directory / "login.json"),
        "GRPC_VERBOSITY": "NONE",
        **dict.fromkeys(roots, str(directory / "root.pem")),
    }


@pytest.mark.parametrize("first", ["expired", "no subject", "away"])
async def test_a_process_that_lives_on_takes_over_a_new_login(
    embedded: Embedded, tmp_path: Path, first: str
) -> None:
    make_certificate(tmp_path)
    plain = urlsplit(embedded.endpoints.run or "").port or 0
    async with (
        token_endpoint(served_with(tmp_path)) as tokens,
        tls_in_front_of(plain, served_with(tmp_path)) as port,
    ):
        plan = (ROOT / "canary.toml").read_text().replace('"local"', '"gcp"', 1)
        at = f"https://localhost:{port}"
        endpoints = f'[target.endpoints]\nrun = "{at}"\nmonitoring = "{at}"\n'
        (tmp_path / "canary.toml").write_text(f"{plan}\n{endpoints}")
        urls = {"away": "https://localhost:9/token"}
        url = urls.get(first, f"https://localhost:{tokens}/expired")
        log_in(tmp_path, url, "none" if first == "no subject" else "subject")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", DRIVER, str(tmp_path / "canary.toml")),
            cwd=ROOT,
            env=environment(tmp_path),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None

        async def ask() -> str:
            process.stdin.write(b"\n")
            async with asyncio.timeout(LIMIT_S):
                return (await process.stdout.readline()).decode()

        try:
            refused = await ask()
            expected = {
                "expired": "Denied True Your login has expired: `gcloud auth",
                "no subject": "Denied False No usable credentials",
                "away": "Unavailable False Google's login is away",
            }
            assert refused.startswith(expected[first]), refused
            log_in(tmp_path, f"https://localhost:{tokens}/good")
            assert (await ask()).startswith("read projects/"), "the new login is not seen"
        finally:
            process.stdin.close()
            await process.wait()
