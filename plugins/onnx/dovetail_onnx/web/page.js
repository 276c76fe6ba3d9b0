"use strict";
// A model in this page, run by onnxruntime-web. Nothing is fetched: weights and runtime are in the page, as compressed base64.
(async () => {
  const at = (id) => document.getElementById(id);
  const settings = JSON.parse(at("settings").textContent);
  const say = (text) => { at("status").textContent = text; };

  async function unpacked(id) {
    const text = atob(at(id).textContent.trim());
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    at(id).remove();
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  async function open() {
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmBinary = await unpacked("wasm");
    const glue = new Blob([await unpacked("glue")], { type: "text/javascript" });
    ort.env.wasm.wasmPaths = { mjs: URL.createObjectURL(glue) };
    return ort.InferenceSession.create(await unpacked("model"));
  }

  // ---- answers ----

  function shares(values) {
    if (settings.scores === "none") return values;
    if (settings.scores === "exp") return values.map(Math.exp);
    const most = Math.max(...values);
    const raised = values.map((v) => Math.exp(v - most));
    const total = raised.reduce((a, b) => a + b, 0);
    return raised.map((v) => v / total);
  }

  function show(output) {
    const { dims, data } = output;
    const classes = dims[dims.length - 1];
    const values = Array.from(data, Number);
    at("answers").replaceChildren();
    at("raw").hidden = true;
    if (!settings.ranked || dims.length < 2 || classes < 2) {
      at("raw").hidden = false;
      at("raw").textContent = `${settings.output}, ${dims.join(" × ")}\n${values.slice(0, 1000).map((v) => +v.toPrecision(6)).join(", ")}`;
      return;
    }
    const row = shares(values.slice(values.length - classes)); // of the last place, where there are several
    const order = [...row.keys()].sort((a, b) => row[b] - row[a]).slice(0, settings.top);
    for (const k of order) {
      const line = document.createElement("li");
      const [name, track, bar, share] = ["span", "div", "div", "span"].map((tag) => document.createElement(tag));
      name.textContent = settings.labels[k] ?? String(k);
      track.className = "track";
      bar.className = "bar";
      bar.style.width = `${Math.min(100, Math.max(0, 100 * row[k]))}%`;
      share.className = "share";
      share.textContent = `${(100 * row[k]).toFixed(1)} %`;
      track.append(bar);
      line.dataset.index = k;
      line.append(name, track, share);
      at("answers").append(line);
    }
  }

  let session = null, waiting = null, busy = false;

  async function run(feeds) {
    waiting = feeds;
    if (!session || busy) return;
    busy = true;
    try {
      while (waiting) {
        const now = waiting;
        waiting = null;
        const start = performance.now();
        const found = await session.run(now);
        show(found[settings.output]);
        say(`Computed in ${(performance.now() - start).toFixed(1)} ms.`);
        document.body.dataset.runs = Number(document.body.dataset.runs ?? 0) + 1;
      }
    } catch (error) {
      say(`The model cannot be run on this: ${error.message ?? error}`);
    } finally {
      busy = false;
    }
  }

  // ---- pictures ----

  // Weights of a triangle filter, as wide as the step between pixels where it shrinks: PIL's and torchvision's bilinear with antialias.
  function weights(from, to) {
    const scale = from / to, support = Math.max(scale, 1);
    return Array.from({ length: to }, (_, i) => {
      const centre = (i + 0.5) * scale;
      const first = Math.max(0, Math.floor(centre - support + 0.5)), last = Math.min(from, Math.floor(centre + support + 0.5));
      const row = [];
      for (let k = first; k < last; k++) row.push(Math.max(0, 1 - Math.abs((k + 0.5 - centre) / support)));
      const total = row.reduce((a, b) => a + b, 0);
      return [first, row.map((w) => w / total)];
    });
  }

  function resized(plane, width, height, toWidth, toHeight) {
    const across = weights(width, toWidth), down = weights(height, toHeight);
    const between = new Float32Array(height * toWidth), out = new Float32Array(toHeight * toWidth);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < toWidth; x++) {
        const [first, row] = across[x];
        let sum = 0;
        for (let k = 0; k < row.length; k++) sum += row[k] * plane[y * width + first + k];
        between[y * toWidth + x] = sum;
      }
    for (let y = 0; y < toHeight; y++)
      for (let x = 0; x < toWidth; x++) {
        const [first, row] = down[y];
        let sum = 0;
        for (let k = 0; k < row.length; k++) sum += row[k] * between[(first + k) * toWidth + x];
        out[y * toWidth + x] = sum;
      }
    return out;
  }

  // Planes of 0 … 1 → the input tensor, as the model's transforms have it.
  function fed(planes) {
    const { channels, height, width, mean, std } = settings.image;
    const data = new Float32Array(channels * height * width);
    planes.forEach((plane, c) => {
      for (let k = 0; k < plane.length; k++) data[c * plane.length + k] = (plane[k] - mean[c % mean.length]) / std[c % std.length];
    });
    return { [settings.inputs[0].name]: new ort.Tensor("float32", data, [1, channels, height, width]) };
  }

  function painted(canvas, planes) {
    const { height, width } = settings.image;
    canvas.width = width;
    canvas.height = height;
    const picture = new ImageData(width, height);
    for (let k = 0; k < width * height; k++) {
      for (let c = 0; c < 3; c++) picture.data[4 * k + c] = 255 * planes[c % planes.length][k];
      picture.data[4 * k + 3] = 255;
    }
    canvas.getContext("2d").putImageData(picture, 0, 0);
  }

  function prepared(bitmap) {
    const { channels, height, width, resize } = settings.image;
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height), context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    let planes = [0, 1, 2].map((c) => Float32Array.from({ length: data.length / 4 }, (_, k) => data[4 * k + c] / 255));
    if (channels === 1) planes = [planes[0].map((r, k) => 0.299 * r + 0.587 * planes[1][k] + 0.114 * planes[2][k])];
    const scale = resize / Math.min(bitmap.width, bitmap.height); // the smaller edge, then the middle
    const wide = resize ? Math.floor(bitmap.width * scale + 1e-6) : width, high = resize ? Math.floor(bitmap.height * scale + 1e-6) : height;
    const left = Math.round((wide - width) / 2), top = Math.round((high - height) / 2);
    return planes.map((plane) => {
      const whole = resized(plane, bitmap.width, bitmap.height, wide, high);
      if (!left && !top) return whole;
      return Float32Array.from({ length: width * height }, (_, k) => {
        const x = left + (k % width), y = top + Math.floor(k / width);
        return x < 0 || y < 0 || x >= wide || y >= high ? 0 : whole[y * wide + x];
      });
    });
  }

  // The strokes, as large as the model's image allows, in its line width, white on black.
  function sketched(strokes, side) {
    const { height, width, margin, stroke } = settings.image, fine = 16;
    const xs = strokes.flat().map((p) => p[0]), ys = strokes.flat().map((p) => p[1]);
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const line = stroke * Math.min(height, width), room = Math.min(height, width) * (1 - 2 * margin) - line;
    const scale = Math.min(room / Math.max(right - left, bottom - top, side / 10), (4 * room) / side);
    const canvas = new OffscreenCanvas(width * fine, height * fine), pen = canvas.getContext("2d", { willReadFrequently: true });
    Object.assign(pen, { lineWidth: line * fine, lineCap: "round", lineJoin: "round", strokeStyle: "#fff" });
    const place = ([x, y]) => [
      fine * (width / 2 + (x - (left + right) / 2) * scale), fine * (height / 2 + (y - (top + bottom) / 2) * scale),
    ];
    drawn(pen, strokes.map((points) => points.map(place)));
    const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
    const plane = new Float32Array(width * height);
    for (let y = 0; y < canvas.height; y++)
      for (let x = 0; x < canvas.width; x++)
        plane[Math.floor(y / fine) * width + Math.floor(x / fine)] += data[4 * (y * canvas.width + x) + 3] / (255 * fine * fine);
    return Array.from({ length: settings.image.channels }, () => plane);
  }

  function drawn(pen, strokes) {
    for (const points of strokes) {
      pen.beginPath();
      pen.moveTo(...points[0]);
      for (const point of points.length > 1 ? points : [points[0], points[0]]) pen.lineTo(...point);
      pen.stroke();
    }
  }

  // ---- ways to ask ----

  function pad() {
    const canvas = at("pad"), pen = canvas.getContext("2d");
    let strokes = [], current = null;
    const redraw = () => {
      pen.clearRect(0, 0, canvas.width, canvas.height);
      Object.assign(pen, { lineWidth: 20, lineCap: "round", lineJoin: "round", strokeStyle: "#fff" });
      drawn(pen, strokes);
    };
    const ask = () => {
      if (!strokes.length) return;
      const planes = sketched(strokes, canvas.width);
      painted(at("seen"), planes);
      run(fed(planes));
    };
    const point = (event) => {
      const box = canvas.getBoundingClientRect();
      return [((event.clientX - box.left) * canvas.width) / box.width, ((event.clientY - box.top) * canvas.height) / box.height];
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      strokes.push((current = [point(event)]));
      redraw();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!current) return;
      current.push(...(event.getCoalescedEvents?.() ?? [event]).map(point));
      redraw();
    });
    for (const end of ["pointerup", "pointercancel"])
      canvas.addEventListener(end, () => {
        current = null;
        ask();
      });
    at("clear").addEventListener("click", () => {
      strokes = [];
      redraw();
      at("answers").replaceChildren();
      at("seen").getContext("2d").clearRect(0, 0, 999, 999);
    });
  }

  function picture() {
    const take = async (file) => {
      if (!file) return;
      try {
        const planes = prepared(await createImageBitmap(file));
        painted(at("preview"), planes);
        run(fed(planes));
      } catch (error) {
        say(`This is no picture that the browser can read: ${error.message ?? error}`);
      }
    };
    at("file").addEventListener("change", (event) => take(event.target.files[0]));
    const mark = (on) => (event) => {
      event.preventDefault();
      at("image").classList.toggle("over", on);
    };
    document.addEventListener("dragover", mark(true));
    document.addEventListener("dragleave", mark(false));
    document.addEventListener("drop", (event) => {
      mark(false)(event);
      take(event.dataTransfer.files[0]);
    });
  }

  const ARRAYS = { float: ["float32", Float32Array], double: ["float64", Float64Array], int64: ["int64", BigInt64Array], int32: ["int32", Int32Array],
    bool: ["bool", Uint8Array], uint8: ["uint8", Uint8Array], int8: ["int8", Int8Array] };

  function tensor({ name, type, shape }, text) {
    const words = text.split(/[\s,;[\]()]+/).filter(Boolean);
    const [kind, Kind] = ARRAYS[type];
    const numbers = words.map((word) => {
      if (!Number.isFinite(Number(word)) || (kind.startsWith("int") && !Number.isInteger(Number(word)))) throw new Error(`${name}: ${word} is no ${kind} number`);
      return kind === "int64" ? BigInt(word) : Number(word);
    });
    const fixed = shape.reduce((a, b) => a * (typeof b === "number" ? b : 1), 1);
    const last = shape.findLastIndex((size) => typeof size !== "number"); // takes what there is; free sizes before it are 1
    const dims = shape.map((size, k) => (typeof size === "number" ? size : k === last ? numbers.length / fixed : 1));
    if (!numbers.length || !dims.every(Number.isInteger) || dims.reduce((a, b) => a * b, 1) !== numbers.length)
      throw new Error(`${name}: ${numbers.length} numbers do not fill ${shape.join(" × ")}`);
    return new ort.Tensor(kind, Kind.from(numbers), dims);
  }

  function numbers() {
    for (const input of settings.inputs) {
      const label = document.createElement("label"), field = document.createElement("textarea");
      label.textContent = `${input.name}: numbers, ${input.type} ${input.shape.join(" × ")}`;
      field.name = input.name;
      label.append(field);
      at("fields").append(label);
    }
    at("numbers").addEventListener("submit", (event) => {
      event.preventDefault();
      try {
        run(Object.fromEntries(settings.inputs.map((input) => [input.name, tensor(input, event.target.elements[input.name].value)])));
      } catch (error) {
        say(error.message);
      }
    });
  }

  at(settings.kind).hidden = false;
  ({ draw: pad, image: picture, numbers })[settings.kind]();
  try {
    session = await open();
    say("Ready.");
    document.body.dataset.ready = "yes";
    if (waiting) run(waiting);
  } catch (error) {
    say(`The model cannot be loaded: ${error.message ?? error}`);
  }
})();
