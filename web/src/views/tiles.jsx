// The numbers of the window, each with its change against the compared period. A click shows how it was counted.

import { change, changeOf, dateTime, exact, measure, period } from '../lib/format.js'
import { sentence } from '../lib/text.js'
import { page, titleOf, unitOf, zone } from '../state/store.js'
import { Code, dialog } from './dialog.jsx'
import { Notes } from './notes.jsx'

const TILES = ['hits', 'visitors', 'views', 'impressions', 'clicks', 'ctr', 'conversions', 'errors', 'p95', 'bytes']
const NAMES = { ctr: 'CTR', p95: 'p95', bytes: 'Bytes' }
const UNITS = { ctr: 'ratio', p95: 'seconds', bytes: 'bytes' }
// For these measures, more is worse; for bytes, neither is.
const WORSE = new Set(['errors', 'p95'])
const NEUTRAL = new Set(['bytes'])

const nameOf = (name) => NAMES[name] ?? (titleOf(name) === name ? name[0].toUpperCase() + name.slice(1) : titleOf(name))
const unit = (name) => UNITS[name] ?? unitOf(name)

export function Tiles() {
    const { totals, since } = page.value
    return (
        <section aria-labelledby="totals-title" class="totals">
            <h2 id="totals-title" class="hidden">
                Totals
            </h2>
            <Notes answer={{ ...totals, note: '' }} since={since} />
            {totals.unavailable ? null : (
                <dl class="tiles">
                    {TILES.filter((name) => name in totals.now).map((name) => (
                        <Tile key={name} name={name} totals={totals} />
                    ))}
                </dl>
            )}
        </section>
    )
}

function Tile({ name, totals }) {
    const now = totals.now[name]
    const before = totals.before?.[name]
    return (
        <div class="tile">
            <dt>{nameOf(name)}</dt>
            <dd>
                <button type="button" title={unit(name) === 'count' ? exact(now) : undefined} onClick={() => explain(name)}>
                    {measure(now, unit(name))}
                </button>
                {totals.before ? (
                    <Change
                        value={changeOf(now, before)}
                        worse={WORSE.has(name)}
                        neutral={NEUTRAL.has(name)}
                        title={`before: ${measure(before, unit(name))}`}
                    />
                ) : null}
            </dd>
        </div>
    )
}

export function Change({ value, worse = false, neutral = false, title }) {
    const direction =
        value === null || value === undefined || Math.abs(value) < 0.0005 || neutral ? '' : value > 0 === worse ? 'down' : 'up'
    return (
        <span class={'change ' + direction} title={title}>
            {change(value)}
        </span>
    )
}

function explain(name) {
    const body = () => {
        const { totals, since, until, before } = page.value
        const tz = zone.value
        const rows = [
            [period(Date.parse(since), Date.parse(until), tz), totals.now[name]],
            ...(before ? [[period(Date.parse(before.since), Date.parse(before.until), tz), totals.before?.[name]]] : []),
        ]
        return (
            <>
                <table class="plain">
                    <caption class="hidden">{nameOf(name)}</caption>
                    <tbody>
                        {rows.map(([text, value]) => (
                            <tr>
                                <th scope="row">{text}</th>
                                <td class="number">{measure(value, unit(name))}</td>
                                <td class="number">{exact(value) === measure(value, unit(name)) || unit(name) === 'ratio' ? '' : exact(value)}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
                {totals.notes?.[name] ? <p>{sentence(totals.notes[name])}</p> : null}
                {totals.complete_from ? <p class="hint">Requests begin {dateTime(Date.parse(totals.complete_from), tz)}.</p> : null}
                {totals.sql?.[name] ? <Code text={totals.sql[name]} /> : typeof totals.sql === 'string' ? <Code text={totals.sql} /> : null}
            </>
        )
    }
    dialog.value = { title: nameOf(name), body }
}
