"""BigQuery, for the A/B test: one query over both groups, its rows as figures.

In come a table, two groups and a time; out come GroupFigures, or the bytes a query would read. Its
doors are `client.BigQuery` and `ab_query`.
"""
