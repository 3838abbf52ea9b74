// The console in a real browser: every control works under its security policy, without a word in the
// browser's console.
'use strict';

const assert = require('node:assert');
const { chromium } = require('playwright-core');

const { CONSOLE: origin, PASSWORD: password } = process.env;

// Open a browser, tell a story in it, and insist that it met no trouble but what the story `expects`.
const browse = async (story, { expects = /(?!)/, ...options } = {}) => {
  const args = ['--disable-gpu', '--disable-quic', '--disable-background-networking'];
  if (process.getuid() === 0) args.push('--no-sandbox');
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args });
  const troubles = [];
  try {
    const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, ...options });
    context.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) troubles.push(`${message.page()?.url()}: ${message.text()}`);
    });
    context.on('weberror', (error) => troubles.push(`${error.page()?.url()}: ${error.error()}`));
    context.on('requestfailed', (request) => {
      if (request.failure().errorText !== 'net::ERR_ABORTED') troubles.push(`${request.url()}: ${request.failure().errorText}`);
    });
    context.on('response', (response) => {
      if (!response.url().replace(/^blob:/, '').startsWith(origin) && !response.url().startsWith('data:')) troubles.push(`${response.url()}: foreign`);
    });
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    await story(page, context);
  } finally {
    await browser.close();
  }
  assert.deepEqual(troubles.filter((trouble) => !expects.test(trouble)), []);
};

const signIn = async (page, username = 'root') => {
  await page.goto(origin);
  await page.fill('[name=username]', username);
  await page.fill('[name=password]', password);
  await page.click('[type=submit]');
  await page.waitForSelector('#nav-sidebar', { state: 'attached' }); // a phone hides it
};

Object.assign(exports, { browse, signIn, origin }); // for stories of other pages

// Every kind of control that the theme has, once.
exports.controls = () => browse(async (page, context) => {
  await signIn(page);
  const isDark = async () => (await page.getAttribute('html', 'class')) === 'dark';

  // The theme, by its menu; kept by the browser.
  await page.click('[x-on\\:click="openUserLinks = !openUserLinks"]');
  await page.click('[x-on\\:click="switchTheme(\'dark\')"] >> visible=true');
  await page.waitForSelector('html.dark');
  await page.reload();
  assert.ok(await isDark());
  await page.keyboard.press('Control+e');
  await page.waitForSelector('html:not(.dark)');

  // The navigation, hidden and shown; kept by the browser.
  const dock = page.locator('[x-on\\:click*=sidebarDesktopOpen]');
  await dock.click();
  await page.waitForSelector('#nav-sidebar', { state: 'hidden' });
  await page.reload();
  await page.waitForSelector('#nav-sidebar', { state: 'hidden' });
  await dock.click();
  await page.waitForSelector('#nav-sidebar', { state: 'visible' });

  // The search of commands.
  await page.keyboard.press('Control+k');
  await page.waitForSelector('[x-ref=searchInputCommand]:focus'); // what is typed sooner is lost
  await page.locator('[x-ref=searchInputCommand]').pressSequentially('user');
  await page.waitForSelector('#command-results li a');
  await page.locator('[x-ref=searchInputCommand]').press('ArrowDown');
  await page.locator('[x-ref=searchInputCommand]').press('Enter');
  await page.waitForURL('**/iam/user/**');

  // The pages of the API, which try its calls.
  await page.goto(`${origin}/api/docs`);
  await page.click('.opblock-summary-path:has-text("/me") >> nth=0');
  await page.waitForSelector('.opblock-body');

  // A list: searched, sorted, filtered.
  await page.goto(`${origin}/iam/user/`);
  await page.keyboard.press('/');
  await page.keyboard.type('a');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/iam/user/?q=a');
  await page.goto(`${origin}/iam/user/`);
  await page.click('th.column-username a');
  await page.waitForURL('**o=**');
  await page.goto(`${origin}/iam/user/`);
  await page.click('[x-on\\:click="filterOpen = true"] >> visible=true');
  await page.waitForSelector('#changelist-filter', { state: 'visible' });
  await page.click('#changelist-filter a[href*=Writer], #changelist-filter label:has-text("Writer")');
  const apply = page.locator('#changelist-filter [type=submit]');
  if (await apply.count()) await apply.click();
  await page.waitForURL('**Writer**');

  // A form: its date picker, and a user found by typing.
  await page.goto(`${origin}/iam/accesskey/add/`);
  await page.fill('[name=name]', 'by hand');
  await page.click('.datetimeshortcuts a[id^=calendarlink]');
  await page.click('.calendarbox a:has-text("Tomorrow") >> visible=true');
  await page.click('.datetimeshortcuts a[id^=clocklink]');
  await page.click('.clockbox a:has-text("Noon") >> visible=true');
  assert.match(await page.inputValue('[name=expires_at_0]'), /^\d{4}-\d\d-\d\d$/);
  await page.click('.select2-selection');
  await page.locator('.select2-search__field').pressSequentially('ro');
  await page.click('.select2-results__option:has-text("root")');
  await page.click('[name=_save]');
  await page.waitForSelector('#secret-key');
  await page.click('[data-copy=secret-key]');
  await page.waitForSelector('button:has-text("Copied")');

  // A window that adds what a form lacks, and closes.
  await page.goto(`${origin}/iam/accesskey/add/`);
  await page.click('[x-on\\:click*=openRelatedWidgetWrapper] >> visible=true');
  const [window] = await Promise.all([context.waitForEvent('page'), page.click('.add-related >> visible=true')]);
  await window.fill('[name=username]', 'by-window');
  await Promise.all([window.waitForEvent('close'), window.click('[name=_save]')]);
  await page.waitForSelector('.select2-selection:has-text("by-window")');

  // Actions on several rows.
  await page.goto(`${origin}/iam/accesskey/`);
  await page.locator('tr:has-text("by hand") input.action-select').check();
  await page.selectOption('select[name=action] >> visible=true', 'disable');
  await page.click('button[name=index] >> visible=true');
  await page.waitForSelector('tr:has-text("by hand") :text("disabled")');
  await page.locator('tr:has-text("by hand") input.action-select').check();
  await page.selectOption('select[name=action] >> visible=true', 'delete_selected');
  await page.click('button[name=index] >> visible=true');
  await page.click('[type=submit] >> visible=true');
  await page.waitForURL('**/iam/accesskey/');
  assert.equal(await page.locator('tr:has-text("by hand")').count(), 0);

  // A wrong form says so beside the field.
  await page.goto(`${origin}/iam/user/add/`);
  await page.fill('[name=username]', 'a b');
  await page.click('[name=_save]');
  await page.waitForSelector(':text("A user name has only")');

  // On a phone the navigation is a drawer.
  await page.setViewportSize({ width: 390, height: 800 });
  await page.goto(`${origin}/buckets/bucket/`);
  await page.click('[x-on\\:click="sidebarMobileOpen = !sidebarMobileOpen"] >> visible=true');
  await page.waitForSelector('#nav-sidebar', { state: 'visible' });
}, { permissions: ['clipboard-read', 'clipboard-write'] });
