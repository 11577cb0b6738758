import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { InterruptedError } from '../train/loop.ts';
import { interruptible } from './interrupt.ts';

/** Stands for the process: signals are events, and exiting is remembered. */
class FakeProcess extends EventEmitter {
  said = '';
  exit = vi.fn();
  stderr = {
    write: (text: string) => {
      this.said += text;
    },
  };
}
let fake: FakeProcess;
beforeEach(() => {
  fake = new FakeProcess();
  vi.stubGlobal('process', fake);
});
afterEach(() => vi.unstubAllGlobals());

/** Work that ends as `end` says once it was asked to stop. */
const until =
  (end: (signal: AbortSignal) => unknown) =>
  (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(end(signal))));

describe('work that can be stopped', () => {
  test('that ends by itself gives its value, and nobody listens any more', async () => {
    const stopped = vi.fn();
    expect(await interruptible(async () => 7, stopped)).toBe(7);
    expect(stopped).not.toHaveBeenCalled();
    expect(fake.eventNames()).toEqual([]);
  });

  test.each(['SIGINT', 'SIGTERM'])('is asked by the first %s', async (name) => {
    const stopped = vi.fn();
    const running = interruptible(
      until(() => new InterruptedError('saved')),
      stopped,
    );
    fake.emit(name);
    expect(fake.said).toMatch(/stopping after this step \(again to stop at once\)/);
    expect(await running).toBeNull();
    expect(stopped).toHaveBeenCalledOnce();
    expect(fake.exit).not.toHaveBeenCalled();
    expect(fake.eventNames()).toEqual([]);
  });

  test('may also stop by throwing the signal’s reason', async () => {
    const running = interruptible(
      until((signal) => signal.reason),
      () => {},
    );
    fake.emit('SIGINT');
    expect(await running).toBeNull();
  });

  test('ends at once by the second signal, whichever', async () => {
    const running = interruptible(
      () => new Promise(() => {}),
      () => {},
    );
    running.catch(() => {});
    fake.emit('SIGINT');
    expect(fake.exit).not.toHaveBeenCalled();
    fake.emit('SIGTERM');
    expect(fake.exit).toHaveBeenCalledExactlyOnceWith(130);
  });

  test('that finishes although it was asked gives its value', async () => {
    const stopped = vi.fn();
    const running = interruptible(async () => {
      fake.emit('SIGINT');
      return 'done';
    }, stopped);
    expect(await running).toBe('done');
    expect(stopped).not.toHaveBeenCalled();
  });

  test('that fails, before or after it was asked, fails', async () => {
    const stopped = vi.fn();
    await expect(interruptible(() => Promise.reject(new Error('full')), stopped)).rejects.toThrow('full');
    const running = interruptible(
      until(() => new Error('disk')),
      stopped,
    );
    fake.emit('SIGINT');
    await expect(running).rejects.toThrow('disk');
    expect(stopped).not.toHaveBeenCalled();
    expect(fake.eventNames()).toEqual([]);
  });
});
