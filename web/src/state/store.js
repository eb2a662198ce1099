// The content of the page: the lake, the numbers and charts, the panels; and when each is fetched.
// A panel is fetched when it is near the screen. Panels on the screen come first, in a separate request.

import { batch, computed, effect, signal } from '@preact/signals'
import { data } from '../data/index.js'
import { dataQuery, renamed } from '../lib/url.js'
import { error, loader } from './loader.js'
import { go, state } from './location.js'

export const ROWS = 10
const SOON = 200 // milliseconds until panels beyond the screen are asked for, since a click meanwhile changes the question
export const MEASURES = 3 // measures of a card: the first ones, and the one to sort by
export const lake = signal(null)
export const page = signal(null) // totals, series, latency
export const panels = signal({}) // name -> {question, commit, compared, answer}
export const commit = signal(0) // the newest commit that the page is to show
export const places = signal(new Map()) // name -> element of the panels that are near the screen
export const announcement = signal('')

export const zone = computed(() => state.value.tz)
export const unitOf = (name) => lake.value?.measures?.[name]?.unit ?? 'count'
export const titleOf = (name) => lake.value?.measures?.[name]?.title ?? name
export const shown = computed(() => (lake.value?.panels ?? []).filter((panel) => panel.present && (!data.has || data.has(panel.name))))

const shownQuestion = signal(null) // the question that the numbers on the page answer
const questionOf = (now) => `${dataQuery(now)}|${now.split}`
// Whether the numbers on the page answer an earlier question; an earlier commit does not count.
export const stale = computed(() => shownQuestion.value !== null && shownQuestion.value !== questionOf(state.value))
export const panelQuestion = (name) => {
    const { sort, order } = state.value
    return `${dataQuery(state.value)}|${sort[name] ?? ''}|${order[name] ?? ''}`
}

export function start() {
    effect(numbers)
    effect(boards)
    // New commits may bring sites and panels.
    effect(() => {
        commit.value
        if (Date.now() - lakeAt > LAKE_EVERY) fetchLake()
    })
}

const LAKE_EVERY = 60_000
let lakeAt = 0
async function fetchLake() {
    lakeAt = Date.now()
    try {
        const answer = await data.lake()
        const now = renamed(
            state.value,
            answer.panels.map(({ name }) => name),
        )
        batch(() => {
            if (Object.keys(now).length) go({ ...now, offset: state.value.offset }, { replace: true })
            lake.value = answer
            commit.value = Math.max(commit.value, answer.commit)
        })
        document.title = `${answer.name} · logagg`
    } catch (problem) {
        error.value = problem
        setTimeout(fetchLake, 3000)
    }
}

const numbers = loader(() => {
    const now = state.value
    const question = questionOf(now)
    if (now.view === 'cluster') return null
    if (shownQuestion.value === question && page.value.commit >= commit.value) return null
    return {
        question,
        key: `${question}|${commit.value}`,
        ask: (signal) => data.page(now, { parts: 'totals,series,latency', split: now.split }, signal),
        put: (answer) =>
            batch(() => {
                shownQuestion.value = question
                page.value = answer
            }),
    }
})

const boards = loader(() => {
    const now = state.value
    if (now.view !== 'overview' || now.open) return null
    const missing = [...places.value.keys()].filter((name) => {
        const got = panels.value[name]
        return got?.question !== panelQuestion(name) || got.commit < commit.value
    })
    if (!missing.length) return null
    const visible = missing.filter((name) => isVisible(places.value.get(name)))
    const names = visible.length ? visible : missing
    const questions = Object.fromEntries(names.map((name) => [name, panelQuestion(name)]))
    const compared = now.compare !== 'none'
    return {
        question: dataQuery(now).toString(),
        key: `${dataQuery(now)}|${commit.value}|${Object.values(questions)}`,
        after: visible.length ? 0 : SOON,
        ask: (signal) =>
            data.page(now, { parts: 'panels', panels: names, limit: ROWS, measures: MEASURES - compared }, signal),
        put: (answer) => {
            const found = Object.entries(answer.panels).map(([name, board]) => [
                name,
                { question: questions[name], commit: answer.commit, compared: Boolean(answer.before), answer: board },
            ])
            panels.value = { ...panels.value, ...Object.fromEntries(found) }
        },
    }
})

function isVisible(element) {
    const { top, bottom } = element.getBoundingClientRect()
    return top < innerHeight && bottom > 0
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
