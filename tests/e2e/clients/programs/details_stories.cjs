// The panel of one object in a real browser: previews that let nothing hostile run, and everything that
// is changed of an object, by one person and by two at once.
'use strict';

const assert = require('node:assert');
const { browse, signIn, origin } = require('./console_stories.cjs');

const PHONE = { width: 390, height: 844 };
const { BUCKET: bucket, KEYS } = process.env;

const addressOf = (key, more = {}) => `${origin}/browse/${bucket}?${new URLSearchParams({ object: key, ...more })}`;

// Open the panel of an object by its address, and a tab of it.
const open = async (page, key, tab) => {
  await page.goto(addressOf(key));
  await page.waitForSelector('#browse-details .detail-content');
  if (tab) await page.click(`.detail-tabs >> text="${tab}"`);
};

const told = (page, text) => page.waitForSelector(`#messages-shelf :text("${text}")`);

// What a colleague does meanwhile, in another window: a request to S3 by the console's own client.
const meanwhile = async (context, method, key, options) => {
  const page = await context.newPage();
  await page.goto(`${origin}/browse/${bucket}`);
  await page.evaluate(async ([verb, ...rest]) => {
    const s3 = await import('/static/s4/s3.js');
    const { document: text, ...asked } = rest[2] ?? {};
    const body = text === undefined ? undefined : new TextEncoder().encode(text);
    const headers = body ? { ...asked.headers, 'x-amz-checksum-crc32': s3.checksum(body) } : asked.headers;
    await s3.request(verb, rest[0], rest[1], { ...asked, headers, body });
  }, [method, bucket, key, options]);
  await page.close();
};

const isLeak = (request) => {
  const { pathname, host } = new URL(request.url());
  return pathname.endsWith('/leak') || host === 'leak.test';
};

// --- previews ---------------------------------------------------------------------------------------

