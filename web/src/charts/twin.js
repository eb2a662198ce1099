// The numbers of a chart as a table, for those who cannot see it; made when it is opened.

import { html, useState } from '../html.js'

export function TableTwin({ caption, head, rows }) {
  const [open, setOpen] = useState(false)
  return html`<details class="twin" onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary>As a table</summary>
    ${open ? html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}><table>
      <caption class="hidden">${caption}</caption>
      <thead><tr>${head.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
      <tbody>${rows().map(([first, ...others]) => html`<tr key=${first}><th scope="row">${first}</th>${others.map((text) => html`<td>${text}</td>`)}</tr>`)}</tbody>
    </table></div>` : null}
  </details>`
}
