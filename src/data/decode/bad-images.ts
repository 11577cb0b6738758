import { UserError } from '../../base/errors.ts';

/** What to do about an image that cannot be decoded: stop, or go on without it. */
export type OnBadImage = 'error' | 'skip';

export interface BadImage {
  name: string;
  reason: string;
}

/** Remembers the images that could not be used, each once. */
export class BadImages {
  readonly policy: OnBadImage;
  readonly #found = new Map<string, string>();
  readonly #onFirst: ((image: BadImage) => void) | undefined;

  constructor(policy: OnBadImage, onFirst?: (image: BadImage) => void) {
    this.policy = policy;
    this.#onFirst = onFirst;
  }

  /** @throws UserError naming the file, unless bad images are skipped */
  add(image: BadImage): void {
    if (this.policy === 'error') throw badImage(image);
    if (this.#found.has(image.name)) return;
    this.#found.set(image.name, image.reason);
    this.#onFirst?.(image);
  }

  get count(): number {
    return this.#found.size;
  }

  list(): BadImage[] {
    return [...this.#found].map(([name, reason]) => ({ name, reason }));
  }
}

export function badImage({ name, reason }: BadImage): UserError {
  return new UserError(`cannot use the image ${name}: ${reason}`, {
    hint: "replace or remove it; 'thrive data check' lists all such images, and in code imageDataset(…, { onBadImage: 'skip' }) goes on without them",
  });
}
