-- What is left of the lines that changes added, where cpvo.toml asks for it.

-- A change whose lines were counted when its window had passed.
CREATE TABLE line_survival (
    repo TEXT NOT NULL,
    sha TEXT NOT NULL,                   -- of the change
    commits BIGINT NOT NULL,             -- how many the change had: with more of them it is counted anew
    window_days BIGINT NOT NULL,         -- of its team: with another window it is counted anew
    at_sha TEXT NOT NULL,                -- the newest commit of the tracked branch so many days after it shipped
    added BIGINT,                        -- lines it added; NULL: it touched too many files to be looked at
    surviving BIGINT,                    -- those of them that were there still
    measured_at TEXT NOT NULL,
    PRIMARY KEY (repo, sha)
);
