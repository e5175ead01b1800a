// Two hundred texts that would run if they were ever drawn as anything but text, in every field that takes
// free words; then every page that shows any of them. Nothing runs, nothing of them becomes an element or an
// attribute, they are there to be read as they were written, and no file holds a formula.

import { ADDRESS, PASSWORD, WIDTHS, api, branchline, csv, end, launch, mails, same, setPrices, setUp, watch, xlsx } from './browser.mjs';
import { STRINGS } from './strings.mjs';

const AT_ONCE = 4;
/** Which of the accounts has an owner who wants to be asked. */
const ASKED = 2;
const began = Date.now();
const faults = [];
const browser = await launch(faults);
const context = await browser.newContext({ viewport: { width: WIDTHS.wide, height: 900 } });

// Whatever runs comes here, and whatever the policy had to stop was an element or attribute that should not be.
await context.exposeFunction('struckBy', (where) => faults.push(`${where}: a text was run`));
await context.addInitScript(() => {
  window.struck = () => window.struckBy(location.href);
  addEventListener('securitypolicyviolation', (event) => window.struckBy(`${location.href} tried to (${event.violatedDirective}, ${event.sample})`));
});

/** What in a document was made by a text: nothing of the kind stands in any template. */
function strange(root, own) {
  const found = [];
  const here = document.createElement('a');
  const kept = new Set(['A', 'ABBR', 'ASIDE', 'BODY', 'BR', 'BUTTON', 'CAPTION', 'CODE', 'DATALIST', 'DD', 'DEL', 'DETAILS', 'DIALOG', 'DIV', 'DL', 'DT', 'FIELDSET', 'FIGCAPTION', 'FIGURE', 'FOOTER', 'FORM', 'H1', 'H2', 'H3', 'HEAD', 'HEADER', 'HR', 'HTML', 'IMG', 'INPUT', 'INS', 'LABEL', 'LEGEND', 'LI', 'LINK', 'MAIN', 'MARK', 'META', 'NAV', 'NOSCRIPT', 'OL', 'OPTION', 'P', 'PRE', 'PROGRESS', 'SCRIPT', 'SECTION', 'SELECT', 'SMALL', 'SPAN', 'STRONG', 'B', 'SUMMARY', 'TABLE', 'TBODY', 'TD', 'TEXTAREA', 'TFOOT', 'TH', 'THEAD', 'TIME', 'TITLE', 'TR', 'UL', 'svg', 'symbol', 'use', 'path', 'circle', 'ellipse', 'rect', 'line', 'g', 'text', 'title', 'desc', 'a']);
  for (const element of root.querySelectorAll('*')) {
    const name = element.tagName;
    if (!kept.has(name)) found.push(`a <${name}>`);
    if (name === 'SCRIPT' && (element.textContent || !element.getAttribute('src')?.startsWith('/static/'))) found.push('a script');
    if (name === 'META' && element.httpEquiv) found.push('a meta that acts');
    if (name === 'IMG' && !element.getAttribute('src').startsWith('data:image/png;')) found.push('an image');
    for (const { name: attribute, value } of element.attributes) {
      if (/^on|^style$|^srcdoc$|^is$/i.test(attribute)) found.push(`${name} ${attribute}`);
      if (/^(href|xlink:href|src|action|formaction|background|data-ask|data-preview|data-events)$/.test(attribute)) {
        here.href = value;
        const leads = here.origin === own || value.startsWith('data:image/png;') || /^(mailto|otpauth):/.test(value) || value === '/docs';
        if (!leads) found.push(`${name} ${attribute}=${value}`);
      }
    }
  }
  return found;
}

/** A text as a page shows it: with one space for any white space. */
const plain = (text) => text.replace(/[\s\u00a0\ufeff\u2028\u2029]+/g, ' ').trim();

/** Opens a page as a person would, looks for what should not be there, and for the texts that should. */
async function visit(page, path, texts = []) {
  await page.goto(path.startsWith('http') ? path : ADDRESS + path);
  await look(page, path, texts);
}

