// Uploads, downloads and links to share in the object browser, as a person does them.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { complaints } = require('./console_pages.cjs');
const { browse, signIn, origin } = require('./console_stories.cjs');

const { BUCKET: bucket, FILES: files, CONTROL: control } = process.env;
const SLOW = 3 * 1024 * 1024; // bytes a second: time to do something meanwhile
const HEAD = '.uploads .upload-head';

const open = async (page, query = '') => {
  await page.goto(`${origin}/browse/${bucket}${query}`);
  await page.waitForSelector('#browse-list:not([aria-busy=true])');
};

const start = async (page, query) => {
  await signIn(page);
  await open(page, query);
};

// Let the page send so many bytes a second; 0: as many as it can; null: none at all.
const wires = new WeakMap();
const pace = async (page, bytes) => {
  if (!wires.has(page)) wires.set(page, await page.context().newCDPSession(page));
  const conditions = { offline: bytes === null, latency: 0, downloadThroughput: -1, uploadThroughput: bytes || -1 };
  await wires.get(page).send('Network.enable');
  await wires.get(page).send('Network.emulateNetworkConditions', conditions);
};

// Drag files and folders of this computer onto the page, as a person does.
const drop = async (page, ...names) => {
  const devtools = await page.context().newCDPSession(page);
  const data = { items: [], files: names.map((name) => path.join(files, name)), dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop']) {
    await devtools.send('Input.dispatchDragEvent', { type, x: 500, y: 400, data });
    if (type === 'dragOver') await page.waitForSelector('.upload-cover', { state: 'visible' });
  }
  await page.waitForSelector('.upload-cover', { state: 'hidden' });
};

const choose = async (page, title, ...names) => {
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.click(title)]);
  await chooser.setFiles(names.map((name) => path.join(files, name)));
};

// Send files by the button and its window.
const upload = async (page, ...names) => {
  await page.click('[data-action=upload]');
  await choose(page, '.upload-choices button:has-text("Files")', ...names);
};

const row = (page, key) => page.locator(`.upload-row[data-upload="${key}"]`);
const tool = (page, key, label) => row(page, key).locator(`button[aria-label^="${label}"]`);
const isIn = (page, key, state) => page.waitForSelector(`.upload-row[data-upload="${key}"][data-state=${state}]`, { timeout: 120_000 });
const sent = (page, key) => row(page, key).locator('progress').evaluate((bar) => bar.value);
const isSaid = (page, text) => page.waitForSelector(`${HEAD}:text-is("${text}")`, { timeout: 280_000 });

// Wait until so many bytes of an upload have left.
const hasSent = async (page, key, bytes) => {
  while ((await sent(page, key)) < bytes) await page.waitForTimeout(50);
};

const MIB = 1024 * 1024;

// A folder of many files, dropped; then once more, when all of them are there already.
exports.folder = async (count) => browse(async (page) => {
  await start(page);
  const began = Date.now();
  await drop(page, 'folder');
  await isSaid(page, `${Number(count).toLocaleString('en')} files uploaded`);
  console.log(`seconds ${(Date.now() - began) / 1000}`);
  await page.waitForSelector('#browse-rows :text-is("folder")');
  await page.click('button[aria-label=Close] >> visible=true');
  await page.waitForSelector('.uploads', { state: 'hidden' });

  fs.writeFileSync(path.join(files, 'folder', 'again.txt'), 'another');
  await drop(page, 'folder/again.txt');
  await isSaid(page, '1 file uploaded');
  await open(page, '?prefix=folder/');
  await drop(page, 'folder/again.txt');
  await isIn(page, 'folder/again.txt', 'done');
  await drop(page, 'folder/again.txt');
  await page.waitForSelector('.upload-notice:has-text("1 object is there already") >> visible=true');
  await page.click('.upload-notice button:has-text("Skip")');
  await isIn(page, 'folder/again.txt', 'skipped');
  await drop(page, 'folder/again.txt');
  await page.click('.upload-notice button:has-text("Replace")');
  await isIn(page, 'folder/again.txt', 'done');
}, { expects: /status of 412/ });

// A large file: paused, gone on with, interrupted by loading the page again, and ended.
exports.large = (name, bytes) => browse(async (page) => {
  const size = Number(bytes);
  await start(page, '?prefix=deep/');
  const key = `deep/${name}`;
  await pace(page, size / 12);
  await upload(page, name);
  await hasSent(page, key, size / 5);
  await tool(page, key, 'Pause').click();
  await isIn(page, key, 'paused');
  const before = await sent(page, key);
  await page.waitForTimeout(700);
  assert.equal(await sent(page, key), before);
  await tool(page, key, 'Go on').click();
  await hasSent(page, key, 0.7 * size);
  page.once('dialog', (dialog) => dialog.accept()); // it asks before it is left
  await page.reload();
  await isIn(page, key, 'needs-file');
  const there = await sent(page, key);
  assert.ok(there > 0 && there < size, `${there}`);
  await pace(page, 0);
  await choose(page, `.upload-row button[aria-label^="Choose the file"]`, name);
  await isIn(page, key, 'done');
  await page.waitForSelector(`#browse-rows :text-is("${name}")`);
  console.log(`there ${there}`);
});

