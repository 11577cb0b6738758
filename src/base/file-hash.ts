import { createHash } from 'node:crypto';
import { readFileBytes } from './file-bytes.ts';

/** SHA-256 of a file, in hexadecimal. */
export function fileHash(path: string): string {
  return createHash('sha256').update(readFileBytes(path).data).digest('hex');
}
