// What htmx leaves to the page. It only helps: each page works without.
(() => {
  const on = (name, act) => document.addEventListener(name, act);
  const find = (selector) => document.querySelector(selector);
  const dirty = () => find("[data-draft-form][data-dirty]");

  function focus(at) {
    if (at?.tabIndex < 0) at.tabIndex = -1;
    at?.focus();
  }

  function problem(kind) {
    const region = find("#problems");
    const line = document.createElement("p");
    line.className = "banner bad";
    line.textContent = region.dataset[kind];
    region.replaceChildren(line);
    region.scrollIntoView({ block: "nearest" });
  }

  function dress() {
    document.querySelectorAll("[data-copy][hidden]").forEach((button) => { button.hidden = false; });
    document.querySelectorAll("#dialogs dialog:not([open])").forEach((dialog) => dialog.showModal());
  }

  on("htmx:config:request", ({ detail: { ctx } }) => {
    if (ctx.request.method !== "GET") ctx.request.headers["X-CSRFToken"] = find("meta[name=csrf-token]").content;
  });

  on("htmx:before:request", (event) => {
    const { ctx } = event.detail;
    const form = dirty();
    const leaves = form && ctx.target === document.body && ctx.sourceElement !== form;
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
  on("htmx:error", ({ detail }) => { if (detail.ctx && !detail.ctx.response) problem("offline"); });
  on("htmx:response:error", ({ detail: { ctx } }) => {
    const { status } = ctx.response;
    if (status >= 500) problem("failed");
    else if ([401, 403].includes(status) && !ctx.hx.redirect) problem("denied");
  });

  on("htmx:after:swap", ({ detail: { ctx } }) => {
    const status = ctx.response?.status ?? 200;
    if (status < 400) find("#problems")?.replaceChildren();
    const asked = find("[data-focus]:not([data-focused])");
    asked?.setAttribute("data-focused", "");
    if (status === 422) focus(find(".error-summary"));
    else if (asked) focus(asked);
    else if (ctx.held && document.activeElement === document.body)
      focus(find(`#${ctx.target.id || "contenu"} :is(h1, h2, h3)`));
    dress();
  });

  // A draft is lost on leaving: say so.
  on("input", ({ target }) => target.form?.matches("[data-draft-form]") && target.form.setAttribute("data-dirty", ""));
  on("submit", () => dirty()?.removeAttribute("data-dirty"));
  addEventListener("beforeunload", (event) => { if (dirty()) event.preventDefault(); });

  on("click", async ({ target }) => {
    const button = target.closest?.("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    find("#flashes").textContent = button.dataset.copied;
  });

  on("DOMContentLoaded", () => { dress(); focus(find(".error-summary")); });
})();
