// Lines that did not parse, by reason, and samples of a reason.

import { html } from '../html.js'
import { data } from '../data/index.js'
import { exact } from '../lib/format.js'
import { visible } from '../lib/text.js'
import { useFetched } from '../state/fetched.js'
import { go, state } from '../state/location.js'
import { commit } from '../state/store.js'
import { SqlButton } from './dialog.js'
import { LineText, Place } from './lines.js'

export function Rejects() {
  const { answer, error } = useFetched('rejects', (signal) => data.rejects(signal), { revision: commit.value })
  const { reason } = state.value
  const rows = answer?.rows ?? []
  const largest = Math.max(...rows.map((row) => row.lines), 1)
  return html`<section class="card expanded" aria-labelledby="rejects-title">
    <header class="card-head"><h2 id="rejects-title">Rejected lines <small>of all logs, in no count</small></h2><span class="grow" /><${SqlButton} title="Rejects" sql=${answer?.sql} /></header>
    ${error ? html`<p class="note unavailable" role="alert">${error.message}. ${error.hint ?? ''}</p>` : null}
    ${answer && !rows.length ? html`<p class="empty">Every line was understood.</p>` : null}
    ${rows.length ? html`<table class="board"><caption class="hidden">Rejected lines by reason</caption>
      <thead><tr><th scope="col">Reason</th><th scope="col" class="number">Lines</th><th scope="col" class="number">Logs</th></tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${row.reason} style=${{ '--share': `${(row.lines / largest) * 100}%` }}><th scope="row"><button type="button" class="value" data-row aria-pressed=${row.reason === reason} onClick=${() => go({ reason: row.reason === reason ? '' : row.reason })}>${visible(row.reason)}</button></th>
        <td class="number">${exact(row.lines)}</td><td class="number">${exact(row.sources)}</td></tr>`)}</tbody></table>` : null}
    ${reason ? html`<${Samples} key=${reason} reason=${reason} />` : rows.length ? html`<p class="hint">Choose a reason to see samples.</p>` : null}
  </section>`
}

function Samples({ reason }) {
  const { answer, error } = useFetched(`samples ${reason}`, (signal) => data.samples(reason, signal))
  return html`<h3>Samples of “${visible(reason)}”</h3>
    ${error ? html`<p class="note unavailable" role="alert">${error.message}</p>` : null}
    ${answer && !answer.rows.length ? html`<p class="empty">No sample is kept.</p>` : null}
    <ol class="lines">${(answer?.rows ?? []).map((row) => html`<li><p class="where"><${Place} path=${row.path} position=${row.position} /></p><${LineText} text=${row.line ?? ''} /></li>`)}</ol>`
}
