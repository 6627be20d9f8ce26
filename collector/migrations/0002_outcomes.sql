-- What landed, what took it back, and what became of it.
--
-- A source fills `change`, `change_commit` and `change_file` as git has them; `cpvo judge` tells the rest from those
-- alone, so that better rules need no new sync. Messages stay in this database; no report carries one.

-- A history that changes are read from, and how far it was read.
CREATE TABLE source (
    repo TEXT NOT NULL PRIMARY KEY,      -- host/owner/name
    kind TEXT NOT NULL,                  -- clone
    branch TEXT NOT NULL,                -- the tracked branch
    cursor TEXT NOT NULL,                -- the newest commit that was read
    synced_at TEXT NOT NULL,
    judged_at TEXT                       -- the instant the states below are true for; NULL: never judged
);

-- A change that landed on the tracked branch: a merged request, or a commit pushed without one.
CREATE TABLE change (
    repo TEXT NOT NULL REFERENCES source (repo),
    sha TEXT NOT NULL,                   -- the commit that landed it
    landed BIGINT NOT NULL,              -- its place in the order of landing
    number BIGINT,                       -- of its pull or merge request; NULL: a direct change
    title TEXT NOT NULL,                 -- without the number
    head_branch TEXT,                    -- the branch it was made on, where its landing names it
    author TEXT NOT NULL,                -- the email of its first commit
    merged_at TEXT NOT NULL,
    shipped_at TEXT NOT NULL,            -- when users got it: at the merge
    team TEXT,                           -- that owns the repository, else the author's; NULL: not judged
    policy_id BIGINT,                    -- what it was judged by
    state TEXT,                          -- pending, verified, disqualified, excluded; NULL: not judged
    excluded_as TEXT,                    -- with excluded: revert, dependencies, sync
    PRIMARY KEY (repo, sha)
);
CREATE INDEX change_of_number ON change (repo, number);
CREATE INDEX change_of_team ON change (team, shipped_at);

-- The commits of a change, the one that landed it included.
CREATE TABLE change_commit (
    repo TEXT NOT NULL,
    sha TEXT NOT NULL,
    change_sha TEXT NOT NULL,
    message TEXT NOT NULL,               -- '' where a merge brought a whole history in
    PRIMARY KEY (repo, sha),
    FOREIGN KEY (repo, change_sha) REFERENCES change (repo, sha)
);
CREATE INDEX change_commit_of_change ON change_commit (repo, change_sha);

-- The files a change touched.
CREATE TABLE change_file (
    repo TEXT NOT NULL,
    change_sha TEXT NOT NULL,
    path TEXT NOT NULL,
    PRIMARY KEY (repo, change_sha, path),
    FOREIGN KEY (repo, change_sha) REFERENCES change (repo, sha)
);

-- A change that takes another one back or brings it again, whenever it came.
CREATE TABLE revert (
    repo TEXT NOT NULL,
    sha TEXT NOT NULL,                   -- what was taken back
    by_sha TEXT NOT NULL,                -- the change that did it
    rule TEXT NOT NULL,                  -- how it names its target: commit, branch, reference, number, title
    kind TEXT NOT NULL,                  -- revert, reland
    partial BIGINT NOT NULL,             -- 1: less than the whole of it
    in_window BIGINT NOT NULL,           -- 1: before the window of its target ended
    reverted_at TEXT NOT NULL,
    PRIMARY KEY (repo, sha, by_sha),
    FOREIGN KEY (repo, sha) REFERENCES change (repo, sha),
    FOREIGN KEY (repo, by_sha) REFERENCES change (repo, sha)
);

-- Why a change is no verified outcome, with its evidence.
CREATE TABLE disqualification (
    repo TEXT NOT NULL,
    sha TEXT NOT NULL,
    kind TEXT NOT NULL,                  -- revert
    rule TEXT NOT NULL,
    by_sha TEXT NOT NULL,
    happened_at TEXT NOT NULL,
    PRIMARY KEY (repo, sha, kind, by_sha),
    FOREIGN KEY (repo, sha) REFERENCES change (repo, sha)
);

-- What a team's changes are judged by. Append-only: the newest row of a team holds.
CREATE TABLE policy (
    policy_id BIGINT NOT NULL PRIMARY KEY,
    team TEXT NOT NULL,
    window_days BIGINT NOT NULL,         -- a revert disqualifies within so many days
    hotfix_hours BIGINT NOT NULL,        -- and no change is verified before so many hours
    reason TEXT NOT NULL,
    recorded_at TEXT NOT NULL
);
INSERT INTO policy (policy_id, team, window_days, hotfix_hours, reason, recorded_at)
VALUES (1, 'unassigned', 14, 72, 'for changes that no team owns', '1970-01-01T00:00:00Z');
