// Which key does what: a pure table, and the choice of an action for a key event.

export const KEYS = [
  { keys: ['?'], action: 'help', text: 'this help' },
  { keys: ['/'], action: 'search', text: 'search in a panel' },
  { keys: ['r'], action: 'preset', arg: '5m', text: 'last 5 minutes', group: 'Window' },
  { keys: ['o'], action: 'preset', arg: '1h', text: 'last hour', group: 'Window' },
  { keys: ['h'], action: 'preset', arg: '24h', text: 'last 24 hours', group: 'Window' },
  { keys: ['w'], action: 'preset', arg: '7d', text: 'last 7 days', group: 'Window' },
  { keys: ['m'], action: 'preset', arg: '30d', text: 'last 30 days', group: 'Window' },
  { keys: ['d'], action: 'preset', arg: 'today', text: 'today', group: 'Window' },
  { keys: ['e'], action: 'preset', arg: 'yesterday', text: 'yesterday', group: 'Window' },
  { keys: ['f'], action: 'custom', text: 'from and to', group: 'Window' },
  { keys: ['ArrowLeft'], action: 'shift', arg: -1, text: 'window before', group: 'Window' },
  { keys: ['ArrowRight'], action: 'shift', arg: 1, text: 'window after', group: 'Window' },
  { keys: ['+'], action: 'zoom', arg: 1, text: 'middle half of the window', group: 'Window' },
  { keys: ['-'], action: 'zoom', arg: -1, text: 'wider window', group: 'Window' },
  { keys: ['c'], action: 'compare', text: 'next comparison' },
  { keys: ['b'], action: 'bots', text: 'all, people, robots' },
  { keys: ['s'], action: 'split', text: 'split by kind or status class' },
  { keys: ['u'], action: 'zone', text: 'UTC or local time' },
  { keys: [' '], action: 'pause', text: 'pause or resume live updates' },
  { keys: ['y'], action: 'copy', text: 'copy the link' },
  { keys: ['g'], action: 'requests', text: 'requests, or back' },
  { keys: ['j'], action: 'row', arg: 1, text: 'next row', group: 'Rows' },
  { keys: ['k'], action: 'row', arg: -1, text: 'row before', group: 'Rows' },
  { keys: ['Enter'], action: 'native', text: 'filter by the value', group: 'Rows' },
  { keys: ['x'], action: 'exclude', text: 'exclude the value', group: 'Rows' },
  { keys: ['v'], action: 'drill', text: 'requests of the value', group: 'Rows' },
  { keys: ['Escape'], action: 'escape', text: 'close; then clear the filters' },
]

// The entry for an event, or null. Keys that are typed into a field, or that the browser or a control owns, are not ours.
export function match(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null
  const tag = event.target?.tagName ?? ''
  const typing = tag === 'INPUT' || tag === 'TEXTAREA' || tag === 'SELECT' || event.target?.isContentEditable
  if (typing && event.key !== 'Escape') return null
  if (event.key === ' ' && ['BUTTON', 'SUMMARY', 'A'].includes(tag)) return null
  const entry = KEYS.find(({ keys }) => keys.includes(event.key))
  return entry && entry.action !== 'native' ? entry : null
}

export function keyName(key) {
  return { ' ': 'Space', ArrowLeft: '←', ArrowRight: '→', Escape: 'Esc' }[key] ?? key
}

export function next(list, current) {
  return list[(list.indexOf(current) + 1) % list.length]
}
