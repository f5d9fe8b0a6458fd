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

/** The commands with which rows of a kind begin. */
export const commands = {
  pull_requests: () => `millrace run --source-url https://…${dataDir()}`,
  usage: () => `millrace collect${dataDir()}`,
  map_project: (project) => `millrace map project ${quoted(project)} OWNER/REPOSITORY${dataDir()}`,
  map_user: (user) => `millrace map user ${quoted(user)} DEVELOPER${dataDir()}`,
};

const quoted = (text) => (/^[\w@.+/:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const FIRST = { pull_requests: "No pull requests yet. Connect a source: ", usage: "No usage yet. Count what the agents of a machine used: " };

/** The empty state of a panel that needs a kind of rows: [sentence, command or null]. */
export const emptiness = (kind) => (kind && !has[kind]() ? [FIRST[kind], commands[kind]()] : [NOTHING, null]);
