"""Plain HTTP to services of the team's own: health, requests through the router, a webhook.

In come addresses and orders; out go HealthReports and ProbeAnswers, in which failures are told, not
raised. Its doors are `health.probe`, `probe.ask_router` and `webhook.post_webhook`.
"""
