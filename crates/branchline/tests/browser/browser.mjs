// What the scripts share: the browser, the way in, the hands and eyes of a person, and the books behind.

import { execFile } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { inflateRawSync } from 'node:zlib';

const require = createRequire(`${process.env.NODE_MODULES}/x.js`);
const { chromium } = require('playwright-core');
export const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const { ADDRESS, SET_UP, PROVIDER } = process.env;
const { PROGRAM, FOLDER } = process.env;
export const PASSWORD = 'seven lanterns over the quiet harbour';
export const WIDTHS = { wide: 1440, narrow: 390 };
export const THEMES = ['light', 'dark'];
/** How long a person would wait for what they expect to see. */
const PATIENCE = 15_000;

/** Runs a command of the program on the same books and gives what it answers. */
export async function branchline(...args) {
  const { stdout } = await promisify(execFile)(PROGRAM, ['--json', ...args.map(String)], { cwd: FOLDER, encoding: 'utf8' });
  return JSON.parse(stdout);
}

/** Asks the wire API, in an account below when one is named. */
export async function api(key, path, fields, account) {
  const headers = { 'X-Api-Key': key, Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded' };
  if (account) headers['X-Account-Id'] = String(account);
  const answer = await fetch(`${ADDRESS}/api/${path}`, { method: 'POST', headers, body: new URLSearchParams(fields) });
  return answer.json();
}

/** Starts the browser. When the script breaks, what was wrong before is said, too. */
export async function launch(faults) {
  process.on('uncaughtException', (error) => {
    for (const fault of [...faults.slice(0, 60), error.stack]) console.error(fault);
    process.exit(1);
  });
  return chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
}

/** What must never happen on any page, noted as it happens. */
export function watch(page, faults, others = []) {
  page.setDefaultTimeout(PATIENCE);
  page.on('dialog', (dialog) => {
    faults.push(`${page.url()}: a dialog opened: ${dialog.message()}`);
    dialog.dismiss().catch(() => {});
  });
  page.on('pageerror', (error) => faults.push(`${page.url()}: ${error.message}`));
  page.on('console', (message) => {
    const text = message.text();
    // The browser says so of every answer with such a status, and some pages are asked for to get one.
    if (message.type() === 'error' && !/status of 4\d\d/.test(text)) faults.push(`${page.url()}: ${text}`);
  });
  page.on('request', (request) => {
    if (![ADDRESS, 'data:', 'blob:', ...others].some((own) => request.url().startsWith(own))) {
      faults.push(`${page.url()}: asks a foreign host: ${request.url()}`);
    }
  });
}

/** What the operator of the machine does first: prices, without which nothing is sent. */
export async function setPrices() {
  const file = `${FOLDER}/prices.csv`;
  writeFileSync(file, 'country,price\nDE,0.075\nFR,0.12\n*,0.20\n');
  await branchline('prices', 'import', file);
}

/** Uses the link of the first start. Gives the path it leads to: the first account's. */
export async function setUp(page, company = 'Nordlicht Media') {
  await page.goto(SET_UP);
  await page.fill('[name=company]', company);
  await page.fill('[name=name]', 'Jana Petersen');
  await page.fill('[name=email]', 'jana@example.com');
  await page.fill('[name=password]', PASSWORD);
  await press(page, 'Set it up');
  await page.waitForURL(/\/a\/\d+$/);
  return new URL(page.url()).pathname;
}

// --- A person's eyes -----------------------------------------------------------------------------------

/** Waits until all of these texts can be seen on the page. */
export async function see(page, ...texts) {
  for (const text of texts) {
    await page.getByText(text).filter({ visible: true }).first().waitFor().catch(async () => {
      throw new Error(`"${text}" is not to be seen on ${page.url()}:\n${(await page.locator('body').innerText()).slice(0, 1500)}`);
    });
  }
}

/** None of these can be seen. What was seen before has had its time. */
export async function seeNot(page, ...texts) {
  for (const text of texts) {
    if (await page.getByText(text).filter({ visible: true }).count()) throw new Error(`"${text}" is to be seen on ${page.url()}`);
  }
}

/** The words of the first element that fits. */
export async function words(page, selector) {
  return (await page.locator(selector).first().innerText()).replace(/\s+/g, ' ').trim();
}

export function same(got, wanted, what) {
  const [a, b] = [got, wanted].map((it) => JSON.stringify(it));
  if (a !== b) throw new Error(`${what}: ${a}, not ${b}`);
}

// --- A person's hands ----------------------------------------------------------------------------------

/** Presses a button. */
export async function press(page, name, within = page) {
  await within.getByRole('button', { name }).filter({ visible: true }).first().click();
}

/** Follows a link. */
export async function follow(page, name, within = page.locator('main')) {
  await within.getByRole('link', { name }).filter({ visible: true }).first().click();
}

/** Fills a field by what stands beside it. */
export async function fill(page, label, value, within = page) {
  await within.getByLabel(label).filter({ visible: true }).first().fill(value);
}

/** Goes to a page by the menu, which is folded away on a narrow screen. */
export async function menu(page, name) {
  const folded = page.getByRole('button', { name: 'Menu', exact: true });
  if (await folded.isVisible()) await folded.click();
  await page.locator('#navigation').getByRole('link', { name }).first().click();
  await page.waitForLoadState();
}

/** Presses Tab until the focus is where it is wanted, as somebody without a mouse does. */
export async function tabTo(page, locator, back = false) {
  for (let i = 0; i < 80; i += 1) {
    if (await locator.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press(back ? 'Shift+Tab' : 'Tab');
  }
  throw new Error(`the keyboard does not reach ${locator} on ${page.url()}`);
}

// --- What is kept and given out ------------------------------------------------------------------------

/** The mails that were kept, as they would have been sent; the newest last. */
export function mails() {
  const folder = `${FOLDER}/branchline-data/mails`;
  let names = [];
  try { names = readdirSync(folder).filter((name) => !name.startsWith('.')); } catch { /* none yet */ }
  const number = (name) => Number(name.split('-')[1]);
  return names.sort((a, b) => number(a) - number(b)).map((name) => read(readFileSync(`${folder}/${name}`, 'utf8')));
}

/** A mail's address and its two bodies. */
function read(text) {
  const head = (name) => text.match(new RegExp(`^${name}: (.*)$`, 'im'))?.[1].trim() ?? '';
  const parts = text.split(`--${text.match(/boundary="([^"]+)"/)[1]}`).slice(1, -1).map((part) => {
    const [, heads, body] = part.match(/^\r?\n([\s\S]*?)\r?\n\r?\n([\s\S]*)$/) ?? [null, '', ''];
    const octets = /base64/i.test(heads) ? Buffer.from(body, 'base64')
      : /quoted-printable/i.test(heads) ? Buffer.from(body.replace(/=\r?\n/g, '').replace(/=([0-9A-F]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16))), 'latin1')
        : Buffer.from(body, 'utf8');
    return [/text\/html/i.test(heads) ? 'html' : 'plain', octets.toString('utf8')];
  });
  return { to: head('To'), ...Object.fromEntries(parts) };
}

/** Waits for the newest mail to somebody that says this, and gives its text. */
export async function mail(to, words) {
  for (let i = 0; i < PATIENCE / 100; i += 1) {
    const found = mails().filter((one) => one.to.includes(to) && one.plain?.includes(words)).pop();
    if (found) return found.plain;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`no mail to ${to} says "${words}"; there are ${JSON.stringify(mails().map((one) => [one.to, one.plain?.slice(0, 80)]))}`);
}

/** Lines of CSV as lists of cells. */
export function csv(text) {
  const rows = [[]];
  const cells = /("(?:[^"]|"")*"|[^,\r\n]*)(,|\r?\n|$)/g;
  for (let found; (found = cells.exec(text)) && found[0];) {
    rows.at(-1).push(found[1].startsWith('"') ? found[1].slice(1, -1).replaceAll('""', '"') : found[1]);
    if (found[2] !== ',') rows.push([]);
  }
  return rows.filter((row) => row.length);
}

