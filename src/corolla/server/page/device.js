// Predicts here instead of on the server: ONNX Runtime runs its file in this browser.
import { Refusal } from "./asking.js";

const RUNTIME = new URL("./ort/", import.meta.url).href;
const MOST = 25e6; // pixels, because of the browser's memory
// The colormap of the server's explanations (matplotlib's inferno), at nine even steps.
const COLORS = ["000004", "1f0c48", "550f6d", "88226a", "ba3655", "e35933", "f98c0a", "f9c932", "fcffa4"].map((hex) =>
  [0, 2, 4].map((start) => parseInt(hex.slice(start, start + 2), 16)),
);

export class Device {
  on = false;
  #asker;
  #model;
  #ready = null;
  #last = Promise.resolve();

  constructor(asker, model) {
    this.#asker = asker;
    this.#model = model;
  }

  // Downloads runtime and file, once.
  begin() {
    this.#ready ??= this.#load().catch((error) => {
      this.#ready = null;
      throw error;
    });
    return this.#ready;
  }

  async #load() {
    const [ort, content] = await Promise.all([import("./ort/ort.wasm.min.mjs"), this.#asker.file()]);
    ort.env.wasm.wasmPaths = RUNTIME;
    ort.env.wasm.numThreads = 1; // more threads need headers that isolate the page from other windows
    return { ort, session: await ort.InferenceSession.create(content, { executionProviders: ["wasm"] }) };
  }

  // The prediction of one file, as `POST /v1/predict` returns it; one after the other.
  ask(file) {
    const answer = this.#last.then(() => this.#answer(file));
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #answer(file) {
    const { ort, session } = await this.begin();
    const { data, width, height } = await pixels(file);
    const images = new ort.Tensor("uint8", data, [1, height, width, 3]);
    const score = session.outputNames.includes("novelty") ? "novelty" : "ood_score"; // its name in older files
    const wanted = ["probabilities", "rollout", ...(this.#model.calibrated ? [score] : [])];
    const outputs = await session.run({ [session.inputNames[0]]: images }, wanted);
    const { probabilities, rollout } = outputs;
    const top = this.#model.classes
      .map((label, place) => ({ label, probability: probabilities.data[place] }))
      .sort((one, other) => other.probability - one.probability)
      .slice(0, 5);
    const ood = outputs[score] ? outputs[score].data[0] : null;
    return {
      name: file.name,
      ...top[0],
      top,
      accepted: ood === null || ood <= 1,
      ood_score: ood,
      explanation: { method: "rollout", heat: heat(rollout), box: this.#box(width, height) },
    };
  }

  // The crop as fractions of the image, as `Preprocessing.crop_box` has it.
  #box(width, height) {
    const [rows, columns] = this.#model.image_size;
    const { crop_fraction: fraction, crop_mode: mode } = this.#model.device;
    const scale = Math.min(width / columns, height / rows);
    const [wide, tall] =
      mode === "squash" ? [fraction, fraction] : [(columns * scale * fraction) / width, (rows * scale * fraction) / height];
    return [(1 - wide) / 2, (1 - tall) / 2, (1 + wide) / 2, (1 + tall) / 2];
  }
}

// The image upright, on white where it is transparent, as bytes of red, green and blue.
async function pixels(file) {
  let image;
  try {
    image = await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch {
    throw new Refusal(422, "not an image in a format that this browser knows");
  }
  const { width, height } = image;
  if (width * height > MOST) {
    image.close();
    throw new Refusal(413, `too large: ${width} x ${height} pixels, more than ${MOST / 1e6} million are refused here`);
  }
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(image, 0, 0);
  image.close();
  const { data } = context.getImageData(0, 0, width, height);
  const colors = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    colors[to] = data[from];
    colors[to + 1] = data[from + 1];
    colors[to + 2] = data[from + 2];
  }
  return { data: colors, width, height };
}

// The map as a small image of colors, which the page stretches.
function heat({ data, dims: [, rows, columns] }) {
  const [low, high] = [Math.min(...data), Math.max(...data)];
  const canvas = Object.assign(document.createElement("canvas"), { width: columns, height: rows });
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  data.forEach((value, place) => image.data.set([...color((value - low) / (high - low || 1)), 255], 4 * place));
  context.putImageData(image, 0, 0);
  return canvas.toDataURL();
}

function color(share) {
  const place = share * (COLORS.length - 1);
  const before = Math.min(Math.floor(place), COLORS.length - 2);
  return COLORS[before].map((value, channel) => value + (COLORS[before + 1][channel] - value) * (place - before));
}