async function look(page, path, texts = []) {
  const found = await page.evaluate(`(${strange})(document, ${JSON.stringify(ADDRESS)})`);
  if (found.length) faults.push(`${path}: ${[...new Set(found)].slice(0, 4)}`);
  if (!texts.length) return;
  const shown = plain(await page.evaluate(() => [document.body.textContent, ...[...document.querySelectorAll('input, textarea, option')].map((field) => field.value)].join('\n')));
  const missing = texts.map(plain).filter((text) => !shown.includes(text));
  if (missing.length) faults.push(`${path}: not shown as it was written: ${missing.slice(0, 3).join(' | ')} (${missing.length} of ${texts.length})`);
}

/** Several at once, in order of the list. */
async function each(list, act) {
  const waiting = [...list.entries()];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await act(next[1], next[0]);
  }));
}

const page = await context.newPage();
watch(page, faults);
const home = await setUp(page, STRINGS[0]);
const main = Number(home.match(/\d+/)[0]);

/** Sends a form, as the page that has it would. */
async function post(path, form, wanted = 303) {
  const answer = await context.request.post(ADDRESS + path, { form, maxRedirects: 0, headers: { Origin: ADDRESS } });
  if (answer.status() !== wanted) faults.push(`${path} answers ${answer.status()} to ${JSON.stringify(form).slice(0, 200)}`);
  return answer;
}

await branchline('credits', 'grant', '--account', main, '--amount', '500.00', '--reason', STRINGS[1]);
await setPrices();
const { key } = await branchline('key', 'create', '--account', main, '--label', STRINGS[2], '--subaccount-access');

// Companies and owners, by the file they are imported from. What surrounds a text in white space is cut off there.
const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
const rows = STRINGS.map((text, i) => [`c${i}@example.com`, quoted(text), quoted(text), i === ASKED ? 'customer' : 'department', '1.00', i === ASKED ? 'yes' : 'no']);
await page.goto(`${ADDRESS}/a/${main}/subaccounts/import`);
await page.fill('[name=rows]', ['email,owner,company,preset,credits,invite', ...rows.map((row) => row.join())].join('\n'));
await page.getByRole('button', { name: 'Check it' }).click();
await page.getByRole('heading', { name: 'Check the import' }).waitFor();
await look(page, 'what an import would do', STRINGS);
await page.getByRole('button', { name: /^Create \d+/ }).click();
await page.getByText(`${STRINGS.length} of ${STRINGS.length} lines became accounts.`).waitFor({ timeout: 60_000 });
await look(page, 'what an import did', STRINGS);
const { accounts } = await branchline('account', 'list');
const children = STRINGS.map((_, i) => accounts.find((account) => account.email === `c${i}@example.com`).id);

// Messages, and calls that are refused with what they brought.
await each(STRINGS, (text, i) => api(key, 'sms', { to: `+491522881${7000 + i}`, from: 'Nordlicht', text }));
await each(STRINGS, (text, i) => api(key, 'sms', { to: '+4915228817999', from: 'Nordlicht', text: 'so that statistics name it' }, children[i]));
await each(STRINGS, (text) => api(key, 'sms', { to: text, from: text, text, label: text, foreign_id: text }));

// An owner who wants to be asked, with a name of the kind.
const theirs = await browser.newContext();
const link = async (to) => {
  for (;;) {
    const found = mails().filter((one) => one.to.includes(to)).pop();
    if (found) return found.plain.match(/http\S+\/invitation\/\S+/)[0];
    await new Promise((done) => setTimeout(done, 100));
  }
};
const owner = await theirs.newPage();
watch(owner, faults);
await owner.goto(await link(`c${ASKED}@example.com`));
await look(owner, 'an invitation', [STRINGS[ASKED]]);
await owner.fill('[name=name]', STRINGS[3]);
await owner.fill('[name=password]', PASSWORD);
await owner.getByRole('button', { name: 'Accept' }).click();
await owner.waitForURL(/\/a\/\d+$/);

