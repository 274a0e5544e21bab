// Static knobs: a slider shows one of the pictures that were saved with the notebook.
// One knob moves at a time; the others go back to where they started, since that is what the pictures show.
for (const figure of document.querySelectorAll("figure.knobs")) {
  const picture = figure.querySelector("img");
  const pictures = JSON.parse(figure.dataset.pictures);
  const knobs = [...figure.querySelectorAll("input")];

  const say = (knob) => {
    const shown = JSON.parse(knob.dataset.shown)[knob.value];
    knob.setAttribute("aria-valuetext", shown);
    knob.nextElementSibling.value = shown;
  };

  knobs.forEach((knob, number) => {
    knob.addEventListener("input", () => {
      for (const other of knobs) {
        if (other !== knob) {
          other.value = other.defaultValue;
          say(other);
        }
      }
      say(knob);
      picture.src = pictures[number][knob.value];
    });
    // The pictures are fetched when a hand or the keyboard comes near, so that they do not flicker.
    const fetchAll = () => pictures[number].forEach((address) => (new Image().src = address));
    for (const event of ["pointerenter", "focus"]) knob.addEventListener(event, fetchAll, { once: true });
  });
  figure.classList.add("ready");
}
