// A uPlot chart as a component, as wide as its element. A new shape makes a new chart; otherwise it gets new data.

import uPlot from 'uplot'
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import { narrow, widenWindow } from '../state/location.js'
import { data as source } from '../data/index.js'
import { clock, date } from '../lib/format.js'
import { color } from './colors.js'

// `shape` is a text that differs for charts that cannot share an instance; `options(width)` returns the chart's options.
export function Plot({ shape, options, data, height, label }) {
    const place = useRef(null)
    const plot = useRef(null)
    const latest = useRef(null)
    latest.current = data

    useLayoutEffect(() => {
        const width = () => Math.max(200, place.current.clientWidth)
        plot.current = new uPlot({ width: width(), height, ...options }, latest.current, place.current)
        const watch = new ResizeObserver(() => {
            if (plot.current.width !== width()) plot.current.setSize({ width: width(), height })
        })
        watch.observe(place.current)
        return () => {
            watch.disconnect()
            plot.current.destroy()
        }
    }, [shape])

    useEffect(() => {
        if (plot.current && plot.current.data !== data) plot.current.setData(data)
    }, [data])

    return <div class="plot" ref={place} role="img" aria-label={label} />
}

// Steps of the axis of time: no bucket is shorter than a minute.
const [MINUTE, HOUR, DAY] = [60, 3600, 86_400]
const STEPS = [
    ...[1, 2, 5, 10, 15, 30].map((many) => many * MINUTE),
    ...[1, 2, 3, 6, 12].map((many) => many * HOUR),
    ...[1, 2, 7, 14, 30, 90, 180, 365].map((many) => many * DAY),
]

// The options that both charts share: one cursor, one axis of time; dragging narrows the window, a double click widens it.
// `at(index | null)` is called with the bucket under the cursor; `until` is the end of the window in seconds.
export function timeOptions({ tz, until, grain, at, format }) {
    const font = '11px ' + getComputedStyle(document.body).fontFamily
    const axis = { stroke: color('text-2'), font, grid: { stroke: color('line'), width: 1 }, ticks: { show: false } }
    return {
        tzDate: (time) => uPlot.tzDate(new Date(time * 1000), tz === 'UTC' ? 'Etc/UTC' : tz),
        legend: { show: false },
        padding: [8, 18, 0, 0],
        scales: { x: { range: (plot) => [plot.data[0][0] ?? 0, Math.max(until(), (plot.data[0].at(-1) ?? 0) + grain())] } },
        axes: [
            {
                ...axis,
                grid: { show: false },
                space: 64,
                incrs: STEPS,
                size: 26,
                gap: 6,
                values: (plot, times, __, ___, step) =>
                    times.map((time) => (plot.scales.x.max - time < step / 4 ? '' : tick(time * 1000, step, tz))),
            },
            { ...axis, size: 52, gap: 6, space: 34, values: (_, values) => values.map((value) => (value === null ? '' : format(value))) },
        ],
        cursor: {
            y: false,
            points: { show: false },
            sync: { key: 'time', setSeries: false },
            drag: { x: source.live, y: false, setScale: false, dist: 5 },
            dataIdx: (plot, _, __, time) => bucketAt(plot.data[0], time),
            bind: { dblclick: () => () => source.live && widenWindow() },
        },
        hooks: {
            setSelect: [
                (plot) => {
                    if (plot.select.width < 5) return
                    const [from, to] = [plot.select.left, plot.select.left + plot.select.width].map((x) => plot.posToVal(x, 'x'))
                    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false)
                    const [first, last] = [plot.data[0][bucketAt(plot.data[0], from)], plot.data[0][bucketAt(plot.data[0], to)]]
                    narrow(first * 1000, Math.min((last + grain()) * 1000, until() * 1000))
                },
            ],
            setCursor: [(plot) => at(plot.cursor.left >= 0 ? plot.cursor.idx : null)],
        },
    }
}

// A line that is level over each bucket, to the end of the last one; a bucket without a number is a gap.
export function levels(grain) {
    return (plot, series) => {
        const [times, values] = [plot.data[0], plot.data[series]]
        const stroke = new Path2D()
        let joined = false
        for (let i = 0; i < times.length; i += 1) {
            const known = values[i] !== null && values[i] !== undefined
            if (known) {
                const end = times[i + 1] - times[i] < 1.5 * grain() ? times[i + 1] : times[i] + grain()
                const [left, right] = [times[i], end].map((time) => plot.valToPos(time, 'x', true))
                const top = plot.valToPos(values[i], 'y', true)
                if (joined) stroke.lineTo(left, top)
                else stroke.moveTo(left, top)
                stroke.lineTo(right, top)
            }
            joined = known
        }
        return { stroke, fill: null, clip: null, band: null, gaps: null, flags: 1 }
    }
}

// The bucket under the cursor is the last one that begins before it, which need not be the nearest.
function bucketAt(times, time) {
    let [low, high] = [0, times.length - 1]
    while (low < high) {
        const middle = (low + high + 1) >> 1
        if (times[middle] <= time) low = middle
        else high = middle - 1
    }
    return low
}

function tick(time, step, tz) {
    const hour = clock(time, tz)
    if (step >= DAY || hour === '00:00') return date(time, tz)
    return hour
}
