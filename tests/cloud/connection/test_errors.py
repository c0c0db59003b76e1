"""Foreign exceptions in the console's words."""

import grpc
import pytest
from google.api_core import exceptions as google_errors
from google.auth.exceptions import (
    DefaultCredentialsError,
    OAuthError,
    RefreshError,
    TransportError,
)

from canary.cloud.connection.errors import (
    is_answer_lost,
    translate,
    translate_change,
    translate_failed_operation,
)
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
    may_wait,
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


PLUGIN = "Getting metadata from plugin failed with error: "
REFUSED = [
    "('invalid_grant: Bad Request', {'error': 'invalid_grant'})",
    "('invalid_grant: Token has been expired or revoked.', {'error': 'invalid_grant'})",
    "Reauthentication is needed. Please run `gcloud auth application-default login`.",
    "('invalid_grant: reauth related error (invalid_rapt)', {'error_subtype': 'invalid_rapt'})",
    "('invalid_client: The OAuth client was not found.', {'error': 'invalid_client'})",
]
AWAY = [
    "HTTPSConnectionPool(host='oauth2.googleapis.com', port=443): Max retries exceeded with url:"
    " /token (Caused by NameResolutionError(\"Failed to resolve 'oauth2.googleapis.com'\"))",
    "('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))",
    "HTTPSConnectionPool(host='oauth2.googleapis.com', port=443): Read timed out.",
    "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired",
    "('internal_failure', {'error': 'internal_failure'})",
]


def plugin_failure(said: str) -> list[Exception]:
    """As google.api_core and as grpc.aio hand it over (google-cloud-python#10424)."""
    bare = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), PLUGIN + said
    )
    return [error_of("UNAVAILABLE", PLUGIN + said), bare]


@pytest.mark.parametrize(
    ("code", "said", "is_lost"),
    [
        (grpc.StatusCode.INTERNAL, "Internal error from Core", True),
        (grpc.StatusCode.INTERNAL, "Internal error encountered.", False),
        (grpc.StatusCode.PERMISSION_DENIED, "Internal error from Core", False),
    ],
)
def test_only_what_grpc_says_of_itself_is_a_lost_answer(
    code: grpc.StatusCode, said: str, is_lost: bool
) -> None:
    raised = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), said)
    assert is_answer_lost(raised) is is_lost


@pytest.mark.parametrize("said", REFUSED)
def test_a_refused_login_is_never_a_cloud_that_is_away(said: str) -> None:
    for exc in (*plugin_failure(said), RefreshError(said), OAuthError(said)):
        for error in (translate(exc, "Cloud Run", "x"), translate_change(exc, "Cloud Run", "x")):
            assert isinstance(error, Denied)
            assert error.login_expired
            assert may_wait(error)
            assert "login has expired: `gcloud auth application-default login`" in error.message


@pytest.mark.parametrize("said", AWAY)
def test_a_token_endpoint_that_is_away_is_away_and_nothing_was_sent(said: str) -> None:
    for exc in (*plugin_failure(said), RefreshError(said), TransportError(said)):
        for error in (translate(exc, "Cloud Run", "x"), translate_change(exc, "Cloud Run", "x")):
            assert type(error) is Unavailable
            assert error.message.startswith("Google's login is away: Cloud Run was not asked")


def test_a_token_endpoint_that_fails_for_a_while_is_away() -> None:
    assert type(translate(RefreshError("?", retryable=True), "Cloud Run", "x")) is Unavailable


REMEDIES = [
    (
        # fixtures/errors.json: user ADC without a quota project (find_string id 1740524872)
        "Your application is authenticating by using local Application Default Credentials. The"
        " run.googleapis.com API requires a quota project, which is not set by default.",
        "set-quota-project PROJECT",
    ),
    (
        "Cloud Run Admin API has not been used in project 123456789012 before or it is disabled."
        " Enable it by visiting"
        " https://console.developers.google.com/apis/api/run.googleapis.com/overview?project=1",
        "gcloud services enable run.googleapis.com --project 123456789012",
    ),
    (
        "Caller does not have required permission to use project my-quota-1. Grant the caller the"
        " roles/serviceusage.serviceUsageConsumer role",
        "my-quota-1 for quota: ask for roles/serviceusage.serviceUsageConsumer",
    ),
    (
        "This API method requires billing to be enabled. Please enable billing on project"
        " #123456789012 by visiting https://console.developers.google.com/billing",
        "Enable billing",
    ),
    ("Permission 'run.services.get' denied on resource", "`canary doctor` names the roles"),
]


@pytest.mark.parametrize(("said", "remedy"), REMEDIES)
def test_a_refusal_has_the_remedy_that_helps(said: str, remedy: str) -> None:
    error = translate(error_of("PERMISSION_DENIED", said), "Cloud Run", "reading ion-api")
    assert isinstance(error, Denied)
    assert not error.login_expired
    assert remedy in error.remedy
