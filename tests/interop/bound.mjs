// Two clients that are openid-client and nothing else, with a key each for themselves (private_key_jwt) and
// for their tokens (DPoP): `program` acts for itself, `bank` signs a person in by a pushed request.
// Settings are one JSON argument: {issuer, redirect_uri, jwk, cookie}. It prints what it was told.
import * as client from 'openid-client'

const settings = JSON.parse(process.argv[2])
const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }

async function configured(id) {
  const key = await crypto.subtle.importKey('jwk', settings.jwk, algorithm, false, ['sign'])
  const authentication = client.PrivateKeyJwt({ key, kid: 'k1' })
  const insecure = { execute: [client.allowInsecureRequests] }
  const config = await client.discovery(new URL(settings.issuer), id, {}, authentication, insecure)
  return [config, { DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256')) }]
}

async function program() {
  const [config, bound] = await configured('program')
  const tokens = await client.clientCredentialsGrant(config, { scope: 'gongmu:events' }, bound)
  const api = new URL('/api/v1/events', settings.issuer)
  const token = tokens.access_token
  const answer = await client.fetchProtectedResource(config, token, api, 'GET', undefined, undefined, bound)
  return { type: tokens.token_type, status: answer.status }
}

async function bank() {
  const [config, bound] = await configured('bank')
  const [pkceCodeVerifier, expectedState, expectedNonce] = [
    client.randomPKCECodeVerifier(),
    client.randomState(),
    client.randomNonce(),
  ]
  const request = {
    redirect_uri: settings.redirect_uri,
    scope: 'openid profile offline_access',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
  }
  const url = await client.buildAuthorizationUrlWithPAR(config, request, bound)
  const answer = await fetch(url, { redirect: 'manual', headers: { cookie: settings.cookie } })
  const callback = new URL(answer.headers.get('location'))
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true }
  const tokens = await client.authorizationCodeGrant(config, callback, checks, undefined, bound)
  const { sub } = tokens.claims()
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, sub, bound)
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, bound)
  const introspected = await client.tokenIntrospection(config, refreshed.access_token)
  await client.tokenRevocation(config, refreshed.refresh_token)
  const after = await client
    .refreshTokenGrant(config, refreshed.refresh_token, undefined, bound)
    .then(() => 'still good', (error) => error.error)
  const same = refreshed.refresh_token === tokens.refresh_token
  return { type: tokens.token_type, userinfo, same, introspected, after }
}

process.stdout.write(JSON.stringify({ program: await program(), bank: await bank() }))
