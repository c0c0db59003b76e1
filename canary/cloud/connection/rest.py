"""One REST API of Google's, asked with httpx: JSON in, JSON out, refusals translated.

To a plain address (loopback only) no credentials go along; everywhere else a bearer token from
Application Default Credentials. Redirects are not followed: a token is for who was asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from canary.cloud.connection.calls import demand_whole, read_again
from canary.cloud.connection.credentials import demand_trusted, load_credentials
from canary.cloud.connection.endpoints import Address, parse_endpoint
from canary.cloud.connection.environment import demand_environment
from canary.cloud.connection.errors import refusal_of, translate
from canary.cloud.connection.http import open_http, read_at_most
from canary.cloud.connection.login import login_failure
from canary.host.listeners import demand_no_stranger
from canary.host.logs import remember_token
from canary.rollout.errors import CanaryError, Malformed, OutcomeUnknown, PlanError, Unavailable
from canary.rollout.plan.plan import Endpoints, Plan
from canary.rollout.text import sanitize

LONGEST_ANSWER = 20_000_000

_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    412: "FAILED_PRECONDITION",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
}
"""What a status means where the body does not say; every other is UNAVAILABLE."""

_QUOTA_REASONS = frozenset(
    {"quotaExceeded", "rateLimitExceeded", "userRateLimitExceeded", "resourcesExceeded"}
)
"""The older format answers 403 for these."""

_UNCERTAIN = frozenset({408, 500, 502, 503, 504})
"""A change that is answered so may have taken effect."""


class Refusal(Exception):
    """An HTTP error answer: `status`, Google's `code` and `reason` ("" if not said), `message`."""

    def __init__(self, status: int, code: str, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.reason = status, code, reason
        self.message = (message or f"HTTP {status}").rstrip(" .") + "."

    def translate(self, source: str, doing: str) -> CanaryError:
        """Return our error for it."""
        code = self.code or _CODES.get(self.status, "UNAVAILABLE")
        if self.reason in _QUOTA_REASONS:
            code = "RESOURCE_EXHAUSTED"
        return refusal_of(code, self.message, source, doing)


class RestClient:
    """One API at `endpoint`, or at Google's `public` address without one.

    `key` names the plan's key in messages, `source` the service. `own`: these headers go along
    instead of Google's token (none of them: anybody may be asked). To be used in one event loop.
    Raises PlanError when the address cannot be used, or is neither Google's nor trusted.
    """

    def __init__(
        self,
        endpoint: str | None,
        public: str,
        *,
        key: str,
        source: str,
        own: Mapping[str, str] | None = None,
    ) -> None:
        self._address: Address = parse_endpoint(endpoint or public, key)
        if own != {}:
            demand_trusted(self._address, key)
        self._own = own
        self._source = source
        self._client: Any = None
        self._credentials: Any = None
        self._renewing = asyncio.Lock()

    async def send(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int] | None = None,
        form: Mapping[str, str | int] | None = None,
        more_headers: Mapping[str, str] | None = None,
        timeout_s: float = 30.0,
    ) -> dict[str, Any]:
        """Make one request, with a JSON `body` or a `form` at most; return the JSON object.

        Raises Refusal for an error answer, for who knows more about it, and CanaryError otherwise.
        """
        headers = {**await self._authorize(method, path, doing), **(more_headers or {})}
        return await self._transmit(method, path, doing, headers, body, query, timeout_s, form)

    async def _transmit(
        self,
        method: str,
        path: str,
        doing: str,
        headers: dict[str, str],
        body: Mapping[str, Any] | None,
        query: Mapping[str, str | int] | None,
        timeout_s: float,
        form: Mapping[str, str | int] | None = None,
    ) -> dict[str, Any]:
        import httpx

        url = f"{self._base}{path}"
        content = None if body is None else msgspec.json.encode(body)
        if content is not None:
            headers["content-type"] = "application/json"
        if form is not None:
            content = urlencode(form).encode()
            headers["content-type"] = "application/x-www-form-urlencoded"
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._http().stream(
                    method, url, params=query, content=content, headers=headers, timeout=timeout_s
                ) as response,
            ):
                answer = await self._read(response, doing)
        except (TimeoutError, httpx.TimeoutException) as exc:
            raise Unavailable(
                f"{self._source} did not answer within {timeout_s:g} s ({doing}).",
                source=self._source,
            ) from exc
        except httpx.HTTPError as exc:
            why = sanitize(exc) or type(exc).__name__
            raise Unavailable(
                f"{self._source} cannot be reached ({doing}): {why}.", source=self._source
            ) from exc
        return self._parse(response.status_code, answer, doing)

    async def read(
        self,
        path: str,
        doing: str,
        *,
        query: Mapping[str, str | int] | None = None,
        timeout_s: float = 30.0,
    ) -> dict[str, Any]:
        """GET the JSON object at `path`; tried again. Raises CanaryError.

        An answer that admits that it lacks something is Unavailable (`demand_whole`).
        """

        async def once() -> dict[str, Any]:
            try:
                answer = await self.send("GET", path, doing, query=query, timeout_s=timeout_s)
            except Refusal as refusal:
                raise refusal.translate(self._source, doing) from refusal
            demand_whole(answer, self._source, doing)
            return answer

        return await read_again(once)

    async def change(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        remedy: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int] | None = None,
        timeout_s: float = 30.0,
    ) -> str:
        """Send one change, once; return the `name` of the operation that it is answered with.

        Raises Refusal where it was clearly refused, and OutcomeUnknown, with `remedy`, where it may
        have taken effect.
        """
        headers = await self._authorize(method, path, doing)
        self._http()  # built before: what cannot be built has sent nothing
        try:
            answer = await self._transmit(method, path, doing, headers, body, query, timeout_s)
        except Refusal as refusal:
            if refusal.status not in _UNCERTAIN:
                raise
            raise self._unclear(doing, refusal.message, remedy) from refusal
        except (Unavailable, Malformed) as error:
            if _never_connected(error):
                raise
            raise self._unclear(doing, error.message, remedy) from error
        name = answer.get("name")
        if not isinstance(name, str) or not name:
            raise self._unclear(doing, "the answer names no operation", remedy)
        return name

    async def close(self) -> None:
        """Close the connections; can be called twice."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @property
    def _base(self) -> str:
        return f"{'http' if self._address.plain else 'https'}://{self._address.target}"

    def _http(self) -> Any:
        if self._client is None:
            self._client = open_http(self._base)
        return self._client

    async def _read(self, response: Any, doing: str) -> bytes:
        answer = await read_at_most(response, LONGEST_ANSWER)
        if len(answer) > LONGEST_ANSWER:
            raise Malformed(
                f"{self._source}'s answer is longer than {LONGEST_ANSWER} bytes ({doing}).",
                source=self._source,
            )
        return answer

    def _parse(self, status: int, answer: bytes, doing: str) -> dict[str, Any]:
        try:
            document = msgspec.json.decode(answer or b"{}")
        except (msgspec.DecodeError, RecursionError) as exc:
            if not 200 <= status < 300:
                raise _refusal(status, answer.decode(errors="replace")) from exc
            raise self._malformed(doing, sanitize(exc)) from exc
        if not 200 <= status < 300:
            if status == 401:
                self._credentials = None
            raise _refusal(status, document)
        if not isinstance(document, dict):
            raise self._malformed(doing, "not an object")
        return document

    def _malformed(self, doing: str, why: str) -> Malformed:
        return Malformed(
            f"{self._source} gave an answer that cannot be read ({doing}): {why}.",
            source=self._source,
        )

    def _unclear(self, doing: str, why: str, remedy: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"{self._source} was asked, and gave no clear answer ({doing}): {sanitize(why, 300)}",
            remedy=remedy,
        )

    async def _authorize(self, method: str, path: str, doing: str) -> dict[str, str]:
        """The headers of a request, a token among them. Nothing has been sent when it raises."""
        headers, url = {"accept": "application/json"}, f"{self._base}{path}"
        if self._address.plain:
            demand_no_stranger(self._address.host, self._address.port, self._source)
        if self._own is not None:
            return {**headers, **self._own}
        if self._address.plain:
            return headers
        demand_environment(url)
        async with self._renewing:
            try:
                # Both may ask the metadata server or the token server, and block while they do.
                await asyncio.to_thread(self._add_token, method, url, headers)
            except CanaryError:
                raise
            except Exception as exc:
                # A token's own source (a file, a program) fails with whatever it is made of.
                self._credentials = None  # a new login is taken over at the next try
                if isinstance(exc, _auth_errors()):
                    raise translate(exc, self._source, doing) from exc
                raise login_failure(str(exc) or type(exc).__name__, self._source, doing) from exc
        return headers

    def _add_token(self, method: str, url: str, headers: dict[str, str]) -> None:
        from google.auth.transport.requests import Request

        if self._credentials is None:
            self._credentials = load_credentials()
        self._credentials.before_request(Request(), method, url, headers)
        remember_token(headers.get("authorization", "").partition(" ")[2])


def open_rest(plan: Plan, endpoints: Endpoints, api: str, public: str, source: str) -> RestClient:
    """The client of an API (a name of `Endpoints`) where the plan has it; else Google's own.

    Raises PlanError rather than let a demonstration reach for the real cloud.
    """
    address: str | None = getattr(endpoints, api)
    if address is None and plan.provider == "local":
        raise PlanError(
            f"The plan runs locally and does not say where {api.replace('_', ' ')} is.",
            remedy=f"Set target.endpoints.{api}.",
        )
    return RestClient(address, public, key=f"target.endpoints.{api}", source=source)


def _never_connected(error: CanaryError) -> bool:
    """Whether the connection was not even made, so that no request has left this host."""
    import httpx

    return isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout)


def _auth_errors() -> type[Exception]:
    from google.auth.exceptions import GoogleAuthError

    return GoogleAuthError


def _refusal(status: int, document: object) -> Refusal:
    """An error answer in either of Google's formats, or in none."""
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        # Prometheus says {"status": "error", "errorType": …, "error": "a sentence"}.
        said = next((text for text in (error, document) if isinstance(text, str)), "")
        return Refusal(status, "", "", sanitize(said, 200))
    details = error.get("errors")
    first = details[0] if isinstance(details, list) and details else None
    reason = first.get("reason") if isinstance(first, dict) else None
    return Refusal(status, _text(error.get("status")), _text(reason), _text(error.get("message")))


def _text(value: object) -> str:
    return sanitize(value, 300) if isinstance(value, str) else ""
