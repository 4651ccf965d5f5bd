// What a report's page does in a browser, without a network. All texts go in by textContent: none becomes markup.

(async () => {
  const letters = atob(document.getElementById('data').textContent);
  const packed = new Uint8Array(letters.length);
  for (let i = 0; i < packed.length; i++) packed[i] = letters.charCodeAt(i); // of megabytes: no call for each
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  const data = JSON.parse(await new Response(unpacked).text());
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const drawn = new Map(); // element → chart and its option
  let printing = false;

  function element(name, properties = {}, ...children) {
    const { className, text, ...attributes } = properties;
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  const numberText = (value) => {
    if (value === null || value === undefined) return '';
    if (typeof value === 'string') return value;
    if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString('en-US');
    return String(Number(value.toPrecision(4)));
  };

  /** 10⁻⁶, and plain numbers near 1. */
  const powerText = (value) => {
    const power = Math.round(Math.log10(value));
    return Math.abs(power) < 3
      ? String(value)
      : `10${String(power).replace(/./g, (c) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(c)])}`;
  };

  /** Steps of ticks are sums, as -2.0000000000000004e+25. */
  const tickText = (value) => {
    const rounded = Number(value.toPrecision(4));
    return Math.abs(rounded) < 1e6 ? String(rounded) : rounded.toExponential();
  };

  /** An axis with labels as people write them. */
  const labelled = (axis) =>
    axis.type !== 'log' && axis.type !== 'value'
      ? axis
      : { ...axis, axisLabel: { ...axis.axisLabel, formatter: axis.type === 'log' ? powerText : tickText } };

  /** The title is the figure's caption; the legend has as many lines as its names take, and the picture begins below. */
  function fitted({ title: _, ...option }, width) {
    const { legend, grid, xAxis, yAxis, series } = option;
    const more = { xAxis: labelled(xAxis), yAxis: labelled(yAxis) };
    if (!legend) return { ...option, ...more, grid: { ...grid, top: grid.top - 24 } };
    let [lines, at] = [1, 0];
    for (const name of new Set(series.map((each) => each.name))) {
      const wide = 34 + 6.5 * String(name).length;
      if (at > 0 && at + wide > width - 16) [lines, at] = [lines + 1, 0];
      at += wide;
    }
    return { ...option, ...more, legend: { ...legend, top: 0 }, grid: { ...grid, top: 28 + 20 * lines } };
  }

  function draw(place, option) {
    drawn.get(place)?.chart.dispose();
    const theme = dark.matches && !printing ? data.themes.dark : data.themes.light;
    const chart = echarts.init(place, theme, { renderer: 'svg' });
    chart.setOption({ animation: false, aria: { enabled: false }, ...fitted(option, place.clientWidth) });
    drawn.set(place, { chart, option });
  }

  const drawAgain = () => {
    for (const [place, { option }] of drawn) if (place.isConnected) draw(place, option);
  };
  dark.addEventListener('change', drawAgain);
  let asked = 0;
  addEventListener('resize', () => {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(() => {
      for (const [place, { chart, option }] of drawn) {
        chart.resize();
        chart.setOption(fitted(option, place.clientWidth));
      }
    });
  });
  const print = (on) => {
    printing = on;
    for (const place of drawn.keys()) place.style.width = on ? '650px' : '';
    drawAgain();
  };
  addEventListener('beforeprint', () => print(true));
  addEventListener('afterprint', () => print(false));

  function figureOf({ title, description, option, height, least, numbers }) {
    const place = element('div', { className: 'chart', role: 'img', 'aria-label': description });
    place.style.height = `${height}px`;
    if (least) place.style.minWidth = `${least}px`;
    const details = element('details', {}, element('summary', { text: `${title} in numbers` }));
    details.addEventListener('toggle', () => {
      if (!details.open || details.childElementCount > 1) return;
      const head = element('tr', {}, ...numbers.head.map((text) => element('th', { text, scope: 'col' })));
      const rows = numbers.rows.map((row) =>
        element('tr', {}, ...row.map((value) => element('td', { className: 'number', text: numberText(value) }))),
      );
      const table = element('table', {}, element('thead', {}, head), element('tbody', {}, ...rows));
      details.append(element('div', { className: 'wide', tabindex: '0' }, table));
    });
    const caption = element('figcaption', { text: title });
    const wide = least ? [element('div', { className: 'wide', tabindex: '0' }, place)] : [place];
    return { place, figure: element('figure', {}, caption, ...wide, details), option };
  }

  function showCharts(parent, charts, className = 'charts') {
    const made = charts.map(figureOf);
    parent.append(element('div', { className }, ...made.map(({ figure }) => figure)));
    for (const { place, option } of made) draw(place, option);
  }

  const pageRows = 100;

  /** A table of any number of rows, of which a hundred are on the page at a time. */
  function showTable(parent, { id, columns, rows, filters, badColumn, details }) {
    const lower = rows.map((row) => String(row[0]).toLowerCase());
    let order = rows.map((_, i) => i);
    let shown = order;
    let sorted = { column: -1, down: false };
    let page = 0;
    const search = element('input', { type: 'search', id: `${id}-search`, autocomplete: 'off', spellcheck: 'false' });
    const controls = element(
      'div',
      { className: 'controls' },
      element('label', { for: search.id, text: 'Search names' }, search),
    );
    const chosen = filters.map(({ column, label, all }) => {
      const values = [...new Set(rows.map((row) => String(row[column])))].sort();
      const select = element('select', {}, element('option', { value: '', text: all }));
      for (const [i, text] of values.slice(0, 2000).entries())
        select.append(element('option', { value: String(i + 1), text }));
      controls.append(element('label', { text: label }, select));
      select.addEventListener('change', apply);
      return () => (select.value === '' ? undefined : { column, value: values[Number(select.value) - 1] });
    });
    const count = element('p', { role: 'status' });
    const heads = columns.map(({ label, kind }, column) => {
      const button = element('button', { type: 'button', text: label });
      button.addEventListener('click', () => {
        sorted = { column, down: sorted.column === column ? !sorted.down : kind === 'number' };
        sort();
        apply();
      });
      return element('th', { scope: 'col', className: kind, 'aria-sort': 'none' }, button);
    });
    const body = element('tbody');
    const table = element('table', { id }, element('thead', {}, element('tr', {}, ...heads)), body);
    const back = element('button', { type: 'button', text: 'Previous' });
    const next = element('button', { type: 'button', text: 'Next' });
    back.addEventListener('click', () => turn(page - 1));
    next.addEventListener('click', () => turn(page + 1));
    const detail = element('div', { 'aria-live': 'polite' });

    /** Where there is no number is below all of them; infinities come as text. */
    const numberOf = (value) =>
      value === null ? Number.NEGATIVE_INFINITY : Number(String(value).replace('∞', 'Infinity'));

    function sort() {
      const { column, down } = sorted;
      const isNumber = columns[column].kind === 'number';
      const key = rows.map((row) => (isNumber ? numberOf(row[column]) : String(row[column])));
      order = rows.map((_, i) => i).sort((a, b) => (key[a] < key[b] ? -1 : key[a] > key[b] ? 1 : a - b));
      if (down) order.reverse();
      for (const [i, head] of heads.entries()) {
        head.setAttribute('aria-sort', i !== column ? 'none' : down ? 'descending' : 'ascending');
      }
    }

    function apply() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = chosen.map((read) => read()).filter(Boolean);
      shown = order.filter(
        (i) =>
          words.every((word) => lower[i].includes(word)) &&
          wanted.every(({ column, value }) => String(rows[i][column]) === value),
      );
      turn(0);
    }

    function turn(to) {
      const pages = Math.max(1, Math.ceil(shown.length / pageRows));
      page = Math.min(pages - 1, Math.max(0, to));
      back.disabled = page === 0;
      next.disabled = page === pages - 1;
      count.textContent = `${shown.length.toLocaleString('en-US')} of ${rows.length.toLocaleString('en-US')} rows, page ${page + 1} of ${pages}`;
      const part = shown.slice(page * pageRows, (page + 1) * pageRows);
      body.replaceChildren(
        ...part.map((i) => {
          const row = element(
            'tr',
            badColumn >= 0 && rows[i][badColumn] === 'beyond chance' ? { className: 'bad' } : {},
          );
          for (const [column, { kind }] of columns.entries()) {
            const text = numberText(rows[i][column]);
            if (column > 0 || !details) {
              row.append(element('td', { className: kind, text }));
              continue;
            }
            const button = element('button', { type: 'button', text });
            button.addEventListener('click', () => {
              detail.replaceChildren();
              details(detail, i);
              detail.scrollIntoView({ block: 'nearest' });
            });
            row.append(element('td', { className: kind }, button));
          }
          return row;
        }),
      );
    }

    let waiting = 0;
    search.addEventListener('input', () => {
      clearTimeout(waiting);
      waiting = setTimeout(apply, 100);
    });
    const pager = element('div', { className: 'controls pager' }, back, next);
    parent.append(controls, count, detail, element('div', { className: 'wide' }, table), pager);
    apply();
  }

  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const decode = (text) =>
    Array.from(
      { length: text.length / 2 },
      (_, i) => (64 * digits.indexOf(text[2 * i]) + digits.indexOf(text[2 * i + 1])) / 255,
    );

  /** What one row's structure looks like: a spectrum, or zeros by column. */
  function structureChart(name, { title, kind, x, y, points }) {
    const xAxis = { type: 'value', name: x, nameLocation: 'middle', nameGap: 26, minInterval: 1, scale: true };
    return {
      title: `${title} of ${name}`,
      description: `${title} of ${name}: ${points.length} points.`,
      height: 300,
      option: {
        grid: { left: 72, right: 16, top: 60, bottom: 44 },
        tooltip: { trigger: 'axis', renderMode: 'richText', confine: true },
        xAxis,
        yAxis: { type: 'value', name: y, nameTextStyle: { align: 'left' } },
        series: [{ type: kind, data: points, showSymbol: false, barMaxWidth: 40 }],
      },
      numbers: { head: [x, y], rows: points },
    };
  }

  function showHistogram(parent, { facts, histograms, pictures, expected, columns, rows }, i) {
    const name = String(rows[i][0]);
    parent.append(element('h3', { text: name }));
    const text = columns
      .map(({ label }, c) => (rows[i][c] === null ? '' : `${label} ${numberText(rows[i][c])}`))
      .slice(2);
    parent.append(
      element('p', { className: 'facts', text: [...text, ...(facts[i] ?? [])].filter(Boolean).join(' · ') }),
    );
    const histogram = histograms[i];
    const structure = pictures[i] ? [structureChart(name, pictures[i])] : [];
    if (histogram === null || histogram === undefined) {
      showCharts(parent, structure);
      return;
    }
    const [low, width, peak, counts, beside] = histogram;
    const shares = decode(counts).map((share) => share * peak);
    // The outermost bins take all beyond, and are drawn as wide as the others.
    const at = (k) => low + (k - 0.5) * width;
    const bars = shares.map((share, k) => [at(k), share]);
    const line =
      beside === null ? [] : decode(expected[beside][1]).map((share, k) => [at(k), share * expected[beside][0]]);
    const series = [{ name: 'found', type: 'bar', data: bars, barWidth: '96%', itemStyle: { color: '#56b4e9' } }];
    if (line.length > 0) {
      series.push({
        name: 'expected',
        type: 'line',
        data: line,
        showSymbol: false,
        lineStyle: { color: '#d55e00' },
        itemStyle: { color: '#d55e00' },
      });
    }
    const title = `Values of ${name}`;
    showCharts(parent, [
      {
        title,
        description: `${title}: a histogram of ${shares.length} bins${line.length > 0 ? ', with the expected shares as a line' : ''}.`,
        height: 300,
        option: {
          grid: { left: 56, right: 16, top: 40, bottom: 36 },
          legend: {},
          tooltip: { trigger: 'axis', renderMode: 'richText', confine: true },
          xAxis: { type: 'value', min: at(-1), max: at(shares.length) },
          yAxis: { type: 'value', name: 'share' },
          series,
        },
        numbers: {
          head: ['middle of the bin', 'found', 'expected'],
          rows: bars.map(([x, y], k) => [x, y, line[k]?.[1] ?? null]),
        },
      },
      ...structure,
    ]);
  }

  const main = document.querySelector('main');
  for (const section of data.sections) {
    const place = element('section', {}, element('h2', { text: section.title }));
    main.append(place);
    for (const text of section.paragraphs) place.append(element('p', { text }));
    if (section.charts.length > 0) showCharts(place, section.charts);
    if (section.more.length > 0) {
      const more = element('details', {}, element('summary', { text: section.moreTitle }));
      more.addEventListener('toggle', () => {
        if (more.open && more.childElementCount === 1) showCharts(more, section.more, 'charts small');
      });
      place.append(more);
    }
    const { table } = section;
    if (table)
      showTable(place, { ...table, details: table.histograms && ((parent, i) => showHistogram(parent, table, i)) });
  }
  document.documentElement.dataset.ready = 'yes';
})();
