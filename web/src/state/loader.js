// Asks for missing data, one request at a time. A new question interrupts the running request. A new commit does not:
// otherwise a slow answer would never arrive.

import { signal } from '@preact/signals'

export const loading = signal(0)
export const error = signal(null)
const loaders = []

// `wanted()` returns {question, key, ask(signal), put(answer), after}, or null if nothing is missing; it runs in an effect.
// Two requests are the same if they have the same `key`; with the same `question` only, one is for another commit or for
// more data. A request waits for `after` milliseconds, if given.
export function loader(wanted) {
    let running = null
    let timer = null
    let failedAt = '' // the key of the last failed request, which is not repeated at once

    function refresh() {
        clearTimeout(timer)
        const next = wanted()
        if (!next || next.key === failedAt || running?.question === next.question) return
        running?.abort.abort()
        running = null
        // Several changes in a row lead to one request, after the last of them.
        if (next.after) timer = setTimeout(begin, next.after)
        else queueMicrotask(begin)
    }

    function begin() {
        const next = wanted()
        if (!next || running) return
        running = { question: next.question, abort: new AbortController() }
        load(next, running)
    }

    async function load(next, mine) {
        loading.value += 1
        try {
            next.put(await next.ask(mine.abort.signal))
            error.value = null
            failedAt = ''
        } catch (problem) {
            if (problem.name !== 'AbortError') failed(problem, next.key)
        } finally {
            loading.value -= 1
            if (running === mine) {
                running = null
                refresh()
            }
        }
    }

    // A wrong parameter stays wrong, but a server that cannot be reached may come back.
    function failed(problem, key) {
        error.value = problem
        failedAt = key
        if (!(problem.status >= 400 && problem.status < 500 && problem.status !== 408)) setTimeout(retry, 3000)
    }

    function retryThis() {
        failedAt = ''
        refresh()
    }

    loaders.push(retryThis)
    return refresh
}

export function retry() {
    for (const one of loaders) one()
}
