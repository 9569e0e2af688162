// All receivers side by side; one is opened by choosing it.

import * as format from "../view/format.js";
import { drawLayers } from "../view/packets.js";

export class Wall {
  constructor(element, pictures, feed, open) {
    Object.assign(this, { element, pictures, feed, open });
    this.tiles = new Map();
  }

  draw(state) {
    for (const receiver of state.receivers.values()) {
      if (!this.tiles.has(receiver.receiver)) this.tiles.set(receiver.receiver, this.newTile(receiver.receiver));
      this.drawTile(this.tiles.get(receiver.receiver), receiver, state.latest(receiver.receiver));
    }
  }

  newTile(number) {
    const tile = document.createElement("article");
    tile.className = "tile card";
    tile.innerHTML = `<div class="frame"><img class="layer" alt=""><img class="layer" alt=""><p class="empty">Waiting for the base</p></div>
      <div class="words"><h2><button type="button" class="open"></button></h2><p class="detail"></p></div>
      <ol class="layers"></ol><p class="figures"></p><div class="actions"></div>`;
    tile.querySelector(".open").addEventListener("click", () => this.open(number));
    this.element.append(tile);
    return tile;
  }

  drawTile(tile, receiver, photo) {
    tile.dataset.state = receiver.state;
    tile.dataset.receiver = receiver.receiver;
    tile.querySelector(".open").textContent = receiver.name;
    tile.querySelector(".detail").textContent = receiver.detail;
    this.drawActions(tile.querySelector(".actions"), receiver);
    const frame = tile.querySelector(".frame");
    const last = photo?.pictures.at(-1);
    frame.classList.toggle("waiting", !last);
    frame.querySelector(".empty").textContent = receiver.state === "away" ? "Not here" : "Waiting for the base";
    if (!photo) return;
    frame.style.setProperty("--width", photo.facts.width ?? 4);
    frame.style.setProperty("--height", photo.facts.height ?? 3);
    drawLayers(tile.querySelector(".layers"), { ...photo, blocks: photo.blocks.slice(0, 4) });
    const { received, lost, recovered, bytes } = photo.figures;
    tile.querySelector(".figures").textContent = [
      receiver.state === "done" ? "Has everything" : "",
      last ? format.quality(last, photo.facts.segments) : "",
      `${received} received`, `${lost} lost`, `${recovered} recovered`, format.bytes(bytes),
    ].filter(Boolean).join(" · ");
    if (last) this.showPicture(tile, frame, photo, last);
  }

  drawActions(place, receiver) {
    const wanted = receiver.actions.join();
    if (place.dataset.actions === wanted) return;
    place.dataset.actions = wanted;
    place.replaceChildren(...receiver.actions.map((action) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = action[0].toUpperCase() + action.slice(1);
      button.setAttribute("aria-label", `${button.textContent}: ${receiver.name}`);
      button.addEventListener("click", () => { button.disabled = true; this.feed.ask(receiver.receiver, action); });
      return button;
    }));
  }

  async showPicture(tile, frame, photo, picture) {
    const key = `${photo.number}/${picture.number}`;
    if (tile.dataset.wanted === key || tile.loading) return;
    tile.dataset.wanted = key;
    tile.loading = true;
    try {
      const url = await this.pictures.get(photo, picture.number);
      const images = [...frame.querySelectorAll(".layer")];
      const [shown, hidden] = images[0].classList.contains("front") ? images : images.reverse();
      hidden.src = url;
      await hidden.decode();
      hidden.alt = `${format.title(photo)} as ${tile.querySelector(".open").textContent} has it`;
      shown.classList.remove("front");
      hidden.classList.remove("shown");
      void hidden.offsetWidth;
      hidden.classList.add("front", "shown");
      tile.dataset.picture = key;
    } catch { /* the next one may come */ }
    tile.loading = false;
  }
}