/** The files in a ZIP. */
function unzip(octets) {
  const files = {};
  let at = octets.readUInt32LE(octets.lastIndexOf('PK\x05\x06', undefined, 'latin1') + 16);
  while (octets.readUInt32LE(at) === 0x02014b50) {
    const [method, size, name, extra, note, local] = [[10, 16], [20, 32], [28, 16], [30, 16], [32, 16], [42, 32]]
      .map(([place, bits]) => (bits === 16 ? octets.readUInt16LE(at + place) : octets.readUInt32LE(at + place)));
    const from = local + 30 + octets.readUInt16LE(local + 26) + octets.readUInt16LE(local + 28);
    const packed = octets.subarray(from, from + size);
    files[octets.toString('utf8', at + 46, at + 46 + name)] = (method ? inflateRawSync(packed) : packed).toString('utf8');
    at += 46 + name + extra + note;
  }
  return files;
}

/** The first sheet of a workbook: lists of texts and numbers. A formula in it is an error. */
export function xlsx(octets) {
  const files = unzip(octets);
  const plain = (text) => text.replace(/&(lt|gt|quot|apos|amp|#(\d+)|#x([0-9a-f]+));/gi, (_, word, ten, hex) =>
    (ten || hex ? String.fromCodePoint(parseInt(ten ?? hex, ten ? 10 : 16)) : { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }[word]));
  const texts = [...(files['xl/sharedStrings.xml'] ?? '').matchAll(/<si>([\s\S]*?)<\/si>/g)]
    .map(([, text]) => plain([...text.matchAll(/<t[^>]*>([\s\S]*?)<\/t>/g)].map((part) => part[1]).join('')));
  const sheet = files['xl/worksheets/sheet1.xml'];
  if (/<f[ >]/.test(sheet)) throw new Error('the workbook holds a formula');
  return [...sheet.matchAll(/<row [^>]*>([\s\S]*?)<\/row>/g)].map(([, row]) => {
    const cells = [];
    for (const [, column, kind, value] of row.matchAll(/<c r="([A-Z]+)\d+"[^>]*?(?: t="(\w+)")?>(?:<v>([^<]*)<\/v>)?/g)) {
      const place = [...column].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0) - 1;
      cells[place] = kind === 's' ? texts[value] : Number(value);
    }
    return cells;
  });
}

/** Ends the script: says what was wrong, if anything was. */
export async function end(browser, faults, said) {
  await browser.close();
  for (const fault of faults.slice(0, 60)) console.error(fault);
  console.log(said);
  process.exit(faults.length ? 1 : 0);
}
