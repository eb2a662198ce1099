// Data from `logagg serve`. All access to the network is here; data/file.js answers the same calls without a server.
// URLs are relative, since the page may lie under a prefix.

import { dataQuery } from '../lib/url.js'

const CACHED = 40

export class DataError extends Error {
    constructor(message, hint, status) {
        super(message)
        this.hint = hint ?? ''
        this.status = status
    }
}

export function serverData() {
    const cache = new Map() // URL -> {etag, body}, the least recently used first
    let skew = 0

    // `state` may be null, for an answer that does not depend on the state of the page.
    function url(path, state, more = {}) {
        const query = state ? dataQuery(state) : new URLSearchParams()
        for (const [name, value] of Object.entries(more)) if (value !== undefined) query.append(name, value)
        const text = query.toString()
        return 'api/' + path + (text ? '?' + text : '')
    }

    async function get(address, signal, again = true) {
        const known = cache.get(address)
        const headers = { Accept: 'application/json', ...(known ? { 'If-None-Match': known.etag } : {}) }
        let answer
        try {
            // The page keeps answers itself, since with the browser's cache it could not see whether an answer is new.
            answer = await fetch(address, { headers, signal, cache: 'no-store', credentials: 'same-origin' })
        } catch (error) {
            if (error.name === 'AbortError') throw error
            throw new DataError('logagg serve does not answer', 'Is it running? The page tries again by itself.', 0)
        }
        const date = Date.parse(answer.headers.get('Date') ?? '')
        if (!Number.isNaN(date)) skew = date + 500 - Date.now()
        if (answer.status === 304 && known) return remember(address, known)
        if ((answer.status === 503 || answer.status === 429) && again) {
            await pause(Math.min(10, Number(answer.headers.get('Retry-After')) || 1) * 1000, signal)
            return get(address, signal, false)
        }
        const body = await answer.json().catch(() => null)
        if (!answer.ok || body === null) {
            const reason = answer.status === 401 ? 'this page needs its token' : `the server answered ${answer.status}`
            const hint = answer.status === 401 ? 'Open the address that logagg serve printed, with its token.' : ''
            throw new DataError(body?.error || reason, body?.hint || hint, answer.status)
        }
        const etag = answer.headers.get('ETag')
        return etag ? remember(address, { etag, body }) : body
    }

    function remember(address, entry) {
        cache.delete(address)
        cache.set(address, entry)
        if (cache.size > CACHED) cache.delete(cache.keys().next().value)
        return entry.body
    }

    return {
        live: true,
        clock: () => Date.now() + skew,
        lake: (signal) => get(url('lake'), signal),
        status: (signal) => get(url('status'), signal),
        // Options: `parts` of the page; `split` of the chart; `panels`, and the `limit` of their rows and `measures`.
        page: (state, { panels, ...options }, signal) =>
            get(url('page', state, { ...options, panels: panels?.join(','), ...sorting(state, panels ?? []) }), signal),
        panel: (name, state, options, signal) => get(url(`panels/${name}`, state, options), signal),
        requests: (state, options, signal) => get(url('requests', state, options), signal),
        lines: (state, options, signal) => get(url('lines', state, options), signal),
        rejects: (signal) => get(url('rejects'), signal),
        samples: (reason, signal) => get(url('rejects/samples', null, { reason }), signal),
        alerts: () => get(url('alerts')),
        cluster: (signal) => get(url('cluster'), signal),
        download: (path, state, options) => url(path, state, options),
        events: () => new EventSource('api/events'),
    }
}

function sorting(state, panels) {
    const found = {}
    for (const name of panels) {
        if (state.sort[name]) found[`sort.${name}`] = state.sort[name]
        if (state.order[name]) found[`order.${name}`] = state.order[name]
    }
    return found
}

function pause(ms, signal) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(resolve, ms)
        signal?.addEventListener('abort', () => {
            clearTimeout(timer)
            reject(new DOMException('aborted', 'AbortError'))
        })
    })
}
