"""The script of the live page. It replaces only sections that changed, and keeps what was chosen, opened and scrolled to."""

from __future__ import annotations

SCRIPT = """
(() => {
  "use strict";
  const every = Number(document.currentScript.dataset.every), main = document.querySelector("main");
  const note = document.getElementById("live");
  let tag = document.currentScript.dataset.tag, missed = 0, timer = 0;
  const sent = new Map([...main.querySelectorAll("section")].map((one) => [one.id, one.innerHTML]));
  const say = (words) => { if (note.textContent !== words) note.textContent = words; };
  const kept = (part) => ({
    picked: [...part.querySelectorAll("input:checked")].map((one) => one.id),
    opened: [...part.querySelectorAll("details[open]")].map((one) => one.id),
    moved: [...part.querySelectorAll(".scroll")].map((one) => one.scrollLeft),
    focused: part.contains(document.activeElement) ? document.activeElement.id : "",
  });
  const put = (html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    const wanted = [...fresh.querySelectorAll("section")].map((one) => document.importNode(one, true));
    for (const old of main.querySelectorAll(":scope > section"))
      if (!wanted.some((one) => one.id === old.id)) old.remove();
    let before = note;
    for (const part of wanted) {
      const markup = part.innerHTML, old = document.getElementById(part.id);
      if (old && sent.get(part.id) === markup) { before = old; continue; }
      const was = old ? kept(old) : null;
      sent.set(part.id, markup);
      if (old) old.remove();
      before.after(part);
      before = part;
      if (!was) continue;
      for (const id of was.picked) { const one = document.getElementById(id); if (one) one.checked = true; }
      for (const id of was.opened) { const one = document.getElementById(id); if (one) one.open = true; }
      part.querySelectorAll(".scroll").forEach((one, place) => { one.scrollLeft = was.moved[place] || 0; });
      if (was.focused) document.getElementById(was.focused)?.focus({ preventScroll: true });
    }
    return fresh.getElementById("ended") !== null;
  };
  const look = async () => {
    clearTimeout(timer);
    try {
      const answer = await fetch("body", { headers: { "If-None-Match": tag }, cache: "no-store" });
      if (answer.status === 200) {
        tag = answer.headers.get("ETag") || "";
        if (put(await answer.text())) { say("The run has ended; this is the whole of it."); return; }
      } else if (answer.status !== 304) throw new Error(answer.status);
      missed = 0;
      say("Live: it changes by itself.");
    } catch {
      missed += 1;
      if (missed >= 2) say("The watch does not answer; this is what it saw last.");
    }
    if (!document.hidden) timer = setTimeout(look, every);
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  look();
})();
"""
"""``sent`` holds what the server sent for a section: what the reader changed in it is no difference."""
