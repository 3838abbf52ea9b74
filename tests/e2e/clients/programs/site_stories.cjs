// The documentation's site, read from one host alone.
'use strict';

const { chromium } = require('playwright-core');

const WIDTHS = [1280, 390];
const THEMES = ['light', 'dark'];

// Say what is wrong with pages: an error, a request to anywhere else, something wider than the window.
const look = async (origin, ...names) => {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
  const troubles = [];
  for (const colorScheme of THEMES) {
    const context = await browser.newContext({ colorScheme });
    const page = await context.newPage();
    page.on('pageerror', (error) => troubles.push(`${page.url()}: ${error.message}`));
    page.on('request', (request) => {
      if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) troubles.push(`asks ${request.url()}`);
    });
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      for (const name of names) {
        await page.goto(`${origin}/${name}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        if (wide > width) troubles.push(`${name} is ${wide} wide in ${width}`);
      }
    }
    await page.goto(`${origin}/search.html?q=rename`);
    await page.waitForSelector('#search-results a[href*="docs/rename.html"]');
    await context.close();
  }
  await browser.close();
  console.log(JSON.stringify(troubles));
};

module.exports = { look };
