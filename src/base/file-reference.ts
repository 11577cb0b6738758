/** @file A setting names something here, or gives the path of a user's file that makes it. */
import { basename } from 'node:path';

/** A path rather than a name: it has a slash, or ends like JavaScript or TypeScript. */
export const isFileReference = (reference: string): boolean =>
  /[\\/]/.test(reference) || /\.[cm]?[jt]s$/i.test(reference);

/** What a reference is called before people and in records: a name as it is, a file without its folders. */
export const referenceLabel = (reference: string): string =>
  isFileReference(reference) ? basename(reference) : reference;
