"""Foreign exceptions → the console's error tree: the edge where `raise … from exc` happens."""

from __future__ import annotations

import re
from typing import Any

from canary.cloud.connection.login import PLUGIN_FAILED, expired, login_failure
from canary.rollout.errors import (
    CanaryError,
    Conflict,
    Denied,
    Malformed,
    NotFound,
    OperationFailed,
    OutcomeUnknown,
    QuotaExhausted,
    Rejected,
    Unavailable,
)
from canary.rollout.text import sanitize

_DETAIL_LENGTH = 300

CONFLICT_CODES = frozenset({"ABORTED", "FAILED_PRECONDITION", "ALREADY_EXISTS"})
"""What a stale etag may be answered with; all of them mean the same to us."""

_UNCERTAIN_CODES = frozenset(
    {"DEADLINE_EXCEEDED", "UNAVAILABLE", "CANCELLED", "UNKNOWN", "INTERNAL", "DATA_LOSS", ""}
)
"""A change that ends so may have taken effect. UNAVAILABLE too: a connection that breaks after
the request was written is reported by the same code as one that was never made."""


_LOST = ("INTERNAL", "Internal error from Core")
"""Source: grpc/aio/_call.py, `set_internal_error`, and the text of cygrpc's InternalError."""


def is_answer_lost(exc: BaseException) -> bool:
    """Whether gRPC itself failed to send on a stream that the service had ended, and so lost what
    the service said: seen with a refusal that is faster than the request is written.
    """
    return status_of(exc) == _LOST


def foreign_errors() -> tuple[type[BaseException], ...]:
    """Return what Google's clients raise; anything else from them is a defect, and shall be seen.

    Called in an `except` clause, that is only once there is an exception: by then the packages
    are loaded.
    """
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from grpc import RpcError

    return GoogleAPIError, GoogleAuthError, RpcError, OSError, TimeoutError


def translate(exc: BaseException, source: str, doing: str) -> CanaryError:
    """Return our error for a foreign one that a read met.

    `source` names the service ("Cloud Run"), `doing` what was being done ("reading ion-api").
    """
    if isinstance(exc, CanaryError):
        return exc
    code, detail = status_of(exc)
    if detail.startswith(PLUGIN_FAILED):
        return login_failure(detail, source, doing)
    if code in CONFLICT_CODES:
        # Of a change this says that somebody was faster; a read has nothing to collide with.
        return Unavailable(
            f"{source} failed ({doing}): {code}, {detail}", remedy=_TRY_AGAIN, source=source
        )
    if code:
        return refusal_of(code, detail, source, doing)
    if isinstance(exc, TimeoutError):
        return Unavailable(
            f"{source} did not answer in time ({doing}).", remedy=_TRY_AGAIN, source=source
        )
    if _is_auth_error(exc):
        return login_failure(detail, source, doing, away=_is_away(exc))
    if isinstance(exc, OSError):
        return Unavailable(
            f"{source} cannot be reached ({doing}): {detail}", remedy=_TRY_AGAIN, source=source
        )
    return Malformed(
        f"{source} gave an answer that cannot be read ({doing}): {detail}", source=source
    )


def translate_change(exc: BaseException, source: str, doing: str) -> CanaryError:
    """Return our error for a foreign one that a change met after it was sent.

    Whatever leaves open whether the change took effect becomes OutcomeUnknown.
    """
    if isinstance(exc, CanaryError):
        return exc
    code, detail = status_of(exc)
    # Without a token nothing has left this host.
    unsent = _is_auth_error(exc) or detail.startswith(PLUGIN_FAILED)
    if code in _UNCERTAIN_CODES and not unsent:
        why = code or type(exc).__name__
        return OutcomeUnknown(
            f"{source} was asked, and gave no clear answer ({doing}): {why}, {detail}",
            remedy="Look up what is set now; do not send it again.",
        )
    if code in CONFLICT_CODES:
        return refusal_of(code, detail, source, doing)
    return translate(exc, source, doing)


def translate_failed_operation(code: int, message: str, source: str, doing: str) -> CanaryError:
    """Return our error for the `error` of an operation that is done (google.rpc.Status)."""
    name = _CODE_NAMES.get(code, "UNKNOWN")
    detail = sanitize(message, _DETAIL_LENGTH)
    # A stale etag is refused at once; FAILED_PRECONDITION here is a container that did not start.
    if name in ("ABORTED", "PERMISSION_DENIED"):
        return refusal_of(name, detail, source, doing)
    return OperationFailed(
        f"{source} accepted the change and then failed ({doing}): {detail or name}",
        remedy="See the revision's logs, then try again or roll back.",
        source=source,
    )


