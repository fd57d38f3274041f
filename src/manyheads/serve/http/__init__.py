"""The service over HTTP: each wire that clients speak is a router of its own."""
