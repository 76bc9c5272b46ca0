// The invitation's code stands behind the # of the link; it is taken from there, and out of the address bar.
"use strict";
const token = location.hash.slice(1);
if (token) {
  document.getElementById("token").value = token;
  history.replaceState(null, "", location.pathname);
}
if (document.getElementById("token").value) document.getElementById("token-field").hidden = true;
