// The requests of the window and the filters, newest first: columns to choose, pages, and the line of each.

import { html } from '../html.js'
import { data } from '../data/index.js'
import { bytes, exact, seconds, stamp } from '../lib/format.js'
import { dimensionTitle, label } from '../lib/text.js'
import { dataQuery } from '../lib/url.js'
import { useFetched } from '../state/fetched.js'
import { go, state } from '../state/location.js'
import { commit, lake, page, zone } from '../state/store.js'
import { DropDown } from './controls.js'
import { SqlButton } from './dialog.js'
import { showLine } from './lines.js'
import { Notes } from './notes.js'
import { Paging } from './paging.js'
import { Value } from './value.js'

const SIZE = 100
const STANDARD = ['ts', 'site', 'method', 'status', 'path', 'referrer', 'browser', 'country', 'bytes', 'seconds']
const NUMBERS = { bytes, seconds, upstream_seconds: seconds, position: exact }

export function Requests() {
  const { offset } = state.value
  const options = { limit: SIZE, offset: offset || undefined }
  const key = `requests?${dataQuery(state.value)}|${offset}`
  // Beyond the first page rows stand still, else they would move away under the reader.
  const { answer, error, stale } = useFetched(key, (signal) => data.requests(state.value, options, signal), { revision: offset ? 0 : commit.value })
  const present = answer?.columns ?? []
  const wanted = state.value.columns.length ? state.value.columns : STANDARD
  const columns = present.filter((name) => wanted.includes(name))
  return html`<section class=${stale && answer ? 'card expanded stale' : 'card expanded'} aria-labelledby="requests-title" aria-busy=${stale}>
    <header class="card-head"><h2 id="requests-title">Requests <small>newest first</small></h2><span class="grow" />
      ${present.length ? html`<${Columns} present=${present} chosen=${columns} />` : null}
      <button type="button" class="button" onClick=${() => go({ view: 'lines' })}>Their lines</button>
      <${Downloads} path="requests" />
      <${SqlButton} title="Requests" sql=${answer?.sql} />
    </header>
    ${error ? html`<p class="note unavailable" role="alert">${error.message}. ${error.hint ?? ''}</p>` : null}
    ${answer ? html`<${Notes} answer=${answer} since=${page.value?.since ?? lake.value.requests_from} />
      ${answer.unavailable ? null : answer.rows.length ? html`<div class="scroll" tabindex="0" role="region" aria-label="Requests"><table class="rows">
        <caption class="hidden">Requests</caption>
        <thead><tr>${columns.map((name) => html`<th scope="col" key=${name} class=${NUMBERS[name] ? 'number' : undefined}>${dimensionTitle(name)}</th>`)}<th scope="col"><span class="hidden">Line</span></th></tr></thead>
        <tbody>${answer.rows.map((row) => html`<tr key=${`${row.source}:${row.position}`} class=${statusClass(row.status)}>
          ${columns.map((name) => html`<td key=${name} class=${NUMBERS[name] ? 'number' : name === 'path' || name === 'query' ? 'wide' : undefined}><${Field} name=${name} value=${row[name]} /></td>`)}
          <td><button type="button" class="quiet text" onClick=${() => showLine(row)}>Line</button></td></tr>`)}</tbody>
      </table></div>` : html`<p class="empty">${offset ? 'No more requests.' : 'No request in this window.'}</p>`}
      <${Paging} size=${SIZE} count=${answer.rows.length} more=${answer.more} />` : html`<div class="skeleton tall" aria-hidden="true" />`}
  </section>`
}

const statusClass = (status) => (Number(status) >= 500 ? 'bad' : Number(status) >= 400 ? 'warn' : undefined)

function Field({ name, value }) {
  if (name === 'ts') return html`<time>${stamp(value, zone.value)}</time>`
  if (NUMBERS[name]) return NUMBERS[name](value)
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'object' && value !== null) return label(JSON.stringify(value), 60).text
  return html`<${Value} dim=${name} value=${value} limit=${name === 'path' ? 90 : 36} />`
}

function Columns({ present, chosen }) {
  const toggle = (name) => {
    const next = chosen.includes(name) ? chosen.filter((other) => other !== name) : present.filter((other) => chosen.includes(other) || other === name)
    const standard = next.join() === present.filter((other) => STANDARD.includes(other)).join()
    if (next.length) go({ columns: standard ? [] : next })
  }
  return html`<${DropDown} className="right" kind="button" title="Choose the columns" label="Columns"><fieldset class="columns"><legend class="hidden">Columns</legend>
    ${present.map((name) => html`<label key=${name}><input type="checkbox" checked=${chosen.includes(name)} onChange=${() => toggle(name)} /> ${dimensionTitle(name)}</label>`)}</fieldset><//>`
}

export function Downloads({ path }) {
  return html`<span class="downloads">${['csv', 'json', 'parquet'].map((format) => html`<a key=${format} class="button" download=${`${path}.${format}`} href=${data.download(path, state.value, { limit: 10_000, format })}>${{ csv: 'CSV', json: 'JSON', parquet: 'Parquet' }[format]}</a>`)}</span>`
}
