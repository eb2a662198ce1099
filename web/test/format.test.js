import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as format from '../src/lib/format.js'

const table = (fn, rows) => rows.forEach(([value, text]) => assert.equal(fn(value), text))

test('counts', () =>
    table(format.count, [
        [0, '0'],
        [7, '7'],
        [12_345, '12,345'],
        [99_999, '99,999'],
        [123_456, '123k'],
        [999_999, '1M'],
        [96_987_115, '97M'],
        [1.5e12, '1.5T'],
        [null, '–'],
        [12.5, '12.5'],
    ]))
test('bytes', () =>
    table(format.bytes, [
        [0, '0 B'],
        [999, '999 B'],
        [1000, '1 kB'],
        [96_987_115, '97 MB'],
        [1.234e9, '1.23 GB'],
        [undefined, '–'],
    ]))
test('ratios', () =>
    table(format.ratio, [
        [0, '0 %'],
        [0.05525, '5.53 %'],
        [0.5, '50 %'],
        [1, '100 %'],
        [0.0004, '0.04 %'],
        [null, '–'],
    ]))
test('seconds', () =>
    table(format.seconds, [
        [0, '0 s'],
        [0.0000123, '12.3 µs'],
        [0.0213, '21.3 ms'],
        [1.5, '1.5 s'],
        [12, '12 s'],
        [null, '–'],
    ]))
test('changes', () =>
    table(format.change, [
        [0, '0 %'],
        [0.0001, '0 %'],
        [0.053, '+5.3 %'],
        [-0.25, '−25 %'],
        [15, '16 ×'],
        [null, '–'],
    ]))
test('ages', () =>
    table(format.age, [
        [-3, '0 s'],
        [59.6, '60 s'],
        [119, '119 s'],
        [180, '3 min'],
        [8000, '2 h'],
        [200_000, '2 d'],
        [null, '–'],
    ]))
test('durations', () =>
    table(format.duration, [
        [60_000, '1 minute'],
        [1_800_000, '30 minutes'],
        [86_400_000, '1 day'],
        [5400_000, '1.5 hours'],
    ]))

test('a change needs something before', () => {
    assert.equal(format.changeOf(3, 2), 0.5)
    for (const [now, before] of [
        [3, 0],
        [3, null],
        [null, 2],
        [3, undefined],
    ])
        assert.equal(format.changeOf(now, before), null)
})

test('periods say no more than needed', () => {
    const period = (a, b, tz = 'UTC') => format.period(Date.parse(a), Date.parse(b), tz)
    assert.equal(period('2026-11-29T02:00Z', '2026-11-30T03:00Z'), 'Sun 29 Nov 02:00 – Mon 30 Nov 03:00')
    assert.equal(period('2026-11-29T02:00Z', '2026-11-29T03:00Z'), 'Sun 29 Nov 02:00 – 03:00')
    assert.equal(period('2026-11-29T00:00Z', '2026-11-30T00:00Z'), 'Sun 29 Nov')
    assert.equal(period('2026-11-28T23:00Z', '2026-11-30T23:00Z', 'Europe/Berlin'), 'Sun 29 Nov – Mon 30 Nov')
})

test('stamps are sortable and in the zone', () => {
    assert.equal(format.stamp('2026-11-30T02:32:00Z', 'UTC'), '2026-11-30 02:32:00')
    assert.equal(format.stamp('2026-11-30T02:32:00.120Z', 'Asia/Tokyo'), '2026-11-30 11:32:00.120')
    assert.equal(format.stamp('no time', 'UTC'), 'no time')
})
