// Shows the page anew each second, and turns its forms into calls of the control API.
'use strict';

const shown = document.getElementById('shown');
const contact = document.getElementById('contact');
const before = new Map();

// Puts new sections in the place of those that changed; what was opened stays open.
function place(html) {
  const fresh = new DOMParser().parseFromString(html, 'text/html');
  for (const section of fresh.querySelectorAll('section[id]')) {
    if (before.get(section.id) === section.innerHTML) continue;
    before.set(section.id, section.innerHTML);
    const old = document.getElementById(section.id);
    const open = new Set([...old.querySelectorAll('details[open]')].map((d) => d.dataset.key));
    for (const details of section.querySelectorAll('details')) {
      details.open = open.has(details.dataset.key);
    }
    const focused = old.contains(document.activeElement)
      ? document.activeElement.closest('details')?.dataset.key : undefined;
    old.replaceWith(document.adoptNode(section));
    if (focused) {
      section.querySelector(`details[data-key="${CSS.escape(focused)}"] summary`)?.focus();
    }
  }
}

let asking = false;
async function refresh() {
  if (asking || document.hidden) return;
  asking = true;
  try {
    const answer = await fetch('/_emulator/page');
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    place(await answer.text());
    contact.textContent = '';
  } catch (error) {
    contact.textContent = `The emulator does not answer (${error.message}); this is how things stood.`;
  }
  asking = false;
}

// Those of some fields that are shown and say something.
function given(form, names) {
  const said = {};
  for (const name of names) {
    const field = form.elements[name];
    const value = field.value.trim();
    if (field.closest('[hidden]') || value === '') continue;
    said[name] = field.type === 'number' ? Number(value) : value;
  }
  return said;
}

// Shows the parameters that the chosen action has. What it needs to match is opened.
function fit() {
  const form = document.getElementById('fault');
  const type = form.elements.type.value;
  for (const label of form.querySelectorAll('[data-for]')) {
    label.hidden = !label.dataset.for.split(' ').includes(type);
    for (const field of label.querySelectorAll('input')) field.disabled = label.hidden;
  }
  if (type === 'respond') form.querySelector('details').open = true;
}

// What a form asks for. A mistake in it is told by an Error.
function asked(form) {
  const field = (name) => form.elements[name].value;
  switch (form.id) {
    case 'send': {
      const ask = { kind: field('kind'), user_id: field('user_id'), count: Number(field('count')) };
      if (field('payload').trim()) ask.payload = JSON.parse(field('payload'));
      return ask;
    }
    case 'clock':
      return { advance_seconds: Number(field('advance_seconds')) };
    case 'fault': {
      const action = { type: field('type'), ...given(form, ['seconds', 'millis', 'status', 'form']) };
      const when = given(form, ['kind', 'user_id', 'webhook_id', 'cause', 'operation', 'check', 'nth',
        'probability']);
      return { match: when, action, times: Number(field('times')) };
    }
    case 'traffic':
      return { rate: Number(field('rate')), users: Number(field('users')) };
    default:
      return {};
  }
}

// What came of it, in a few words.
function told(form, answer) {
  switch (form.id) {
    case 'send': {
      const count = answer.events.length;
      return count ? `${count} event${count === 1 ? '' : 's'} for subscribed users`
        : 'nobody who is concerned is subscribed';
    }
    case 'fault': return `fault ${answer.id} is planned`;
    case 'traffic': return answer.rate ? `${answer.rate} acts per second` : 'ended';
    default: return 'done';
  }
}

async function submit(event) {
  event.preventDefault();
  const form = event.target;
  const output = form.querySelector('output');
  const button = form.querySelector('button');
  if (form.id === 'reset' && !confirm('Forget everything but the flags?')) return;
  button.disabled = true;
  output.className = '';
  output.textContent = '…';
  try {
    const answer = await fetch(`/_emulator/${form.dataset.call}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(asked(form)),
    });
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.error);
    output.textContent = told(form, body);
  } catch (error) {
    output.className = 'error';
    output.textContent = error.message;
  }
  button.disabled = false;
  refresh();
}

for (const section of shown.querySelectorAll('section[id]')) before.set(section.id, section.innerHTML);
for (const form of document.forms) form.addEventListener('submit', submit);
document.getElementById('fault').elements.type.addEventListener('change', fit);
fit();
document.addEventListener('visibilitychange', refresh);
setInterval(refresh, 1000);
