// The present filters, as pills: a click changes "is" to "is not", a click on the cross removes the filter.

import { flip, remove } from '../lib/url.js'
import { dimensionTitle, label } from '../lib/text.js'
import { filter, filtered, go, state } from '../state/location.js'
import { Icon } from './controls.jsx'

export function Filters() {
    if (!filtered.value) return null
    const { is, not } = state.value
    const pills = [...is.map((one) => ['is', one]), ...not.map((one) => ['not', one])]
    return (
        <div class="filters" role="group" aria-label="Filters">
            {pills.map(([kind, one]) => (
                <Pill key={`${kind} ${one.dim}:${one.value}`} kind={kind} dim={one.dim} value={one.value} />
            ))}
            <button type="button" class="quiet text" onClick={() => go({ is: [], not: [] })}>
                Clear all <kbd>Esc</kbd>
            </button>
        </div>
    )
}

function Pill({ kind, dim, value }) {
    const { text, title, empty } = label(value, 40)
    const shown = empty ? 'no value' : text
    const name = dimensionTitle(dim)
    return (
        <span class={'pill ' + kind}>
            <button
                type="button"
                title={`${title} (click: ${kind === 'is' ? 'is not' : 'is'})`}
                onClick={() => filter((now, one) => flip(now, kind, one), dim, value)}
            >
                {name} <i>{kind === 'is' ? 'is' : 'is not'}</i> <b>{shown}</b>
            </button>
            <button
                type="button"
                class="quiet"
                aria-label={`Remove the filter ${name} ${shown}`}
                onClick={() => filter((now, one) => remove(now, kind, one), dim, value)}
            >
                <Icon name="close" />
            </button>
        </span>
    )
}
