// Tests of asof-context, over sockets: node --test test.mjs

import assert from 'node:assert/strict'
import http from 'node:http'
import net from 'node:net'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { currentContext, withAsofContext, withContext } from './asof-context.mjs'

delete process.env.ASOF_EGRESS

const servers = []

async function start(listener) {
  const server = http.createServer(listener).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return `http://127.0.0.1:${server.address().port}`
}

after(() => {
  for (const server of servers) {
    server.close()
    server.closeAllConnections()
  }
})

// Answers with the context it got, or "none"; /to/URL redirects there.
function echo(request, response) {
  if (request.url.startsWith('/to/')) response.writeHead(302, { location: request.url.slice(4) })
  response.end(request.headersDistinct['asof-context']?.join(',') ?? 'none')
}

const egress = await start(echo)
const foreign = await start(echo)

const byFetch = async (url, headers) => (await fetch(url, { headers })).text()

function byRequest(url, headers) {
  return new Promise((resolve, reject) => {
    const call = http.request(url, withContext(url, headers && { headers }), async (response) => {
      let body = ''
      for await (const part of response) body += part
      resolve(body)
    })
    call.on('error', reject).end()
  })
}

const clients = { byFetch, byRequest }

/** Runs the work inside of a request with these headers. */
function inside(headers, work) {
  const headersDistinct = {}
  for (const [name, value] of Object.entries(headers)) headersDistinct[name] = [value].flat()
  const request = { headersDistinct, headers: { baggage: headersDistinct.baggage?.join(', ') } }
  return withAsofContext(work)(request, {})
}

const taken = (headers) => inside(headers, currentContext)

async function withEgress(url, work) {
  process.env.ASOF_EGRESS = url
  try {
    await work()
  } finally {
    delete process.env.ASOF_EGRESS
  }
}

test('the header, or else the baggage member', () => {
  assert.equal(taken({ 'asof-context': '1-a-b-c-d' }), '1-a-b-c-d')
  assert.equal(taken({ baggage: 'x=1, asof = t1 ;p=asof,y=2' }), 't1')
  assert.equal(taken({ baggage: ['x=1', 'asof=t2'] }), 't2')
  assert.equal(taken({ 'asof-context': 'h', baggage: 'asof=b' }), 'h')
  assert.equal(taken({ 'asof-context': 'a b', baggage: 'asof=b' }), undefined)
  assert.equal(taken({ baggage: 'x=asof,asofx=1,y=2;asof=3' }), undefined)
  assert.equal(taken({ traceparent: '00-1-2-01' }), undefined)
})

test('what is no token is refused', () => {
  assert.equal(taken({ 'asof-context': 'x'.repeat(256) }), 'x'.repeat(256))
  for (const bad of ['', 'x'.repeat(257), 'a b', 'a\tb', 'a\x7f', 'a\xe9', 'a\n', ['a', 'b']]) {
    assert.equal(taken({ 'asof-context': bad }), undefined, JSON.stringify(bad))
  }
  assert.equal(taken({ baggage: 'asof=' + 'x'.repeat(257) }), undefined)
})

test('two headers on the wire are none', async () => {
  const url = await start(withAsofContext((_, response) => response.end(String(currentContext()))))
  const socket = net.connect(new URL(url).port, '127.0.0.1')
  const headers = ['Host: x', 'Asof-Context: a', 'Asof-Context: b', 'Connection: close']
  socket.end(['GET / HTTP/1.1', ...headers, '', ''].join('\r\n'))
  let answer = ''
  for await (const part of socket) answer += part
  assert.match(answer, /undefined/)
})

for (const [name, client] of Object.entries(clients)) {
  test(`${name} carries the context, inside of a request only`, async () => {
    await inside({ 'asof-context': 't' }, async () => assert.equal(await client(egress), 't'))
    assert.equal(await client(egress), 'none')
    await inside({}, async () => assert.equal(await client(egress), 'none'))
  })

  test(`${name} leaves an explicit header alone`, () =>
    inside({ 'asof-context': 't' }, async () => {
      assert.equal(await client(egress, { 'Asof-Context': 'mine' }), 'mine')
      assert.equal(await client(egress, { 'x-asof-context': 'no' }), 't')
    }))

  test(`${name} gives it to the egress only`, () =>
    inside({ 'asof-context': 't' }, async () => {
      await withEgress(egress + '/', async () => {
        assert.equal(await client(egress + '/-/files/x'), 't')
        assert.equal(await client(foreign), 'none')
      })
      await withEgress('not a url', async () => assert.equal(await client(egress), 'none'))
    }))
}

test('a list of headers is a list afterwards', () =>
  inside({ 'asof-context': 't' }, () => {
    const carried = (...headers) => withContext(egress, { headers }).headers
    assert.deepEqual(carried('a', 'b'), ['a', 'b', 'asof-context', 't'])
    assert.deepEqual(carried('Asof-Context', 'b'), ['Asof-Context', 'b'])
    assert.deepEqual(carried('a', 'asof-context').length, 4)
  }))

test('a redirect does not lead the context out', () =>
  inside({ 'asof-context': 't' }, () =>
    withEgress(egress, async () => {
      assert.equal(await byFetch(`${egress}/to/${foreign}`), 'none')
      assert.equal(await byFetch(`${egress}/to/${egress}`), 't')
      assert.equal(await byFetch(`${foreign}/to/${egress}`), 't')
    })))

test('interleaved requests keep their contexts, also after the answer', async () => {
  const late = new Map()
  const pending = []
  const url = await start(
    withAsofContext(async (request, response) => {
      const first = await byFetch(egress)
      await pause(5)
      const second = await byRequest(egress)
      pending.push(pause(20).then(async () => late.set(request.url, await byFetch(egress))))
      response.end(`${first} ${second}`)
    }),
  )
  const carriers = [
    () => ({}),
    (i) => ({ 'asof-context': `t${i}` }),
    (i) => ({ baggage: `a=b,asof=t${i}` }),
  ]
  const numbers = Array.from({ length: 120 }, (_, i) => i)
  const answers = await Promise.all(
    numbers.map((i) => byFetch(`${url}/${i}`, carriers[i % carriers.length](i))),
  )
  await Promise.all(pending)
  for (const i of numbers) {
    const expected = i % 3 === 0 ? 'none' : `t${i}`
    assert.equal(answers[i], `${expected} ${expected}`)
    assert.equal(late.get(`/${i}`), expected)
  }
})
