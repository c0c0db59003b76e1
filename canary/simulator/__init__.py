"""The embedded cloud: the same APIs on loopback. Imports no other package of the project."""
