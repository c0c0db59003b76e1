"""The outside services: one room or file for each. Translates; decides nothing.

Foreign messages and exceptions come in and end here: `views` and `rollout.errors` go out. A service
(run, monitoring, logging, bigquery, registry, load_balancer, http) uses `connection`; a `router`
uses the services; `embedded` starts the cloud of the demonstration.
"""
