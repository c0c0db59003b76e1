"""Foreign exceptions in the console's words."""

import grpc
import pytest
from google.api_core import exceptions as google_errors
from google.auth.exceptions import DefaultCredentialsError, RefreshError

from canary.cloud.connection.errors import translate, translate_change, translate_failed_operation
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

COLLISIONS = ("ABORTED", "ALREADY_EXISTS", "FAILED_PRECONDITION")
READ = [
    *((code, Unavailable) for code in COLLISIONS),
    ("PERMISSION_DENIED", Denied),
    ("UNAUTHENTICATED", Denied),
    ("NOT_FOUND", NotFound),
    ("RESOURCE_EXHAUSTED", QuotaExhausted),
    ("INVALID_ARGUMENT", Rejected),
    ("UNIMPLEMENTED", Rejected),
    ("UNAVAILABLE", Unavailable),
    ("DEADLINE_EXCEEDED", Unavailable),
    ("INTERNAL", Unavailable),
    ("UNKNOWN", Unavailable),
]
LEFT_OPEN = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "CANCELLED", "DATA_LOSS"}


def error_of(code: str, message: str = "said so") -> google_errors.GoogleAPICallError:
    return google_errors.from_grpc_status(grpc.StatusCode[code], message)


@pytest.mark.parametrize(("code", "kind"), READ)
def test_each_status_has_its_error(code: str, kind: type[CanaryError]) -> None:
    error = translate(error_of(code), "Cloud Run", "reading ion-api")
    assert type(error) is kind
    assert "Cloud Run" in error.message
    assert "reading ion-api" in error.message
    assert "said so" in error.message


@pytest.mark.parametrize(("code", "kind"), READ)
def test_a_change_that_may_have_happened_is_an_unknown_outcome(
    code: str, kind: type[CanaryError]
) -> None:
    error = translate_change(error_of(code), "Cloud Run", "changing ion-api")
    expected = Conflict if code in COLLISIONS else kind
    assert type(error) is (OutcomeUnknown if code in LEFT_OPEN else expected)


@pytest.mark.parametrize("exc", [TimeoutError(), ConnectionResetError("reset")])
def test_a_connection_that_breaks_leaves_a_change_open(exc: Exception) -> None:
    assert type(translate(exc, "Cloud Run", "reading")) is Unavailable
    assert type(translate_change(exc, "Cloud Run", "changing")) is OutcomeUnknown


@pytest.mark.parametrize("exc", [DefaultCredentialsError("none"), RefreshError("expired")])
def test_missing_credentials_are_denied_and_never_an_unknown_outcome(exc: Exception) -> None:
    for error in (translate(exc, "Cloud Run", "x"), translate_change(exc, "Cloud Run", "x")):
        assert type(error) is Denied
        assert "application-default login" in error.remedy


def test_our_own_errors_pass_unchanged() -> None:
    own = Conflict("mine")
    assert translate(own, "Cloud Run", "x") is own
    assert translate_change(own, "Cloud Run", "x") is own


def test_what_cannot_be_understood_is_malformed() -> None:
    assert type(translate(google_errors.GoogleAPIError("?"), "Cloud Run", "x")) is Malformed


def test_text_from_outside_brings_no_control_characters_along() -> None:
    error = translate(error_of("NOT_FOUND", "gone\x1b[2J\r\n\x07" + "x" * 9999), "Cloud Run", "x")
    assert error.message.isprintable()
    assert len(error.message) < 500


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (7, Denied),
        (9, OperationFailed),
        (10, Conflict),
        (13, OperationFailed),
        (99, OperationFailed),
    ],
)
def test_a_failed_operation_says_why(code: int, kind: type[CanaryError]) -> None:
    error = translate_failed_operation(code, "the container did not start", "Cloud Run", "x")
    assert type(error) is kind
    assert "the container did not start" in error.message
