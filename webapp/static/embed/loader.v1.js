/* The portal inside your page. Protocol: docs/embed/README.md. */
(() => {
  "use strict";
  const portal = new URL(document.currentScript.src).origin;
  const LEAST = 200, MOST = 5000, PATIENCE = 20000;
  let made = 0;

  function field(form, name, value) {
    const input = document.createElement("input");
    input.type = "hidden";
    input.name = name;
    input.value = value || "";
    form.append(input);
  }

  function mount(place, options) {
    const holder = typeof place === "string" ? document.querySelector(place) : place;
    const { slug, fetchToken, title = "Abonnement", newTab = "Ouvrir dans un nouvel onglet", scheme = "" } = options;
    const frame = document.createElement("iframe");
    const link = document.createElement("a");
    let path = "", patience = 0, opening = false, closed = false;

    frame.name = `portal-embed-${++made}`;
    frame.title = title;
    frame.style.cssText = `border:0;display:block;inline-size:100%;block-size:${LEAST}px`;
    holder.replaceChildren(frame);

    link.href = portal;
    link.target = "_blank";
    link.rel = "noopener";
    link.textContent = newTab;
    const fallback = () => holder.append(link); // it goes again if the frame opens after all

    // The assertion travels in the body of a POST: an address is written in logs and histories.
    async function open() {
      if (opening || closed) return;
      opening = true;
      clearTimeout(patience);
      patience = setTimeout(() => { if (opening) fallback(); opening = false; }, PATIENCE);
      try {
        const form = document.createElement("form");
        form.method = "post";
        form.action = `${portal}/embed/${slug}/session`;
        form.target = frame.name;
        form.hidden = true;
        field(form, "assertion", await fetchToken());
        field(form, "path", path);
        field(form, "scheme", scheme);
        document.body.append(form);
        form.submit();
        form.remove();
      } catch (error) {
        clearTimeout(patience);
        opening = false;
        fallback();
        throw error;
      }
    }

    function heard({ origin, source, data }) {
      if (origin !== portal || source !== frame.contentWindow || typeof data !== "object" || data === null) return;
      if (data.type === "pf:resize" && Number.isFinite(data.height)) {
        frame.style.blockSize = `${Math.min(Math.max(data.height, LEAST), MOST)}px`;
      } else if (data.type === "pf:ready") {
        opening = false;
        clearTimeout(patience);
        link.remove();
        holder.dispatchEvent(new CustomEvent("portal-embed:ready"));
      } else if (data.type === "pf:session-needed") {
        path = typeof data.path === "string" ? data.path.slice(0, 1000) : "";
        open();
      }
    }

    addEventListener("message", heard);
    open();
    return { close() { closed = true; clearTimeout(patience); removeEventListener("message", heard); frame.remove(); } };
  }

  window.PortalEmbed = Object.freeze({ mount });
})();
