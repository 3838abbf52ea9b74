// The console's identity pages in a real browser: what its own scripts do, and a phone's width.
'use strict';

const assert = require('node:assert');
const { browse, signIn, origin } = require('./console_stories.cjs');

const PHONE = { width: 390, height: 844 };
const DOCUMENT = 'textarea[name=document]';
const SAID = '[data-policy-said=id_document]';

// A policy: started from a template, broken, told where, mended, indented, saved.
exports.policy = () => browse(async (page) => {
  await signIn(page);
  await page.goto(`${origin}/iam/policy/add/`);
  await page.fill('[name=name]', 'one-bucket');
  await page.selectOption('[data-policy-for=id_document]', { label: 'Read one bucket' });
  const template = await page.inputValue(DOCUMENT);
  assert.equal(JSON.parse(template).Statement[0].Sid, 'ListTheBucket');
  assert.match(await page.textContent(SAID), /^\d+ of 6,144 characters$/);

  await page.fill(DOCUMENT, '{\n  "Version": ,\n}');
  assert.match(await page.textContent(SAID), /^Not JSON yet/);
  await page.click('[name=_save]');
  await page.waitForSelector(':text("line 2, column 14")');
  assert.equal(await page.inputValue(DOCUMENT), '{\n  "Version": ,\n}');
  assert.equal(await page.inputValue('[name=name]'), 'one-bucket');

  await page.fill(DOCUMENT, JSON.stringify(JSON.parse(template)));
  await page.click('[data-policy-tidy=id_document]');
  assert.equal(await page.inputValue(DOCUMENT), template);
  await page.keyboard.press('Control+z');
  assert.equal(await page.inputValue(DOCUMENT), JSON.stringify(JSON.parse(template)));
  await page.click('[name=_continue]');
  await page.waitForURL('**/change/');
  assert.equal(await page.inputValue(DOCUMENT), JSON.stringify(JSON.parse(template)));
});

// A user: given a policy by choice and one of his own, all of it told on his page.
exports.user = () => browse(async (page) => {
  await signIn(page);
  await page.goto(`${origin}/iam/policy/add/`);
  await page.fill('[name=name]', 'for-ada');
  await page.selectOption('[data-policy-for=id_document]', { label: 'Upload only' });
  await page.click('[name=_save]');
  await page.waitForURL('**/iam/policy/');

  await page.goto(`${origin}/iam/user/add/`);
  await page.fill('[name=username]', 'ada');
  await page.locator('.field-policies .select2-search__field, #id_policies ~ .select2 .select2-search__field').first().pressSequentially('for');
  await page.click('.select2-results__option:has-text("for-ada")');
  await page.click('[name=_continue]');
  await page.waitForURL('**/change/');
  await page.click('a:has-text("Add inline policy")');
  await page.fill('[name=name]', 'own');
  await page.selectOption('[data-policy-for=id_document]', { label: 'Only over TLS' });
  await page.click('[name=_save]');
  await page.waitForURL('**/iam/user/*/change/');
  const told = await page.textContent('.panel:has-text("Effective permissions")');
  for (const words of ['Policy "for-ada" of the user', 'Inline policy "own" of the user', 's3:PutObject', 'aws:SecureTransport Bool false']) {
    assert.ok(told.includes(words), words);
  }
});

// The simulator: a user and an action found by typing, a denial told with its statement.
exports.simulator = () => browse(async (page) => {
  await signIn(page);
  await page.goto(`${origin}/access/`);
  await page.click('.select2-selection');
  await page.locator('.select2-search__field').pressSequentially('roo');
  await page.click('.select2-results__option:has-text("root")');
  assert.ok(await page.locator('#actions option[value="s3:CreateBucket"]').count());
  await page.fill('[name=action]', 's3:CreateBucket');
  await page.fill('[name=bucket]', 'to-be');
  await page.click('button:has-text("Explain")');
  await page.waitForURL('**action=s3**');
  const told = await page.textContent('.simulator-answer');
  for (const words of ['allowed', 'statement "Everything" of policy "SuperUser"', '"Sid": "Everything"']) {
    assert.ok(told.includes(words), told);
  }
  await page.fill('[name=action]', 's3:Nonsense');
  await page.click('button:has-text("Explain")');
  await page.waitForSelector(':text("There is no action s3:Nonsense")');
});

// No page is wider than a phone.
exports.phone = () => browse(async (page) => {
  await page.setViewportSize(PHONE);
  await page.goto(origin);
  await page.fill('[name=username]', 'root');
  await page.fill('[name=password]', process.env.PASSWORD);
  await page.click('[type=submit]');
  await page.waitForSelector('#nav-sidebar', { state: 'attached' });
  const found = [`${origin}/access/?action=s3:GetObject&bucket=none`];
  for (const list of ['user', 'group', 'role', 'policy', 'accesskey', 'inlinepolicy', 'auditentry']) {
    await page.goto(`${origin}/iam/${list}/`);
    const links = await page.$$eval(`a[href*="/iam/${list}/"][href*="/change/"]`, (anchors) => anchors.map((each) => each.href));
    found.push(page.url(), ...links.slice(0, 2));
    if (!['inlinepolicy', 'auditentry'].includes(list)) found.push(`${origin}/iam/${list}/add/`);
  }
  const wide = [];
  for (const address of found) {
    await page.goto(address);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    if (width > PHONE.width) wide.push(`${address}: ${width}`);
  }
  assert.ok(found.length > 12, `${found.length} pages`);
  assert.deepEqual(wide, []);
});
