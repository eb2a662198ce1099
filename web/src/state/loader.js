// Asks for what is wanted, one request at a time. A new question interrupts the request that is under way; a new commit
// waits for its answer, else a slow answer would never come.

import { signal } from '@preact/signals'

export const loading = signal(0)
export const error = signal(null)
const loaders = []

// `wanted()` gives {question, key, ask(signal), put(answer), after}, or null if all is there; it runs in an effect.
// Two of the same `key` are the same request; of the same `question`, the same one at another commit or for more.
// What may wait does for `after` milliseconds.
export function loader(wanted) {
    let running = null
    let timer = null
    let failedAt = '' // what could not be answered, so that it is not asked again at once

    function refresh() {
        clearTimeout(timer)
        const next = wanted()
        if (!next || next.key === failedAt || running?.question === next.question) return
        running?.abort.abort()
        running = null
        // Several things may be wanted one by one; the request is made when all are.
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

    // A wrong parameter stays wrong; a server that is away may come back.
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