// A dropped file goes on by itself after a reload, where the browser may keep a handle of it.
exports.dropped = (name) => browse(async (page) => {
  await start(page);
  await pace(page, SLOW);
  await drop(page, name);
  await hasSent(page, name, 9 * MIB);
  await pace(page, 0);
  page.once('dialog', (dialog) => dialog.accept());
  await page.reload();
  await isIn(page, name, 'done');
});

// Given up: nothing of it stays. Another file than the one that was begun is not taken for it, of
// whatever size.
exports.cancelled = (name, other, twin) => browse(async (page) => {
  await start(page);
  await pace(page, SLOW);
  await upload(page, name);
  await hasSent(page, name, 9 * MIB);
  page.once('dialog', (dialog) => dialog.accept());
  await page.reload();
  await isIn(page, name, 'needs-file');
  await choose(page, `.upload-row button[aria-label^="Choose the file"]`, other);
  await page.waitForSelector('.message-error:has-text("another file")');
  await choose(page, `.upload-row button[aria-label^="Choose the file"]`, twin);
  await page.waitForSelector('.upload-state:has-text("What was sent is not in the file")');
  await isIn(page, name, 'needs-file');
  await page.click('.uploads button[aria-label="Cancel all"]');
  await page.click('dialog button:has-text("Cancel all uploads")');
  await page.waitForSelector('.uploads', { state: 'hidden' });
  await page.reload();
  await page.waitForTimeout(500);
  assert.ok(await page.locator('.uploads').isHidden());
});

// The server is killed in mid-upload, and started again.
exports.killed = (name) => browse(async (page) => {
  await start(page);
  await pace(page, SLOW);
  await upload(page, name, 'small.txt');
  await hasSent(page, name, 10 * MIB);
  await fetch(`${control}/kill`);
  await page.waitForSelector('.upload-notice:has-text("cannot be reached") >> visible=true');
  await fetch(`${control}/start`);
  await pace(page, 0);
  await isSaid(page, '2 files uploaded');
}, { expects: /ERR_|Failed to load/ });

// The connection is lost for a while.
exports.lost = (name) => browse(async (page) => {
  await start(page);
  await pace(page, SLOW);
  await upload(page, name);
  await hasSent(page, name, 9 * MIB);
  await pace(page, null);
  await page.waitForSelector('.upload-notice:has-text("cannot be reached") >> visible=true');
  await pace(page, 0);
  await isIn(page, name, 'done');
}, { expects: /ERR_INTERNET_DISCONNECTED/ });

// A file is written to in mid-upload: that is said, and keeps no other from being sent.
exports.changed = (other, name) => browse(async (page) => {
  await start(page);
  await pace(page, SLOW);
  await upload(page, other, name);
  await hasSent(page, other, 4 * MIB);
  fs.appendFileSync(path.join(files, name), 'more');
  await isIn(page, name, 'failed');
  await page.waitForSelector('.upload-state:has-text("The file was changed")');
  await pace(page, 0);
  await isIn(page, other, 'done');
}, { expects: /ERR_UPLOAD_FILE_CHANGED/ });

// The session ends in mid-upload; somebody else signs in, then who began.
exports.session = (name) => browse(async (page, context) => {
  await start(page);
  await pace(page, SLOW);
  await upload(page, name);
  await hasSent(page, name, 9 * MIB);
  await context.clearCookies();
  await page.waitForSelector('.upload-notice:has-text("Your session is over") >> visible=true');
  const other = await context.newPage();
  await signIn(other, 'writer');
  await page.click('.upload-notice button:has-text("Go on")');
  await page.waitForSelector('.upload-notice:has-text("Somebody else") >> visible=true');
  await context.clearCookies();
  const [tab] = await Promise.all([
    context.waitForEvent('page'),
    page.click('.upload-notice a:has-text("Sign in")'),
  ]);
  await tab.fill('[name=username]', 'root');
  await tab.fill('[name=password]', process.env.PASSWORD);
  await tab.click('[type=submit]');
  await tab.waitForSelector('#nav-sidebar');
  await tab.close();
  await page.bringToFront();
  await pace(page, 0);
  await page.click('.upload-notice button:has-text("Go on")', { timeout: 2000 }).catch(() => {}); // it may have gone on
  await isIn(page, name, 'done');
}, { expects: /status of 40[13]/ });

