// Formats numbers as the report does.
export const SPACE = "\u00a0";

export const percent = (share) => `${(100 * share).toFixed(1)}${SPACE}%`;

export const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")}${SPACE}${n === 1 ? one : many}`;

export const megabytes = (bytes) => `${Math.floor(bytes / 1e6)}${SPACE}MB`;

export function listed(names, most) {
  const left = names.length - most;
  return names.slice(0, most).join(", ") + (left > 0 ? ` and ${left.toLocaleString("en")} more` : "");
}

// The day of an ISO date-time, or nothing if it is invalid.
export function day(text) {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleDateString("en-GB", { dateStyle: "long" });
}
