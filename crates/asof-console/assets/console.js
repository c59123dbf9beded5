// What makes the console quicker to use; without it every page can be read all the same.
"use strict";

// Micros as RFC 3339. A number holds them exactly: they are below 2^53.
function moment(micros) {
  const whole = Math.floor(micros / 1000);
  const rest = micros - whole * 1000;
  const text = new Date(whole).toISOString();
  return rest === 0 ? text.replace(".000Z", "Z") : text.replace("Z", String(rest).padStart(3, "0") + "Z");
}

function slider(form) {
  const range = form.querySelector("input[type=range]");
  const field = form.querySelector("input[name=at]");
  const steps = Number(range.max);
  let span = null;
  const place = (at) => Math.round(((at - span.from) / Math.max(1, span.to - span.from)) * steps);
  // The last step is latest: it goes on with time.
  const moved = () => Number(range.value) < steps;
  const at = () => span.from + Math.round(((span.to - span.from) * Number(range.value)) / steps);
  let asks = 20;
  const ask = () => fetch(form.dataset.density.replace("density.svg", "density.json"), { credentials: "same-origin" })
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer.status)))
    .then((answer) => {
      span = answer;
      // The same window as the slider's, and what was counted since the page was made.
      const picture = new URL(form.dataset.density, location.href);
      picture.searchParams.set("window", span.window);
      form.querySelector("img").src = picture.href;
      asks -= 1;
      if (!span.whole && asks > 0) {
        setTimeout(ask, 500);
      }
      range.value = String(place(span.shown));
      range.setAttribute("aria-valuetext", field.value || "latest");
      range.hidden = false;
      for (const link of form.querySelectorAll(".windows a")) {
        link.toggleAttribute("aria-current", link.textContent === span.window);
      }
    })
    .catch(() => {});
  ask();
  range.addEventListener("input", () => {
    field.value = moved() ? moment(at()) : "";
    field.placeholder = moved() ? "" : "latest";
    range.setAttribute("aria-valuetext", field.value || "latest");
  });
  const go = () => {
    if (field.value === "") {
      location.assign(form.dataset.latest);
    } else {
      form.requestSubmit();
    }
  };
  range.addEventListener("pointerup", () => setTimeout(go, 0));
  range.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      go();
    }
  });
}

function live(line) {
  const status = line.querySelector("[role=status]");
  const button = line.querySelector("button");
  const body = document.querySelector("table.log tbody");
  const rowsMax = 200;
  let source = null;
  let seen = 0;
  const cell = (row, className, text) => {
    const made = row.insertCell();
    made.className = className;
    made.textContent = text;
    return made;
  };
  // What strangers chose is text, never markup; what would not be seen is left out.
  const clean = (text) => text.replace(/[\p{Cc}\p{Cf}]/gu, "\u{fffd}");
  const show = (commit) => {
    const row = body.insertRow(0);
    row.className = "fresh";
    cell(row, "t", moment(commit.effective));
    const link = document.createElement("a");
    link.href = "/console/commit?id=" + encodeURIComponent(commit.id);
    link.textContent = String(commit.id);
    cell(row, "num", "").append(link);
    cell(row, "", clean(commit.author));
    cell(row, "num", commit.writes.length.toLocaleString("en"));
    cell(row, "k", clean([...new Set(commit.writes.map((write) => write.space))].slice(0, 4).join(" ")));
    cell(row, "grow", clean(commit.message));
    setTimeout(() => row.classList.remove("fresh"), 2000);
    while (body.rows.length > rowsMax) {
      body.deleteRow(-1);
    }
  };
  const stop = (why) => {
    if (source !== null) {
      source.close();
    }
    source = null;
    button.setAttribute("aria-pressed", "false");
    status.textContent = why;
  };
  const start = () => {
    source = new EventSource(line.dataset.live);
    button.setAttribute("aria-pressed", "true");
    status.textContent = "connecting";
    source.onmessage = (event) => {
      const message = JSON.parse(event.data);
      if (message.type === "commit") {
        seen += 1;
        show(message.commit);
      }
      const count = seen === 1 ? "1 new commit" : seen + " new commits";
      status.textContent = "complete through " + moment(message.through).slice(11, 19) + ", " + count;
    };
    source.onerror = () => {
      if (source !== null && source.readyState === EventSource.CLOSED) {
        stop("the feed ended; load the page again");
      } else {
        status.textContent = "connecting again";
      }
    };
  };
  button.addEventListener("click", () => (source === null ? start() : stop("paused")));
  line.hidden = false;
  start();
}

// A chosen file is read into the text of its form: what is sent is what is seen.
function file(line) {
  const text = document.getElementById(line.dataset.into);
  const status = line.querySelector("[role=status]");
  const most = Number(line.dataset.most);
  const size = (bytes) => Math.ceil(bytes / 1024).toLocaleString("en") + " KiB";
  line.querySelector("input").addEventListener("change", (event) => {
    const chosen = event.target.files[0];
    if (chosen === undefined) {
      return;
    }
    chosen.text().then((read) => {
      // As it is sent: percent-encoded, beside the other fields.
      const sent = new URLSearchParams({ writes: read.replace(/\r?\n/g, "\r\n") }).toString().length;
      if (sent > most - 8192) {
        status.textContent = size(sent) + " once encoded is too much here: plan it with the command";
        return;
      }
      text.value = read;
      status.textContent = "read, " + size(chosen.size);
    }, () => { status.textContent = "the file cannot be read"; });
  });
  line.hidden = false;
}

document.querySelectorAll("form[data-time]").forEach(slider);
document.querySelectorAll("[data-live]").forEach(live);
document.querySelectorAll("[data-into]").forEach(file);
