// What people come for, done as they do it, at the width that WIDTH names. Each way begins on a page and goes
// on by what can be seen and pressed there; what is asserted is what a person would see at the end of it.

import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ADDRESS, PASSWORD, PROVIDER, SET_UP, WIDTHS, api, branchline, csv, end, fill, follow, launch, mail, menu, press, same, see, seeNot, setPrices, setUp, tabTo, watch, words, xlsx } from './browser.mjs';
import { provide } from './provider.mjs';

const AT_ONCE = 3;
const viewport = { width: WIDTHS[process.env.WIDTH], height: 900 };
const faults = [];
const browser = await launch(faults);
const otto = { sub: 'o-1', email: 'otto@example.com', name: 'Otto Wind' };
await provide(PROVIDER, `${ADDRESS}/sign-in/provider`, otto);

/** Somebody's browser, with its session if they have one. */
async function person(storageState) {
  const context = await browser.newContext({ viewport, storageState, acceptDownloads: true });
  const page = await context.newPage();
  watch(page, faults, [PROVIDER]);
  return page;
}

// The first way is the one all others begin after.
const began = Date.now();
const first = await person();
await first.goto(SET_UP);
await see(first, 'Set up Branchline', 'You become the owner of the main account and the operator of this installation.');
await fill(first, 'Company', 'Nordlicht Media');
await fill(first, 'Your name', 'Jana Petersen');
await fill(first, 'Your e-mail', 'jana@example.com');
await fill(first, 'Password', 'too short');
await press(first, 'Set it up');
await see(first, 'One field needs another look.', /has 9 characters; use at least 15/);
same(await first.getByLabel('Company').inputValue(), 'Nordlicht Media', 'what was typed is still there');
const home = await setUp(first);
const main = Number(home.match(/\d+/)[0]);
await see(first, 'Overview', 'No messages yet');
await first.goto(SET_UP);
await see(first, /This link does not work any more/);
const jana = await first.context().storageState();
await branchline('credits', 'grant', '--account', main, '--amount', '500.00', '--reason', 'the first payment');
await setPrices();
const { key } = await branchline('key', 'create', '--account', main, '--label', 'journeys', '--subaccount-access');

/** Creates a subaccount on the page that is for it, and gives its number. */
async function create(page, name, mailbox, { kind = 'A department', credits, invite = false } = {}) {
  await page.goto(`${ADDRESS}/a/${main}/subaccounts/new`);
  await page.getByRole('radio', { name: new RegExp(`^${kind}`) }).check();
  await fill(page, 'Company or branch', name);
  await fill(page, "Its owner's name", 'Olga Owner');
  await fill(page, 'Its e-mail address', `${mailbox}@example.com`);
  await page.getByLabel('Invite this address to be its owner').setChecked(invite);
  if (credits) await fill(page, 'Credits to begin with', credits);
  await press(page, 'Create the subaccount');
  await see(page, new RegExp(`${name} is created`));
  return Number(page.url().match(/subaccounts\/(\d+)/)[1]);
}

/** Follows the link of an invitation and makes a login. */
async function join(mailbox, name) {
  const page = await person();
  await page.goto((await mail(`${mailbox}@example.com`, '/invitation/')).match(/http\S+\/invitation\/\S+/)[0]);
  await see(page, /^Join /);
  await fill(page, 'Your name', name);
  await fill(page, 'Password', PASSWORD);
  await press(page, 'Accept');
  await page.waitForURL(/\/a\/\d+$/);
  return page;
}

/** Invites somebody to the main account by the page for it. */
async function invite(page, mailbox, role) {
  await page.goto(`${ADDRESS}/a/${main}/members`);
  await follow(page, 'Invite');
  await fill(page, 'E-mail', `${mailbox}@example.com`);
  await page.getByRole('radio', { name: role }).check();
  await press(page, 'Send the invitation');
  await see(page, `${mailbox}@example.com`);
}

async function signOut(page) {
  const folded = page.getByRole('button', { name: 'Menu', exact: true });
  if (await folded.isVisible()) await folded.click();
  await press(page, /Profile, theme, sign out/);
  await press(page, 'Sign out', page.locator('#me-menu'));
  await see(page, 'You have signed out.');
}

