// Buckets and folders in the object browser, by a person's hands: mouse, keyboard, phone.
'use strict';

const assert = require('node:assert');
const { browse, signIn, origin } = require('./console_stories.cjs');

const bucket = process.env.BUCKET;
const other = `${bucket}-other`;
const home = `${origin}/browse/${bucket}`;
// What is answered to a name that is taken the browser's console calls an error.
const TAKEN = /status of 412/;

const row = (id) => `#browse-rows tr[data-id="${id.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\a ')}"]`;
const file = (key) => row(`.${key}`);
const folder = (key) => row(`/${key}`);
const gone = (page, selector) => page.waitForSelector(selector, { state: 'detached' });
const settled = (page) => page.waitForSelector('#browse-list[aria-busy=false]');
const names = (page) => page.$$eval('#browse-rows .browse-text', (found) => found.map((each) => each.textContent));
const rows = (page, count) => page.waitForFunction((wanted) => document.querySelectorAll('#browse-rows tr').length === wanted, count);
const tool = (page, action) => page.click(`#browse-selection [data-action=${action}]`);
const open = async (page, path = '') => {
  await page.goto(home + path);
  await settled(page);
};
const menu = async (page, selector, label) => {
  await page.click(`${selector} .browse-menu-button`);
  await page.click(`[role=menuitem]:has-text("${label}")`);
};

exports.folders = () => browse(async (page) => {
  await signIn(page);
  await page.goto(`${origin}/browse/`);
  await page.locator('[name=q]').pressSequentially(bucket.slice(2));
  await page.waitForURL('**q=**');
  await page.click(`a[href="/browse/${bucket}"]`);
  await settled(page);
  assert.deepEqual(await names(page), ['2024/', 'notes.txt']);

  await page.click('[data-action=new-folder]');
  await page.keyboard.press('Enter');
  await page.waitForSelector('text=Give the folder a name');
  await page.fill('#browse-asked', 'x'.repeat(1025));
  await page.keyboard.press('Enter');
  await page.waitForSelector('text=at most 1024 bytes');
  await page.fill('#browse-asked', 'fresh');
  await page.keyboard.press('Enter');
  await page.waitForURL('**prefix=fresh%2F');
  await page.waitForSelector('text=This folder is empty');
  await page.goBack();
  await page.waitForSelector(folder('fresh/'));
  await page.click('[data-action=new-folder]');
  await page.fill('#browse-asked', '/fresh/');
  await page.keyboard.press('Enter');
  await page.waitForSelector('text=a folder of that name already');
  await page.keyboard.press('Escape');

  await page.click(`${folder('2024/')} .browse-open`);
  await page.click(`${folder('2024/summer/')} .browse-open`);
  await page.waitForSelector(file('2024/summer/sea.jpg'));
  await page.reload();
  await page.focus(`${file('2024/summer/sea.jpg')} .browse-open`);
  await page.keyboard.press('F2');
  assert.equal(await page.evaluate(() => window.getSelection().toString()), 'sea'); // without its kind
  await page.keyboard.type('beach');
  await page.keyboard.press('Enter');
  await page.waitForSelector('text=an object of that name already');
  await page.keyboard.press('Escape');
  assert.deepEqual(await names(page), ['beach.jpg', 'sea.jpg']);
  await menu(page, file('2024/summer/beach.jpg'), 'Rename');
  await page.fill('#browse-asked', 'sea.jpg');
  await page.keyboard.press('Enter');
  await page.click('text=Replace it');
  await gone(page, file('2024/summer/beach.jpg'));

  await page.click('#browse-path a:last-of-type');
  await page.click(`#browse-path a:has-text("${bucket}")`);
  await page.check(`${folder('2024/')} [type=checkbox]`);
  await tool(page, 'rename');
  await page.fill('#browse-asked', 'fresh');
  await page.keyboard.press('Enter');
  await page.waitForSelector('text=something in a folder of that name');
  await page.fill('#browse-asked', '2025');
  await page.keyboard.press('Enter');
  await page.waitForSelector(folder('2025/'));
}, { expects: TAKEN });

