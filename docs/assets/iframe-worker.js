// Browsers refuse workers to a page that was opened from disk. There, the search runs in a hidden frame that is talked to
// as a worker is.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.srcdoc = `<script src="${new URL(address, location.href)}"></script>`;
      this.frame = new Promise((ready) => frame.addEventListener("load", () => ready(frame.contentWindow)));
      document.body.append(frame);
      this.frame.then((inside) => {
        inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      });
    }

    postMessage(data) {
      this.frame.then((inside) => inside.dispatchEvent(new MessageEvent("message", { data })));
    }

    terminate() {
      this.frame.then((inside) => inside.frameElement.remove());
    }
  };
}
