// The page about the API: shows openapi.json to people.
const make = (kind, ...inner) => {
  const element = document.createElement(kind);
  element.append(...inner);
  return element;
};

const code = (text) => make("code", text);

// Text in which `words` are code.
const prose = (text) => make("p", ...text.split("`").map((part, place) => (place % 2 ? code(part) : part)));

function table(rows) {
  const body = make("tbody", ...rows.map(([name, ...cells]) => make("tr", make("th", code(name)), ...cells.map((cell) => make("td", cell)))));
  const wide = make("div", make("table", body));
  wide.className = "wide";
  wide.tabIndex = 0;
  return wide;
}

function kindOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(kindOf).join(" or ");
  if (schema.type === "array") return schema.prefixItems ? `${schema.prefixItems.length} of ${kindOf(schema.prefixItems[0])}` : `list of ${kindOf(schema.items ?? {})}`;
  return schema.format === "binary" ? "file" : (schema.type ?? "any");
}

const fields = (schema) => table(Object.entries(schema.properties).map(([name, inner]) => [name, kindOf(inner), [inner.description, "default" in inner ? `default: ${inner.default}` : ""].filter(Boolean).join(" ")]));

function operation(path, method, said, schemas) {
  const verb = make("span", method.toUpperCase());
  verb.className = "method";
  const section = make("section", make("h2", verb, code(path)), ...said.description.split("\n\n").map(prose));
  if (path === "/v1/predict") section.append(make("pre", `curl -F files=@rose.jpg -F top=3 ${new URL("v1/predict", location.href)}`));
  for (const [kind, { schema }] of Object.entries(said.requestBody?.content ?? {})) section.append(make("h3", `Send ${kind}`), schema.properties ? fields(schema) : prose(schema.description));
  if (said.parameters?.length) section.append(make("h3", "Query parameters"), table(said.parameters.map(({ name, schema, description }) => [name, kindOf(schema), description])));
  const answer = said.responses["200"]?.content?.["application/json"]?.schema;
  const shown = new Set();
  const show = (schema, title) => {
    const found = schemas[kindOf(schema)];
    if (!found || shown.has(found)) return;
    shown.add(found);
    section.append(make("h3", title), fields(found));
    for (const inner of Object.values(found.properties)) for (const part of [inner, inner.items ?? {}, ...(inner.anyOf ?? [])]) for (const each of [part, part.items ?? {}]) if (each.$ref) show(each, kindOf(each));
  };
  if (answer) show(answer, `Returns ${kindOf(answer)}`);
  const others = Object.entries(said.responses).filter(([status]) => status !== "200");
  if (others.length) section.append(make("h3", "Errors"), table(others.map(([status, { description }]) => [status, description])));
  return section;
}

const openapi = await (await fetch("openapi.json")).json();
for (const [path, methods] of Object.entries(openapi.paths)) for (const [method, said] of Object.entries(methods)) document.getElementById("operations").append(operation(path, method, said, openapi.components.schemas));
