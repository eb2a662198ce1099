// Windows of time: presets, their absolute times, moving, narrowing and widening them.
// Times are milliseconds since 1970. Windows are half-open and begin and end at whole minutes.

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR
const UNITS = { s: 1000, m: MINUTE, h: HOUR, d: DAY, w: 7 * DAY }

// Keys are those of Plausible, for windows that it has.
export const PRESETS = [
    { since: '5m', until: '', key: 'r', label: '5 min', title: 'last 5 minutes' },
    { since: '1h', until: '', key: 'o', label: '1 h', title: 'last hour' },
    { since: '24h', until: '', key: 'h', label: '24 h', title: 'last 24 hours' },
    { since: '7d', until: '', key: 'w', label: '7 d', title: 'last 7 days' },
    { since: '30d', until: '', key: 'm', label: '30 d', title: 'last 30 days' },
    { since: 'today', until: '', key: 'd', label: 'Today', title: 'today' },
    { since: 'yesterday', until: 'today', key: 'e', label: 'Yesterday', title: 'yesterday' },
]

export function presetOf({ since, until }) {
    return PRESETS.find((preset) => preset.since === since && preset.until === (until ?? ''))
}

// [since, until) of a state in absolute time; null if its text is not a time.
export function resolve({ since, until, tz }, now) {
    const from = moment(since, now, tz, floorMinute)
    const to = moment(until || 'now', now, tz, ceilMinute)
    return from === null || to === null || from >= to ? null : { since: from, until: to }
}

function moment(text, now, tz, round) {
    if (text === 'now') return round(now)
    const ago = /^(\d+)([smhdw])$/.exec(text)
    if (ago) return round(now - ago[1] * UNITS[ago[2]])
    if (text === 'today' || text === 'yesterday') {
        const [year, month, day] = wall(now, tz)
        return fromWall([year, month, text === 'today' ? day : day - 1, 0, 0], tz)
    }
    const date = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::\d\d)?)?$/.exec(text)
    if (date) return fromWall([date[1], date[2], date[3], date[4] ?? 0, date[5] ?? 0].map(Number), tz)
    const time = Date.parse(text)
    return Number.isNaN(time) ? null : round(time)
}

export const floorMinute = (time) => Math.floor(time / MINUTE) * MINUTE
export const ceilMinute = (time) => Math.ceil(time / MINUTE) * MINUTE

// "2026-11-24T12:00Z", the form for the API.
export const isoMinute = (time) => new Date(time).toISOString().slice(0, 16) + 'Z'

// One window earlier (-1) or later (1). A window that is moved up to now becomes its preset again, and so follows the data.
export function shift(state, direction, now) {
    const window = resolve(state, now)
    if (!window) return {}
    if (direction < 0 && state.since === 'today' && !state.until) return { since: 'yesterday', until: 'today' }
    if (direction > 0 && state.since === 'yesterday') return { since: 'today', until: '' }
    const length = window.until - window.since
    const moved = { since: window.since + direction * length, until: window.until + direction * length }
    if (moved.until >= now) return direction > 0 ? latest(length, now) : { since: isoMinute(moved.since), until: '' }
    return absolute(moved)
}

function latest(length, now) {
    const near = (preset) => Math.abs(preset.length - length) <= 2 * MINUTE
    const relative = PRESETS.filter((preset) => /^\d/.test(preset.since))
        .map((preset) => ({
            ...preset,
            length: resolve({ since: preset.since, tz: 'UTC' }, now).until - resolve({ since: preset.since, tz: 'UTC' }, now).since,
        }))
        .find(near)
    if (relative) return { since: relative.since, until: '' }
    return { since: `${Math.max(1, Math.round(length / MINUTE))}m`, until: '' }
}

export const absolute = ({ since, until }) => ({ since: isoMinute(floorMinute(since)), until: isoMinute(ceilMinute(until)) })

// Twice as long around the same middle, but not beyond now.
export function widen(window, now) {
    const half = (window.until - window.since) / 2
    const beyond = Math.max(0, window.until + half - ceilMinute(now))
    return absolute({ since: window.since - half - beyond, until: window.until + half - beyond })
}

// [year, month, day, hour, minute] by the clocks of a zone.
export function wall(time, tz) {
    const parts = {}
    for (const { type, value } of formatter(tz).formatToParts(time)) parts[type] = Number(value)
    return [parts.year, parts.month, parts.day, parts.hour, parts.minute]
}

// The time at which the clocks of a zone show this; if they skip it, an hour later.
export function fromWall([year, month, day, hour, minute], tz) {
    const asUtc = Date.UTC(year, month - 1, day, hour, minute)
    const offset = (time) => {
        const [y, mo, d, h, mi] = wall(time, tz)
        return Date.UTC(y, mo - 1, d, h, mi) - floorMinute(time)
    }
    const guess = asUtc - offset(asUtc)
    return asUtc - offset(guess)
}

const formatters = new Map()
function formatter(tz) {
    if (!formatters.has(tz)) {
        formatters.set(
            tz,
            new Intl.DateTimeFormat('en-US', {
                timeZone: tz,
                hourCycle: 'h23',
                year: 'numeric',
                month: 'numeric',
                day: 'numeric',
                hour: 'numeric',
                minute: 'numeric',
            }),
        )
    }
    return formatters.get(tz)
}
