import { type Chart, powerOfTen } from './chart.js';
import type { SignalReport } from './signals.js';

/** A change of so many decades as a factor: ×59, ÷68, 10⁻²³. */
function factorText(decades: number): string {
  if (Number.isNaN(decades)) return '?';
  if (!Number.isFinite(decades)) return decades < 0 ? '0' : '∞';
  const size = Math.abs(decades);
  if (10 ** size < 1.05) return '1';
  if (size < 3) return `${decades < 0 ? '÷' : '×'}${Number((10 ** size).toPrecision(2))}`;
  return powerOfTen(Math.sign(decades) * Math.round(size));
}

/** Blue for what vanishes, orange for what explodes, next to nothing for what is level; letters stay black on all of them. */
function heat(decades: number): string {
  const part = Number.isNaN(decades) ? 0 : Math.min(1, Math.abs(decades) / 4);
  const [from, to] = [[246, 246, 246], decades < 0 ? [86, 180, 233] : [240, 150, 80]];
  return `rgb(${from.map((x, i) => Math.round(x + part * ((to[i] ?? 0) - x))).join(', ')})`;
}

/** Ten initializers × the gains, a cell each: by how much activations or gradients change from one end to the other. */
export function gridChart({ grid, widths }: SignalReport, what: 'activations' | 'gradients'): Chart | undefined {
  if (grid === null || widths.length < 2) return undefined;
  const { gains, rows } = grid;
  const heads = gains.map(({ value, names }) => `${Number(value.toPrecision(3))} ${names[0]}`);
  const title = `${what === 'activations' ? 'Activations' : 'Gradients'} through ${widths.length} layers, by gain`;
  const level = rows.flatMap(({ name, cells }) =>
    cells.flatMap((cell, j) => (Math.abs(cell[what]) < 0.5 ? [`${name} × ${heads[j]}`] : [])),
  );
  const seen = level.length === 0 ? 'none' : level.join('; ');
  return {
    id: `grid-${what}`,
    title,
    description: `${title}: factors by which their variance changes from one end to the other, of ten initializers under ${gains.length} gains. Within a factor of 3: ${seen}.`,
    width: 680,
    height: 400,
    least: 560,
    option: {
      title: { text: title, left: 8, top: 2 },
      grid: { left: 8, right: 12, top: 84, bottom: 8, containLabel: true },
      tooltip: { trigger: 'item', renderMode: 'richText', confine: true },
      xAxis: [
        { type: 'value', min: 0, max: gains.length, show: false },
        {
          type: 'category',
          data: heads,
          position: 'top',
          axisTick: { show: false },
          axisLabel: { interval: 0, rotate: 40, fontSize: 10 },
        },
      ],
      yAxis: { type: 'category', inverse: true, data: rows.map(({ name }) => name), axisTick: { show: false } },
      series: gains.map(({ names }, j) => ({
        name: heads[j],
        type: 'bar',
        stack: 'cells',
        barCategoryGap: '0%',
        data: rows.map(({ name, by, cells }) => {
          const decades = cells[j]?.[what] ?? Number.NaN;
          const text = factorText(decades);
          return {
            value: 1,
            itemStyle: { color: heat(decades), borderColor: '#ffffff', borderWidth: 1 },
            label: { show: true, position: 'inside', color: '#1b1f24', fontSize: 10, formatter: text },
            tooltip: {
              formatter: `${name}, gain of ${names.join(', ')}: ${text} (${by === 'theory' ? 'theory' : 'one network'})`,
            },
          };
        }),
      })),
    },
    numbers: {
      head: ['initializer', ...heads, 'by'],
      rows: rows.map(({ name, by, cells }) => [
        name,
        ...cells.map((cell) => (Number.isFinite(cell[what]) ? 10 ** cell[what] : factorText(cell[what]))),
        by,
      ]),
    },
  };
}
