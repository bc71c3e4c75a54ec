// Inside a reseller's page. The token of the session lives in this closure alone; this page listens to no message.
const meta = document.querySelector("meta[name=embed-session]");
if (meta) {
  const token = meta.content, { origins, start } = meta.dataset, root = location.pathname.split("/").slice(0, 3).join("/");
  meta.remove();

  const on = (name, act) => document.addEventListener(name, act, true);
  const tell = (message) => {
    if (top !== self) for (const origin of origins.split(" ")) parent.postMessage(message, origin);
  };
  const needed = () => tell({ type: "pf:session-needed", path: location.pathname + location.search });

  // Every request of htmx shows the token, those of Back and Forward too. Nothing else sends it.
  on("htmx:config:request", ({ detail: { ctx } }) => { ctx.request.headers.Authorization = `Bearer ${token}`; });
  on("htmx:response:error", ({ detail: { ctx } }) => { if (ctx.response.status === 401) needed(); });

  // A frame of another origin shows no confirmation: a draft that would be lost is said on the page, once.
  on("htmx:before:request", (event) => {
    const form = document.querySelector("[data-draft-form][data-dirty]"), { ctx } = event.detail;
    if (!form || form === ctx.sourceElement || ctx.target !== document.body) return;
    delete form.dataset.dirty;
    event.preventDefault();
    event.stopImmediatePropagation();
    const line = document.createElement("p");
    line.className = "banner warn";
    line.append(form.dataset.draftForm);
    document.querySelector("#problems").replaceChildren(line);
    line.scrollIntoView({ block: "nearest" });
  });

  // A navigation of the browser would arrive without the token: what htmx leaves to it is asked for here instead.
  const go = (method, address, more = {}) =>
    htmx.ajax(method, address, { target: "body", swap: "innerHTML", push: "true", ...more });
  const isOurs = (address) => new URL(address, location.href).origin === location.origin;
  addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]"), modified = event.ctrlKey || event.metaKey || event.shiftKey;
    if (!link || event.defaultPrevented || event.button || modified || link.target || !isOurs(link.href)) return;
    if (link.getAttribute("href").startsWith("#")) return;
    event.preventDefault();
    go("GET", link.pathname + link.search);
  });
  addEventListener("submit", (event) => {
    const form = event.target, by = event.submitter;
    if (event.defaultPrevented) return;
    event.preventDefault();
    const how = form.id === "confirm" ? { push: undefined, replace: "true" } : {}; // Back must not offer it again
    const address = by?.getAttribute("formaction") || form.getAttribute("action");
    go(by?.formMethod || form.method, address, { source: form, event, ...how });
  });
  // The page that answers a form without leading elsewhere has no address of its own: Back must find that of the form.
  let answers = false;
  on("htmx:after:request", ({ detail: { ctx: { request, response } } }) => {
    answers = request.method !== "GET" && !response?.raw?.redirected;
  });
  on("htmx:before:history:update", ({ detail }) => {
    if (answers) detail.history.path = location.pathname + location.search;
  });

  // A file is fetched by the browser itself, which sends no header: an address that works once is asked for.
  const fetchFile = async (address) => {
    const headers = { Authorization: `Bearer ${token}`, "X-CSRFToken": document.querySelector("meta[name=csrf-token]").content };
    const answer = await fetch(`${root}/billets`, { method: "POST", headers, body: new URLSearchParams({ address }) });
    if (answer.ok) location.assign((await answer.json()).address);
    else if (answer.status === 401) needed();
  };
  on("click", (event) => {
    const link = event.target.closest?.("a[data-file]");
    if (!link) return;
    event.preventDefault();
    fetchFile(link.pathname + link.search);
  });
  on("submit", (event) => {
    const form = event.target, by = event.submitter;
    if (!form.matches("[data-file]")) return;
    event.preventDefault();
    const address = new URL(by?.getAttribute("formaction") || form.action, location.href);
    fetchFile(`${address.pathname}?${new URLSearchParams(new FormData(form))}`);
  });

  // Where the tabs are wider than the frame, the one of this page is in sight.
  on("htmx:after:swap", () => {
    document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  });

  // The frame is as tall as what it shows.
  let height = 0;
  const measure = () => {
    const now = Math.ceil(document.body.getBoundingClientRect().height);
    if (now !== height) tell({ type: "pf:resize", height: height = now });
  };
  new ResizeObserver(measure).observe(document.body);

  if (start) {
    history.replaceState({ htmx: true }, "", start);
    htmx.ajax("GET", start, { target: "body", replace: "true" }).then(() => {
      document.activeElement.blur(); // whoever reads the page around has not come here yet
      tell({ type: "pf:ready" });
    });
  } else needed();
}
