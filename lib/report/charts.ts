import { axes, type Chart, colours, digits, logAxis, symbols } from './chart.js';
import { gridChart } from './grid-chart.js';
import type { SignalReport, SignalSeries } from './signals.js';
import type { TensorReport } from './tensors.js';

type Quantity = 'square' | 'variance' | 'gradient' | 'weightGradient' | 'correlation';

const medians = (layer: SignalSeries['networks'][number]) =>
  Object.fromEntries(Object.entries(layer).map(([what, { median }]) => [what, median])) as Record<Quantity, number>;

/** A quantity through depth: theory as lines, networks as points with their spread, one colour an initializer. */
function throughDepth(
  { series, widths, kind, seeds }: SignalReport,
  {
    id,
    title,
    axis,
    what,
    log,
  }: {
    readonly id: string;
    readonly title: string;
    readonly axis: string;
    readonly what: Quantity;
    readonly log: boolean;
  },
): Chart {
  const depth = widths.length;
  const shown = (y: number | undefined) => (y !== undefined && Number.isFinite(y) && (!log || y > 0) ? y : null);
  const within = log
    ? logAxis(
        series.flatMap((each) => [...(each.theory ?? []), ...each.networks.map(medians)].map((layer) => layer[what])),
      )
    : {};
  const every = Math.max(1, Math.ceil(depth / 25)); // points stay apart
  const options = series.flatMap(({ name, theory, networks }, i) => {
    const colour = colours[i % colours.length];
    const line = (theory ?? []).map((layer, l) => [l + 1, shown(layer[what])]);
    const at = networks.map((_, l) => l).filter((l) => l % every === 0 || l === depth - 1);
    const points = at.map((l) => [l + 1, shown(networks[l]?.[what].median)]);
    const whiskers = at.flatMap((l) => {
      const [from, to] = [shown(networks[l]?.[what].min), shown(networks[l]?.[what].max)];
      return from === null || to === null
        ? []
        : [
            [l + 1, from],
            [l + 1, to],
            [l + 1, null],
          ];
    });
    const common = { name, itemStyle: { color: colour } };
    return [
      {
        ...common,
        type: 'line',
        data: line,
        showSymbol: false,
        lineStyle: { color: colour, width: 2 },
        symbol: symbols[i % symbols.length],
      },
      {
        ...common,
        type: 'line',
        data: whiskers,
        showSymbol: false,
        silent: true,
        lineStyle: { color: colour, width: 1, opacity: 0.6 },
      },
      { ...common, type: 'scatter', data: points, symbol: symbols[i % symbols.length], symbolSize: 7 },
    ];
  });
  const unit = kind === 'linear' ? 'layer' : 'block';
  const drawn = axes(unit, axis, log, depth);
  const ends = series.map(({ name, theory, networks }) => {
    const of = (l: number) => theory?.[l]?.[what] ?? networks[l]?.[what].median;
    return `${name} ${digits(of(0))} to ${digits(of(depth - 1))}`;
  });
  return {
    id,
    title,
    description: `${title}, from ${unit} 1 to ${depth}: ${ends.join('; ')}.`,
    width: 680,
    height: 400,
    option: {
      ...drawn,
      yAxis: { ...drawn.yAxis, ...within },
      title: { text: title, left: 8, top: 2 },
      series: options,
    },
    numbers: {
      head: [unit, ...series.flatMap(({ name }) => [`${name}: theory`, `${name}: median of ${seeds.length}`])],
      rows: widths.map((_, l) => [
        l + 1,
        ...series.flatMap(({ theory, networks }) => [theory?.[l]?.[what] ?? null, networks[l]?.[what].median ?? null]),
      ]),
    },
  };
}

