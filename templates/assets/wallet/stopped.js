// Why the wallet stops. `code` finds the words on the page (data-…), so that they are translated.

export class Stopped extends Error {
  constructor(code, said = "") {
    super(code);
    this.code = code;
    this.said = said; // by the other side, in its own words
  }
}
