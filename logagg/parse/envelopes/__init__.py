"""Envelopes: what programs that pass logs on write around each line (syslog, Docker, Kubernetes, ...)."""
