// What the newest status says about what there is at all: for empty states, which say what to connect.

const NOTHING = "Nothing in this range. Choose a longer one, or remove a filter.";
let latest = null;

/** Keep the newest status; returns whether it is the first. */
export function remember(status) {
  const isFirst = latest === null;
  latest = status;
  return isFirst;
}

/** Whether rows of a table were ever received; true as long as that is unknown. */
function isLoaded(table) {
  const source = latest?.sources?.find((one) => one.table === table);
  return !source || (source.is_connected ?? source.last_extracted_at !== null);
}

/** Whether there are pull requests, or usage, of any day; true as long as that is unknown. */
export const has = { pull_requests: () => isLoaded("pull_requests"), usage: () => latest === null || latest.events?.total > 0 };

/** The option of a command that names this data directory, as the status' own advice has it. */
const dataDir = () => latest?.checks?.map((check) => / --data-dir ('[^']*'|\S+)/.exec(check.remedy ?? "")?.[0]).find(Boolean) ?? "";

/** Commands that begin or mend something, in the form of the status' own advice (millrace/status/remedies.py; a test compares them). */
export const commands = {
  pull_requests: () => `millrace run${dataDir()} --source-url https://…`,
  usage: () => `millrace collect${dataDir()}`,
  map_project: (project = "PROJECT") => `millrace map project${dataDir()} ${typed(project)} OWNER/NAME`,
  map_user: (user) => `millrace map user${dataDir()} ${typed(user)} DEVELOPER`,
};

const quoted = (text) => (/^[\w@.+/:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** A name as an argument: quoted for a shell, and never read as an option. */
const typed = (name) => (name.startsWith("-") ? `-- ${quoted(name)}` : quoted(name));

const FIRST = { pull_requests: "No pull requests yet. Connect a source: ", usage: "No usage yet. Count what the agents of a machine used: " };

/** The empty state of a panel that needs a kind of rows: [sentence, command or null]. */
export const emptiness = (kind) => (kind && !has[kind]() ? [FIRST[kind], commands[kind]()] : [NOTHING, null]);
