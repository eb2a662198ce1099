// One panel in full width: all its measures, search, and pages.

import { html, useEffect, useRef, useState } from '../html.js'
import { data } from '../data/index.js'
import { dataQuery } from '../lib/url.js'
import { useFetched } from '../state/fetched.js'
import { go, state } from '../state/location.js'
import { commit, page, sortPanel } from '../state/store.js'
import { Icon } from './controls.js'
import { SqlButton } from './dialog.js'
import { Notes } from './notes.js'
import { Paging } from './paging.js'
import { PanelMenu } from './panel.js'
import { PanelTable } from './table.js'

const SIZE = 50

export function Expanded({ panel }) {
  const { sort, order, search, offset } = state.value
  const options = { sort: sort[panel.name], order: order[panel.name], search: search || undefined, limit: SIZE, offset: offset || undefined }
  const key = `${panel.name}?${dataQuery(state.value)}|${JSON.stringify(options)}`
  const { answer, error, stale } = useFetched(key, (signal) => data.panel(panel.name, state.value, options, signal), { revision: commit.value })
  const compared = Boolean(page.value?.before)
  return html`<section class=${stale && answer ? 'card expanded stale' : 'card expanded'} aria-labelledby="expanded-title" aria-busy=${stale}>
    <header class="card-head">
      <button type="button" class="button" onClick=${() => go({ open: '', search: '' })}><${Icon} name="left" />All panels</button>
      <h2 id="expanded-title">${panel.title}</h2>
      <span class="grow" />
      <${Search} key=${panel.name} title=${panel.title} />
      <${SqlButton} title=${panel.title} sql=${answer?.sql} />
      <${PanelMenu} panel=${panel} answer=${answer} search=${search} />
    </header>
    ${error ? html`<p class="note unavailable" role="alert">${error.message}. ${error.hint ?? ''}</p>` : null}
    ${answer ? html`<${Notes} answer=${answer} since=${page.value?.since} />
      ${answer.unavailable ? null : answer.rows.length ? html`<div class="scroll" tabindex="0" role="region" aria-label=${panel.title}><${PanelTable} answer=${answer} title=${panel.title} measures=${answer.measures} compared=${compared} limit=${120} onSort=${(name) => sortPanel(panel.name, name)} /></div>` : html`<p class="empty">${search ? 'Nothing is found.' : 'Nothing in this window.'}</p>`}
      <${Paging} size=${SIZE} count=${answer.rows.length} more=${answer.more} />` : html`<div class="skeleton tall" aria-hidden="true" />`}
  </section>`
}

// What is typed becomes part of the address after a moment; it replaces the entry, so that back does not undo letters.
function Search({ title }) {
  const [text, setText] = useState(state.value.search)
  const timer = useRef(null)
  useEffect(() => () => clearTimeout(timer.current), [])
  const type = (event) => {
    const typed = event.currentTarget.value
    setText(typed)
    clearTimeout(timer.current)
    timer.current = setTimeout(() => go({ search: typed }, { replace: true }), 200)
  }
  return html`<label class="search"><${Icon} name="search" /><span class="hidden">Search in ${title}</span>
    <input type="search" id="search" placeholder="Search" value=${text} onInput=${type} spellcheck=${false} autocomplete="off" /></label>`
}
