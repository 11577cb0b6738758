import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { refusal, temporaryFolder } from '../../test/fixtures/formats/fixtures.ts';
import { maskedCrc32c } from './crc32c.ts';
import { EventWriter } from './tfevents.ts';

const root = temporaryFolder();
let runs = 0;
const newRun = () => join(root, `run${runs++}`);

/** Protocol buffer fields by number: varints as numbers, the rest as bytes. */
function fields(message: Buffer): Map<number, number | Buffer> {
  const found = new Map<number, number | Buffer>();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    const wire = key % 8;
    if (wire === 0) found.set(key >> 3, varint());
    else {
      const length = wire === 1 ? 8 : wire === 5 ? 4 : varint();
      found.set(key >> 3, message.subarray(at, at + length));
      at += length;
    }
  }
  return found;
}

interface Decoded {
  time: number;
  step: number;
  version?: string;
  status?: number;
  tag?: string;
  value?: number;
}

/** The records of an event file, with their checksums verified; a last one that is cut short is left out. */
function decode(path: string): Decoded[] {
  const file = readFileSync(path);
  const events: Decoded[] = [];
  for (let at = 0; at + 12 <= file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    if (at + 16 + length > file.length) break;
    const payload = file.subarray(at + 12, at + 12 + length);
    expect(file.readUInt32LE(at + 8)).toBe(maskedCrc32c(file.subarray(at, at + 8)));
    expect(file.readUInt32LE(at + 12 + length)).toBe(maskedCrc32c(payload));
    const event = fields(payload);
    const part = (from: Map<number, number | Buffer>, field: number) => from.get(field) as Buffer | undefined;
    const decoded: Decoded = { time: part(event, 1)!.readDoubleLE(), step: (event.get(2) as number | undefined) ?? 0 };
    const version = part(event, 3);
    if (version) decoded.version = version.toString();
    const log = part(event, 7);
    if (log) decoded.status = fields(log).get(1) as number;
    const summary = part(event, 5);
    if (summary) {
      const entry = fields(part(fields(summary), 1)!);
      decoded.tag = part(entry, 1)!.toString();
      decoded.value = part(entry, 2)!.readFloatLE();
    }
    events.push(decoded);
    at += 16 + length;
  }
  return events;
}

