import { execFileSync, spawnSync } from 'node:child_process';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { describe, expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import { describePort, parseOnnxInfo } from './onnx.ts';
import { decodeModel, encodeModel, type OnnxModel } from './onnx-schema.ts';

const model: OnnxModel = {
  ir_version: 8,
  producer_name: 'thrive',
  producer_version: '0.1.0',
  graph: {
    name: 'network',
    node: [
      {
        name: 'Gemm_0',
        op_type: 'Gemm',
        input: ['images', 'weight', ''],
        output: ['logits'],
        attribute: [
          { name: 'transB', i: 1, type: 2 },
          { name: 'alpha', f: 0.5, type: 1 },
          { name: 'ints', ints: [0, -1, 2 ** 40], type: 7 },
          { name: 'text', s: new TextEncoder().encode('ü'), type: 3 },
        ],
      },
    ],
    initializer: [{ name: 'weight', dims: [2, 3], data_type: 1, raw_data: new Uint8Array(24).fill(7) }],
    input: [
      {
        name: 'images',
        type: { tensor_type: { elem_type: 1, shape: { dim: [{ dim_param: 'batch' }, { dim_value: 3 }] } } },
      },
      { name: 'weight', type: { tensor_type: { elem_type: 1, shape: { dim: [{ dim_value: 2 }, { dim_value: 3 }] } } } },
    ],
    output: [{ name: 'logits', type: { tensor_type: { elem_type: 1, shape: { dim: [{}, { dim_value: 2 }] } } } }],
  },
  opset_import: [{ domain: 'com.example', version: 1 }, { version: 17 }],
  metadata_props: [{ key: 'class_names', value: '["a","ß"]' }],
};

describe('the messages', () => {
  test('come back as they were', () => {
    expect(decodeModel(encodeModel(model))).toEqual(model);
  });

  test("bytes worked out by hand from the wire format's definition", () => {
    const bytes = encodeModel({
      ir_version: 8,
      opset_import: [{ version: 17 }],
      metadata_props: [{ key: 'k', value: 'v' }],
    });
    expect([...bytes]).toEqual([0x08, 8, 0x42, 2, 0x10, 17, 0x72, 6, 0x0a, 1, 0x6b, 0x12, 1, 0x76]);
  });

  test('lists of numbers packed or one by one, fields nobody knows, the last of two', () => {
    const tensor = new BinaryWriter();
    tensor.tag(1, 0).int64(2).tag(1, 0).int64(3).tag(99, 2).string('?').tag(2, 0).int32(7).tag(2, 0).int32(1);
    const graph = new BinaryWriter().tag(5, 2).bytes(tensor.finish());
    const file = new BinaryWriter().tag(7, 2).bytes(graph.finish()).finish();
    expect(decodeModel(file)).toEqual({ graph: { initializer: [{ dims: [2, 3], data_type: 1 }] } });
  });

  // Debian's protobuf compiler knows nothing of our table: it prints what the bytes hold.
  const protoc = spawnSync('protoc', ['--version']).status === 0;
  test.skipIf(!protoc)(`protoc reads them${protoc ? '' : ' (skipped: protoc not found)'}`, () => {
    const text = execFileSync('protoc', ['--decode_raw'], { input: encodeModel(model), encoding: 'utf8' });
    expect(text).toMatch(/^1: 8\n/);
    expect(text).toContain('1: "class_names"');
  });
});

describe('what a file says of itself', () => {
  test('inputs without weights, outputs, metadata', () => {
    const info = parseOnnxInfo(encodeModel(model), 'x.onnx');
    expect(info).toEqual({
      irVersion: 8,
      opset: 17,
      producer: 'thrive 0.1.0',
      inputs: [{ name: 'images', type: 'float32', shape: ['batch', 3] }],
      outputs: [{ name: 'logits', type: 'float32', shape: [null, 2] }],
      metadata: new Map([['class_names', '["a","ß"]']]),
      externalFiles: [],
    });
    expect(describePort(info.outputs[0]!)).toBe('float32 [?, 2]');
    expect(describePort({ name: 'x', type: null, shape: null })).toBe('something that is no tensor of unknown shape');
  });

  test.each<[string, OnnxModel, RegExp]>([
    ['no graph', { ir_version: 8 }, /x\.onnx is not an ONNX model, or is damaged: it holds no graph/],
    ['no version', { graph: {} }, /it holds no version/],
  ])('%s', (_name, broken, message) => {
    expect(() => parseOnnxInfo(encodeModel(broken), 'x.onnx')).toThrow(message);
  });

  test('bytes that are something else', () => {
    for (const text of ['', 'hello', '{"a": 1}', '\x80\x02}q', 'PK\x03\x04']) {
      expect(() => parseOnnxInfo(Buffer.from(text, 'latin1'), 'x.onnx')).toThrow(UserError);
    }
    expect(() => parseOnnxInfo(new Uint8Array(), 'x.onnx')).toThrow('x.onnx is an empty file, not an ONNX model');
    expect(() => parseOnnxInfo(Buffer.from('PK\x03\x04'), 'x.onnx')).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/again; weights of PyTorch .* \.pth or \.safetensors/) }),
    );
  });
});

describe('damaged and hostile files are read or refused', () => {
  /** mulberry32: small, and good enough to choose mutations. */
  const random = (seed: number): ((below: number) => number) => {
    let state = seed;
    return (below) => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
    };
  };
  const whole = Buffer.from(encodeModel(model));

  function mutant(seed: number): Uint8Array {
    const pick = random(seed);
    let bytes = Buffer.from(whole);
    for (let i = 0; i <= pick(4); i++) {
      const at = pick(bytes.length);
      const kind = pick(5);
      if (kind === 0) bytes[at] = bytes[at]! ^ (1 << pick(8));
      else if (kind === 1) bytes[at] = [0, 1, 0x7f, 0x80, 0xff][pick(5)]!;
      else if (kind === 2) bytes = bytes.subarray(0, at + 1);
      else if (kind === 3)
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + pick(30)))]);
      else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(pick(bytes.length)), bytes.subarray(at)]);
      if (bytes.length === 0) break;
    }
    return bytes;
  }

  test('5,000 mutants: a UserError or an answer, quickly', () => {
    let read = 0;
    for (let seed = 0; seed < 5000; seed++) {
      const bytes = mutant(seed);
      const start = performance.now();
      try {
        parseOnnxInfo(bytes, 'x.onnx').inputs.map(describePort);
        read++;
      } catch (error) {
        if (!(error instanceof UserError)) throw new Error(`seed ${seed}`, { cause: error });
      }
      if (performance.now() - start > 1000) throw new Error(`seed ${seed} took more than a second`);
    }
    // Both happen often, or this would test nothing.
    expect(read).toBeGreaterThan(500);
    expect(read).toBeLessThan(4500);
  });

  test('random bytes', () => {
    for (let seed = 0; seed < 2000; seed++) {
      const pick = random(seed);
      const bytes = Uint8Array.from({ length: pick(200) }, () => pick(256));
      expect(() => parseOnnxInfo(bytes, 'x.onnx')).toThrow(UserError);
    }
  });

  test('a length that lies costs no memory', () => {
    const lie = Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0x07, 0x0a);
    expect(() => parseOnnxInfo(lie, 'x.onnx')).toThrow(/not an ONNX model/);
  });
});
