// The body of a function that `tools/look.py` runs in a page: what can be seen to be wrong with it. arguments[0]: the least contrast of code.
const parse = text => (text.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
const light = ([r, g, b]) => [[r, .2126], [g, .7152], [b, .0722]]
  .map(([c, share]) => (c / 255 <= .04045 ? c / 255 / 12.92 : ((c / 255 + .055) / 1.055) ** 2.4) * share).reduce((a, b) => a + b);
const contrast = (a, b) => (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
const ground = element => {
  for (let e = element; e; e = e.parentElement) {
    const colour = parse(getComputedStyle(e).backgroundColor);
    if (colour.length < 4 || colour[3] > .5) return colour;
  }
  return [255, 255, 255];
};

const wide = [...document.querySelectorAll('article *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1
  && !e.closest('pre, .table-wrapper, .math-block, math, .highlight')).slice(0, 3).map(e => e.tagName + '.' + e.className);

// A table may be scrolled on a phone; where there is room, its last column should be seen.
const cut = innerWidth < 1000 ? [] : [...document.querySelectorAll('article .table-wrapper')].filter(t => t.scrollWidth > t.clientWidth + 1)
  .map(t => `${t.scrollWidth - t.clientWidth} pixels of ${JSON.stringify(t.innerText.trim().slice(0, 40))}`);

// Of each kind of word in code one is enough; what a page repeats a thousand times is coloured alike.
const words = new Map();
for (const word of document.querySelectorAll('article pre, article pre span, article code'))
  if (word.textContent.trim()) words.set(`${word.className} in ${word.parentElement.className}`, word);
const faint = [...words].filter(([_, e]) => contrast(light(parse(getComputedStyle(e).color)), light(ground(e))) < arguments[0])
  .map(([kind, e]) => `${JSON.stringify(e.textContent.slice(0, 20))} (${kind})`);

// A picture of one colour is a plot that nothing was drawn into.
const canvas = document.createElement('canvas');
canvas.width = canvas.height = 64;
const pen = canvas.getContext('2d', {willReadFrequently: true});
const empty = [...document.querySelectorAll('article img')].filter(i => i.complete && i.naturalWidth).filter(i => {
  pen.clearRect(0, 0, 64, 64);
  pen.drawImage(i, 0, 0, 64, 64);
  return new Set(new Uint32Array(pen.getImageData(0, 0, 64, 64).data.buffer)).size < 2;
}).map(i => i.src.slice(0, 120));

return {
  overflow: document.documentElement.scrollWidth - innerWidth, wide, cut, faint, empty,
  height: document.documentElement.scrollHeight,
  broken: [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src.slice(0, 120)),
};
