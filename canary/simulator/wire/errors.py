"""Refusals of the embedded cloud's APIs, with the status code the real service answers."""

from __future__ import annotations

import grpc


class ApiError(Exception):
    """A call is refused: `code` and `message` go to the caller as the gRPC status."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class RestError(Exception):
    """A refusal that has no gRPC code of its own: HTTP status, reason and message."""

    def __init__(self, status: int, reason: str, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.code = status, reason, message, code


def invalid(message: str) -> ApiError:
    """Return INVALID_ARGUMENT with this message."""
    return ApiError(grpc.StatusCode.INVALID_ARGUMENT, message)


def invalid_field(field: str, value: str, why: str) -> ApiError:
    """Return INVALID_ARGUMENT in the wording Cloud Monitoring uses for one bad field."""
    return invalid(f'Field {field} had an invalid value of "{value}": {why}')


def not_found(message: str) -> ApiError:
    """Return NOT_FOUND with this message."""
    return ApiError(grpc.StatusCode.NOT_FOUND, message)


def failed_precondition(message: str) -> ApiError:
    """Return FAILED_PRECONDITION with this message."""
    return ApiError(grpc.StatusCode.FAILED_PRECONDITION, message)


def unimplemented(message: str) -> ApiError:
    """Return UNIMPLEMENTED: the real service can do this, the embedded cloud cannot."""
    return ApiError(grpc.StatusCode.UNIMPLEMENTED, message)