// What cannot be: no room, no bucket; each says so, and can be tried again.
exports.refused = (name) => browse(async (page) => {
  await start(page);
  await upload(page, 'small.txt', name);
  await isIn(page, name, 'failed');
  await page.waitForSelector('.upload-notice:has-text("upload failed") >> visible=true');
  const why = await row(page, name).locator('.upload-state').textContent();
  assert.match(why, /quota/i);
  await fetch(`${control}/lift`);
  await tool(page, name, 'Try').click();
  await isIn(page, name, 'done');
  await page.click('button[aria-label=Close] >> visible=true');
  await fetch(`${control}/delete`);
  await upload(page, 'small.txt');
  await page.waitForSelector('.upload-state:has-text("The bucket is gone")');
}, { expects: /status of 40[0-9]/ });

// One object, a folder, and several things at once, downloaded.
exports.downloads = (target) => browse(async (page) => {
  await start(page);
  const check = (name) => page.locator(`#browse-rows tr:has(:text-is("${name}")) input[type=checkbox]`).check();
  const save = async (saved) => {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.click('#browse-selection [data-action=download]'),
    ]);
    await download.saveAs(path.join(target, saved));
    return download.suggestedFilename();
  };
  await check('ü <b>.txt');
  assert.equal(await save('one'), 'ü _b_.txt'); // what Chromium makes of it on this disk
  await check('folder');
  assert.equal(await save('several.zip'), `${bucket}.zip`);
  await page.click('[data-action=select-none] >> visible=true');
  await check('folder');
  assert.equal(await save('folder.zip'), 'folder.zip');
  await page.click('[data-action=select-none] >> visible=true');
  await check('ü <b>.txt');
  await check('elsewhere');
  assert.equal(await save('two.zip'), `${bucket}.zip`);
});

// A link to share, made and copied.
exports.share = (key) => browse(async (page) => {
  await start(page);
  await page.locator(`#browse-rows tr:has(:text-is("${key}")) input[type=checkbox]`).check();
  await page.click('#browse-selection [data-action=share]');
  await page.selectOption('dialog select >> nth=0', { label: '1 hour' });
  await page.click('dialog button:has-text("Create link and copy it")');
  await page.waitForSelector('dialog :text-is("Copied")');
  console.log(`link ${await page.inputValue('.share-url')}`);
}, { permissions: ['clipboard-write'] });

// On a phone, and as one who may only read.
exports.phone = (name) => browse(async (page) => {
  await start(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await upload(page, name);
  await isIn(page, name, 'done');
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 390, `${width}`);
});

exports.reader = () => browse(async (page) => {
  await signIn(page, 'reader');
  await open(page);
  const button = page.locator('[data-action=upload]');
  assert.ok((await button.isHidden()) || (await button.isDisabled()));
  await drop(page, 'small.txt');
  await page.waitForTimeout(300);
  assert.ok(await page.locator('.uploads').isHidden());
});

// The panel with uploads in all kinds of states, and the windows, in a theme: nobody is kept out.
exports.looks = (colorScheme, shots = '') => browse(async (page) => {
  const look = async (name) => {
    if (shots) await page.screenshot({ path: path.join(shots, `${name}-${colorScheme}.png`) });
    assert.deepEqual(await complaints(page), [], name);
  };
  await start(page);
  await upload(page, 'small.txt');
  await isIn(page, 'small.txt', 'done');
  await page.click('[data-action=upload]');
  await page.waitForSelector('.upload-choices');
  await look('upload-window');
  await page.keyboard.press('Escape');
  await pace(page, SLOW / 4);
  await upload(page, 'small.txt', 'middle.bin', 'other.bin', 'large-too.bin');
  await isIn(page, 'small.txt', 'exists');
  await hasSent(page, 'middle.bin', MIB);
  await tool(page, 'other.bin', 'Pause').click();
  await page.waitForTimeout(2500); // until there is a pace
  await look('upload-panel');
  await page.setViewportSize({ width: 390, height: 844 });
  await look('upload-phone');
  await page.setViewportSize({ width: 1400, height: 900 });
  await page.click('.uploads button[aria-label="Show or hide the list"]');
  await page.locator('#browse-rows tr:has(:text-is("small.txt")) input[type=checkbox]').check();
  await page.click('#browse-selection [data-action=share]');
  await page.click('dialog button:has-text("Create link and copy it")');
  await page.waitForSelector('dialog .share-link');
  await look('share');
}, { expects: /status of 412/, colorScheme });
