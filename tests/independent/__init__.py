"""The console against a server that shares nothing with it but the published protocols."""
