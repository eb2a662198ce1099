"""Envelopes: the text around each line that programs add when they pass logs on (syslog, Docker, Kubernetes, ...)."""
