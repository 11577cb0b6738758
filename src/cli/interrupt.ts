import { InterruptedError } from '../train/loop.ts';

/**
 * Run work that can be asked to stop. The first SIGINT or SIGTERM asks: the loop saves and leaves, and `stopped` says how to
 * go on. A second one ends the process at once. Resolves with null when it was stopped.
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  stopped: () => void,
): Promise<T | null> {
  const controller = new AbortController();
  const ask = (): void => {
    if (controller.signal.aborted) process.exit(130);
    process.stderr.write('\nstopping after this step (again to stop at once)\n');
    controller.abort();
  };
  process.on('SIGINT', ask).on('SIGTERM', ask);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (!(error instanceof InterruptedError) && !(controller.signal.aborted && error === controller.signal.reason))
      throw error;
    stopped();
    return null;
  } finally {
    process.off('SIGINT', ask).off('SIGTERM', ask);
  }
}
