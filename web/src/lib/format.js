// Numbers, bytes, rates, durations, changes and times as texts for people.

const EXACT = new Intl.NumberFormat('en-US', { maximumFractionDigits: 3 })
export const DASH = '–'

export function exact(value) {
    return value === null || value === undefined ? DASH : EXACT.format(value)
}

// At most five characters before the unit: 12,345 stays, 123,456 is 123k.
export function count(value) {
    if (value === null || value === undefined) return DASH
    const size = Math.abs(value)
    if (size < 99_999.5) return EXACT.format(size < 100 ? Math.round(value * 10) / 10 : Math.round(value))
    return scaled(value, 1000, ['', 'k', 'M', 'G', 'T', 'P'])
}

export function bytes(value) {
    if (value === null || value === undefined) return DASH
    return scaled(value, 1000, [' B', ' kB', ' MB', ' GB', ' TB', ' PB'])
}

function scaled(value, base, units) {
    let unit = 0
    while (unit < units.length - 1 && Math.abs(value) >= base * 0.9995) {
        value /= base
        unit += 1
    }
    return significant(value, 3) + units[unit]
}

function significant(value, digits) {
    if (value === 0) return '0'
    const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))))
    return value
        .toFixed(Math.min(6, decimals))
        .replace(/(\.\d*?)0+$/, '$1')
        .replace(/\.$/, '')
}

export function ratio(value) {
    if (value === null || value === undefined) return DASH
    const percent = value * 100
    return (percent !== 0 && Math.abs(percent) < 10 ? percent.toFixed(2) : percent.toFixed(1)).replace(/\.0+$/, '') + ' %'
}

export function seconds(value) {
    if (value === null || value === undefined) return DASH
    if (value === 0) return '0 s'
    if (value < 0.001) return significant(value * 1e6, 3) + ' µs'
    if (value < 1) return significant(value * 1000, 3) + ' ms'
    return significant(value, 3) + ' s'
}

const BY_UNIT = { count, bytes, ratio, seconds }
export function measure(value, unit) {
    return (BY_UNIT[unit] ?? count)(value)
}

// The change from one number to another as a share of the first; null if that is missing or zero.
export function changeOf(now, before) {
    if (now === null || now === undefined || !before) return null
    return now / before - 1
}

export function change(value) {
    if (value === null || value === undefined) return DASH
    const percent = Math.abs(value * 100)
    if (percent < 0.05) return '0 %'
    const sign = value < 0 ? '−' : '+'
    if (percent >= 1000) return significant(1 + value, 2) + ' ×'
    return sign + (percent < 10 ? percent.toFixed(1).replace(/\.0$/, '') : percent.toFixed(0)) + ' %'
}

export function age(secs) {
    if (secs === null || secs === undefined) return DASH
    const s = Math.max(0, Math.round(secs))
    if (s < 120) return `${s} s`
    if (s < 7200) return `${Math.floor(s / 60)} min`
    if (s < 172_800) return `${Math.floor(s / 3600)} h`
    return `${Math.floor(s / 86_400)} d`
}

// "5 minutes", "36 hours": the length of a window or a bucket.
export function duration(ms) {
    for (const [unit, size] of [
        ['day', 86_400_000],
        ['hour', 3_600_000],
        ['minute', 60_000],
        ['second', 1000],
    ]) {
        if (ms >= size) {
            const many = Math.round((ms / size) * 10) / 10
            return `${many} ${unit}${many === 1 ? '' : 's'}`
        }
    }
    return '0 seconds'
}

const times = new Map()
function timeFormat(tz, options) {
    const key = tz + JSON.stringify(options)
    if (!times.has(key)) times.set(key, new Intl.DateTimeFormat('en-GB', { timeZone: tz, hourCycle: 'h23', ...options }))
    return times.get(key)
}

const CLOCK = { hour: '2-digit', minute: '2-digit' }
const DATE = { weekday: 'short', day: 'numeric', month: 'short' }

export function clock(time, tz) {
    return timeFormat(tz, CLOCK).format(time)
}

export function date(time, tz, year = false) {
    return timeFormat(tz, year ? { ...DATE, year: 'numeric' } : DATE)
        .format(time)
        .replace(',', '')
}

export function dateTime(time, tz, year = false) {
    return `${date(time, tz, year)} ${clock(time, tz)}`
}

// A time that sorts, to the millisecond: "2026-11-30 02:32:00.123".
export function stamp(time, tz) {
    const at = typeof time === 'number' ? time : Date.parse(time)
    if (Number.isNaN(at)) return String(time)
    const part = {}
    const options = { year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' }
    for (const { type, value } of timeFormat(tz, options).formatToParts(at)) part[type] = value
    const millis = at % 1000 ? '.' + String(at % 1000).padStart(3, '0') : ''
    return `${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}:${part.second}${millis}`
}

// "Sun 29 Nov 02:00 – Mon 30 Nov 03:00", without a second date on one day, without clocks on whole days.
export function period(since, until, tz) {
    const midnight = (time) => clock(time, tz) === '00:00'
    if (midnight(since) && midnight(until) && until - since > 80_000_000) {
        const last = date(until - 1, tz)
        return date(since, tz) === last ? last : `${date(since, tz)} – ${last}`
    }
    const sameDay = date(since, tz) === date(until - 1, tz)
    return `${dateTime(since, tz)} – ${sameDay ? clock(until, tz) : dateTime(until, tz)}`
}
