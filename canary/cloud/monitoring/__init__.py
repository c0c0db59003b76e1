"""Cloud Monitoring: both sides' samples, minutes old, and the rollout's alert policies.

In come a plan and an interval; out goes a Reading: samples oldest first, gaps left gaps, failures
beside them. Its doors are `reader.MonitoringReader` and `alert_policies.AlertPolicies`.
"""
