// One image with its prediction, or the reason why there is none.
import { percent } from "./words.js";

const NONE = "none of these classes";
let number = 0;

export class Card {
  constructor(file, remove) {
    this.file = file;
    this.name = file.name || "pasted image";
    this.sentence = "";
    this.element = document.getElementById("card").content.firstElementChild.cloneNode(true);
    this.#one(".file span").textContent = this.name;
    this.#one(".file span").title = this.name;
    this.button.setAttribute("aria-label", `Remove ${this.name}`);
    this.button.addEventListener("click", () => remove(this));
    this.element.classList.add("asking");
    this.#one(".answer").textContent = "predicting …";
    this.#showImage();
  }

  get button() {
    return this.#one(".remove");
  }

  #one(selector) {
    return this.element.querySelector(selector);
  }

  #showImage() {
    const image = this.#one(".image");
    this.address = URL.createObjectURL(this.file);
    image.addEventListener("load", () => {
      this.#one(".stage").style.setProperty("--ratio", image.naturalWidth / image.naturalHeight);
    });
    image.addEventListener("error", () => {
      this.#one(".stage").hidden = true;
      this.#one(".unshown").hidden = false;
    });
    image.alt = this.name;
    image.src = this.address;
  }

  show(answer) {
    this.element.classList.remove("asking");
    const told = this.#one(".answer");
    if (answer.accepted) {
      const share = document.createElement("small");
      share.textContent = percent(answer.probability);
      told.replaceChildren(answer.label, " ", share);
      this.sentence = `${this.name}: ${answer.label}, ${percent(answer.probability)}`;
    } else {
      this.element.classList.add("none");
      told.textContent = NONE;
      this.#note(
        `It is unlike the images that this model was trained on: OOD score ${answer.ood_score.toFixed(1)}, ` +
          "and above 1 no class is predicted. The most likely ones would be:",
      );
      this.sentence = `${this.name}: ${NONE}`;
    }
    this.#one(".bars").replaceChildren(...answer.top.map(bar));
    if (answer.explanation) this.#explain(answer.explanation, answer.label);
  }

  fail(reason) {
    this.element.classList.remove("asking");
    this.element.classList.add("failed");
    this.#one(".answer").textContent = reason;
    this.sentence = `${this.name}: ${reason}`;
  }

  close() {
    URL.revokeObjectURL(this.address);
    this.element.remove();
  }

  #note(text) {
    this.#one(".note").textContent = text;
    this.#one(".note").hidden = false;
  }

  #explain({ heat, box: [left, top, right, bottom], method }, label) {
    const layer = this.#one(".heat");
    const parts = { left, top, wide: right - left, tall: bottom - top };
    for (const [name, part] of Object.entries(parts)) layer.style.setProperty(`--${name}`, `${100 * part}%`);
    layer.src = heat;
    const slider = this.#one(".why input");
    slider.id = `why-${(number += 1)}`;
    this.#one(".why label").htmlFor = slider.id;
    const what = method === "rollout" ? "what counts for the prediction" : `what counts for ${label}`;
    this.#one(".why").title = `Bright: ${what}. Dark: what does not count. The model did not see what is outside.`;
    slider.addEventListener("input", () => {
      layer.hidden = slider.value === "0";
      this.element.style.setProperty("--fade", slider.value / 100);
      slider.setAttribute("aria-valuetext", `${slider.value} percent`);
    });
    this.#one(".why").hidden = false;
  }
}

function bar({ label, probability }) {
  const row = document.createElement("li");
  const [name, share, line] = ["span", "span", "i"].map((kind) => document.createElement(kind));
  name.className = "label";
  name.textContent = label;
  share.className = "share";
  share.textContent = percent(probability);
  line.style.setProperty("--share", probability);
  row.append(name, share, line);
  return row;
}
