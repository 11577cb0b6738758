/** @file A decoding thread: one task after another, as they come. */
import { parentPort } from 'node:worker_threads';
import { perform } from './perform.ts';
import type { Task } from './task.ts';

parentPort?.on('message', (task: Task) => {
  void perform(task).then((answer) => parentPort?.postMessage(answer));
});
