// A provider of sign-ins (OpenID Connect) that people can see: it shows a page where they agree, and checks
// what a real one checks: client, secret, where it sends people back to, PKCE, and that a code is used once.

import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { createServer } from 'node:http';

const CLIENT = { id: 'branchline', secret: 'a quiet word' };
const base64 = (value) => Buffer.from(value).toString('base64url');

/** Starts it. Everybody who comes is this person. */
export function provide(issuer, back, person) {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const codes = new Map();
  const json = (response, status, value) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, issuer);
    if (url.pathname === '/.well-known/openid-configuration') {
      return json(response, 200, {
        issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/keys`,
        response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'],
      });
    }
    if (url.pathname === '/keys') return json(response, 200, { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', use: 'sig', alg: 'RS256' }] });
    if (url.pathname === '/authorize') {
      const asked = Object.fromEntries(url.searchParams);
      if (asked.client_id !== CLIENT.id || asked.redirect_uri !== back || asked.code_challenge_method !== 'S256' || asked.response_type !== 'code') return json(response, 400, asked);
      const code = randomUUID();
      codes.set(code, asked);
      const to = `${back}?${new URLSearchParams({ code, state: asked.state })}`.replaceAll('&', '&amp;');
      return response.writeHead(200, { 'Content-Type': 'text/html' }).end(`<!doctype html><title>Nordwind</title><link rel=icon href=data:,><h1>Nordwind</h1><a href="${to}">Go on as ${person.name}</a>`);
    }
    if (url.pathname === '/token' && request.method === 'POST') {
      let body = '';
      for await (const piece of request) body += piece;
      const form = Object.fromEntries(new URLSearchParams(body));
      const asked = codes.get(form.code);
      codes.delete(form.code);
      const known = Buffer.from((request.headers.authorization ?? '').replace('Basic ', ''), 'base64').toString();
      const proof = createHash('sha256').update(form.code_verifier ?? '').digest('base64url');
      if (decodeURIComponent(known.replaceAll('+', ' ')) !== `${CLIENT.id}:${CLIENT.secret}`) return json(response, 401, { error: 'invalid_client' });
      if (!asked || form.redirect_uri !== back || proof !== asked.code_challenge) return json(response, 400, { error: 'invalid_grant' });
      const now = Math.floor(Date.now() / 1000);
      const claims = { iss: issuer, aud: [CLIENT.id], iat: now, exp: now + 300, nonce: asked.nonce, email_verified: true, ...person };
      const signed = `${base64(JSON.stringify({ alg: 'RS256', kid: 'k' }))}.${base64(JSON.stringify(claims))}`;
      const id_token = `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
      return json(response, 200, { access_token: 'unused', token_type: 'Bearer', expires_in: 300, id_token });
    }
    return json(response, 404, {});
  });
  return new Promise((done) => { server.listen(Number(new URL(issuer).port), '127.0.0.1', () => done(server)); });
}
