// Makes the pages nicer; each of them works without.
"use strict";

const size = (bytes) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) { bytes /= 1024; unit += 1; }
  return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
};

// What the server says is wrong, in its own words.
const detail = (request) => {
  try { return JSON.parse(request.responseText).detail; } catch { return `the server answered ${request.status}`; }
};

function uploads(form) {
  const [input, sending, problem] = [form.querySelector("input[type=file]"), form.querySelector(".sending"), form.querySelector(".problem")];
  const [bar, words] = [sending.querySelector("progress"), sending.querySelector("p")];
  const button = (textContent) => Object.assign(document.createElement("button"), { type: "button", textContent });
  const [cancel, again] = [button("Cancel"), button("Try again")];
  form.querySelector("button").hidden = true;
  sending.append(cancel);
  problem.after(again);
  again.hidden = true;
  let under;
  const idle = () => {
    under = undefined;
    sending.hidden = true;
    // The same file may be chosen again, which is no change unless the last choice is forgotten.
    input.value = "";
    input.disabled = false;
  };
  const fail = (text, files) => {
    idle();
    problem.hidden = again.hidden = false;
    problem.textContent = text;
    again.onclick = () => send(files);
  };
  cancel.addEventListener("click", () => under?.abort());
  const send = (chosen) => {
    // One after the other; and a list of files is emptied with the input that it came from.
    const files = [...chosen];
    if (!files.length || under) return;
    const name = files.length === 1 ? files[0].name : `${files.length} files`;
    const request = under = new XMLHttpRequest();
    const begun = performance.now();
    request.upload.onprogress = (event) => {
      if (!event.lengthComputable) return;
      bar.value = event.loaded / event.total;
      const speed = event.loaded / Math.max(performance.now() - begun, 1) * 1000;
      words.textContent = event.loaded < event.total
        ? `${name}: ${size(event.loaded)} of ${size(event.total)}, ${size(speed)}/s`
        : `${name}: sent, being stored…`;
    };
    request.onload = () => {
      if (request.status === 202) { idle(); location.assign(JSON.parse(request.responseText).url); }
      else fail(`${name}: ${detail(request)}`, files);
    };
    request.onerror = () => fail(`${name}: the connection broke and nothing was kept; send it again`, files);
    request.onabort = () => fail(`${name}: cancelled, nothing was kept`, files);
    problem.hidden = again.hidden = input.disabled = true;
    sending.hidden = false;
    bar.value = 0;
    words.textContent = name;
    if (files.length === 1) {
      request.open("POST", `${form.dataset.upload}?name=${encodeURIComponent(files[0].name)}`);
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.send(files[0]);
    } else {
      const body = new FormData();
      for (const file of files) body.append("file", file);
      request.open("POST", form.dataset.upload);
      request.send(body);
    }
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); send(input.files); });
  input.addEventListener("change", () => send(input.files));
  // The whole page takes a drop: one that misses the zone must not make the browser leave it.
  const over = (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    form.classList.toggle("over", event.type === "dragover");
  };
  for (const kind of ["dragover", "dragleave", "drop"]) document.addEventListener(kind, over);
  document.addEventListener("drop", (event) => { if (event.dataTransfer?.files.length) send(event.dataTransfer.files); });
}

// Shows progress until there is a result, then puts the finished page in place of this one. An instance that goes away
// meanwhile is not an error: the next question is answered by another.
async function polls(section) {
  const set = (name, text) => { const at = section.querySelector(`[data-${name}]`); if (at) at.textContent = text; };
  for (;;) {
    await new Promise((wake) => setTimeout(wake, document.hidden ? 2000 : 300));
    try {
      const answer = await fetch(section.dataset.poll, { headers: { Accept: "application/json" } });
      if (answer.status === 404) return location.reload();
      if (!answer.ok) continue;
      const { status, progress } = await answer.json();
      if (status === "done" || status === "failed") return void await swap();
      const percent = `${Math.round(progress.fraction * 100)} %`;
      section.querySelector("progress").value = progress.fraction;
      set("percent", percent);
      set("lines", progress.lines.toLocaleString("en"));
      set("read", `${size(progress.bytes_read)} of ${size(progress.bytes_total)}`);
    } catch { /* asked again */ }
  }
}

async function swap() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.querySelector("main").replaceWith(page.querySelector("main"));
  document.title = page.title;
  start();
}

function start() {
  const form = document.querySelector("form[data-upload]");
  if (form) uploads(form);
  const open = document.querySelector("[data-poll]");
  if (open) polls(open);
  for (const asks of document.querySelectorAll("form[data-confirm]")) {
    asks.addEventListener("submit", (event) => { if (!confirm(asks.dataset.confirm)) event.preventDefault(); });
  }
}

start();
