// Drop an image, see the five likeliest classes. All of it runs here; the server only hands out files.

import { drawSquare, planes } from './image.js';
import { readFacts } from './metadata.js';
import * as ort from './ort/ort.wasm.min.mjs';

// One thread needs no special headers from the server, and a small network no more.
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = new URL('./ort/', import.meta.url).href;

/** @template {Element} T @param {string} id @returns {T} */
const element = (id) => /** @type {T} */ (/** @type {unknown} */ (document.getElementById(id)));
const drop = element('drop');
const status = element('status');
const seen = /** @type {HTMLCanvasElement} */ (element('seen'));

/** @type {{ session: ort.InferenceSession, facts: import('./metadata.js').Facts } | null} */
let loaded = null;

/** @param {'loading' | 'ready' | 'done' | 'error'} state @param {string} text */
function say(state, text) {
  document.body.dataset.state = state;
  status.textContent = text;
}

/** @param {Uint8Array} bytes */
async function loadModel(bytes) {
  const facts = readFacts(bytes);
  const session = await ort.InferenceSession.create(bytes);
  loaded = { session, facts };
  const { name, data, classNames, size, top1 } = facts;
  const score = top1 === null ? '' : `, ${top1.toFixed(1)} % right on its test set`;
  element('model').textContent =
    `${name}, ${(bytes.length / 1e6).toFixed(1)} MB, trained on ${data}: ${classNames.length} classes, ${size} by ${size} pixels${score}`;
  say('ready', '');
}

/** @param {Float32Array} logits */
function softmax(logits) {
  const most = Math.max(...logits);
  const powers = Array.from(logits, (value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** @param {{ name: string, share: number }[]} classes */
function show(classes) {
  const rows = classes.map(({ name, share }) => {
    const row = document.createElement('li');
    const percent = `${(100 * share).toFixed(1)} %`;
    const part = (/** @type {string} */ className, /** @type {string} */ text) => {
      const span = document.createElement('span');
      span.className = className;
      span.textContent = text;
      return span;
    };
    const track = part('track', '');
    const bar = part('bar', '');
    bar.style.width = `${100 * share}%`;
    track.append(bar);
    row.dataset.share = String(share);
    row.append(part('name', name.replaceAll('_', ' ')), track, part('share', percent));
    return row;
  });
  element('classes').replaceChildren(...rows);
}

/** @param {Blob} file */
async function classify(file) {
  if (!loaded) return;
  const { session, facts } = loaded;
  const image = await createImageBitmap(file).catch(() => {
    throw new Error('this file is no image that the browser can read');
  });
  drawSquare(image, seen, facts.size);
  seen.hidden = false;
  element('hint').toggleAttribute('hidden', true);
  const input = new ort.Tensor('float32', planes(seen, facts.normalization), [1, 3, facts.size, facts.size]);
  const start = performance.now();
  const results = await session.run({ [session.inputNames[0]]: input });
  const milliseconds = performance.now() - start;
  const shares = softmax(/** @type {Float32Array} */ (results[session.outputNames[0]].data));
  const classes = shares.map((share, i) => ({ name: facts.classNames[i] ?? `class ${i}`, share }));
  show(classes.sort((a, b) => b.share - a.share).slice(0, 5));
  const from = `${image.width} by ${image.height}`;
  say('done', `${milliseconds.toFixed(1)} ms, from an image of ${from}; at the left, what the network sees`);
}

/** @param {Blob | null | undefined} file */
async function take(file) {
  if (!file) return;
  try {
    if (/\.onnx$/i.test(/** @type {File} */ (file).name ?? ''))
      await loadModel(new Uint8Array(await file.arrayBuffer()));
    else await classify(file);
  } catch (error) {
    say('error', error instanceof Error ? error.message : String(error));
  }
}

for (const name of ['dragenter', 'dragover', 'dragleave', 'drop']) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle('over', name === 'dragenter' || name === 'dragover');
  });
}
document.addEventListener('drop', (event) => take(event.dataTransfer?.files[0]));
document.addEventListener('paste', (event) => take(event.clipboardData?.files[0]));
const file = /** @type {HTMLInputElement} */ (element('file'));
file.addEventListener('change', () => take(file.files?.[0]));

try {
  const answer = await fetch('./model.onnx');
  if (!answer.ok) throw new Error('the server has no model; drop an .onnx file that thrive export wrote');
  await loadModel(new Uint8Array(await answer.arrayBuffer()));
} catch (error) {
  element('model').textContent = 'no model';
  say('error', error instanceof Error ? error.message : String(error));
}
