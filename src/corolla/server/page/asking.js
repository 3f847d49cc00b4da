// Sends requests to the server: a few at a time, one image each, with retries if it is busy.
const AT_ONCE = 4;
const PATIENCE = 8; // retries if the server is busy

export class Refusal extends Error {
  constructor(status, message, seconds = 0) {
    super(message);
    this.status = status;
    this.seconds = seconds; // to wait before a retry
  }
}

export class Asker {
  token = "";
  explains = false;
  limits = null;
  #running = 0;
  #waiting = [];

  async model() {
    const model = await this.#fetch("v1/model");
    this.explains = Boolean(model.explains);
    this.limits = model.limits;
    return model;
  }

  // The prediction of one file, as `POST /v1/predict` returns it.
  async ask(file) {
    if (file.size > this.limits.bytes) throw new Refusal(413, "the file is too large");
    await this.#turn();
    try {
      for (let times = 1; ; times += 1) {
        try {
          const said = await this.#fetch("v1/predict", { method: "POST", body: this.#form(file) });
          return said.predictions[0];
        } catch (error) {
          if (error.status !== 429 || times === PATIENCE) throw error;
          await new Promise((done) => setTimeout(done, 1000 * error.seconds));
        }
      }
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  // The bytes of the served file.
  async file() {
    const answer = await this.#get("v1/model/file");
    return answer.arrayBuffer();
  }

  async #turn() {
    if (this.#running >= AT_ONCE) await new Promise((done) => this.#waiting.push(done));
    this.#running += 1;
  }

  #form(file) {
    const form = new FormData();
    form.append("files", file, file.name || "image");
    form.append("explain", String(this.explains));
    return form;
  }

  async #fetch(path, options = {}) {
    return (await this.#get(path, options)).json();
  }

  async #get(path, options = {}) {
    const headers = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    let answer;
    try {
      answer = await fetch(path, { ...options, headers });
    } catch {
      throw new Refusal(0, "the server cannot be reached");
    }
    if (answer.ok) return answer;
    const said = await answer.json().catch(() => ({}));
    const seconds = Number(answer.headers.get("Retry-After")) || 1;
    throw new Refusal(answer.status, said.error ?? `the server responded with status ${answer.status}`, seconds);
  }
}
