// Passkeys. A form with data-passkey="get" or "create" asks data-ask what the browser is to show or make,
// puts the answer into its fields `token` and `answer`, and is then sent as any form is.

const can = window.PublicKeyCredential && PublicKeyCredential.parseCreationOptionsFromJSON && PublicKeyCredential.parseRequestOptionsFromJSON;
if (can) document.querySelectorAll("[data-needs-passkeys]").forEach((part) => { part.hidden = false; });

function refuse(form, words) {
  const place = document.querySelector("[data-passkey-error]") ?? form;
  place.querySelector("[data-refused]")?.remove();
  const note = document.createElement("div");
  note.className = "note note-bad";
  note.setAttribute("role", "alert");
  note.dataset.refused = "";
  const text = document.createElement("p");
  text.textContent = words;
  note.append(text);
  place.prepend(note);
}

async function ask(form) {
  const body = new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === "string"));
  const answer = await fetch(form.dataset.ask, { method: "POST", body, credentials: "same-origin" });
  const isJson = answer.headers.get("content-type")?.startsWith("application/json");
  if (!isJson) throw new Error("This did not work. Load the page again and try once more.");
  const asked = await answer.json();
  if (asked.error) throw new Error(asked.error);
  return asked;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.passkey) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (!can) return refuse(form, "This browser cannot use passkeys here.");
  const button = event.submitter;
  button?.classList.add("is-busy");
  try {
    const { token, options } = await ask(form);
    const made = form.dataset.passkey === "create"
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options.publicKey) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey) });
    form.elements.token.value = token;
    form.elements.answer.value = JSON.stringify(made.toJSON());
    form.submit();
  } catch (error) {
    button?.classList.remove("is-busy");
    refuse(form, error.name === "NotAllowedError" ? "Nothing was chosen, or it took too long. Try again." : error.message);
  }
}, true);
