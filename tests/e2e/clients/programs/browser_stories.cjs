// What a page of another origin does with a bucket, in a real browser: forms and fetches.
'use strict';

const assert = require('node:assert');
const http = require('node:http');
const { chromium } = require('playwright-core');
const {
  GetObjectCommand, HeadObjectCommand, PutBucketCorsCommand, PutObjectCommand, S3Client,
} = require('@aws-sdk/client-s3');
const { createPresignedPost } = require('@aws-sdk/s3-presigned-post');
const { getSignedUrl } = require('@aws-sdk/s3-request-presigner');

const s3 = new S3Client({ forcePathStyle: true, maxAttempts: 1 });

// Serve pages from an origin of their own, and open the first in a browser.
const browse = async (pages, story) => {
  const server = http.createServer((request, reply) => {
    const page = pages[new URL(request.url, 'http://page').pathname];
    reply.writeHead(page ? 200 : 404, { 'content-type': 'text/html; charset=utf-8' });
    reply.end(page ? page() : '');
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const origin = `http://127.0.0.1:${server.address().port}`;
  const args = ['--disable-gpu', '--disable-quic', '--disable-background-networking'];
  if (process.getuid() === 0) args.push('--no-sandbox');
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args });
  try {
    await story(await browser.newPage(), origin);
  } finally {
    await browser.close();
    server.close();
  }
};

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');

const formOf = ({ url, fields }) => `<!doctype html><title>form</title>
  <form action="${escaped(url)}" method="post" enctype="multipart/form-data">
    ${Object.entries(fields).map(([name, value]) => `<input type="hidden" name="${name}" value="${escaped(value)}">`).join('\n')}
    <input type="file" name="file"><button name="submit" value="send">Send</button>
  </form>`;

// A person picks a file, submits a presigned form, and is sent on to a page that is told the key.
exports.form = async (Bucket) => {
  let form;
  await browse({ '/': () => formOf(form), '/done': () => '<title>done</title>' }, async (page, origin) => {
    form = await createPresignedPost(s3, {
      Bucket, Key: 'from a browser/${filename}', Expires: 60,
      Conditions: [['content-length-range', 1, 10_000_000], ['starts-with', '$Content-Type', 'text/']],
      Fields: { success_action_redirect: `${origin}/done`, 'Content-Type': 'text/x-test', 'x-amz-meta-who': 'J\u00fcrgen "&" <co>' },
    });
    const buffer = Buffer.alloc(1_500_000, 'from a browser ');
    await page.goto(origin);
    await page.setInputFiles('input[type=file]', { name: 'm\u00fcsli + more.txt', mimeType: 'text/plain', buffer });
    await page.click('button');
    await page.waitForURL(`${origin}/done?**`, { timeout: 10_000 });
    const told = new URL(page.url()).searchParams;
    assert.equal(told.get('bucket'), Bucket);
    assert.equal(told.get('key'), 'from a browser/m\u00fcsli + more.txt');
    const found = await s3.send(new GetObjectCommand({ Bucket, Key: told.get('key') }));
    assert.ok(Buffer.from(await found.Body.transformToByteArray()).equals(buffer));
    assert.equal(found.ETag, told.get('etag'));
    assert.equal(found.ContentType, 'text/x-test');
  });
};

// A form whose policy has run out shows the browser an error, and nothing is stored.
exports.expired = async (Bucket) => {
  const form = await createPresignedPost(s3, { Bucket, Key: 'late', Expires: 1 });
  await new Promise((resolve) => { setTimeout(resolve, 2100); });
  await browse({ '/': () => formOf(form) }, async (page, origin) => {
    await page.goto(origin);
    await page.setInputFiles('input[type=file]', { name: 'x', mimeType: 'text/plain', buffer: Buffer.from('x') });
    const [reply] = await Promise.all([page.waitForNavigation(), page.click('button')]);
    assert.equal(reply.status(), 403);
    assert.match(await reply.text(), /Policy expired/);
  });
  await assert.rejects(s3.send(new HeadObjectCommand({ Bucket, Key: 'late' })));
};

// A page of another origin puts and gets by fetch once the bucket's rules let it, and not before.
exports.fetches = async (Bucket) => {
  const where = { Bucket, Key: 'by fetch + more' };
  const put = await getSignedUrl(s3, new PutObjectCommand({ ...where, ContentType: 'text/x-test' }), { expiresIn: 60 });
  const get = await getSignedUrl(s3, new GetObjectCommand(where), { expiresIn: 60 });
  await browse({ '/': () => '<!doctype html><title>page</title>' }, async (page, origin) => {
    await page.goto(origin);
    const send = () => page.evaluate(async ([url]) => {
      const headers = { 'content-type': 'text/x-test' };
      const reply = await fetch(url, { method: 'PUT', body: 'by fetch', headers });
      return [reply.status, reply.headers.get('etag')];
    }, [put]);
    await assert.rejects(send, /Failed to fetch/);
    await s3.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules: [{
      AllowedOrigins: [origin], AllowedMethods: ['PUT', 'GET'], AllowedHeaders: ['content-*'], ExposeHeaders: ['ETag'],
    }] } }));
    const sent = await send();
    const { ETag } = await s3.send(new HeadObjectCommand(where));
    assert.deepEqual(sent, [200, ETag], 'the page reads the ETag that the rules expose');
    const got = await page.evaluate(async ([url]) => (await fetch(url)).text(), [get]);
    assert.equal(got, 'by fetch');
    const refused = await page.evaluate(async ([url]) => (await fetch(url)).text(), [get.replace('Signature=', 'Signature=0')]);
    assert.match(refused, /SignatureDoesNotMatch/, 'errors can be read too');
  });
};
