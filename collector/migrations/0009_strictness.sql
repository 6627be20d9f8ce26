-- What counts against a change besides a revert that names it, and what an admin finds wrong.

-- targeted: confirmed hotfixes, too; literal: suspected ones and any revert that touches its files, too.
ALTER TABLE policy ADD COLUMN strictness TEXT NOT NULL DEFAULT 'targeted';

-- What would disqualify a change besides, were its team judged literally.
CREATE TABLE suspicion (
    repo TEXT NOT NULL,
    sha TEXT NOT NULL,
    kind TEXT NOT NULL,                  -- revert, hotfix
    rule TEXT NOT NULL,                  -- files: those that both touch
    by_sha TEXT NOT NULL,
    happened_at TEXT NOT NULL,
    PRIMARY KEY (repo, sha, kind, by_sha),
    FOREIGN KEY (repo, sha) REFERENCES change (repo, sha)
);

-- A disqualification that an admin found wrong: it is kept here and does not count.
CREATE TABLE dispute (
    repo TEXT NOT NULL,
    sha TEXT NOT NULL,
    kind TEXT NOT NULL,                  -- revert, hotfix, reopen
    rule TEXT NOT NULL,
    evidence TEXT NOT NULL,              -- the sha of the other change, or the address of the ticket
    reason TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    PRIMARY KEY (repo, sha, kind, evidence)
);

-- The tags of a history and the commits they stand for.
CREATE TABLE tag (
    repo TEXT NOT NULL,
    tag TEXT NOT NULL,
    sha TEXT NOT NULL,
    PRIMARY KEY (repo, tag)
);
