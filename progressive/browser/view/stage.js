// The picture: fades from each refinement to the next, goes back through its history, shows where meaning is.

import * as format from "./format.js";

const NOTHING = "Nothing has arrived yet";
const STAY_MS = 1000; // so long a picture stays for another photo of its size, which may be the next frame of a sequence

export class Stage {
  constructor(pictures) {
    this.pictures = pictures;
    this.figure = document.querySelector("#stage figure");
    this.frame = this.figure.querySelector(".frame");
    this.layers = [...this.figure.querySelectorAll(".layer")];
    this.slider = document.querySelector("#slider");
    this.live = document.querySelector("#live");
    this.overlay = document.querySelector("#overlay");
    this.importance = document.querySelector("#importance");
    this.download = document.querySelector("#download");
    this.look = document.querySelector("#look");
    this.otherLook = ""; // the look that is wanted, if not the main one
    this.photo = null;
    this.following = true;
    this.place = 0;
    this.wanted = null;
    this.loading = false;
    this.leaving = 0; // the timer of a picture that stays for another photo
    this.size = ""; // of the photo whose picture is shown
    this.onmove = () => {};
    this.frame.classList.add("waiting");
    this.frame.querySelector(".empty").textContent = NOTHING;

    this.slider.addEventListener("input", () => {
      this.place = Number(this.slider.value);
      this.following = this.place === this.last;
      this.update();
    });
    this.live.addEventListener("click", () => { this.following = true; this.update(); });
    this.overlay.addEventListener("click", () => {
      const shown = this.overlay.getAttribute("aria-pressed") !== "true";
      this.overlay.setAttribute("aria-pressed", shown);
      this.importance.hidden = !shown;
    });
    this.look.addEventListener("click", () => {
      this.otherLook = this.otherLook ? "" : this.photo.facts.looks[1];
      this.update();
    });
    this.download.addEventListener("click", (event) => { event.preventDefault(); this.save(); });
    this.download.addEventListener("keydown", (event) => {
      if (event.key === " " || event.key === "Enter") { event.preventDefault(); this.save(); }
    });
  }

  get last() { return (this.photo?.pictures.length ?? 0) - 1; }

  // The picture that is chosen: the latest, or an earlier one.
  get chosen() { return this.photo?.pictures[this.place]; }

  // The number and the look of the picture to show. The other look of the latest one takes a moment: until then
  // that of the one before is shown.
  get wish() {
    const { chosen, photo } = this;
    if (!this.otherLook || !photo.facts.looks?.includes(this.otherLook)) return [chosen.number, ""];
    const there = photo.looks.filter(([number, look]) => look === this.otherLook && number <= chosen.number);
    const [number] = there.at(-1) ?? [];
    const fits = number === chosen.number || (this.following && number !== undefined);
    return fits ? [number, this.otherLook] : [chosen.number, ""];
  }

  show(photo) {
    const another = !this.photo || photo.receiver !== this.photo.receiver || photo.number !== this.photo.number;
    this.photo = photo;
    if (another) {
      this.following = true;
      this.drawnMap = null;
      this.wanted = null;
      this.figure.dataset.number = "";
      this.leave();
    }
    this.update();
  }

  // Takes the picture of another photo away: at once, or, where this one has none yet, soon.
  leave() {
    clearTimeout(this.leaving);
    const shown = this.layers.some((image) => image.classList.contains("shown"));
    if (this.photo.pictures.length || !shown) this.clear();
    else this.leaving = setTimeout(() => { this.clear(); this.update(); }, STAY_MS);
  }

  clear() {
    this.stay();
    for (const image of this.layers) image.classList.remove("shown");
  }

  stay() {
    clearTimeout(this.leaving);
    this.leaving = 0;
  }

  get sizeOfPhoto() {
    const { width, height } = this.photo.facts;
    return width ? `${width}×${height}` : "";
  }

