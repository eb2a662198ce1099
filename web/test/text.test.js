import assert from 'node:assert/strict'
import { test } from 'node:test'
import { label, sentence, shorten, visible } from '../src/lib/text.js'

test('what cannot be seen is shown', () => {
    assert.equal(visible('a\u202egnp.exe'), 'a\\u202egnp.exe')
    assert.equal(visible('\u2066x\u2069'), '\\u2066x\\u2069')
    assert.equal(visible('\x1b[31mred\x07'), '\\x1b[31mred\\x07')
    assert.equal(visible('a\u200b\ufeff\u00adb'), 'a\\u200b\\ufeff\\xadb')
    assert.equal(visible('tab\tline\nend\r\0'), 'tab\\tline\\nend\\r\\x00')
    assert.equal(visible('\u{e0041}'), '\\udb40\\udc41')
    assert.equal(visible('\ud800x\udc00'), '\\ud800x\\udc00')
})

test('what can be seen stays', () => {
    for (const text of ['/kettles?x=1&y', 'Zürich', '日本語', 'שלום', '😀', '<script>alert(1)</script>']) assert.equal(visible(text), text)
})

test('long texts lose their middle', () => {
    const short = shorten('a'.repeat(50) + 'z'.repeat(50), 20)
    assert.equal(short.length, 20)
    assert.match(short, /^a+…z+$/)
    assert.equal(shorten('short', 20), 'short')
    assert.doesNotMatch(shorten('😀'.repeat(40), 20), /[\ud800-\udbff](?![\udc00-\udfff])/)
})

test('labels', () => {
    assert.deepEqual(label(null), { text: '–', title: 'no value', empty: true })
    assert.deepEqual(label(''), { text: '–', title: 'no value', empty: true })
    assert.deepEqual(label(404), { text: '404', title: '404', empty: false })
    const started = performance.now()
    const huge = label('\u202e'.repeat(1_000_000) + 'end', 60)
    assert.ok(huge.text.length <= 60 && huge.text.endsWith('end') && huge.title.length < 20_000)
    assert.ok(performance.now() - started < 200)
})

test('messages of the server are sentences', () => {
    assert.equal(sentence('no panel, and none like it'), 'No panel, and none like it.')
    assert.equal(sentence("since: 'x' is not a time"), "since: 'x' is not a time.")
    assert.equal(sentence('Try again!'), 'Try again!')
    assert.equal(sentence('\u202ex'), '\\u202ex.')
    assert.equal(sentence(''), '')
})
