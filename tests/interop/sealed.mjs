// What a relying party does with sealed answers, with jose and nothing else. One JSON argument:
//   {issuer, audience, jwks, key: private JWK, tokens: [compact JWE]}
// It prints the claims of each token, opened with the key and verified with the provider's JWKS.
import { compactDecrypt, createLocalJWKSet, importJWK, jwtVerify } from 'jose'

const { issuer, audience, jwks, key, tokens } = JSON.parse(process.argv[2])
const provider = createLocalJWKSet(jwks)
const opened = []
for (const token of tokens) {
  const header = JSON.parse(Buffer.from(token.split('.')[0], 'base64url').toString())
  const own = await importJWK(key, header.alg)
  const { plaintext, protectedHeader } = await compactDecrypt(token, own)
  if (protectedHeader.cty !== 'JWT' || protectedHeader.kid !== key.kid) throw new Error('header')
  const inner = new TextDecoder().decode(plaintext)
  const { payload } = await jwtVerify(inner, provider, { issuer, audience })
  opened.push({ alg: header.alg, enc: header.enc, ...payload })
}
process.stdout.write(JSON.stringify(opened))
