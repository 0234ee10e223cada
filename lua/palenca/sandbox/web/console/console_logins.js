// The view of logins: all of them, with filters.
import { el } from "/assets/dom.js";
import { platformName, time } from "/assets/console_format.js";
import { badge, widgetLink, widgetUrl } from "/assets/console_parts.js";
import { below, column, filtered, row } from "/assets/console_tables.js";
import { breakable, empty, linkButton, shown } from "/assets/parts.js";

const columns = [column("Platform", "wrap"), column("Status", "wrap"), column("Details", "from-wide"),
  column("Worker", "from-medium wrap"), column("From", "from-wide"), column("When", "when")];

// Details of a pending login say what its status says.
const detailsOf = (login) => (login.status === "pending" && login.status_details !==
  "validation_pending" ? null : login.status_details) ?? login.warning;

export function loginRow(login) {
  return row({ "data-testid": "login-row", "data-login-id": login.login_id,
    "data-status": login.status, "data-platform": login.platform },
  [el("a", { href: `#/logins/${login.login_id}`, "data-key": login.login_id },
    platformName(login.platform)), below("below-medium", login.external_id)],
  [badge(login.status), below("below-wide", detailsOf(login))], shown(detailsOf(login)),
  breakable(shown(login.external_id)), shown(login.source), time(login.created_at));
}

export const latest = {
  columns: [columns[0], columns[1], columns[5]],
  row(login) {
    const { props, cells } = loginRow(login);
    return row(props, [cells[0][0], below("", login.external_id)],
      [badge(login.status), below("", detailsOf(login))], cells[5]);
  },
};

export function noLogin(overview) {
  return empty("No login yet. Connect an account as a worker would, or simulate it.",
    widgetLink(widgetUrl(overview, "worker-1"), "Open the widget", "main"),
    linkButton("#/start", "Simulate a login"));
}

export const logins = {
  title: "Logins",
  topics: ["logins"],
  open(page, context) {
    page.append(el("h1", null, "Logins"), el("p", { class: "lead" },
      "Every attempt of a worker to connect an account, the newest first."));
    return filtered(page, context, {
      view: "logins", path: "/sandbox/logins", key: "logins", name: "login", columns, row: loginRow,
      choices: [["status", "Status", ["pending", "success", "incomplete", "error"]],
        ["platform", "Platform", context.platformChoices()]],
      none: () => noLogin(context.overview),
    });
  },
};