// Everything hostile that can be stored is looked at, large too, and asked for by its own address:
// nothing runs, opens, navigates or is fetched, and no word of it becomes markup.
exports.hostile = () => browse(async (page, context) => {
  await signIn(page);
  const events = [];
  context.on('dialog', (dialog) => {
    events.push(`dialog ${dialog.message()}`);
    dialog.dismiss();
  });
  context.on('request', (request) => {
    if (isLeak(request)) events.push(`request ${request.url()}`);
  });
  const pages = context.pages().length;
  await page.goto(`${origin}/browse/${bucket}`);
  for (const key of JSON.parse(KEYS)) {
    await page.evaluate(async (name) => (await import('/static/s4/browse/state.js')).browser.openObject(name), key);
    await page.waitForFunction(() => !document.querySelector('#browse-details .detail-waiting') && document.querySelector('.preview')?.children.length);
    const enlarge = page.locator('.preview >> text="Enlarge"');
    if (await enlarge.count()) {
      await enlarge.click();
      await page.waitForFunction(() => document.querySelector('dialog .preview')?.children.length && !document.querySelector('dialog .detail-waiting'));
      await page.keyboard.press('Escape');
    }
    const marked = await page.$$eval('#browse-details :is(script, iframe, object, embed, form, style, base, meta, h1), #browse-details [onerror], #browse-details [onload]', (found) => found.map((each) => each.outerHTML));
    assert.deepEqual(marked, [], key);
    assert.equal(await page.evaluate(() => window.hurt), undefined, key);
    assert.match(page.url(), /\/browse\//, key);
  }
  assert.equal(context.pages().length, pages);
  assert.deepEqual(events, []);
});

// The same asked for by its own address, as a link might lead there, under any type: it is a download.
exports.addressed = () => browse(async (page, context) => {
  await signIn(page);
  const events = [];
  const stranger = await context.newPage();
  stranger.on('dialog', (dialog) => {
    events.push(dialog.message());
    dialog.dismiss();
  });
  context.on('request', (request) => {
    if (isLeak(request)) events.push(request.url());
  });
  for (const key of JSON.parse(KEYS)) {
    for (const type of ['', 'text/html', 'application/xhtml+xml', 'application/pdf', 'text/xml']) {
      const asked = new URLSearchParams({ 'response-content-disposition': 'inline', ...(type && { 'response-content-type': type }) });
      const download = stranger.waitForEvent('download');
      await stranger.goto(`${origin}/s3/${bucket}/${encodeURIComponent(key)}?${asked}`).catch(() => {});
      await (await download).cancel();
      assert.equal(stranger.url(), 'about:blank');
    }
  }
  await stranger.close();
  assert.deepEqual(events, []);
});

// What is harmless is shown: a picture, a table, JSON with its numbers as they are, packed text.
exports.previews = () => browse(async (page) => {
  await signIn(page);
  await open(page, 'photo.png');
  await page.waitForSelector('.preview :text("200 × 120 pixels")');
  await open(page, 'page.pdf');
  await page.waitForSelector('.preview :text("Page 1 of 2")');
  assert.match(await page.textContent('.preview .sr-only'), /Hello PDF/);
  await page.click('[aria-label="Next page"]');
  await page.waitForSelector('.preview :text("Page 2 of 2")');
  await open(page, 'table.csv');
  await page.waitForSelector('.preview :text("200 rows and 3 columns; there is more in it.")');
  assert.deepEqual(await page.$$eval('.preview tbody tr:nth-child(2) td', (cells) => cells.map((each) => each.textContent)), ['1', 'x "quoted", y', '']);
  await open(page, 'data.json');
  await page.waitForSelector('.preview-text:has-text("12345678901234567890")');
  await open(page, 'app.log.gz');
  await page.waitForSelector('.preview-text:has-text("line of a log")');
  await open(page, 'packed.txt');
  await page.waitForSelector('.preview-text:has-text("packed text")');
  await open(page, 'bytes.bin');
  await page.waitForSelector('.preview-text:has-text("00000010")');
  await open(page, 'empty.txt');
  await page.waitForSelector('.preview :text("It is empty.")');
  await open(page, 'tone.wav');
  await page.waitForFunction(() => document.querySelector('.preview audio')?.duration > 0);
});

// --- metadata and tags --------------------------------------------------------------------------------

// Headers and metadata are edited, refused with a reason while they cannot be, and saved.
exports.metadata = () => browse(async (page) => {
  await signIn(page);
  await open(page, 'notes.txt', 'Metadata');
  assert.ok(await page.isDisabled('text="Save metadata"'));
  await page.fill('[data-header=cache-control]', 'max-age=60');
  await page.click('text="Add metadata"');
  await page.fill('.detail-row:last-child [aria-label=Name]', 'no good');
  await page.waitForSelector(':text("cannot be a name")');
  assert.ok(await page.isDisabled('text="Save metadata"'));
  await page.fill('.detail-row:last-child [aria-label=Name]', 'Author');
  await page.fill('.detail-row:last-child [aria-label=Value]', 'Jürgen 🎈');
  await page.click('.detail-tabs >> text="Overview"'); // what was typed stays
  await page.click('.detail-tabs >> text="Metadata"');
  await page.click('text="Save metadata"');
  await told(page, 'The metadata was saved.');
  await page.waitForFunction(() => [...document.querySelectorAll('.detail-row [aria-label=Value]')].some((field) => field.value === 'Jürgen 🎈'));
  assert.equal(await page.inputValue('[data-header=cache-control]'), 'max-age=60');
});

// Two people edit one object: the second is told, sees what it is now, and decides.
exports.twoAtOnce = () => browse(async (page, context) => {
  await signIn(page);
  await open(page, 'notes.txt', 'Tags');
  await page.click('text="Add tag"');
  await page.fill('.detail-row [aria-label=Name]', 'mine');
  const theirs = '<Tagging><TagSet><Tag><Key>theirs</Key><Value>1</Value></Tag></TagSet></Tagging>';
  await meanwhile(context, 'PUT', 'notes.txt', { parameters: { tagging: '' }, document: theirs });
  await page.click('text="Save tags"');
  await page.waitForSelector(':text("Somebody else has changed this")');
  await page.waitForSelector('.detail-note code:text("theirs = 1")');
  await page.click('text="Show what it is now"');
  await page.click('.detail-tabs >> text="Tags"');
  await page.waitForFunction(() => document.querySelector('.detail-row [aria-label=Name]')?.value === 'theirs');
  await page.click('text="Add tag"');
  await page.fill('.detail-row:last-child [aria-label=Name]', 'mine');
  await page.click('text="Save tags"');
  await told(page, 'The tags were saved.');

  await page.click('.detail-tabs >> text="Metadata"');
  await page.fill('[data-header=content-type]', 'text/markdown');
  await meanwhile(context, 'PUT', 'notes.txt', { headers: { 'content-type': 'text/css' }, document: 'other text' });
  await page.click('text="Save metadata"');
  await page.waitForSelector(':text("Somebody else has changed this")');
  await page.click('text="Save mine over it"');
  await told(page, 'The metadata was saved.');
});

// What is larger than CopyObject takes is copied in the parts it has: its ETag, tags and headers stay
// what they were said to be, and a condition that fails leaves nothing.
exports.largeCopy = () => browse(async (page, context) => {
  await signIn(page);
  await page.goto(`${origin}/browse/${bucket}`);
  context.removeAllListeners('console'); // of the refusal that is waited for
  const copy = (target, headers) => page.evaluate(async ([name, key, asked]) => {
    const { copyLarge } = await import('/static/s4/browse/copy_large.js');
    const s3 = await import('/static/s4/s3.js');
    const known = await s3.head(name, 'large.bin');
    const size = Number(known.get('content-length'));
    const steps = [];
    try {
      await copyLarge({ bucket: name, key }, { bucket: name, key: 'large.bin' }, size, asked, { tags: [['a b', '1=2+3']], onProgress: (done) => steps.push(done) });
    } catch (error) {
      return error.code;
    }
    const made = await s3.head(name, key);
    return [known.get('etag') === made.get('etag'), made.get('content-type'), steps.at(-1) === size, steps.length];
  }, [bucket, target, headers]);
  assert.deepEqual(await copy('copy.bin', { 'content-type': 'text/x-new', 'if-none-match': '*' }), [true, 'text/x-new', true, 3]);
  assert.equal(await copy('copy.bin', { 'if-match': '"another"' }), 'PreconditionFailed');
});

// --- versions -----------------------------------------------------------------------------------------

// Versions are looked at, brought back and deleted; what was deleted comes back.
exports.versions = () => browse(async (page, context) => {
  await signIn(page);
  await open(page, 'report.txt', 'Versions');
  await page.waitForSelector('.detail-version');
  assert.equal(await page.locator('.detail-version').count(), 3);
  await page.click('.detail-version:last-child [aria-label="Show this version"]');
  await page.waitForSelector(':text("This is the version of")');
  await page.waitForURL(/version=/);
  await page.waitForSelector('.preview-text:has-text("version 0")');
  await page.reload();
  await page.waitForSelector('.preview-text:has-text("version 0")');
  await page.click('text="Restore this version"');
  await told(page, 'is the newest again');
  await page.waitForURL((url) => !/version=/.test(url.search));
  await page.waitForSelector('.preview-text:has-text("version 0")');

  await page.click('.detail-tabs >> text="Versions"');
  await page.waitForSelector('.detail-version:nth-child(4)');
  await page.click('.detail-version:nth-child(2) [aria-label="Delete this version"]');
  await page.click('dialog >> text="Delete"');
  await told(page, 'The version was deleted.');
  await page.click('.detail-tabs >> text="Versions"');
  await page.waitForFunction(() => document.querySelectorAll('.detail-version').length === 3);

  context.removeAllListeners('console'); // that nothing is there is told by the browser itself
  await page.goto(addressOf('gone.txt', { versions: '1' }));
  await page.waitForSelector(':text("This object is deleted.")');
  await page.click('#browse-details >> text="Undelete"');
  await told(page, 'The object is back.');
  await page.waitForSelector('.preview-text:has-text("here again")');
});

// --- locks and grants -----------------------------------------------------------------------------------

// Retention is set, shortened by who bypasses it, and made to be for good by who confirms; a hold holds.
exports.locks = () => browse(async (page, context) => {
  await signIn(page);
  await open(page, 'report.txt', 'Lock');
  await page.selectOption('#detail-mode', 'GOVERNANCE');
  await page.fill('#detail-until', '2001-01-01T00:00');
  await page.waitForSelector(':text("Choose a moment that is to come.")');
  await page.fill('#detail-until', '2199-01-01T00:00');
  await page.click('text="Save retention"');
  await told(page, 'Kept until 2199-01-01 00:00 UTC.');
  await page.waitForSelector('.detail-facts :text("Governance, until 2199-01-01 00:00 UTC")');
  await page.fill('#detail-until', '2099-01-01T00:00');
  await page.waitForSelector(':text("say that you bypass it")');
  assert.ok(await page.isDisabled('text="Save retention"'));
  await page.check('#detail-bypass');
  await page.click('text="Save retention"');
  await page.waitForSelector('.detail-facts :text("until 2099-01-01")');

  await page.click('text="Place a legal hold"');
  await told(page, 'The legal hold is on.');
  await page.click('.detail-tabs >> text="Versions"');
  await page.click('.detail-version:first-child [aria-label="Delete this version"]');
  await page.check('dialog [type=checkbox]');
  context.removeAllListeners('console'); // a refused request is told there by the browser itself
  await page.click('dialog >> text="Delete"');
  await told(page, 'protected by object lock');
  await page.click('.detail-tabs >> text="Lock"');
  await page.click('text="Remove the legal hold"');
  await told(page, 'The legal hold was removed.');

  await page.selectOption('#detail-mode', 'COMPLIANCE');
  await page.check('#detail-bypass');
  await page.click('text="Save retention"');
  await page.waitForSelector('dialog :text("nobody can delete this version")');
  await page.click('dialog >> text="Keep it"');
  await page.waitForSelector('.detail-facts :text("Compliance")');
  assert.deepEqual(await page.$$eval('#detail-mode option', (options) => options.map((each) => each.value)), ['COMPLIANCE']);
});

// Grants are shown, given and taken, where the bucket has ACLs.
exports.grants = () => browse(async (page) => {
  await signIn(page);
  await open(page, 'notes.txt', 'Access');
  await page.waitForSelector('.detail-grants :text("full control")');
  await page.click('text="Grant"');
  await page.waitForSelector(':text("people you may not know")');
  await page.click('text="Save grants"');
  await told(page, 'The grants were saved.');
  await page.click('.detail-tabs >> text="Metadata"');
  await page.fill('[data-header=content-type]', 'text/plain');
  await page.click('text="Save metadata"');
  await told(page, 'The metadata was saved.');
  await page.click('.detail-tabs >> text="Access"');
  await page.waitForSelector('.detail-grants :text("Everybody with an access key")');
});

// A bucket without ACLs says so.
exports.noGrants = () => browse(async (page) => {
  await signIn(page);
  await open(page, 'notes.txt', 'Access');
  await page.waitForSelector(':text("ACLs are disabled in this bucket")');
  assert.equal(await page.locator('text="Save grants"').count(), 0);
});

// --- keyboard, phone, trouble -----------------------------------------------------------------------------

// The panel is worked by the keyboard alone, closes by Escape and gives the focus back; on a phone it
// covers the page and is no wider.
exports.keyboard = () => browse(async (page) => {
  await signIn(page);
  await page.goto(`${origin}/browse/${bucket}`);
  await page.waitForSelector('.browse-open:has-text("notes.txt")');
  await page.focus('.browse-open:has-text("notes.txt")');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#browse-details .detail-facts');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'detail-name');
  await page.focus('[role=tab][aria-selected=true]');
  await page.keyboard.press('ArrowRight');
  await page.waitForSelector('[role=tab][aria-selected=true]:text("Metadata")');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Metadata');
  await page.focus('[data-header=expires]');
  await page.keyboard.press('Escape'); // leaves the field, and nothing that was typed is lost
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Metadata');
  await page.keyboard.press('Escape');
  await page.waitForSelector('#browse-details', { state: 'hidden' });
  assert.match(await page.evaluate(() => document.activeElement.textContent), /notes\.txt/);

  await page.setViewportSize(PHONE);
  for (const tab of ['Overview', 'Metadata', 'Tags', 'Access']) {
    await open(page, 'notes.txt', tab);
    await page.waitForFunction(() => !document.querySelector('#browse-details [aria-busy]'));
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), PHONE.width, tab);
    assert.equal(await page.evaluate(() => document.querySelector('.detail-content').scrollWidth - document.querySelector('.detail-content').clientWidth), 0, tab);
  }
  assert.ok(await page.evaluate(() => document.getElementById('browse-list').inert));
});

