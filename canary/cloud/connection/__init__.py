"""How any outside service is reached: addresses, channels, credentials, retries, errors, the clock.

In come a plan's Endpoints; out go Google's own clients, JSON, and CanaryErrors for whatever they
raise. Its doors are `clients.Connection` with `calls.ask` and `calls.send` (gRPC), `rest.open_rest`
(Google's REST), `http.open_http` (anybody's), `clock` and `endpoints`.
"""
