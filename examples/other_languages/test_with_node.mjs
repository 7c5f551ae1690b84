// Tests a webhook in Node (18 or later) against the emulator; needs nothing but what comes with it.
//
//     aaa emulate --virtual-time --bind 127.0.0.1:7878
//     node test_with_node.mjs http://127.0.0.1:7878
import assert from 'node:assert/strict';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const emulator = process.argv[2] ?? 'http://127.0.0.1:7878';
const secret = 'emulator-secret';
const signed = (data) => 'sha256=' + createHmac('sha256', secret).update(data).digest('base64');
const same = (a, b) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

// The application under test: it answers challenges and keeps what X signed.
const received = [];
const server = createServer(async (request, response) => {
  response.setHeader('content-type', 'application/json');
  if (request.method === 'GET') {
    const token = new URL(request.url, 'http://localhost').searchParams.get('crc_token');
    response.end(JSON.stringify({ response_token: signed(token) }));
    return;
  }
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  if (same(request.headers['x-twitter-webhooks-signature'] ?? '', signed(body))) {
    received.push(JSON.parse(body));
  } else {
    response.statusCode = 403;
  }
  response.end();
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const url = `http://127.0.0.1:${server.address().port}/hook`;

async function call(method, path, body, token) {
  const headers = { 'content-type': 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  const answer = await fetch(emulator + path, { method, headers, body: body && JSON.stringify(body) });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.json();
}

// Whatever a run before has left is forgotten.
await call('POST', '/_emulator/reset', {});

// Register the webhook (the emulator challenges it) and subscribe user 7.
const { data: webhook } = await call('POST', '/2/webhooks', { url }, 'emulator-bearer');
const subscriptions = `/2/account_activity/webhooks/${webhook.id}/subscriptions/all`;
await call('POST', subscriptions, {}, '7-emulator-oauth2');

// Something happens; with `wait`, the answer comes when it was delivered.
const post = { kind: 'tweet_create_events', user_id: '7', payload: { text: 'hello' } };
let made = await call('POST', '/_emulator/events?wait=true', post);
assert.equal(received[0].tweet_create_events[0].text, 'hello');

// The emulator's ledger says what became of every event.
let ledger = await call('GET', `/_emulator/ledger?id=${made.events[0].id}`);
assert.equal(ledger.events[0].attempts[0].status, 200);

// A fault: the next delivery has a wrong signature, and the application must refuse it.
await call('POST', '/_emulator/faults', { action: { type: 'bad_signature' } });
made = await call('POST', '/_emulator/events?wait=true', { kind: 'favorite_events', user_id: '7' });
ledger = await call('GET', `/_emulator/ledger?id=${made.events[0].id}`);
assert.equal(ledger.events[0].attempts[0].status, 403);
assert.equal(received.length, 1);

server.close();
console.log('ok: 2 events, 1 received, 1 refused');
