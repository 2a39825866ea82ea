// A wallet made of libraries that nobody here wrote. It keeps one key and one credential in a file.
//
//   node wallet.mjs STATE receive OFFER TX_CODE   takes a mobile ID by OpenID4VCI
//   node wallet.mjs STATE present LINK            answers a request by OpenID4VP
//   node wallet.mjs STATE decline LINK            answers it with access_denied
//
// VERIFIER_ANCHOR and ISSUER_ANCHOR name PEM files. One line of JSON goes to stdout.
import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { clientAuthenticationDynamic, setGlobalConfig } from '@openid4vc/oauth2'
import { Openid4vciClient } from '@openid4vc/openid4vci'
import { Openid4vpClient } from '@openid4vc/openid4vp'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import * as jose from 'jose'

const [stateFile, command, ...rest] = process.argv.slice(2)
if (process.env.ALLOW_HTTP) setGlobalConfig({ allowInsecureUrls: true })

const sha256 = (data) =>
  new Uint8Array(createHash('sha256').update(typeof data === 'string' ? data : new Uint8Array(data)).digest())

function check(condition, message) {
  if (!condition) throw new Error(message)
}

// The leaf of x5c, after its chain has been followed to one of our anchors (HAIP: no anchor in x5c).
function trustedLeaf(x5c, anchorFile) {
  const anchors = readFileSync(anchorFile, 'utf8')
    .match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
    .map((pem) => new X509Certificate(pem))
  const chain = x5c.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
  check(chain.length > 0, 'x5c is empty')
  check(!chain[0].ca, 'the leaf is a certificate authority')
  check(chain[0].subject.includes('C=KR'), 'the leaf has no country')
  for (const [position, certificate] of chain.entries()) {
    const now = Date.now()
    check(Date.parse(certificate.validFrom) <= now && now < Date.parse(certificate.validTo), 'not valid now')
    check(!anchors.some((anchor) => anchor.fingerprint256 === certificate.fingerprint256), 'the anchor is in x5c')
    check(!certificate.verify(certificate.publicKey), 'self-signed')
    const issuers = position + 1 < chain.length ? [chain[position + 1]] : anchors
    check(
      issuers.some((issuer) => issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)),
      'the chain does not end at a trusted anchor',
    )
  }
  return chain[0]
}

async function verifyCompact(compact, publicKey) {
  await jose.compactVerify(compact, publicKey, { algorithms: ['ES256'] })
  return publicKey.export({ format: 'jwk' })
}

let state = {}
let privateKey

const callbacks = {
  fetch,
  hash: (data) => sha256(data),
  generateRandom: (length) => new Uint8Array(randomBytes(length)),
  clientAuthentication: clientAuthenticationDynamic({ clientId: 'wallet', clientSecret: 'a wallet has none' }),
  signJwt: async (signer, { header, payload }) => ({
    jwt: await new jose.SignJWT(payload).setProtectedHeader(header).sign(privateKey),
    signerJwk: signer.publicJwk,
  }),
  verifyJwt: async (signer, { compact }) => {
    try {
      check(signer.method === 'x5c', `signed by ${signer.method}, not by x5c`)
      const leaf = trustedLeaf(signer.x5c, process.env.VERIFIER_ANCHOR)
      return { verified: true, signerJwk: await verifyCompact(compact, leaf.publicKey) }
    } catch (error) {
      console.error(String(error))
      return { verified: false }
    }
  },
  getX509CertificateMetadata: (der) => {
    const names = (new X509Certificate(Buffer.from(der, 'base64')).subjectAltName ?? '').split(', ')
    const of = (kind) => names.filter((name) => name.startsWith(`${kind}:`)).map((name) => name.slice(kind.length + 1))
    return { sanDnsNames: of('DNS'), sanUriNames: of('URI') }
  },
  decryptJwe: () => ({ decrypted: false }),
  encryptJwe: async ({ publicJwk, alg, enc, apu, apv }, data) => {
    const parties = {}
    if (apu) parties.apu = jose.base64url.decode(apu)
    if (apv) parties.apv = jose.base64url.decode(apv)
    const jwe = await new jose.CompactEncrypt(new TextEncoder().encode(data))
      .setProtectedHeader({ alg, enc, kid: publicJwk.kid })
      .setKeyManagementParameters(parties)
      .encrypt(await jose.importJWK(publicJwk, alg))
    return { jwe, encryptionJwk: publicJwk }
  },
}

const sdJwt = new SDJwtVcInstance({
  hasher: sha256,
  hashAlg: 'sha-256',
  saltGenerator: (length) => jose.base64url.encode(randomBytes(length)),
  // The issuer's signature, and that of the status list: both by x5c to the issuer's anchor.
  verifier: async (data, signature) => {
    const { x5c, alg } = jose.decodeProtectedHeader(`${data}.${signature}`)
    check(alg === 'ES256', `signed with ${alg}`)
    const leaf = trustedLeaf(x5c, process.env.ISSUER_ANCHOR)
    await verifyCompact(`${data}.${signature}`, leaf.publicKey)
    return true
  },
  kbSignAlg: 'ES256',
  kbSigner: async (data) => {
    const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, privateKey, Buffer.from(data))
    return jose.base64url.encode(new Uint8Array(signature))
  },
})

async function loadKey() {
  privateKey = await jose.importJWK(state.key, 'ES256')
}

function publicJwk() {
  const { kty, crv, x, y } = state.key
  return { kty, crv, x, y }
}

