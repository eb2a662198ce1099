// Lines of logs: those of the filters as a view, and that of one request in a dialog.

import { html } from '../html.js'
import { data } from '../data/index.js'
import { exact, stamp } from '../lib/format.js'
import { label, visible } from '../lib/text.js'
import { dataQuery, DIMENSIONS } from '../lib/url.js'
import { isoMinute, floorMinute, MINUTE } from '../lib/window.js'
import { useFetched } from '../state/fetched.js'
import { state } from '../state/location.js'
import { page, zone } from '../state/store.js'
import { CopyButton, dialog } from './dialog.js'
import { Notes } from './notes.js'

const SIZE = 50
const LONGEST = 2000

export function Lines() {
  const { answer, error, stale } = useFetched(`lines?${dataQuery(state.value)}`, (signal) => data.lines(state.value, { limit: SIZE }, signal))
  return html`<section class=${stale && answer ? 'card expanded stale' : 'card expanded'} aria-labelledby="lines-title" aria-busy=${stale}>
    <header class="card-head"><h2 id="lines-title">Lines <small>as the logs have them, at most ${SIZE}</small></h2></header>
    ${error ? html`<p class="note unavailable" role="alert">${error.message}. ${error.hint ?? ''}</p>` : null}
    ${answer ? html`<${Notes} answer=${answer} since=${page.value?.since} />${answer.rows.length ? html`<ol class="lines">${answer.rows.map((row) => html`<${Line} key=${`${row.source}:${row.position}`} row=${row} />`)}</ol>` : answer.unavailable ? null : html`<p class="empty">No line in this window.</p>`}` : html`<div class="skeleton tall" aria-hidden="true" />`}
  </section>`
}

function Line({ row }) {
  return html`<li><p class="where"><time>${stamp(row.ts, zone.value)}</time> <${Place} path=${row.file ?? row.source} position=${row.position} /></p>
    ${row.line === null || row.line === undefined ? html`<p class="note">No line: ${visible(row.reason || 'its log is not there')}</p>` : html`<${LineText} text=${row.line} />`}</li>`
}

export function Place({ path, position }) {
  const { text, title } = label(path, 70)
  return html`<span title=${title}>${text}</span>, byte ${exact(position)}`
}

export function LineText({ text }) {
  const long = text.length > LONGEST
  return html`<pre class="line" tabindex="0">${visible(long ? text.slice(0, LONGEST) : text)}${long ? html`<i>… ${exact(text.length - LONGEST)} more characters</i>` : null}</pre>`
}

// The API finds lines by window and filters. The minute of a request, with all that is known of it, leaves few: its place tells which.
async function find(row) {
  const from = floorMinute(Date.parse(row.ts))
  const known = DIMENSIONS.filter((dim) => dim !== 'status_class' && row[dim] !== undefined && row[dim] !== null && String(row[dim]).length < 500)
  const near = {
    ...state.value, since: isoMinute(from), until: isoMinute(from + MINUTE), compare: 'none', not: [],
    is: known.map((dim) => ({ dim, value: String(row[dim]) })),
  }
  const { rows } = await data.lines(near, { limit: SIZE, source: row.source, position: row.position })
  return rows.find((other) => String(other.position) === String(row.position) && (other.source === row.source || !other.source))
}

export function showLine(row) {
  dialog.value = { title: 'Line of a request', wide: true, body: () => html`<${OneLine} row=${row} />` }
}

function OneLine({ row }) {
  const { key, answer, error } = useFetched(`${row.source}:${row.position}`, () => find(row))
  const fields = Object.entries(row).filter(([, value]) => value !== null && value !== undefined && value !== '')
  return html`<div>
    ${error ? html`<p class="note unavailable" role="alert">${error.message}</p>` : !key ? html`<p class="hint">Looking for it …</p>` : !answer ? html`<p class="note">The line is not among the first ${SIZE} of its minute.</p>` : html`
      <p class="where"><${Place} path=${answer.file ?? answer.source} position=${answer.position} /></p>
      ${answer.line === null || answer.line === undefined ? html`<p class="note">No line: ${visible(answer.reason || 'its log is not there')}</p>` : html`<figure class="code"><${LineText} text=${answer.line} /><${CopyButton} text=${answer.line} /></figure>`}`}
    <h3>As it was counted</h3>
    <dl class="fields">${fields.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${name === 'ts' ? stamp(value, zone.value) : visible(String(typeof value === 'object' ? JSON.stringify(value) : value).slice(0, LONGEST))}</dd></div>`)}</dl>
  </div>`
}
