import { expect, it } from 'vitest';
import { crc32c, maskedCrc32c } from './crc32c.ts';

// RFC 3720, appendix B.4, and the check value of CRC catalogues.
it.each([
  ['32 bytes of zeroes', new Uint8Array(32), 0x8a9136aa],
  ['32 bytes of ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['32 bytes counting up', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['32 bytes counting down', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ['123456789', new TextEncoder().encode('123456789'), 0xe3069283],
  ['nothing', new Uint8Array(0), 0],
])('%s', (_, data, crc) => {
  expect(crc32c(data)).toBe(crc);
});

it('masks as TFRecord does', () => {
  // The first 12 bytes of event files that TensorFlow writes: length 24 and its masked checksum.
  expect(maskedCrc32c(Uint8Array.of(24, 0, 0, 0, 0, 0, 0, 0))).toBe(0x224b7fa3);
});
