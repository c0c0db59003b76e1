"""What a shell's limits leave of this host: looked at before anything is asked of the cloud.

gRPC ends the whole process by a signal where it gets no file descriptor or no thread. It is said in
one sentence instead, while nothing has been sent.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import resource
from typing import Final

from canary.rollout.errors import HostProblem

DESCRIPTORS: Final = 12
"""So many must be free for a connection: with 8 `status` worked, with 6 gRPC ended by a signal."""

WANTED: Final = 1024
"""The soft limit is this person's to raise; no more, for programs that select()."""

ADDRESS_BYTES: Final = 384 * 1024 * 1024
"""So much address space must be free: stacks of gRPC's threads, and what it maps. It is not used;
with 360 MB left now and then a thread was refused."""

NONE_LEFT: Final = frozenset({errno.EMFILE, errno.ENFILE})
TOO_FEW_FILES: Final = "There are too few file descriptors here to work with"
MORE_FILES: Final = "Raise the limit, e.g. `ulimit -n 1024`, in this shell or its service manager."
TOO_LITTLE_MEMORY: Final = "There is too little memory here to work with"
MORE_MEMORY: Final = "Raise the limit, e.g. `ulimit -v unlimited`, or end other programs."


def demand_room() -> None:
    """Raise HostProblem where file descriptors or address space do not suffice for a session."""
    _demand_descriptors()
    _demand_address_space()


def raise_descriptor_limit() -> None:
    """The soft limit of file descriptors, as far as it may be raised and is of use."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= WANTED:
        return
    to = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    # What may not be raised is looked at as it is.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (to, hard))


def _demand_descriptors() -> None:
    free = 0
    try:
        with contextlib.ExitStack() as taken:
            while free < DESCRIPTORS:
                taken.callback(os.close, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
                free += 1
    except OSError as error:
        if error.errno not in NONE_LEFT:
            raise
        said = f"{TOO_FEW_FILES}: {free} are free, {DESCRIPTORS} are needed."
        raise HostProblem(f"{said} Nothing was sent.", remedy=MORE_FILES) from None


def _demand_address_space() -> None:
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        return
    try:
        mmap.mmap(-1, ADDRESS_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError:
        said = f"{TOO_LITTLE_MEMORY}: {ADDRESS_BYTES // 1024**2} MiB of addresses are needed."
        raise HostProblem(f"{said} Nothing was sent.", remedy=MORE_MEMORY) from None
