// The alerts of the lake: a light with the name of each that is not well, and the list of all.

import { dateTime, exact } from '../lib/format.js'
import { label, visible } from '../lib/text.js'
import { alerts } from '../state/live.js'
import { zone } from '../state/store.js'
import { DropDown } from './controls.jsx'
import { Rows } from './rows.jsx'

const LIGHTS = { firing: 'bad', pending: 'warn', failed: 'warn', 'no data': 'warn' }
const NAMED = 2 // names that have a place in the head

const LightOf = ({ state }) => <i class={`light ${LIGHTS[state] ?? 'good'}`} />
const time = (value) => (value ? dateTime(Date.parse(value), zone.value) : '')

const COLUMNS = [
    {
        head: 'Alert',
        cell: ({ alert, state }) => (
            <>
                <LightOf state={state} />
                {visible(alert)}
            </>
        ),
    },
    { head: 'State', cell: ({ state, note }) => visible(note ? `${state}, ${note}` : state) },
    { head: 'Since', cell: ({ since }) => time(since) },
    { head: 'Value', number: true, cell: ({ value }) => exact(value) },
    { head: 'Message', cell: ({ message }) => visible(message.slice(0, 400)), optional: ({ message }) => message },
]

export function Alerts() {
    const rows = alerts.value
    if (!rows.length) return null
    const unwell = rows.filter(({ state }) => state === 'firing' || state === 'pending')
    const names = [...new Map(unwell.map((row) => [row.alert, row])).values()]
    const told = unwell.map(({ alert, state, since, message }) => visible(`${state}: ${alert} since ${time(since)}: ${message}`))
    return (
        <DropDown
            className="right alerts"
            kind="quiet text"
            title={told.slice(0, 10).join('\n') || 'No alert fires'}
            label={
                <>
                    {names.slice(0, NAMED).map(({ alert, state }) => (
                        <span key={alert}>
                            <LightOf state={state} />
                            <span class="state">{label(alert, 24).text}</span>
                        </span>
                    ))}
                    {names.length ? (names.length > NAMED ? `+${names.length - NAMED}` : null) : 'Alerts'}
                </>
            }
        >
            <div class="status" tabindex="-1">
                <Rows title="Alerts" titled columns={COLUMNS} rows={rows} />
            </div>
        </DropDown>
    )
}