async function receive(offerLink, txCode) {
  const pair = await jose.generateKeyPair('ES256', { extractable: true })
  state = { key: await jose.exportJWK(pair.privateKey) }
  await loadKey()
  const client = new Openid4vciClient({ callbacks })
  const credentialOffer = await client.resolveCredentialOffer(offerLink)
  const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer)
  const { accessTokenResponse } = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({
    credentialOffer,
    issuerMetadata,
    txCode,
  })
  const { c_nonce: nonce } = await client.requestNonce({ issuerMetadata })
  const [credentialConfigurationId] = credentialOffer.credential_configuration_ids
  const { jwt } = await client.createCredentialRequestJwtProof({
    issuerMetadata,
    credentialConfigurationId,
    issuedAt: new Date(),
    nonce,
    signer: { method: 'jwk', publicJwk: publicJwk(), alg: 'ES256' },
  })
  const { credentialResponse } = await client.retrieveCredentials({
    issuerMetadata,
    accessToken: accessTokenResponse.access_token,
    credentialConfigurationId,
    proofs: { jwt: [jwt] },
  })
  check(credentialResponse.credentials.length === 1, 'not exactly one credential')
  const [{ credential }] = credentialResponse.credentials
  const { payload, header } = await sdJwt.verify(credential)
  check(header.typ === 'dc+sd-jwt', `typ is ${header.typ}`)
  check(payload.iss === credentialOffer.credential_issuer, 'iss is not the credential issuer')
  check(payload.vct === issuerMetadata.credentialIssuer.credential_configurations_supported[credentialConfigurationId].vct, 'vct')
  check(payload.cnf.jwk.x === state.key.x && payload.cnf.jwk.y === state.key.y, 'bound to another key')
  check(payload.status.status_list.uri.startsWith(`${payload.iss}/status/`), 'status list elsewhere')
  state.credential = credential
  writeFileSync(stateFile, JSON.stringify(state))
  return { version: issuerMetadata.originalDraftVersion, claims: payload, header }
}

// What the wallet tells about itself; the library posts it flattened, without a wallet_nonce.
const wallet = {
  metadata: {
    vp_formats_supported: { 'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] } },
    client_id_prefixes_supported: ['x509_hash'],
    request_object_signing_alg_values_supported: ['ES256'],
    authorization_encryption_alg_values_supported: ['ECDH-ES'],
    authorization_encryption_enc_values_supported: [process.env.ENC ?? 'A128GCM'],
  },
}

async function resolve(client, link) {
  const { params } = client.parseOpenid4vpAuthorizationRequest({ authorizationRequest: link })
  check(params.request_uri_method === 'post', 'the link does not ask for post')
  check(!('dcql_query' in params), 'the whole request is in the link')
  const request = await client.resolveOpenId4vpAuthorizationRequest({ authorizationRequestPayload: params, wallet })
  const payload = request.authorizationRequestPayload
  check(request.client.prefix === 'x509_hash', `client id prefix ${request.client.prefix}`)
  const leaf = new X509Certificate(Buffer.from(request.client.x5c[0], 'base64'))
  check(leaf.checkHost(new URL(payload.response_uri).hostname), 'the response address is not in the certificate')
  check(payload.aud === 'https://self-issued.me/v2', `aud is ${payload.aud}`)
  check(payload.response_mode === 'direct_post.jwt', `response mode ${payload.response_mode}`)
  check(Buffer.from(payload.nonce, 'base64url').length >= 16, 'the nonce is short')
  return request
}

async function answer(client, request, authorizationResponsePayload) {
  const { jarm } = await client.createOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: request.authorizationRequestPayload,
    authorizationResponsePayload,
    jarm: {
      encryption: { nonce: jose.base64url.encode(randomBytes(16)) },
      serverMetadata: {
        authorization_encryption_alg_values_supported: wallet.metadata.authorization_encryption_alg_values_supported,
        authorization_encryption_enc_values_supported: wallet.metadata.authorization_encryption_enc_values_supported,
      },
    },
  })
  const { response } = await client.submitOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: request.authorizationRequestPayload,
    authorizationResponsePayload,
    jarm,
  })
  const text = await response.text()
  const type = response.headers.get('content-type') ?? ''
  check(response.status === 200 && !response.redirected, `answered ${response.status}: ${text}`)
  check(type.startsWith('application/json'), `answered as ${type}`)
  check((response.headers.get('cache-control') ?? '').includes('no-store'), 'the answer may be cached')
  return { ...JSON.parse(text), enc: jose.decodeProtectedHeader(jarm.responseJwt).enc }
}

async function open() {
  state = JSON.parse(readFileSync(stateFile, 'utf8'))
  await loadKey()
  return new Openid4vpClient({ callbacks })
}

async function present(link) {
  const client = await open()
  const request = await resolve(client, link)
  const payload = request.authorizationRequestPayload
  const queries = request.dcql.query.credentials
  check(queries.length === 1, 'more than one credential is asked for')
  const [query] = queries
  const held = jose.decodeJwt(state.credential.split('~')[0])
  check(query.format === 'dc+sd-jwt' && query.meta.vct_values.includes(held.vct), 'another kind of credential')
  const frame = Object.fromEntries((query.claims ?? []).map(({ path }) => [path[0], true]))
  const presentation = await sdJwt.present(state.credential, frame, {
    kb: { payload: { iat: Math.floor(Date.now() / 1000), aud: payload.client_id, nonce: payload.nonce } },
  })
  const answered = await answer(client, request, { vp_token: { [query.id]: [presentation] } })
  return { ...answered, asked: Object.keys(frame), client_id: payload.client_id, client_metadata: payload.client_metadata }
}

async function decline(link) {
  const client = await open()
  const request = await resolve(client, link)
  return answer(client, request, { error: 'access_denied', error_description: 'The person said no' })
}

try {
  const result = await { receive, present, decline }[command](...rest)
  console.log(JSON.stringify(result))
} catch (error) {
  console.error(error)
  process.exitCode = 1
}
