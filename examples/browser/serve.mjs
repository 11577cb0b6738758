// The page, onnxruntime-web from node_modules, and one model: node examples/browser/serve.mjs student.onnx [port]
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, extname, join, resolve } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const runtime = dirname(createRequire(import.meta.url).resolve('onnxruntime-web'));
/** @type {Record<string, string>} */
const types = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.wasm': 'application/wasm',
};
const pages = new Set(['index.html', 'style.css', 'app.js', 'metadata.js', 'image.js']);

/**
 * The file behind an address, or undefined. Only names known here and plain names in the runtime's folder.
 *
 * @param {string} address
 * @param {string} model
 */
function fileOf(address, model) {
  // No base address: `//` would be a host without a name, which URL refuses by throwing.
  const path = address.replace(/[?#].*$/, '').replace(/^\//, '') || 'index.html';
  if (path === 'model.onnx') return resolve(model);
  if (pages.has(path)) return join(here, path);
  const [, name] = /^ort\/([\w.-]+\.(?:mjs|wasm))$/.exec(path) ?? [];
  return name && join(runtime, name);
}

/**
 * Serve on this machine alone; resolves to the server when it listens. Port 0 takes any that is free.
 *
 * @param {string} model
 * @returns {Promise<import('node:http').Server>}
 */
export function serve(model, port = 0) {
  const server = createServer(({ url = '/' }, response) => {
    const file = fileOf(url, model);
    if (!file || !existsSync(file)) {
      response.writeHead(404).end('not found');
      return;
    }
    response.writeHead(200, {
      'content-type': types[extname(file)] ?? 'application/octet-stream',
      'cache-control': 'no-cache',
    });
    createReadStream(file).pipe(response);
  });
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen(port, '127.0.0.1', () => done(server));
  });
}

if (argv[1] && resolve(argv[1]) === fileURLToPath(import.meta.url)) {
  const [model, port = '8080'] = argv.slice(2);
  if (!model || !existsSync(model)) {
    console.error(model ? `there is no file ${model}` : 'usage: node examples/browser/serve.mjs MODEL.onnx [PORT]');
    process.exit(2);
  }
  const server = await serve(model, Number(port));
  const address = server.address();
  console.log(`http://localhost:${address && typeof address === 'object' ? address.port : port}`);
}
