import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyName, KEYS, match, next } from '../src/lib/keys.js'
import { select, withChange } from '../src/lib/rows.js'

const press = (key, more = {}) => match({ key, target: { tagName: 'BODY' }, ...more })

test('each key has one meaning', () => {
    assert.equal(new Set(KEYS.map(({ key }) => key)).size, KEYS.length)
    assert.deepEqual([press('w').action, press('w').arg], ['preset', '7d'])
    assert.equal(press('ArrowLeft').arg, -1)
    assert.equal(press('Enter'), null)
    assert.equal(press('Q'), null)
})

test('keys of the browser and of fields are left alone', () => {
    assert.equal(press('w', { ctrlKey: true }), null)
    assert.equal(press('d', { metaKey: true }), null)
    assert.equal(press('d', { target: { tagName: 'INPUT' } }), null)
    assert.equal(press('Escape', { target: { tagName: 'INPUT' } }).action, 'escape')
    assert.equal(press(' ', { target: { tagName: 'BUTTON' } }), null)
    assert.equal(press(' ').action, 'pause')
})

test('names and turns', () => {
    assert.deepEqual([keyName(' '), keyName('ArrowLeft'), keyName('x')], ['Space', '←', 'x'])
    assert.deepEqual([next(['a', 'b'], 'a'), next(['a', 'b'], 'b')], ['b', 'a'])
})

test('rows are sorted, searched and paged', () => {
    const rows = [
        { path: '/a', hits: 1 },
        { path: '/b', hits: 3 },
        { path: '/c', hits: null },
        { path: null, hits: 3 },
        { path: '/AB', hits: 2 },
    ]
    const paths = (options) =>
        select(rows, ['path'], { sort: 'hits', order: 'desc', limit: 10, offset: 0, ...options }).rows.map((row) => row.path)
    assert.deepEqual(paths({}), ['/b', null, '/AB', '/a', '/c'])
    assert.deepEqual(paths({ order: 'asc' }), ['/a', '/AB', '/b', null, '/c'])
    assert.deepEqual(paths({ search: 'a' }), ['/AB', '/a'])
    assert.deepEqual(paths({ limit: 2, offset: 2 }), ['/AB', '/a'])
    assert.equal(select(rows, ['path'], { sort: 'hits', limit: 2, offset: 0 }).more, true)
})

test('changes by another measure', () => {
    const [row, fresh] = withChange(
        [
            { a: 6, before: { a: 4 } },
            { a: 6, before: { a: 0 } },
        ],
        'a',
    )
    assert.deepEqual([row.change, fresh.change], [0.5, null])
})