// The session ends while somebody edits: he is told, signs in, and nothing was half saved.
exports.signedOut = () => browse(async (page, context) => {
  await signIn(page);
  await open(page, 'notes.txt', 'Tags');
  await page.click('text="Add tag"');
  await page.fill('.detail-row [aria-label=Name]', 'late');
  context.removeAllListeners('console'); // a refused request is told there by the browser itself
  await context.clearCookies();
  await page.click('text="Save tags"');
  await told(page, 'Your session is over.');
  assert.equal(await page.inputValue('.detail-row [aria-label=Name]'), 'late');
  await page.click('#messages-shelf >> text="Sign in"');
  await page.waitForSelector('[name=username]');
});

// The object, then the bucket, is deleted while its panel is open: each is said.
exports.goneMeanwhile = () => browse(async (page, context) => {
  await signIn(page);
  await open(page, 'notes.txt', 'Tags');
  context.removeAllListeners('console');
  await meanwhile(context, 'DELETE', 'notes.txt');
  await page.click('text="Add tag"');
  await page.fill('.detail-row [aria-label=Name]', 'late');
  await page.click('text="Save tags"');
  await page.waitForSelector(':text("the object is not there any more")');
  await meanwhile(context, 'DELETE', undefined);
  await page.click('text="Save tags"');
  await page.waitForSelector(':text("the bucket is not there any more")');
});

