// Live updates: server-sent events announce commits; the page then asks for its content again, but not too often.

import { computed, effect, signal } from '@preact/signals'
import { data } from '../data/index.js'
import { HOUR, MINUTE, DAY, resolve } from '../lib/window.js'
import { state } from './location.js'
import { commit, lake } from './store.js'

export const paused = signal(false)
export const connected = signal(true)
export const status = signal(null)
export const alerts = signal([])
export const now = signal(data.clock())
const newest = signal(null) // end of the newest minute with data
const committed = signal(null) // when the newest commit was made

// Seconds since the newest data; while the newest minute is not over, since the commit.
export const age = computed(() => {
    const end = newest.value ?? Date.parse(lake.value?.newest ?? '')
    const made = committed.value ?? Date.parse(lake.value?.committed_at ?? '')
    const last = [end, made].filter((time) => !Number.isNaN(time))
    return last.length ? Math.max(0, (now.value - Math.min(...last)) / 1000) : null
})

export const light = computed(() => {
    if (!data.live) return { state: 'file', reasons: [] }
    if (!connected.value) return { state: 'bad', reasons: ['logagg serve does not answer; the page tries again by itself'] }
    return { state: status.value?.state ?? 'good', reasons: status.value?.reasons ?? [] }
})

let latest = 0
let shownAt = Date.now()
let timer = null

function interval() {
    const window = resolve(state.value, data.clock())
    const length = window ? window.until - window.since : DAY
    // Only late lines change a window that has ended.
    if (window && window.until < data.clock() - 2 * MINUTE) return 30_000
    return length <= HOUR + MINUTE ? 1000 : length <= DAY + MINUTE ? 5000 : 30_000
}

function schedule() {
    if (timer || paused.value || document.hidden || latest <= commit.value) return
    timer = setTimeout(
        () => {
            timer = null
            if (paused.value || document.hidden) return
            shownAt = Date.now()
            commit.value = Math.max(commit.value, latest)
        },
        Math.max(0, shownAt + interval() - Date.now()),
    )
}

export function togglePause() {
    paused.value = !paused.value
    if (paused.value) stopTimer()
    else schedule()
}

function stopTimer() {
    clearTimeout(timer)
    timer = null
}

let source = null
let retryAfter = 1000
let retryTimer = null

function connect() {
    if (source || document.hidden) return
    source = data.events()
    source.addEventListener('open', () => {
        retryAfter = 1000
        connected.value = true
    })
    source.addEventListener('commit', (event) => {
        const news = told(event)
        if (!news) return
        latest = Math.max(latest, news.commit)
        committed.value = data.clock()
        schedule()
        fetchStatus(10_000)
    })
    source.addEventListener('status', (event) => {
        told(event)
        fetchStatus(0)
    })
    // The browser's own reconnecting gives up after some answers, and does not wait longer each time.
    source.addEventListener('error', () => {
        disconnect()
        connected.value = false
        retryTimer = setTimeout(connect, retryAfter * (0.75 + Math.random() / 2))
        retryAfter = Math.min(30_000, retryAfter * 2)
    })
}

function disconnect() {
    clearTimeout(retryTimer)
    source?.close()
    source = null
}

function told(event) {
    try {
        const news = JSON.parse(event.data)
        if (news.newest) newest.value = Date.parse(news.newest)
        if (news.state) status.value = { ...status.value, state: news.state, reasons: news.reasons ?? [] }
        return news
    } catch {
        return null
    }
}

async function fetchAlerts() {
    try {
        alerts.value = (await data.alerts()).rows
    } catch {
        // They stay as they were; the light says that the server does not answer.
    }
}

let statusAt = 0
export async function fetchStatus(least) {
    if (Date.now() - statusAt < least) return
    statusAt = Date.now()
    if (data.live) fetchAlerts()
    try {
        const answer = await data.status()
        status.value = answer
        if (answer.newest) newest.value = Date.parse(answer.newest)
        if (answer.age !== null && answer.age !== undefined && data.live) committed.value = data.clock() - answer.age * 1000
        latest = Math.max(latest, answer.commit ?? 0)
        schedule()
    } catch {
        // The light also shows the end of the events.
    }
}

export function startLive() {
    fetchStatus(0)
    if (!data.live) return
    connect()
    setInterval(() => {
        if (!document.hidden) now.value = data.clock()
    }, 1000)
    setInterval(() => !document.hidden && fetchStatus(15_000), 15_000)
    document.addEventListener('visibilitychange', () => {
        stopTimer()
        if (document.hidden) return disconnect()
        now.value = data.clock()
        connect()
        fetchStatus(0)
    })
    // A shorter window may be due sooner than the longer one was.
    effect(() => {
        state.value
        stopTimer()
        schedule()
    })
}
