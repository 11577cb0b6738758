/** @file A loss of the user's: its terms are checked, and what it throws says where. */
import { type AnyDefinition, forget } from '../distill/losses/index.ts';
import type { LossDefinition, LossInput, LossParts, LossTerms } from '../distill/losses/loss.ts';
import { Tensor } from '../torch/index.ts';
import { allFinite, described, guarded, misfit, type Origin } from './errors.ts';

function checkTerms(origin: Origin, { student, teacher }: LossInput, terms: unknown): LossTerms {
  const hint = 'it returns its terms by name, each a tensor of one number: { mse: … }';
  if (typeof terms !== 'object' || terms === null || terms instanceof Tensor) {
    throw misfit(
      origin,
      'terms',
      `returns ${terms instanceof Tensor ? 'a tensor without a name' : described(terms)}`,
      hint,
    );
  }
  for (const [name, value] of Object.entries(terms as Record<string, unknown>)) {
    if (!(value instanceof Tensor)) throw misfit(origin, 'terms', `returns ${described(value)} as ${name}`, hint);
    if (value.ndim !== 0) {
      throw misfit(origin, 'terms', `returns [${value.shape.join(', ')}] as ${name}`, `${hint}; take a mean or a sum`);
    }
    // Where the networks themselves diverged, the trainer says so.
    if (Number.isFinite(value.item()) || !(allFinite(student.logits) && allFinite(teacher.logits))) continue;
    throw misfit(
      origin,
      'terms',
      `gives ${name} the value ${value.item()}, though the logits of both networks are finite`,
      'look for a division by 0, a logarithm of 0 or a square root at 0',
    );
  }
  return terms as LossTerms;
}

/** The same loss, with its functions guarded. */
export function ownLoss(definition: LossDefinition, origin: Origin): AnyDefinition {
  const loss = forget(definition);
  return {
    ...loss,
    check: (context, options) => guarded(origin, 'check', () => loss.check?.(context, options)),
    create(context, options): LossParts {
      const parts: unknown = guarded(origin, 'create', () => loss.create(context, options));
      if (typeof parts !== 'object' || parts === null || typeof (parts as Partial<LossParts>).terms !== 'function') {
        throw misfit(origin, 'create', `returns ${described(parts)}`, 'it returns { terms(input) { … } }');
      }
      const made = parts as LossParts;
      return {
        ...made,
        terms: (input) =>
          checkTerms(
            origin,
            input,
            guarded(origin, 'terms', () => made.terms(input)),
          ),
      };
    },
  };
}
