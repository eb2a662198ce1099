// The state of the page as a signal that follows the address, and the only way to change it.

import { computed, signal } from '@preact/signals'
import { data } from '../data/index.js'
import * as url from '../lib/url.js'
import { presetOf, resolve, absolute, widen } from '../lib/window.js'

export const state = signal(url.parse(location.search))

export const filtered = computed(() => state.value.is.length + state.value.not.length > 0)

// Every change by the user is an entry of the history, so that the back button undoes it.
export function go(changes, { replace = false, zoom } = {}) {
    const next = { ...state.value, ...changes }
    // The offset of a page of rows is reset, since other rows are shown.
    if (!('offset' in changes) && !('columns' in changes) && !('hide' in changes)) next.offset = 0
    const query = url.write(next)
    const kept = zoom ?? ('since' in changes || 'until' in changes ? [] : (history.state?.zoom ?? []))
    const address = query ? '?' + query : location.pathname
    try {
        if (query === url.write(state.value) && zoom === undefined) return
        history[replace ? 'replaceState' : 'pushState']({ zoom: kept }, '', address)
    } catch {
        // A file that is opened from a disk may have no history.
    }
    state.value = next
}

addEventListener('popstate', () => {
    state.value = url.parse(location.search)
})

export const filter = (change, dim, value) =>
    go(change(state.value, { dim, value: value === null || value === undefined ? '' : String(value) }))

// The history keeps the windows before they were narrowed, so that a double click leads back to them.
export function narrow(since, until) {
    const { since: from, until: to } = state.value
    const next = absolute({ since, until })
    // Both charts share a cursor, so both report the same selection.
    if (next.since === from && next.until === to) return
    go(next, { zoom: [...(history.state?.zoom ?? []), { since: from, until: to }] })
}

export function widenWindow() {
    const zoom = [...(history.state?.zoom ?? [])]
    const back = zoom.pop()
    if (back) return go(back, { zoom })
    const window = resolve(state.value, data.clock())
    if (window) go(widen(window, data.clock()), { zoom: [] })
}

export const preset = computed(() => presetOf(state.value))

export function toggleZone() {
    const local = Intl.DateTimeFormat().resolvedOptions().timeZone
    go({ tz: state.value.tz === 'UTC' ? local : 'UTC' })
}
