// The first page's charts and the live trace in a real browser: real figures, both themes, keyboard,
// filters, pause, and no secret.
'use strict';

const assert = require('node:assert');
const { browse, signIn, origin } = require('./console_stories.cjs');

const { BUCKET: bucket } = process.env;
const PHONE = { viewport: { width: 390, height: 844 } };
const CHARTS = 6;

const fits = async (page) => {
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= page.viewportSize().width, `${width} pixels wide`);
};

// Ask S3 for something as a page of the console does.
const ask = (page, parameters) => page.evaluate(async ([where, asked]) => {
  const { request } = await import('/static/s4/s3.js');
  await request('GET', where, undefined, { parameters: asked });
}, [bucket, parameters]);

const lineColours = (page) => page.$$eval('[data-chart=requests] .chart-legend line', (lines) => lines.map((line) => line.getAttribute('stroke')));

exports.charts = () => browse(async (page) => {
  await signIn(page);
  await page.goto(`${origin}/?range=24h`);
  await page.waitForFunction((count) => [...document.querySelectorAll('.chart-legend')].filter((list) => list.children.length).length === count, CHARTS);
  assert.equal(await page.getAttribute('.spans [aria-current=page]', 'href'), '?range=24h');

  // What was put before is in the newest step, in the legend and in the canvas's words.
  const label = await page.getAttribute('[data-chart=capacity] canvas', 'aria-label');
  assert.match(label, /Capacity: Stored by clients \d/);
  const isDrawn = await page.$eval('[data-chart=capacity] canvas', (canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean));
  assert.ok(isDrawn);

  // The same as a table, opened by the keyboard.
  const panel = page.locator('[data-chart=objects]');
  await panel.locator('summary').focus();
  await page.keyboard.press('Enter');
  await panel.locator('tbody tr').first().waitFor();
  assert.ok(await panel.locator('tbody tr').count() > 200);

  // Another theme draws the charts anew, in its own colours.
  const before = await lineColours(page);
  await page.keyboard.press('Control+e'); // from what the system wants to light, to dark
  await page.keyboard.press('Control+e');
  await page.waitForFunction((old) => document.querySelector('[data-chart=requests] .chart-legend line').getAttribute('stroke') !== old, before[0]);

  // The latency of writes alone; then earlier, and back to now.
  const told = page.waitForResponse((response) => response.url().includes('of=write'));
  await page.selectOption('#latency-of', 'write');
  assert.equal((await told).status(), 200);
  await page.click('.spans a:has-text("Earlier")');
  await page.waitForURL('**until=**');
  await page.click('.spans a:has-text("Later")');
  await page.waitForURL('**/?range=24h');
});

exports.trace = () => browse(async (page, context) => {
  await signIn(page);
  await page.goto(`${origin}/trace/?bucket=${bucket}`);
  await page.waitForSelector('#trace-state:has-text("Watching")');
  assert.equal(await page.inputValue('#trace-bucket'), bucket);
  const other = await context.newPage();
  await other.goto(`${origin}/browse/`);
  await ask(other, { 'list-type': '2' });
  await page.waitForSelector('#trace-rows tr:has-text("ListObjectsV2"):has-text("root (console)")');

  // The facts of one, by the keyboard.
  await page.locator('.trace-open').first().focus();
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog[open] .trace-facts dd:has-text("ListObjectsV2")');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', { state: 'detached' });

  // Paused, what comes waits; then it is shown.
  await page.click('#trace-pause');
  await ask(other, { versioning: '' });
  await page.waitForSelector('#trace-counts:has-text("1 wait")');
  assert.equal(await page.locator('#trace-rows tr:has-text("GetBucketVersioning")').count(), 0);
  await page.click('#trace-pause');
  await page.waitForSelector('#trace-rows tr:has-text("GetBucketVersioning")');

  // Another filter, and nothing of what it leaves out.
  await page.click('#trace-clear');
  await page.waitForSelector('#trace-empty', { state: 'visible' });
  await page.selectOption('#trace-operation', 'GetBucketLocation');
  await page.waitForURL('**operation=GetBucketLocation**');
  await page.waitForSelector('#trace-state:has-text("Watching")');
  await ask(other, { versioning: '' });
  await ask(other, { location: '' });
  await page.waitForSelector('#trace-rows tr:has-text("GetBucketLocation")');
  assert.equal(await page.locator('#trace-rows tr').count(), 1);
});

exports.phone = () => browse(async (page) => {
  await signIn(page);
  for (const path of ['/', '/trace/']) {
    await page.goto(origin + path);
    await page.waitForSelector('.chart-legend li, #trace-state:has-text("Watching")');
    await fits(page);
  }
}, PHONE);
