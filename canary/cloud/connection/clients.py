"""Google's asyncio clients for one plan: made when first used, inside the loop that uses them.

Real and local alike are the published clients. To a plain address (loopback only) they get an
insecure channel and no credentials at all; everywhere else TLS and Application Default Credentials,
which go to Google's hosts and to those that the person has trusted (`credentials`).
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from canary.cloud.connection.credentials import demand_trusted, load_credentials
from canary.cloud.connection.endpoints import Address, parse_endpoint
from canary.cloud.connection.environment import build
from canary.cloud.connection.errors import status_of
from canary.cloud.connection.login import is_login_failure
from canary.host.listeners import demand_no_stranger
from canary.rollout.errors import PlanError
from canary.rollout.plan.plan import Endpoints

if TYPE_CHECKING:
    from canary.cloud.connection.client_modules import Api

_CHANNEL_OPTIONS = (
    # The default waits up to two minutes before it tries a lost connection again.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # A connection that a sleeping laptop or a router's table has swallowed is noticed while a call
    # waits on it (only then are pings sent), not after the kernel's quarter of an hour.
    # Google's front ends allow no more often (java-bigtable#528, python-bigtable#181).
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
)
_PLAIN_CHANNEL_OPTIONS = (
    *_CHANNEL_OPTIONS,
    # Loopback is never reached through a proxy, whatever the environment says.
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


class Connection:
    """The clients, one of each kind, for one event loop; `close` ends their channels.

    Raises PlanError when an address cannot be used or is not trusted, before anything is imported
    or sent.
    Channels to the same address share one TCP connection (gRPC's subchannel pool). `hear` is told
    the date of every answer (`SystemClock.hear`).
    """

    def __init__(self, endpoints: Endpoints, hear: Hear | None = None) -> None:
        self._hear = hear
        run = _address(endpoints.run, "target.endpoints.run")
        monitoring = _address(endpoints.monitoring, "target.endpoints.monitoring")
        # A server of one's own on loopback may speak it too; Google's must not be asked about it.
        own = endpoints.logging is None and run is not None and run.plain
        logging = endpoints.run if own else endpoints.logging
        self._places: dict[Api, tuple[Address | None, str]] = {
            "services": (run, "Cloud Run"),
            "revisions": (run, "Cloud Run"),
            "jobs": (run, "Cloud Run"),
            "metrics": (monitoring, "Cloud Monitoring"),
            "alert_policies": (monitoring, "Cloud Monitoring"),
            "logs": (_address(logging, "target.endpoints.logging"), "Cloud Logging"),
        }
        self._clients: dict[Api, tuple[Any, Any]] = {}
        self._retired: list[Any] = []
        self._making = asyncio.Lock()
        self._credentials: Any = None

    @property
    def credential_free(self) -> bool:
        """Whether no credentials are ever asked for: both services are plain loopback."""
        needed: tuple[Api, ...] = ("services", "metrics")
        addresses = (self._places[api][0] for api in needed)
        return all(address is not None and address.plain for address in addresses)

    async def api(self, api: Api) -> tuple[Any, Any]:
        """Return an API's asyncio client and the module of its messages.

        To be asked for before each call. Raises Denied without usable credentials, HostProblem
        where the environment is wrong, or another user of this host listens at a plain address.
        """
        address, source = self._places[api]
        if address is not None and address.plain:
            demand_no_stranger(address.host, address.port, source)
        if api not in self._clients:
            async with self._making:
                if api not in self._clients:
                    self._clients[api] = await self._make(api)
        return self._clients[api]

    def renew_login(self, failed: Any = None) -> None:
        """Load credentials, and make channels, anew at the next use: `failed` did not work.

        None: those in use.
        A process never notices a new login by itself (goose#9689, gcsfuse#1632). Of several calls
        that fail with the same credentials the first has this effect.
        """
        if self._credentials is None or failed not in (None, self._credentials):
            return
        self._credentials = None
        # Calls under way may be on plain channels, or end well: theirs are closed a turn later.
        for api in [api for api in self._clients if not self._is_plain(api)]:
            self._retired.append(self._clients.pop(api)[0])

    async def close(self) -> None:
        """End all channels; calls under way are cancelled. Can be called twice."""
        clients, self._clients = self._clients, {}
        retired, self._retired = self._retired, []
        for client in [*retired, *(client for client, _ in clients.values())]:
            await client.transport.close()

    def _is_plain(self, api: Api) -> bool:
        address = self._places[api][0]
        return address is not None and address.plain

    async def _make(self, api: Api) -> tuple[Any, Any]:
        from canary.cloud.connection.client_modules import load_api

        client_class, transport_class, types = load_api(api)
        address, _ = self._places[api]
        if address is not None and address.plain:
            import grpc.aio

            channel = grpc.aio.insecure_channel(
                address.target,
                options=_PLAIN_CHANNEL_OPTIONS,
                interceptors=[make_interceptor(self._hear)],
            )
            return client_class(transport=transport_class(channel=channel)), types
        credentials = await self._default_credentials()
        retired, self._retired = self._retired, []
        for old in retired:
            await old.transport.close()
        options = None if address is None else {"api_endpoint": address.target}

        def create_channel(*args: Any, options: Any = (), **settings: Any) -> Any:
            return transport_class.create_channel(
                *args,
                options=[*options, *_CHANNEL_OPTIONS],
                interceptors=[make_interceptor(self._hear, lambda: self.renew_login(credentials))],
                **settings,
            )

        # The client fills in host, credentials and (where the host has one) its certificate.
        transport = functools.partial(transport_class, channel=create_channel)
        client = build(
            lambda: client_class(
                credentials=credentials, client_options=options, transport=transport
            ),
            f"https://{client_class.DEFAULT_ENDPOINT if address is None else address.target}",
        )
        return client, types

    async def _default_credentials(self) -> Any:
        if self._credentials is None:
            # It may ask the metadata server, and blocks while it does.
            self._credentials = await asyncio.to_thread(load_credentials)
        return self._credentials


def _address(url: str | None, key: str) -> Address | None:
    if url is None:
        return None
    if not isinstance(url, str) or not url.strip():
        raise PlanError(f"{key} is empty.", remedy="Leave it out for Google's public address.")
    address = parse_endpoint(url.strip(), key)
    demand_trusted(address, key)
    return address


# What every unary answer is looked at for: that it can be read at all, and what time it is there.
#
# grpc.aio hands out None, and no error, for an answer whose bytes end too early: a change whose
# answer is cut short would look like a defect of this program instead of an unknown outcome.
# Google's front end dates every answer (`date`, in whole seconds), which is the one thing that
# tells how this host's clock stands.

Hear = Callable[[float, float], None]
"""Takes the date of an answer that came just now, unix seconds, and how long it took, seconds."""


def make_interceptor(hear: Hear | None, login_failed: Callable[[], None] | None = None) -> Any:
    """Return a grpc.aio interceptor for unary calls.

    With it, an answer that cannot be read raises AioRpcError with INTERNAL, as gRPC's other
    languages do. `login_failed` is called when a call fails for want of a login that works.
    """
    import grpc
    import grpc.aio

    class Answers(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]
        """Looks at answers; changes none."""

        async def intercept_unary_unary(
            self, continuation: Any, client_call_details: Any, request: Any
        ) -> Any:
            asked_at = time.monotonic()
            call = await continuation(client_call_details, request)
            try:
                response = await call
            except grpc.aio.AioRpcError as exc:
                if login_failed is not None and is_login_failure(*status_of(exc)):
                    login_failed()
                raise
            metadata = await call.initial_metadata()
            if response is None:
                raise grpc.aio.AioRpcError(
                    grpc.StatusCode.INTERNAL,
                    metadata,
                    await call.trailing_metadata(),
                    details="The answer was cut short: it cannot be read.",
                    debug_error_string="",
                )
            if hear is not None and (date := read_date(metadata.get("date"))) is not None:
                hear(date, time.monotonic() - asked_at)
            return call

    return Answers()


def read_date(text: object) -> float | None:
    """Unix seconds of an HTTP date; None for anything else."""
    try:
        return parsedate_to_datetime(str(text)).timestamp() if text else None
    except (ValueError, OverflowError):
        return None
