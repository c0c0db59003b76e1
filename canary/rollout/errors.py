"""The error tree: every refusal a person can meet, with what to do next.

::

    CanaryError
    ├── PlanError            canary.toml is wrong                      exit 2
    ├── UsageError           the command was asked wrongly             exit 2
    ├── RecordError          the journal or history cannot be used     exit 3
    ├── ToolFailed           a program on this host is missing, failed exit 3
    ├── CloudError           the cloud refused or failed               exit 3
    │   ├── Unavailable      not reachable, or too slow for a read
    │   ├── Denied           no permission, or no credentials
    │   ├── NotFound         the named thing does not exist
    │   ├── QuotaExhausted   asked too often; back off
    │   ├── Rejected         understood, and refused as invalid
    │   ├── OperationFailed  accepted, then failed
    │   ├── HostProblem      this host's environment lets nothing be asked
    │   └── Malformed        an answer that cannot be read
    ├── Conflict             somebody else changed it meanwhile        exit 4
    ├── GateNotMet           a gate or a rule of progress forbids it   exit 4
    │   └── IllegalTransition
    ├── ReadOnly             this console may not change anything      exit 4
    └── OutcomeUnknown       sent, and no answer: look it up           exit 5

Each carries one sentence of what happened and one of what to do; `str()` gives both.
"""

from __future__ import annotations

from typing import ClassVar


class CanaryError(Exception):
    """The base of all errors that a person may see.

    `message` says what happened and where, `remedy` what to do about it (may be empty).
    `exit_code` is the documented exit code of the shell command that ends with it. `commands` are
    those of the remedy that a person may copy, each whole and quoted: a sentence may be cut.
    """

    exit_code: ClassVar[int] = 3
    commands: tuple[str, ...] = ()

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class PlanError(CanaryError):
    """The plan file is missing, unreadable or wrong; names file, key and what is expected."""

    exit_code = 2


class UsageError(CanaryError):
    """The command cannot be carried out as asked."""

    exit_code = 2


class RecordError(CanaryError):
    """The journal or the history on this host cannot be read or written."""


class ToolFailed(CanaryError):
    """A program on this host that is needed (Locust) is missing, does not start, or failed."""


class CloudError(CanaryError):
    """The cloud refused or failed. `source` names the service, as "Cloud Run"."""

    def __init__(self, message: str, *, remedy: str = "", source: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.source = source


class Unavailable(CloudError):
    """The service did not answer, or not in time. A read may be tried again."""


LOGIN_SOURCE = "Google's login"
"""The source of what is wrong with the credentials themselves."""


class Denied(CloudError):
    """The caller lacks the permission, or has no credentials.

    `login_expired`: the login worked once and is refused now; a new one is enough to go on.
    """

    def __init__(
        self, message: str, *, remedy: str = "", source: str = "", login_expired: bool = False
    ) -> None:
        super().__init__(message, remedy=remedy, source=source)
        self.login_expired = login_expired


class NotFound(CloudError):
    """The named service, revision or metric does not exist."""


class QuotaExhausted(CloudError):
    """Asked more often than the quota allows; wait before asking again."""


class Rejected(CloudError):
    """The request was understood and refused as invalid; the same request never succeeds."""


class OperationFailed(CloudError):
    """A change was accepted and then failed; the cloud says why."""


class Malformed(CloudError):
    """An answer came that cannot be read as what it should be."""


class HostProblem(CloudError):
    """Nothing can be asked from this host as it is set up: a variable or a file is wrong."""


class Conflict(CanaryError):
    """Somebody else changed the same thing since it was read; nothing was changed."""

    exit_code = 4


class GateNotMet(CanaryError):
    """A gate forbids the change; nothing was changed."""

    exit_code = 4


class IllegalTransition(GateNotMet):
    """The stage record has no such transition; nothing was changed."""


class ReadOnly(CanaryError):
    """Changes are refused here: asked to be read-only, or without the right to change."""

    exit_code = 4


class OutcomeUnknown(CanaryError):
    """A change was sent and its outcome not learned. It must be looked up, never sent again."""

    exit_code = 5


def may_wait(error: BaseException) -> bool:
    """Whether what certainly did not go out may go out later without a person deciding anew.

    The service is away or asks for patience, or the login has to be renewed first.
    """
    if isinstance(error, Denied):
        return error.login_expired
    return isinstance(error, Unavailable | QuotaExhausted)
