"""A gRPC server that passes every unary call on, and notes when each arrived.

Between a client and the embedded cloud it answers "when was UpdateService on the wire" and "how
many ListTimeSeries does a refresh take" without either side knowing of it. Run as a process:
`python -m benchmarks.wiretap UPSTREAM` prints its address, then a line for each call:
`<time.monotonic()> <method>`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
"""A page of all metrics of two hundred rollouts is some megabytes."""


class Relay(grpc.GenericRpcHandler):
    """Handles any unary method by sending the same bytes upstream."""

    def __init__(self, upstream: grpc.aio.Channel) -> None:
        self._upstream = upstream

    def service(self, handler_call_details: Any) -> grpc.RpcMethodHandler:
        """A handler for the method that is called."""
        method = handler_call_details.method
        return grpc.unary_unary_rpc_method_handler(self._relay(method))

    def _relay(self, method: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
        call = self._upstream.unary_unary(method)

        async def relay(request: bytes, context: Any) -> bytes:
            print(f"{time.monotonic():.6f} {method}", flush=True)
            # x-goog-request-params and the like travel as metadata; ours need none of the rest.
            kept = [(k, v) for k, v in context.invocation_metadata() if k.startswith("x-goog")]
            try:
                return bytes(await call(request, metadata=kept))
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "")
                raise

        return relay


async def main(upstream: str) -> None:
    """Serve until killed."""
    async with grpc.aio.insecure_channel(upstream, options=UNLIMITED) as channel:
        server = grpc.aio.server(options=UNLIMITED)
        server.add_generic_rpc_handlers((Relay(channel),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(f"127.0.0.1:{port}", flush=True)
        await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
