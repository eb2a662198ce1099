import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dataQuery, exclude, flip, parse, pick, pickAlso, remove, renamed, write } from '../src/lib/url.js'

const path = (value) => ({ dim: 'path', value })

test('the default state has an empty query', () => {
    assert.equal(write(parse('')), '')
    assert.equal(write(parse('?since=24h&compare=none&bots=include&tz=UTC&until=now')), '')
})

test('a state survives being written and parsed', () => {
    const query =
        'since=2026-11-24T12:00Z&until=2026-11-25&compare=week&bots=only&model=linear&tz=Europe/Berlin&is=path:/a%26b%3D1&is=path:' +
        '&not=browser:Chrome+Mobile&split=status_class&view=requests&open=pages&search=x&offset=50&sort.pages=visitors&order.pages=asc&hide=asset,other&columns=ts,path'
    assert.equal(write(parse(query)), query)
})

test('a panel that has another name now is found by its old one', () => {
    const state = parse('?open=entries&sort.entries=visitors&order.entries=asc')
    assert.deepEqual(renamed(state, ['entries']), {})
    assert.deepEqual(renamed(parse('?open=pages'), ['pages']), {})
    assert.equal(write({ ...state, ...renamed(state, ['pages']) }), 'open=pages_by_referrer&sort.pages_by_referrer=visitors&order.pages_by_referrer=asc')
})

test('values may hold anything, and keep it', () => {
    for (const value of ['a:b:c', '&is=x', '#', '+ %2F', '\u202e', '😀', '"><script>', '\n', '']) {
        const state = { ...parse(''), is: [path(value)] }
        assert.deepEqual(parse(write(state)).is, [path(value)], JSON.stringify(value))
    }
})

test('what a link must not choose becomes the default', () => {
    const state = parse('?compare=drop&bots=1&split=x&view=admin&tz=Mars/Base&offset=-3&is=password:x&is=nocolon&order.pages=up&since=')
    assert.deepEqual(
        [state.compare, state.bots, state.split, state.view, state.tz, state.offset, state.since],
        ['none', 'include', 'kind', 'overview', 'UTC', 0, '24h'],
    )
    assert.deepEqual([state.is, state.order], [[], {}])
})

test('only what answers depend on is asked for', () => {
    assert.equal(dataQuery(parse('?is=site:a&view=requests&open=pages&hide=asset&sort.pages=hits')).toString(), 'is=site%3Aa')
})

test('a click picks one value, and the same click takes it back', () => {
    let state = { ...parse('?is=path:/a&is=path:/b&not=path:/c'), offset: 0 }
    state = { ...state, ...pick(state, path('/c')) }
    assert.deepEqual([state.is, state.not], [[path('/c')], []])
    assert.deepEqual(pick(state, path('/c')).is, [])
})

test('values of one dimension add up, exclude, flip and go', () => {
    let state = parse('?is=path:/a')
    state = { ...state, ...pickAlso(state, path('/b')) }
    assert.deepEqual(state.is, [path('/a'), path('/b')])
    state = { ...state, ...exclude(state, path('/a')) }
    assert.deepEqual([state.is, state.not], [[path('/b')], [path('/a')]])
    state = { ...state, ...flip(state, 'not', path('/a')) }
    assert.deepEqual([state.is, state.not], [[path('/b'), path('/a')], []])
    assert.deepEqual(remove(state, 'is', path('/b')), { is: [path('/a')] })
})
