'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const css = name => `var(--${name})`;
  const make = (tag, kind, text) => {
    const element = document.createElement(tag);
    if (kind) element.className = kind;
    if (['said', 'quote', 'note', 'small', 'tag', 'tag hit'].includes(kind)) element.dir = 'auto';
    if (text !== undefined && text !== null) element.textContent = text;
    return element;
  };
  const add = (parent, ...children) => { parent.append(...children.filter(Boolean)); return parent; };

  // Charts: colours are CSS variables, so that dark mode and paper need no second drawing.
  const axis = {
    labelColor: css('muted'), titleColor: css('muted'), gridColor: css('line'), domainColor: css('line'), tickColor: css('line'),
    labelFontSize: 12, titleFontSize: 12, titleFontWeight: 'normal', titlePadding: 8,
  };
  const config = {
    background: null, font: '-apple-system, BlinkMacSystemFont, "Segoe UI", Inter, Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif',
    axis, header: { labelColor: css('muted'), titleColor: css('muted'), labelFontSize: 12 },
    legend: { labelColor: css('ink'), titleColor: css('muted'), labelFontSize: 12, titleFontSize: 12, titleFontWeight: 'normal', orient: 'top', labelLimit: 230, symbolType: 'square' },
    view: { stroke: null }, text: { color: css('ink') }, bar: { color: css('c0') }, line: { color: css('c0') },
    rule: { color: css('faint') }, area: { color: css('c0') }, point: { color: css('c0') },
  };
  const tip = add(document.body, make('div')).lastChild;
  tip.id = 'tip'; tip.hidden = true; tip.setAttribute('aria-hidden', 'true');
  const tooltip = (handler, event, item, value) => {
    tip.hidden = !value;
    if (!value) return;
    tip.replaceChildren();
    const rows = typeof value === 'object' ? Object.entries(value) : [['', value]];
    for (const [name, said] of rows) add(tip, add(make('div'), name ? make('span', '', `${name}: `) : null, said));
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)}px`;
  };
  async function draw(place) {
    const drawing = add(place, make('div', 'drawing')).lastChild;
    const width = drawing.clientWidth;
    const own = { axis: { ...axis, labelLimit: width < 560 ? 104 : 330 }, legend: { ...config.legend, columns: width < 400 ? 2 : width < 640 ? 3 : 5 } };
    const spec = { ...data.charts[place.dataset.chart], config: { ...config, ...own } };
    const compiled = vegaLite.compile(spec).spec;
    const view = new vega.View(vega.parse(compiled, null, { ast: true }), {
      expr: vega.expressionInterpreter, renderer: 'svg', container: drawing, hover: true, logLevel: vega.Error, tooltip,
    });
    view.addEventListener('click', (event, item) => { if (item && item.datum && item.datum.drill) open(item.datum.drill); });
    await view.runAsync();
  }
  async function drawAll() {
    const places = [...document.querySelectorAll('[data-chart]')];
    for (const place of places) {
      try { await draw(place); } catch (problem) { console.error(`chart ${place.dataset.chart}: ${problem}`); }
    }
    document.documentElement.dataset.charts = 'drawn';
  }

  // Conversations: what is in the file of each of them, without any HTML made from their words.
  const band = score => (score === null ? 'unknown' : score >= 80 ? 'good' : score < 50 ? 'bad' : 'middle');
  const pairs = properties => Object.entries(properties).map(([name, value]) => `${name}: ${value}`).join(', ');
  const words = one => one.words ??= [one.id, one.day, ...one.turns.flatMap(turn => [
    ...turn.parts.map(part => part[0]), ...turn.events.flatMap(event => [event.type, pairs(event.properties), event.because ?? '']),
  ]), ...(one.judgment ? [one.judgment.because ?? '', ...one.judgment.findings.flatMap(f => [f.criterion, f.because ?? '', f.quote ?? ''])] : [])].join('\n').toLowerCase();
  const hits = (event, focus) => focus.includes(event.key);

  function opener(one, position) {
    if (!one.link) return null;
    const link = make('a', 'opener', position === null ? 'open in the workbench' : 'open');
    link.href = position === null ? one.link : `${one.link}#m${position}`;
    link.setAttribute('aria-label', position === null ? 'Open the conversation in the workbench' : `Open message ${position + 1} in the workbench`);
    return link;
  }
  function turns(one, focus) {
    return one.turns.map(turn => {
      const said = make('p', 'said');
      for (const [text, events] of turn.parts) {
        if (!events.length) { said.append(text); continue; }
        said.append(make('mark', events.some(n => hits(turn.events[n], focus)) ? 'hit' : '', text));
      }
      const tags = turn.events.map(event => add(make('p', hits(event, focus) ? 'tag hit' : 'tag'),
        make('b', '', event.type), pairs(event.properties) ? ` (${pairs(event.properties)})` : '', event.because ? `: ${event.because}` : ''));
      return add(make('div', 'turn'), add(make('div', 'who', `${turn.position + 1} · ${turn.role}`), opener(one, turn.position)), said.childNodes.length ? said : null, ...tags);
    });
  }
  function findings(one) {
    if (!one.judgment) return [make('p', 'note', 'Not judged.')];
    const rows = one.judgment.findings.map(found => add(make('li'), make('span', `pill ${found.verdict.replace(/ .*/, '')}`, found.verdict), ` ${found.criterion}`,
      found.because ? add(make('div', 'note'), found.because) : null, found.quote ? add(make('div', 'quote'), `“${found.quote}”`) : null));
    const intent = one.judgment.intent;
    const wanted = intent ? add(make('p', 'small'), `Wanted: ${intent.wanted ?? 'not shown'}. Delivered and confirmed: ${intent.delivered}.`,
      intent.quote ? add(make('span', 'quote'), ` “${intent.quote}”`) : null) : null;
    return [make('h4', '', 'The judge'), wanted, one.judgment.because ? make('p', 'small', one.judgment.because) : null, add(make('ul'), ...rows)];
  }
  function article(one, focus, isOpen = false) {
    const said = one.turns.flatMap(turn => turn.events.map(event => event.type));
    const summary = add(make('summary'),
      add(make('span', `score ${band(one.score)}`, one.score === null ? '–' : String(Math.round(one.score))), make('span', 'unseen', ' of 100')),
      make('span', 'sees', [...new Set(said)].join(' · ') || 'no event'), make('span', 'when', `${one.id} · ${one.day}`));
    const details = add(make('details'), summary);
    const fill = () => {
      if (details.childElementCount > 1) return;
      add(details, add(make('div', 'inside'), ...turns(one, focus), ...findings(one), make('p', 'made',
        `${one.messages} messages · tagged by ${one.made.tagged} · judged by ${one.made.judged} · schema ${one.made.schema} `), opener(one, null)));
    };
    details.addEventListener('toggle', fill);
    if (isOpen) { fill(); details.open = true; }
    return add(make('article', 'conversation'), details);
  }

  // Drill-downs.
  const dialog = document.getElementById('drill');
  function open(key) {
    const drill = data.drills[key];
    if (!drill) return;
    dialog.querySelector('h2').textContent = drill.title;
    const shown = drill.examples.length;
    dialog.querySelector('.of').textContent = drill.total === shown ? `${shown} conversation${shown === 1 ? '' : 's'}` : `${drill.total} conversations, ${shown} of them here as examples`;
    const body = dialog.querySelector('.body');
    body.replaceChildren(...drill.examples.map((n, place) => article(data.conversations[n], drill.focus, place === 0)));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  }
  document.addEventListener('click', event => {
    const pressed = event.target.closest('[data-drill]');
    if (pressed) open(pressed.dataset.drill);
    if (event.target === dialog || event.target.closest('[data-close]')) dialog.close();
    const sorter = event.target.closest('th button');
    if (sorter) sort(sorter.parentElement);
  });

  // Tables: sorting by a column, filtering by words.
  function sort(head) {
    const body = head.closest('table').tBodies[0];
    const down = head.getAttribute('aria-sort') !== 'descending';
    const worth = row => row.cells[head.cellIndex].dataset.sort ?? row.cells[head.cellIndex].textContent.trim().toLowerCase();
    const number = text => (text === '' || isNaN(text) ? text : Number(text));
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [number(worth(a)), number(worth(b))];
      return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
    });
    for (const other of head.parentElement.cells) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    body.append(...rows);
  }
  for (const field of document.querySelectorAll('[data-filters]')) {
    const table = document.getElementById(field.dataset.filters);
    field.addEventListener('input', () => {
      const wanted = field.value.trim().toLowerCase();
      table.classList.remove('cut');
      table.closest('.scroll').parentElement.querySelector('.rest')?.remove();
      let left = 0;
      for (const row of table.tBodies[0].rows) { row.hidden = !row.textContent.toLowerCase().includes(wanted); left += !row.hidden; }
      document.getElementById(`${field.dataset.filters}-left`).textContent = wanted ? `${left} of ${table.tBodies[0].rows.length} rows` : '';
    });
  }

  // Long tables show their first rows until somebody wants them all.
  for (const table of document.querySelectorAll('table')) {
    const rows = table.tBodies[0].rows.length;
    if (rows <= 14) continue;
    table.classList.add('cut');
    const button = make('button', 'button rest', `Show all ${rows} rows`);
    button.type = 'button';
    button.addEventListener('click', () => { table.classList.remove('cut'); button.remove(); });
    table.closest('.scroll').after(button);
  }

  // The explorer: every conversation that is in the file.
  const explorer = document.getElementById('explorer');
  const STEP = 20;
  let shown = STEP;
  function explore() {
    const given = Object.fromEntries([...explorer.querySelectorAll('input, select')].map(field => [field.name, field.value.trim()]));
    const wanted = given.words.toLowerCase().split(/\s+/).filter(Boolean);
    const found = data.conversations.filter(one => wanted.every(word => words(one).includes(word))
      && (!given.event || one.turns.some(turn => turn.events.some(event => event.key === given.event)))
      && (!given.score || band(one.score) === given.score)
      && (!given.property || one.turns.some(turn => turn.events.some(event => Object.entries(event.properties).some(pair => pair.join(': ') === given.property)))));
    explorer.querySelector('.found').textContent = `${found.length} of ${data.conversations.length} conversations in this file`;
    explorer.querySelector('.list').replaceChildren(...found.slice(0, shown).map(one => article(one, given.event ? [given.event] : [])));
    explorer.querySelector('.more').hidden = found.length <= shown;
  }
  explorer.addEventListener('input', () => { shown = STEP; explore(); });
  explorer.querySelector('.more').addEventListener('click', () => { shown += STEP; explore(); });
  explore();
  drawAll();
})();
