// What a relying party puts beside openid-client, which listens nowhere: the address at which it hears that a
// session has ended (OIDC Back-Channel Logout 1.0 §2.5-2.8), of `node:http` and `jose`.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const REQUIRED = ['iat', 'exp', 'jti', 'events', 'sid', 'sub']

// Listens at `address`. `heard` is a promise of the claims of the first token that counts; others are answered 400.
export async function listen(address, config) {
  const { issuer, jwks_uri } = config.serverMetadata()
  const keys = createRemoteJWKSet(new URL(jwks_uri))
  const wanted = { issuer, audience: config.clientMetadata().client_id, typ: 'logout+jwt', requiredClaims: REQUIRED }
  const { hostname, port } = new URL(address)
  const server = createServer()
  const heard = new Promise((resolve) => {
    server.on('request', async (request, response) => {
      const form = new URLSearchParams(await text(request))
      const claims = await counts(form.get('logout_token'), keys, wanted).catch(() => null)
      response.writeHead(claims ? 200 : 400, { 'cache-control': 'no-store' }).end()
      if (claims) resolve(claims)
    })
  })
  server.listen(Number(port), hostname)
  await once(server, 'listening')
  return { heard }
}

async function counts(token, keys, wanted) {
  const { payload } = await jwtVerify(token, keys, wanted)
  if (!(EVENT in payload.events) || 'nonce' in payload) throw new Error('no logout token')
  return payload
}