describe('EventWriter', () => {
  it('writes what a TensorBoard reader expects', () => {
    const folder = newRun();
    const events = new EventWriter(folder);
    events.scalar('train/loss', 0, 2.5, 1e9 + 0.25);
    events.scalar('Genauigkeit (größer)', 300, Number.NaN, 1e9 + 1);
    events.scalar('x', 2 ** 40 + 3, -1e-3, 1e9 + 2);
    events.close();
    events.close();
    expect(readdirSync(folder)).toHaveLength(1);
    const [first, ...rest] = decode(events.path);
    expect(first).toMatchObject({ step: 0, version: 'brain.Event:2' });
    expect(Math.abs(first!.time - Date.now() / 1000)).toBeLessThan(60);
    expect(rest).toEqual([
      { time: 1e9 + 0.25, step: 0, tag: 'train/loss', value: 2.5 },
      { time: 1e9 + 1, step: 300, tag: 'Genauigkeit (größer)', value: Number.NaN },
      { time: 1e9 + 2, step: 2 ** 40 + 3, tag: 'x', value: Math.fround(-1e-3) },
    ]);
    // As TensorFlow's files begin: the version event has 24 bytes.
    expect(readFileSync(events.path).subarray(0, 12).toString('hex')).toBe('1800000000000000a37f4b22');
  });

  it('writes the same bytes as ever', () => {
    const clock = vi.spyOn(Date, 'now').mockReturnValue(1_700_000_000_250);
    const events = new EventWriter(newRun(), { resumeAt: 300 });
    clock.mockRestore();
    events.scalar('train/loss', 0, 2.5, 1e9 + 0.25);
    events.scalar('größer', 2 ** 40 + 3, -1e-3, 1e9 + 1);
    events.scalar('x'.repeat(130), 300, 1e39, 0); // too large for single precision: infinity
    events.close();
    // Kept from a writer that put the bytes together by hand.
    const bytes =
      'GAAAAAAAAACjf0siCQAAEED8VNlBGg1icmFpbi5FdmVudDoyM40v6RAAAAAAAAAAlfv+GAkAABBA/FTZQRCsAjoCCAFrO4jxHgAA' +
      'AAAAAADZ3BIyCQAAIABlzc1BKhMKEQoKdHJhaW4vbG9zcxUAACBA4xuG7CMAAAAAAAAAsJ93QwkAAIAAZc3NQRCDgICAgCAqEQoP' +
      'CghncsO2w59lchVvEoO6ItMpUpwAAAAAAAAAy6ld+gkAAAAAAAAAABCsAiqNAQqKAQqCAXh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4' +
      'eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4' +
      'eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHgVAACAfwrBqn0=';
    expect(readFileSync(events.path).toString('base64')).toBe(bytes);
  });

  it('has every record in the file at once, so that a crash loses none', () => {
    const events = new EventWriter(newRun());
    for (let step = 0; step < 5; step++) {
      events.scalar('a', step, step);
      expect(decode(events.path)).toHaveLength(step + 2);
    }
    events.close();
  });

  it('makes files that sort after those there are, even when the clock went back', () => {
    const folder = newRun();
    mkdirSync(folder);
    writeFileSync(join(folder, 'events.out.tfevents.4000000000.elsewhere.7'), '');
    writeFileSync(join(folder, 'notes.txt'), '');
    const paths = Array.from({ length: 3 }, () => {
      const events = new EventWriter(folder);
      events.close();
      return events.path;
    });
    const names = readdirSync(folder).filter((name) => name.includes('tfevents'));
    expect(names.toSorted().slice(1)).toEqual(paths.map((path) => path.slice(folder.length + 1)));
    expect(names[0]).toMatch(/^events\.out\.tfevents\.\d{10}\.[\w.-]+\.\d+$/);
  });

  it('goes on after a crash in a new file, which tells readers what to forget', () => {
    const folder = newRun();
    const before = new EventWriter(folder);
    before.scalar('a', 1, 1);
    before.scalar('a', 2, 2);
    before.close();
    truncateSync(before.path, readFileSync(before.path).length - 5);
    const after = new EventWriter(folder, { resumeAt: 2 });
    after.scalar('a', 2, 2);
    after.close();
    expect(decode(before.path).map(({ step }) => step)).toEqual([0, 1]);
    expect(decode(after.path)).toMatchObject([
      { version: 'brain.Event:2' },
      { step: 2, status: 1 },
      { step: 2, tag: 'a', value: 2 },
    ]);
  });

  it('refuses what it cannot write', async () => {
    const events = new EventWriter(newRun());
    const size = readFileSync(events.path).length;
    for (const step of [-1, 1.5, Number.NaN, 2 ** 53]) {
      expect(await refusal(() => events.scalar('a', step, 1))).toMatch(/^step .* is not a non-negative integer/);
    }
    expect(await refusal(() => events.scalar('', 1, 1))).toMatch(/needs a tag/);
    expect(await refusal(() => events.scalar('a', 1, 'high' as unknown as number))).toMatch(
      /value of 'a' is 'high', not a number/,
    );
    expect(readFileSync(events.path)).toHaveLength(size);
    events.close();
    expect(await refusal(() => events.scalar('a', 1, 1))).toMatch(/tfevents.* it was closed/);
    writeFileSync(join(root, 'file'), '');
    expect(await refusal(() => new EventWriter(join(root, 'file')))).toMatch(/cannot write .*file: /);
  });

  const full = existsSync('/dev/full');
  it.skipIf(!full)(
    `a full disk is an error that names the file${full ? '' : ' (skipped: /dev/full not found)'}`,
    async () => {
      const events = new EventWriter(newRun());
      // Redirect the open file to a device that is always full.
      const inner = events as unknown as { fd: number };
      closeSync(inner.fd);
      inner.fd = openSync('/dev/full', 'a');
      expect(await refusal(() => events.scalar('a', 1, 1))).toMatch(/cannot write .*tfevents.*: the disk is full/);
      closeSync(inner.fd);
    },
  );
});
