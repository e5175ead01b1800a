// Every page that can be reached by links, in both widths and both themes: nothing is asked of another host,
// nothing is wider than the screen, axe-core finds nothing serious, the headers are there, and no page is heavy.

import { ADDRESS, THEMES, WIDTHS, api, axeSource, branchline, end, launch, setPrices, setUp, watch } from './browser.mjs';

const HEAVY = 150 * 1024;
const PAGES_MAX = 140;
/** Words that a page may not expect: markup, marks of direction, no place to break, more than there is room for. */
const AWKWARD = [
  '<script>window.struck=1</script>', '"><img src=x onerror=window.struck=1>', "'-window.struck-'", '</title><svg onload=window.struck=1>',
  '{{7*7}}${7*7}<%= 7*7 %>', 'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft '.repeat(2).trim(), 'مكتب الرسائل القصيرة في برلين',
  '\u202egnol si eman siht\u202c', '株式会社とても長い名前の会社でありますので折り返しが必要です',
];
const faults = [];

const browser = await launch(faults);
const context = await browser.newContext({ viewport: { width: WIDTHS.wide, height: 900 } });
const first = await context.newPage();
watch(first, faults);
const home = await setUp(first, AWKWARD[0]);
const account = Number(home.match(/\/a\/(\d+)/)?.[1] ?? (await branchline('account', 'list')).accounts[0].id);

// Awkward words in every free text.
await branchline('credits', 'grant', '--account', account, '--amount', '200.00', '--reason', AWKWARD[1]);
const children = [];
for (const [i, words] of AWKWARD.entries()) {
  children.push((await branchline('account', 'create', '--company', words, '--email', `child${i}@example.com`, '--name', words, '--parent', account)).id);
}
await branchline('credits', 'transfer', '--from', account, '--to', children[0], '--amount', '5.00', '--reference', AWKWARD[3]);
await branchline('account', 'suspend', children[1], '--reason', AWKWARD[1]);
await setPrices();
const { key } = await branchline('key', 'create', '--account', account, '--label', AWKWARD[0], '--subaccount-access');
for (const [i, words] of AWKWARD.entries()) {
  await api(key, 'sms', { to: `+49152288173${10 + i}`, from: 'Nordlicht', text: `${words} ${i}`, label: `spring-${i}`, foreign_id: `x${i}` });
}
await api(key, 'sms', { to: '+4915228817386', from: 'Nordlicht', text: AWKWARD.join(' '), delay: '2027-12-01 10:00' });
await api('wrong', 'balance', {});

// Which pages there are: whatever links lead to, each shape of a path once.
const shape = (path) => path.replace(/\/\d+/g, (id) => (id === `/${account}` ? id : '/{}')).split('?')[0];
const waiting = [home, '/', '/me', '/accounts', `/a/${account}`, '/operator'];
const seen = new Map();
while (waiting.length && seen.size < PAGES_MAX) {
  const path = waiting.shift();
  if (seen.has(shape(path))) continue;
  seen.set(shape(path), path);
  const answer = await first.goto(ADDRESS + path).catch((error) => {
    // A file to keep is no page.
    if (!/ERR_ABORTED|Download/.test(error.message)) faults.push(`${path}: ${error.message}`);
  });
  if (!answer) { seen.delete(shape(path)); continue; }
  if (answer.status() >= 400) faults.push(`${path}: a link leads to ${answer.status()}`);
  if (!/text\/html/.test(answer.headers()['content-type'] ?? '')) { seen.delete(shape(path)); continue; }
  const links = await first.$$eval('a[href]', (all) => all.map((a) => a.getAttribute('href')));
  for (const link of links) {
    const url = new URL(link, first.url());
    if (url.origin === ADDRESS && !/\.(csv|xlsx|svg|png)$|^\/(static|docs|api|v1)\b/.test(url.pathname)) waiting.push(url.pathname + url.search);
  }
}
seen.set('/nothing-here', '/nothing-here');
const state = await context.storageState();
await context.close();

const HEADERS = { 'content-security-policy': /default-src 'none'.*frame-ancestors 'none'/, 'x-content-type-options': /nosniff/, 'referrer-policy': /./, 'cross-origin-opener-policy': /same-origin/, 'cache-control': /no-store/ };

for (const theme of THEMES) {
  for (const [name, width] of Object.entries(WIDTHS)) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: theme, storageState: state });
    const page = await context.newPage();
    watch(page, faults);
    for (const path of seen.values()) {
      const answer = await page.goto(ADDRESS + path);
      const where = `${path} (${theme}, ${name})`;
      if (answer.status() >= 500) faults.push(`${where}: ${answer.status()}`);
      const headers = answer.headers();
      for (const [header, wanted] of Object.entries(HEADERS)) {
        if (!wanted.test(headers[header] ?? '')) faults.push(`${where}: ${header} is ${headers[header]}`);
      }
      if (/unsafe-inline|unsafe-eval/.test(headers['content-security-policy'] ?? '')) faults.push(`${where}: an unsafe policy`);
      const weight = await page.evaluate(() => performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation')).reduce((sum, e) => sum + (e.encodedBodySize || 0), 0));
      if (weight > HEAVY) faults.push(`${where}: weighs ${weight} bytes`);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wider > 0) faults.push(`${where}: is ${wider} px wider than the screen`);
      if (await page.evaluate(() => window.struck)) faults.push(`${where}: a text was run`);
      // By the debugger's way, which no policy of the page forbids.
      await page.evaluate(axeSource);
      const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
      for (const violation of violations.filter((v) => ['serious', 'critical'].includes(v.impact))) {
        faults.push(`${where}: ${violation.id}: ${violation.nodes.slice(0, 2).map((n) => n.target.join(' ')).join(' | ')}`);
      }
    }
    await context.close();
  }
}
await end(browser, faults, `${seen.size} pages: ${[...seen.keys()].join(' ')}`);
