"""Import Google's asyncio clients without what they drag in and this program never runs.

The clients are the published ones, unmodified; only how they are imported is chosen here.
`import google.cloud.run_v2` runs the package's `__init__`, which imports eight sibling services and
their messages; and google-api-core imports aiohttp, if it is installed, for an asyncio REST
transport. Google marks those imports lazy for Python 3.15 (`__lazy_modules__`); until then the same
is had by two means, both of the import system itself:

- the package is entered in `sys.modules` before it is run, and runs when an attribute is asked for
  that is not one of its submodules (`_LazyPackage`);
- while the client is imported, aiohttp is entered as "not there", which google-auth and
  google-api-core provide for (they leave out asyncio REST). It can be imported as ever afterwards.

The garbage collector rests meanwhile: tens of thousands of objects are made and none is dropped.
`benchmarks/` prints what each of these saves.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import msgspec

_LOCK = threading.RLock()


class RunModules(msgspec.Struct, frozen=True):
    """What is used of google-cloud-run: client classes, their transports, message modules."""

    services: Any
    services_transport: Any
    service_types: Any


class RevisionModules(msgspec.Struct, frozen=True):
    """What is used of google-cloud-run to list revisions."""

    revisions: Any
    revisions_transport: Any
    revision_types: Any


class MonitoringModules(msgspec.Struct, frozen=True):
    """What is used of google-cloud-monitoring."""

    metrics: Any
    metrics_transport: Any
    service_types: Any


def run_modules() -> RunModules:
    """Return the modules for Cloud Run services; the first call imports them."""
    package = "google.cloud.run_v2"
    client, transport, types = _import(
        package,
        "services.services.async_client",
        "services.services.transports.grpc_asyncio",
        "types.service",
    )
    return RunModules(client, transport, types)


def revision_modules() -> RevisionModules:
    """Return the modules for Cloud Run revisions; the first call imports them."""
    client, transport, types = _import(
        "google.cloud.run_v2",
        "services.revisions.async_client",
        "services.revisions.transports.grpc_asyncio",
        "types.revision",
    )
    return RevisionModules(client, transport, types)


def monitoring_modules() -> MonitoringModules:
    """Return the modules for Cloud Monitoring's metrics; the first call imports them."""
    client, transport, types = _import(
        "google.cloud.monitoring_v3",
        "services.metric_service.async_client",
        "services.metric_service.transports.grpc_asyncio",
        "types.metric_service",
    )
    return MonitoringModules(client, transport, types)


class _LazyPackage(ModuleType):
    """A package whose `__init__` runs when something is asked for that only it defines."""

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        if name.startswith("__") or spec is None or spec.loader is None:
            raise AttributeError(name)
        if importlib.util.find_spec(f"{self.__name__}.{name}") is not None:
            raise AttributeError(name)  # the import system now imports the submodule
        self.__class__ = ModuleType  # type: ignore[assignment]
        spec.loader.exec_module(self)
        return getattr(self, name)


def _import(package: str, *names: str) -> tuple[ModuleType, ...]:
    with _LOCK, _without_collector(), _without_aiohttp():
        _enter_lazily(package)
        _enter_lazily(f"{package}.types")
        return tuple(importlib.import_module(f"{package}.{name}") for name in names)


def _enter_lazily(package: str) -> None:
    if package in sys.modules:
        return
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return  # not the layout that was expected: import it the usual way
    module = importlib.util.module_from_spec(spec)
    module.__class__ = _LazyPackage
    sys.modules[package] = module
    parent, _, name = package.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], name, module)


@contextmanager
def _without_collector() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _without_aiohttp() -> Iterator[None]:
    if "aiohttp" in sys.modules:
        yield
        return
    sys.modules["aiohttp"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["aiohttp"]
