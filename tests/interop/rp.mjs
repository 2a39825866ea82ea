// A relying party that is openid-client and nothing else. Settings are one JSON argument:
//   {issuer, client_id, client_secret, redirect_uri, auth: "basic"|"post", parameters, logout_uri, ear}
// It prints {authorization_url}, reads the callback address from stdin, and prints what it was told; then,
// where `ear` says where it listens, the claims of the logout token that came there.
import { createInterface } from 'node:readline'
import * as client from 'openid-client'
import { listen } from './back_channel.mjs'

const settings = JSON.parse(process.argv[2])
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)

async function main() {
  const issuer = new URL(settings.issuer)
  const authentication =
    settings.auth === 'basic'
      ? client.ClientSecretBasic(settings.client_secret)
      : client.ClientSecretPost(settings.client_secret)
  const insecure = issuer.protocol === 'http:' ? { execute: [client.allowInsecureRequests] } : {}
  const config = await client.discovery(issuer, settings.client_id, {}, authentication, insecure)

  const ear = settings.ear ? await listen(settings.ear, config) : null
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const expectedState = client.randomState()
  const expectedNonce = client.randomNonce()
  const authorizationUrl = client.buildAuthorizationUrl(config, {
    redirect_uri: settings.redirect_uri,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
    ...settings.parameters,
  })
  print({ authorization_url: authorizationUrl.href })

  const { value: callback } = await lines.next()
  const tokens = await client.authorizationCodeGrant(config, new URL(callback), {
    pkceCodeVerifier,
    expectedState,
    expectedNonce,
    idTokenExpected: true,
  })
  const claims = tokens.claims()
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub)
  const told = { claims, userinfo, scope: tokens.scope, expires_in: tokens.expires_in }
  if (tokens.refresh_token) {
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token)
    const again = await client.fetchUserInfo(config, refreshed.access_token, claims.sub)
    told.refreshed = {
      rotated: Boolean(refreshed.refresh_token) && refreshed.refresh_token !== tokens.refresh_token,
      claims: refreshed.claims() ?? null,
      userinfo: again,
    }
    const latest = refreshed.refresh_token ?? tokens.refresh_token
    const { introspection_endpoint: introspects, revocation_endpoint: revokes } = config.serverMetadata()
    if (introspects) told.introspected = await client.tokenIntrospection(config, refreshed.access_token)
    if (revokes) {
      await client.tokenRevocation(config, latest)
      told.after_revocation = await client
        .refreshTokenGrant(config, latest)
        .then(() => 'still good', (error) => error.error ?? String(error))
    }
  }
  told.end_session_url = client.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token,
    ...(settings.logout_uri ? { post_logout_redirect_uri: settings.logout_uri } : {}),
  }).href
  print(told)
  if (ear) print(await ear.heard)
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error, error.cause ?? '')
    process.exit(1)
  },
)
