/** @file Where a student errs: its confusion, its worst images, the ones it and its teacher dispute; found by `thrive eval --save`. */
import { useEffect, useState } from 'preact/hooks';
import type { ErrorReport } from '../../src/networks/error-report.ts';
import { get, type RunDetail } from './api.ts';
import { fixed, plural } from './format.ts';

type Found = { found: false } | { found: true; errors: ErrorReport };

function Confusion({ report }: { report: ErrorReport }) {
  const { classNames, confusion } = report;
  const n = classNames.length;
  const cells = new Map(confusion.map(([truth, said, count]) => [truth * n + said, count]));
  const most = Math.max(1, ...confusion.map(([truth, said, count]) => (truth === said ? 0 : count)));
  const total = (row: number): number =>
    confusion.reduce((sum, [truth, , count]) => sum + (truth === row ? count : 0), 0);
  const worst = confusion
    .filter(([truth, said]) => truth !== said)
    .sort((a, b) => b[2] - a[2])
    .slice(0, 12);
  const size = Math.max(3, Math.min(28, Math.floor(560 / n)));
  return (
    <div class="confusion">
      <svg
        viewBox={`0 0 ${n * size} ${n * size}`}
        width={n * size}
        height={n * size}
        role="img"
        aria-label={`confusion matrix of ${plural(n, 'class')}; the most frequent confusions are listed beside it`}
      >
        <rect class="ground" width={n * size} height={n * size} />
        {[...cells].map(([at, count]) => {
          const [row, column] = [Math.floor(at / n), at % n];
          const share = row === column ? count / Math.max(1, total(row)) : count / most;
          return (
            <rect
              key={at}
              class={row === column ? 'right' : 'wrong'}
              x={column * size}
              y={row * size}
              width={size}
              height={size}
              fill-opacity={0.15 + 0.85 * share}
            >
              <title>
                {classNames[row]} taken for {classNames[column]}: {count}
              </title>
            </rect>
          );
        })}
      </svg>
      <div class="scroll" role="region" aria-label="Most frequent confusions" tabIndex={0}>
        <table>
          <caption>Most frequent confusions</caption>
          <thead>
            <tr>
              <th scope="col">Is</th>
              <th scope="col">Taken for</th>
              <th scope="col" class="number">
                Times
              </th>
            </tr>
          </thead>
          <tbody>
            {worst.map(([truth, said, count]) => (
              <tr key={`${truth}-${said}`}>
                <th scope="row">{classNames[truth]}</th>
                <td>{classNames[said]}</td>
                <td class="number">{count}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function Gallery({ title, report, images }: { title: string; report: ErrorReport; images: ErrorReport['worst'] }) {
  if (images.length === 0) return null;
  const name = (c: number | null): string => (c === null ? '' : (report.classNames[c] ?? String(c)));
  return (
    <>
      <h3>{title}</h3>
      <ul class="images">
        {images.map(({ index, png, label, student, teacher, loss }) => (
          <li key={index}>
            <img
              src={`data:image/png;base64,${png}`}
              width="96"
              height="96"
              alt={`number ${index} of the test set: ${name(label)}`}
            />
            <span class="caption">{name(label)}</span>
            <span class="small">student: {name(student)}</span>
            {teacher !== null && <span class="small">teacher: {name(teacher)}</span>}
            <span class="small quiet">loss {fixed(loss)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

export function ErrorsSection({ id, detail }: { id: string; detail: RunDetail }) {
  const [found, setFound] = useState<Found | null>(null);
  useEffect(() => {
    const controller = new AbortController();
    get<Found>(`/api/runs/${id}/errors`, controller.signal).then(setFound, () => {});
    return () => controller.abort();
  }, [id, detail.files.find(({ name }) => name === 'errors.json')?.modified]);
  if (!found) return null;
  if (!found.found) {
    if (!detail.files.some(({ name }) => name === 'last.safetensors')) return null;
    return (
      <section aria-labelledby="errors">
        <h2 id="errors">Errors</h2>
        <p class="quiet">
          Not looked for yet: <code>thrive eval {detail.folder}/last.safetensors --save</code> finds them once and keeps
          them here.
        </p>
      </section>
    );
  }
  const report = found.errors;
  const both = report.teacher !== null;
  return (
    <section aria-labelledby="errors">
      <h2 id="errors">Errors</h2>
      <p class="quiet">
        {plural(report.count, 'test image')}: student {fixed(report.student.top1)} %
        {report.teacher && `, teacher ${fixed(report.teacher.top1)} %`}
      </p>
      <Confusion report={report} />
      <Gallery title="Worst: certain and wrong" report={report} images={report.worst} />
      <Gallery title="Disputed: student wrong, teacher right" report={report} images={report.studentWrong} />
      <Gallery title="Disputed: student right, teacher wrong" report={report} images={report.teacherWrong} />
      <details>
        <summary>Accuracy of each class</summary>
        <div class="scroll" role="region" aria-label="Accuracy of each class" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">Class</th>
                <th scope="col" class="number">
                  Images
                </th>
                <th scope="col" class="number">
                  Student %
                </th>
                {both && (
                  <th scope="col" class="number">
                    Teacher %
                  </th>
                )}
                {both && (
                  <th scope="col" class="number">
                    Difference
                  </th>
                )}
              </tr>
            </thead>
            <tbody>
              {report.classNames.map((name, c) => {
                const { count, student, teacher } = report.perClass[c]!;
                return (
                  <tr key={name}>
                    <th scope="row">{name}</th>
                    <td class="number">{count}</td>
                    <td class="number">{fixed(student, 1)}</td>
                    {both && <td class="number">{fixed(teacher, 1)}</td>}
                    {both && <td class="number">{teacher === null ? '' : fixed(student - teacher, 1)}</td>}
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      </details>
    </section>
  );
}