// Somebody with each name does something with each text. What belongs together is done one after the other.
const [visited, asked] = [children[0], children[ASKED]];
for (const [i, text] of STRINGS.entries()) {
  const child = `/a/${main}/subaccounts/${children[i]}`;
  await post('/me', { name: text.replace(/[\t\n]/g, ' ').trim(), language: '' });
  await post(`/a/${main}/keys/new`, { label: text, kind: 'live', lasts: '', reach: 'all' }, 200);
  await post(`${child}/credits/hand-out`, { out_amount: '0.01', out_reference: text });
  await post(`/a/${main}/settings`, { company: text, owner: text, time_zone: 'UTC' });
  await post(`/a/${main}/members/invite`, { email: `m${i}@example.com`, role: 'analyst' });
  await post(`/a/${visited}/step-in`, { reason: text });
  await post(`/a/${visited}/step-out`, {});
  await post(`/a/${asked}/step-in/break-glass`, { 'glass-reason': text });
  await post(`/a/${asked}/step-out`, {});
  // The page of questions shows the newest of them.
  if (i % 40 === 39 || i === STRINGS.length - 1) await visit(owner, `/a/${asked}/access`, STRINGS.slice(i - i % 40, i + 1));
  if (i % 2) await post(`${child}/suspend`, { reason: text });
  else if (i !== ASKED && i > 0) await post(`${child}/close`, { reason: text, number: String(children[i]) });
}

/** Opens a list page by page and wants each of the texts on one of them. */
async function through(page, path, texts) {
  let shown = '';
  for (let next = path; next; next = (await page.$$eval('a[rel=next]', (all) => all.map((a) => a.getAttribute('href'))))[0]) {
    await visit(page, next);
    shown += plain(await page.evaluate(() => document.body.textContent));
  }
  const missing = texts.map(plain).filter((text) => !shown.includes(text));
  if (missing.length) faults.push(`${path}: not shown as it was written: ${missing.slice(0, 3).join(' | ')} (${missing.length})`);
}

// What shows many of them, then what shows one.
await post(`/a/${visited}/step-in`, { reason: 'to look' });
const lists = [
  [`/a/${main}/subaccounts`, STRINGS], [`/a/${main}/keys`, STRINGS], [`/a/${main}/members`, STRINGS], [`/a/${main}/messages`, STRINGS],
  [`/a/${main}/credits`, STRINGS], [`/a/${main}/audit`, STRINGS], [`/a/${main}/requests`, []], [`/a/${visited}/access`, STRINGS],
  [`/a/${visited}/audit`, STRINGS], ['/operator/mails', []], ['/operator/trees', []], ['/operator', []], ['/accounts', []], ['/me/sessions', []], [home, []],
  [`/a/${main}/statistics?by=subaccount&compare=before`, []], [`/a/${main}/statistics?part=subaccount&measure=cost`, []],
];
const pages = await Promise.all(Array.from({ length: AT_ONCE }, () => context.newPage()));
pages.forEach((one) => watch(one, faults));
const free = [...pages];
const withPage = async (act) => {
  const one = free.pop();
  await act(one).finally(() => free.push(one));
};
await each(lists, ([path, texts]) => withPage((one) => through(one, path, texts)));
await each(STRINGS, (text, i) => withPage((one) => visit(one, `/a/${main}/subaccounts/${children[i]}${['', '', '/credits', '/access', '/close', '/members', '/limits', '/prices'][i % 8]}`, [text])));
const found = await page.goto(`${ADDRESS}/a/${main}/messages`).then(() => page.$$eval('.journal .cell-name a', (all) => all.map((a) => a.getAttribute('href'))));
const calls = await page.goto(`${ADDRESS}/a/${main}/requests`).then(() => page.$$eval('#log .table a', (all) => all.map((a) => a.getAttribute('href'))));
const letters = await page.goto(`${ADDRESS}/operator/mails`).then(() => page.$$eval('#mails .table a', (all) => all.map((a) => a.getAttribute('href'))));
await each([...found, ...calls, ...letters].filter((_, i) => i % 3 === 0), (path) => withPage((one) => visit(one, path)));

