// Passkeys, on every form with data-passkey: "get" uses one, "create" adds one. Without scripts these forms stay hidden.
"use strict";

(() => {
  /** Challenges expire after five minutes; the request that waits on the sign-in page is renewed before that. */
  const RENEWAL = 4 * 60 * 1000;

  const forms = [...document.querySelectorAll("form[data-passkey]")];
  let waiting, renewal;

  /** Bytes in JSON are base64url. Browsers that cannot convert them themselves get these two. */
  const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));
  const toText = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  function parse(options, creates) {
    const native = PublicKeyCredential[creates ? "parseCreationOptionsFromJSON" : "parseRequestOptionsFromJSON"];
    if (native) return native.call(PublicKeyCredential, options);
    const describe = (list) => (list ?? []).map((entry) => ({ ...entry, id: toBytes(entry.id) }));
    return {
      ...options,
      challenge: toBytes(options.challenge),
      ...(creates && { user: { ...options.user, id: toBytes(options.user.id) } }),
      allowCredentials: describe(options.allowCredentials),
      excludeCredentials: describe(options.excludeCredentials),
    };
  }

  function toJSON(credential) {
    if (credential.toJSON) return credential.toJSON();
    const { response } = credential;
    const members = { clientDataJSON: toText(response.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (response[name]) members[name] = toText(response[name]);
    }
    if (response.getTransports) members.transports = response.getTransports();
    const id = toText(credential.rawId);
    return { id, rawId: id, type: credential.type, response: members, clientExtensionResults: credential.getClientExtensionResults() };
  }

  /** New options of the service; undefined if the browser goes to another page for them. */
  async function fetchOptions(form) {
    if (form.dataset.publicKey) return JSON.parse(form.dataset.publicKey);
    const headers = { "Accept": "application/json", "Content-Type": "application/json" };
    if (form.dataset.csrf) headers["X-CSRF-TOKEN"] = form.dataset.csrf;
    const response = await fetch(form.dataset.options, { method: "POST", headers, body: "{}" });
    const content = await response.json();
    if (response.ok) return content.publicKey;
    if (content.code === "proof_needed" && form.dataset.proof) {
      location.assign(form.dataset.proof);
      return undefined;
    }
    throw new Error(content.detail);
  }

  function show(form, text) {
    const place = form.querySelector("[data-passkey-error]");
    place.textContent = text;
    place.hidden = !text;
  }

  /** What to say about an error of the browser. A user who cancelled knows that, so nothing is said. */
  function explain(form, error) {
    if (error.name === "NotAllowedError" || error.name === "AbortError") return "";
    return form.dataset[{ InvalidStateError: "errorKnown", SecurityError: "errorSite" }[error.name]] ?? form.dataset.error;
  }

  function send(form, credential) {
    form.elements.credential.value = JSON.stringify(toJSON(credential));
    for (const input of form.querySelectorAll("[data-copies-box]")) {
      input.value = String(document.getElementById(input.dataset.copiesBox)?.checked ?? false); // in the form for a code
    }
    form.requestSubmit();
  }

  async function start(form) {
    const creates = form.dataset.passkey === "create";
    show(form, "");
    stopWaiting();
    let options;
    try {
      options = await fetchOptions(form);
    } catch (error) {
      show(form, error instanceof TypeError ? form.dataset.error : error.message);
      return waitForAutofill();
    }
    if (!options) return undefined;
    try {
      const publicKey = parse(options, creates);
      return send(form, await navigator.credentials[creates ? "create" : "get"]({ publicKey }));
    } catch (error) {
      show(form, explain(form, error));
      return waitForAutofill();
    }
  }

  function stopWaiting() {
    clearTimeout(renewal);
    waiting?.abort();
    waiting = undefined;
  }

  /** Let the browser offer passkeys in the list of the email field. */
  async function waitForAutofill() {
    const form = forms.find((each) => "autofill" in each.dataset);
    if (!form || !(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
    stopWaiting();
    const request = (waiting = new AbortController());
    renewal = setTimeout(waitForAutofill, RENEWAL);
    try {
      const options = await fetchOptions(form);
      if (request.signal.aborted) return;
      const publicKey = parse(options, false);
      send(form, await navigator.credentials.get({ publicKey, mediation: "conditional", signal: request.signal }));
    } catch {
      // The form for the password and the button are still there.
    }
  }

  /** Tell password managers which passkeys exist, so that they stop offering those that were removed here.
   *
   * signalUnknownCredential would delete a passkey for good, and a rejected one need not be unknown: the service does not say why.
   */
  async function reportPasskeys() {
    const place = document.querySelector("[data-passkeys-known]");
    if (!place) return;
    const { rpId, userId, ids, name, displayName } = JSON.parse(place.dataset.passkeysKnown);
    try {
      await PublicKeyCredential.signalAllAcceptedCredentials?.({ rpId, userId, allAcceptedCredentialIds: ids });
      await PublicKeyCredential.signalCurrentUserDetails?.({ rpId, userId, name, displayName });
    } catch {
      // Only a hint for the browser.
    }
  }

  if (!window.PublicKeyCredential || !navigator.credentials) return;
  for (const form of forms) {
    form.hidden = false;
    form.querySelector("[data-passkey-start]").addEventListener("click", () => start(form));
  }
  waitForAutofill();
  reportPasskeys();
})();
