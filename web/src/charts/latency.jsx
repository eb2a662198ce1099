// Percentiles of the time that requests took, over time, with the cursor of the large chart.

import { useMemo } from 'preact/hooks'
import { period, seconds as readable, stamp } from '../lib/format.js'
import { page, zone } from '../state/store.js'
import { Notes } from '../views/notes.jsx'
import { SqlButton } from '../views/dialog.jsx'
import { color, theme } from './colors.js'
import { levels, Plot, timeOptions } from './plot.jsx'
import { hover } from './traffic.jsx'
import { TableTwin } from './twin.jsx'

const HEIGHT = 130
const LINES = ['p99', 'p95', 'p50']

export function LatencyChart() {
    const { latency, since, until, grain } = page.value
    const tz = zone.value
    const data = useMemo(() => [latency.ts.map((time) => Date.parse(time) / 1000), ...LINES.map((name) => latency[name])], [latency])
    const shape = [tz, theme.value].join('|')
    const options = useMemo(() => plotOptions(tz), [shape])
    const index = hover.value
    const some = LINES.some((name) => latency[name].some((value) => value !== null))
    const from = index === null || !latency.ts[index] ? null : Date.parse(latency.ts[index])

    return (
        <section class="card chart" aria-labelledby="latency-title">
            <header class="card-head">
                <h2 id="latency-title">
                    Latency <small>of requests</small>
                </h2>
                <ul class="legend" aria-label="Percentiles">
                    {from === null ? null : <li class="at">{period(from, from + grain * 1000, tz)}</li>}
                    {[...LINES].reverse().map((name) => (
                        <li key={name} class="legend-item">
                            <i class="swatch line" style={{ background: theme.value >= 0 && color(name) }} />
                            {name}
                            {from === null ? null : <b>{readable(latency[name][index])}</b>}
                        </li>
                    ))}
                </ul>
                <SqlButton title="Latency over time" sql={latency.sql} />
            </header>
            <Notes answer={latency} since={since} />
            {latency.unavailable ? null : some ? (
                <>
                    <Plot
                        shape={shape}
                        options={options}
                        data={data}
                        height={HEIGHT}
                        label="Percentiles of latency over time; the table below has the numbers"
                    />
                    <TableTwin
                        caption={`Latency over time, ${period(Date.parse(since), Date.parse(until), tz)}`}
                        head={['Time', 'p50', 'p95', 'p99']}
                        rows={() =>
                            latency.ts.map((time, i) => [
                                stamp(time, tz).slice(0, 16),
                                ...['p50', 'p95', 'p99'].map((name) => readable(latency[name][i])),
                            ])
                        }
                    />
                </>
            ) : (
                <p class="empty">The logs of this window do not say how long requests took.</p>
            )}
        </section>
    )
}

function plotOptions(tz) {
    const options = timeOptions({
        tz,
        format: readable,
        until: () => Date.parse(page.peek().until) / 1000,
        grain: () => page.peek().grain,
        at: (index) => {
            hover.value = index
        },
    })
    const paths = levels(() => page.peek().grain)
    const line = (name) => ({ label: name, stroke: color(name), width: 1.5, paths, points: { show: false } })
    return {
        ...options,
        series: [{}, ...LINES.map(line)],
        scales: { ...options.scales, y: { range: (_, low, high) => [0, (high || 0.001) * 1.06] } },
    }
}