/** The plane of (σ_w, σ_b): the line on which gradients keep their size, and where the initializers lie. */
function edgeChart({ edge, series, biasStd, activation }: SignalReport): Chart | undefined {
  // What lies on one point has one mark.
  const groups = new Map<string, { names: string[]; weight: number; colour: string | undefined; i: number }>();
  for (const [i, { name, weight }] of series.entries()) {
    if (weight === null) continue;
    const key = weight.toPrecision(6);
    const group = groups.get(key) ?? { names: [], weight, colour: colours[i % colours.length], i };
    group.names.push(name);
    groups.set(key, group);
  }
  const points = [...groups.values()].map(({ names, ...rest }) => ({ name: names.join(', '), ...rest }));
  if (edge.length < 2 || points.length === 0) return undefined;
  const title = `The edge of chaos: ${activation}`;
  const where = points.map(({ name, weight }) => `${name} at ${digits(weight)}`).join('; ');
  const numbers = points.map(({ name, weight }): [string, number, number] => [name, weight, biasStd]);
  return {
    id: 'edge-of-chaos',
    title,
    description: `${title}. On the line gradients keep their size; left of it signals of all inputs become one, right of it small differences explode. σ_w: ${where}.`,
    width: 680,
    height: 400,
    option: {
      ...axes('σ_w, the standard deviation of weights × √fan_in', 'σ_b, of biases', false, 3),
      xAxis: {
        type: 'value',
        name: 'σ_w, the standard deviation of weights × √fan_in',
        nameLocation: 'middle',
        nameGap: 26,
        min: 0,
        max: 3,
      },
      yAxis: { type: 'value', name: 'σ_b, of biases', nameTextStyle: { align: 'left' }, min: 0 },
      title: { text: title, left: 8, top: 2 },
      series: [
        {
          name: 'χ = 1',
          type: 'line',
          data: edge.map(({ weight, bias }) => [weight, bias]),
          showSymbol: false,
          lineStyle: { color: '#888888', width: 2, type: 'dashed' },
          itemStyle: { color: '#888888' },
        },
        ...points.map(({ name, weight, colour, i }) => ({
          name: weight > 3 ? `${name} (σ_w ${digits(weight)}, beyond)` : name,
          type: 'scatter',
          data: [[Math.min(3, weight), biasStd]],
          symbol: symbols[i % symbols.length],
          symbolSize: 12,
          itemStyle: { color: colour },
        })),
      ],
    },
    numbers: { head: ['initializer', 'σ_w', 'σ_b'], rows: numbers },
  };
}

/** Values themselves at several depths, as in figures 6 and 7 of Glorot & Bengio 2010. */
function valuesChart(series: SignalSeries, index: number, what: 'activations' | 'gradients'): Chart | undefined {
  const { name, samples } = series;
  const reach = samples[0]?.[what].reach;
  if (reach === undefined) return undefined;
  const width = (bins: number) => (2 * reach) / bins;
  const curves = samples.map((each) => {
    const { counts } = each[what];
    const total = counts.reduce((sum, n) => sum + n, 0) || 1;
    const density = counts.map((n, k): [number, number] => [-reach + (k + 0.5) * width(counts.length), n / total]);
    return { layer: each.layer, density };
  });
  const title = `${what === 'activations' ? 'Activations' : 'Gradients'} by layer: ${name}`;
  return {
    id: `${what}-${index + 1}`,
    title,
    description: `${title}. Shares of values in ${curves[0]?.density.length} bins from ${digits(-reach)} to ${digits(reach)}, of layers ${curves.map(({ layer }) => layer).join(', ')} of one network.`,
    width: 440,
    height: 300,
    option: {
      ...axes(what === 'activations' ? 'activation' : 'gradient', 'share', false, 1),
      xAxis: {
        type: 'value',
        name: what === 'activations' ? 'activation' : 'gradient',
        nameLocation: 'middle',
        nameGap: 26,
        min: -reach,
        max: reach,
        axisLabel: { hideOverlap: true },
      },
      title: { text: title, left: 8, top: 2, textStyle: { fontSize: 12 } },
      series: curves.map(({ layer, density }) => ({
        name: `layer ${layer}`,
        type: 'line',
        data: density,
        showSymbol: false,
      })),
    },
    numbers: {
      head: ['value', ...curves.map(({ layer }) => `layer ${layer}`)],
      rows: (curves[0]?.density ?? []).map(([x], k) => [x, ...curves.map(({ density }) => density[k]?.[1] ?? null)]),
    },
  };
}

