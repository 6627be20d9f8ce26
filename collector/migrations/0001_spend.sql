-- What was spent, by whom, for which team.
--
-- One text for SQLite and PostgreSQL: TEXT and BIGINT only, natural keys, no date functions.
-- Instants and hours are UTC in RFC 3339 (`2026-11-22T04:00:00Z`), weeks ISO 8601 in UTC (`2026-W47`).
-- Money is nano-dollars (10^-9 USD) as an integer; the views add dollars. Flags are 0 or 1.

-- An identity, as a report claims it or teams.toml lists it.
CREATE TABLE developer (
    developer TEXT NOT NULL PRIMARY KEY, -- an email in lower case, else kind:name
    kind TEXT NOT NULL,                  -- email, os_user, pseudonym, team; alias for other names of a member
    member TEXT,                         -- the email of the member in teams.toml it belongs to
    first_seen_at TEXT                   -- when its first report came; NULL before
);

-- A team of teams.toml, also one that ended.
CREATE TABLE team (
    team TEXT NOT NULL PRIMARY KEY,      -- id in teams.toml; stable, where the name may change
    name TEXT NOT NULL,
    business_unit TEXT,
    product TEXT,
    ended_at TEXT,                       -- first hour it no longer counts
    merged_into TEXT                     -- the team its members went to at ended_at
);

-- Who was in which team when. Append-only: a correction supersedes a row and adds another.
CREATE TABLE team_member (
    developer TEXT NOT NULL,             -- the member's email
    team TEXT NOT NULL REFERENCES team (team),
    valid_from TEXT NOT NULL,            -- first hour; 1970-01-01T00:00:00Z for all time
    valid_until TEXT,                    -- first hour no more; NULL: still a member
    recorded_at TEXT NOT NULL,           -- when the collector learnt it from teams.toml
    superseded_at TEXT,                  -- when a later edit replaced the row; NULL: it holds
    PRIMARY KEY (developer, valid_from, team, recorded_at)
);

-- Which repositories a team owns.
CREATE TABLE team_repository (
    team TEXT NOT NULL REFERENCES team (team),
    repo TEXT NOT NULL,                  -- host/owner/name
    paths TEXT NOT NULL,                 -- globs in a monorepo, one a line; empty: all of it
    PRIMARY KEY (team, repo, paths)
);

-- What one session spent in one repository in one week: the head of the latest report of this key.
CREATE TABLE session (
    session_id TEXT NOT NULL,            -- the UUID Claude Code gave
    repo TEXT NOT NULL,                  -- host/owner/name, local/<8 hex> without a remote, or none
    week TEXT NOT NULL,
    developer TEXT NOT NULL REFERENCES developer (developer),
    trust TEXT NOT NULL,                 -- how the identity is known: claimed, enrolled, ci, verified
    install_id TEXT NOT NULL,            -- the installation of the hook the session belongs to
    token_id TEXT NOT NULL,              -- the token that delivered the report, also one the table lacks
    via_repo TEXT NOT NULL,              -- the repository whose token delivered the report
    parser BIGINT NOT NULL,              -- the rank of the stored report, compared in this order:
    epoch BIGINT NOT NULL,               --   version of the reading rules, birth of the ledger (s since 1970),
    seq BIGINT NOT NULL,                 --   count of its snapshots
    digest TEXT NOT NULL,                -- SHA-256 of the report without its rank
    partial BIGINT NOT NULL,             -- 1: only responses that other sessions copied
    requests BIGINT NOT NULL,            -- responses of all rows
    client TEXT NOT NULL,
    client_version TEXT NOT NULL,
    entrypoint TEXT NOT NULL,
    hook_version TEXT NOT NULL,
    environment TEXT NOT NULL,           -- local, ci, remote
    provider TEXT NOT NULL,              -- anthropic, bedrock, vertex, foundry, gateway, unknown
    billing TEXT NOT NULL,               -- api, subscription, unknown
    started_at TEXT,                     -- first and last line of this session, repo and week
    ended_at TEXT,
    end_reason TEXT NOT NULL,
    turns BIGINT NOT NULL,               -- prompts a person sent
    subagents BIGINT NOT NULL,
    tool_errors BIGINT NOT NULL,
    api_errors BIGINT NOT NULL,
    compactions BIGINT NOT NULL,
    prompt_max BIGINT NOT NULL,          -- tokens of the largest prompt
    lines BIGINT NOT NULL,               -- transcript lines read, and what they lacked:
    malformed BIGINT NOT NULL,           --   lines that are not JSON or hold an impossible count
    synthetic BIGINT NOT NULL,           --   lines the client made up, such as error messages
    interrupted BIGINT NOT NULL,         --   responses cut off before their final usage
    unknown_usage BIGINT NOT NULL,       --   requests that left no response line
    unitemised BIGINT NOT NULL,          --   1: overhead that could not be told apart
    adopted BIGINT NOT NULL,             --   responses whose origin no remaining copy names
    stored_at TEXT NOT NULL,
    PRIMARY KEY (session_id, repo, week)
);

