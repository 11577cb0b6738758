/** @file A page where a file was asked for: a login, a notice, an error that says 200. */
import { constants, gunzipSync } from 'node:zlib';

const begins = /^(\uFEFF|\s)*<(!doctype\s+html|html|head|body|meta|script|title|\?xml|!--)/i;

/** The text of the first bytes as sent. */
function textOf(bytes: Uint8Array): string {
  let plain = bytes;
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      plain = gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 1 << 20 });
    } catch {
      return '';
    }
  }
  return Buffer.from(plain.subarray(0, 4096)).toString('utf8');
}

/** The first words of a web page that begins with these bytes, packed or not; undefined where it is none. */
export function webPageWords(bytes: Uint8Array, contentType: string | undefined): string | undefined {
  const text = textOf(bytes);
  if (!begins.test(text) && !(/^text\/html/i.test(contentType ?? '') && /^\s*</.test(text))) return undefined;
  const words = text
    .replace(/<!--[\s\S]*?-->|<(script|style)\b[\s\S]*?(<\/\1>|$)/gi, ' ')
    .replace(/<[^>]*(>|$)/g, ' ')
    .replace(/[\p{C}\p{Z}\s]+/gu, ' ')
    .trim();
  return words.length > 80 ? `${words.slice(0, 79)}…` : words;
}
