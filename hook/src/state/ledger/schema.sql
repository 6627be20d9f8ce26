-- The hook's memory: what was read, what it added up to, what each collector has acknowledged.
-- Instants are milliseconds since 1970 unless a column says seconds; repo '' means no repository of its own.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- How far each transcript was read, and what its next line inherits.
CREATE TABLE file (
    id         INTEGER PRIMARY KEY,
    path       TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,             -- last part of the path: it outlives a move
    device     INTEGER NOT NULL,
    inode      INTEGER NOT NULL,
    size       INTEGER NOT NULL,
    modified   INTEGER NOT NULL,          -- nanoseconds
    offset     INTEGER NOT NULL,          -- bytes read; always the end of a line
    head_bytes INTEGER NOT NULL,          -- how much of the beginning `head` covers
    head       INTEGER NOT NULL,
    at         INTEGER,
    cwd        TEXT,
    skipped    INTEGER NOT NULL           -- 1: of an identity that may not be stored
);
CREATE INDEX file_name ON file (name);

CREATE TABLE session (
    id           TEXT PRIMARY KEY,
    own          INTEGER NOT NULL DEFAULT 0,      -- 1 once a file of its own was read
    own_at       INTEGER,                         -- its oldest line that no other session lent it
    start_at     INTEGER,                         -- the line `start_repo` comes from
    start_repo   TEXT NOT NULL DEFAULT '',
    forked       INTEGER NOT NULL DEFAULT 0,      -- 1: its files hold lines of another session
    version      TEXT NOT NULL DEFAULT '',
    entrypoint   TEXT NOT NULL DEFAULT '',
    developer    TEXT,                            -- JSON, as on the wire
    environment  TEXT NOT NULL DEFAULT 'local',
    provider     TEXT NOT NULL DEFAULT 'unknown',
    billing      TEXT NOT NULL DEFAULT 'unknown',
    end_reason   TEXT NOT NULL DEFAULT 'swept',
    readings     INTEGER NOT NULL DEFAULT 0,      -- how often new lines of it were read
    searched     INTEGER NOT NULL DEFAULT 0       -- up to which of them its commits were looked for
) WITHOUT ROWID;

-- The folders its lines name: where its commits are looked for.
CREATE TABLE session_folder (
    session TEXT NOT NULL,
    folder  TEXT NOT NULL,
    PRIMARY KEY (session, folder)
) WITHOUT ROWID;

-- What many responses share: all of a usage row's key but its hour.
CREATE TABLE slot (
    id       INTEGER PRIMARY KEY,
    session  TEXT NOT NULL,
    repo     TEXT NOT NULL,
    branch   TEXT NOT NULL,
    model    TEXT NOT NULL,
    agent    TEXT NOT NULL,
    workflow TEXT NOT NULL,
    speed    TEXT NOT NULL,
    geo      TEXT NOT NULL,
    band     TEXT NOT NULL,
    UNIQUE (session, repo, branch, model, agent, workflow, speed, geo, band)
);

-- The winning record of each response; several parts only where its requests lie in several bands. Those of a slot
-- lie together, as they come and as reports ask for them; their keys are anywhere.
CREATE TABLE response (
    slot           INTEGER NOT NULL,
    key            BLOB NOT NULL,
    part           INTEGER NOT NULL,      -- the request is counted with part 0
    at             INTEGER NOT NULL,
    input          INTEGER NOT NULL,
    output         INTEGER NOT NULL,
    cache_read     INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    web_search     INTEGER NOT NULL,
    finished       INTEGER NOT NULL,
    run            INTEGER NOT NULL,      -- the run that met it and ends with its owner settled; -1: a line named it
    adopted        INTEGER NOT NULL,      -- 1: several sessions held it and no line named its owner
    PRIMARY KEY (slot, key, part)
) WITHOUT ROWID;
CREATE UNIQUE INDEX response_key ON response (key, part);

-- Other sessions seen to hold a response before its owner was settled.
CREATE TABLE contender (
    key     BLOB NOT NULL,
    session TEXT NOT NULL,
    PRIMARY KEY (key, session)
) WITHOUT ROWID;

-- What the lines of one file say beside responses; replaced as a whole when the file is.
CREATE TABLE share (
    file        INTEGER NOT NULL,
    session     TEXT NOT NULL,
    repo        TEXT NOT NULL,
    week        TEXT NOT NULL,
    started     INTEGER,
    ended       INTEGER,
    turns       INTEGER NOT NULL,
    subagents   INTEGER NOT NULL,
    tool_errors INTEGER NOT NULL,
    api_errors  INTEGER NOT NULL,
    compactions INTEGER NOT NULL,
    prompt_max  INTEGER NOT NULL,
    lines       INTEGER NOT NULL,
    malformed   INTEGER NOT NULL,
    synthetic   INTEGER NOT NULL,
    unknown_usage INTEGER NOT NULL,
    interruptions INTEGER NOT NULL,       -- people stopping a response, and what the client made up after it
    PRIMARY KEY (session, repo, week, file)
) WITHOUT ROWID;

