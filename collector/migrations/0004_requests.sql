-- Pull and merge requests as their hosts have them, merged or not.
--
-- A service fills these; what landed is told by a history, a clone's or the host's own.

-- A service that is asked over the network, and how far it was read.
CREATE TABLE service (
    name TEXT NOT NULL,                  -- what it tells of: a repository, or a tracker's host
    kind TEXT NOT NULL,                  -- github
    cursor TEXT NOT NULL,                -- where the next sync goes on, as JSON
    synced_at TEXT,                      -- when the last sync that read all of it began; NULL: none yet
    PRIMARY KEY (name, kind)
);

-- A pull or merge request.
CREATE TABLE pull_request (
    repo TEXT NOT NULL,                  -- that it asks to take it in: host/owner/name
    number BIGINT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    base_branch TEXT NOT NULL,           -- that it asks to land on
    head_repo TEXT,                      -- that it comes from; NULL: it is gone
    head_branch TEXT NOT NULL,           -- also where it was deleted since
    author TEXT,                         -- the account, as aliases name it: github:ana; NULL: it is gone
    opened_at TEXT NOT NULL,
    merged_at TEXT,
    closed_at TEXT,                      -- of a merged one too
    merge_sha TEXT,                      -- the commit that landed it
    labels TEXT NOT NULL,                -- in lower case, one a line
    PRIMARY KEY (repo, number)
);

-- The commits of a request: as they were pushed, and as they landed.
CREATE TABLE pull_request_commit (
    repo TEXT NOT NULL,
    number BIGINT NOT NULL,
    sha TEXT NOT NULL,
    landed BIGINT NOT NULL,              -- 1: it is on the base branch
    place BIGINT NOT NULL,               -- in the order of the request
    author TEXT NOT NULL,                -- the author's email
    message TEXT NOT NULL,
    PRIMARY KEY (repo, number, sha),
    FOREIGN KEY (repo, number) REFERENCES pull_request (repo, number)
);
CREATE INDEX pull_request_commit_of_sha ON pull_request_commit (repo, sha);

-- The files a request touches, where its host was asked for them.
CREATE TABLE pull_request_file (
    repo TEXT NOT NULL,
    number BIGINT NOT NULL,
    path TEXT NOT NULL,
    PRIMARY KEY (repo, number, path),
    FOREIGN KEY (repo, number) REFERENCES pull_request (repo, number)
);
