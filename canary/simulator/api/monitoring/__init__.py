"""Cloud Monitoring: time series and metric descriptors (`api`), alert policies (`alert_policies`).

In: wire messages with filters and aggregations. Out: the world's minutes as series, aligned and
reduced as the real service does it, never newer than the ingest delay.
"""
