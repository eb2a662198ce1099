// The window of time: presets, the previous and the next window, and a form for any other.

import { signal } from '@preact/signals'
import { useState } from 'preact/hooks'
import { data } from '../data/index.js'
import { period } from '../lib/format.js'
import { DAY, fromWall, isoMinute, PRESETS, resolve, shift, wall } from '../lib/window.js'
import { go, preset, state } from '../state/location.js'
import { page, zone } from '../state/store.js'
import { DropDown, Icon } from './controls.jsx'

export const customWanted = signal(0) // counts how often its key has asked for the form

export const move = (direction) => go(shift(state.value, direction, data.clock()))

export function WindowPicker() {
    const chosen = preset.value
    return (
        <div class="window" role="group" aria-label="Window">
            <button type="button" class="quiet" title="Window before (←)" aria-label="Window before" onClick={() => move(-1)}>
                <Icon name="left" />
            </button>
            <div class="segments presets">
                {PRESETS.map((one) => (
                    <button
                        type="button"
                        key={one.since}
                        title={`${one.title} (${one.key})`}
                        aria-pressed={one === chosen}
                        onClick={() => go({ since: one.since, until: one.until })}
                    >
                        {one.label}
                    </button>
                ))}
                <DropDown
                    label={chosen ? 'Custom' : <b>Custom</b>}
                    title="From and to (f)"
                    className="custom"
                    kind={chosen ? '' : 'on'}
                    open={customWanted.value}
                >
                    {(close) => <CustomForm close={close} />}
                </DropDown>
            </div>
            <button type="button" class="quiet" title="Window after (→)" aria-label="Window after" onClick={() => move(1)}>
                <Icon name="right" />
            </button>
        </div>
    )
}

const pad = (number) => String(number).padStart(2, '0')
function field(time, tz) {
    const [year, month, day, hour, minute] = wall(time, tz)
    return `${year}-${pad(month)}-${pad(day)}T${pad(hour)}:${pad(minute)}`
}

function CustomForm({ close }) {
    const tz = zone.value
    const now = data.clock()
    const window = resolve(state.value, now) ?? { since: now - DAY, until: now }
    const [problem, setProblem] = useState('')
    const submit = (event) => {
        event.preventDefault()
        const [since, until] = ['since', 'until'].map((name) => event.currentTarget.elements[name].value)
        const time = (text) => fromWall(text.split(/[-T:]/).slice(0, 5).map(Number), tz)
        if (!since) return setProblem('Say from when on.')
        if (until && time(until) <= time(since)) return setProblem('The window must begin before it ends.')
        go({ since: isoMinute(time(since)), until: until && time(until) < now ? isoMinute(time(until)) : '' })
        close()
    }
    return (
        <form class="custom-form" onSubmit={submit}>
            <label>
                From <input type="datetime-local" name="since" defaultValue={field(window.since, tz)} />
            </label>
            <label>
                To <input type="datetime-local" name="until" defaultValue={state.value.until ? field(window.until, tz) : ''} />
            </label>
            <p class="hint">{tz}. Without an end the window follows the data.</p>
            {problem ? (
                <p class="problem" role="alert">
                    {problem}
                </p>
            ) : null}
            <button type="submit" class="button strong">
                Show
            </button>
        </form>
    )
}

// The window in words, with the times that the server used.
export function WindowText() {
    const answer = page.value
    const window = answer ? { since: Date.parse(answer.since), until: Date.parse(answer.until) } : null
    return <p class="window-text">{window ? period(window.since, window.until, zone.value) : '…'}</p>
}
