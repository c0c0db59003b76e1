"""The commented plan as a text; `@name@` stands for what is chosen (`plan_template.Choices`)."""

from __future__ import annotations

from typing import Final

TEMPLATE: Final = """\
# The plan of a rollout: from Legacy to Canary, share by share.
# Ratios are 0 to 1, percent is Canary's share, and units are in the names.
# Everything that is commented out shows a default. A mistake here is named with file and key.

# "local": the embedded cloud on this machine. "gcp": the real one, with Application Default
# Credentials (`gcloud auth application-default login`); nothing else needs to change.
provider = @provider@

[target]
project = @project@
region = @region@
legacy = @legacy@
canary = @canary@

# How Canary's share is set.
#   "env"        one environment variable on a service whose code routes
#   "revisions"  the traffic of one service, between its stable and its candidate revision
#   "url-map"    the weights of two backend services in a load balancer's URL map
#   "command"    a program of your own; nothing guards it against a change made elsewhere
[target.router]
kind = @router@
variable = @variable@
candidate = @candidate@             # for "revisions": the candidate's tag, or its name
# service = "ion-api"               # which service carries the split; target.legacy if absent
# url = "https://api.example.com"   # where requests enter
# url_map = "ion-api-map"           # for "url-map", with the backend services of both sides
# legacy_backend = "ion-api-backend"
# canary_backend = "ion-api-canary-backend"
# set = ["set-share", "{percent}"]  # for "command": run without a shell, ended after timeout_s
# read = ["get-share"]              # prints the present share; else what was recorded counts
# timeout_s = 60.0

[target.health]
path = "/health"
timeout_s = 5.0
# legacy_url = "https://…"          # as Cloud Run reports it if absent
# canary_url = "https://…"

# Other addresses than Google's public ones: private endpoints, or a server on this machine.
# Plain http:// is for this machine only, and then no credentials are sent.
# [target.endpoints]
# run = "https://run.example.internal"
# monitoring = "https://monitoring.example.internal"
# bigquery = "https://bigquery.example.internal"
# compute = "https://compute.example.internal"
# artifact_registry = "https://artifactregistry.example.internal"

# ── The stages ────────────────────────────────────────────────────────────────────────────────
# Criteria are what Canary must show to leave a stage; a value equal to its limit passes, a value
# that is missing, stale or rests on too few requests does not.

[[stages]]                          # stage 1
percent = 5
soak_hours = 24.0
[stages.criteria]
max_error_ratio = 0.010             # 5xx ÷ all
max_p95_ms = 15_000.0
min_success_ratio = 0.95            # (2xx + 3xx) ÷ all
min_confidence = 0.75               # mean of the application's own score

[[stages]]                          # stage 2
percent = 10
soak_hours = 24.0
[stages.criteria]
max_error_ratio = 0.015
max_p95_ms = 18_000.0
min_success_ratio = 0.93
min_confidence = 0.73
# This stage's own limits for automatic rollback, where that is armed. Any stage may have some.
[stages.automatic_rollback]
error_ratio = 0.02
p95_ms = 20_000.0
success_ratio = 0.90
confidence = 0.70

[[stages]]                          # stage 3
percent = 25
soak_hours = 48.0
load_test = true                    # leaving it takes a load test that passed
[stages.criteria]
max_error_ratio = 0.020
max_p95_ms = 20_000.0
min_success_ratio = 0.91
min_confidence = 0.71

[[stages]]                          # stage 4
percent = 50
soak_hours = 72.0
min_ab_improvement = 0.10           # leaving it takes an A/B test: faster by more than this
[stages.criteria]
max_error_ratio = 0.025
max_p95_ms = 22_000.0
min_success_ratio = 0.89
min_confidence = 0.69

[[stages]]                          # stage 5: production, no end and nothing to leave for
percent = 100

# ── Alerts ────────────────────────────────────────────────────────────────────────────────────
# Limits count when strictly passed. Critical: roll back all now. Warning: watched for
# watch_minutes; if it has not cleared by then, one stage back. A limit left out keeps its default.

[alerts]
watch_minutes = 60.0

[alerts.warning]
error_ratio = 0.02
p95_ms = 20_000.0
success_ratio = 0.90

[alerts.critical]
error_ratio = 0.05
p95_ms = 30_000.0
success_ratio = 0.80

# ── What is measured ──────────────────────────────────────────────────────────────────────────

[metrics]
window_minutes = 5                  # the decision tree judges this much
criteria_window_minutes = 60        # the criteria judge this much
min_requests = 100                  # with fewer Canary requests in a window: "no data"
stale_after_s = 300.0               # Cloud Monitoring shows a minute 1 to 4 minutes later
refresh_s = 30.0
confidence_metric = "custom.googleapis.com/ion/confidence_score"

# ── Instances: the two presets of `scale` ─────────────────────────────────────────────────────

[scale.backup]
min = 0
max = 1

[scale.production]
min = 1
max = 10

# ── Verification: after each promotion and rollback, and `canary verify` ──────────────────────
# Requests through the router (target.router.url; the embedded cloud knows its own), to see that
# the measured split is the intended one, and both sides beside each other.

[verify]
after_change = true                 # by itself after every change of the split
requests = 100
delay_ms = 50.0                     # from one request to the next
path = "/api/v2/recommend/personalized"   # asked with GET: one that changes nothing
timeout_s = 10.0
# side_header = "x-canary-service"  # which side answered: a header of the answer that names it,
# side_field = "service"            # or else this field of its JSON body
confidence_field = "confidence"

# ── The load test: into the stage after one with `load_test = true` ───────────────────────────
# `canary load-test`, with Locust. Limits for PASSED are of Canary; a value equal to its limit
# passes.

[load_test]
users = 50
spawn_rate = 5.0                    # users more, each second
duration_minutes = 60.0
profile = "light"                   # built in: /chat and /api/v2/recommend/personalized
timeout_s = 60.0                    # no answer by then is an error
max_error_ratio = 0.02              # (5xx + no answer) ÷ all
max_p95_ms = 20_000.0
min_success_ratio = 0.91            # (2xx + 3xx) ÷ all: here a 429 counts against it
max_unattributed_ratio = 0.01       # of all requests, those that neither side answered

# [load_test.profiles.heavy]        # a profile of your own
# min_wait_s = 0.2
# max_wait_s = 1.0
# [[load_test.profiles.heavy.requests]]
# path = "/chat"
# method = "POST"
# body = '{"message": "hello"}'
# weight = 3

# ── The A/B test: out of a stage with `min_ab_improvement` ────────────────────────────────────
# `canary ab-test` asks BigQuery for both groups of this table.

[ab_test]
table = "ab_test.results"           # dataset.table of target.project, or project.dataset.table
days = 30
location = "US"
max_bytes_billed = 10_000_000_000   # a query that would read more is refused
timeout_s = 120.0
legacy_group = "legacy"
canary_group = "canary"

# ── Automatic rollback ────────────────────────────────────────────────────────────────────────
# Carries the tree's advice out (and acts on a stage's own automatic_rollback) after a countdown
# that any person at a console can stop. Never on missing, stale or thin data.

[guard]
armed = false                       # true: the console and `canary guard` begin armed
countdown_s = 60.0                  # real seconds
max_per_day = 3                     # so often in 24 hours, then a person must decide

# ── Word to others ────────────────────────────────────────────────────────────────────────────
# A webhook that takes Slack's JSON is told of each change, its outcome, and a verdict that turns
# for the worse. Its address is a secret: better in the environment than in this file.

[notify]
# webhook_variable = "CANARY_WEBHOOK"   # the environment variable that holds the address
# webhook = "https://…"                 # or the address itself
repeat_minutes = 15.0               # the same thing is told at most once in that time
timeout_s = 5.0

# ── Evidence: Canary against Legacy, in a way that survives being looked at all the time ──────
# Cloud Run's request log is seconds old (roles/logging.viewer); without it Cloud Monitoring's
# minutes are compared.

[evidence]
on_regression = "advise"            # ignore, advise, rollback (automatic rollback may act on it)
alpha = 0.01                        # the chance of ever alarming without a difference
pass_alpha = 0.05                   # the chance of ever saying "no worse than 2×" wrongly
tail = true                         # false: leave the request log alone
warm_up_minutes = 3.0               # left out after every new revision of Canary
smallest_score_effect = 0.05        # the least difference of confidence that matters

# ── The record ────────────────────────────────────────────────────────────────────────────────
# Where the rollout stands is kept in the cloud, as an annotation on the service that carries the
# split; the file is a copy of it for people and for git.

[record]
file = "rollout.toml"
annotation = "canary-console/record"
outputs = "outputs"                 # where results of load and A/B tests are looked for
git = false                         # commit the file after each change of the split …
push = false                        # … and push it; what git refuses never holds up a change

# ── The console ───────────────────────────────────────────────────────────────────────────────

[console]
theme = "dark"                      # dark, light, high-contrast, colour-blind, mono
mouse = false                       # off, so that selecting text works
bell = true                         # rings once on a change for the worse
read_only = false                   # true: look, change nothing

# [console.keys]                    # action = key; `?` in the console lists the actions
# rollback_all = "R"

# ── The embedded cloud (provider = "local") ───────────────────────────────────────────────────
# stage and soaked_hours are where a fresh one starts (`canary demo --fresh` starts over).

[local]
speed = 60.0                        # a second is a minute
seed = 7
scenario = "healthy"
stage = 2
soaked_hours = 23.5
requests_per_s = 45.0
"""