async function showPassword(page, email) {
  await fill(page, 'E-mail', email);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await press(page, 'Sign in');
}

/** What an app shows for a secret, so many steps of 30 seconds from now. */
function totp(secret, ahead = 0) {
  const bits = [...secret.replace(/\s/g, '')].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((octet) => parseInt(octet, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + ahead));
  const hash = createHmac('sha1', key).update(step).digest();
  return String((hash.readUInt32BE(hash.at(-1) & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

const ways = {
  async 'a subaccount from a preset, by the keyboard alone'(page) {
    await page.goto(ADDRESS + home);
    const folded = page.getByRole('button', { name: 'Menu', exact: true });
    if (await folded.isVisible()) {
      await tabTo(page, folded);
      await page.keyboard.press('Enter');
    }
    await tabTo(page, page.locator('#navigation').getByRole('link', { name: 'Subaccounts' }));
    await page.keyboard.press('Enter');
    await page.waitForURL(/subaccounts$/);
    await tabTo(page, page.getByRole('link', { name: 'New subaccount' }).first());
    await page.keyboard.press('Enter');
    await page.waitForURL(/subaccounts\/new$/);
    await see(page, 'Same data, other people?', 'Own data, own money, own invoice?');
    // The first field has the focus; the choice of what it is stands before it.
    await tabTo(page, page.getByRole('radio', { name: /A customer/ }), true);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    same(await page.getByRole('radio', { name: /A branch/ }).isChecked(), true, 'arrows choose a branch');
    for (const [label, value] of [['Company or branch', 'Filiale Köln'], ["Its owner's name", 'Karla Koch'], ['Its e-mail address', 'koeln@example.com'], ['Credits to begin with', '25.00']]) {
      await tabTo(page, page.getByLabel(label));
      await page.keyboard.type(value);
    }
    await page.keyboard.press('Enter');
    await see(page, 'Filiale Köln is created, and koeln@example.com is invited to be its owner.', '€25.00');
    await follow(page, 'Credits', page.getByRole('navigation', { name: /Filiale Köln/ }));
    await see(page, 'When the balance falls below €20.00, €50.00 come from Nordlicht Media by themselves.');
  },

  async 'credits are handed out and taken back'(page) {
    const id = await create(page, 'Kornhaus Bakeries', 'kornhaus');
    await menu(page, 'Subaccounts');
    await follow(page, 'Kornhaus Bakeries');
    await follow(page, 'Hand out credits');
    const out = page.locator('form[action$="/hand-out"]');
    await fill(page, 'Amount', '12.50', out);
    await fill(page, 'Reference', 'Start of spring', out);
    await press(page, 'Hand out', out);
    await see(page, '€12.50 handed out to Kornhaus Bakeries.', 'Start of spring', '+€12.50');
    same(await words(page, '.figure-value'), '€12.50', 'what it holds');
    const back = page.locator('form[action$="/take-back"]');
    await fill(page, 'Amount', '2.50', back);
    await press(page, 'Take back', back);
    await see(page, '€2.50 taken back from Kornhaus Bakeries.');
    same(await words(page, '.figure-value'), '€10.00', 'what it holds after');
    await fill(page, 'Amount', '99999', out);
    await press(page, 'Hand out', out);
    await see(page, 'One field needs another look.', /Nordlicht Media holds/);
    same(await page.getByLabel('Amount').first().inputValue(), '99999', 'what was typed is still there');
    // Both statements say so.
    await page.goto(`${ADDRESS}/a/${main}/credits`);
    await see(page, 'Start of spring', '−€12.50', '+€2.50');
    same((await branchline('account', 'show', id)).balance, '10.00', 'the books');
  },

  async 'a member is invited, joins, and sees what the role is for'(page) {
    await invite(page, 'ada', /^Messaging/);
    await see(page, 'Invited');
    // Without a mail server the operator reads the mail in the console, as the page says.
    await mail('ada@example.com', '/invitation/');
    await page.goto(`${ADDRESS}/operator/mails`);
    await see(page, /kept here because there is no mail server/);
    await page.locator('tr', { hasText: 'ada@example.com' }).getByRole('link', { name: /invites you to Nordlicht Media/ }).click();
    await see(page, /invites you to the SMS account/);
    const ada = await join('ada', 'Ada Lovelace');
    await menu(ada, 'Send');
    await see(ada, 'Send a message');
    same(await ada.locator('#navigation').getByRole('link', { name: /API keys|Settings|Members/ }).count(), 0, 'what the role has not is not offered');
    await ada.goto(`${ADDRESS}/a/${main}/settings`);
    await see(ada, /see_settings/);
    await page.goto(`${ADDRESS}/a/${main}/members`);
    const row = page.locator('tr', { hasText: 'ada@example.com' });
    await row.getByText('Ada Lovelace').waitFor();
    await row.getByText('Messaging').waitFor();
  },

  async 'into a subaccount and out again'(page) {
    const id = await create(page, 'Hafen Logistics', 'hafen');
    await page.goto(`${ADDRESS}/a/${main}/subaccounts`);
    await page.getByRole('link', { name: 'Step in: Hafen Logistics' }).click();
    await see(page, 'Step into Hafen Logistics', /This account lets administrators from above in/);
    await fill(page, 'Reason', 'Asked about a message');
    await press(page, 'Step in');
    await see(page, /You are acting in/, 'Step out');
    await menu(page, 'Settings');
    // The banner stays in sight, however far down one goes.
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    const banner = await page.getByRole('button', { name: 'Step out' }).boundingBox();
    if (!(banner.y >= 0 && banner.y < 200)) throw new Error(`the way out is at ${banner.y}`);
    await menu(page, 'Audit log');
    await see(page, 'Asked about a message', 'from Nordlicht Media');
    await press(page, 'Step out');
    await see(page, 'You have stepped out of Hafen Logistics.');
    await seeNot(page, /You are acting in/);
    await page.goto(`${ADDRESS}/a/${id}/settings`);
    await see(page, 'Step into Hafen Logistics');
  },

  async 'an account that wants to be asked, and breaking the glass'(page) {
    const id = await create(page, 'Praxis Winter', 'winter', { kind: 'A customer', invite: true });
    const olga = await join('winter', 'Olga Winter');
    await page.goto(`${ADDRESS}/a/${id}/messages`);
    await see(page, /This account wants to be asked/);
    await fill(page, 'Reason', 'The invoice of March');
    await press(page, 'Ask the owner');
    await see(page, 'Its owner is asked by mail. You are told when they answer.');
    await olga.goto(`${ADDRESS}/a/${id}`);
    await menu(olga, 'Access');
    await see(olga, 'Jana Petersen', 'The invoice of March', 'waits for an answer');
    await press(olga, 'Let in');
    await see(olga, 'They are let in, and told by mail.');
    await page.reload();
    await see(page, /Its owner lets you in/);
    await press(page, 'Step in');
    await see(page, /You are acting in/);
    await press(olga, 'Withdraw');
    await see(olga, 'It is withdrawn. Whoever was in by it is out.');
    await page.goto(`${ADDRESS}/a/${id}/messages`);
    await see(page, /This account wants to be asked/);
    await page.locator('summary', { hasText: 'Break the glass' }).click();
    const glass = page.locator('form[action$="/break-glass"]');
    await fill(page, 'Reason', '   ', glass);
    await press(page, 'Break the glass and step in', glass);
    await see(page, /The reason is missing/);
    await fill(page, 'Reason', 'Wrong texts go out right now', glass);
    await press(page, 'Break the glass and step in', glass);
    await see(page, /You are acting in/);
    await olga.reload();
    await see(olga, 'glass broken', 'Wrong texts go out right now');
    await mail('winter@example.com', 'Wrong texts go out right now');
  },

  async 'in by password and a code of an app'(page) {
    await invite(page, 'theo', /^Analyst/);
    const theo = await join('theo', 'Theo Second');
    await theo.goto(`${ADDRESS}/me/security`);
    await theo.locator('li', { hasText: 'Codes of an app' }).getByRole('link', { name: 'Set up' }).click();
    await fill(theo, 'Your password', PASSWORD);
    await press(theo, 'Go on');
    await see(theo, 'Or type this secret');
    const secret = await words(theo, '.copy code');
    await fill(theo, 'Code', '000000');
    await press(theo, 'Confirm');
    await see(theo, /That code does not fit/);
    await fill(theo, 'Code', totp(secret));
    await press(theo, 'Confirm');
    await see(theo, 'Recovery codes', /each works once/);
    const codes = (await theo.locator('.codes code').innerText()).trim().split(/\s+/);
    same(codes.length, 10, 'recovery codes');
    await follow(theo, 'I have kept them');
    await see(theo, /Asked for since/);
    await signOut(theo);
    await showPassword(theo, 'theo@example.com');
    await see(theo, 'Enter a code');
    // Half-way in is not in.
    await theo.goto(`${ADDRESS}/a/${main}/statistics`);
    await see(theo, 'Sign in');
    await showPassword(theo, 'theo@example.com');
    await fill(theo, 'Code', '123456');
    await press(theo, 'Go on');
    await see(theo, /This code does not fit/);
    await fill(theo, 'Code', totp(secret, 1));
    await press(theo, 'Go on');
    await see(theo, 'Statistics');
    await signOut(theo);
    await showPassword(theo, 'theo@example.com');
    await fill(theo, 'Code', codes[0]);
    await press(theo, 'Go on');
    await theo.waitForURL((url) => !/sign-in/.test(url.pathname));
    await theo.goto(`${ADDRESS}/me/security`);
    await see(theo, '9 left of 10. Each works once.');
  },

  async 'in by a passkey'(page) {
    await invite(page, 'pia', /^Auditor/);
    const pia = await join('pia', 'Pia Key');
    const debug = await pia.context().newCDPSession(pia);
    await debug.send('WebAuthn.enable');
    await debug.send('WebAuthn.addVirtualAuthenticator', {
      options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
    });
    await pia.goto(`${ADDRESS}/me/security`);
    await pia.locator('li', { hasText: 'Passkey' }).getByRole('link', { name: 'Add' }).click();
    await fill(pia, 'Name', 'Blue phone');
    await fill(pia, 'Your password', 'not the right password');
    await press(pia, 'Create the passkey');
    await see(pia, /password/i, /does not|not your|wrong/i);
    await fill(pia, 'Your password', PASSWORD);
    await press(pia, 'Create the passkey');
    await see(pia, 'Recovery codes');
    await follow(pia, 'I have kept them');
    await see(pia, 'Blue phone');
    await signOut(pia);
    await press(pia, 'Use a passkey');
    await pia.waitForURL((url) => !/sign-in/.test(url.pathname));
    await pia.goto(`${ADDRESS}/me/security`);
    await see(pia, 'Blue phone', /used just now/);
    // As the second factor after a password, too.
    await signOut(pia);
    await showPassword(pia, 'pia@example.com');
    await see(pia, 'One more step');
    await press(pia, 'Use your passkey');
    await pia.waitForURL((url) => !/sign-in/.test(url.pathname));
    await pia.goto(`${ADDRESS}/me/sessions`);
    await see(pia, 'this one');
  },

  async 'in by the provider of sign-ins'(page) {
    await invite(page, 'otto', /^Finance/);
    const somebody = await join('otto', 'Otto Wind');
    await signOut(somebody);
    await somebody.getByRole('link', { name: /Nordwind/ }).click();
    await see(somebody, 'Go on as Otto Wind');
    await somebody.getByRole('link', { name: 'Go on as Otto Wind' }).click();
    await see(somebody, 'Confirm that it is you', /There is a login here for otto@example.com/);
    await fill(somebody, 'Password', 'not the right password');
    await press(somebody, 'Confirm');
    await see(somebody, 'That is not your password here.');
    await fill(somebody, 'Password', PASSWORD);
    await press(somebody, 'Confirm');
    await somebody.waitForURL((url) => !/sign-in/.test(url.pathname));
    await somebody.goto(`${ADDRESS}/me/security`);
    await see(somebody, PROVIDER, /Known there since/);
    await signOut(somebody);
    // From now on the provider's word is enough, and leads to where one wanted to be.
    await somebody.goto(`${ADDRESS}/a/${main}/credits`);
    await somebody.getByRole('link', { name: /Nordwind/ }).click();
    await somebody.getByRole('link', { name: 'Go on as Otto Wind' }).click();
    await see(somebody, 'Credits', 'Statement');
  },

  async 'a message is sent, watched until it is delivered, and found again'(page) {
    await page.goto(ADDRESS + home);
    await menu(page, 'Send');
    await fill(page, 'To', '+4915228817401\n01522 8817402; no number');
    await fill(page, 'Text', 'Ihr Termin ist morgen um 9 – bis dann! Bringen Sie bitte Ihre Karte mit, und rufen Sie an, wenn Sie nicht können.');
    await see(page, /Unicode \(UCS-2\)/, /not in the alphabet of SMS/, '2 recipients', 'no number');
    await press(page, /Use plain letters/);
    await see(page, /plain letters \(GSM-7\)/, '1 segment');
    await fill(page, 'Label', 'termine');
    await see(page, 'Send 2 messages for €0.15');
    await press(page, 'Send 2 messages for €0.15');
    await see(page, 'Sent', /2\smessages from .* accepted/, 'Left out before sending');
    const row = (number) => page.locator('tr', { hasText: number });
    // It is not loaded again by hand: the page tells by itself.
    const loads = await page.evaluate(() => { window.untouched = true; return performance.getEntriesByType('navigation').length; });
    for (const number of ['174 01', '174 02']) await row(number).getByText('delivered').waitFor();
    same(await page.evaluate(() => [window.untouched, performance.getEntriesByType('navigation').length]), [true, loads], 'the page stayed');
    await row('174 01').getByRole('link').click();
    await see(page, 'What happened', 'Accepted', 'Delivered', 'What it cost, and why', '€0.075');
    await menu(page, 'Journal');
    await fill(page, 'Recipient', '+4915228817402');
    await page.waitForURL(/recipient=/);
    await page.locator('.journal tbody tr').nth(1).waitFor({ state: 'detached' });
    same(await page.locator('.journal tbody tr').count(), 1, 'one message fits');
    await see(page, /^Ihr Termin ist morgen um 9 - bis dann!/, 'delivered', /termine/);
    await fill(page, 'Recipient', '+4915228899999');
    await see(page, 'No message fits');
  },

  async 'two branches beside each other, and their numbers as files'(page) {
    const north = await create(page, 'Branch North', 'north', { credits: '5.00' });
    const south = await create(page, 'Branch South', 'south', { credits: '5.00' });
    const send = (account, i, label) => api(key, 'sms', { to: `+49152288175${10 + i}`, from: 'Nordlicht', text: `Number ${i}`, label }, account);
    await Promise.all([0, 1, 2].map((i) => send(north, i, 'spring')).concat([3, 4].map((i) => send(south, i, 'autumn'))));
    await page.goto(`${ADDRESS}/a/${main}/statistics?by=subaccount`);
    await see(page, 'Nordlicht Media and all accounts below it', 'Branch North', 'Branch South');
    const numbers = async (name) => (await page.locator('main .numbers tr', { hasText: name }).locator('td').allInnerTexts()).map((text) => text.trim());
    same((await numbers('Branch North')).slice(0, 2), ['3', '3'], 'messages and segments of the north');
    same((await numbers('Branch South')).slice(0, 2), ['2', '2'], 'messages and segments of the south');
    const money = (id) => branchline('account', 'show', id).then((shown) => (5 - Number(shown.balance)).toFixed(3));
    same([await money(north), await money(south)], ['0.225', '0.150'], 'what the books say they spent');
    same([(await numbers('Branch North'))[6], (await numbers('Branch South'))[6]], ['€0.225', '€0.15'], 'what the page says they spent');
    const file = async (name) => {
      const [download] = await Promise.all([page.waitForEvent('download'), follow(page, name)]);
      return readFileSync(await download.path());
    };
    for (const [what, rows] of [['CSV', csv((await file('CSV')).toString('utf8'))], ['XLSX', xlsx(await file('XLSX'))]]) {
      const heads = rows[0].map((head) => head.toLowerCase().replaceAll(' ', '_'));
      const of = (name) => {
        const row = rows.find((cells) => cells.includes(name));
        return ['accepted', 'segments', 'cost'].map((head) => Number(row[heads.indexOf(head)]));
      };
      same(of('Branch North'), [3, 3, 0.225], `${what}: the north`);
      same(of('Branch South'), [2, 2, 0.15], `${what}: the south`);
    }
    // One of them by label, beside the time before.
    await page.goto(`${ADDRESS}/a/${main}/statistics?scope=${north}&by=label&compare=before`);
    await see(page, `Branch North (${north}) alone, below Nordlicht Media`, /compared with/, 'spring');
    await seeNot(page.locator('.cell-name'), 'autumn');
  },

  async 'several at once'(page) {
    const ids = [await create(page, 'Kiosk Eins', 'kiosk1'), await create(page, 'Kiosk Zwei', 'kiosk2')];
    const choose = async (act) => {
      await page.goto(`${ADDRESS}/a/${main}/subaccounts?q=Kiosk`);
      for (const id of ids) await page.locator(`input[name=id][value="${id}"]`).check();
      await see(page, '2 chosen');
      await press(page, act, page.locator('.bulk'));
    };
    await choose('Hand out credits');
    await see(page, /To 2\s*subaccounts, from Nordlicht Media/);
    await fill(page, 'Amount for each', '1.50');
    await press(page, /Hand out to 2/);
    await see(page, '2 of 2 got their credits.', '€1.50 handed out');
    await choose('Suspend');
    await fill(page, 'Why are they suspended?', 'Not paid since May');
    await press(page, /Suspend 2/);
    await see(page, /2 of 2/);
    await page.goto(`${ADDRESS}/a/${main}/subaccounts/${ids[0]}`);
    await see(page, 'suspended', /Not paid since May/);
    await press(page, 'Let it send again');
    await see(page, 'active');
  },

  async 'accounts from a file'(page) {
    await page.goto(`${ADDRESS}/a/${main}/subaccounts`);
    await follow(page, 'Import');
    const file = 'email,owner,company,preset,credits,invite\nostsee@example.com,Ole Ost,Filiale Ostsee,branch,2.00,no\nnobody,Nina Nord,Filiale Nordsee,branch,,no\nwest@example.com,Willi West,Filiale West,department,1.00,no\n';
    await page.setInputFiles('input[type=file]', { name: 'accounts.csv', mimeType: 'text/csv', buffer: Buffer.from(file) });
    await press(page, 'Check it');
    await see(page, 'Check the import', 'line 3', 'Filiale Ostsee', 'Filiale West', /with €3.00 of its credits/);
    const before = (await branchline('account', 'list')).accounts.map((account) => account.company);
    same(before.includes('Filiale West'), false, 'nothing is done before somebody says so');
    await press(page, /Create 2\s*accounts/);
    await see(page, '2 of 3 lines became accounts.', 'not created');
    await follow(page, 'Filiale Ostsee');
    await see(page, 'Filiale Ostsee', '€2.00', 'active');
  },

  async 'an account is closed and reopened'(page) {
    const id = await create(page, 'Saisonkiosk', 'saison', { credits: '3.00' });
    await follow(page, 'Close the account');
    await see(page, 'This will happen:', /€3.00 go back to Nordlicht Media/);
    await fill(page, 'Why is it closed?', 'The season is over');
    await fill(page, `Type ${id} to confirm`, '42');
    await press(page, 'Close the account');
    await see(page, `Type ${id}, the number of this account.`);
    await fill(page, `Type ${id} to confirm`, String(id));
    await press(page, 'Close the account');
    await see(page, 'Saisonkiosk is being closed. It can be reopened for 30 days.', 'closing', /The season is over/);
    await press(page, 'Reopen it');
    await see(page, 'active', '€3.00');
    await seeNot(page, 'closing');
  },
};

// Several at once, each in a browser of its own.
const waiting = Object.entries(ways).filter(([name]) => name.includes(process.env.ONLY ?? ''));
const said = [`set-up ${((Date.now() - began) / 1000).toFixed(1)} s`];
await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  for (let way = waiting.shift(); way; way = waiting.shift()) {
    const [name, go] = way;
    const from = Date.now();
    const page = await person(jana);
    await go(page).catch((error) => faults.push(`${name}: ${error.message}`));
    said.push(`${name} ${((Date.now() - from) / 1000).toFixed(1)} s`);
    await page.context().close();
  }
}));
const { ok } = await branchline('check');
if (!ok) faults.push('the books do not agree after all of this');
await end(browser, faults, said.join('\n'));
