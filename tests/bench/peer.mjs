// The peer of the bench: oidc-provider with a small Redis adapter, ES256 everywhere, one client of each
// kind and one person who is signed in. Prints one JSON line when it listens.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import Keygrip from 'keygrip';
import Redis from 'ioredis';
import { Provider } from 'oidc-provider';

const port = Number(process.env.PORT);
const issuer = `http://localhost:${port}`;
const redis = new Redis(process.env.REDIS_URL, { keyPrefix: 'peer:' });
const GRANTABLE = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken']);

class RedisAdapter {
  constructor(name) {
    this.name = name;
  }

  key(id) {
    return `${this.name}:${id}`;
  }

  async upsert(id, payload, ttl) {
    const trip = redis.pipeline().set(this.key(id), JSON.stringify(payload), 'EX', ttl);
    if (payload.uid) trip.set(`uid:${payload.uid}`, id, 'EX', ttl);
    if (GRANTABLE.has(this.name) && payload.grantId) {
      trip.rpush(`grant:${payload.grantId}`, this.key(id)).expire(`grant:${payload.grantId}`, 86400);
    }
    await trip.exec();
  }

  async find(id) {
    const text = await redis.get(this.key(id));
    return text ? JSON.parse(text) : undefined;
  }

  async findByUid(uid) {
    const id = await redis.get(`uid:${uid}`);
    return id ? this.find(id) : undefined;
  }

  async consume(id) {
    const payload = await this.find(id);
    payload.consumed = Math.floor(Date.now() / 1000);
    await redis.set(this.key(id), JSON.stringify(payload), 'KEEPTTL');
  }

  async destroy(id) {
    await redis.del(this.key(id));
  }

  async revokeByGrantId(grantId) {
    const keys = await redis.lrange(`grant:${grantId}`, 0, -1);
    await redis.del(`grant:${grantId}`, ...keys);
  }
}

const person = {
  accountId: 'E1000001',
  claims: () => ({ sub: 'E1000001', name: '홍길동', preferred_username: 'E1000001', email: 'hong@example.go.kr' }),
};
const SECRET = 'a-secret-of-the-bench-that-is-long-enough';
const web = (name) => ({
  client_id: name,
  client_secret: SECRET,
  redirect_uris: [`https://${name}.example/cb`],
  grant_types: ['authorization_code', 'refresh_token'],
  id_token_signed_response_alg: 'ES256',
});
const parties = [
  web('mail'),
  web('offline'),
  {
    client_id: 'program',
    client_secret: SECRET,
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
    id_token_signed_response_alg: 'ES256',
  },
];
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const cookieKeys = ['a-key-of-the-bench'];
const provider = new Provider(issuer, {
  adapter: RedisAdapter,
  clients: parties,
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'bench', alg: 'ES256', use: 'sig' }] },
  cookies: { keys: cookieKeys },
  findAccount: () => person,
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email'] },
  scopes: ['openid', 'profile', 'email', 'offline_access', 'api'],
  issueRefreshToken: (_ctx, client) => client.clientId === 'offline',
  rotateRefreshToken: true,
  ttl: { AccessToken: 300, AuthorizationCode: 60, ClientCredentials: 300, Grant: 43200, IdToken: 300, RefreshToken: 43200, Session: 43200 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      // A program's token is a signed JWT, as ours; a person's is for userinfo and must be opaque.
      defaultResource: (_ctx, client) => (client.clientId === 'program' ? `${issuer}/api` : undefined),
      getResourceServerInfo: () => ({
        scope: 'api',
        audience: `${issuer}/api`,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});

// A person who is signed in, and has agreed to both parties.
const session = new provider.Session({ accountId: person.accountId, loginTs: Math.floor(Date.now() / 1000) });
for (const clientId of ['mail', 'offline']) {
  const grant = new provider.Grant({ accountId: person.accountId, clientId });
  grant.addOIDCScope('openid profile email offline_access');
  session.ensureClientContainer(clientId);
  session.grantIdFor(clientId, await grant.save(43200));
}
await session.save(43200);
const cookie = `_session=${session.id}`;
const signature = new Keygrip(cookieKeys).sign(cookie);

createServer(provider.callback()).listen(port, '127.0.0.1', () => {
  console.log(JSON.stringify({ issuer, cookie: `${cookie}; _session.sig=${signature}`, node: process.version }));
});
