-- What a clone shows that no message says.

-- A change whose patch is exactly that of an earlier one, turned round.
CREATE TABLE inverse_patch (
    repo TEXT NOT NULL,
    by_sha TEXT NOT NULL,
    sha TEXT NOT NULL,                   -- the newest change it turns round, of the 90 days before it
    PRIMARY KEY (repo, by_sha)
);
-- what landed before was not looked at for that: it is read again
UPDATE source SET cursor = '' WHERE kind = 'clone';
