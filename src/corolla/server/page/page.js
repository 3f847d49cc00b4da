// The page: the facts about the model, the ways to add images, and a card for each.
import { Asker } from "./asking.js";
import { Card } from "./card.js";
import { Device } from "./device.js";
import { count, day, listed, megabytes, percent } from "./words.js";

const at = (id) => document.getElementById(id);
const asker = new Asker();
const cards = [];
const PRIVACY = at("privacy").textContent;
let device = null; // where the model can be computed here

function fact(...parts) {
  const item = document.createElement("li");
  item.append(...parts);
  at("facts").append(item);
}

function strong(text) {
  const element = document.createElement("b");
  element.textContent = text;
  return element;
}

function introduce(model) {
  document.title = `${model.name}: which class is it?`;
  at("name").textContent = model.name;
  at("classes").textContent = `Classifies an image as one of ${count(model.classes.length, "class", "classes")}: ${listed(model.classes, 12)}.`;
  const { accuracy, limits } = model;
  if (accuracy) {
    const kind = accuracy.split === "test" ? "test images" : "validation images";
    const kind_note = accuracy.split === "test" ? "" : "; they also chose its weights, so this is slightly too optimistic";
    fact(
      strong(percent(accuracy.value)),
      ` of ${accuracy.images.toLocaleString("en")} ${kind} classified correctly (95 % interval ${percent(accuracy.low)} to ${percent(accuracy.high)}${kind_note})`,
    );
  }
  fact(model.architecture, model.began_with ? ` from ${model.began_with}` : "");
  if (model.ended && day(model.ended)) fact("trained ", strong(day(model.ended)));
  if (!model.calibrated) fact("not calibrated: probabilities are raw, and every image is accepted");
  if (model.report && !asker.token) {
    const link = document.createElement("a");
    link.href = "report";
    link.textContent = "Read its report";
    fact(link);
  }
  at("allowed").textContent = `Up to ${megabytes(limits.bytes)} and ${Math.floor(limits.pixels / 1e6)} megapixels each.`;
  at("version").textContent = ` · corolla ${model.version}`;
  if (model.device) {
    device = new Device(asker, model);
    at("here").hidden = false;
  }
  at("zone").hidden = false;
}

// Downloads what is needed to predict here, and reports it.
async function turn() {
  const box = at("local");
  device.on = box.checked;
  at("privacy").textContent = box.checked ? "Images stay in this browser: it computes the predictions itself." : PRIVACY;
  if (!box.checked) return;
  at("said").textContent = "Downloading the model …";
  at("here").classList.add("asking");
  try {
    await device.begin();
    at("said").textContent = "The model is ready.";
  } catch (error) {
    box.checked = device.on = false;
    at("privacy").textContent = PRIVACY;
    at("said").textContent = `The model cannot be computed here: ${error.message}`;
  }
  at("here").classList.remove("asking");
}

function add(files) {
  const fresh = [...files].map((file) => new Card(file, remove));
  at("cards").prepend(...fresh.map((card) => card.element));
  cards.unshift(...fresh);
  recount();
  for (const card of fresh) ask(card);
}

async function ask(card) {
  try {
    card.show(await (device?.on ? device : asker).ask(card.file));
  } catch (error) {
    card.fail(error.message);
  }
  at("said").textContent = card.sentence;
}

function remove(card) {
  const place = cards.indexOf(card);
  cards.splice(place, 1);
  card.close();
  recount();
  const next = cards[Math.min(place, cards.length - 1)];
  (next ? next.button : at("choose")).focus();
}

function recount() {
  at("answers").hidden = cards.length === 0;
  document.body.classList.toggle("working", cards.length > 0);
  at("count").textContent = count(cards.length, "image");
  at("clear").hidden = cards.length < 2;
}

function listen() {
  for (const [button, input] of [["choose", "files"], ["photograph", "camera"]]) {
    at(button).addEventListener("click", () => at(input).click());
    at(input).addEventListener("change", () => {
      add(at(input).files);
      at(input).value = ""; // so that the same file can be chosen again
    });
  }
  at("clear").addEventListener("click", () => {
    while (cards.length) cards.pop().close();
    recount();
    at("choose").focus();
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) add(event.clipboardData.files);
  });
  let depth = 0; // every element that is dragged over fires an event
  const dragging = (change) => {
    depth = change === 0 ? 0 : Math.max(depth + change, 0);
    document.body.classList.toggle("dragging", depth > 0);
  };
  document.addEventListener("dragenter", (event) => {
    event.preventDefault();
    dragging(1);
  });
  document.addEventListener("dragleave", () => dragging(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    dragging(0);
    if (event.dataTransfer.files.length) add(event.dataTransfer.files);
    else at("said").textContent = "That was not a file; save the image first, or copy and paste it.";
  });
  at("local").addEventListener("change", turn);
  at("token").addEventListener("submit", (event) => {
    event.preventDefault();
    asker.token = at("word").value;
    begin();
  });
}

async function begin() {
  try {
    const model = await asker.model();
    at("token").hidden = true;
    introduce(model);
  } catch (error) {
    at("token").hidden = error.status !== 401;
    if (error.status !== 401) at("classes").textContent = `The server does not respond: ${error.message}`;
    else at("refused").textContent = asker.token ? "The token is wrong." : "";
  }
}

listen();
begin();
