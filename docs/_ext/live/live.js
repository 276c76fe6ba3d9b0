// Cells of a page that run where they are read: Python starts when it is asked for, and a cell runs after those above it.
const box = document.querySelector('.live');
const start = box.querySelector('button');
const status = box.querySelector('[role=status]');
const cells = [...document.querySelectorAll('article div.cell')].filter(cell => cell.querySelector('.cell_input pre'));
const ran = new Set();
let worker, busy = false, shown = null, text = '', early = '';

if (location.protocol === 'file:') {
  start.disabled = true;
  status.textContent = 'Browsers start Python in pages that are served only: python -m http.server';
}

function show(kind, value) {  // text as it comes, and pictures between marks
  text += value;
  const parts = text.split('\x1e');
  if (parts.length % 2 === 0) return;
  for (const [place, part] of parts.entries()) {
    if (place % 2) {
      const picture = Object.assign(new Image(), {src: part, alt: 'what the cell drew'});
      shown.append(picture);
    } else if (part.trim() || (part && shown.lastChild?.tagName === 'PRE')) {
      if (shown.lastChild?.className !== `live-${kind}`) shown.append(Object.assign(document.createElement('pre'), {className: `live-${kind}`}));
      shown.lastChild.textContent += part;
    }
  }
  text = '';
}

const ask = code => new Promise((resolve, reject) => {
  worker.onmessage = ({data: {kind, value}}) => {
    if (kind === 'done') resolve();
    else if (kind === 'failed') reject(new Error(`${value} ${early}`.trim()));
    else if (shown) show(kind, value);
    else early += value;  // what Python says before the first cell
  };
  worker.onerror = error => reject(new Error(error.message));
  worker.postMessage(code);
});

async function run(last) {
  if (busy) return;
  busy = true;
  const due = cells.slice(0, last + 1).filter((cell, place) => place === last || !ran.has(cell));
  try {
    for (const cell of due) {
      const place = cells.indexOf(cell);
      status.textContent = `Cell ${place + 1} of ${cells.length} runs.`;
      cell.querySelector('.cell_output')?.remove();
      shown = document.createElement('div');
      shown.className = 'cell_output live-output';
      cell.append(shown);
      await ask(cell.querySelector('.cell_input pre').textContent);
      ran.add(cell);
    }
    status.textContent = 'Ready. Code can be changed before it runs.';
  } catch (error) {
    status.textContent = `This did not work: ${error.message}`;
  }
  box.dataset.ran = ran.size;
  busy = false;
}

start.onclick = async () => {
  start.disabled = true;
  status.textContent = 'Python is on its way…';
  try {
    worker = new Worker(new URL('worker.js', import.meta.url), {type: 'module'});
    await ask(null);
  } catch (error) {
    status.textContent = `Python did not start: ${error.message}`;
    return;
  }
  for (const [place, cell] of cells.entries()) {
    cell.querySelector('.cell_input pre').contentEditable = 'plaintext-only';
    const button = Object.assign(document.createElement('button'), {type: 'button', className: 'live-run', textContent: 'Run'});
    button.onclick = () => run(place);
    cell.querySelector('.cell_input').append(button);
  }
  box.dataset.ready = 'yes';
  status.textContent = 'Ready. Code can be changed before it runs.';
};