-- Commits of the session, confirmed by git on the developer's machine.
CREATE TABLE session_commit (
    session_id TEXT NOT NULL,
    repo TEXT NOT NULL,
    week TEXT NOT NULL,
    sha TEXT NOT NULL,
    branch TEXT NOT NULL,
    committed_at TEXT NOT NULL,
    PRIMARY KEY (session_id, repo, week, sha, branch),
    FOREIGN KEY (session_id, repo, week) REFERENCES session (session_id, repo, week)
);

-- Pull requests the session touched.
CREATE TABLE session_pull_request (
    session_id TEXT NOT NULL,
    repo TEXT NOT NULL,
    week TEXT NOT NULL,
    number BIGINT NOT NULL,
    action TEXT NOT NULL,                -- created, edited, commented, reviewed, merged, checked_out, named
    acted_at TEXT NOT NULL,
    PRIMARY KEY (session_id, repo, week, number, action, acted_at),
    FOREIGN KEY (session_id, repo, week) REFERENCES session (session_id, repo, week)
);

-- The dated price book this collector prices with; rates in pico-dollars (10^-12 USD).
CREATE TABLE price (
    price_id TEXT NOT NULL PRIMARY KEY,
    model TEXT NOT NULL,
    kind TEXT NOT NULL,                  -- base, fast, long
    above TEXT,                          -- with long: the largest prompt band it is not for
    provider TEXT,                       -- the one provider it is for; NULL: all
    valid_from TEXT NOT NULL,
    input_picousd BIGINT NOT NULL,       -- per token
    output_picousd BIGINT NOT NULL,
    cache_read_picousd BIGINT NOT NULL,
    cache_write_5m_picousd BIGINT NOT NULL,
    cache_write_1h_picousd BIGINT NOT NULL,
    web_search_picousd BIGINT NOT NULL,  -- per search
    us_permille BIGINT NOT NULL          -- what the token part costs in geo us, in thousandths
);

-- Tokens: one row per row of a report.
CREATE TABLE usage (
    session_id TEXT NOT NULL,
    repo TEXT NOT NULL,
    week TEXT NOT NULL,
    hour TEXT NOT NULL,
    branch TEXT NOT NULL,                -- '' where it is not known
    model TEXT NOT NULL,                 -- as the transcript names it
    agent TEXT NOT NULL,                 -- main, subagent, overhead
    workflow TEXT NOT NULL,              -- main, a built-in command, skill or agent, other
    speed TEXT NOT NULL,                 -- standard, fast
    geo TEXT NOT NULL,                   -- us, or ''
    prompt_band TEXT NOT NULL,           -- size of one request's prompt: 100k, 200k, max
    source TEXT NOT NULL,                -- hook
    developer TEXT NOT NULL,
    team TEXT NOT NULL,                  -- the developer's team at that hour, or unassigned
    requests BIGINT NOT NULL CHECK (requests >= 0),
    input BIGINT NOT NULL CHECK (input >= 0),
    output BIGINT NOT NULL CHECK (output >= 0),
    cache_read BIGINT NOT NULL CHECK (cache_read >= 0),
    cache_write_5m BIGINT NOT NULL CHECK (cache_write_5m >= 0),
    cache_write_1h BIGINT NOT NULL CHECK (cache_write_1h >= 0),
    web_search BIGINT NOT NULL CHECK (web_search >= 0),
    cost_nanousd BIGINT CHECK (cost_nanousd >= 0), -- NULL: the model has no price
    price_id TEXT REFERENCES price (price_id),     -- what it was priced with
    cost_basis TEXT NOT NULL,            -- list, or list_equivalent: paid by subscription
    PRIMARY KEY (session_id, repo, week, hour, branch, model, agent, workflow, speed, geo, prompt_band, source),
    FOREIGN KEY (session_id, repo, week) REFERENCES session (session_id, repo, week)
);
CREATE INDEX usage_of_developer ON usage (developer, hour);
CREATE INDEX usage_of_team ON usage (team, week);

-- Every week from the first one with spend to now, without gaps.
CREATE TABLE week (
    week TEXT NOT NULL PRIMARY KEY,
    starts_at TEXT NOT NULL,             -- Monday 00:00 UTC
    ends_at TEXT NOT NULL                -- the Monday after
);