-- The same, where copies of one file lie in several places: the fullest counts.
CREATE VIEW counted AS
SELECT session, repo, week, min(started) AS started, max(ended) AS ended, max(turns) AS turns,
    max(subagents) AS subagents, max(tool_errors) AS tool_errors, max(api_errors) AS api_errors,
    max(compactions) AS compactions, max(prompt_max) AS prompt_max, max(lines) AS lines, max(malformed) AS malformed,
    max(synthetic) AS synthetic, max(unknown_usage) AS unknown_usage, max(interruptions) AS interruptions
FROM share JOIN file ON file.id = share.file
GROUP BY session, repo, week, name;

-- Requests that no response has answered yet, and of each file, with session '', the one its last response answered:
-- the client may write it after that.
CREATE TABLE request (
    file    INTEGER NOT NULL,
    id      TEXT NOT NULL,
    session TEXT NOT NULL,
    repo    TEXT NOT NULL,
    week    TEXT NOT NULL,
    PRIMARY KEY (file, id)
) WITHOUT ROWID;

-- Files of a session with lines before `CPVO_SINCE`, which were not kept.
CREATE TABLE cut (
    file    INTEGER NOT NULL,
    session TEXT NOT NULL,
    PRIMARY KEY (session, file)
) WITHOUT ROWID;

-- The client's own running account of a session, the last one it wrote, by the model that was asked for.
CREATE TABLE account (
    session        TEXT NOT NULL,
    model          TEXT NOT NULL,
    at             INTEGER NOT NULL,      -- of the last line before it
    input          INTEGER NOT NULL,
    output         INTEGER NOT NULL,
    cache_read     INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    web_search     INTEGER NOT NULL,
    cost           TEXT NOT NULL,         -- pico-dollars: more than 64 bits
    guessed        INTEGER NOT NULL,      -- 1: the client knew no price for some model
    PRIMARY KEY (session, model)
) WITHOUT ROWID;

CREATE TABLE git_commit (
    session TEXT NOT NULL,
    repo    TEXT NOT NULL,
    sha     TEXT NOT NULL,
    branch  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (session, repo, sha)
) WITHOUT ROWID;

-- Commits a transcript mentions, until git confirms them.
CREATE TABLE commit_hint (
    session TEXT NOT NULL,
    folder  TEXT NOT NULL,
    sha     TEXT NOT NULL,
    branch  TEXT NOT NULL,
    PRIMARY KEY (session, folder, sha)
) WITHOUT ROWID;

CREATE TABLE pull_request (
    session TEXT NOT NULL,
    repo    TEXT NOT NULL,
    number  INTEGER NOT NULL,
    action  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (session, repo, number, action, at)
) WITHOUT ROWID;

-- Where each repository was seen: a vanished folder keeps its repository, and settings are looked for here.
CREATE TABLE folder (
    path TEXT PRIMARY KEY,
    repo TEXT NOT NULL,
    root TEXT NOT NULL
) WITHOUT ROWID;

-- Each report there is to send, with the snapshot it is at.
CREATE TABLE report (
    id      INTEGER PRIMARY KEY,
    session TEXT NOT NULL,
    repo    TEXT NOT NULL,
    week    TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    UNIQUE (session, repo, week)
);

-- The last answer a collector gave to each report.
CREATE TABLE delivery (
    report  INTEGER NOT NULL,
    origin  TEXT NOT NULL,
    seq     INTEGER NOT NULL,             -- the snapshot that was answered
    digest  TEXT NOT NULL,                -- a keyed hash of what it said
    current INTEGER NOT NULL,             -- the latest snapshot that says the same
    state   TEXT NOT NULL,                -- done, held, refused, later, upgrade
    note    TEXT NOT NULL,                -- the collector's words
    at      INTEGER NOT NULL,             -- seconds
    PRIMARY KEY (report, origin)
) WITHOUT ROWID;

CREATE TABLE collector (
    origin     TEXT PRIMARY KEY,
    epoch      INTEGER NOT NULL,          -- of the ledger, as this collector knows it
    version    TEXT NOT NULL DEFAULT '',  -- of the collector, from its last answer
    retry_at   INTEGER NOT NULL DEFAULT 0,-- seconds; nothing is sent before
    failures   INTEGER NOT NULL DEFAULT 0,-- since the last success
    asked_at   INTEGER NOT NULL DEFAULT 0,-- seconds; when it was last asked what is missing
    success_at INTEGER NOT NULL DEFAULT 0,
    failure_at INTEGER NOT NULL DEFAULT 0,
    failure    TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- Credentials a collector refused: nothing is sent with them again.
CREATE TABLE refusal (
    origin      TEXT NOT NULL,
    credentials TEXT NOT NULL,            -- a keyed hash
    words       TEXT NOT NULL,            -- the collector's
    at          INTEGER NOT NULL,         -- seconds
    PRIMARY KEY (origin, credentials)
) WITHOUT ROWID;
