// A value of a dimension, as text, and as a button that filters by it.

import { data } from '../data/index.js'
import { DIMENSIONS, exclude, pick, pickAlso } from '../lib/url.js'
import { dimensionTitle, label } from '../lib/text.js'
import { filter, go, state } from '../state/location.js'
import { Icon } from './controls.jsx'

export const filterable = (dim) => data.live && DIMENSIONS.includes(dim)

export function Value({ dim, value, limit = 80 }) {
    const { text, title, empty } = label(value, limit)
    if (!filterable(dim))
        return (
            <span class={empty ? 'value none' : 'value'} title={title}>
                {text}
            </span>
        )
    const chosen = state.value.is.some((other) => other.dim === dim && other.value === String(value ?? ''))
    const click = (event) => filter(event.altKey ? exclude : event.ctrlKey || event.metaKey || event.shiftKey ? pickAlso : pick, dim, value)
    return (
        <button
            type="button"
            class={empty ? 'value none' : 'value'}
            data-row
            title={title}
            aria-pressed={chosen}
            aria-label={empty ? `${dimensionTitle(dim)}: no value` : undefined}
            onClick={click}
            data-dim={dim}
            onKeyDown={(event) => onKey(event, dim, value)}
        >
            {text}
        </button>
    )
}

// Keys on the focused row: x excludes the value, v shows its requests. Enter acts like a click: it filters.
function onKey(event, dim, value) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key === 'x') filter(exclude, dim, value)
    else if (event.key === 'v') drill([[dim, value]])
    else return
    event.preventDefault()
    event.stopPropagation()
}

// The requests with some values, within the present filters.
export function drill(values) {
    let next = state.value
    for (const [dim, value] of values) {
        const wanted = { dim, value: value === null || value === undefined ? '' : String(value) }
        if (!next.is.some((other) => other.dim === dim && other.value === wanted.value)) next = { ...next, ...pick(next, wanted) }
    }
    go({ is: next.is, not: next.not, view: 'requests', open: '', search: '' })
}

// The buttons beside a row: exclude its value, show its requests.
export function RowActions({ dimensions, row }) {
    const dims = dimensions.filter(filterable)
    if (!dims.length) return null
    const name = dims.map((dim) => label(row[dim], 40).text).join(', ')
    return (
        <span class="row-actions">
            <button
                type="button"
                class="quiet"
                tabindex="-1"
                title="exclude (x)"
                aria-label={`Exclude ${name}`}
                onClick={() => filter(exclude, dims[0], row[dims[0]])}
            >
                <Icon name="exclude" />
            </button>
            <button
                type="button"
                class="quiet"
                tabindex="-1"
                title="requests (v)"
                aria-label={`Requests of ${name}`}
                onClick={() => drill(dims.map((dim) => [dim, row[dim]]))}
            >
                <Icon name="list" />
            </button>
        </span>
    )
}
