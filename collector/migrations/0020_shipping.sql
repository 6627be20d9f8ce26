-- What brings changes to users, where that is not the merge: `change.shipped_at` is then when the first release or
-- deployment that contains it was made, and 9999-12-01T00:00:00Z while there is none.

-- What brings the changes of a repository to users that are merged from then on, as teams.toml says.
CREATE TABLE shipping (
    repo TEXT NOT NULL,
    valid_from TEXT NOT NULL,
    ship TEXT NOT NULL,                  -- merge, release, deployment
    PRIMARY KEY (repo, valid_from)
);

-- A release or a successful deployment to production.
CREATE TABLE shipment (
    repo TEXT NOT NULL,
    service TEXT NOT NULL,               -- who tells: clone, github, gitlab
    ship TEXT NOT NULL,                  -- release, deployment
    name TEXT NOT NULL,                  -- a tag, or what the service calls it
    sha TEXT NOT NULL,                   -- its commit
    base_sha TEXT,                       -- the newest commit of the tracked branch in it; NULL: none that is known
    shipped_at TEXT NOT NULL,
    PRIMARY KEY (repo, service, ship, name)
);
