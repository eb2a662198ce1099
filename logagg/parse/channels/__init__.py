"""Channels: finds the channel, source and medium of a visitor from the referrer, and from tags and click ids of the link."""