-- The sums of usage by team and week, kept in the transaction that changes usage.
CREATE TABLE team_week_sum (
    team TEXT NOT NULL,
    week TEXT NOT NULL,
    usage_rows BIGINT NOT NULL,
    unpriced_rows BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write_5m BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    web_search BIGINT NOT NULL,
    billed_nanousd BIGINT NOT NULL,
    list_equivalent_nanousd BIGINT NOT NULL,
    PRIMARY KEY (team, week)
);

-- The sum over the whole database, so that no sum ever passes 64 bits.
CREATE TABLE usage_sum (
    usage_sum BIGINT NOT NULL PRIMARY KEY CHECK (usage_sum = 1),
    cost_nanousd BIGINT NOT NULL,
    counts BIGINT NOT NULL               -- requests, tokens and searches together
);
INSERT INTO usage_sum (usage_sum, cost_nanousd, counts) VALUES (1, 0, 0);

-- Ingest tokens that were issued. Their text is nowhere in the database.
CREATE TABLE token (
    token_id TEXT NOT NULL PRIMARY KEY,
    repo TEXT NOT NULL,                  -- the repository whose settings carry it
    strict BIGINT NOT NULL,              -- 1: it may report that repository only
    issued_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    revoked_at TEXT
);

-- What changed other numbers than by a report, and who did it.
CREATE TABLE audit (
    audit_id BIGINT NOT NULL PRIMARY KEY,
    happened_at TEXT NOT NULL,
    actor TEXT NOT NULL,                 -- collector, teams.toml, admin
    action TEXT NOT NULL,                -- such as member_joined, token_revoked, owner_changed
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
);

-- Every row of usage with its member, trust and dollars: spend by person, repository, branch, model, hour.
CREATE VIEW spend AS
SELECT
    u.team,
    COALESCE(d.member, u.developer) AS developer,
    u.repo, u.branch, u.model, u.hour, u.week, u.session_id, u.agent, u.workflow, u.speed, u.geo, u.prompt_band,
    s.environment, s.provider, s.trust, u.source,
    u.requests, u.input, u.output, u.cache_read, u.cache_write_5m, u.cache_write_1h, u.web_search,
    u.cost_basis, u.price_id, u.cost_nanousd,
    u.cost_nanousd / 1000000000.0 AS cost_usd
FROM usage AS u
JOIN session AS s ON s.session_id = u.session_id AND s.repo = u.repo AND s.week = u.week
JOIN developer AS d ON d.developer = u.developer;

-- Exactly one row per team and week from the team's first spend to now.
CREATE VIEW team_week AS
SELECT
    t.team, w.week,
    COALESCE(x.requests, 0) AS requests,
    COALESCE(x.input, 0) AS input,
    COALESCE(x.output, 0) AS output,
    COALESCE(x.cache_read, 0) AS cache_read,
    COALESCE(x.cache_write_5m, 0) AS cache_write_5m,
    COALESCE(x.cache_write_1h, 0) AS cache_write_1h,
    COALESCE(x.web_search, 0) AS web_search,
    COALESCE(x.input + x.output + x.cache_read + x.cache_write_5m + x.cache_write_1h, 0) AS tokens,
    COALESCE(x.billed_nanousd, 0) AS billed_nanousd,
    COALESCE(x.list_equivalent_nanousd, 0) AS list_equivalent_nanousd,
    COALESCE(x.billed_nanousd + x.list_equivalent_nanousd, 0) AS spend_nanousd,
    COALESCE(x.billed_nanousd, 0) / 1000000000.0 AS billed_usd,
    COALESCE(x.list_equivalent_nanousd, 0) / 1000000000.0 AS list_equivalent_usd,
    COALESCE(x.billed_nanousd + x.list_equivalent_nanousd, 0) / 1000000000.0 AS spend_usd,
    COALESCE(x.unpriced_rows, 0) AS unpriced_rows
FROM (SELECT team, MIN(week) AS first_week FROM team_week_sum GROUP BY team) AS t
JOIN week AS w ON w.week >= t.first_week
LEFT JOIN team_week_sum AS x ON x.team = t.team AND x.week = w.week;

-- Identities whose spend no team carries: whom to add to teams.toml.
CREATE VIEW unassigned AS
SELECT
    u.developer,
    d.kind,
    MIN(u.hour) AS first_hour,
    MAX(u.hour) AS last_hour,
    COUNT(DISTINCT u.session_id) AS sessions,
    CAST(SUM(u.requests) AS BIGINT) AS requests,
    CAST(SUM(u.cost_nanousd) AS BIGINT) AS cost_nanousd,
    SUM(u.cost_nanousd) / 1000000000.0 AS cost_usd
FROM usage AS u
JOIN developer AS d ON d.developer = u.developer
WHERE u.team = 'unassigned'
GROUP BY u.developer, d.kind;
