"""What others read: documents made of a plan or a snapshot. Pure: plain values and text out.

Doors: `report` (a stage's report, Markdown and HTML), `grafana` (the dashboard), `alert_policies`
(the plan's limits in Cloud Monitoring), `monitor_document` and `evidence_document` (files and JSON
for programs), `notification` (what a webhook is sent).
"""
