// The page: its head, and the view that the address asks for.

import { html } from '../html.js'
import { data } from '../data/index.js'
import { TrafficChart } from '../charts/traffic.js'
import { LatencyChart } from '../charts/latency.js'
import { state } from '../state/location.js'
import { announcement, error, lake, page, retry, shown } from '../state/store.js'
import { Cluster } from './cluster.js'
import { Dialog } from './dialog.js'
import { Expanded } from './expanded.js'
import { Header } from './header.js'
import { Lines } from './lines.js'
import { Panel } from './panel.js'
import { Rejects } from './rejects.js'
import { Requests } from './requests.js'
import { Tiles } from './tiles.js'
import { showHelp } from './help.js'

const DETAIL = { requests: Requests, lines: Lines, rejects: Rejects }

export function App() {
  return html`<a class="skip" href="#main">To the content</a>
    <${Header} />
    <main id="main" tabindex="-1">
      <${Problem} />
      ${lake.value ? html`<${Content} />` : html`<div class="skeleton tall" aria-hidden="true" />`}
    </main>
    <footer class="foot"><span>logagg ${lake.value?.version ?? ''}</span><button type="button" class="quiet text" onClick=${showHelp}>Keys and help <kbd>?</kbd></button></footer>
    <p class="hidden" role="status" aria-live="polite">${announcement.value}</p>
    <${Dialog} />`
}

function Content() {
  const { view, open } = state.value
  if (view === 'cluster') return html`<${Cluster} />`
  const Detail = data.live ? DETAIL[view] : null
  const panel = !Detail && open ? shown.value.find(({ name }) => name === open) : null
  return html`${page.value ? html`<${Tiles} /><${TrafficChart} />${Detail ? null : html`<${LatencyChart} />`}` : error.value ? null : html`<div class="skeleton tiles-place" aria-hidden="true" /><div class="skeleton chart-place" aria-hidden="true" />`}
    ${Detail ? html`<${Detail} />` : panel ? html`<${Expanded} panel=${panel} />` : html`<div class="panels">${shown.value.map((one) => html`<${Panel} key=${one.name} panel=${one} />`)}</div>`}`
}

function Problem() {
  const problem = error.value
  if (!problem) return null
  return html`<div class="problem" role="alert"><p><b>${problem.message}</b>${problem.hint ? ` ${problem.hint}` : ''}</p><button type="button" class="button" onClick=${retry}>Try again</button></div>`
}
