// First contact: a stranger signs in, makes a bucket, uploads, shares, and gives somebody a key for that
// bucket alone. What he does is counted: clicks, and fields that he must fill in. No more than this.
'use strict';

const assert = require('node:assert');
const { browse, origin } = require('./console_stories.cjs');

const STEPS = {
  'sign in': 3, 'make a bucket': 4, upload: 3, share: 3, 'a key for one bucket': 4,
};

exports.contact = () => browse(async (page) => {
  const steps = {};
  let task = '';
  const count = () => { steps[task] = (steps[task] ?? 0) + 1; };
  const shown = (selector) => page.locator(`${selector} >> visible=true`).first();
  const click = (selector) => { count(); return shown(selector).click(); };
  const fill = (selector, text) => { count(); return shown(selector).fill(text); };

  await page.goto(origin);
  task = 'sign in';
  await fill('[name=username]', 'root');
  await fill('[name=password]', process.env.PASSWORD);
  await click('[type=submit]');
  await page.waitForSelector('#nav-sidebar');

  task = 'make a bucket';
  await click('#nav-sidebar a:has-text("Buckets")');
  await click('a[href*="/buckets/bucket/add/"]');
  await fill('[name=name]', 'first-contact');
  await click('[name=_save]');
  await page.waitForSelector('#browse');

  task = 'upload';
  await click('[data-action=upload]');
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), click('.upload-choices button:has-text("Files")')]);
  count(); // the file, in the system's window
  await chooser.setFiles({ name: 'hello.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') });

  task = 'share';
  const chosen = page.locator('#browse-rows tr:has(:text-is("hello.txt")) input[type=checkbox]');
  count();
  await chosen.check();
  await click('#browse-selection [data-action=share]');
  await click('dialog button:has-text("Create link and copy it")');
  await page.waitForSelector('dialog :text-is("Copied")');
  await page.keyboard.press('Escape');

  task = 'a key for one bucket';
  await click('a[href*="/change/"]:has-text("Settings")');
  await click('a:has-text("Make a key for this bucket")');
  await fill('[name=username]', 'newcomer');
  await click('button:has-text("Make the key")');
  await page.waitForSelector('#secret-key');
  assert.deepEqual(steps, STEPS);
}, { permissions: ['clipboard-read', 'clipboard-write'] });
