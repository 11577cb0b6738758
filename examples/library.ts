/**
 * A teacher, and a small student distilled from it with CutMix, in one file. Run it with: npx jiti examples/library.ts
 */
import { defineExperiment, evaluateCheckpoint, runExperiment } from 'thrive';

// What both runs share. Generated images need no download; everything random follows from the seed.
const shared = defineExperiment({
  data: 'synthetic',
  limitTrain: Number(process.env.IMAGES ?? 4000),
  limitTest: 500,
  epochs: 3,
  lr: 0.1,
  schedule: 'one-cycle',
  seed: 1,
});

const teacher = await runExperiment({ ...shared, model: 'resnet14' }, { out: 'runs/example/teacher' });

const student = await runExperiment(
  { ...shared, student: 'resnet8', teacher: teacher.checkpoint, augment: 'cutmix' },
  { out: 'runs/example/student' },
);

const again = await evaluateCheckpoint(student.checkpoint, { limitTest: 500 });
console.log(`teacher ${teacher.top1} %, student ${student.top1} %, measured again ${again.top1} %`);
