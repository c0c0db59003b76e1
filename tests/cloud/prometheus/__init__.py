"""The source Prometheus: pure parts by worked cases, the reader against a real server."""