// What stands in an address or a form comes back on the page.
const echoes = [
  (t) => `/a/${main}/messages?recipient=${t}&state=${t}&from=${t}&to=${t}&sender=${t}&label=${t}&country=${t}`,
  (t) => `/a/${main}/statistics?from=${t}&to=${t}&label=${t}&sender=${t}&country=${t}&by=${t}&part=${t}&compare=${t}&measure=${t}&range=${t}`,
  (t) => `/a/${main}/subaccounts?q=${t}&state=${t}&sort=${t}`, (t) => `/accounts?q=${t}`, (t) => `/a/${main}/audit?about=${t}&who=${t}&from=${t}&to=${t}`,
  (t) => `/a/${main}/requests?part=${t}&code=${t}&failed=${t}`, (t) => `/operator/trees?q=${t}&open=${t}`, (t) => `/operator/mails?state=${t}`,
  (t) => `/a/${main}/credits?from=${t}&to=${t}&kind=${t}`, (t) => `/a/${children[5]}/step-in?next=${t}&reason=${t}`, (t) => `/a/${main}/send?recipients=${t}&text=${t}&sender=${t}&label=${t}&at=${t}&class=${t}`,
  (t) => `/a/${main}/subaccounts/new?kind=${t}&company=${t}`, (t) => `/${t}`, (t) => `/a/${t}/keys`, (t) => `/invitation/${t}`, (t) => `/reset/${t}`, (t) => `/sign-in/provider?error=${t}&state=${t}&code=${t}`, (t) => `/a/${main}/subaccounts/transfer?id=${t}`,
];
await each(STRINGS, (text, i) => withPage((one) => visit(one, echoes[i % echoes.length](encodeURIComponent(text)))));
const nobody = await (await browser.newContext()).newPage();
watch(nobody, faults);
for (const text of STRINGS.filter((_, i) => i % 10 === 0)) await visit(nobody, `/sign-in?next=${encodeURIComponent(text)}&email=${encodeURIComponent(text)}`, [text]);

/** A page that was answered to a form is looked at without being opened. */
async function inspect(html, what, texts = []) {
  const found = await page.evaluate(`(${strange})(new DOMParser().parseFromString(${JSON.stringify(html)}, 'text/html'), ${JSON.stringify(ADDRESS)})`);
  if (found.length) faults.push(`${what}: ${[...new Set(found)].slice(0, 4)}`);
  const shown = plain(await page.evaluate((html) => { const read = new DOMParser().parseFromString(html, 'text/html'); return [read.body.textContent, ...[...read.querySelectorAll('input')].map((field) => field.getAttribute('value'))].join('\n'); }, html));
  const missing = texts.map(plain).filter((text) => !shown.includes(text));
  if (missing.length) faults.push(`${what}: not shown as it was written: ${missing}`);
}
const forms = [
  (t) => [`/a/${main}/send`, { act: 'check', recipients: t, text: t, sender: t, label: t, at: t, class: t, once: t, seen: t }],
  (t) => [`/a/${main}/subaccounts/new`, { kind: t, company: t, owner: t, email: t, credits: t, threshold: t, amount: t, day_max: t, month_max: t, once: t }],
  (t) => [`/a/${main}/credits/transfer`, { way: t, to: t, amount: t, reference: t, once: t }],
  (t) => [`/a/${main}/settings`, { company: t, owner: '', time_zone: t, language: t, default_sender: t, default_country: t, text_days: t, number_days: t, recipient_day_max: t }],
  (t) => [`/a/${main}/keys/new`, { label: t, kind: t, lasts: t }], (t) => [`/a/${main}/members/invite`, { email: t, role: t }],
  (t) => [`/a/${main}/subaccounts/${children[0]}/credits/automatic`, { threshold: t, amount: t, day_max: t, month_max: t }],
];
await each(STRINGS, async (text, i) => {
  const [path, form] = forms[i % forms.length](text);
  const answer = await context.request.post(ADDRESS + path, { form, maxRedirects: 0 });
  await inspect(await answer.text(), `${path}, sent with ${text}`, [text]);
  if (answer.status() >= 500) faults.push(`${path} answers ${answer.status()} to ${text}`);
});