/** The charts of signals through depth. */
export function signalCharts(report: SignalReport): Chart[] {
  const linear = report.kind === 'linear';
  const gradients = throughDepth(report, {
    id: 'gradients',
    title: 'Variance of gradients, on their way back',
    axis: 'variance',
    what: 'gradient',
    log: true,
  });
  const charts = linear
    ? [
        throughDepth(report, {
          id: 'activations',
          title: 'Variance of activations',
          axis: 'variance',
          what: 'variance',
          log: true,
        }),
        gradients,
        throughDepth(report, {
          id: 'weight-gradients',
          title: "Mean square of the weights' gradients",
          axis: 'E[g²]',
          what: 'weightGradient',
          log: true,
        }),
        throughDepth(report, {
          id: 'correlation',
          title: 'Correlation of two inputs that begin at ½',
          axis: 'correlation',
          what: 'correlation',
          log: false,
        }),
        edgeChart(report),
        gridChart(report, 'activations'),
        gridChart(report, 'gradients'),
      ]
    : [
        throughDepth(report, {
          id: 'residual',
          title: 'Mean square of the residual stream',
          axis: 'E[x²]',
          what: 'square',
          log: false,
        }),
        gradients,
      ];
  return charts.filter((chart) => chart !== undefined);
}

/** Values by layer, one pair of charts an initializer. */
export function valueCharts({ series }: SignalReport): Chart[] {
  return series
    .flatMap((each, i) => [valuesChart(each, i, 'activations'), valuesChart(each, i, 'gradients')])
    .filter((chart) => chart !== undefined);
}

const mostRoles = 12;

/** The standard deviation of tensors through the layers, a line for each part that all layers have; the largest where a layer has several. */
export function layersChart({ tensors }: TensorReport, id: string): Chart | undefined {
  const roles = new Map<string, Map<number, number>>();
  for (const { role, layer, statistics } of tensors) {
    if (layer === null || statistics === undefined || !(statistics.std > 0)) continue;
    const known = roles.get(role) ?? new Map<number, number>();
    known.set(layer, Math.max(known.get(layer) ?? 0, statistics.std));
    roles.set(role, known);
  }
  const lines = [...roles]
    .filter(([, points]) => points.size > 1)
    .sort(([, a], [, b]) => b.size - a.size)
    .slice(0, mostRoles)
    .map(([role, points]) => ({ role, points, data: [...points].sort(([a], [b]) => a - b) }));
  if (lines.length === 0) return undefined;
  const layers = [...new Set(lines.flatMap(({ data }) => data.map(([layer]) => layer)))].sort((a, b) => a - b);
  const title = 'Standard deviation by layer';
  return {
    id,
    title,
    description: `${title}, of ${lines.length} parts that all layers have: ${lines.map(({ role, data }) => `${role} ${digits(data[0]?.[1])} to ${digits(data.at(-1)?.[1])}`).join('; ')}.`,
    width: 680,
    height: 400,
    option: {
      ...axes('layer', 'standard deviation', true, layers.length),
      xAxis: {
        type: 'value',
        name: 'layer',
        nameLocation: 'middle',
        nameGap: 26,
        min: layers[0],
        max: layers.at(-1),
        minInterval: 1,
      },
      title: { text: title, left: 8, top: 2 },
      series: lines.map(({ role, data }, i) => ({
        name: role,
        type: 'line',
        data,
        symbol: symbols[i % symbols.length],
        symbolSize: 6,
        showSymbol: data.length <= 200,
      })),
    },
    numbers: {
      head: ['layer', ...lines.map(({ role }) => role)],
      rows: layers.map((layer) => [layer, ...lines.map(({ points }) => points.get(layer) ?? null)]),
    },
  };
}
