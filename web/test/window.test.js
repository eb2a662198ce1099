import assert from 'node:assert/strict'
import { test } from 'node:test'
import { absolute, DAY, fromWall, HOUR, MINUTE, presetOf, resolve, shift, wall, widen } from '../src/lib/window.js'

const NOW = Date.parse('2026-11-30T02:32:20Z')
const iso = (window) => window && [window.since, window.until].map((time) => new Date(time).toISOString().slice(0, 16))

test('windows are resolved to whole minutes', () => {
    assert.deepEqual(iso(resolve({ since: '5m', until: '', tz: 'UTC' }, NOW)), ['2026-11-30T02:27', '2026-11-30T02:33'])
    assert.deepEqual(iso(resolve({ since: 'yesterday', until: 'today', tz: 'UTC' }, NOW)), ['2026-11-29T00:00', '2026-11-30T00:00'])
    assert.deepEqual(iso(resolve({ since: '2026-11-24', until: '2026-11-24T12:00Z', tz: 'UTC' }, NOW)), [
        '2026-11-24T00:00',
        '2026-11-24T12:00',
    ])
})

test('days begin at midnight of the zone', () => {
    assert.deepEqual(iso(resolve({ since: 'today', until: '', tz: 'Europe/Berlin' }, NOW)), ['2026-11-29T23:00', '2026-11-30T02:33'])
    assert.deepEqual(iso(resolve({ since: 'today', until: '', tz: 'America/New_York' }, NOW)), ['2026-11-29T05:00', '2026-11-30T02:33'])
})

test('what is no window is null', () => {
    for (const since of ['nonsense', '2026-13-45T00:00Z', '2027-01-01']) assert.equal(resolve({ since, until: '', tz: 'UTC' }, NOW), null)
})

test('clocks and times agree, also where clocks change', () => {
    for (const tz of ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe']) {
        for (let time = Date.parse('2026-03-01T00:00Z'); time < Date.parse('2026-11-30T00:00Z'); time += 17 * HOUR + 10 * MINUTE) {
            const back = fromWall(wall(time, tz), tz)
            assert.ok(back === time || Math.abs(back - time) <= HOUR, `${tz} ${new Date(time).toISOString()}`)
            assert.deepEqual(wall(back, tz), wall(time, tz))
        }
    }
    assert.equal(new Date(fromWall([2026, 3, 29, 12, 0], 'Europe/Berlin')).toISOString(), '2026-03-29T10:00:00.000Z')
})

test('one window back and on again is the preset', () => {
    const state = { since: '24h', until: '', tz: 'UTC' }
    const before = { ...state, ...shift(state, -1, NOW) }
    assert.equal(before.until, '2026-11-29T02:32Z')
    assert.deepEqual(shift(before, 1, NOW), { since: '24h', until: '' })
    assert.deepEqual(shift({ since: 'today', until: '', tz: 'UTC' }, -1, NOW), { since: 'yesterday', until: 'today' })
    assert.deepEqual(shift({ since: 'yesterday', until: 'today', tz: 'UTC' }, 1, NOW), { since: 'today', until: '' })
})

test('a widened window is twice as long, and not in the future', () => {
    const window = { since: NOW - 10 * HOUR, until: NOW - 8 * HOUR }
    const wide = resolve({ ...widen(window, NOW), tz: 'UTC' }, NOW)
    assert.ok(Math.abs(wide.until - wide.since - 4 * HOUR) <= 2 * MINUTE)
    const late = resolve({ ...widen({ since: NOW - DAY, until: NOW }, NOW), tz: 'UTC' }, NOW)
    assert.ok(late.until <= NOW + MINUTE && late.until - late.since >= 2 * DAY - MINUTE)
})

test('absolute windows end after what they shall hold', () => {
    assert.deepEqual(absolute({ since: NOW, until: NOW + MINUTE }), { since: '2026-11-30T02:32Z', until: '2026-11-30T02:34Z' })
})

test('presets are known again', () => {
    assert.equal(presetOf({ since: 'yesterday', until: 'today' }).key, 'e')
    assert.equal(presetOf({ since: '24h', until: '2026-11-24' }), undefined)
})
