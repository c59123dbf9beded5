/**
 * Copies the context of a request to the calls made while handling it. Does nothing else.
 *
 * The edge names every request that it sends to a service with an opaque context, in the header
 * `Asof-Context` or, where that is absent, in the `baggage` member `asof`. Calls that carry it back
 * are recorded as inputs of the answer. This file is one way to carry it; copy it into your
 * service, it needs nothing but Node 18.
 *
 *     http.createServer(withAsofContext((request, response) => { ... }))
 *     app.use((request, response, next) =>                                         // Express
 *       withAsofContext(() => next())(request, response))
 *
 * From then on `fetch` carries the context by itself, and so does everything that is built on
 * undici. Calls by `http.request` get it from their options:
 *
 *     http.request(url, withContext(url, { method: 'PUT' }))
 *
 * If `ASOF_EGRESS` is set, only calls to that origin carry the context.
 *
 * Timers, promises and callbacks inherit the context, so work that goes on after the answer
 * carries it too, and that is wanted: the edge then sees a late call and keeps nothing that
 * depends on it.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'

const HEADER = 'asof-context'

// Whatever does not look like this was not made by an edge, and may be an attempt to smuggle.
const TOKEN = /^[\x21-\x7e]{1,256}$/

const storage = new AsyncLocalStorage()

/** The context of the request being handled; undefined outside of one. */
export function currentContext() {
  return storage.getStore()
}

/** The request listener, so wrapped that the context of each request is carried on. */
export function withAsofContext(listener) {
  return function (request, response) {
    return storage.run(incoming(request), () => listener.call(this, request, response))
  }
}

/** The options of a call by `http.request`, with the context added where it belongs. */
export function withContext(url, options = {}) {
  const context = outgoing(url)
  if (context === undefined) return options
  if (Array.isArray(options.headers)) {
    // A list of names and values in turn.
    if (options.headers.some((name, i) => i % 2 === 0 && isHeader(name))) return options
    return { ...options, headers: [...options.headers, HEADER, context] }
  }
  if (Object.keys(options.headers ?? {}).some(isHeader)) return options
  return { ...options, headers: { ...options.headers, [HEADER]: context } }
}

// `fetch` follows redirects with the headers of the first call, and a redirect may lead away from
// the egress. So the header is not set on the call but here, where undici tells of each hop.
subscribe('undici:request:create', ({ request }) => {
  const context = outgoing(request.origin)
  if (context === undefined || carries(request.headers)) return
  request.addHeader(HEADER, context)
})

/** Whether these headers of undici, a list or (in old versions) text, have a context already. */
function carries(headers) {
  if (Array.isArray(headers)) return headers.some((name, i) => i % 2 === 0 && isHeader(name))
  return /^asof-context:/im.test(headers)
}

function isHeader(name) {
  return String(name).toLowerCase() === HEADER
}

/** The context that a request carries. The header, even a bad one, goes before the baggage. */
function incoming(request) {
  const value = request.headersDistinct[HEADER]?.join(', ') ?? fromBaggage(request.headers.baggage)
  return value !== undefined && TOKEN.test(value) ? value : undefined
}

function fromBaggage(baggage = '') {
  for (const member of baggage.split(',')) {
    const [pair] = member.split(';') // properties follow
    const equals = pair.indexOf('=')
    if (equals > 0 && pair.slice(0, equals).trim() === 'asof') return pair.slice(equals + 1).trim()
  }
  return undefined
}

/** The context, if there is one and a call of this URL is to carry it. */
function outgoing(url) {
  const context = storage.getStore()
  if (context === undefined) return undefined
  const egress = process.env.ASOF_EGRESS
  return !egress || isSameOrigin(egress, url) ? context : undefined
}

function isSameOrigin(egress, url) {
  try {
    return new URL(egress).origin === new URL(url).origin
  } catch {
    return false // what is not a URL is nobody's: the context stays here
  }
}