def status_of(exc: BaseException) -> tuple[str, str]:
    """Return the name of the gRPC status code in an exception ("" if it has none), and its text.

    Works for google.api_core's errors and grpc.aio.AioRpcError alike, without importing either.
    """
    status: Any = getattr(exc, "grpc_status_code", None)
    if status is None and callable(code := getattr(exc, "code", None)):
        status = code()
    text = getattr(exc, "message", None)
    if not isinstance(text, str) and callable(details := getattr(exc, "details", None)):
        text = details()
    if not isinstance(text, str):
        text = str(exc) or type(exc).__name__
    name = getattr(status, "name", None)
    return (name if isinstance(name, str) else ""), sanitize(text, _DETAIL_LENGTH)


def refusal_of(code: str, detail: str, source: str, doing: str) -> CanaryError:
    """Return our error for the name of a gRPC status code; `detail` is the service's own text."""
    said = f" ({doing}): {detail or code}"
    if code in CONFLICT_CODES:
        return Conflict(
            f"It was changed by somebody else meanwhile, and {source} refused{said}",
            remedy="Look at what is set now, and decide again.",
        )
    match code:
        case "UNAUTHENTICATED":
            return expired(f"{source} refused access: your login is not accepted{said}", source)
        case "PERMISSION_DENIED":
            return Denied(
                f"{source} refused access{said}", remedy=_remedy_of(detail), source=source
            )
        case "NOT_FOUND":
            return NotFound(
                f"{source} does not know it{said}",
                remedy="Check project, region and names in the plan.",
                source=source,
            )
        case "RESOURCE_EXHAUSTED":
            return QuotaExhausted(
                f"{source} refused: asked too often{said}",
                remedy="It is asked less often until it answers again.",
                source=source,
            )
        case "INVALID_ARGUMENT" | "OUT_OF_RANGE" | "UNIMPLEMENTED":
            return Rejected(f"{source} refused the request as invalid{said}", source=source)
        case _:
            return Unavailable(f"{source} failed{said}", remedy=_TRY_AGAIN, source=source)


def _is_auth_error(exc: BaseException) -> bool:
    return type(exc).__module__.startswith("google.auth")


def _is_away(exc: BaseException) -> bool:
    """Whether an error of google-auth is of the way to the token endpoint, or its own failure."""
    names = {kind.__name__ for kind in type(exc).__mro__}
    return "TransportError" in names or getattr(exc, "retryable", False) is True


_API = re.compile(r"\b([a-z]+)\.googleapis\.com\b")
_PROJECT = re.compile(r"\bproject[ =/]\"?([a-z][a-z0-9:.-]{4,28}[a-z0-9]|\d{6,})\b")


def _remedy_of(detail: str) -> str:
    """What helps against a refusal, which is a role only where neither project nor API is at fault.

    The texts are Google's: a quota project that is not set, that one may not use, an API that is
    not enabled, a project without billing.
    """
    api, project = _API.search(detail), _PROJECT.search(detail)
    named = project[1] if project else "PROJECT"
    if "requires a quota project" in detail:
        return "Name one: `gcloud auth application-default set-quota-project PROJECT`."
    if "required permission to use project" in detail:
        return (
            f"You may not use {named} for quota: ask for roles/serviceusage.serviceUsageConsumer"
            " there, or name another: `gcloud auth application-default set-quota-project PROJECT`."
        )
    if "it is disabled" in detail or "SERVICE_DISABLED" in detail:
        name = f"{api[1]}.googleapis.com" if api else "the API"
        return f"Enable it: `gcloud services enable {name} --project {named}`; it takes minutes."
    if "billing" in detail.lower():
        return f"Enable billing for the project {named}."
    return "`canary doctor` names the roles that are needed."


_TRY_AGAIN = "It is tried again; if it stays so, check the network and the service's status page."

_CODE_NAMES = {
    1: "CANCELLED",
    2: "UNKNOWN",
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    6: "ALREADY_EXISTS",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    10: "ABORTED",
    11: "OUT_OF_RANGE",
    12: "UNIMPLEMENTED",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    15: "DATA_LOSS",
    16: "UNAUTHENTICATED",
}
"""google/rpc/code.proto."""
