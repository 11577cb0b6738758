/** @file Which taps a loss reads, what they must fulfil, and how they are brought to one size. */
import { UserError } from '../../base/errors.ts';
import { toGive } from '../../base/speech.ts';
import type { Features } from '../../models/index.ts';
import { dtypeBytes, ops, type Tensor } from '../../torch/index.ts';
import type { LossContext, NetworkShape, TapShapes } from './loss.ts';

/** A tap of the student and the tap of the teacher it is compared with, by position. */
export interface TapPair {
  student: number;
  teacher: number;
  /** `stem`, `stage1`, …, `pooled`: the term's name. */
  name: string;
}

/** `stem`, `stage1`, `stage2`, …, `pooled`, as docs and messages call the taps. */
export function tapName(taps: TapShapes, index: number): string {
  if (index === 0) return 'stem';
  return index === taps.length - 1 ? 'pooled' : `stage${index}`;
}

const shapeText = (shape: readonly number[] | undefined): string => `[${shape?.join(', ') ?? ''}]`;

/** "the student's stage2 (resnet20: [32, 16, 16])", for messages. */
export function describeTap(who: 'student' | 'teacher', { name, taps }: NetworkShape, index: number): string {
  return `the ${who}'s ${tapName(taps, index)} (${name}: ${shapeText(taps[index])})`;
}

function checkTaps(loss: string, who: string, { name, taps }: NetworkShape): void {
  const maps = taps.slice(0, -1).every((shape) => shape.length === 3);
  if (taps.length >= 3 && maps && taps.at(-1)?.length === 1) return;
  if (taps.length === 0) {
    throw new UserError(`${loss} compares features, and the ${who} ${name} gives logits only`, {
      hint: 'use a method on logits: kd, dkd, dist, mlkd, lskd',
    });
  }
  throw new UserError(
    `${loss} needs taps of a stem, of stages, and a pooled vector; the ${who} ${name} has ${taps.length}`,
    {
      hint: `its taps: ${taps.map(shapeText).join(' ') || 'none'}; name the modules of stem and stages with ${toGive(`${who}Taps`)}`,
    },
  );
}

function pairsFrom(loss: string, { student, teacher }: LossContext, first: number, last: number): TapPair[] {
  checkTaps(loss, 'student', student);
  checkTaps(loss, 'teacher', teacher);
  if (student.taps.length !== teacher.taps.length) {
    throw new UserError(
      `${loss} compares the networks tap by tap, and ${student.name} has ${student.taps.length} taps, ${teacher.name} ${teacher.taps.length}`,
      {
        hint: 'use networks with equally many stages, or a method that reads the last stage or the logits: sp, pkt, rkd, crd, kd',
      },
    );
  }
  const count = student.taps.length;
  return Array.from({ length: count + last - first }, (_, i) => ({
    student: first + i,
    teacher: first + i,
    name: tapName(student.taps, first + i),
  }));
}

/** The outputs of the stages (RepDistiller's feats[1:-1]), paired in order. */
export const stagePairs = (loss: string, context: LossContext): TapPair[] => pairsFrom(loss, context, 1, -1);

/** Stem and stages (feats[:-1]), paired in order. */
export const mapPairs = (loss: string, context: LossContext): TapPair[] => pairsFrom(loss, context, 0, -1);

/** Stages and pooled vector (feats[1:]), paired in order. */
export const levelPairs = (loss: string, context: LossContext): TapPair[] => pairsFrom(loss, context, 1, 0);

/** The last stage of each network (feats[-2]). */
export function lastStage(loss: string, { student, teacher }: LossContext): TapPair {
  checkTaps(loss, 'student', student);
  checkTaps(loss, 'teacher', teacher);
  return { student: student.taps.length - 2, teacher: teacher.taps.length - 2, name: 'last stage' };
}

/** The pooled vector of each network (feats[-1]). */
export function pooled(loss: string, { student, teacher }: LossContext): TapPair {
  checkTaps(loss, 'student', student);
  checkTaps(loss, 'teacher', teacher);
  return { student: student.taps.length - 1, teacher: teacher.taps.length - 1, name: 'pooled' };
}

/** Refuses pairs of taps whose channels differ, naming the first. */
export function requireEqualChannels(loss: string, { student, teacher }: LossContext, pairs: readonly TapPair[]): void {
  for (const pair of pairs) {
    if (student.taps[pair.student]![0] === teacher.taps[pair.teacher]![0]) continue;
    throw new UserError(
      `${loss} needs equal channels in both networks: ${describeTap('student', student, pair.student)} against ${describeTap('teacher', teacher, pair.teacher)}`,
      {
        hint: `${loss} has nothing that maps one to the other; at, sp, vid, ab and reviewkd do without equal channels`,
      },
    );
  }
}

/** Half precision to float32: losses are computed in float32, or in float64 where they are given that. */
const asFloat = (x: Tensor): Tensor => (dtypeBytes[x.dtype] < 4 ? x.to('float32') : x);

const tapAt = (who: string, { taps }: Features, index: number): Tensor => {
  const tap = taps[index];
  if (!tap) throw new TypeError(`a loss was given ${taps.length} taps of the ${who} and reads tap ${index}`);
  return asFloat(tap);
};

/** The two tensors of a pair; the teacher's without gradient. */
export function readPair(input: { student: Features; teacher: Features }, pair: TapPair): { s: Tensor; t: Tensor } {
  return {
    s: tapAt('student', input.student, pair.student),
    t: tapAt('teacher', input.teacher, pair.teacher).detach(),
  };
}

/** Logits of both [B, classes] in float32 or float64; the teacher's without gradient. */
export const readLogits = (
  input: Record<'student' | 'teacher', Pick<Features, 'logits'>>,
): { s: Tensor; t: Tensor } => ({
  s: asFloat(input.student.logits),
  t: asFloat(input.teacher.logits).detach(),
});

/** Average pooling of the map with the greater height down to the other's, after RepDistiller. */
export function poolToSmaller(s: Tensor, t: Tensor): { s: Tensor; t: Tensor } {
  const [sh, th] = [s.size(2), t.size(2)];
  if (sh > th) return { s: ops.adaptiveAvgPool2d(s, [th, t.size(3)]), t };
  if (sh < th) return { s, t: ops.adaptiveAvgPool2d(t, [sh, s.size(3)]) };
  return { s, t };
}

/** [B, C, H, W] to [B, C, H W]. */
export const flatMaps = (x: Tensor): Tensor => x.flatten(2);
