// The pages of Operations and Settings by hand in a real browser: tasks started, watched and stopped,
// uploads aborted, the map read, all of it on a phone, too.
'use strict';

const assert = require('node:assert');
const { browse, signIn, origin } = require('./console_stories.cjs');

const PHONE = { width: 390, height: 844 };

const offer = (page, name) => page.locator('form.offer', { has: page.locator(`h3:text-is("${name}")`) });

// A slow scrub: its bar moves without a reload, a second one is not offered, it stops when told to;
// then a verify, whose end shows itself.
exports.tasks = () => browse(async (page) => {
  await signIn(page);
  await page.goto(`${origin}/operations/jobs/`);
  const scrub = offer(page, 'Scrub');
  await scrub.locator('summary').click();
  await scrub.locator('[name=scrub-rate]').fill('fast');
  await scrub.locator('button').click();
  await page.waitForSelector(':text("Must be a size such as")');
  await offer(page, 'Scrub').locator('[name=scrub-rate]').fill('200K');
  await offer(page, 'Scrub').locator('button').click();
  await page.waitForSelector(':text("Scrub: asked for.")');

  const loads = [];
  page.on('load', () => loads.push(page.url()));
  const bar = page.locator('#open-tasks [role=progressbar]');
  await bar.waitFor();
  const before = Number(await bar.getAttribute('aria-valuenow'));
  await page.waitForFunction((value) => {
    const found = document.querySelector('#open-tasks [role=progressbar]');
    return found !== null && Number(found.getAttribute('aria-valuenow')) > value;
  }, before);
  assert.deepEqual(loads, []);
  await page.goto(`${origin}/operations/damaged/`);
  assert.ok(await offer(page, 'Scrub').locator('button').isDisabled());
  await page.click('#open-tasks button:has-text("Stop")');
  await page.waitForSelector(':text("It was asked to stop")');
  await page.waitForSelector('.task-card', { state: 'detached' });
  assert.equal(new URL(page.url()).pathname, '/operations/damaged/');

  await page.goto(`${origin}/operations/jobs/`);
  await page.click('tr:has-text("stopped") a:text-is("Scrub")');
  await page.waitForSelector('dt:text-is("Payloads in volumes read")');
  await page.goto(`${origin}/operations/jobs/`);
  await offer(page, 'Verify').locator('button').click();
  await page.waitForSelector('tr:has-text("no problems")');
});

// Uploads of odd names are chosen, what is lost is told, and they are gone.
exports.uploads = () => browse(async (page) => {
  await signIn(page);
  await page.goto(`${origin}/operations/uploads/`);
  const boxes = page.locator('[data-upload]');
  const count = await boxes.count();
  const abort = page.locator('#abort-uploads');
  assert.ok(await abort.isDisabled());
  await boxes.first().check();
  await abort.click();
  await page.waitForSelector('dialog :text("Uploads: 1; parts: 1, 97.7 KiB.")');
  await page.keyboard.press('Escape');
  assert.equal(await boxes.count(), count);
  await page.check('#choose-all');
  await abort.click();
  await page.click('dialog .button-danger');
  await page.waitForSelector(':text("None: every multipart upload")');
});

// The map, health and settings say what they are for, on a phone as well.
exports.reading = () => browse(async (page) => {
  await signIn(page);
  await page.goto(`${origin}/operations/volumes/`);
  await page.locator('.volume-cell').first().waitFor();
  await page.fill('[name=compact-threshold]', '0.01');
  await page.click('button:text-is("Show")');
  await page.waitForURL('**/?compact-threshold=0.01');
  await page.click('nav a:text-is("oldest")');
  await page.waitForSelector('a[aria-current]:text-is("oldest")');
  await page.goto(`${origin}/operations/health/`);
  await page.waitForSelector('.health-summary');
  await page.goto(`${origin}/settings/in-force/`);
  await page.waitForSelector('tr:has-text("S4_ROOT_PASSWORD"):has-text("set, not shown")');
  await page.goto(`${origin}/settings/version/`);
  await page.waitForSelector('.release h3:text-is("Added")');
  await page.setViewportSize(PHONE);
  for (const path of ['operations/volumes/', 'operations/jobs/', 'settings/in-force/', 'settings/version/']) {
    await page.goto(`${origin}/${path}`);
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(beyond <= 0, `${path} is ${beyond} pixels too wide`);
  }
});
