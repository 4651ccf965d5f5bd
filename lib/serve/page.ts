import { InputError } from '../core/errors.js';
import { size } from '../core/text.js';
import { version } from '../core/version.js';
import { type Catalog, totalOf } from './catalog.js';
import { type HubRequest, isGone } from './hub.js';
import { markup } from './markup.js';
import type { Metrics } from './metrics.js';
import { Refusal } from './refusal.js';

const style = `
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; }
  td.number { text-align: right; font-variant-numeric: tabular-nums; }
  code { font-size: .9em; overflow-wrap: anywhere; }
  .wide, pre { overflow-x: auto; }`;

/** What a server has and does, for people: HTML that needs nothing else. */
export async function statusPage(
  catalog: Catalog,
  metrics: Metrics,
  inFlight: number,
  bucket: string,
  asked: HubRequest,
): Promise<string> {
  const lately = catalog.recent().map(({ id, revision }) => {
    const link = `api/models/${encodeURI(id)}/revision/${revision}`;
    return `<li><code>${markup(id)}</code> <a href="${markup(link)}">${markup(revision)}</a></li>`;
  });
  const rows = await Promise.all((await catalog.repositories.list()).map((id) => row(catalog, id, asked)));
  const facts = [
    `${metrics.requests} requests answered`,
    `${inFlight} under way`,
    `${size(metrics.bytes)} sent, ${size(Math.round(metrics.rate))} a second now`,
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<script>if (!location.pathname.endsWith('/')) history.replaceState(null, '', location.pathname + '/');</script>
<title>nninit serve</title>
<style>${style}</style>
</head>
<body>
<h1>nninit serve</h1>
<p>Checkpoints that are made while they are read. ${facts.join(', ')}.</p>
<div class="wide"><table>
<thead><tr><th>repository</th><th>size</th><th>parameters</th><th>files</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table></div>
<h2>Other revisions asked for lately</h2>
<ul>${lately.join('') || '<li>none</li>'}</ul>
<h2>How to read them</h2>
<p>The revision is the seed: <code>main</code> is seed 0, <code>seed-7</code> seed 7, <code>seed-7-bfloat16</code> the same in another dtype.</p>
<pre><code>HF_ENDPOINT=<span class="host">http://…</span> hf download ORG/NAME --revision seed-7
aws s3 ls --endpoint-url <span class="host">http://…</span> --no-sign-request s3://${markup(bucket)}/ORG/NAME/seed-7/</code></pre>
<p><a href="metrics">metrics</a> · nninit ${markup(version)}</p>
<script>for (const each of document.querySelectorAll('.host')) each.textContent = location.origin + location.pathname.replace(/\\/+$/, '');</script>
</body>
</html>
`;
}

async function row(catalog: Catalog, id: string, asked: HubRequest): Promise<string> {
  try {
    const { contents, parameters, commit } = await catalog.summary(id, 'main', () => isGone(asked));
    const bytes = [...contents.values()].reduce((sum, each) => sum + each.size, 0);
    const links = [...contents.keys()]
      .slice(0, 6)
      .map((name) => `<a href="${markup(id)}/resolve/main/${encodeURIComponent(name)}">${markup(name)}</a>`);
    if (contents.size > 6) links.push(`and ${contents.size - 6} more`);
    const cells = [
      `<td class="number">${size(bytes)}</td>`,
      `<td class="number">${totalOf(parameters).toLocaleString('en')}</td>`,
      `<td>${links.join('<br>')}</td>`,
    ];
    return `<tr><td title="${commit}"><code>${markup(id)}</code></td>${cells.join('')}</tr>`;
  } catch (cause) {
    const gone = `${id}: it leads out of the folders that are served, or is gone`;
    if (!isGone(asked)) asked.onError(cause instanceof Refusal ? new InputError(gone, { cause }) : cause);
    return `<tr><td><code>${markup(id)}</code></td><td colspan="3">cannot be served: the log says why</td></tr>`;
  }
}