  update() {
    const { photo } = this;
    if (!photo) return;
    if (this.following) this.place = Math.max(0, this.last);
    this.place = Math.min(this.place, Math.max(0, this.last));
    this.slider.max = Math.max(0, this.last);
    this.slider.value = this.place;
    this.slider.disabled = this.last < 1;
    this.live.setAttribute("aria-pressed", this.following);
    this.download.setAttribute("aria-disabled", this.last < 0);
    this.download.tabIndex = this.last < 0 ? -1 : 0;
    document.querySelector("#name").textContent = format.title(photo);
    document.querySelector("#caption").textContent = this.caption();
    this.slider.setAttribute("aria-valuetext", this.chosen ? this.caption() : "nothing yet");
    const { width = 4, height = 3 } = photo.facts;
    this.frame.style.setProperty("--width", width);
    this.frame.style.setProperty("--height", height);
    if (this.leaving && this.sizeOfPhoto && this.sizeOfPhoto !== this.size) this.clear();
    this.frame.classList.toggle("waiting", this.last < 0 && !this.leaving);
    this.frame.querySelector(".empty").textContent = photo.facts.unshown ?? NOTHING;
    this.drawLook();
    this.drawImportance();
    this.load();
    this.onmove();
  }

  caption() {
    const { photo, chosen } = this;
    const { facts } = photo;
    const size = this.sizeOfPhoto || "header on its way";
    if (!chosen) return size;
    const words = [
      size,
      `picture ${this.place + 1} of ${this.last + 1}`,
      `shown at ${format.seconds(chosen.time_s)}, after ${format.bytes(chosen.bytes)}`,
      format.layer(chosen.layer),
      format.quality(chosen, facts.segments),
      chosen.gaps,
      (this.wish[1] || facts.looks?.[0]) === "natural" && "details partly invented",
    ];
    return words.filter(Boolean).join(" · ");
  }

  // Loads what is wanted; while one loads, only the latest wish is kept.
  async load() {
    const { chosen, photo } = this;
    if (!chosen) return;
    const key = `${photo.receiver}/${photo.number}/${this.wish}`;
    if (key === this.wanted) return;
    this.wanted = key;
    if (this.loading) return;
    this.loading = true;
    let done;
    do {
      done = this.wanted;
      const [wantedPhoto, [number, look]] = [this.photo, this.wish];
      try {
        const url = await this.pictures.get(wantedPhoto, number, look);
        if (wantedPhoto === this.photo) await this.fadeTo(url, number, look);
      } catch { /* the receiver has gone; what is shown stays */ }
    } while (done !== this.wanted);
    this.loading = false;
  }

  async fadeTo(url, number, look) {
    const [shown, hidden] = this.layers[0].classList.contains("front") ? this.layers : [...this.layers].reverse();
    hidden.src = url;
    await hidden.decode();
    this.stay();
    this.size = this.sizeOfPhoto;
    hidden.alt = `${format.title(this.photo)}, picture ${number + 1}`;
    shown.alt = "";
    shown.classList.remove("front");
    hidden.classList.remove("shown");
    void hidden.offsetWidth; // so that the fade begins at nothing
    hidden.classList.add("front", "shown");
    this.figure.dataset.number = number;
    this.figure.dataset.look = look;
  }

  drawLook() {
    const [main, other] = this.photo.facts.looks ?? [];
    this.look.hidden = !other;
    this.look.textContent = `Look: ${this.otherLook || main}`;
  }

  drawImportance() {
    const map = this.photo.facts.importance;
    this.overlay.disabled = !map;
    if (!map) this.importance.hidden = true;
    else if (this.overlay.getAttribute("aria-pressed") === "true") this.importance.hidden = false;
    if (!map || this.drawnMap === map) return;
    this.drawnMap = map;
    const canvas = this.importance, context = canvas.getContext("2d");
    canvas.width = map.columns;
    canvas.height = map.rows;
    map.levels.forEach((level, cell) => {
      const share = level / 7;
      context.fillStyle = share < 0.5 ? `rgb(6 14 26 / ${0.85 * (1 - 1.6 * share)})` : `rgb(255 196 60 / ${0.6 * (share - 0.3)})`;
      context.fillRect(cell % map.columns, Math.floor(cell / map.columns), 1, 1);
    });
  }

  async save() {
    const { photo, chosen } = this;
    if (!chosen) return;
    const [number, look] = this.wish;
    const blob = await this.pictures.source.picture(photo.receiver, photo.number, number, { look, whole: true })
      .catch(async () => (await fetch(await this.pictures.get(photo, number, look))).blob());
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${format.title(photo).replaceAll(" ", "_")}_${String(number).padStart(2, "0")}${look && `_${look}`}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }
}
