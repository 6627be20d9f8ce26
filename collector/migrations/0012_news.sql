-- What a judging has not seen yet, so that it takes that and not all there is.
--
-- Whoever changes what the judge reads notes it here in the same transaction. Counts, not flags: what comes while a
-- judging runs is not taken for judged. A judging from nothing and one of what is new say the same.

-- What came to be known of each repository, and how far it was judged.
CREATE TABLE repo_news (
    repo TEXT NOT NULL PRIMARY KEY,
    news BIGINT NOT NULL,                -- counts what came to be known
    judged_news BIGINT,                  -- of those, how many were judged; NULL: none
    judged_at TEXT,                      -- the instant it was judged for
    due_at TEXT,                         -- without news nothing is judged otherwise before
    told TEXT                            -- what became of its changes, in words
);
INSERT INTO repo_news (repo, news) SELECT DISTINCT repo, 1 FROM pull_request;

-- The sessions whose spend is to be told anew.
CREATE TABLE session_news (
    session_id TEXT NOT NULL PRIMARY KEY,
    news BIGINT NOT NULL                 -- counts what came to be known
);

-- The last judging: one row.
CREATE TABLE judged (
    judged BIGINT NOT NULL PRIMARY KEY CHECK (judged = 1),
    run BIGINT NOT NULL,                 -- counts judgings: one that another has overtaken stores nothing more
    judged_at TEXT NOT NULL,             -- the instant it judged for
    version TEXT NOT NULL                -- of the program; '': the next judging begins from nothing
);
INSERT INTO judged (judged, run, judged_at, version) VALUES (1, 0, '', '');

-- What spend can have gone into as it was last judged: changes, and requests that have not landed.
CREATE TABLE work (
    repo TEXT NOT NULL,
    place TEXT NOT NULL,                 -- the sha of the change, or # and the number of a request
    sha TEXT,                            -- of the change; NULL: it has not landed
    number BIGINT,                       -- of the request; NULL: none
    head_repo TEXT,                      -- where it was made; NULL: nobody knows
    head_branch TEXT,
    author TEXT,                         -- the member behind its author; NULL: none is known
    opened_at TEXT,                      -- NULL: no request is known
    closed_at TEXT,                      -- when it landed or was given up; NULL: it is open
    given_up BIGINT NOT NULL,            -- 1: it was closed and never landed
    cordoned BIGINT NOT NULL,            -- 1: a cordon keeps it out
    commits TEXT NOT NULL,               -- one a line
    PRIMARY KEY (repo, place)
);
CREATE INDEX work_of_number ON work (repo, number);
CREATE INDEX work_of_head ON work (head_repo, head_branch);

CREATE INDEX change_commit_of_sha ON change_commit (sha);
CREATE INDEX pull_request_commit_of_any ON pull_request_commit (sha);
CREATE INDEX session_commit_of_sha ON session_commit (sha);
CREATE INDEX session_pull_request_of_number ON session_pull_request (repo, number);
CREATE INDEX attribution_span_of_branch ON attribution_span (repo, branch);
CREATE INDEX attribution_span_of_wait ON attribution_span (first_hour) WHERE rule = 'no_request_yet';
