// The pictures of docs/images, of a furnished store: what a person sees who follows the documentation.
'use strict';

const { browse, signIn, origin } = require('./console_stories.cjs');

const WIDTH = 1280;
const HEIGHT_MAX = 1400;
const SETTLING_MS = 400; // charts and panels come in gently

// Go to the page of a row, by the list that has it.
const row = async (page, list, name) => {
  await page.goto(`${origin}/${list}/?q=${encodeURIComponent(name)}`);
  await page.click(`#result_list a:text-is("${name}")`);
  await page.waitForSelector('#content');
};

// Go to a section of a bucket's page.
const section = async (page, bucket, title) => {
  await row(page, 'buckets/bucket', bucket);
  if (title) await page.click(`.tabs a:has-text("${title}")`);
};

const at = (path) => (page) => page.goto(origin + path);
const tabs = (bucket, title) => (page) => section(page, bucket, title);
const rows = (list, name) => (page) => row(page, list, name);

const simulate = async (page) => {
  await page.goto(`${origin}/access/`);
  await page.click('.select2-selection');
  await page.locator('.select2-search__field').pressSequentially('linus');
  await page.click('.select2-results__option:has-text("linus")');
  await page.fill('[name=action]', 's3:PutObject');
  await page.fill('[name=bucket]', 'photos');
  await page.fill('[name=key]', '2026/harbour.svg');
  await page.click('button:has-text("Explain")');
  await page.waitForURL('**action=s3**');
};

const makeKey = async (page) => {
  await page.goto(`${origin}/iam/accesskey/add/`);
  await page.fill('[name=name]', 'for the scanner');
  await page.click('[name=_save]');
  await page.waitForSelector('#secret-key');
};

const ruleForm = async (page) => {
  await section(page, 'logs', 'Lifecycle');
  await page.click('.rules tr:has-text("old-logs") a');
};

const ruleTried = async (page) => {
  await section(page, 'logs', 'Lifecycle');
  await page.click('a:has-text("What would expire now")');
  await page.fill('[name=at]', '2200-01-01');
  await page.click('button:has-text("Show")');
  await page.waitForSelector('td:has-text("logs/")');
};

const browseFolder = async (page) => {
  await page.goto(`${origin}/browse/photos?prefix=2026/`);
  await page.waitForSelector('text=lighthouse.svg');
};

const browseObject = async (page) => {
  await page.goto(`${origin}/browse/photos?prefix=2026/&object=${encodeURIComponent('2026/lighthouse.svg')}`);
  await page.waitForSelector('text=2026/lighthouse.svg');
  await page.waitForTimeout(3 * SETTLING_MS);
};

const watch = async (page) => {
  await page.goto(`${origin}/trace/`);
  const other = await page.context().newPage();
  for (const path of ['/browse/photos', '/browse/logs', '/browse/photos?prefix=2026/']) {
    await other.goto(origin + path);
    await other.waitForTimeout(SETTLING_MS);
  }
  await other.close();
};

// Name, what leads there, and how tall it is at most.
const PICTURES = [
  ['dashboard', at('/')],
  ['browse', browseFolder, 800],
  ['browse-object', browseObject, 900],
  ['trace', watch, 800],
  ['volumes', at('/operations/volumes/'), 900],
  ['jobs', at('/operations/jobs/'), 900],
  ['health', at('/operations/health/'), 900],
  ['settings', at('/settings/in-force/'), 900],
  ['buckets', at('/buckets/bucket/')],
  ['bucket', tabs('photos')],
  ['object-lock', tabs('ledger', 'Object Lock')],
  ['lifecycle', tabs('logs', 'Lifecycle')],
  ['lifecycle-rule', ruleForm],
  ['lifecycle-preview', ruleTried, 800],
  ['quota', tabs('photos', 'Quota')],
  ['users', at('/iam/user/')],
  ['user', rows('iam/user', 'ada'), 900],
  ['groups', at('/iam/group/')],
  ['roles', at('/iam/role/')],
  ['policies', at('/iam/policy/')],
  ['policy-editor', rows('iam/policy', 'read-photos'), 900],
  ['simulator', simulate],
  ['key-created', makeKey],
];

const picture = async (page, folder, name, heightMax = HEIGHT_MAX) => {
  await page.evaluate(() => document.activeElement?.blur());
  await page.waitForTimeout(SETTLING_MS);
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width: WIDTH, height: Math.min(Math.max(height, 640), heightMax) });
  await page.waitForTimeout(SETTLING_MS);
  await page.screenshot({ path: `${folder}/${name}.png` });
  await page.setViewportSize({ width: WIDTH, height: 640 });
};

// Take the pictures, those named or all of them, in one theme; a dark one is called so.
exports.take = (folder, colorScheme = 'light', ...names) => browse(async (page) => {
  const dark = colorScheme === 'dark' ? '-dark' : '';
  await page.goto(origin);
  if (names.length === 0 || names.includes('login')) await picture(page, folder, `login${dark}`);
  await signIn(page);
  for (const [name, lead, heightMax] of PICTURES) {
    if (names.length > 0 && !names.includes(name)) continue;
    await lead(page);
    await picture(page, folder, name + dark, heightMax);
  }
}, { colorScheme, viewport: { width: WIDTH, height: 640 } });
