// What AWS's SDK for JavaScript does with a bucket: streams with trailers, uploads in parts, forms.
'use strict';

const assert = require('node:assert');
const { createHash, randomBytes } = require('node:crypto');
const http = require('node:http');
const { Readable } = require('node:stream');
const {
  CopyObjectCommand, CreateBucketCommand, DeleteObjectsCommand, GetObjectCommand, HeadObjectCommand,
  ListObjectsV2Command, ListObjectVersionsCommand, NoSuchKey, PutBucketVersioningCommand,
  PutObjectCommand, S3Client, paginateListObjectsV2, waitUntilObjectExists,
} = require('@aws-sdk/client-s3');
const { Upload } = require('@aws-sdk/lib-storage');
const { createPresignedPost } = require('@aws-sdk/s3-presigned-post');
const { getSignedUrl } = require('@aws-sdk/s3-request-presigner');

const MIB = 1024 * 1024;
const KEY = 'a folder/\u00fcml\u00e4ut + 100% \u{1F600}.txt';
const s3 = new S3Client({ forcePathStyle: true, maxAttempts: 1 });

const read = async (Bucket, Key, more = {}) => {
  const reply = await s3.send(new GetObjectCommand({ Bucket, Key, ...more }));
  return Buffer.from(await reply.Body.transformToByteArray());
};

// A buffer, a string and nothing are put with the CRC that the SDK adds, and read back verified.
exports.objects = async (Bucket) => {
  for (const Body of [Buffer.from('bytes'), 'text \u00fc', '']) {
    const put = await s3.send(new PutObjectCommand({ Bucket, Key: KEY, Body, Metadata: { a: 'b c' } }));
    assert.ok(put.ChecksumCRC32);
    assert.deepEqual(await read(Bucket, KEY), Buffer.from(Body));
  }
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: KEY, ChecksumMode: 'ENABLED' }));
  assert.deepEqual([head.Metadata, head.ContentLength], [{ a: 'b c' }, 0]);
  await waitUntilObjectExists({ client: s3, minDelay: 1, maxWaitTime: 9 }, { Bucket, Key: KEY });
  await assert.rejects(read(Bucket, 'none'), NoSuchKey);
};

// A stream goes up in chunks with its checksum as a trailer, by each algorithm the SDK has.
exports.streams = async (Bucket) => {
  const body = randomBytes(3 * MIB + 5);
  for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'SHA1', 'SHA256']) {
    const Body = Readable.from([body.subarray(0, 9999), body.subarray(9999, MIB), body.subarray(MIB)]);
    await s3.send(new PutObjectCommand({
      Bucket, Key: ChecksumAlgorithm, Body, ContentLength: body.length, ChecksumAlgorithm,
    }));
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: ChecksumAlgorithm, ChecksumMode: 'ENABLED' }));
    assert.ok(head[`Checksum${ChecksumAlgorithm}`], ChecksumAlgorithm);
    assert.ok((await read(Bucket, ChecksumAlgorithm)).equals(body));
  }
  // Pieces below 8 KiB are gathered by this setting; AWS refuses them as chunks, and so does S4.
  const gathering = new S3Client({ forcePathStyle: true, requestStreamBufferSize: 64 * 1024 });
  const small = Readable.from([...Array(100).keys()].map((number) => Buffer.alloc(500, number)));
  await gathering.send(new PutObjectCommand({ Bucket, Key: 'small', Body: small, ContentLength: 50_000 }));
  assert.equal((await read(Bucket, 'small')).length, 50_000);
  const sha256 = createHash('sha256').update(body).digest('base64');
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'SHA256', ChecksumMode: 'ENABLED' }));
  assert.equal(head.ChecksumSHA256, sha256);
};

// A stream of unknown length is uploaded in parts at the same time, with progress.
exports.uploads = async (Bucket) => {
  const body = randomBytes(23 * MIB);
  const pieces = function* pieces() {
    for (let start = 0; start < body.length; start += 999_999) yield body.subarray(start, start + 999_999);
  };
  const upload = new Upload({
    client: s3, partSize: 5 * MIB, queueSize: 4,
    params: { Bucket, Key: KEY, Body: Readable.from(pieces()), ContentType: 'video/x-test' },
  });
  let loaded = 0;
  upload.on('httpUploadProgress', (progress) => { loaded = Math.max(loaded, progress.loaded); });
  const done = await upload.done();
  assert.match(done.ETag, /-5"$/);
  assert.equal(loaded, body.length);
  assert.ok((await read(Bucket, KEY)).equals(body));
  const tail = await read(Bucket, KEY, { Range: 'bytes=-7' });
  assert.ok(tail.equals(body.subarray(-7)));
  await s3.send(new CopyObjectCommand({
    Bucket, Key: 'copy', CopySource: encodeURI(`${Bucket}/${KEY}`).replaceAll('+', '%2B'),
  }));
  assert.ok((await read(Bucket, 'copy')).equals(body));
};

// Keys are listed in pages and deleted in one request.
exports.listings = async (Bucket) => {
  const keys = [...Array(25).keys()].map((number) => `${KEY}${String(number).padStart(2, '0')}`);
  await Promise.all(keys.map((Key) => s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }))));
  const found = [];
  for await (const page of paginateListObjectsV2({ client: s3, pageSize: 7 }, { Bucket, EncodingType: 'url' })) {
    found.push(...page.Contents.map((row) => decodeURIComponent(row.Key.replaceAll('+', ' '))));
  }
  assert.deepEqual(found, keys);
  const Objects = keys.map((Key) => ({ Key }));
  const deleted = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  assert.equal(deleted.Deleted.length, keys.length);
  assert.equal((await s3.send(new ListObjectsV2Command({ Bucket }))).KeyCount, 0);
};

