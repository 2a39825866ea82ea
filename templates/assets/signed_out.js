"use strict";
// Goes back to the service when every frame has been loaded, after three seconds in any case; without
// JavaScript the page shows a button (Front-Channel Logout 1.0 §3).
const back = document.getElementById("back");
if (back) {
  const go = () => window.location.replace(back.href);
  window.addEventListener("load", go);
  window.setTimeout(go, 3000);
}
