// Every page of the console in a real browser, in both themes and both widths: it opens, it fits, its
// theme is the one that was asked for, and axe-core finds nothing that keeps anybody from using it.
'use strict';

const assert = require('node:assert');
const { readFileSync } = require('node:fs');
const { browse, signIn, origin } = require('./console_stories.cjs');

const PAGES_MAX = 300;
const LOOK_MS = 40;
const LOOKS_MAX = 75;
const PAGES_MIN = 25;
const WIDTHS = { desktop: { width: 1400, height: 900 }, phone: { width: 390, height: 844 } };
const NOT_FOLLOWED = /logout|_popup=1.*|\/api\/|^\/s3\/|^\/static\//;
// What the everyday command leaves to the long form: pages that ask a list again, or are Django's own.
const MORE_OF_THE_SAME = /\?|\/(history|delete)\/$/;
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

// Tell what axe-core has against a page, as sentences that say where.
const complaints = async (page) => {
  await page.evaluate(AXE);
  const found = await page.evaluate(async (values) => {
    const { violations } = await window.axe.run(document, { runOnly: { type: 'tag', values }, resultTypes: ['violations'] });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ target, html, any }) => `${id}: ${target.join(' ')}: ${html.slice(0, 160)} ${any[0]?.message ?? ''}`));
  }, RULES);
  return found;
};

// What kind of page an address opens: pages that differ in ids and names are of one kind, and so are
// those of a list that is asked for a part of it.
const kind = ({ pathname, search }) => {
  const path = pathname.replace(/\/\d+(?=\/)/g, '/N').replace(/^\/browse\/.+/, '/browse/B');
  return path + (search ? '?' : '');
};

// Make what waits until all that a page asked for has come, and no longer where an answer goes on.
const watch = (page) => {
  const open = new Set();
  page.on('request', (request) => open.add(request));
  for (const end of ['requestfinished', 'requestfailed']) page.on(end, (request) => open.delete(request));
  const pause = () => new Promise((resolve) => { setTimeout(resolve, LOOK_MS); });
  return async () => {
    for (let quiet = 0, looks = 0; quiet < 2 && looks < LOOKS_MAX; looks += 1) {
      await pause();
      quiet = open.size ? 0 : quiet + 1;
    }
    open.clear();
  };
};

// Follow the links from the first page, to so many pages of each kind.
const crawl = async (page, each, perKind) => {
  const waiting = [`${origin}/`];
  const seen = new Set(waiting);
  const kinds = new Map();
  const settle = watch(page);
  for (let address = waiting.shift(); address !== undefined; address = waiting.shift()) {
    const response = await page.goto(address);
    assert.equal(response.status(), 200, address);
    await settle();
    await each(address);
    const links = await page.$$eval('a[href]', (anchors) => anchors.map((anchor) => anchor.href.split('#')[0]));
    for (const link of links) {
      const url = new URL(link);
      const many = kinds.get(kind(url)) ?? 0;
      if (url.origin !== origin || NOT_FOLLOWED.test(url.pathname + url.search) || seen.has(link) || many >= perKind) continue;
      if (perKind === 1 && MORE_OF_THE_SAME.test(url.pathname + url.search) && !url.pathname.startsWith('/browse/')) continue;
      kinds.set(kind(url), many + 1);
      seen.add(link);
      waiting.push(link);
    }
  }
  assert.ok(seen.size >= PAGES_MIN && seen.size < PAGES_MAX, `${seen.size} pages`);
};

exports.complaints = complaints; // for stories of other pages

// Open every page in one theme and one width; `perKind` pages of each kind.
exports.pages = (colorScheme, width, perKind = '1') => browse(async (page) => {
  const troubles = new Map();
  const note = (trouble, address) => troubles.set(trouble, troubles.get(trouble) ?? address);
  await page.goto(origin);
  for (const trouble of await complaints(page)) note(trouble, 'login');
  await signIn(page);
  await crawl(page, async (address) => {
    const isDark = await page.evaluate(() => document.documentElement.classList.contains('dark'));
    if (isDark !== (colorScheme === 'dark')) note(`the theme is not ${colorScheme}`, address);
    const { scrollWidth, clientWidth } = await page.evaluate(() => document.documentElement);
    if (scrollWidth > clientWidth) note(`${scrollWidth} pixels wide`, address);
    for (const trouble of await complaints(page)) note(trouble, address);
  }, Number(perKind));
  const told = [...troubles].map(([trouble, address]) => `${address}: ${trouble}`.replace(/\s+/g, ' '));
  assert.equal(told.length, 0, told.join('\n'));
}, { colorScheme, viewport: WIDTHS[width] });
