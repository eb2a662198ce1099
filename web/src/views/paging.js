// One page on, one page back.

import { html } from '../html.js'
import { exact } from '../lib/format.js'
import { go, state } from '../state/location.js'
import { Icon } from './controls.js'

export function Paging({ size, count, more }) {
  const { offset } = state.value
  if (!offset && !more) return null
  const to = (place) => go({ offset: Math.max(0, place) })
  return html`<nav class="paging" aria-label="Pages">
    <button type="button" class="button" disabled=${!offset} onClick=${() => to(offset - size)}><${Icon} name="left" />Back</button>
    <span>${count ? `${exact(offset + 1)} – ${exact(offset + count)}` : 'no rows'}</span>
    <button type="button" class="button" disabled=${!more} onClick=${() => to(offset + size)}>On<${Icon} name="right" /></button>
  </nav>`
}
