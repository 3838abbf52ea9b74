// The console over S4's own TLS, in a real browser: by HTTP/2, with cookies that stay on it.
'use strict';

const assert = require('node:assert');
const { chromium } = require('playwright-core');

const { CHROMIUM, CONSOLE, PASSWORD } = process.env;

// Sign in, look at a few pages, and see how they came.
exports.console = async () => {
  const args = ['--disable-gpu', '--disable-quic', '--disable-background-networking'];
  if (process.getuid() === 0) args.push('--no-sandbox');
  const browser = await chromium.launch({ executablePath: CHROMIUM, args });
  try {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    const failures = [];
    page.on('requestfailed', (request) => {
      const { errorText } = request.failure(); // a page that is left behind takes back what it asked
      if (errorText !== 'net::ERR_ABORTED') failures.push(`${request.url()} ${errorText}`);
    });
    page.on('response', (reply) => { if (reply.status() >= 400) failures.push(reply.url()); });
    await page.goto(CONSOLE);
    await page.fill('input[name=username]', 'root');
    await page.fill('input[name=password]', PASSWORD);
    await page.press('input[name=password]', 'Enter');
    await page.waitForURL((url) => !url.pathname.includes('login'), { timeout: 20_000 });
    for (const path of ['/', '/buckets/bucket/', '/iam/user/']) {
      await page.goto(CONSOLE + path, { waitUntil: 'networkidle' });
      const protocols = await page.evaluate(() => [
        ...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource'),
      ].map((entry) => entry.nextHopProtocol));
      assert.ok(protocols.length > 3, `few files: ${protocols}`);
      assert.deepEqual([...new Set(protocols.filter(Boolean))], ['h2'], path);
    }
    const cookies = await context.cookies();
    assert.ok(cookies.length >= 2);
    assert.ok(cookies.every((cookie) => cookie.secure), JSON.stringify(cookies));
    assert.deepEqual(failures, []);
  } finally {
    await browser.close();
  }
};
