// The messages to the page around the widget, in the hosted widget's form: { signal, response }.
// The response is the API's envelope; it holds ids, and nothing that the worker has typed.

// `error`, if there is one, has a code and a message; some read it in the data. To any origin: not
// every page has one, and the frame goes with the page, so that no other page can take its place.
export function postSignal(signal, data = {}, error = null) {
  const response = error
    ? { success: false, error: { ...error, errors: [] }, data: { ...data, error } }
    : { success: true, error: null, data };
  if (window.parent !== window) window.parent.postMessage({ signal, response }, "*");
  window.ReactNativeWebView?.postMessage(JSON.stringify({ signal, response }));
}

export const idsOf = (login) => ({ user_id: login.user_id, account_id: login.account_id,
  platform: login.platform, country: login.country });

// The integrator's page that follows, with the ids and the status added to its query.
export function addressAfter(redirectUrl, login) {
  const address = new URL(redirectUrl);
  for (const [name, value] of Object.entries({ ...idsOf(login), status: login.outcome.status })) {
    address.searchParams.set(name, value);
  }
  return address.href;
}
