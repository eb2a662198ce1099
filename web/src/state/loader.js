// Asks for what is wanted, one request at a time. A new question interrupts the request that is under way; a new commit
// waits for its answer, else a slow answer would never come.

import { signal } from '@preact/signals'

export const loading = signal(0)
export const error = signal(null)
const loaders = []

// `wanted()` gives {question, key, ask(signal), put(answer)}, or null if all is there; it runs in an effect.
// Two of the same `key` are the same request; of the same `question`, the same one at another commit or for more.
export function loader(wanted) {
    let running = null
    let failedAt = '' // what could not be answered, so that it is not asked again at once

    function refresh() {
        const next = wanted()
        if (!next || next.key === failedAt || running?.question === next.question) return
        running?.abort.abort()
        running = { question: next.question, abort: new AbortController() }
        const mine = running
        // Several things may be wanted one by one; the request is made when all are.
        queueMicrotask(() => running === mine && load(mine))
    }

    async function load(mine) {
        const next = wanted()
        loading.value += 1
        try {
            if (next) next.put(await next.ask(mine.abort.signal))
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
