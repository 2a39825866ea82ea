// A relying party of profile fapi2 that is openid-client and nothing else. Settings are one JSON argument:
//   {issuer, client_id, redirect_uri, logout_uri, ear, jwk, jarm: boolean, parameters}
// Its requests are signed and pushed with a DPoP proof, its answers signed where `jarm` says so. It prints
// {authorization_url}, reads the callback address from stdin, and prints what it was told; then the claims of
// the logout token that came to `ear`, and what its refresh token was worth afterwards.
import { createInterface } from 'node:readline'
import * as client from 'openid-client'
import { listen } from './back_channel.mjs'

const settings = JSON.parse(process.argv[2])
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)

async function main() {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  const key = {
    key: await crypto.subtle.importKey('jwk', settings.jwk, algorithm, false, ['sign']),
    kid: settings.jwk.kid,
  }
  const config = await client.discovery(
    new URL(settings.issuer),
    settings.client_id,
    { authorization_signed_response_alg: 'EdDSA' },
    client.PrivateKeyJwt(key),
    { execute: [client.allowInsecureRequests] },
  )
  if (settings.jarm) client.useJwtResponseMode(config)
  const { heard } = await listen(settings.ear, config)
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const expectedState = client.randomState()
  const expectedNonce = client.randomNonce()
  const signed = await client.buildAuthorizationUrlWithJAR(
    config,
    {
      redirect_uri: settings.redirect_uri,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: expectedState,
      nonce: expectedNonce,
      ...settings.parameters,
    },
    key,
  )
  const pushed = await client.buildAuthorizationUrlWithPAR(config, signed.searchParams, { DPoP })
  print({ authorization_url: pushed.href })

  const callback = new URL((await lines.next()).value)
  const checks = { pkceCodeVerifier, expectedState, expectedNonce }
  const tokens = await client.authorizationCodeGrant(config, callback, checks, undefined, { DPoP })
  const claims = tokens.claims()
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP })
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })
  const logout = client.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: settings.logout_uri,
  })
  const told = { token_type: tokens.token_type, claims, userinfo, refreshed: refreshed.token_type }
  print({ ...told, end_session_url: logout.href })

  const ended = await heard
  const after = await client
    .refreshTokenGrant(config, refreshed.refresh_token, undefined, { DPoP })
    .then(() => 'still good', (error) => error.error)
  print({ heard: ended, after })
}

main().then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`${error.stack}\n${JSON.stringify(error.cause ?? {})}\n`)
    process.exit(1)
  },
)
