// Why the wallet stops. `code` finds the words on the page (data-…), so that they are translated.

export class Stopped extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}
