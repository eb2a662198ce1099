"""The settings of channels, and the memory that tasks with equal settings share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from logagg.config.channels import ChannelRule, ClickId
from logagg.config.sections import Config
from logagg.parse.channels.arrivals import Channels
from logagg.parse.channels.tags import Keys, TagKeys


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """The channels of a configuration."""

    rules: tuple[ChannelRule, ...] = ()
    click_ids: tuple[ClickId, ...] = Config().channels.click_ids
    keys: TagKeys = TagKeys()

    @classmethod
    def of(cls, config: Config) -> Self | None:
        """Return the settings of a configuration; None if neither requests nor a user's rollup keep channels."""
        if config.requests.keep == 0 and not config.rollups:
            return None
        named = config.channels
        names = [one.parameter for one in named.click_ids]
        source, medium, campaign, clicks = map(_bytes, (named.source, named.medium, named.campaign, names))
        keys = TagKeys(source, medium, campaign, clicks, config.limits.value)
        return cls(config.channel_rules, named.click_ids, keys)

    def shared(self) -> Channels:
        """Return the channels for these settings, with the arrivals that they remember."""
        return _channels(self.rules, self.click_ids, self.keys.limit)


def _bytes(names: Iterable[str]) -> Keys:
    return tuple(name.encode() for name in names)


@lru_cache(2)  # for this configuration, and for the one before a reload
def _channels(rules: tuple[ChannelRule, ...], click_ids: tuple[ClickId, ...], limit: int) -> Channels:
    return Channels(rules, click_ids, limit)
