// The one script of the dashboard. It sends what forms and buttons ask for as JSON, and looks at
// the page again now and then. HTML comes only from the server, as a document that runs nothing;
// texts are set as texts.
"use strict";

(() => {
  const token = document.querySelector('meta[name="aaa-token"]')?.content;
  if (!token) return;
  const said = document.getElementById("said");
  let silence;

  /** Tells the user something, for a while. */
  function say(text, kind) {
    clearTimeout(silence);
    said.textContent = text;
    said.className = kind;
    silence = setTimeout(() => { said.textContent = ""; said.className = ""; }, kind === "bad" ? 20000 : 6000);
  }

  /** Sends a change; returns what was answered. */
  async function post(url, change) {
    const answer = await fetch(url, {
      method: "POST",
      credentials: "same-origin",
      headers: { "content-type": "application/json", "aaa-token": token },
      body: JSON.stringify(change),
    });
    let told = {};
    try { told = await answer.json(); } catch { /* the status says enough */ }
    if (!answer.ok) {
      const words = told.error || `the dashboard answered ${answer.status}`;
      throw new Error(told.advice ? `${words}. What to do: ${told.advice}` : words);
    }
    return told;
  }

  /** Loads a page as a document. */
  function load(url) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("GET", url);
      request.responseType = "document";
      request.setRequestHeader("accept", "text/html");
      request.timeout = 15000;
      request.onload = () => {
        if (request.status !== 200 || !request.response) reject(new Error(`status ${request.status}`));
        else resolve(request.response);
      };
      request.onerror = request.ontimeout = () => reject(new Error("the dashboard does not answer"));
      request.send();
    });
  }

  const focusable = (section) => [...section.querySelectorAll("a[href],button,input,select,summary")];

  /** Puts what is new into a section, and keeps what the reader did there. */
  function renew(section, fresh) {
    if (section.innerHTML === fresh.innerHTML) return;
    const open = [...section.querySelectorAll("details")].map((one) => one.open);
    const scrolled = [...section.querySelectorAll(".wide")].map((one) => one.scrollLeft);
    const focused = focusable(section).indexOf(document.activeElement);
    const seen = new Set([...section.querySelectorAll("table.events tbody a[href]")].map((a) => a.href));
    const had = seen.size > 0;
    section.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
    for (const name of fresh.getAttributeNames()) section.setAttribute(name, fresh.getAttribute(name));
    section.querySelectorAll("details").forEach((one, n) => { one.open = open[n] ?? one.open; });
    section.querySelectorAll(".wide").forEach((one, n) => { one.scrollLeft = scrolled[n] ?? 0; });
    if (had) {
      for (const row of section.querySelectorAll("table.events tbody tr")) {
        const link = row.querySelector("td.number a");
        if (link && !seen.has(link.href)) row.classList.add("new");
      }
    }
    if (focused >= 0) (focusable(section)[focused] ?? section.closest("main")).focus({ preventScroll: true });
  }

  /** Says whether somebody is at work in a section, so that it must not move. */
  function busy(section) {
    const active = document.activeElement;
    return section.contains(active) && active.matches("input,select,textarea,button,summary");
  }

  let stale = false;

  /** Looks at the page again. */
  async function look(sections, force) {
    const wanted = sections.filter((section) => force || !busy(section));
    if (wanted.length === 0) return;
    try {
      const page = await load(location.href);
      if (page.querySelector("body.bare")) { location.reload(); return; }
      for (const section of wanted) {
        const fresh = page.getElementById(section.id);
        if (fresh && (force || !busy(section))) renew(section, fresh);
      }
      if (stale) say("The dashboard answers again.", "good");
      stale = false;
    } catch (error) {
      if (!stale) say(`What is shown is not renewed: ${error.message}.`, "bad");
      stale = true;
    }
    document.documentElement.classList.toggle("stale", stale);
  }

  // On a narrow screen the page that is shown may be out of sight in the navigation.
  const current = document.querySelector(".top nav [aria-current]");
  if (current) current.parentElement.scrollLeft = current.offsetLeft - current.parentElement.clientWidth / 2;

  const live = () => [...document.querySelectorAll("[data-live]")];

  // Whatever is due is had with one look.
  let ticks = 0;
  setInterval(() => {
    if (document.hidden) return;
    ticks += 1;
    const due = live().filter((section) => ticks % Number(section.dataset.live) === 0);
    if (due.length > 0) look(due, false);
  }, 1000);

  // Events as they arrive.
  const streamed = document.querySelector("[data-stream]");
  if (streamed) {
    const pause = document.querySelector("[data-pause]");
    let paused = false, waiting = false, again = false;
    const renewed = async () => {
      if (waiting) { again = true; return; }
      waiting = true;
      do {
        again = false;
        if (!paused && !document.hidden) await look([streamed], true);
        await new Promise((resolve) => setTimeout(resolve, 500));
      } while (again);
      waiting = false;
    };
    const streaming = (is) => document.documentElement.classList.toggle("streaming", is);
    let source, last = streamed.dataset.last;
    // A browser has six connections to one address, and each stream holds one: with a stream in
    // every open tab, the next page would never load. So only those that are looked at have one.
    const follow = () => {
      if (document.hidden) {
        source?.close();
        source = undefined;
        streaming(false);
        return;
      }
      if (source) return;
      const url = new URL(streamed.dataset.stream, location.href);
      url.searchParams.set("after", last);
      source = new EventSource(url);
      source.onmessage = (event) => { last = event.lastEventId || last; renewed(); };
      source.onopen = () => streaming(true);
      source.onerror = () => streaming(false);
    };
    follow();
    document.addEventListener("visibilitychange", () => { follow(); renewed(); });
    // A page that is left may be kept, as it is, for the way back.
    addEventListener("pagehide", () => { source?.close(); source = undefined; });
    addEventListener("pageshow", follow);
    if (pause) {
      pause.hidden = false;
      pause.addEventListener("click", () => {
        paused = !paused;
        pause.textContent = paused ? "Go on" : "Pause";
        pause.setAttribute("aria-pressed", String(paused));
        if (!paused) renewed();
      });
    }
  }

  /** Follows an address, if it is one that can be followed. */
  function go(address) {
    const url = new URL(address, location.href);
    if (url.protocol === "http:" || url.protocol === "https:") location.assign(url.href);
  }

  /** Asks whether it is meant, does it, and says what came of it. */
  async function act(url, change, button, form) {
    if (button?.dataset.confirm && !window.confirm(button.dataset.confirm)) return;
    if (button) { button.disabled = true; button.setAttribute("aria-busy", "true"); }
    try {
      const told = await post(url, change);
      say(told.message ?? "Done.", "good");
      if (told.authorize) offer(form, told);
      if (told.location) { go(told.location); return; }
      await look([...document.querySelectorAll("main section[id], main div[id]")], true);
    } catch (error) {
      say(error.message, "bad");
    } finally {
      if (button) { button.disabled = false; button.removeAttribute("aria-busy"); }
    }
  }

  /** Shows where the PIN is had, and asks for it. */
  function offer(form, told) {
    const pin = document.getElementById(form?.dataset.pin ?? "");
    const page = new URL(told.authorize);
    if (!pin || (page.protocol !== "http:" && page.protocol !== "https:")) return;
    pin.querySelector("[data-authorize]").href = page.href;
    pin.elements.request.value = told.request;
    pin.hidden = false;
    pin.querySelector("[data-authorize]").focus();
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.post) return;
    event.preventDefault();
    const change = Object.fromEntries(new FormData(form));
    act(form.dataset.post, change, event.submitter, form);
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-post]");
    if (!button) return;
    event.preventDefault();
    act(button.dataset.post, {}, button);
  });
})();
