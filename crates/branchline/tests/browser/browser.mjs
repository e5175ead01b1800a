// What the scripts share: the browser, the way in, and the books behind.

import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.NODE_MODULES}/x.js`);
const { chromium } = require('playwright-core');
export const axeSource = require('node:fs').readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const { ADDRESS, SET_UP, PROGRAM, BOOKS } = process.env;
export const HOSTILE = JSON.parse(process.env.HOSTILE);
export const PASSWORD = 'seven lanterns over the quiet harbour';
export const WIDTHS = { wide: 1440, narrow: 390 };
export const THEMES = ['light', 'dark'];

/** Runs a command of the program on the same books and gives what it answers. */
export function branchline(...args) {
  const out = execFileSync(PROGRAM, ['--data', BOOKS, '--json', ...args], { encoding: 'utf8' });
  return JSON.parse(out);
}

/** Asks the wire API. */
export async function api(key, path, fields) {
  const answer = await fetch(`${ADDRESS}/api/${path}`, {
    method: 'POST',
    headers: { 'X-Api-Key': key, Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields),
  });
  return answer.json();
}

export async function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
}

/** What must never happen on any page, noted as it happens. */
export function watch(page, faults) {
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
    if (!request.url().startsWith(ADDRESS) && !request.url().startsWith('data:')) {
      faults.push(`${page.url()}: asks a foreign host: ${request.url()}`);
    }
  });
}

/** Uses the link of the first start. Gives the path it leads to: the first account's. */
export async function setUp(page, company = 'Nordlicht Media') {
  await page.goto(SET_UP);
  await page.fill('[name=company]', company);
  await page.fill('[name=name]', 'Jana Petersen');
  await page.fill('[name=email]', 'jana@example.com');
  for (const field of await page.locator('input[type=password]').all()) await field.fill(PASSWORD);
  await Promise.all([page.waitForURL(/\/(a\/\d+|accounts|me)/), page.locator('main form button[type=submit], form button[type=submit]').first().click()]);
  return new URL(page.url()).pathname;
}

/** Ends the script: says what was wrong, if anything was. */
export async function end(browser, faults, said) {
  await browser.close();
  for (const fault of faults.slice(0, 60)) console.error(fault);
  console.log(said);
  process.exit(faults.length ? 1 : 0);
}
