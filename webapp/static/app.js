// What htmx leaves to the page. Each page works without.
const on = (name, act) => document.addEventListener(name, act);
const find = (selector) => document.querySelector(selector);
const dirty = () => find("[data-draft-form][data-dirty]");

function focus(at) {
  if (at?.tabIndex < 0) at.tabIndex = -1;
  at?.focus();
}

function problem(kind) {
  const region = find("#problems"), line = document.createElement("p");
  line.className = "banner bad";
  line.append(region.dataset[kind]);
  region.replaceChildren(line);
  region.scrollIntoView({ block: "nearest" });
}

function dress() {
  document.querySelectorAll("[data-copy][hidden]").forEach((it) => { it.hidden = false; });
  document.querySelectorAll("#dialogs dialog:not([open])").forEach((it) => it.showModal());
}

on("htmx:config:request", ({ detail: { ctx } }) => {
  if (ctx.request.method !== "GET") ctx.request.headers["X-CSRFToken"] = find("meta[name=csrf-token]").content;
});

on("htmx:before:request", (event) => {
  const { ctx } = event.detail, form = dirty();
  const leaves = form && form !== ctx.sourceElement && ctx.target === document.body;
  if (leaves && !confirm(form.dataset.draftForm)) return event.preventDefault();
  ctx.busy = ctx.target; // an error may aim elsewhere
  ctx.held = ctx.target?.contains(document.activeElement);
  ctx.busy?.setAttribute("aria-busy", "true");
});

// A confirmed form leaves the history: Back must not offer to send it again.
on("htmx:after:request", ({ detail: { ctx: { hx, sourceElement } } }) => {
  if (sourceElement.id === "confirm" && hx.redirect) hx.redirect = location.replace(hx.redirect);
});

on("htmx:finally:request", ({ detail: { ctx } }) => ctx.busy?.removeAttribute("aria-busy"));
on("htmx:error", ({ detail: { ctx } }) => { if (ctx && !ctx.response) problem("offline"); });
on("htmx:response:error", ({ detail: { ctx } }) => {
  const { status } = ctx.response;
  if (status >= 500) problem("failed");
  else if ([401, 403].includes(status) && !ctx.hx.redirect) problem("denied");
});

on("htmx:after:swap", ({ detail: { ctx } }) => {
  const status = ctx.response?.status ?? 200;
  if (status < 400) find("#problems")?.replaceChildren();
  const asked = find("[data-focus]:not([data-focused])");
  if (asked) asked.dataset.focused = "";
  if (status === 422) focus(find(".error-summary"));
  else if (asked) focus(asked);
  else if (ctx.held && document.activeElement === document.body)
    focus(find(`#${ctx.target.id || "contenu"} :is(h1, h2, h3)`));
  dress();
});

// A draft is lost on leaving: say so.
on("input", ({ target: { form } }) => { if (form?.matches("[data-draft-form]")) form.dataset.dirty = ""; });
on("submit", () => dirty()?.removeAttribute("data-dirty"));
addEventListener("beforeunload", (event) => { if (dirty()) event.preventDefault(); });

on("click", async ({ target }) => {
  const { copy, copied } = target.closest("[data-copy]")?.dataset ?? {};
  if (!copy) return;
  await navigator.clipboard.writeText(copy);
  find("#flashes").textContent = copied;
});

dress();
focus(find(".error-summary"));
