// What is on the page: the lake, the answer for the page, and the panels; and when they are fetched.
// A panel is fetched when it is on screen. One request brings everything that is on screen.

import { batch, computed, effect, signal } from '@preact/signals'
import { data } from '../data/index.js'
import { dataQuery } from '../lib/url.js'
import { go, state } from './location.js'

export const ROWS = 10
const FIRST = data.live ? 4 : Infinity
export const lake = signal(null)
export const page = signal(null) // the answer of api/page, without its panels
export const panels = signal({}) // name -> {key, answer}
export const loading = signal(0)
export const error = signal(null)
export const commit = signal(0) // the newest commit that the page shall show
export const onScreen = signal(new Set())
export const announcement = signal('')

export const zone = computed(() => state.value.tz)
export const unitOf = (name) => lake.value?.measures?.[name]?.unit ?? 'count'
export const titleOf = (name) => lake.value?.measures?.[name]?.title ?? name
export const shown = computed(() => (lake.value?.panels ?? []).filter((panel) => panel.present && (!data.has || data.has(panel.name))))

const questionOf = (now) => `${dataQuery(now)}|${now.split}`
const pageKey = computed(() => `${questionOf(state.value)}|${commit.value}`)
// The numbers on the page are those of the question before; those of the commit before are not meant.
export const stale = computed(() => shownQuery.value !== null && shownQuery.value !== questionOf(state.value))
export const panelKey = (name) => {
    const { sort, order } = state.value
    return `${dataQuery(state.value)}|${sort[name] ?? ''}|${order[name] ?? ''}|${commit.value}`
}

let gotPage = ''
const shownQuery = signal(null) // what the numbers on the page answer to
let running = null
let failedAt = '' // what could not be answered, so that it is not asked again at once

export async function start() {
    try {
        const answer = await data.lake()
        batch(() => {
            lake.value = answer
            // The first request brings the first panels, before the page knows what is on screen.
            onScreen.value = new Set(shown.value.slice(0, FIRST).map(({ name }) => name))
            commit.value = answer.commit
            error.value = null
        })
    } catch (problem) {
        error.value = problem
        setTimeout(start, 3000)
        return
    }
    document.title = `${lake.value.name} · logagg`
    effect(refresh)
}

function refresh() {
    const query = dataQuery(state.value).toString()
    const key = pageKey.value
    const wanted = state.value.view === 'overview' && !state.value.open ? [...onScreen.value] : []
    const missing = wanted.filter((name) => panels.value[name]?.key !== panelKey(name))
    if (state.value.view === 'cluster' || (key === gotPage && !missing.length)) return
    const asked = key + missing.join()
    if (asked === failedAt) return
    // A new commit waits for the answer that is under way, else a slow answer would never come; a new question does not.
    if (running && running.query === query) return
    running?.abort.abort()
    running = { query, abort: new AbortController() }
    const mine = running
    // Panels tell one by one that they are on screen; the request is made when all have.
    queueMicrotask(() => load(mine, asked, key))
}

async function load(mine, asked, key) {
    if (running !== mine) return
    const now = state.peek()
    const missing = [...onScreen.peek()].filter(
        (name) => panels.peek()[name]?.key !== panelKey(name) && now.view === 'overview' && !now.open,
    )
    const keys = Object.fromEntries(missing.map((name) => [name, panelKey(name)]))
    loading.value += 1
    try {
        if (key === gotPage && missing.length === 1) {
            const [name] = missing
            const options = { sort: now.sort[name], order: now.order[name], limit: ROWS }
            put({ [name]: await data.panel(name, now, options, mine.abort.signal) }, keys)
        } else {
            const { panels: found, ...rest } = await data.page(now, missing, ROWS, mine.abort.signal)
            batch(() => {
                gotPage = key
                shownQuery.value = questionOf(now)
                page.value = rest
                put(found, keys)
            })
        }
        error.value = null
        failedAt = ''
    } catch (problem) {
        if (problem.name !== 'AbortError') failed(problem, asked)
    } finally {
        loading.value -= 1
        if (running === mine) {
            running = null
            refresh()
        }
    }
}

function put(found, keys) {
    const fresh = Object.fromEntries(
        Object.entries(found)
            .filter(([name]) => keys[name])
            .map(([name, answer]) => [name, { key: keys[name], answer }]),
    )
    panels.value = { ...panels.value, ...fresh }
}

// A wrong parameter stays wrong; a server that is away may come back.
function failed(problem, asked) {
    error.value = problem
    failedAt = asked
    if (!(problem.status >= 400 && problem.status < 500 && problem.status !== 408)) setTimeout(retry, 3000)
}

export function retry() {
    failedAt = ''
    refresh()
}

export function sortPanel(name, measure) {
    const { sort, order } = state.value
    const standard = lake.value.panels.find((panel) => panel.name === name)?.sort
    const current = sort[name] ?? standard
    const turned = current === measure && order[name] !== 'asc' ? 'asc' : 'desc'
    go({ sort: changed(sort, name, measure === standard ? '' : measure), order: changed(order, name, turned === 'desc' ? '' : turned) })
}

function changed(map, name, value) {
    const { [name]: _, ...rest } = map
    return value ? { ...rest, [name]: value } : rest
}