exports.pages = () => browse(async (page) => {
  await signIn(page);
  await open(page, '?prefix=many/');
  await rows(page, 250);
  await page.click('text=Next');
  await page.waitForSelector(file('many/00250.txt'));
  await page.click('text=Next');
  await page.waitForSelector(file('many/00500.txt'));
  await page.reload();
  await page.click('text=Previous');
  await page.waitForSelector(file('many/00250.txt'));
  await page.click('text=Previous');
  await page.waitForSelector(file('many/00000.txt'));
  await page.selectOption('.browse-pager select', '1000');
  await rows(page, 1000);
  await page.selectOption('.browse-pager select', '250');
  await rows(page, 250);

  await page.click('[data-sort=name] button');
  assert.equal((await names(page))[0], '00249.txt');
  await page.click('[data-sort=size] button');
  await page.click('[data-sort=name] button');
  assert.equal((await names(page))[0], '00000.txt');

  await page.keyboard.press('Escape');
  await page.focus(`${file('many/00003.txt')} .browse-open`);
  await page.keyboard.press('/');
  await page.keyboard.type('0119');
  await rows(page, 10);
  await page.waitForURL('**search=0119');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Space');
  await page.keyboard.press('Shift+ArrowDown');
  await page.keyboard.press('Shift+ArrowDown');
  await page.waitForSelector('#browse-selected:has-text("3 selected, 42 bytes")');
  await page.keyboard.press('Delete');
  await page.waitForSelector('.browse-figures:has-text("3 objects, 42 bytes")');
  await page.keyboard.press('Enter'); // the button has the focus
  await rows(page, 7);
  await page.keyboard.press('/');
  await page.keyboard.type('x');
  await page.waitForSelector('text=No name here begins with');
  await page.keyboard.press('Escape');
  await rows(page, 250);
  await page.click(`${file('many/00000.txt')} .browse-modified`);
  await page.click(`${file('many/00004.txt')} .browse-modified`, { modifiers: ['Shift'] });
  await page.waitForSelector('#browse-selected:has-text("5 selected")');
  await page.focus(`${file('many/00004.txt')} .browse-open`);
  await page.keyboard.press('Control+a');
  await page.waitForSelector('#browse-selected:has-text("250 selected")');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Backspace');
  await page.waitForSelector(folder('many/'));

  // All of it: by who types its name. The second thousand is waited for, so that it can be stopped.
  let requests = 0;
  await page.route('**/s3/**delete', async (route) => {
    requests += 1;
    if (requests > 1) await new Promise((resolve) => { setTimeout(resolve, 30_000).unref(); });
    await route.continue().catch(() => {});
  });
  await menu(page, folder('many/'), 'Delete');
  await page.waitForSelector('.browse-figures:has-text("1,198 objects")');
  assert.ok(await page.isDisabled('dialog .button-danger'));
  await page.fill('dialog .field', 'many');
  await page.click('dialog .button-danger');
  await page.waitForSelector('.browse-job:has-text("1,000 of 1,198")');
  await page.click('.browse-job >> text=Stop');
  await page.waitForSelector('.browse-job:has-text("1,000 objects deleted. Stopped.")');
});

exports.rest = () => browse(async (page) => {
  await signIn(page);
  await open(page);
  await page.click('#browse-all');
  await page.focus(`${folder('many/')} .browse-open`);
  await page.keyboard.press('Delete');
  await page.waitForSelector('.browse-figures:has-text("198 objects")');
  await page.click('dialog .button-danger');
  await page.waitForSelector('text=This bucket is empty');
  await page.keyboard.press('?');
  await page.waitForSelector('dialog kbd');
});

const carry = async (page, word, { to, prefix, isReplacing = false }) => {
  if (to) await page.selectOption('#browse-to-bucket', to);
  await page.fill('#browse-to-folder', prefix);
  if (isReplacing) await page.check('text=Replace what has the same name');
  await page.click(`dialog footer >> text="${word}"`);
};