// Of two writers who both want to be the first, one is.
exports.conditions = async (Bucket) => {
  const put = (Body) => s3.send(new PutObjectCommand({ Bucket, Key: 'lock', Body, IfNoneMatch: '*' }));
  const outcomes = await Promise.allSettled([put('a'), put('b'), put('c')]);
  const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
  assert.equal(lost.length, 2);
  for (const { reason } of lost) assert.match(reason.name, /PreconditionFailed|ConditionalRequestConflict/);
};

// Presigned URLs put and get for anyone, with what was signed into them.
exports.presigned = async (Bucket) => {
  const put = new PutObjectCommand({ Bucket, Key: KEY, ContentType: 'text/x-test', Metadata: { a: 'b' } });
  const url = await getSignedUrl(s3, put, { expiresIn: 60, signableHeaders: new Set(['content-type']) });
  const sent = await fetch(url, { method: 'PUT', body: 'presigned', headers: { 'content-type': 'text/x-test' } });
  assert.equal(sent.status, 200, await sent.text());
  const get = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: KEY, ResponseContentType: 'a/b' }));
  const got = await fetch(get);
  assert.deepEqual([await got.text(), got.headers.get('content-type')], ['presigned', 'a/b']);
  assert.equal(got.headers.get('x-amz-meta-a'), 'b');
};

// A presigned form is submitted for anyone, and refused when it breaks its own policy.
exports.posts = async (Bucket) => {
  const { url, fields } = await createPresignedPost(s3, {
    Bucket, Key: 'posted/${filename}', Expires: 60,
    Conditions: [['content-length-range', 1, 100], ['starts-with', '$x-amz-meta-a', 'b']],
    Fields: { success_action_status: '201' },
  });
  const post = async (body, meta) => {
    const form = new FormData();
    for (const [name, value] of Object.entries({ ...fields, 'x-amz-meta-a': meta })) form.append(name, value);
    form.append('file', new Blob([body], { type: 'text/x-test' }), 'a file.txt');
    const reply = await fetch(url, { method: 'POST', body: form });
    return [reply.status, await reply.text()];
  };
  const [status, text] = await post('posted', 'bc');
  assert.equal(status, 201, text);
  assert.match(text, /<PostResponse>.*<Key>posted\/a file\.txt<\/Key>/s);
  assert.equal((await read(Bucket, 'posted/a file.txt')).toString(), 'posted');
  assert.match((await post('x'.repeat(101), 'b'))[1], /<Code>EntityTooLarge</);
  assert.match((await post('x', 'c'))[1], /<Code>AccessDenied</);
};

// Versions are kept, listed and read by their ids.
exports.versions = async (Bucket) => {
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
  const ids = [];
  for (const Body of ['one', 'two']) {
    ids.unshift((await s3.send(new PutObjectCommand({ Bucket, Key: KEY, Body }))).VersionId);
  }
  const listed = await s3.send(new ListObjectVersionsCommand({ Bucket }));
  assert.deepEqual(listed.Versions.map((row) => [row.VersionId, row.IsLatest]), [[ids[0], true], [ids[1], false]]);
  assert.equal((await read(Bucket, KEY, { VersionId: ids[1] })).toString(), 'one');
};

// Buckets by virtual host are reached as well as by path.
exports.hosts = async (Bucket, endpoint) => {
  // Names below localhost are this machine (RFC 6761), whatever the system's resolver thinks.
  const here = [{ address: '127.0.0.1', family: 4 }];
  const httpAgent = new http.Agent({ lookup: (host, options, done) => done(null, here) });
  const hosted = new S3Client({ endpoint, maxAttempts: 1, requestHandler: { httpAgent } });
  await hosted.send(new CreateBucketCommand({ Bucket: `${Bucket}-hosted` }));
  await hosted.send(new PutObjectCommand({ Bucket: `${Bucket}-hosted`, Key: KEY, Body: 'hosted' }));
  assert.equal((await read(`${Bucket}-hosted`, KEY)).toString(), 'hosted');
};
