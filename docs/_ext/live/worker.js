// Python in a worker of its own: CPython for WebAssembly with NumPy, and Dovetail's sources, in files that exist in memory only.
import {WASI, ConsoleStdout, Directory, File, OpenFile, PreopenDirectory} from './shim/index.js';

const say = (kind, value) => postMessage({kind, value});
const decoder = new TextDecoder();
let python;

async function fetched(name) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer;
}

const unzipped = answer => answer.body.pipeThrough(new DecompressionStream('gzip'));

function tree(files) {  // {'a/b.py': text} as folders
  const top = new Map();
  for (const [path, text] of Object.entries(files)) {
    const parts = path.split('/');
    let folder = top;
    for (const part of parts.slice(0, -1)) {
      if (!folder.has(part)) folder.set(part, new Directory(new Map()));
      folder = folder.get(part).contents;
    }
    folder.set(parts.at(-1), new File(new TextEncoder().encode(text)));
  }
  return top;
}

async function start() {
  const [program, library, sources] = await Promise.all([
    fetched('python.wasm.gz').then(a => WebAssembly.compileStreaming(new Response(unzipped(a), {headers: {'Content-Type': 'application/wasm'}}))),
    fetched('stdlib.zip').then(a => a.arrayBuffer()),
    fetched('sources.json.gz').then(a => new Response(unzipped(a)).json()),
  ]);
  const stream = kind => new ConsoleStdout(bytes => say(kind, decoder.decode(bytes, {stream: true})));
  const files = [
    new OpenFile(new File([])), stream('out'), stream('error'),
    new PreopenDirectory('/usr/local/lib', new Map([['python315.zip', new File(library)]])),
    new PreopenDirectory('/site', tree(sources)),
    new PreopenDirectory('/tmp', new Map()),
  ];
  const system = new WASI(['/usr/local/bin/python.wasm'], ['PYTHONTZPATH=', 'TMPDIR=/tmp', 'HOME=/tmp', 'MPLCONFIGDIR=/tmp', 'MATPLOTLIBRC=/site/matplotlibrc'], files, {debug: false});
  const imports = {wasi_snapshot_preview1: system.wasiImport, host: {call: () => -1}};
  const lacking = 52;  // what WASI answers to a call that is not implemented
  for (const {module, name} of WebAssembly.Module.imports(program)) imports[module][name] ??= () => lacking;
  const instance = await WebAssembly.instantiate(program, imports);
  system.inst = instance;
  instance.exports._initialize();
  python = instance.exports;
  turn("import sys; sys.path.insert(0, '/site')\nfrom prelude import run");
}

function turn(code) {
  const bytes = new TextEncoder().encode(code);
  const place = python.host_alloc(bytes.length) >>> 0;
  new Uint8Array(python.memory.buffer, place, bytes.length).set(bytes);
  return python.turn(place, bytes.length);
}

onmessage = async ({data}) => {
  try {
    if (!python) await start();
    if (data !== null) turn(`run(${JSON.stringify(data)})`);
    say('done', null);
  } catch (error) {
    say('failed', String(error));
  }
};