exports.moves = () => browse(async (page) => {
  await signIn(page);
  await open(page);
  // A folder meets one of its name: its objects go one by one, and what is there already stays.
  await menu(page, folder('a/'), 'Move or copy');
  await page.click('.browse-folders >> text="a/"');
  await page.waitForSelector('text=cannot go into itself');
  await page.click('.browse-folders >> text="Up"');
  await page.click('.browse-folders >> text="b/"');
  await page.click('dialog footer >> text="Move"');
  await page.waitForSelector('.browse-job:has-text("1 refused")');
  await page.click('.browse-job summary');
  await page.waitForSelector('.browse-job li:has-text("a/1.txt There is something of that name already.")');
  await page.click('.browse-job >> text=Close');
  await page.check(`${file('c.txt')} [type=checkbox]`);
  await tool(page, 'move');
  await carry(page, 'Move', { prefix: 'b' });
  await gone(page, file('c.txt'));

  // To another bucket.
  await page.check(`${file('d.txt')} [type=checkbox]`);
  await page.check(`${file('e.txt')} [type=checkbox]`);
  await tool(page, 'move');
  await carry(page, 'Move', { to: other, prefix: 'here' });
  await page.waitForSelector('.browse-job li:has-text("d.txt There is something of that name already.")', { state: 'attached' });
  await gone(page, file('e.txt'));
  await open(page, '?prefix=b/');
  await menu(page, file('b/c.txt'), 'Move or copy');
  await carry(page, 'Copy', { to: other, prefix: 'here/' });
  await page.waitForSelector('text=1 copied.');
}, { expects: TAKEN });

exports.versions = () => browse(async (page) => {
  await signIn(page);
  await open(page);
  assert.deepEqual(await names(page), ['folder/', 'doc.txt']);
  await page.check('#browse-versions');
  await page.waitForSelector('.browse-deleted');
  assert.deepEqual(await names(page), ['folder/', 'doc.txt', 'doc.txt', 'doc.txt', 'gone.txt', 'gone.txt']);
  await page.reload();
  await page.check('.browse-deleted [type=checkbox]');
  await tool(page, 'undelete');
  await gone(page, '.browse-deleted');
  await page.check('tr:has-text("doc.txt") >> nth=2 >> [type=checkbox]');
  await tool(page, 'delete');
  await page.waitForSelector('.browse-figures:has-text("1 version, 1 byte")');
  await page.click('dialog .button-danger');
  await rows(page, 4);
  await page.uncheck('#browse-versions');
  await page.waitForSelector(file('gone.txt'));
  await menu(page, file('gone.txt'), 'Delete');
  await page.check('dialog [value=all]');
  await page.waitForSelector('.browse-figures:has-text("1 version")');
  await page.click('dialog .button-danger');
  await gone(page, file('gone.txt'));
  await menu(page, folder('folder/'), 'Delete');
  await page.waitForSelector('.browse-figures:has-text("1 object")');
  await page.click('dialog .button-danger');
  await gone(page, folder('folder/'));
  await open(page, '?prefix=folder/');
  await page.click('text=Look for deleted objects');
  await page.waitForSelector('.browse-deleted');
});

exports.suspended = () => browse(async (page) => {
  await signIn(page);
  await open(page);
  await menu(page, file('gone.txt'), 'Delete');
  await page.waitForSelector('.browse-warning:has-text("Versioning is suspended")');
  assert.ok(await page.locator('dialog :text("can be undeleted")').isHidden());
  await page.click('dialog .button-danger');
  await gone(page, file('gone.txt'));
});

exports.names = (odd) => browse(async (page) => {
  const keys = JSON.parse(odd);
  await signIn(page);
  await open(page);
  for (const key of keys.filter((each) => !each.includes('/'))) await page.waitForSelector(file(key));
  // Folders without a name are gone into, too.
  await page.click(`${folder('a/')} .browse-open`);
  await page.waitForSelector(file('a/.'));
  await page.click('text=(no name)');
  await page.waitForSelector(file('a//b.txt'));
  await page.reload();
  await page.waitForSelector(file('a//b.txt'));
  assert.match(await page.textContent('#browse-path'), /\(no name\)$/);
  // Each is renamed there and back.
  for (const key of keys) {
    const at = key.lastIndexOf('/') + 1;
    await open(page, `?prefix=${encodeURIComponent(key.slice(0, at))}`);
    if (Buffer.byteLength(key) > 1000 || /[\n]/.test(key)) continue; // no field holds a line break
    await menu(page, file(key), 'Rename');
    await page.fill('#browse-asked', 'plain');
    await page.keyboard.press('Enter');
    await page.waitForSelector(file(`${key.slice(0, at)}plain`));
    await menu(page, file(`${key.slice(0, at)}plain`), 'Rename');
    await page.fill('#browse-asked', key.slice(at));
    await page.keyboard.press('Enter');
    await page.waitForSelector(file(key));
  }
  await open(page);
  await page.click('#browse-all');
  await page.click('#browse-selection [data-action=delete]');
  await page.waitForSelector('dialog .button-danger:enabled');
  await page.click('dialog .button-danger');
  await page.waitForSelector('text=This bucket is empty');
});

