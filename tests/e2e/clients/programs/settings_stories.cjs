// The settings of a bucket in a real browser: forms and documents in step, tried, saved; emptied.
'use strict';

const assert = require('node:assert');
const { browse, signIn, origin } = require('./console_stories.cjs');

const { BUCKET: bucket } = process.env;
const DOCUMENT = 'textarea[name=document]';

const open = async (page, tab) => {
  await page.goto(`${origin}/buckets/bucket/?q=${bucket}`);
  await page.click(`#result_list a:text-is("${bucket}")`);
  await page.click(`.tabs a:has-text("${tab}")`);
  await page.waitForSelector(`.tabs a[aria-current]:has-text("${tab}")`);
  await page.waitForLoadState(); // a button that a script drives does nothing before
};

const holds = (page, selector, words) => page.waitForFunction(
  ([where, what]) => document.querySelector(where)?.value.includes(what), [selector, words],
);

// Types in the very moment that a document has come: nobody is faster. Gives it as it came.
const typeOnceItHolds = (page, selector, words, others) => page.evaluate(
  ([where, what, instead]) => new Promise((resolve) => {
    new MutationObserver((_, observer) => {
      const text = document.querySelector(where);
      const came = text.value;
      if (came.includes(what)) {
        observer.disconnect();
        text.value = came.replace(what, instead);
        text.dispatchEvent(new Event('input', { bubbles: true }));
        resolve(came);
      }
    }).observe(document.body, { childList: true, subtree: true });
  }), [selector, words, others],
);

// Rules of CORS: typed into the form, changed in the XML, tried, saved.
exports.cors = () => browse(async (page) => {
  await signIn(page);
  await open(page, 'CORS');
  await page.click('button:has-text("Add a rule")');
  await page.fill('[name=row0-origins]', 'https://example.com');
  await page.check('[name=row0-methods][value=GET]');
  await holds(page, DOCUMENT, 'https://example.com');
  await holds(page, DOCUMENT, 'GET');
  const written = typeOnceItHolds(page, DOCUMENT, '<AllowedOrigin>https://example.com', '<AllowedOrigin><b>');
  await page.click('.editor-formats label:has-text("XML")');
  const xml = await written;
  await page.waitForSelector('#cors-document-said:has-text("near")');
  await page.fill(DOCUMENT, xml.replace('https://example.com', 'https://*.example.org'));
  await holds(page, '[name=row0-origins]', 'https://*.example.org');
  assert.equal(await page.textContent('#cors-document-said'), '');

  await page.fill('[name=test_origin]', 'https://a.example.org');
  await page.fill('[name=test_headers]', 'x-a');
  await page.click('button:text-is("Try it")');
  await page.waitForSelector('#cors-answer :text("it does not allow one of the headers")');
  await page.fill('[name=row0-headers]', '*');
  await holds(page, DOCUMENT, '<AllowedHeader>*');
  await page.click('button:text-is("Try it")');
  await page.waitForSelector('#cors-answer :text("it matches")');
  await page.focus('[name=row0-age]');
  await page.keyboard.type('60');
  await page.keyboard.press('Enter'); // saves: it takes nothing out
  await page.waitForSelector(':text("saved.")');
  await page.waitForLoadState();
  assert.equal(await page.inputValue('[name=row0-age]'), '60');
  await page.click('button:has-text("Remove")');
  await page.waitForSelector('[name=row0-age]', { state: 'detached' });
  await holds(page, DOCUMENT, '');
  await page.click('button:text-is("Save")');
  await page.waitForSelector(':text("let no page of another origin in")');
});

// A policy: from a template, refused, with a statement in words, tried, saved.
exports.policy = () => browse(async (page) => {
  await signIn(page);
  await open(page, 'Policy');
  await page.selectOption('#policy-template', 'public-list');
  await page.waitForSelector(':text("this one will not be saved")');
  await page.click('button:text-is("Save")');
  await page.waitForSelector('#policy-document-said:has-text("BlockPublicPolicy")');
  await page.selectOption('#policy-template', 'tls');
  await holds(page, DOCUMENT, 'OnlyOverTls');
  await page.click('summary:has-text("Add a statement")');
  await page.fill('[name=who]', 'root');
  await page.check('[name=rights][value=list]');
  await page.check('[name=rights][value=read]');
  await page.fill('[name=below]', 'reports/');
  await page.click('button:has-text("Add it to the policy")');
  await page.waitForFunction(() => document.querySelectorAll('.policy-said-list li').length === 3);
  const text = await page.inputValue(DOCUMENT);
  await page.fill(DOCUMENT, text.replace('"Deny"', '"Deni"'));
  await page.waitForSelector('#policy-document-said:has-text("Statement 1")');
  await page.fill(DOCUMENT, text);
  await page.waitForFunction(() => document.querySelector('#policy-document-said').textContent === '');
  await page.fill('[name=try-action]', 's3:ListBucket');
  await page.fill('[name=try-key]', '');
  await page.click('button:text-is("Try it")');
  await page.waitForSelector('#policy-answer :text("denied")');
  await page.click('li:has-text("deny") button:has-text("Remove")');
  await page.waitForFunction(() => document.querySelectorAll('.policy-said-list li').length === 2);
  await page.click('button:text-is("Save")');
  await page.waitForSelector(':text("saved.")');
});

// A bucket with versions is emptied, and then deleted, by who types its name.
exports.empty = () => browse(async (page) => {
  await signIn(page);
  await open(page, 'Overview');
  await page.click('a:has-text("Empty or delete")');
  const go = page.locator('button:has-text("Empty the bucket")');
  assert.ok(await go.isDisabled());
  await page.fill('[name=confirmed]', bucket);
  await go.click();
  await page.waitForSelector(':text("The bucket is empty.")');
  assert.match(await page.textContent('#bucket-clear-progress'), /6 things were deleted/);
  await page.click('a:has-text("Back to the bucket")');
  await page.click('a:has-text("Empty or delete")');
  await page.fill('[name=confirmed]', bucket);
  await page.click('button:has-text("Delete the bucket")');
  await page.waitForSelector(`:text("The bucket ${bucket} was deleted.")`);
});

// What a lock keeps stays, and is named.
exports.kept = () => browse(async (page) => {
  await signIn(page);
  await open(page, 'Overview');
  await page.click('a:has-text("Empty or delete")');
  await page.fill('[name=confirmed]', bucket);
  await page.click('button:has-text("Empty and delete it")');
  await page.waitForSelector(':text("The bucket is still there.")');
  await page.waitForSelector('.clear-refusals code:has-text("held.txt")');
});

// From nothing to a key that is good for one new bucket: nine clicks and words after signing in.
exports.key = () => browse(async (page) => {
  await signIn(page);
  await page.goto(`${origin}/buckets/bucket/add/`);
  await page.fill('[name=name]', `${bucket}-new`);
  await page.click('[name=_save]');
  await page.waitForSelector('#browse');
  await page.click('a[href*="/change/"]:has-text("Settings")');
  await page.click('.tabs a:has-text("Access")');
  await page.click('a:has-text("Make a key for this bucket")');
  await page.fill('[name=username]', `backup-${bucket}`);
  await page.click('button:has-text("Make the key")');
  await page.waitForSelector('#secret-key');
  assert.match(await page.textContent('#access-key'), /^S4AK/);
});
