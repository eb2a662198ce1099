// Starts the page.

import './styles/app.css'
import { effect } from '@preact/signals'
import { render } from 'preact'
import { exact } from './lib/format.js'
import { startKeys } from './state/keyboard.js'
import { startLive } from './state/live.js'
import { state } from './state/location.js'
import { announcement, page, start } from './state/store.js'
import { App } from './views/app.jsx'

render(<App />, document.getElementById('app'))
startKeys()
start()
startLive()

// Announces, once, the result of a change by the user; live updates are not announced.
let told = null
effect(() => {
    const answer = page.value
    if (!answer || told === state.peek()) return
    told = state.peek()
    const hits = answer.totals.now?.hits
    announcement.value = answer.totals.unavailable || `${exact(hits)} hits`
})