exports.reader = () => browse(async (page) => {
  await signIn(page, 'home-reader');
  await page.goto(`${origin}/browse/`);
  await page.click(`a[href="/browse/${bucket}"]`);
  await page.waitForSelector('text=You may not list this');
  await page.click('.browse-empty >> text=homes/reader/');
  await page.waitForSelector(file('homes/reader/a.txt'));
  await page.check('#browse-all');
  for (const action of ['rename', 'delete']) assert.ok(await page.isDisabled(`#browse-selection [data-action=${action}]`), action);
  await page.click(`${file('homes/reader/a.txt')} .browse-menu-button`);
  assert.equal(await page.locator('[role=menuitem]:has-text("Delete")').count(), 0);
  await page.keyboard.press('Escape');
  await open(page, '?prefix=homes/other/');
  await page.waitForSelector('text=You may not list this');
  assert.ok(await page.isDisabled('[data-action=new-folder]'));
  await open(page, '?prefix=homes/reader/inbox/');
  assert.ok(await page.isEnabled('[data-action=new-folder]'));
}, { expects: /status of 403/ });

exports.troubles = () => browse(async (page, context) => {
  await signIn(page);
  await open(page);
  await rows(page, 3);
  // The connection is lost once: asked again, it is done.
  let requests = 0;
  await page.route('**/s3/**delete', (route) => {
    requests += 1;
    return requests === 1 ? route.abort('connectionreset') : route.continue();
  });
  await page.click('#browse-all');
  await tool(page, 'delete');
  await page.waitForSelector('dialog .button-danger:enabled');
  // The session ends before it is done: signed in again, it goes on.
  await context.clearCookies();
  await page.click('dialog .button-danger');
  await page.waitForSelector('.browse-job-trouble:has-text("Your session is over")');
  await page.click('.browse-job button:has-text("Go on")');
  await page.waitForSelector('.browse-job-trouble:has-text("Nobody is signed in yet")');
  const [window] = await Promise.all([context.waitForEvent('page'), page.click('.browse-job >> text="Sign in"')]);
  await signIn(window);
  await page.click('.browse-job button:has-text("Go on")');
  await page.waitForSelector('text=This bucket is empty');
  await context.clearCookies({ name: 's4_session' });
  await page.click('[data-action=refresh]');
  await page.waitForSelector('.browse-empty:has-text("Your session is over")');
  await page.click('.browse-empty a');
  await page.waitForSelector('[name=username]');
}, { expects: /status of 401|ERR_CONNECTION_RESET/ });

exports.gone = () => browse(async (page) => {
  await signIn(page);
  assert.equal((await page.goto(home)).status(), 404);
  await page.waitForSelector('text=No such bucket');
}, { expects: /status of 404/ });

exports.phone = () => browse(async (page) => {
  await signIn(page);
  await open(page);
  const isWithin = async () => page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth);
  assert.ok(await isWithin());
  await page.click('#browse-all');
  assert.ok(await isWithin());
  await page.click('#browse-selection [data-action=move]');
  await page.waitForSelector('dialog');
  assert.ok(await isWithin());
  await page.keyboard.press('Escape');
  await page.click(`${file('a b c.txt')} .browse-menu-button`);
  const box = await page.locator('[role=menu]').boundingBox();
  assert.ok(box.x >= 0 && box.x + box.width <= 390, JSON.stringify(box));
}, { viewport: { width: 390, height: 800 } });
