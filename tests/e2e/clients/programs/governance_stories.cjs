// The console's pages of governance in a real browser: versions, locks, lifecycle rules, quotas.
'use strict';

const assert = require('node:assert');
const { browse, signIn, origin } = require('./console_stories.cjs');

const PHONE = { width: 390, height: 844 };
const { BUCKET: bucket } = process.env;

// Go to the page of the bucket, by the list.
const open = async (page, tab) => {
  await page.goto(`${origin}/buckets/bucket/?q=${bucket}`);
  await page.click(`#result_list a:text-is("${bucket}")`);
  await page.waitForSelector('.tabs');
  if (tab) {
    await page.click(`.tabs a:has-text("${tab}")`);
    await page.waitForSelector(`.tabs a[aria-current]:has-text("${tab}")`);
  }
};

// Versions, then Object Lock: turned on with a word, a default retention set, and for ever.
exports.lock = () => browse(async (page) => {
  await signIn(page);
  await open(page, 'Object Lock');
  assert.equal(await page.locator('[name=is_understood]').count(), 0);
  await page.click('a:has-text("enable versioning")');
  await page.click('button:has-text("Enable versioning")');
  await page.waitForSelector('.panel :text-is("enabled")');

  await page.click('.tabs a:has-text("Object Lock")');
  await page.click('button:has-text("for ever")');
  await page.waitForSelector(':text("Confirm that you know.")');
  await page.check('[name=is_understood]');
  await page.click('button:has-text("for ever")');
  await page.waitForSelector(':text("Object Lock is on.")');

  await page.check('[name=mode][value=GOVERNANCE]');
  await page.click('button:has-text("Save")');
  await page.waitForSelector(':text("Say for how long.")');
  assert.ok(await page.isChecked('[name=mode][value=GOVERNANCE]'));
  await page.fill('[name=period]', '30');
  await page.click('button:has-text("Save")');
  await page.waitForSelector('.facts :text("Governance, 30 days")');
  await page.click('.tabs a:has-text("Versioning")');
  await page.waitForSelector(':text("cannot be suspended")');
});

// A lifecycle rule: written, refused, tried, saved, put in order, disabled, deleted.
exports.lifecycle = () => browse(async (page) => {
  await signIn(page);
  await open(page, 'Lifecycle');
  await page.click('a:has-text("Add rule")');
  await page.fill('[name=id]', 'old-logs');
  await page.fill('[name=key_prefix]', 'logs/');
  assert.equal(await page.locator('.tag-row:visible').count(), 1);
  await page.fill('[name=tag_key_0]', 'class');
  assert.equal(await page.locator('.tag-row:visible').count(), 2);
  await page.fill('[name=expire_days]', '30');
  await page.fill('[name=abort_days]', '7');
  await page.click('button:has-text("Save rule")');
  await page.waitForSelector(':text("cannot be specified with Tags")');
  assert.equal(await page.inputValue('[name=expire_days]'), '30');
  await page.fill('[name=tag_key_0]', '');

  await page.fill('[name=at]', '2200-01-01');
  await page.click('button:has-text("Try it")');
  await page.waitForSelector('#preview td:has-text("logs/a.txt")');
  assert.equal(await page.locator('#preview td:has-text("kept.txt")').count(), 0);
  assert.ok(page.url().endsWith('#preview'));
  await page.click('button:has-text("Save rule")');
  await page.waitForSelector('.rules :text("current versions expire 30 days after they were written")');

  await page.click('a:has-text("Add rule")');
  assert.equal(await page.inputValue('[name=id]'), 'rule-1');
  await page.fill('[name=noncurrent_days]', '3');
  await page.click('button:has-text("Save rule")');
  await page.waitForSelector('.rules :text("every object")');
  await page.click('[aria-label="Move rule-1 up"]');
  await page.waitForSelector('.rules tbody tr:first-child:has-text("rule-1")');
  await page.click('tr:has-text("rule-1") button:has-text("Disable")');
  await page.waitForSelector('tr:has-text("rule-1") :text-is("disabled")');

  await page.click('a:has-text("What would expire now")');
  await page.waitForSelector(':text("Nothing. All")');
  await page.fill('[name=at]', '2200-01-01');
  await page.click('button:has-text("Show")');
  await page.waitForSelector('td:has-text("logs/a.txt")');

  // By the keyboard alone.
  await page.click('.tabs a:has-text("Lifecycle")');
  await page.focus('tr:has-text("rule-1") summary');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.waitForSelector(':text("The rule rule-1 was deleted.")');
  assert.equal(await page.locator('.rules tbody tr').count(), 1);
});

// A quota: set with its unit, drawn as a bar, told on the first page.
exports.quota = () => browse(async (page) => {
  await signIn(page);
  await open(page, 'Quota');
  await page.fill('[name=quota_bytes]', '0.3');
  await page.selectOption('[name=quota_bytes_unit]', { label: 'bytes' });
  await page.click('button:has-text("Save")');
  await page.waitForSelector(':text("no whole number of bytes")');
  await page.fill('[name=quota_bytes]', '1');
  await page.selectOption('[name=quota_bytes_unit]', { label: 'GiB' });
  await page.fill('[name=quota_objects]', '2');
  await page.click('button:has-text("Save")');
  await page.waitForSelector('.meter-full:has-text("2 of 2 objects (100 %)")');
  const width = (selector) => page.$eval(selector, (each) => each.getBoundingClientRect().width);
  assert.equal(Math.round(await width('.meter-full rect')), Math.round(await width('.meter-full svg')));
  await page.goto(origin);
  await page.waitForSelector(`.panel:has-text("Near their quotas") tr:has-text("${bucket}") :text-is("full")`);
});

// A bucket is made with Object Lock, and no page of it is wider than a phone.
exports.phone = () => browse(async (page) => {
  await signIn(page);
  await page.goto(`${origin}/buckets/bucket/add/`);
  await page.fill('[name=name]', `${bucket}-locked`);
  await page.check('[name=is_locked]');
  await page.click('[name=_save]');
  await page.waitForSelector('#browse');

  await open(page, 'Lifecycle');
  await page.click('a:has-text("Add rule")');
  await page.fill('[name=expire_days]', '30');
  await page.click('button:has-text("Save rule")');
  await page.waitForSelector('.rules');
  const found = await page.$$eval('.tabs a', (anchors) => anchors.map((each) => each.href));
  const rules = page.url();
  found.push(`${rules}rule/`, `${rules}rule/?rule=rule-1`, `${rules}preview/?at=2200-01-01`, `${origin}/buckets/bucket/`, origin);
  await page.setViewportSize(PHONE);
  const wide = [];
  for (const address of found) {
    await page.goto(address);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    if (width > PHONE.width) wide.push(`${address}: ${width}`);
  }
  assert.equal(found.length, 14);
  assert.deepEqual(wide, []);
});
