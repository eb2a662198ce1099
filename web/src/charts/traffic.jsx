// The large chart: hits over time, stacked by kind or status class, with a dashed line for the compared period.

import uPlot from 'uplot'
import { signal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import { count, duration, exact, period, stamp } from '../lib/format.js'
import { go, state } from '../state/location.js'
import { page, zone } from '../state/store.js'
import { data as source } from '../data/index.js'
import { visible } from '../lib/text.js'
import { Notes } from '../views/notes.jsx'
import { Segments } from '../views/controls.jsx'
import { SqlButton } from '../views/dialog.jsx'
import { color, groupColor, groupOrder, theme } from './colors.js'
import { levels, Plot, timeOptions } from './plot.jsx'
import { TableTwin } from './twin.jsx'

const HEIGHT = 240
export const hover = signal(null) // the bucket under the cursor of either chart

// Steps of an axis of counts, which are whole numbers.
const WHOLE = Array.from({ length: 36 }, (_, i) => [1, 2, 5][i % 3] * 10 ** Math.floor(i / 3))

const seconds = (time) => Date.parse(time) / 1000
const sum = (list) => list.reduce((total, value) => total + (value ?? 0), 0)

// The topmost layer of the stack is drawn first, the lower ones over it.
function stack(series, groups) {
    const layers = []
    let below = series.ts.map(() => 0)
    for (const name of groups) {
        below = below.map((value, index) => value + (series.groups[name][index] ?? 0))
        layers.unshift(below)
    }
    return layers
}

export function TrafficChart() {
    const { series, grain, since, until, before } = page.value
    const { hide, split } = state.value
    const tz = zone.value
    const all = groupOrder(Object.keys(series.groups))
    const groups = all.filter((name) => !hide.includes(name))
    const data = useMemo(
        () => [series.ts.map(seconds), ...stack(series, groups), ...(series.before ? [series.before] : [])],
        [series, groups.join()],
    )
    const shape = [groups, tz, Boolean(series.before), theme.value].join('|')
    const options = useMemo(() => plotOptions(groups, tz, Boolean(series.before)), [shape])
    const many = series.ts.length
    const label = `Hits by ${split === 'kind' ? 'kind' : 'status class'} in ${many} buckets; the table below has the numbers`

    return (
        <section class="card chart" aria-labelledby="traffic-title">
            <header class="card-head">
                <h2 id="traffic-title">
                    Hits <small>per {bucketName(grain)}</small>
                </h2>
                {source.live ? (
                    <Segments
                        label="Split"
                        value={split}
                        choices={[
                            ['kind', 'Kind'],
                            ['status_class', 'Status'],
                        ]}
                        onChange={(value) => go({ split: value, hide: [] })}
                    />
                ) : null}
                <Legend series={series} groups={all} hide={hide} tz={tz} grain={grain} />
                <SqlButton title="Hits over time" sql={series.sql} />
            </header>
            <Notes answer={series} since={since} />
            {series.unavailable ? null : (
                <>
                    <Plot shape={shape} options={options} data={data} height={HEIGHT} label={label} />
                    <TableTwin
                        caption={`Hits over time, ${period(Date.parse(since), Date.parse(until), tz)}`}
                        head={['Time', ...all, 'all', ...(series.before ? ['before'] : [])]}
                        rows={() =>
                            series.ts.map((time, index) => [
                                stamp(time, tz).slice(0, 16),
                                ...all.map((name) => exact(series.groups[name][index])),
                                exact(sum(all.map((name) => series.groups[name][index]))),
                                ...(series.before ? [exact(series.before[index])] : []),
                            ])
                        }
                    />
                </>
            )}
            {before && !series.unavailable ? (
                <p class="hint">Dashed: {period(Date.parse(before.since), Date.parse(before.until), tz)}</p>
            ) : null}
        </section>
    )
}

const bucketName = (grain) => duration(grain * 1000).replace(/^1 /, '')

function plotOptions(groups, tz, compared) {
    const options = timeOptions({
        tz,
        format: count,
        until: () => seconds(page.peek().until),
        grain: () => page.peek().grain,
        at: (index) => {
            hover.value = index
        },
    })
    const bars = uPlot.paths.bars({ size: [0.86, 1000], align: 1, gap: 0 })
    const layers = [...groups]
        .reverse()
        .map((name) => ({ label: name, fill: groupColor(name), width: 0, paths: bars, points: { show: false } }))
    const line = {
        label: 'before',
        stroke: color('text-2'),
        width: 1.5,
        dash: [4, 4],
        paths: levels(() => page.peek().grain),
        points: { show: false },
    }
    const [time, number] = options.axes
    return {
        ...options,
        axes: [time, { ...number, incrs: WHOLE }],
        series: [{}, ...layers, ...(compared ? [line] : [])],
        scales: { ...options.scales, y: { range: (_, low, high) => [0, Math.max(high ?? 0, 4) * 1.06] } },
    }
}

// The legend: names, colours, and the numbers of the bucket under the cursor, else of the window. A click hides or shows a group.
function Legend({ series, groups, hide, tz, grain }) {
    const index = hover.value !== null && hover.value < series.ts.length ? hover.value : null
    const number = (list) => (index === null ? sum(list) : (list[index] ?? 0))
    const toggle = (name) => go({ hide: hide.includes(name) ? hide.filter((other) => other !== name) : [...hide, name] })
    const from = index === null ? null : Date.parse(series.ts[index])
    return (
        <ul class="legend" aria-label="Groups">
            {from === null ? null : <li class="at">{period(from, from + grain * 1000, tz)}</li>}
            {groups.map((name) => (
                <li key={name}>
                    <button
                        type="button"
                        class="legend-item"
                        aria-pressed={!hide.includes(name)}
                        onClick={() => toggle(name)}
                        title={hide.includes(name) ? 'show' : 'hide'}
                    >
                        <i class="swatch" style={{ background: theme.value >= 0 && groupColor(name) }} />
                        {visible(name)} <b>{count(number(series.groups[name]))}</b>
                    </button>
                </li>
            ))}
            {series.before ? (
                <li class="legend-item before">
                    <i class="swatch dashed" />
                    before <b>{count(number(series.before))}</b>
                </li>
            ) : null}
        </ul>
    )
}