// A name as long and as odd as a name can be is shown, opened and closed.
exports.names = () => browse(async (page) => {
  await signIn(page);
  for (const key of JSON.parse(KEYS)) {
    await open(page, key);
    await page.waitForSelector('.preview-text:has-text("odd")');
    assert.equal(await page.locator('#browse-details script').count(), 0);
    await page.click('.detail-tabs >> text="Tags"');
    await page.click('text="Add tag"');
    await page.fill('.detail-row [aria-label=Name]', 'a');
    await page.click('text="Save tags"');
    await page.waitForFunction(() => document.querySelector('#messages-shelf')?.textContent.includes('The tags were saved.'));
    await page.click('#messages-shelf [aria-label="Dismiss"]');
  }
});

// A Reader sees everything, and is offered nothing that would change it.
exports.reader = () => browse(async (page) => {
  await signIn(page, 'reader');
  await open(page, 'notes.txt', 'Metadata');
  await page.waitForSelector(':text("Your policies do not let you write here.")');
  assert.equal(await page.locator('text="Save metadata"').count(), 0);
  await page.click('.detail-tabs >> text="Tags"');
  await page.waitForSelector(':text("do not let you change tags")');
  assert.equal(await page.locator('#browse-details [aria-label="Delete"]').count(), 0);
});
