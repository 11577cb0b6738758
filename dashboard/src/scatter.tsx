/** @file T. stddev against the student's test loss, each scheme named. */
import type { StddevCorrelation } from '../../src/compare/compare.ts';
import { axis, scale } from '../../src/plot/axes.ts';
import { leastSquares } from '../../src/plot/chart.ts';
import { compact, fixed, percent } from './format.ts';

const [width, height] = [640, 380];
const box = { left: 64, right: width - 24, top: 16, bottom: height - 48 };

export function Scatter({ correlation }: { correlation: StddevCorrelation }) {
  const { points, pearson, spearman, kendall, notes } = correlation;
  const xs = points.map(({ tStddev }) => tStddev);
  const ys = points.map(({ loss }) => loss.mean);
  const [x, y] = [axis(xs), axis(ys)];
  const [placeX, placeY] = [scale(x, box.left, box.right), scale(y, box.bottom, box.top)];
  const fit = leastSquares(points.map(({ tStddev, loss }) => ({ x: tStddev, y: loss.mean })));
  const [from, to] = [Math.min(...xs), Math.max(...xs)];
  return (
    <section aria-labelledby="stddev">
      <h2 id="stddev">T. stddev and test loss</h2>
      <p>
        {Object.entries({ Pearson: pearson, Spearman: spearman, Kendall: kendall })
          .flatMap(([name, found]) =>
            found && found.value !== null ? [`${name} ${fixed(found.value, 3)} (p ${percent(found.p)})`] : [],
          )
          .join(', ')}
      </p>
      {points.length > 0 && (
        <figure class="chart">
          <svg
            viewBox={`0 0 ${width} ${height}`}
            role="img"
            aria-label={points
              .map(({ label, tStddev, loss }) => `${label}: T. stddev ${compact(tStddev)}, loss ${fixed(loss.mean, 4)}`)
              .join('; ')}
          >
            {x.ticks.map(({ value, label }) => (
              <text key={label} class="tick" x={placeX(value)} y={box.bottom + 18} text-anchor="middle">
                {label}
              </text>
            ))}
            {y.ticks.map(({ value, label }) => (
              <g key={label}>
                <path class="rule" d={`M${box.left} ${placeY(value)}H${box.right}`} />
                <text class="tick" x={box.left - 8} y={placeY(value) + 4} text-anchor="end">
                  {label}
                </text>
              </g>
            ))}
            <text class="tick" x={(box.left + box.right) / 2} y={height - 8} text-anchor="middle">
              T. stddev
            </text>
            {fit && (
              <path
                class="fit"
                d={`M${placeX(from)} ${placeY(fit.slope * from + fit.intercept)}L${placeX(to)} ${placeY(fit.slope * to + fit.intercept)}`}
              />
            )}
            {points.map(({ label, tStddev, loss }) => (
              <g key={label}>
                <circle class="dot" cx={placeX(tStddev)} cy={placeY(loss.mean)} r="5" />
                <text
                  class="name"
                  x={placeX(tStddev) + (placeX(tStddev) > width * 0.7 ? -9 : 9)}
                  y={placeY(loss.mean) + 4}
                  text-anchor={placeX(tStddev) > width * 0.7 ? 'end' : 'start'}
                >
                  {label}
                </text>
              </g>
            ))}
          </svg>
        </figure>
      )}
      {notes.map((note) => (
        <p key={note} class="note">
          {note}
        </p>
      ))}
    </section>
  );
}
