-- How large a change is where no host says it: GitLab does not, and a clone alone has nobody to ask.

-- A change that spend is known of.
CREATE TABLE change_size (
    repo TEXT NOT NULL,
    sha TEXT NOT NULL,                   -- of the change
    commits BIGINT NOT NULL,             -- how many the change had: with more of them it is measured anew
    lines BIGINT NOT NULL,               -- added and deleted by the commits that landed it
    PRIMARY KEY (repo, sha)
);
