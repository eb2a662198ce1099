"""Attribution, plainly: what each conversion was brought by, and each click, by looking at all touches before it.

It is slow and obviously right, and shares no code with the package: the rules of docs/events.md are written out again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

SECOND = 1_000_000
RANKS = {"impression": 0, "click": 1, "landing": 2, "direct": 3}


@dataclass(frozen=True)
class Event:
    """One request, as `requests` has it; times are microseconds."""

    ts: int
    kind: str  # impression, click, conversion, pageview
    visitor: int
    position: int = 0
    source: str = "s"
    site: str = "a"
    is_bot: bool = False
    id: str = ""
    click_id: str = ""
    campaign: str = ""
    ad: str = ""
    placement: str = ""
    channel: str | None = None
    referrer_source: str = ""
    order_id: str = ""
    value_micros: int | None = None
    currency: str = ""

    @property
    def order(self) -> tuple[object, ...]:
        return (
            *(self.ts, RANKS[self.kind], self.site, self.campaign, self.ad, self.placement, self.channel or ""),
            *(self.referrer_source, self.click_id, self.id, self.is_bot, self.visitor, self.source, self.position),
        )

    @property
    def keys(self) -> set[str]:
        return {self.id, self.click_id} - {""}


@dataclass(frozen=True)
class Settings:
    click: int = 30 * 86_400 * SECOND
    view: int = 86_400 * SECOND
    double: int = 30 * SECOND


@dataclass(frozen=True)
class Path:
    """What is known of a conversion."""

    conversion: Event
    is_bot: bool
    invalid: str
    via: str
    reason: str
    seconds: int | None
    touches: tuple[Event, ...]


def touches(events: Iterable[Event]) -> list[Event]:
    """Return the touches, in their order; of direct ones the first of each visitor and hour."""
    found, direct = list[Event](), dict[tuple[int, int], Event]()
    for event in events:
        if event.kind in ("impression", "click"):
            found.append(event)
        elif event.kind == "pageview" and (event.click_id or event.channel not in (None, "Direct", "Internal")):
            found.append(replace(event, kind="landing"))
        elif event.kind == "pageview" and event.channel == "Direct" and not event.is_bot:
            bare = Event(event.ts, "direct", event.visitor, event.position, event.source, event.site, channel="Direct")
            hour = (event.visitor, event.ts // (3600 * SECOND))
            if hour not in direct or bare.order[:3] + (bare.source, bare.position) < (
                *direct[hour].order[:3],
                *(direct[hour].source, direct[hour].position),
            ):
                direct[hour] = bare
    return sorted([*found, *direct.values()], key=lambda one: one.order)


def representatives(found: Sequence[Event], settings: Settings) -> dict[Event, Event | None]:
    """Return the touch that each one of a visitor is one with: itself, an earlier one, or none."""
    of: dict[Event, Event | None] = {}
    for at, touch in enumerate(found):
        before = [one for one in found[:at] if one.kind != "impression"]
        clicks = [one for one in before if one.kind == "click"]
        if touch.kind == "click":
            same = [one for one in clicks if (one.site, one.campaign, one.ad) == (touch.site, touch.campaign, touch.ad)]
            of[touch] = of[same[-1]] if same and touch.ts - same[-1].ts < settings.double else touch
        elif touch.kind == "landing":
            same = [one for one in before if one.kind == "landing" and place(one) == place(touch)]
            if clicks and touch.ts - clicks[-1].ts < settings.double:
                of[touch] = of[clicks[-1]]
            elif same and touch.ts - same[-1].ts < 1800 * SECOND:
                of[touch] = of[head(same, settings)]
            else:
                of[touch] = touch
        elif touch.kind == "direct":
            of[touch] = None if before and touch.ts - before[-1].ts < 3600 * SECOND else touch
        else:
            of[touch] = touch
    return of


def place(touch: Event) -> tuple[object, ...]:
    return touch.site, touch.campaign, touch.channel or "", touch.referrer_source, touch.click_id


def head(same: Sequence[Event], settings: Settings) -> Event:
    """Return the first of the last chain of landings, each at most half an hour after the one before."""
    for at in range(len(same) - 1, 0, -1):
        if same[at].ts - same[at - 1].ts >= 1800 * SECOND:
            return same[at]
    return same[0]


def paths(events: Sequence[Event], settings: Settings | None = None) -> list[Path]:
    """Return what is known of each conversion, in their order."""
    settings, found, orders, results = settings or Settings(), touches(events), set[tuple[str, str]](), list[Path]()
    conversions = [one for one in events if one.kind == "conversion"]
    for c in sorted(conversions, key=conversion_order):
        path = _path(c, found, settings)
        if c.order_id and not path.is_bot:
            path = replace(path, invalid="duplicate" if (c.site, c.order_id) in orders else "")
            orders.add((c.site, c.order_id))
        results.append(path)
    return results


def conversion_order(c: Event) -> tuple[object, ...]:
    value = (c.value_micros is None, c.value_micros or 0)
    who = (c.visitor, c.id, c.click_id, c.site, c.is_bot, c.campaign, c.ad, c.placement, c.order_id)
    return (c.ts, *who, value, c.currency, c.source, c.position)


def _path(c: Event, found: Sequence[Event], settings: Settings) -> Path:
    before = [one for one in found if one.ts <= c.ts]

    def age(touch: Event) -> int:
        return c.ts - touch.ts

    def window(touch: Event) -> int:
        return settings.view if touch.kind == "impression" else settings.click

    by_id = [one for one in before if one.keys & c.keys]
    last = [
        some[-1] for is_view in (False, True) if (some := [t for t in by_id if (t.kind == "impression") == is_view])
    ]
    is_outside = any(window(one) < age(one) <= 2 * window(one) for one in last)
    anchor = next((one for one in last if age(one) <= window(one)), None)
    persons = {c.visitor} | ({anchor.visitor} if anchor else set())
    of: dict[Event, Event | None] = {}
    for person in persons:
        of |= representatives([one for one in found if one.visitor == person], settings)
    by_click = anchor is not None and anchor.kind != "impression"
    end = of[anchor] if anchor and by_click else None
    kept = [one for one in found if of.get(one) == one and one.ts <= c.ts and (end is None or one.order <= end.order)]
    inside, has_near = list[Event](), False
    for person in persons:
        for is_view in (False, True):
            some = [one for one in kept if one.visitor == person and (one.kind == "impression") == is_view][-20:]
            good = [one for one in some if age(one) <= window(one) or one == end]
            inside += good
            has_near |= any(one not in good and age(one) <= 2 * window(one) and one.kind != "direct" for one in some)
    has_click = any(one.kind in ("click", "landing") for one in inside)
    has_view = any(one.kind == "impression" for one in inside)
    wanted = "impression" if has_view and not has_click else ""
    path = [one for one in inside if (one.kind == "impression") == bool(wanted)]
    path = sorted(path, key=lambda one: one.order)[-20:]
    is_bot = anchor.is_bot if anchor else c.is_bot
    via = "click_id" if by_click else "click" if has_click else "view" if has_view else "none"
    reason = ""
    if via == "none":
        reason = "outside_window" if is_outside or has_near else "direct" if path else "unknown_id" if c.keys else ""
        reason = reason or ("robot" if is_bot else "no_touch")
    ages = [age(one) // SECOND for one in path if one.kind != "direct"]
    landed = tuple(_landed(one, found, of, c) for one in path)
    return Path(c, is_bot, "robot" if is_bot else "", via, reason, min(ages, default=None), landed)


def _landed(touch: Event, found: Sequence[Event], of: dict[Event, Event | None], c: Event) -> Event:
    """Return a click with the channel of its landing."""
    if touch.kind == "click":
        landings = [one for one in found if one.kind == "landing" and of.get(one) == touch]
        landings = [one for one in landings if absorbed(one, found)]
        if landings and landings[0].ts <= c.ts:
            return replace(touch, channel=landings[0].channel, referrer_source=landings[0].referrer_source)
    return touch


def absorbed(landing: Event, found: Sequence[Event], double: int = 30 * SECOND) -> bool:
    clicks = [t for t in found if t.visitor == landing.visitor and t.kind == "click" and t.order < landing.order]
    return bool(clicks) and landing.ts - clicks[-1].ts < double


def credits(path: Path, model: str) -> list[int]:
    """Return the credit of each touch of a path, in millionths."""
    count, kinds = len(path.touches), [one.kind for one in path.touches]
    if not count:
        return []
    last = max((n for n, kind in enumerate(kinds) if kind != "direct"), default=count - 1)
    weights = {
        "last_non_direct": [Fraction(n == last) for n in range(count)],
        "last": [Fraction(n == count - 1) for n in range(count)],
        "first": [Fraction(n == 0) for n in range(count)],
        "linear": [Fraction(1)] * count,
        "position": [Fraction(1)] * count if count < 3 else _position(count),
        "time_decay": [_decayed(path.conversion.ts - one.ts) for one in path.touches],
    }[model]
    exact = [weight * 1_000_000 / sum(weights) for weight in weights]
    whole = [int(part) for part in exact]
    turns = sorted(range(count), key=lambda n: (exact[n] - whole[n], n), reverse=True)
    for n in turns[: 1_000_000 - sum(whole)]:
        whole[n] += 1
    return whole


def _position(count: int) -> list[Fraction]:
    return [Fraction(2, 5), *[Fraction(1, 5 * (count - 2))] * (count - 2), Fraction(2, 5)]


def _decayed(age: int) -> Fraction:
    return Fraction(max(1, round(1e9 * 0.5 ** (age / 1e6 / 604_800))))


def matches(events: Sequence[Event], settings: Settings | None = None) -> list[tuple[Event, str]]:
    """Return each click that is no double one, and why it has no impression; empty if it has one."""
    settings, found = settings or Settings(), touches(events)
    results, seen = list[tuple[Event, str]](), dict[tuple[object, ...], int]()
    for k in found:
        if k.kind != "click":
            continue
        ad = (k.visitor, k.site, k.campaign, k.ad)
        counts = k.ts - seen.get(ad, -(10**18)) >= settings.double
        seen[ad] = k.ts
        shown = [one for one in found if one.kind == "impression" and one.ts <= k.ts]
        of_it = (k.visitor, k.campaign, k.ad)
        ages = [k.ts - one.ts for one in shown if one.keys & k.keys or (one.visitor, one.campaign, one.ad) == of_it]
        age = min(ages, default=10**18)
        reason = "robot" if k.is_bot else "unknown_id" if k.keys else "no_id"
        reason = "" if age <= settings.view else "impression_expired" if age <= 2 * settings.view else reason
        if counts:
            results.append((k, reason))
    return results
