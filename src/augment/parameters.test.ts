import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import { parametersFromJson, parametersToJson } from './parameters.ts';

test('whatever is plain data survives JSON', () => {
  const value = fc.oneof(
    fc.integer(),
    fc.int32Array(),
    fc.uint8Array(),
    fc.float64Array({ noNaN: true, noDefaultInfinity: true }).map((array) => array.map((number) => number + 0)),
  );
  const names = fc.string().filter((name) => name !== '__proto__');
  fc.assert(
    fc.property(fc.dictionary(names, value, { noNullPrototype: true }), (parameters) => {
      expect(parametersFromJson(JSON.parse(JSON.stringify(parametersToJson(parameters))))).toEqual(parameters);
    }),
  );
});

test.each([
  [null],
  [[1]],
  ['boxes'],
  [{ boxes: 'all' }],
  [{ boxes: null }],
  [{ boxes: { type: 'Float16Array', values: [] } }],
  [{ boxes: { type: 'toString', values: [] } }],
  [{ boxes: { type: 'Int32Array', values: ['1'] } }],
  [{ boxes: { type: 'Int32Array' } }],
])('%j is refused', (json) => {
  expect(() => parametersFromJson(json)).toThrow(UserError);
});
