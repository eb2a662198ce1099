// Clients choose the text in logs: make invisible characters visible, and shorten long texts.
// The document gets it only as text nodes, so HTML needs no escaping here.

// C0 and C1 controls, soft hyphen, zero-width and joiners, bidi marks and overrides, variation and tag characters,
// byte order mark, interlinear marks, lone surrogates.
const UNSEEN =
    /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]|[\udb40][\udc00-\udfff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

export function visible(text) {
    return String(text).replace(UNSEEN, (found) => Array.from({ length: found.length }, (_, i) => escape(found.charCodeAt(i))).join(''))
}

const SHORT = { 9: '\\t', 10: '\\n', 13: '\\r' }
function escape(code) {
    return SHORT[code] ?? (code < 256 ? '\\x' + code.toString(16).padStart(2, '0') : '\\u' + code.toString(16).padStart(4, '0'))
}

// Cuts the middle, since the beginning and the end say more.
export function shorten(text, limit = 80) {
    if (text.length <= limit) return text
    const tail = Math.floor((limit - 1) * 0.4)
    const head = limit - 1 - tail
    const cut = (part) => part.replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, '')
    return cut(text.slice(0, head)) + '…' + cut(text.slice(-tail))
}

// A value for a cell, and its title: the whole value, as far as a title can hold it.
export function label(value, limit = 80) {
    if (value === null || value === undefined || value === '') return { text: '–', title: 'no value', empty: true }
    const raw = String(value)
    // A value may have a megabyte: only its ends are processed.
    const near = raw.length > 4 * limit + 200 ? raw.slice(0, 2 * limit + 100) + '…' + raw.slice(-limit - 50) : raw
    return { text: shorten(visible(near), limit), title: visible(raw.length > 2000 ? raw.slice(0, 2000) + '…' : raw), empty: false }
}

// A message of the server as a sentence of the page; it may begin with the name of a parameter.
export function sentence(text) {
    const shown = visible(text).trim()
    const first = /^\w+:/.test(shown) ? shown.charAt(0) : shown.charAt(0).toUpperCase()
    return shown && first + shown.slice(1) + (/[.!?]$/.test(shown) ? '' : '.')
}

const WORDS = { os: 'system', ext: 'extension', from_path: 'from page', status_class: 'status class', tls: 'TLS', ts: 'time', ctr: 'CTR' }
export function dimensionTitle(name) {
    const words = WORDS[name] ?? String(name).replaceAll('_', ' ')
    return words.charAt(0).toUpperCase() + words.slice(1)
}