// The name of a passkey, which only its owner sees.
const debug = await context.newCDPSession(page);
await debug.send('WebAuthn.enable');
await debug.send('WebAuthn.addVirtualAuthenticator', { options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });
// Nobody makes a passkey in a window behind others.
await page.bringToFront();
await page.goto(`${ADDRESS}/me/passkeys/new`);
await page.fill('[name=label]', 'first');
await page.fill('[name=password]', PASSWORD);
await page.getByRole('button', { name: 'Create the passkey' }).click();
await page.getByText('Recovery codes').first().waitFor();
await visit(page, '/me/security');
const rename = await page.locator('form[action*="/rename"]').getAttribute('action');
for (const text of STRINGS.filter((one) => [...one].length <= 60)) {
  await post(rename, { label: text });
  await inspect(await (await context.request.get(`${ADDRESS}/me/security`)).text(), '/me/security', [text]);
}

// Mails are read by programs that have no policy of ours.
const letter = await (await browser.newContext({ offline: true })).newPage();
await letter.exposeFunction('struck', () => faults.push('a text was run in a mail'));
const kept = mails();
if (kept.length < STRINGS.length) faults.push(`only ${kept.length} mails`);
for (const { to, html } of kept.filter((_, i) => i % 2 === 0)) {
  await letter.setContent(html ?? '', { waitUntil: 'commit' });
  const acts = await letter.evaluate((own) => [...document.querySelectorAll('*')].flatMap((element) => [...element.attributes].filter(({ name, value }) => /^on/i.test(name) || (/^(href|src)$/.test(name) && !value.startsWith(own))).map(({ name, value }) => `${element.tagName} ${name}=${value}`)).concat([...document.querySelectorAll('script, iframe, object, embed, form, base')].map((element) => element.tagName)), ADDRESS);
  if (acts.length) faults.push(`the mail to ${to}: ${acts.slice(0, 3)}`);
}

// No file holds a formula, and the texts are in them all the same.
const cellsOf = {
  [`/a/${main}/audit.csv`]: true, [`/a/${main}/messages/export.csv`]: true, [`/a/${main}/credits/statement.csv`]: true, [`/a/${main}/statistics/table.csv?by=subaccount`]: true, [`/a/${main}/statistics/table.xlsx?by=subaccount`]: false,
};
for (const [path, isCsv] of Object.entries(cellsOf)) {
  const octets = await (await context.request.get(ADDRESS + path)).body();
  const cells = (isCsv ? csv(octets.toString('utf8')) : xlsx(octets)).flat();
  // A workbook knows that a text is one. In CSV a sign begins a number or a formula.
  const acts = cells.filter((cell) => isCsv && /^[\s\ufeff\u00a0]*[=+\-@\t\r|%＝＋－＠]/.test(cell) && !/^[+-]?\d+(\.\d+)?$/.test(cell));
  if (acts.length) faults.push(`${path}: ${acts.slice(0, 3)}`);
  const all = plain(cells.join('\n'));
  // No key from above sends in the account that wants to be asked, so no statistics name it.
  const wanted = STRINGS.filter((_, i) => !path.includes('statistics') || i !== ASKED);
  const missing = wanted.map(plain).filter((text) => !all.includes(text));
  if (missing.length) faults.push(`${path}: not as it was written: ${missing.slice(0, 3).join(' | ')} (${missing.length})`);
}

const { ok } = await branchline('check');
if (!ok) faults.push('the books do not agree after all of this');
await end(browser, faults, `${STRINGS.length} texts, ${kept.length} mails, ${((Date.now() - began) / 1000).toFixed(0)} s`);
